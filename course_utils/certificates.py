"""Proofs instead of attacks: interval bounds on all that a network can answer within the limit; training for them.

An image with all its possible noise is a box: every pixel lies between a lower and an upper bound. Each layer turns
boxes into boxes that hold at least all that can come out of it.
"""

from collections.abc import Iterator
from typing import Any

from course_utils._checks import check_count, check_inputs, check_number
from course_utils.evaluation import classes_seen, parts_of
from course_utils.immunity import Training, fit
from course_utils.models import copy_network

import keras
import numpy as np
import tensorflow as tf
from keras import layers

MONOTONE = (layers.Flatten, layers.MaxPooling2D, layers.AveragePooling2D, layers.ReLU, layers.Rescaling)
LINEAR = (layers.Dense, layers.Conv2D, layers.BatchNormalization)
MONOTONE_ACTIVATIONS = (keras.activations.linear, keras.activations.relu, tf.nn.relu)


def certified_accuracy(network: keras.Model, images: np.ndarray, labels: np.ndarray, noise_limit: float) -> float:
    """Return the share of images for which it is proven that no noise within the limit changes the right answer.

    Args:
        network, images, labels, noise_limit: as in `certified_images`.

    Returns:
        A share in [0, 1]. Accuracy under noise, however it was found, is never below it.

    Raises:
        TypeError, ValueError: as `certified_images`.

    Source: Gowal et al., "On the effectiveness of interval bound propagation for training verifiably robust models"
    (2018). Explained in notebook 08.
    """
    return float(certified_images(network, images, labels, noise_limit).mean())


def certified_images(network: keras.Model, images: np.ndarray, labels: np.ndarray, noise_limit: float) -> np.ndarray:
    """Say of each image whether it is proven that no noise within the limit, universal or not, changes the answer.

    Args:
        network: a keras.Sequential from float32 images in [0, 1] to logits, of Conv2D and Dense (linear or relu),
            BatchNormalization, MaxPooling2D, AveragePooling2D, ReLU, Flatten and Rescaling (by a positive number);
            the last layer is a Dense without activation.
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        labels: whole numbers, shape (N,), the true classes.
        noise_limit: largest |noise| of a pixel, in (0, 1]. Noisy pixels stay in [0, 1].

    Returns:
        Bool, shape (N,). True: proven, up to the rounding of float32, in which the bounds are computed whatever the
        network computes in. False: not proven, which is not the same as fooled.

    Raises:
        TypeError: images that are not float32, labels that are not whole numbers, a limit that is not a number.
        ValueError: images and labels that do not fit together or do not fit the network, a limit outside (0, 1], a
            network that returns probabilities, a layer that cannot be bounded: it is named.

    Source: as `certified_accuracy`. Explained in notebook 08.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    chain = _chain(network)
    proven = []
    for some in parts_of(images):
        margins = worst_margins(chain, images[some], labels[some], noise_limit)
        only_itself = np.count_nonzero(margins >= 0, axis=1) == 1  # the true class, and no other
        proven.append(only_itself & np.isfinite(margins).all(axis=1))  # what overflows proves nothing
    return np.concatenate(proven) & (classes_seen(network, images) == labels)


def certified_training(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    noise_limit: float,
    *,
    steps: int = 4_000,
    batch_size: int = 256,
    clean_weight: float = 0.7,
    peak_learning_rate: float = 4e-3,
    seed: int = 0,
) -> keras.Model:
    """Train a network so that much can be proven about it: on the worst answers that its bounds allow.

    The loss is the cross-entropy of the clean logits and that of the worst margins. The limit grows from a
    twentieth of the steps to three fifths of them; meanwhile the clean loss gives way to the other one. Train at a
    limit somewhat larger than the one to prove.

    Args:
        network, images, labels, noise_limit: as in `certified_images`; the training goes on from its weights.
        steps: number of training steps.
        batch_size: images in each of them.
        clean_weight: weight of the clean loss in the end, in [0, 1]; the other loss has the rest.
        peak_learning_rate: of Adam; reached after a tenth of the steps, from there down along a cosine.
        seed: for the draw of the images.

    Returns:
        A new network.

    Raises:
        TypeError, ValueError: as `certified_images`; also a weight or a number of steps that is out of range.

    Source: as `certified_accuracy`. Explained in notebook 08.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    steps, clean_weight = check_count(steps, "steps"), check_number(clean_weight, "clean_weight", 0, 1)
    _chain(network)
    training = CertifiedTraining(copy_network(network, images), noise_limit, clean_weight, steps)
    return fit(training, images, labels, steps, seed, peak_learning_rate, batch_size)


class CertifiedTraining(Training):
    """What `fit` does in `certified_training`."""

    def __init__(self, network: keras.Model, noise_limit: float, clean_weight: float, steps: int) -> None:
        super().__init__(network, noise_limit)
        self.clean_weight, self.steps = clean_weight, steps
        self.chain = _chain(network)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Mix the loss of the clean logits and that of the worst margins, and step."""
        images, labels = data
        share = tf.cast(self.optimizer.iterations, tf.float32) / self.steps
        grown = tf.clip_by_value((share - 0.05) / 0.55, 0, 1)
        weight = 1 - grown * (1 - self.clean_weight)
        with tf.GradientTape() as tape:
            logits, margins = logits_and_worst_margins(self.chain, images, labels, grown * self.noise_limit)
            loss = weight * self.loss(labels, logits) + (1 - weight) * self.loss(labels, margins)
            scaled = self.optimizer.scale_loss(loss)  # where numbers have 16 bits only
        weights = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, weights), weights)
        return {"loss": loss}


def _chain(network: keras.Model) -> list[keras.Layer]:
    """Return the layers in order, after a look at each."""
    chain = list(_layers_of(network))
    for layer in chain:
        monotone = getattr(layer, "activation", keras.activations.linear) in MONOTONE_ACTIVATIONS
        if isinstance(layer, layers.Rescaling):
            monotone = bool(np.min(layer.scale) > 0)
        # Not isinstance: a subclass may do anything.
        quantised = isinstance(layer.dtype_policy, keras.dtype_policies.QuantizedDTypePolicy)
        turned = getattr(layer, "data_format", None) == "channels_first"
        if isinstance(layer, layers.BatchNormalization):
            turned = layer.axis not in (-1, len(layer.output.shape) - 1)
        if type(layer) not in (*LINEAR, *MONOTONE) or not monotone or quantised or turned:
            raise _cannot_bound(layer)
    if type(chain[-1]) is not layers.Dense or chain[-1].activation is not keras.activations.linear:
        raise ValueError(f"the last layer must be a Dense without activation, got {chain[-1].name!r}")
    return chain


def _layers_of(network: keras.Model) -> Iterator[keras.Layer]:
    if type(network) is not keras.Sequential:
        raise _cannot_bound(network)
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_of(layer)
        else:
            yield layer


def _cannot_bound(layer: keras.Layer) -> ValueError:
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    kind = type(layer).__name__ + (f", activation {activation}" if activation else "")
    if isinstance(layer.dtype_policy, keras.dtype_policies.QuantizedDTypePolicy):
        kind += ", quantised"
    return ValueError(
        f"the layer {layer.name!r} ({kind}) cannot be bounded. What can: a Sequential of Conv2D and Dense with relu "
        f"or no activation, BatchNormalization over the last axis, {', '.join(one.__name__ for one in MONOTONE)}"
    )


def worst_margins(chain: list[keras.Layer], images: Any, labels: Any, noise_limit: Any) -> tf.Tensor:
    """Return the most by which each class's logit can exceed that of the true class: float32, (N, classes)."""
    *hidden, last = chain
    lower, upper = _box(images, noise_limit)
    for layer in hidden:
        lower, upper = _bounds(layer, lower, upper)
    return _worst_of(last, lower, upper, labels)


def logits_and_worst_margins(
    chain: list[keras.Layer], images: Any, labels: Any, noise_limit: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return both as they are in training: batch normalisation takes its statistics from the clean images at hand."""
    *hidden, last = chain
    lower, upper = _box(images, noise_limit)
    for layer in hidden:
        if isinstance(layer, layers.BatchNormalization) and layer.trainable:
            statistics = tf.nn.moments(images, list(range(len(images.shape) - 1)))
            slope, shift = _slope_and_shift(layer, *statistics)
            lower, upper = _stretched(lower, upper, slope, shift)
            images = images * slope + shift
        else:
            lower, upper = _bounds(layer, lower, upper)
            images = _float32(layer(images))
    return last(images), _worst_of(last, lower, upper, labels)


def _box(images: Any, noise_limit: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Return between which values the pixels lie under noise."""
    return tf.maximum(images - noise_limit, 0), tf.minimum(images + noise_limit, 1)


def _worst_of(last: keras.Layer, lower: tf.Tensor, upper: tf.Tensor, labels: Any) -> tf.Tensor:
    """Bound the last layer and the difference of two logits together, as one linear step: so less is lost."""
    kernel = _float32(last.kernel)
    differences = kernel[:, None, :] - kernel[:, :, None]  # (features, true class, other class)
    centre, radius = (lower + upper) / 2, (upper - lower) / 2
    worst = tf.einsum("nf,ftc->ntc", centre, differences) + tf.einsum("nf,ftc->ntc", radius, abs(differences))
    bias = _bias(last)
    return tf.gather(worst + bias - bias[:, None], labels, batch_dims=1)


def _bounds(layer: keras.Layer, lower: tf.Tensor, upper: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Push a box through one layer."""
    if isinstance(layer, MONOTONE):
        return _float32(layer(lower)), _float32(layer(upper))
    if isinstance(layer, layers.BatchNormalization):  # with the statistics that it has learnt
        learnt = _float32(layer.moving_mean), _float32(layer.moving_variance)
        return _stretched(lower, upper, *_slope_and_shift(layer, *learnt))
    centre, radius = (lower + upper) / 2, (upper - lower) / 2
    apply = layer.convolution_op if isinstance(layer, layers.Conv2D) else tf.matmul
    kernel = _float32(layer.kernel)
    centre, radius = apply(centre, kernel) + _bias(layer), apply(radius, abs(kernel))
    return layer.activation(centre - radius), layer.activation(centre + radius)


def _stretched(lower: tf.Tensor, upper: tf.Tensor, slope: tf.Tensor, shift: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiply the box and add to it; where a slope is negative its ends change places."""
    centre, radius = (lower + upper) / 2 * slope + shift, (upper - lower) / 2 * abs(slope)
    return centre - radius, centre + radius


def _slope_and_shift(layer: keras.Layer, mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what batch normalisation with these statistics multiplies each channel with, and what it adds."""
    slope = tf.math.rsqrt(variance + layer.epsilon)
    slope = slope if layer.gamma is None else slope * _float32(layer.gamma)
    return slope, -mean * slope if layer.beta is None else _float32(layer.beta) - mean * slope


def _bias(layer: keras.Layer) -> tf.Tensor:
    return tf.zeros(layer.kernel.shape[-1]) if layer.bias is None else _float32(layer.bias)


def _float32(values: Any) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(values), tf.float32)
