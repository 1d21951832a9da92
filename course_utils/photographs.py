"""Photographs at full size, decoded when they are asked for: as float32 never all of them at once."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from course_utils.data import Dataset, Split, hash_of, impatience, in_data_folder, stand_in_is_wanted

import keras
import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from tqdm import tqdm

SIDE = 224  # pixels: what most networks for ImageNet take
CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_URL = f"https://storage.googleapis.com/download.tensorflow.org/data/{CLASS_INDEX}"
CLASS_INDEX_HASH = "c2c37ea517e94d9795004a39431a14cb"  # the one that Keras checks
IN_MEMORY = 2_000  # so many decoded photographs stay there, as uint8: all of them at two sizes, 180 MB


class Photographs:
    """Photographs that can be sliced like an array: float32, shape (N, side, side, 3), pixels in [0, 1].

    Args:
        paths: their files.
        side: height and width in pixels. Of a photograph of another size the middle is taken.

    Explained in exercise 09.
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, paths: Sequence[Path], side: int = SIDE) -> None:
        self.paths, self.shape = np.array(paths, object), (len(paths), side, side, 3)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, which: Any) -> np.ndarray:
        chosen = self.paths[which]
        if isinstance(chosen, Path):
            return self[[which]][0]
        pixels = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for image, path in zip(pixels, chosen, strict=True):
            np.divide(decoded(path, self.shape[1]), np.float32(255), out=image)
        return pixels

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("photographs are never all in memory at once: take some of them, such as images[:100]")


@functools.lru_cache(maxsize=IN_MEMORY)
def decoded(path: Path, side: int) -> np.ndarray:
    """Read a photograph, and scale and crop it to a square: uint8, shape (side, side, 3).

    Raises:
        OSError, ValueError, SyntaxError, Image.DecompressionBombError: it cannot be read, in Pillow's many ways.
    """
    with Image.open(path) as image:
        image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at a fraction of its size
        upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC))


def load_imagenet_samples(folder: str | Path | None = None, side: int = SIDE) -> Dataset:
    """Load photographs: a thousand of ImageNet, one of each class, or the pictures in a folder of your own.

    Without a folder it looks for `imagenet_samples` in the folder that the environment variable COURSE_DATA_DIR
    names. Where there is none, pieces of the two photographs in scikit-learn stand in, which is announced; they are
    also what COURSE_DATA=stand-in asks for. In the order of their names, every fifth is a test image, and the
    others are there to search noise on; both are then shuffled, always in the same way. There is nothing to choose,
    so `validation` is empty.

    The photographs of ImageNet belong to their owners: they are for research and teaching, and not to be passed on.

    Args:
        folder: with pictures of any size, in any format that Pillow reads. One that cannot be read is named and
            left out. A file `labels.json` may say what they show, as in `imagenet_samples`.
        side: height and width in pixels that the images are to have; of other shapes the middle is taken.

    Returns:
        The data set. Its images are `Photographs`; a label of -1 says that nobody knows.

    Raises:
        ValueError: there is no such folder, or fewer than two pictures in it.

    Source: Russakovsky et al., "ImageNet large scale visual recognition challenge" (2015). Explained in exercise 09.
    """
    if folder is not None:
        return _from_folder(Path(folder), side, is_own=True)
    usual = in_data_folder("imagenet_samples")
    if usual is None or stand_in_is_wanted(os.environ.get("COURSE_DATA", "")):
        return _stand_in(side)
    return _from_folder(usual, side, is_own=False)


def _from_folder(folder: Path, side: int, is_own: bool) -> Dataset:
    if not folder.is_dir():
        raise ValueError(f"folder must be a folder with pictures, but there is none at {folder}")
    known = Image.registered_extensions()
    paths = _readable([path for path in sorted(folder.iterdir()) if path.suffix.lower() in known], side)
    if len(paths) < 2:
        raise ValueError(
            f"folder must hold at least two pictures, one to search on and one to test, but {folder} has {len(paths)}"
        )
    return _dataset(
        lambda chosen: cast(np.ndarray, Photographs(list(np.array(paths, object)[chosen]), side)),
        _labels(folder, paths),
        f"{len(paths):,} pictures in your folder" if is_own else "ImageNet, samples in the folder in COURSE_DATA_DIR",
        fingerprint=hash_of(np.array([f"{path.name} {path.stat().st_size}" for path in paths])),
    )


def _readable(paths: list[Path], side: int) -> list[Path]:
    """Look at every picture once; name those that cannot be read, and say how many are cropped."""
    broken, cropped = [], 0
    for path in tqdm(paths, desc="looking at the pictures", delay=2, leave=False):
        try:
            decoded(path, side)
            with Image.open(path) as image:
                cropped += image.size != (side, side)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            broken.append(path)
    if broken:
        names = ", ".join(path.name for path in broken[:5]) + (", …" if len(broken) > 5 else "")
        print(f"Left out, since they cannot be read: {len(broken)} of {len(paths)} pictures ({names}).")
    if cropped:
        print(f"{cropped} pictures have another size than {side} × {side}: each is scaled, and its middle is taken.")
    return [path for path in paths if path not in broken]


def _labels(folder: Path, paths: list[Path]) -> np.ndarray:
    """Look up what each picture shows, in labels.json; -1 where that is not known."""
    file = folder / "labels.json"
    try:
        known = json.loads(file.read_text()) if file.is_file() else {}
        return np.array([int(known[path.stem]["index"]) if path.stem in known else -1 for path in paths], np.int64)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{file} must give an index for each name, such as {{"n01443537": {{"index": 1}}}}: {error!r}'
        ) from None


def _stand_in(side: int, count: int = 100) -> Dataset:
    """Cut squares out of the two photographs that scikit-learn ships."""
    generator = np.random.default_rng(0)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    crops = np.empty((count, side, side, 3), np.float32)
    for place, crop in enumerate(crops):
        photograph = photographs[place % 2]
        size = generator.integers(160, min(photograph.size))
        left, top = generator.integers(np.array(photograph.size) - size)
        piece = photograph.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + size, top + size))
        crop[:] = np.asarray(piece, np.float32) / 255
    print(
        f"The photographs of ImageNet are not at hand. {count} pieces of the two that scikit-learn ships stand in "
        "for them: everything works, but the numbers in the text are about ImageNet."
    )
    labels = np.full(count, -1)
    source = "stand-in: pieces of scikit-learn's two photographs (china.jpg, flower.jpg)"
    return _dataset(lambda chosen: crops[chosen], labels, source, hash_of(crops), is_stand_in=True)


def _dataset(
    take: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    source: str,
    fingerprint: str,
    is_stand_in: bool = False,
) -> Dataset:
    """Make every fifth a test image, or the last of a few; shuffle both, so that the first ones are fair samples."""
    is_test = np.arange(1, len(labels) + 1) % min(5, len(labels)) == 0
    generator = np.random.default_rng(0)
    parts = (generator.permutation(np.flatnonzero(part)) for part in (~is_test, np.zeros_like(is_test), is_test))
    train, validation, test = (Split(take(part), labels[part]) for part in parts)
    return Dataset(train, validation, test, imagenet_classes(), source, is_stand_in, fingerprint)


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """Return what ImageNet's 1,000 classes are called, from `imagenet_class_index.json`.

    It is looked for in the folder in COURSE_DATA_DIR and in the Keras cache, and then downloaded. Without it the
    classes are numbered.
    """
    path: str | Path | None = in_data_folder(CLASS_INDEX)
    try:
        if path is None:
            with impatience():
                path = keras.utils.get_file(
                    CLASS_INDEX, CLASS_INDEX_URL, cache_subdir="models", file_hash=CLASS_INDEX_HASH
                )
        index = json.loads(Path(path).read_text())
    except Exception:  # Keras has no error of its own for what can go wrong on the way
        return tuple(f"class {number}" for number in range(1_000))
    return tuple(index[str(number)][1].replace("_", " ") for number in range(1_000))
