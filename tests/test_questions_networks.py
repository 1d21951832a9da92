"""The checks of exercise 7: honest networks and noise of many kinds pass, and named wrong answers do not."""

from course_utils import (
    add_noise,
    convolutional_network,
    find_universal_noise,
    finished_network,
    load_mnist,
    questions_networks,
)
from course_utils.networks import copy_of
from course_utils.questions import plain_network
from course_utils.results import chosen_seed

import keras
import numpy as np
import pytest
from answers import assert_not_yet, noise_for, outcome, solved
from keras import layers

SEVEN = "07_another_network"
ON_MNIST = not load_mnist().is_stand_in


@pytest.fixture(scope="module")
def solution():
    return solved(SEVEN)


def once(function):
    """Let a function be asked the same once for all these tests: the check itself asks anew each time."""
    known = {}

    def remembered(network, *noise, **settings):
        key = id(network), *(one.tobytes() for one in noise), *settings.items()
        if key not in known:
            known[key] = network, function(network, *noise, **settings)  # as long as it is kept, no other has its id
        return known[key][1]

    return remembered


@pytest.fixture(scope="module", autouse=True)
def asked_once():
    immune = finished_network("worst_noise")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("found_on", "success_on", "loss_on"):
            patch.setattr(questions_networks, name, once(getattr(questions_networks, name)))
        patch.setattr(questions_networks, "finished_network", lambda name: immune)
        yield


# Networks of one's own


def dense(*sizes, activation="relu", behind=()):
    hidden = [layers.Dense(size, activation=activation) for size in sizes]
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, *behind, layers.Dense(10)])


def functional():
    images = keras.Input((28, 28, 1))
    seen = layers.Dropout(0.2)(layers.Conv2D(16, 5, strides=2, activation="relu")(images))
    seen = layers.Flatten()(layers.Conv2D(32, 3, strides=2, activation="relu")(seen))
    return keras.Model(images, layers.Dense(10)(seen))


@pytest.fixture(scope="module")
def others(solution):
    """Networks of other architectures, quick to train."""
    build = {
        "two layers": lambda: dense(256, 128),
        "wide": lambda: dense(400),
        "gelu": lambda: dense(300, activation="gelu"),
        "dropout": lambda: dense(400, behind=[layers.Dropout(0.2)]),
        "batch normalisation": lambda: dense(
            256, activation=None, behind=[layers.BatchNormalization(), layers.ReLU()]
        ),
        "functional": functional,
    }
    return {name: solution["trained"](make, place) for place, (name, make) in enumerate(build.items())}


def with_layers(network, *behind):
    return keras.Sequential([keras.Input((28, 28, 1)), network, *behind])


def idle(network):
    """Put a layer with weights behind a network, which hands on what it gets."""
    return with_layers(network, layers.Dense(10, kernel_initializer="identity"))


def jittered(network):
    other = copy_of(network)
    generator = np.random.default_rng(0)
    other.set_weights([weights * generator.normal(1, 0.01, weights.shape) for weights in network.get_weights()])
    return other


def reordered(network):
    """Put the units of a convolutional network into another order, and favour some classes."""
    generator = np.random.default_rng(0)
    first, bias_1, second, bias_2, dense, bias_3, last, bias_4 = network.get_weights()
    order_1, order_2, order_3 = (generator.permutation(len(bias)) for bias in (bias_1, bias_2, bias_3))
    dense = dense.reshape(-1, len(bias_2), len(bias_3))[:, order_2][..., order_3].reshape(dense.shape)
    other = copy_of(network)
    other.set_weights(
        [
            first[..., order_1], bias_1[order_1], second[:, :, order_1][..., order_2], bias_2[order_2], dense,
            bias_3[order_3], last[order_3], bias_4 + generator.choice([-1, 1], bias_4.shape),
        ]
    )  # fmt: skip
    return other


def seen_through(network, *before):
    return keras.Sequential([keras.Input((28, 28, 1)), *before, network])


def blur():
    return layers.AveragePooling2D(3, strides=1, padding="same")


def shift():
    return layers.Lambda(lambda images: keras.ops.roll(images, 1, axis=2))


def power():
    return layers.Lambda(lambda images: images**2)


def plain():
    return plain_network(chosen_seed())


HONEST = {
    "the solution": lambda mine, others: mine,
    "other architectures": lambda mine, others: others,
    "dense ones only": lambda mine, others: {name: others[name] for name in ("two layers", "wide", "gelu")},
    "numbers for names": lambda mine, others: dict(enumerate(mine.values())),
    "dropout, batch normalisation, convolutions": lambda mine, others: {
        name: others[name] for name in ("dropout", "batch normalisation", "functional")
    },
}
NO_THREE = {
    "two": (lambda a, b, c: {"a": a, "b": b}, "networks: 2 (wanted: at least 3)"),
    "one under three names": (lambda a, b, c: dict.fromkeys("abc", a), "they are one network"),
    "copies": (lambda a, b, c: {"a": a, "b": copy_of(a), "c": c}, "a and b answer alike"),
    "scaled": (lambda a, b, c: {"a": a, "b": with_layers(a, layers.Rescaling(1.1)), "c": c}, "a and b answer alike"),
    "moved": (
        lambda a, b, c: {"a": a, "b": with_layers(a, layers.Rescaling(1, 0.5)), "c": c},
        "a and b answer alike",
    ),
    "a layer that does nothing": (lambda a, b, c: {"a": a, "b": idle(a), "c": c}, "a and b answer alike"),
    "weights moved by a hundredth": (lambda a, b, c: {"a": a, "b": jittered(a), "c": c}, "a and b answer alike"),
    "one behind a blur": (
        lambda a, b, c: {"a": a, "b": seen_through(a, blur()), "c": c},
        "a and b have a layer in common",
    ),
    "one as itself, shifted, and to a power": (
        lambda a, b, c: {"a": c, "b": seen_through(c, shift()), "c": seen_through(c, power())},
        "have a layer in common",
    ),
    "one with its units in another order, and other biases": (
        lambda a, b, c: {"a": a, "b": reordered(a), "c": c},
        "a and b answer alike",
    ),
    "the same, behind a blur": (
        lambda a, b, c: {"a": a, "b": seen_through(reordered(a), blur()), "c": c},
        "a and b have a layer in common",
    ),
    "plain behind a blur": (
        lambda a, b, c: {"a": seen_through(plain(), blur()), "b": b, "c": c},
        "a and plain have a layer in common",
    ),
    "plain": (lambda a, b, c: {"a": plain(), "b": b, "c": c}, "a and plain answer alike"),
    "immune": (lambda a, b, c: {"a": a, "b": finished_network("worst_noise"), "c": c}, "b and immune answer alike"),
    "untrained": (lambda a, b, c: {"a": a, "b": b, "d": convolutional_network()}, "It is d. Train it longer"),
    "probabilities": (
        lambda a, b, c: {"a": a, "b": b, "d": with_layers(c, layers.Softmax())},
        "in `my_networks`, 'd'",
    ),
    "for other images": (
        lambda a, b, c: {"a": a, "b": b, "c": convolutional_network((32, 32, 3))},
        "in `my_networks`, 'c'",
    ),
    "a list": (lambda *networks: list(networks), "`my_networks` must be a dict"),
    "numbers": (lambda *networks: {"a": 1, "b": 2, "c": 3}, "must be a Keras model, got 1"),
    "a copy under the name of ours": (lambda a, b, c: {"plain": a, "b": b, "c": c}, "neither plain nor immune"),
    "one missing": (lambda a, b, c: {"a": a, "b": ..., "c": c}, "in `my_networks`, 'b' is still missing"),
}


@pytest.mark.parametrize("name", HONEST)
def test_networks_of_ones_own(solution, others, name):
    assert outcome(SEVEN, 1, HONEST[name](solution["my_networks"], others)).reached


@pytest.mark.parametrize("name", NO_THREE)
def test_what_is_not_three_networks(solution, name):
    networks, words = NO_THREE[name]
    if name == "immune" and not ON_MNIST:
        words = "accuracy of the weakest"  # it was trained on MNIST
    assert_not_yet(SEVEN, 1, networks(*solution["my_networks"].values()), words)


def test_networks_that_differ_in_their_seed_only(solution):
    build = solution["dense_network"]
    networks = {str(seed): solution["trained"](build, seed) for seed in range(3)}
    assert_not_yet(SEVEN, 1, networks, "more or fewer weights")
    assert outcome(SEVEN, 1, {"a": ..., "b": ...}).state == "not attempted"


# Found on … × tested on …


@pytest.fixture(scope="module")
def found(solution):
    return solution["my_networks"], solution["all_noise"], solution["table"]


@pytest.fixture(scope="module")
def the_same_everywhere(solution):
    """The noise that was found on all of the reader's networks, in the place of each."""
    return np.repeat(solution["common_noise"][None], len(solution["all_noise"]), axis=0)


def random_noise():
    return np.random.default_rng(0).choice([-0.3, 0.3], (28, 28, 1)).astype(np.float32)


TAKEN = {
    "as it is": lambda noise, table: (noise, table),
    "lists": lambda noise, table: (noise.tolist(), table.tolist()),
    "a list of arrays": lambda noise, table: (list(noise), list(table)),
    "an axis more": lambda noise, table: (noise[None], table[None]),
    "an axis more in the middle": lambda noise, table: (noise[:, None], table),
    "by name": lambda noise, table: (dict(enumerate(noise)), dict(enumerate(table))),
    "rounded": lambda noise, table: (noise, table.round(2)),
}
WRONG_TABLES = {
    "transposed": (lambda noise, table: (noise, table.T), "Rows and columns are exchanged"),
    "ones where it was found": (lambda noise, table: (noise, np.eye(len(table))), "We have measured it anew"),
    "one row for all": (lambda noise, table: (noise, table[[0] * len(table)]), "We have measured it anew"),
    "in percent": (lambda noise, table: (noise, 100 * table), "Is that in percent? The 5 networks are"),
    "those that are not misled": (lambda noise, table: (noise, 1 - table), "It is the rest up to 1"),
    "over the limit": (lambda noise, table: (1.3 * noise, table), "largest |noise|"),
    "none": (lambda noise, table: (0 * noise, table), "it is one noise"),
    "half as strong": (lambda noise, table: (noise / 2, table), "success there"),
    "turned round": (lambda noise, table: (-noise, table), "success there"),
    "the last for the immune one too": (
        lambda noise, table: (np.concatenate([noise[:-1], 0.9 * noise[-2:-1]]), table),
        "It is that for immune" if ON_MNIST else "noise found on immune: success there",
    ),
    "random noise for the immune one": (
        lambda noise, table: (np.concatenate([noise[:-1], random_noise()[None]]), table),
        "for immune" if ON_MNIST else "noise found on immune: success there",
    ),
    "in another order": (lambda noise, table: (noise[::-1], table[::-1]), "Was it made on this network"),
    "that of the first for all, with dust": (
        lambda noise, table: (
            noise[[0] * len(noise)] * (1 - 1e-5 * np.arange(len(noise)))[:, None, None, None],
            table,
        ),
        "it is one noise",
    ),
    "that of the first for all": (lambda noise, table: (noise[[0] * len(noise)], table), "it is one noise"),
    "for one's own only": (
        lambda noise, table: (noise[:-2], table[:-2, :-2]),
        "The 5 networks are convolutional, dense, strides, plain, immune",
    ),
    "a table for one's own": (
        lambda noise, table: (noise, table[:-2]),
        "`table` must have the shape (5, 5), got (3, 5)",
    ),
    "swapped": (lambda noise, table: (table, noise), "it must be (my_networks, all_noise, table)"),
    "no table": (lambda noise, table: (noise, ...), "`table` is still missing"),
    "no noise": (lambda noise, table: (..., table), "`all_noise` is still missing"),
    "a text": (lambda noise, table: ("noise", table), "`all_noise` must be numbers"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_found_on_one_tested_on_another(found, name):
    networks, noise, table = found
    assert outcome(SEVEN, 2, TAKEN[name](noise, table), networks).reached


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_what_is_not_found_on_one_tested_on_another(found, name):
    networks, *answer = found
    given, words = WRONG_TABLES[name]
    assert_not_yet(SEVEN, 2, (networks, *given(*answer)), words)


def test_the_plain_network_and_the_immune_one_are_added(found, solution, the_same_everywhere):
    networks, noise, table = found
    assert outcome(SEVEN, 2, (solution["everyone"], noise, table)).reached, "they may be among them already"
    assert_not_yet(SEVEN, 2, (noise, table), "answer question 1 first")
    assert_not_yet(SEVEN, 2, ({"a": plain()}, noise[:1], table[:1, :1]), "networks: 1 (wanted: at least 3)")
    assert_not_yet(SEVEN, 2, (networks, the_same_everywhere, table), "it is one noise")
    assert outcome(SEVEN, 2, (..., ...), networks).state == "not attempted"
    missing = outcome(SEVEN, 2, (noise, ...), networks).text
    assert "✓ noise found on immune: success there" in missing, "what was measured is kept"


# On several at once


def found_on_all(slope, networks, seed, steps=120):
    """Do what the third hint says."""
    digits, generator = load_mnist().train.images, np.random.default_rng(seed)
    noise = np.zeros((28, 28, 1), np.float32)
    for step in range(steps):
        noisy = add_noise(digits[generator.integers(len(digits), size=64)], noise)
        uphill = sum(np.mean(slope(network, noisy, np.full(64, 3)), axis=0) for network in networks)
        noise = np.clip(noise - 0.06 * (1 - step / steps) * np.sign(uphill), -0.3, 0.3)
    return noise


@pytest.mark.parametrize(
    "name", ["other architectures", "dense ones only", "dropout, batch normalisation, convolutions"]
)
def test_the_third_hint_is_enough_for_other_architectures(solution, others, name):
    networks = HONEST[name](solution["my_networks"], others)
    assert outcome(SEVEN, 3, found_on_all(solution["slope"], networks.values(), 1), networks).reached


COMMON = {
    "as it is": lambda noise: noise,
    "a list": lambda noise: noise.tolist(),
    "an axis more": lambda noise: noise[None],
}
NOT_COMMON = {
    "over the limit": (lambda noise: 1.3 * noise, "largest |noise|"),
    "half as strong": (lambda noise: noise / 2, "Was yours found on all of them"),
    "none": (lambda noise: 0 * noise, "Was yours found on all of them"),
    "turned round": (lambda noise: -noise, "Was yours found on all of them"),
    "shifted": (lambda noise: np.roll(noise, 4, axis=1), "Was yours found on all of them"),
    "for another class": (lambda noise: noise_for(8, 0.3), "Was yours found on all of them"),
    "found on the plain network": (lambda noise: noise_for(3, 0.3), "Was yours found on all of them"),
    "several": (lambda noise: np.array([noise, noise]), "must have the shape (28, 28, 1)"),
    "NaN": (lambda noise: noise * np.nan, "must not hold NaN"),
}


@pytest.mark.parametrize("name", COMMON)
def test_noise_for_several_networks(solution, name):
    assert outcome(SEVEN, 3, COMMON[name](solution["common_noise"]), solution["my_networks"]).reached


@pytest.mark.parametrize("name", NOT_COMMON)
def test_what_is_not_noise_for_several_networks(solution, name):
    noise, words = NOT_COMMON[name]
    assert_not_yet(SEVEN, 3, (solution["my_networks"], noise(solution["common_noise"])), words)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "settings", [{}, {"steps": 60, "batch_size": 64}], ids=["as in question 2", "as in the check"]
)
def test_noise_that_was_found_on_one_of_them(solution, place, settings):
    networks = list(solution["my_networks"].values())
    seed = chosen_seed()
    (alone,) = find_universal_noise(networks[place], load_mnist().train.images, 3, 0.3, seed=seed, **settings)
    result = outcome(SEVEN, 3, (solution["my_networks"], alone))
    assert result.state == "not yet"
    assert "Was yours found on all of them?" in result.text
    assert "✓ your networks under noise found on one of them, on average, at best" in result.text


def test_noise_for_one_network_alone(solution):
    (name, network), *_ = solution["my_networks"].items()
    alone = questions_networks.found_on(network)
    assert_not_yet(SEVEN, 3, ({name: network}, alone), "networks: 1 (wanted: at least 3)")
    assert outcome(SEVEN, 3, ..., solution["my_networks"]).state == "not attempted"
