"""Figures show what they were given."""

import matplotlib

matplotlib.use("agg")

from course_utils import plot_confusion, plot_images, plot_noise

import matplotlib.pyplot as plt
import numpy as np
import pytest


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


@pytest.mark.parametrize("noise", [DIGITS[0] - 0.2, DIGITS - 0.2, np.zeros((28, 28, 1))], ids=["one", "five", "none"])
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
    assert one.axes[-1].get_ylim() == pytest.approx((-0.35, 0.35))  # the scale beside it ends at the limit


def test_the_confusion_matrix_shows_its_counts():
    figure = plot_confusion(np.array([[5, 1], [0, 7]]), ("cat", "dog"), caption="Cats and dogs")
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["5", "1", "0", "7"]
    assert axis.images[0].get_cmap().name == "cividis"
    assert axis.get_ylabel() == "true class"


def test_the_colours_of_a_confusion_matrix_tell_the_errors_whatever_is_right():
    image = plot_confusion(np.array([[900, 3], [0, 700]])).axes[0].images[0]
    assert image.get_clim() == (0, 3)
    assert image.get_array().compressed().tolist() == [3, 0]


def test_noise_in_colour_is_shown_around_grey():
    noise = np.zeros((2, 8, 8, 3), np.float32)
    noise[0, ..., 0] = 0.1
    figure = plot_noise(noise, 0.1, titles=["red", "none"], caption="Noise")
    shown = [axis.images[0].get_array() for axis in figure.axes]
    assert len(shown) == 2  # and no scale of colours
    np.testing.assert_allclose(shown[1], 0.5)
    assert shown[0][..., 0].min() > 0.8
    np.testing.assert_allclose(shown[0][..., 1:], 0.5)
