"""Attacks on a finished network: `reattack` tries all of them, and reports what is left of its accuracy."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils._checks import (
    check_dataset,
    check_images,
    check_labels,
    check_network,
    check_noise_limit,
    check_seed,
    in_short,
)
from course_utils._gradients import NoGradientError, compiled, gradient_of, logits_of, quick_pooling
from course_utils.data import Dataset
from course_utils.evaluation import classes_seen, evaluate_noise
from course_utils.noise import add_noise
from course_utils.search import find_universal_noise

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class _Strength:
    """How hard to attack."""

    test_images: int  # on so many, universal noise is measured
    steps: int
    batch_size: int
    restarts: int  # random starts, besides the one from zero
    single_images: int
    single_steps: int
    single_restarts: int
    square_images: int
    square_queries: int


STRENGTHS = {
    "quick": _Strength(2_000, 60, 32, 1, 200, 40, 1, 200, 150),
    "full": _Strength(10_000, 200, 64, 3, 1_000, 100, 5, 200, 1_000),
}
WAYS, PARTS = 50, 128  # from one image to another, on which gradients are added up; points on each
NEARBY = 0.01  # pixels move so far where the gradient is held against what comes of it
SAMPLES, AROUND = 4, 0.4  # points beside an image over which a smoothed gradient is the mean; how far, in limits


@dataclass(frozen=True)
class AttackReport:
    """What is left of a network's accuracy under noise that was searched afresh against it.

    Attributes:
        clean_accuracy: accuracy without noise.
        mean_accuracy: mean over the target classes, each under the worst noise found for it.
        worst_accuracy: the lowest accuracy under any one universal noise that was found.
        worst_success_rate: the largest share of the others that a noise made the network take for its target class.
        single_image_accuracy: share of the images attacked singly that no attack could fool, and never more than any
            of these attacks has left of those that it was tried on.
        by_attack: the accuracy that each attack left, the strongest attack first.
        all_noise: float32, shape (classes, H, W, C), the worst noise for each target class.
        accuracy_at_limit_1: accuracy under the same search at limit 1.
        accuracy_with_fewer_steps: the lowest accuracy that a quarter of the steps towards each class leaves.
        explained_by_gradients: how much of what changes in the logits, from one image to another, the gradients on
            the way between them add up to. A network that jumps, as behind rounding, is far from 1.
        way_with_slope: on how much of such a way the logits change: 1 where they do so evenly, near 0 where they are
            flat round every image and all happens in between, as behind logits that are cut off.
        local_linearity: by how much a small step along the gradient (0.01 in each pixel) raises the loss, over how
            much the gradient promises. Behind ripples too small to be seen, or a false gradient, it is far from 1.
    """

    clean_accuracy: float
    mean_accuracy: float
    worst_accuracy: float
    worst_success_rate: float
    single_image_accuracy: float
    by_attack: dict[str, float]
    all_noise: np.ndarray
    accuracy_at_limit_1: float
    accuracy_with_fewer_steps: float
    explained_by_gradients: float
    way_with_slope: float
    local_linearity: float

    @property
    def trustworthy(self) -> bool:
        """Did the search work at all? Then there is no `doubt`."""
        return not self.doubt

    @property
    def doubt(self) -> str:
        """Why the report is not to be believed, in words; empty where it is.

        Gradients must explain what the network does, lie on much of the way, agree with those beside them, and do as
        much harm as an attack without them. Noise for each image must do as much as one noise for all, and the search
        must succeed at limit 1 and with more steps.
        """
        rows, chance = self.by_attack, 1 / len(self.all_noise)
        without, more_steps = rows["single images, no gradients"], rows["universal, towards a class"]
        along = min(left for name, left in rows.items() if name.startswith("single") and "no gradients" not in name)
        single, worst = self.single_image_accuracy, self.worst_accuracy
        explained, way, linear = self.explained_by_gradients, self.way_with_slope, self.local_linearity
        at_limit_1, fewer_steps = self.accuracy_at_limit_1, self.accuracy_with_fewer_steps
        looked_at = [
            (explained >= 0.9,
             f"its gradients explain {explained:.0%} of what it does (90% wanted): it jumps, as behind rounding, "
             "where they see nothing, so no attack along them can be trusted"),
            (way >= 0.2,
             f"its logits change on {way:.0%} of the way from one image to another (20% wanted): they are flat round "
             "the images, as where they are cut off, and no attack can feel its way there"),
            (linear >= 0.5,
             f"a small step along its gradients brings {linear:.0%} of what they promise (50% wanted): they are "
             "false, or come from ripples too small to be seen, and lead an attack astray"),
            (along <= without + 0.03,
             f"the attack without gradients leaves {without:.1%}, and those along gradients leave {along:.1%} or "
             "more: so these are hidden, and tell the search nothing"),
            (single <= worst + 0.05,
             f"noise for single images leaves {single:.1%}, and one noise for all leaves only {worst:.1%}; as each "
             "image could take that one, the stronger attack has not worked"),
            (at_limit_1 <= 2 * chance and more_steps <= fewer_steps + 0.01,
             f"the judge fails against it: noise at limit 1 leaves {at_limit_1:.0%}, fewer steps leave "
             f"{fewer_steps:.1%}; where noise of that size does nothing, the search has not worked"),
        ]  # fmt: skip
        return next((why for held, why in looked_at if not held), "")

    def __str__(self) -> str:
        """Return the report as a small table."""
        rows = {
            "clean": self.clean_accuracy,
            **self.by_attack,
            "to check: at limit 1": self.accuracy_at_limit_1,
            "to check: with fewer steps": self.accuracy_with_fewer_steps,
            "to check: gradients explain": self.explained_by_gradients,
            "to check: way with a slope": self.way_with_slope,
            "to check: gradients lead": self.local_linearity,
        }
        return "\n".join(f"{name:32} {accuracy:6.1%}" for name, accuracy in rows.items())


def reattack(
    network: keras.Model,
    dataset: Dataset,
    noise_limit: float = 0.35,
    strength: str = "quick",
    other_network: keras.Model | None = None,
    seed: int = 0,
) -> AttackReport:
    """Attack a finished network with all that the course knows, and report what is left of its accuracy.

    Universal noise, searched on the training images towards every class and away from the clean answers, from zero
    and from random starts; universal noise searched against another network; noise for single images, along the
    gradients of two losses, from random starts and from one that makes all pixels grey, and along gradients smoothed
    over what lies around; and Square Attack, which needs no gradients, because a network can hide its gradients
    without being immune. All is measured on test
    images. "quick" takes half a minute at most on 2 cores, "full" five.

    Args:
        network: takes float32 images in [0, 1] and returns logits; it is not changed.
        dataset: what to search on and to measure on.
        noise_limit: largest |noise| of a pixel, in (0, 1].
        strength: "quick" or "full".
        other_network: noise found against it is tried on `network` too; left out when None.
        seed: for all that is drawn.

    Returns:
        An `AttackReport`.

    Raises:
        TypeError: something that is no network or no data set, a limit that is not a number.
        ValueError: a limit outside (0, 1], another strength, images, labels or class names that do not fit the
            network, a network that returns anything else than finite logits (N, classes).

    Source: what to try follows Athalye et al., "Obfuscated gradients give a false sense of security" (2018), and
    Croce and Hein, "Reliable evaluation of adversarial robustness" (2020). Explained in notebook 06.
    """
    check_dataset(dataset)
    test = check_images(dataset.test.images, network)
    if min(test.shape[1:3]) < 2:
        raise ValueError(f"images must be at least 2 × 2 pixels to be attacked, got the shape {test.shape}")
    check_dataset(dataset, classes=check_network(network, test))
    labels = check_labels(dataset.test.labels, test, len(dataset.class_names), name="dataset.test.labels")
    if len(np.unique(labels[: STRENGTHS["quick"].test_images])) < 2:
        raise ValueError(
            "dataset.test must hold images of at least two classes: noise towards the only one has no success"
        )
    if other_network is not None:
        check_network(other_network, check_images(test, other_network))
    noise_limit = check_noise_limit(noise_limit)
    if not isinstance(strength, str) or strength not in STRENGTHS:
        raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}, got {in_short(strength)}")
    attacks = _Attacks(network, dataset, noise_limit, STRENGTHS[strength], check_seed(seed))
    all_noise = attacks.universal(network)
    towards = [
        evaluate_noise(network, *attacks.test, noise, target, noise_limit) for target, noise in enumerate(all_noise)
    ]
    universal = {
        "universal, towards a class": min(report.accuracy for report in towards),
        "universal, away from the answer": attacks.accuracy(attacks.universal(network, targeted=False)[0]),
    }
    if other_network is not None:
        universal["universal, from another network"] = min(map(attacks.accuracy, attacks.universal(other_network)))
    unfooled = attacks.single_images()
    by_attack = universal | {name: float(np.mean(one)) for name, one in unfooled.items()}
    return AttackReport(
        clean_accuracy=attacks.accuracy(np.zeros_like(all_noise[0])),
        mean_accuracy=float(np.mean([report.accuracy for report in towards])),
        worst_accuracy=min(universal.values()),
        worst_success_rate=max(report.success_rate or 0.0 for report in towards),
        single_image_accuracy=min(
            float(np.mean(one)) for one in (_unfooled_by_all(*unfooled.values()), *unfooled.values())
        ),
        by_attack=dict(sorted(by_attack.items(), key=lambda item: item[1])),
        all_noise=all_noise,
        **attacks.of_themselves(),
    )


def left_one_by_one(
    network: keras.Model, dataset: Dataset, images: np.ndarray, labels: np.ndarray, noise_limit: float, seed: int
) -> float:
    """Return the accuracy on these images when each climbs its own loss, in all ways that `reattack` knows.

    Args:
        network: takes float32 images in [0, 1] and returns logits.
        dataset: what the network is for.
        images: float32, shape (N, H, W, C), in [0, 1].
        labels: their classes, integers (N,).
        noise_limit: the largest absolute value of a noise, in (0, 1].
        seed: of the random starts.
    """
    attacks = _Attacks(network, dataset, noise_limit, STRENGTHS["quick"], seed)
    return float(np.mean(_unfooled_by_all(*attacks.along_gradients(images, labels).values())))


def _unfooled_by_all(*attacks: np.ndarray) -> np.ndarray:
    """Which images stand after every attack? Some attacks were made on the first few images only."""
    unfooled = np.ones(max(map(len, attacks)), bool)
    for one in attacks:
        unfooled[: len(one)] &= one
    return unfooled


@dataclass(frozen=True)
class _Attacks:
    """The attacks on one network."""

    network: keras.Model
    dataset: Dataset
    noise_limit: float
    strength: _Strength
    seed: int

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """The test images on which universal noise is measured, and their labels."""
        count = self.strength.test_images
        return self.dataset.test.images[:count], self.dataset.test.labels[:count]

    def accuracy(self, noise: np.ndarray) -> float:
        images, labels = self.test
        return float(np.mean(classes_seen(self.network, add_noise(images, noise)) == labels))

    def search(self, against: keras.Model, targets: Sequence[int] | None, **settings: Any) -> np.ndarray:
        """Search once: from zero and with the usual strength, if the settings do not say otherwise."""
        images = self.dataset.train.images
        usual: dict[str, Any] = {
            "noise_limit": self.noise_limit,
            "steps": self.strength.steps,
            "batch_size": self.strength.batch_size,
            "seed": self.seed,
            "start": np.zeros((len(targets) if targets else 1, *images.shape[1:]), np.float32),
        }
        settings = usual | settings
        try:
            return find_universal_noise(against, images, targets, **settings)
        except NoGradientError:  # it stays where it started; attacks that need no gradient have the last word
            return settings["start"]  # type: ignore[no-any-return]

    def universal(self, against: keras.Model, targeted: bool = True) -> np.ndarray:
        """Search from zero and from random starts; return for each target the noise that leaves least accuracy."""
        targets = range(len(self.dataset.class_names)) if targeted else None
        generator, found = np.random.default_rng(self.seed), [self.search(against, targets)]
        for restart in range(self.strength.restarts):
            start = generator.uniform(-self.noise_limit, self.noise_limit, found[0].shape).astype(np.float32)
            found.append(self.search(against, targets, start=start, seed=(self.seed + restart + 1) % 2**32))
        return np.stack([min(noises, key=self.accuracy) for noises in zip(*found, strict=True)])

    def lowest(self, **settings: float) -> float:
        """Search once for every class with other settings, and return the lowest accuracy."""
        found = self.search(self.network, range(len(self.dataset.class_names)), **settings)
        return min(self.accuracy(noise) for noise in found)

    def of_themselves(self) -> dict[str, float]:
        """Measure what tells whether the attacks themselves are to be believed."""
        explained, way_with_slope = self.between_images()
        return {
            "accuracy_at_limit_1": self.lowest(noise_limit=1.0, steps=20),
            "accuracy_with_fewer_steps": self.lowest(steps=self.strength.steps // 4),
            "explained_by_gradients": explained,
            "way_with_slope": way_with_slope,
            "local_linearity": self.local_linearity(),
        }

    def between_images(self) -> tuple[float, float]:
        """Go from images to others under random noise: do gradients explain the change, and where do they lie?"""
        images = self.dataset.test.images[:WAYS]
        noise = np.random.default_rng(self.seed).choice([-self.noise_limit, self.noise_limit], images.shape)
        others = add_noise(np.roll(images, 1, axis=0), noise.astype(np.float32))
        change, slopes = (array.numpy() for array in compiled(self.network, _changes)(images, others))
        if not len(change):
            return 1.0, 1.0
        explained = 1 - abs(change - slopes.sum(axis=1)) / abs(change)
        # the participation ratio: 1 for equal slopes, n of PARTS where only n are there
        spread = abs(slopes).sum(axis=1) ** 2 / np.maximum(PARTS * (slopes**2).sum(axis=1), 1e-30)
        return float(np.median(np.clip(explained, 0, 1))), float(np.median(spread))

    def local_linearity(self) -> float:
        """Go a small step along the gradient, from images under noise of any size: does it bring what it promises?"""
        count, generator = self.strength.single_images, np.random.default_rng(self.seed)
        images, labels = self.dataset.test.images[:count], self.dataset.test.labels[:count]
        noise = generator.choice([-self.noise_limit, self.noise_limit], images.shape)
        noisy = add_noise(images, (noise * generator.uniform(size=(len(images), 1, 1, 1))).astype(np.float32))
        # As many at once as the attacks look at: a gradient that is false for other numbers alone leads none astray.
        rise, promise = (array.numpy() for array in compiled(self.network, _rise)(noisy, labels))
        return float(np.median(rise[promise > 0] / promise[promise > 0])) if promise.any() else 1.0

    def single_images(self) -> dict[str, np.ndarray]:
        """Attack test images one by one; for each attack return which of them it left unfooled, bool (N,)."""
        count, square = self.strength.single_images, slice(self.strength.square_images)
        images, labels = self.dataset.test.images[:count], self.dataset.test.labels[:count]
        without = {"single images, no gradients": self.square(images[square], labels[square])}
        return self.along_gradients(images, labels) | without

    def along_gradients(self, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Let each image climb its own loss."""
        return {
            "single images, cross-entropy": self.pgd(images, labels, margin=False),
            "single images, margin": self.pgd(images, labels, margin=True),
            "single images, from grey": self.pgd_from_grey(images, labels, margin=False)
            & self.pgd_from_grey(images, labels, margin=True),
            "single images, smoothed": self.pgd_smoothed(images, labels),
        }

    def pgd(self, images: np.ndarray, labels: np.ndarray, margin: bool) -> np.ndarray:
        """Projected gradient descent from random starts, on those that still stand."""
        generator = tf.random.Generator.from_seed(self.seed + 1)
        unfooled = np.ones(len(images), bool)
        for _ in range(self.strength.single_restarts):
            index = np.flatnonzero(unfooled)
            if len(index) == 0:
                break
            start = generator.uniform(images[index].shape, -self.noise_limit, self.noise_limit)
            unfooled[index] = self.descend(images[index], labels[index], start, margin)
        return unfooled

    def pgd_smoothed(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Descend from grey along smoothed gradients, which see what lies beyond a flat place."""
        return self.pgd_from_grey(images, labels, margin=True, smoothed=True)

    def pgd_from_grey(self, images: np.ndarray, labels: np.ndarray, **how: bool) -> np.ndarray:
        """Descend from noise that makes all pixels as grey as it can: layers that saturate have slopes only there."""
        return self.descend(images, labels, np.clip(0.5 - images, -self.noise_limit, self.noise_limit), **how)

    def descend(
        self, images: np.ndarray, labels: np.ndarray, start: Any, margin: bool, smoothed: bool = False
    ) -> Any:
        """Return which images stand after projected gradient descent from this start, bool (N,)."""
        limit, steps = tf.constant(self.noise_limit), tf.constant(self.strength.single_steps)
        return compiled(self.network, pgd_steps, margin, smoothed)(images, labels, start, limit, steps)[0].numpy()

    def square(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Square Attack (Andriushchenko et al. 2020), which only asks the network for its logits."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that PyTorch is not there
                # Imported here: it takes seconds, and only this attack needs it.
                from art.attacks.evasion import SquareAttack
                from art.estimators.classification import TensorFlowV2Classifier
        except ModuleNotFoundError:
            raise ImportError("reattack needs one more package: pip install adversarial-robustness-toolbox") from None

        classes = len(self.dataset.class_names)
        logits = tf.function(lambda images, training: logits_of(self.network, images), reduce_retracing=True)  # noqa: ARG005
        judge = TensorFlowV2Classifier(logits, classes, images.shape[1:], clip_values=(0, 1))
        np.random.seed(self.seed)  # noqa: NPY002 - the attack draws from NumPy's global generator
        height, width = images.shape[1:3]
        attack = SquareAttack(
            judge,
            p_init=min(0.8, (min(height, width) - 1) ** 2 / (height * width)),  # a square must fit into the image
            norm=np.inf,
            eps=self.noise_limit,
            max_iter=self.strength.square_queries,
            batch_size=500,
            verbose=False,
        )
        noise = attack.generate(images, y=keras.utils.to_categorical(labels, classes)) - images
        noisy = add_noise(images, np.clip(noise, -self.noise_limit, self.noise_limit))
        return classes_seen(self.network, noisy) == labels


def _changes(network: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Compile, for ways on which the answer changes: how far the logits move, and the slopes (ways, PARTS) there."""

    @tf.function(reduce_retracing=True)
    def changes(images, others):  # type: ignore[no-untyped-def]
        first, last = (tf.argmax(logits_of(network, ends), axis=1) for ends in (images, others))

        def lead(of):  # type: ignore[no-untyped-def]
            logits = logits_of(network, of)
            return tf.gather(logits, last, batch_dims=1) - tf.gather(logits, first, batch_dims=1)

        way, slopes = others - images, tf.TensorArray(tf.float32, PARTS)
        for part in tf.range(PARTS):
            at = tf.identity(images + way * (tf.cast(part, tf.float32) + 0.5) / PARTS)
            slopes = slopes.write(part, tf.reduce_sum(gradient_of(lead(at), at) * way, axis=(1, 2, 3)) / PARTS)
        change = lead(others) - lead(images)
        return tf.boolean_mask(change, first != last), tf.boolean_mask(tf.transpose(slopes.stack()), first != last)

    return changes


def _rise(network: keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Compile how much nearer a small step along the gradient brings each image to a mistake, and was to bring it."""

    @tf.function(reduce_retracing=True)
    def rise(images, labels):  # type: ignore[no-untyped-def]
        images = tf.identity(images)
        margin = _margin(logits_of(network, images), labels)
        gradient = gradient_of(margin, images)
        step = tf.clip_by_value(images + NEARBY * tf.sign(gradient), 0, 1) - images
        promise = tf.reduce_sum(gradient * step, axis=(1, 2, 3))
        return _margin(logits_of(network, images + step), labels) - margin, promise

    return rise


def _margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    own = tf.one_hot(labels, tf.shape(logits)[1], True, False)
    rivals = tf.where(own, -np.inf, logits)
    return tf.reduce_max(rivals, axis=1) - tf.gather(logits, labels, batch_dims=1)


def pgd_steps(
    network: keras.Model, margin: bool, smoothed: bool = False
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Compile projected gradient descent for one network and one of two losses: which images stand, their noises.

    Where an image falls, its noise is the first that made it fall. Smoothed gradients are the mean over a few points
    around the image, and keep some of the way that they were going.
    """

    def uphill(images, labels):  # type: ignore[no-untyped-def]
        images = tf.identity(images)
        with quick_pooling():
            logits = logits_of(network, images)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        loss = _margin(logits, labels) if margin else cross_entropy(labels, logits)
        return gradient_of(loss, images), logits

    @tf.function(reduce_retracing=True)
    def pgd(images, labels, noise, noise_limit, steps):  # type: ignore[no-untyped-def]
        unfooled, kept, velocity = tf.ones_like(labels, tf.bool), noise, tf.zeros_like(noise)
        for step in tf.range(steps + 1):
            noisy = tf.clip_by_value(images + noise, 0, 1)
            kept = tf.where(unfooled[:, None, None, None], noise, kept)
            gradient, logits = uphill(noisy, labels)
            unfooled &= tf.argmax(logits, axis=1) == labels
            if smoothed:
                for sample in range(SAMPLES):
                    far = AROUND * noise_limit
                    beside = tf.random.stateless_uniform(tf.shape(noisy), [sample, step], -far, far)
                    gradient += uphill(tf.clip_by_value(noisy + beside, 0, 1), labels)[0]
                size = tf.reduce_mean(tf.abs(gradient), axis=(1, 2, 3), keepdims=True)
                gradient = velocity = 0.9 * velocity + tf.math.divide_no_nan(gradient, size)
            step_size = noise_limit / 2 * tf.cast(1 - step / steps, tf.float32)
            noise = tf.clip_by_value(noise + step_size * tf.sign(gradient), -noise_limit, noise_limit)
        return unfooled, kept

    return pgd
