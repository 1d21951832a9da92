"""The questions of the exercises: how they are entered, and what their measures share.

A measure yields one finding after another. Nobody's own numbers are believed: noise is measured again on test images,
a function is called, a table recomputed.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from course_utils.checks import in_short
from course_utils.data import load_mnist, using_stand_in
from course_utils.evaluation import NoiseReport, classes_seen, evaluate_noise
from course_utils.feedback import Finding, Question, as_array, at_least, at_most
from course_utils.networks import course_network
from course_utils.noise import add_noise
from course_utils.results import chosen_seed, kept_network
from course_utils.search import find_universal_noise

import keras
import numpy as np

LIMIT = 0.35
MEASURED = 1_000  # test images that a check looks at
AGAIN = "We have measured it anew: our own value lies in that range."
OVER_THE_LIMIT = "Clip the noise to ± noise_limit after every step."

Measure = Callable[[Any], Iterator[Finding]]
EXERCISES: dict[str, list[tuple[Measure, tuple[str, ...]]]] = {}


def questions(exercise: str) -> list[Question]:
    """Return the questions of an exercise, in order.

    Args:
        exercise: the name of its notebook, such as "01_steps".

    Returns:
        A list of `Question`: each has predict(…), check(answer), hint() and solution().

    Raises:
        TypeError: the name is no text.
        ValueError: there is no exercise of that name.

    Explained in exercise 01.
    """
    if not isinstance(exercise, str):
        raise TypeError(f"exercise must be the name of one, such as '01_steps', got {in_short(exercise)}")
    if exercise not in EXERCISES:
        raise ValueError(f"there is no exercise {exercise!r}: the names are {', '.join(sorted(EXERCISES))}")
    return [Question(exercise, number, *entry) for number, entry in enumerate(EXERCISES[exercise], start=1)]


def question(exercise: str, *hints: str) -> Callable[[Measure], Measure]:
    """Enter a measure as the next question of an exercise."""

    def enter(measure: Measure) -> Measure:
        EXERCISES.setdefault(exercise, []).append((measure, hints))
        return measure

    return enter


def wanted(mnist: float, stand_in: float) -> float:
    """Return what is wanted on the data at hand."""
    return stand_in if using_stand_in() else mnist


@functools.lru_cache(maxsize=1)
def plain_network(seed: int) -> keras.Model:
    """Return the course's network."""
    return kept_network(course_network, load_mnist(), seed)


def measured(noise: np.ndarray, target_class: int | None, noise_limit: float = 1.0) -> NoiseReport:
    """Measure noise on test images, which no search has seen."""
    test = load_mnist().test
    network = plain_network(chosen_seed())
    return evaluate_noise(network, test.images[:MEASURED], test.labels[:MEASURED], noise, target_class, noise_limit)


def success_of(noise: np.ndarray, target_class: int, noise_limit: float = 1.0) -> float:
    """Measure the success rate on those test images."""
    return measured(noise, target_class, noise_limit).success_rate or 0.0


def search_for(target: int, images: np.ndarray | None = None, **settings: Any) -> np.ndarray:
    """Search noise as the reader does, with the seed of the notebook."""
    images = load_mnist().train.images if images is None else images
    (noise,) = find_universal_noise(plain_network(chosen_seed()), images, target, seed=chosen_seed(), **settings)
    return noise


def universal_noise(value: Any, targets: int | None = None) -> np.ndarray:
    """Return an answer as one noise, or as so many."""
    shape = load_mnist().test.images.shape[1:]
    return as_array(value, shape if targets is None else (targets, *shape), "the noise")


def accuracy_under(network: keras.Model, noise: np.ndarray, count: int = MEASURED) -> float:
    """Measure accuracy on the first test images, under one noise or under one for each."""
    test = load_mnist().test
    return float(np.mean(classes_seen(network, add_noise(test.images[:count], noise)) == test.labels[:count]))


def clean_accuracy(network: keras.Model) -> float:
    """Measure accuracy on the first test images as they are."""
    return accuracy_under(network, np.zeros(load_mnist().test.images.shape[1:], np.float32))


def a_network(value: Any) -> keras.Model:
    """Return an answer as a network."""
    if not isinstance(value, keras.Model):
        raise TypeError(f"your network must be a Keras model, got {type(value).__name__}")
    return value


def as_measured(text: str, table: np.ndarray, again: np.ndarray, tolerance: float, reason: str = "") -> Finding:
    """Hold a table of shares against what was measured again; say where they differ most."""
    differences = np.abs(table - again)
    place = np.unravel_index(np.argmax(differences), differences.shape)
    where = f"We have measured it anew: at [{', '.join(map(str, place))}] you have {table[place]:.1%}."
    return at_most(f"{text}: largest difference from ours", float(differences[place]), tolerance, f"{where} {reason}")


def within(noise: np.ndarray, noise_limit: float, where: str = "") -> Finding:
    """The first thing to look at. Where a check does so more than once, it says where."""
    text = f"{where}: largest |noise|" if where else "largest |noise|"
    return at_most(text, float(np.abs(noise).max()), noise_limit + 1e-6, OVER_THE_LIMIT, ".4f")


def reflection(least_words: int = 20) -> Measure:
    """Measure a text of the reader's own: nobody but the reader can judge it."""

    def measure(text: Any) -> Iterator[Finding]:
        if not isinstance(text, str):
            raise TypeError(f"your answer must be a text between quotation marks, got {type(text).__name__}")
        words = "words (whether they are right, only you can say)"
        yield at_least(words, len(text.split()), least_words, "Say a little more, and why.", ".0f")

    return measure
