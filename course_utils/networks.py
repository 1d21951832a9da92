"""The networks of the course. Each is an ordinary Keras model that takes images in [0, 1] and returns logits."""

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

    Explained in notebook 01.
    """
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(classes, kernel_initializer="zeros", name="logits"),
        ],
        name="linear_network",
    )


def convolutional_network(image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10) -> keras.Model:
    """Build the course's network: two convolutions, each with a pooling behind it, and two dense layers.

    Args:
        image_shape: height, width and channels of an image.
        classes: number of classes.

    Returns:
        An untrained model from float32 images (N, H, W, C) to logits (N, classes).

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #02 and #12 (2016). Explained in notebook 02.
    """
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Conv2D(16, 5, padding="same", activation="relu", name="convolution_1"),
            layers.MaxPooling2D(2),
            layers.Conv2D(36, 5, padding="same", activation="relu", name="convolution_2"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="dense"),
            layers.Dense(classes, name="logits"),
        ],
        name="convolutional_network",
    )


def course_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the course's network as tutorial #12 does: 1,000 steps of 64 images drawn at random, Adam at 1e-4.

    Args:
        dataset: its training images are used, nothing else.
        seed: for the first weights and for the draw of the images.

    Returns:
        The trained network, compiled. Ten seconds or so on 2 cores.

    Explained in notebook 02.
    """
    keras.utils.set_random_seed(seed)
    images, labels = dataset.train.images, dataset.train.labels
    network = convolutional_network(images.shape[1:], len(dataset.class_names))
    network.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    chosen = np.random.default_rng(seed).integers(len(images), size=1_000 * 64)
    network.fit(images[chosen], labels[chosen], batch_size=64, verbose=0)
    return network
