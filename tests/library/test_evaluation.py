"""evaluate_noise: measures what it says, and refuses what would make an attack look better than it is."""

from course_utils import evaluate_noise, evaluation, find_universal_noise

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import case

NO_NOISE = np.zeros((4, 4, 1), np.float32)


def ink_in_row(row, amount=0.3):
    noise = NO_NOISE.copy()
    noise[row] = amount
    return noise


def test_without_noise_it_reports_the_clean_network(tiny_network, tiny_images):
    report = evaluate_noise(tiny_network, tiny_images, np.arange(3), NO_NOISE, target_class=2)
    assert report.accuracy == 1
    assert report.success_rate == 0
    assert report.fooling_rate == 0
    assert report.largest == 0
    np.testing.assert_array_equal(report.confusion, np.eye(3))


def test_success_leaves_the_target_class_out_and_accuracy_does_not(tiny_network, tiny_images):
    images = np.concatenate(
        [tiny_images, tiny_images[2:], tiny_images[:1] * 2 / 3]
    )  # classes 0 1 2 2 0, the last weak
    labels = np.array([0, 1, 2, 2, 0])
    report = evaluate_noise(tiny_network, images, labels, ink_in_row(2, 0.5), target_class=2, noise_limit=0.5)
    assert report.success_rate == pytest.approx(1 / 3)  # of 0, 1, 0 only the weak one falls
    assert report.accuracy == pytest.approx(4 / 5)
    assert report.fooling_rate == pytest.approx(1 / 5)
    assert report.largest == pytest.approx(0.5)
    np.testing.assert_array_equal(report.confusion, [[1, 0, 1], [0, 1, 0], [0, 0, 2]])


def test_the_fooling_rate_compares_predictions_not_labels(tiny_network, tiny_images):
    wrong_labels = np.array([1, 2, 0])
    report = evaluate_noise(tiny_network, tiny_images, wrong_labels, NO_NOISE, target_class=None)
    assert report.accuracy == 0
    assert report.fooling_rate == 0
    assert report.success_rate is None


def test_it_measures_clipped_images(tiny_network):
    """Negative noise on blank paper does nothing; without clipping it would move the scores."""
    image = np.zeros((1, 4, 4, 1), np.float32)
    image[0, 0] = 0.1
    noise = ink_in_row(1, 0.05) + ink_in_row(2, -0.3)
    noise[0] = -0.08  # row 0 keeps 0.02, row 1 gains 0.05, row 2 stays blank
    report = evaluate_noise(tiny_network, image, np.array([0]), noise, target_class=1)
    assert report.success_rate == 1
    report = evaluate_noise(tiny_network, image, np.array([0]), ink_in_row(0, -0.3), target_class=1)
    assert report.fooling_rate == 0  # all blank: the first class wins the tie, as before


def test_the_answer_to_clean_images_is_of_this_network_and_of_these_images(random_network, random_images):
    """It is kept from noise to noise, but not when weights, pixels, layers or a variable in one of these change."""
    factor = tf.Variable(1.0)
    network = keras.Sequential([random_network, keras.layers.Lambda(lambda logits: logits * factor)])
    images, noise = random_images.copy(), np.zeros((12, 12, 1), np.float32)

    def seen_clean():
        report = evaluate_noise(network, images, None, noise, target_class=None)
        assert report.fooling_rate == 0
        return report.confusion.sum(axis=1)

    as_it_was = seen_clean()
    factor.assign(-1)
    turned = seen_clean()
    assert not np.array_equal(turned, as_it_was)
    factor.assign(1)
    np.testing.assert_array_equal(seen_clean(), as_it_was)
    assert as_it_was[0] < 8
    images[8:] = 0  # where all logits are 0, and the first class is seen
    assert seen_clean()[0] >= 32
    weights = random_network.get_weights()
    random_network.layers[-1].bias.assign([0, 0, 0, 99, 0])
    np.testing.assert_array_equal(seen_clean(), [0, 0, 0, 40, 0])
    random_network.set_weights(weights)
    network.pop()
    network.add(keras.layers.Lambda(lambda logits: keras.ops.add(logits, [0, 99, 0, 0, 0])))
    np.testing.assert_array_equal(seen_clean(), [0, 40, 0, 0, 0])


def test_clean_images_are_looked_at_once_for_many_noises(tiny_network, tiny_images, monkeypatch):
    looked_at, classes_seen = [], evaluation.classes_seen
    monkeypatch.setattr(
        evaluation, "classes_seen", lambda network, images: looked_at.append(images) or classes_seen(network, images)
    )
    for row in range(3):
        evaluate_noise(tiny_network, tiny_images, np.arange(3), ink_in_row(row), target_class=row)
    assert sum(np.array_equal(images, tiny_images) for images in looked_at) == 1


def test_noise_of_its_own_for_each_image(tiny_network, tiny_images):
    noise = np.stack([ink_in_row((row + 1) % 3, 0.7) for row in range(3)])
    report = evaluate_noise(tiny_network, tiny_images, np.arange(3), noise, target_class=None, noise_limit=0.7)
    assert report.fooling_rate == 1
    np.testing.assert_array_equal(report.confusion, np.roll(np.eye(3), 1, axis=1))


def test_many_images_are_counted_once_each(tiny_network, tiny_images):
    images, labels = np.tile(tiny_images, (701, 1, 1, 1)), np.tile(np.arange(3), 701)
    report = evaluate_noise(tiny_network, images, labels, NO_NOISE, target_class=0)
    assert report.confusion.sum() == 2_103
    assert report.accuracy == 1


@pytest.mark.parametrize("known", [True, False], ids=["labels", "no labels"])
@pytest.mark.parametrize("each", [True, False], ids=["a noise for each", "one noise"])
def test_bytes_are_measured_as_the_floats_that_they_stand_for(stripes, monkeypatch, known, each):
    network, images, labels = stripes
    stored = np.round(images[:40] * 255).astype(np.uint8)
    labels = labels[:40] if known else None
    (noise,) = find_universal_noise(network, images, 1, 0.22, seed=0)  # not all fall
    noise = np.linspace(0, 1, 40, dtype=np.float32)[:, None, None, None] * noise if each else noise
    monkeypatch.setattr("course_utils.evaluation.IMAGES_AT_ONCE", 7)
    report, expected = (
        evaluate_noise(network, images, labels, noise, 1) for images in (stored, stored.astype(np.float32) / 255)
    )
    np.testing.assert_array_equal(report.confusion, expected.confusion)
    assert vars(report) | {"confusion": None} == vars(expected) | {"confusion": None}
    assert 0 < report.fooling_rate < 1


def test_it_sees_weights_that_change_later(tiny_network, tiny_images):
    labels = np.arange(3)
    assert evaluate_noise(tiny_network, tiny_images, labels, NO_NOISE, None).accuracy == 1
    tiny_network.set_weights([-weight for weight in tiny_network.get_weights()])
    assert evaluate_noise(tiny_network, tiny_images, labels, NO_NOISE, None).accuracy == 0


def test_the_report_cannot_be_changed(tiny_network, tiny_images):
    report = evaluate_noise(tiny_network, tiny_images, np.arange(3), NO_NOISE, None)
    with pytest.raises(AttributeError):
        report.accuracy = 0.99


def test_noise_at_its_limit_passes_whatever_float32_makes_of_it(tiny_network, tiny_images):
    for limit in (0.1, 0.35, 0.7, 3 / 255):
        noise = ink_in_row(1, np.float32(limit))
        assert evaluate_noise(tiny_network, tiny_images, np.arange(3), noise, 1, limit).largest == np.float32(limit)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"noise": ink_in_row(1, 0.36)}, ValueError, "noise reaches 0.36, beyond noise_limit = 0.35"),
        ({"noise": ink_in_row(1, -0.36)}, ValueError, "noise reaches 0.36"),
        ({"noise": np.zeros((5, 5, 1), np.float32)}, ValueError, "noise must have the shape"),
        ({"target_class": 3}, ValueError, "target_class must be from 0 to 2, got 3"),
        ({"target_class": "3"}, TypeError, "target_class must be a whole number"),
        ({"target_class": True}, TypeError, "target_class must be a whole number"),
        ({"labels": np.array([2, 2, 2])}, ValueError, "all images are of the target class 2"),
        ({"labels": np.array([0, 1])}, ValueError, r"labels must have the shape \(3,\), one per image, got \(2,\)"),
        ({"labels": np.array([0, 1, 3])}, ValueError, "labels must be classes from 0 to 2, got 0 to 3"),
        ({"labels": np.array([0.0, 1, 2])}, TypeError, "labels must be whole numbers"),
        ({"noise_limit": 1.2}, ValueError, "noise_limit must be above 0 and at most 1"),
        ({"images": np.zeros((3, 5, 5, 1), np.float32)}, ValueError, "the network takes"),
        ({"images": np.zeros((0, 4, 4, 1), np.float32)}, ValueError, "images is empty"),
        ({"images": np.zeros((3, 5, 5, 1), np.uint8)}, ValueError, "the network takes"),
        ({"images": np.zeros((3, 4, 4, 1), np.int32)}, TypeError, "images must be float32, got int32"),
    ],
    ids=case,
)
def test_it_refuses(tiny_network, tiny_images, changes, error, words):
    arguments = {
        "images": tiny_images,
        "labels": np.arange(3),
        "noise": NO_NOISE,
        "target_class": 2,
        "noise_limit": 0.35,
    }
    with pytest.raises(error, match=words):
        evaluate_noise(tiny_network, **{**arguments, **changes})
