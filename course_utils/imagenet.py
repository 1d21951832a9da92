"""Networks that know the thousand classes of ImageNet."""

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

from course_utils.checks import as_array, check_count, look_like_probabilities
from course_utils.cifar import CLASSES, impatience
from course_utils.data import in_data_folder, read_file, stand_in_is_wanted
from course_utils.networks import InTrainingOnly
from course_utils.photographs import LARGEST_SIDE, imagenet_classes
from course_utils.results import finished_network

import keras
import numpy as np
from keras import layers

# Each with its side in pixels. Both want pixels from -1 to 1.
NETWORKS = {
    "mobilenet_v2": (keras.applications.MobileNetV2, 224),
    "inception_v3": (keras.applications.InceptionV3, 299),
}
SMALLEST = {"mobilenet_v2": 32, "inception_v3": 75}  # sides in pixels
# SHA-256 of the files of weights with which the numbers in the text were measured.
KNOWN_WEIGHTS = ("0c5f5bc50d19e13d43afd27d7608cc75d817459b7e1bb7a145a0b4b8a84b135d",)


def imagenet_network(name: str = "mobilenet_v2", side: int | None = None) -> keras.Model:
    """Load a network that was trained on ImageNet.

    Its weights are looked for in the folder in the environment variable COURSE_DATA_DIR, as
    `mobilenet_v2_imagenet.weights.h5` or `inception_v3_imagenet.weights.h5`: a file that is not the one we know is
    used, and announced. Then Keras looks into its cache and downloads them. Where neither works, or
    COURSE_DATA=stand-in asks for it, the course's network for CIFAR-10 stands in, with ten classes, and says so.

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
    if not isinstance(name, str) or name not in NETWORKS:
        raise ValueError(f"name must be one of {', '.join(NETWORKS)}, got {name!r}")
    side = NETWORKS[name][1] if side is None else check_count(side, "side", SMALLEST[name], LARGEST_SIDE)
    if stand_in_is_wanted(os.environ.get("COURSE_DATA", "")):
        return _stand_in(name, side, "COURSE_DATA asks for it")
    own_file = in_data_folder(f"{name}_imagenet.weights.h5")
    if own_file is not None:
        return _with_weights_of(name, side, own_file)
    try:
        with impatience():
            return _with_preprocessing(name, side, "imagenet")
    except Exception as error:  # Keras has no error of its own for what can go wrong on the way
        return _stand_in(name, side, f"the download failed: {type(error).__name__}")


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
    build, usual_side = NETWORKS[name]
    network = build(weights=weights, classifier_activation=None, input_shape=(usual_side, usual_side, 3))
    if side != usual_side:
        trained = network.get_weights()
        network = build(weights=None, classifier_activation=None, input_shape=(side, side, 3))
        network.set_weights(trained)
    return keras.Sequential([keras.Input((side, side, 3)), layers.Rescaling(2, -1), network], name=name)


def _stand_in(name: str, side: int, reason: str) -> keras.Model:
    print(f"{name} is not at hand ({reason}). The course's network for CIFAR-10 stands in for it, with ten classes.")
    smaller = layers.Resizing(32, 32, antialias=True)
    # Resizing, too, takes a plain call for training, and hands that on to what follows.
    return InTrainingOnly([keras.Input((side, side, 3)), smaller, finished_network("cifar")], name="stand_in")


def decode_predictions(logits: Any, top: int = 5) -> list[list[tuple[str, float]]]:
    """Say in words what a network sees in photographs.

    Args:
        logits: numbers, shape (N, 1000), or (N, 10) from the stand-in; an array, a tensor or a list.
        top: so many classes for each image.

    Returns:
        For each image a list of (class, score), the highest score first; scores are softmax outputs, in [0, 1].

    Raises:
        TypeError: logits that are not numbers, a top that is no whole number.
        ValueError: logits of another shape, NaN, probabilities instead of logits, more classes than there are.

    Explained in notebook 03.
    """
    names = {len(each): each for each in (imagenet_classes(), CLASSES)}
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
