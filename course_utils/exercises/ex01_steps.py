"""Exercise 1, fewer or more steps: its questions, and how each answer is measured."""

from course_utils.exercises.core import Answer, Finding, Findings, asks, at_least, at_most
from course_utils.exercises.measures import (
    LIMIT,
    cells_as_measured,
    function,
    noise,
    one_of,
    shares,
    success_of,
    within,
)

import numpy as np

SEEDS = (0, 1, 2)
LEARNING_RATES = (0.005, 0.02, 0.1, 0.35)
STEPS = (1, 2, 5, 10, 20, 50)


@asks(search=function("steps", "learning_rate", "seed", gives=noise()))
def search_with_steps(answer: Answer) -> Findings:
    """A function search(steps, learning_rate, seed) → noise for the 3."""
    search, generator = answer.search, np.random.default_rng()
    one = search(1, 0.05, 0)
    reason = "A step moves every pixel by the learning rate: take the *sign* of the gradient."
    yield Finding("largest |noise| after one step of 0.05", float(np.abs(one).max()), 0.049, 0.051, reason, ".3f")
    whole = float(np.mean(np.abs(np.abs(one[one != 0]) - 0.05) < 0.001))
    yield at_least("of the pixels that it moves, it moves by 0.05", whole, 0.99, reason)
    steps, rate = int(generator.integers(2, 7)), float(generator.uniform(0.01, 0.05))
    reached = float(np.abs(search(steps, rate, int(generator.integers(9)))).max()) / (steps * rate)
    reason = f"We asked for {steps} steps of {rate:.3f}. Does it make as many as `steps` says?"
    text = "largest |noise| after a few small steps, as a multiple of their sum"
    yield Finding(text, reached, 0.99, 1.01, reason, ".2f")
    long = search(30, 0.05, 0)
    yield within(long, LIMIT)
    success = success_of(long, 3)
    yield at_least("success after 30 steps of 0.05", success, 0.75, "Does each step go *against* the gradient?")
    again, other = (search(30, 0.05, seed) for seed in (0, 1))
    reason = "The same seed must give the same noise."
    yield at_most("pixels that change when it is called again", float(np.mean(long != again)), 0.0, reason)
    yield at_least("pixels that another seed changes", float(np.mean(long != other)), 0.01, "Let `seed` decide.")


@asks(seconds=5, search=1, table=shares(len(LEARNING_RATES), len(STEPS), len(SEEDS)))
def success_by_steps(answer: Answer) -> Findings:
    """Success for the 3, shape (learning rates, steps, seeds)."""
    yield from search_with_steps(answer)
    largest = float(np.ptp(answer.table, axis=-1).max())
    yield at_least("largest difference between two seeds", largest, 0.005, "Every seed draws other images.")

    def success(learning_rate: float, steps: int, seed: int) -> float:
        return success_of(answer.search(steps, learning_rate, seed), 3)

    axes, words = (LEARNING_RATES, STEPS, SEEDS), "a learning rate of {}, steps: {}, and seed {}"
    reason = "Is it the success rate, on the first 1,000 test images, without the 3s?"
    yield cells_as_measured(answer.table, axes, words, success, count=18, tolerance=0.01, reason=reason)


@asks(search=1, enough=one_of(5, 10, 20, 40))
def where_more_stops_helping(answer: Answer) -> Findings:
    """The fewest steps of 0.05 of which twice as many gain less than two points."""
    yield from search_with_steps(answer)
    search, enough = answer.search, answer.enough

    def success(steps: int) -> float:
        return float(np.mean([success_of(search(steps, 0.05, seed), 3) for seed in SEEDS]))

    here = success(enough)
    yield at_most("what twice as many gain", success(2 * enough) - here, 0.02, "More still helps.")
    if enough > 5:
        yield at_least("what they gain over half as many", here - success(enough // 2), 0.02, "Fewer would do.")


QUESTIONS = [search_with_steps, success_by_steps, where_more_stops_helping]
