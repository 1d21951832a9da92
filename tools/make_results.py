"""Run the long experiments once for each seed: what they measure goes to results/*.json.

    make results                              all that is missing
    make results NAMES="plain interleaved"    these, all their seeds anew
    make results CHECK=1                      seed 0 of each anew (or of those named), and nothing is written: which
                                              numbers lie outside what the stored seeds showed?
    make results WORKERS=2                    two at a time, each with its share of the cores
    make results CLUSTER=tcp://…              on the workers of a Dask cluster; they need this repository and the data

The experiments stand in tools/experiments.py. Each seed is a piece of its own, written at once, so that an
interruption loses one piece at most. The seconds that the texts tell are those of seed 0: on a cluster these pieces
come first, and nothing else runs beside them. An entry says how many workers there were.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import course_utils
from course_utils.notebook import RESULTS, stored_runs

import experiments
import keras
from experiments import EXPERIMENTS
from measurements import keep_pretrained_network, keep_result, measured_run

Piece = tuple[str, int]  # an experiment's name, and a seed
Measured = tuple[dict[str, Any], dict[str, bytes]]  # an entry of the results, and .keras files by name


def stored(name: str) -> list[dict[str, Any]]:
    """Return the runs that are there, one a seed."""
    path = RESULTS / f"{name}.json"
    return stored_runs(name) if path.exists() else []


def missing(names: list[str], anew: bool) -> list[Piece]:
    """List what is to be run: all pieces of these experiments, or those that are not there."""
    there = {} if anew else {name: {run["seed"] for run in stored(name)} for name in names}
    return [(name, s) for name in names for s in range(EXPERIMENTS[name].seeds) if s not in there.get(name, ())]


def what_is_left(pieces: list[Piece]) -> str:
    """Say how many pieces are to be run, and how long those may take that were run before."""
    last_time = {name: [run["seconds"] for run in stored(name)] for name, _ in pieces}
    seconds = sum(mean(last_time[name]) for name, _ in pieces if last_time[name])
    return f"{len(pieces)} pieces to run, some {math.ceil(seconds / 60)} minutes one after another"


def measured(name: str, seed: int, **about: Any) -> dict[str, Any]:
    """Run one experiment with one seed, and return what there is to keep."""
    print(f"{name}, seed {seed} …", flush=True)
    keras.utils.set_random_seed(seed)  # so that it matters not what was run before
    start = time.perf_counter()
    values = EXPERIMENTS[name].run(seed)
    seconds = round(time.perf_counter() - start)
    print(f"{name}, seed {seed}: {seconds} s", flush=True)
    return measured_run(values, seed, seconds=seconds, **about)


def keep(name: str, seed: int, entry: dict[str, Any]) -> None:
    """Write one piece to its place among the others."""
    experiment = EXPERIMENTS[name]
    runs = {run["seed"]: run for run in stored(name)} | {seed: entry}
    runs = [runs[one] for one in sorted(runs) if one < experiment.seeds]
    keep_result(name, experiment.what, f"tools/experiments.py: {name}", runs)
    print(f"{name}: {len(runs)} of {experiment.seeds} seeds are there", flush=True)


def run(pieces: list[Piece]) -> list[str]:
    """Run pieces one after another; go on when one fails, and return what happened to it."""
    failed = []
    for name, seed in pieces:
        try:
            keep(name, seed, measured(name, seed))
        except Exception as error:  # the others go on
            failed.append(f"{name}, seed {seed}: {type(error).__name__}: {error}")
    return failed


def run_on(client: Any, pieces: list[Piece]) -> list[str]:
    """Run pieces on the workers of a Dask cluster: first those whose seconds are told, each of them alone."""
    from distributed import as_completed

    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    alone, together = ([piece for piece in pieces if (piece[1] == 0) is first] for first in (True, False))
    failed = []
    for some in (*([piece] for piece in alone), together):
        about = {"workers": workers if some is together else 1}
        futures = {client.submit(in_worker(), *piece, about, pure=False): piece for piece in some}
        for future in as_completed(futures):
            name, seed = futures[future]
            if future.status != "finished":
                failed.append(f"{name}, seed {seed}: {future.exception()!r}")
                continue
            entry, networks = future.result()
            keep_networks(networks)
            keep(name, seed, entry)
    return failed


def in_worker() -> Any:
    """Return what a worker calls for a piece; it travels as code, since no worker knows this folder."""

    def call(name: str, seed: int, about: dict[str, Any]) -> Measured:
        import importlib.util
        import sys
        from pathlib import Path

        course = importlib.util.find_spec("course_utils").origin
        sys.path[:0] = [tools] if (tools := str(Path(course).parent.parent / "tools")) not in sys.path else []
        import make_results

        return make_results.piece(name, seed, about)

    return call


def piece(name: str, seed: int, about: dict[str, Any]) -> Measured:
    """Measure in a worker; the networks that it would write go to who asked, who alone writes."""
    networks: dict[str, bytes] = {}

    def take(network: keras.Model, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            network.save(path := Path(folder) / "network.keras")
            networks[name] = path.read_bytes()

    experiments.keep_pretrained_network = take
    return measured(name, seed, **about), networks


def keep_networks(networks: dict[str, bytes]) -> None:
    """Write the networks that a worker has sent."""
    for name, content in networks.items():
        with tempfile.TemporaryDirectory() as folder:
            (path := Path(folder) / "network.keras").write_bytes(content)
            keep_pretrained_network(keras.saving.load_model(path, compile=False), name)


def client_of(workers: int, address: str) -> Any:
    """Open a client of a cluster: one elsewhere, or of workers on this machine, which share its cores."""
    from course_utils.cluster import local_client

    from distributed import Client

    return Client(address) if address else local_client(workers, max(1, (os.cpu_count() or 1) // workers))


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


def main(names: list[str], check: bool = False, workers: int = 0, address: str = "") -> None:
    """Run what is missing or named, or check; go on when one fails, and say so at the end."""
    for name in names:
        if name not in EXPERIMENTS:
            sys.exit(f"there is no experiment {name!r}: the names are {', '.join(EXPERIMENTS)}")
    anew, names = bool(names), names or list(EXPERIMENTS)
    for name in names:
        if EXPERIMENTS[name].data().is_stand_in:
            sys.exit(f"{name} needs the real data: put them into the folder in COURSE_DATA_DIR first.")
    experiments.keeps_networks = not check
    if check:
        failed = []
        for name in names:
            try:
                failed += outside(name)
            except Exception as error:  # the others go on
                failed.append(f"{name}: {type(error).__name__}: {error}")
        print("\n".join(failed or ["All numbers lie within what the seeds showed."]))
    else:
        pieces = missing(names, anew)
        print(what_is_left(pieces), flush=True)
        if workers or address:
            with client_of(workers, address) as client:
                failed = run_on(client, pieces)
        else:
            failed = run(pieces)
        print("\n".join(["Not done:", *failed] if failed else []), flush=True)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the experiments that are missing or named, or check them.")
    parser.add_argument("--check", action="store_true", help="measure seed 0 again, and compare")
    parser.add_argument("--workers", type=int, default=0, help="so many processes on this machine")
    parser.add_argument("--cluster", default="", help="the address of a Dask scheduler")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    course_utils.start_notebook()
    main(arguments.names, arguments.check, arguments.workers, arguments.cluster)
