"""`evaluate_noise`: what a noise does to a network, measured from pixels."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from course_utils._checks import (
    BYTES_RECIPE,
    as_floats,
    check_finite,
    check_labels,
    check_network,
    check_noise,
    check_noise_limit,
    check_stored_images,
    check_target_class,
)
from course_utils._gradients import compiled, compiled_logits
from course_utils.data import hash_of
from course_utils.noise import add_noise

import keras
import numpy as np
from sklearn.metrics import confusion_matrix

IMAGES_AT_ONCE, VALUES_AT_ONCE = 1_000, 2**22  # at most so many images and so many pixel values at a time
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
        clean_accuracy: share of the images that are classified as their true class without noise.
    """

    accuracy: float
    success_rate: float | None
    fooling_rate: float
    confusion: np.ndarray
    largest: float
    clean_accuracy: float


def evaluate_noise(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray | None,
    noise: np.ndarray,
    target_class: int | None,
    noise_limit: float = 0.35,
) -> NoiseReport:
    """Add noise to images, clip them to [0, 1], and measure what the network makes of them.

    A network that reads the clean images no better than by chance gets a warning.

    Args:
        network: takes float32 images in [0, 1] and returns logits.
        images: float32, shape (N, H, W, C), pixels in [0, 1]; or uint8 from 0 to 255.
        labels: whole numbers, shape (N,), the true classes; or None, when nobody knows them: then what the network
            sees in the clean images counts as true.
        noise: float32, shape (H, W, C) for all images or (N, H, W, C) for one each.
        target_class: the class that the noise aims at, or None when it aims only away from the truth.
        noise_limit: largest |noise| allowed, in (0, 1].

    Returns:
        The measures, as a `NoiseReport`.

    Raises:
        TypeError: wrong dtypes, something that is no network.
        ValueError: noise beyond the limit; images, labels, noise or classes that do not fit together; only images
            of the target class, so that there is nothing to succeed on; a network that returns anything else than
            finite logits (N, classes).

    Explained in notebook 04.
    """
    images = check_stored_images(images, network)
    classes = check_network(network, images)
    labels = None if labels is None else check_labels(labels, images, classes)
    if target_class is not None:
        target_class = check_target_class(target_class, classes)
    noise_limit = check_noise_limit(noise_limit)
    noise = check_noise(noise, images)
    largest = float(np.abs(noise).max())
    if largest > noise_limit + min(ROUNDING, noise_limit / 100):
        raise ValueError(
            f"noise reaches {largest:.7g}, beyond noise_limit = {noise_limit:.7g}: "
            "np.clip(noise, -noise_limit, noise_limit) brings it back"
        )
    seen_clean = compiled(network, _clean_answers)(images)
    seen = _seen_by_parts(network, images, noise)
    labels = seen_clean if labels is None else labels
    clean_accuracy = float(np.mean(seen_clean == labels))
    if clean_accuracy < 1.5 / classes and len(labels) >= 50:
        warnings.warn(
            f"the network reads {clean_accuracy:.1%} of the clean images, little more than by chance. Is it trained, "
            f"and does it take pixels from 0 to 1? {BYTES_RECIPE.format(shape=images.shape[1:])}",
            stacklevel=2,
        )
    return NoiseReport(
        accuracy=float(np.mean(seen == labels)),
        success_rate=None if target_class is None else _success_rate(seen, labels, target_class),
        fooling_rate=float(np.mean(seen != seen_clean)),
        confusion=confusion_matrix(labels, seen, labels=range(classes)),
        largest=largest,
        clean_accuracy=clean_accuracy,
    )


def classes_seen(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the class that the network sees in each image, int64, shape (N,).

    Raises:
        ValueError: an answer holds NaN or infinity.
    """
    logits_of = compiled_logits(network, images.shape[1:])
    logits = np.concatenate([logits_of(images[part]).numpy() for part in parts_of(images)])
    check_finite(logits)
    return logits.argmax(axis=1)


def _clean_answers(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return what tells the classes seen in clean images, and keeps the last: many noises are tried on the same."""
    kept: dict[str, np.ndarray] = {}

    def answers(images: np.ndarray) -> np.ndarray:
        some = compiled_logits(network, images.shape[1:])(as_floats(images[:8])).numpy()  # also of what is no weight
        state = hash_of(images, some, *network.get_weights())
        if state not in kept:
            kept.clear()
            kept[state] = _seen_by_parts(network, images, np.zeros(images.shape[1:], np.float32))
        return kept[state]

    return answers


def _seen_by_parts(network: keras.Model, images: np.ndarray, noise: np.ndarray) -> np.ndarray:
    one_for_all = noise.shape == images.shape[1:]
    noisy = (add_noise(as_floats(images[part]), noise if one_for_all else noise[part]) for part in parts_of(images))
    return np.concatenate([classes_seen(network, some) for some in noisy])


def parts_of(images: np.ndarray) -> list[slice]:
    """Return which images to take at a time."""
    size = min(IMAGES_AT_ONCE, max(1, VALUES_AT_ONCE // math.prod(images.shape[1:])))
    return [slice(first, first + size) for first in range(0, len(images), size)]


def _success_rate(seen: np.ndarray, labels: np.ndarray, target_class: int) -> float:
    others = labels != target_class
    if not others.any():
        raise ValueError(f"all images are of the target class {target_class}: success needs images of others")
    return float(np.mean(seen[others] == target_class))
