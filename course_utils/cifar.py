"""CIFAR-10: small photographs in colour, and the coloured shapes that stand in for them where there is no network."""

import contextlib
import functools
import hashlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from course_utils.data import (
    DOWNLOAD_TIMEOUT,
    Dataset,
    Split,
    as_pixels,
    data_folder,
    hash_of,
    keras_home,
    lies_at,
    read_arrays,
    read_file,
    stand_in_is_wanted,
)

import keras
import numpy as np

# Of the arrays of a part of CIFAR-10: 20,000 images to learn from and 5,000 to test, which load in a second.
HASH = "844081b52672bf735cbc21ebd6db5e765a1a89b49a11f65c5c7995594734e90b"
ARRAY_SHAPES = ((20_000, 32, 32, 3), (20_000,), (5_000, 32, 32, 3), (5_000,))
# MD5 of the files in which Keras keeps all of CIFAR-10, as the authors packed them.
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# What the stand-in for CIFAR-10 draws: where there is ink, x to the right and y downwards, from -1 to 1.
SHAPES = {
    "disc": lambda x, y: np.hypot(x, y) < 1,
    "ring": lambda x, y: abs(np.hypot(x, y) - 0.75) < 0.25,
    "half disc": lambda x, y: (np.hypot(x, y) < 1) & (y < 0),
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.9,
    "frame": lambda x, y: abs(np.maximum(abs(x), abs(y)) - 0.7) < 0.2,
    "triangle": lambda x, y: (y < 0.7) & (1.8 * abs(x) < y + 1),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.25) & (np.maximum(abs(x), abs(y)) < 1),
    "bar": lambda x, y: (abs(x) < 0.3) & (abs(y) < 1),
    "rows": lambda x, y: (np.maximum(abs(x), abs(y)) < 0.9) & (y * 2 % 1 < 0.5),
    "checks": lambda x, y: (np.maximum(abs(x), abs(y)) < 1) & ((x > 0) == (y > 0)),
}


def load_cifar10() -> Dataset:
    """Load CIFAR-10: small photographs in colour of ten kinds of things, airplanes to trucks.

    Looks in this order: `cifar10.npz` in the folder that the environment variable COURSE_DATA_DIR names, a part of
    the set in 19,000 / 1,000 / 5,000 images; the Keras cache, or a download into it: all of it, in 48,000 / 2,000 /
    10,000; the stand-in, 2,700 coloured shapes that the code draws itself, which is announced. COURSE_DATA=stand-in
    asks for the stand-in. Loaded and announced once per process.

    Returns:
        The data set; its images have the shape (N, 32, 32, 3).

    Raises:
        ValueError: as `load_mnist`; also for files in the Keras cache, which are checked before Keras unpickles them.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009). Explained in exercise 08.
    """
    return _load_cifar10(os.environ.get("COURSE_DATA", ""), data_folder())


@functools.lru_cache(maxsize=4)
def _load_cifar10(choice: str, folder: Path | None) -> Dataset:
    if stand_in_is_wanted(choice):
        return _stand_in_for_cifar10("COURSE_DATA asks for it")
    if folder and lies_at(path := folder / "cifar10.npz"):
        arrays = read_arrays(path, HASH, ARRAY_SHAPES)
        return _real_cifar10(arrays, "a part of it, from the folder in COURSE_DATA_DIR")
    _check_batches()
    try:
        with impatience():
            learn, test = keras.datasets.cifar10.load_data()
    except Exception as error:  # Keras has no error of its own for what can go wrong on the way
        return _stand_in_for_cifar10(f"the download failed: {type(error).__name__}")
    return _real_cifar10([*learn, *test], "all of it, from the Keras cache")


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Give up on a server that does not answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _check_batches() -> None:
    """Raise ValueError when files in the Keras cache are not those of CIFAR-10. Unpickled, others can do anything."""
    home = keras_home() if os.access(keras_home(), os.W_OK) else Path("/tmp/.keras")  # Keras's own rule
    folder = home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    for name in BATCHES if os.path.isdir(folder) else ():
        there = lies_at(folder / name)
        found = hashlib.md5(read_file(folder / name)).hexdigest() if there else "none, since there is no such file"
        if found != BATCHES[name]:
            raise ValueError(
                f"{folder / name} is damaged, half downloaded or another data set.\n"
                f"  MD5 of the file: {found}\n  expected:        {BATCHES[name]}\n"
                f"Move {folder} elsewhere and run this again: it is then fetched anew. Nothing was changed."
            )


def _real_cifar10(arrays: Sequence[np.ndarray], place: str) -> Dataset:
    """Take a twentieth of the images to learn from for choosing; Keras may be set to channels first."""
    images, labels, test_images, test_labels = (
        np.moveaxis(array, 1, -1) if array.shape[1:] == (3, 32, 32) else array for array in arrays
    )
    first = len(images) * 19 // 20
    pixels = as_pixels(images)
    return Dataset(
        train=Split(pixels[:first], labels[:first]),
        validation=Split(pixels[first:], labels[first:]),
        test=Split(as_pixels(test_images), test_labels),
        class_names=CLASSES,
        source=f"CIFAR-10, {place}",
        is_stand_in=False,
        fingerprint=hash_of(images, labels, test_images, test_labels),
    )


def _stand_in_for_cifar10(reason: str) -> Dataset:
    images, labels = _drawn_shapes(2_700)
    print(
        f"The real CIFAR-10 is not at hand ({reason}). {len(images):,} coloured shapes stand in for it: "
        "everything works, but the numbers in the text are about CIFAR-10."
    )
    return Dataset(
        train=Split(images[:2_000], labels[:2_000]),
        validation=Split(images[2_000:2_200], labels[2_000:2_200]),
        test=Split(images[2_200:], labels[2_200:]),
        class_names=tuple(SHAPES),
        source="stand-in: coloured shapes, drawn by the course",
        is_stand_in=True,
        fingerprint=hash_of(images, labels),
    )


def _drawn_shapes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw shapes of any colour, size and place on a ground of another: float32 (N, 32, 32, 3) in [0, 1], labels."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % len(SHAPES)
    fine = (np.arange(64) + 0.5) / 64  # two by two points a pixel, for smooth edges
    images = np.empty((count, 32, 32, 3), np.float32)
    for image, shape in zip(images, np.array(list(SHAPES.values()))[labels], strict=True):
        radius, angle = generator.uniform(0.25, 0.45), generator.uniform(-0.25, 0.25)
        left, top = generator.uniform(radius, 1 - radius, 2)
        x, y = (fine - left) / radius, (fine[:, None] - top) / radius
        x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        covered = shape(x, y).reshape(32, 2, 32, 2).mean(axis=(1, 3))[..., None]
        ground, other = generator.uniform(size=(2, 3))
        ink = np.where(abs(other - ground).max() > 0.4, other, 1 - ground.round())
        image[:] = ground + covered * (ink - ground)
    return np.clip(images + generator.normal(0, 0.03, images.shape), 0, 1).astype(np.float32), labels
