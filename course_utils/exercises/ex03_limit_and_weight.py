"""Exercise 3, noise_limit and noise_l2_weight: its questions, and how each answer is measured."""

from course_utils.exercises.core import Answer, Findings, asks, at_least, at_most, note
from course_utils.exercises.measures import (
    LIMIT,
    cells_as_measured,
    noise,
    one_of,
    search_for,
    shares,
    success_of,
    within,
)

import numpy as np

LIMITS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
L2_WEIGHTS = (0.0, 0.01, 0.1, 1.0)


@asks(success_map=shares(len(LIMITS), len(L2_WEIGHTS)))
def success_by_limit_and_weight(answer: Answer) -> Findings:
    """Success for the 3, shape (limits, weights)."""

    def success(limit: float, weight: float) -> float:
        return success_of(search_for(3, noise_limit=limit, noise_l2_weight=weight), 3)

    axes, words = (LIMITS, L2_WEIGHTS), "limit {} and weight {}"
    # with other steps or another seed the largest weights give other noise: 12 points at most, mostly 6
    reason = "Rows are limits, columns weights. Is each searched with its own number of steps, and `seed=seed`?"
    yield cells_as_measured(answer.success_map, axes, words, success, count=12, tolerance=0.1, reason=reason)


@asks(small_noise=noise(), target=one_of(*range(10)))
def smallest_limit(answer: Answer) -> Findings:
    """Noise that nine in ten fall for, at a small limit, and the target."""
    largest = float(np.abs(answer.small_noise).max())
    yield at_most("largest |noise|", largest, 0.3 + 1e-6, "A smaller limit is enough.", ".3f")
    success = success_of(answer.small_noise, answer.target)
    yield at_least("taken for your target, on test images", success, 0.9, "Another target, or a larger limit?")


@asks(faint_noise=noise())
def faint_noise(answer: Answer) -> Findings:
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


QUESTIONS = [success_by_limit_and_weight, smallest_limit, faint_noise]
