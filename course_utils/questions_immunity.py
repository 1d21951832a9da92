"""What exercises 5 and 6 ask, about immune networks: how each answer is measured, and the hints."""

import functools
from collections.abc import Iterator
from typing import Any

from course_utils.attacks import AttackReport, reattack
from course_utils.data import load_mnist
from course_utils.feedback import Finding, answered, as_array, at_least, at_most, near
from course_utils.questions import (
    AGAIN,
    LIMIT,
    a_network,
    accuracy_under,
    clean_accuracy,
    plain_network,
    question,
    reflection,
    universal_noise,
    wanted,
    within,
)
from course_utils.results import chosen_seed, finished_network
from course_utils.scoreboard import attacked, forget, trained_within_budget
from course_utils.search import find_universal_noise

import keras
import numpy as np

OTHERS_NOISE = "Even noise that was made for the plain network gets through."


@functools.lru_cache(maxsize=1)
def noise_for_the_plain_network() -> np.ndarray:
    """Search noise for every class against the course's network, which knows nothing of immunity."""
    images = load_mnist().train.images
    return find_universal_noise(plain_network(chosen_seed()), images, range(10), LIMIT, seed=chosen_seed())


def likely(report: AttackReport) -> str:
    """Say what is probably the matter when noise for single images gets through."""
    along = report.by_attack["single images, cross-entropy"]
    if report.by_attack["single images, no gradients"] < along - 0.05:
        return (
            "The attack without gradients does the most harm. So the gradients are hidden, and little is protected."
        )
    if report.by_attack["single images, from grey"] < along - 0.05:
        return "The strongest attack starts where all pixels are grey. Does your training look there as well?"
    return "Train on noise that is made for each image, against the network as it is at that moment."


# 5 · A better way to be immune


@question(
    "05_better_immunity",
    "`add_noise(images, old_noise[np.arange(64) % 10])` gives each image of a batch one of the ten old noises.",
    "Keras: `network.compile(…)` once, then `network.train_on_batch(noisy, labels)` for each batch.",
    "Fresh noise is searched against the network that was trained, not against the plain one.",
)
def old_noise_and_fresh(answer: Any) -> Iterator[Finding]:
    """The pair (train, search): a training that resists the plain network's noise, and a search that breaks it."""
    train, search = answer
    forget()
    network, _ = trained_within_budget(train)
    old = min(accuracy_under(network, noise) for noise in noise_for_the_plain_network())
    yield at_least("accuracy under old noise", old, wanted(0.9, 0.75), "Let it train on all ten old noises.")
    fresh = universal_noise(answered(search(network)), 10)
    yield within(fresh, LIMIT)
    lowest = min(accuracy_under(network, noise) for noise in fresh)
    reason = "It still reads most digits under your noise. Is that searched anew, against the network it is given?"
    yield at_most("accuracy under the worst of your fresh noise", lowest, 0.5, reason)


def immune_within_budget(train: Any, universal: float, single: float) -> Iterator[Finding]:
    """Measure what a way to train makes within the budget: the cheap looks first, the attack last."""
    forget()
    network, _ = trained_within_budget(train)
    reason = (
        "It must still read clean digits. The whole limit at once is too much for a network that cannot read yet: "
        "notebook 06 lets it grow."
    )
    yield at_least("clean accuracy, 1,000 images", clean_accuracy(network), wanted(0.95, 0.8), reason)
    old = min(accuracy_under(network, noise) for noise in noise_for_the_plain_network())
    yield at_least("accuracy under noise made for the plain network", old, universal, OTHERS_NOISE)
    report = attacked(train)
    reason = "Immune to the noise that it was trained on is not immune. The noise must change during the training."
    yield at_least("accuracy under the worst fresh universal noise", report.worst_accuracy, universal, reason)
    yield at_least("accuracy under noise for single images", report.single_image_accuracy, single, likely(report))


@question(
    "05_better_immunity",
    "With each batch two things happen: noise is made for *this* batch, against *this* network, and then it trains.",
    "Start at random within the limit. Then twice: `uphill = slope(network, np.clip(images + noise, 0, 1), labels)`, "
    "a step of the limit along its *sign*, and clip. Notebook 06 prints such steps.",
    "Let the limit grow from 0 to 0.35 during the first third. A learning rate that rises and falls helps: "
    "`keras.optimizers.schedules.CosineDecay(2e-4, 540, warmup_target=4e-3, warmup_steps=60)`, given to Adam.",
)
def my_training(train: Any) -> Iterator[Finding]:
    """A function train(network, batches) that makes a network immune within the budget."""
    yield from immune_within_budget(train, wanted(0.85, 0.25), wanted(0.2, 0.0))


@question(
    "05_better_immunity",
    "What does notebook 06 put before a network, without any training? Two protections can be put together.",
    "`with_contrast(network, 0.35)` hides gradients from the attacker, and from *your training* as well.",
    "For half of the images let the noise start where all pixels are grey: `np.clip(0.5 - images, -limit, limit)`.",
)
def my_better_training(train: Any) -> Iterator[Finding]:
    """A function train(network, batches) that beats the course's ways within the budget."""
    yield from immune_within_budget(train, wanted(0.945, 0.3), wanted(0.75, 0.2))


question("05_better_immunity")(reflection())


# 6 · Noise for single images against the immune network

NETWORKS = ("plain", "in_turn_2", "interleaved", "worst_noise")
LIMITS = (0.1, 0.2, 0.35, 0.45)
SINGLE = 200  # images that get a noise of their own


@functools.lru_cache(maxsize=4)
def network_of(name: str) -> keras.Model:
    """Return one of the four networks."""
    return plain_network(chosen_seed()) if name == "plain" else finished_network(name)


def accuracy_left(attack: Any, name: str, noise_limit: float, count: int = SINGLE) -> tuple[np.ndarray, float]:
    """Let a reader's function attack; return its noise, and the accuracy that it leaves."""
    test, network = load_mnist().test, network_of(name)
    images, labels = test.images[:count], test.labels[:count]
    noise = as_array(answered(attack(network, images, labels, noise_limit)), images.shape, "the noise")
    return noise, accuracy_under(network, noise, count)


STRONG = ("interleaved", 0.35, 0.1)  # what a strong attack leaves of it there


def strong(attack: Any, name: str, noise_limit: float, most: float) -> Iterator[Finding]:
    """Measure that an attack keeps to its limit and leaves little."""
    noise, left = accuracy_left(attack, name, noise_limit)
    yield within(noise, noise_limit, f"{name} at {noise_limit}")
    reason = "A stronger attack gets further: every image its own noise, many steps, each along the sign."
    yield at_most(f"{name} at {noise_limit}: accuracy that your noise leaves", left, most, reason)


@question(
    "06_single_images",
    "Every image climbs its own loss. Take the gradient at what the network sees: `add_noise(images, noise)`.",
    "Twenty steps of an eighth of the limit along the *sign* of the gradient; after each, clip the noise to ± limit.",
)
def attack_on_single_images(attack: Any) -> Iterator[Finding]:
    """A function attack(network, images, labels, noise_limit) → noise, one for each image."""
    for name, noise_limit, most in (("interleaved", 0.2, wanted(0.7, 0.2)), ("worst_noise", 0.35, wanted(0.9, 0.1))):
        yield from strong(attack, name, noise_limit, most)
    yield from strong(attack, *STRONG)


@question(
    "06_single_images",
    "Two loops: a row for each network in `networks.values()`, a column for each limit in `LIMITS`.",
    "Accuracy is `evaluate_noise(network, images, labels, noise, None, limit).accuracy`; noise may be one for each.",
)
def accuracy_by_limit(answer: Any) -> Iterator[Finding]:
    """The pair (attack, table), table of shape (networks, limits)."""
    attack, table = answer
    table = as_array(answered(table), (len(NETWORKS), len(LIMITS)), "the table")
    yield from strong(attack, *STRONG)
    for row, column in ((0, 0), (1, 0), (2, 1), (3, 2), (3, 3)):
        name, limit = NETWORKS[row], LIMITS[column]
        _, left = accuracy_left(attack, name, limit)
        reason = f"{AGAIN} Rows are networks, columns limits."
        yield near(f"your accuracy for {name} at {limit}", float(table[row, column]), left, 0.05, reason)


@question(
    "06_single_images",
    "Which way of training in notebook 06 protects against *more* than universal noise?",
    "`train_on_worst_noise` takes a limit and a number of steps. A limit of a little more than 0.2 leaves a reserve.",
    "Eight hundred steps at a limit of 0.25 are enough.",
)
def immune_at_a_fifth(network: Any) -> Iterator[Finding]:
    """A network that noise of 0.2 for single images does little harm to."""
    network, seed = a_network(network), chosen_seed()
    yield at_least("clean accuracy", clean_accuracy(network), wanted(0.96, 0.8), "It must still read clean digits.")
    old = min(accuracy_under(network, np.clip(noise, -0.2, 0.2)) for noise in noise_for_the_plain_network())
    yield at_least("accuracy under noise made for the plain network", old, wanted(0.9, 0.6), OTHERS_NOISE)
    report = reattack(network, load_mnist(), 0.2, other_network=plain_network(seed), seed=seed)
    left = report.single_image_accuracy
    yield at_least("accuracy under noise of 0.2 for single images", left, wanted(0.85, 0.4), likely(report))


question("06_single_images")(reflection())
