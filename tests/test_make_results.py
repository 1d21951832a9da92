"""`make results`: it does what is missing or out of date, one seed at a time, and loses nothing when stopped."""

import json
import os
import sys
from pathlib import Path

from course_utils import load_mnist, stored, stored_result

import nbformat
import pytest

TOOLS = str(Path(__file__).parent.parent / "tools")


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
    kept = json.loads((tmp_path / "one.json").read_text())
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
    told = json.loads((tmp_path / "two.json").read_text())
    told["runs"][0]["seconds"] = 90
    (tmp_path / "two.json").write_text(json.dumps(told))
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
