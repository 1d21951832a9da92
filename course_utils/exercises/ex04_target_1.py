"""Exercise 4, target 1: its questions, and how each answer is measured."""

from course_utils.data import load_mnist
from course_utils.evaluation import classes_seen
from course_utils.exercises.core import Answer, Findings, asks, at_least, at_most, note
from course_utils.exercises.measures import (
    LIMIT,
    TEST_IMAGES,
    as_measured,
    as_ours,
    measured,
    noise,
    one_of,
    plain_network,
    shares,
    success_of,
    threshold,
    within,
)
from course_utils.noise import add_noise
from course_utils.notebook import chosen_seed

import numpy as np

WAYS = ("as it is", "without the cut", "only what darkens", "only what lightens")


@asks(noise_for_1=noise())
def noise_for_the_1(answer: Answer) -> Findings:
    """Noise for the 1."""
    yield within(answer.noise_for_1, LIMIT)
    success = success_of(answer.noise_for_1, 1)
    reason = "Search longer, or is it for another class?"
    yield at_least("success on test images", success, threshold(0.4, 0.3), reason)


@asks(noise_for_1=1, digit=one_of(*range(10)), share=shares())
def who_holds_out(answer: Answer) -> Findings:
    """The digit of which the smallest share is taken for a 1, and this share."""
    yield from noise_for_the_1(answer)
    confusion = measured(answer.noise_for_1, 1).confusion
    taken = confusion[:, 1] / confusion.sum(axis=1)
    taken[1] = 1.0
    share = float(taken[answer.digit])
    reason = "Is the count divided by the number of such digits, among the first 1,000 test images?"
    yield as_ours("share of your digit that is taken for a 1", answer.share, share, 0.02, reason)
    better = float(np.sum(taken < share - 0.02))
    yield at_most("digits that hold out better than yours", better, 0, "Another digit holds out better.", ".0f")


def ten_that_work(answer: Answer) -> Findings:
    """Measure noise for every class."""
    yield within(answer.all_noise, LIMIT)
    success = [success_of(one, target) for target, one in enumerate(answer.all_noise)]
    hardly = f"Noise for the {int(np.argmin(success))} that hardly works, or is it for another class?"
    yield at_least("lowest success of the ten", min(success), 0.3, hardly)


@asks(all_noise=noise(10), table=shares(10, 10))
def taken_for(answer: Answer) -> Findings:
    """Of the images not of class t, the share that noise for t makes a c: [t, c]."""
    yield from ten_that_work(answer)
    table, again = answer.table, np.empty((10, 10))
    off = float(np.abs(table.sum(axis=1) - 1).max())
    reason = "The shares of each row add up to 1. Is each count divided by the number of all images in that row?"
    yield at_most("furthest that a row's sum is from 1", off, 0.06, reason, ".3f")  # rounding ten shares to percent
    for target, one in enumerate(answer.all_noise):
        confusion = np.delete(measured(one, target).confusion, target, axis=0)
        again[target] = confusion.sum(axis=0) / confusion.sum()
    reason = "Rows are the noises, columns the classes seen. Are the images of the noise's own class left out?"
    yield as_measured("cells of the table", table, again, 0.02, reason)
    for target in (1, 3, 8):
        yield note(f"noise {target}: success", float(again[target, target]))


@asks(seconds=5, all_noise=3, tested=shares(10, len(WAYS)))
def what_the_cut_explains(answer: Answer) -> Findings:
    """Success of each noise as it is, without the cut to [0, 1], and of its two halves: (noises, ways)."""
    yield from ten_that_work(answer)
    again = np.array([_success_in_each_way(one, target) for target, one in enumerate(answer.all_noise)])
    reason = (
        "Rows are the noises, columns the four ways, in the order of the text. Are the images of the noise's own "
        "class left out, and are the halves cut to [0, 1]?"
    )
    yield as_measured("cells of the table", answer.tested, again, 0.01, reason)
    for target, way in ((1, 0), (1, 1), (1, 2), (3, 2)):
        yield note(f"noise for the {target}, {WAYS[way]}", float(again[target, way]))


def _success_in_each_way(one: np.ndarray, target: int) -> list[float]:
    test, network = load_mnist().test, plain_network(chosen_seed())
    others = test.images[:TEST_IMAGES][test.labels[:TEST_IMAGES] != target]
    darkens, lightens = np.maximum(one, 0), np.minimum(one, 0)
    ways = add_noise(others, one), others + one, add_noise(others, darkens), add_noise(others, lightens)
    return [float(np.mean(classes_seen(network, noisy) == target)) for noisy in ways]


QUESTIONS = [noise_for_the_1, who_holds_out, taken_for, what_the_cut_explains]
