"""Exercise 9, ImageNet: its questions, and how each answer is measured."""

import functools
from typing import Any

from course_utils._checks import in_short
from course_utils.data import Dataset
from course_utils.evaluation import NoiseReport, evaluate_noise
from course_utils.exercises.core import Answer, Finding, Findings, as_array, asks, at_least
from course_utils.exercises.measures import (
    as_ours,
    by_name,
    noise,
    number,
    one_of,
    shares,
    within,
)
from course_utils.notebook import stored_result
from course_utils.photos import SIDE, imagenet_network, load_imagenet_samples

import keras
import numpy as np

AWAY, TOWARDS = 10 / 255, 16 / 255
IMAGE = (SIDE, SIDE, 3)
FEW, CARRIED, FOUR = 50, 100, 4


@functools.lru_cache(maxsize=2)
def network(side: int = SIDE) -> keras.Model:
    """Return the network for ImageNet."""
    return imagenet_network("mobilenet_v2", side)


@functools.lru_cache(maxsize=2)
def samples(side: int = SIDE) -> Dataset:
    """Return the photographs; loading looks at every one of them, so it is done once."""
    return load_imagenet_samples(side=side)


def threshold(real: float, stand_in: float) -> float:
    """Return what is wanted of the network and the photographs at hand."""
    is_stand_in = samples().is_stand_in or network().output_shape[-1] != 1_000
    return stand_in if is_stand_in else real


def a_class(value: Any, name: str) -> int:
    """The number of a class that the network at hand knows."""
    return one_of(*range(network().output_shape[-1]))(value, name)  # type: ignore[no-any-return]


def measured(one: np.ndarray, images: Any, target: int | None = None, side: int = SIDE) -> NoiseReport:
    """Measure noise on photographs; what the network sees in them as they are counts as true."""
    return evaluate_noise(network(side), images, None, one, target, 1.0)


def fools(one: np.ndarray, reason: str) -> Finding:
    """Does noise change enough predictions on all test photographs?"""
    rate = measured(one, samples().test.images).fooling_rate
    return at_least("fooling rate on the test photographs", rate, threshold(0.5, 0.2), reason)


@asks(seconds=5, away=noise(shape=IMAGE))
def away_from_the_answer(answer: Answer) -> Findings:
    """Noise of 10 of 255 that changes most predictions."""
    yield within(answer.away, AWAY)
    yield fools(answer.away, "Was it searched with the whole limit, for long enough, and on many photographs?")


@asks(seconds=5, target=a_class, noise=noise(shape=IMAGE))
def towards_one_class(answer: Answer) -> Findings:
    """Noise of 16 of 255 that makes most photographs one class."""
    yield within(answer.noise, TOWARDS)
    success = measured(answer.noise, samples().test.images, answer.target).success_rate or 0.0
    reason = "Was it searched for this class? Another class may be easier."
    yield at_least("success rate on the test photographs", success, threshold(0.5, 0.3), reason)


@asks(seconds=5, from_few=noise(shape=IMAGE), rate_on_the_50=shares(), rate_on_test=shares())
def from_few_photographs(answer: Answer) -> Findings:
    """Noise searched on 50 photographs, and its fooling rates there and on others."""
    yield within(answer.from_few, AWAY)
    few, test = samples().train.images[:FEW], samples().test.images
    on_few, on_test = (measured(answer.from_few, images).fooling_rate for images in (few, test))
    reason = "Was it searched on these 50, and only on these?"
    yield at_least("fooling rate on the 50", on_few, threshold(0.7, 0.2), reason)
    reason = "First the rate on the 50, then that on the test photographs."
    yield as_ours("on the 50", float(answer.rate_on_the_50), on_few, 0.02, reason)
    yield as_ours("on the test photographs", float(answer.rate_on_test), on_test, 0.02, reason)


@asks(seconds=10, away=1, rates=by_name(shares(), "mirrored", "shifted", "small"))
def carried_over(answer: Answer) -> Findings:
    """Fooling rates of the noise of question 1 on mirrored, shifted and small photographs."""
    yield from away_from_the_answer(answer)
    for name, rate in rates_elsewhere(answer.away).items():
        reason = "Is it the noise of question 1, on the first 100 test photographs?"
        yield as_ours(name, float(answer.rates[name]), rate, 0.04, reason)


def rates_elsewhere(one: np.ndarray) -> dict[str, float]:
    """Measure noise on mirrored, on shifted and on small photographs."""
    hundred = samples().test.images[:CARRIED]
    small = samples(side=96).test.images[:CARRIED]
    smaller = np.asarray(keras.ops.image.resize(one, (96, 96), antialias=True))
    return {
        "mirrored": measured(one, hundred[:, :, ::-1]).fooling_rate,
        "shifted": measured(one, np.roll(hundred, 20, axis=2)).fooling_rate,
        "small": measured(smaller, small, side=96).fooling_rate,
    }


@asks(hours_of_search=number, hours_of_training=number)
def hours(answer: Answer) -> Findings:
    """The hours of searching and of training, for a thousand classes."""
    long = stored_result("imagenet_noise")
    search = 1_000 * long["towards"]["seconds"] / 3_600
    yield _as_worked_out("hours of search", answer.hours_of_search, search)
    training = 1_000 * 2_000 * 64 * long["away"]["seconds_per_image"] / 3_600
    yield _as_worked_out("hours of training", answer.hours_of_training, training)


def _as_worked_out(what: str, given: float, ours: float, unit: str = "hours (3,600 seconds)") -> Finding:
    """Leave room for rounding, not for another unit or a factor that was forgotten."""
    reason = f"You have {given:,.1f}. In {unit}, for a thousand classes: what is multiplied with what?"
    return as_ours(what, given, ours, 0.1, reason, relative=True)


def four_classes(value: Any, name: str) -> list[int]:
    """The numbers of four different classes."""
    targets = [a_class(one, name) for one in as_array(value, (FOUR,), f"`{name}`")]
    if len(set(targets)) < FOUR:
        raise ValueError(f"`{name}` must be {FOUR} different classes, got {in_short(value)}")
    return targets


@asks(seconds=10, targets=four_classes, all_noise=noise(FOUR, shape=IMAGE), minutes_on_64=number)
def on_many_workers(answer: Answer) -> Findings:
    """Noise of 16 of 255 for each of four classes, and the minutes for a thousand of them on 64 workers."""
    yield within(answer.all_noise, TOWARDS)
    images = samples().test.images
    success = [
        measured(one, images, target).success_rate or 0.0
        for one, target in zip(answer.all_noise, answer.targets, strict=True)
    ]
    reason = "Was each noise searched for its own class, in this order, and for long enough?"
    mean = float(np.mean(success))
    yield at_least("success rate on the test photographs, mean of the four", mean, threshold(0.5, 0.3), reason)
    ((count, row),) = stored_result("imagenet_cluster")["workers_1"]["by_targets"].items()
    minutes = 1_000 * row["seconds"] / int(count) / 64 / 60
    yield _as_worked_out("minutes on 64 workers", answer.minutes_on_64, minutes, "minutes (60 seconds)")


QUESTIONS = [away_from_the_answer, towards_one_class, from_few_photographs, carried_over, hours, on_many_workers]
