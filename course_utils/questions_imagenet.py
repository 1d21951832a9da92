"""What exercise 9 asks, about photographs at full size: how each answer is measured, and the hints."""

import functools
from collections.abc import Iterator
from typing import Any

from course_utils.data import Dataset
from course_utils.evaluation import NoiseReport, evaluate_noise
from course_utils.feedback import Finding, answered, as_array, at_least, near
from course_utils.imagenet import imagenet_network
from course_utils.photographs import SIDE, load_imagenet_samples
from course_utils.questions import AGAIN, question, reflection, within
from course_utils.stored import stored_result

import keras
import numpy as np

AWAY, TOWARDS = 10 / 255, 16 / 255
IMAGE = (SIDE, SIDE, 3)
FEW, CARRIED = 50, 100


@functools.lru_cache(maxsize=2)
def network(side: int = SIDE) -> keras.Model:
    """Return the network for ImageNet."""
    return imagenet_network("mobilenet_v2", side)


@functools.lru_cache(maxsize=2)
def samples(side: int = SIDE) -> Dataset:
    """Return the photographs; loading looks at every one of them, so it is done once."""
    return load_imagenet_samples(side=side)


def wanted(real: float, stand_in: float) -> float:
    """Return what is wanted of the network and the photographs at hand."""
    is_stand_in = samples().is_stand_in or network().output_shape[-1] != 1_000
    return stand_in if is_stand_in else real


def measured(noise: np.ndarray, images: Any, target: int | None = None, side: int = SIDE) -> NoiseReport:
    """Measure noise on photographs; what the network sees in them as they are counts as true."""
    return evaluate_noise(network(side), images, None, noise, target, 1.0)


@question(
    "09_imagenet",
    "`find_universal_noise` takes `None` for the target class. What it returns has one axis more than is wanted.",
    "`steps=40, batch_size=20` takes less than half a minute. The limit is 10 / 255.",
)
def away_from_the_answer(answer: Any) -> Iterator[Finding]:
    """Noise of 10 of 255 that changes most predictions."""
    noise = as_array(answer, IMAGE, "the noise")
    yield within(noise, AWAY)
    yield fools(noise, "Was it searched with the whole limit, for long enough, and on many photographs?")


def fools(noise: np.ndarray, reason: str) -> Finding:
    """Does noise change enough predictions on all test photographs?"""
    rate = measured(noise, samples().test.images).fooling_rate
    return at_least("fooling rate on the test photographs", rate, wanted(0.5, 0.2), reason)


@question(
    "09_imagenet",
    "`find_universal_noise(network, images, target, 16 / 255, …)`, and the first of what it returns.",
    "More steps than before: `steps=60, batch_size=20`.",
    "Not every class is equally easy. A pineapple (953) is one that works.",
)
def towards_one_class(answer: Any) -> Iterator[Finding]:
    """The pair (target, noise): noise of 16 of 255 that makes most photographs one class."""
    target, noise = answered(answer[0]), as_array(answered(answer[1]), IMAGE, "the noise")
    yield within(noise, TOWARDS)
    success = measured(noise, samples().test.images, target).success_rate or 0.0
    reason = "Was it searched for this class? Another class may be easier."
    yield at_least("success rate on the test photographs", success, wanted(0.5, 0.3), reason)


@question(
    "09_imagenet",
    "`images[:50]` are the first 50. Search on them as in question 1.",
    "`fooled(network, few, noise)`, and once more with the test photographs.",
)
def from_few_photographs(answer: Any) -> Iterator[Finding]:
    """The triple (noise, own, test): noise searched on 50 photographs, and its fooling rates there and on others."""
    noise = as_array(answered(answer[0]), IMAGE, "the noise")
    rates = as_array([answered(rate) for rate in answer[1:]], (2,), "the two rates")
    yield within(noise, AWAY)
    photographs = samples()
    reason = f"{AGAIN} First the rate on the 50, then that on the test photographs."
    places = {"on the 50": photographs.train.images[:FEW], "on the test photographs": photographs.test.images}
    true = [measured(noise, images).fooling_rate for images in places.values()]
    yield at_least(
        "fooling rate on the 50", true[0], wanted(0.8, 0.2), "Was it searched on these 50, and only on these?"
    )
    for place, rate, again in zip(places, rates, true, strict=True):
        yield near(f"{place}: your fooling rate", float(rate), again, 0.02, reason)


@question(
    "09_imagenet",
    "`hundred = test_images[:100]` is an array. `hundred[:, :, ::-1]` mirrors it, `np.roll(hundred, 20, axis=2)` "
    "moves it.",
    "`fooled(network, hundred, noise)` is the rate as they are.",
    "Resizing may leave the limit by a hair: `np.clip(…, -10 / 255, 10 / 255)`.",
)
def carried_over(answer: Any) -> Iterator[Finding]:
    """The pair (noise, rates): fooling rates on mirrored, shifted and small photographs."""
    noise, rates = as_array(answered(answer[0]), IMAGE, "the noise"), answered(answer[1])
    yield within(noise, AWAY)
    yield fools(noise, "Is it the noise of question 1?")
    for name, rate in rates_elsewhere(noise).items():
        given = as_array(answered(rates[name]), (), f"the rate {name!r}")
        yield near(f"{name}: your fooling rate", float(given), rate, 0.04, AGAIN)


def rates_elsewhere(noise: np.ndarray) -> dict[str, float]:
    """Measure noise on mirrored, on shifted and on small photographs."""
    hundred = samples().test.images[:CARRIED]
    small = samples(side=96).test.images[:CARRIED]
    smaller = np.asarray(keras.ops.image.resize(noise, (96, 96), antialias=True))
    return {
        "mirrored": measured(noise, hundred[:, :, ::-1]).fooling_rate,
        "shifted": measured(noise, np.roll(hundred, 20, axis=2)).fooling_rate,
        "small": measured(smaller, small, side=96).fooling_rate,
    }


@question(
    "09_imagenet",
    "There are 3,600 seconds in an hour.",
    "Training: networks × steps × photographs in a step × seconds for a photograph.",
)
def hours(answer: Any) -> Iterator[Finding]:
    """The pair (search, training) in hours, for a thousand classes."""
    long = stored_result("imagenet_noise")
    numbers = as_array([answered(one) for one in answer], (2,), "your two numbers of hours")
    true = (
        1_000 * long["towards"]["seconds"] / 3_600,
        1_000 * 2_000 * 64 * long["away"]["seconds_per_image"] / 3_600,
    )
    for name, number, right in zip(("search", "training"), numbers, true, strict=True):
        reason = (
            "In hours (3,600 seconds), for a thousand classes. What is measured, and what is multiplied with what?"
        )
        yield near(f"hours of {name}", float(number), right, 0.02 * right, reason, ",.1f")


question("09_imagenet")(reflection())
