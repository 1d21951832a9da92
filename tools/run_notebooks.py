"""Run notebooks with the real data, store them with their outputs, and write down how long each took.

    python tools/run_notebooks.py notebooks/*.ipynb

Each runs from an empty cache folder, as it does for somebody who starts with it. The seconds go to
results/notebook_times.json, beside those of a yardstick from the same run, from which notebook 00 estimates.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import mean

from course_utils import load_mnist
from course_utils.notebook import SOLUTION, replacing, seconds_for_training, stored_result

import nbformat
from kernels import Client
from measurements import keep_result, machine, measured_run

WHAT = "How many seconds each notebook took, and beside it the yardstick of the same run."
LAST_RUN = re.compile(r"\n\n\*Last run\* .*$")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
STRIP = ["nbstripout", "--keep-output", "--keep-count", "--keep-id", "--keep-metadata-keys=cell.metadata.collapsed"]
STRIP += ["--extra-keys=metadata.language_info.version"]


def run(path: Path) -> float:
    """Execute one notebook in its own folder, save it, and return the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = KERNEL
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        client = Client(
            notebook, timeout=600, store_widget_state=False, resources={"metadata": {"path": path.parent}}
        )
        # Pictures in place of the noise lab, and networks trained anew: for this kernel, not for who calls.
        client.execute(env=os.environ | {"COURSE_CACHE_DIR": cache, "COURSE_STILLS": "1"})
    seconds = time.perf_counter() - start
    notebook.cells[0].source = LAST_RUN.sub("", notebook.cells[0].source) + last_run()
    for cell in notebook.cells:  # progress bars, which a slow machine shows and a fast one doesn't
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    with replacing(path) as new:
        new.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        subprocess.run([sys.executable, "-m", *STRIP, new], check=True)
    return seconds


def last_run() -> str:
    """Say when, with which versions and on how many cores a notebook was run."""
    found = machine()
    today = f"{date.today().day} {date.today():%B %Y}"
    versions = (
        f"Python {found['python']}, TensorFlow {found['tensorflow']}, Keras {found['keras']}, NumPy {found['numpy']}"
    )
    return f"\n\n*Last run* on {today} with {versions}, on {found['cores']} cores."


def main(paths: list[Path]) -> None:
    """Run them all; what is not run keeps its earlier seconds, brought to the yardstick of this run."""
    if load_mnist().is_stand_in:
        sys.exit("Stored outputs speak of MNIST: put mnist.npz into the folder in COURSE_DATA_DIR first.")
    seconds: dict[str, float] = {}
    yardsticks = [seconds_for_training()]  # one beside each notebook, since a machine may waver
    for path in paths:
        name = path.stem if path.parent.name == "notebooks" else f"{SOLUTION}{path.stem}"
        seconds[name] = round(run(path), 1)
        print(f"{name}: {seconds[name]} s", flush=True)
        yardsticks.append(seconds_for_training())
    yardstick, kept = mean(yardsticks), stored_result("notebook_times")
    ratio = yardstick / kept["seconds_for_training"]
    seconds = {name: round(ratio * value, 1) for name, value in kept["seconds"].items()} | seconds
    kept = {"seconds_for_training": round(yardstick, 3), "seconds": dict(sorted(seconds.items()))}
    keep_result("notebook_times", WHAT, "tools/run_notebooks.py", [measured_run(kept)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run notebooks, and store them with their outputs.")
    parser.add_argument("notebooks", type=Path, nargs="+")
    paths = parser.parse_args().notebooks
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            parser.error(f"there is no notebook {path}")
    main(paths)
