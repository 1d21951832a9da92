"""What is kept in results/: numbers with what they were measured on, and networks."""

import json
import pathlib
import zipfile

from course_utils import notebook, pretrained_network, stored_result

import keras
import pytest
from helpers import ROOT, TOOLS, same_weights

STORED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(notebook.RESULTS.glob("*.json"))}


@pytest.fixture
def measurements(monkeypatch, tmp_path):
    """The tool, which writes into a folder of its own."""
    monkeypatch.syspath_prepend(TOOLS)
    import measurements

    monkeypatch.setattr(notebook, "RESULTS", tmp_path)
    monkeypatch.setattr(notebook, "PRETRAINED", tmp_path)
    monkeypatch.setattr(notebook, "HASHES", tmp_path / "hashes.json")
    return measurements


# Numbers


def test_a_result_is_kept_with_what_it_was_measured_on(measurements):
    runs = [measurements.measured_run({"accuracy": seed / 10}, seed, seconds=3) for seed in (0, 1)]
    measurements.keep_result("one", "words", "a test", runs)
    assert stored_result("one") == {"accuracy": 0.0}
    kept = json.loads((notebook.RESULTS / "one.json").read_text(encoding="utf-8"))
    assert kept["what"] == "words"
    assert kept["made_by"] == "a test"
    for seed, run in enumerate(kept["runs"]):
        assert (run["seed"], run["seconds"], run["keras"]) == (seed, 3, keras.__version__)


@pytest.mark.parametrize("name", STORED)
def test_every_stored_result_has_the_same_form(name):
    kept = STORED[name]
    assert set(kept) == {"what", "made_by", "runs"}
    assert kept["what"]
    file, _, experiment = kept["made_by"].partition(": ")
    assert (ROOT / file).is_file()
    assert experiment in ("", name)
    for seed, run in enumerate(kept["runs"]):
        assert run["seed"] == seed
        assert {"commit", "date", "cores", "python", "tensorflow", "keras", "numpy", "values"} <= set(run)


@pytest.mark.parametrize("name", [name for name, kept in STORED.items() if "quick" in kept["runs"][0]["values"]])
def test_every_stored_attack_can_be_trusted_or_the_strongest_hardly_exceeds_what_is_proven(name):
    for run in STORED[name]["runs"]:
        reports = [run["values"][strength] for strength in ("quick", "full") if strength in run["values"]]
        ahead = reports[-1]["single_image_accuracy"] - run["values"].get("certified_of_attacked", 0)
        assert all(report["trustworthy"] for report in reports) or ahead < 0.025


# Networks


@pytest.fixture
def pretrained(measurements, tmp_path, random_network):
    """A folder with one network in it."""
    measurements.keep_pretrained_network(random_network, "one")
    return tmp_path


def test_a_pretrained_network_names_no_initializer_which_older_versions_of_keras_refuse(
    pretrained, measurements, random_network
):
    with zipfile.ZipFile(pretrained / "one.keras") as file:
        assert "_initializer" not in file.read("config.json").decode()
    assert same_weights(pretrained_network("one"), random_network)


def test_a_pretrained_network_leaves_its_optimiser_behind(pretrained, measurements, plain_network):
    measurements.keep_pretrained_network(plain_network, "trained")
    assert (pretrained / "trained.keras").stat().st_size < 4 * plain_network.count_params() + 100_000


def test_the_hashes_are_written_whole_or_not_at_all(pretrained, measurements, random_network, monkeypatch):
    before = notebook.HASHES.read_bytes()

    def interrupted(path, text, **settings):
        path.write_bytes(text[:9].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measurements.keep_pretrained_network(random_network, "two")
    assert notebook.HASHES.read_bytes() == before


def test_a_hash_that_was_lost_is_written_again(pretrained, measurements, random_network):
    before = notebook.HASHES.read_bytes()
    notebook.HASHES.unlink()
    measurements.keep_pretrained_network(random_network, "one")
    assert notebook.HASHES.read_bytes() == before


def test_an_equal_network_keeps_its_file_and_another_replaces_it(pretrained, measurements, random_network):
    before = (pretrained / "one.keras").read_bytes()
    measurements.keep_pretrained_network(random_network, "one")
    assert (pretrained / "one.keras").read_bytes() == before
    other = keras.models.clone_model(random_network)
    measurements.keep_pretrained_network(other, "one")
    assert (pretrained / "one.keras").read_bytes() != before
    assert same_weights(pretrained_network("one"), other)


def test_names_that_keras_counts_up_make_no_other_network(measurements):
    def nested(units=2):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.Sequential([keras.layers.Dense(units)])(inputs))

    one, other = nested(), nested()
    other.set_weights(one.get_weights())
    assert one.to_json() != other.to_json()
    assert measurements._are_equal(one, other)
    assert not measurements._are_equal(one, nested())
    assert not measurements._are_equal(one, nested(units=3))


def test_the_pretrained_networks_are_those_that_were_made_and_small():
    hashes = json.loads(notebook.HASHES.read_text(encoding="utf-8"))
    files = sorted(notebook.PRETRAINED.glob("*.keras"))
    assert [file.stem for file in files] == sorted(hashes)
    assert all(file.stat().st_size <= 1.2e6 for file in files)
    assert sum(file.stat().st_size for file in files) <= 12e6
    for name in hashes:
        assert pretrained_network(name).output_shape == (None, 10)
