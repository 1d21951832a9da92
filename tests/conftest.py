"""Small networks and images that the tests share."""

import course_utils

import keras
import numpy as np
import pytest


@pytest.fixture
def tiny_network() -> keras.Model:
    """A linear network on 4 × 4 images with three classes: class k sees the ink in row k."""
    network = course_utils.linear_network((4, 4, 1), 3)
    weights = np.zeros((16, 3), np.float32)
    for row in range(3):
        weights[4 * row : 4 * row + 4, row] = 10
    network.layers[-1].set_weights([weights, np.zeros(3, np.float32)])
    return network


@pytest.fixture
def tiny_images() -> np.ndarray:
    """Three images: image k has ink in row k and is of class k."""
    images = np.zeros((3, 4, 4, 1), np.float32)
    for row in range(3):
        images[row, row] = 0.6
    return images


@pytest.fixture
def random_network() -> keras.Model:
    """An untrained convolutional network on 12 × 12 images with five classes."""
    keras.utils.set_random_seed(0)
    return course_utils.convolutional_network((12, 12, 1), 5)


@pytest.fixture
def random_images() -> np.ndarray:
    """Forty images of 12 × 12, uniform noise."""
    return np.random.default_rng(0).uniform(size=(40, 12, 12, 1)).astype(np.float32)
