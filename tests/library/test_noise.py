"""Noise: how it is added, and the layer that holds it."""

from course_utils import AdversarialNoise, add_noise, linear_network

import keras
import numpy as np
import pytest
from helpers import case


def test_add_noise_adds_and_clips(tiny_images):
    noise = np.full((4, 4, 1), 0.5, np.float32)
    noise[0] = -0.5
    noisy = add_noise(tiny_images, noise)
    assert noisy.dtype == np.float32
    np.testing.assert_allclose(noisy[0, 0], 0.1, atol=1e-6)  # 0.6 - 0.5
    np.testing.assert_allclose(noisy[1, 0], 0.0)  # below 0: clipped
    np.testing.assert_allclose(noisy[1, 1], 1.0)  # above 1: clipped


def test_add_noise_takes_one_noise_for_each_image(tiny_images):
    noise = np.stack([np.full((4, 4, 1), value, np.float32) for value in (0.1, 0.2, 0.3)])
    np.testing.assert_allclose(add_noise(tiny_images, noise)[:, 3, 0, 0], [0.1, 0.2, 0.3])


def nan_in(array):
    array = array.copy()
    array.flat[0] = np.nan
    return array


IMAGES, NOISE = np.zeros((2, 4, 4, 1), np.float32), np.zeros((4, 4, 1), np.float32)


@pytest.mark.parametrize(
    ("images", "noise", "error", "words"),
    [
        (IMAGES.astype(np.float64), NOISE, TypeError, "images must be float32, got float64"),
        (np.zeros((2, 4, 4, 1), np.uint8), NOISE, TypeError, "divide by 255"),
        ("a string", NOISE, TypeError, "images must be float32"),
        (IMAGES[0], NOISE, ValueError, r"images must have the shape \(N, H, W, C\), got \(4, 4, 1\)"),
        (IMAGES[:0], NOISE, ValueError, "images is empty"),
        (IMAGES + 2, NOISE, ValueError, r"pixels in \[0, 1\]"),
        (IMAGES - 0.1, NOISE, ValueError, r"pixels in \[0, 1\]"),
        (nan_in(IMAGES), NOISE, ValueError, "no NaN"),
        (IMAGES, NOISE[:3], ValueError, r"noise must have the shape \(4, 4, 1\) .* got \(3, 4, 1\)"),
        (IMAGES, NOISE[..., 0], ValueError, "noise must have the shape"),
        (IMAGES, nan_in(NOISE), ValueError, "NaN"),
        (IMAGES, NOISE.astype(np.float64), TypeError, "noise must be float32"),
    ],
    ids=case,
)
def test_add_noise_refuses(images, noise, error, words):
    with pytest.raises(error, match=words):
        add_noise(images, noise)


def attack_model(network, **settings):
    layer = AdversarialNoise(**settings)
    model = keras.Sequential([keras.Input(network.input_shape[1:]), layer, network])
    network.trainable = False
    model.compile(keras.optimizers.Adam(0.3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, layer


def test_the_layer_starts_at_zero_and_changes_nothing(random_network, random_images):
    model, layer = attack_model(random_network, limit=0.2, l2_weight=0.0)
    assert not layer.noise.numpy().any()
    np.testing.assert_array_equal(
        model.predict(random_images, verbose=0), random_network.predict(random_images, verbose=0)
    )


@pytest.mark.parametrize("shape", [(12, 12, 1), (6, 8, 3)])
def test_after_every_step_the_noise_is_within_its_limit(shape):
    model, layer = attack_model(linear_network(shape, 4), limit=0.2, l2_weight=0.0)
    model.layers[-1].layers[-1].set_weights([np.random.default_rng(0).normal(size=(np.prod(shape), 4)), np.zeros(4)])
    images = np.random.default_rng(1).uniform(size=(8, *shape)).astype(np.float32)
    for _ in range(5):
        model.train_on_batch(images, np.full(8, 2))
        assert 0 < np.abs(layer.noise.numpy()).max() <= np.float32(0.2)


def test_fit_finds_noise_and_leaves_the_network_alone(tiny_network, tiny_images):
    model, layer = attack_model(tiny_network, limit=0.7, l2_weight=0.0)
    before = [weight.copy() for weight in tiny_network.get_weights()]
    model.fit(tiny_images, np.full(3, 2), epochs=30, verbose=0)
    assert (tiny_network.predict(add_noise(tiny_images, layer.noise.numpy()), verbose=0).argmax(axis=1) == 2).all()
    for one, other in zip(before, tiny_network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_l2_penalty_is_half_the_weighted_sum_of_squares(tiny_network):
    model, layer = attack_model(tiny_network, limit=0.5, l2_weight=0.02)
    layer.noise.assign(np.full((4, 4, 1), 0.5))
    assert float(model.losses[0]) == pytest.approx(0.02 * 0.5 * 16 * 0.5**2)


def test_the_layer_survives_a_file(random_network, random_images, tmp_path):
    model, layer = attack_model(random_network, limit=0.2, l2_weight=0.5)
    model.fit(random_images, np.full(40, 1), verbose=0)
    model.save(tmp_path / "attack.keras")
    loaded = keras.saving.load_model(tmp_path / "attack.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.layers[0].noise.numpy(), layer.noise.numpy())
    np.testing.assert_array_equal(loaded.predict(random_images, verbose=0), model.predict(random_images, verbose=0))
    loaded.layers[0].noise.assign(np.ones((12, 12, 1)))
    loaded.train_on_batch(random_images, np.full(40, 1))
    assert np.abs(loaded.layers[0].noise.numpy()).max() <= np.float32(0.2)  # the constraint came back too


def test_the_config_makes_the_round_trip():
    layer = AdversarialNoise.from_config(AdversarialNoise(limit=0.1, l2_weight=0.3, name="mine").get_config())
    assert (layer.limit, layer.l2_weight, layer.name) == (0.1, 0.3, "mine")


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"limit": 0}, ValueError, "above 0 and at most 1, got 0"),
        ({"limit": -0.1}, ValueError, "got -0.1"),
        ({"limit": 3}, ValueError, "3 / 255"),
        ({"limit": float("nan")}, ValueError, "got nan"),
        ({"limit": "0.3"}, TypeError, "noise_limit must be a number"),
        ({"l2_weight": -1}, ValueError, "l2_weight must be at least 0, got -1"),
    ],
    ids=case,
)
def test_the_layer_refuses(settings, error, words):
    with pytest.raises(error, match=words):
        AdversarialNoise(**settings)
