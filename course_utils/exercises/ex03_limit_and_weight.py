"""Exercise 3, noise_limit and noise_l2_weight: its questions, and how each answer is measured."""

from collections.abc import Iterator

from course_utils.exercises.core import Answer, Finding, at_least, at_most, note
from course_utils.exercises.measures import (
    LIMIT,
    asks,
    cells_as_measured,
    noise,
    one_of,
    reflection,
    search_for,
    shares,
    success_of,
    within,
)

import numpy as np

LIMITS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
L2_WEIGHTS = (0.0, 0.01, 0.1, 1.0)


@asks(success_map=shares(len(LIMITS), len(L2_WEIGHTS)))
def success_by_limit_and_weight(answer: Answer) -> Iterator[Finding]:
    """Success for the 3, shape (limits, weights)."""

    def success(cell: tuple[int, ...]) -> float:
        limit, weight = LIMITS[cell[0]], L2_WEIGHTS[cell[1]]
        return success_of(search_for(3, noise_limit=limit, noise_l2_weight=weight), 3, limit)

    def words(cell: tuple[int, ...]) -> str:
        return f"limit {LIMITS[cell[0]]} and weight {L2_WEIGHTS[cell[1]]}"

    # with other steps or another seed the largest weights give other noise: 12 points at most, mostly 6
    reason = "Rows are limits, columns weights. Is each searched with its own number of steps, and `seed=seed`?"
    yield cells_as_measured(answer.success_map, success, words, count=12, tolerance=0.1, reason=reason)


@asks(small_noise=noise(), target=one_of(*range(10)))
def smallest_limit(answer: Answer) -> Iterator[Finding]:
    """Noise that nine in ten fall for, at a small limit, and the target."""
    largest = float(np.abs(answer.small_noise).max())
    yield at_most("largest |noise|", largest, 0.3 + 1e-6, "A smaller limit is enough.", ".3f")
    success = success_of(answer.small_noise, answer.target)
    yield at_least("taken for your target, on test images", success, 0.9, "Another target, or a larger limit?")


@asks(faint_noise=noise())
def faint_noise(answer: Answer) -> Iterator[Finding]:
    """Noise for the 3 that the limit alone could not make as faint."""
    noise = answer.faint_noise
    yield within(noise, LIMIT)
    success = success_of(noise, 3)
    yield at_least("success on test images", success, 0.8, "Too faint, or not for the 3?")
    strength = float(np.sqrt(np.mean(noise**2)))
    yield note("root of the mean square", strength, form=".3f")
    by_limit = success_of(search_for(3, noise_limit=min(strength, LIMIT)), 3)
    yield note("success of noise that the limit alone makes as faint", by_limit)
    reason = "The limit alone does nearly as well. A larger weight fades what hardly helps."
    yield at_least("what yours has more", success - by_limit, 0.1, reason)


QUESTIONS = [success_by_limit_and_weight, smallest_limit, faint_noise, reflection]
