"""Adversarial noise: how it is added to images, the layer that holds it, and the search for it."""

import functools
from collections.abc import Callable
from typing import Any

from course_utils.checks import (
    check_images,
    check_labels,
    check_logits,
    check_noise,
    check_noise_limit,
    check_target_class,
)

import keras
import numpy as np
import tensorflow as tf


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
        if not l2_weight >= 0:
            raise ValueError(f"l2_weight must be at least 0, got {l2_weight}")
        self.l2_weight = float(l2_weight)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the noise, one image of zeros."""
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


def find_image_noise(
    network: keras.Model,
    images: np.ndarray,
    target_classes: int | np.ndarray,
    noise_limit: float = 0.35,
    *,
    score: float = 0.99,
    max_steps: int = 100,
    step_size: float | None = None,
    batch_size: int = 256,
) -> tuple[np.ndarray, np.ndarray]:
    """Find noise for single images: for each its own, until the network gives the target class the wanted score.

    Every step goes down the gradient of the cross-entropy with the target class, scaled so that the pixel with
    the largest gradient moves by `step_size`.

    Args:
        network: takes float32 images in [0, 1] and returns logits; it is not changed.
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        target_classes: one class for all images, or whole numbers of shape (N,).
        noise_limit: largest |noise| of a pixel, in (0, 1].
        score: softmax output for the target class at which an image is done, in (0, 1).
        max_steps: at most so many steps for an image; with fewer its score was reached.
        step_size: in pixel units; a fifth of the limit when left out.
        batch_size: so many images are searched at once.

    Returns:
        noise, float32, shape (N, H, W, C), and the number of steps that each image took, int64, shape (N,).

    Raises:
        TypeError: images that are not float32, classes that are not whole numbers.
        ValueError: images outside [0, 1] or not of the network's shape, a limit outside (0, 1], a class that the
            network does not have, a network that returns probabilities.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #11 (2016). Explained in notebook 03.
    """
    images = check_images(images, network)
    noise_limit = check_noise_limit(noise_limit)
    classes = network.output_shape[-1]
    if np.ndim(target_classes) == 0:
        target_classes = np.full(len(images), check_target_class(target_classes, classes))
    targets = check_labels(target_classes, images, classes, name="target_classes")
    step_size = noise_limit / 5 if step_size is None else step_size
    if not 0 < score < 1 or max_steps < 1 or batch_size < 1 or not step_size > 0:
        raise ValueError(
            "score must be between 0 and 1, max_steps and batch_size at least 1, step_size above 0; "
            f"got {score}, {max_steps}, {batch_size} and {step_size}"
        )
    check_logits(network(images[:batch_size], training=False))
    search = _image_search(network)
    settings = [tf.constant(value, tf.float32) for value in (noise_limit, step_size, score)]
    found = [
        search(images[i : i + batch_size], targets[i : i + batch_size], *settings, tf.constant(max_steps))
        for i in range(0, len(images), batch_size)
    ]
    noise, steps = zip(*found, strict=True)
    return np.concatenate(noise), np.concatenate(steps).astype(np.int64)


@functools.lru_cache(maxsize=8)
def _image_search(network: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Compile the search for one network; kept, so that the second call starts at once."""

    @tf.function(reduce_retracing=True)
    def search(images, targets, noise_limit, step_size, score, max_steps):  # type: ignore[no-untyped-def]
        noise = tf.zeros_like(images)
        steps = tf.zeros_like(targets)
        for _ in tf.range(max_steps):
            with tf.GradientTape() as tape:
                noisy = tf.clip_by_value(images + noise, 0, 1)
                # The gradient for the noise itself would be stuck at zero wherever a pixel is clipped.
                tape.watch(noisy)
                logits = network(noisy, training=False)
                loss = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
            reached = tf.gather(tf.nn.softmax(logits), targets, batch_dims=1) >= score
            if tf.reduce_all(reached):
                break
            gradient = tape.gradient(loss, noisy)
            largest = tf.reduce_max(tf.abs(gradient), axis=(1, 2, 3), keepdims=True)
            stepped = noise - step_size * tf.math.divide_no_nan(gradient, largest)
            stepped = tf.clip_by_value(stepped, -noise_limit, noise_limit)
            noise = tf.where(reached[:, None, None, None], noise, stepped)
            steps += tf.cast(~reached, steps.dtype)
        return noise, steps

    return search
