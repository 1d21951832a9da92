"""Immunity: each way leaves the given network alone and returns one that resists what it was trained against."""

from course_utils import (
    adversarial_training,
    evaluate_noise,
    find_universal_noise,
    immunise_in_turn,
    immunise_interleaved,
    linear_network,
    two_tier_network,
)

import keras
import numpy as np
import pytest
from helpers import case, same_weights

LIMIT = 0.2
WAYS = {
    "in turn": (immunise_in_turn, {"target_classes": [0, 2], "noise_steps": 5, "training_steps": 5}),
    "interleaved": (immunise_interleaved, {"steps": 12}),
    "one step": (adversarial_training, {"steps": 12, "attack_steps": 1}),
    "small steps": (adversarial_training, {"steps": 12, "attack_steps": 3, "clean_fraction": 0.25}),
}


@pytest.fixture(params=WAYS)
def way(request):
    function, settings = WAYS[request.param]
    return lambda *arguments, **changes: function(*arguments, **{"noise_limit": LIMIT, **settings, **changes})


def fresh_accuracies(network, digits, targets=range(10)):
    """What new noise leaves of a network's accuracy, for each of these classes."""
    all_noise = find_universal_noise(network, digits.train.images, targets, LIMIT, steps=40, seed=0)
    return np.array(
        [
            evaluate_noise(network, digits.test.images, digits.test.labels, noise, target, LIMIT).accuracy
            for target, noise in zip(targets, all_noise, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def plain_accuracies(digits, plain_network):
    return fresh_accuracies(plain_network, digits)


def test_the_given_network_stays_as_it_was_and_a_new_one_comes_back(way, stripes):
    network, images, labels = stripes
    before, trainable = network.get_weights(), network.trainable
    new = way(network, images, labels)
    assert new is not network
    assert same_weights(network, before)
    assert not same_weights(new, before)
    assert network.trainable == trainable
    assert new.predict(images[:5], verbose=0).shape == (5, 3)


def test_the_same_seed_gives_the_same_network(way, stripes):
    network, images, labels = stripes
    one, again, other = (way(network, images, labels, seed=seed) for seed in (1, 1, 2))
    assert same_weights(one, again)
    assert not same_weights(one, other)


def test_an_interruption_leaves_the_given_network_as_it_was(way, stripes, monkeypatch):
    network, images, labels = stripes
    before = network.get_weights()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.optimizers.Adam, "apply", interrupt)
    with pytest.raises(KeyboardInterrupt):
        way(network, images, labels)
    assert same_weights(network, before)


def test_rounds_make_it_resist_the_noise_of_that_class(digits, plain_network, plain_accuracies):
    images, labels = digits.train.images, digits.train.labels
    seen = []

    def watch(network, noise, target, when):
        accuracy = evaluate_noise(network, images, labels, noise, target, LIMIT).accuracy
        seen.append((target, when, accuracy))

    new = immunise_in_turn(
        plain_network, images, labels, [4], LIMIT, rounds=2, noise_steps=100, training_steps=100, watch=watch
    )
    assert [(target, when) for target, when, _ in seen] == [(4, "before"), (4, "after")] * 2
    assert seen[0][2] < 0.7 < 0.9 < seen[1][2]  # the round mends what its noise had broken
    assert fresh_accuracies(new, digits, [4]) > plain_accuracies[4] + 0.15


def test_in_turn_goes_through_all_classes_each_so_many_rounds(stripes):
    network, images, labels = stripes
    order = []
    immunise_in_turn(
        network, images, labels, [2, 0], LIMIT, rounds=2, noise_steps=1, training_steps=1,
        watch=lambda network, noise, target, when: order.append(target),
    )  # fmt: skip
    assert order[::2] == [2, 2, 0, 0]


def test_the_noise_goes_on_from_round_to_round(stripes):
    network, images, labels = stripes
    sizes = []
    immunise_in_turn(
        network, images, labels, [1], LIMIT, rounds=3, noise_steps=3, training_steps=1,
        watch=lambda network, noise, target, when: sizes.append(np.abs(noise).max()),
    )  # fmt: skip
    assert sizes[0] < sizes[2] < sizes[4]  # 3, 6 and 9 steps of 0.01


def test_adversarial_training_resists_every_class(digits, immune_network, plain_accuracies):
    assert plain_accuracies.min() < 0.5
    assert fresh_accuracies(immune_network, digits).min() > 0.8


def test_batch_normalisation_ends_with_the_statistics_of_clean_images(digits):
    images, labels = digits.train.images, digits.train.labels
    normalised = keras.layers.BatchNormalization(momentum=0.9)
    network = keras.Sequential([keras.Input((14, 14, 1)), normalised, keras.layers.Flatten(), keras.layers.Dense(10)])
    trained = adversarial_training(network, images, labels, LIMIT, steps=100)
    assert trained.layers[0].moving_variance.numpy() == pytest.approx(images.var(), rel=0.03)
    assert trained.layers[0].moving_mean.numpy() == pytest.approx(images.mean(), rel=0.03)


def test_one_step_of_noise_protects_too(digits, plain_network, plain_accuracies):
    new = adversarial_training(
        plain_network,
        digits.train.images,
        digits.train.labels,
        LIMIT,
        steps=400,
        attack_steps=1,
        peak_learning_rate=2e-3,
    )
    assert fresh_accuracies(new, digits, [4]) > plain_accuracies[4] + 0.25


def test_interleaved_training_resists_better_than_none(digits, plain_network, plain_accuracies):
    new = immunise_interleaved(plain_network, digits.train.images, digits.train.labels, LIMIT, steps=300)
    assert fresh_accuracies(new, digits).mean() > plain_accuracies.mean() + 0.1


def constant(answer):
    """A network that sees the same class in everything."""
    network = linear_network((4, 4, 1), 3)
    network.layers[-1].bias.assign(np.eye(3, dtype=np.float32)[answer] * 7)
    return network


def test_the_first_tier_decides_and_the_second_has_the_last_word(tiny_network, tiny_images):
    two_tier = two_tier_network(tiny_network, [constant(2), constant(0), constant(1)])
    assert tiny_network.predict(tiny_images, verbose=0).argmax(axis=1).tolist() == [0, 1, 2]
    assert two_tier.predict(tiny_images, verbose=0).argmax(axis=1).tolist() == [2, 0, 1]
    assert two_tier.output_shape == (None, 3)
    assert two_tier.count_params() == 4 * tiny_network.count_params()


def test_two_tiers_share_the_weights_that_they_were_given(tiny_network, tiny_images):
    immune = [constant(2), constant(0), constant(1)]
    two_tier = two_tier_network(tiny_network, immune)
    immune[1].set_weights(constant(1).get_weights())
    assert two_tier.predict(tiny_images, verbose=0).argmax(axis=1).tolist() == [2, 1, 1]


def test_two_tiers_survive_a_file(tiny_network, tiny_images, tmp_path):
    two_tier = two_tier_network(tiny_network, [constant(2), constant(0), constant(1)])
    two_tier.save(tmp_path / "two_tier.keras")
    again = keras.saving.load_model(tmp_path / "two_tier.keras", safe_mode=True)
    np.testing.assert_array_equal(two_tier.predict(tiny_images, verbose=0), again.predict(tiny_images, verbose=0))


@pytest.mark.parametrize(
    "immune",
    [[], [constant(0)] * 2, [constant(0), constant(1), linear_network((4, 4, 1), 5)]],
    ids=["none", "too few", "another number of classes"],
)
def test_two_tiers_refuse_what_does_not_fit(tiny_network, immune):
    with pytest.raises(ValueError, match="immune must be 3 networks"):
        two_tier_network(tiny_network, immune)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"noise_limit": 0}, ValueError, "noise_limit must be above 0"),
        ({"noise_limit": 1.5}, ValueError, "noise_limit"),
        ({"images": np.zeros((2, 4, 4, 1), np.float32)}, ValueError, "the network takes"),
        ({"images": np.zeros((300, 12, 12, 1))}, TypeError, "float32"),
        ({"labels": np.zeros(7, int)}, ValueError, r"labels must have the shape \(300,\)"),
        ({"labels": np.full(300, 3)}, ValueError, "labels must be classes from 0 to 2"),
        ({"labels": np.zeros(300)}, TypeError, "labels must be whole numbers"),
    ],
    ids=case,
)
def test_every_way_refuses(way, stripes, changes, error, words):
    network, images, labels = stripes
    arguments = {"images": images, "labels": labels, **changes}
    with pytest.raises(error, match=words):
        way(network, **arguments)


def test_every_way_refuses_probabilities(way, stripes):
    network, images, labels = stripes
    with_softmax = keras.Sequential([keras.Input((12, 12, 1)), network, keras.layers.Softmax()])
    with pytest.raises(ValueError, match="returns probabilities, but logits are needed"):
        way(with_softmax, images, labels)


@pytest.mark.parametrize(
    "changes",
    [
        {"attack_steps": 0},
        {"steps": 0},
        {"clean_fraction": 1.0},
        {"clean_fraction": -0.1},
        {"limit_warmup": 0.0},
        {"limit_warmup": 2},
    ],
    ids=case,
)
def test_adversarial_training_refuses(stripes, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        adversarial_training(*stripes, **changes)


def test_a_target_that_the_network_does_not_have_is_refused(stripes):
    with pytest.raises(ValueError, match="target_class must be from 0 to 2, got 3"):
        immunise_in_turn(*stripes, target_classes=[0, 3])
