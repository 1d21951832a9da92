"""Run notebooks with the real data, store them with their outputs, and write down how long each took.

    python tools/run_notebooks.py notebooks/*.ipynb

Each runs from an empty cache folder, as it does for somebody who starts with it. The seconds go to
results/notebook_times.json, beside those of a yardstick from the same run, from which notebook 00 estimates.
"""

import json
import os
import re
import sys
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

from course_utils import load_mnist
from course_utils.results import SOLUTION, seconds_for_training
from course_utils.stored import keep_result, stored_result

import nbformat
from experiments import EXPERIMENTS, LIBRARY, Experiment, machine, source_of
from nbclient import NotebookClient

WHAT = "How many seconds each notebook took, and beside it the yardstick of the same run."
IN_COLOUR = ("08_cifar10", "09_imagenet")
TELL = "import json\nfrom course_utils.results import MEASURED\nprint(json.dumps(MEASURED))"
LAST_RUN = re.compile(r"\n\n\*Last run\* .*$")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def run(path: Path) -> float:
    """Execute one notebook in its own folder, save it, and return the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = KERNEL
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["COURSE_CACHE_DIR"] = cache
        NotebookClient(
            notebook, timeout=600, store_widget_state=False, resources={"metadata": {"path": path.parent}}
        ).execute()
    seconds = time.perf_counter() - start
    notebook.cells[0].source = LAST_RUN.sub("", notebook.cells[0].source) + last_run()
    for cell in notebook.cells:  # progress bars, which a slow machine shows and a fast one doesn't
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    nbformat.write(notebook, path)
    return seconds


def last_run() -> str:
    """Say when, with which versions and on how many cores a notebook was run."""
    found = machine()
    today = f"{date.today():%-d %B %Y}"
    versions = (
        f"Python {found['python']}, TensorFlow {found['tensorflow']}, Keras {found['keras']}, NumPy {found['numpy']}"
    )
    return f"\n\n*Last run* on {today} with {versions}, on {found['cores']} cores."


def measured(path: Path, seed: int) -> dict[str, float]:
    """Run a notebook with a seed, and return what it claims and what its checks measure, by the words used there."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TELL))
    os.environ["COURSE_SEED"] = str(seed)
    NotebookClient(notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": path.parent}}).execute()
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
    for path in sorted(Path("notebooks").glob("*.ipynb")) + sorted(Path("exercises/solutions").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        kind = "notebook" if path.parent.name == "notebooks" else "solution"
        EXPERIMENTS[f"{kind}_{path.stem}"] = Experiment(
            partial(measured, path.absolute()),
            cells[0].source.splitlines()[0].lstrip("# "),
            {"function": str(path)},
            3 if path.stem in IN_COLOUR else 5,
            lambda code=code: source_of(*LIBRARY) + code,
            load_mnist,
        )


def main(paths: list[Path]) -> None:
    """Run them all; what is not run keeps its earlier seconds, brought to the yardstick of this run."""
    if load_mnist().is_stand_in:
        sys.exit("Stored outputs speak of MNIST: put mnist.npz into the folder in COURSE_DATA_DIR first.")
    kept = stored_result("notebook_times")
    yardstick = seconds_for_training()
    ratio = yardstick / kept["seconds_for_training"]
    seconds = {name: round(ratio * value, 1) for name, value in kept["seconds"].items()}
    for path in paths:
        name = path.stem if path.parent.name == "notebooks" else f"{SOLUTION}{path.stem}"
        seconds[name] = round(run(path), 1)
        print(f"{name}: {seconds[name]} s")
    kept = {"seconds_for_training": round(yardstick, 3), "seconds": dict(sorted(seconds.items()))}
    keep_result("notebook_times", WHAT, {"function": "tools/run_notebooks.py"}, [{"seed": 0, **machine()}], [kept])


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
