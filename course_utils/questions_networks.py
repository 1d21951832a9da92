"""What exercise 7 asks, about networks of the reader's own: how each answer is measured, and the hints."""

from collections.abc import Iterator
from typing import Any

from course_utils.checks import check_logits
from course_utils.data import Dataset, load_mnist
from course_utils.evaluation import evaluate_noise
from course_utils.feedback import Finding, answered, as_array, at_least, told
from course_utils.networks import convolutional_network
from course_utils.questions import (
    MEASURED,
    a_network,
    as_measured,
    clean_accuracy,
    question,
    reflection,
    universal_noise,
    wanted,
    within,
)
from course_utils.results import chosen_seed, kept_network
from course_utils.search import find_universal_noise

import keras
import numpy as np

CARRIED = 0.3  # the limit of noise that is to carry over


def hidden_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the network that exercise 7 keeps to itself: the course's, but with a larger learning rate."""
    keras.utils.set_random_seed(seed)
    images, labels = dataset.train.images, dataset.train.labels
    network = convolutional_network(images.shape[1:], len(dataset.class_names))
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    chosen = np.random.default_rng(seed).integers(len(images), size=500 * 64)
    network.fit(images[chosen], labels[chosen], batch_size=64, verbose=0)
    return network


def several_networks(value: Any) -> dict[str, keras.Model]:
    """Return an answer as networks by name."""
    if not isinstance(value, dict):
        raise TypeError(f"your networks must be a dict, a network for each name, got {type(value).__name__}")
    return {str(name): a_network(answered(network)) for name, network in value.items()}


def found_on(network: keras.Model, **settings: Any) -> np.ndarray:
    """Search noise for the 3 against one network."""
    images, seed = load_mnist().train.images, chosen_seed()
    return find_universal_noise(network, images, 3, CARRIED, seed=seed, **settings)[0]


def success_on(network: keras.Model, noise: np.ndarray) -> float:
    """Measure how many of the first test images noise makes a 3 for this network."""
    test = load_mnist().test
    report = evaluate_noise(network, test.images[:MEASURED], test.labels[:MEASURED], noise, 3, CARRIED)
    return report.success_rate or 0.0


@question(
    "07_another_network",
    "A function that compiles and fits a network on 700 batches is enough; call it once for each network.",
    "A learning rate of 0.001 is fine. `keras.utils.set_random_seed` before a network is built changes its weights.",
    "One with another architecture: `Flatten` and two `Dense` layers, or convolutions with `strides=2`.",
)
def my_networks(answer: Any) -> Iterator[Finding]:
    """At least three trained networks by name."""
    networks = list(several_networks(answer).values())
    yield at_least("networks", len(networks), 3, "Three, each with a name of its own.", ".0f")
    lowest = min(map(clean_accuracy, networks))
    yield at_least("accuracy of the weakest", lowest, wanted(0.93, 0.85), "Train it longer, or at a larger rate.")
    images = load_mnist().test.images[:20]
    logits = [network.predict(images, verbose=0) for network in networks]
    for one in logits:
        check_logits(one)
    alike = min(float(np.abs(one - other).max()) for place, one in enumerate(logits) for other in logits[:place])
    reason = "Two of them are the same network. Build each anew, from a seed of its own."
    yield at_least("largest difference between the logits of two", alike, 0.01, reason, ".2f")
    sizes = len({network.count_params() for network in networks})
    yield at_least("different numbers of weights", sizes, 2, "Build at least one with more or fewer weights.", ".0f")


@question(
    "07_another_network",
    "A loop over the networks, and in it `find_universal_noise(network, digits, 3, 0.3, seed=seed)[0]`.",
    "Then two loops: each noise on each network. `evaluate_noise(…, noise, 3, 0.3).success_rate` is the cell.",
)
def found_on_tested_on(answer: Any) -> Iterator[Finding]:
    """The triple (networks, all noise, table): noise for the 3 found on each, and the table [found, tested]."""
    networks, all_noise, table = answer[0], answered(answer[1]), answered(answer[2])
    networks = several_networks(networks)
    all_noise = universal_noise(all_noise, len(networks))
    table = as_array(table, (len(networks), len(networks)), "the table")
    yield within(all_noise, CARRIED)
    for row, (name, noise) in enumerate(zip(networks, all_noise, strict=True)):
        measured = np.array([success_on(network, noise) for network in networks.values()])
        possible = success_on(networks[name], found_on(networks[name]))
        reason = "A search reaches more. Was it made on this network?"
        yield at_least(f"noise found on {name}: success there", measured[row], max(0.0, possible - 0.1), reason)
        reason = "A row for each noise, a column for each network it is tested on."
        yield as_measured(f"row {name}", table[row], measured, 0.02, reason)


@question(
    "07_another_network",
    "One way is a loop of your own, like `sign_search` in notebook 04. In each step ask *every* network.",
    "Add the gradients up, each as the mean over the batch, and move against the sign of the sum.",
    "Long steps first: 60 steps of 0.06 · (1 - step / 60), each on a new batch of 64 digits. Clip after each.",
)
def noise_for_several(answer: Any) -> Iterator[Finding]:
    """The pair (networks, noise): noise for the 3 that was found on all of the reader's networks at once."""
    networks, common = answer[0], universal_noise(answered(answer[1]))
    networks = several_networks(networks)
    yield within(common, CARRIED)
    alone = [found_on(network, steps=60, batch_size=64) for network in networks.values()]
    best = max(_mean_success(networks, noise) for noise in alone)
    least = 1 - 0.75 * (1 - best)  # it must miss at most three quarters of what the best single one misses
    yield told("your networks under noise found on one of them, on average, at best", best)
    reason = "Yours should miss clearly fewer digits than that. Was it found on all of them?"
    yield at_least("success on your networks, on average", _mean_success(networks, common), least, reason)
    hidden = kept_network(hidden_network, load_mnist(), chosen_seed() + 100)
    there = [success_on(hidden, noise) for noise in alone]
    mean = float(np.mean(there))
    yield told("a network you have never seen, under noise found on one of yours, on average", mean)
    yield told("the same, at best", max(there))
    reason = "On average, noise found on a single one does better."
    yield at_least("the same network under yours", success_on(hidden, common), mean, reason)


def _mean_success(networks: dict[str, keras.Model], noise: np.ndarray) -> float:
    return float(np.mean([success_on(network, noise) for network in networks.values()]))


question("07_another_network")(reflection())
