"""Run the long experiments once: what they measure goes to results/*.json, finished networks to results/networks/.

    make results                                     all that is missing or out of date
    python tools/make_results.py interleaved ...     these only

Each experiment is one function here, made of library calls that the notebooks show. It is run again when its own
source, that of the library below it (docstrings left out), the data or the seed have changed. What is finished is
written at once, so that an interruption loses one experiment at most.
"""

import ast
import hashlib
import inspect
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import course_utils
from course_utils import (
    Dataset,
    TwoTierNetwork,
    add_noise,
    attacks,
    certifiable_network,
    certificates,
    certified_accuracy,
    cifar_network,
    colour,
    convolutional_network,
    course_network,
    evaluate_noise,
    find_universal_noise,
    gradients,
    imagenet,
    immunise,
    immunise_in_turn,
    immunise_interleaved,
    immunity,
    kept_network,
    load_cifar10,
    load_imagenet_samples,
    load_mnist,
    reattack,
    scoreboard,
    search,
    train_certified,
    train_on_worst_noise,
    trained_cifar_network,
    training,
    with_contrast,
)
from course_utils.evaluation import classes_seen
from course_utils.networks import InTrainingOnly, copy_of
from course_utils.photographs import imagenet_classes
from course_utils.results import RESULTS, keep_finished_network

import keras
import numpy as np
import tensorflow as tf

EXPERIMENTS: dict[str, Callable[[int], dict[str, Any]]] = {}
NETWORKS = (convolutional_network, course_network, copy_of, TwoTierNetwork)
LIBRARY = (*NETWORKS, gradients, search, attacks, immunity)
MNIST = load_mnist()
LIMIT = 0.35
IMAGE_GRADIENT = tf.function(gradients.image_gradient)


def experiment(function: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """Enter an experiment, under its own name."""
    EXPERIMENTS[function.__name__] = function
    return function


def needs(*parts: Any, data: Callable[[], Dataset] = load_mnist) -> Callable[..., Any]:
    """Say that an experiment depends on these modules, functions or classes besides LIBRARY, and on which data."""

    def note(function: Any) -> Any:
        function.parts, function.data = parts, data
        return function

    return note


def attacked(network: keras.Model, seed: int, strength: str = "full", limit: float = LIMIT) -> dict[str, Any]:
    """Attack, helped by noise from another plain network, and return the numbers."""
    other = kept_network(course_network, MNIST, seed + 1)
    report = reattack(network, MNIST, limit, strength=strength, other_network=other, seed=seed)
    print(report)
    numbers = {key: value for key, value in vars(report).items() if key != "all_noise"}
    return {"strength": strength, **numbers, "believable": report.believable}


def trained(
    name: str | None, seed: int, train: Callable[[], keras.Model], measure: Callable[..., dict[str, Any]] = attacked
) -> dict[str, Any]:
    """Train, measure, and return the numbers with the seconds of the training.

    The network of seed 0 is kept under the name, unless that is None.
    """
    start = time.perf_counter()
    network = train()
    seconds = time.perf_counter() - start
    if name and seed == 0:
        keep_finished_network(network, name)
    return {"training_seconds": round(seconds, 1), **measure(network, seed)}


def accuracies(network: keras.Model, all_noise: np.ndarray) -> list[float]:
    """Accuracy on the test images under each noise."""
    test = MNIST.test
    reports = [evaluate_noise(network, test.images, test.labels, noise, None, LIMIT) for noise in all_noise]
    return [round(report.accuracy, 4) for report in reports]


def in_turn(seed: int, rounds: int) -> dict[str, Any]:
    """Immunise against all classes in turn, and write down every round."""
    table: list[dict[str, Any]] = []
    seconds_of_watching = 0.0

    def watch(network: keras.Model, noise: np.ndarray, target: int, when: str) -> None:
        nonlocal seconds_of_watching
        start = time.perf_counter()
        (noisy,), (clean,) = accuracies(network, noise[None]), accuracies(network, np.zeros_like(noise)[None])
        table.append({"target_class": target, "when": when, "noisy": noisy, "clean": clean})
        seconds_of_watching += time.perf_counter() - start

    name = f"in_turn_{rounds}"
    plain = kept_network(course_network, MNIST, seed)
    numbers = trained(
        name,
        seed,
        lambda: immunise_in_turn(
            plain, MNIST.train.images, MNIST.train.labels, noise_limit=LIMIT, rounds=rounds, seed=seed, watch=watch
        ),
    )
    numbers["training_seconds"] = round(numbers["training_seconds"] - seconds_of_watching, 1)
    return {**numbers, "rounds": table}


@experiment
def plain(seed: int) -> dict[str, Any]:
    """The course's network, without any immunity."""
    return attacked(kept_network(course_network, MNIST, seed), seed)


@experiment
@needs(training)
def without_noise(seed: int) -> dict[str, Any]:
    """Trained as long as `worst_noise`, but on clean images only: what clean accuracy is there to lose?"""
    on_clean_images = training.Training(convolutional_network(), LIMIT)
    images, labels = MNIST.train.images, MNIST.train.labels
    return trained(None, seed, lambda: training.fit(on_clean_images, images, labels, 3_000, seed, 4e-3))


@experiment
def in_turn_once(seed: int) -> dict[str, Any]:
    """Tutorial #12: all ten classes, one round each."""
    return in_turn(seed, rounds=1)


@experiment
def in_turn_twice(seed: int) -> dict[str, Any]:
    """Tutorial #12: all ten classes, two rounds running for each."""
    return in_turn(seed, rounds=2)


@experiment
def one_target_each(seed: int) -> dict[str, Any]:
    """Ten networks, each immunised twice against one class, and each attacked afresh with noise for every class."""
    plain = kept_network(course_network, MNIST, seed)
    table = []
    for target in range(10):
        network = immunise(plain, MNIST.train.images, MNIST.train.labels, target, LIMIT, rounds=2, seed=seed)
        fresh = find_universal_noise(
            network, MNIST.train.images, range(10), LIMIT, steps=60, batch_size=32, seed=seed
        )
        table.append(accuracies(network, fresh))
    return {"accuracy": table}


def immunised_on_half(plain: keras.Model, target: int, seed: int) -> keras.Model:
    """Train on images of which every other one carries noise for the target, as notebook 06 does."""
    network = copy_of(plain)
    (noise,) = find_universal_noise(plain, MNIST.train.images, target, LIMIT, seed=seed)
    chosen = np.random.default_rng(seed).integers(len(MNIST.train), size=100 * 64)
    images = MNIST.train.images[chosen]
    images[::2] = add_noise(images[::2], noise)
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images, MNIST.train.labels[chosen], batch_size=64, verbose=0)
    return network


@experiment
def two_tiers(seed: int) -> dict[str, Any]:
    """The tutorial's second idea: eleven networks. Attacked with "quick" only, since each step runs all of them."""
    plain = kept_network(course_network, MNIST, seed)
    return trained(
        None,
        seed,
        lambda: TwoTierNetwork(plain, [immunised_on_half(plain, target, seed) for target in range(10)]),
        partial(attacked, strength="quick"),
    )


@experiment
@needs(training)
def interleaved(seed: int) -> dict[str, Any]:
    """The tutorial's first idea: ten noises and the weights move together."""
    return trained(
        "interleaved",
        seed,
        lambda: immunise_interleaved(
            convolutional_network(), MNIST.train.images, MNIST.train.labels, LIMIT, seed=seed
        ),
    )


@experiment
@needs(training)
def worst_noise(seed: int) -> dict[str, Any]:
    """Each image's own worst noise, every argument at its default."""
    return trained(
        "worst_noise",
        seed,
        lambda: train_on_worst_noise(convolutional_network(), MNIST.train.images, MNIST.train.labels, seed=seed),
    )


@experiment
@needs(training)
def worst_noise_small_steps(seed: int) -> dict[str, Any]:
    """Each image's own worst noise, in three small steps."""
    return trained(
        "worst_noise_small_steps",
        seed,
        lambda: train_on_worst_noise(
            convolutional_network(), MNIST.train.images, MNIST.train.labels, small_steps=3, seed=seed
        ),
    )


@experiment
@needs(with_contrast)
def contrast(seed: int) -> dict[str, Any]:
    """High contrast before the course's network, and no training at all."""
    return attacked(with_contrast(kept_network(course_network, MNIST, seed)), seed)


class OneStepFromZero(training.Training):
    """What not to do: one step for the noise, always from zero. As in notebook 06."""

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Add one step of noise to the batch, and train on the noisy images."""
        images, labels = data
        grown = tf.cast(self.optimizer.iterations, tf.float32) / 800
        noise = grown * self.noise_limit * tf.sign(gradients.image_gradient(self.network, images, labels))
        return super().train_step((tf.clip_by_value(images + noise, 0, 1), labels))


@experiment
@needs(training, OneStepFromZero)
def one_step(seed: int) -> dict[str, Any]:
    """Trained on one step of noise that starts from zero, and on two from a random start, as `worst_noise`."""
    curve = curve_of(OneStepFromZero(convolutional_network(), LIMIT), seed)
    return {
        "curve": curve,
        "two_steps": curve_of(immunity._OnWorstNoise(convolutional_network(), LIMIT, 2, 0.0, 800), seed),
    }


def curve_of(model: training.Training, seed: int, part: int = 40 * 64) -> list[dict[str, float]]:
    """Train while the limit grows: accuracy under one step of noise from zero, and under ten small ones."""
    keras.utils.set_random_seed(seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    images, labels = MNIST.train.images, MNIST.train.labels
    curve = []
    for first in range(0, 20 * part, part):
        model.fit(images[first : first + part], labels[first : first + part], batch_size=64, verbose=0)
        limit = LIMIT * (first + part) / (20 * part)
        own, ten = (accuracy_after(model.network, limit, steps) for steps in (1, 10))
        curve.append({"noise_limit": round(limit, 4), "one_step": own, "ten_small_steps": ten})
    return curve


def accuracy_after(network: keras.Model, limit: float, steps: int, count: int = 1_000) -> float:
    """Accuracy on test images, each under its own noise: so many steps up the gradient, from zero."""
    images, labels = MNIST.test.images[:count], MNIST.test.labels[:count]
    noise = np.zeros_like(images)
    for _ in range(steps):
        gradient = IMAGE_GRADIENT(network, tf.constant(add_noise(images, noise)), tf.constant(labels))
        noise += limit * min(1, 2.5 / steps) * np.sign(gradient)
        noise = np.clip(noise, -limit, limit)
    return round(float(np.mean(classes_seen(network, add_noise(images, noise)) == labels)), 4)


def certified(
    name: str, seed: int, limit: float, trained_at: float, network: keras.Model | None = None
) -> dict[str, Any]:
    """Train for a proof at `limit`, and measure between which two numbers the truth lies there."""

    def measure(network: keras.Model, seed: int) -> dict[str, Any]:
        images, labels = MNIST.test.images, MNIST.test.labels
        numbers = {
            "trained_at": trained_at,
            "certified_accuracy": certified_accuracy(network, images, labels, limit),
            # of those images that are attacked one by one, so that the two can be compared
            "certified_of_attacked": certified_accuracy(network, images[:1_000], labels[:1_000], limit),
        }
        return numbers | attacked(network, seed, limit=limit)

    images, labels = MNIST.train.images, MNIST.train.labels
    return trained(
        name,
        seed,
        lambda: train_certified(network or certifiable_network(), images, labels, trained_at, seed=seed),
        measure,
    )


@experiment
@needs(training, certificates, certifiable_network)
def certified_1(seed: int) -> dict[str, Any]:
    """For a proof at 0.1."""
    return certified("certified_1", seed, 0.1, 0.2)


@experiment
@needs(training, certificates, certifiable_network)
def certified_2(seed: int) -> dict[str, Any]:
    """For a proof at 0.2."""
    return certified("certified_2", seed, 0.2, 0.28)


@experiment
@needs(training, certificates, certifiable_network)
def certified_3(seed: int) -> dict[str, Any]:
    """For a proof at 0.3."""
    return certified("certified_3", seed, 0.3, 0.36)


@experiment
@needs(training, certificates, certifiable_network, with_contrast)
def certified_3_contrast(seed: int) -> dict[str, Any]:
    """For a proof at 0.3, behind high contrast."""
    return certified("certified_3_contrast", seed, 0.3, 0.37, with_contrast(certifiable_network()))


@experiment
@needs(training)
def small_budget(seed: int) -> dict[str, Any]:
    """The course's ways with the budget of exercise 5: the first rows of its scoreboard."""
    images, labels, steps = MNIST.train.images, MNIST.train.labels, scoreboard.BATCHES
    ways = {
        "without noise": lambda network: training.fit(training.Training(network, LIMIT), images, labels, steps, seed),
        "interleaved": lambda network: immunise_interleaved(network, images, labels, steps=steps, seed=seed),
        "worst noise, 1 step": lambda network: train_on_worst_noise(
            network, images, labels, small_steps=1, steps=steps, seed=seed
        ),
        "worst noise, 2 steps": lambda network: train_on_worst_noise(network, images, labels, steps=steps, seed=seed),
        "worst noise, 3 steps": lambda network: train_on_worst_noise(
            network, images, labels, small_steps=3, steps=steps, seed=seed
        ),
    }
    rows = {}
    for name, way in ways.items():
        keras.utils.set_random_seed(seed)
        numbers = trained(None, seed, partial(way, convolutional_network()), partial(attacked, strength="quick"))
        rows[name] = {column: numbers[column] for column in scoreboard.COLUMNS}
    return rows


def attacked_in_colour(network: keras.Model, seed: int) -> dict[str, Any]:
    """Attack a network for CIFAR-10 at 8 of 255, and search noise for all classes at three limits."""
    cifar, levels = load_cifar10(), (4, 8, 16)
    report = reattack(network, cifar, colour.LIMIT, seed=seed)
    print(report)
    success = {}
    for limit in levels:
        found = find_universal_noise(network, cifar.train.images, range(10), limit / 255, steps=60, seed=seed)
        reports = [
            evaluate_noise(network, cifar.test.images, cifar.test.labels, noise, target, limit / 255)
            for target, noise in enumerate(found)
        ]
        success[str(limit)] = [round(report.success_rate or 0.0, 4) for report in reports]
    numbers = {key: value for key, value in vars(report).items() if key != "all_noise"}
    return {**numbers, "believable": report.believable, "success": success}


@experiment
@needs(InTrainingOnly, cifar_network, trained_cifar_network, data=load_cifar10)
def cifar(seed: int) -> dict[str, Any]:
    """The network for CIFAR-10, as it is trained without any noise."""
    return trained("cifar", seed, lambda: trained_cifar_network(load_cifar10(), seed), attacked_in_colour)


@experiment
@needs(InTrainingOnly, cifar_network, trained_cifar_network, training, colour, data=load_cifar10)
def cifar_immune(seed: int) -> dict[str, Any]:
    """The same, trained further on each image's worst noise."""
    kept_network(trained_cifar_network, load_cifar10(), seed)  # so that its training is not counted twice
    return trained(
        "cifar_immune", seed, lambda: colour.immune_cifar_network(load_cifar10(), seed), attacked_in_colour
    )


SOME_CLASSES = ("brain coral", "pineapple", "honeycomb", "teapot", "goldfish", "school bus")


def search_on_photographs(
    samples: Dataset, network: keras.Model, target: int | None, limit: float, steps: int, count: int, seed: int
) -> dict[str, Any]:
    """Search on the first so many photographs, 20 a step; measure on these and on the others."""
    train, test = samples.train.images, samples.test.images
    seen = train[:count] if count < len(train) else train
    start = time.perf_counter()
    (noise,) = find_universal_noise(network, seen, target, limit, steps=steps, batch_size=20, seed=seed)
    seconds = time.perf_counter() - start
    report = evaluate_noise(network, test, None, noise, target, limit)
    return {
        "photographs": count,
        "seconds": round(seconds, 1),
        "seconds_per_image": round(seconds / steps / 20, 5),
        "fooling_rate": report.fooling_rate,
        "own_fooling_rate": evaluate_noise(network, seen, None, noise, None, limit).fooling_rate,
        "success_rate": report.success_rate,
    }


@experiment
@needs(imagenet, data=load_imagenet_samples)
def imagenet_noise(seed: int) -> dict[str, Any]:
    """Noise for MobileNetV2: away from the answer, towards single classes, and from fewer photographs.

    Of ten classes that were tried on the photographs to search on, a brain coral changed the most predictions there.
    """
    samples, network = load_imagenet_samples(), imagenet.imagenet_network()
    search = partial(search_on_photographs, samples, network, seed=seed)
    everything, classes = len(samples.train), imagenet_classes()
    coral = classes.index("brain coral")
    return {
        "away": search(None, 10 / 255, 150, everything),
        "aimed": search(coral, 10 / 255, 150, everything),
        "towards": search(coral, 16 / 255, 150, everything),
        "by_class": {name: search(classes.index(name), 16 / 255, 60, everything) for name in SOME_CLASSES},
        "by_number": [search(None, 10 / 255, 60, count) for count in (50, 100, 200, 400, everything)],
    }


def without_docstrings(source: str) -> str:
    """Return the source in a form that neither comments nor docstrings change."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def data_of(name: str) -> Dataset:
    """Return the data set that an experiment speaks of."""
    return getattr(EXPERIMENTS[name], "data", load_mnist)()


def made_by(name: str, seed: int) -> dict[str, Any]:
    """Return what a result depends on."""
    parts = (*LIBRARY, *getattr(EXPERIMENTS[name], "parts", ()))
    library = [without_docstrings(inspect.getsource(part)) for part in parts]
    return {
        "function": f"tools/make_results.py: {name}",
        "source": hashlib.sha256("".join([*library, inspect.getsource(EXPERIMENTS[name])]).encode()).hexdigest(),
        "seed": seed,
        "data": data_of(name).fingerprint,
    }


def main(names: list[str], seed: int = 0) -> None:
    """Run what is missing or out of date."""
    for name in names or EXPERIMENTS:
        if data_of(name).is_stand_in:
            sys.exit(f"{name} needs the real data: put them into the folder in COURSE_DATA_DIR first.")
        path = RESULTS / f"{name}.json"
        wanted = made_by(name, seed)
        if path.exists() and wanted.items() <= json.loads(path.read_text())["made_by"].items():
            print(f"{name}: up to date")
            continue
        print(f"{name} …", flush=True)
        keras.utils.set_random_seed(seed)  # so that it matters not what was run before
        start = time.perf_counter()
        values = [EXPERIMENTS[name](seed)]
        seconds = time.perf_counter() - start
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            **{package: version(package) for package in ("tensorflow", "keras", "numpy")},
        }
        kept = {"values": values, "made_by": {**wanted, **machine, "seconds": round(seconds)}}
        path.write_text(json.dumps(kept, indent=2) + "\n")
        print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    course_utils.start_notebook()
    main(sys.argv[1:])
