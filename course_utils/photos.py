"""Photographs: CIFAR-10 with its two networks, pictures at full size, and networks that know ImageNet's classes."""

import functools
import hashlib
import json
import os
import socket
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from course_utils._checks import as_array, check_count, check_dataset, check_seed, look_like_probabilities
from course_utils.data import (
    DOWNLOAD_TIMEOUT,
    DamagedFileError,
    Dataset,
    Split,
    announce_fallback,
    as_pixels,
    data_folder,
    fallback_is_asked_for,
    hash_of,
    in_data_folder,
    in_splits,
    keras_home,
    lies_at,
    read_arrays,
    read_file,
)
from course_utils.immunity import adversarial_training
from course_utils.models import InTrainingOnly, train_cifar_network
from course_utils.notebook import cached_network, pretrained_network

import keras
import numpy as np
from keras import layers
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from tqdm import tqdm

# Of the arrays of a part of CIFAR-10: 20,000 images to learn from and 5,000 to test, which load in a second.
CIFAR_HASH = "844081b52672bf735cbc21ebd6db5e765a1a89b49a11f65c5c7995594734e90b"
CIFAR_SHAPES = ((20_000, 32, 32, 3), (20_000,), (5_000, 32, 32, 3), (5_000,))
# MD5 of the files in which Keras keeps all of CIFAR-10, as the authors packed them.
CIFAR_BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# What the fallback for CIFAR-10 draws: where there is ink, x to the right and y downwards, from -1 to 1.
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
CIFAR_LIMIT = 8 / 255  # of the noise in the training of the immune network

SIDE = 224  # pixels: what most networks for ImageNet take
LARGEST_SIDE = 1_024
# How the modes of Pillow with more than 8 bits a pixel begin, and which value is white: the first that none exceeds.
WHITE = {"I;16": (65_535,), "I": (255, 65_535), "F": (1, 255)}
NO_PICTURES = (".json", ".md", ".txt")  # may lie among pictures
CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_URL = f"https://storage.googleapis.com/download.tensorflow.org/data/{CLASS_INDEX}"
CLASS_INDEX_HASH = "c2c37ea517e94d9795004a39431a14cb"  # the one that Keras checks

# Each with its side in pixels. Both want pixels from -1 to 1.
IMAGENET_NETWORKS = {
    "mobilenet_v2": (keras.applications.MobileNetV2, 224),
    "inception_v3": (keras.applications.InceptionV3, 299),
}
SMALLEST_SIDES = {"mobilenet_v2": 32, "inception_v3": 75}  # sides in pixels
# SHA-256 of the files of weights with which the numbers in the text were measured.
KNOWN_WEIGHTS = ("0c5f5bc50d19e13d43afd27d7608cc75d817459b7e1bb7a145a0b4b8a84b135d",)


def load_cifar10() -> Dataset:
    """Load CIFAR-10: small photographs in colour of ten kinds of things, airplanes to trucks.

    Looks in this order: `cifar10.npz` in the folder that the environment variable COURSE_DATA_DIR names, a part of
    the set in 19,000 / 1,000 / 5,000 images; the Keras cache, or a download into it: all of it, in 48,000 / 2,000 /
    10,000; the fallback data, 2,700 coloured shapes that the code draws itself, which are announced.
    COURSE_DATA=stand-in asks for them. Loaded and announced once per process.

    Returns:
        The data set; its images have the shape (N, 32, 32, 3).

    Raises:
        ValueError: as `load_mnist`; also for files in the Keras cache, which are checked before Keras unpickles them.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009). Explained in exercise 08.
    """
    return _load_cifar10(os.environ.get("COURSE_DATA", ""), data_folder())


@functools.lru_cache(maxsize=4)
def _load_cifar10(choice: str, folder: Path | None) -> Dataset:
    if fallback_is_asked_for(choice):
        return _fallback_for_cifar10("COURSE_DATA asks for it")
    if folder and lies_at(path := folder / "cifar10.npz"):
        arrays = read_arrays(path, CIFAR_HASH, CIFAR_SHAPES)
        return _real_cifar10(arrays, "a part of it, from the folder in COURSE_DATA_DIR")
    _check_batches()
    arrays, reason = _fetched(keras.datasets.cifar10.load_data)
    if arrays is None:
        return _fallback_for_cifar10(reason)
    learn, test = arrays
    return _real_cifar10([*learn, *test], "all of it, from the Keras cache")


def _fetched(fetch: Callable[[], Any]) -> tuple[Any, str]:
    """Return what Keras fetches, or None and the reason; give up on a server that does not answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        return fetch(), ""
    except Exception as error:  # Keras has no error of its own for what can go wrong on the way
        return None, f"the download failed: {type(error).__name__}"
    finally:
        socket.setdefaulttimeout(before)


def _check_batches() -> None:
    """Raise ValueError when files in the Keras cache are not those of CIFAR-10. Unpickled, others can do anything."""
    home = keras_home() if os.access(keras_home(), os.W_OK) else Path("/tmp/.keras")  # Keras's own rule
    folder = home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    for name in CIFAR_BATCHES if os.path.isdir(folder) else ():
        there = lies_at(folder / name)
        found = hashlib.md5(read_file(folder / name)).hexdigest() if there else "none, since there is no such file"
        if found != CIFAR_BATCHES[name]:
            raise DamagedFileError(folder / name, "MD5 of the file", found, CIFAR_BATCHES[name], to_move=f"{folder}")


def _real_cifar10(arrays: Sequence[np.ndarray], place: str) -> Dataset:
    """Take a twentieth of the images to learn from for choosing."""
    images, labels, test_images, test_labels = arrays
    train, validation = in_splits(as_pixels(images), labels, len(images) * 19 // 20)
    test, source = Split(as_pixels(test_images), test_labels), f"CIFAR-10, {place}"
    fingerprint = hash_of(images, labels, test_images, test_labels)
    return Dataset(train, validation, test, CIFAR_CLASSES, source, is_stand_in=False, fingerprint=fingerprint)


def _fallback_for_cifar10(reason: str) -> Dataset:
    images, labels = _drawn_shapes(2_700)
    announce_fallback(f"The real CIFAR-10 is not at hand ({reason})", f"{len(images):,} coloured shapes", "CIFAR-10")
    source, names = "fallback: coloured shapes, drawn by the course", tuple(SHAPES)
    train, validation, test = in_splits(images, labels, 2_000, 2_200)
    return Dataset(train, validation, test, names, source, is_stand_in=True, fingerprint=hash_of(images, labels))


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


def train_immune_cifar_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the network for CIFAR-10 further, on each image's own worst noise up to 4 of 255 levels.

    That makes it immune to universal noise of 8 of 255, a weaker enemy, and costs less clean accuracy than 8 would.

    Args:
        dataset: its training images are used, nothing else.
        seed: for the first network, and for all that is drawn in training it further.

    Returns:
        The trained network. Some ten minutes on 2 cores for the part of CIFAR-10 in the data folder.

    Explained in exercise 08.
    """
    plain, train = cached_network(train_cifar_network, dataset, seed), dataset.train
    steps = len(train) * 20 // 64
    return adversarial_training(
        plain,
        train.images,
        train.labels,
        CIFAR_LIMIT / 2,
        attack_steps=1,
        steps=steps,
        peak_learning_rate=2e-3,
        seed=seed,
    )


def cifar_networks(dataset: Dataset, seed: int) -> tuple[keras.Model, keras.Model]:
    """Fetch the plain and the immune network for CIFAR-10, made by `make results`; for the fallback data, make them.

    Args:
        dataset: from `load_cifar10`.
        seed: for the networks that are made now.

    Returns:
        The plain network and the immune one.

    Raises:
        TypeError, ValueError: another data set; a seed that is none.

    Explained in exercise 08.
    """
    check_dataset(dataset)
    check_seed(seed)
    shape = tuple(dataset.test.images.shape[1:])
    if shape != (32, 32, 3):
        raise ValueError(f"dataset must be CIFAR-10, of images (32, 32, 3), got images {shape}")
    if dataset.is_stand_in:
        plain = cached_network(train_cifar_network, dataset, seed)
        return plain, cached_network(train_immune_cifar_network, dataset, seed)
    return pretrained_network("cifar"), pretrained_network("cifar_immune")


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
    names. Where there is none, pieces of the two photographs in scikit-learn are the fallback, which is announced;
    COURSE_DATA=stand-in asks for them. In the order of their names, every fifth is a test image, and the
    others are there to search for noise on; both are then shuffled, always in the same way. There is nothing to
    choose, so `validation` is empty.

    The photographs of ImageNet belong to their owners: they are for research and teaching, and not to be passed on.

    Args:
        folder: with pictures of any size, in any format that Pillow reads. What is in none, or cannot be read, is
            named and left out. A file `labels.json` may say what they show, as in `imagenet_samples`.
        side: height and width in pixels that the images are to have, at most 1,024; of other shapes the middle is
            taken. What is transparent lies on white.

    Returns:
        The data set; a label of -1 says that nobody knows. Its training images are uint8 from 0 to 255, which takes
        a quarter of the memory and is what a search can use; its test images float32 in [0, 1].

    Raises:
        TypeError: a folder that is no path, a side that is no whole number.
        ValueError: there is no such folder, or it may not be read, or fewer than two pictures are in it; another
            side; a `labels.json` that says something else than the index of a class.

    Source: Russakovsky et al., "ImageNet large scale visual recognition challenge" (2015). Explained in exercise 09.
    """
    side = check_count(side, "side", 1, LARGEST_SIDE)
    if folder is not None:
        return _from_folder(folder, side, "{:,} pictures in your folder")
    if fallback_is_asked_for(os.environ.get("COURSE_DATA", "")) or not (usual := in_data_folder("imagenet_samples")):
        return _fallback_photographs(side)
    return _from_folder(usual, side, "ImageNet, samples in the folder in COURSE_DATA_DIR")


def _from_folder(folder: str | Path, side: int, source: str) -> Dataset:
    known, files = Image.registered_extensions(), _files_in(folder)
    others = [path for path in files if path.suffix.lower() not in (*known, *NO_PICTURES)]
    if others:
        print(f"Left out, since they are not pictures that Pillow can read: {_listed(others)}.")
    paths, pixels = _readable([path for path in files if path.suffix.lower() in known], side)
    if len(paths) < 2:
        raise ValueError(f"folder must hold at least two pictures, to search and to test; {folder} has {len(paths)}")
    return _photographs(pixels, _labels(paths), source.format(len(paths)))


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


def _readable(paths: list[Path], side: int) -> tuple[list[Path], np.ndarray]:
    """Read the pictures; name those that cannot be read, and say how many are cropped."""
    whole: list[Path] = []
    broken, cropped = [], 0
    pixels = np.empty((len(paths), side, side, 3), np.uint8)
    for path in tqdm(paths, desc="reading the pictures", delay=2, leave=False):
        try:
            pixels[len(whole)] = decoded(path, side)
            with Image.open(path) as image:
                cropped += image.size != (side, side)
            whole.append(path)
        except Exception:  # Pillow has no error of its own, either
            broken.append(path)
    if broken:
        print(f"Left out, since they cannot be read: {len(broken)} of {len(paths)} pictures ({_listed(broken)}).")
    if cropped:
        print(f"{cropped} pictures have another size than {side} × {side}: each is scaled, and its middle is taken.")
    return whole, pixels[: len(whole)]


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


def _fallback_photographs(side: int, count: int = 100) -> Dataset:
    """Cut squares out of the two photographs that scikit-learn ships."""
    generator = np.random.default_rng(0)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    crops = np.empty((count, side, side, 3), np.uint8)
    for place, crop in enumerate(crops):
        photograph = photographs[place % 2]
        size = generator.integers(160, min(photograph.size))
        left, top = generator.integers(np.array(photograph.size) - size)
        box = (left, top, left + size, top + size)
        crop[:] = np.asarray(photograph.resize((side, side), Image.Resampling.BICUBIC, box))
    pieces = f"{count} pieces of the two that scikit-learn ships"
    announce_fallback("The photographs of ImageNet are not at hand", pieces, "ImageNet")
    source = "fallback: pieces of scikit-learn's two photographs (china.jpg, flower.jpg)"
    return _photographs(crops, np.full(count, -1), source, is_stand_in=True)


def _photographs(pixels: np.ndarray, labels: np.ndarray, source: str, is_stand_in: bool = False) -> Dataset:
    """Make every fifth a test image, or the last of a few; shuffle both, so that the first ones are fair samples."""
    is_test = np.arange(1, len(labels) + 1) % min(5, len(labels)) == 0
    generator = np.random.default_rng(0)
    train, test = (generator.permutation(np.flatnonzero(part)) for part in (~is_test, is_test))
    return Dataset(
        train=Split(pixels[train], labels[train]),
        validation=Split(as_pixels(pixels[:0]), labels[:0]),
        test=Split(as_pixels(pixels[test]), labels[test]),
        class_names=imagenet_classes(),
        source=source,
        is_stand_in=is_stand_in,
        fingerprint=hash_of(pixels, labels),
    )


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
    names, reason = _fetched(_downloaded_classes)
    if names is None:
        print(f"The names of ImageNet's classes are not at hand ({reason}): the classes are numbered.")
    return names or tuple(f"class {number}" for number in range(1_000))


def _downloaded_classes() -> tuple[str, ...]:
    path = keras.utils.get_file(CLASS_INDEX, CLASS_INDEX_URL, cache_subdir="models", file_hash=CLASS_INDEX_HASH)
    return _classes_in(Path(path))


def _classes_in(path: Path) -> tuple[str, ...]:
    """Read the names from a file; ValueError when it does not hold 1,000. If it is not the file we know, say so."""
    content = read_file(path)
    found = hashlib.md5(content).hexdigest()
    try:
        index = json.loads(content)
        names = tuple(name.replace("_", " ") for _, name in (index[str(number)] for number in range(1_000)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        kind = "file: it does not name 1,000 classes"
        raise DamagedFileError(path, "MD5 of the file", found, CLASS_INDEX_HASH, kind=kind) from None
    if found != CLASS_INDEX_HASH:
        print(f"{path} is not the file we know (MD5 {found}): it may give classes other names.")
    return names


def imagenet_network(name: str = "mobilenet_v2", side: int | None = None) -> keras.Model:
    """Load a network that was trained on ImageNet.

    Its weights are looked for in the folder in the environment variable COURSE_DATA_DIR, as
    `mobilenet_v2_imagenet.weights.h5` or `inception_v3_imagenet.weights.h5`: a file that is not the one we know is
    used, and announced. Then Keras looks into its cache and downloads them. Where neither works, or
    COURSE_DATA=stand-in asks for it, the fallback is the course's network for CIFAR-10, with ten classes.

    Args:
        name: "mobilenet_v2", or "inception_v3", the one of tutorial #11.
        side: height and width of the images in pixels, from 32 (75 for inception_v3) to 1,024; when left out 224
            and 299, what they were trained with.

    Returns:
        A network from float32 images (N, side, side, 3) in [0, 1] to logits (N, 1000): what else these networks
        want done to the pixels is done inside.

    Raises:
        TypeError: a side that is no whole number.
        ValueError: another name or side; a file that cannot be read or does not hold the weights of this network.

    Source: Sandler et al., "MobileNetV2: Inverted residuals and linear bottlenecks" (2018); Szegedy et al.,
    "Rethinking the Inception architecture for computer vision" (2016). Explained in notebook 03.
    """
    if not isinstance(name, str) or name not in IMAGENET_NETWORKS:
        raise ValueError(f"name must be one of {', '.join(IMAGENET_NETWORKS)}, got {name!r}")
    _, usual_side = IMAGENET_NETWORKS[name]
    side = usual_side if side is None else check_count(side, "side", SMALLEST_SIDES[name], LARGEST_SIDE)
    if fallback_is_asked_for(os.environ.get("COURSE_DATA", "")):
        return _fallback_network(name, side, "COURSE_DATA asks for it")
    own_file = in_data_folder(f"{name}_imagenet.weights.h5")
    if own_file is not None:
        return _with_weights_of(name, side, own_file)
    network, reason = _fetched(lambda: _with_preprocessing(name, side, "imagenet"))
    return _fallback_network(name, side, reason) if network is None else network


def _with_weights_of(name: str, side: int, file: Path) -> keras.Model:
    found = hashlib.sha256(read_file(file)).hexdigest()
    if found not in KNOWN_WEIGHTS:
        print(
            f"{file} is not the file we know (SHA-256 {found}): the network may see other things in photographs "
            "than the text says."
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Skipping")  # Keras only warns of layers that it finds no weights for
            return _with_preprocessing(name, side, str(file))
    except Exception as error:  # Keras and HDF5 have none of their own for what can be wrong with a file
        raise ValueError(f"{file} does not hold the weights of {name}, or is damaged: {error}") from None


def _with_preprocessing(name: str, side: int, weights: str) -> keras.Model:
    build, usual_side = IMAGENET_NETWORKS[name]
    network = build(weights=weights, classifier_activation=None, input_shape=(usual_side, usual_side, 3))
    if side != usual_side:
        trained = network.get_weights()
        network = build(weights=None, classifier_activation=None, input_shape=(side, side, 3))
        network.set_weights(trained)
    return keras.Sequential([keras.Input((side, side, 3)), layers.Rescaling(2, -1), network], name=name)


def _fallback_network(name: str, side: int, reason: str) -> keras.Model:
    print(f"{name} is not at hand ({reason}). The course's network for CIFAR-10 is the fallback, with ten classes.")
    smaller = layers.Resizing(32, 32, antialias=True)
    # Resizing, too, takes a plain call for training, and hands that on to what follows.
    return InTrainingOnly([keras.Input((side, side, 3)), smaller, pretrained_network("cifar")], name="stand_in")


def decode_predictions(logits: Any, top: int = 5) -> list[list[tuple[str, float]]]:
    """Say in words what a network sees in photographs.

    Args:
        logits: numbers, shape (N, 1000), or (N, 10) from the fallback network; an array, a tensor or a list.
        top: so many classes for each image.

    Returns:
        For each image a list of (class, score), the highest score first; scores are softmax outputs, in [0, 1].

    Raises:
        TypeError: logits that are not numbers, a top that is no whole number.
        ValueError: logits of another shape, NaN, probabilities instead of logits, more classes than there are.

    Explained in notebook 03.
    """
    names = {len(each): each for each in (imagenet_classes(), CIFAR_CLASSES)}
    logits = as_array(logits, "logits")
    if logits.dtype.kind not in "iuf":
        raise TypeError(f"logits must be numbers, got {logits.dtype}")
    logits = logits.astype(np.float32)
    if logits.ndim != 2 or logits.shape[1] not in names:
        raise ValueError(f"logits must have the shape (N, 1000), got {logits.shape}")
    classes = names[logits.shape[1]]
    top = check_count(top, "top", 1, len(classes))
    if not np.isfinite(logits).all():
        raise ValueError("logits must not hold NaN or infinity")
    if look_like_probabilities(logits, only_sums=True):
        raise ValueError("logits must not be probabilities: build the network without its last softmax")
    scores = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    highest = np.argsort(-scores)[:, :top]
    return [[(classes[i], float(s[i])) for i in h] for s, h in zip(scores, highest, strict=True)]
