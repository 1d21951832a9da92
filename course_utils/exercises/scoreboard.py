"""A scoreboard of ways to become immune: one budget for all, each attacked afresh, kept in a file."""

import functools
import json
import os
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from course_utils._checks import check_network, in_short
from course_utils.attacks import AttackReport, reattack
from course_utils.data import load_mnist
from course_utils.exercises.core import in_words
from course_utils.models import convolutional_network, train_course_network
from course_utils.notebook import (
    cache_folder,
    cached_network,
    chosen_seed,
    stored_result,
    write_json,
)

import keras
import numpy as np

BATCHES, BATCH_SIZE = 600, 64  # what every training may use
COLUMNS = ("clean_accuracy", "worst_accuracy", "single_image_accuracy", "training_seconds")
Batches = Iterator[tuple[np.ndarray, np.ndarray]]
Train = Callable[[keras.Model, Batches], keras.Model]
Rows = dict[str, dict[str, float]]
ENTERED: set[Train] = set()  # since `forget`


@dataclass(frozen=True)
class Trained:
    """What came of a training: the network, the seconds it took, and how many batches it has used."""

    network: keras.Model
    seconds: float
    used: int

    @functools.cached_property
    def report(self) -> AttackReport:
        """Attack this very network, with noise that is searched afresh."""
        seed, mnist = chosen_seed(), load_mnist()
        return reattack(
            self.network, mnist, other_network=cached_network(train_course_network, mnist, seed), seed=seed
        )


def budget(seed: int) -> Batches:
    """Yield the batches that a training may use: each once, and then no more."""
    train = load_mnist().train
    for chosen in np.random.default_rng(seed).integers(len(train), size=(BATCHES, BATCH_SIZE)):
        yield train.images[chosen], train.labels[chosen]


@functools.lru_cache(maxsize=8)
def trained_within_budget(train: Train) -> Trained:
    """Train a new network within the budget. The same function is not called twice."""
    if not callable(train):
        raise TypeError(f"your answer must be a function train(network, batches), got {type(train).__name__}")
    seed, mnist = chosen_seed(), load_mnist()
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    untrained = convolutional_network(mnist.test.images.shape[1:], len(mnist.class_names))
    batches = budget(seed)
    try:
        network = train(untrained, batches)
    except (StopIteration, RuntimeError) as error:
        if not isinstance(error, StopIteration) and not isinstance(error.__cause__, StopIteration):
            raise
        raise ValueError(
            f"your function asks for more than {BATCHES} batches: `for images, labels in batches` ends by itself"
        ) from None
    seconds, used = time.perf_counter() - start, BATCHES - sum(1 for _ in batches)
    if network is None or network is ...:
        raise TypeError("your function returns nothing: does it end with `return network`?")
    if not isinstance(network, keras.Model):
        raise TypeError(
            "your function must return the trained network itself, a Keras model (`fit` gives back something else), "
            f"got {in_short(network)}"
        )
    check_network(network, mnist.test.images[:20])
    if not used:
        raise ValueError(
            f"your function has used 0 of {BATCHES} batches: a network that was trained elsewhere does not count"
        )
    return Trained(network, seconds, used)


def attacked(train: Train) -> AttackReport:
    """Attack what a way to train makes within the budget, with noise that is searched afresh."""
    return trained_within_budget(train).report


def forget() -> None:
    """Train and attack anew next time: a function may call another one that was changed meanwhile."""
    trained_within_budget.cache_clear()
    ENTERED.clear()


class Scoreboard:
    """The reader's ways to become immune, beside those of the course.

    They are kept in a file in the cache folder, which is read again and written anew as a whole after each entry, so
    that nothing is lost when a kernel dies or another one has entered a row. A file that cannot be read is put aside,
    and never deleted. Where nothing can be written the rows are kept until the kernel stops.

    Explained in exercise 05.
    """

    def __init__(self) -> None:
        self.path = cache_folder() / f"scoreboard-{load_mnist().fingerprint[:8]}.json"
        self.rows: Rows = {}
        self.unwritten: Rows = {}
        try:
            self.rows = self._read()
        except OSError as error:
            print(f"{self.path.name} cannot be read ({in_words(error)}): a new scoreboard begins.")

    def _read(self) -> Rows:
        """Return the rows of the file; put it aside when it cannot be read, or raise OSError when that fails too."""
        if not os.path.exists(self.path):  # unlike Path.exists, it never raises
            return {}
        try:
            rows = json.loads(self.path.read_text(encoding="utf-8"))
            return {name: {column: float(row[column]) for column in COLUMNS} for name, row in rows.items()}
        except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
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
            TypeError: `train` is no function.
            ValueError: no name; a function that fails, uses no batch, or returns something else than a network that
                takes images and returns logits; a network of which no attack tells how good it is.
        """
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name must be a text, such as 'my first idea', got {in_short(name)}")
        self.unwritten[" ".join(name.split())] = _row(train)
        self.rows |= self.unwritten
        return self._written("The row is not kept in {}: it is lost when the kernel stops.")

    def remove(self, name: str) -> "Scoreboard":
        """Take a row of the reader's own off the scoreboard, and out of the file.

        Args:
            name: as it was entered.

        Returns:
            The scoreboard itself, so that a notebook shows it.

        Raises:
            ValueError: there is no such row.
        """
        key = " ".join(name.split()) if isinstance(name, str) else name
        if not isinstance(key, str) or key not in self.rows:
            yours = ", ".join(map(repr, self.rows)) or "none"
            raise ValueError(f"there is no row {in_short(name)} of yours, only {yours}")
        self.unwritten.pop(key, None)
        del self.rows[key]
        return self._written("The row is still in {}: it is back when the kernel starts again.", without=key)

    def _written(self, otherwise: str, without: str = "") -> "Scoreboard":
        """Add to the file what is not there yet, and read what others have written meanwhile; or say what happens."""
        try:
            self.rows |= self._read() | self.unwritten
            self.rows.pop(without, None)
            write_json(self.path, self.rows)
            self.unwritten = {}
        except OSError as error:
            print(otherwise.format(f"{self.path} ({in_words(error)})"))
        return self

    def __repr__(self) -> str:
        """Return the table, the best under universal noise first."""
        ours = {f"{name} (the course)": row for name, row in stored_result("small_budget").items()}
        rows = sorted([*ours.items(), *self.rows.items()], key=lambda row: -row[1]["worst_accuracy"])
        lines = [f"{'':34}  clean  universal  single images  seconds"]
        for name, row in rows:
            clean, worst, single, seconds = (row[column] for column in COLUMNS)
            shown = name if len(name) <= 34 else f"{name[:33]}…"
            lines.append(f"{shown:34} {clean:6.1%} {worst:10.1%} {single:14.1%} {seconds:8.0f}")
        kept = "until the kernel stops" if self.unwritten else f"in the cache folder, in {self.path.name}"
        return "\n".join([*lines, f"Kept {kept}."])


def _row(train: Train) -> dict[str, float]:
    """Measure a way to train; a second entry measures anew, since what the function uses may have been changed."""
    if not callable(train) or not isinstance(train, Hashable):
        raise TypeError(f"train must be a function train(network, batches), got {in_short(train)}")
    if train in ENTERED:
        forget()
    try:
        trained = trained_within_budget(train)
        report = trained.report
    except Exception as error:  # whatever a reader's code may do
        raise ValueError(f"train cannot be measured: {in_words(error)}") from error
    if not report.trustworthy:
        raise ValueError(f"train gets no row, since {report.doubt}")
    ENTERED.add(train)
    accuracies = {column: getattr(report, column) for column in COLUMNS[:3]}
    return {**accuracies, "training_seconds": round(trained.seconds, 1)}
