"""How a network is called and compiled, and the fast gradients of the search and of the attacks.

Knows of nothing else in the library. Two steps take most of the time when TensorFlow goes back from the loss to an
image: the gradient of max pooling, and the way through a first convolution that has only one or three channels to
lead to. The first is written anew here. The second is done once for all images that share a noise: convolution is
linear, so the average may be taken before it instead of after.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

QUICK_POOLING = "CourseMaxPool"


class SteepGradientError(ValueError):
    """A gradient is infinite or no number."""

    def __init__(self) -> None:
        super().__init__(
            "the search met NaN: the gradient for some pixels is infinite. A layer such as sqrt, pow or a division "
            "is too steep where pixels are 0 or all alike; add a small number there, such as 1e-6"
        )


class NoGradientError(ValueError):
    """There is no direction in which a noise could be made better."""

    def __init__(self) -> None:
        super().__init__(
            "the gradient for the pixels is zero for all images, so that no noise can be searched for along it: the "
            "network is untrained, its logits are so large that softmax is flat, or a layer such as rounding, argmax "
            "or one-hot lets no gradient through. That is no immunity"
        )


def check_gradients(network: keras.Model, images: np.ndarray) -> None:
    """See that a training can learn from noise: the gradient reaches the weights, and the pixels where they matter.

    Raises:
        NoGradientError: it does not.
    """
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logits = logits_of(network, pixels)
        loss = tf.reduce_sum(tf.nn.log_softmax(logits))
    for_pixels, *for_weights = tape.gradient(loss, [pixels, *network.trainable_variables])
    blind = for_pixels is None or not np.any(for_pixels)
    matters = np.any(logits_of(network, 1 - images) != logits)  # an untrained linear network has no slope either
    if all(one is None for one in for_weights) or (blind and matters):
        raise NoGradientError


def logits_of(network: keras.Model, images: Any) -> tf.Tensor:
    """Call a network as it is when nobody trains it; its logits are float32, whatever it computes in."""
    return tf.cast(network(images, training=False), tf.float32)


def margin_of(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return by how much the largest other logit exceeds that of the label: float32, shape (N,); misread above 0."""
    own = tf.one_hot(labels, tf.shape(logits)[1], True, False)
    rivals = tf.where(own, -np.inf, logits)
    return tf.reduce_max(rivals, axis=1) - tf.gather(logits, labels, batch_dims=1)


def compiled(network: keras.Model, make: Callable[..., Callable[..., Any]], *settings: Any) -> Callable[..., Any]:
    """Return make(network, *settings), a compiled function; it is kept, so that the second call starts at once."""
    functions, key = _functions_of(network), (make, *settings)
    if key not in functions:
        functions[key] = make(network, *settings)
    return functions[key]


def compiled_logits(network: keras.Model, image_shape: tuple[int, ...]) -> Callable[[np.ndarray], tf.Tensor]:
    """Return the compiled call of a network, which takes half the time of `network.predict`."""
    return compiled(network, _logits_function, tuple(image_shape))


def answers_as_compiled(network: keras.Model, images: np.ndarray, logits: np.ndarray) -> bool:
    """Does what was compiled still answer as the network does?

    A network may be given other layers after it was compiled. All is then compiled anew, and asked once more.
    """
    for _ in range(2):
        found = compiled_logits(network, images.shape[1:])(images).numpy()
        if found.shape == logits.shape and np.allclose(
            found, logits, rtol=0, atol=rounding(network, logits), equal_nan=True
        ):
            return True
        _functions_of(network).clear()
    return False


@functools.lru_cache(maxsize=16)
def _functions_of(network: keras.Model) -> dict[Any, Callable[..., Any]]:  # noqa: ARG001 - it is the key
    return {}


def _logits_function(network: keras.Model, image_shape: tuple[int, ...]) -> Callable[[np.ndarray], tf.Tensor]:
    signature = [tf.TensorSpec((None, *image_shape), tf.float32)]
    return tf.function(lambda images: logits_of(network, images), input_signature=signature)


def rounding(network: keras.Model, logits: np.ndarray) -> float:
    """How far may the logits of two ways to compute the same lie apart?"""
    return (0.1 if _computes_in_half(network) else 1e-3) * largest_finite(logits)


def largest_finite(logits: np.ndarray) -> float:
    """Return the largest |logit|; infinity and NaN are left out."""
    return float(np.max(np.abs(logits), where=np.isfinite(logits), initial=0))


def _computes_in_half(layer: keras.Layer) -> bool:
    return "16" in str(layer.compute_dtype) or any(map(_computes_in_half, getattr(layer, "layers", [])))


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
    handed_back = tf.where(is_largest, gradient[:, :, None, :, None], tf.zeros((), gradient.dtype))
    return tf.reshape(handed_back, tf.shape(images))


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
        logits = logits_of(network, images)
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
