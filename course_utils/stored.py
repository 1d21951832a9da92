"""What is kept in files: numbers that `make results` has measured with several seeds, told as a band; networks."""

import contextlib
import functools
import json
import math
import os
import platform
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from course_utils.checks import in_short

import keras
import pooch

RESULTS = Path(__file__).parent.parent / "results"
NUMBERS = ("no", "one", "two", "three", "four", "five")
say_once = functools.cache(print)  # the same sentence, once in a session


class Damaged(ValueError):
    """Raised where a file of results/ cannot be read, or holds something else than it should."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} is damaged or cannot be read: 'git checkout results' fetches it again")


def stored_result(name: str) -> dict[str, Any]:
    """Return what `make results` measured in an experiment with its first seed, from results/.

    Args:
        name: such as "worst_noise".

    Returns:
        The numbers by name, as the experiment wrote them.

    Raises:
        TypeError: the name is no text.
        ValueError: there is no result of that name, or its file is damaged.

    Explained in notebook 05.
    """
    return _stored(name)[0]


def keep_result(
    name: str, what: str, made_by: dict[str, Any], runs: list[dict[str, Any]], values: list[dict[str, Any]]
) -> None:
    """Write a result to results/: what it is, what made it, and for each seed how it was run and what it gave."""
    numbers = [_numbers_in(value) for value in values]
    summary = {
        way: {"median": median(found), "lowest": min(found), "highest": max(found)}
        for way in numbers[0]
        if len(found := [one[way] for one in numbers if way in one]) > 1
    }
    kept = {"what": what, "made_by": made_by, "summary": summary, "runs": runs, "values": values}
    write_json(RESULTS / f"{name}.json", kept)


def spread(result: str) -> list[float]:
    """Return what each seed gave for one number in results/.

    Args:
        result: the name of a stored result, and the way to a number in it, such as "worst_noise/full/worst_accuracy".

    Returns:
        The numbers, one a seed; seeds with which it was not measured are left out.

    Raises:
        TypeError: it is no text.
        ValueError: there is no such result, no such number in it, or its file is damaged.

    Explained in notebook 00.
    """
    name, *way = result.split("/") if isinstance(result, str) else [result]
    found = [number for value in _stored(name) if (number := _at(value, way)) is not None]
    if not found:
        raise ValueError(f"there is no number {'/'.join(way)!r} in the stored result {name!r}")
    return found


def band(values: Sequence[float], form: str = ".1%") -> str:
    """Say in words between which values several seeds lay; nothing where they do not differ at all."""
    if len(set(values)) < 2:
        return ""
    lowest, highest = format(min(values), form), format(max(values), form)
    count = NUMBERS[len(values)] if len(values) < len(NUMBERS) else len(values)
    return f"{count} seeds {lowest} – {highest}" if lowest != highest else f"{count} seeds all {lowest}"


def limits_in_words(low: float, high: float, form: str = ".1%") -> str:
    """Say in words which numbers lie from `low` to `high`; either may be infinite."""
    if low == high:
        return format(low, form)
    if high == math.inf:
        return f"at least {format(low, form)}"
    return f"at most {format(high, form)}" if low == -math.inf else f"{format(low, form)} to {format(high, form)}"


def beside(value: float, others: Sequence[float], form: str = ".1%") -> str:
    """Say in words how a number lies to what several seeds gave: within, or outside, which need be no mistake."""
    if not band(others):
        return ""
    ends = min(others), max(others)
    within = ends[0] <= value <= ends[1] or format(value, form) in (format(end, form) for end in ends)
    outside = "" if within else "; yours is outside, which happens on other machines: the sentence still holds"
    return f" ({band(others, form)}{outside})"


def machine() -> dict[str, Any]:
    """Return what else may change a number: cores and versions."""
    packages = {package: version(package) for package in ("tensorflow", "keras", "numpy")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **packages}


@functools.cache
def measured_before(notebooks: str) -> dict[str, list[float]]:
    """Return what each seed gave for all that was claimed or checked in these notebooks, by the words used there.

    What is damaged is said and left out: a claim holds or fails without it.
    """
    stored = []
    for path in sorted(RESULTS.glob(f"{notebooks}.json")):
        try:
            stored += _stored(path.stem)
        except Damaged as error:
            say_once(f"{error}. Until then its numbers are left out.")
    texts = {text for value in stored for text in value}
    return {text: [number for value in stored if (number := _at(value, [text])) is not None] for text in texts}


def others(text: str, result: str) -> list[float]:
    """Return what each seed gave for a claim; nothing where that is damaged, which is said."""
    try:
        return spread(result) if result else measured_before("notebook_[0-9]*").get(text, [])
    except Damaged as error:
        say_once(f"{error}. Until then its numbers are left out.")
        return []


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file of results/ holds: a dict.

    Raises:
        Damaged: it cannot be read, or holds something else.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise Damaged(path) from None
    if not isinstance(kept, dict):
        raise Damaged(path)
    return kept


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


def read_network(path: Path, comment: str = "") -> keras.Model | None:
    """Return the network of a file with this comment; None when there is none, or one that cannot be used."""
    if not os.path.exists(path):  # unlike Path.exists, it never raises
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment != comment.encode():
                print(f"The kept network {path.name} is another one than its name says; it is made anew.")
                return None
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # a damaged file can fail anywhere between zip, JSON and HDF5
        print(f"The kept network {path.name} cannot be read ({type(error).__name__}); it is made anew.")
        return None


def write_network(network: keras.Model, path: Path, comment: str = "") -> None:
    """Write the file whole or not at all, with a comment by which it can be told from others."""
    with replacing(path) as new:
        network.save(new)
        with zipfile.ZipFile(new, "a") as archive:
            archive.comment = comment.encode()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process after the other do something; the system frees the lock of one that is killed.

    Where the disk knows no locks, as some in a network, it goes on without.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        with contextlib.suppress(OSError):
            _lock(file.fileno())
        yield


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _stored(name: str) -> list[dict[str, Any]]:
    if not isinstance(name, str):
        raise TypeError(f"the name of a stored result must be a text, such as 'worst_noise', got {in_short(name)}")
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    if name not in names:
        known = f"the names are {', '.join(names)}" if names else "none is here, 'git checkout results' fetches them"
        raise ValueError(f"there is no stored result {name!r}: {known}")
    path = RESULTS / f"{name}.json"
    values = read_json(path).get("values")
    if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
        raise Damaged(path)
    return values


def _at(value: Any, way: list[str]) -> float | None:
    """Follow the way into dicts and lists; None when no number stands at its end."""
    for step in way:
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (IndexError, KeyError, TypeError, ValueError):
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers_in(value: Any, way: str = "") -> dict[str, float]:
    """Return every number in nested dicts, by the way to it; lists and truth values are left out."""
    if isinstance(value, dict):
        below = (_numbers_in(part, f"{way}/{name}" if way else name) for name, part in value.items())
        return {name: number for part in below for name, number in part.items()}
    return {} if (number := _at(value, [])) is None else {way: number}
