"""Bad input of every kind at every public door: a clear sentence, or the right value; never a traceback from within.

A sentence is a ValueError or TypeError that the course itself raises. Everything is crossed with everything: each
function with each kind of network, images, labels and numbers that it takes.
"""

import inspect
import traceback
import warnings
from pathlib import Path

import course_utils
from course_utils import Dataset, Split

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

LIBRARY = Path(course_utils.__file__).parent
SHAPE = (12, 12, 1)
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.uniform(size=(20, *SHAPE)).astype(np.float32)
LABELS = np.arange(20) % 3
NOISE = GENERATOR.uniform(-0.1, 0.1, SHAPE).astype(np.float32)
NAMES = ("cat", "dog", "ship")


def tail(units=3, activation=None, **settings):
    return [layers.Flatten(), layers.Dense(units, activation=activation, name="logits", **settings)]


def network_of(*some, shape=SHAPE):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *some])


def with_root():
    """A network that is infinitely steep where a pixel is 0."""
    return network_of(layers.Lambda(lambda x: tf.sqrt(x - tf.reduce_min(x, axis=(1, 2, 3), keepdims=True))), *tail())


NETWORK = network_of(*tail())
DOTS = np.random.default_rng(0).uniform(size=(20, 1, 1, 1)).astype(np.float32)
DATASET = Dataset(*(Split(IMAGES, LABELS) for _ in range(3)), NAMES, "a test", True, "a test")
DATASET_OF_DOTS = Dataset(*(Split(DOTS, LABELS) for _ in range(3)), NAMES, "dots", True, "dots")


class Quickstart(keras.Model):
    """A network as a class, as TensorFlow's own quickstart has it."""

    def __init__(self):
        super().__init__()
        self.steps = tail()

    def call(self, images):
        for step in self.steps:
            images = step(images)
        return images


class OwnSoftmax(Quickstart):
    """The same, with a softmax that no layer tells of."""

    def call(self, images):
        return tf.nn.softmax(super().call(images))


class Random(layers.Layer):
    """Random in every call, whatever it is for."""

    def call(self, images):
        return images + tf.random.normal(tf.shape(images))


class Needing(layers.Layer):
    """Cannot be built again from its config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, images):
        return images * self.factor


class Explosive:
    """Raises whatever is asked of it."""

    def __repr__(self):
        raise RuntimeError("no")

    def __array__(self, *_, **__):
        raise RuntimeError("no")


def called(network):
    network(IMAGES)
    return network


def with_weights_of(value):
    network = network_of(*tail())
    network.layers[-1].kernel.assign(np.full((144, 3), value))
    return network


def adapted():
    scale = layers.Normalization(axis=None)
    scale.adapt(IMAGES)
    return network_of(scale, *tail())


def of_dtype(policy):
    return network_of(layers.Flatten(), layers.Dense(3, name="logits", dtype=policy))


def frozen():
    network = network_of(*tail())
    network.trainable = False
    return network


def functional(outputs):
    inputs = keras.Input(SHAPE)
    logits = layers.Dense(3)(layers.Flatten()(inputs))
    return keras.Model(inputs, outputs(logits))


def two_inputs():
    first, second = keras.Input(SHAPE), keras.Input(SHAPE)
    return keras.Model([first, second], layers.Dense(3)(layers.Flatten()(first + second)))


class FakeOfKeras2:
    __module__ = "tf_keras.src.engine.sequential"


REFUSED_NETWORKS = {
    "None": lambda: None,
    "a path": lambda: "network.keras",
    "a Path": lambda: Path("network.keras"),
    "a class": lambda: Quickstart,
    "a list": lambda: [NETWORK],
    "a layer": lambda: layers.Dense(3),
    "a number": lambda: 3,
    "explosive": Explosive,
    "of Keras 2": FakeOfKeras2,
    "not built": lambda: keras.Sequential(tail()),
    "a class not called yet": Quickstart,
    "one output": lambda: network_of(*tail(1)),
    "one sigmoid": lambda: network_of(*tail(1, "sigmoid")),
    "softmax": lambda: network_of(*tail(3, "softmax")),
    "sigmoids": lambda: network_of(*tail(3, "sigmoid")),
    "two outputs": lambda: functional(lambda logits: [logits, logits]),
    "outputs by name": lambda: functional(lambda logits: {"logits": logits}),
    "an axis too many": lambda: functional(lambda logits: logits[:, None]),
    "classes instead of logits": lambda: functional(lambda logits: keras.ops.argmax(logits, axis=1)),
    "images as answers": lambda: network_of(layers.Conv2D(3, 1)),
    "NaN": lambda: with_weights_of(np.nan),
    "infinity": lambda: with_weights_of(np.inf),
    "whole numbers in": lambda: keras.Sequential([keras.Input(SHAPE, dtype="int32"), *tail()]),
    "two inputs": two_inputs,
    "no channel": lambda: network_of(*tail(), shape=(12, 12)),
    "flat": lambda: network_of(layers.Dense(3), shape=(144,)),
    "other size": lambda: network_of(*tail(), shape=(28, 28, 1)),
    "colour": lambda: network_of(*tail(), shape=(12, 12, 3)),
    "random": lambda: network_of(Random(), *tail()),
}
TAKEN_NETWORKS = {
    "float16": lambda: of_dtype("float16"),
    "float64": lambda: of_dtype("float64"),
    "bfloat16": lambda: of_dtype("bfloat16"),
    "mixed": lambda: of_dtype("mixed_float16"),
    "adapted": adapted,
    "dropout": lambda: network_of(layers.Dropout(0.5), *tail()),
    "lambda": lambda: network_of(layers.Lambda(lambda x: x * 2 - 1), *tail()),
    "any size": lambda: network_of(
        layers.Conv2D(3, 3, name="logits"), layers.GlobalAveragePooling2D(), shape=(None, None, 1)
    ),
    "a class that was called": lambda: called(Quickstart()),
    "a class in a shell": lambda: network_of(Quickstart()),
    "five classes": lambda: network_of(*tail(5)),
}
REFUSED_NETWORKS |= {
    "softmax of TensorFlow": lambda: network_of(*tail(3, tf.nn.softmax)),
    "sigmoid of TensorFlow": lambda: network_of(*tail(3, tf.nn.sigmoid)),
    "softmax in a lambda": lambda: network_of(*tail(3, lambda x: keras.ops.softmax(x))),
    "softmax as an operation": lambda: functional(keras.ops.softmax),
    "softmax as a layer": lambda: network_of(*tail(), layers.Softmax()),
    "sigmoid as a layer": lambda: network_of(*tail(), layers.Activation("sigmoid")),
    "softmax in a class": lambda: called(OwnSoftmax()),
}
TAKEN_NETWORKS |= {  # small numbers that are no probabilities
    "averages of relu": lambda: network_of(layers.Conv2D(3, 3, activation="relu"), layers.GlobalAveragePooling2D()),
    "relu at the end": lambda: network_of(*tail(3, "relu", kernel_initializer="ones")),
    "relu of TensorFlow within": lambda: network_of(layers.Conv2D(3, 3, activation=tf.nn.relu), *tail()),
}
REFUSED_IMAGES = {
    "masked": np.ma.masked_less(IMAGES, 0.5),
    "a hair above 1": IMAGES + np.float32(1e-3),
    "None": None,
    "text": "images",
    "a number": 3,
    "a list of text": ["a", "b"],
    "ragged": [[1, 2], [3]],
    "explosive": Explosive(),
    "a data set of TensorFlow": tf.data.Dataset.from_tensor_slices(IMAGES),
    "a Dataset": DATASET,
    "symbolic": keras.KerasTensor((20, *SHAPE)),
    "objects": np.array([object()] * 3),
    "float64": IMAGES.astype(np.float64),
    "from 0 to 255": IMAGES * 255,
    "NaN": np.full_like(IMAGES, np.nan),
    "infinite": np.full_like(IMAGES, np.inf),
    "none at all": IMAGES[:0],
    "no pixels": IMAGES[:, :0],
    "one alone": IMAGES[0],
    "no channel": IMAGES[..., 0],
    "an axis too many": IMAGES[None],
    "channels first": IMAGES.transpose(0, 3, 1, 2),
    "complex": IMAGES.astype(np.complex64),
    "truth values": IMAGES > 0.5,
}
TAKEN_IMAGES = {"a tensor": tf.constant(IMAGES), "a variable": tf.Variable(IMAGES), "not in order": IMAGES[::-1]}
REFUSED_LABELS = {
    "text": ["cat"] * 20,
    "too few": LABELS[:3],
    "one": 2,
    "shares": LABELS / 3,
    "one-hot": keras.utils.to_categorical(LABELS, 3),
    "below 0": LABELS - 1,
    "too large": LABELS + 1,
    "NaN": np.full(20, np.nan),
    "explosive": Explosive(),
    "truth values": LABELS > 1,
    "a column": LABELS[:, None],
}
TAKEN_LABELS = {
    "uint8": LABELS.astype(np.uint8),
    "int32": LABELS.astype(np.int32),
    "a tensor": tf.constant(LABELS),
    "a list": LABELS.tolist(),
}
REFUSED_NUMBERS = {
    "text": "3",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "negative": -1,
    "true": True,
    "a list": [0.1, 0.2],
    "an array": np.array([1, 2]),
    "explosive": Explosive(),
    "complex": 1j,
    "far too large": 10**400,
    "more digits than Python shows": 10**5000,
}
REFUSED_DATASETS = {
    "None": None,
    "a tuple": (IMAGES, LABELS),
    "a split": DATASET.train,
    "the function": course_utils.load_mnist,
    "text": "mnist",
    "a Dataset of TensorFlow": tf.data.Dataset.from_tensor_slices(IMAGES),
}
QUICK = {"steps": 2, "batch_size": 4}
MAKERS = {
    "find_universal_noise": lambda **a: course_utils.find_universal_noise(
        **{"network": NETWORK, "images": IMAGES, "target_classes": 1, "seed": 0, **QUICK} | a
    ),
    "find_image_noise": lambda **a: course_utils.find_image_noise(
        **{"network": NETWORK, "images": IMAGES, "target_classes": 1, "max_steps": 3} | a
    ),
    "evaluate_noise": lambda **a: course_utils.evaluate_noise(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "noise": NOISE, "target_class": 1} | a
    ),
    "certified_accuracy": lambda **a: course_utils.certified_accuracy(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "noise_limit": 0.01} | a
    ),
    "certified_training": lambda **a: course_utils.certified_training(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "noise_limit": 0.01, **QUICK} | a
    ),
    "adversarial_training": lambda **a: course_utils.adversarial_training(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "steps": 2} | a
    ),
    "immunise_interleaved": lambda **a: course_utils.immunise_interleaved(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "steps": 2} | a
    ),
    "immunise_in_turn": lambda **a: course_utils.immunise_in_turn(
        **{"network": NETWORK, "images": IMAGES, "labels": LABELS, "noise_steps": 1, "training_steps": 1} | a
    ),
    "reattack": lambda **a: course_utils.reattack(**{"network": NETWORK, "dataset": DATASET} | a),
    "noise_lab": lambda **a: course_utils.noise_lab(
        **{"networks": NETWORK, "dataset": DATASET, "target_class": 1} | a
    ),
    "prepend_contrast": lambda **a: course_utils.prepend_contrast(**{"network": NETWORK} | a),
    "add_noise": lambda **a: course_utils.add_noise(**{"images": IMAGES, "noise": NOISE} | a),
    "plot_images": lambda **a: course_utils.plot_images(
        **{"images": IMAGES, "labels": LABELS, "predictions": LABELS, "class_names": NAMES} | a
    ),
    "plot_noise": lambda **a: course_utils.plot_noise(**{"noise": NOISE} | a),
    "plot_confusion": lambda **a: course_utils.plot_confusion(
        **{"confusion": np.eye(3, dtype=int), "class_names": NAMES} | a
    ),
    "linear_network": lambda **a: course_utils.linear_network(**a),
    "convolutional_network": lambda **a: course_utils.convolutional_network(**a),
    "certifiable_network": lambda **a: course_utils.certifiable_network(**a),
    "cifar_network": lambda **a: course_utils.cifar_network(**a),
    "train_course_network": lambda **a: course_utils.train_course_network(**{"dataset": DATASET, "seed": 0} | a),
    "train_cifar_network": lambda **a: course_utils.train_cifar_network(**{"dataset": DATASET, "seed": 0} | a),
    "cifar_networks": lambda **a: course_utils.cifar_networks(**{"dataset": DATASET, "seed": 0} | a),
    "AdversarialNoise": lambda **a: course_utils.AdversarialNoise(**a),
    "two_tier_network": lambda **a: course_utils.two_tier_network(**{"plain": NETWORK, "immune": [NETWORK] * 3} | a),
}
# Of the trainings one tries every kind of network: they all begin at the same door.
NETWORK_DOORS = {
    "find_universal_noise": "network",
    "find_image_noise": "network",
    "evaluate_noise": "network",
    "certified_accuracy": "network",
    "adversarial_training": "network",
    "noise_lab": "networks",
}
SOME_NETWORKS = ("None", "a path", "not built", "explosive", "softmax", "two inputs")
OTHER_NETWORK_DOORS = {
    "certified_training": "network",
    "immunise_interleaved": "network",
    "immunise_in_turn": "network",
    "reattack": "network",
}
IMAGE_DOORS = {
    "find_universal_noise", "find_image_noise", "evaluate_noise", "add_noise",
    "immunise_interleaved",
}  # fmt: skip
LABEL_DOORS = {"evaluate_noise", "certified_accuracy", "adversarial_training", "immunise_in_turn"}
DATASET_DOORS = {"reattack", "noise_lab", "train_course_network", "train_cifar_network", "cifar_networks"}
NUMBER_DOORS = {
    "find_universal_noise": [
        *("target_classes", "noise_limit", "noise_l2_weight", "steps", "batch_size", "restarts", "first_step", "seed")
    ],
    "find_image_noise": ["target_classes", "noise_limit", "score", "max_steps", "step_size", "batch_size"],
    "evaluate_noise": ["target_class", "noise_limit"],
    "certified_accuracy": ["noise_limit"],
    "certified_training": ["noise_limit", "steps", "batch_size", "clean_weight", "peak_learning_rate", "seed"],
    "adversarial_training": [
        "noise_limit",
        "attack_steps",
        "clean_fraction",
        "steps",
        "peak_learning_rate",
        "limit_warmup",
        "seed",
    ],
    "immunise_interleaved": ["noise_limit", "steps", "seed"],
    "immunise_in_turn": ["noise_limit", "rounds", "noise_steps", "training_steps", "seed"],
    "reattack": ["noise_limit", "seed", "strength"],
    "noise_lab": ["target_class", "noise_limit", "panel", "seed"],
    "prepend_contrast": ["noise_limit"],
    "plot_images": ["columns"],
    "plot_noise": ["noise_limit", "columns"],
    "linear_network": ["image_shape", "classes"],
    "convolutional_network": ["image_shape", "classes"],
    "certifiable_network": ["image_shape", "classes"],
    "cifar_network": ["image_shape", "classes"],
    "train_course_network": ["seed"],
    "train_cifar_network": ["seed", "epochs"],
    "AdversarialNoise": ["limit", "l2_weight"],
}
RIGHT = {("find_universal_noise", "target_classes", "an array")}  # what looks bad for others
OTHERS = {
    "more labels than classes as targets": ("find_universal_noise", {"target_classes": LABELS}),
    "no target": ("immunise_in_turn", {"target_classes": []}),
    "targets that are none": ("immunise_in_turn", {"target_classes": [7]}),
    "one target without a list": ("immunise_in_turn", {"target_classes": 1}),
    "targets as text": ("immunise_in_turn", {"target_classes": "12"}),
    "frozen, on worst noise": ("adversarial_training", {"network": frozen()}),
    "frozen, in turn": ("immunise_in_turn", {"network": frozen()}),
    "a rate far too large": ("adversarial_training", {"peak_learning_rate": 1e35, "steps": 20}),
    "a rate far too small": ("immunise_interleaved", {"network": network_of(*tail()), "steps": 0}),
    "cannot be copied": ("adversarial_training", {"network": network_of(Needing(2.0), *tail())}),
    "a class cannot be copied": ("adversarial_training", {"network": called(Quickstart())}),
    "noise beyond the limit": ("evaluate_noise", {"noise": NOISE + 0.5}),
    "noise of another size": ("evaluate_noise", {"noise": NOISE[:5]}),
    "noise as text": ("add_noise", {"noise": "noise"}),
    "noise in float64": ("add_noise", {"noise": NOISE.astype(float)}),
    "names for other classes": ("noise_lab", {"dataset": Dataset(*(DATASET.train,) * 3, NAMES[:2], "", True, "")}),
    "no networks": ("noise_lab", {"networks": {}}),
    "one of the networks is none": ("noise_lab", {"networks": {"a": NETWORK, "b": None}}),
    "two networks of one name": ("noise_lab", {"networks": {1: NETWORK, "1": NETWORK}}),
    "another panel": ("noise_lab", {"panel": "certificate"}),
    "no target for one image": ("noise_lab", {"panel": "image", "target_class": None}),
    "a proof of what cannot be bounded": (
        "noise_lab",
        {"panel": "proof", "networks": network_of(*tail(3, "relu"))},
    ),
    "unknown strength": ("reattack", {"strength": ["quick"]}),
    "another network that is none": ("reattack", {"other_network": "plain"}),
    "label without a name": ("plot_images", {"labels": LABELS + 1}),
    "predictions without labels": ("plot_images", {"labels": None}),
    "too many small steps": ("adversarial_training", {"attack_steps": 10**6}),
    "more steps than anybody waits for": ("find_universal_noise", {"steps": 10**12}),
    "a watch that is none": ("immunise_in_turn", {"watch": 3}),
    "no image to show": (
        "noise_lab",
        {"dataset": Dataset(*(Split(IMAGES[:0], LABELS[:0]),) * 3, NAMES, "", True, "")},
    ),
    "digits for CIFAR-10's networks": ("cifar_networks", {}),
    "softmax for whole images": ("find_universal_noise", {"network": network_of(*tail(3, tf.nn.softmax))}),
    "too small for float32": ("find_universal_noise", {"noise_limit": 1e-40}),
    "noise a little beyond": ("evaluate_noise", {"noise": np.full(SHAPE, 0.350002, np.float32)}),
    "noise beyond a tiny limit": ("evaluate_noise", {"noise": np.full(SHAPE, 9e-6, np.float32), "noise_limit": 1e-6}),
    "a step beyond float32": ("find_image_noise", {"step_size": 1e39}),
    "a gradient that is infinite": ("find_image_noise", {"network": with_root()}),
    "and for all images": ("find_universal_noise", {"network": with_root()}),
    "and in training": ("adversarial_training", {"network": with_root()}),
    "more than memory holds": ("find_universal_noise", {"steps": 10**6, "batch_size": 10**6}),
    "more pictures than one looks at": (
        "plot_images",
        {"images": np.zeros((300, 4, 4, 1)), "labels": None, "predictions": None},
    ),
    "names as a set": ("plot_images", {"class_names": {"a", "b", "c"}}),
    "names as a number": ("plot_images", {"class_names": 3}),
    "titles as a generator": ("plot_images", {"titles": (str(n) for n in range(20))}),
    "numbers beyond float32": ("plot_noise", {"noise": NOISE.astype(float) * 1e308}),
    "labels nobody knows": (
        "train_course_network",
        {"dataset": Dataset(*(Split(IMAGES, LABELS * 0 - 1),) * 3, NAMES, "", True, "")},
    ),
    "bytes to learn from": (
        "train_course_network",
        {"dataset": Dataset(*(Split(IMAGES * 255, LABELS),) * 3, NAMES, "", True, "")},
    ),
    "nothing to learn from": (
        "train_course_network",
        {"dataset": Dataset(*(Split(IMAGES[:0], LABELS[:0]),) * 3, NAMES, "", True, "")},
    ),
    "an image of one pixel": (
        "reattack",
        {"network": network_of(*tail(), shape=(1, 1, 1)), "dataset": DATASET_OF_DOTS},
    ),
    "tiers of images": ("two_tier_network", {"plain": network_of(layers.Conv2D(3, 1))}),
    "tiers of two outputs": ("two_tier_network", {"plain": functional(lambda logits: [logits, logits])}),
    "too few labels": ("plot_images", {"labels": LABELS[:2]}),
    "too few predictions": ("plot_images", {"predictions": LABELS[:2]}),
    "too few titles": ("plot_images", {"titles": ["one"]}),
    "no images to plot": ("plot_images", {"images": IMAGES[:0], "labels": []}),
    "four channels": ("plot_images", {"images": np.zeros((20, 4, 4, 4))}),
    "images beyond 1": ("plot_images", {"images": IMAGES * 255}),
    "NaN to plot": ("plot_noise", {"noise": NOISE * np.nan}),
    "noise without channel": ("plot_noise", {"noise": NOISE[..., 0]}),
    "too few titles for noise": ("plot_noise", {"titles": []}),
    "shares as confusion": ("plot_confusion", {"confusion": np.eye(3)}),
    "no square": ("plot_confusion", {"confusion": np.ones((2, 3), int)}),
    "five classes, three names": ("plot_confusion", {"confusion": np.eye(5, dtype=int)}),
    "images too small": ("convolutional_network", {"image_shape": (3, 3, 1)}),
    "images too small for a proof": ("certifiable_network", {"image_shape": (8, 8, 1)}),
    "two channels": ("cifar_network", {"image_shape": (32, 32, 2)}),
    "two axes": ("convolutional_network", {"image_shape": (28, 28)}),
    "one class": ("linear_network", {"classes": 1}),
    "a half as contrast": ("prepend_contrast", {"noise_limit": 0.5}),
    "contrast of a class": ("prepend_contrast", {"network": called(Quickstart())}),
    "two tiers of one": ("two_tier_network", {"immune": [NETWORK]}),
    "two tiers of none": ("two_tier_network", {"immune": None}),
    "two tiers of text": ("two_tier_network", {"immune": ["a", "b", "c"]}),
    "tiers without a plain one": ("two_tier_network", {"plain": None}),
}


def sentence_of(call):
    """Return what the course says; fail when it says nothing, or when something within it breaks instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except (ValueError, TypeError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        whence = f"{frame.filename}, {frame.line}: {error}"
        assert LIBRARY in Path(frame.filename).parents, whence
        assert "raise" in (frame.line or ""), whence
        text = str(error)
        assert 20 < len(text) < 700, text
        return text
    finally:
        plt.close("all")
    pytest.fail(f"taken without a word: {result!r:.200}")


def assert_refused(name, argument, values, words=""):
    """Try all kinds of values at one door, and name those that are not refused as they should be."""
    wrong = {}
    for kind, value in values.items():
        try:
            assert words in sentence_of(lambda value=value: MAKERS[name](**{argument: value}))
        except (Exception, pytest.fail.Exception) as error:
            wrong[kind] = f"{type(error).__name__}: {error}"[:300]
    assert wrong == {}


@pytest.mark.parametrize("kind", REFUSED_NETWORKS)
@pytest.mark.parametrize("name", NETWORK_DOORS)
def test_a_network_that_will_not_do(name, kind):
    sentence_of(lambda: MAKERS[name](**{NETWORK_DOORS[name]: REFUSED_NETWORKS[kind]()}))


@pytest.mark.parametrize("name", OTHER_NETWORK_DOORS)
def test_some_networks_that_will_not_do(name):
    assert_refused(name, OTHER_NETWORK_DOORS[name], {kind: REFUSED_NETWORKS[kind]() for kind in SOME_NETWORKS})


@pytest.mark.parametrize("name", sorted(IMAGE_DOORS))
def test_images_that_will_not_do(name):
    assert_refused(name, "images", REFUSED_IMAGES)


@pytest.mark.parametrize("name", sorted(LABEL_DOORS))
def test_labels_that_will_not_do(name):
    assert_refused(name, "labels", REFUSED_LABELS)


@pytest.mark.parametrize("name", sorted(DATASET_DOORS))
def test_a_data_set_that_will_not_do(name):
    assert_refused(name, "dataset", REFUSED_DATASETS, "dataset")


@pytest.mark.parametrize("name", NUMBER_DOORS)
def test_numbers_that_will_not_do(name):
    for argument in NUMBER_DOORS[name]:
        kinds = {kind: value for kind, value in REFUSED_NUMBERS.items() if (name, argument, kind) not in RIGHT}
        assert_refused(name, argument, kinds, argument.removesuffix("es").removesuffix("s").split("_")[-1])


@pytest.mark.parametrize("kind", OTHERS)
def test_something_else_that_will_not_do(kind):
    name, arguments = OTHERS[kind]
    sentence_of(lambda: MAKERS[name](**arguments))


@pytest.mark.parametrize("kind", TAKEN_NETWORKS)
def test_a_network_that_will_do(kind):
    """It is measured as it is, and its noise is found."""
    network = TAKEN_NETWORKS[kind]()
    noise, _ = MAKERS["find_image_noise"](network=network)
    assert noise.any()
    (noise,) = MAKERS["find_universal_noise"](network=network)
    assert np.isfinite(noise).all()
    assert noise.any()
    report = MAKERS["evaluate_noise"](network=network, noise=noise)
    answers = np.asarray(network(course_utils.add_noise(IMAGES, noise), training=False)).argmax(axis=1)
    assert report.accuracy == np.mean(answers == LABELS)


@pytest.mark.parametrize("kind", ["float16", "float64", "mixed", "adapted", "dropout", "lambda", "any size"])
@pytest.mark.parametrize("train", ["immunise_in_turn", "immunise_interleaved"])
def test_a_network_that_can_be_trained(train, kind):
    network = TAKEN_NETWORKS[kind]()
    before = network.get_weights()
    trained = MAKERS[train](network=network)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert not all(map(np.array_equal, before, trained.get_weights()))
    assert MAKERS["evaluate_noise"](network=trained).confusion.sum() == len(IMAGES)


@pytest.mark.parametrize("kind", TAKEN_IMAGES)
@pytest.mark.parametrize("name", sorted(IMAGE_DOORS))
def test_images_that_will_do(name, kind):
    MAKERS[name](images=TAKEN_IMAGES[kind])


@pytest.mark.parametrize("kind", TAKEN_LABELS)
def test_labels_that_will_do(kind):
    assert MAKERS["evaluate_noise"](labels=TAKEN_LABELS[kind]).accuracy == MAKERS["evaluate_noise"]().accuracy
    assert MAKERS["certified_accuracy"](labels=TAKEN_LABELS[kind]) == MAKERS["certified_accuracy"]()
    assert MAKERS["adversarial_training"](labels=TAKEN_LABELS[kind]).built


def test_every_door_is_tried():
    """A new public function is entered above, or says here why it takes nothing that could be bad."""
    elsewhere = {  # their own tests try files and texts, or they are returned by others
        "Dataset", "Split", "NoiseLab", "NoiseReport", "AttackReport", "claim", "certified_images",
        "decode_predictions", "expected_minutes", "pretrained_network", "imagenet_network", "cached_network",
        "load_cifar10", "load_imagenet_samples", "load_mnist", "seed_range", "values_by_seed", "start_notebook",
        "stored_result", "image_gradient", "predict",
    }  # fmt: skip
    public = {name for name, thing in vars(course_utils).items() if name[0] != "_" and is_of_the_course(thing)}
    assert public == set(MAKERS) | elsewhere
    for name, arguments in NUMBER_DOORS.items():
        function = getattr(course_utils, name)
        assert set(arguments) <= set(inspect.signature(function).parameters), name


def is_of_the_course(thing):
    return callable(thing) and getattr(thing, "__module__", "").startswith("course_utils.")
