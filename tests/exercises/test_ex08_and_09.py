"""The checks of exercises 8 and 9: honest answers of many kinds pass, and named wrong answers do not.

They look at fewer images here than a reader's answer is measured on. That trainings and long searches reach what is
asked for, only the solution notebooks show: their last cells assert it.
"""

import dataclasses
import functools

from course_utils import cifar_network, find_universal_noise, load_cifar10, load_mnist, stored_result
from course_utils.data import Split
from course_utils.exercises import ex08_cifar10, ex09_imagenet
from course_utils.exercises.ex08_cifar10 import LIMITS, both
from course_utils.exercises.measures import plain_network
from course_utils.notebook import chosen_seed

import keras
import numpy as np
import pytest
from answers import assert_not_yet, named, once, outcome

pytestmark = pytest.mark.nightly  # as their solutions
CIFAR, IMAGENET = "08_cifar10", "09_imagenet"
SOME = 400  # test images of CIFAR-10
PHOTOGRAPHS, CARRIED = 80, 50


@functools.cache
def fewer_samples(side=ex09_imagenet.SIDE):
    whole = ex09_imagenet.load_imagenet_samples(side=side)
    test = Split(whole.test.images[:PHOTOGRAPHS], whole.test.labels[:PHOTOGRAPHS])
    return dataclasses.replace(whole, test=test)


@pytest.fixture(scope="module", autouse=True)
def fewer_images_and_measured_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ex08_cifar10, "TEST_IMAGES", SOME)
        for name in ("measured", "_fresh", "_noise_needed"):
            patch.setattr(ex08_cifar10, name, once(getattr(ex08_cifar10, name)))
        patch.setattr(ex09_imagenet, "samples", fewer_samples)
        patch.setattr(ex09_imagenet, "CARRIED", CARRIED)
        patch.setattr(ex09_imagenet, "measured", once(ex09_imagenet.measured))
        yield


# 8 · CIFAR-10


@pytest.fixture(scope="module")
def plain():
    return both(chosen_seed())[0]


NETWORKS = {
    "untrained": (cifar_network, "accuracy on test images"),
    "for digits": (lambda: plain_network(chosen_seed()), "the network takes"),
    "a number": (lambda: 0.5, "`my_network` must be a Keras model, got 0.5"),
    "not called": (lambda: cifar_network, "`my_network` must be a Keras model"),
    "probabilities": (
        lambda: keras.Sequential([both(chosen_seed())[0], keras.layers.Softmax()]),
        "probabilities",
    ),
}


@pytest.mark.filterwarnings("ignore:the network reads")
@pytest.mark.parametrize(("network", "words"), named(NETWORKS))
def test_what_does_not_read_colour(network, words):
    assert_not_yet(CIFAR, 1, network(), words)


def test_a_network_for_colour(plain):
    assert outcome(CIFAR, 1, plain).reached
    assert outcome(CIFAR, 1, ...).state == "not attempted"


AT_LIMITS = {
    "as they are": lambda noise, success: (noise, success),
    "lists": lambda noise, success: (list(noise), success.tolist()),
    "an axis more": lambda noise, success: (noise[None], success[None]),
    "rounded": lambda noise, success: (noise, success.round(2)),
}
NOT_AT_LIMITS = {
    "over the limit": (lambda noise, success: (1.5 * noise, success), "largest |noise|"),
    "the limits in another order": (
        lambda noise, success: (noise[::-1], success[::-1]),
        "at 4 of 255: largest |noise|",
    ),
    "the weakest for all limits": (
        lambda noise, success: (noise[[0, 0, 0]], success[[0, 0, 0]]),
        "success, on average",
    ),
    "none at 4 of 255": (
        lambda noise, success: (noise * np.array([0, 1, 1])[:, None, None, None, None], success),
        "at 4 of 255: success, on average",
    ),
    "one class for all": (
        lambda noise, success: (noise[:, [5] * 10], success),
        "Was each noise searched for its own class",
    ),
    "the classes in another order": (
        lambda noise, success: (np.roll(noise, 1, axis=1), success),
        "success, on average",
    ),
    "the table in another order": (lambda noise, success: (noise, success[::-1]), "another number for ["),
    "the table of the largest limit": (lambda noise, success: (noise, success[[2, 2, 2]]), "another number for ["),
    "means for all": (
        lambda noise, success: (noise, np.repeat(success.mean(axis=1, keepdims=True), 10, axis=1)),
        "another number for [",
    ),
    "one limit only": (lambda noise, success: (noise[:1], success[:1]), "must have the shape (3, 10, 32, 32, 3)"),
    "transposed": (lambda noise, success: (noise, success.T), "`success` must have the shape (3, 10), got (10, 3)"),
    "in percent": (lambda noise, success: (noise, 100 * success), "Is that in percent?"),
    "not a number": (lambda noise, success: (noise, success * np.nan), "must not hold NaN"),
    "swapped": (lambda noise, success: (success, noise), "it must be (all_noise, success)"),
    "no table": (lambda noise, success: (noise, ...), "`success` is still missing"),
    "no noise": (lambda noise, success: (..., success), "`all_noise` is still missing"),
}


@pytest.fixture(scope="module")
def at_limits(plain):
    """Ten noises at each of the three limits, and their success."""
    images = load_cifar10().train.images
    ten = {limit: find_universal_noise(plain, images, range(10), limit, seed=chosen_seed()) for limit in LIMITS[::2]}
    all_noise = np.array([ten[LIMITS[0]], ex08_cifar10._fresh(plain)[:10], ten[LIMITS[2]]])
    rates = [[ex08_cifar10.measured(plain, one, t).success_rate for t, one in enumerate(each)] for each in all_noise]
    return all_noise, np.array(rates)


@pytest.mark.parametrize("form", named(AT_LIMITS))
def test_noise_at_three_limits(at_limits, form):
    assert outcome(CIFAR, 2, form(*at_limits)).reached


@pytest.mark.parametrize(("change", "words"), named(NOT_AT_LIMITS))
def test_what_is_not_noise_at_three_limits(at_limits, change, words):
    if words.startswith("at 4 of 255: success") and load_cifar10().is_stand_in:
        pytest.skip("no noise of 4 of 255 makes one shape another")
    assert_not_yet(CIFAR, 2, change(*at_limits), words)


def test_noise_at_three_limits_without_its_table_keeps_what_was_measured(at_limits):
    assert "✓ at 16 of 255: success, on average" in outcome(CIFAR, 2, (at_limits[0], ...)).text
    assert outcome(CIFAR, 2, (..., ...)).state == "not attempted"


@pytest.fixture(scope="module")
def needed(plain):
    pairs = (plain_network(chosen_seed()), load_mnist()), (plain, load_cifar10())
    return [
        float(np.median(ex08_cifar10._noise_needed(network, data.test.images[:200], data.test.labels[:200])))
        for network, data in pairs
    ]


NEEDED = {
    "as it is": lambda digits, photographs: (digits, photographs),
    "rounded": lambda digits, photographs: (float(f"{digits:.2g}"), float(f"{photographs:.2g}")),
    "texts": lambda digits, photographs: [f"{digits:.6f}", f"{photographs:.6f}"],
    "NumPy's numbers": lambda digits, photographs: np.array([digits, photographs]),
    "arrays without axes": lambda digits, photographs: (np.array(digits), np.array([photographs])),
}
NOT_NEEDED = {
    "swapped": (lambda digits, photographs: (photographs, digits), "digits: as we find it"),
    "twice as much": (lambda digits, photographs: (2 * digits, photographs), "digits: as we find it"),
    "in levels": (lambda digits, photographs: (255 * digits, 255 * photographs), "Pixels go from 0 to 1, not to 255"),
    "turned round": (lambda digits, photographs: (-digits, photographs), "digits: as we find it"),
    "nothing": (lambda digits, photographs: (0, 0), "digits: as we find it"),
    "a fifth more": (
        lambda digits, photographs: (digits, 1.2 * photographs),
        "photographs: as we find it",
    ),
    "words": (lambda digits, photographs: ("little", "less"), "`for_digits` must be numbers, got 'little'"),
    "three": (lambda digits, photographs: (digits, photographs, 0), "must be (for_digits, for_photographs)"),
    "one alone": (lambda digits, photographs: (digits, ...), "`for_photographs` is still missing"),
}


@pytest.mark.parametrize("form", named(NEEDED))
def test_the_noise_that_one_image_needs(needed, form):
    assert outcome(CIFAR, 3, form(*needed)).reached


@pytest.mark.parametrize(("change", "words"), named(NOT_NEEDED))
def test_what_is_not_the_noise_that_one_image_needs(needed, change, words):
    assert_not_yet(CIFAR, 3, change(*needed), words)


@pytest.fixture(scope="module")
def fresh():
    """Eleven noises against each of the two networks, and what they leave."""
    nothing = np.zeros((32, 32, 3), np.float32)
    fresh_noise, accuracies = [], []
    for network in both(chosen_seed()):
        fresh_noise.append(ex08_cifar10._fresh(network))
        left, _ = ex08_cifar10.under(network, fresh_noise[-1])
        accuracies.append((ex08_cifar10.measured(network, nothing, None).accuracy, np.mean(left[:10]), min(left)))
    return np.array(fresh_noise), np.array(accuracies)


FRESH = {
    "as it is": lambda noise, accuracies: (noise, accuracies),
    "lists": lambda noise, accuracies: ([list(eleven) for eleven in noise], accuracies.tolist()),
    "rounded": lambda noise, accuracies: (noise, accuracies.round(2)),
}
NOT_FRESH = {
    "over the limit": (lambda noise: 1.5 * noise, "largest |noise|"),
    "none at all": (lambda noise: 0 * noise, "values in which the noise of the two networks differs"),
    "none for the immune one": (
        lambda noise: noise * np.array([1, 0])[:, None, None, None, None],
        "immune: lowest accuracy under yours",
    ),
    "that of the plain one for both": (lambda noise: noise[[0, 0]], "not taken over from `plain`"),
    "the networks in another order": (lambda noise: noise[::-1], "plain: "),
    "a quarter of the limit": (lambda noise: noise / 4, "plain: lowest accuracy under yours"),
    "the classes in another order": (lambda noise: noise[:, [*range(1, 10), 0, 10]], "in the order of their classes"),
    "the strongest eleven times": (lambda noise: noise[:, [10] * 11], "in the order of their classes"),
}
NOT_LEFT = {
    "the networks in another order": (lambda accuracies: accuracies[::-1], "another number for ["),
    "clean accuracy everywhere": (lambda accuracies: accuracies[:, [0, 0, 0]], "another number for ["),
    "the columns in another order": (lambda accuracies: accuracies[:, ::-1], "another number for ["),
    "for one network": (lambda accuracies: accuracies[0], "`accuracies` must have the shape (2, 3)"),
    "transposed": (lambda accuracies: accuracies.T, "`accuracies` must have the shape (2, 3), got (3, 2)"),
    "in percent": (lambda accuracies: 100 * accuracies, "Is that in percent?"),
    "none": (lambda accuracies: ..., "`accuracies` is still missing"),
}


@pytest.mark.parametrize("form", named(FRESH))
def test_fresh_noise_for_both(fresh, form):
    assert outcome(CIFAR, 4, form(*fresh)).reached


@pytest.mark.parametrize(("change", "words"), named(NOT_FRESH))
def test_what_is_not_fresh_noise_for_both(fresh, change, words):
    fresh_noise, accuracies = fresh
    assert_not_yet(CIFAR, 4, (change(fresh_noise), accuracies), words)


@pytest.mark.parametrize(("change", "words"), named(NOT_LEFT))
def test_what_fresh_noise_does_not_leave(fresh, change, words):
    fresh_noise, accuracies = fresh
    assert_not_yet(CIFAR, 4, (fresh_noise, change(accuracies)), words)


# 9 · ImageNet


@pytest.fixture(scope="module")
def away():
    """Noise from the first fifty photographs: good enough for most questions."""
    few = fewer_samples().train.images[: ex09_imagenet.FEW]
    network = ex09_imagenet.network()
    return find_universal_noise(network, few, None, 10 / 255, steps=30, batch_size=10, seed=0)[0]


def dirt(away):
    signs = np.random.default_rng(0).choice([-1, 1], size=away.shape)
    return (signs * 10 / 255).astype(np.float32)


@pytest.fixture
def weak_is_enough(away, monkeypatch):
    """Noise from fifty photographs is too weak where it is asked for that of question 1; here it is to be enough."""
    fooled = ex09_imagenet.measured(away, ex09_imagenet.samples().test.images).fooling_rate
    monkeypatch.setattr(ex09_imagenet, "threshold", lambda *_: fooled)


NOT_AWAY = {
    "over the limit": (lambda away: 1.2 * away, "largest |noise|"),
    "none at all": (lambda away: 0 * away, "fooling rate"),
    "dirt without a pattern": (dirt, "fooling rate"),
    "half as strong": (lambda away: away / 2, "fooling rate"),
    "in levels": (lambda away: 255 * away, "largest |noise|"),
    "two": (lambda away: np.array([away, away]), "must have the shape (224, 224, 3)"),
    "in grey": (lambda away: away[..., 0], "must have the shape (224, 224, 3)"),
    "a text": (lambda away: "noise", "`away` must be numbers"),
}


@pytest.mark.parametrize(("change", "words"), named(NOT_AWAY))
def test_what_does_not_lead_away(away, change, words):
    assert_not_yet(IMAGENET, 1, change(away), words)


@pytest.mark.parametrize(
    "form", [np.asarray, lambda away: away[None], np.ndarray.tolist], ids=["as it is", "an axis more", "lists"]
)
def test_away_from_the_answer(away, form, weak_is_enough):
    assert outcome(IMAGENET, 1, form(away)).reached
    assert outcome(IMAGENET, 1, ...).state == "not attempted"


NOT_TOWARDS = {
    "no pattern": (lambda away: (3, dirt(away)), "success rate"),
    "away, not towards": (lambda away: (5, away), "success rate"),
    "over the limit": (lambda away: (3, 2 * away), "largest |noise|"),
    "no such class": (lambda away: (2_000, away), "`target` must be a whole number, from 0 to "),
    "between two classes": (lambda away: (3.5, away), "`target` must be a whole number, from 0 to "),
    "a name": (lambda away: ("pineapple", away), "`target` must be a whole number, from 0 to "),
    "swapped": (lambda away: (away, 3), "it must be (target, noise)"),
    "no noise": (lambda away: (3, ...), "`noise` is still missing"),
    "no class": (lambda away: (..., away), "`target` is still missing"),
}


@pytest.mark.parametrize(("answer", "words"), named(NOT_TOWARDS))
def test_what_does_not_lead_towards_one_class(away, answer, words):
    assert_not_yet(IMAGENET, 2, answer(away), words)


@pytest.mark.parametrize("target", [3, "3", 3.0, np.int64(3)], ids=repr)
def test_towards_one_class(away, target, monkeypatch):
    monkeypatch.setattr(ex09_imagenet, "threshold", lambda *_: 0.0)
    assert outcome(IMAGENET, 2, (target, away[None])).reached
    assert outcome(IMAGENET, 2, (..., ...)).state == "not attempted"


@pytest.fixture(scope="module")
def rates_of_few(away):
    photographs = ex09_imagenet.samples()
    places = (photographs.train.images[: ex09_imagenet.FEW], photographs.test.images)
    return tuple(ex09_imagenet.measured(away, images).fooling_rate for images in places)


FROM_FEW = {
    "as it is": lambda away, own, test: (away, own, test),
    "texts": lambda away, own, test: (away, f"{own:.2f}", f"{test:.3f}"),
    "arrays": lambda away, own, test: (away[None], np.array(own), np.float64(test)),
}
NOT_FROM_FEW = {
    "in percent": (lambda away, own, test: (away, 100 * own, 100 * test), "Is that in percent?"),
    "the same twice": (lambda away, own, test: (away, own, own), "on the test photographs: as we find it"),
    "exchanged": (lambda away, own, test: (away, test, own), "on the 50: as we find it"),
    "not fooled": (lambda away, own, test: (away, 1 - own, 1 - test), "on the 50: as we find it"),
    "no pattern": (lambda away, own, test: (dirt(away), own, test), "Was it searched on these 50, and only on these"),
    "over the limit": (lambda away, own, test: (1.2 * away, own, test), "largest |noise|"),
    "two parts": (lambda away, own, test: (away, own), "must be (from_few, rate_on_the_50, rate_on_test)"),
    "another order": (lambda away, own, test: (own, test, away), "its parts are in another order"),
    "no rates": (lambda away, own, test: (away, ..., ...), "`rate_on_the_50` is still missing"),
    "one rate": (lambda away, own, test: (away, own, ...), "`rate_on_test` is still missing"),
}


@pytest.mark.parametrize("form", named(FROM_FEW))
def test_from_few_photographs(away, rates_of_few, form):
    assert outcome(IMAGENET, 3, form(away, *rates_of_few)).reached


@pytest.mark.parametrize(("answer", "words"), named(NOT_FROM_FEW))
def test_what_is_not_from_few_photographs(away, rates_of_few, answer, words):
    assert_not_yet(IMAGENET, 3, answer(away, *rates_of_few), words)


@pytest.fixture(scope="module")
def rates(away):
    return ex09_imagenet.rates_elsewhere(away)


RATES = {
    "as they are": lambda rates: rates,
    "texts": lambda rates: {name: f"{rate:.2f}" for name, rate in rates.items()},
    "more than asked for": lambda rates: {"as they are": 0.5, **rates},
    "in another order": lambda rates: dict(reversed(rates.items())),
}
NOT_RATES = {
    "not measured": (lambda rates: dict.fromkeys(rates, 0.95), "mirrored: as we find it"),
    "small as mirrored": (lambda rates: {**rates, "small": rates["mirrored"]}, "small: as we find it"),
    "exchanged": (
        lambda rates: {**rates, "mirrored": rates["small"], "small": rates["mirrored"]},
        "mirrored: as we find it",
    ),
    "in percent": (lambda rates: {name: 100 * rate for name, rate in rates.items()}, "Is that in percent?"),
    "one missing": (
        lambda rates: {"mirrored": rates["mirrored"], "small": rates["small"]},
        "'shifted' is still missing",
    ),
    "one not filled in": (lambda rates: {**rates, "small": ...}, "in `rates`, 'small' is still missing"),
    "no rates by name": (lambda rates: list(rates.values()), "`rates` must be a dict"),
    "one rate": (lambda rates: 0.5, "`rates` must be a dict"),
}


@pytest.mark.parametrize("form", named(RATES))
def test_carried_over(away, rates, weak_is_enough, form):
    assert outcome(IMAGENET, 4, form(rates), away).reached


@pytest.mark.parametrize(("given", "words"), named(NOT_RATES))
def test_what_is_not_carried_over(away, rates, weak_is_enough, given, words):
    assert_not_yet(IMAGENET, 4, (away, given(rates)), words)


def test_what_carries_over_is_the_noise_of_question_1(away, rates, weak_is_enough):
    assert_not_yet(IMAGENET, 4, (dirt(away), rates), "fooling rate on the test photographs")
    assert_not_yet(IMAGENET, 4, (1.2 * away, rates), "largest |noise|")
    assert_not_yet(IMAGENET, 4, rates, "answer question 1 first, and run its check: its `away` is used here")
    assert outcome(IMAGENET, 4, (away, dict.fromkeys(rates, ...))).state == "not attempted"


@pytest.fixture(scope="module")
def hours():
    long = stored_result("imagenet_noise")
    search = 1_000 * long["towards"]["seconds"] / 3_600
    return search, 1_000 * 2_000 * 64 * long["away"]["seconds_per_image"] / 3_600


HOURS = {
    "as they are": lambda search, training: (search, training),
    "rounded": lambda search, training: (round(search), round(training, -1)),
    "roughly": lambda search, training: (0.95 * search, 1.08 * training),
    "texts": lambda search, training: (f"{search:.1f}", f"{training:.0f}"),
    "a list": lambda search, training: [search, training],
}
NOT_HOURS = {
    "seconds": (lambda search, training: (3_600 * search, 3_600 * training), "hours of search"),
    "minutes": (lambda search, training: (60 * search, 60 * training), "hours of search"),
    "days": (lambda search, training: (search / 24, training / 24), "hours of search"),
    "exchanged": (lambda search, training: (training, search), "hours of search"),
    "for one class": (lambda search, training: (search / 1_000, training / 1_000), "hours of search"),
    "one photograph in a step": (lambda search, training: (search, training / 64), "hours of training"),
    "training in days": (lambda search, training: (search, training / 24), "hours of training"),
    "a fifth more": (lambda search, training: (1.2 * search, training), "hours of search: as we find it"),
    "words": (lambda search, training: ("a day", "years"), "`hours_of_search` must be numbers"),
    "one alone": (lambda search, training: (search, ...), "`hours_of_training` is still missing"),
}


@pytest.mark.parametrize("form", named(HOURS))
def test_hours_for_a_thousand_classes(hours, form):
    assert outcome(IMAGENET, 5, form(*hours)).reached


@pytest.mark.parametrize(("answer", "words"), named(NOT_HOURS))
def test_what_is_not_the_hours_for_a_thousand_classes(hours, answer, words):
    assert_not_yet(IMAGENET, 5, answer(*hours), words)


def test_hours_that_are_missing():
    assert outcome(IMAGENET, 5, (..., ...)).state == "not attempted"


@pytest.fixture(scope="module")
def minutes():
    return 1_000 / 64 * stored_result("imagenet_cluster")["workers_1"]["by_targets"]["24"]["seconds"] / 24 / 60


FOUR = {
    "as they are": lambda noise, minutes: ([3, 5, 1, 8], noise, minutes),
    "whole rounds": lambda noise, minutes: (np.array([3, 5, 1, 8]), list(noise), minutes * 16 / (1_000 / 64)),
    "texts": lambda noise, minutes: (["3", "5", "1", "8"], noise.tolist(), f"{minutes:.1f}"),
}
NOT_FOUR = {
    "over the limit": (lambda noise, minutes: ([3, 5, 1, 8], 2 * noise, minutes), "largest |noise|"),
    "a class twice": (lambda noise, minutes: ([3, 5, 3, 8], noise, minutes), "4 different classes"),
    "three classes": (lambda noise, minutes: ([3, 5, 1], noise[:3], minutes), "must have the shape (4,)"),
    "no class": (lambda noise, minutes: ([3, 5, 1, 1_000], noise, minutes), "`targets` must be a whole number"),
    "names of classes": (lambda noise, minutes: (["tench", "pug", "teapot", "sock"], noise, minutes), "`targets`"),
    "one noise": (lambda noise, minutes: ([3, 5, 1, 8], noise[0], minutes), "must have the shape (4, 224, 224, 3)"),
    "hours": (lambda noise, minutes: ([3, 5, 1, 8], noise, minutes / 60), "minutes on 64 workers"),
    "one worker": (lambda noise, minutes: ([3, 5, 1, 8], noise, 64 * minutes), "minutes on 64 workers"),
    "no minutes": (lambda noise, minutes: ([3, 5, 1, 8], noise, ...), "`minutes_on_64` is still missing"),
}


@pytest.mark.parametrize("form", named(FOUR))
def test_noise_for_four_classes_and_a_plan(away, minutes, form, monkeypatch):
    monkeypatch.setattr(ex09_imagenet, "threshold", lambda *_: 0.0)
    assert outcome(IMAGENET, 6, form(np.array([away] * 4), minutes)).reached
    assert outcome(IMAGENET, 6, (..., ..., ...)).state == "not attempted"


@pytest.mark.parametrize(("change", "words"), named(NOT_FOUR))
def test_what_is_no_noise_for_four_classes_or_no_plan(away, minutes, change, words, monkeypatch):
    monkeypatch.setattr(ex09_imagenet, "threshold", lambda *_: 0.0)
    assert_not_yet(IMAGENET, 6, change(np.array([away] * 4), minutes), words)


def test_noise_that_leads_away_leads_to_none_of_four_classes(away, minutes):
    assert_not_yet(IMAGENET, 6, ([3, 5, 1, 8], np.array([away] * 4), minutes), "mean of the four")
