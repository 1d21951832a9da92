"""Ways to make a network immune: the old tutorial's rounds, its two open ideas, and adversarial training.

Every function leaves the networks that it was given as they were, and returns a new one. What a way to train does in
one step stands in the `train_step` of its class; the loop around it, with Adam and a schedule, is `fit`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from course_utils._checks import (
    as_array,
    check_built,
    check_callback,
    check_count,
    check_inputs,
    check_number,
    check_seed,
    check_target_class,
    in_short,
    input_shape,
)
from course_utils._gradients import check_gradients, image_gradient, logits_of
from course_utils.models import all_layers, copy_network
from course_utils.noise import AdversarialNoise

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

BATCH_SIZE = 64  # images in a training step


class Training(keras.Model):
    """A network in training; what is special about a way to train stands in `train_step`."""

    def __init__(self, network: keras.Model, noise_limit: float) -> None:
        super().__init__(name="training")
        self.network, self.noise_limit = network, noise_limit

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the network's logits."""
        return self.network(images, training=training)


def fit(
    training: Training,
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    seed: int,
    peak_learning_rate: float = 2e-3,
    batch_size: int = BATCH_SIZE,
) -> keras.Model:
    """Train with Adam and a learning rate that rises for a tenth of the steps and then falls along a cosine.

    Returns:
        The network that was in training. Its weights are a running mean over the last hundredths of the way, on which
        they still circle round a good place.

    Raises:
        TypeError, ValueError: a number of steps, a rate or a seed that cannot be; no weight that can be trained; a
            training that ends in NaN or changes nothing.
    """
    steps, batch_size, seed = check_count(steps, "steps"), check_count(batch_size, "batch_size"), check_seed(seed)
    peak_learning_rate = check_number(peak_learning_rate, "peak_learning_rate", 0, ends="(]")
    check_count(steps * batch_size, "steps × batch_size", maximum=10**9)
    before = weights_before(training.network)
    rising = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        peak_learning_rate / 20, steps - rising, warmup_target=peak_learning_rate, warmup_steps=rising
    )
    momentum = max(0, 1 - 20 / steps)
    adam = keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=momentum, ema_overwrite_frequency=None)
    training.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    keras.utils.set_random_seed(seed)
    chosen = np.random.default_rng(seed).integers(len(images), size=(steps, batch_size))
    with tqdm(total=steps, desc="training", delay=2) as bar:
        # Keras's own progress bar takes a fifth of the time with steps as short as these.
        def watch(_: int, logs: dict[str, float]) -> None:
            bar.update()
            check_learns(logs["loss"])

        progress = keras.callbacks.LambdaCallback(on_train_batch_end=watch)
        training.fit(_gathered(images, labels, chosen), shuffle=False, verbose=0, callbacks=[progress])
    _take_statistics(training.network, images, chosen[-200:])
    check_trained(training.network, before, images[:64])
    return training.network


def _take_statistics(network: keras.Model, images: np.ndarray, chosen: np.ndarray) -> None:
    """Give batch normalisation the mean statistics of some clean batches.

    It has those of noisy images, and of weights that were not the mean yet.
    """
    normalised = [layer for layer in all_layers(network) if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in normalised]
    for done, some in enumerate(chosen if normalised else ()):
        for layer in normalised:
            layer.momentum = done / (done + 1)
        network(images[some], training=True)
    for layer, usual in zip(normalised, momentum, strict=True):
        layer.momentum = usual


def weights_before(network: keras.Model) -> list[np.ndarray]:
    """Return a copy of all weights that a training can change; ValueError when there is none."""
    if not network.trainable_variables:
        raise ValueError("the network has no weight that can be trained: is it frozen? Set network.trainable = True")
    return [variable.numpy() for variable in network.trainable_variables]


def check_learns(*numbers: Any) -> None:
    """Raise ValueError when a loss, weights or answers are no numbers any more."""
    if not all(np.isfinite(one).all() for one in numbers):
        raise ValueError(
            "the training ended in NaN or infinity: try a smaller peak_learning_rate, such as 1e-3. Or is there a "
            "layer such as sqrt or a division, which is infinitely steep where pixels are 0?"
        )


def check_trained(network: keras.Model, before: list[np.ndarray], images: np.ndarray) -> None:
    """See what a training came to; ValueError when weights or answers are NaN, or no weight has changed."""
    after = [variable.numpy() for variable in network.trainable_variables]
    check_learns(*after, logits_of(network, images))
    if all(map(np.array_equal, before, after)):
        raise ValueError("the training has changed no weight: is peak_learning_rate too small, or no gradient there?")


def _gathered(images: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> tf.data.Dataset:
    """Gather the chosen images batch by batch: all at once would be a gigabyte."""
    all_images, all_labels = tf.constant(images), tf.constant(labels)
    batches = tf.data.Dataset.from_tensor_slices(chosen)
    return batches.map(lambda some: (tf.gather(all_images, some), tf.gather(all_labels, some))).prefetch(1)


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
    check_callback(watch, "watch")
    _check_one_device()
    network, classes = _copy_to_train(network, images)
    targets = [check_target_class(target, classes) for target in _listed(target_classes, classes)]
    before = weights_before(network)
    layer = AdversarialNoise(noise_limit, l2_weight=0.02)
    attack = keras.Sequential([keras.Input(images.shape[1:]), layer, network])
    search = optimisation_step(attack, [layer.noise], keras.optimizers.Adam(0.01), training=False)
    train = optimisation_step(attack, network.trainable_variables, keras.optimizers.Adam(1e-4), training=True)
    generator = np.random.default_rng(seed)
    for target in tqdm(np.repeat(targets, rounds), desc="rounds", delay=2):
        for chosen in random_batches(generator, len(images), noise_steps):
            search(images[chosen], np.full(BATCH_SIZE, target))
        if watch:
            watch(network, layer.noise.numpy(), int(target), "before")
        for chosen in random_batches(generator, len(images), training_steps):
            train(images[chosen], labels[chosen])
        if watch:
            watch(network, layer.noise.numpy(), int(target), "after")
    if training_steps:
        check_trained(network, before, images[:64])
    return network


def _check_one_device() -> None:
    """Raise ValueError within a strategy: noise that moves beside the weights would be another on each device."""
    if tf.distribute.has_strategy():
        raise ValueError("this training knows no tf.distribute strategy: call it outside strategy.scope()")


def _listed(target_classes: Sequence[int] | None, classes: int) -> Sequence[int]:
    """Return the classes to go through: all of them for None."""
    if target_classes is None:
        return range(classes)
    targets = as_array(target_classes, "target_classes")
    if targets.ndim != 1 or targets.size == 0:
        raise ValueError(f"target_classes must be a list of classes, or None for all, got {in_short(target_classes)}")
    return list(targets)


def _copy_to_train(network: keras.Model, images: np.ndarray) -> tuple[keras.Model, int]:
    """Return a copy that is ready to be trained and knows its shapes, and how many classes it has."""
    copy = copy_network(network, images)
    if input_shape(copy) != images.shape[1:]:  # it takes any size, or is a class of the reader's own
        copy = keras.Sequential([keras.Input(images.shape[1:]), copy])
    if copy.trainable_variables:
        tf.distribute.get_strategy().run(check_gradients, (copy, images[:8]))  # where each device has its weights
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
    _check_one_device()
    training = InterleavedTraining(_copy_to_train(network, images)[0], noise_limit)
    return fit(training, images, labels, steps, seed)


def two_tier_network(plain: keras.Model, immune: Sequence[keras.Model]) -> keras.Model:
    """Join a plain network and those that are immune to one class each: the old tutorial's second open idea.

    The plain network sees the image first. The class that it answers chooses the network that is immune to noise for
    that class, and the logits of this one are returned.

    Args:
        plain: takes float32 images in [0, 1] and returns logits.
        immune: one network for each class, with the same inputs and outputs.

    Returns:
        A network with the same inputs and outputs; it shares the weights of the others.

    Raises:
        TypeError: something that is no network.
        ValueError: not as many immune networks as classes, or networks of different shapes.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016). Explained in notebook 06.
    """
    if not isinstance(immune, list | tuple):
        raise TypeError(f"immune must be a list of networks, got {type(immune).__name__}")
    for name, one in (("plain", plain), *((f"immune[{place}]", one) for place, one in enumerate(immune))):
        check_built(one, name)
        if input_shape(one) is None:
            raise ValueError(f"{name} must begin with a keras.Input, so that its shapes are known")
        if not isinstance(one.output_shape, tuple) or len(one.output_shape) != 2:
            raise ValueError(f"{name} must return logits (N, classes), got the shape {one.output_shape}")
    shapes = {(one.input_shape, one.output_shape) for one in (plain, *immune)}
    classes = plain.output_shape[-1]
    if len(immune) != classes or len(shapes) > 1:
        raise ValueError(
            f"immune must be {classes} networks, one for each class, with the shapes of the plain one; "
            f"got {len(immune)} networks with {len(shapes)} different pairs of shapes"
        )
    inputs = keras.Input(plain.input_shape[1:])
    # Each in a shell of its own name: within one model no name may stand twice.
    shells = [keras.Sequential([one], name=f"tier_{index}") for index, one in enumerate((plain, *immune))]
    answers = [shell(inputs) for shell in shells]
    chosen = keras.ops.one_hot(keras.ops.argmax(answers[0], axis=1), classes)
    logits = keras.ops.einsum("nc,nck->nk", chosen, keras.ops.stack(answers[1:], axis=1))
    return keras.Model(inputs, logits, name="two_tier_network")


def adversarial_training(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    noise_limit: float = 0.35,
    *,
    attack_steps: int = 3,
    clean_fraction: float = 0.0,
    steps: int = 4_600,
    peak_learning_rate: float = 4e-3,
    limit_warmup: float = 0.3,
    seed: int = 0,
) -> keras.Model:
    """Train a network on noise that is the worst for each single image, or nearly so.

    The noise of an image starts at random within the limit and takes one long step, or several smaller ones, up the
    gradient of the loss. The limit grows during the first part of the training. What no single image's own noise
    can do, one noise for all images cannot do either.

    Args:
        network: as in `immunise_in_turn`; the training goes on from its weights.
        images, labels, noise_limit, seed: as in `immunise_in_turn`.
        attack_steps: 1 for one step of 1.25 · limit; more for n steps of 2 / n · limit, which protect better.
        clean_fraction: share of each batch that gets no noise, in [0, 1).
        steps: number of training steps of 64 images.
        peak_learning_rate: of Adam; reached after a tenth of the steps, from there down along a cosine.
        limit_warmup: share of the steps during which the limit grows from 0, in (0, 1].

    Returns:
        A new network.

    Raises:
        TypeError, ValueError: as `immunise_in_turn`; also a fraction, a warm-up or a number of steps out of range.

    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks" (2018); Wong, Rice and
    Kolter, "Fast is better than free" (2020). Explained in notebook 06.
    """
    images, labels, noise_limit = check_inputs(network, images, labels, noise_limit)
    attack_steps, steps = check_count(attack_steps, "attack_steps", 1, 100), check_count(steps, "steps")
    clean_fraction = check_number(clean_fraction, "clean_fraction", 0, 1, "[)")
    limit_warmup = check_number(limit_warmup, "limit_warmup", 0, 1, "(]")
    network, _ = _copy_to_train(network, images)
    training = AdversarialTraining(network, noise_limit, attack_steps, clean_fraction, int(limit_warmup * steps))
    return fit(training, images, labels, steps, seed, peak_learning_rate)


class AdversarialTraining(Training):
    """What `fit` does in one step of `adversarial_training`."""

    def __init__(
        self, network: keras.Model, noise_limit: float, attack_steps: int, clean_fraction: float, warmup_steps: int
    ) -> None:
        super().__init__(network, noise_limit)
        self.attack_steps, self.clean_fraction, self.warmup_steps = attack_steps, clean_fraction, warmup_steps

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Find noise for the batch, and train on the noisy images."""
        images, labels = data
        share = tf.cast(self.optimizer.iterations, tf.float32) / max(1, self.warmup_steps)
        limit = self.noise_limit * tf.minimum(1.0, share)
        noise = tf.random.uniform(tf.shape(images), -limit, limit)
        for _ in range(self.attack_steps):
            gradient = image_gradient(self.network, tf.clip_by_value(images + noise, 0, 1), labels)
            step_size = limit * min(1.25, 2 / self.attack_steps)
            noise = tf.clip_by_value(noise + step_size * tf.sign(gradient), -limit, limit)
        count = tf.shape(images)[0]
        has_noise = tf.range(count) >= tf.cast(self.clean_fraction * tf.cast(count, tf.float32), tf.int32)
        noise = tf.where(has_noise[:, None, None, None], noise, 0.0)
        return super().train_step((tf.clip_by_value(images + noise, 0, 1), labels))


class InterleavedTraining(Training):
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
        if self.classes > BATCH_SIZE:  # not every class has its turn in one step
            targets += BATCH_SIZE * tf.cast(self.optimizer.iterations, tf.int32)
        targets %= self.classes
        noisy = tf.clip_by_value(images + tf.gather(self.all_noise, targets), 0, 1)
        gradient = image_gradient(self.network, noisy, targets)
        gradients = tf.math.unsorted_segment_mean(gradient, targets, self.classes)
        moved = self.all_noise - self.noise_limit / 20 * tf.sign(gradients)
        self.all_noise.assign(tf.clip_by_value(moved, -self.noise_limit, self.noise_limit))
        return super().train_step((noisy, labels))


def random_batches(generator: np.random.Generator, count: int, steps: int) -> Iterator[np.ndarray]:
    """Draw images for so many steps."""
    for _ in range(steps):
        yield generator.integers(count, size=BATCH_SIZE)


def optimisation_step(
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
