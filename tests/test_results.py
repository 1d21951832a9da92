"""Claims, kept networks and the start of a notebook."""

import dataclasses
import errno
import functools
import json
import linecache
import pathlib
import shutil
import tempfile
import zipfile

from course_utils import (
    claim,
    convolutional_network,
    expected_minutes,
    finished_network,
    kept_network,
    load_mnist,
    results,
    start_notebook,
    stored,
)

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def real_data(monkeypatch):
    monkeypatch.setattr(results, "using_stand_in", lambda: False)


def test_a_claim_that_holds_prints_the_value(real_data, capsys):
    claim("nine in ten digits fall", 0.953, 0.9, 0.99)
    claim("few steps", 14, high=29, form=".0f")
    assert capsys.readouterr().out == "✓ nine in ten digits fall: 95.3%\n✓ few steps: 14\n"


@pytest.mark.parametrize("value", [0.89, 0.991, float("nan")])
def test_a_claim_that_does_not_hold_raises(real_data, value):
    with pytest.raises(AssertionError, match="nine in ten digits fall"):
        claim("nine in ten digits fall", value, 0.9, 0.99)


def test_a_claim_on_the_stand_in_only_tells(monkeypatch, capsys):
    monkeypatch.setattr(results, "using_stand_in", lambda: True)
    claim("nine in ten digits fall", 0.5, 0.9, 0.99)
    said = capsys.readouterr().out
    assert "✓" not in said
    assert "50.0% here (the text speaks of MNIST: 90.0% to 99.0%)" in said


def test_a_claim_about_other_data_knows_whether_these_are_real(real_data, capsys):
    claim("three in four photographs", 0.5, 0.7, 0.8, stand_in=True)
    assert "50.0% here (the text speaks of the real data: 70.0% to 80.0%)" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="three in four"):
        claim("three in four photographs", 0.5, 0.7, 0.8, stand_in=False)


@pytest.fixture
def five_seeds(monkeypatch):
    claims = {"nine in ten fall": [0.951, 0.953, 0.958]}
    monkeypatch.setattr(stored, "measured_before", {"notebook_[0-9]*": claims}.get)
    monkeypatch.setattr(stored, "spread", {"network/accuracy": [0.5, 0.7]}.get)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.952, "✓ nine in ten fall: 95.2% (three seeds 95.1% – 95.8%)\n"),
        (0.9506, "✓ nine in ten fall: 95.1% (three seeds 95.1% – 95.8%)\n"),
        (0.94, "✓ nine in ten fall: 94.0% (three seeds 95.1% – 95.8%; yours is outside"),
    ],
)
def test_a_claim_shows_the_band_of_several_seeds(real_data, five_seeds, capsys, value, said):
    claim("nine in ten fall", value, 0.9, 0.99)
    assert capsys.readouterr().out.startswith(said)


def test_a_claim_about_a_training_takes_the_band_from_its_result(real_data, five_seeds, capsys):
    claim("nine in ten fall", 0.6, 0.5, 1, result="network/accuracy")
    assert capsys.readouterr().out == "✓ nine in ten fall: 60.0% (two seeds 50.0% – 70.0%)\n"


def test_on_the_stand_in_the_band_is_that_of_the_real_data(monkeypatch, five_seeds, capsys):
    monkeypatch.setattr(results, "using_stand_in", lambda: True)
    claim("nine in ten fall", 0.4, 0.9, 0.99)
    assert capsys.readouterr().out == (
        "· nine in ten fall: 40.0% here (the text speaks of MNIST: 90.0% to 99.0%; three seeds 95.1% – 95.8%)\n"
    )


def test_what_was_claimed_is_written_down(real_data, monkeypatch):
    monkeypatch.setattr(results, "MEASURED", [])
    claim("nine in ten fall", np.float32(0.5), 0, 1)
    claim("few steps", np.int64(14), 0, 29, form="d")
    assert results.MEASURED == [("nine in ten fall", 0.5), ("few steps", 14)]
    assert [type(value) for _, value in results.MEASURED] == [float, int]


def test_a_claim_that_could_not_fail_is_refused(real_data):
    with pytest.raises(ValueError, match="could not fail"):
        claim("anything at all", 0.5)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.9, float("inf"), "at least 90.0%"), (-float("inf"), 0.3, "at most 30.0%"), (0.9, 0.9, "90.0%")],
)
def test_what_is_claimed_is_said_in_words(real_data, low, high, words):
    with pytest.raises(AssertionError, match=f"Measured: 50.0%, but {words} was claimed"):
        claim("nine in ten fall", 0.5, low, high)


def test_one_limit_is_enough_for_whole_numbers(real_data, capsys):
    claim("few steps", 14, high=29, form="d")
    assert capsys.readouterr().out == "✓ few steps: 14\n"


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array([[0.5]]), tf.constant(0.5), tf.Variable(0.5)])
def test_one_number_is_taken_in_every_form(real_data, capsys, value):
    claim("half", value, 0, 1)
    assert capsys.readouterr().out == "✓ half: 50.0%\n"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"text": 3}, TypeError, "text must be a sentence, got 3"),
        ({"text": " "}, TypeError, "text must be a sentence"),
        ({"value": "half"}, TypeError, "value must be one number, got 'half'"),
        ({"value": None}, TypeError, "value must be one number, got None"),
        ({"value": np.zeros(2)}, TypeError, r"value must be one number, got array\(\[0., 0.\]\)"),
        ({"value": [[1], [1, 2]]}, TypeError, "value must be one number"),
        ({"value": 1j}, TypeError, "value must be one number, got 1j"),
        ({"low": "much"}, TypeError, "low must be one number, got 'much'"),
        ({"high": None}, TypeError, "high must be one number, got None"),
        ({"low": 0.9, "high": 0.1}, ValueError, "low must be at most high, got 0.9 and 0.1"),
        ({"low": float("nan")}, ValueError, "low must be at most high, got nan"),
        ({"form": "percent"}, ValueError, "form must fit numbers such as 0.5, like '.1%', got 'percent'"),
        ({"form": "d"}, ValueError, "got 'd'"),
        ({"form": 3}, ValueError, "got 3"),
        ({"result": 3}, TypeError, "must be a text"),
        ({"result": "nothing/at/all"}, ValueError, "there is no stored result 'nothing'"),
    ],
)
def test_a_claim_that_cannot_be_held_gets_a_sentence(real_data, given, error, words):
    with pytest.raises(error, match=words):
        claim(**{"text": "half", "value": 0.5, "low": 0, "high": 1} | given)


def test_a_form_must_fit_the_band_too(real_data, five_seeds):
    with pytest.raises(ValueError, match="form must fit numbers such as 14"):
        claim("steps", 14, 0, 29, form="d", result="network/accuracy")


@pytest.mark.parametrize("encoding", ["gbk", "cp949", "cp950", "cp1252"])
def test_a_claim_is_printed_whatever_the_system_calls_a_text_file(real_data, monkeypatch, capsys, encoding):
    usual = pathlib.Path.open

    def as_on_windows(self, mode="r", **settings):
        if "b" not in mode and settings.get("encoding") in (None, "locale"):
            settings["encoding"] = encoding
        return usual(self, mode, **settings)

    monkeypatch.setattr(pathlib.Path, "open", as_on_windows)
    stored.measured_before.cache_clear()
    claim("share of the pixels that hold any ink: about a fifth", 0.193, 0.17, 0.22)
    said = capsys.readouterr().out
    assert said.startswith("✓ share of the pixels that hold any ink")
    assert "damaged" not in said


@pytest.mark.parametrize("content", ["{", "[]", '{"what": "words"}', '{"values": [3]}', '{"values": []}'])
def test_a_damaged_result_costs_a_claim_its_band_only(real_data, monkeypatch, tmp_path, capsys, content):
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    for cached in (stored.measured_before, stored.say_once):
        cached.cache_clear()
    stored.keep_result("notebook_01", "words", {}, [], [{"half": 0.4}, {"half": 0.6}])
    for name in ("notebook_00", "one"):
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8")
    claim("half", 0.5, 0, 1)
    claim("half", 0.5, 0, 1)
    claim("another", 0.5, 0, 1, result="one/number")
    claim("another", 0.5, 0, 1, result="one/number")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "notebook_00.json is damaged or cannot be read: 'git checkout results' fetches it again. "
        "Until then its numbers are left out.",
        "✓ half: 50.0% (two seeds 40.0% – 60.0%)",
        "✓ half: 50.0% (two seeds 40.0% – 60.0%)",
        "one.json is damaged or cannot be read: 'git checkout results' fetches it again. "
        "Until then its numbers are left out.",
        "✓ another: 50.0%",
        "✓ another: 50.0%",
    ]
    stored.measured_before.cache_clear()


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


made = []


def make_network(dataset, seed):
    keras.utils.set_random_seed(seed)
    made.append(seed)
    return convolutional_network((12, 12, 1), 5)


def make_network_within(seed):
    return make_network(load_mnist(), seed)


def make_nothing(dataset, seed):
    made.append(seed)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    made.clear()
    return tmp_path


def record(what):
    made.append(what)


def in_a_notebook(*cells):
    """Run cells as a notebook does, and return their names."""
    names = {"__name__": "__main__", "keras": keras, "record": record}
    for cell in cells:
        path = f"<cell {hash(cell)}>"
        linecache.cache[path] = (len(cell), None, cell.splitlines(keepends=True), path)
        exec(compile(cell, path, "exec"), names)
    return names


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_a_network_is_made_once_and_fetched_afterwards(cache, capsys):
    first = kept_network(make_network, load_mnist(), 3)
    second = kept_network(make_network, load_mnist(), 3)
    assert made == [3]
    assert same(first, second)
    assert capsys.readouterr().out.count("Making make_network") == 1
    assert [path.suffix for path in cache.iterdir()] == [".keras"]  # and nothing half written beside it


def test_what_follows_is_the_same_whether_it_was_made_or_fetched(cache):
    kept_network(make_network, load_mnist(), 3)
    after_making = keras.random.normal((3,))
    kept_network(make_network, load_mnist(), 3)
    np.testing.assert_array_equal(after_making, keras.random.normal((3,)))


def test_another_seed_or_other_data_make_another_network(cache):
    kept_network(make_network, load_mnist(), 3)
    kept_network(make_network, load_mnist(), 4)
    kept_network(make_network, dataclasses.replace(load_mnist(), fingerprint="other"), 3)
    assert made == [3, 4, 3]


def test_other_code_makes_another_network(cache, monkeypatch):
    kept_network(make_network, load_mnist(), 3)
    monkeypatch.setattr(results.inspect, "getsource", lambda module: "changed")
    kept_network(make_network, load_mnist(), 3)
    assert made == [3, 3]


@pytest.mark.parametrize("damage", [b"", b"not a network", None])
def test_a_damaged_file_is_made_anew(cache, capsys, damage):
    first = kept_network(make_network, load_mnist(), 3)
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-500] if damage is None else damage)
    assert same(first, kept_network(make_network, load_mnist(), 3))
    assert "cannot be read" in capsys.readouterr().out
    kept_network(make_network, load_mnist(), 3)
    assert made == [3, 3]


def test_a_file_of_another_network_is_not_taken_for_this_one(cache, capsys):
    three, four = (kept_network(make_network, load_mnist(), seed) for seed in (3, 4))
    one, other = cache.iterdir()
    shutil.copy(one, other)
    assert same(three, kept_network(make_network, load_mnist(), 3))
    assert same(four, kept_network(make_network, load_mnist(), 4))
    assert made in ([3, 4, 3], [3, 4, 4])
    assert "is another one than its name says; it is made anew" in capsys.readouterr().out
    capsys.readouterr()
    kept_network(make_network, load_mnist(), 3)
    kept_network(make_network, load_mnist(), 4)
    assert capsys.readouterr().out == ""


def test_a_bit_that_was_flipped_is_noticed(cache, capsys):
    first = kept_network(make_network, load_mnist(), 3)
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert same(first, kept_network(make_network, load_mnist(), 3))
    assert "cannot be read" in capsys.readouterr().out


SOURCE = """
def make(dataset, seed, units=MORE):
    record((UNITS, units))
    return built(UNITS + units)
"""
HELPER = """
def built(units):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
"""


def test_a_function_of_a_notebook_is_known_by_its_code_and_by_what_that_uses(cache):
    cells = ["UNITS, MORE = 3, 2", HELPER, SOURCE]
    for _ in range(2):
        kept_network(in_a_notebook(*cells)["make"], load_mnist(), 3)
    assert made == [(3, 2)]
    kept_network(in_a_notebook("UNITS, MORE = 4, 2", *cells[1:])["make"], load_mnist(), 3)
    kept_network(in_a_notebook("UNITS, MORE = 3, 3", *cells[1:])["make"], load_mnist(), 3)
    kept_network(in_a_notebook(cells[0], HELPER.replace("(3,)", "(4,)"), SOURCE)["make"], load_mnist(), 3)
    kept_network(in_a_notebook(*cells[:2], SOURCE + "    # changed")["make"], load_mnist(), 3)
    assert made == [(3, 2), (4, 2), (3, 3), (3, 2), (3, 2)]
    kept_network(in_a_notebook(*cells, "other = 7", "def another():\n    return 3\n")["make"], load_mnist(), 3)
    assert len(made) == 5, "what it does not use may change"


def within(units):
    def make(dataset, seed):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

    return make


@pytest.mark.parametrize(
    "make",
    [
        lambda dataset, seed: make_network(dataset, seed),
        functools.partial(make_network, seed=3),
        within(2),
        make_network_within,
        keras.Sequential,
        print,
        "make_network",
        None,
        ...,
    ],
)
def test_what_cannot_be_known_by_its_code_is_refused(cache, make):
    with pytest.raises(TypeError, match=r"make must be a function written as def make\(dataset, seed\).*; got "):
        kept_network(make, load_mnist(), 3)
    assert not made
    assert not list(cache.iterdir())


def test_code_that_is_gone_is_refused(cache):
    names = {"__name__": "__main__"}
    exec("def make(dataset, seed): pass", names)
    with pytest.raises(TypeError, match="its code must be readable"):
        kept_network(names["make"], load_mnist(), 3)


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True, None, 2**32])
def test_a_seed_that_is_none_is_refused(cache, seed):
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        kept_network(make_network, load_mnist(), seed)


@pytest.mark.parametrize("dataset", [None, "mnist", np.zeros(3), load_mnist])
def test_what_is_no_data_set_is_refused(cache, dataset):
    with pytest.raises(TypeError, match="dataset must be a Dataset"):
        kept_network(make_network, dataset, 3)


@pytest.mark.parametrize("fingerprint", ["", None, 3])
def test_a_data_set_that_cannot_be_told_from_others_is_refused(cache, fingerprint):
    with pytest.raises(ValueError, match=r"dataset.fingerprint must tell it from other data"):
        kept_network(make_network, dataclasses.replace(load_mnist(), fingerprint=fingerprint), 3)


def test_what_is_no_network_is_not_kept(cache):
    with pytest.raises(TypeError, match=r"make_nothing must return the trained network, a keras.Model, got NoneType"):
        kept_network(make_nothing, load_mnist(), 3)
    assert made == [3]
    assert not list(cache.iterdir())


def test_a_cache_that_is_a_file_is_no_obstacle(cache, monkeypatch, capsys):
    (cache / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(cache / "file"))
    kept_network(make_network, load_mnist(), 3)
    assert "could not be kept" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_cache_that_may_not_be_entered_or_written_is_no_obstacle(nobody, monkeypatch, capsys, mode):
    nobody.chmod(mode)
    monkeypatch.setenv("COURSE_CACHE_DIR", str(nobody / "course"))
    assert isinstance(kept_network(make_network, load_mnist(), 3), keras.Model)
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
    assert isinstance(kept_network(make_network, load_mnist(), 3), keras.Model)
    assert f"could not be kept in {cache} ({error}); the course goes on without" in capsys.readouterr().out
    assert not list(cache.iterdir())


def test_the_cache_folder_may_stand_under_home(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_CACHE_DIR", "~/networks")
    assert stored.cache_folder() == tmp_path / "networks"
    stored.say_once.cache_clear()
    monkeypatch.setenv("COURSE_CACHE_DIR", "~nobody-of-that-name/networks")
    assert stored.cache_folder().parent == pathlib.Path(tempfile.gettempdir())
    assert "No home folder is known here" in capsys.readouterr().out


def test_an_interrupted_save_leaves_nothing(cache, monkeypatch):
    def interrupted(self, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept_network(make_network, load_mnist(), 3)
    assert not list(cache.iterdir())


def test_the_expected_minutes_grow_with_the_slowness_of_the_machine(monkeypatch):
    monkeypatch.setattr(results, "seconds_for_training", lambda: 2.0)
    fast = expected_minutes()
    monkeypatch.setattr(results, "seconds_for_training", lambda: 6.0)
    slow = expected_minutes()
    assert list(fast) == sorted(fast)
    assert all(slow[name] == pytest.approx(3 * fast[name]) for name in fast)
    assert all(minutes > 0 for minutes in fast.values())


@pytest.mark.parametrize("times", [{}, {"seconds": 3}, {"seconds": {"00": 1}, "seconds_for_training": 0}])
def test_times_that_are_damaged_are_said(monkeypatch, times):
    monkeypatch.setattr(results, "stored_result", lambda name: times)
    with pytest.raises(ValueError, match=r"notebook_times.json is damaged or cannot be read: 'git checkout results'"):
        expected_minutes()


@pytest.fixture
def finished(tmp_path, monkeypatch, random_network):
    """A folder with one finished network in it."""
    monkeypatch.setattr(results, "FINISHED", tmp_path)
    monkeypatch.setattr(results, "HASHES", tmp_path / "hashes.json")
    results.keep_finished_network(random_network, "one")
    return tmp_path


def test_a_finished_network_names_no_initializer_which_older_versions_of_keras_refuse(finished, random_network):
    with zipfile.ZipFile(finished / "one.keras") as file:
        assert "_initializer" not in file.read("config.json").decode()
    assert same(finished_network("one"), random_network)


def test_a_finished_network_leaves_its_optimiser_behind(finished, plain_network):
    results.keep_finished_network(plain_network, "trained")
    assert (finished / "trained.keras").stat().st_size < 4 * plain_network.count_params() + 100_000


def test_a_finished_network_comes_back_as_it_was(finished, random_network, random_images):
    again = finished_network("one")
    np.testing.assert_array_equal(
        again.predict(random_images, verbose=0), random_network.predict(random_images, verbose=0)
    )


def test_the_hashes_are_written_whole_or_not_at_all(finished, random_network, monkeypatch):
    before = results.HASHES.read_bytes()

    def interrupted(path, text, **settings):
        path.write_bytes(text[:9].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        results.keep_finished_network(random_network, "two")
    assert results.HASHES.read_bytes() == before


def test_a_hash_that_was_lost_is_written_again(finished, random_network):
    before = results.HASHES.read_bytes()
    results.HASHES.unlink()
    results.keep_finished_network(random_network, "one")
    assert results.HASHES.read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", None])
def test_damaged_hashes_are_said(finished, content):
    results.HASHES.unlink() if content is None else results.HASHES.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"hashes.json is damaged or cannot be read: 'git checkout results'"):
        finished_network("one")


def test_a_finished_network_whose_file_is_missing_is_said(finished):
    (finished / "one.keras").unlink()
    with pytest.raises(ValueError, match=r"one.keras is missing in results/networks.*git checkout results/networks"):
        finished_network("one")


def test_a_finished_network_that_this_keras_does_not_know_is_said(finished, monkeypatch):
    def fails(path, safe_mode):
        raise TypeError("three pages")

    monkeypatch.setattr(keras.saving, "load_model", fails)
    with pytest.raises(
        ValueError, match=r"one.keras: Keras 3.* cannot load it \(TypeError\); requirements.txt names"
    ):
        finished_network("one")


@pytest.mark.parametrize("name", [None, 3, ["one"]])
def test_a_finished_network_has_a_name(finished, name):
    with pytest.raises(TypeError, match="name must be that of a finished network"):
        finished_network(name)


def test_an_equal_network_keeps_its_file_and_another_replaces_it(finished, random_network):
    before = (finished / "one.keras").read_bytes()
    results.keep_finished_network(random_network, "one")
    assert (finished / "one.keras").read_bytes() == before
    other = keras.models.clone_model(random_network)
    results.keep_finished_network(other, "one")
    assert (finished / "one.keras").read_bytes() != before
    assert same(finished_network("one"), other)


def test_names_that_keras_counts_up_make_no_other_network():
    def nested(units=2):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.Sequential([keras.layers.Dense(units)])(inputs))

    one, other = nested(), nested()
    other.set_weights(one.get_weights())
    assert one.to_json() != other.to_json()
    assert results._are_equal(one, other)
    assert not results._are_equal(one, nested())
    assert not results._are_equal(one, nested(units=3))


def test_a_finished_network_that_was_changed_is_refused(finished):
    with (finished / "one.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=r"one.keras is damaged .* expected [0-9a-f]{64}.*git checkout"):
        finished_network("one")


@pytest.mark.parametrize("name", ["two", "../one"])
def test_a_finished_network_that_is_not_there_is_named(finished, name):
    with pytest.raises(ValueError, match="the names are one"):
        finished_network(name)


def test_the_finished_networks_are_those_that_were_made_and_small():
    hashes = json.loads(results.HASHES.read_text(encoding="utf-8"))
    files = sorted(results.FINISHED.glob("*.keras"))
    assert [file.stem for file in files] == sorted(hashes)
    assert all(file.stat().st_size <= 1.2e6 for file in files)
    assert sum(file.stat().st_size for file in files) <= 12e6
    for name in hashes:
        assert finished_network(name).output_shape == (None, 10)
