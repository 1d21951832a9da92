"""Where images come from: found, checked, and never silently something else. Knows of nothing else in the library."""

import contextlib
import functools
import hashlib
import os
import socket
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
from scipy import ndimage
from sklearn.datasets import load_digits

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_FILE_HASH = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# Of the four arrays one after the other: the same for every file that holds MNIST, however it was packed.
MNIST_HASH = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
DOWNLOAD_TIMEOUT = 10  # seconds without an answer


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: float32, shape (N, H, W, C), pixels in [0, 1]; read-only. Large photographs are `Photographs`, which
            are sliced like an array.
        labels: int64, shape (N,); read-only.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        for values in (self.images, self.labels):
            if isinstance(values, np.ndarray):
                values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.labels)


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


def load_mnist() -> Dataset:
    """Load MNIST: handwritten digits, paper = 0 and ink = 1, in 55,000 / 5,000 / 10,000 images.

    Looks in this order: `mnist.npz` in the folder that the environment variable COURSE_DATA_DIR names; the Keras
    cache; a download into that cache; the stand-in, scikit-learn's own 1,797 digits, which needs no network and is
    announced. COURSE_DATA=stand-in asks for the stand-in. Loaded and announced once per process.

    Returns:
        The data set; its images have the shape (N, 28, 28, 1).

    Raises:
        ValueError: a file is there, but damaged or not MNIST; COURSE_DATA holds anything else than "stand-in".

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    Explained in notebook 00.
    """
    return _load_mnist(os.environ.get("COURSE_DATA", ""), os.environ.get("COURSE_DATA_DIR", ""), _keras_cache())


def using_stand_in() -> bool:
    """True when the digits of this process are the stand-in, about which the text of the course says nothing."""
    return load_mnist().is_stand_in


@functools.lru_cache(maxsize=4)
def _load_mnist(choice: str, folder: str, cache: Path) -> Dataset:
    if stand_in_is_wanted(choice):
        return _stand_in_for_mnist("COURSE_DATA asks for it")
    path, place = _find("mnist.npz", MNIST_URL, MNIST_FILE_HASH, folder, cache)
    return _stand_in_for_mnist(place) if path is None else _real_mnist(path, place)


def stand_in_is_wanted(choice: str) -> bool:
    """Read the environment variable COURSE_DATA, or what it held."""
    if choice not in ("", "stand-in"):
        raise ValueError(f"COURSE_DATA must be empty or 'stand-in', got {choice!r}")
    return bool(choice)


def in_data_folder(name: str) -> Path | None:
    """Return where something lies in the folder that COURSE_DATA_DIR names; None when it does not, or names none."""
    folder = os.environ.get("COURSE_DATA_DIR", "")
    path = Path(folder) / name
    return path if folder and path.exists() else None


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Give up on a server that does not answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _find(name: str, url: str, file_hash: str, folder: str, cache: Path) -> tuple[Path | None, str]:
    """Return the path of a data file and the place in words, or None and the reason why there is none."""
    if folder and (Path(folder) / name).is_file():
        return Path(folder) / name, "the folder in COURSE_DATA_DIR"
    if folder:
        print(f"COURSE_DATA_DIR is set, but there is no file {Path(folder) / name}. Looking elsewhere.")
    if not (cache / name).is_file():
        try:
            _download(url, file_hash, cache / name)
        except (OSError, ValueError) as error:  # no network, no disk, or a login page instead of the file
            return None, f"the download failed: {type(error).__name__}"
    return cache / name, "the Keras cache"


def _download(url: str, file_hash: str, path: Path) -> None:
    """Fetch a file, whole and with the right hash, or not at all."""
    downloader = pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT)
    pooch.retrieve(url, f"sha256:{file_hash}", fname=path.name, path=path.parent, downloader=downloader)


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"


def _real_mnist(path: Path, place: str) -> Dataset:
    images, labels, test_images, test_labels = read_arrays(path, MNIST_HASH)
    images, labels = as_pixels(images), labels.astype(np.int64)
    return Dataset(
        train=Split(images[:55_000], labels[:55_000]),
        validation=Split(images[55_000:], labels[55_000:]),
        test=Split(as_pixels(test_images), test_labels.astype(np.int64)),
        class_names=tuple("0123456789"),
        source=f"MNIST, from {place}",
        is_stand_in=False,
        fingerprint=MNIST_HASH,
    )


def read_arrays(path: Path, wanted_hash: str) -> list[np.ndarray]:
    """Read the four arrays of a data set from an .npz file and compare their hash with the one they must have."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ARRAY_NAMES]
        found = hash_of(*arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        found = f"none, since the file cannot be read ({error})"
    if found != wanted_hash:
        raise ValueError(
            f"{path} is damaged, half downloaded or another data set.\n"
            f"  hash of its arrays: {found}\n  expected:           {wanted_hash}\n"
            "Move it elsewhere and run this again: it is then fetched anew. Nothing was changed."
        )
    return arrays


def hash_of(*arrays: np.ndarray) -> str:
    """Hash the arrays, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Turn uint8 (N, H, W) or (N, H, W, C) into float32 (N, H, W, C) in [0, 1]."""
    return images.reshape(*images.shape[:3], -1).astype(np.float32) / 255


def _stand_in_for_mnist(reason: str) -> Dataset:
    """Enlarge scikit-learn's 8 × 8 digits (grey levels 0 to 16) to 28 × 28 with cubic splines."""
    small, labels = load_digits(return_X_y=True)
    images = ndimage.zoom(small.reshape(-1, 8, 8) / 16, (1, 3.5, 3.5), order=3)
    images = np.clip(images, 0, 1).astype(np.float32)[..., np.newaxis]
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order], labels[order].astype(np.int64)
    print(
        f"The real MNIST is not at hand ({reason}). scikit-learn's own {len(labels):,} digits stand in for it: "
        "everything works, but the numbers in the text are about MNIST."
    )
    return Dataset(
        train=Split(images[:1_097], labels[:1_097]),
        validation=Split(images[1_097:1_297], labels[1_097:1_297]),
        test=Split(images[1_297:], labels[1_297:]),
        class_names=tuple("0123456789"),
        source="stand-in: scikit-learn's digits, enlarged to 28 × 28",
        is_stand_in=True,
        fingerprint=hash_of(images, labels),
    )
