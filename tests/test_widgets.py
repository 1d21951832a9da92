"""Panels without a browser: what a control does, what is said, and what is computed when moves come quickly."""

import asyncio

from course_utils import (
    evaluate_noise,
    explore_certificate,
    explore_image,
    explore_noise,
    finished_network,
    load_mnist,
    widgets,
)
from course_utils.plots import View, tile
from course_utils.widgets import AWAY, SCALE, SEARCH, Panel

import ipywidgets
import keras
import numpy as np
import pytest


def numbers(panel):
    assert "ready, in" in panel.state.value
    assert all(bytes(image.value).startswith(b"\x89PNG") for image in panel.pictures.children)
    return panel.numbers.value


def assert_true(panel, network, digits):
    """See that the panel says what the noise in it does."""
    target, limit = panel.controls["target_class"].value, panel.controls["noise_limit"].value
    target = None if target == AWAY else target
    (noise,) = panel.view.all_noise
    report = evaluate_noise(network, digits.test.images, digits.test.labels, noise, target, limit)
    assert f"accuracy {report.accuracy:.1%}" in numbers(panel)
    if target is not None:
        assert f"success {report.success_rate:.1%}" in numbers(panel)


def ends(slider):
    if isinstance(slider, ipywidgets.Dropdown | ipywidgets.SelectionSlider):
        return [option[1] for option in slider.options]
    return [slider.min, slider.max]


@pytest.mark.parametrize("name", ["target_class", "noise_limit", "noise_l2_weight", "steps"])
def test_every_control_of_the_noise_explorer_over_its_whole_range(digits, plain_network, name):
    panel = explore_noise(plain_network, digits)
    for value in ends(panel.controls[name]):
        panel.controls[name].value = value
        assert_true(panel, plain_network, digits)
        assert panel.controls[name].description
        assert panel.controls[name].tooltip


def test_the_ranges_are_those_that_the_text_promises(digits, plain_network):
    controls = explore_noise(plain_network, digits).controls
    assert ends(controls["noise_limit"]) == [0.05, 0.6]
    assert ends(controls["noise_l2_weight"])[:2] == [0.0, 1e-4]
    assert ends(controls["noise_l2_weight"])[-1] == 0.1
    assert ends(controls["target_class"]) == [*range(10), AWAY]


def test_the_same_noise_is_scaled_and_nothing_is_searched(digits, plain_network, monkeypatch):
    panel = explore_noise(plain_network, digits)
    found = panel.view.all_noise
    panel.controls["mode"].value = SCALE
    panel.controls["noise_limit"].value = 0.2
    np.testing.assert_allclose(panel.view.all_noise, found * 0.2 / np.abs(found).max(), atol=1e-6)
    assert_true(panel, plain_network, digits)
    assert panel.controls["steps"].disabled
    assert panel.controls["target_class"].disabled
    panel.controls["mode"].value = SEARCH
    assert not panel.controls["steps"].disabled
    assert np.abs(panel.view.all_noise - found * 0.2 / np.abs(found).max()).max() > 0.01


def test_every_digit_can_become_every_other_step_by_step(digits, plain_network):
    panel = explore_image(plain_network, digits)
    digit, target, step = (panel.controls[name] for name in ("digit", "target_class", "step"))
    for true_class, wanted in [*((7, other) for other in range(10)), *((other, 3) for other in range(10))]:
        digit.value, target.value = true_class, wanted
        assert f"score of “{wanted}”" in numbers(panel)
        assert step.value == 0
        step.value = step.max
        assert f"Step {step.value} of" in numbers(panel) or step.max == 1  # or it took no step at all
    for value in range(step.max + 1):
        step.value = value
        assert f"Step {value} of {step.max}" in numbers(panel)


def test_the_certificate_at_both_ends():
    panel = explore_certificate(finished_network("certified_3"), load_mnist())
    for value in ends(panel.controls["noise_limit"]):
        panel.controls["noise_limit"].value = value
        assert f"At a limit of {value:.2f}" in numbers(panel)


@pytest.mark.parametrize("explore", [explore_noise, explore_image, explore_certificate])
def test_a_network_that_is_not_there_yet_is_said_in_the_panel(digits, explore):
    panel = explore(None, digits)
    assert "✗ This cannot be shown: " in panel.state.value
    assert "there is no network here yet; run the cells above first" in panel.state.value


def test_a_network_that_cannot_be_bounded_is_said_in_the_panel(digits):
    strange = keras.Sequential([keras.Input((14, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "tanh")])
    assert "cannot be bounded" in explore_certificate(strange, digits).state.value


def panel_of(show):
    return Panel(show, number=ipywidgets.IntSlider(1, description="number"))


def test_what_goes_wrong_is_said_and_does_not_stay():
    def show(number):
        if number == 2:
            raise ValueError("two <is> too many")
        return View((tile(),), (f"number {number}",))

    panel = panel_of(show)
    panel.controls["number"].value = 2
    assert "✗ This cannot be shown: two &lt;is&gt; too many" in panel.state.value
    panel.controls["number"].value = 3
    assert numbers(panel) == "number 3"


def test_of_several_quick_moves_only_the_last_is_computed():
    seen = []

    def show(number):
        seen.append(number)
        return View((tile(),), (f"number {number}",))

    async def move():
        for value in range(2, 9):
            panel.controls["number"].value = value
            assert "working" in panel.state.value
        await asyncio.sleep(4 * widgets.PAUSE)

    panel = panel_of(show)
    asyncio.run(move())
    assert seen == [1, 8]
    assert numbers(panel) == "number 8"


def test_the_height_stays_and_so_does_the_number_of_pictures(digits, plain_network):
    panel = explore_noise(plain_network, digits)
    height, pictures = panel.numbers.layout.height, panel.pictures.children
    panel.controls["target_class"].value = AWAY
    assert panel.numbers.layout.height == height
    assert panel.pictures.children == pictures
