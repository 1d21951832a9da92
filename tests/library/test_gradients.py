"""The quick gradients are those of TensorFlow, found on a shorter way."""

from course_utils import image_gradient
from course_utils._gradients import mean_gradient, quick_pooling

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import case

GROUPS, IMAGES = 3, 4


def network_with(*first_layers, shape):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *first_layers, keras.layers.Flatten(), keras.layers.Dense(5)])


def both_ways(network, shape):
    """The mean gradient of each group: as TensorFlow finds it, and in the quick way."""
    images = np.random.default_rng(0).uniform(size=(GROUPS * IMAGES, *shape)).astype(np.float32)
    labels = np.arange(GROUPS * IMAGES) % 5

    def loss(images):
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(images, training=False))

    @tf.function
    def quick(images):
        images = tf.identity(images)
        with quick_pooling():
            losses = loss(images)
        return mean_gradient(losses, images, tf.constant(GROUPS))

    with tf.GradientTape() as tape:
        tape.watch(constant := tf.constant(images))
        losses = loss(constant)
    plain = tape.gradient(losses, constant).numpy().reshape(GROUPS, IMAGES, *shape).mean(axis=1)
    return plain, quick(images).numpy()


convolution = keras.layers.Conv2D
pooling = keras.layers.MaxPooling2D


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([], (6, 6, 1)),
        ([convolution(4, 3, activation="relu")], (6, 6, 1)),
        ([convolution(4, 3, strides=2, padding="same"), pooling(2)], (8, 12, 3)),
        ([convolution(4, 3, dilation_rate=2), pooling(2)], (8, 8, 3)),
        ([pooling(2), convolution(4, 3)], (8, 8, 3)),
        ([pooling(3, strides=2)], (9, 9, 2)),  # windows that overlap
        ([pooling(2)], (7, 9, 2)),  # windows that leave pixels over
        ([pooling(2, padding="same")], (7, 9, 2)),
        ([pooling((2, 3))], (8, 9, 2)),
        (
            [convolution(4, 5, padding="same", activation="relu"), pooling(2), convolution(3, 3), pooling(2)],
            (12, 12, 1),
        ),
    ],
    ids=case,
)
def test_they_agree(layers, shape):
    layers = [layer.__class__.from_config(layer.get_config()) for layer in layers]
    plain, quick = both_ways(network_with(*layers, shape=shape), shape)
    assert np.abs(plain).max() > 0
    np.testing.assert_allclose(plain, quick, atol=1e-6)


def test_images_that_are_used_twice_get_both_gradients():
    inputs = keras.Input((6, 6, 1))
    left, right = convolution(2, 3)(inputs), convolution(2, 3)(inputs)
    network = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.Flatten()(left + right)))
    plain, quick = both_ways(network, (6, 6, 1))
    np.testing.assert_allclose(plain, quick, atol=1e-6)


def test_each_image_gets_the_gradient_of_its_own_loss(random_network, random_images):
    labels = np.arange(len(random_images)) % 5
    found = tf.function(image_gradient)(random_network, tf.constant(random_images), tf.constant(labels))
    with tf.GradientTape() as tape:
        tape.watch(alone := tf.constant(random_images[7:8]))
        logits = random_network(alone, training=False)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[7:8], logits)
    assert np.abs(found).max() > 0
    np.testing.assert_allclose(found[7:8], tape.gradient(loss, alone), atol=1e-6)
