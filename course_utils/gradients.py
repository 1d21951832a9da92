"""The gradient of a loss for many images that share a noise, without the detours that make it slow on a processor.

Knows of nothing else in the library. Two steps take most of the time when TensorFlow goes back from the loss to an
image: the gradient of max pooling, and the way through a first convolution that has only one or three channels to
lead to. The first is written anew here. The second is done once for all images that share a noise: convolution is
linear, so the average may be taken before it instead of after.
"""

import contextlib
from typing import Any

import keras
import tensorflow as tf

QUICK_POOLING = "CourseMaxPool"


@tf.RegisterGradient(QUICK_POOLING)
def _pooling_gradient(pooling: Any, gradient: tf.Tensor) -> tf.Tensor:
    """Give the gradient of each window to its largest value; where several are the largest, to each of them."""
    images, largest = pooling.inputs[0], pooling.outputs[0]
    window = pooling.get_attr("ksize")
    _, height, width, channels = images.shape
    in_tiles = (
        list(pooling.get_attr("strides")) == list(window)
        and pooling.get_attr("data_format") == b"NHWC"
        and None not in (height, width)
        and height % window[1] == 0
        and width % window[2] == 0
    )
    if not in_tiles:
        settings = {name: pooling.get_attr(name) for name in ("ksize", "strides", "padding", "data_format")}
        return tf.raw_ops.MaxPoolGrad(orig_input=images, orig_output=largest, grad=gradient, **settings)
    tiles = (-1, height // window[1], window[1], width // window[2], window[2], channels)
    is_largest = tf.reshape(images, tiles) == largest[:, :, None, :, None]
    spread = tf.where(is_largest, gradient[:, :, None, :, None], tf.zeros((), gradient.dtype))
    return tf.reshape(spread, tf.shape(images))


def quick_pooling() -> contextlib.AbstractContextManager[None]:
    """While this context is open, in a graph: pooling called here gets the quick gradient in `tf.gradients`."""
    return tf.compat.v1.get_default_graph().gradient_override_map({"MaxPool": QUICK_POOLING})


def gradient_of(loss: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Find the gradient of the summed loss inside a `tf.function`; zeros where a network lets no gradient through."""
    return tf.gradients(loss, images, unconnected_gradients="zero")[0]


def image_gradient(network: keras.Model, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Find the gradient of each image's cross-entropy for its own pixels, inside a `tf.function`.

    Args:
        network: returns logits.
        images: float32, shape (N, H, W, C).
        labels: whole numbers, shape (N,).

    Returns:
        float32, shape (N, H, W, C).
    """
    images = tf.identity(images)  # so that this is where the way back ends
    with quick_pooling():
        logits = network(images, training=False)
    losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return gradient_of(losses, images)


def mean_gradient(loss: tf.Tensor, images: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
    """Find the gradient of the summed loss for the images, averaged within each group, inside a `tf.function`.

    Args:
        loss: float32, shape (groups · N,), one for each image.
        images: float32, shape (groups · N, H, W, C): the first N belong to the first group, and so on.
        groups: number of groups.

    Returns:
        float32, shape (groups, H, W, C).
    """
    users = images.consumers()
    if [user.type for user in users] != ["Conv2D"]:
        return _group_means(gradient_of(loss, images), groups)
    convolution = users[0]
    names = ("strides", "padding", "explicit_paddings", "data_format", "dilations")
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.concat([[groups], tf.shape(images)[1:]], axis=0),
        filter=convolution.inputs[1],
        out_backprop=_group_means(gradient_of(loss, convolution.outputs[0]), groups),
        **{name: convolution.get_attr(name) for name in names},
    )


def _group_means(values: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reshape(values, tf.concat([[groups, -1], tf.shape(values)[1:]], axis=0)), axis=1)
