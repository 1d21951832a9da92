"""The form of the notebooks: what a reader finds in every one of them, and what must never be stored."""

import ast
import json
import re
from pathlib import Path

from course_utils.stored import stored_result

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "exercises" / "solutions").glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
# The promised minutes speak of a laptop on which the yardstick of notebook_times.json takes so many seconds, and
# the course's network therefore twelve.
ORDINARY_LAPTOP = 1.2
OPENING = "import course_utils\n\nseed = course_utils.start_notebook()"


@pytest.fixture(params=NOTEBOOKS)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return NOTEBOOKS[name]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def lines(source):
    return [line for line in source.splitlines() if line.strip()]


def percentile(values, share):
    return sorted(values)[round(share * (len(values) - 1))]


def test_the_notebooks_are_numbered_from_zero():
    assert [stem[:2] for stem in NOTEBOOKS] == [f"{number:02}" for number in range(len(NOTEBOOKS))]
    assert len(NOTEBOOKS) >= 5


def test_it_is_valid_and_its_cells_can_be_told_apart(notebook):
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_it_opens_like_all_others(name, notebook):
    first, second = notebook.cells[0], notebook.cells[1]
    assert first.cell_type == "markdown"
    assert first.source.startswith(f"# {name[:2]} · ")
    assert "?**" in first.source or "?" in first.source.split("\n\n")[1]  # the question, in bold
    for part in ("*You will be able to*", "*Time:*", "on 2 cores", "*Needs:*"):
        assert part in first.source
    assert second.source == OPENING
    imports = next(cell for cell in notebook.cells[2:] if cell.cell_type == "code")
    assert "from course_utils import" in imports.source


def test_it_has_the_skeleton_of_a_lesson(name, notebook):
    text = markdown(notebook)
    assert "## Summary" in text
    if name != "00_start_here":
        assert text.count("**Predict.**") >= 3
        assert "## What could be wrong with this?" in text
        assert "## Try it" in text


def test_it_was_run_once_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook) if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", [*PATHS, *SOLUTIONS], ids=lambda path: path.stem)
def test_it_says_when_and_with_which_versions_it_was_last_run(path):
    notebook = nbformat.read(path, as_version=4)
    day, versions = r"\d+ \w+ 20\d\d", r"Python 3[\d.]+, TensorFlow 2[\d.]+, Keras 3[\d.]+, NumPy 2[\d.]+"
    last = notebook.cells[0].source.splitlines()[-1]
    assert re.fullmatch(rf"\*Last run\* on {day} with {versions}, on \d+ cores\.", last)


def test_its_outputs_are_stored_and_none_is_an_error(notebook):
    shows = re.compile(r"\b(print|claim|plt\.show)\(|start_notebook\(")
    for cell in code_cells(notebook):
        assert all(output.output_type != "error" for output in cell.outputs)
        in_function = all(line.startswith((" ", "def ", "@")) for line in lines(cell.source))
        if cell.metadata.get("keep_output", True) and shows.search(cell.source) and not in_function:
            assert cell.outputs, cell.source
        if not cell.metadata.get("keep_output", True):
            assert not cell.outputs, "progress bars are not stored"


def test_nothing_is_stored_that_belongs_to_one_machine(notebook):
    stored = json.dumps(notebook)
    assert "widget-state" not in stored
    assert "widget-view" not in stored
    assert not re.search(r"/(home|root|Users|tmp|work)/", stored)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info


def test_its_figures_are_small_and_all_of_it_is_the_real_data(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            image = output.get("data", {}).get("image/png", "")
            assert len(image) < 400_000  # a photograph with noise in it compresses badly
            assert "stand-in" not in output.get("text", "")


def test_code_cells_are_short(notebook):
    lengths = [len(lines(cell.source)) for cell in code_cells(notebook)]
    assert percentile(lengths, 0.5) <= 5
    assert percentile(lengths, 0.9) <= 14
    assert max(lengths) <= 30


def test_there_is_more_to_read_than_to_run(name, notebook):
    words = len(markdown(notebook).split())
    code_lines = sum(len(lines(cell.source)) for cell in code_cells(notebook))
    most = 60 if name == "00_start_here" else 20  # which explains how to use a notebook
    assert 8 <= words / code_lines <= most


def test_every_picture_has_words_for_those_who_cannot_see_it(notebook):
    text = markdown(notebook)
    assert "<img" not in text
    for words, target in re.findall(r"!\[(.*?)\]\((.*?)\)", text, flags=re.DOTALL):
        assert len(words) > 20, target


def test_figures_have_captions(notebook):
    for cell in code_cells(notebook):
        for call in re.findall(r"plot_\w+\(", cell.source):
            assert "caption=" in cell.source, call
        if "plt.subplots(" in cell.source:
            assert "set_title(" in cell.source
        if re.search(r"plot_\w+\(|plt\.subplots\(", cell.source) and "def " not in cell.source:
            assert "plt.show()" in cell.source


def test_only_magics_that_exist_and_code_that_parses(notebook):
    shell = InteractiveShell.instance()
    for cell in code_cells(notebook):
        for kind, name in re.findall(r"^\s*(%%?)(\w+)", cell.source, flags=re.MULTILINE):
            assert shell.find_magic(name, "cell" if kind == "%%" else "line"), name
        assert not re.search(r"^\s*!", cell.source, flags=re.MULTILINE), "no shell commands"
        ast.parse(shell.transform_cell(cell.source))
        assert not cell.source.rstrip().endswith(";"), "does nothing under nbval: use plt.show()"


def test_the_minutes_it_promises_are_those_that_were_measured(name, notebook):
    promised = float(re.search(r"\*Time:\* about (\d+) minutes?", notebook.cells[0].source)[1])
    kept = stored_result("notebook_times")
    measured = kept["seconds"][name] * ORDINARY_LAPTOP / kept["seconds_for_training"] / 60
    assert measured <= 3.05, "no notebook may take more than three minutes"
    assert measured - 0.5 <= promised <= measured + 1
