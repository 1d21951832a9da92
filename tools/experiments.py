"""The long experiments, one function for each results/NAME.json that `make results` writes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from course_utils import (
    AttackReport,
    Dataset,
    add_noise,
    adversarial_training,
    cached_network,
    certifiable_network,
    certified_accuracy,
    certified_training,
    convolutional_network,
    evaluate_noise,
    find_universal_noise,
    image_gradient,
    imagenet_network,
    immunise_in_turn,
    immunise_interleaved,
    load_cifar10,
    load_imagenet_samples,
    load_mnist,
    prepend_contrast,
    reattack,
    train_cifar_network,
    train_course_network,
    two_tier_network,
)
from course_utils.evaluation import classes_seen
from course_utils.exercises import scoreboard
from course_utils.immunity import AdversarialTraining, Training, fit
from course_utils.models import copy_network
from course_utils.photos import CIFAR_LIMIT, imagenet_classes, train_immune_cifar_network

import keras
import numpy as np
import psutil
import tensorflow as tf
from measurements import keep_pretrained_network

Run = Callable[[int], dict[str, Any]]
MNIST = load_mnist()
LIMIT = 0.35
IMAGE_GRADIENT = tf.function(image_gradient)
keeps_networks = True  # not where numbers are only checked


@dataclass(frozen=True)
class Experiment:
    """What `make results` runs once for each seed.

    Attributes:
        run: takes a seed and returns the numbers.
        what: in words.
        seeds: how many, from 0.
        data: what it speaks of.
    """

    run: Run
    what: str
    seeds: int
    data: Callable[[], Dataset]


EXPERIMENTS: dict[str, Experiment] = {}


def experiment(seeds: int = 5, data: Callable[[], Dataset] = load_mnist) -> Callable[[Run], Run]:
    """Enter a function under its own name."""

    def enter(run: Run) -> Run:
        EXPERIMENTS[run.__name__] = Experiment(run, (run.__doc__ or "").splitlines()[0], seeds, data)
        return run

    return enter


def attack(network: keras.Model, seed: int, limit: float = LIMIT, full_on: Sequence[int] = (0,)) -> dict[str, Any]:
    """Attack, helped by noise from another plain network: quickly with every seed, and with some in full."""
    other = cached_network(train_course_network, MNIST, seed + 1)
    numbers: dict[str, Any] = {"clean_accuracy": accuracies(network, np.zeros((1, 28, 28, 1), np.float32))[0]}
    for strength in ("quick", "full") if seed in full_on else ("quick",):
        report = reattack(network, MNIST, limit, strength=strength, other_network=other, seed=seed)
        print(report)
        numbers[strength] = numbers_of(report)
    return numbers


def numbers_of(report: AttackReport) -> dict[str, Any]:
    """Return the numbers of a report, and whether they can be believed."""
    numbers = {name: value for name, value in vars(report).items() if name != "all_noise"}
    return {**numbers, "trustworthy": report.trustworthy}


def train_and_measure(
    name: str | None, seed: int, train: Callable[[], keras.Model], measure: Callable[..., dict[str, Any]] = attack
) -> dict[str, Any]:
    """Train, measure, and return the numbers with the seconds of the training.

    The network of seed 0 is kept under the name, unless that is None.
    """
    start = time.perf_counter()
    network = train()
    seconds = time.perf_counter() - start
    if name and seed == 0 and keeps_networks:
        keep_pretrained_network(network, name)
    return {"training_seconds": round(seconds, 1), **measure(network, seed)}


def accuracies(network: keras.Model, all_noise: np.ndarray) -> list[float]:
    """Accuracy on the test images under each noise."""
    test = MNIST.test
    reports = [evaluate_noise(network, test.images, test.labels, noise, None, LIMIT) for noise in all_noise]
    return [round(report.accuracy, 4) for report in reports]


def train_in_turn(name: str, seed: int, rounds: int) -> dict[str, Any]:
    """Immunise against all classes in turn, and write down every round."""
    table: list[dict[str, Any]] = []
    seconds_of_watching = 0.0

    def watch(network: keras.Model, noise: np.ndarray, target: int, when: str) -> None:
        nonlocal seconds_of_watching
        start = time.perf_counter()
        (noisy,), (clean,) = accuracies(network, noise[None]), accuracies(network, np.zeros_like(noise)[None])
        table.append({"target_class": target, "when": when, "noisy": noisy, "clean": clean})
        if rounds == 1 and when == "after":  # what is left of the immunity to all the others?
            fresh = find_universal_noise(
                network, MNIST.train.images, range(10), LIMIT, steps=60, batch_size=32, seed=seed
            )
            table[-1]["fresh"] = accuracies(network, fresh)
        seconds_of_watching += time.perf_counter() - start

    plain = cached_network(train_course_network, MNIST, seed)
    numbers = train_and_measure(
        name,
        seed,
        lambda: immunise_in_turn(
            plain, MNIST.train.images, MNIST.train.labels, noise_limit=LIMIT, rounds=rounds, seed=seed, watch=watch
        ),
    )
    numbers["training_seconds"] = round(numbers["training_seconds"] - seconds_of_watching, 1)
    return {**numbers, "rounds": table}


@experiment()
def plain(seed: int) -> dict[str, Any]:
    """The course's network, without any immunity; and the success of noise for each class."""
    network, test = cached_network(train_course_network, MNIST, seed), MNIST.test
    found = find_universal_noise(network, MNIST.train.images, range(10), LIMIT, seed=seed)
    reports = [
        evaluate_noise(network, test.images, test.labels, noise, target, LIMIT) for target, noise in enumerate(found)
    ]
    return {"success": [round(report.success_rate or 0.0, 4) for report in reports], **attack(network, seed)}


@experiment()
def without_noise(seed: int) -> dict[str, Any]:
    """Trained as long as `worst_noise`, but on clean images only: what clean accuracy is there to lose?"""
    on_clean_images = Training(convolutional_network(), LIMIT)
    images, labels = MNIST.train.images, MNIST.train.labels
    return train_and_measure(None, seed, lambda: fit(on_clean_images, images, labels, 4_600, seed, 4e-3))


@experiment()
def in_turn_once(seed: int) -> dict[str, Any]:
    """Tutorial #12: all ten classes, one round each; fresh noise for all of them after every round."""
    return train_in_turn("in_turn_once", seed, rounds=1)


@experiment()
def in_turn_twice(seed: int) -> dict[str, Any]:
    """Tutorial #12: all ten classes, two rounds running for each."""
    return train_in_turn("in_turn_twice", seed, rounds=2)


@experiment(seeds=1)
def one_target_each(seed: int) -> dict[str, Any]:
    """Ten networks, each immunised twice against one class, and attacked afresh with noise for every class.

    A wide sweep, with one seed.
    """
    plain = cached_network(train_course_network, MNIST, seed)
    table = []
    for target in range(10):
        network = immunise_in_turn(
            plain, MNIST.train.images, MNIST.train.labels, [target], LIMIT, rounds=2, seed=seed
        )
        fresh = find_universal_noise(
            network, MNIST.train.images, range(10), LIMIT, steps=60, batch_size=32, seed=seed
        )
        table.append(accuracies(network, fresh))
    return {"accuracy": table}


def train_on_half(plain: keras.Model, target: int, seed: int, rounds: int = 4) -> keras.Model:
    """Train on images of which every other one carries fresh noise for the target, as notebook 06 does."""
    network = copy_network(plain)
    network.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for part in range(rounds):
        (noise,) = find_universal_noise(network, MNIST.train.images, target, LIMIT, seed=seed + part)
        chosen = np.random.default_rng(seed + part).integers(len(MNIST.train), size=60 * 64)
        images = MNIST.train.images[chosen]
        images[::2] = add_noise(images[::2], noise)
        network.fit(images, MNIST.train.labels[chosen], batch_size=64, verbose=0)
    return network


@experiment()  # a quarter of an hour each
def two_tiers(seed: int) -> dict[str, Any]:
    """The tutorial's second idea: eleven networks. Attacked quickly only, since each step runs all of them."""
    plain = cached_network(train_course_network, MNIST, seed)
    return train_and_measure(
        None,
        seed,
        lambda: two_tier_network(plain, [train_on_half(plain, target, seed) for target in range(10)]),
        partial(attack, full_on=()),
    )


@experiment()
def interleaved(seed: int) -> dict[str, Any]:
    """The tutorial's first idea: ten noises and the weights move together."""
    return train_and_measure(
        "interleaved",
        seed,
        lambda: immunise_interleaved(
            convolutional_network(), MNIST.train.images, MNIST.train.labels, LIMIT, seed=seed
        ),
    )


@experiment()
def worst_noise(seed: int) -> dict[str, Any]:
    """Each image's own worst noise, every argument at its default."""
    return train_and_measure(
        "worst_noise",
        seed,
        lambda: adversarial_training(convolutional_network(), MNIST.train.images, MNIST.train.labels, seed=seed),
        partial(attack, full_on=range(5)),
    )


@experiment(seeds=3)
def worst_noise_small_steps(seed: int) -> dict[str, Any]:
    """Each image's own worst noise, in five small steps, and three times as many of them."""

    def measure(network: keras.Model, seed: int) -> dict[str, Any]:
        return attack(network, seed) | {"at_0.3": attack(network, seed, limit=0.3, full_on=range(3))}

    return train_and_measure(
        "worst_noise_small_steps",
        seed,
        lambda: adversarial_training(
            convolutional_network(),
            MNIST.train.images,
            MNIST.train.labels,
            attack_steps=5,
            steps=14_000,
            seed=seed,
        ),
        measure,
    )


@experiment()
def contrast(seed: int) -> dict[str, Any]:
    """High contrast before the course's network, and no training at all."""
    return attack(prepend_contrast(cached_network(train_course_network, MNIST, seed)), seed)


class StepsFromZero(Training):
    """What not to do: the steps for the noise begin at zero, always. As in notebook 07."""

    def __init__(self, network: keras.Model, noise_limit: float, attack_steps: int, warmup_steps: int) -> None:
        super().__init__(network, noise_limit)
        self.attack_steps, self.warmup_steps = attack_steps, warmup_steps

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Add noise from a few steps to the batch, and train on the noisy images."""
        images, labels = data
        limit = self.noise_limit * tf.minimum(1.0, tf.cast(self.optimizer.iterations, tf.float32) / self.warmup_steps)
        noise = tf.zeros_like(images)
        for _ in range(self.attack_steps):
            gradient = image_gradient(self.network, tf.clip_by_value(images + noise, 0, 1), labels)
            noise = tf.clip_by_value(noise + limit * tf.sign(gradient), -limit, limit)
        return super().train_step((tf.clip_by_value(images + noise, 0, 1), labels))


def curve_of(model: Training, seed: int, steps: int = 2_400, part: int = 160) -> list[dict[str, float]]:
    """Train, and note every now and then the accuracy under one step of noise from zero, and under ten small ones."""
    keras.utils.set_random_seed(seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    chosen = np.random.default_rng(seed).integers(len(MNIST.train), size=(steps // part, part * 64))
    curve = []
    for number, images in enumerate(chosen, start=1):
        model.fit(MNIST.train.images[images], MNIST.train.labels[images], batch_size=64, verbose=0)
        limit = LIMIT * min(1, number * part / 800)
        own, ten = (accuracy_after(model.network, limit, count) for count in (1, 10))
        curve.append({"step": number * part, "one_step": own, "ten_small_steps": ten})
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


@experiment()
def one_step(seed: int) -> dict[str, Any]:
    """Adversarial training with one step and with two, from zero and from a random start.

    The limit grows for 800 steps and is held for 1,600 more.
    """

    def train(start: str, steps: int) -> list[dict[str, float]]:
        network = convolutional_network()
        if start == "zero":
            return curve_of(StepsFromZero(network, LIMIT, steps, 800), seed)
        return curve_of(AdversarialTraining(network, LIMIT, steps, 0.0, 800), seed)

    return {f"{start} {steps}": train(start, steps) for start in ("zero", "random") for steps in (1, 2)}


def train_certified_network(
    name: str, seed: int, limit: float, trained_at: float,
    network: keras.Model | None = None, full_on: Sequence[int] = (0,),
) -> dict[str, Any]:  # fmt: skip
    """Train for a proof at `limit`, and measure between which two numbers the truth lies there."""
    network = network or certifiable_network()

    def measure(network: keras.Model, seed: int) -> dict[str, Any]:
        images, labels = MNIST.test.images, MNIST.test.labels
        numbers = {
            "trained_at": trained_at,
            "certified_accuracy": certified_accuracy(network, images, labels, limit),
            # of those images that are attacked one by one, so that the two can be compared
            "certified_of_attacked": certified_accuracy(network, images[:1_000], labels[:1_000], limit),
        }
        return numbers | attack(network, seed, limit, full_on)

    images, labels = MNIST.train.images, MNIST.train.labels
    return train_and_measure(
        name,
        seed,
        lambda: certified_training(network, images, labels, trained_at, steps=6_000, seed=seed),
        measure,
    )


@experiment(seeds=3)
def certified_1(seed: int) -> dict[str, Any]:
    """For a proof at 0.1."""
    return train_certified_network("certified_1", seed, 0.1, 0.18)


@experiment(seeds=3)
def certified_2(seed: int) -> dict[str, Any]:
    """For a proof at 0.2."""
    return train_certified_network("certified_2", seed, 0.2, 0.26)


@experiment(seeds=3)
def certified_3(seed: int) -> dict[str, Any]:
    """For a proof at 0.3."""
    return train_certified_network("certified_3", seed, 0.3, 0.36)


@experiment(seeds=3)
def certified_3_contrast(seed: int) -> dict[str, Any]:
    """For a proof at 0.3, behind high contrast. Attacked in full with each seed, since the attack doubts itself."""
    network = prepend_contrast(certifiable_network(), 0.43)
    return train_certified_network("certified_3_contrast", seed, 0.3, 0.38, network, full_on=range(3))


@experiment()
def small_budget(seed: int) -> dict[str, Any]:
    """The course's ways with the budget of exercise 5: the first rows of its scoreboard."""
    images, labels, steps = MNIST.train.images, MNIST.train.labels, scoreboard.BATCHES
    ways = {
        "without noise": lambda network: fit(Training(network, LIMIT), images, labels, steps, seed),
        "interleaved": lambda network: immunise_interleaved(network, images, labels, steps=steps, seed=seed),
        "worst noise, 1 step": lambda network: adversarial_training(
            network, images, labels, attack_steps=1, steps=steps, seed=seed
        ),
        "worst noise, 2 steps": lambda network: adversarial_training(
            network, images, labels, attack_steps=2, steps=steps, seed=seed
        ),
        "worst noise, 3 steps": lambda network: adversarial_training(network, images, labels, steps=steps, seed=seed),
    }
    rows = {}
    for name, way in ways.items():
        keras.utils.set_random_seed(seed)
        numbers = train_and_measure(None, seed, partial(way, convolutional_network()), partial(attack, full_on=()))
        rows[name] = {column: (numbers | numbers["quick"])[column] for column in scoreboard.COLUMNS}
    return rows


def attack_in_colour(network: keras.Model, seed: int) -> dict[str, Any]:
    """Attack a network for CIFAR-10 at 8 of 255, and search for noise for all classes at three limits."""
    cifar, levels = load_cifar10(), (4, 8, 16)
    report = reattack(network, cifar, CIFAR_LIMIT, seed=seed)
    print(report)
    success = {}
    for limit in levels:
        found = find_universal_noise(network, cifar.train.images, range(10), limit / 255, steps=60, seed=seed)
        reports = [
            evaluate_noise(network, cifar.test.images, cifar.test.labels, noise, target, limit / 255)
            for target, noise in enumerate(found)
        ]
        success[str(limit)] = [round(report.success_rate or 0.0, 4) for report in reports]
    return {"quick": numbers_of(report), "success": success}


@experiment(seeds=3, data=load_cifar10)
def cifar(seed: int) -> dict[str, Any]:
    """The network for CIFAR-10, as it is trained without any noise."""
    network = cached_network(train_cifar_network, load_cifar10(), seed)  # `cifar_immune` begins with it
    if seed == 0 and keeps_networks:
        keep_pretrained_network(network, "cifar")
    return attack_in_colour(network, seed)


@experiment(seeds=3, data=load_cifar10)
def cifar_immune(seed: int) -> dict[str, Any]:
    """The same, trained further on each image's worst noise."""
    cached_network(train_cifar_network, load_cifar10(), seed)  # so that its training is not counted twice
    return train_and_measure(
        "cifar_immune", seed, lambda: train_immune_cifar_network(load_cifar10(), seed), attack_in_colour
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


def searches_on_photographs(seed: int) -> tuple[Callable[..., dict[str, Any]], int]:
    """Return the search on photographs with MobileNetV2, and how many photographs there are to search on."""
    samples = load_imagenet_samples()
    return partial(search_on_photographs, samples, imagenet_network(), seed=seed), len(samples.train)


@experiment(seeds=3, data=load_imagenet_samples)
def imagenet_noise(seed: int) -> dict[str, Any]:
    """Noise for MobileNetV2: away from the answer, and towards a brain coral.

    Of ten classes that were tried on the photographs to search on, it changed the most predictions there.
    """
    search, everything = searches_on_photographs(seed)
    coral = imagenet_classes().index("brain coral")
    return {
        "away": search(None, 10 / 255, 400, everything),
        "aimed": search(coral, 10 / 255, 400, everything),
        "towards": search(coral, 16 / 255, 400, everything),
    }


@experiment(seeds=1, data=load_imagenet_samples)
def imagenet_sweep(seed: int) -> dict[str, Any]:
    """Noise for MobileNetV2 towards single classes, and from fewer photographs: a wide sweep, with one seed."""
    search, everything = searches_on_photographs(seed)
    classes = imagenet_classes()
    return {
        "by_class": {name: search(classes.index(name), 16 / 255, 60, everything) for name in SOME_CLASSES},
        "by_number": [search(None, 10 / 255, 60, count) for count in (50, 100, 200, 400, everything)],
    }


def drawn_classes(network: keras.Model, count: int, seed: int) -> np.ndarray:
    """Draw so many different classes of a network."""
    return np.random.default_rng(seed).permutation(network.output_shape[-1])[:count]


def success_of_each(
    network: keras.Model, images: np.ndarray, noise: np.ndarray, targets: np.ndarray, limit: float
) -> list[float]:
    """Measure the success rate of each noise towards its class."""
    reports = [
        evaluate_noise(network, images, None, each, int(target), limit)
        for target, each in zip(targets, noise, strict=True)
    ]
    return [round(report.success_rate or 0.0, 4) for report in reports]


def cluster_search(client: Any, network: keras.Model, images: np.ndarray, targets: Sequence[int], **settings: Any):  # type: ignore[no-untyped-def]
    """Search on a cluster; return the noise, the seconds until each noise had come, and the bytes sent meanwhile."""
    from course_utils.cluster import find_universal_noise_on

    start, sent, come = time.perf_counter(), psutil.net_io_counters(pernic=True)["lo"].bytes_sent, []
    noise = find_universal_noise_on(
        client, network, images, targets, after_chunk=lambda *_: come.append(time.perf_counter() - start), **settings
    )
    return noise, come, psutil.net_io_counters(pernic=True)["lo"].bytes_sent - sent


@experiment(seeds=1, data=load_imagenet_samples)
def imagenet_cluster(
    seed: int, counts: Sequence[int] = (2, 4, 8, 16, 24), steps: int = 60, photographs: int = 800
) -> dict[str, Any]:
    """Noise for MobileNetV2 towards many classes on one worker and on two, of one thread each: a sweep, one seed."""
    from course_utils.cluster import local_client

    samples, network = load_imagenet_samples(), imagenet_network()
    images, limit = samples.train.images[:photographs], 16 / 255
    targets = drawn_classes(network, max(counts), seed)
    settings = {"noise_limit": limit, "steps": steps, "batch_size": 20, "seed": seed}
    numbers: dict[str, Any] = {"targets": targets.tolist(), "photographs": len(images)}
    for workers in (1, 2):
        with local_client(workers) as client:
            # Each worker fetches the network and compiles the search, which is timed by itself.
            few = {**settings, "steps": 1}
            _, start, _ = cluster_search(client, network, images, targets[: 2 * workers], **few)
            rows = {}
            for count in counts if workers == 2 else counts[-1:]:
                noise, come, sent = cluster_search(client, network, images, targets[:count], **settings)
                rows[str(count)] = {"seconds": round(come[-1], 1), "megabytes_sent": round(sent / 1e6, 1)}
            rows[str(count)]["seconds_until_each"] = [round(seconds, 1) for seconds in come]
        numbers[f"workers_{workers}"] = {"seconds_to_start": round(start[-1], 1), "by_targets": rows}
    last = str(counts[-1])
    one, two = (numbers[f"workers_{workers}"]["by_targets"][last]["seconds"] for workers in (1, 2))
    return numbers | {
        "seconds_a_target": round(two / counts[-1], 2),
        "efficiency": round(one / 2 / two, 3),
        "success": success_of_each(network, samples.test.images, noise, targets, limit),
    }


def search_for_longer(seed: int, steps: int, first_step: float, temperature: float = 1) -> dict[str, Any]:
    """Search for noise for MobileNetV2 towards the classes of `imagenet_cluster`, with 10 photographs a step.

    The logits are divided by the temperature before the softmax. With a high one a photograph that is read as the
    target already goes on pulling, and what works for all counts for more than the few that resist.
    """
    from course_utils.cluster import find_universal_noise_on, local_client

    samples, network = load_imagenet_samples(), imagenet_network()
    soft = keras.Sequential([network, keras.layers.Rescaling(1 / temperature)])
    targets, limit = drawn_classes(network, 24, seed), 16 / 255
    settings = {"steps": steps, "batch_size": 10, "first_step": first_step}
    with local_client(2) as client:
        noise = find_universal_noise_on(client, soft, samples.train.images, targets, limit, seed=seed, **settings)
    success = success_of_each(network, samples.test.images, noise, targets, limit)
    return {"targets": targets.tolist(), "temperature": temperature, **settings, "success": success}


@experiment(seeds=1, data=load_imagenet_samples)
def imagenet_targets(seed: int) -> dict[str, Any]:
    """Noise for MobileNetV2 towards the classes of `imagenet_cluster`, searched for longer: a sweep, one seed."""
    return search_for_longer(seed, steps=1_000, first_step=0.1)


@experiment(seeds=1, data=load_imagenet_samples)
def imagenet_softened(seed: int) -> dict[str, Any]:
    """The same in fewer steps, with logits divided by 5: a sweep, one seed."""
    return search_for_longer(seed, steps=300, first_step=0.25, temperature=5)
