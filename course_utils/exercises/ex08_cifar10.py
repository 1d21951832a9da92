"""Exercise 8, CIFAR-10: its questions, and how each answer is measured."""

import functools

from course_utils._gradients import margin_of
from course_utils.data import Dataset, load_mnist
from course_utils.evaluation import NoiseReport, evaluate_noise
from course_utils.exercises.core import Answer, Finding, Findings, asks, at_least, at_most
from course_utils.exercises.measures import (
    TEST_IMAGES,
    a_network,
    as_measured,
    as_ours,
    noise,
    number,
    plain_network,
    shares,
    within,
)
from course_utils.notebook import chosen_seed
from course_utils.photos import cifar_networks, load_cifar10
from course_utils.search import find_universal_noise

import keras
import numpy as np
import tensorflow as tf

LIMITS = (4 / 255, 8 / 255, 16 / 255)
FRESH = 8 / 255  # the limit of question 4
LEAST = ((0.045, 0.0), (0.13, 0.02), (0.6, 0.25))  # success at these limits, on average, and on the fallback data
IMAGE = (32, 32, 3)


def threshold(real: float, stand_in: float) -> float:
    """Return what is wanted on the colour images at hand."""
    return stand_in if load_cifar10().is_stand_in else real


@functools.lru_cache(maxsize=1)
def both(seed: int) -> tuple[keras.Model, keras.Model]:
    """Return the plain network and the immune one."""
    return cifar_networks(load_cifar10(), seed)


def measured(network: keras.Model, one: np.ndarray, target: int | None) -> NoiseReport:
    """Measure noise on the first test images."""
    test = load_cifar10().test
    return evaluate_noise(network, test.images[:TEST_IMAGES], test.labels[:TEST_IMAGES], one, target, 1.0)


@asks(my_network=a_network)
def my_network(answer: Answer) -> Findings:
    """A network that reads CIFAR-10 a little."""
    accuracy = measured(answer.my_network, np.zeros(IMAGE, np.float32), None).accuracy
    reason = "Is it trained? Does its last layer return logits, as the loss expects? Let the learning rate fall."
    yield at_least("accuracy on test images", accuracy, threshold(0.45, 0.3), reason)


@asks(seconds=10, all_noise=noise(3, 10, shape=IMAGE), success=shares(3, 10))
def noise_at_three_limits(answer: Answer) -> Findings:
    """Noise for ten classes at three limits, and their success rates."""
    plain, _ = both(chosen_seed())
    again = []
    for limit, ten, least in zip(LIMITS, answer.all_noise, LEAST, strict=True):
        where = f"at {255 * limit:.0f} of 255"
        yield within(ten, limit, where)
        again.append([measured(plain, one, target).success_rate or 0.0 for target, one in enumerate(ten)])
        reason = "A search reaches more. Was each noise searched for its own class, with the whole limit?"
        yield at_least(f"{where}: success, on average", float(np.mean(again[-1])), threshold(*least), reason)
    reason = "A row for each limit, a column for each class."
    yield as_measured("success rates", answer.success, np.array(again), 0.02, reason)


@asks(for_digits=number, for_photographs=number)
def noise_needed(answer: Answer) -> Findings:
    """The median of margin / Σ |slope|, for the digits and for the photographs."""
    plain, _ = both(chosen_seed())
    yield _as_estimated("digits", answer.for_digits, plain_network(chosen_seed()), load_mnist())
    yield _as_estimated("photographs", answer.for_photographs, plain, load_cifar10())


def _as_estimated(name: str, given: float, network: keras.Model, dataset: Dataset) -> Finding:
    test = dataset.test
    ours = float(np.median(_noise_needed(network, test.images[:200], test.labels[:200])))
    units = "Pixels go from 0 to 1, not to 255. " if given > 10 * ours else ""
    reason = f"You have {given:.4f}. {units}It is the median of margin / Σ |slope|, over images that are read right."
    return as_ours(name, given, ours, 0.05, reason, relative=True)


def _noise_needed(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Estimate, for each image that is read rightly, the noise that lifts another class to the top."""
    rightly = np.argmax(network(images), axis=1) == labels
    pixels = tf.constant(images[rightly])
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        margin = -margin_of(network(pixels), labels[rightly])
    slope = tape.gradient(margin, pixels)
    return np.asarray(margin / tf.reduce_sum(abs(slope), axis=(1, 2, 3)))


@asks(seconds=25, fresh_noise=noise(2, 11, shape=IMAGE), accuracies=shares(2, 3))
def fresh_noise_for_both(answer: Answer) -> Findings:
    """Eleven noises against each network, and what they leave."""
    noises, again = answer.fresh_noise, []
    yield within(noises, FRESH)
    differ = float(np.mean(noises[0] != noises[1]))
    reason = "The noise for `immune` must be searched against `immune`, not taken over from `plain`."
    yield at_least("values in which the noise of the two networks differs", differ, 0.01, reason)
    for name, network, eleven in zip(("plain", "immune"), both(chosen_seed()), noises, strict=True):
        (left, success), (possible, successful) = under(network, eleven), under(network, _fresh(network))
        clean = measured(network, np.zeros(IMAGE, np.float32), None).accuracy
        again.append((clean, np.mean(left[:10]), min(left)))
        most = (clean + min(possible)) / 2  # another search may take a little less
        reason = "A fresh search leaves less. Were yours made for this network, with the whole limit?"
        yield at_most(f"{name}: lowest accuracy under yours", min(left), most, reason)
        reason = "A fresh search reaches more. The ten come first, in the order of their classes."
        yield at_least(f"{name}: success of the ten, on average", success, 0.7 * successful, reason)
    reason = "A row for each network. The columns: clean, the mean of the ten with a class, the lowest."
    yield as_measured("accuracies", answer.accuracies, np.array(again), 0.02, reason)


def under(network: keras.Model, eleven: np.ndarray) -> tuple[list[float], float]:
    """Measure what each of the eleven leaves, and how far the ten with a class lead there."""
    reports = [measured(network, one, target) for one, target in zip(eleven, [*range(10), None], strict=True)]
    return [report.accuracy for report in reports], float(np.mean([report.success_rate for report in reports[:10]]))


def _fresh(network: keras.Model) -> np.ndarray:
    """Search as the solution does."""
    images, seed = load_cifar10().train.images, chosen_seed()
    towards = find_universal_noise(network, images, range(10), FRESH, seed=seed)
    return np.concatenate([towards, find_universal_noise(network, images, None, FRESH, steps=60, seed=seed)])


QUESTIONS = [my_network, noise_at_three_limits, noise_needed, fresh_noise_for_both]
