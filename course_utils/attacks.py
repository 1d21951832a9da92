"""The judge of finished networks: `reattack` tries every attack, and reports what is left of a network's accuracy."""

import functools
import itertools
import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils._checks import (
    as_floats,
    check_dataset,
    check_images,
    check_labels,
    check_network,
    check_noise_limit,
    check_seed,
    in_short,
)
from course_utils._gradients import (
    NoGradientError,
    compiled,
    compiled_logits,
    gradient_of,
    logits_of,
    margin_of,
    quick_pooling,
)
from course_utils.data import Dataset
from course_utils.evaluation import classes_seen
from course_utils.models import convolutional_network, linear_network
from course_utils.noise import add_noise
from course_utils.search import at_most_in_memory, find_universal_noise

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class _Round:
    """How to search further."""

    noises: int  # so many of those found, the strongest on training images
    steps: int
    batch_size: int
    first_step: float  # in limits
    away: bool = False  # from the truth to anywhere, whatever class it was found for


@dataclass(frozen=True)
class _Strength:
    """How hard to attack."""

    test_images: int  # on so many, universal noise is measured
    steps: int
    batch_size: int
    restarts: int  # from corners of the limit drawn at random, besides the search from zero
    rounds: tuple[_Round, ...]  # in which the strongest of the noises found are searched further
    single_images: int
    single_steps: int
    further_steps: int  # for those that still stand
    rivals: int  # classes towards which these are led, the nearest first
    nearest: int  # so many images that still stand are attacked further, those first that are nearest to a mistake
    square_images: int
    square_queries: int


ROUND, ROUNDS = _Round(1, 120, 512, 0.1), (_Round(3, 400, 512, 0.1), _Round(1, 300, 1_024, 0.1, away=True))
STRENGTHS = {
    "quick": _Strength(10_000, 100, 48, 0, (ROUND,), 1_000, 16, 100, 4, 250, 100, 200),
    "full": _Strength(10_000, 300, 64, 2, ROUNDS, 1_000, 50, 200, 5, 1_000, 300, 3_000),
}
AWAY = -1  # in place of a target class: noise that leads anywhere but to the truth
Found = tuple[np.ndarray, list[int]]  # noises, and the class to which each is to lead
EXPLAINED, ON_THE_WAY = 0.9, 0.2  # what gradients must explain, and on how much of a way they must lie, to be trusted
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
        by_attack: the accuracy that each attack left, the strongest attack first. Towards each class and along
            smoothed gradients, single images are attacked that still stand after the attacks before.
        all_noise: float32, shape (classes, H, W, C), the worst noise for each target class.
        accuracy_at_limit_1: accuracy under the same search at limit 1.
        accuracy_with_fewer_steps: the lowest accuracy that a quarter of the steps towards each class leaves.
        explained_by_gradients: how much of what changes in the logits, from one image to another, the gradients on
            the way between them add up to. A network that jumps, as behind rounding, is far from 1.
        way_with_slope: on how much of such a way the logits change: 1 where they do so evenly, near 0 where they are
            flat round every image and all happens in between, as behind logits that are cut off.
        local_linearity: by how much a small step along the gradient (0.01 in each pixel) raises the loss, over how
            much the gradient promises. Behind ripples too small to be seen, or a false gradient, it is far from 1.
        ahead_without_gradients: share of images that the attack without gradients fooled, less the share of the same
            images that those along gradients fooled. Far above 0 where gradients are hidden.
        accuracy_knowing_test_images: accuracy under noise that was searched on the very images on which all is
            measured: no attacker can do this, and none can do much better. None where it was not tried.
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
    ahead_without_gradients: float
    accuracy_knowing_test_images: float | None = None

    @property
    def trustworthy(self) -> bool:
        """Did the search work at all? Then there is no `doubt`."""
        return not self.doubt

    @property
    def doubt(self) -> str:
        """Why the report is not to be believed, in words; empty where it is.

        Gradients must explain what the network does, lie on much of the way, and agree with those beside them; what
        needs none must fool hardly more. Noise from another network must do no more harm than noise against this one,
        noise for each image as much as one noise for all, and the search must succeed at limit 1 and with more steps.
        """
        rows, chance = self.by_attack, 1 / len(self.all_noise)
        more_steps = rows["universal, towards a class"]
        carried = rows.get("universal, from another network", 1.0)
        against = min(left for name, left in rows.items() if name.startswith("universal") and "another" not in name)
        single, worst = self.single_image_accuracy, self.worst_accuracy
        explained, way, linear = self.explained_by_gradients, self.way_with_slope, self.local_linearity
        at_limit_1, fewer_steps = self.accuracy_at_limit_1, self.accuracy_with_fewer_steps
        looked_at = [
            (explained >= EXPLAINED,
             f"its gradients explain {explained:.0%} of what it does ({EXPLAINED:.0%} wanted): it jumps, as behind "
             "rounding, where they see nothing, so no attack along them can be trusted"),
            (way >= ON_THE_WAY,
             f"its logits change on {way:.0%} of the way from one image to another ({ON_THE_WAY:.0%} wanted): they "
             "are flat round the images, as where they are cut off, and no attack can feel its way there"),
            (linear >= 0.5,
             f"a small step along its gradients brings {linear:.0%} of what they promise (50% wanted): they are "
             "false, or come from ripples too small to be seen, and lead an attack astray"),
            (self.ahead_without_gradients <= 0.05,
             f"the attack without gradients fools {self.ahead_without_gradients:.1%} more of the same images than "
             "those along gradients: so these are hidden, and tell the search nothing"),
            (carried >= against - 0.005,
             f"noise from another network leaves {carried:.1%}, and noise that was searched against this one leaves "
             f"{against:.1%}: so that search has not worked"),
            (single <= worst + 0.05,
             f"noise for single images leaves {single:.1%}, and one noise for all leaves only {worst:.1%}; as each "
             "image could take that one, the stronger attack has not worked"),
            (at_limit_1 <= 2 * chance and more_steps <= fewer_steps + 0.01,
             f"the judge fails against it: noise at limit 1 leaves {at_limit_1:.0%}, fewer steps leave "
             f"{fewer_steps:.1%}; where noise of that size does nothing, the search has not worked"),
        ]  # fmt: skip
        return next((why for held, why in looked_at if not held), "")

    def __str__(self) -> str:
        """Return the report as a small table, and first of all why it is not to be believed, if so."""
        rows = {
            "clean": self.clean_accuracy,
            **self.by_attack,
            "to check: at limit 1": self.accuracy_at_limit_1,
            "to check: with fewer steps": self.accuracy_with_fewer_steps,
            "to check: gradients explain": self.explained_by_gradients,
            "to check: way with a slope": self.way_with_slope,
            "to check: gradients lead": self.local_linearity,
            "to check: ahead without gradients": self.ahead_without_gradients,
            "for comparison: knowing the test": self.accuracy_knowing_test_images,
        }
        table = [f"{name:33} {share:6.1%}" for name, share in rows.items() if share is not None]
        return "\n".join([*([f"Not to be believed: {self.doubt}."] if self.doubt else []), *table])


def reattack(
    network: keras.Model,
    dataset: Dataset,
    noise_limit: float = 0.35,
    strength: str = "quick",
    other_network: keras.Model | None = None,
    seed: int = 0,
) -> AttackReport:
    """Attack a finished network with all that the course knows, and report what is left of its accuracy.

    Universal noise, searched on the training images: it counts how many are misread, towards every class and away
    from the truth, from zero and from corners of the limit; noise from another network; and the strongest of all
    these, searched further. Noise for single images, along the gradients of two losses, from random starts and from
    one that makes all pixels grey; then, for those that still stand, towards other classes, and along gradients
    smoothed over what lies around; and Square Attack, which needs no gradients, because a network can hide them
    without being immune. Where gradients tell nothing, also universal noise against a copy that was trained on the
    network's answers, and by trial. All is measured on test images. "quick" takes half a minute on 2 cores,
    "full" five minutes.

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
        raise ValueError("dataset.test must hold images of two classes or more: with one, no noise can succeed")
    if other_network is not None:
        check_network(other_network, check_images(test, other_network))
    noise_limit = check_noise_limit(noise_limit)
    if not isinstance(strength, str) or strength not in STRENGTHS:
        raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}, got {in_short(strength)}")
    attacks = _Attacks(network, dataset, noise_limit, STRENGTHS[strength], check_seed(seed))
    return attacks.report(other_network)


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
    return float(np.mean(_unfooled_by_all(*attacks.attack_along_gradients(images, labels).values())))


def _unfooled_by_all(*attacks: np.ndarray) -> np.ndarray:
    """Which images stand after every attack? Some attacks were made on the first few images only."""
    unfooled = np.ones(max(map(len, attacks)), bool)
    for one in attacks:
        unfooled[: len(one)] &= one
    return unfooled


@dataclass(frozen=True)
class _Measured:
    """A universal noise: how it was found, for which class, and what it does to the test images."""

    way: str
    target: int
    noise: np.ndarray
    accuracy: float
    success: float


_accuracy = operator.attrgetter("accuracy")


@dataclass(frozen=True)
class _Attacks:
    """The attacks on one network."""

    network: keras.Model
    dataset: Dataset
    noise_limit: float
    strength: _Strength
    seed: int

    @property
    def classes(self) -> list[int]:
        """The classes of the data set, each a target."""
        return list(range(len(self.dataset.class_names)))

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """The test images on which universal noise is measured, and their labels."""
        count = self.strength.test_images
        return self.dataset.test.images[:count], self.dataset.test.labels[:count]

    def accuracy(self, noise: np.ndarray, some: tuple[np.ndarray, np.ndarray]) -> float:
        images, labels = some
        return float(np.mean(classes_seen(self.network, add_noise(images, noise)) == labels))

    def report(self, other_network: keras.Model | None) -> AttackReport:
        """Try everything."""
        found = self.search_universal(other_network)
        unfooled, checks = self.attack_single_images(), self.of_themselves()
        if checks["explained_by_gradients"] < EXPLAINED or checks["way_with_slope"] < ON_THE_WAY:
            found["universal, from a copy"] = self.search_against_a_copy()
            found["universal, by trial"] = self.search_by_trial()
        measured = [
            self.measured(way, noise, target)
            for way, (noises, targets) in found.items()
            for noise, target in zip(noises, targets, strict=True)
        ]
        for_each = [min((one for one in measured if one.target == target), key=_accuracy) for target in self.classes]
        universal = {way: min(one.accuracy for one in measured if one.way == way) for way in found}
        single = {way: float(np.mean(one)) for way, one in unfooled.items()}
        square = unfooled["single images, no gradients"]
        along = _unfooled_by_all(*(one for one in unfooled.values() if one is not square))[: len(square)]
        return AttackReport(
            clean_accuracy=self.accuracy(np.zeros_like(measured[0].noise), self.test),
            mean_accuracy=float(np.mean([one.accuracy for one in for_each])),
            worst_accuracy=min(universal.values()),
            worst_success_rate=max(one.success for one in measured),
            single_image_accuracy=min(float(np.mean(_unfooled_by_all(*unfooled.values()))), *single.values()),
            by_attack=dict(sorted((universal | single).items(), key=lambda item: item[1])),
            all_noise=np.stack([one.noise for one in for_each]),
            ahead_without_gradients=float(np.mean(along) - np.mean(square)),
            accuracy_knowing_test_images=self.search_on_test_images(min(measured, key=_accuracy)),
            **checks,
        )

    def measured(self, way: str, noise: np.ndarray, target: int) -> _Measured:
        """Measure what a noise does to the test images."""
        images, labels = self.test
        seen = classes_seen(self.network, add_noise(images, noise))
        others = labels != target
        success = float(np.mean(seen[others] == target)) if others.any() else 0.0
        return _Measured(way, target, noise, float(np.mean(seen == labels)), success)

    def search(
        self, targets: Sequence[int] | None, against: keras.Model | None = None, **settings: Any
    ) -> np.ndarray:
        """Search once: from zero and with the usual strength, if the settings do not say otherwise."""
        train = self.dataset.train
        usual: dict[str, Any] = {
            "noise_limit": self.noise_limit,
            "steps": self.strength.steps,
            "batch_size": self.strength.batch_size,
            "seed": self.seed,
            "start": np.zeros((len(targets) if targets else 1, *train.images.shape[1:]), np.float32),
            "images": train.images,
            "labels": self.train_labels,
        }
        settings = usual | settings
        network = self.network if against is None else against
        try:
            return find_universal_noise(network, target_classes=targets, **settings)
        except NoGradientError:  # it stays where it started; attacks that need no gradient have the last word
            return settings["start"]  # type: ignore[no-any-return]

    def search_universal(self, other_network: keras.Model | None) -> dict[str, Found]:
        """Search universal noise in all ways: for each, the noises, and the class to which each is to lead."""
        generator, shape = np.random.default_rng(self.seed), self.dataset.train.images.shape[1:]
        classes, limit = self.classes, np.float32(self.noise_limit)

        def corners(count: int) -> np.ndarray:
            return np.where(generator.uniform(size=(count, *shape)) < 0.5, -limit, limit)

        towards = [self.search(classes)]
        away = [self.search(None, start=corners(1))]
        for restart in range(1, self.strength.restarts + 1):
            seed = (self.seed + restart) % 2**32
            towards.append(self.search(classes, start=corners(len(classes)), seed=seed))
            away.append(self.search(None, start=corners(1), seed=seed))
        found = {
            "universal, towards a class": (np.concatenate(towards), classes * len(towards)),
            "universal, away from the answer": (np.concatenate(away), [AWAY] * len(away)),
        }
        if other_network is not None:
            carried = self.search(classes, other_network, labels=None, steps=self.strength.steps // 2)
            found["universal, from another network"] = self.strongest((carried, classes), 1)
        return found | {"universal, searched further": self.search_further(found)}

    @functools.cached_property
    def train_labels(self) -> np.ndarray:
        """The labels of the training images; where nobody knows one, what the network sees in all of them."""
        images, labels = self.dataset.train.images, self.dataset.train.labels
        return classes_seen(self.network, as_floats(images)) if (labels == -1).any() else labels

    def train(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first training images, on which is chosen what test images measure, and their labels."""
        return as_floats(self.dataset.train.images[:count]), self.train_labels[:count]

    def search_further(self, found: dict[str, Found]) -> Found:
        """Search on from the noises that do the most harm to training images, in small steps, round after round."""
        noises, targets = zip(*found.values(), strict=True)
        best = np.concatenate(noises), list(itertools.chain.from_iterable(targets))
        for how in self.strength.rounds:
            strongest, classes = self.strongest(best, how.noises)
            classes = [AWAY] * len(classes) if how.away else classes
            pairs = zip(strongest, classes, strict=True)
            best = np.concatenate([self.search_on_from(noise, target, how) for noise, target in pairs]), classes
        return best

    def strongest(self, found: Found, count: int) -> Found:
        """Choose so many noises that do the most harm to training images."""
        (noises, targets), some = found, self.train(4_000)
        order = np.argsort([self.accuracy(noise, some) for noise in noises], kind="stable")[:count]
        return noises[order], [targets[place] for place in order]

    def search_on_from(self, noise: np.ndarray, target: int, how: _Round, **settings: Any) -> np.ndarray:
        """Search on from one noise."""
        batch_size = at_most_in_memory(how.batch_size, noise.size)
        more = {"steps": how.steps, "batch_size": batch_size, "first_step": how.first_step}
        targets = None if target == AWAY else [target]
        return self.search(targets, start=noise[None], seed=(self.seed + 99) % 2**32, **more, **settings)

    def search_on_test_images(self, worst: _Measured) -> float | None:
        """Search on from the worst noise on the test images themselves, where there is time for it."""
        if len(self.strength.rounds) < 2:
            return None
        images, labels = self.test
        (known,) = self.search_on_from(worst.noise, AWAY, self.strength.rounds[-1], images=images, labels=labels)
        return min(worst.accuracy, self.accuracy(known, self.test))

    def search_against_a_copy(self) -> Found:
        """Search against a copy, which is trained on what the network answers to noisy images."""
        images = self.dataset.train.images
        keras.utils.set_random_seed(self.seed)
        generator = np.random.default_rng(self.seed)
        images = as_floats(images[generator.integers(len(images), size=20_000)])
        noise = generator.uniform(-self.noise_limit, self.noise_limit, images.shape).astype(np.float32)
        images = add_noise(images, noise)
        build = convolutional_network if min(images.shape[1:3]) >= 4 else linear_network
        copy = build(images.shape[1:], len(self.classes))
        copy.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        copy.fit(images, classes_seen(self.network, images), batch_size=64, epochs=2, verbose=0)
        return self.search(self.classes, copy, labels=None), self.classes

    def search_by_trial(self, trials: int = 300) -> Found:
        """Change the sign of a square of the noise, and keep what makes more of some training images misread."""
        generator, (height, width, channels) = np.random.default_rng(self.seed), self.dataset.train.images.shape[1:]
        train = self.train(300)
        stripes = generator.choice([-self.noise_limit, self.noise_limit], (1, width, channels))  # as in Square Attack
        noise = np.repeat(stripes.astype(np.float32), height, axis=0)
        left = self.accuracy(noise, train)
        for trial in range(trials):
            side = max(1, round(min(height, width) * (0.5 - 0.4 * trial / trials)))
            top, column = generator.integers(height - side + 1), generator.integers(width - side + 1)
            other = noise.copy()
            other[top : top + side, column : column + side] *= -1
            if (accuracy := self.accuracy(other, train)) <= left:
                noise, left = other, accuracy
        return noise[None], [AWAY]

    def lowest(self, **settings: float) -> float:
        """Search once for every class with other settings, and measure the strongest noise."""
        (strongest,), _ = self.strongest((self.search(self.classes, **settings), self.classes), 1)
        return self.accuracy(strongest, self.test)

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
        evenness = abs(slopes).sum(axis=1) ** 2 / np.maximum(PARTS * (slopes**2).sum(axis=1), 1e-30)
        return float(np.median(np.clip(explained, 0, 1))), float(np.median(evenness))

    def local_linearity(self) -> float:
        """Go a small step along the gradient, from images under noise of any size: does it bring what it promises?"""
        count, generator = self.strength.single_images, np.random.default_rng(self.seed)
        images, labels = self.dataset.test.images[:count], self.dataset.test.labels[:count]
        noise = generator.choice([-self.noise_limit, self.noise_limit], images.shape)
        noisy = add_noise(images, (noise * generator.uniform(size=(len(images), 1, 1, 1))).astype(np.float32))
        # As many at once as the attacks look at: a gradient that is false for other numbers alone leads none astray.
        rise, promise = (array.numpy() for array in compiled(self.network, _rise)(noisy, labels))
        return float(np.median(rise[promise > 0] / promise[promise > 0])) if promise.any() else 1.0

    def attack_single_images(self) -> dict[str, np.ndarray]:
        """Attack test images one by one; for each attack return which of them it left unfooled, bool (N,)."""
        count, square = self.strength.single_images, slice(self.strength.square_images)
        images, labels = self.dataset.test.images[:count], self.dataset.test.labels[:count]
        without = {"single images, no gradients": self.attack_without_gradients(images[square], labels[square])}
        return self.attack_along_gradients(images, labels) | without

    def attack_along_gradients(self, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Let each image climb its own loss; those that still stand, towards other classes and along other slopes."""
        limit, generator = self.noise_limit, np.random.default_rng(self.seed + 1)
        random = generator.uniform(-limit, limit, images.shape).astype(np.float32)
        grey = np.clip(0.5 - images, -limit, limit)  # layers that saturate have slopes only there
        strength, steps, nearest = self.strength, self.strength.single_steps, self.strength.nearest
        order = np.argsort(-compiled_logits(self.network, images.shape[1:])(images).numpy(), axis=1)
        tried = {
            "cross-entropy": self.descend("cross-entropy", images, labels, random, steps),
            "margin": self.descend("margin", images, labels, random, steps),
            "from grey": self.descend("margin", images, labels, grey, steps),
        }
        found = {f"single images, {name}": one for name, (one, _) in tried.items()}
        unfooled = _unfooled_by_all(*found.values())
        nearness = np.max([margin for _, margin in tried.values()], axis=0)
        rivals = [("towards", order[:, rival]) for rival in range(1, 1 + self.strength.rivals)[: order.shape[1] - 1]]
        for name, ways in {"towards each class": rivals, "smoothed": [("margin", labels)]}.items():
            smoothed = name == "smoothed"
            count, steps = (nearest // 2, strength.single_steps) if smoothed else (nearest, strength.further_steps)
            for loss, targets in ways:
                index = np.flatnonzero(unfooled)
                index = index[np.argsort(-nearness[index], kind="stable")][:count]
                about = images[index], labels[index], grey[index], steps, targets[index]
                unfooled[index], margins = self.descend(loss, *about, smoothed)
                nearness[index] = np.maximum(nearness[index], margins)
            found[f"single images, {name}"] = unfooled.copy()
        return found

    def descend(
        self, loss: str, images: np.ndarray, labels: np.ndarray, start: np.ndarray, steps: int,
        targets: np.ndarray | None = None, smoothed: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return which images stand after projected gradient descent, bool (N,), and the largest margin of each."""
        if not len(images):
            return np.zeros(0, bool), np.zeros(0, np.float32)
        attack = compiled(self.network, pgd_steps, loss, smoothed)
        limit, steps_ = tf.constant(self.noise_limit), tf.constant(steps)
        unfooled, _, margins = attack(images, labels, labels if targets is None else targets, start, limit, steps_)
        return unfooled.numpy(), margins.numpy()

    def attack_without_gradients(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
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
        margin = margin_of(logits_of(network, images), labels)
        gradient = gradient_of(margin, images)
        step = tf.clip_by_value(images + NEARBY * tf.sign(gradient), 0, 1) - images
        promise = tf.reduce_sum(gradient * step, axis=(1, 2, 3))
        return margin_of(logits_of(network, images + step), labels) - margin, promise

    return rise


def pgd_steps(network: keras.Model, loss: str, smoothed: bool = False) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Compile projected gradient descent for a network: which images stand, their noises, their largest margins.

    The loss is "cross-entropy", "margin", or "towards" for the lead of a target class over the true one. Where an
    image falls, its noise is the first that made it fall. Smoothed gradients are the mean over a few points around
    the image, and keep some of the way that they were going.
    """

    def uphill(images, labels, targets):  # type: ignore[no-untyped-def]
        images = tf.identity(images)
        with quick_pooling():
            logits = logits_of(network, images)
        margin = margin_of(logits, labels)
        if loss == "cross-entropy":
            gain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        elif loss == "towards":
            gain = tf.gather(logits, targets, batch_dims=1) - tf.gather(logits, labels, batch_dims=1)
        else:
            gain = margin
        return gradient_of(gain, images), margin, tf.argmax(logits, axis=1) == labels

    @tf.function(reduce_retracing=True)
    def pgd(images, labels, targets, noise, noise_limit, steps):  # type: ignore[no-untyped-def]
        unfooled, kept, velocity = tf.ones_like(labels, tf.bool), noise, tf.zeros_like(noise)
        largest = tf.fill(tf.shape(labels), -np.inf)
        for step in tf.range(steps + 1):
            noisy = tf.clip_by_value(images + noise, 0, 1)
            kept = tf.where(unfooled[:, None, None, None], noise, kept)
            gradient, margin, right = uphill(noisy, labels, targets)
            unfooled, largest = unfooled & right, tf.maximum(largest, margin)
            if smoothed:
                for sample in range(SAMPLES):
                    far = AROUND * noise_limit
                    beside = tf.random.stateless_uniform(tf.shape(noisy), [sample, step], -far, far)
                    gradient += uphill(tf.clip_by_value(noisy + beside, 0, 1), labels, targets)[0]
                size = tf.reduce_mean(tf.abs(gradient), axis=(1, 2, 3), keepdims=True)
                gradient = velocity = 0.9 * velocity + tf.math.divide_no_nan(gradient, size)
            step_size = noise_limit / 2 * tf.cast(1 - step / steps, tf.float32)
            noise = tf.clip_by_value(noise + step_size * tf.sign(gradient), -noise_limit, noise_limit)
        return unfooled, kept, largest

    return pgd
