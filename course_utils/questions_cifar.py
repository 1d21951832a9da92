"""What exercise 8 asks, about CIFAR-10: how each answer is measured, and the hints."""

import functools
from collections.abc import Iterator
from typing import Any

from course_utils.cifar import load_cifar10
from course_utils.colour import cifar_networks
from course_utils.data import load_mnist
from course_utils.evaluation import NoiseReport, evaluate_noise
from course_utils.feedback import Finding, answered, as_array, at_least, at_most, near
from course_utils.questions import (
    AGAIN,
    MEASURED,
    a_network,
    as_measured,
    plain_network,
    question,
    reflection,
    within,
)
from course_utils.results import chosen_seed
from course_utils.search import find_universal_noise

import keras
import numpy as np
import tensorflow as tf

LIMITS = (4 / 255, 8 / 255, 16 / 255)
FRESH = 8 / 255  # the limit of question 4
IMAGE = (32, 32, 3)


def wanted(real: float, stand_in: float) -> float:
    """Return what is wanted on the colour images at hand."""
    return stand_in if load_cifar10().is_stand_in else real


@functools.lru_cache(maxsize=1)
def both(seed: int) -> tuple[keras.Model, keras.Model]:
    """Return the plain network and the immune one."""
    return cifar_networks(load_cifar10(), seed)


def measured(network: keras.Model, noise: np.ndarray, target: int | None) -> NoiseReport:
    """Measure noise on the first test images."""
    test = load_cifar10().test
    return evaluate_noise(network, test.images[:MEASURED], test.labels[:MEASURED], noise, target, 1.0)


@question(
    "08_cifar10",
    "`my_network = cifar_network()`, then `compile` with a loss from logits, then `fit(images, labels, …)`.",
    "Twice through the images takes about a minute: `epochs=2`. Batches of 64 images give more steps than of 128.",
    "It makes a difference how the learning rate ends. `keras.optimizers.schedules.CosineDecay(…)`, given to AdamW, "
    "lets it rise to 0.002 for the first quarter of the steps and then fall.",
)
def my_network(answer: Any) -> Iterator[Finding]:
    """A network that reads CIFAR-10 a little."""
    network = a_network(answer)
    accuracy = measured(network, np.zeros(IMAGE, np.float32), None).accuracy
    reason = "Is it trained? Does its last layer return logits, as the loss expects? Let the learning rate fall."
    yield at_least("accuracy on test images", accuracy, wanted(0.45, 0.3), reason)


@question(
    "08_cifar10",
    "`find_universal_noise(plain, images, range(10), limit, seed=seed)` gives the ten noises for one limit.",
    "`evaluate_noise(plain, test_images, test_labels, noise, target, limit).success_rate` is one cell of the table.",
)
def noise_at_three_limits(answer: Any) -> Iterator[Finding]:
    """The pair (all_noise, success): noise for ten classes at three limits, and their success rates."""
    noise = as_array(answered(answer[0]), (3, 10, *IMAGE), "the noise")
    success = as_array(answered(answer[1]), (3, 10), "the table of success rates")
    plain, _ = both(chosen_seed())
    for limit, ten, row in zip(LIMITS, noise, success, strict=True):
        where = f"at {255 * limit:.0f} of 255"
        yield within(ten, limit, where)
        again = np.array([measured(plain, one, target).success_rate for target, one in enumerate(ten)])
        reason = "A row for each limit, a column for each class."
        yield as_measured(where, row, again, 0.02, reason)
    reason = "A search reaches more. Was each noise searched for its own class, with the whole limit?"
    yield at_least("success at 16 of 255, on average", float(again.mean()), wanted(0.6, 0.3), reason)


@question(
    "08_cifar10",
    "The margin: the logit of the right class minus the largest of the others. `tf.GradientTape` watches the images.",
    "`tape.gradient(margin, images)` has the shape of the images. Sum its absolute values over the last three axes.",
    "Divide each image's margin by its own sum, and take the median of the quotients last.",
)
def noise_needed(answer: Any) -> Iterator[Finding]:
    """The pair (digits, photographs): the median of margin / Σ |slope| for each."""
    plain, _ = both(chosen_seed())
    pairs = {"digits": (plain_network(chosen_seed()), load_mnist()), "photographs": (plain, load_cifar10())}
    numbers = as_array([answered(one) for one in answer], (2,), "your answer")
    for number, (name, (network, dataset)) in zip(numbers, pairs.items(), strict=True):
        true = float(np.median(_noise_needed(network, dataset.test.images[:200], dataset.test.labels[:200])))
        reason = f"{AGAIN} The median of margin / Σ |slope|, over images that are read rightly."
        yield near(f"{name}: your number", float(number), true, 0.05 * true, reason, ".4f")


def _noise_needed(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Estimate, for each image that is read rightly, the noise that lifts another class to the top."""
    rightly = np.argmax(network(images), axis=1) == labels
    pixels, own = tf.constant(images[rightly]), tf.one_hot(labels[rightly], network.output_shape[-1], True, False)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logits = network(pixels)
        margin = tf.boolean_mask(logits, own) - tf.reduce_max(tf.where(own, -np.inf, logits), axis=1)
    slope = tape.gradient(margin, pixels)
    return np.asarray(margin / tf.reduce_sum(abs(slope), axis=(1, 2, 3)))


@question(
    "08_cifar10",
    "For one network: `find_universal_noise(network, images, range(10), 8 / 255)` and the same with `None`.",
    "The noise must be searched against the network that it is tested on. Away from the answer takes more steps: 60.",
    "`evaluate_noise(…, np.zeros((32, 32, 3), np.float32), None).accuracy` is the clean accuracy.",
)
def fresh_noise_for_both(answer: Any) -> Iterator[Finding]:
    """The pair (fresh_noise, accuracies): eleven noises against each network, and what they leave."""
    noise = as_array(answered(answer[0]), (2, 11, *IMAGE), "the noise")
    accuracies = as_array(answered(answer[1]), (2, 3), "the table of accuracies")
    yield within(noise, FRESH)
    differ = float(np.mean(noise[0] != noise[1]))
    reason = "The noise for `immune` must be searched against `immune`, not taken over from `plain`."
    yield at_least("values in which the noise of the two networks differs", differ, 0.01, reason)
    for name, network, eleven, row in zip(("plain", "immune"), both(chosen_seed()), noise, accuracies, strict=True):
        left = [measured(network, one, None).accuracy for one in (*eleven, np.zeros(IMAGE, np.float32))]
        true = np.array([left[11], np.mean(left[:10]), min(left[:11])])
        reason = "The columns: clean, the mean of the ten with a class, the lowest."
        yield as_measured(name, row, true, 0.02, reason)
        possible = min(measured(network, one, None).accuracy for one in _fresh(network))
        reason = "A fresh search leaves less. Were yours made for this network, with the whole limit?"
        yield at_most(f"{name}: lowest accuracy under yours", true[2], possible + 0.02, reason)


def _fresh(network: keras.Model) -> np.ndarray:
    """Search as the solution does."""
    images, seed = load_cifar10().train.images, chosen_seed()
    towards = find_universal_noise(network, images, range(10), FRESH, seed=seed)
    return np.concatenate([towards, find_universal_noise(network, images, None, FRESH, steps=60, seed=seed)])


question("08_cifar10")(reflection())
