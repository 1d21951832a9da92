"""How fast is the search for universal noise, beside tutorial #12's recipe and beside another library?

    make bench        (about two minutes on 2 quick cores; nothing else should run)

All contestants run in this one process, one after the other, round by round, on the same network; the medians of the
rounds go to results/benchmark.json. Success is measured on the whole test set. Compare ratios, not seconds: those
belong to the machine that is named in the file.
"""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent.parent / "tools"))
    import stopping  # noqa: F401
    from measurements import keep_result, machine, measured_run

import argparse
import functools
import json
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from statistics import median

import course_utils
from course_utils import evaluate_noise, find_universal_noise
from course_utils.models import copy_network

import keras
import numpy as np
import tensorflow as tf
from art.attacks.evasion import TargetedUniversalPerturbation
from art.estimators.classification import TensorFlowV2Classifier
from tqdm import tqdm

WHAT = "The search beside the old recipe and another library: medians of five rounds with five seeds."
LIMIT = 0.35
TARGETS = range(10)
ROUNDS = 5
STEPS, BATCH_SIZE = 20, 16  # the defaults of find_universal_noise
FEW = 8  # images a step, for half of the gradients
RECIPE_STEPS, RECIPE_BATCH_SIZE = 300, 64
ART_IMAGES, ART_PASSES = 500, 3
ART_STEP = 0.1  # of 0.05, 0.1, 0.3 and 0.35 the fastest, and good for 92 % where the largest give 66 and 80


class Recipe:
    """Tutorial #12's search: for one target after another 300 steps of 64 images, Adam 0.01, L2 weight 0.02.

    A fair opponent: each step is one call of a compiled function, and Python only draws its batch.
    """

    def __init__(self, network: keras.Model, images: np.ndarray) -> None:
        self.images, self.generator = images, np.random.default_rng(0)
        self.noise = tf.Variable(tf.zeros(images.shape[1:]))
        self.optimizer = keras.optimizers.Adam(0.01)
        self.optimizer.build([self.noise])

        @tf.function
        def step(batch: tf.Tensor, target: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                logits = network(tf.clip_by_value(batch + self.noise, 0, 1), training=False)
                labels = tf.repeat(target, RECIPE_BATCH_SIZE)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
                loss += 0.02 * tf.nn.l2_loss(self.noise)
            self.optimizer.apply([tape.gradient(loss, self.noise)], [self.noise])
            self.noise.assign(tf.clip_by_value(self.noise, -LIMIT, LIMIT))

        self.step = step

    def __call__(self) -> np.ndarray:
        """Search for all targets, one after the other."""
        return np.stack([self.search(target) for target in TARGETS])

    def search(self, target: int, steps: int = RECIPE_STEPS) -> np.ndarray:
        """Find the noise for one target; noise and optimiser start from zero."""
        for variable in (self.noise, *self.optimizer.variables[2:], self.optimizer.iterations):
            variable.assign(tf.zeros_like(variable))
        wanted = tf.constant(target)
        for _ in range(steps):
            self.step(self.images[self.generator.integers(len(self.images), size=RECIPE_BATCH_SIZE)], wanted)
        return self.noise.numpy()


def search_with_art(network: keras.Model, images: np.ndarray, target: int) -> np.ndarray:
    """Find noise for one target with the adversarial-robustness-toolbox."""
    classifier = TensorFlowV2Classifier(
        network, nb_classes=10, input_shape=images.shape[1:], clip_values=(0, 1),
        loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )  # fmt: skip
    settings = {"targeted": True, "eps": ART_STEP}
    attack = TargetedUniversalPerturbation(
        classifier, attacker="fgsm", attacker_params=settings, delta=0.01, max_iter=ART_PASSES, eps=LIMIT, norm=np.inf
    )
    wanted = keras.utils.to_categorical(np.full(ART_IMAGES, target), 10)
    attack.generate(images[:ART_IMAGES], y=wanted)
    return attack.noise.reshape(1, *images.shape[1:]).astype(np.float32)


def seconds(call: Callable[[], object]) -> tuple[float, object]:
    """Call, and return the seconds that it took and what came back."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def matrix_product_speed() -> float:
    """Measure how many multiplications and additions a second this machine makes in a float32 matrix product."""
    size, times = 2048, 10
    matrix = tf.random.normal((size, size))
    product = tf.function(lambda: tf.matmul(matrix, matrix))
    product()
    return times * 2 * size**3 / seconds(lambda: [product() for _ in range(times)][-1].numpy())[0]


def operations(network: keras.Model) -> int:
    """Count the multiplications and additions of one gradient: as many for the way forth as for the way back."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            total += layer.kernel.shape.num_elements() * layer.output.shape[1] * layer.output.shape[2]
        elif isinstance(layer, keras.layers.Dense):
            total += layer.kernel.shape.num_elements()
    return 2 * 2 * total


def growth(network: keras.Model, images: np.ndarray) -> dict[str, dict[str, float]]:
    """Time the search for several numbers of targets, and for several numbers of images."""

    def median_seconds(targets: int, count: int) -> float:
        few = images[:count]
        found = (find_universal_noise(network, few, range(targets), LIMIT, seed=0) for _ in range(ROUNDS))
        return round(median(seconds(lambda: next(found))[0] for _ in range(ROUNDS)), 4)

    return {
        "seconds by targets": {str(targets): median_seconds(targets, len(images)) for targets in (1, 2, 5, 10)},
        "seconds by images": {str(count): median_seconds(10, count) for count in (1_000, 5_000, 10_000, 50_000)},
    }


def main() -> None:
    """Run all contestants, round by round, and write down the medians."""
    mnist = course_utils.load_mnist()
    network = course_utils.cached_network(course_utils.train_course_network, mnist, seed=0)
    images = mnist.train.images[:50_000]
    recipe = Recipe(network, images)
    contestants: dict[str, Callable[[int], object]] = {
        "recipe": lambda _: recipe(),
        "fast": lambda seed: find_universal_noise(network, images, TARGETS, LIMIT, seed=seed),
        "half": lambda seed: find_universal_noise(network, images, TARGETS, LIMIT, batch_size=FEW, seed=seed),
        "fast, one target": lambda seed: find_universal_noise(network, images, [3], LIMIT, seed=seed),
        "fast, first call": lambda seed: find_universal_noise(
            copy_network(network), images, TARGETS, LIMIT, seed=seed
        ),
        "ART, one target": lambda _: search_with_art(network, images, 3),
        "matrix product": lambda _: matrix_product_speed(),
    }
    recipe.search(0, steps=1)  # compiled before the clock starts
    contestants["fast"](0)
    rounds = []
    for seed in tqdm(range(ROUNDS)):
        rounds.append({name: seconds(functools.partial(call, seed)) for name, call in contestants.items()})

    def success(name: str, targets: Iterable[int]) -> float:
        reports = [
            evaluate_noise(network, mnist.test.images, mnist.test.labels, noise, target, LIMIT)
            for found in rounds
            for target, noise in zip(targets, found[name][1], strict=True)
        ]
        return round(float(np.mean([report.success_rate for report in reports])), 4)

    took = {name: round(median(found[name][0] for found in rounds), 4) for name in contestants}
    speed = median(found["matrix product"][1] for found in rounds)
    work = operations(network) * STEPS * BATCH_SIZE * len(TARGETS)
    measured_on = {
        **machine(),
        "processor": platform.machine(),
        "GFLOP a second in a float32 matrix product": round(speed / 1e9),
        "adversarial-robustness-toolbox": version("adversarial-robustness-toolbox"),
    }
    result = {
        "machine": measured_on,
        "rounds": ROUNDS,
        "images a step, half": FEW,
        "seconds": {name: value for name, value in took.items() if name != "matrix product"},
        "seconds of all rounds": {
            name: [round(found[name][0], 4) for found in rounds] for name in took if name != "matrix product"
        },
        "gradient evaluations": {
            "recipe": RECIPE_STEPS * RECIPE_BATCH_SIZE * len(TARGETS),
            "fast": STEPS * BATCH_SIZE * len(TARGETS),
            "half": STEPS * FEW * len(TARGETS),
        },
        "success": {
            "recipe": success("recipe", TARGETS),
            "fast": success("fast", TARGETS),
            "half": success("half", TARGETS),
            "fast, one target": success("fast, one target", [3]),
            "ART, one target": success("ART, one target", [3]),
        },
        "times faster than the recipe": round(took["recipe"] / took["fast"], 1),
        "times faster than the recipe, half of the gradients": round(took["recipe"] / took["half"], 1),
        "times faster than ART": round(took["ART, one target"] / took["fast, one target"], 1),
        "share of the matrix product's speed": round(work / took["fast"] / speed, 3),
        "growth": growth(network, images),
    }
    keep_result("benchmark", WHAT, "benchmarks/search_speed.py", [measured_run(result)])
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    argparse.ArgumentParser(description="Time the search beside an old recipe and another library.").parse_args()
    main()
