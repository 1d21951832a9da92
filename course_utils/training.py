"""What the ways of training have in common: what comes in is checked, and one loop with Adam and a schedule."""

from typing import Any

from course_utils.checks import check_images, check_labels, check_logits, check_noise_limit

import keras
import numpy as np

BATCH = 64


class Training(keras.Model):
    """A network in training; what is special about a way to train stands in `train_step`."""

    def __init__(self, network: keras.Model, noise_limit: float) -> None:
        super().__init__(name="training")
        self.network, self.noise_limit = network, noise_limit

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the network's logits."""
        return self.network(images, training=training)


def check_training(
    network: keras.Model, images: Any, labels: Any, noise_limit: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return images, labels and limit as the checks do, and see that the network returns logits.

    Raises:
        TypeError: images that are not float32, labels that are not whole numbers, a limit that is not a number.
        ValueError: images and labels that do not fit together or do not fit the network, a limit outside (0, 1], a
            network that returns probabilities.
    """
    images = check_images(images, network)
    labels = check_labels(labels, images, network.output_shape[-1])
    check_logits(network(images[:BATCH], training=False))
    return images, labels, check_noise_limit(noise_limit)


def fit(
    training: Training,
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    seed: int,
    peak_learning_rate: float = 2e-3,
) -> keras.Model:
    """Train with Adam and a learning rate that rises for a tenth of the steps and then falls along a cosine.

    Returns:
        The network that was in training.
    """
    rising = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        peak_learning_rate / 20, steps - rising, warmup_target=peak_learning_rate, warmup_steps=rising
    )
    training.compile(
        keras.optimizers.Adam(schedule), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"], jit_compile=False,
    )  # fmt: skip
    keras.utils.set_random_seed(seed)
    chosen = np.random.default_rng(seed).integers(len(images), size=steps * BATCH)
    training.fit(images[chosen], labels[chosen], batch_size=BATCH, shuffle=False, verbose=1)
    return training.network
