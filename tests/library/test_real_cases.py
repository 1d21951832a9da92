"""What readers bring along: their own networks, data and labels. Each gets the right value, or a sentence that helps.

The recipes that the sentences give are followed here, to see that they work.
"""

import dataclasses
import io
import warnings

from course_utils import (
    Dataset,
    Split,
    adversarial_training,
    attacks,
    certified_accuracy,
    certified_images,
    evaluate_noise,
    find_image_noise,
    find_universal_noise,
    immunise_in_turn,
    immunise_interleaved,
    linear_network,
    noise_lab,
    plot_confusion,
    plot_images,
    reattack,
)
from course_utils.evaluation import classes_seen
from course_utils.immunity import InterleavedTraining, fit
from course_utils.lab.engine import Engine
from course_utils.models import copy_network

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

NOTHING = np.zeros((14, 14, 1), np.float32)


def tail(units=10, activation=None):
    return [layers.Conv2D(8, 5, strides=2, activation="relu"), layers.Flatten(), layers.Dense(units, activation)]


def fitted(network, images, labels, loss=None, epochs=10):
    keras.utils.set_random_seed(0)
    network.compile("adam", loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images, labels, epochs=epochs, batch_size=32, verbose=0)
    return network


def accuracy(network, images, labels):
    return float(np.mean(np.argmax(network(images, training=False), axis=1) == labels))


@pytest.fixture(scope="module")
def train(digits):
    return digits.train.images, digits.train.labels


@pytest.fixture(scope="module")
def test(digits):
    return digits.test.images, digits.test.labels


@pytest.fixture(scope="module")
def fitted_once(train):
    return fitted(keras.Sequential([keras.Input((14, 14, 1)), *tail()]), *train)


@pytest.fixture
def network(fitted_once):
    """A network that may be changed."""
    return copy_network(fitted_once)


@pytest.fixture
def few_steps(monkeypatch):
    """All attacks, with few steps each: enough to see whether they come to an end, and to the same one."""
    quick = dataclasses.replace(
        attacks.STRENGTHS["quick"], steps=8, rounds=(attacks._Round(1, 8, 96, 0.1),), single_steps=5,
        single_images=60, square_images=30, square_queries=10,
    )  # fmt: skip
    monkeypatch.setitem(attacks.STRENGTHS, "quick", quick)


# Copies


def test_the_copy_of_a_network_with_an_adapted_normalisation_answers_alike(train, test, tmp_path):
    scale = layers.Normalization(axis=None)
    scale.adapt(train[0])
    network = fitted(keras.Sequential([keras.Input((14, 14, 1)), scale, *tail()]), *train)
    np.testing.assert_allclose(network(test[0]), copy_network(network)(test[0]), atol=1e-4)
    same = immunise_in_turn(network, *train, [3], noise_steps=0, training_steps=0)
    assert accuracy(same, *test) == accuracy(network, *test) > 0.9
    trained = adversarial_training(network, *train, 0.1, steps=20)
    trained.save(tmp_path / "trained.keras")
    assert accuracy(keras.saving.load_model(tmp_path / "trained.keras"), *test) == accuracy(trained, *test)


def test_a_network_with_a_lambda_layer_is_trained(train):
    network = keras.Sequential([keras.Input((14, 14, 1)), layers.Lambda(lambda x: x * 2 - 1), *tail()])
    trained = adversarial_training(network, *train, 0.1, steps=3)
    assert not np.array_equal(trained.get_weights()[0], network.get_weights()[0])


# A network that is changed after it was measured


def test_what_is_measured_is_the_network_as_it_is(network, train, test):
    before = evaluate_noise(network, *test, NOTHING, None).accuracy
    noise = find_universal_noise(network, train[0], 3, seed=0)
    weights = network.layers[-1].get_weights()
    network.pop()
    network.add(layers.Dense(10))
    network.layers[-1].set_weights([-each for each in weights])  # as wrong as can be
    with pytest.warns(UserWarning, match="the network reads .* of the clean images, little more than by chance"):
        after = evaluate_noise(network, *test, NOTHING, None)
    assert after.accuracy == after.clean_accuracy == accuracy(network, *test) < 0.1 < 0.9 < before
    other = find_universal_noise(network, train[0], 3, seed=0)
    assert np.mean(np.sign(noise) != np.sign(other)) > 0.2


def test_another_activation_is_seen_too(network, test):
    evaluate_noise(network, *test, NOTHING, None)
    network.layers[0].activation = keras.activations.exponential
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert evaluate_noise(network, *test, NOTHING, None).accuracy == accuracy(network, *test)


def test_five_classes_after_ten(train, test):
    network = keras.Sequential([keras.Input((14, 14, 1)), *tail()])
    evaluate_noise(network, test[0], None, NOTHING, None)
    network.pop()
    network.add(layers.Dense(5))
    assert evaluate_noise(network, test[0], None, NOTHING, None).confusion.shape == (5, 5)


# Outputs


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_of_one_output_two_are_made_as_the_sentence_says(train, test, activation):
    labels = train[1] % 2
    network = keras.Sequential([keras.Input((14, 14, 1)), *tail(1, activation)])
    fitted(network, train[0], labels, keras.losses.BinaryCrossentropy(from_logits=activation is None))
    for target in (0, None):
        with pytest.raises(ValueError, match="one output, but it needs one for each class"):
            find_universal_noise(network, train[0], target)
    network.layers[-1].activation = keras.activations.linear
    two = layers.Dense(2, use_bias=False)
    both = keras.Sequential([keras.Input((14, 14, 1)), network, two])
    two.set_weights([np.array([[0, 1]])])
    assert evaluate_noise(both, test[0], test[1] % 2, NOTHING, None).accuracy > 0.8
    (noise,) = find_universal_noise(both, train[0], 0, seed=0)
    assert evaluate_noise(both, test[0], test[1] % 2, noise, 0).success_rate > 0.5


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_of_probabilities_logits_are_made_as_the_sentence_says(train, activation):
    network = keras.Sequential([keras.Input((14, 14, 1)), *tail(10, activation)])
    fitted(network, train[0], keras.utils.to_categorical(train[1], 10), "binary_crossentropy")
    with pytest.raises(ValueError, match="returns probabilities"):
        find_image_noise(network, train[0][:5], 3)
    network.layers[-1].activation = keras.activations.linear
    noise, _ = find_image_noise(network, train[0][:20], 3)
    assert evaluate_noise(network, train[0][:20], train[1][:20], noise, 3).success_rate > 0.9


def rounded(x):
    return keras.ops.round(x * 4) / 4


def only_the_answer(x):
    return 5 * keras.ops.one_hot(keras.ops.argmax(x, axis=1), 10)


@pytest.fixture(scope="module")
def without_slope(fitted_once):
    """Networks that let no gradient through, and one that was never trained."""
    inputs = keras.Input((14, 14, 1))
    return {
        "rounded logits": keras.Model(inputs, layers.Lambda(rounded)(fitted_once(inputs))),
        "one-hot": keras.Model(inputs, layers.Lambda(only_the_answer)(fitted_once(inputs))),
        "rounded images": keras.Sequential([inputs, layers.Lambda(rounded), fitted_once]),
        "untrained": linear_network((14, 14, 1)),
    }


SEARCHES = {
    "for all images": lambda network, images, labels: find_universal_noise(network, images, 3),
    "for several classes": lambda network, images, labels: find_universal_noise(network, images, [3, 4]),
    "away": lambda network, images, labels: find_universal_noise(network, images, None, restarts=2),
    "for single images": lambda network, images, labels: find_image_noise(network, images[:5], 3),
    "adversarial training": lambda network, images, labels: adversarial_training(network, images, labels, steps=2),
    "in turn": lambda network, images, labels: immunise_in_turn(
        network, images, labels, [3], noise_steps=1, training_steps=1
    ),
}


@pytest.mark.parametrize(
    ("network", "search"),
    [
        ("rounded logits", "for all images"),
        ("rounded logits", "away"),
        ("rounded logits", "for single images"),
        ("rounded logits", "adversarial training"),
        ("rounded logits", "in turn"),
        ("one-hot", "for all images"),
        ("one-hot", "for single images"),
        ("one-hot", "adversarial training"),
        ("rounded images", "adversarial training"),
        ("untrained", "for several classes"),
    ],
)
def test_a_gradient_that_is_hidden_is_said_and_no_noise_of_zeros_returned(train, without_slope, network, search):
    with pytest.raises(ValueError, match="the gradient for the pixels is zero for all images"):
        SEARCHES[search](without_slope[network], *train)


# Inputs


def test_a_network_for_0_to_255_gets_the_recipe_and_the_recipe_works(train, test):
    network = keras.Sequential([keras.Input((14, 14, 1)), layers.Rescaling(1 / 255), *tail()])
    fitted(network, train[0] * 255, train[1])
    stored = np.round(train[0] * 255).astype(np.uint8)
    recipe = r"keras.Sequential\(\[keras.Input\(\(14, 14, 1\)\), keras.layers.Rescaling\(255\), network\]\)"
    with pytest.warns(UserWarning, match=f"divides its pixels by 255.*{recipe}"):
        find_universal_noise(network, stored, 3, seed=0)
    behind = keras.Sequential([keras.Input((14, 14, 1)), layers.Rescaling(255), network])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (noise,) = find_universal_noise(behind, stored, 3, seed=0)
        report = evaluate_noise(behind, *test, noise, 3)
    assert report.clean_accuracy > 0.9
    assert report.success_rate > 0.9


def test_networks_without_a_channel_or_for_flat_numbers_work_behind_a_reshape(train, test):
    without = keras.Sequential([keras.Input((14, 14)), layers.Flatten(), layers.Dense(10)])
    flat = keras.Sequential([keras.Input((196,)), layers.Dense(10)])
    for network, images in ((without, train[0][..., 0]), (flat, train[0].reshape(-1, 196))):
        fitted(network, images, train[1])
        shape = network.input_shape[1:]
        for given in (images, train[0]):
            with pytest.raises(ValueError, match=r"put it into keras.Sequential\(.*keras.layers.Reshape\(\(") as said:
                find_universal_noise(network, given, 3)
        assert f"Reshape({shape})" in str(said.value)
        reshaped = keras.Sequential([keras.Input((14, 14, 1)), layers.Reshape(shape), network])
        (noise,) = find_universal_noise(reshaped, train[0], 3, seed=0)
        assert evaluate_noise(reshaped, *test, noise, 3).success_rate > 0.9


class OfItsOwn(keras.Model):
    """As TensorFlow's quickstart for experts writes a network."""

    def __init__(self):
        super().__init__()
        self.steps = tail()

    def call(self, images):
        for step in self.steps:
            images = step(images)
        return images


def test_a_network_written_as_a_class_is_searched_and_measured(train, test):
    network = fitted(OfItsOwn(), *train)
    (noise,) = find_universal_noise(network, train[0], 3, seed=0)
    report = evaluate_noise(network, *test, noise, 3)
    assert report.clean_accuracy == accuracy(network, *test) > 0.9
    assert report.success_rate > 0.9
    with pytest.raises(ValueError, match="the network cannot be copied"):
        adversarial_training(network, *train, steps=2)


@pytest.mark.parametrize(
    ("policy", "last"), [("mixed_bfloat16", None), ("mixed_float16", None), ("mixed_float16", "float32")]
)
def test_mixed_precision_is_cast_and_not_refused(train, test, policy, last):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        network = keras.Sequential([keras.Input((14, 14, 1)), *tail()[:-1], layers.Dense(10, dtype=last)])
        fitted(network, *train, epochs=3)
        (noise,) = find_universal_noise(network, train[0], 3, seed=0)
        assert noise.dtype == np.float32
        assert evaluate_noise(network, *test, noise, 3).success_rate > 0.8
        single, _ = find_image_noise(network, test[0][:20], 3)
        assert single.dtype == np.float32
        assert accuracy(immunise_in_turn(network, *train, [3], noise_steps=2, training_steps=2), *test) > 0.5
        assert accuracy(adversarial_training(network, *train, 0.05, steps=5), *test) > 0.5
        proven = certified_accuracy(network, *test, 0.001)
        assert 0.1 < proven <= accuracy(network, *test)
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def test_nothing_is_proven_of_whole_numbers(test):
    network = keras.Sequential([keras.Input((14, 14, 1), dtype="int32"), layers.Flatten(), layers.Dense(10)])
    with pytest.raises(ValueError, match="network takes int32"):
        certified_accuracy(network, *test, 0.1)


def test_what_is_misread_is_never_proven(test):
    network = linear_network((14, 14, 1))
    network.layers[-1].set_weights([np.zeros((196, 10)), np.eye(10)[4] * 5])
    assert (test[1] == 4).tolist() == certified_images(network, *test, 0.3).tolist()


# Other numbers of classes


def test_every_one_of_a_hundred_classes_has_its_turn():
    images = np.random.default_rng(0).uniform(size=(400, 8, 8, 3)).astype(np.float32)
    labels = np.arange(400) % 100
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(100)])
    training = InterleavedTraining(network, 8 / 255)
    fit(training, images, labels, steps=20, seed=0)
    assert np.abs(np.asarray(training.all_noise)).max(axis=(1, 2, 3)).min() > 0
    seen = []
    immunise_in_turn(
        network, images, labels, noise_limit=8 / 255, noise_steps=1, training_steps=1,
        watch=lambda _, __, target, when: seen.append(target),
    )  # fmt: skip
    assert sorted(set(seen)) == list(range(100))


def test_a_lab_begins_where_there_is_something_to_see(digits):
    network = keras.Sequential([keras.Input((14, 14, 1)), *tail(5)])
    some = Split(digits.test.images[digits.test.labels < 5], digits.test.labels[digits.test.labels < 5])
    five = Dataset(some, some, some, tuple("abcde"), "five", True, "five")
    lab = noise_lab(network, five, panel="image")
    assert lab.engine.labels[lab.about["first"]] == 0
    settings = {"network": "network", "place": lab.about["first"], "target": 3, "most_steps": 2}
    assert lab.engine.answer("single", settings)[0]["label"] == 0
    with pytest.raises(ValueError, match="target_class must be from 0 to 4, got 7"):
        noise_lab(network, five, 7)


# Colour, names, labels


@pytest.fixture(scope="module")
def signs():
    hue = np.arange(86) % 43
    images = np.full((86, 24, 24, 3), 0.5, np.float32)
    images[:, 4:20, 4:20, 0], images[:, 4:20, 4:20, 1] = (hue / 42)[:, None, None], (1 - hue / 42)[:, None, None]
    names = tuple(f"sign {number}" for number in range(43))
    network = fitted(keras.Sequential([keras.Input((24, 24, 3)), *tail(43)]), images, hue, epochs=2)
    return network, Dataset(*(Split(images, hue) for _ in range(3)), names, "signs", False, "signs")


def colours_in(picture):
    """How far are the channels of a PNG file apart?"""
    pixels = np.asarray(Image.open(io.BytesIO(picture))).astype(int)
    return np.abs(pixels[..., 0] - pixels[..., 1]).max()


def test_a_lab_shows_colours(signs, monkeypatch):
    network, data = signs
    lab = noise_lab(network, data, 14, 0.1)
    settings = {"network": "network", "target": 14, "limit": 0.1}
    _, (pixels, noise) = lab.engine.answer("search", settings)
    assert pixels.shape == (9, 24, 24, 3)
    assert noise.shape == (24, 24, 3)
    monkeypatch.setenv("COURSE_STILLS", "1")
    data, about = lab._repr_mimebundle_()
    assert colours_in(data["image/png"]) > 150  # the first sign is green, the last one red
    assert "sign 14" in about["image/png"]["alt"]


def test_plots_without_names_show_numbers(signs):
    _, data = signs
    figure = plot_images(data.test.images[20:29], data.test.labels[20:29])
    assert [axis.get_title() for axis in figure.axes] == [str(label) for label in range(20, 29)]
    plot_confusion(np.eye(43, dtype=int))
    (unknown,) = plot_images(data.test.images[:1], [-1], class_names=data.class_names).axes
    assert unknown.get_title() == "?"
    plt.close("all")


def test_bytes_are_plotted_as_they_look(digits):
    images = np.round(digits.test.images[:2] * 255).astype(np.uint8)
    figure = plot_images(images)
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), digits.test.images[0][..., 0], atol=0.01)
    plt.close("all")


def test_classes_are_called_by_their_names(digits):
    network = keras.Sequential([keras.Input((14, 14, 1)), *tail()])
    named = Dataset(digits.train, digits.validation, digits.test, tuple("abcdefghij"), "", True, "")
    assert noise_lab(network, named).about["classes"] == list("abcdefghij")
    with pytest.raises(ValueError, match=r"the network has 10 classes, but dataset\.class_names names 3"):
        noise_lab(network, Dataset(digits.train, digits.validation, digits.test, ("a", "b", "c"), "", True, ""), 1)


@pytest.mark.parametrize("kind", ["int32", "uint8", "tensor"])
def test_labels_of_any_whole_type(digits, few_steps, kind):
    network = linear_network((14, 14, 1))
    network.layers[-1].set_weights([np.random.default_rng(0).normal(size=(196, 10)), np.zeros(10)])
    few = digits.test.images[:20].copy(), digits.test.labels[:20].copy()
    as_kind = tf.constant if kind == "tensor" else lambda labels: labels.astype(kind)
    mine, usual = (
        Dataset(*(Split(few[0], labels) for _ in range(3)), digits.class_names, "mine", False, "mine")
        for labels in (as_kind(few[1]), few[1])
    )
    assert mine.test.labels.dtype == np.int64
    for measure in (
        lambda data: Engine(network, data).answer("curves", {"network": "network", "limits": [0.1]})[0],
        lambda data: reattack(network, data).by_attack,
        lambda data: Engine(network, data).answer("search", {"network": "network", "target": 3})[0],
    ):
        found = measure(mine)
        assert found == measure(usual)
        assert "error" not in found


def test_an_array_that_was_made_a_split_can_still_be_written_to(digits):
    images, labels = digits.test.images[:5].copy(), digits.test.labels[:5].copy()
    split = Split(images, labels)
    images[0], labels[0] = 0, 0
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 0


def test_answers_of_nan_are_no_success(test):
    """Where a network breaks on some images only, that is said, and not counted as a class."""
    inputs = keras.Input((14, 14, 1))
    logits = layers.Dense(10)(layers.Flatten()(inputs))
    brightest = keras.ops.max(inputs, axis=(1, 2, 3))[:, None]
    network = keras.Model(inputs, keras.ops.where(brightest > 0.99, np.nan, logits))
    images = np.concatenate([np.minimum(test[0][:20], 0.9), np.ones((1, 14, 14, 1), np.float32)])
    with pytest.raises(ValueError, match="returns NaN or infinity"):
        evaluate_noise(network, images, None, NOTHING, 0)
    with pytest.raises(ValueError, match="returns NaN or infinity"):
        classes_seen(network, images)


def test_functions_run_as_graphs_or_that_is_said(train):
    tf.config.run_functions_eagerly(True)
    try:
        with pytest.raises(ValueError, match=r"tf.config.run_functions_eagerly\(False\)"):
            find_universal_noise(linear_network((14, 14, 1)), train[0], 3)
    finally:
        tf.config.run_functions_eagerly(False)


def test_layers_that_are_random_in_training_are_not_so_in_any_measure(few_steps, test):
    network = keras.Sequential(
        [keras.Input((14, 14, 1)), layers.RandomTranslation(0.5, 0.5), layers.GaussianNoise(1.0), *tail()]
    )
    network.layers[0].trainable = True
    data = Dataset(*(Split(test[0][:60], test[1][:60]) for _ in range(3)), tuple("0123456789"), "", True, "")
    quiet = keras.Sequential([keras.Input((14, 14, 1)), *network.layers[2:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert reattack(network, data).by_attack == reattack(quiet, data).by_attack
    first, again = (find_image_noise(one, test[0][:1], 3, max_steps=3)[0] for one in (network, quiet))
    np.testing.assert_allclose(first, again, atol=1e-6)


@pytest.mark.parametrize("shape", [(28, 8, 1), (3, 3, 1), (4, 9, 1), (2, 40, 3)])
def test_images_of_any_shape_are_attacked_to_the_end(few_steps, shape):
    images = np.random.default_rng(0).uniform(size=(30, *shape)).astype(np.float32)
    network = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])
    labels = np.arange(30) % 3
    data = Dataset(*(Split(images, labels) for _ in range(3)), ("a", "b", "c"), "", True, "")
    report = reattack(network, data, 0.3, seed=2**32 - 1)
    assert len(report.all_noise) == 3
    assert {"single images, no gradients", "single images, from grey"} <= set(report.by_attack)


def test_a_copy_keeps_what_was_adapted_even_where_no_logit_shows_it_yet(train, tmp_path):
    scale = layers.Normalization(axis=None)
    scale.adapt(train[0] * 0.1 + 0.3)
    last = layers.Dense(10, kernel_initializer="zeros")
    network = keras.Sequential([keras.Input((14, 14, 1)), scale, layers.Flatten(), last])
    trained = adversarial_training(network, *train, 0.05, steps=10)
    np.testing.assert_allclose(trained.layers[0](train[0][:5]), scale(train[0][:5]), atol=1e-4)
    trained.save(tmp_path / "trained.keras")
    again = keras.saving.load_model(tmp_path / "trained.keras")
    np.testing.assert_allclose(again(train[0][:5]), trained(train[0][:5]), atol=1e-4)


def test_what_overflows_proves_nothing():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1, activation="relu"), layers.Dense(2)]
    )
    network.layers[1].set_weights([np.full((16, 1), 3e37, np.float32), np.array([-2e37], np.float32)])
    network.layers[2].set_weights([np.array([[0.0, 1.0]]), np.array([1.5, 0.0])])
    images = np.zeros((4, 4, 4, 1), np.float32)
    assert np.asarray(network(images + 0.2)).argmax(axis=1).tolist() == [1] * 4
    assert not certified_images(network, images, [0] * 4, 1.0).any()


def test_a_relu_of_tensorflow_is_a_relu(test):
    ours, theirs = (
        keras.Sequential([keras.Input((14, 14, 1)), layers.Flatten(), layers.Dense(20, relu), layers.Dense(10)])
        for relu in ("relu", tf.nn.relu)
    )
    theirs.set_weights(ours.get_weights())
    assert certified_accuracy(ours, *test, 0.001) == certified_accuracy(theirs, *test, 0.001)


def test_a_setting_that_the_first_images_do_not_show_is_seen_all_the_same(test):
    images = test[0][:40].copy()
    images[:8] *= 0.4
    network = keras.Sequential(
        [keras.Input((14, 14, 1)), layers.ReLU(max_value=1.0), layers.Flatten(), layers.Dense(10)]
    )
    seen = classes_seen(network, images)
    evaluate_noise(network, images, seen, NOTHING, None)
    network.layers[0].max_value = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert evaluate_noise(network, images, seen, NOTHING, None).accuracy == accuracy(network, images, seen)
    assert np.any(classes_seen(network, images) != seen)


def test_words_between_dollars_are_shown_letter_by_letter(digits):
    names = ("$x_$", "$\\frac$", *"cdefghij")
    figure = plot_images(digits.test.images[:3], [0, 1, 2], class_names=names, caption="costs 3$ to 4$")
    figure.savefig(io.BytesIO(), format="png")
    plot_confusion(np.eye(10, dtype=int), names).savefig(io.BytesIO(), format="png")
    plt.close("all")


@pytest.mark.parametrize("immunise", [immunise_in_turn, immunise_interleaved])
def test_trainings_that_move_a_noise_are_told_to_leave_a_strategy(immunise, train):
    network = linear_network((14, 14, 1))
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(ValueError, match=r"outside strategy.scope"),
    ):
        immunise(network, *train)
