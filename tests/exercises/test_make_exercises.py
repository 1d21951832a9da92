"""The exercises as notebooks: made from their solutions, never overwritten, solved where they say so."""

import ast
import builtins
import os
import re
from pathlib import Path

from course_utils.exercises import core, questions
from tools import make_exercises

import matplotlib.pyplot as plt
import nbformat
import pytest
from answers import EXERCISES, measures_of

FOLDER = make_exercises.EXERCISES


def sources(notebook, tag=None):
    return [cell.source for cell in notebook.cells if tag is None or tag in cell.metadata.get("tags", [])]


@pytest.fixture(params=EXERCISES)
def path(request):
    return core.SOLUTIONS / f"{request.param}.ipynb"


@pytest.fixture
def solution(path):
    return nbformat.read(path, as_version=4)


def tagged(notebook, *tags):
    return [cell for cell in notebook.cells if {*tags} <= set(cell.metadata.get("tags", []))]


def test_every_exercise_has_a_solution_and_questions():
    modules = Path(core.__file__).parent.glob("ex[0-9]*.py")
    assert {path.stem.removeprefix("ex") for path in modules} == set(EXERCISES)
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(EXERCISES)
    assert all(questions(exercise) for exercise in EXERCISES)


def test_the_exercise_is_what_its_solution_makes(path, tmp_path):
    kept, made = FOLDER / path.name, tmp_path / path.name
    if make_exercises.worked_in(kept) and "CI" not in os.environ:
        pytest.skip("a reader has worked in it")  # in CI nobody is a reader: there it must be as it was made
    make_exercises.keep_unless_worked_in(make_exercises.made_from(path), made)
    assert nbformat.read(kept, as_version=4) == nbformat.read(made, as_version=4), "run 'make exercises'"


@pytest.mark.parametrize("tag", ["solution", "hint"])
def test_nothing_of_the_solution_is_left(path, solution, tag):
    exercise = make_exercises.made_from(path)
    assert sources(solution, tag)
    assert not set(sources(solution, tag)) & set(sources(exercise))
    assert not [cell for cell in exercise.cells if cell.get("outputs")]


def test_every_hint_and_solution_belongs_to_a_question(path, solution):
    numbers = {f"question-{number}" for number in range(1, len(measures_of(path.stem)) + 1)}
    for cell in tagged(solution, "hint"):
        assert cell.cell_type == "markdown"
        assert core.HINT.match(cell.source)
        assert set(cell.metadata.tags) & numbers
    assert {tag for cell in solution.cells for tag in cell.metadata.get("tags", [])} <= {"hint", "solution", *numbers}


def test_it_opens_as_an_exercise(path, solution):
    opening = solution.cells[0].source
    assert re.match(rf"# Exercise {int(path.stem[:2])} · .+\n\n\*\*.+\?\*\*\n", opening)
    for part in (r"\*Difficulty:\* [1-5] of 5", r"\*Time:\* about \d+ minutes", r"\*Needs:\*", r"\*You will learn\*"):
        assert re.search(part, opening)


def test_every_question_has_a_prediction_a_check_and_a_solution(path, solution):
    text = "\n".join(sources(solution))
    count = len(measures_of(path.stem))
    for number in range(1, count + 1):
        assert f"## Question {number}" in text
        assert f"question_{number}.check(" in text
        assert tagged(solution, "solution", f"question-{number}")
        if number < count:
            assert f"question_{number}.predict(...)" in text
    assert text.count("**Predict.**") >= count - 1
    assert "What did you find?" in text


def test_the_stored_solution_reaches_every_question(solution):
    outputs = [output for cell in solution.cells for output in cell.get("outputs", [])]
    checks = [output.data["text/plain"] for output in outputs if "text/plain" in output.get("data", {})]
    checks = [text for text in checks if text.startswith(("✓", "✗", "·"))]
    assert checks
    assert all(text.startswith("✓") for text in checks)
    assert any("assert all(question.reached" in source for source in sources(solution, "solution"))


def names_in(code):
    """What a piece of code uses, and what it makes."""
    used, made = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.arg | ast.alias):
            made.add(getattr(node, "arg", None) or node.asname or node.name)
        elif isinstance(node, ast.FunctionDef):
            made.add(node.name)
    return used, made


def test_what_solution_shows_stands_alone(path, solution):
    """A reader runs it in a notebook where the other questions have answers of their own."""
    exercise = [cell.source for cell in make_exercises.made_from(path).cells if cell.cell_type == "code"]
    known = set(dir(builtins)).union(*(names_in(source)[1] for source in exercise))
    for number in range(1, len(measures_of(path.stem)) + 1):
        shown = tagged(solution, "solution", f"question-{number}")
        used, made = names_in("\n".join(cell.source for cell in shown if cell.cell_type == "code"))
        assert used <= made | known, f"question {number} uses what only the solution of another question has"


def sections(notebook):
    """The code of a notebook: first that before the questions, then that of each question."""
    found = [[]]
    for cell in notebook.cells:
        if "## Question " in cell.source and cell.cell_type == "markdown":
            found.append([])
        if cell.cell_type == "code":
            found[-1].append(cell.source)
    return ["\n".join(cells) for cells in found]


def test_the_questions_can_be_opened_in_any_order_and_again(path, monkeypatch):
    monkeypatch.setattr("matplotlib.pyplot.show", plt.close)
    set_up, *asked = sections(make_exercises.made_from(path))
    names = {}
    exec(compile(set_up, path.stem, "exec"), names)
    for code in (*asked[::-1], set_up, asked[0]):
        alone = dict(names)
        exec(compile(code, path.stem, "exec"), alone)
        assert not any(alone[name].reached for name in alone if name.startswith("question_"))


@pytest.fixture
def folder(tmp_path):
    """A course of one exercise."""
    (tmp_path / "solutions").mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("See [05](../../notebooks/05.ipynb).", id="a"),
        nbformat.v4.new_code_cell("answer = ...", id="b"),
        nbformat.v4.new_code_cell("answer = 3", id="c", metadata={"tags": ["solution"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "solutions" / "01.ipynb")
    return tmp_path


def test_making_drops_the_solution_and_mends_the_links(folder):
    assert make_exercises.main(folder) == []
    made = nbformat.read(folder / "01.ipynb", as_version=4)
    assert sources(made) == ["See [05](../notebooks/05.ipynb).", "answer = ..."]


def test_an_exercise_that_was_only_run_is_made_anew_and_one_with_answers_stays(folder):
    make_exercises.main(folder)
    made = nbformat.read(folder / "01.ipynb", as_version=4)
    made.cells[1].outputs = [nbformat.v4.new_output("stream", text="run")]
    nbformat.write(made, folder / "01.ipynb")
    assert make_exercises.main(folder) == []
    made.cells[1].source = "answer = 4"
    nbformat.write(made, folder / "01.ipynb")
    assert make_exercises.main(folder) == ["01.ipynb"]
    assert "answer = 4" in sources(nbformat.read(folder / "01.ipynb", as_version=4))


def test_the_line_ends_of_windows_are_no_work(folder):
    make_exercises.main(folder)
    path = folder / "01.ipynb"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not make_exercises.worked_in(path)
    made = nbformat.read(path, as_version=4)
    made.cells[0].source += "\nTwo lines."
    made.metadata["exercise"]["fingerprint"] = make_exercises.fingerprint(made)
    made.cells[0].source = made.cells[0].source.replace("\n", "\r\n")
    nbformat.write(made, path)
    assert not make_exercises.worked_in(path)


def test_an_exercise_that_is_being_made_stays_whole_when_that_ends_early(folder, monkeypatch):
    make_exercises.main(folder)
    before = (folder / "01.ipynb").read_bytes()

    def end_early(path, text, **_):
        path.write_bytes(text.encode()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", end_early)
    with pytest.raises(KeyboardInterrupt):
        make_exercises.main(folder)
    assert (folder / "01.ipynb").read_bytes() == before
