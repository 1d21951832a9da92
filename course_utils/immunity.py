"""Ways to make a network immune: the tutorial's rounds, its first open idea, and the one that works.

Every function leaves the network that it was given as it was, and returns a new one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from course_utils.checks import (
    as_array,
    check_count,
    check_inputs,
    check_number,
    check_seed,
    check_target_class,
    in_short,
    input_shape,
)
from course_utils.gradients import check_gradients, image_gradient
from course_utils.networks import copy_of
from course_utils.noise import AdversarialNoise
from course_utils.training import BATCH, Training, check_trained, fit, weights_before

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm


def immunise(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    target_class: int,
    noise_limit: float = 0.35,
    **settings: Any,
) -> keras.Model:
    """Make a network immune to one target class, as tutorial #12 does: find noise, then train on noisy images.

    Args:
        network, images, labels, noise_limit: as in `immunise_in_turn`.
        target_class: the class that the noise aims at.
        **settings: rounds, noise_steps, training_steps, seed and watch of `immunise_in_turn`.

    Returns:
        A new network.

    Raises:
        TypeError, ValueError: as `immunise_in_turn`.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016). Explained in notebook 05.
    """
    return immunise_in_turn(network, images, labels, [target_class], noise_limit, **settings)


def immunise_in_turn(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    target_classes: Sequence[int] | None = None,
    noise_limit: float = 0.35,
    *,
    rounds: int = 1,
    noise_steps: int = 500,
    training_steps: int = 200,
    seed: int = 0,
    watch: Callable[..., None] | None = None,
) -> keras.Model:
    """Make a network immune to one target class after the other, as tutorial #12 does.

    In each round the noise is searched for the class, and then the network is trained on noisy images only. Noise,
    network and both optimisers go on from where they were, from round to round and from class to class.

    Args:
        network: takes float32 images in [0, 1] and returns logits; it is not changed.
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        labels: whole numbers, shape (N,), the true classes.
        target_classes: the classes, in this order; all that the network knows when left out.
        noise_limit: largest |noise| of a pixel, in (0, 1].
        rounds: so many rounds running for each class.
        noise_steps: steps of 64 images for the noise (Adam 0.01, L2 weight 0.02), in each round; 0 for none.
        training_steps: steps of 64 noisy images for the network (Adam 1e-4), in each round; 0 for none.
        seed: for the draw of the images.
        watch: called as watch(network, noise, target_class, "before" or "after") around the training of each round.

    Returns:
        A new network.

    Raises:
        TypeError: images that are not float32, labels or targets that are not whole numbers.
        ValueError: images and labels that do not fit together or do not fit the network, a limit outside (0, 1], a
            class that the network does not have, no class at all, a number of steps or rounds that cannot be; a
            network that returns anything else than finite logits (N, classes), that cannot be copied, or that is
            frozen; a training that ends in NaN.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016). Explained in notebook 05.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    rounds, seed = check_count(rounds, "rounds", 1, 1_000), check_seed(seed)
    noise_steps = check_count(noise_steps, "noise_steps", 0)
    training_steps = check_count(training_steps, "training_steps", 0)
    if not (watch is None or callable(watch)):
        raise TypeError(f"watch must be a function, got {in_short(watch)}")
    network, classes = _copy_to_train(network, images)
    targets = [check_target_class(target, classes) for target in _listed(target_classes, classes)]
    before = weights_before(network)
    layer = AdversarialNoise(noise_limit, l2_weight=0.02)
    attack = keras.Sequential([keras.Input(images.shape[1:]), layer, network])
    search = _optimisation(attack, [layer.noise], keras.optimizers.Adam(0.01), training=False)
    train = _optimisation(attack, network.trainable_variables, keras.optimizers.Adam(1e-4), training=True)
    generator = np.random.default_rng(seed)
    for target in tqdm(np.repeat(targets, rounds), desc="rounds", delay=2):
        for chosen in _batches(generator, len(images), noise_steps):
            search(images[chosen], np.full(BATCH, target))
        if watch:
            watch(network, layer.noise.numpy(), int(target), "before")
        for chosen in _batches(generator, len(images), training_steps):
            train(images[chosen], labels[chosen])
        if watch:
            watch(network, layer.noise.numpy(), int(target), "after")
    if training_steps:
        check_trained(network, before, images[:64])
    return network


def _listed(target_classes: Sequence[int] | None, classes: int) -> Sequence[int]:
    """Return the classes to go through: all of them for None."""
    if target_classes is None:
        return range(classes)
    wanted = as_array(target_classes, "target_classes")
    if wanted.ndim != 1 or wanted.size == 0:
        raise ValueError(
            f"target_classes must be a list of at least one class, or None for all, got {in_short(target_classes)}"
        )
    return list(wanted)


def _copy_to_train(network: keras.Model, images: np.ndarray) -> tuple[keras.Model, int]:
    """Return a copy that is ready to be trained and knows its shapes, and how many classes it has."""
    if tf.distribute.has_strategy():
        raise ValueError("this training knows no tf.distribute strategy: call it outside strategy.scope()")
    copy = copy_of(network, images)
    if input_shape(copy) != images.shape[1:]:  # it takes any size, or is a class of the reader's own
        copy = keras.Sequential([keras.Input(images.shape[1:]), copy])
    if copy.trainable_variables:
        check_gradients(copy, images[:8])
    return copy, copy.output_shape[-1]


def immunise_interleaved(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    noise_limit: float = 0.35,
    *,
    steps: int = 6_000,
    seed: int = 0,
) -> keras.Model:
    """Train a network on noisy images while one noise for each class keeps moving: the tutorial's first open idea.

    In every step each image of a batch gets one of the noises. Then the weights take a step towards the true
    classes, and every noise a step towards its own.

    Args:
        network, images, labels, noise_limit, seed: as in `immunise_in_turn`.
        steps: number of steps of 64 images.

    Returns:
        A new network.

    Raises:
        TypeError, ValueError: as `immunise_in_turn`.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016), names the idea; Shafahi et al., "Universal
    adversarial training" (2018), is a relative. Explained in notebook 06.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    training = _Interleaved(_copy_to_train(network, images)[0], noise_limit)
    return fit(training, images, labels, steps, seed)


def train_on_worst_noise(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    noise_limit: float = 0.35,
    *,
    small_steps: int = 2,
    clean_share: float = 0.125,
    steps: int = 3_000,
    peak_learning_rate: float = 4e-3,
    ramp: float = 0.3,
    seed: int = 0,
) -> keras.Model:
    """Train a network on noise that is the worst for each single image, or nearly so.

    The noise of an image starts at random within the limit and takes one long step, or several smaller ones, up the
    gradient of the loss. The limit grows during the first part of the training. What no single image's own noise
    can do, one noise for all images cannot do either.

    Args:
        network: as in `immunise_in_turn`; the training goes on from its weights.
        images, labels, noise_limit, seed: as in `immunise_in_turn`.
        small_steps: 1 for one step of 1.25 · limit; more for n steps of 2 / n · limit, which protect better.
        clean_share: share of each batch that gets no noise, in [0, 1).
        steps: number of training steps of 64 images.
        peak_learning_rate: of Adam; reached after a tenth of the steps, from there down along a cosine.
        ramp: share of the steps during which the limit grows from 0, in (0, 1].

    Returns:
        A new network.

    Raises:
        TypeError, ValueError: as `immunise_in_turn`; also a share, a ramp or a number of steps that is out of range.

    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks" (2018); Wong, Rice and
    Kolter, "Fast is better than free" (2020). Explained in notebook 06.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    small_steps, steps = check_count(small_steps, "small_steps", 1, 100), check_count(steps, "steps")
    clean_share, ramp = check_number(clean_share, "clean_share", 0, 1, "[)"), check_number(ramp, "ramp", 0, 1, "(]")
    network, _ = _copy_to_train(network, images)
    training = _OnWorstNoise(network, noise_limit, small_steps, clean_share, int(ramp * steps))
    return fit(training, images, labels, steps, seed, peak_learning_rate)


class _OnWorstNoise(Training):
    """What `fit` does in one step of `train_on_worst_noise`."""

    def __init__(
        self, network: keras.Model, noise_limit: float, small_steps: int, clean_share: float, ramp_steps: int
    ) -> None:
        super().__init__(network, noise_limit)
        self.small_steps = small_steps
        self.clean_images, self.ramp_steps = int(clean_share * BATCH), ramp_steps

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Find noise for the batch, and train on the noisy images."""
        images, labels = data
        share = tf.cast(self.optimizer.iterations, tf.float32) / max(1, self.ramp_steps)
        limit = self.noise_limit * tf.minimum(1.0, share)
        noise = tf.random.uniform(tf.shape(images), -limit, limit)
        for _ in range(self.small_steps):
            gradient = image_gradient(self.network, tf.clip_by_value(images + noise, 0, 1), labels)
            step_size = limit * min(1.25, 2 / self.small_steps)
            noise = tf.clip_by_value(noise + step_size * tf.sign(gradient), -limit, limit)
        has_noise = tf.range(tf.shape(images)[0]) >= self.clean_images
        noise = tf.where(has_noise[:, None, None, None], noise, 0.0)
        return super().train_step((tf.clip_by_value(images + noise, 0, 1), labels))


class _Interleaved(Training):
    """What `fit` does in one step of `immunise_interleaved`."""

    def __init__(self, network: keras.Model, noise_limit: float) -> None:
        super().__init__(network, noise_limit)
        self.classes = network.output_shape[-1]
        self.all_noise = self.add_weight(
            name="all_noise", shape=(self.classes, *network.input_shape[1:]), initializer="zeros", trainable=False
        )

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Give each image one of the noises, train on the noisy images, and move each noise towards its class."""
        images, labels = data
        targets = tf.range(tf.shape(images)[0])
        if self.classes > BATCH:  # not every class has its turn in one step
            targets += BATCH * tf.cast(self.optimizer.iterations, tf.int32)
        targets %= self.classes
        noisy = tf.clip_by_value(images + tf.gather(self.all_noise, targets), 0, 1)
        gradient = image_gradient(self.network, noisy, targets)
        gradients = tf.math.unsorted_segment_mean(gradient, targets, self.classes)
        moved = self.all_noise - self.noise_limit / 20 * tf.sign(gradients)
        self.all_noise.assign(tf.clip_by_value(moved, -self.noise_limit, self.noise_limit))
        return super().train_step((noisy, labels))


def _batches(generator: np.random.Generator, count: int, steps: int) -> Iterator[np.ndarray]:
    for _ in range(steps):
        yield generator.integers(count, size=BATCH)


def _optimisation(
    model: keras.Model, variables: list[Any], optimizer: keras.optimizers.Optimizer, training: bool
) -> Callable[..., None]:
    """Compile one step of an optimisation that moves these variables and no others."""
    optimizer.build(variables)

    @tf.function
    def step(images, labels):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=training), tf.float32)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
            loss += sum(tf.cast(penalty, tf.float32) for penalty in model.losses)
        optimizer.apply(tape.gradient(loss, variables), variables)

    return step
