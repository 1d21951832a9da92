"""Small networks and images that the tests share."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import course_utils
from course_utils.data import Dataset, Split, _stand_in_for_mnist

import keras
import numpy as np
import pytest
from helpers import TOOLS

pytest.register_assert_rewrite("answers")


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


@pytest.fixture
def nobody():
    """A user who is not root, since root may read and write everything; a folder of theirs."""
    course_utils.load_mnist()
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    folder = pathlib.Path(tempfile.mkdtemp())
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stripes():
    """A network trained to tell three kinds of striped 12 × 12 images apart, and 300 of those images."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    labels = np.arange(300) % 3
    rows, columns = np.mgrid[:12, :12]
    kinds = np.stack([rows % 4 < 2, columns % 4 < 2, (rows + columns) % 4 < 2]).astype(np.float32)[..., None]
    images = np.clip(0.3 + 0.4 * kinds[labels] + generator.normal(0, 0.1, (300, 12, 12, 1)), 0, 1).astype(np.float32)
    network = course_utils.convolutional_network((12, 12, 1), 3)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    network.fit(images, labels, batch_size=30, epochs=12, verbose=0)
    assert network.evaluate(images, labels, verbose=0)[1] > 0.98
    return network, images, labels


@pytest.fixture(scope="session")
def digits():
    """The fallback digits at 14 × 14, as a data set: 1,097 / 200 / 500 images."""
    full = _stand_in_for_mnist("a test asks for it")
    parts = [
        Split(split.images[:, ::2, ::2].copy(), split.labels.copy())
        for split in (full.train, full.validation, full.test)
    ]
    return Dataset(*parts, full.class_names, "small digits", True, "small digits")


@pytest.fixture(scope="session")
def plain_network(digits):
    """A network that reads those digits and was never shown any noise."""
    keras.utils.set_random_seed(0)
    network = course_utils.convolutional_network((14, 14, 1), 10)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(digits.train.images, digits.train.labels, batch_size=64, epochs=15, verbose=0)
    return network


@pytest.fixture(scope="session")
def immune_network(digits, plain_network):
    """The same, trained on each image's worst noise up to 0.2."""
    return course_utils.adversarial_training(
        plain_network, digits.train.images, digits.train.labels, 0.2, steps=600, peak_learning_rate=2e-3
    )


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The book in all languages, built once for all processes of a session."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with (shared / "book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "book" / "index.html").exists():
            command = [sys.executable, TOOLS / "make_book.py", shared / "book"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return shared / "book"
