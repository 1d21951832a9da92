"""The networks of the course, untrained and plainly trained; how they are made immune stands in `immunity`."""

import copy
import functools
import math
from collections.abc import Iterator
from typing import Any

from course_utils._checks import (
    check_built,
    check_count,
    check_dataset,
    check_images,
    check_labels,
    check_noise_limit,
    check_seed,
    in_short,
    input_shape,
)
from course_utils._gradients import largest_finite, logits_of
from course_utils.data import Dataset

import keras
import numpy as np
from keras import layers


def linear_network(image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """Build a linear model: every class has one weight for every pixel, and nothing else but a bias.

    Args:
        image_shape: height, width and channels of an image.
        classes: number of classes.

    Returns:
        An untrained model from float32 images (N, H, W, C) to logits (N, classes).

    Raises:
        TypeError, ValueError: a shape or a number of classes that cannot be.

    Explained in notebook 01.
    """
    image_shape, classes = _checked_sizes(image_shape, classes, 1)
    stack = [
        keras.Input(image_shape),
        layers.Flatten(),
        layers.Dense(classes, kernel_initializer="zeros", name="logits"),
    ]
    return keras.Sequential(stack, name="linear_network")


def convolutional_network(image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """Build the course's network: two convolutions, each with a pooling behind it, and two dense layers.

    Args:
        image_shape: height, width and channels of an image.
        classes: number of classes.

    Returns:
        An untrained model from float32 images (N, H, W, C) to logits (N, classes).

    Raises:
        TypeError, ValueError: a shape or a number of classes that cannot be; images below 4 × 4 pixels.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #02 and #12 (2016). Explained in notebook 02.
    """
    image_shape, classes = _checked_sizes(image_shape, classes, 4)
    stack = [
        keras.Input(image_shape),
        layers.Conv2D(16, 5, padding="same", activation="relu", name="convolution_1"),
        layers.MaxPooling2D(2),
        layers.Conv2D(36, 5, padding="same", activation="relu", name="convolution_2"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(128, activation="relu", name="dense"),
        layers.Dense(classes, name="logits"),
    ]
    return keras.Sequential(stack, name="convolutional_network")


def certifiable_network(image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """Build a network about which much can be proven: small kernels, strides instead of pooling, and normalised.

    Args:
        image_shape: height, width and channels of an image.
        classes: number of classes.

    Returns:
        An untrained model from float32 images (N, H, W, C) to logits (N, classes).

    Raises:
        TypeError, ValueError: a shape or a number of classes that cannot be; images below 10 × 10 pixels.

    Source: resembles the small network of Gowal et al., "On the effectiveness of interval bound propagation for
    training verifiably robust models" (2018), with batch normalisation as Shi et al., "Fast certified robust training
    with short warmup" (2021), advise. Explained in notebook 08.
    """
    image_shape, classes = _checked_sizes(image_shape, classes, 10)
    stack = [
        keras.Input(image_shape),
        *_normalised(layers.Conv2D(8, 3, padding="same", use_bias=False, name="convolution_1")),
        *_normalised(layers.Conv2D(16, 4, strides=2, use_bias=False, name="convolution_2")),
        *_normalised(layers.Conv2D(32, 4, use_bias=False, name="convolution_3")),
        layers.Flatten(),
        *_normalised(layers.Dense(80, use_bias=False, name="dense")),
        layers.Dense(classes, name="logits"),
    ]
    return keras.Sequential(stack, name="certifiable_network")


def _normalised(layer: keras.Layer) -> list[keras.Layer]:
    return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def _checked_sizes(image_shape: Any, classes: Any, least: int) -> tuple[tuple[int, int, int], int]:
    """Return what a network is built for, after a look at it."""
    if not isinstance(image_shape, tuple | list) or len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), got {in_short(image_shape)}")
    height, width, channels = (check_count(size, "each part of image_shape", 1, 4_096) for size in image_shape)
    if min(height, width) < least:
        raise ValueError(f"image_shape must be at least {least} × {least} pixels here, got {height, width, channels}")
    return (height, width, channels), check_count(classes, "classes", 2)


def prepend_contrast(network: keras.Model, noise_limit: float = 0.35) -> keras.Model:
    """Put a layer before a network that raises the contrast, so that noise on bare paper and on full ink is gone.

    Pixels up to the limit become 0, pixels from 1 - noise_limit on become 1, and those between are stretched.

    Args:
        network: takes float32 images in [0, 1]; it is shared with the new one, not copied.
        noise_limit: the noise that is to have no effect on pixels that are 0 or 1; in (0, 0.5).

    Returns:
        A new network with the same inputs and outputs.

    Raises:
        TypeError: no network, a limit that is not a number.
        ValueError: a network without weights or without a keras.Input; a limit outside (0, 0.5): from a half on,
            paper and ink can look alike.

    Explained in notebook 07.
    """
    check_built(network)
    if (shape := input_shape(network)) is None:
        raise ValueError("network must say what it takes: put it into keras.Sequential([keras.Input(…), network])")
    noise_limit = check_noise_limit(noise_limit)
    if noise_limit >= 0.5:
        raise ValueError(f"noise_limit must be below 0.5, or paper and ink can look alike, got {noise_limit}")
    stretch = 1 / (1 - 2 * noise_limit)
    contrast = [layers.Rescaling(stretch, -noise_limit * stretch), layers.ReLU(1)]
    return keras.Sequential([keras.Input(shape), *contrast, network], name="prepend_contrast")


def copy_network(network: keras.Model, images: np.ndarray | None = None) -> keras.Model:
    """Return a new network that answers as this one does.

    Args:
        network: any Keras model.
        images: float32, shape (N, H, W, C), on some of which the two are compared; random ones when left out.

    Raises:
        ValueError: it cannot be copied.
    """
    if images is None:
        shape = [size or 32 for size in input_shape(network) or ()]
        images = np.random.default_rng(0).uniform(size=(8, *shape)).astype(np.float32)
    images = images[:64]
    classes = {type(layer).__name__: type(layer) for layer in all_layers(network)}
    for make in (_rebuilt, functools.partial(_rebuilt, clone_function=_other_layer, recursive=True), copy.deepcopy):
        try:
            with keras.saving.custom_object_scope(classes):
                other = make(network)
            logits = np.asarray(logits_of(network, images))
            near = 1e-3 * largest_finite(logits)
            if np.allclose(logits, logits_of(other, images), rtol=0, atol=near, equal_nan=True):
                return other
        except Exception:  # Keras says in many ways that it cannot rebuild a layer; the next way may know how
            continue
    raise ValueError(
        "the network cannot be copied, and training must leave the one that it was given as it was: build it from "
        "Keras's own layers as keras.Sequential or keras.Model(inputs, outputs), or give each class of its own a "
        "get_config() that returns all arguments of its __init__"
    )


def _rebuilt(network: keras.Model, **how: Any) -> keras.Model:
    other = keras.models.clone_model(network, **how)
    other.set_weights(network.get_weights())
    for layer in all_layers(other):
        if hasattr(layer, "finalize_state"):  # it computes something from its weights, as an adapted Normalization
            layer.finalize_state()
    return other


def _other_layer(layer: keras.Layer) -> keras.Layer:
    """Share Lambda layers: they have no weights, and Keras would rightly refuse to read code from a file."""
    return layer if isinstance(layer, layers.Lambda) else layer.__class__.from_config(layer.get_config())


def all_layers(network: keras.Layer) -> Iterator[keras.Layer]:
    """Yield a network, its layers, and those within them."""
    yield network
    for layer in getattr(network, "layers", []):
        yield from all_layers(layer)


def training_images(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels to learn from, after a look at them."""
    check_dataset(dataset)
    images = check_images(dataset.train.images)
    return images, check_labels(dataset.train.labels, images, len(dataset.class_names), "dataset.train.labels")


def train_course_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the course's network as tutorial #12 does: 1,000 steps of 64 images drawn at random, Adam at 1e-4.

    Args:
        dataset: its training images are used, nothing else.
        seed: for the first weights and for the draw of the images.

    Returns:
        The trained network, compiled. Half a minute or less on 2 cores.

    Explained in notebook 02.
    """
    images, labels = training_images(dataset)
    keras.utils.set_random_seed(check_seed(seed))
    network = convolutional_network(images.shape[1:], len(dataset.class_names))
    network.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    chosen = np.random.default_rng(seed).integers(len(images), size=1_000 * 64)
    network.fit(images[chosen], labels[chosen], batch_size=64, verbose=0)
    return network


@keras.saving.register_keras_serializable("course_utils")
class InTrainingOnly(keras.Sequential):
    """Layers that let images pass as they are, but in training.

    Keras's random layers would vary them also in a plain call `network(images)`, where nobody says what it is for.
    """

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Vary the images, if this is training."""
        return super().call(inputs, training=training, mask=mask)


def cifar_network(image_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10) -> keras.Model:
    """Build a network for small photographs in colour; what varies them in training is a part of it.

    In training it sees each image moved by a few pixels, mirrored or not, brighter or darker, with more or less
    contrast. At all other times it sees the image as it is.

    Args:
        image_shape: height, width and channels of an image.
        classes: number of classes.

    Returns:
        An untrained model from float32 images (N, H, W, C) in [0, 1] to logits (N, classes).

    Raises:
        TypeError, ValueError: a shape or a number of classes that cannot be; images below 8 × 8 pixels; channels
            other than one or three.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #06 (2016), varies images so. Explained in exercise 08.
    """
    image_shape, classes = _checked_sizes(image_shape, classes, 8)
    if image_shape[2] not in (1, 3):
        raise ValueError(f"images must be grey or in colour, with 1 or 3 channels, got {image_shape[2]}")
    varied = [
        layers.RandomTranslation(0.1, 0.1, fill_mode="constant", interpolation="nearest"),
        layers.RandomFlip("horizontal"),
        layers.RandomBrightness(0.1, value_range=(0, 1)),
        layers.RandomContrast(0.2, value_range=(0, 1)),
    ]
    stack = [keras.Input(image_shape), InTrainingOnly(varied, name="varied")]
    for filters in (32, 64, 128):
        stack += _normalised(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        stack.append(layers.MaxPooling2D(2))
    stack += _normalised(layers.Conv2D(144, 3, padding="same", use_bias=False))
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(classes, name="logits")]
    return keras.Sequential(stack, name="cifar_network")


def train_cifar_network(dataset: Dataset, seed: int, epochs: int = 16) -> keras.Model:
    """Train the network for CIFAR-10: AdamW, with a learning rate that rises and then falls along a cosine.

    Args:
        dataset: its training images are used, nothing else.
        seed: for the first weights, the order of the images, and how they are varied.
        epochs: how often it sees each image.

    Returns:
        The trained network, compiled. Two to five minutes on 2 cores for the part of CIFAR-10 in the data folder.

    Explained in exercise 08.
    """
    images, labels = training_images(dataset)
    check_count(epochs, "epochs")
    keras.utils.set_random_seed(check_seed(seed))
    network = cifar_network(images.shape[1:], len(dataset.class_names))
    steps = epochs * math.ceil(len(images) / 128)
    rising = steps // 5
    rate = keras.optimizers.schedules.CosineDecay(4e-4, steps - rising, warmup_target=4e-3, warmup_steps=rising)
    network.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.02),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(images, labels, batch_size=128, epochs=epochs, verbose=0)
    return network
