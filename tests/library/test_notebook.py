"""What a notebook needs: its start, its claims, stored measurements, and networks kept and fetched."""

import dataclasses
import errno
import functools
import hashlib
import importlib.util
import json
import pathlib
import tempfile
from collections import UserList

from course_utils import (
    cached_network,
    claim,
    convolutional_network,
    expected_minutes,
    load_mnist,
    notebook,
    predict,
    pretrained_network,
    seed_range,
    start_notebook,
    stored_result,
    values_by_seed,
)
from course_utils.notebook import alt_text

import keras
import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT, case, same_weights
from matplotlib.figure import Figure

# Claims


@pytest.fixture
def real_data(monkeypatch):
    monkeypatch.setattr(notebook, "using_fallback_data", lambda: False)


@pytest.mark.parametrize(
    ("low", "high", "form", "said"),
    [
        pytest.param(0.9, 0.99, ".1%", "✓ nine in ten fall: 95.3% (accepted: 90.0% to 99.0%)\n", id="between"),
        pytest.param(0.9, np.inf, ".1%", "✓ nine in ten fall: 95.3% (accepted: at least 90.0%)\n", id="from below"),
        pytest.param(-np.inf, 1, ".1%", "✓ nine in ten fall: 95.3% (accepted: at most 100.0%)\n", id="from above"),
        pytest.param(0.953, 0.953, ".3f", "✓ nine in ten fall: 0.953 (accepted: 0.953)\n", id="just that"),
    ],
)
def test_a_claim_that_holds_prints_the_value_and_what_is_accepted(real_data, capsys, low, high, form, said):
    claim("nine in ten fall", 0.953, low, high, form)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("prediction", ["a third", 40, 0, np.array([1, 2]), ("the 1", 0.5)], ids=str)
def test_a_prediction_stands_beside_what_was_measured(real_data, capsys, prediction):
    kept = predict(prediction)
    assert str(prediction) in capsys.readouterr().out
    claim("nine in ten fall", 0.953, 0.9, predicted=kept)
    assert f"you expected {prediction}" in capsys.readouterr().out


def test_a_prediction_that_cannot_be_said_gets_a_sentence(capsys):
    class Unspeakable:
        def __str__(self):
            raise RuntimeError("no words")

    assert predict(Unspeakable()) == ""
    assert "in words or numbers" in capsys.readouterr().out


@pytest.mark.parametrize("nothing", [..., None, "", "  "], ids=repr)
def test_without_a_prediction_all_goes_on(real_data, capsys, nothing):
    claim("nine in ten fall", 0.953, 0.9, predicted=predict(nothing))
    assert "expect" not in capsys.readouterr().out


@pytest.mark.parametrize("value", [0.89, 0.991, float("nan")])
def test_a_claim_that_does_not_hold_raises(real_data, value):
    with pytest.raises(AssertionError, match="nine in ten digits fall"):
        claim("nine in ten digits fall", value, 0.9, 0.99)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        pytest.param(0.9, np.inf, "at least 90.0%", id="from below"),
        pytest.param(-np.inf, 0.3, "at most 30.0%", id="from above"),
        pytest.param(0.9, 0.9, "90.0%", id="just that"),
    ],
)
def test_what_was_claimed_and_what_was_measured_are_told(real_data, low, high, words):
    with pytest.raises(AssertionError, match=f"Measured: 50.0%, but {words} was claimed"):
        claim("nine in ten fall", 0.5, low, high)


def test_a_claim_on_the_fallback_data_only_tells(monkeypatch, capsys):
    monkeypatch.setattr(notebook, "using_fallback_data", lambda: True)
    claim("nine in ten digits fall", 0.5, 0.9, 0.99)
    said = capsys.readouterr().out
    assert "✓" not in said
    assert "50.0% here (the text speaks of MNIST: 90.0% to 99.0%)" in said


def test_a_claim_about_other_data_knows_whether_these_are_real(real_data, capsys):
    claim("three in four photographs", 0.5, 0.7, 0.8, stand_in=True)
    assert "50.0% here (the text speaks of the real data: 70.0% to 80.0%)" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="three in four"):
        claim("three in four photographs", 0.5, 0.7, 0.8, stand_in=False)


def test_a_claim_that_could_not_fail_is_refused(real_data):
    with pytest.raises(ValueError, match="could not fail"):
        claim("anything at all", 0.5)


def test_one_limit_is_enough_for_whole_numbers(real_data, capsys):
    claim("few steps", 14, high=29, form="d")
    assert capsys.readouterr().out == "✓ few steps: 14 (accepted: at most 29)\n"


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.array([[0.5]]), tf.constant(0.5), tf.Variable(0.5)], ids=case
)
def test_one_number_is_taken_in_every_form(real_data, capsys, value):
    claim("half", value, 0, 1)
    assert capsys.readouterr().out.startswith("✓ half: 50.0% (")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"value": "half"}, TypeError, "value must be one number, got 'half'"),
        ({"value": None}, TypeError, "value must be one number, got None"),
        ({"value": np.zeros(2)}, TypeError, r"value must be one number, got array\(\[0., 0.\]\)"),
        ({"value": [[1], [1, 2]]}, TypeError, "value must be one number"),
        ({"value": 1j}, TypeError, "value must be one number, got 1j"),
        ({"low": "much"}, TypeError, "low must be one number, got 'much'"),
        ({"high": None}, TypeError, "high must be one number, got None"),
        ({"low": 0.9, "high": 0.1}, AssertionError, "Measured: 50.0%, but 90.0% to 10.0% was claimed"),
        ({"low": float("nan")}, AssertionError, "Measured: 50.0%, but nan% to 100.0% was claimed"),
        ({"form": "percent"}, ValueError, "'percent'"),
        ({"form": "d"}, ValueError, "format code 'd' for object of type 'float'"),
    ],
    ids=case,
)
def test_a_claim_that_cannot_be_held_gets_a_sentence(real_data, given, error, words):
    with pytest.raises(error, match=words):
        claim(**{"text": "half", "value": 0.5, "low": 0, "high": 1} | given)


# The start


def test_the_notebook_starts_with_its_seed_and_the_data(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SEED", "7")
    assert start_notebook() == 7
    first = keras.random.normal((3,))
    said = capsys.readouterr().out
    assert "Seed 7 · TensorFlow 2." in said
    assert load_mnist().source in said
    start_notebook()
    np.testing.assert_array_equal(first, keras.random.normal((3,)))
    monkeypatch.setenv("COURSE_SEED", "")
    assert start_notebook() == 0


@pytest.mark.parametrize("seed", ["x", "-1", "1.5", str(2**32)])
def test_a_seed_that_is_none_is_named(monkeypatch, seed):
    monkeypatch.setenv("COURSE_SEED", seed)
    with pytest.raises(ValueError, match="COURSE_SEED must be a whole number"):
        start_notebook()


# Stored measurements


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the stored results lie in a test."""
    monkeypatch.setattr(notebook, "RESULTS", tmp_path)
    return tmp_path


def keep(folder, *values, name="one"):
    runs = [{"seed": seed, "values": value} for seed, value in enumerate(values)]
    notebook.write_json(folder / f"{name}.json", {"what": "words", "made_by": "a test", "runs": runs})


def test_a_stored_result_is_what_the_first_seed_gave(folder):
    keep(folder, {"accuracy": 0.5}, {"accuracy": 0.7})
    assert stored_result("one") == {"accuracy": 0.5}


@pytest.mark.parametrize("name", ["two", "../one", ""])
def test_a_result_that_is_not_there_is_named_and_so_are_those_that_are(folder, name):
    keep(folder, {"accuracy": 0.5})
    for function in (stored_result, values_by_seed):
        with pytest.raises(
            ValueError, match=rf"there is no stored result '{name}': the names are one; 'make results'"
        ):
            function(name)


def test_where_all_results_are_missing_it_is_said_how_to_fetch_them(folder):
    with pytest.raises(ValueError, match="no stored result 'one': none is here, 'git checkout results' fetches them"):
        stored_result("one")


def test_there_is_one_value_a_seed_and_none_where_it_was_not_measured(folder):
    keep(folder, {"full": {"accuracy": 0.5}, "rows": [{"noisy": 1}]}, {"quick": 1, "rows": [{"noisy": 2}]})
    assert values_by_seed("one", "full", "accuracy") == [0.5]
    assert values_by_seed("one", "rows", 0, "noisy") == [1, 2]


@pytest.mark.parametrize(
    "keys",
    [("other",), ("full",), (), ("rows", 7, "noisy"), ("rows", "x"), ("", "x"), ("true",), ("full", "accuracy", "x")],
    ids=case,
)
def test_a_key_that_is_missing_is_named_with_the_result(folder, keys):
    keep(folder, {"full": {"accuracy": 0.5}, "rows": [{"noisy": 1}], "true": True})
    with pytest.raises(ValueError, match="there is no number at") as error:
        values_by_seed("one", *keys)
    for part in (*map(repr, keys), "'one'", "results/one.json"):
        assert part in str(error.value)


@pytest.mark.parametrize("name", [None, 3, ["one"], b"one"], ids=case)
def test_what_is_no_name_of_a_result_is_shown(folder, name):
    for function in (stored_result, values_by_seed):
        with pytest.raises(ValueError, match="there is no stored result") as error:
            function(name)
        assert repr(name) in str(error.value)


DAMAGED = {
    "empty": "", "half": '{"runs": [{"a', "a list": "[]", "a number": "3", "nothing in it": "{}", "not UTF-8": "ÿ",
    "runs by name": '{"runs": {"a": 1}}', "no run": '{"runs": []}', "deep": "[" * 9_999,
}  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_gets_a_sentence_that_says_how_to_mend_it(folder, content):
    (folder / "one.json").write_text(content, encoding="latin-1")
    for function in (stored_result, values_by_seed):
        with pytest.raises(
            ValueError, match=r"^one.json is damaged or cannot be read: 'git checkout results' fetches it"
        ):
            function("one")


def test_a_file_of_results_is_the_same_on_every_system(folder):
    keep(folder, {"größe": 1})
    content = (folder / "one.json").read_bytes()
    assert b"\r" not in content
    assert "größe".encode() in content


def test_a_file_is_written_whole_or_not_at_all(folder):
    keep(folder, {"a": 1})
    with pytest.raises(TypeError):
        keep(folder, {"a": object()})
    assert stored_result("one") == {"a": 1}
    assert [path.name for path in folder.iterdir()] == ["one.json"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param([], "", id="none"),
        pytest.param([0.5], "", id="one"),
        pytest.param([0.5, 0.5, 0.5], "", id="a count that never differs"),
        pytest.param([0.5, 0.7], "two seeds 50.0% – 70.0%", id="two"),
        pytest.param([0.5001, 0.5002, 0.5, 0.5, 0.5], "five seeds all 50.0%", id="alike when rounded"),
        pytest.param([0.1] * 6 + [0.2], "7 seeds 10.0% – 20.0%", id="many"),
    ],
)
def test_the_range_of_several_seeds_in_words(values, words):
    assert seed_range(values) == words


def test_the_range_has_the_form_of_the_number():
    assert seed_range([12, 1_700], ",.0f") == "two seeds 12 – 1,700"


# The minutes that a notebook takes


def test_the_expected_minutes_grow_with_the_slowness_of_the_machine(monkeypatch):
    monkeypatch.setattr(notebook, "seconds_for_training", lambda: 2.0)
    fast = expected_minutes()
    monkeypatch.setattr(notebook, "seconds_for_training", lambda: 6.0)
    slow = expected_minutes()
    assert list(fast) == [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert all(slow[name] == pytest.approx(3 * fast[name]) for name in fast)
    assert all(minutes > 0 for minutes in fast.values())


# Networks that are made once


made = UserList()  # no plain list: what is in it would be a part of what a network is known by


def make_network(dataset, seed):
    keras.utils.set_random_seed(seed)
    made.append(seed)
    return convolutional_network((12, 12, 1), 5)


def make_nothing(dataset, seed):
    made.append(seed)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    made.clear()
    return tmp_path


def test_a_network_is_made_once_and_fetched_afterwards(cache, capsys):
    first = cached_network(make_network, load_mnist(), 3)
    second = cached_network(make_network, load_mnist(), 3)
    assert made == [3]
    assert same_weights(first, second)
    assert capsys.readouterr().out.count("Making make_network") == 1
    assert [path.suffix for path in cache.iterdir()] == [".keras"]  # and nothing half written beside it


def test_what_follows_is_the_same_whether_it_was_made_or_fetched(cache):
    cached_network(make_network, load_mnist(), 3)
    after_making = keras.random.normal((3,))
    cached_network(make_network, load_mnist(), 3)
    np.testing.assert_array_equal(after_making, keras.random.normal((3,)))


def test_another_seed_or_other_data_make_another_network(cache):
    cached_network(make_network, load_mnist(), 3)
    cached_network(make_network, load_mnist(), 4)
    cached_network(make_network, dataclasses.replace(load_mnist(), fingerprint="other"), 3)
    assert made == [3, 4, 3]


@pytest.mark.parametrize("damage", [b"", b"not a network", None], ids=["empty", "words", "half"])
def test_a_damaged_file_is_made_anew(cache, capsys, damage):
    first = cached_network(make_network, load_mnist(), 3)
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-500] if damage is None else damage)
    assert same_weights(first, cached_network(make_network, load_mnist(), 3))
    assert "cannot be read" in capsys.readouterr().out
    cached_network(make_network, load_mnist(), 3)
    assert made == [3, 3]


def test_a_bit_that_was_flipped_is_noticed(cache, capsys):
    first = cached_network(make_network, load_mnist(), 3)
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert same_weights(first, cached_network(make_network, load_mnist(), 3))
    assert "cannot be read" in capsys.readouterr().out


MAKE = """
import keras

SHAPE = (3,)


def make(dataset, seed):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(2)])
"""


@pytest.fixture
def in_a_file(tmp_path_factory):
    """Write some code into a file, always the same, and return what it defines."""
    path = tmp_path_factory.mktemp("modules") / "of_a_reader.py"

    def load(code):
        path.write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("of_a_reader", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)

    return load


@pytest.mark.parametrize("whose", ["the reader's", "the course's"])
def test_a_network_is_made_anew_when_the_code_behind_it_changes(
    cache, in_a_file, tmp_path_factory, monkeypatch, capsys, whose
):
    course = tmp_path_factory.mktemp("course")
    monkeypatch.setattr(notebook, "__file__", str(course / "notebook.py"))
    for shape in ("(3,)", "(4,)", "(3,)"):
        (course / "models.py").write_text(shape if whose == "the course's" else "", encoding="utf-8")
        code = MAKE.replace("(3,)", shape if whose == "the reader's" else "(3,)")
        cached_network(in_a_file(code)["make"], load_mnist(), 3)
    assert capsys.readouterr().out.count("Making make for the first time") == 2, "the first one was still there"


def test_comments_and_docstrings_make_no_other_network(cache, in_a_file, capsys):
    for old, new in (("def", "def"), ("def", "# as ever\ndef"), ("seed):", 'seed):\n    """Make it."""')):
        cached_network(in_a_file(MAKE.replace(old, new))["make"], load_mnist(), 3)
    assert capsys.readouterr().out.count("Making make for the first time") == 1


def within(units):
    def make(dataset, seed):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

    return make


def of_a_notebook():
    names = {"__name__": "__main__"}
    exec("def make(dataset, seed):\n    return 3\n", names)
    return names["make"]


@pytest.mark.parametrize(
    "make",
    [
        lambda dataset, seed: make_network(dataset, seed),
        functools.partial(make_network, seed=3),
        within(2),
        of_a_notebook(),
        keras.Sequential,
        print,
        "make_network",
        None,
        ...,
    ],
    ids=case,
)
def test_what_cannot_be_known_by_its_file_is_refused(cache, make):
    with pytest.raises(TypeError, match=r"make must be a function of the course, or .*; got "):
        cached_network(make, load_mnist(), 3)
    assert not made
    assert not list(cache.iterdir())


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True, None, 2**32], ids=case)
def test_a_seed_that_is_none_is_refused(cache, seed):
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        cached_network(make_network, load_mnist(), seed)


@pytest.mark.parametrize("dataset", [None, "mnist", np.zeros(3), load_mnist], ids=case)
def test_what_is_no_data_set_is_refused(cache, dataset):
    with pytest.raises(TypeError, match="dataset must be a Dataset"):
        cached_network(make_network, dataset, 3)


@pytest.mark.parametrize("fingerprint", ["", None, 3], ids=case)
def test_a_data_set_that_cannot_be_told_from_others_is_refused(cache, fingerprint):
    with pytest.raises(ValueError, match=r"dataset.fingerprint must tell it from other data"):
        cached_network(make_network, dataclasses.replace(load_mnist(), fingerprint=fingerprint), 3)


def test_what_is_no_network_is_not_kept(cache):
    with pytest.raises(TypeError, match=r"make_nothing must return the trained network, a keras.Model, got NoneType"):
        cached_network(make_nothing, load_mnist(), 3)
    assert made == [3]
    assert not list(cache.iterdir())


def test_a_cache_that_is_a_file_is_no_obstacle(cache, monkeypatch, capsys):
    (cache / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(cache / "file"))
    cached_network(make_network, load_mnist(), 3)
    assert "could not be kept" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_cache_that_may_not_be_entered_or_written_is_no_obstacle(nobody, monkeypatch, capsys, mode):
    nobody.chmod(mode)
    monkeypatch.setenv("COURSE_CACHE_DIR", str(nobody / "course"))
    assert isinstance(cached_network(make_network, load_mnist(), 3), keras.Model)
    assert "could not be kept" in capsys.readouterr().out
    nobody.chmod(0o755)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), NotImplementedError("no config")]
)
def test_a_training_is_never_lost(cache, monkeypatch, capsys, error):
    def fails(self, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(keras.Model, "save", fails)
    assert isinstance(cached_network(make_network, load_mnist(), 3), keras.Model)
    assert f"could not be kept in {cache} ({error}); the course goes on without" in capsys.readouterr().out
    assert not list(cache.iterdir())


def test_the_cache_folder_may_stand_under_home(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_CACHE_DIR", "~/networks")
    assert notebook.cache_folder() == tmp_path / "networks"
    notebook.say_once.cache_clear()
    monkeypatch.setenv("COURSE_CACHE_DIR", "~nobody-of-that-name/networks")
    assert notebook.cache_folder().parent == pathlib.Path(tempfile.gettempdir())
    assert "No home folder is known here" in capsys.readouterr().out


def test_an_interrupted_save_leaves_nothing(cache, monkeypatch):
    def interrupted(self, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cached_network(make_network, load_mnist(), 3)
    assert not list(cache.iterdir())


# Networks that took long to train


@pytest.fixture
def pretrained(tmp_path, monkeypatch, random_network):
    """A folder with one network in it, and its hash."""
    monkeypatch.setattr(notebook, "PRETRAINED", tmp_path)
    monkeypatch.setattr(notebook, "HASHES", tmp_path / "hashes.json")
    random_network.save(tmp_path / "one.keras")
    found = hashlib.sha256((tmp_path / "one.keras").read_bytes()).hexdigest()
    (tmp_path / "hashes.json").write_text(json.dumps({"one": found}), encoding="utf-8")
    return tmp_path


def test_a_pretrained_network_comes_back_as_it_was(pretrained, random_network, random_images):
    again = pretrained_network("one")
    np.testing.assert_array_equal(
        again.predict(random_images, verbose=0), random_network.predict(random_images, verbose=0)
    )


@pytest.mark.parametrize("content", ["{", "[]", None], ids=["half", "a list", "missing"])
def test_damaged_hashes_are_said(pretrained, content):
    notebook.HASHES.unlink() if content is None else notebook.HASHES.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"hashes.json is damaged or cannot be read: 'git checkout results'"):
        pretrained_network("one")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(pathlib.Path.unlink, "is missing in results/networks", id="missing"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), ".*or cannot be read", id="a folder"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes() + b"x"),
            r"is damaged or was changed: hash [0-9a-f]{64}, expected [0-9a-f]{64}",
            id="changed",
        ),
    ],
)
def test_a_file_of_a_pretrained_network_that_is_not_the_one_that_was_made_is_said(pretrained, damage, words):
    damage(pretrained / "one.keras")
    with pytest.raises(ValueError, match=rf"one.keras {words}.*git checkout results/networks"):
        pretrained_network("one")


def test_a_pretrained_network_that_this_keras_does_not_know_is_said(pretrained, monkeypatch):
    def fails(path, safe_mode):
        raise TypeError("three pages")

    monkeypatch.setattr(keras.saving, "load_model", fails)
    with pytest.raises(
        ValueError, match=r"one.keras: Keras 3.* cannot load it \(TypeError\); requirements.txt names"
    ):
        pretrained_network("one")


@pytest.mark.parametrize("name", [None, 3, ["one"], "two", "../one"], ids=case)
def test_a_pretrained_network_that_is_not_there_is_named(pretrained, name):
    with pytest.raises(ValueError, match=r"there is no pretrained network .*: the names are one"):
        pretrained_network(name)


# Alt texts


def test_a_figure_is_described_by_what_is_written_in_it():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], label="a line")
    left.set(xlabel="step", ylabel="score")
    left.set_title("It\nrises", loc="left")
    left.legend()
    right.set_title("And then?")
    figure.suptitle("Two pictures")
    plt.close(figure)
    assert alt_text(figure) == "Two pictures; It rises; score against step; a line; And then?"
    assert alt_text(Figure()) == "A figure"


def test_figures_in_a_notebook_carry_their_description(monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # that of the tests
    cells = (
        "import course_utils\ncourse_utils.start_notebook()\ncourse_utils.start_notebook()",
        "import matplotlib.pyplot as plt\nplt.figure()\nplt.subplots()[1].set_title('It rises')\nplt.show()",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300).execute()
    empty, output = notebook.cells[1].outputs
    assert "image/png" not in empty.data
    assert output.metadata["image/png"]["alt"] == "It rises"
