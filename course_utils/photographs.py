"""Photographs at full size, decoded when they are asked for: as float32 never all of them at once."""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from course_utils.checks import check_count, in_short
from course_utils.cifar import impatience
from course_utils.data import Dataset, Split, hash_of, in_data_folder, lies_at, read_file, stand_in_is_wanted

import keras
import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from tqdm import tqdm

SIDE = 224  # pixels: what most networks for ImageNet take
LARGEST_SIDE = 1_024
# How the modes of Pillow with more than 8 bits a pixel begin, and which value is white: the first that none exceeds.
WHITE = {"I;16": (65_535,), "I": (255, 65_535), "F": (1, 255)}
NO_PICTURES = (".json", ".md", ".txt")  # may lie among pictures
CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_URL = f"https://storage.googleapis.com/download.tensorflow.org/data/{CLASS_INDEX}"
CLASS_INDEX_HASH = "c2c37ea517e94d9795004a39431a14cb"  # the one that Keras checks
IN_MEMORY = 2_000  # so many decoded photographs stay there, as uint8: all of them at two sizes, 180 MB


class Photographs:
    """Photographs that can be sliced like an array: float32, shape (N, side, side, 3), pixels in [0, 1].

    Args:
        paths: their files.
        side: height and width in pixels. Of a photograph of another size the middle is taken.

    Raises:
        TypeError, ValueError: paths that are none, a side that cannot be.

    Explained in exercise 09.
    """

    dtype = np.dtype(np.float32)
    ndim = 4
    is_sliced_like_an_array = True  # for the checks, which know of no `Photographs`

    def __init__(self, paths: Sequence[Path], side: int = SIDE) -> None:
        side = check_count(side, "side", 1, LARGEST_SIDE)
        if not isinstance(paths, list | tuple | np.ndarray) or not all(isinstance(path, Path) for path in paths):
            raise TypeError(f"paths must be a list of pathlib.Path, got {in_short(paths)}")
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
        Exception: it cannot be read, in Pillow's many ways; ValueError where nobody knows which value is white.
    """
    with Image.open(path) as image:
        image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at a fraction of its size
        upright = _as_rgb(ImageOps.exif_transpose(image))
        return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC))


def _as_rgb(image: Image.Image) -> Image.Image:
    """Scale pixels of more than 8 bits to 8, and lay what is transparent on white."""
    if whites := WHITE.get(image.mode[:4]):
        values = np.asarray(image, np.float64)
        white = next((one for one in whites if 0 <= values.min() <= values.max() <= one), None)
        if white is None or image.has_transparency_data:
            raise ValueError("nobody knows what its values mean")
        image = Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def load_imagenet_samples(folder: str | Path | None = None, side: int = SIDE) -> Dataset:
    """Load photographs: a thousand of ImageNet, one of each class, or the pictures in a folder of your own.

    Without a folder it looks for `imagenet_samples` in the folder that the environment variable COURSE_DATA_DIR
    names. Where there is none, pieces of the two photographs in scikit-learn stand in, which is announced; they are
    also what COURSE_DATA=stand-in asks for. In the order of their names, every fifth is a test image, and the
    others are there to search noise on; both are then shuffled, always in the same way. There is nothing to choose,
    so `validation` is empty.

    The photographs of ImageNet belong to their owners: they are for research and teaching, and not to be passed on.

    Args:
        folder: with pictures of any size, in any format that Pillow reads. What is in none, or cannot be read, is
            named and left out. A file `labels.json` may say what they show, as in `imagenet_samples`.
        side: height and width in pixels that the images are to have, at most 1,024; of other shapes the middle is
            taken. What is transparent lies on white.

    Returns:
        The data set. Its images are `Photographs`; a label of -1 says that nobody knows.

    Raises:
        TypeError: a folder that is no path, a side that is no whole number.
        ValueError: there is no such folder, or it may not be read, or fewer than two pictures are in it; another
            side; a `labels.json` that says something else than the index of a class.

    Source: Russakovsky et al., "ImageNet large scale visual recognition challenge" (2015). Explained in exercise 09.
    """
    side = check_count(side, "side", 1, LARGEST_SIDE)
    if folder is not None:
        return _from_folder(folder, side, is_own=True)
    if stand_in_is_wanted(os.environ.get("COURSE_DATA", "")):
        return _stand_in(side)
    usual = in_data_folder("imagenet_samples")
    return _stand_in(side) if usual is None else _from_folder(usual, side, is_own=False)


def _from_folder(folder: str | Path, side: int, is_own: bool) -> Dataset:
    known, files = Image.registered_extensions(), _files_in(folder)
    others = [path for path in files if path.suffix.lower() not in (*known, *NO_PICTURES)]
    if others:
        print(f"Left out, since they are not pictures that Pillow can read: {_listed(others)}.")
    paths = _readable([path for path in files if path.suffix.lower() in known], side)
    if len(paths) < 2:
        raise ValueError(
            f"folder must hold at least two pictures, one to search on and one to test, but {folder} has {len(paths)}"
        )
    return _dataset(
        lambda chosen: cast(np.ndarray, Photographs(list(np.array(paths, object)[chosen]), side)),
        _labels(paths),
        f"{len(paths):,} pictures in your folder" if is_own else "ImageNet, samples in the folder in COURSE_DATA_DIR",
        fingerprint=hash_of(np.array([f"{path.name} {path.stat().st_size}" for path in paths])),
    )


def _files_in(folder: str | Path) -> list[Path]:
    """List a folder in the order of the names, without what is hidden and without folders in it."""
    if not isinstance(folder, str | Path):
        raise TypeError(f"folder must be the path of a folder with pictures, got {type(folder).__name__}")
    try:
        place = os.path.expanduser(folder)
        paths = sorted(Path(place, name) for name in os.listdir(place) if not name.startswith("."))
    except PermissionError:
        raise ValueError(f"folder must be a folder with pictures, but {folder} may not be read") from None
    except (OSError, ValueError):  # a path that cannot be one is a ValueError
        raise ValueError(f"folder must be a folder with pictures, but there is none at {str(folder)!r}") from None
    return [path for path in paths if not os.path.isdir(path)]


def _readable(paths: list[Path], side: int) -> list[Path]:
    """Look at every picture once; name those that cannot be read, and say how many are cropped."""
    whole, broken, cropped = [], [], 0
    for path in tqdm(paths, desc="looking at the pictures", delay=2, leave=False):
        try:
            decoded(path, side)
            with Image.open(path) as image:
                cropped += image.size != (side, side)
            whole.append(path)
        except Exception:  # Pillow has no error of its own, either
            broken.append(path)
    if broken:
        print(f"Left out, since they cannot be read: {len(broken)} of {len(paths)} pictures ({_listed(broken)}).")
    if cropped:
        print(f"{cropped} pictures have another size than {side} × {side}: each is scaled, and its middle is taken.")
    return whole


def _listed(paths: list[Path]) -> str:
    """Name the first five files, also those whose names an older system wrote in letters that `print` refuses."""
    names = [os.fsencode(path.name).decode("utf-8", "replace") for path in paths[:5]]
    return ", ".join(names) + (", …" if len(paths) > 5 else "")


def _labels(paths: list[Path]) -> np.ndarray:
    """Look up what each picture shows, in labels.json beside them; -1 where that is not known."""
    file, labels, entry = paths[0].parent / "labels.json", np.full(len(paths), -1), ""
    content = read_file(file) if lies_at(file) else "{}"
    try:
        known = {**json.loads(content)}
        for place, name in enumerate(path.stem for path in paths):
            if name in known:
                entry = f"{json.dumps(known[name])[:100]} for {name}"
                labels[place] = check_count(known[name]["index"], "index", 0, 999)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{file} must give an index for each name, such as {{"n01443537": {{"index": 1}}}}, and from 0 to 999: '
            f"got {entry or repr(error)}"
        ) from None
    return labels


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
    classes are numbered, which is announced.

    Raises:
        ValueError: the file in COURSE_DATA_DIR does not hold the names of 1,000 classes.
    """
    path = in_data_folder(CLASS_INDEX)
    if path is not None:
        return _classes_in(path)
    try:
        with impatience():
            path = keras.utils.get_file(
                CLASS_INDEX, CLASS_INDEX_URL, cache_subdir="models", file_hash=CLASS_INDEX_HASH
            )
        return _classes_in(Path(path))
    except Exception as error:  # Keras has no error of its own for what can go wrong on the way
        print(
            f"The names of ImageNet's classes are not at hand (the download failed: {type(error).__name__}): "
            "the classes are numbered."
        )
        return tuple(f"class {number}" for number in range(1_000))


def _classes_in(path: Path) -> tuple[str, ...]:
    """Read the names from a file; ValueError when it does not hold 1,000. If it is not the file we know, say so."""
    content = read_file(path)
    found = hashlib.md5(content).hexdigest()
    try:
        index = json.loads(content)
        names = tuple(name.replace("_", " ") for _, name in (index[str(number)] for number in range(1_000)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        index = names = ()
    if len(index) != 1_000:
        raise ValueError(
            f"{path} is damaged, half downloaded or another file: it does not name 1,000 classes.\n"
            f"  MD5 of the file: {found}\n  expected:        {CLASS_INDEX_HASH}\n"
            "Move it elsewhere and run this again: it is then fetched anew. Nothing was changed."
        )
    if found != CLASS_INDEX_HASH:
        print(f"{path} is not the file we know (MD5 {found}): it may give classes other names.")
    return names
