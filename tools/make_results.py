"""Run the long experiments once for each seed: what they measure goes to results/*.json.

    make results                                     all that is missing or out of date
    python tools/make_results.py interleaved ...     these only

The experiments stand in tools/experiments.py; each notebook and each solution is one more, whose numbers are those
that it claims or that its checks measure. One is run again when its own code, that of the library below it or the
data have changed. Each seed is a piece of its own, written at once, so that an interruption loses one piece at most.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import hashlib
import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import course_utils
from course_utils import load_mnist
from course_utils.stored import RESULTS, keep_result, machine

import keras
import nbformat
from experiments import EXPERIMENTS, LIBRARY, Experiment, source_of
from kernels import Client

ROOT = Path(__file__).absolute().parent.parent
IN_COLOUR = ("08_cifar10", "09_imagenet")
TELL = "import json\nfrom course_utils.results import MEASURED\nprint(json.dumps(MEASURED))"


def made_by(name: str) -> dict[str, Any]:
    """Return what a result depends on, the seed left out."""
    experiment = EXPERIMENTS[name]
    return {
        **experiment.made_by,
        "source": hashlib.sha256(experiment.source().encode()).hexdigest(),
        "data": experiment.data().fingerprint,
    }


def written(name: str) -> dict[str, Any]:
    """Return what its file says, whether or not that still holds; nothing where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def stored(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the runs and the values that are there and still hold, one entry a seed."""
    kept = written(name)
    if kept.get("made_by") != made_by(name):
        return [], []
    return kept["runs"], kept["values"]


def what_is_left(names: list[str]) -> str:
    """Say how many pieces are still to be run, and how long those may take that were run before."""
    pieces = {name: max(0, EXPERIMENTS[name].seeds - len(stored(name)[1])) for name in names}
    last_time = {name: [run["seconds"] for run in written(name).get("runs", [])] for name in names}
    seconds = sum(count * mean(last_time[name]) for name, count in pieces.items() if last_time[name])
    return f"{sum(pieces.values())} pieces to run, some {math.ceil(seconds / 60)} minutes"


def run(name: str) -> None:
    """Run what is missing of one experiment, seed by seed."""
    experiment = EXPERIMENTS[name]
    runs, values = stored(name)
    for seed in range(len(values), experiment.seeds):
        print(f"{name}, seed {seed} …", flush=True)
        keras.utils.set_random_seed(seed)  # so that it matters not what was run before
        start = time.perf_counter()
        values.append(experiment.run(seed))
        seconds = round(time.perf_counter() - start)
        runs.append({"seed": seed, "seconds": seconds, **machine()})
        keep_result(name, experiment.what, made_by(name), runs, values)
        print(f"{name}, seed {seed}: {seconds} s", flush=True)
    print(f"{name}: up to date, {len(values)} of {experiment.seeds} seeds", flush=True)


def measured(path: Path, seed: int) -> dict[str, float]:
    """Run a notebook with a seed, and return what it claims and what its checks measure, by the words used there."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TELL))
    client = Client(notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": path.parent}})
    client.execute(env={**os.environ, "COURSE_SEED": str(seed)})
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    errors = [output.evalue for output in outputs if output.output_type == "error"]
    told = json.loads(outputs[-1].text)
    texts = [text for text, _ in told]
    errors += [f"claimed twice: {text}" for text in sorted({text for text in texts if texts.count(text) > 1})]
    if errors:
        raise RuntimeError("\n  ".join([f"seed {seed}", *errors]))
    return dict(told)


def enter_notebooks() -> None:
    """Enter every notebook and every solution as an experiment; photographs are slow, so three seeds for them."""
    for path in sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("exercises/solutions/*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        kind = "notebook" if path.parent.name == "notebooks" else "solution"
        EXPERIMENTS[f"{kind}_{path.stem}"] = Experiment(
            partial(measured, path),
            cells[0].source.splitlines()[0].lstrip("# "),
            {"function": path.relative_to(ROOT).as_posix()},
            3 if path.stem in IN_COLOUR else 5,
            lambda code=code: source_of(*LIBRARY) + code,
            load_mnist,
        )


def main(names: list[str]) -> None:
    """Run what is missing or out of date; go on when one fails, and say so at the end."""
    failed = []
    names = names or list(EXPERIMENTS)
    for name in names:
        if name not in EXPERIMENTS:
            sys.exit(f"there is no experiment {name!r}: the names are {', '.join(EXPERIMENTS)}")
        if EXPERIMENTS[name].data().is_stand_in:
            sys.exit(f"{name} needs the real data: put them into the folder in COURSE_DATA_DIR first.")
    for name in names:
        print(what_is_left(names), flush=True)
        try:
            run(name)
        except RuntimeError as error:
            print(f"{name}: {error}", flush=True)
            failed.append(name)
    if failed:
        sys.exit(f"Not done: {', '.join(failed)}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the experiments that are missing or out of date.")
    parser.add_argument("names", nargs="*")
    names = parser.parse_args().names
    course_utils.start_notebook()
    enter_notebooks()
    main(names)
