"""The checks of exercises 8 and 9: honest answers of many kinds pass, and named wrong answers do not.

That trainings and long searches reach them, only the solution notebooks show: their last cells assert it.
"""

from course_utils import (
    cifar_network,
    course_network,
    find_universal_noise,
    kept_network,
    load_cifar10,
    load_imagenet_samples,
    load_mnist,
    questions_cifar,
    questions_imagenet,
    stored_result,
)
from course_utils.results import chosen_seed

import keras
import numpy as np
import pytest
from answers import assert_not_yet, outcome, solved

CIFAR, IMAGENET = "08_cifar10", "09_imagenet"


def once(function):
    """Let a function measure the same once for all these tests: the check itself measures anew each time."""
    known = {}

    def remembered(*about, **settings):
        key = *(each.tobytes() if isinstance(each, np.ndarray) else each for each in about), *settings.items()
        if key not in known:
            known[key] = function(*about, **settings)
        return known[key]

    return remembered


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (questions_cifar, "measured"),
            (questions_cifar, "_fresh"),
            (questions_imagenet, "measured"),
        ):
            patch.setattr(module, name, once(getattr(module, name)))
        yield


# 8 · CIFAR-10


@pytest.fixture(scope="module")
def colour():
    return solved(CIFAR, without="my_network")


NETWORKS = {
    "untrained": (cifar_network, "accuracy on test images"),
    "for digits": (lambda: kept_network(course_network, load_mnist(), chosen_seed()), "the network takes"),
    "a number": (lambda: 0.5, "`my_network` must be a Keras model, got 0.5"),
    "not called": (lambda: cifar_network, "`my_network` must be a Keras model"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_does_not_read_colour(name):
    network, words = NETWORKS[name]
    assert_not_yet(CIFAR, 1, network(), words)


def test_a_network_for_colour(colour):
    plain = colour["plain"]
    assert outcome(CIFAR, 1, plain).reached
    assert_not_yet(CIFAR, 1, keras.Sequential([plain, keras.layers.Softmax()]), "probabilities")
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


@pytest.mark.parametrize("name", AT_LIMITS)
def test_noise_at_three_limits(colour, name):
    assert outcome(CIFAR, 2, AT_LIMITS[name](colour["all_noise"], colour["success"])).reached


@pytest.mark.parametrize("name", NOT_AT_LIMITS)
def test_what_is_not_noise_at_three_limits(colour, name):
    if name == "none at 4 of 255" and load_cifar10().is_stand_in:
        pytest.skip("no noise of 4 of 255 makes one shape another")
    answer, words = NOT_AT_LIMITS[name]
    assert_not_yet(CIFAR, 2, answer(colour["all_noise"], colour["success"]), words)


def test_noise_at_three_limits_without_its_table_keeps_what_was_measured(colour):
    assert "✓ at 16 of 255: success, on average" in outcome(CIFAR, 2, (colour["all_noise"], ...)).text
    assert outcome(CIFAR, 2, (..., ...)).state == "not attempted"


@pytest.fixture(scope="module")
def needed(colour):
    pairs = ((colour["digits_network"], load_mnist()), (colour["plain"], load_cifar10()))
    return tuple(
        float(np.median(questions_cifar._noise_needed(network, data.test.images[:200], data.test.labels[:200])))
        for network, data in pairs
    )


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


@pytest.mark.parametrize("name", NEEDED)
def test_the_noise_that_one_image_needs(needed, name):
    assert outcome(CIFAR, 3, NEEDED[name](*needed)).reached


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_what_is_not_the_noise_that_one_image_needs(needed, name):
    answer, words = NOT_NEEDED[name]
    assert_not_yet(CIFAR, 3, answer(*needed), words)


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


@pytest.mark.parametrize("name", FRESH)
def test_fresh_noise_for_both(colour, name):
    assert outcome(CIFAR, 4, FRESH[name](colour["fresh_noise"], colour["accuracies"])).reached


@pytest.mark.parametrize("name", NOT_FRESH)
def test_what_is_not_fresh_noise_for_both(colour, name):
    change, words = NOT_FRESH[name]
    assert_not_yet(CIFAR, 4, (change(colour["fresh_noise"]), colour["accuracies"]), words)


@pytest.mark.parametrize("name", NOT_LEFT)
def test_what_fresh_noise_does_not_leave(colour, name):
    change, words = NOT_LEFT[name]
    assert_not_yet(CIFAR, 4, (colour["fresh_noise"], change(colour["accuracies"])), words)


# 9 · ImageNet


@pytest.fixture(scope="module")
def away():
    """Noise from the first fifty photographs: good enough for most questions."""
    few = load_imagenet_samples().train.images[:50]
    network = questions_imagenet.network()
    return find_universal_noise(network, few, None, 10 / 255, steps=40, batch_size=20, seed=0)[0]


def dirt(away):
    signs = np.random.default_rng(0).choice([-1, 1], size=away.shape)
    return (signs * 10 / 255).astype(np.float32)


@pytest.fixture
def weak_is_enough(away, monkeypatch):
    """Noise from fifty photographs is too weak where it is asked for that of question 1; here it is to be enough."""
    fooled = questions_imagenet.measured(away, questions_imagenet.samples().test.images).fooling_rate
    monkeypatch.setattr(questions_imagenet, "wanted", lambda *_: fooled)


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


@pytest.mark.parametrize("name", NOT_AWAY)
def test_what_does_not_lead_away(away, name):
    noise, words = NOT_AWAY[name]
    assert_not_yet(IMAGENET, 1, noise(away), words)


@pytest.mark.parametrize("form", [lambda away: away, lambda away: away[None], np.ndarray.tolist])
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


@pytest.mark.parametrize("name", NOT_TOWARDS)
def test_what_does_not_lead_towards_one_class(away, name):
    answer, words = NOT_TOWARDS[name]
    assert_not_yet(IMAGENET, 2, answer(away), words)


@pytest.mark.parametrize("target", [3, "3", 3.0, np.int64(3)])
def test_towards_one_class(away, target, monkeypatch):
    monkeypatch.setattr(questions_imagenet, "wanted", lambda *_: 0.0)
    assert outcome(IMAGENET, 2, (target, away[None])).reached
    assert outcome(IMAGENET, 2, (..., ...)).state == "not attempted"


@pytest.fixture(scope="module")
def rates_of_few(away):
    photographs = questions_imagenet.samples()
    places = (photographs.train.images[:50], photographs.test.images)
    return tuple(questions_imagenet.measured(away, images).fooling_rate for images in places)


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


@pytest.mark.parametrize("name", FROM_FEW)
def test_from_few_photographs(away, rates_of_few, name):
    assert outcome(IMAGENET, 3, FROM_FEW[name](away, *rates_of_few)).reached


@pytest.mark.parametrize("name", NOT_FROM_FEW)
def test_what_is_not_from_few_photographs(away, rates_of_few, name):
    answer, words = NOT_FROM_FEW[name]
    assert_not_yet(IMAGENET, 3, answer(away, *rates_of_few), words)


@pytest.fixture(scope="module")
def rates(away):
    return questions_imagenet.rates_elsewhere(away)


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
        lambda rates: {**rates, "shifted": rates["small"], "small": rates["shifted"]},
        "shifted: as we find it",
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


@pytest.mark.parametrize("name", RATES)
def test_carried_over(away, rates, weak_is_enough, name):
    assert outcome(IMAGENET, 4, RATES[name](rates), away).reached


@pytest.mark.parametrize("name", NOT_RATES)
def test_what_is_not_carried_over(away, rates, weak_is_enough, name):
    given, words = NOT_RATES[name]
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


@pytest.mark.parametrize("name", HOURS)
def test_hours_for_a_thousand_classes(hours, name):
    assert outcome(IMAGENET, 5, HOURS[name](*hours)).reached


@pytest.mark.parametrize("name", NOT_HOURS)
def test_what_is_not_the_hours_for_a_thousand_classes(hours, name):
    answer, words = NOT_HOURS[name]
    assert_not_yet(IMAGENET, 5, answer(*hours), words)
    assert outcome(IMAGENET, 5, (..., ...)).state == "not attempted"
