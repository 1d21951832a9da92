"""Training on several devices, and all of it in half precision. Two parts of one processor stand for two GPUs."""

import json
import subprocess
import sys

import course_utils
from course_utils import adversarial_training, evaluate_noise, find_universal_noise

import keras
import numpy as np
import pytest
from helpers import ROOT

ON_TWO_DEVICES = """
import json
import tensorflow as tf

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import course_utils
import keras
import numpy as np
from course_utils.immunity import Training, fit

generator = np.random.default_rng(0)
labels = np.arange(320) % 2
images = np.clip(0.3 + 0.4 * labels[:, None, None, None] + generator.normal(0, 0.2, (320, 8, 8, 1)), 0, 1)
images = images.astype(np.float32)


def loss(network):
    logits = network.predict(images, verbose=0)
    return float(np.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)))


def trained():
    keras.utils.set_random_seed(0)
    network = course_utils.linear_network((8, 8, 1), 2)
    clean = fit(Training(network, 0.1), images, labels, 40, seed=0)
    immune = course_utils.adversarial_training(network, images, labels, 0.1, steps=40, clean_fraction=0.5, seed=0)
    certified = course_utils.certified_training(network, images, labels, 0.05, steps=40, batch_size=64, seed=0)
    return [loss(one) for one in (clean, immune)], clean.get_weights() + certified.get_weights()


alone, weights = trained()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    together, others = trained()
difference = max(float(np.abs(one - other).max()) for one, other in zip(weights, others))
devices = strategy.num_replicas_in_sync
print(json.dumps({"devices": devices, "alone": alone, "together": together, "weights": difference}))
"""


def test_training_on_two_devices_comes_to_the_same_loss():
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 2
    assert found["weights"] < 1e-4, "the clean training and the certified one, but for rounding"
    assert found["together"][0] == pytest.approx(found["alone"][0], abs=1e-4)
    assert found["together"][1] == pytest.approx(found["alone"][1], abs=0.05), "its noise starts at other places"


@pytest.fixture
def half():
    """The policy that computes in half precision, for the length of a test."""
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_search_and_training_in_half_precision_come_to_the_same(stripes, half):
    network, images, labels = stripes
    other = course_utils.convolutional_network((12, 12, 1), 3)
    other.set_weights(network.get_weights())
    assert other.layers[0].compute_dtype == "float16"
    success = []
    for one in (network, other):
        (noise,) = find_universal_noise(one, images, 0, 0.2, seed=0)
        assert noise.dtype == np.float32
        success.append(evaluate_noise(one, images, labels, noise, 0, 0.2).success_rate)
    assert success[1] == pytest.approx(success[0], abs=0.01)
    immune = [adversarial_training(one, images, labels, 0.1, steps=60, seed=0) for one in (network, other)]
    assert immune[1].layers[0].compute_dtype == "float16"
    left = [np.mean(one.predict(images, verbose=0).argmax(axis=1) == labels) for one in immune]
    assert left[1] == pytest.approx(left[0], abs=0.03)
