"""Stored results: one form for all, one entry a seed, and a band in words."""

import json
import re
import statistics
from pathlib import Path

from course_utils import spread, stored, stored_result

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
STORED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(stored.RESULTS.glob("*.json"))}
CLAIMED = re.compile(r"^✓ (.+?): [-\d]", flags=re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    return tmp_path


def keep(values, name="one"):
    stored.keep_result(name, "words", {"function": "f"}, [{"seed": seed} for seed in range(len(values))], values)


def test_a_stored_result_is_what_the_first_seed_gave(folder):
    keep([{"accuracy": 0.5}, {"accuracy": 0.7}])
    assert stored_result("one") == {"accuracy": 0.5}
    for name in ("two", "../one"):
        with pytest.raises(ValueError, match=r"there is no stored result .*: the names are one$"):
            stored_result(name)


def test_the_spread_has_one_number_a_seed_and_leaves_out_where_there_is_none(folder):
    keep([{"full": {"accuracy": 0.5}, "rows": [{"noisy": 1}]}, {"quick": 1, "rows": [{"noisy": 2}]}])
    assert spread("one/full/accuracy") == [0.5]
    assert spread("one/rows/0/noisy") == [1, 2]


@pytest.mark.parametrize(
    "way", ["one/other", "one/full", "one", "one/rows/7/noisy", "one/rows/x", "one//x", "one/true"]
)
def test_a_number_that_is_not_there_is_named(folder, way):
    keep([{"full": {"accuracy": 0.5}, "rows": [{"noisy": 1}], "true": True}])
    with pytest.raises(ValueError, match=f"there is no number {way[4:]!r} in the stored result 'one'"):
        spread(way)


@pytest.mark.parametrize("name", [None, 3, ["one"], b"one"])
def test_a_name_is_a_text(folder, name):
    for function in (stored_result, spread):
        with pytest.raises(
            TypeError, match=f"the name of a stored result must be a text.*got {re.escape(repr(name))}"
        ):
            function(name)


@pytest.mark.parametrize(
    "content", ["", '{"values": [{"a', "[]", "3", "{}", '{"values": {"a": 1}}', "ÿ", "[" * 9_999]
)
def test_a_damaged_file_gets_a_sentence_that_says_how_to_mend_it(folder, content):
    (folder / "one.json").write_text(content, encoding="latin-1")
    for function in (stored_result, spread):
        with pytest.raises(
            ValueError, match=r"^one.json is damaged or cannot be read: 'git checkout results' fetches it"
        ):
            function("one")


def test_where_all_results_are_missing_it_is_said_how_to_fetch_them(folder):
    with pytest.raises(ValueError, match="no stored result 'one': none is here, 'git checkout results' fetches them"):
        stored_result("one")


def test_a_result_is_the_same_file_on_every_system(folder):
    keep([{"größe": 1}])
    assert (folder / "one.json").read_bytes().count(b"\r") == 0
    assert "größe".encode() in (folder / "one.json").read_bytes()


def test_the_summary_has_every_number_and_no_truth_value(folder):
    keep([{"a": {"b": 1.0}, "true": True}, {"a": {"b": 3.0}}, {"a": {"b": 2.5}}])
    summary = json.loads((folder / "one.json").read_text(encoding="utf-8"))["summary"]
    assert summary == {"a/b": {"median": 2.5, "lowest": 1.0, "highest": 3.0}}


def test_a_result_is_written_whole_or_not_at_all(folder):
    keep([{"a": 1}])
    with pytest.raises(TypeError):
        keep([{"a": object()}])
    assert stored_result("one") == {"a": 1}
    assert [path.name for path in folder.iterdir()] == ["one.json"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], ""),
        ([0.5], ""),
        ([0.5, 0.5, 0.5], ""),  # a finished network, or a count: five times the same says nothing
        ([0.5, 0.7], "two seeds 50.0% – 70.0%"),
        ([0.5001, 0.5002, 0.5, 0.5, 0.5], "five seeds all 50.0%"),
        ([0.1] * 6 + [0.2], "7 seeds 10.0% – 20.0%"),
    ],
)
def test_a_band_in_words(values, words):
    assert stored.band(values) == words


def test_what_was_measured_before_is_found_by_its_words(folder):
    stored.measured_before.cache_clear()
    keep([{"nine in ten": 0.9}, {"nine in ten": 0.8, "new": 1}], "notebook_00")
    keep([{"other": 1}], "solution_01")
    assert stored.measured_before("notebook_[0-9]*") == {"nine in ten": [0.9, 0.8], "new": [1]}
    assert stored.measured_before("solution_01") == {"other": [1]}
    assert stored.measured_before("solution_02") == {}
    stored.measured_before.cache_clear()


def test_the_band_speaks_in_the_form_of_the_number():
    assert stored.beside(14, [12, 17], ".0f") == " (two seeds 12 – 17)"
    assert "yours is outside" in stored.beside(18, [12, 17], ".0f")
    assert stored.beside(17.4, [12, 17], ".0f") == " (two seeds 12 – 17)", "what looks the same is within"
    assert stored.beside(1_500, [1_200, 1_700], ",.0f") == " (two seeds 1,200 – 1,700)"


def test_only_numbers_are_told_as_measured_before(folder):
    stored.measured_before.cache_clear()
    keep([{"nine in ten": "much", "ten": 1}, {"nine in ten": 0.8, "ten": None}], "solution_01")
    assert stored.measured_before("solution_01") == {"nine in ten": [0.8], "ten": [1]}
    stored.measured_before.cache_clear()


@pytest.mark.parametrize("name", STORED)
def test_every_stored_result_has_the_same_form(name):
    kept = STORED[name]
    assert set(kept) == {"what", "made_by", "summary", "runs", "values"}
    assert kept["what"]
    assert kept["made_by"]["function"]
    assert 1 <= len(kept["values"]) == len(kept["runs"]) <= 5
    for seed, (run, value) in enumerate(zip(kept["runs"], kept["values"], strict=True)):
        assert run["seed"] == seed
        assert {"cores", "python", "tensorflow", "keras"} <= set(run)
        for report in (value.get("quick"), value.get("full")):
            assert report is None or report["believable"]


@pytest.mark.parametrize("name", [name for name, kept in STORED.items() if "source" in kept["made_by"]])
def test_every_summary_is_that_of_its_values(name):
    for way, summary in STORED[name]["summary"].items():
        numbers = [_at(value, way) for value in STORED[name]["values"]]
        numbers = [number for number in numbers if number is not None]
        assert summary == {
            "median": statistics.median(numbers),
            "lowest": min(numbers),
            "highest": max(numbers),
        }


def _at(value, way):
    """Follow a way in which a name may itself hold a slash."""
    if way in value:
        return value[way]
    for name, part in value.items():
        if way.startswith(f"{name}/") and isinstance(part, dict):
            return _at(part, way.removeprefix(f"{name}/"))
    return None


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_claim_of_a_notebook_was_made_with_several_seeds(path):
    cells = nbformat.read(path, as_version=4).cells
    texts = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    claims = [claim for text in texts for claim in CLAIMED.findall(text)]
    measured = STORED[f"notebook_{path.stem}"]["values"]
    assert set(claims) == set(measured[0])
    assert all(set(value) == set(measured[0]) for value in measured)


def test_no_two_claims_have_the_same_words():
    texts = [text for name, kept in STORED.items() if name.startswith("notebook_0") for text in kept["values"][0]]
    assert len(texts) == len(set(texts))
