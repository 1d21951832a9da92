"""Run the long experiments once for each seed: what they measure goes to results/*.json.

    make results                              all that is missing
    make results NAMES="plain interleaved"    these, all their seeds anew
    make results CHECK=1                      seed 0 of each anew (or of those named), and nothing is written: which
                                              numbers lie outside what the stored seeds showed?

The experiments stand in tools/experiments.py. Each seed is a piece of its own, written at once, so that an
interruption loses one piece at most.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import math
import sys
import time
from collections.abc import Iterator
from statistics import mean
from typing import Any

import course_utils
from course_utils.notebook import RESULTS, stored_runs

import experiments
import keras
from experiments import EXPERIMENTS
from measurements import keep_result, measured_run


def stored(name: str) -> list[dict[str, Any]]:
    """Return the runs that are there, one a seed."""
    path = RESULTS / f"{name}.json"
    return stored_runs(name) if path.exists() else []


def what_is_left(names: list[str], anew: bool) -> str:
    """Say how many pieces are still to be run, and how long those may take that were run before."""
    pieces = {name: EXPERIMENTS[name].seeds - (0 if anew else len(stored(name))) for name in names}
    last_time = {name: [run["seconds"] for run in stored(name)] for name in names}
    seconds = sum(max(0, count) * mean(last_time[name]) for name, count in pieces.items() if last_time[name])
    return f"{sum(max(0, count) for count in pieces.values())} pieces to run, some {math.ceil(seconds / 60)} minutes"


def measured(name: str, seed: int) -> dict[str, Any]:
    """Run one experiment with one seed, and return what there is to keep."""
    print(f"{name}, seed {seed} …", flush=True)
    keras.utils.set_random_seed(seed)  # so that it matters not what was run before
    start = time.perf_counter()
    values = EXPERIMENTS[name].run(seed)
    seconds = round(time.perf_counter() - start)
    print(f"{name}, seed {seed}: {seconds} s", flush=True)
    return measured_run(values, seed, seconds=seconds)


def run(name: str, anew: bool = False) -> None:
    """Run what is missing of one experiment, or all of it, seed by seed."""
    experiment, runs = EXPERIMENTS[name], stored(name)
    for seed in range(0 if anew else len(runs), experiment.seeds):
        runs = [*runs[:seed], measured(name, seed), *runs[seed + 1 : experiment.seeds]]
        keep_result(name, experiment.what, f"tools/experiments.py: {name}", runs)
    print(f"{name}: {len(runs)} of {experiment.seeds} seeds are there", flush=True)


def numbers_in(value: Any, way: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number and truth value in nested dicts and lists, but for times, with the way to it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        if "seconds" not in str(key):
            yield from numbers_in(part, f"{way}/{key}" if way else str(key))
    if isinstance(value, int | float):
        yield way, value


def room(before: list[float]) -> float:
    """How far may a number lie outside? One seed shows no range, and on other threads some images fall otherwise."""
    return 1e-9 if len(before) > 1 else 0.005 * max(1.0, abs(before[0]))


def outside(name: str) -> list[str]:
    """Measure seed 0 again; say which of its numbers lie outside what the stored seeds showed, or are new or gone."""
    seeds = [dict(numbers_in(run["values"])) for run in stored(name)]
    if not seeds:
        return [f"{name}: there is no stored result; 'make results NAMES={name}' measures it"]
    again, found = dict(numbers_in(measured(name, 0)["values"])), []
    for way in sorted({*again, *seeds[0]}):
        before = [one[way] for one in seeds if way in one]
        if way not in again or not before:
            found.append(f"{name}: {way} is {'stored, and not measured' if before else 'measured, and not stored'}")
        elif not min(before) - room(before) <= again[way] <= max(before) + room(before):
            found.append(f"{name}: {way} is {again[way]:g}; the seeds showed {min(before):g} to {max(before):g}")
    return found


def main(names: list[str], check: bool = False) -> None:
    """Run what is missing or named, or check; go on when one fails, and say so at the end."""
    for name in names:
        if name not in EXPERIMENTS:
            sys.exit(f"there is no experiment {name!r}: the names are {', '.join(EXPERIMENTS)}")
    anew, names, failed, found = bool(names), names or list(EXPERIMENTS), [], []
    for name in names:
        if EXPERIMENTS[name].data().is_stand_in:
            sys.exit(f"{name} needs the real data: put them into the folder in COURSE_DATA_DIR first.")
    experiments.keeps_networks = not check
    for name in names:
        try:
            if check:
                found += outside(name)
            else:
                print(what_is_left(names, anew), flush=True)
                run(name, anew)
        except Exception as error:  # the others go on
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            failed.append(name)
    print("\n".join(found or ["All numbers lie within what the seeds showed."] if check else []))
    if failed or found:
        sys.exit(f"Not done: {', '.join(failed)}." if failed else 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the experiments that are missing or named, or check them.")
    parser.add_argument("--check", action="store_true", help="measure seed 0 again, and compare")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    course_utils.start_notebook()
    main(arguments.names, arguments.check)
