"""`make results`: it does what is missing or out of date, one seed at a time, and loses nothing when stopped.

And how every tool ends that is stopped, or asked for what there is not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from course_utils import load_mnist, stored, stored_result

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
TOOLS = str(ROOT / "tools")
SCRIPTS = ["tools/make_results.py", "tools/run_notebooks.py", "tools/make_readme.py", "tools/make_exercises.py"]
STOPPED = "\nStopped. Every file is whole: as it was, or as it was to become.\n"


@pytest.fixture
def make_results(monkeypatch, tmp_path):
    """The tool with no experiment but one, whose results go to a folder of their own."""
    monkeypatch.syspath_prepend(TOOLS)
    import experiments
    import make_results

    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    monkeypatch.setattr(make_results, "RESULTS", tmp_path)
    monkeypatch.setattr(make_results, "EXPERIMENTS", {})
    make_results.ran = []

    def enter(name="one", code="code", seeds=3, run=None, is_stand_in=False):
        def note(seed):
            make_results.ran.append((name, seed))
            return {"accuracy": 0.5 + seed / 10}

        class Data:
            fingerprint = "digits"

        Data.is_stand_in = is_stand_in
        make_results.EXPERIMENTS[name] = experiments.Experiment(
            run or note, "words", {"function": "here"}, seeds, lambda: code, Data
        )

    make_results.enter = enter
    return make_results


def test_every_seed_is_run_once(make_results, tmp_path):
    make_results.enter()
    make_results.main([])
    make_results.main([])
    assert make_results.ran == [("one", 0), ("one", 1), ("one", 2)]
    kept = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert [value["accuracy"] for value in kept["values"]] == [0.5, 0.6, 0.7]
    assert [run["seed"] for run in kept["runs"]] == [0, 1, 2]
    assert kept["summary"]["accuracy"] == {"median": 0.6, "lowest": 0.5, "highest": 0.7}
    assert set(kept["made_by"]) == {"function", "source", "data"}


def test_it_goes_on_where_it_was_stopped(make_results):
    def stop(seed):
        if seed == 2:
            raise KeyboardInterrupt
        return {"accuracy": 0.5}

    make_results.enter(run=stop)
    with pytest.raises(KeyboardInterrupt):
        make_results.main([])
    assert len(stored._stored("one")) == 2
    make_results.enter()
    make_results.main([])
    assert make_results.ran == [("one", 2)]


def test_other_code_or_other_data_begin_anew(make_results):
    make_results.enter()
    make_results.main([])
    make_results.enter(code="other code", seeds=1)
    make_results.main([])
    assert make_results.ran[3:] == [("one", 0)]
    assert len(stored._stored("one")) == 1


def test_it_says_how_much_is_left(make_results, capsys, tmp_path):
    make_results.enter("one", seeds=1)
    make_results.enter("two", code="old code", seeds=1)
    make_results.main(["two"])
    told = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    told["runs"][0]["seconds"] = 90
    (tmp_path / "two.json").write_text(json.dumps(told), encoding="utf-8")
    make_results.enter("two", seeds=2)
    capsys.readouterr()
    make_results.main([])
    assert [line for line in capsys.readouterr().out.splitlines() if "to run" in line] == [
        "3 pieces to run, some 3 minutes",
        "2 pieces to run, some 3 minutes",
    ]


def test_only_those_that_are_named(make_results):
    make_results.enter("one", seeds=1)
    make_results.enter("two", seeds=1)
    make_results.main(["two"])
    assert make_results.ran == [("two", 0)]
    assert stored_result("two") == {"accuracy": 0.5}


def test_one_that_fails_is_named_and_the_others_go_on(make_results, capsys):
    def fail(seed):
        raise RuntimeError("seed 0\n  The text says: nine in ten fall.")

    make_results.enter("one", run=fail)
    make_results.enter("two", seeds=1)
    with pytest.raises(SystemExit, match=r"Not done: one\."):
        make_results.main([])
    assert "one: seed 0\n  The text says: nine in ten fall." in capsys.readouterr().out
    assert make_results.ran == [("two", 0)]


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of so many cells."""

    def write(*cells):
        first = "from course_utils.results import MEASURED, chosen_seed, claim"
        cells = [nbformat.v4.new_code_cell(source) for source in (first, *cells)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebook.ipynb")
        return tmp_path / "notebook.ipynb"

    return write


def test_a_notebook_is_run_with_the_seed_and_tells_what_it_claims(make_results, notebook, monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "1")
    path = notebook(
        "claim('the seed', chosen_seed(), low=0, form='.0f')", "claim('its half', chosen_seed() / 2, low=0)"
    )
    assert make_results.measured(path, 3) == {"the seed": 3, "its half": 1.5}
    assert os.environ["COURSE_SEED"] == "1"


def test_a_notebook_that_fails_or_claims_twice_is_said(make_results, notebook):
    path = notebook("claim('nine in ten', 0.95, low=0.9)", "claim('nine in ten', 0.8, low=0.9)", "1 / 0")
    with pytest.raises(RuntimeError) as caught:
        make_results.measured(path, 2)
    for words in ("seed 2\n", "nine in ten", "division by zero", "claimed twice: nine in ten"):
        assert words in str(caught.value)


def test_on_the_stand_in_nothing_is_run(make_results):
    make_results.enter(is_stand_in=True)
    with pytest.raises(SystemExit, match="one needs the real data"):
        make_results.main([])
    assert make_results.ran == []


def test_a_name_that_is_none_is_named(make_results):
    make_results.enter()
    with pytest.raises(SystemExit, match="there is no experiment 'tow': the names are one"):
        make_results.main(["tow"])


def test_comments_and_docstrings_make_nothing_out_of_date(make_results):
    from experiments import without_docstrings

    one = 'def f():\n    """Words."""\n    return 1  # one\n'
    assert without_docstrings(one) == without_docstrings("def f():\n    return 1\n")
    assert without_docstrings(one) != without_docstrings("def f():\n    return 2\n")


def test_every_experiment_has_words_and_a_source(make_results):
    from experiments import EXPERIMENTS

    for name, experiment in EXPERIMENTS.items():
        assert experiment.what.endswith((".", "?")), name
        assert len(experiment.source()) > 10_000, name
        assert set(experiment.made_by) == {"function", "code"}, name
        assert any("seed" in line for line in experiment.made_by["code"]), name
        assert 1 <= experiment.seeds <= 5, name
    assert load_mnist().fingerprint == EXPERIMENTS["plain"].data().fingerprint
    assert sys.modules["experiments"].__file__.startswith(TOOLS)


def ended(*command, **environment):
    """Run Python, and return what it says and how it ends."""
    settings = {"cwd": ROOT, "env": os.environ | environment, "stderr": subprocess.PIPE, "text": True}
    done = subprocess.run([sys.executable, *command], check=False, **settings)
    return done.stderr, done.returncode


@pytest.mark.parametrize("script", [*SCRIPTS, "benchmarks/search_speed.py"])
def test_ctrl_c_ends_a_tool_with_one_line_from_its_first_import_on(script, tmp_path):
    (tmp_path / "argparse.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    assert ended(script, PYTHONPATH=str(tmp_path)) == (STOPPED, 130)


def test_ctrl_c_ends_a_tool_that_runs_a_notebook(notebook):
    path = notebook("import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)")
    code = (
        "import stopping, sys, nbformat\nfrom kernels import Client\n"
        f"Client(nbformat.read({str(path)!r}, as_version=4), allow_errors=True).execute()"
    )
    assert ended("-c", code, PYTHONPATH=TOOLS) == (STOPPED, 130)


@pytest.mark.parametrize("argument", ["no/such.ipynb", "Makefile"])
def test_what_is_no_notebook_is_named(argument):
    said, status = ended("tools/run_notebooks.py", argument)
    assert status == 2
    assert argument in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_notebook_stays_whole_when_the_writing_of_its_new_outputs_ends_early(monkeypatch, notebook):
    monkeypatch.syspath_prepend(TOOLS)
    import run_notebooks

    path = notebook()
    before, environment = path.read_bytes(), dict(os.environ)

    def end_early(command, **_):
        command[-1].write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(run_notebooks.subprocess, "run", end_early)
    with pytest.raises(KeyboardInterrupt):
        run_notebooks.run(path)
    assert path.read_bytes() == before
    assert os.environ == environment  # a setting meant for that kernel would hide the noise lab from every later one


def test_the_readme_stays_whole_when_its_writing_ends_early(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(TOOLS)
    import make_readme

    readme = tmp_path / "README.md"
    readme.write_text("before", encoding="utf-8")

    def end_early(path, *_, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(make_readme, "README", readme)
    monkeypatch.setattr(make_readme, "draw_search_time", lambda _: None)
    monkeypatch.setattr(make_readme, "draw_immunity", lambda _: None)
    monkeypatch.setattr(Path, "write_text", end_early)
    with pytest.raises(KeyboardInterrupt):
        make_readme.main()
    assert readme.read_bytes() == b"before"
