"""The scoreboard of exercise 5: one budget for all, and no row is ever lost."""

from types import SimpleNamespace

from course_utils import Scoreboard, scoreboard, with_contrast
from course_utils.feedback import NotAttempted

import pytest


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A scoreboard in an empty folder, where training and attacking take no time."""
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(scoreboard, "trained_within_budget", lambda train: (train, 12.34))
    monkeypatch.setattr(scoreboard, "attacked", lambda train: train())
    return Scoreboard()


def report(worst):
    return lambda: SimpleNamespace(clean_accuracy=0.98, worst_accuracy=worst, single_image_accuracy=0.5)


def test_rows_are_there_again_in_the_next_session(board):
    board.enter("first", report(0.9)).enter("second", report(0.99))
    assert list(Scoreboard().rows) == ["first", "second"]
    assert Scoreboard().rows["first"] == {
        "clean_accuracy": 0.98, "worst_accuracy": 0.9, "single_image_accuracy": 0.5, "training_seconds": 12.3
    }  # fmt: skip


def test_the_best_stands_first_among_those_of_the_course(board):
    lines = repr(board.enter("mine", report(0.999)).enter("worse", report(0.0))).splitlines()
    assert lines[1].split()[0] == "mine"
    assert lines[-2].split()[0] == "worse"
    assert sum("(the course)" in line for line in lines) == 5


def test_an_earlier_row_of_that_name_is_replaced(board):
    board.enter("mine", report(0.5)).enter("mine", report(0.6))
    assert [row["worst_accuracy"] for row in Scoreboard().rows.values()] == [0.6]


def test_a_crash_while_writing_loses_nothing(board, monkeypatch):
    board.enter("mine", report(0.5))

    def crash(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(scoreboard.json, "dumps", crash)
    with pytest.raises(KeyboardInterrupt):
        board.enter("second", report(0.6))
    assert list(Scoreboard().rows) == ["mine"]


@pytest.mark.parametrize("content", ["{", "[]", '{"mine": 3}', '{"mine": {"clean_accuracy": 1}}'])
def test_a_damaged_file_is_put_aside(board, content, capsys):
    board.path.write_text(content)
    assert Scoreboard().rows == {}
    assert "put aside" in capsys.readouterr().out
    (aside,) = board.path.parent.glob("*.damaged-*")
    assert aside.read_text() == content


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_row_needs_a_name(board, name):
    with pytest.raises(ValueError, match="name must be a text"):
        board.enter(name, report(0.5))


def test_the_budget_is_what_it_says():
    batches = scoreboard.budget(0)
    images, labels = next(batches)
    assert images.shape == (64, 28, 28, 1)
    assert labels.shape == (64,)
    assert len(list(batches)) == scoreboard.BATCHES - 1
    assert next(batches, None) is None


def test_a_function_is_called_once_with_a_new_network():
    calls = []

    def train(network, batches):
        calls.append(len(list(batches)))
        return with_contrast(network)

    first, _ = scoreboard.trained_within_budget(train)
    assert scoreboard.trained_within_budget(train)[0] is first
    assert calls == [scoreboard.BATCHES]


def test_what_cannot_be_trained_gets_a_sentence():
    with pytest.raises(TypeError, match="a function train"):
        scoreboard.trained_within_budget("train")
    with pytest.raises(TypeError, match="must return the trained network"):
        scoreboard.trained_within_budget(lambda network, batches: "trained")
    with pytest.raises(NotAttempted, match="nothing to measure"):
        scoreboard.trained_within_budget(lambda network, batches: None)
