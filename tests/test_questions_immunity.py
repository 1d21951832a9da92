"""The checks of exercises 5 to 7: the solution reaches them, and named wrong answers do not.

Where that takes a long training, only the solution notebook itself shows it: its last cell asserts that it is.
"""

from course_utils import convolutional_network, finished_network, load_mnist, questions_immunity, scoreboard
from course_utils.networks import copy_of
from course_utils.questions import plain_network
from course_utils.results import chosen_seed

import keras
import numpy as np
import pytest
from answers import assert_not_yet, noise_for, outcome, solved

# 5 · A better way to be immune


@pytest.fixture(scope="module")
def better():
    return solved("05_better_immunity")


@pytest.fixture(autouse=True)
def remember(monkeypatch):
    """Let one function be trained and attacked once for all these tests."""
    monkeypatch.setattr(questions_immunity, "forget", lambda: None)


def test_a_check_trains_anew(monkeypatch):
    calls = []
    monkeypatch.setattr(questions_immunity, "forget", scoreboard.forget)
    for number in (1, 2, 3):
        calls.clear()
        train = lambda network, batches: calls.append(number) or network  # noqa: E731, B023
        for _ in range(2):
            outcome("05_better_immunity", number, (train, None) if number == 1 else train)
        assert len(calls) == 2


def rounded(network, levels=8):
    """A defence that blocks gradients and protects from nothing."""
    rounding = keras.layers.Lambda(lambda images: keras.ops.round(images * levels) / levels)
    return keras.Sequential([keras.Input((28, 28, 1)), rounding, network])


def on_clean_images(network, batches):
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for images, labels in batches:
        network.train_on_batch(images, labels)
    return network


def behind_rounding(network, batches):
    return rounded(on_clean_images(network, batches))


def untrained(network, batches):
    return network


def test_old_noise_and_fresh(better):
    train, search = better["on_old_noise"], better["fresh_noise"]
    assert outcome("05_better_immunity", 1, (train, search)).reached
    assert_not_yet("05_better_immunity", 1, (train, lambda network: better["old_noise"]), "searched anew")
    assert_not_yet("05_better_immunity", 1, (train, lambda network: 0 * better["old_noise"]), "searched anew")
    assert_not_yet("05_better_immunity", 1, (train, lambda network: 1.5 * search(network)), "largest |noise|")
    assert_not_yet("05_better_immunity", 1, (on_clean_images, search), "under old noise")
    assert_not_yet("05_better_immunity", 1, (lambda network, batches: 3, search), "a Keras model, got int")
    assert outcome("05_better_immunity", 1, (train, lambda network: None)).state == "not attempted"
    assert outcome("05_better_immunity", 1, (lambda network, batches: None, search)).state == "not attempted"


def test_a_training_within_the_budget(better):
    assert_not_yet("05_better_immunity", 2, better["on_old_noise"], "worst fresh universal noise")
    assert_not_yet("05_better_immunity", 2, behind_rounding, "made for the plain network")
    assert_not_yet("05_better_immunity", 2, untrained, "clean accuracy")
    assert_not_yet("05_better_immunity", 2, lambda network, batches: network.missing, "AttributeError")
    assert outcome("05_better_immunity", 2, lambda network, batches: None).state == "not attempted"


def test_a_better_training(better):
    assert_not_yet("05_better_immunity", 3, better["my_training"], "wanted: at least")
    assert_not_yet("05_better_immunity", 3, behind_rounding, "made for the plain network")
    assert_not_yet("05_better_immunity", 3, "train", "a function train(network, batches)")


# 6 · Noise for single images against the immune network


@pytest.fixture(scope="module")
def single():
    return solved("06_single_images", without="my_network")


def test_the_attack_on_single_images(single):
    right = single["attack"]
    assert outcome("06_single_images", 1, right).reached
    wrong = {
        "over the limit": (lambda *about: 1.5 * right(*about), "largest |noise|"),
        "ignores the limit": (lambda net, images, labels, limit: right(net, images, labels, 0.35), "largest |noise|"),
        "one step": (lambda *about: right(*about, steps=1), "accuracy that your noise leaves"),
        "one noise for all": (
            lambda net, images, labels, limit: limit * np.repeat(np.sign(noise_for(3))[None], len(images), axis=0),
            "accuracy that your noise leaves",
        ),
        "made for the plain network": (
            lambda net, images, labels, limit: right(plain_network(chosen_seed()), images, labels, limit),
            "accuracy that your noise leaves",
        ),
        "one image only": (lambda *about: right(*about)[:1], "must have the shape"),
        "raises": (lambda *about: [][1], "IndexError"),
    }
    for name, (function, words) in wrong.items():
        assert_not_yet("06_single_images", 1, function, words), name
    assert outcome("06_single_images", 1, lambda *about: None).state == "not attempted"


def test_the_table_over_limits(single):
    attack, table = single["attack"], single["table"]
    assert outcome("06_single_images", 2, (attack, table)).reached
    assert_not_yet("06_single_images", 2, (attack, table.T), "We have measured it anew")
    assert_not_yet("06_single_images", 2, (attack, table[::-1]), "We have measured it anew")
    assert_not_yet("06_single_images", 2, (attack, np.ones((4, 4))), "We have measured it anew")
    assert_not_yet("06_single_images", 2, (attack, table[:3]), "must have the shape (4, 4)")
    assert_not_yet("06_single_images", 2, (lambda *about: 0 * about[1], table), "accuracy that your noise leaves")
    assert_not_yet("06_single_images", 2, (lambda *about: 2 * attack(*about), table), "largest |noise|")
    assert outcome("06_single_images", 2, (attack, ...)).state == "not attempted"


def test_immune_at_a_fifth(single):
    plain, _ = scoreboard.trained_within_budget(on_clean_images)
    assert_not_yet("06_single_images", 3, plain, "noise made for the plain network")
    assert_not_yet("06_single_images", 3, rounded(plain), "noise made for the plain network")
    # On the stand-in a network trained on MNIST reads too little to begin with.
    words = "clean accuracy" if load_mnist().is_stand_in else "Train on noise that is made for each image"
    assert_not_yet("06_single_images", 3, finished_network("interleaved"), words)
    assert_not_yet("06_single_images", 3, convolutional_network(), "clean accuracy")


# 7 · Another network


@pytest.fixture(scope="module")
def networks():
    return solved("07_another_network")


def test_networks_of_ones_own(networks):
    right = networks["my_networks"]
    assert outcome("07_another_network", 1, right).reached
    first, *others = right.values()
    train = networks["trained"]
    wrong = {
        "two": ({"a": first, "b": others[0]}, "networks: 2"),
        "copies": ({"a": first, "b": copy_of(first), "c": others[0]}, "the same network"),
        "untrained": ({**right, "d": convolutional_network()}, "accuracy of the weakest"),
        "seeds only": (
            {"a": first, **{str(seed): train(convolutional_network, seed) for seed in (7, 8)}},
            "more or fewer weights",
        ),
        "probabilities": ({**right, "d": keras.Sequential([first, keras.layers.Softmax()])}, "returns probabilities"),
        "a list": (list(right.values()), "must be a dict"),
        "numbers": ({"a": 1, "b": 2, "c": 3}, "must be a Keras model"),
    }
    for name, (answer, words) in wrong.items():
        assert_not_yet("07_another_network", 1, answer, words), name
    assert outcome("07_another_network", 1, {"a": ..., "b": ...}).state == "not attempted"
    assert outcome("07_another_network", 1, {"a": first, "b": ...}).state == "not attempted"


def test_found_on_one_tested_on_another(networks):
    everyone, noise, table = networks["everyone"], networks["all_noise"], networks["table"]
    assert outcome("07_another_network", 2, (everyone, noise, table)).reached
    assert_not_yet("07_another_network", 2, (everyone, noise, table.T), "We have measured it anew")
    assert_not_yet("07_another_network", 2, (everyone, noise, np.eye(len(table))), "We have measured it anew")
    assert_not_yet("07_another_network", 2, (everyone, 1.3 * np.array(noise), table), "largest |noise|")
    assert_not_yet("07_another_network", 2, (everyone, 0 * np.array(noise), table), "Was it made on this network?")
    for unfilled in ((everyone, noise, ...), (everyone, ..., ...), ({**everyone, "mine": ...}, noise, table)):
        assert outcome("07_another_network", 2, unfilled).state == "not attempted"


def test_noise_for_several_networks(networks):
    mine, right = networks["my_networks"], networks["common_noise"]
    assert outcome("07_another_network", 3, (mine, right)).reached
    one_each = {f"found on {name} alone": noise for name, noise in zip(mine, networks["all_noise"], strict=False)}
    wrong = {"half as strong": right / 2, "for another class": np.clip(noise_for(8), -0.3, 0.3), **one_each}
    for name, noise in wrong.items():
        assert_not_yet("07_another_network", 3, (mine, noise), "success on your networks"), name
    assert_not_yet("07_another_network", 3, (mine, 1.3 * right), "largest |noise|")
    assert outcome("07_another_network", 3, (mine, ...)).state == "not attempted"
