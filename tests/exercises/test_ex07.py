"""The checks of exercise 7: honest networks and noise of many kinds pass, and named wrong answers do not."""

from course_utils import (
    add_noise,
    convolutional_network,
    find_universal_noise,
    image_gradient,
    load_mnist,
    pretrained_network,
)
from course_utils.exercises import ex07_another_network
from course_utils.exercises.ex07_another_network import everyone
from course_utils.exercises.measures import plain_network
from course_utils.models import copy_network
from course_utils.notebook import chosen_seed

import keras
import numpy as np
import pytest
import tensorflow as tf
from answers import ON_MNIST, assert_not_yet, named, noise_for, once, outcome
from keras import layers

pytestmark = pytest.mark.nightly  # as its solution
SEVEN = "07_another_network"


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    immune = pretrained_network("worst_noise")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("found_on", "success_of", "loss_on"):
            patch.setattr(ex07_another_network, name, once(getattr(ex07_another_network, name)))
        patch.setattr(ex07_another_network, "pretrained_network", lambda name: immune)
        yield


# Networks of one's own


def dense(*sizes, activation="relu", behind=()):
    hidden = [layers.Dense(size, activation=activation) for size in sizes]
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, *behind, layers.Dense(10)])


def strides():
    convolutions = [layers.Conv2D(filters, 3, strides=2, activation="relu") for filters in (32, 64)]
    return keras.Sequential([keras.Input((28, 28, 1)), *convolutions, layers.Flatten(), layers.Dense(10)])


def functional():
    images = keras.Input((28, 28, 1))
    seen = layers.Dropout(0.2)(layers.Conv2D(16, 5, strides=2, activation="relu")(images))
    seen = layers.Flatten()(layers.Conv2D(32, 3, strides=2, activation="relu")(seen))
    return keras.Model(images, layers.Dense(10)(seen))


def trained(build, seed, steps=500):
    """Train quickly: the measure asks for 93 % of the digits."""
    keras.utils.set_random_seed(seed)
    train, network = load_mnist().train, build()
    network.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    chosen = np.random.default_rng(seed).integers(len(train), size=steps * 64)
    network.fit(train.images[chosen], train.labels[chosen], batch_size=64, verbose=0)
    return network


@pytest.fixture(scope="module")
def mine():
    return {
        "convolutional": trained(convolutional_network, 2, steps=250),
        "dense": trained(lambda: dense(256), 3),
        "strides": trained(strides, 4),
    }


@pytest.fixture(scope="module")
def others():
    """Networks of other architectures."""
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
    return {name: trained(make, place) for place, (name, make) in enumerate(build.items())}


def with_layers(network, *behind):
    return keras.Sequential([keras.Input((28, 28, 1)), network, *behind])


def idle(network):
    """Put a layer with weights behind a network, which hands on what it gets."""
    return with_layers(network, layers.Dense(10, kernel_initializer="identity"))


def jittered(network):
    other = copy_network(network)
    generator = np.random.default_rng(0)
    other.set_weights([weights * generator.normal(1, 0.01, weights.shape) for weights in network.get_weights()])
    return other


def reordered(network):
    """Put the units of a convolutional network into another order, and favour some classes."""
    generator = np.random.default_rng(0)
    first, bias_1, second, bias_2, dense, bias_3, last, bias_4 = network.get_weights()
    order_1, order_2, order_3 = (generator.permutation(len(bias)) for bias in (bias_1, bias_2, bias_3))
    dense = dense.reshape(-1, len(bias_2), len(bias_3))[:, order_2][..., order_3].reshape(dense.shape)
    other = copy_network(network)
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
    "three kinds": lambda mine, others: mine,
    "other architectures": lambda mine, others: others,
    "dense ones only": lambda mine, others: {name: others[name] for name in ("two layers", "wide", "gelu")},
    "numbers for names": lambda mine, others: dict(enumerate(mine.values())),
    "dropout, batch normalisation, convolutions": lambda mine, others: {
        name: others[name] for name in ("dropout", "batch normalisation", "functional")
    },
}
BLURRED = "have a layer in common" if ON_MNIST else "answer alike"  # a blur changes little of the fallback digits
IMMUNE_AGAIN = "b and immune answer alike" if ON_MNIST else "accuracy of the weakest"  # it was trained on MNIST
NO_THREE = {
    "two": (lambda a, b, c: {"a": a, "b": b}, "networks: 2 ("),
    "one under three names": (lambda a, b, c: dict.fromkeys("abc", a), "they are one network"),
    "copies": (lambda a, b, c: {"a": a, "b": copy_network(a), "c": c}, "a and b answer alike"),
    "scaled": (lambda a, b, c: {"a": a, "b": with_layers(a, layers.Rescaling(1.1)), "c": c}, "a and b answer alike"),
    "moved": (
        lambda a, b, c: {"a": a, "b": with_layers(a, layers.Rescaling(1, 0.5)), "c": c},
        "a and b answer alike",
    ),
    "a layer that does nothing": (lambda a, b, c: {"a": a, "b": idle(a), "c": c}, "a and b answer alike"),
    "weights moved by a hundredth": (lambda a, b, c: {"a": a, "b": jittered(a), "c": c}, "a and b answer alike"),
    "one behind a blur": (
        lambda a, b, c: {"a": a, "b": seen_through(a, blur()), "c": c},
        f"a and b {BLURRED}",
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
        lambda a, b, c: {"a": a, "b": seen_through(a, blur()), "c": c},
        f"a and b {BLURRED}",
    ),
    "plain behind a blur": (
        lambda a, b, c: {"a": seen_through(plain(), blur()), "b": b, "c": c},
        f"a and plain {BLURRED}",
    ),
    "plain": (lambda a, b, c: {"a": plain(), "b": b, "c": c}, "a and plain answer alike"),
    "immune": (lambda a, b, c: {"a": a, "b": pretrained_network("worst_noise"), "c": c}, IMMUNE_AGAIN),
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


@pytest.mark.parametrize("choose", named(HONEST))
def test_networks_of_ones_own(mine, others, choose):
    assert outcome(SEVEN, 1, choose(mine, others)).reached


@pytest.mark.parametrize(("networks", "words"), named(NO_THREE))
def test_what_is_not_three_networks(mine, networks, words):
    assert_not_yet(SEVEN, 1, networks(*mine.values()), words)


def test_networks_that_differ_in_their_seed_only(mine):
    networks = {"3": mine["dense"]} | {str(seed): trained(lambda: dense(256), seed) for seed in (0, 1)}
    assert_not_yet(SEVEN, 1, networks, "more or fewer weights")


def test_networks_that_are_all_missing():
    assert outcome(SEVEN, 1, {"a": ..., "b": ...}).state == "not attempted"


# Found on … × tested on …


@pytest.fixture(scope="module")
def found(mine):
    """The networks, the noise found on each, and the table."""
    networks = everyone(mine)
    all_noise = np.array([ex07_another_network.found_on(network) for network in networks.values()])
    table = [
        [ex07_another_network.success_of(noise, 3, network) for network in networks.values()] for noise in all_noise
    ]
    return mine, all_noise, np.array(table)


@pytest.fixture(scope="module")
def common(mine):
    return found_on_all(mine.values(), 0)


@pytest.fixture(scope="module")
def the_same_everywhere(common):
    """The noise that was found on all of the reader's networks, in the place of each."""
    return np.repeat(common[None], 5, axis=0)


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
        # any noise does the immune network about as little harm: only the table tells
        "cells of the table" if ON_MNIST else "noise found on immune: success there",
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
    "swapped": (lambda noise, table: (table, noise), "`all_noise` must have the shape (5, 28, 28, 1), got (5, 5)"),
    "no table": (lambda noise, table: (noise, ...), "`table` is still missing"),
    "no noise": (lambda noise, table: (..., table), "`all_noise` is still missing"),
    "a text": (lambda noise, table: ("noise", table), "`all_noise` must be numbers"),
}


@pytest.mark.parametrize("form", named(TAKEN))
def test_found_on_one_tested_on_another(found, form):
    networks, noise, table = found
    assert outcome(SEVEN, 2, form(noise, table), networks).reached


def test_noise_from_a_search_with_other_settings(found):
    networks, _, _ = found
    success_of, everyones = ex07_another_network.success_of, everyone(networks).values()
    noise = np.array(
        [find_universal_noise(each, load_mnist().train.images, 3, 0.3, steps=30, seed=7)[0] for each in everyones]
    )
    table = [[success_of(one, 3, network) for network in everyones] for one in noise]
    assert outcome(SEVEN, 2, (networks, noise, table)).reached


@pytest.mark.parametrize(("change", "words"), named(WRONG_TABLES))
def test_what_is_not_found_on_one_tested_on_another(found, change, words):
    networks, *answer = found
    assert_not_yet(SEVEN, 2, (networks, *change(*answer)), words)


def test_the_plain_network_and_the_immune_one_are_added(found, the_same_everywhere):
    networks, noise, table = found
    assert outcome(SEVEN, 2, (everyone(networks), noise, table)).reached, "they may be among them already"
    assert_not_yet(SEVEN, 2, (noise, table), "answer question 1 first")
    assert_not_yet(SEVEN, 2, ({"a": plain()}, noise[:1], table[:1, :1]), "networks: 1 (")
    assert_not_yet(SEVEN, 2, (networks, the_same_everywhere, table), "it is one noise")
    assert outcome(SEVEN, 2, (..., ...), networks).state == "not attempted"


def test_what_was_measured_is_kept_when_the_table_is_missing(found):
    networks, noise, _ = found
    assert_not_yet(SEVEN, 2, (noise, ...), "✓ noise found on immune: success there", networks)


# On several at once


slope = tf.function(image_gradient, reduce_retracing=True)


def found_on_all(networks, seed, steps=120):
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
def test_the_third_hint_is_enough_for_other_architectures(mine, others, name):
    networks = HONEST[name](mine, others)
    assert outcome(SEVEN, 3, found_on_all(networks.values(), 1), networks).reached


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


@pytest.mark.parametrize("form", named(COMMON))
def test_noise_for_several_networks(mine, common, form):
    assert outcome(SEVEN, 3, form(common), mine).reached


@pytest.mark.parametrize(("change", "words"), named(NOT_COMMON))
def test_what_is_not_noise_for_several_networks(mine, common, change, words):
    assert_not_yet(SEVEN, 3, (mine, change(common)), words)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "settings", [{}, {"steps": 60, "batch_size": 64}], ids=["as in question 2", "as in the check"]
)
def test_noise_that_was_found_on_one_of_them(mine, place, settings):
    alone = ex07_another_network.found_on([*mine.values()][place], **settings)
    result = outcome(SEVEN, 3, (mine, alone))
    assert result.state == "not yet"
    assert "Was yours found on all of them?" in result.text
    assert "✓ your networks under noise found on one of them, on average, at best" in result.text


def test_noise_for_one_network_alone(mine):
    (name, network), *_ = mine.items()
    alone = ex07_another_network.found_on(network)
    assert_not_yet(SEVEN, 3, ({name: network}, alone), "networks: 1 (")


def test_no_noise_for_several_networks(mine):
    assert outcome(SEVEN, 3, ..., mine).state == "not attempted"
