"""A scoreboard of ways to become immune: one budget for all, each attacked afresh, kept in a file."""

import functools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from course_utils.attacks import AttackReport, reattack
from course_utils.data import load_mnist
from course_utils.feedback import answered
from course_utils.networks import convolutional_network, course_network
from course_utils.results import cache_folder, chosen_seed, kept_network
from course_utils.stored import replacing, stored_result

import keras
import numpy as np

BATCHES, BATCH = 600, 64  # what every training may use
COLUMNS = ("clean_accuracy", "worst_accuracy", "single_image_accuracy", "training_seconds")
Batches = Iterator[tuple[np.ndarray, np.ndarray]]
Train = Callable[[keras.Model, Batches], keras.Model]


def budget(seed: int) -> Batches:
    """Yield the batches that a training may use: each once, and then no more."""
    train = load_mnist().train
    for chosen in np.random.default_rng(seed).integers(len(train), size=(BATCHES, BATCH)):
        yield train.images[chosen], train.labels[chosen]


@functools.lru_cache(maxsize=8)
def trained_within_budget(train: Train) -> tuple[keras.Model, float]:
    """Train a new network within the budget; return it with the seconds. The same function is not called twice."""
    if not callable(train):
        raise TypeError(f"your answer must be a function train(network, batches), got {type(train).__name__}")
    seed, mnist = chosen_seed(), load_mnist()
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    untrained = convolutional_network(mnist.test.images.shape[1:], len(mnist.class_names))
    batches = budget(seed)
    network = train(untrained, batches)
    if network is None and sum(1 for _ in batches) < BATCHES:
        raise TypeError("your function has trained, but it returns nothing: does it end with `return network`?")
    network = answered(network)
    if not isinstance(network, keras.Model):
        raise TypeError(f"your function must return the trained network, a Keras model, got {type(network).__name__}")
    return network, time.perf_counter() - start


@functools.lru_cache(maxsize=8)
def attacked(train: Train) -> AttackReport:
    """Attack what a way to train makes within the budget, with noise that is searched afresh."""
    seed, mnist = chosen_seed(), load_mnist()
    network, _ = trained_within_budget(train)
    return reattack(network, mnist, other_network=kept_network(course_network, mnist, seed), seed=seed)


def forget() -> None:
    """Train and attack anew next time: a function may call another one that was changed meanwhile."""
    trained_within_budget.cache_clear()
    attacked.cache_clear()


class Scoreboard:
    """The reader's ways to become immune, beside those of the course.

    They are kept in a file in the cache folder, which is written anew as a whole after each entry, so that nothing
    is lost when a kernel dies. A file that cannot be read is put aside, and never deleted.

    Explained in exercise 05.
    """

    def __init__(self) -> None:
        self.path = cache_folder() / f"scoreboard-{load_mnist().fingerprint[:8]}.json"
        self.rows: dict[str, dict[str, float]] = self._read() if self.path.exists() else {}

    def _read(self) -> dict[str, dict[str, float]]:
        try:
            rows = json.loads(self.path.read_text())
            return {str(name): {column: float(row[column]) for column in COLUMNS} for name, row in rows.items()}
        except (ValueError, TypeError, AttributeError, KeyError):
            aside = self.path.with_suffix(f".damaged-{time.time_ns()}")
            self.path.rename(aside)
            print(f"{self.path.name} cannot be read. It is put aside as {aside.name}, and a new scoreboard begins.")
            return {}

    def enter(self, name: str, train: Train) -> "Scoreboard":
        """Train within the budget, attack, and write the row down; an earlier one of that name is replaced.

        Args:
            name: what to call this way, in a few words.
            train: a function of an untrained network and an iterator of batches, (images, labels), that returns the
                trained network.

        Returns:
            The scoreboard itself, so that a notebook shows it.

        Raises:
            TypeError, ValueError: no name, or a function that returns something else than a network that takes
                images and returns logits.
        """
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name must be a text, such as 'my first idea', got {name!r}")
        report = attacked(train)
        accuracies = {column: getattr(report, column) for column in COLUMNS[:3]}
        self.rows[name] = {**accuracies, "training_seconds": round(trained_within_budget(train)[1], 1)}
        with replacing(self.path) as new:
            new.write_text(json.dumps(self.rows, indent=2))
        return self

    def __repr__(self) -> str:
        """Return the table, the best under universal noise first."""
        course = {f"{name} (the course)": row for name, row in stored_result("small_budget").items()}
        rows: dict[str, Any] = dict(sorted((course | self.rows).items(), key=lambda row: -row[1]["worst_accuracy"]))
        lines = [f"{'':34}  clean  universal  single images  seconds"]
        for name, row in rows.items():
            clean, worst, single, seconds = (row[column] for column in COLUMNS)
            lines.append(f"{name[:34]:34} {clean:6.1%} {worst:10.1%} {single:14.1%} {seconds:8.0f}")
        return "\n".join([*lines, f"Kept in the cache folder, in {self.path.name}."])
