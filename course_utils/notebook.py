"""What a notebook needs: how it starts, what it claims, networks kept and fetched, stored results read."""

import ast
import contextlib
import functools
import hashlib
import importlib
import inspect
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from course_utils._checks import check_dataset, check_seed, in_short, is_empty
from course_utils.data import Dataset, load_mnist, using_fallback_data
from course_utils.models import convolutional_network

import keras
import matplotlib
import numpy as np
import pooch
import tensorflow as tf
from IPython import get_ipython
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent.parent / "results"
PRETRAINED = RESULTS / "networks"
HASHES = PRETRAINED / "hashes.json"
SOLUTION = "solution "  # stands before the name of an exercise in the times of the notebooks
NUMBERS = ("no", "one", "two", "three", "four", "five")
say_once = functools.cache(print)  # the same sentence, once in a session


def start_notebook() -> int:
    """Set every seed and say what this notebook runs on: seed, versions, device and data. Figures get alt texts.

    Returns:
        The seed: 0, or the whole number in the environment variable COURSE_SEED.

    Raises:
        ValueError: COURSE_SEED is not a whole number from 0 to 2³² - 1.

    Explained in notebook 00.
    """
    seed = chosen_seed()
    keras.utils.set_random_seed(seed)
    _give_alt_texts()
    device = "GPU" if tf.config.list_physical_devices("GPU") else f"CPU with {os.cpu_count()} cores"
    print(f"Seed {seed} · TensorFlow {tf.__version__} · Keras {keras.__version__} · {device}")
    print(f"Data: {load_mnist().source}")
    return seed


def _give_alt_texts() -> None:
    """Let each figure that the notebook shows carry its description, for those who cannot see it."""
    shell = get_ipython()  # type: ignore[no-untyped-call]
    if shell is None or "inline" not in str(matplotlib.get_backend(auto_select=False)):
        return
    importlib.import_module("matplotlib_inline.backend_inline")  # enters how figures are drawn
    formatter = shell.display_formatter.formatters["image/png"]
    draw = formatter.lookup_by_type(Figure)
    if not hasattr(draw, "with_alt_text"):

        def described(figure: Figure) -> Any:
            picture = draw(figure)  # None for an empty figure
            return picture and (picture, {"alt": alt_text(figure)})

        described.with_alt_text = True  # type: ignore[attr-defined]
        formatter.for_type(Figure, described)


def alt_text(figure: Figure) -> str:
    """Return what is written in a figure, in one line: caption, titles, axes and legends."""
    parts = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        titles = (axis.get_title(where) for where in ("left", "center", "right"))
        legend = axis.get_legend()
        lines = [text.get_text() for text in legend.get_texts()] if legend else []
        parts += [*titles, " against ".join(filter(None, (axis.get_ylabel(), axis.get_xlabel()))), ", ".join(lines)]
    return "; ".join(dict.fromkeys(" ".join(part.split()) for part in parts if part.strip())) or "A figure"


def chosen_seed() -> int:
    """Return the seed of a whole notebook, from COURSE_SEED."""
    text = os.environ.get("COURSE_SEED", "") or "0"
    if not text.isdecimal() or int(text) >= 2**32:
        raise ValueError(f"COURSE_SEED must be a whole number from 0 to 4294967295, got {text!r}")
    return int(text)


def chosen_language() -> str:
    """Return the language of the notebook that runs, such as "zh": that of its folder in translations, or English."""
    found = re.search(r"/translations/(\w+)(/|$)", Path.cwd().as_posix())
    return found[1] if found else "en"


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
    notebooks = {name: seconds for name, seconds in kept["seconds"].items() if not name.startswith(SOLUTION)}
    slower = seconds_for_training() / kept["seconds_for_training"]
    return {name: slower * seconds / 60 for name, seconds in notebooks.items()}


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


# Claims


def predict(prediction: Any) -> str:
    """Keep a prediction before the answer is seen; give it to `claim`, which shows the two side by side.

    Args:
        prediction: what you expect, in words or numbers; ..., None or an empty text when there is none yet.

    Returns:
        The prediction in words, "" when there is none.

    Explained in notebook 00.
    """
    try:
        text = "" if is_empty(prediction) else str(prediction)
    except Exception as error:  # whatever a reader may write down
        print(f"Not kept: {type(error).__name__}. Write your prediction down in words or numbers.")
        return ""
    print(f"Kept: you expect {text}" if text else "No prediction yet. Replace ... by yours, however wild, or go on.")
    return text


def claim(
    text: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    form: str = ".1%",
    stand_in: bool | None = None,
    predicted: str = "",
) -> None:
    """Hold a sentence of the text against the number that was measured.

    Prints the sentence with ✓, the value, and the range in which it may lie. On the fallback data it only says of
    what the text speaks.

    Args:
        text: the sentence.
        value: the number measured.
        low, high: the smallest and the largest value for which the sentence is true. At least one is needed.
        form: how Python formats the value; shares are shown as percentages.
        stand_in: whether what was measured is fallback data; when left out, whether the digits are.
        predicted: what `predict` has kept; it is shown below.

    Raises:
        AssertionError: on real data, when the value is outside, or NaN.
        TypeError: the value or a limit is not one number.
        ValueError: neither limit is given, or the form does not fit.

    Explained in notebook 00.
    """
    value, low, high = _number(value, "value"), _number(low, "low"), _number(high, "high")
    if low == -math.inf and high == math.inf:
        raise ValueError("claim needs low or high: without them it could not fail")
    shown, accepted = format(value, form), range_in_words(low, high, form)
    beside = f"\n  you expected {predicted}" if predicted else ""
    if using_fallback_data() if stand_in is None else stand_in:
        real = "MNIST" if stand_in is None else "the real data"
        print(f"· {text}: {shown} here (the text speaks of {real}: {accepted}){beside}")
    elif low <= value <= high:
        print(f"✓ {text}: {shown} (accepted: {accepted}){beside}")
    else:
        raise AssertionError(f"The text says: {text}. Measured: {shown}, but {accepted} was claimed.")


def _number(value: Any, name: str) -> float:
    """Return one number, as Python has it: whole ones stay whole."""
    try:
        number = np.asarray(value).item()
    except Exception:  # several numbers, rows of different lengths, a tensor that is not computed yet
        number = None
    if not isinstance(number, int | float):
        raise TypeError(f"{name} must be one number, got {in_short(value)}")
    return number


def range_in_words(low: float, high: float, form: str = ".1%") -> str:
    """Say in words which numbers lie from `low` to `high`; either may be infinite."""
    if low == high:
        return format(low, form)
    if high == math.inf:
        return f"at least {format(low, form)}"
    return f"at most {format(high, form)}" if low == -math.inf else f"{format(low, form)} to {format(high, form)}"


# Stored measurements


class DamagedResultError(ValueError):
    """A file of results/ cannot be read, or holds something else than it should."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} is damaged or cannot be read: 'git checkout results' fetches it again")


def stored_result(name: str) -> dict[str, Any]:
    """Return what `make results` measured in an experiment with its first seed, from results/.

    Args:
        name: such as "worst_noise".

    Returns:
        The numbers by name, as the experiment wrote them.

    Raises:
        ValueError: there is no result of that name, or its file is damaged.

    Explained in notebook 05.
    """
    values: dict[str, Any] = stored_runs(name)[0]["values"]
    return values


def values_by_seed(name: str, *keys: str | int) -> list[float]:
    """Return what each seed gave for one number in results/.

    Args:
        name: of a stored result, such as "worst_noise".
        *keys: the way to a number in it, such as "full", "worst_accuracy".

    Returns:
        The numbers, one a seed; seeds with which it was not measured are left out.

    Raises:
        ValueError: there is no such result, no such number in it, or its file is damaged.

    Explained in notebook 05.
    """
    found = [number for run in stored_runs(name) if (number := _number_at(run["values"], keys)) is not None]
    if not found:
        raise ValueError(f"there is no number at {keys} in the stored result {name!r}: see results/{name}.json")
    return found


def _number_at(value: Any, keys: Sequence[str | int]) -> float | None:
    """Follow the keys into dicts and lists; None when no number stands at their end."""
    for key in keys:
        try:
            value = value[key]
        except (IndexError, KeyError, TypeError):
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def seed_range(values: Sequence[float], form: str = ".1%") -> str:
    """Say in words between which values several seeds lay; nothing where they do not differ at all."""
    if len(set(values)) < 2:
        return ""
    lowest, highest = format(min(values), form), format(max(values), form)
    count = NUMBERS[len(values)] if len(values) < len(NUMBERS) else len(values)
    return f"{count} seeds {lowest} – {highest}" if lowest != highest else f"{count} seeds all {lowest}"


def stored_runs(name: str) -> list[dict[str, Any]]:
    """Return the runs of a stored result, one a seed: each says when and with what it was run, and its "values"."""
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    if name not in names:
        known = f"the names are {', '.join(names)}" if names else "none is here, 'git checkout results' fetches them"
        raise ValueError(f"there is no stored result {in_short(name)}: {known}; 'make results' makes what is missing")
    runs = read_json(RESULTS / f"{name}.json").get("runs")
    if not isinstance(runs, list) or not runs:
        raise DamagedResultError(RESULTS / f"{name}.json")
    return runs


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file of results/ holds, a dict; DamagedResultError when it cannot be read or is none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise DamagedResultError(path) from None
    if not isinstance(kept, dict):
        raise DamagedResultError(path)
    return kept


# Files that are whole or not there


def write_json(path: Path, kept: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all, the same bytes on every system."""
    with replacing(path) as new:
        new.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write a new file to, and then move it to `path`: it is there whole, or stays as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        yield Path(folder) / path.name
        os.replace(Path(folder) / path.name, path)


def cache_folder() -> Path:
    """Return the folder for what a reader's machine keeps: COURSE_CACHE_DIR, or the usual one of the system."""
    try:
        return Path(os.environ.get("COURSE_CACHE_DIR") or pooch.os_cache("adversarial-noise-course")).expanduser()
    except RuntimeError:
        instead = Path(tempfile.gettempdir()) / "adversarial-noise-course"
        say_once(f"No home folder is known here: networks and rows are kept in {instead}.")
        return instead


# Networks


def pretrained_network(name: str) -> keras.Model:
    """Fetch a network that took longer to train than a notebook may: from results/networks/, made by `make results`.

    Args:
        name: such as "worst_noise".

    Returns:
        The network, trained on MNIST.

    Raises:
        ValueError: there is no network of that name, or its file is missing, damaged or not the one that was made.

    Explained in notebook 05.
    """
    hashes = read_json(HASHES)
    if name not in list(hashes):
        raise ValueError(f"there is no pretrained network {in_short(name)}: the names are {', '.join(hashes)}")
    path = PRETRAINED / f"{name}.keras"
    again = "Fetch it again with 'git checkout results/networks', or make it with 'make results'."
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise ValueError(f"{path.name} is missing in results/networks, or cannot be read. {again}") from None
    if found != hashes[name]:
        raise ValueError(f"{path.name} is damaged or was changed: hash {found}, expected {hashes[name]}. {again}")
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # three pages, when another Keras does not know what this one has written
        known = f"Keras {keras.__version__} cannot load it ({type(error).__name__})"
        raise ValueError(f"{path.name}: {known}; requirements.txt names the version that can") from error


def cached_network(make: Callable[[Dataset, int], keras.Model], dataset: Dataset, seed: int) -> keras.Model:
    """Fetch the network that `make(dataset, seed)` trains: from the cache folder, or by training and keeping it.

    The file's name holds a hash of all that makes the network: the code of the course and of the file in which
    `make` stands, the data, the seed and the versions of Keras and TensorFlow. A file that cannot be read is
    replaced. Where nothing can be kept the course goes on.

    Args:
        make: a function that trains a network, such as `train_course_network`, or one in a file of your own; not
            one that was written in a notebook.
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
    key, name = _key(make, dataset, seed), make.__name__
    path = cache_folder() / f"{name}-{key}.keras"
    network = read_network(path)
    if network is None:
        print(f"Making {name.removeprefix('train_')} for the first time. It is kept for the other notebooks.")
        network = make(dataset, seed)
        if not isinstance(network, keras.Model):
            raise TypeError(f"{name} must return the trained network, a keras.Model, got {type(network).__name__}")
        try:
            with replacing(path) as new:
                network.save(new)
        except Exception as error:  # no space, no permission, or a layer that cannot be stored
            reason = " ".join(str(error).split())
            print(f"The network could not be kept in {path.parent} ({reason:.200}); the course goes on without.")
    keras.utils.set_random_seed(seed)
    return network


def read_network(path: Path) -> keras.Model | None:
    """Return the network of a file; None when there is none, or one that cannot be used."""
    if not os.path.exists(path):  # unlike Path.exists, it never raises
        return None
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # a damaged file can fail anywhere between zip, JSON and HDF5
        print(f"The kept network {path.name} cannot be read ({type(error).__name__}); it is made anew.")
        return None


def _key(make: Callable[..., keras.Model], dataset: Dataset, seed: int) -> str:
    """Hash all that makes a network; of the code all that stands in a file, so that nothing can be overlooked."""
    if not inspect.isfunction(make) or not make.__qualname__.isidentifier() or make.__module__ == "__main__":
        raise TypeError(
            "make must be a function of the course, or def make(dataset, seed) at the top of a file of your own, "
            f"since the network is known by the code in that file; got {in_short(make)}"
        )
    if not isinstance(dataset.fingerprint, str) or not dataset.fingerprint:
        raise ValueError(f"dataset.fingerprint must tell it from other data, got {in_short(dataset.fingerprint)}")
    files = {*Path(__file__).parent.glob("*.py"), Path(inspect.getfile(make))}
    code = [_code_of(path.read_text(encoding="utf-8")) for path in sorted(files)]
    settings = make.__qualname__, dataset.fingerprint, seed, keras.__version__, tf.__version__
    return hashlib.sha256(repr((code, settings)).encode()).hexdigest()[:16]


@functools.cache
def _code_of(text: str) -> str:
    """Return what a file holds without its comments and docstrings, which make no other network."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
