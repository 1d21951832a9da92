"""`make results`: it does what is missing or named, one seed at a time; checks; and loses nothing when stopped.

And how every tool ends that is stopped, or asked for what there is not.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from course_utils import notebook as library
from course_utils import values_by_seed

import nbformat
import pytest
from helpers import ROOT, TOOLS, case, same_weights

SCRIPTS = ["tools/make_results.py", "tools/run_notebooks.py", "tools/make_readme.py", "tools/make_exercises.py"]
STOPPED = "\nStopped. Every file is whole: as it was, or as it was to become.\n"


@pytest.fixture
def make_results(monkeypatch, tmp_path):
    """The tool with no experiment but those of a test, whose results go to a folder of their own."""
    monkeypatch.syspath_prepend(TOOLS)
    import experiments
    import make_results

    monkeypatch.setattr(library, "RESULTS", tmp_path)
    monkeypatch.setattr(make_results, "RESULTS", tmp_path)
    monkeypatch.setattr(make_results, "EXPERIMENTS", {})
    monkeypatch.setattr(experiments, "keeps_networks", True)
    make_results.ran = []

    def enter(name="one", run=lambda seed: {"accuracy": 0.5 + seed / 10}, seeds=3, is_stand_in=False):
        def noted(seed):
            make_results.ran.append((name, seed))
            return run(seed)

        class Data:
            pass

        Data.is_stand_in = is_stand_in
        make_results.EXPERIMENTS[name] = experiments.Experiment(noted, "words", seeds, Data)

    make_results.enter = enter
    return make_results


def stop_at(number):
    """An experiment that is stopped at this seed."""

    def run(seed):
        if seed == number:
            raise KeyboardInterrupt
        return {"accuracy": 0.9}

    return run


def test_every_seed_is_run_once(make_results, tmp_path):
    make_results.enter()
    make_results.main([])
    make_results.main([])
    assert make_results.ran == [("one", 0), ("one", 1), ("one", 2)]
    assert values_by_seed("one", "accuracy") == [0.5, 0.6, 0.7]
    kept = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert set(kept) == {"what", "made_by", "runs"}
    assert [run["seed"] for run in kept["runs"]] == [0, 1, 2]
    assert all(
        {"commit", "date", "seconds", "cores", "python", "tensorflow", "keras"} <= set(run) for run in kept["runs"]
    )


def test_it_goes_on_where_it_was_stopped(make_results):
    make_results.enter(run=stop_at(2))
    with pytest.raises(KeyboardInterrupt):
        make_results.main([])
    make_results.enter()
    make_results.ran.clear()
    make_results.main([])
    assert make_results.ran == [("one", 2)]
    assert values_by_seed("one", "accuracy") == [0.9, 0.9, 0.7]


def test_seeds_that_were_added_are_run(make_results):
    make_results.enter(seeds=1)
    make_results.main([])
    make_results.enter(seeds=3)
    make_results.main([])
    assert make_results.ran == [("one", 0), ("one", 1), ("one", 2)]


def test_those_that_are_named_are_run_anew_and_no_others(make_results):
    for name in ("one", "two"):
        make_results.enter(name)
    make_results.main([])
    make_results.ran.clear()
    make_results.enter("two", run=lambda seed: {"accuracy": seed})
    make_results.main(["two"])
    assert make_results.ran == [("two", 0), ("two", 1), ("two", 2)]
    assert values_by_seed("two", "accuracy") == [0, 1, 2]
    assert values_by_seed("one", "accuracy") == [0.5, 0.6, 0.7]


def test_one_that_is_named_and_stopped_keeps_the_seeds_that_were_not_run_yet(make_results):
    make_results.enter()
    make_results.main([])
    make_results.enter(run=stop_at(1))
    with pytest.raises(KeyboardInterrupt):
        make_results.main(["one"])
    assert values_by_seed("one", "accuracy") == [0.9, 0.6, 0.7]


def test_of_one_that_is_named_no_older_seeds_are_left(make_results):
    make_results.enter(seeds=3)
    make_results.main([])
    make_results.enter(seeds=1)
    make_results.main(["one"])
    assert values_by_seed("one", "accuracy") == [0.5]


def test_it_says_how_much_is_left(make_results, capsys, tmp_path):
    make_results.enter("one", seeds=1)
    make_results.enter("two", seeds=1)
    make_results.main(["two"])
    kept = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    kept["runs"][0]["seconds"] = 90
    (tmp_path / "two.json").write_text(json.dumps(kept), encoding="utf-8")
    make_results.enter("two", seeds=3)
    for anew, words in ((False, "3 pieces to run, some 3 minutes"), (True, "4 pieces to run, some 5 minutes")):
        assert make_results.what_is_left(make_results.missing(["one", "two"], anew)).startswith(words)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no space"),
        pytest.param(ValueError("no gradient")),
    ],
    ids=case,
)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_one_that_fails_is_named_and_the_others_go_on(make_results, capsys, error, check):
    def fail(seed):
        raise error

    make_results.enter("one")
    make_results.enter("two")
    make_results.main(["one", "two"])
    make_results.ran.clear()
    make_results.enter("one", run=fail)
    with pytest.raises(SystemExit):
        make_results.main(["one", "two"], check)
    told = [line for line in capsys.readouterr().out.splitlines() if str(error) in line]
    assert len(told) == (1 if check else 3)
    assert all(line.startswith("one") for line in told)
    assert ("two", 0) in make_results.ran


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_on_the_fallback_data_nothing_is_run(make_results, check):
    make_results.enter(is_stand_in=True)
    with pytest.raises(SystemExit, match="one needs the real data"):
        make_results.main([], check)
    assert make_results.ran == []


def test_a_name_that_is_none_is_named(make_results):
    make_results.enter()
    with pytest.raises(SystemExit, match="there is no experiment 'tow': the names are one"):
        make_results.main(["one", "tow"])
    assert make_results.ran == []


# On a cluster


@pytest.fixture
def cluster():
    """A Dask cluster of two workers in this process, so that they know the experiments of a test."""
    distributed = pytest.importorskip("distributed")
    settings = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**settings) as cluster:
        yield cluster.scheduler_address


def test_the_pieces_of_seed_0_run_alone_and_the_others_together(make_results, cluster, tmp_path):
    running, most = [], {}

    def run(seed):
        running.append(seed)
        time.sleep(0.5)
        most[seed] = len(running)
        running.remove(seed)
        return {"accuracy": 0.5 + seed / 10}

    for name in ("one", "two"):
        make_results.enter(name, run=run)
    make_results.main([], address=cluster)
    assert most[0] == 1
    assert max(most[1], most[2]) == 2
    for name in ("one", "two"):
        runs = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["runs"]
        assert [(run["seed"], run["workers"], run["values"]["accuracy"]) for run in runs] == [
            (0, 1, 0.5), (1, 2, 0.6), (2, 2, 0.7)
        ]  # fmt: skip


def test_of_pieces_on_a_cluster_one_may_fail_and_is_run_again_next_time(make_results, cluster):
    def fail(seed):
        if seed == 1:
            raise ValueError("no gradient")
        return {"accuracy": seed}

    make_results.enter(run=fail)
    with pytest.raises(SystemExit):
        make_results.main([], address=cluster)
    assert values_by_seed("one", "accuracy") == [0, 2]
    make_results.enter()
    make_results.ran.clear()
    make_results.main([], address=cluster)
    assert make_results.ran == [("one", 1)]
    assert values_by_seed("one", "accuracy") == [0, 0.6, 2]


def test_a_network_that_a_worker_keeps_is_written_by_who_asked(make_results, cluster, monkeypatch, random_network):
    import experiments

    monkeypatch.setattr(experiments, "keep_pretrained_network", None)  # put back at the end
    kept = {}
    monkeypatch.setattr(make_results, "keep_pretrained_network", lambda network, name: kept.update({name: network}))
    make_results.enter(
        run=lambda seed: experiments.train_and_measure(
            "one", seed, lambda: random_network, lambda *_: {"accuracy": 1}
        )
    )
    make_results.main([], address=cluster)
    assert list(kept) == ["one"]
    assert same_weights(kept["one"], random_network)


# Checking


def measured(**changes):
    """What an experiment returned when its results were stored, changed."""
    return {
        "accuracy": 0.5, "rounds": [{"noisy": 1}, {"noisy": 2}], "training_seconds": 9.0, "trustworthy": True,
        **changes,
    }  # fmt: skip


@pytest.fixture
def checked(make_results, capsys):
    """Store results of three seeds; then check what comes from other code; return what is said of it."""

    def check(values, names=()):
        make_results.enter(run=lambda seed: measured(accuracy=0.5 + seed / 10))
        make_results.enter("two", seeds=1)
        make_results.main([])
        make_results.enter(run=lambda seed: values)
        make_results.ran.clear()
        before = {path.name: path.read_bytes() for path in library.RESULTS.iterdir()}
        capsys.readouterr()
        status = 0
        try:
            make_results.main(list(names), check=True)
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr().out
        found = [line for line in said.splitlines() if line.startswith("one: ")]
        assert (status, "All numbers lie within" in said) == ((1, False) if found else (0, True))
        assert {path.name: path.read_bytes() for path in library.RESULTS.iterdir()} == before, "nothing is written"
        return found

    return check


@pytest.mark.parametrize(
    "changes",
    [{}, {"accuracy": 0.7}, {"accuracy": 0.6234}, {"accuracy": 0.7 + 1e-12}, {"training_seconds": 1e4},
     {"seconds_by_round": {"one": 3}}],
    ids=case,
)  # fmt: skip
def test_what_the_seeds_showed_is_found_again(checked, changes):
    assert checked(measured(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"accuracy": 0.71}, ["accuracy", "0.71", "0.5 to 0.7"]),
        ({"accuracy": 0.49}, ["accuracy", "0.49", "0.5 to 0.7"]),
        ({"accuracy": float("nan")}, ["accuracy", "nan"]),
        ({"rounds": [{"noisy": 1}, {"noisy": 3}]}, ["rounds/1/noisy", "3", "2 to 2"]),
        ({"rounds": [{"noisy": 1}]}, ["rounds/1/noisy", "stored, and not measured"]),
        ({"clean": 1}, ["clean", "measured, and not stored"]),
    ],
    ids=case,
)
def test_a_number_outside_what_the_seeds_showed_is_found(checked, changes, words):
    (line,) = checked(measured(**changes))
    assert all(part in line for part in words)


@pytest.mark.parametrize(("accuracy", "count"), [(0.504, 0), (0.496, 0), (0.506, 1), (0.494, 1)])
def test_a_number_of_one_seed_alone_may_differ_by_a_few_images(make_results, accuracy, count):
    make_results.enter(seeds=1)
    make_results.main([])
    make_results.enter(run=lambda seed: {"accuracy": accuracy})
    assert len(make_results.outside("one")) == count


def test_every_number_that_is_outside_is_told(checked):
    assert len(checked({"accuracy": 2, "rounds": [{"noisy": 7}, {"noisy": 8}]})) == 4, (
        "a truth value that is gone, too"
    )


@pytest.mark.parametrize(
    ("names", "ran"), [((), ["one", "two"]), (("two",), ["two"])], ids=["all", "one that is named"]
)
def test_one_seed_of_each_is_checked_or_of_those_that_are_named(checked, make_results, names, ran):
    checked(measured(), names)
    assert make_results.ran == [(name, 0) for name in ran]


def test_where_nothing_is_stored_there_is_nothing_to_check(make_results, capsys, tmp_path):
    make_results.enter()
    with pytest.raises(SystemExit):
        make_results.main(["one"], check=True)
    assert "one: there is no stored result" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_check_keeps_no_network(make_results, monkeypatch, check):
    import experiments

    kept = []
    monkeypatch.setattr(experiments, "keep_pretrained_network", lambda network, name: kept.append(name))
    make_results.enter(
        run=lambda seed: experiments.train_and_measure("one", seed, lambda: None, lambda *_: {"accuracy": 1})
    )
    make_results.main([])
    kept.clear()
    make_results.main(["one"], check)
    assert kept == ([] if check else ["one"])


# The experiments themselves


def test_every_experiment_has_words_and_seeds_and_is_stored_with_all_of_them(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    from experiments import EXPERIMENTS

    for name, experiment in EXPERIMENTS.items():
        assert experiment.what.endswith((".", "?")), name
        assert 1 <= experiment.seeds <= 5, name
        assert [run["seed"] for run in library.stored_runs(name)] == list(range(experiment.seeds)), name
    stored = {path.stem for path in library.RESULTS.glob("*.json")}
    assert stored == set(EXPERIMENTS) | {"benchmark", "cluster", "lab_page", "notebook_times", "waiting"}


# How tools end


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of so many cells."""

    def write(*cells):
        cells = [nbformat.v4.new_code_cell(source) for source in cells]
        cells.insert(0, nbformat.v4.new_markdown_cell("# A notebook"))
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebook.ipynb")
        return tmp_path / "notebook.ipynb"

    return write


def ended(*command, **environment):
    """Run Python, and return what it says and how it ends."""
    settings = {"cwd": ROOT, "env": os.environ | environment, "stderr": subprocess.PIPE, "text": True}
    done = subprocess.run([sys.executable, *command], check=False, **settings)
    return done.stderr, done.returncode


@pytest.mark.parametrize("script", [*SCRIPTS, "benchmarks/search_speed.py", "benchmarks/lab_page.py"])
def test_ctrl_c_ends_a_tool_with_one_line_from_its_first_import_on(script, tmp_path):
    (tmp_path / "argparse.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    assert ended(script, PYTHONPATH=str(tmp_path)) == (STOPPED, 130)


def test_ctrl_c_ends_a_tool_that_runs_a_notebook(notebook):
    path = notebook("import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)")
    code = (
        "import stopping, sys, nbformat\nfrom kernels import Client\n"
        f"Client(nbformat.read({str(path)!r}, as_version=4), allow_errors=True).execute()"
    )
    assert ended("-c", code, PYTHONPATH=str(TOOLS)) == (STOPPED, 130)


@pytest.mark.parametrize("argument", ["no/such.ipynb", "Makefile"])
def test_what_is_no_notebook_is_named(argument):
    said, status = ended("tools/run_notebooks.py", argument)
    assert status == 2
    assert argument in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_notebook_stays_whole_when_the_writing_of_its_new_outputs_ends_early(monkeypatch, notebook):
    monkeypatch.syspath_prepend(TOOLS)
    import run_notebooks

    path = notebook("1 + 1")
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
