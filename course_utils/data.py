"""Data sets: MNIST and its fallback, found, checked by their hash, and never silently something else."""

import functools
import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils._checks import as_array

import numpy as np
import pooch
from scipy import ndimage
from sklearn.datasets import load_digits

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_FILE_HASH = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Of the four arrays one after the other: the same for every file that holds MNIST, however it was packed.
MNIST_HASH = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
MNIST_SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
DIGITS = tuple("0123456789")
DOWNLOAD_TIMEOUT = 10  # seconds without an answer


@dataclass(frozen=True)
class Split:
    """Images with their labels. It looks at arrays and never changes them; tensors and lists become arrays.

    Attributes:
        images: float32, shape (N, H, W, C), pixels in [0, 1]; read-only. Of large photographs also
            uint8 from 0 to 255.
        labels: int64, shape (N,), made from whole numbers of any dtype; read-only. -1 says that nobody knows.

    Raises:
        TypeError: images that are no array, labels that are not whole numbers.
        ValueError: not one label for each image.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        images = _numbers(self.images, "images")
        labels = _whole_numbers(_numbers(self.labels, "labels"), len(images))
        for name, values in (("images", images), ("labels", labels)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self):,} images of the shape {self.images.shape[1:]}, with their labels)"


def _numbers(values: Any, name: str) -> np.ndarray:
    """Return an array; of a tensor or a list, too."""
    values = as_array(values, name)
    if values.dtype.kind not in "biuf" or not values.shape:
        raise TypeError(f"{name} must be an array of numbers, got {values.dtype} of the shape {values.shape}")
    return values.view()  # whoever owns the array may go on writing to it


def _whole_numbers(labels: np.ndarray, count: int) -> np.ndarray:
    """Return labels as int64, shape (count,); Keras gives those of some data sets as a column, (count, 1)."""
    if labels.size and labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be whole numbers, got {labels.dtype}")
    if labels.dtype.kind == "u" and labels.size and labels.max() >= 2**63:
        raise ValueError(f"labels must be below 2⁶³, got {labels.max()}")
    if labels.shape not in ((count,), (count, 1)):
        raise ValueError(f"labels must be one for each of the {count:,} images, got the shape {labels.shape}")
    return labels.reshape(count).astype(np.int64, copy=False)


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits: learn on `train`, choose on `validation`, report on `test`.

    Attributes:
        train, validation, test: the splits.
        class_names: one for each class, in order.
        source: where it came from, in words.
        is_stand_in: True for the small data that need no network, False for the real data set.
        fingerprint: hash of all its arrays, so that what was made from it can be told apart.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    is_stand_in: bool
    fingerprint: str

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            if not isinstance(getattr(self, part), Split):
                raise TypeError(f"{part} must be a Split, got {type(getattr(self, part)).__name__}")
        names = self.class_names
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError("class_names must be a tuple of text, a name for each class")
        object.__setattr__(self, "class_names", tuple(names))

    def __repr__(self) -> str:
        sizes = " / ".join(f"{len(split):,}" for split in (self.train, self.validation, self.test))
        shape, classes = self.train.images.shape[1:], len(self.class_names)
        return f"Dataset({self.source}\n  {sizes} images of the shape {shape}\n  {classes:,} classes)"


def load_mnist() -> Dataset:
    """Load MNIST: handwritten digits, paper = 0 and ink = 1, in 55,000 / 5,000 / 10,000 images.

    Looks in this order: `mnist.npz` in the folder that the environment variable COURSE_DATA_DIR names; the Keras
    cache; a download into that cache; the fallback data, scikit-learn's own 1,797 digits, which need no network
    and are announced. COURSE_DATA=stand-in asks for them. Loaded and announced once per process.

    Returns:
        The data set; its images have the shape (N, 28, 28, 1).

    Raises:
        ValueError: a file is there, but may not be read, is damaged or not MNIST; COURSE_DATA holds anything else
            than "stand-in".

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    Explained in notebook 00.
    """
    return _load_mnist(os.environ.get("COURSE_DATA", ""), data_folder(), keras_home() / "datasets")


def using_fallback_data() -> bool:
    """True when the digits of this process are the fallback data, about which the text of the course says nothing."""
    return load_mnist().is_stand_in


@functools.lru_cache(maxsize=4)
def _load_mnist(choice: str, folder: Path | None, cache: Path) -> Dataset:
    if fallback_is_asked_for(choice):
        return _stand_in_for_mnist("COURSE_DATA asks for it")
    path, place = _find("mnist.npz", MNIST_URL, MNIST_FILE_HASH, folder, cache)
    return _stand_in_for_mnist(place) if path is None else _real_mnist(path, place)


def fallback_is_asked_for(choice: str) -> bool:
    """Read the environment variable COURSE_DATA, or what it held."""
    if choice not in ("", "stand-in"):
        raise ValueError(f"COURSE_DATA must be empty or 'stand-in', got {choice!r}")
    return bool(choice)


def data_folder() -> Path | None:
    """Return the folder that COURSE_DATA_DIR names, None when it names none."""
    name = os.environ.get("COURSE_DATA_DIR", "").strip()
    return Path(os.path.expanduser(name)) if name else None


def keras_home() -> Path:
    """Return where Keras keeps what it has downloaded, also for somebody without a home folder."""
    home = os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")
    return Path("/tmp/.keras" if home.startswith("~") else home)


def in_data_folder(name: str) -> Path | None:
    """Return where something lies in the folder that COURSE_DATA_DIR names; None when it does not, or names none."""
    folder = data_folder()
    return folder / name if folder and lies_at(folder / name) else None


class DamagedFileError(ValueError):
    """A file is not the one that we know."""

    def __init__(
        self, path: Path, what: str, found: str, expected: str, *, kind: str = "data set", to_move: str = "it"
    ) -> None:
        super().__init__(
            f"{path} is damaged, half downloaded or another {kind}.\n"
            f"  {what}: {found}\n  {'expected:':{len(what) + 1}} {expected}\n"
            f"Move {to_move} elsewhere and run this again: it is then fetched anew. Nothing was changed."
        )


def announce_fallback(missing: str, fallback: str, name: str) -> None:
    """Say that data are not at hand, what is taken in their place, and what this means."""
    print(f"{missing}. {fallback} are the fallback: everything works, but the numbers in the text are about {name}.")


def lies_at(path: Path) -> bool:
    """Is there anything? ValueError when a folder on the way may not be entered, since then nobody knows."""
    try:
        os.stat(path)
    except PermissionError:
        raise ValueError(f"{path} cannot be looked for: a folder above it may not be entered") from None
    except (OSError, ValueError):  # a name that no file can have is a ValueError
        return False
    return True


def read_file(path: Path) -> bytes:
    """Read a whole file; ValueError when that is not possible."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {str(error.strerror).lower()}") from None


def _find(name: str, url: str, file_hash: str, folder: Path | None, cache: Path) -> tuple[Path | None, str]:
    """Return the path of a data file and the place in words, or None and the reason why there is none."""
    if folder and lies_at(folder / name):
        return folder / name, "the folder in COURSE_DATA_DIR"
    if folder:
        print(f"COURSE_DATA_DIR is set, but there is no file {folder / name}. Looking elsewhere.")
    try:
        if not os.path.exists(cache / name):
            _download(url, file_hash, cache / name)
    except (OSError, ValueError) as error:  # no network, no disk, no right, or a login page instead of the file
        return None, f"the download into {cache} failed: {type(error).__name__}"
    return cache / name, "the Keras cache"


def _download(url: str, file_hash: str, path: Path) -> None:
    """Fetch a file, whole and with the right hash, or not at all."""
    downloader = pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT)
    pooch.retrieve(url, f"sha256:{file_hash}", fname=path.name, path=path.parent, downloader=downloader)


def _real_mnist(path: Path, place: str) -> Dataset:
    images, labels, test_images, test_labels = read_arrays(path, MNIST_HASH, MNIST_SHAPES)
    train, validation = in_splits(as_pixels(images), labels, 55_000)
    test, source = Split(as_pixels(test_images), test_labels), f"MNIST, from {place}"
    return Dataset(train, validation, test, DIGITS, source, is_stand_in=False, fingerprint=MNIST_HASH)


def in_splits(images: np.ndarray, labels: np.ndarray, *places: int) -> list[Split]:
    """Cut images and labels at some places: the first part ends before the first of them."""
    return [Split(*part) for part in zip(np.split(images, places), np.split(labels, places), strict=True)]


def read_arrays(path: Path, wanted_hash: str, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Read the four arrays of a data set from an .npz file and compare their hash with the one they must have.

    The hash says nothing of shapes: images that were flattened on the way get theirs back.
    """
    content = io.BytesIO(read_file(path))
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = [file[name].reshape(shape) for name, shape in zip(ARRAY_NAMES, shapes, strict=True)]
        are_bytes = all(array.dtype == np.uint8 for array in arrays)
        found = hash_of(*arrays) if are_bytes else "none, since they are not all uint8"
    except Exception as error:  # zip archives, what compresses them and NumPy fail in a dozen ways
        advice = "pickle" in str(error)  # NumPy's, to load the file unsafely
        found = f"none, since the file cannot be read ({'it holds no plain arrays' if advice else repr(error)})"
    if found != wanted_hash:
        raise DamagedFileError(path, "hash of its arrays", found, wanted_hash)
    return arrays


def hash_of(*arrays: np.ndarray) -> str:
    """Hash the arrays, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)  # of any dtype
    return digest.hexdigest()


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Turn uint8 (N, H, W) or (N, H, W, 1 or 3) into float32 (N, H, W, C) in [0, 1]; ValueError for anything else."""
    images = images[..., np.newaxis] if images.ndim == 3 else images
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"images must be uint8, (N, H, W) or (N, H, W, 1 or 3), got {images.dtype}, {images.shape}")
    return images.astype(np.float32) / 255


def _stand_in_for_mnist(reason: str) -> Dataset:
    """Enlarge scikit-learn's 8 × 8 digits (grey levels 0 to 16) to 28 × 28 with cubic splines."""
    small, labels = load_digits(return_X_y=True)
    images = ndimage.zoom(small.reshape(-1, 8, 8) / 16, (1, 3.5, 3.5), order=3)
    images = np.clip(images, 0, 1).astype(np.float32)[..., np.newaxis]
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order], labels[order].astype(np.int64)
    digits = f"scikit-learn's own {len(labels):,} digits"
    announce_fallback(f"The real MNIST is not at hand ({reason})", digits, "MNIST")
    source = "fallback: scikit-learn's digits, enlarged to 28 × 28"
    train, validation, test = in_splits(images, labels, 1_097, 1_297)
    return Dataset(train, validation, test, DIGITS, source, is_stand_in=True, fingerprint=hash_of(images, labels))
