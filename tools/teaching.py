"""A teacher's tools: a folder for students, slides, and who has reached what.

make handout     build/handout: notebooks without outputs, exercises without solutions, and start.py
make slides      build/slides: notebooks 00 and 04, or those in NOTEBOOKS
make progress STUDENTS=folder
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import os
import re
import shutil
import tempfile
import time
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

from translations import NOTEBOOKS, ROOT, Language

import nbformat
from kernels import Client
from make_exercises import keep_unless_worked_in, made_from
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import SlidesExporter
from nbconvert.preprocessors import ClearOutputPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

BUILT = ROOT / "build"
COPIED = ("course_utils", "results", "notebooks", "LICENSE", "environment.yml", "pyproject.toml", "requirements.txt")
# What Colab and Kaggle have not; their own TensorFlow and NumPy stay as they are.
MISSING_THERE = ("adversarial-robustness-toolbox", "anywidget", "pooch")
FETCH = """# On Colab and Kaggle this cell fetches the course; elsewhere it does nothing.
import os
import sys

if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    if not os.path.exists("course"):
        !git clone --quiet --depth 1 {repository} course
        %pip install --quiet {packages}
    sys.path.insert(0, os.path.abspath("course"))
    os.chdir("course/{folder}")"""
# Beside what a check tells the reader, it tells the teacher's tool; no other text has its key.
LISTEN = """
from course_utils.exercises.core import Question as _Question
def _telling(check):
    def told(self, answer):
        outcome = check(self, answer)
        print(f"{key} {{self.number}} {{outcome.state}}")
        return outcome
    return told
_Question.check = _telling(_Question.check)
"""
MARKS = {"reached": "✓", "not yet": "✗", "not attempted": "·"}


def handout(folder: Path, language: str = "en", repository: str = "") -> None:
    """Make a folder for students. With the repository's address, its notebooks also start on Colab and Kaggle."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__", ".*", "app"))
        else:
            shutil.copyfile(ROOT / name, place)
    shutil.copyfile(ROOT / "tools" / "start.py", folder / "start.py")
    words = folder / "course_utils" / "lab" / "words"
    (words / "en.json").write_bytes((words / f"{language}.json").read_bytes())
    for path in NOTEBOOKS:
        place, solved = folder / path.relative_to(ROOT), path.parent.name == "solutions"
        notebook = nbformat.read(path, as_version=4)
        if language != "en":
            translation = Language(language)
            notebook = translation.notebook(path, translation.read(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
        if solved:
            exercise = made_from(place)
            # Hints are fetched from there; the rest stays with the teacher.
            notebook.cells = [cell for cell in notebook.cells if "hint" in cell.metadata.get("tags", [])]
            nbformat.write(notebook, place)
            notebook, place = exercise, place.parent.parent / path.name
        else:
            notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
        if repository:
            notebook.cells.insert(1, new_code_cell(fetching(repository, place.parent.name)))
        place.unlink(missing_ok=True)
        keep_unless_worked_in(notebook, place)
    print(f"For your students: {folder}. Put `wheelhouse` (make wheelhouse) and `data` into it for a room offline.")


def fetching(repository: str, folder: str) -> str:
    """Return the cell that fetches the course where it is not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = " ".join(f'"{one}"' for one in project["dependencies"] if one.startswith(MISSING_THERE))
    return FETCH.format(repository=repository, packages=packages, folder=folder)


def slides(paths: list[Path], folder: Path, reveal: str = "") -> None:
    """Make slides: a section goes down, the next one to the right; an answer waits for a click."""
    folder.mkdir(parents=True, exist_ok=True)
    exporter = SlidesExporter(reveal_scroll=True)
    if reveal:
        exporter.reveal_url_prefix = reveal
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            cell.metadata["slideshow"] = {"slide_type": slide_type(cell)}
        text, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(path.parent), "name": path.stem}})
        (folder / f"{path.stem}.slides.html").write_text(text, encoding="utf-8", newline="\n")
        print(folder / f"{path.stem}.slides.html")
    if (paths[0].parent / "images").exists():
        shutil.copytree(paths[0].parent / "images", folder / "images", dirs_exist_ok=True)


def slide_type(cell: NotebookNode) -> str:
    """Return where a cell stands in a talk; "-" is below the one before."""
    if cell.cell_type == "markdown":
        return "slide" if cell.source.startswith("#") else "subslide"
    if "hide-cell" in cell.metadata.get("tags", []):
        return "fragment"
    return "skip" if cell.source.startswith(("import ", "from ")) else "-"


def progress(folder: Path, minutes: float) -> Iterator[str]:
    """Run the exercises of a folder, each in a kernel of its own, and yield a line for each."""
    for path in sorted(folder.rglob("*.ipynb")):
        name = path.relative_to(folder).as_posix()
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # whatever a student may hand in
            yield f"{name}: cannot be read ({type(error).__name__})"
            continue
        asked = sorted({int(number) for number in re.findall(r"\bquestion_(\d+)\.check\(", code(notebook))})
        if asked:
            states, trouble = checked(notebook, minutes)
            marks = " ".join(f"{number} {MARKS[states.get(number, 'not attempted')]}" for number in asked)
            yield f"{name}: {marks}{trouble}"


def code(notebook: NotebookNode) -> str:
    """Return all code of a notebook."""
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def checked(notebook: NotebookNode, minutes: float) -> tuple[dict[int, str], str]:
    """Run a notebook for so many minutes at most; return the state of each question, and what went wrong."""
    key, end, trouble = uuid.uuid4().hex, time.monotonic() + 60 * minutes, ""
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    notebook.cells.insert(0, new_code_cell(LISTEN.format(key=key)))
    with tempfile.TemporaryDirectory() as empty:
        client = Client(
            notebook, allow_errors=True, kernel_name="python3", resources={"metadata": {"path": empty}},
            timeout_func=lambda _: max(1, int(end - time.monotonic())), store_widget_state=False,
        )  # fmt: skip
        try:
            client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
        except CellTimeoutError:
            trouble = f"   stopped after {minutes:g} minutes"
        except DeadKernelError:
            trouble = "   its kernel died"
    told = "\n".join(one.text for cell in notebook.cells for one in cell.get("outputs", ()) if "text" in one)
    found = re.findall(rf"^{key} (\d+) (.*)$", told, re.MULTILINE)
    return {int(number): state for number, state in found}, trouble


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A teacher's tools.")
    tools = parser.add_subparsers(dest="tool", required=True)
    tool = tools.add_parser("handout", help="make a folder for students")
    tool.add_argument("--language", default="en")
    tool.add_argument("--repository", default="", help="the address that Colab and Kaggle fetch the course from")
    tool = tools.add_parser("slides", help="make slides of notebooks")
    tool.add_argument("notebooks", type=Path, nargs="+")
    tool.add_argument("--reveal", default="", help="where reveal.js lies; on the web when left out")
    tool = tools.add_parser("progress", help="say which questions were reached in a folder of exercises")
    tool.add_argument("folder", type=Path)
    tool.add_argument("--minutes", type=float, default=10, help="for one notebook, at most")
    given = parser.parse_args()
    if given.tool == "handout":
        handout(BUILT / "handout", given.language, given.repository)
    elif given.tool == "slides":
        slides(given.notebooks, BUILT / "slides", given.reveal)
    else:
        if not given.folder.is_dir():
            parser.error(f"there is no folder {given.folder}")
        for line in progress(given.folder, given.minutes):
            print(line, flush=True)
