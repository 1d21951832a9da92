"""The form of the notebooks: what a reader finds in every one of them, and what must never be stored."""

import ast
import json
import re
from itertools import pairwise

from course_utils.notebook import stored_result

import nbformat
import pytest
from helpers import ROOT
from IPython.core.interactiveshell import InteractiveShell

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
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


@pytest.mark.parametrize("path", [*PATHS, *SOLUTIONS], ids=lambda path: path.stem)
def test_every_picture_says_what_it_shows(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                assert output.metadata.get("image/png", {}).get("alt"), f"make notebooks NOTEBOOKS={path.name}"
        assert not re.search(r"!\[\s*\]", cell.source)


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


def test_each_prediction_is_written_down_before_its_answer_can_be_seen(notebook):
    shows = re.compile(r"^(?!def |class | ).*(\b(print|claim)\(|plt\.show\()", flags=re.MULTILINE)
    asked = False
    for cell, following in pairwise([*notebook.cells, None]):
        if cell.cell_type == "markdown":
            asked = "**Predict.**" in cell.source
            assert not asked or re.fullmatch(r"(my_guess = )?predict\(\.\.\.\)", following.source), cell.source
        elif asked and shows.search(cell.source) and "predict(..." not in cell.source:
            folded = cell.metadata.get("jupyter", {})
            assert folded == {"source_hidden": True, "outputs_hidden": True}, cell.source
            assert cell.metadata.get("collapsed"), "JupyterLab adds it when the notebook is only opened"
            assert "hide-cell" in cell.metadata.get("tags", []), "the book folds by this tag"
            assert cell.source.startswith("# The answer\n"), "JupyterLab shows the first line of a folded cell"


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
            assert "fallback" not in output.get("text", "")


def test_no_code_cell_is_longer_than_a_screen(notebook):
    assert max(len(lines(cell.source)) for cell in code_cells(notebook)) <= 30


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
            assert re.search(r"\b(set_title|suptitle)\(", cell.source)
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


def private_names(code):
    """What some code imports, calls or takes from elsewhere that begins with one underscore."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [part for one in node.names for part in one.name.split(".")]
            found += (getattr(node, "module", None) or "").split(".")
        elif isinstance(node, ast.Attribute):
            found.append(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.append(node.func.id)
    return [name for name in found if name.startswith("_") and not name.startswith("__")]


EVERY_PATH = [*PATHS, *sorted((ROOT / "notebooks" / "app").glob("*.ipynb")), *EXERCISES, *SOLUTIONS]


@pytest.mark.parametrize("path", EVERY_PATH, ids=lambda path: path.relative_to(ROOT).with_suffix("").as_posix())
def test_it_uses_no_private_name(path):
    transform = InteractiveShell.instance().transform_cell
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert private_names(transform(cell.source)) == []


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from course_utils._gradients import image_gradient", ["_gradients"]),
        ("from course_utils.search import _starts", ["_starts"]),
        ("import course_utils._checks as checks", ["_checks"]),
        ("course_utils.attacks._Attacks(network)", ["_Attacks"]),
        ("_helper(3)", ["_helper"]),
        ("for _ in range(3): first, _ = pair", []),
        ("super().__init__()", []),
    ],
)
def test_private_names_are_recognised(code, names):
    assert private_names(code) == names


def test_the_minutes_it_promises_are_those_that_were_measured(name, notebook):
    promised = float(re.search(r"\*Time:\* about (\d+) minutes?", notebook.cells[0].source)[1])
    kept = stored_result("notebook_times")
    assert name in kept["seconds"], f"make notebooks NOTEBOOKS=notebooks/{name}.ipynb"
    measured = kept["seconds"][name] * ORDINARY_LAPTOP / kept["seconds_for_training"] / 60
    assert measured <= 3.05, "no notebook may take more than three minutes"
    assert measured - 0.5 <= promised <= measured + 1
