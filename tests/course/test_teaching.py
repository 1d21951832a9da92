"""A teacher's tools: what students get holds no answers, and who has reached what is measured in kernels that end."""

import os
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from helpers import ROOT, TOOLS
from IPython.core.inputtransformer2 import TransformerManager

pytestmark = pytest.mark.nightly  # it runs exercises as a teacher does
ADDRESS = "https://example.org/course.git"


@pytest.fixture(scope="module")
def teaching():
    sys.path.insert(0, str(TOOLS))
    import teaching

    yield teaching
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def handout(teaching, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teaching") / "handout"
    teaching.handout(folder, repository=ADDRESS)
    return folder


def read(path):
    return nbformat.read(path, as_version=4)


def write(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)


def test_students_get_every_notebook_and_no_output(handout):
    names = {path.relative_to(handout).as_posix() for path in handout.rglob("*.ipynb")}
    for folder in ("notebooks", "exercises", "exercises/solutions"):
        assert {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob("*.ipynb")} <= names
    for name in names:
        for cell in read(handout / name).cells:
            assert not cell.get("outputs"), name


def test_students_get_hints_and_no_solution(handout):
    for path in (ROOT / "exercises" / "solutions").glob("*.ipynb"):
        given = "".join(one.source for name in handout.rglob(path.name) for one in read(name).cells)
        for cell in read(path).cells:
            tags = cell.metadata.get("tags", [])
            assert "hint" not in tags or cell.source in given
            assert "solution" not in tags or cell.source not in given, cell.source


def test_what_students_get_runs_by_itself(handout):
    code = (
        "from course_utils.exercises import questions\n"
        "question, *_ = questions('01_steps')\nquestion.hint()\nquestion.solution()\nquestion.solution()\n"
        "import course_utils; course_utils.pretrained_network('worst_noise'); print(course_utils.__file__)"
    )
    settings = os.environ | {"PYTHONPATH": str(handout)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=handout, env=settings, capture_output=True, text=True, check=True
    )
    assert "Hint 1 of 3" in done.stdout
    assert "There is no solution here" in done.stdout
    assert str(handout) in done.stdout


def test_students_may_get_it_in_another_language(teaching, tmp_path):
    teaching.handout(tmp_path / "handout", language="zh")
    first = read(tmp_path / "handout" / "notebooks" / "00_start_here.ipynb").cells
    assert "从这里开始" in first[0].source
    assert first[1].source.startswith("import course_utils")


@pytest.mark.parametrize("where", ["here", "Kaggle"])
def test_the_first_cell_fetches_the_course_only_where_it_is_not(handout, where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = read(handout / "exercises" / "01_steps.ipynb").cells[1].source
    code, said = TransformerManager().transform_cell(cell), []

    def fetch(line):
        said.append(line)
        (tmp_path / "course" / "exercises").mkdir(parents=True, exist_ok=True)

    shell = SimpleNamespace(system=fetch, run_line_magic=lambda *line: said.append(" ".join(line)))
    if where == "Kaggle":
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setattr(sys, "path", [*sys.path])
    exec(code, {"get_ipython": lambda: shell})
    if where == "here":
        assert (said, os.getcwd()) == ([], str(tmp_path))
    else:
        assert ADDRESS in said[0]
        assert "anywidget" in said[1]
        assert sys.path[0] == str(tmp_path / "course")
        assert os.getcwd() == str(tmp_path / "course" / "exercises")


def test_progress_tells_who_has_reached_what(teaching, tmp_path):
    solved = read(ROOT / "exercises" / "solutions" / "10_explain.ipynb").cells
    tagged = [cell.source for cell in solved if {"solution", "question-1"} <= set(cell.metadata.get("tags", []))]
    begin = 'from course_utils.exercises import questions\nquestion_1, question_2, *_ = questions("10_explain")'
    (tmp_path / "anna").mkdir()
    write(tmp_path / "anna" / "10.ipynb", begin, *tagged, "question_1.check(in_order)", "question_2.check(...)")
    write(
        tmp_path / "ben.ipynb", begin, 'print("question 1 reached")', "question_1.check(['draw a batch of images'])",
        "raise SystemError", "while True:\n    pass", "question_2.check(...)",
    )  # fmt: skip
    write(tmp_path / "dora.ipynb", begin, "import os\nos._exit(1)", "question_1.check(...)")
    write(tmp_path / "notes.ipynb", "1 + 1")
    (tmp_path / "carl.ipynb").write_text("{", encoding="utf-8")
    lines = list(teaching.progress(tmp_path, minutes=0.5))
    assert lines[0] == "anna/10.ipynb: 1 ✓ 2 ·"
    assert lines[1] == "ben.ipynb: 1 ✗ 2 ·   stopped after 0.5 minutes"
    assert lines[2].startswith("carl.ipynb: cannot be read")
    assert lines[3] == "dora.ipynb: 1 ·   its kernel died"
    assert len(lines) == 4


def test_slides_hold_answers_back(teaching, tmp_path):
    teaching.slides([ROOT / "notebooks" / "00_start_here.ipynb"], tmp_path)
    text = (tmp_path / "00_start_here.slides.html").read_text(encoding="utf-8")
    assert text.count("<section") > 12
    assert 'class="fragment"' in text
    assert (tmp_path / "images" / "flow_chart.svg").exists()
