"""Adversarial noise: how it is added to images, and the layer that holds it."""

from typing import Any

from course_utils._checks import check_images, check_noise, check_noise_limit, check_number

import keras
import numpy as np


def add_noise(images: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Add noise to images and keep every pixel in [0, 1].

    Args:
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        noise: float32, shape (H, W, C) for all images or (N, H, W, C) for one each, same pixel units.

    Returns:
        float32, shape (N, H, W, C), pixels in [0, 1].

    Raises:
        TypeError: another dtype than float32.
        ValueError: shapes that do not fit, pixels outside [0, 1], NaN, no images.

    Explained in notebook 03.
    """
    images = check_images(images)
    return np.clip(images + check_noise(noise, images), 0, 1)


@keras.saving.register_keras_serializable("course_utils")
class WithinLimit(keras.constraints.Constraint):
    """Clip a weight to [-limit, limit] after every optimiser step."""

    def __init__(self, limit: float) -> None:
        """Keep the limit, a number in (0, 1]."""
        self.limit = check_noise_limit(limit)

    def __call__(self, w: Any) -> Any:
        """Return the weight, clipped."""
        return keras.ops.clip(w, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """Return what is needed to build the same constraint again."""
        return {"limit": self.limit}


@keras.saving.register_keras_serializable("course_utils")
class AdversarialNoise(keras.layers.Layer):
    """One noise image, added to every image that passes, as a layer that `fit` can train.

    The noise is the layer's only weight, `noise`: float32, shape (H, W, C), zero at first, never beyond the limit
    after a step. The sum of image and noise is clipped to [0, 1].

    Args:
        limit: largest |noise| of a pixel, in (0, 1]; 1 is the way from black to white.
        l2_weight: factor of the penalty l2_weight · ½ · Σ noise² on the loss, at least 0.
        **kwargs: what every Keras layer takes, such as `name`.

    Raises:
        TypeError: a limit that is not a number.
        ValueError: a limit outside (0, 1], a negative l2_weight.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016). Explained in notebook 04.
    """

    def __init__(self, limit: float = 0.35, l2_weight: float = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = check_noise_limit(limit)
        self.l2_weight = check_number(l2_weight, "l2_weight")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the noise, one image of zeros."""
        if len(input_shape) != 4 or None in input_shape[1:]:
            raise ValueError(f"noise needs images of one size, (N, H, W, C), got the shape {tuple(input_shape)}")
        self.noise = self.add_weight(
            name="noise",
            shape=tuple(input_shape[1:]),
            initializer="zeros",
            regularizer=keras.regularizers.L2(self.l2_weight / 2),  # Keras leaves out the ½
            constraint=WithinLimit(self.limit),
        )

    def call(self, images: Any) -> Any:
        """Return the images with the noise, clipped to [0, 1]."""
        return keras.ops.clip(images + self.noise, 0, 1)

    def get_config(self) -> dict[str, Any]:
        """Return what is needed to build the same layer again."""
        return {**super().get_config(), "limit": self.limit, "l2_weight": self.l2_weight}
