"""The networks have the shape they should have; figures show what they were given."""

import matplotlib

matplotlib.use("agg")

from course_utils import (
    convolutional_network,
    course_network,
    linear_network,
    plot_confusion,
    plot_images,
    plot_noise,
    with_contrast,
)
from course_utils.data import Dataset, Split

import matplotlib.pyplot as plt
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
    contrast = with_contrast(network, limit)
    assert contrast.input_shape == network.input_shape
    np.testing.assert_allclose(contrast.predict(noisy, verbose=0), network.predict(drawing, verbose=0), atol=1e-5)
    half = np.full((1, 4, 4, 1), 0.5, np.float32)
    np.testing.assert_allclose(contrast.predict(half, verbose=0), network.predict(half, verbose=0), atol=1e-5)


@pytest.mark.parametrize("limit", [0.5, 0.7])
def test_contrast_needs_paper_and_ink_apart(limit):
    with pytest.raises(ValueError, match=r"noise_limit must be below 0\.5"):
        with_contrast(linear_network((4, 4, 1), 3), limit)


def test_the_course_network_learns_and_the_seed_decides(monkeypatch):
    images = np.zeros((100, 12, 12, 1), np.float32)
    labels = np.arange(100) % 2
    images[labels == 1, :, 6:] = 1
    split = Split(images, labels)
    dataset = Dataset(split, split, split, ("left", "right"), "test", False, "fingerprint")
    one, again, other = (course_network(dataset, seed) for seed in (1, 1, 2))
    assert (one.predict(images, verbose=0).argmax(axis=1) == labels).all()
    assert np.array_equal(one.layers[0].kernel, again.layers[0].kernel)
    assert not np.array_equal(one.layers[0].kernel, other.layers[0].kernel)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


DIGITS = np.linspace(0, 1, 5 * 28 * 28, dtype=np.float32).reshape(5, 28, 28, 1)


def pictures(figure):
    return [axis.images[0] for axis in figure.axes if axis.images]


def test_images_are_ink_on_paper_with_their_classes_above():
    figure = plot_images(DIGITS, [0, 1, 2, 3, 4], [0, 1, 2, 3, 9], columns=3, caption="Five digits")
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["0 → 0", "1 → 1", "2 → 2", "3 → 3", "4 → 9 ✗", ""]
    assert figure.get_suptitle() == "Five digits"
    assert len(pictures(figure)) == 5
    assert pictures(figure)[0].get_cmap().name == "gray_r"
    np.testing.assert_array_equal(pictures(figure)[4].get_array(), DIGITS[4, ..., 0])


def test_images_without_predictions_show_their_class_and_titles_win():
    assert [axis.get_title() for axis in plot_images(DIGITS[:2], [3, 4]).axes] == ["3", "4"]
    assert [axis.get_title() for axis in plot_images(DIGITS[:2], titles=["a", "b"]).axes] == ["a", "b"]
    names = ("cat", "dog")
    assert [axis.get_title() for axis in plot_images(DIGITS[:2], [0, 1], class_names=names).axes] == ["cat", "dog"]


@pytest.mark.parametrize("noise", [DIGITS[0] - 0.2, DIGITS - 0.2, np.zeros((28, 28, 1))])
def test_noise_is_drawn_symmetric_about_zero(noise):
    figure = plot_noise(noise, caption="Noise")
    for picture in pictures(figure):
        low, high = picture.get_clim()
        assert low == -high
        assert picture.get_cmap().name == "RdBu_r"
        assert high >= np.abs(noise).max()


def test_one_limit_gives_one_scale():
    one, other = plot_noise(DIGITS[0] * 0.1, 0.35), plot_noise(DIGITS[0] * 0.3, 0.35)
    assert pictures(one)[0].get_clim() == pictures(other)[0].get_clim()


def test_the_confusion_matrix_shows_its_counts():
    figure = plot_confusion(np.array([[5, 1], [0, 7]]), ("cat", "dog"), caption="Cats and dogs")
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["5", "1", "0", "7"]
    assert axis.images[0].get_cmap().name == "cividis"
    assert axis.get_ylabel() == "true class"


def test_noise_in_colour_is_shown_around_grey():
    noise = np.zeros((2, 8, 8, 3), np.float32)
    noise[0, ..., 0] = 0.1
    figure = plot_noise(noise, 0.1, titles=["red", "none"], caption="Noise")
    shown = [axis.images[0].get_array() for axis in figure.axes]
    assert len(shown) == 2  # and no scale of colours
    np.testing.assert_allclose(shown[1], 0.5)
    assert shown[0][..., 0].min() > 0.8
    np.testing.assert_allclose(shown[0][..., 1:], 0.5)
    plt.close(figure)
