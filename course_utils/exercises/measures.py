"""What the exercises share: what the parts of an answer can be, and how they are measured.

A measure yields one finding after another. Nobody's own numbers are believed: noise is measured again on test images,
a function is called, cells of a table, drawn anew for each check, are measured.
"""

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_utils._checks import in_short, is_empty
from course_utils.data import load_mnist, using_fallback_data
from course_utils.evaluation import NoiseReport, classes_seen, evaluate_noise
from course_utils.exercises.core import Finding, Take, as_array, at_least, at_most, given_back
from course_utils.models import copy_network, train_course_network
from course_utils.noise import add_noise
from course_utils.notebook import cached_network, chosen_seed
from course_utils.search import find_universal_noise

import keras
import numpy as np

LIMIT = 0.35
TEST_IMAGES = 1_000  # test images that a check looks at
OVER_THE_LIMIT = "Clip the noise to ± noise_limit after every step."


# What the parts of an answer can be. Each takes what the reader gave and the name of the part.


def function(*arguments: str, gives: Take | None = None) -> Take:
    """A function of the reader's own, of such arguments; `gives` is what to take for what it gives back."""

    def take(value: Any, name: str) -> Any:
        form = f"{name}({', '.join(arguments)})"
        if not callable(value) or isinstance(value, keras.Model | type):
            raise TypeError(f"`{name}` must be a function {form}, got {in_short(value)}")
        try:
            takes = inspect.signature(value)
            takes.bind(*arguments)
        except TypeError as error:
            raise TypeError(f"`{name}` must be a function {form}: {error}") from None
        first = tuple(takes.parameters)[: len(arguments)]
        if first != arguments and set(first) == set(arguments):
            raise TypeError(f"`{name}` must be a function {form}: its arguments are in another order")
        if gives is None:
            return value
        call = form if len(arguments) == 1 else f"{name}(…)"
        return lambda *about: gives(given_back(value(*about), form), call)

    return take


def noise(*count: int, shape: tuple[int, ...] = ()) -> Take:
    """One noise, or so many, for the digits or for images of another shape."""

    def take(value: Any, name: str) -> np.ndarray:
        return as_array(value, (*count, *(shape or load_mnist().test.images.shape[1:])), f"`{name}`")

    return take


def shares(*shape: int) -> Take:
    """A table of shares, each from 0 to 1."""

    def take(value: Any, name: str) -> np.ndarray:
        table = as_array(value, shape, f"`{name}`")
        outside = np.argwhere((table < 0) | (table > 1 + 1e-6))
        if len(outside):
            found = table[tuple(outside[0])]
            where = f" at [{', '.join(map(str, outside[0]))}]" if shape else ""
            percent = ". Is that in percent?" if 1 < found <= 100 else ""
            raise ValueError(f"`{name}` must hold shares from 0 to 1, got {found:g}{where}{percent}")
        return table

    return take


def number(value: Any, name: str) -> float:
    """One number."""
    return float(as_array(value, (), f"`{name}`"))


def one_of(*choices: float) -> Take:
    """One of a few numbers, whole or not; a text such as "2" and 2.0 are meant as 2."""

    def take(value: Any, name: str) -> float:
        try:
            found = number(value, name)
        except ValueError:
            found = math.nan
        for choice in choices:
            if found == np.float32(choice):
                return choice
        whole = "a whole number, " if all(isinstance(choice, int) for choice in choices) else ""
        last = f"{', '.join(map(str, choices[:-1]))} or {choices[-1]}"
        allowed = f"from {choices[0]} to {choices[-1]}" if choices == tuple(range(len(choices))) else last
        raise ValueError(f"`{name}` must be {whole}{allowed}, got {in_short(value)}")

    return take


def a_network(value: Any, name: str) -> keras.Model:
    """A network of the reader's own."""
    if not isinstance(value, keras.Model):
        raise TypeError(f"`{name}` must be a Keras model, got {in_short(value)}")
    return value


def text(value: Any, name: str) -> str:
    """Sentences of the reader's own."""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a text between quotation marks, got {in_short(value)}")
    return value


def by_name(take: Take, *names: str) -> Take:
    """A dict of parts; with these names, or with any."""

    def take_all(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TypeError(f"`{name}` must be a dict, with a value for each name, got {in_short(value)}")
        for key in names or value:
            if key not in value or is_empty(value[key]):
                raise ValueError(f"in `{name}`, {str(key)!r} is still missing")
        return {str(key): take(value[key], f"{name}[{key!r}]") for key in names or value}

    return take_all


def threshold(mnist: float, stand_in: float) -> float:
    """Return what is wanted on the data at hand."""
    return stand_in if using_fallback_data() else mnist


# What the measures share.


@functools.lru_cache(maxsize=2)
def plain_network(seed: int) -> keras.Model:
    """Return the course's network, or another one that was trained alike, from another seed."""
    return cached_network(train_course_network, load_mnist(), seed)


def measured(one: np.ndarray, target_class: int | None, network: keras.Model | None = None) -> NoiseReport:
    """Measure noise on test images, which no search has seen; without another network, on the course's."""
    test = load_mnist().test
    network = plain_network(chosen_seed()) if network is None else network
    return evaluate_noise(network, test.images[:TEST_IMAGES], test.labels[:TEST_IMAGES], one, target_class, 1.0)


def success_of(one: np.ndarray, target_class: int, network: keras.Model | None = None) -> float:
    """Measure the success rate on those test images."""
    return measured(one, target_class, network).success_rate or 0.0


def search_for(target: int, network: keras.Model | None = None, **settings: Any) -> np.ndarray:
    """Search noise as the reader does, with the seed of the notebook."""
    network = plain_network(chosen_seed()) if network is None else network
    return find_universal_noise(network, load_mnist().train.images, target, seed=chosen_seed(), **settings)[0]


def lent(network: keras.Model, borrow: Callable[[keras.Model], Any]) -> Any:
    """Let a reader's function have a copy of a network, and see that it leaves the weights alone.

    Raises:
        ValueError: it has changed them.
    """
    copy, weights = _copy_to_lend(network), network.get_weights()
    result = borrow(copy)
    if not all(map(np.array_equal, copy.get_weights(), weights)):
        copy.set_weights(weights)
        raise ValueError(
            "your function has changed the network that it was given: an attack changes the images, never the "
            "weights. Is there a `fit` or a `train_on_batch` in it?"
        )
    return result


@functools.lru_cache(maxsize=8)
def _copy_to_lend(network: keras.Model) -> keras.Model:
    """Copy a network once, since whatever is compiled for it is compiled once, too."""
    return copy_network(network)


def accuracy_under(network: keras.Model, one: np.ndarray, count: int = TEST_IMAGES) -> float:
    """Measure accuracy on the first test images, under one noise or under one for each."""
    test = load_mnist().test
    return float(np.mean(classes_seen(network, add_noise(test.images[:count], one)) == test.labels[:count]))


def overlaid() -> np.ndarray:
    """Lay test digits over one another in pairs: nobody can be right there, and each network answers for itself."""
    images = load_mnist().test.images[:TEST_IMAGES]
    return (images + images[::-1]) / 2


def least_apart(arrays: Mapping[Any, np.ndarray]) -> tuple[float, str]:
    """Find the two that are most alike: the share of their values that differ by more than dust, and their names."""
    pairs = itertools.combinations(arrays.items(), 2)
    return min(
        (float(np.mean(abs(first - second) > 0.01)), f"{one} and {other}") for (one, first), (other, second) in pairs
    )


def random_cells(shape: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Draw cells of a table, others with each call. With enough of them every row, every column … has its turn."""
    generator = np.random.default_rng()
    axes = [np.concatenate([generator.permutation(size) for _ in range(-(-count // size))])[:count] for size in shape]
    return sorted({tuple(map(int, cell)) for cell in zip(*axes, strict=True)})


def cells_as_measured(
    table: np.ndarray, axes: Sequence[Sequence[Any]], words: str, measure: Callable[..., float], *,
    count: int, tolerance: float, reason: str,
) -> Finding:  # fmt: skip
    """Measure cells of a table of shares again, drawn anew: for their values on the axes, which such words name."""

    def at(cell: Sequence[int]) -> list[Any]:
        return [values[place] for values, place in zip(axes, cell, strict=True)]

    again = np.full(table.shape, np.nan)
    for cell in random_cells(table.shape, count):
        again[cell] = measure(*at(cell))
    return as_measured("cells drawn anew", table, again, tolerance, reason, lambda cell: words.format(*at(cell)))


def as_measured(
    text: str, table: np.ndarray, again: np.ndarray, tolerance: float, reason: str,
    words: Callable[[Sequence[int]], Any] = list,
) -> Finding:  # fmt: skip
    """Count the cells that are off what was measured again, and say in words which is so most.

    By how much stays unsaid, or it could be copied.
    """
    differences = np.nan_to_num(abs(table - again))
    cell = tuple(map(int, np.unravel_index(np.argmax(differences), differences.shape)))
    where = f"We have measured it anew, and find another number for {words(cell)}, where you have {table[cell]:.1%}."
    points = f"{100 * tolerance:.0f} point{'s' if tolerance > 0.01 else ''}"
    off = float(np.sum(differences > tolerance))
    return at_most(f"{text} that are more than {points} off ours", off, 0, f"{where} {reason}", ".0f")


def as_ours(text: str, given: float, ours: float, off: float, reason: str, relative: bool = False) -> Finding:
    """Hold a number of the reader's against one that was measured again. How far they are apart stays unsaid."""
    right = abs(given / ours - 1 if relative else given - ours) <= off
    return at_least(f"{text}: as we find it (1: yes, 0: no)", float(right), 1, reason, ".0f")


def within(one: np.ndarray, noise_limit: float, where: str = "") -> Finding:
    """The first thing to look at. Where a check does so more than once, it says where."""
    text, largest = f"{where}: largest |noise|" if where else "largest |noise|", float(np.abs(one).max())
    reason = OVER_THE_LIMIT if largest <= 1 else f"Pixels go from 0 to 1, not to 255. {OVER_THE_LIMIT}"
    return at_most(text, largest, noise_limit + 1e-6, reason, ".4f")
