"""What the sliders show is what is measured, over the whole range of every control."""

import io
import itertools

from course_utils import (
    NoiseReport,
    accuracies_by_limit,
    certifiable_network,
    certified_accuracy,
    evaluate_noise,
    find_image_noise,
    search_step_by_step,
    train_certified,
    view_certificate,
    view_image,
    view_noise,
)
from course_utils.views import in_words

import numpy as np
import pytest
from PIL import Image

TARGETS = [*range(10), None]


def assert_true(view, networks, digits, target, limit):
    """See that the numbers of a view are those of the noise that it shows."""
    images, labels = digits.test.images[:1000], digits.test.labels[:1000]
    assert len(view.lines) == len(networks) == len(view.all_noise)
    for network, noise, report, line in zip(networks, view.all_noise, view.reports, view.lines, strict=True):
        again = evaluate_noise(network, images, labels, noise, target, limit)
        assert report.accuracy == again.accuracy
        assert f"accuracy {again.accuracy:.1%}" in line
        shown = f"fooling rate {again.fooling_rate:.1%}" if target is None else f"success {again.success_rate:.1%}"
        assert shown in line


@pytest.mark.parametrize("target", TARGETS)
def test_noise_for_every_target(digits, plain_network, target):
    assert_true(view_noise(plain_network, digits, target), [plain_network], digits, target, 0.35)


@pytest.mark.parametrize(
    "settings",
    [{"noise_limit": 0.05}, {"noise_limit": 0.6}, {"noise_l2_weight": 0.1}, {"steps": 1}, {"steps": 60}],
)
def test_noise_at_both_ends_of_every_slider(digits, plain_network, settings):
    view = view_noise(plain_network, digits, 3, **settings)
    limit = settings.get("noise_limit", 0.35)
    assert 0 < np.abs(view.all_noise).max() <= limit + 1e-6
    assert_true(view, [plain_network], digits, 3, limit)


@pytest.mark.parametrize("limit", [0.05, 0.2, 0.6])
def test_the_same_noise_weaker_or_stronger(digits, plain_network, limit):
    found = view_noise(plain_network, digits, 3, 0.3).all_noise
    view = view_noise(plain_network, digits, 3, limit, all_noise=found)
    np.testing.assert_allclose(view.all_noise, found * limit / np.abs(found).max(), atol=1e-6)
    assert_true(view, [plain_network], digits, 3, limit)


def test_noise_that_is_nothing_stays_nothing(digits, plain_network):
    view = view_noise(plain_network, digits, 3, 0.2, all_noise=np.zeros((1, 14, 14, 1), np.float32))
    assert not view.all_noise.any()


def test_several_networks_side_by_side(digits, plain_network, immune_network):
    networks = {"plain": plain_network, "immune": immune_network}
    view = view_noise(networks, digits, 3, 0.2)
    assert_true(view, list(networks.values()), digits, 3, 0.2)
    assert [line.split(":")[0] for line in view.lines] == list(networks)
    assert len(view.figures) == 2
    assert view.reports[0].success_rate > view.reports[1].success_rate


def test_a_view_is_shown_as_one_picture_and_read_as_text(digits, plain_network):
    view = view_noise(plain_network, digits)
    picture = Image.open(io.BytesIO(view._repr_png_()))
    assert picture.size == (680, 310)
    assert str(view) == view.lines[0]
    assert np.asarray(picture).std() > 10  # there is something in it


def test_where_most_of_the_others_go():
    confusion = np.array([[2, 0, 8], [1, 5, 4], [0, 0, 10]])
    report = NoiseReport(17 / 30, 0.6, 0.5, confusion, 0.3, 0.9)
    text = in_words(report, 2, ("cat", "dog", "ship"))
    assert text == "success 60.0% (taken for “ship”) · accuracy 56.7% · most other misread ones go to “cat” (3.3%)"
    assert in_words(report, None, ("cat", "dog", "ship")).endswith("most misread ones go to “ship” (40.0%)")
    perfect = NoiseReport(1.0, 0.0, 0.0, np.diag([3, 3, 3]), 0.0, 1.0)
    assert in_words(perfect, 2, ("cat", "dog", "ship")).endswith("no others are misread")


def test_a_network_that_is_not_there_yet_is_told(digits):
    for call in (
        lambda: view_noise(None, digits),
        lambda: search_step_by_step(None, digits.test.images[0], 3),
        lambda: accuracies_by_limit(None, digits, [0.1]),
    ):
        with pytest.raises(TypeError, match=r"network must be a keras\.Model, got None: .* run the cells above"):
            call()


def test_the_search_step_by_step_ends_where_the_search_ends(digits, plain_network):
    image = digits.test.images[0]
    all_noise = search_step_by_step(plain_network, image, 3, 0.3)
    noise, (steps,) = find_image_noise(plain_network, image[None], 3, 0.3, max_steps=25)
    assert len(all_noise) == steps + 1
    assert not all_noise[0].any()
    np.testing.assert_allclose(all_noise[-1], noise[0], atol=1e-6)
    assert np.abs(all_noise).max() <= 0.3 + 1e-6
    assert all(np.abs(later - one).max() > 0 for one, later in itertools.pairwise(all_noise))


def test_an_image_that_is_the_target_already_takes_no_step(digits, plain_network):
    seen = plain_network.predict(digits.test.images, verbose=0)
    surest = int(np.argmax(seen.max(axis=1)))
    all_noise = search_step_by_step(plain_network, digits.test.images[surest], int(seen[surest].argmax()))
    assert len(all_noise) == 1


def test_every_step_of_an_image_can_be_shown(digits, plain_network):
    image, label = digits.test.images[0], int(digits.test.labels[0])
    target = (label + 1) % 10
    all_noise = search_step_by_step(plain_network, image, target)
    scores = np.exp(plain_network.predict(np.clip(image + all_noise, 0, 1), verbose=0))
    scores /= scores.sum(axis=1, keepdims=True)
    for step in range(len(all_noise) + 3):
        view = view_image(plain_network, image, label, target, all_noise, step)
        last = min(step, len(all_noise) - 1)
        assert f"Step {last} of {len(all_noise) - 1}: seen as “{scores[last].argmax()}”" in view.lines[0]
        assert f"score of “{target}” {scores[last, target]:.3f}" in view.lines[0]


@pytest.fixture(scope="module")
def certified(digits):
    network = certifiable_network((14, 14, 1))
    return train_certified(network, digits.train.images, digits.train.labels, 0.1, steps=200, batch_size=64)


def test_proven_attacked_clean_at_every_limit(digits, certified):
    limits = [0.02, 0.1, 0.4]
    curves = accuracies_by_limit(certified, digits, limits)
    assert (curves[:, 0] <= curves[:, 1]).all()
    images, labels = digits.test.images[:300], digits.test.labels[:300]
    for limit, (proven, standing) in zip(limits, curves, strict=True):
        assert proven == certified_accuracy(certified, images, labels, limit)
        view = view_certificate(certified, digits, limit, curves, limits)
        assert f"At a limit of {limit:.2f}: " in view.lines[0]
        assert f"attacked {standing:.1%} · proven {proven:.1%}" in view.lines[0]
        shares = [float(part.split()[-1].rstrip("%")) for part in view.lines[1].split(" · ")]
        assert sum(shares) == pytest.approx(100, abs=0.3)
