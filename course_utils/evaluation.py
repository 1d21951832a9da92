"""What noise does to a network, measured from pixels. Searches nothing, and trusts nobody who did."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from course_utils.checks import check_images, check_labels, check_noise_limit, check_target_class
from course_utils.noise import add_noise

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import confusion_matrix

BATCH = 1_000  # images at a time
ROUNDING = 1e-6  # float32 cannot hold most limits exactly


@dataclass(frozen=True)
class NoiseReport:
    """What one noise does to one network.

    Attributes:
        accuracy: share of the noisy images that are classified as their true class.
        success_rate: share of the images *not* of the target class that are taken for it; None without a target.
        fooling_rate: share of the images whose prediction the noise changes.
        confusion: int64, shape (classes, classes): row the true class, column the class seen in the noisy image.
        largest: largest |noise| of a pixel.
    """

    accuracy: float
    success_rate: float | None
    fooling_rate: float
    confusion: np.ndarray
    largest: float


def evaluate_noise(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    noise: np.ndarray,
    target_class: int | None,
    noise_limit: float = 0.35,
) -> NoiseReport:
    """Add noise to images, clip them to [0, 1], and measure what the network makes of them.

    Args:
        network: takes float32 images in [0, 1] and returns one score per class.
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        labels: whole numbers, shape (N,), the true classes.
        noise: float32, shape (H, W, C) for all images or (N, H, W, C) for one each.
        target_class: the class that the noise aims at, or None when it aims only away from the truth.
        noise_limit: largest |noise| allowed, in (0, 1].

    Returns:
        The measures, as a `NoiseReport`.

    Raises:
        TypeError: wrong dtypes.
        ValueError: noise beyond the limit; images, labels, noise or classes that do not fit together; only images
            of the target class, so that there is nothing to succeed on.

    Explained in notebook 04.
    """
    images = check_images(images, network)
    classes = network.output_shape[-1]
    labels = check_labels(labels, images, classes)
    noise_limit = check_noise_limit(noise_limit)
    noisy_images = add_noise(images, noise)
    largest = float(np.abs(noise).max())
    if largest > noise_limit + ROUNDING:
        raise ValueError(f"noise reaches {largest:.4g}, beyond noise_limit = {noise_limit:.4g}")
    seen, seen_clean = classes_seen(network, noisy_images), classes_seen(network, images)
    return NoiseReport(
        accuracy=float(np.mean(seen == labels)),
        success_rate=None if target_class is None else _success_rate(seen, labels, target_class, classes),
        fooling_rate=float(np.mean(seen != seen_clean)),
        confusion=confusion_matrix(labels, seen, labels=range(classes)),
        largest=largest,
    )


def classes_seen(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the class that the network sees in each image, int64, shape (N,)."""
    batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    return np.concatenate([_compiled(network)(batch).numpy() for batch in batches])


@functools.lru_cache(maxsize=8)
def _compiled(network: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    """Compile the network's answer, which takes half the time of `network.predict`."""
    return tf.function(lambda images: tf.argmax(network(images, training=False), axis=-1), reduce_retracing=True)


def _success_rate(seen: np.ndarray, labels: np.ndarray, target_class: int, classes: int) -> float:
    target_class = check_target_class(target_class, classes)
    others = labels != target_class
    if not others.any():
        raise ValueError(f"all images are of the target class {target_class}: success needs images of others")
    return float(np.mean(seen[others] == target_class))
