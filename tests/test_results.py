"""Claims, kept networks and the start of a notebook."""

import dataclasses
import json

from course_utils import (
    claim,
    convolutional_network,
    expected_minutes,
    finished_network,
    kept_network,
    load_mnist,
    results,
    start_notebook,
)

import keras
import numpy as np
import pytest


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
    monkeypatch.setattr(results, "measured_before", {"notebook_[0-9]*": claims}.get)
    monkeypatch.setattr(results, "spread", {"network/accuracy": [0.5, 0.7]}.get)


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


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    made.clear()
    return tmp_path


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


def test_a_cache_that_cannot_be_written_is_no_obstacle(cache, monkeypatch, capsys):
    (cache / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(cache / "file"))
    kept_network(make_network, load_mnist(), 3)
    assert "could not be kept" in capsys.readouterr().out


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


@pytest.fixture
def finished(tmp_path, monkeypatch, random_network):
    """A folder with one finished network in it."""
    monkeypatch.setattr(results, "FINISHED", tmp_path)
    monkeypatch.setattr(results, "HASHES", tmp_path / "hashes.json")
    results.keep_finished_network(random_network, "one")
    return tmp_path


def test_a_finished_network_leaves_its_optimiser_behind(finished, plain_network):
    results.keep_finished_network(plain_network, "trained")
    assert (finished / "trained.keras").stat().st_size < 4 * plain_network.count_params() + 100_000


def test_a_finished_network_comes_back_as_it_was(finished, random_network, random_images):
    again = finished_network("one")
    np.testing.assert_array_equal(
        again.predict(random_images, verbose=0), random_network.predict(random_images, verbose=0)
    )


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
    hashes = json.loads(results.HASHES.read_text())
    files = sorted(results.FINISHED.glob("*.keras"))
    assert [file.stem for file in files] == sorted(hashes)
    assert all(file.stat().st_size <= 1.2e6 for file in files)
    assert sum(file.stat().st_size for file in files) <= 12e6
    for name in hashes:
        assert finished_network(name).output_shape == (None, 10)
