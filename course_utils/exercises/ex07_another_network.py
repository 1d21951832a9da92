"""Exercise 7, another network: its questions, and how each answer is measured."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from course_utils._checks import check_network
from course_utils._gradients import compiled_logits
from course_utils.data import Dataset, load_mnist
from course_utils.exercises.core import Answer, Findings, asks, at_least, at_most, note
from course_utils.exercises.measures import (
    TEST_IMAGES,
    Take,
    a_network,
    accuracy_under,
    as_measured,
    by_name,
    least_apart,
    noise,
    overlaid,
    plain_network,
    search_for,
    shares,
    success_of,
    threshold,
    within,
)
from course_utils.models import convolutional_network
from course_utils.noise import add_noise
from course_utils.notebook import cached_network, chosen_seed, pretrained_network

import keras
import numpy as np

CARRIED = 0.3  # the limit of noise that is to carry over
APART = 0.03  # on overlaid digits networks trained apart differ by twice that at least, near copies by half of it


def hidden_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the network that exercise 7 keeps to itself: the course's, but with a larger learning rate."""
    keras.utils.set_random_seed(seed)
    images, labels = dataset.train.images, dataset.train.labels
    network = convolutional_network(images.shape[1:], len(dataset.class_names))
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    chosen = np.random.default_rng(seed).integers(len(images), size=500 * 64)
    network.fit(images[chosen], labels[chosen], batch_size=64, verbose=0)
    return network


def own(networks: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """Return those of the reader: two names are taken."""
    return {name: network for name, network in networks.items() if name not in ("plain", "immune")}


def everyone(networks: Mapping[str, keras.Model]) -> dict[str, keras.Model]:
    """Add the plain network and the immune one behind those of the reader."""
    return {**networks, "plain": plain_network(chosen_seed()), "immune": pretrained_network("worst_noise")}


def found_on(network: keras.Model, **settings: Any) -> np.ndarray:
    """Search noise for the 3 against one network."""
    return search_for(3, network, noise_limit=CARRIED, **settings)


def loss_on(network: keras.Model, one: np.ndarray) -> float:
    """Measure the loss for the 3: it tells noise from noise, also where no image falls."""
    noisy = add_noise(load_mnist().test.images[:TEST_IMAGES], one)
    threes = np.full(len(noisy), 3)
    loss = keras.losses.sparse_categorical_crossentropy(threes, network(noisy, training=False), from_logits=True)
    return float(np.mean(loss))


def most_alike_weights(weights: Mapping[str, Sequence[np.ndarray]]) -> tuple[float, str]:
    """Find the two networks that share most of a layer: the correlation of its weights, and their names."""
    large = {name: [one for one in arrays if one.size >= 100 and one.std() > 0] for name, arrays in weights.items()}
    found = [(0.0, "none")]
    for one, other in itertools.combinations(large, 2):
        for first, second in itertools.product(large[one], large[other]):
            if first.shape == second.shape:
                found.append((float(np.corrcoef(first.ravel(), second.ravel())[0, 1]), f"{one} and {other}"))
    return max(found)


def answers_without_bias(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return which class stands out in each image, when no class is favoured: logits less their means, scaled."""
    logits = compiled_logits(network, images.shape[1:])(images).numpy()
    return ((logits - logits.mean(axis=0)) / np.maximum(logits.std(axis=0), 1e-9)).argmax(axis=1)  # type: ignore[no-any-return]


def one_for_each(value: Any, _: str) -> Any:
    """Something for each network, in order or by name; how many that are, the networks say."""
    return list(value.values()) if isinstance(value, Mapping) else value


def of_networks(networks: Mapping[str, Any], take: Take, value: Any, name: str) -> np.ndarray:
    """Take what must hold something for each network."""
    try:
        return take(value, name)  # type: ignore[no-any-return]
    except ValueError as error:
        said = str(error) if str(error).endswith("?") else f"{error}."
        raise ValueError(f"{said} The {len(networks)} networks are {', '.join(networks)}") from None


@asks(my_networks=by_name(a_network))
def own_networks(answer: Answer) -> Findings:
    """At least three trained networks by name."""
    networks, images = own(answer.my_networks), load_mnist().test.images[:TEST_IMAGES]
    reason = "Three, each with a name of its own, which is neither plain nor immune."
    yield at_least("networks", len(networks), 3, reason, ".0f")
    for name, network in networks.items():
        try:
            check_network(network, images)
        except (TypeError, ValueError) as error:
            raise ValueError(f"in `my_networks`, {name!r}: {error}") from None
    nothing = np.zeros(images.shape[1:], np.float32)
    right = {name: accuracy_under(network, nothing) for name, network in networks.items()}
    weakest = min(right, key=lambda name: right[name])
    reason = f"It is {weakest}. Train it longer, or at a larger rate."
    yield at_least("accuracy of the weakest", right[weakest], threshold(0.93, 0.85), reason)
    answers = {name: answers_without_bias(network, overlaid()) for name, network in everyone(networks).items()}
    apart, names = least_apart(answers)
    reason = f"{names} answer alike, so they are one network. Build each anew, from a seed of its own."
    yield at_least("pairs of digits, one over the other, that two answer differently", apart, APART, reason)
    alike, names = most_alike_weights({name: one.get_weights() for name, one in everyone(networks).items()})
    reason = f"{names} have a layer in common, so one is the other in another dress. Train each by itself."
    yield at_most("correlation of the weights of two layers, at most", alike, 0.999, reason, ".3f")
    sizes = len({network.count_params() for network in networks.values()})
    yield at_least("different numbers of weights", sizes, 2, "Build at least one with more or fewer weights.", ".0f")


@asks(seconds=5, my_networks=1, all_noise=one_for_each, table=one_for_each)
def found_on_tested_on(answer: Answer) -> Findings:
    """Noise for the 3 found on each network, and the table [found, tested]."""
    yield from own_networks(answer)
    networks = everyone(answer.my_networks)
    count = len(networks)
    all_noise = of_networks(networks, noise(count), answer.all_noise, "all_noise")
    yield within(all_noise, CARRIED)
    apart, names = least_apart(dict(zip(networks, all_noise, strict=True)))
    reason = f"For {names} it is one noise. Search on each network anew."
    yield at_least("pixels in which the noise of two networks differs", apart, 0.05, reason)
    measured = np.array([[success_of(one, 3, network) for network in networks.values()] for one in all_noise])
    taken_off = {}
    for one, success, (name, network) in zip(all_noise, np.diag(measured), networks.items(), strict=True):
        ours = found_on(network)
        reason = "A search reaches more. Was it made on this network, with the whole limit?"
        possible = success_of(ours, 3, network)
        yield at_least(f"noise found on {name}: success there", success, max(0, possible - 0.1), reason)
        without, under_ours, under_this = (loss_on(network, each) for each in (0 * ours, ours, one))
        taken_off[name] = (without - under_this) / (without - under_ours)
    least = min(taken_off, key=lambda name: taken_off[name])
    reason = f"It is that for {least}. Was it found on this network?"
    text = "what each noise takes off the loss for the 3 on its network, of what ours does: the least"
    yield at_least(text, taken_off[least], 0.85, reason)
    table = of_networks(networks, shares(count, count), answer.table, "table")
    reason = "A row for each noise, a column for each network it is tested on."
    for dress, what in ((table.T, "Rows and columns are exchanged. "), (1 - table, "It is the rest up to 1. ")):
        if np.abs(dress - measured).max() <= 0.02:
            reason = what + reason
    yield as_measured("cells of the table", table, measured, 0.02, reason)


@asks(seconds=10, my_networks=1, common_noise=noise())
def noise_for_several(answer: Answer) -> Findings:
    """Noise for the 3 that was found on all of the reader's networks at once."""
    yield from own_networks(answer)
    networks, common = own(answer.my_networks), answer.common_noise
    yield within(common, CARRIED)
    searches: list[dict[str, Any]] = [{}, {"steps": 60, "batch_size": 64}]
    alone = [found_on(network, **settings) for network in networks.values() for settings in searches]
    best = max(_mean_success(networks, one) for one in alone)
    yield note("your networks under noise found on one of them, on average, at best", best)
    reason = "Noise found on one of them does as well, or nearly. Was yours found on all of them?"
    least = min(1.0, best + max(1e-6, threshold(0.05, 0.0) * (1 - best)))
    yield at_least("your networks under yours, on average", _mean_success(networks, common), least, reason)
    hidden = cached_network(hidden_network, load_mnist(), chosen_seed() + 100)
    there = [success_of(one, 3, hidden) for one in alone]
    yield note("a network you have never seen, under noise found on one of yours, at best", max(there))
    yield note("the same, on average", float(np.mean(there)))
    reason = "Any noise found on a single one does clearly better."
    yield at_least("the same network under yours", success_of(common, 3, hidden), min(there) - 0.05, reason)


def _mean_success(networks: Mapping[str, keras.Model], one: np.ndarray) -> float:
    return float(np.mean([success_of(one, 3, network) for network in networks.values()]))


QUESTIONS = [own_networks, found_on_tested_on, noise_for_several]
