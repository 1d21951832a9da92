"""Exercise 6, noise for single images: its questions, and how each answer is measured."""

import functools
from typing import Any

from course_utils._checks import check_network
from course_utils.attacks import reattack
from course_utils.data import load_mnist
from course_utils.exercises.core import Answer, Findings, as_array, asks, at_most, given_back
from course_utils.exercises.ex05_better_immunity import convincing, not_by_heart, not_finished, reads_and_resists
from course_utils.exercises.measures import (
    a_network,
    accuracy_under,
    cells_as_measured,
    function,
    lent,
    plain_network,
    shares,
    threshold,
    within,
)
from course_utils.notebook import chosen_seed, pretrained_network

import keras
import numpy as np

NETWORKS = ("plain", "in_turn_twice", "interleaved", "worst_noise")
LIMITS = (0.1, 0.2, 0.35, 0.45)
SINGLE = 200  # images that get a noise of their own


@functools.lru_cache(maxsize=8)
def network_of(name: str, turned: bool = False) -> keras.Model:
    """Return one of the four networks; turned, it reads images with rows for columns, and is no network of a file."""
    network = plain_network(chosen_seed()) if name == "plain" else pretrained_network(name)
    if not turned:
        return network
    return keras.Sequential([keras.Input(network.input_shape[1:]), keras.layers.Permute((2, 1, 3)), network])


def accuracy_left(
    attack: Any, name: str, noise_limit: float, count: int = SINGLE, turned: bool = False
) -> tuple[np.ndarray, float]:
    """Let a reader's function attack; return its noise, and the accuracy that it leaves."""
    test, network = load_mnist().test, network_of(name, turned)
    images, labels = test.images[:count], test.labels[:count]
    if turned:
        images = images.swapaxes(1, 2)
    found = given_back(
        lent(network, lambda copy: attack(copy, images, labels, noise_limit)),
        "attack(network, images, labels, noise_limit)",
    )
    found = as_array(found, images.shape, "the noise")
    return found, accuracy_under(network_of(name), found.swapaxes(1, 2) if turned else found, count)


STRONG = ("interleaved", 0.35, 0.1)  # what a strong attack leaves of it there


def strong(attack: Any, name: str, noise_limit: float, most: float, turned: bool = False) -> Findings:
    """Measure that an attack keeps to its limit and leaves little."""
    found, left = accuracy_left(attack, name, noise_limit, turned=turned)
    where = f"{name} at {noise_limit}{', network and digits on their side' if turned else ''}"
    yield within(found, noise_limit, where)
    reason = "A stronger attack gets further: every image its own noise, many steps, each along the sign"
    reason += " of the gradient of the very network that it is given." if turned else "."
    yield at_most(f"{where}: accuracy that your noise leaves", left, most, reason)


@asks(seconds=10, attack=function("network", "images", "labels", "noise_limit"))
def attack_on_single_images(answer: Answer) -> Findings:
    """A function attack(network, images, labels, noise_limit) → noise, one for each image."""
    for name, noise_limit, most in (
        ("interleaved", 0.2, threshold(0.7, 0.2)),
        ("worst_noise", 0.35, threshold(0.95, 0.1)),
    ):
        yield from strong(answer.attack, name, noise_limit, most)
    yield from strong(answer.attack, *STRONG, turned=True)


@asks(seconds=20, attack=1, table=shares(len(NETWORKS), len(LIMITS)))
def accuracy_by_limit(answer: Answer) -> Findings:
    """The table of what the attack leaves, shape (networks, limits)."""
    yield from strong(answer.attack, *STRONG)
    yield cells_as_measured(
        answer.table, (NETWORKS, LIMITS), "{} at {}", lambda *where: accuracy_left(answer.attack, *where)[1],
        count=10, tolerance=0.05, reason="Rows are networks, columns limits.",
    )  # fmt: skip


@asks(seconds=40, my_network=a_network)
def immune_at_a_fifth(answer: Answer) -> Findings:
    """A network that noise of 0.2 for single images does little harm to."""
    network, seed = answer.my_network, chosen_seed()
    check_network(network, load_mnist().test.images[:20])
    yield from reads_and_resists(network, threshold(0.96, 0.8), threshold(0.9, 0.6), 0.2)
    yield from not_finished(network)
    report = reattack(network, load_mnist(), 0.2, other_network=plain_network(seed), seed=seed)
    yield from convincing(report, None, threshold(0.85, 0.4))
    yield from not_by_heart(network, report, None, threshold(0.85, 0.4), 0.2)


QUESTIONS = [attack_on_single_images, accuracy_by_limit, immune_at_a_fifth]
