"""Proofs: no noise ever leaves the bounds, and what cannot be bounded is named."""

from course_utils import (
    add_noise,
    certifiable_network,
    certified_accuracy,
    certified_images,
    certified_training,
    find_universal_noise,
    linear_network,
    two_tier_network,
)
from course_utils.certificates import _chain, logits_and_worst_margins, worst_margins
from course_utils.evaluation import classes_seen

import keras
import numpy as np
import pytest
from helpers import case, same_weights
from keras import layers

LIMIT = 0.1
SEVERAL_KINDS = [
    layers.Rescaling(1.5, -0.2),
    layers.ReLU(1),
    layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
    layers.MaxPooling2D(2),
    keras.Sequential(
        [layers.Conv2D(6, 2, use_bias=False), layers.BatchNormalization(), layers.ReLU()], name="nested"
    ),
    layers.AveragePooling2D(2, padding="same"),
    layers.Flatten(),
    layers.Dense(7, activation="relu"),
    layers.Dense(5, use_bias=False),
]


@pytest.fixture
def network_of_several_kinds():
    keras.utils.set_random_seed(3)
    copies = [layer.__class__.from_config(layer.get_config()) for layer in SEVERAL_KINDS]
    network = keras.Sequential([keras.Input((12, 12, 1)), *copies])
    for layer in _chain(network):
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(np.random.default_rng(0).normal(0, 0.3, layer.bias.shape))
        if isinstance(layer, layers.BatchNormalization):
            learnt(layer)
    return network


def learnt(layer):
    """Give a batch normalisation statistics, slopes of either sign and shifts, as a training would."""
    generator = np.random.default_rng(1)
    for name, low, high in (
        ("gamma", -2, 2),
        ("beta", -1, 1),
        ("moving_mean", -0.5, 0.5),
        ("moving_variance", 0.2, 2),
    ):
        if (variable := getattr(layer, name)) is not None:
            variable.assign(generator.uniform(low, high, variable.shape))


@pytest.mark.parametrize("settings", [{}, {"center": False}, {"scale": False}, {"axis": 3, "epsilon": 0.1}], ids=case)
def test_batch_normalisation_is_as_good_as_folded_into_the_convolution_before_it(settings, random_images):
    keras.utils.set_random_seed(0)
    convolution, normalised = layers.Conv2D(6, 3), layers.BatchNormalization(**settings)
    rest = [layers.ReLU(), layers.Flatten(), layers.Dense(5)]
    network = keras.Sequential([keras.Input((12, 12, 1)), convolution, normalised, *rest])
    learnt(normalised)
    folded = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(6, 3), *rest])
    shift = normalised(np.zeros((1, 10, 10, 6)))[0, 0, 0].numpy()
    slope = normalised(np.ones((1, 10, 10, 6)))[0, 0, 0].numpy() - shift
    folded.layers[0].set_weights([convolution.kernel.numpy() * slope, convolution.bias.numpy() * slope + shift])
    labels = network.predict(random_images, verbose=0).argmax(axis=1)
    bounds, same = (worst_margins(_chain(one), random_images, labels, 0.05).numpy() for one in (network, folded))
    np.testing.assert_allclose(bounds, same, atol=1e-4)
    share = certified_accuracy(network, random_images, labels, 0.001)
    assert 0 < share == certified_accuracy(folded, random_images, labels, 0.001)


@pytest.fixture(scope="session")
def certified_network(digits):
    keras.utils.set_random_seed(0)
    network = certifiable_network((14, 14, 1), 10)
    return certified_training(network, digits.train.images, digits.train.labels, LIMIT, steps=1_200, batch_size=64)


def margins(network, images, labels):
    logits = network.predict(images, verbose=0)
    return logits - np.take_along_axis(logits, labels[:, None], axis=1)


@pytest.mark.parametrize("limit", [0.02, 0.3, 1.0])
def test_no_noise_leaves_the_bounds(network_of_several_kinds, random_images, limit):
    network, labels = network_of_several_kinds, np.arange(40) % 5
    bounds = worst_margins(_chain(network), random_images, labels, limit).numpy()
    generator = np.random.default_rng(0)
    for noise in (0, limit, -limit, *(generator.choice([-limit, limit], random_images.shape) for _ in range(20))):
        noisy = np.clip(random_images + noise, 0, 1).astype(np.float32)
        assert (margins(network, noisy, labels) <= bounds + 1e-5).all()


def test_the_bounds_shrink_to_the_logits(network_of_several_kinds, random_images):
    labels = np.arange(40) % 5
    bounds = worst_margins(_chain(network_of_several_kinds), random_images, labels, 1e-6)
    np.testing.assert_allclose(bounds, margins(network_of_several_kinds, random_images, labels), atol=1e-4)


@pytest.mark.parametrize("limit", [0.02, 0.05, 0.1, 0.2])
def test_in_training_the_bounds_are_those_with_the_statistics_of_the_clean_batch(
    limit, network_of_several_kinds, random_images
):
    network, labels = network_of_several_kinds, np.arange(40) % 5
    chain = _chain(network)
    logits, bounds = logits_and_worst_margins(chain, random_images, labels, limit)
    for layer in chain:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0  # it learns the statistics of the next batch, and forgets all others
    np.testing.assert_allclose(logits, network(random_images, training=True), atol=1e-4)
    np.testing.assert_allclose(bounds, worst_margins(chain, random_images, labels, limit), atol=1e-3)


def test_frozen_batch_normalisation_keeps_its_statistics_in_training(network_of_several_kinds, random_images):
    network, labels = network_of_several_kinds, np.arange(40) % 5
    for layer in (chain := _chain(network)):
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    logits, bounds = logits_and_worst_margins(chain, random_images, labels, 0.1)
    np.testing.assert_allclose(logits, network(random_images), atol=1e-4)
    np.testing.assert_allclose(bounds, worst_margins(chain, random_images, labels, 0.1), atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_network_of_mixed_precision_is_trained_too(policy, digits):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        some = [layers.Flatten(), layers.Dense(32), layers.BatchNormalization(), layers.ReLU(), layers.Dense(10)]
        network = keras.Sequential([keras.Input((14, 14, 1)), *some])
        images, labels = digits.train.images, digits.train.labels
        trained = certified_training(network, images, labels, 0.02, steps=200)
    finally:
        keras.config.set_dtype_policy(before)
    assert certified_accuracy(trained, digits.test.images, digits.test.labels, 0.02) > 0.5


@pytest.mark.parametrize("limit", [0.02, 0.05, 0.1, 0.2])
def test_for_a_linear_network_the_proof_is_exact(limit):
    """There the worst noise is known: against each weight, as far as limit and paper allow."""
    generator = np.random.default_rng(1)
    images = generator.uniform(size=(200, 4, 4, 1)).astype(np.float32)
    network = linear_network((4, 4, 1), 3)
    network.layers[-1].set_weights([generator.normal(size=(16, 3)), generator.normal(size=3)])
    labels = network.predict(images, verbose=0).argmax(axis=1)
    kernel = network.layers[-1].kernel.numpy()
    fooled = np.zeros(200, bool)
    for rival in range(3):
        direction = (kernel[:, [rival]] - kernel[:, labels]).T.reshape(images.shape)
        noisy = np.clip(images + limit * np.sign(direction), 0, 1).astype(np.float32)
        fooled |= (rival != labels) & (margins(network, noisy, labels)[:, rival] >= 0)
    assert 0 < fooled.mean() < 1
    np.testing.assert_array_equal(certified_images(network, images, labels, limit), ~fooled)


def test_the_accuracy_is_the_share_of_proven_images_and_falls_with_the_limit(certified_network, digits):
    test = digits.test
    shares = [certified_accuracy(certified_network, test.images, test.labels, limit) for limit in (0.02, 0.1, 0.3)]
    assert shares[0] > shares[1] > shares[2]
    assert shares[1] == certified_images(certified_network, test.images, test.labels, 0.1).mean()


def test_many_images_are_done_in_batches(certified_network, digits, monkeypatch):
    images, labels = digits.test.images, digits.test.labels
    at_once = certified_images(certified_network, images, labels, LIMIT)
    monkeypatch.setattr("course_utils.evaluation.IMAGES_AT_ONCE", 70)
    np.testing.assert_array_equal(certified_images(certified_network, images, labels, LIMIT), at_once)


def test_training_makes_much_provable_and_no_attack_gets_below(certified_network, digits):
    images, labels = digits.test.images, digits.test.labels
    proven = certified_images(certified_network, images, labels, LIMIT)
    clean = classes_seen(certified_network, images) == labels
    assert proven.mean() > 0.7
    for noise in find_universal_noise(certified_network, digits.train.images, range(10), LIMIT, seed=0):
        attacked = classes_seen(certified_network, add_noise(images, noise)) == labels
        assert not (proven & ~attacked).any()
        assert proven.mean() <= attacked.mean() <= clean.mean() + 0.01


def test_little_can_be_proven_about_a_network_that_was_not_trained_for_it(plain_network, digits):
    assert certified_accuracy(plain_network, digits.test.images, digits.test.labels, LIMIT) < 0.1


def test_a_wrong_answer_is_never_proven(certified_network, digits):
    wrong = (digits.test.labels + 1) % 10
    wrong = np.where(classes_seen(certified_network, digits.test.images) == wrong, digits.test.labels, wrong)
    seen = classes_seen(certified_network, digits.test.images)
    assert not (certified_images(certified_network, digits.test.images, wrong, 1e-3) & (seen != wrong)).any()


def test_training_returns_a_new_network_and_the_same_for_the_same_seed(digits):
    images, labels = digits.train.images, digits.train.labels
    network = certifiable_network((14, 14, 1), 10)
    before = network.get_weights()
    one, again, other = (
        certified_training(network, images, labels, LIMIT, steps=10, seed=seed) for seed in (1, 1, 2)
    )
    assert same_weights(network, before)
    assert not same_weights(one, before)
    assert same_weights(one, again)
    assert not same_weights(one, other)


def test_an_interruption_leaves_the_given_network_as_it_was(digits, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    network = certifiable_network((14, 14, 1), 10)
    before = network.get_weights()
    monkeypatch.setattr(keras.optimizers.Adam, "apply", interrupt)
    with pytest.raises(KeyboardInterrupt):
        certified_training(network, digits.train.images, digits.train.labels, LIMIT, steps=10)
    assert same_weights(network, before)


def residual():
    image = keras.Input((4, 4, 1))
    flat = layers.Flatten()(image)
    return keras.Model(image, layers.Dense(3, name="logits")(layers.Add()([flat, flat])), name="residual")


def sequential(*some):
    return keras.Sequential([keras.Input((4, 4, 1)), *some, layers.Flatten(), layers.Dense(3, name="logits")])


class DenseWithATwist(layers.Dense):
    pass


UNBOUNDABLE = {
    "normalisation of each image": (lambda: sequential(layers.LayerNormalization(name="own")), "'own' .LayerNorm"),
    "normalisation of rows": (lambda: sequential(layers.BatchNormalization(axis=1, name="rows")), "'rows' .BatchN"),
    "activation": (
        lambda: sequential(layers.Conv2D(2, 2, activation="gelu", name="bent")),
        "'bent' .Conv2D, activation gelu",
    ),
    "within another": (
        lambda: sequential(keras.Sequential([layers.DepthwiseConv2D(2, name="deep")])),
        "'deep' .DepthwiseConv2D",
    ),
    "turned round": (lambda: sequential(layers.Rescaling(-1, 1, name="negative")), "'negative' .Rescaling"),
    "subclass": (lambda: sequential(DenseWithATwist(2, name="twisted")), "'twisted' .DenseWithATwist"),
    "not a chain": (residual, "'residual' .Functional"),
    "two tiers": (
        lambda: two_tier_network(linear_network((4, 4, 1), 3), [linear_network((4, 4, 1), 3) for _ in range(3)]),
        "'two_tier_network' .Functional",
    ),
    "last layer": (
        lambda: keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                layers.Flatten(),
                layers.Dense(3, "relu", kernel_initializer="ones", name="bent"),
            ]
        ),
        "last layer must be a Dense without activation, got 'bent'",
    ),
}


@pytest.mark.parametrize("kind", UNBOUNDABLE)
def test_a_layer_that_cannot_be_bounded_is_named(kind, tiny_images):
    make, words = UNBOUNDABLE[kind]
    network = make()
    for prove in (certified_accuracy, certified_training):
        with pytest.raises(ValueError, match=words):
            prove(network, tiny_images, np.arange(3), LIMIT)


@pytest.mark.parametrize("function", [certified_accuracy, certified_images, certified_training])
@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"noise_limit": 0}, ValueError, "noise_limit must be above 0"),
        ({"noise_limit": 1.5}, ValueError, "noise_limit must be above 0 and at most 1"),
        ({"noise_limit": "0.3"}, TypeError, "noise_limit must be a number"),
        ({"labels": np.arange(2)}, ValueError, "labels must have the shape"),
        ({"labels": np.array([0, 1, 3])}, ValueError, "labels must be classes from 0 to 2"),
        ({"images": np.zeros((3, 5, 5, 1), np.float32)}, ValueError, "the network takes"),
        ({"images": np.zeros((3, 4, 4, 1), np.uint8)}, TypeError, "images must be float32"),
        ({"images": np.full((3, 4, 4, 1), np.nan, np.float32)}, ValueError, "no NaN"),
    ],
    ids=case,
)
def test_bad_input_gets_a_sentence(function, changes, error, words, tiny_network, tiny_images):
    arguments = {"images": tiny_images, "labels": np.arange(3), "noise_limit": LIMIT, **changes}
    with pytest.raises(error, match=words):
        function(tiny_network, **arguments)


def test_probabilities_are_refused(tiny_images):
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, activation="softmax", name="answer")]
    )
    with pytest.raises(ValueError, match=r"probabilities, but logits are needed"):
        certified_accuracy(network, tiny_images, np.arange(3), LIMIT)


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"batch_size": 0}, {"clean_weight": -0.1}, {"clean_weight": 1.1}], ids=case
)
def test_settings_out_of_range_are_named(settings, tiny_network, tiny_images):
    with pytest.raises(ValueError, match=rf"{next(iter(settings))} must be (at least 1|in \[0, 1\]), got"):
        certified_training(tiny_network, tiny_images, np.arange(3), LIMIT, **settings)
