"""The networks have the shape they should have, and learn."""

from course_utils import (
    convolutional_network,
    linear_network,
    prepend_contrast,
    train_course_network,
)
from course_utils.data import Dataset, Split

import numpy as np
import pytest


def test_the_linear_network_starts_at_zero_and_returns_one_score_for_each_class():
    network = linear_network((6, 7, 3), 4)
    assert network.count_params() == 6 * 7 * 3 * 4 + 4
    assert not network.predict(np.ones((2, 6, 7, 3), np.float32), verbose=0).any()


def test_the_convolutional_network_is_that_of_the_brief():
    network = convolutional_network()
    assert [layer.count_params() for layer in network.layers] == [416, 0, 14_436, 0, 0, 225_920, 1_290]
    logits = network.predict(np.ones((2, 28, 28, 1), np.float32), verbose=0)
    assert logits.shape == (2, 10)
    assert logits.min() < 0  # no softmax at the end
    assert convolutional_network((32, 32, 3), 7).output_shape == (None, 7)


@pytest.mark.parametrize("limit", [0.1, 0.35])
def test_contrast_makes_noise_on_paper_and_ink_disappear_and_leaves_the_network_as_it_was(limit):
    network = linear_network((4, 4, 1), 3)
    network.layers[-1].set_weights([np.random.default_rng(0).normal(size=(16, 3)), np.zeros(3)])
    drawing = np.random.default_rng(1).integers(2, size=(5, 4, 4, 1)).astype(np.float32)
    noise = np.random.default_rng(2).uniform(-limit, limit, drawing.shape)
    noisy = np.clip(drawing + noise, 0, 1).astype(np.float32)
    contrast = prepend_contrast(network, limit)
    assert contrast.input_shape == network.input_shape
    np.testing.assert_allclose(contrast.predict(noisy, verbose=0), network.predict(drawing, verbose=0), atol=1e-5)
    half = np.full((1, 4, 4, 1), 0.5, np.float32)
    np.testing.assert_allclose(contrast.predict(half, verbose=0), network.predict(half, verbose=0), atol=1e-5)


@pytest.mark.parametrize("limit", [0.5, 0.7])
def test_contrast_needs_paper_and_ink_apart(limit):
    with pytest.raises(ValueError, match=r"noise_limit must be below 0\.5"):
        prepend_contrast(linear_network((4, 4, 1), 3), limit)


def test_the_course_network_learns_and_the_seed_decides():
    images = np.zeros((100, 8, 8, 1), np.float32)
    labels = np.arange(100) % 2
    images[labels == 1, :, 4:] = 1
    split = Split(images, labels)
    dataset = Dataset(split, split, split, ("left", "right"), "test", False, "fingerprint")
    one, again, other = (train_course_network(dataset, seed) for seed in (1, 1, 2))
    assert (one.predict(images, verbose=0).argmax(axis=1) == labels).all()
    assert np.array_equal(one.layers[0].kernel, again.layers[0].kernel)
    assert not np.array_equal(one.layers[0].kernel, other.layers[0].kernel)
