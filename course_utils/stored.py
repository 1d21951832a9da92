"""Numbers that `make results` has measured, with several seeds: kept in results/, and told as a band."""

import contextlib
import functools
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"
NUMBERS = ("no", "one", "two", "three", "four", "five")


def stored_result(name: str) -> dict[str, Any]:
    """Return what `make results` measured in an experiment with its first seed, from results/.

    Args:
        name: such as "worst_noise".

    Returns:
        The numbers by name, as the experiment wrote them.

    Raises:
        ValueError: there is no result of that name.

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
    with replacing(RESULTS / f"{name}.json") as path:
        path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def spread(result: str) -> list[float]:
    """Return what each seed gave for one number in results/.

    Args:
        result: the name of a stored result, and the way to a number in it, such as "worst_noise/full/worst_accuracy".

    Returns:
        The numbers, one a seed; seeds with which it was not measured are left out.

    Raises:
        ValueError: there is no such result, or no such number in it.

    Explained in notebook 00.
    """
    name, *way = result.split("/")
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


def beside(value: float, others: Sequence[float], form: str = ".1%") -> str:
    """Say in words how a number lies to what several seeds gave: within, or outside, which need be no mistake."""
    if not band(others):
        return ""
    shown = [float(format(number, form).rstrip("%")) for number in (min(others), value, max(others))]
    within = shown == sorted(shown)
    outside = "" if within else "; yours is outside, which happens on other machines: the sentence still holds"
    return f" ({band(others, form)}{outside})"


def machine() -> dict[str, Any]:
    """Return what else may change a number: cores and versions."""
    packages = {package: version(package) for package in ("tensorflow", "keras", "numpy")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **packages}


@functools.cache
def measured_before(notebooks: str) -> dict[str, list[float]]:
    """Return what each seed gave for all that was claimed or checked in these notebooks, by the words used there."""
    stored = [value for path in RESULTS.glob(f"{notebooks}.json") for value in _stored(path.stem)]
    texts = {text for value in stored for text in value}
    return {text: [value[text] for value in stored if text in value] for text in texts}


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write a new file to, and then move it to `path`: it is there whole, or stays as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        yield Path(folder) / path.name
        os.replace(Path(folder) / path.name, path)


def _stored(name: str) -> list[dict[str, Any]]:
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    if name not in names:
        raise ValueError(f"there is no stored result {name!r}: the names are {', '.join(names)}")
    values: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text())["values"]
    return values


def _at(value: Any, way: list[str]) -> float | None:
    """Follow the way into dicts and lists; None when no number stands at its end."""
    for step in way:
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (IndexError, KeyError, TypeError, ValueError):
            return None
    return value if isinstance(value, int | float) else None


def _numbers_in(value: Any, way: str = "") -> dict[str, float]:
    """Return every number in nested dicts, by the way to it; lists and truth values are left out."""
    if isinstance(value, dict):
        below = (_numbers_in(part, f"{way}/{name}" if way else name) for name, part in value.items())
        return {name: number for part in below for name, number in part.items()}
    return {way: value} if isinstance(value, int | float) and not isinstance(value, bool) else {}
