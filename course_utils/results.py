"""Text and facts held together: how a notebook starts, what it claims, and the networks that it keeps."""

import hashlib
import inspect
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from course_utils.data import Dataset, load_mnist, using_stand_in
from course_utils.networks import convolutional_network
from course_utils.stored import RESULTS, band, beside, measured_before, replacing, spread, stored_result

import keras
import numpy as np
import pooch
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

    Explained in notebook 00.
    """
    kept = stored_result("notebook_times")
    ratio = seconds_for_training() / kept["seconds_for_training"]
    notebooks = {name: seconds for name, seconds in kept["seconds"].items() if not name.startswith(SOLUTION)}
    return {name: ratio * seconds / 60 for name, seconds in notebooks.items()}


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
        ValueError: neither limit is given.

    Explained in notebook 00.
    """
    if low == -math.inf and high == math.inf:
        raise ValueError("claim needs low or high: without them it could not fail")
    MEASURED.append((text, np.asarray(value).item()))  # whole numbers stay whole
    shown, allowed = format(value, form), f"{format(low, form)} to {format(high, form)}"
    others = spread(result) if result else measured_before("notebook_[0-9]*").get(text, [])
    if using_stand_in() if stand_in is None else stand_in:
        real = "MNIST" if stand_in is None else "the real data"
        there = "".join(f"; {words}" for words in [band(others, form)] if words)
        print(f"· {text}: {shown} here (the text speaks of {real}: {allowed}{there})")
    elif low <= value <= high:
        print(f"✓ {text}: {shown}" + beside(value, others, form))
    else:
        raise AssertionError(f"The text says: {text}. Measured: {shown}, but {allowed} was claimed.")


def kept_network(make: Callable[[Dataset, int], keras.Model], dataset: Dataset, seed: int) -> keras.Model:
    """Fetch the network that `make(dataset, seed)` makes: from the cache folder, or by making it now and keeping it.

    The file's name holds a hash of all that makes the network: the source code of `make`'s module, the data, the
    seed and the Keras version. A change in any of them makes a new network. A file that cannot be read is replaced.

    Args:
        make: a function of the course that trains a network, such as `course_network`.
        dataset: what to train on.
        seed: for `make`; all random numbers start from it again afterwards, so that what follows in a notebook
            is the same whether the network was made or fetched.

    Returns:
        The trained network.

    Explained in notebook 02.
    """
    path = cache_folder() / f"{make.__name__}-{_key(make, dataset, seed)}.keras"
    network = _read_network(path) if path.exists() else None
    if network is None:
        print(f"Making {make.__name__} for the first time. It is kept for the other notebooks.")
        network = make(dataset, seed)
        _write_network(network, path)
    keras.utils.set_random_seed(seed)
    return network


def finished_network(name: str) -> keras.Model:
    """Fetch a network that took longer to train than a notebook may: from results/networks/, made by `make results`.

    Args:
        name: such as "worst_noise".

    Returns:
        The network, trained on MNIST.

    Raises:
        ValueError: there is no network of that name, or its file is not the one that was made.

    Explained in notebook 05.
    """
    hashes = json.loads(HASHES.read_text())
    path = FINISHED / f"{name}.keras"
    if name not in hashes or not path.exists():
        raise ValueError(f"there is no finished network {name!r}: the names are {', '.join(hashes)}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != hashes[name]:
        raise ValueError(
            f"{path.name} is damaged or was changed: its hash is {found}, expected {hashes[name]}. "
            f"Fetch it again with 'git checkout results/networks', or make it with 'make results'."
        )
    return keras.saving.load_model(path, safe_mode=True)


def keep_finished_network(network: keras.Model, name: str) -> None:
    """Write a network and its hash to results/networks/, for `finished_network`. Its optimiser is left behind."""
    FINISHED.mkdir(exist_ok=True)
    path = FINISHED / f"{name}.keras"
    without_optimizer = network.__class__.from_config(network.get_config())
    without_optimizer.set_weights(network.get_weights())
    if path.exists() and _are_equal(_read_network(path), without_optimizer):
        return  # files of equal networks differ in their dates, and the repository would grow for nothing
    _write_network(without_optimizer, path)
    hashes = json.loads(HASHES.read_text()) if HASHES.exists() else {}
    hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    HASHES.write_text(json.dumps(dict(sorted(hashes.items())), indent=2) + "\n")


def _are_equal(one: keras.Model | None, other: keras.Model) -> bool:
    """Have two networks the same layers, but for the names that Keras counts up, and the same weights?"""
    if one is None:
        return False
    layers, others = (re.sub(r'_\d+"', '"', network.to_json()) for network in (one, other))
    weights, other_weights = one.get_weights(), other.get_weights()
    return layers == others and all(map(np.array_equal, weights, other_weights))


def cache_folder() -> Path:
    """Return the folder for what a reader's machine keeps: COURSE_CACHE_DIR, or the usual one of the system."""
    folder = os.environ.get("COURSE_CACHE_DIR") or pooch.os_cache("adversarial-noise-course")
    return Path(folder).expanduser()


def _key(make: Callable[..., keras.Model], dataset: Dataset, seed: int) -> str:
    source = inspect.getsource(sys.modules[make.__module__])
    parts = [make.__name__, source, dataset.fingerprint, seed, keras.__version__]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _read_network(path: Path) -> keras.Model | None:
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # a damaged file can fail anywhere between zip, JSON and HDF5
        print(f"The kept network {path.name} cannot be read ({type(error).__name__}); it is made anew.")
        return None


def _write_network(network: keras.Model, path: Path) -> None:
    """Write the file; when it cannot be written the course goes on."""
    try:
        with replacing(path) as new:
            network.save(new)
    except OSError as error:
        print(f"The network could not be kept in {path.parent} ({error}); the course goes on without.")
