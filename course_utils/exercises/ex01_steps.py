"""Exercise 1, fewer or more steps: its questions, and how each answer is measured."""

from collections.abc import Callable, Iterator

from course_utils.exercises.core import Answer, Finding, at_least, at_most, given_back, near
from course_utils.exercises.measures import (
    LIMIT,
    asks,
    cells_as_measured,
    function,
    noise,
    one_of,
    reflection,
    shares,
    success_of,
    within,
)

import numpy as np

SEEDS = (0, 1, 2)
LEARNING_RATES = (0.005, 0.02, 0.1, 0.35)
STEPS = (1, 2, 5, 10, 20, 50)

Search = Callable[[int, float, int], np.ndarray]


def search_of(answer: Answer) -> Search:
    """Return a reader's search; what it gives back is taken as one noise."""

    def search(steps: int, learning_rate: float, seed: int) -> np.ndarray:
        found = given_back(answer.search(steps, learning_rate, seed), "search(steps, learning_rate, seed)")
        return noise()(found, "search(…)")  # type: ignore[no-any-return]

    return search


@asks(search=function("steps", "learning_rate", "seed"))
def search_with_steps(answer: Answer) -> Iterator[Finding]:
    """A function search(steps, learning_rate, seed) → noise for the 3."""
    search, generator = search_of(answer), np.random.default_rng()
    one = search(1, 0.05, 0)
    reason = "A step moves every pixel by the learning rate: take the *sign* of the gradient."
    yield near("largest |noise| after one step of 0.05", float(np.abs(one).max()), 0.05, 0.001, reason, ".3f")
    whole = float(np.mean(np.abs(np.abs(one[one != 0]) - 0.05) < 0.001))
    yield at_least("of the pixels that it moves, it moves by 0.05", whole, 0.99, reason)
    steps, rate = int(generator.integers(2, 7)), float(generator.uniform(0.01, 0.05))
    reached = float(np.abs(search(steps, rate, int(generator.integers(9)))).max()) / (steps * rate)
    reason = f"We asked for {steps} steps of {rate:.3f}. Does it make as many as `steps` says?"
    yield near("largest |noise| after a few small steps, as a multiple of their sum", reached, 1, 0.01, reason, ".2f")
    long = search(30, 0.05, 0)
    yield within(long, LIMIT)
    success = success_of(long, 3)
    yield at_least("success after 30 steps of 0.05", success, 0.75, "Does each step go *against* the gradient?")
    again, other = (search(30, 0.05, seed) for seed in (0, 1))
    reason = "The same seed must give the same noise."
    yield at_most("pixels that change when it is called again", float(np.mean(long != again)), 0.0, reason)
    yield at_least("pixels that another seed changes", float(np.mean(long != other)), 0.01, "Let `seed` decide.")


@asks(seconds=5, search=1, table=shares(len(LEARNING_RATES), len(STEPS), len(SEEDS)))
def success_by_steps(answer: Answer) -> Iterator[Finding]:
    """Success for the 3, shape (learning rates, steps, seeds)."""
    yield from search_with_steps(answer)
    search, table = search_of(answer), answer.table
    spread = float(np.ptp(table, axis=-1).max())
    yield at_least("largest difference between two seeds", spread, 0.005, "Every seed draws other images.")

    def success(cell: tuple[int, ...]) -> float:
        rate, steps, seed = cell
        return success_of(search(STEPS[steps], LEARNING_RATES[rate], SEEDS[seed]), 3)

    def words(cell: tuple[int, ...]) -> str:
        rate, steps, seed = cell
        return f"a learning rate of {LEARNING_RATES[rate]}, steps: {STEPS[steps]}, and seed {SEEDS[seed]}"

    reason = "Is it the success rate, on the first 1,000 test images, without the 3s?"
    yield cells_as_measured(table, success, words, count=18, tolerance=0.01, reason=reason)


@asks(search=1, enough=one_of(5, 10, 20, 40))
def where_more_stops_helping(answer: Answer) -> Iterator[Finding]:
    """The fewest steps of 0.05 of which twice as many gain less than two points."""
    yield from search_with_steps(answer)
    search, enough = search_of(answer), answer.enough

    def success(steps: int) -> float:
        return float(np.mean([success_of(search(steps, 0.05, seed), 3) for seed in SEEDS]))

    here = success(enough)
    yield at_most("what twice as many gain", success(2 * enough) - here, 0.02, "More still helps.")
    if enough > 5:
        yield at_least("what they gain over half as many", here - success(enough // 2), 0.02, "Fewer would do.")


QUESTIONS = [search_with_steps, success_by_steps, where_more_stops_helping, reflection]
