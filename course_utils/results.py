"""Text and facts held together: how a notebook starts, what it claims, and the networks that it keeps."""

import hashlib
import inspect
import json
import math
import os
import re
import sys
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils.checks import check_dataset, check_seed, in_short
from course_utils.data import Dataset, load_mnist, using_stand_in
from course_utils.networks import convolutional_network, copy_of
from course_utils.stored import (
    RESULTS,
    Damaged,
    band,
    beside,
    cache_folder,
    limits_in_words,
    others,
    read_json,
    read_network,
    replacing,
    stored_result,
    write_json,
    write_network,
)

import keras
import numpy as np
import tensorflow as tf

SOLUTION = "solution "  # stands before the name of an exercise in the times of the notebooks
FINISHED = RESULTS / "networks"
HASHES = FINISHED / "hashes.json"
MEASURED: list[tuple[str, float]] = []  # what this notebook has claimed, and what its checks have found


def start_notebook() -> int:
    """Set every seed and say what this notebook runs on: seed, versions, device and data.

    Returns:
        The seed: 0, or the whole number in the environment variable COURSE_SEED.

    Raises:
        ValueError: COURSE_SEED is not a whole number from 0 to 2³² - 1.

    Explained in notebook 00.
    """
    seed = chosen_seed()
    keras.utils.set_random_seed(seed)
    device = "GPU" if tf.config.list_physical_devices("GPU") else f"CPU with {os.cpu_count()} cores"
    print(f"Seed {seed} · TensorFlow {tf.__version__} · Keras {keras.__version__} · {device}")
    print(f"Data: {load_mnist().source}")
    return seed


def chosen_seed() -> int:
    """Return the seed of a whole notebook, from COURSE_SEED."""
    text = os.environ.get("COURSE_SEED", "") or "0"
    if not text.isdecimal() or int(text) >= 2**32:
        raise ValueError(f"COURSE_SEED must be a whole number from 0 to 4294967295, got {text!r}")
    return int(text)


def expected_minutes() -> dict[str, float]:
    """Estimate how many minutes each notebook takes on this machine.

    `make notebooks` writes down how long each took, and how long 100 training steps took beside it, in one run
    (results/notebook_times.json). The same 100 steps here tell how much faster or slower this machine is.

    Returns:
        Minutes by notebook, in order.

    Raises:
        ValueError: those times are missing or damaged.

    Explained in notebook 00.
    """
    kept = stored_result("notebook_times")
    try:
        notebooks = {name: seconds for name, seconds in kept["seconds"].items() if not name.startswith(SOLUTION)}
        minutes = {name: seconds / 60 / kept["seconds_for_training"] for name, seconds in notebooks.items()}
    except (AttributeError, KeyError, TypeError, ZeroDivisionError):
        raise Damaged(RESULTS / "notebook_times.json") from None
    here = seconds_for_training()
    return {name: here * there for name, there in minutes.items()}


def seconds_for_training(steps: int = 100) -> float:
    """Time `steps` training steps of the course's network on 64 random images each, compiling left out."""
    network = convolutional_network()
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).uniform(size=(64 * steps, 28, 28, 1)).astype(np.float32)
    labels = np.arange(64 * steps) % 10
    network.fit(images[:64], labels[:64], batch_size=64, verbose=0)
    start = time.perf_counter()
    network.fit(images, labels, batch_size=64, verbose=0)
    return time.perf_counter() - start


def claim(
    text: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    form: str = ".1%",
    stand_in: bool | None = None,
    result: str = "",
) -> None:
    """Hold a sentence of the text against the number that was measured.

    Prints the sentence with ✓ and the value, and beside it between which values it lay when `make results` ran this
    notebook with several seeds. On stand-in data it only says of what the text speaks.

    Args:
        text: the sentence. No two claims of the course have the same.
        value: the number measured.
        low, high: the smallest and the largest value for which the sentence is true. At least one is needed.
        form: how Python formats the value; shares are shown as percentages.
        stand_in: whether what was measured is a stand-in; when left out, whether the digits are.
        result: the stored result that tells how far this number spreads, for `spread`; when left out, the number
            that this very claim had with each seed.

    Raises:
        AssertionError: on real data, when the value is outside, or NaN.
        TypeError: the text is none, or the value or a limit is not one number.
        ValueError: neither limit is given, they leave no room, or the form does not fit.

    Explained in notebook 00.
    """
    if not isinstance(text, str) or not text.strip():
        raise TypeError(f"text must be a sentence, got {in_short(text)}")
    value, low, high = _number(value, "value"), _number(low, "low"), _number(high, "high")
    if low == -math.inf and high == math.inf:
        raise ValueError("claim needs low or high: without them it could not fail")
    if not low <= high:  # written so that NaN fails too
        raise ValueError(f"low must be at most high, got {in_short(low)} and {in_short(high)}")
    if not (stand_in is None or isinstance(stand_in, bool | np.bool_)):
        raise TypeError(f"stand_in must be True, False or None, got {in_short(stand_in)}")
    MEASURED.append((text, value))
    seeds = others(text, result)
    try:
        shown, *_ = [format(number, form) for number in (value, *seeds)]
        allowed = limits_in_words(low, high, form)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"form must fit numbers such as {in_short(value)}, like '.1%', got {in_short(form)}"
        ) from None
    if using_stand_in() if stand_in is None else stand_in:
        real = "MNIST" if stand_in is None else "the real data"
        there = "".join(f"; {words}" for words in [band(seeds, form)] if words)
        print(f"· {text}: {shown} here (the text speaks of {real}: {allowed}{there})")
    elif low <= value <= high:
        print(f"✓ {text}: {shown}" + beside(value, seeds, form))
    else:
        raise AssertionError(f"The text says: {text}. Measured: {shown}, but {allowed} was claimed.")


def _number(value: Any, name: str) -> float:
    """Return one number, as Python has it: whole ones stay whole."""
    try:
        number = np.asarray(value).item()
    except Exception:  # several numbers, rows of different lengths, a tensor that is not computed yet
        number = None
    if not isinstance(number, int | float):
        raise TypeError(f"{name} must be one number, got {in_short(value)}")
    return number


def kept_network(make: Callable[[Dataset, int], keras.Model], dataset: Dataset, seed: int) -> keras.Model:
    """Fetch the network that `make(dataset, seed)` makes: from the cache folder, or by making it now and keeping it.

    The file's name holds a hash of all that makes the network: the source code of `make`'s module, or for a function
    of a notebook its own and that of what it uses from other cells; the data, the seed and the Keras version. A
    change in any of them makes a new network. A file that cannot be read, or that holds another network, is replaced.
    Where nothing can be kept the course goes on.

    Args:
        make: a function that trains a network, such as `course_network`; written with `def`, not within another one.
        dataset: what to train on.
        seed: for `make`; all random numbers start from it again afterwards, so that what follows in a notebook
            is the same whether the network was made or fetched.

    Returns:
        The trained network.

    Raises:
        TypeError: `make` is no such function or returns no network, or what else is given is of another kind.
        ValueError: the seed is outside its range, or the data set has no fingerprint.

    Explained in notebook 02.
    """
    check_dataset(dataset)
    seed = check_seed(seed)
    key, name = _key(make, dataset, seed), make.__code__.co_name
    path = cache_folder() / f"{name}-{key}.keras"
    network = read_network(path, path.stem)
    if network is None:
        print(f"Making {name} for the first time. It is kept for the other notebooks.")
        network = make(dataset, seed)
        if not isinstance(network, keras.Model):
            raise TypeError(f"{name} must return the trained network, a keras.Model, got {type(network).__name__}")
        try:
            write_network(network, path, path.stem)
        except Exception as error:  # no space, no permission, or a layer that cannot be stored
            reason = " ".join(str(error).split())
            print(f"The network could not be kept in {path.parent} ({reason:.200}); the course goes on without.")
    keras.utils.set_random_seed(seed)
    return network


def _key(make: Callable[..., keras.Model], dataset: Dataset, seed: int) -> str:
    try:
        if not inspect.isfunction(make) or make.__code__.co_name == "<lambda>" or make.__closure__:
            raise TypeError
        inspect.signature(make).bind(dataset, seed)
        module = make.__module__
        code = _code_in_notebook(make) if module == "__main__" else inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError) as error:
        if isinstance(error, UnknownPartError):
            raise
        raise TypeError(
            "make must be a function written as def make(dataset, seed), not within another one, and its code must "
            f"be readable, since the network is known by it; got {in_short(make)}"
        ) from None
    if not isinstance(dataset.fingerprint, str) or not dataset.fingerprint:
        raise ValueError(f"dataset.fingerprint must tell it from other data, got {in_short(dataset.fingerprint)}")
    settings = make.__qualname__, make.__defaults__, make.__kwdefaults__, dataset.fingerprint, seed, keras.__version__
    return hashlib.sha256(repr((code, settings)).encode()).hexdigest()[:16]


class UnknownPartError(TypeError):
    """A function of a notebook uses something by which its network cannot be known."""

    def __init__(self, name: str, thing: Any) -> None:
        kind = "class" if isinstance(thing, type) else type(thing).__name__
        super().__init__(
            f"make uses {name!r}, a {kind} from another cell, by which the network cannot be known: make it within "
            "the function, or let it be a function, a number, a text, or a list or dict of these"
        )


def _code_in_notebook(make: Callable[..., Any]) -> dict[str, str]:
    """Return by name the code of a notebook's function, and what that uses from other cells: functions and values."""
    found: dict[str, str] = {}
    left: dict[str, Any] = {make.__qualname__: make}
    while left:
        name, thing = left.popitem()
        if inspect.isfunction(inspect.unwrap(thing)) and thing.__module__ == "__main__":
            function = inspect.unwrap(thing)
            found[name] = inspect.getsource(function)
            used = _names_in(function.__code__) & set(function.__globals__)
            left |= {other: function.__globals__[other] for other in used if other not in found}
        elif _is_plain(thing):
            found[name] = repr(thing)
        elif isinstance(thing, np.ndarray):
            found[name] = f"{thing.dtype} {thing.shape} {hashlib.sha256(thing.tobytes()).hexdigest()}"
        elif not inspect.ismodule(thing) and not (callable(thing) and _is_from_a_library(thing)):
            raise UnknownPartError(name, thing)
    return dict(sorted(found.items()))


def _is_from_a_library(thing: Any) -> bool:
    return getattr(thing, "__module__", None) not in (None, "__main__", "functools")


def _names_in(code: types.CodeType) -> set[str]:
    """Return all global names that some code may use, also within functions and comprehensions inside it."""
    inner = (_names_in(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return set(code.co_names).union(*inner)


def _is_plain(thing: Any) -> bool:
    """Does its text tell all of a value?"""
    if isinstance(thing, dict):
        return all(map(_is_plain, (*thing.keys(), *thing.values())))
    if isinstance(thing, list | tuple):
        return all(map(_is_plain, thing))
    return thing is None or isinstance(thing, bool | int | float | str | bytes | np.number)


def finished_network(name: str) -> keras.Model:
    """Fetch a network that took longer to train than a notebook may: from results/networks/, made by `make results`.

    Args:
        name: such as "worst_noise".

    Returns:
        The network, trained on MNIST.

    Raises:
        TypeError: the name is no text.
        ValueError: there is no network of that name, or its file is missing, damaged or not the one that was made.

    Explained in notebook 05.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be that of a finished network, such as 'worst_noise', got {in_short(name)}")
    hashes = read_json(HASHES)
    if name not in hashes:
        raise ValueError(f"there is no finished network {name!r}: the names are {', '.join(hashes)}")
    path = FINISHED / f"{name}.keras"
    again = "Fetch it again with 'git checkout results/networks', or make it with 'make results'."
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        state = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise ValueError(f"{path.name} {state} in results/networks. {again}") from None
    if found != hashes[name]:
        raise ValueError(f"{path.name} is damaged or was changed: hash {found}, expected {hashes[name]}. {again}")
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # three pages, when another Keras does not know what this one has written
        known = f"Keras {keras.__version__} cannot load it ({type(error).__name__})"
        raise ValueError(f"{path.name}: {known}; requirements.txt names the version that can") from error


def keep_finished_network(network: keras.Model, name: str) -> None:
    """Write a network and its hash to results/networks/, for `finished_network`. Its optimiser is left behind."""
    path, finished = FINISHED / f"{name}.keras", copy_of(network)
    finished.optimizer, finished.compiled = None, False
    hashes = read_json(HASHES) if HASHES.exists() else {}
    if not _are_equal(read_network(path), finished):  # files of equal networks differ in their dates
        with replacing(path) as new:
            finished.save(new)
            _without_initializers(new)
    hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(HASHES, dict(sorted(hashes.items())))


def _without_initializers(path: Path) -> None:
    """Rewrite a saved network without what a trained one no longer needs: older versions of Keras do not know it."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["config.json"] = json.dumps(json.loads(parts["config.json"], object_hook=_shortened)).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(zipfile.ZipInfo(name), content)  # a fixed date


def _shortened(part: dict[str, Any]) -> dict[str, Any]:
    """Leave out of one layer's settings what is not set, and what only matters before training."""
    config = part.get("config")
    if "class_name" in part and config:
        part["config"] = {
            name: value
            for name, value in config.items()
            if value is not None and not name.endswith("_initializer") and not name.startswith("renorm")
        }
    return part


def _are_equal(one: keras.Model | None, other: keras.Model) -> bool:
    """Have two networks the same layers, but for the names that Keras counts up, and the same weights?"""
    if one is None:
        return False
    layers, others = (re.sub(r'_\d+"', '"', network.to_json()) for network in (one, other))
    weights, other_weights = one.get_weights(), other.get_weights()
    return layers == others and all(map(np.array_equal, weights, other_weights))
