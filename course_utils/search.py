"""The search for noise: for single images, and one noise for all images and every target class at once."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from course_utils._checks import (
    as_array,
    as_floats,
    check_callback,
    check_count,
    check_images,
    check_labels,
    check_network,
    check_noise,
    check_noise_limit,
    check_number,
    check_seed,
    check_stored_images,
    check_target_class,
)
from course_utils._gradients import (
    NoGradientError,
    SteepGradientError,
    compiled,
    compiled_logits,
    logits_of,
    margin_of,
    mean_gradient,
    quick_pooling,
)

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

MOMENTUM = 0.9  # the share of its way that a search keeps from step to step
VALUES_AT_ONCE = 2**21  # pixel values in the network at once; some 1 GiB for networks like those of the course
SOFTNESS = 0.1  # of the count of misread images: 0 would be a step, of which no gradient is left
STEPS_AT_ONCE = 8  # at most so many of a search for single images; between them it can be interrupted


def find_image_noise(
    network: keras.Model,
    images: np.ndarray,
    target_classes: int | np.ndarray,
    noise_limit: float = 0.35,
    *,
    score: float = 0.99,
    max_steps: int = 100,
    step_size: float | None = None,
    batch_size: int = 256,
    after_step: Callable[[np.ndarray], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find noise for single images: for each its own, until the network gives the target class the wanted score.

    Every step goes down the gradient of the cross-entropy with the target class, scaled so that the pixel with
    the largest gradient moves by `step_size`.

    Args:
        network: takes float32 images in [0, 1] and returns logits; it is not changed.
        images: float32, shape (N, H, W, C), pixels in [0, 1].
        target_classes: one class for all images, or whole numbers of shape (N,).
        noise_limit: largest |noise| of a pixel, in (0, 1].
        score: softmax output for the target class at which an image is done, in (0, 1).
        max_steps: at most so many steps for an image; with fewer its score was reached.
        step_size: in pixel units; a fifth of the limit when left out.
        batch_size: so many images are searched at once, fewer of large ones.
        after_step: called with the noise as it is after each step, which takes longer.

    Returns:
        noise, float32, shape (N, H, W, C), and the number of steps that each image took, int64, shape (N,).

    Raises:
        TypeError: images that are not float32, classes that are not whole numbers.
        ValueError: images outside [0, 1] or not of the network's shape, a limit outside (0, 1], a class that the
            network does not have, a network that returns anything else than finite logits (N, classes); as
            `NoGradientError`, a gradient that is zero for all images.

    Source: M. E. H. Pedersen, "TensorFlow Tutorials" #11 (2016). Explained in notebook 03.
    """
    images = check_images(images, network)
    classes = check_network(network, images)
    noise_limit = check_noise_limit(noise_limit)
    if np.ndim(as_array(target_classes, "target_classes")) == 0:
        target_classes = np.full(len(images), check_target_class(target_classes, classes))
    targets = check_labels(target_classes, images, classes, name="target_classes")
    score = check_number(score, "score", 0, 1, "()")
    check_callback(after_step, "after_step")
    step_size = noise_limit / 5 if step_size is None else check_number(step_size, "step_size", 0, 1, "(]")
    max_steps, batch_size = check_count(max_steps, "max_steps"), check_count(batch_size, "batch_size")
    batch_size = at_most_in_memory(batch_size, images[0].size)
    at_once = min(STEPS_AT_ONCE, max(1, 2 * VALUES_AT_ONCE // images[:batch_size].size)) if after_step is None else 1
    search = compiled(network, _image_search)
    settings = [tf.constant(value, tf.float32) for value in (noise_limit, step_size, score)]
    noise, taken = np.zeros_like(images), np.zeros(len(images), np.int64)
    for first in range(0, len(images), batch_size):
        part = slice(first, first + batch_size)
        for done in range(0, max_steps, at_once):
            steps = min(at_once, max_steps - done)
            noise[part], took = search(images[part], targets[part], noise[part], *settings, tf.constant(steps))
            taken[part] += took
            if after_step and np.any(took):
                after_step(noise.copy())
            if np.max(took) < steps:
                break
    if not np.isfinite(noise).all():
        raise SteepGradientError
    if taken.any() and not noise.any():
        raise NoGradientError
    return noise, taken


def at_most_in_memory(images: int, size: int) -> int:
    """Return so many images of a size in values, or fewer where they are large."""
    return min(images, max(1, 2 * VALUES_AT_ONCE // size))


def _image_search(network: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Compile the search for one network: it goes on from some noise, and counts the steps that each image took."""

    @tf.function(reduce_retracing=True)
    def search(images, targets, noise, noise_limit, step_size, score, max_steps):  # type: ignore[no-untyped-def]
        steps = tf.zeros_like(targets)
        for _ in tf.range(max_steps):
            with tf.GradientTape() as tape:
                noisy = tf.clip_by_value(images + noise, 0, 1)
                # The gradient for the noise itself would be stuck at zero wherever a pixel is clipped.
                tape.watch(noisy)
                logits = logits_of(network, noisy)
                loss = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
            reached = tf.gather(tf.nn.softmax(logits), targets, batch_dims=1) >= score
            if tf.reduce_all(reached):
                break
            gradient = tape.gradient(loss, noisy, unconnected_gradients="zero")
            largest = tf.reduce_max(tf.abs(gradient), axis=(1, 2, 3), keepdims=True)
            stepped = noise - step_size * tf.math.divide_no_nan(gradient, largest)
            stepped = tf.clip_by_value(stepped, -noise_limit, noise_limit)
            noise = tf.where(reached[:, None, None, None], noise, stepped)
            steps += tf.cast(~reached, steps.dtype)
        return noise, steps

    return search


def find_universal_noise(
    network: keras.Model,
    images: np.ndarray,
    target_classes: int | Sequence[int] | np.ndarray | None,
    noise_limit: float = 0.35,
    noise_l2_weight: float = 0.0,
    steps: int = 20,
    batch_size: int = 16,
    restarts: int = 1,
    start: np.ndarray | None = None,
    seed: int | None = None,
    after_step: Callable[[np.ndarray], None] | None = None,
    labels: np.ndarray | None = None,
    first_step: float = 1.0,
) -> np.ndarray:
    """Find noise that works on all images at once: one for each target class, all of them in the same steps.

    Each step takes the average gradient over a batch, keeps nine tenths of the way it was going (momentum), and
    moves every pixel by the same amount, in the direction of the sign. That amount falls evenly, from `first_step`
    times the limit to nearly nothing in the last step.

    Runs on CPU and GPU; within the scope of a `tf.distribute` strategy on its first device only. A long search shows
    its progress. One that is interrupted leaves the network as it was, as every search does.

    Args:
        network: takes float32 images in [0, 1] and returns logits; it is not changed.
        images: float32 with pixels in [0, 1], or uint8 from 0 to 255, shape (N, H, W, C).
        target_classes: one class, or several; or None for noise that leads away from what the network sees in the
            clean images, wherever to.
        noise_limit: largest |noise| of a pixel, in (0, 1].
        noise_l2_weight: factor of the penalty noise_l2_weight · ½ · Σ noise² on the loss, at least 0.
        steps: number of steps.
        batch_size: images a step; the gradient is evaluated steps · batch_size times for each target.
        restarts: with 2 or more, each search is made so many times from random starts. Of those for a target class
            the best is returned; without targets, all of them.
        start: float32, shape (H, W, C) or (targets, H, W, C), where to start; zeros when left out.
        seed: for the draw of the images and the random starts. When left out, Python's `random` gives one, which
            `start_notebook` has set.
        after_step: called with the noise, (searches, H, W, C), as it is after each step, which takes longer.
        labels: whole numbers, shape (N,), the true classes; none are needed. With them the search counts the images
            that are misread, smoothly. It finds more that way where most images resist: of scores, a few hopeless
            images take the largest part.
        first_step: size of the first step in limits, in (0, 1]. To better a good `start`, a tenth: a large step
            leaves it at once.

    Returns:
        float32, shape (targets, H, W, C). Without targets (restarts, H, W, C).

    Raises:
        TypeError: images that are neither float32 nor uint8, classes that are not whole numbers.
        ValueError: images outside [0, 1] or not of the network's shape, a limit outside (0, 1], a class that the
            network does not have, a network that returns anything else than finite logits (N, classes), a start or
            labels that do not fit; as `NoGradientError`, a gradient that is zero for all images.

    Source: the idea is that of Moosavi-Dezfooli et al., "Universal adversarial perturbations" (2017), and of
    M. E. H. Pedersen, "TensorFlow Tutorials" #12 (2016). Explained in notebook 04.
    """
    check_callback(after_step, "after_step")
    plan = Plan.drawn(
        network, images, target_classes, noise_limit, noise_l2_weight, steps, batch_size, restarts, start, seed,
        labels, first_step,
    )  # fmt: skip
    with tqdm(total=plan.length, desc="searching noise", delay=2, leave=False) as progress:
        return plan.best(plan.search(network, progress, after_step))


def _targets(target_classes: int | Sequence[int] | np.ndarray | None, classes: int, images: int) -> np.ndarray:
    """Return the target classes as int64, shape (targets,); a single -1, which nothing reads, stands for None."""
    if target_classes is None:
        return np.array([-1])
    targets = np.atleast_1d(as_array(target_classes, "target_classes"))
    if targets.size == 0:
        raise ValueError("target_classes is empty: at least one class is needed, or None")
    if targets.ndim > 1 or targets.size == images > classes:
        raise ValueError(
            f"target_classes must be some of the {classes} classes, got the shape {targets.shape}: are these labels? "
            "The search needs none"
        )
    return np.array([check_target_class(target, classes) for target in targets], np.int64)


def _starts(
    start: np.ndarray | None,
    restarts: int,
    shape: tuple[int, ...],
    noise_limit: float,
    generator: np.random.Generator,
) -> np.ndarray | None:
    """Return where searches start: float32, shape (restarts · targets, H, W, C), within the limit; None: zeros."""
    if restarts > 1:
        if start is not None:
            raise ValueError("start and restarts exclude each other: restarts begin at random")
        return generator.uniform(-noise_limit, noise_limit, shape).astype(np.float32)
    if start is None:
        return None
    start = check_noise(start, np.empty(shape, np.float32), name="start")
    return np.broadcast_to(np.clip(start, -noise_limit, noise_limit), shape)


@dataclass(frozen=True)
class Found:
    """What a search found, or a part of it.

    Attributes:
        noise: float32, shape (searches, H, W, C).
        moved: whether any noise has left its start, or a loss was so low that none had to.
        losses: float32, shape (searches,), on fresh images; smaller is better. Zeros where none were to be drawn.
    """

    noise: np.ndarray
    moved: bool
    losses: np.ndarray


@dataclass(frozen=True)
class Plan:
    """All that a search for universal noise will do, drawn before its first step: any part can be made anywhere.

    Attributes:
        images: float32 or uint8, shape (N, H, W, C).
        labels: int64, shape (N,).
        targets: int64, shape (searches,): all target classes, and again for each restart.
        starts: float32, shape (searches, H, W, C); None where all begin with zeros.
        batch_indices: which images each step looks at, shape (steps, batch_size).
        fresh_indices: on which ones the best restart is found, shape (batches, batch_size); none without restarts.
        step_sizes: float32, shape (steps,), in pixel units.
        settings: noise limit, weight of the penalty, and how sharply to count.
        kind: whether there are target classes, and labels.
        restarts: how often each search is made.
    """

    images: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    starts: np.ndarray | None
    batch_indices: np.ndarray
    fresh_indices: np.ndarray
    step_sizes: np.ndarray
    settings: tuple[float, float, float]
    kind: tuple[bool, bool]
    restarts: int

    @classmethod
    def drawn(
        cls,
        network: keras.Model,
        images: np.ndarray,
        target_classes: int | Sequence[int] | np.ndarray | None,
        noise_limit: float,
        noise_l2_weight: float,
        steps: int,
        batch_size: int,
        restarts: int,
        start: np.ndarray | None,
        seed: int | None,
        labels: np.ndarray | None,
        first_step: float,
    ) -> "Plan":
        """Check what `find_universal_noise` was given, and draw all that is random."""
        images = check_stored_images(images, network)
        classes = check_network(network, images)
        targets = _targets(target_classes, classes, len(images))
        known, temperature = _to_be_counted(network, images, labels, classes)
        noise_limit = check_noise_limit(noise_limit)
        noise_l2_weight = check_number(noise_l2_weight, "noise_l2_weight")
        steps, batch_size = check_count(steps, "steps"), check_count(batch_size, "batch_size")
        check_count(steps * batch_size, "steps × batch_size", maximum=10**9)
        restarts = check_count(restarts, "restarts", 1, 1_000)
        first_step = check_number(first_step, "first_step", 0, 1, "(]")
        generator = np.random.default_rng(random.randrange(2**32) if seed is None else check_seed(seed))
        batch_indices = generator.integers(len(images), size=(steps, batch_size))
        targets = np.tile(targets, restarts)
        starts = _starts(start, restarts, (len(targets), *images.shape[1:]), noise_limit, generator)
        fresh = 1 + 256 // batch_size if restarts > 1 and target_classes is not None else 0
        return cls(
            images=images,
            labels=known,
            targets=targets,
            starts=starts,
            batch_indices=batch_indices,
            fresh_indices=generator.integers(len(images), size=(fresh, batch_size)),
            step_sizes=noise_limit * np.linspace(first_step, 0, steps, endpoint=False, dtype=np.float32),
            settings=(noise_limit, noise_l2_weight, temperature),
            kind=(target_classes is not None, labels is not None),
            restarts=restarts,
        )

    @property
    def at_once(self) -> int:
        """How many searches fit into memory at once."""
        return max(1, VALUES_AT_ONCE // (self.batch_indices.shape[1] * self.images[0].size))

    @property
    def length(self) -> int:
        """How many steps all searches take, with those of size zero by which the best restart is found."""
        return len(self.targets) * (len(self.step_sizes) + len(self.fresh_indices))

    def search(
        self, network: keras.Model, progress: tqdm, after_step: Callable[[np.ndarray], None] | None = None
    ) -> Found:
        """Make all searches."""
        shape, dtype = tuple(self.images.shape[1:]), self.images.dtype.name
        function = compiled(network, _universal_search, shape, dtype, *self.kind)
        make = _Search(function, self.images, self.labels, self.settings, self.at_once, progress, after_step)
        starts = np.zeros((len(self.targets), *shape), np.float32) if self.starts is None else self.starts
        noise, losses = make(starts, self.targets, self.batch_indices, self.step_sizes)
        log_scores = self.kind == (False, False)  # these have a slope wherever there is one at all
        moved = not ((log_scores or losses.min() > 0) and np.array_equal(noise, starts))
        # Steps of size zero tell the losses on fresh images.
        look, still = replace(make, after_step=None), np.zeros(len(self.fresh_indices), np.float32)
        return Found(noise, moved, look(noise, self.targets, self.fresh_indices, still)[1])

    def best(self, found: Found) -> np.ndarray:
        """Return what was found for each target by the best of its restarts; all of it where there are no targets."""
        noise = found.noise
        if not found.moved:
            raise NoGradientError
        if len(self.fresh_indices):
            best = found.losses.reshape(self.restarts, -1).argmin(axis=0)
            noise = noise.reshape(self.restarts, -1, *noise.shape[1:])[best, np.arange(len(best))]
        if not np.isfinite(noise).all():
            raise SteepGradientError
        return noise


@dataclass(frozen=True)
class _Search:
    """All that stays the same from one step to the next."""

    function: Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
    images: np.ndarray
    labels: np.ndarray
    settings: tuple[float, ...]
    at_once: int
    progress: tqdm
    after_step: Callable[[np.ndarray], None] | None

    def __call__(
        self, noise: np.ndarray, targets: np.ndarray, batch_indices: np.ndarray, step_sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make all steps, one chunk of the noises after the other; return the noises and their summed losses.

        Each chunk takes a few calls, with room between them for progress and interruption.
        """
        noise, losses = noise.copy(), np.zeros(len(noise), np.float32)
        for first in range(0, len(noise), self.at_once):
            some = slice(first, first + self.at_once)
            velocity, values = np.zeros_like(noise[some]), noise[some].size * batch_indices.shape[1]
            steps_at_once = max(1, 4 * VALUES_AT_ONCE // values) if self.after_step is None else 1
            for step in range(0, len(batch_indices), steps_at_once):
                part = slice(step, step + steps_at_once)
                batches = self.images[batch_indices[part]]
                if batches.dtype == np.float32:
                    check_images(batches.reshape(-1, *batches.shape[2:]))
                labels = self.labels[batch_indices[part]]
                noise[some], velocity, loss = self.function(
                    noise[some], velocity, batches, labels, targets[some], step_sizes[part], *self.settings
                )
                losses[some] += loss
                if self.after_step:
                    self.after_step(noise[some].copy())
                self.progress.update(len(noise[some]) * len(step_sizes[part]))
        return noise, losses


def _to_be_counted(
    network: keras.Model, images: np.ndarray, labels: np.ndarray | None, classes: int
) -> tuple[np.ndarray, float]:
    """Return the labels and how sharply to count, in logits: a share of the lead that the true class usually has."""
    if labels is None:
        return np.zeros(len(images), np.int64), 0.0
    labels, some = check_labels(labels, images, classes), as_floats(images[:256])
    leads = -margin_of(compiled_logits(network, some.shape[1:])(some), labels[: len(some)])
    return labels, max(SOFTNESS * float(np.median(abs(leads))), 1e-6)


def _universal_search(
    network: keras.Model, image_shape: tuple[int, ...], dtype: str, targeted: bool, counted: bool
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Compile the search for one network."""
    noise_type = tf.TensorSpec((None, *image_shape), tf.float32)
    batches_type = tf.TensorSpec((None, None, *image_shape), dtype)
    labels_type = tf.TensorSpec((None, None), tf.int64)
    targets_type, vector, number = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,)), tf.TensorSpec(())
    signature = [noise_type, noise_type, batches_type, labels_type, targets_type, vector, number, number, number]

    def losses_of(logits, targets, labels, temperature):  # type: ignore[no-untyped-def]
        if targeted and not counted:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        if not counted:
            return tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=1)
        own = tf.gather(logits, labels, batch_dims=1)
        lead = own - tf.gather(logits, targets, batch_dims=1) if targeted else -margin_of(logits, labels)
        return tf.sigmoid(lead / temperature)

    @tf.function(input_signature=signature)
    def search(noise, velocity, batches, labels, all_targets, step_sizes, noise_limit, l2_weight, temperature):  # type: ignore[no-untyped-def]
        count = tf.shape(noise)[0]
        losses = tf.zeros((count,))
        for step in tf.range(tf.shape(step_sizes)[0]):
            batch = tf.image.convert_image_dtype(batches[step], tf.float32)  # uint8 becomes 0 … 1
            noisy = tf.reshape(tf.clip_by_value(batch + noise[:, None], 0, 1), (-1, *image_shape))
            with quick_pooling():
                logits = logits_of(network, noisy)
            true = labels[step] if counted or targeted else tf.argmax(logits_of(network, batch), axis=1)
            targets = tf.repeat(all_targets, tf.shape(batch)[0])
            loss = losses_of(logits, targets, tf.tile(true, [count]), temperature)
            gradient = mean_gradient(loss, noisy, count) + l2_weight * noise
            size = tf.reduce_mean(tf.abs(gradient), axis=(1, 2, 3), keepdims=True)
            velocity = MOMENTUM * velocity + tf.math.divide_no_nan(gradient, size)
            noise = tf.clip_by_value(noise - step_sizes[step] * tf.sign(velocity), -noise_limit, noise_limit)
            losses += tf.reduce_mean(tf.reshape(loss, (count, -1)), axis=1)
        return noise, velocity, losses

    return search
