"""What comes in at the door of a public function is checked here: each error names the argument, what came and what
is allowed. Knows of nothing else in the library."""

from typing import Any

import keras
import numpy as np


def check_images(images: Any, network: keras.Model | None = None) -> np.ndarray:
    """Return the images as an array: float32, shape (N, H, W, C), pixels in [0, 1], of the network's own size.

    Raises:
        TypeError: any other dtype than float32.
        ValueError: another shape, no image at all, NaN, pixels outside [0, 1].
    """
    images = _float32_array(images, "images")
    _check_image_shape(images.shape, network)
    if not (images.min() >= 0 and images.max() <= 1):  # written so that NaN fails too
        raise ValueError(
            f"images must have pixels in [0, 1] and no NaN, got {images.min():.4g} to {images.max():.4g}"
        )
    return images


def check_stored_images(images: Any, network: keras.Model) -> np.ndarray:
    """Return the images as an array, or as what can be sliced like one: float32 or uint8, shape (N, H, W, C).

    They must be of the network's own size. The pixels are not looked at: there may be too many of them. Who uses
    some checks those.

    Raises:
        TypeError: any other dtype.
        ValueError: another shape, no image at all.
    """
    images = images if hasattr(images, "dtype") else np.asarray(images)
    if images.dtype not in (np.uint8, np.float32):
        images = _float32_array(images, "images")
    _check_image_shape(images.shape, network)
    return images


def _check_image_shape(shape: tuple[int, ...], network: keras.Model | None) -> None:
    if len(shape) != 4:
        raise ValueError(
            f"images must have the shape (N, H, W, C), got {shape}: one image alone is images[:1], "
            "and grey images keep a last axis of 1"
        )
    if shape[0] == 0:
        raise ValueError("images is empty: at least one image is needed")
    if network is not None and not _fits(network.input_shape[1:], shape[1:]):
        raise ValueError(f"images have the shape {shape}, but the network takes {('N', *network.input_shape[1:])}")


def check_labels(labels: Any, images: np.ndarray, classes: int, name: str = "labels") -> np.ndarray:
    """Return the labels as int64, shape (N,), one for each image, each a class of the network.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: another shape, another number than images, a class that does not exist.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers (int64), got dtype {labels.dtype}")
    if labels.shape != (len(images),):
        raise ValueError(f"{name} must have the shape ({len(images)},), one per image, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"{name} must be classes from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)


def check_target_class(target_class: Any, classes: int) -> int:
    """Return the target class as a plain int from 0 to classes - 1; TypeError or ValueError if it is none."""
    if isinstance(target_class, bool) or not isinstance(target_class, int | np.integer):
        raise TypeError(f"target_class must be a whole number, got {target_class!r}")
    if not 0 <= target_class < classes:
        raise ValueError(f"target_class must be from 0 to {classes - 1}, got {target_class}")
    return int(target_class)


def check_noise_limit(noise_limit: Any) -> float:
    """Return the limit as a float in (0, 1]; 1 is the way from black to white. TypeError or ValueError if not."""
    if isinstance(noise_limit, bool) or not isinstance(noise_limit, int | float | np.number):
        raise TypeError(f"noise_limit must be a number, got {noise_limit!r}")
    if not 0 < noise_limit <= 1:
        hint = ": 3 grey levels of 255 are written 3 / 255" if noise_limit > 1 else ""
        raise ValueError(f"noise_limit must be above 0 and at most 1, got {noise_limit}{hint}")
    return float(noise_limit)


def check_noise(noise: Any, images: np.ndarray, name: str = "noise") -> np.ndarray:
    """Return the noise as float32 of shape (H, W, C) for all images or (N, H, W, C), one for each.

    Raises:
        TypeError: any other dtype than float32.
        ValueError: a shape that fits neither, NaN.
    """
    noise = _float32_array(noise, name)
    if noise.shape not in (images.shape, images.shape[1:]):
        raise ValueError(
            f"{name} must have the shape {images.shape[1:]} (one for all images) or {images.shape} "
            f"(one for each), got {noise.shape}"
        )
    if not np.isfinite(noise).all():
        raise ValueError(f"{name} must not hold NaN or infinity")
    return noise


def check_logits(outputs: Any) -> None:
    """Raise ValueError when what a network returned looks like probabilities instead of logits, or holds NaN."""
    outputs = np.asarray(outputs)
    if not np.isfinite(outputs).all():
        raise ValueError("the network returns NaN or infinity for these images: its weights are broken")
    if outputs.min() >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "the network returns probabilities, but logits are needed: build it without its last softmax "
            "(activation=None in the last layer)"
        )


def check_inputs(
    network: keras.Model, images: Any, labels: Any, noise_limit: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return images, labels and limit, each as its own check does, and see that the network returns logits.

    Raises:
        TypeError: images that are not float32, labels that are not whole numbers, a limit that is not a number.
        ValueError: images and labels that do not fit together or do not fit the network, a limit outside (0, 1], a
            network that returns probabilities.
    """
    images = check_images(images, network)
    labels = check_labels(labels, images, network.output_shape[-1])
    check_logits(network(images[:64], training=False))
    return images, labels, check_noise_limit(noise_limit)


def _float32_array(values: Any, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype != np.float32:
        remedy = {"u": ' (divide by 255, then .astype("float32"))', "f": ' (use .astype("float32"))'}
        raise TypeError(f"{name} must be float32, got {values.dtype}{remedy.get(values.dtype.kind, '')}")
    return values


def _fits(wanted: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Does an image shape fit the network's, in which None stands for any size?"""
    return len(wanted) == len(shape) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True))
