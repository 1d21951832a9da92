"""The scoreboard of exercise 5: one budget for all, and no row is ever lost."""

import errno
import json
import pathlib
from types import SimpleNamespace

from course_utils import prepend_contrast
from course_utils.attacks import AttackReport
from course_utils.exercises import Scoreboard, scoreboard

import numpy as np
import pytest
from answers import named


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A scoreboard in an empty folder, where training and attacking take no time."""
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))

    def trained(train):
        return SimpleNamespace(seconds=12.34, used=600, report=train())

    monkeypatch.setattr(scoreboard, "trained_within_budget", trained)
    monkeypatch.setattr(scoreboard, "forget", scoreboard.ENTERED.clear)
    return Scoreboard()


def report(worst, **others):
    numbers = {"clean_accuracy": 0.98, "worst_accuracy": worst, "single_image_accuracy": 0.5, "trustworthy": True}
    return lambda: SimpleNamespace(**numbers | others)


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


def test_a_row_can_be_removed(board):
    other = Scoreboard()
    board.enter("mine", report(0.5)).enter("my  second", report(0.6))
    assert list(board.remove("mine").rows) == list(Scoreboard().rows) == ["my second"]
    assert "mine" not in repr(board)
    other.enter("another", report(0.7))
    assert list(board.remove(" my second ").rows) == list(Scoreboard().rows) == ["another"]
    assert list(board.enter("mine", report(0.8)).rows) == ["another", "mine"], "and entered again"


@pytest.mark.parametrize("name", ["his", "worst noise, 1 step (the course)", "", None, 3, ["mine"]], ids=str)
def test_a_row_that_is_not_there_cannot_be_removed(board, name):
    board.enter("mine", report(0.5))
    with pytest.raises(ValueError, match=r"there is no row .* of yours, only 'mine'"):
        board.remove(name)
    assert list(Scoreboard().rows) == ["mine"]


def test_a_row_that_could_not_be_written_can_be_removed(board, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    board.enter("first", report(0.9))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(scoreboard, "write_json", full)
        assert "another" not in repr(board.enter("another", report(0.8)).remove("another"))
        assert "first" not in repr(board.remove("first"))
    assert "The row is still in " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        pytest.param({"explained_by_gradients": 0.0}, "its gradients explain 0%", id="hidden gradients"),
        pytest.param({"explained_by_gradients": 0.99}, "noise at limit 1 leaves 98%", id="a blind attack"),
    ],
)
def test_what_the_judge_cannot_believe_gets_no_row(board, numbers, words):
    rows = {"universal, towards a class": 0.9, "single images, margin": 0.5, "single images, no gradients": 0.6}
    unbelievable = AttackReport(
        clean_accuracy=0.98, mean_accuracy=0.98, worst_accuracy=0.99, worst_success_rate=0, single_image_accuracy=0.5,
        by_attack=rows, all_noise=np.zeros((10, 28, 28, 1)), accuracy_at_limit_1=0.979, accuracy_with_fewer_steps=0.9,
        way_with_slope=1, local_linearity=1, ahead_without_gradients=0, **numbers,
    )  # fmt: skip
    with pytest.raises(ValueError, match=f"train gets no row, since .*{words}"):
        board.enter("one-hot", lambda: unbelievable)
    assert not Scoreboard().rows


def test_a_crash_while_writing_loses_nothing(board, monkeypatch):
    board.enter("mine", report(0.5))

    def crash(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "write_text", crash)
    with pytest.raises(KeyboardInterrupt):
        board.enter("second", report(0.6))
    assert list(Scoreboard().rows) == ["mine"]


ROW = {"clean_accuracy": 0.9, "worst_accuracy": 0.8, "single_image_accuracy": 0.5, "training_seconds": 12.3}
DAMAGED = {
    "cut off": "{",
    "a list": "[]",
    "a number": "3",
    "not UTF-8": "ÿ",
    "too deep": "[" * 9_999,
    "no row": '{"mine": 3}',
    "half a row": '{"mine": {"clean_accuracy": 1}}',
}
for value in (None, "much", [0.8]):
    DAMAGED[f"worst_accuracy = {value!r}"] = json.dumps({"mine": ROW | {"worst_accuracy": value}})


@pytest.mark.parametrize("content", named(DAMAGED))
def test_a_damaged_file_is_put_aside(board, content, capsys):
    board.path.write_text(content, encoding="latin-1")
    assert Scoreboard().rows == {}
    assert "put aside" in capsys.readouterr().out
    (aside,) = board.path.parent.glob("*.damaged-*")
    assert aside.read_text(encoding="latin-1") == content


def test_a_file_that_is_damaged_meanwhile_is_put_aside_too(board, capsys):
    board.enter("first", report(0.9))
    board.path.write_text("{", encoding="utf-8")
    board.enter("second", report(0.8))
    assert "put aside" in capsys.readouterr().out
    assert len(list(board.path.parent.glob("*.damaged-*"))) == 1
    assert list(Scoreboard().rows) == ["first", "second"]


def test_two_scoreboards_keep_each_others_rows(board):
    other = Scoreboard()
    board.enter("first", report(0.9)).enter("shared", report(0.1))
    other.enter("second", report(0.8)).enter("shared", report(0.2))
    board.enter("third", report(0.7))
    assert board.rows == Scoreboard().rows
    assert sorted(board.rows) == ["first", "second", "shared", "third"]
    assert board.rows["shared"]["worst_accuracy"] == 0.2, "the newer one counts"


def test_a_row_that_cannot_be_written_stays_until_the_kernel_stops(board, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    board.enter("first", report(0.9))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(scoreboard, "write_json", full)
        text = repr(board.enter("second", report(0.8)))
    assert "second " in text
    assert text.endswith("Kept until the kernel stops.")
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("The row is not kept in ")
    assert "No space left on device" in said
    assert list(Scoreboard().rows) == ["first"]
    board.enter("third", report(0.7))
    assert list(Scoreboard().rows) == ["first", "second", "third"], "when there is room again"


def test_a_folder_that_may_not_be_entered_is_no_obstacle(nobody, monkeypatch, capsys):
    nobody.chmod(0)
    monkeypatch.setenv("COURSE_CACHE_DIR", str(nobody / "course"))
    monkeypatch.setattr(scoreboard, "_row", lambda train: ROW)
    assert "mine " in repr(Scoreboard().enter("mine", print))
    assert "The row is not kept" in capsys.readouterr().out
    nobody.chmod(0o700)


def test_a_file_that_can_neither_be_read_nor_put_aside_is_left_alone(nobody, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(nobody))
    monkeypatch.setattr(scoreboard, "_row", lambda train: ROW)
    board = Scoreboard()
    board.path.write_text("{", encoding="utf-8")
    nobody.chmod(0o500)
    assert list(Scoreboard().enter("mine", print).rows) == ["mine"]
    assert "a new scoreboard begins" in capsys.readouterr().out
    nobody.chmod(0o700)
    assert board.path.read_text(encoding="utf-8") == "{"


def test_a_name_is_shown_in_one_line(board):
    lines = repr(board.enter("my\n  first\tidea", report(0.999)).enter(1_000 * "x", report(0.998))).splitlines()
    assert lines[1].startswith("my first idea  ")
    assert lines[2].startswith(33 * "x" + "… ")
    assert len(lines) == 9
    assert len(set(map(len, lines[1:-1]))) == 1
    assert list(Scoreboard().rows) == ["my first idea", 1_000 * "x"]


def test_a_second_entry_measures_anew(board, monkeypatch):
    """The function may be the same, and what it uses another."""
    forgotten = []
    monkeypatch.setattr(scoreboard, "forget", lambda: forgotten.append(scoreboard.ENTERED.clear()))
    scoreboard.ENTERED.clear()
    one, other = report(0.5), report(0.6)
    board.enter("one", one).enter("other", other)
    assert len(forgotten) == 0
    board.enter("one again", one)
    assert len(forgotten) == 1


class Unhashable:
    __hash__ = None

    def __call__(self, network, batches):
        return network


@pytest.mark.parametrize("train", [None, ..., "train", 3, [], Unhashable()], ids=lambda train: type(train).__name__)
def test_what_is_no_function_gets_a_sentence(board, train):
    with pytest.raises(TypeError, match=r"train must be a function train\(network, batches\), got "):
        board.enter("mine", train)
    assert not board.rows


FAILS = {
    "nothing": (lambda network, batches: None, "your function returns nothing: does it end with `return network`"),
    "...": (lambda network, batches: ..., "your function returns nothing"),
    "a list": (lambda network, batches: [None], "your function must return the trained network"),
    "a text": (lambda network, batches: "trained", "your function must return the trained network"),
    "no batch used": (lambda network, batches: network, "used 0 of 600 batches"),
    "an argument less": (lambda network: network, "2 were given"),
    "an error": (lambda network, batches: 1 / 0, "division by zero"),
}


@pytest.mark.parametrize(("train", "words"), named(FAILS))
def test_a_function_that_fails_gets_a_sentence(tmp_path, monkeypatch, train, words):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=f"train cannot be measured: .*{words}"):
        Scoreboard().enter("mine", train)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "  ", None, 3], ids=repr)
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
        return prepend_contrast(network)

    first = scoreboard.trained_within_budget(train)
    assert scoreboard.trained_within_budget(train) is first
    assert calls == [first.used] == [scoreboard.BATCHES]


@pytest.mark.parametrize("count", [1, 64])
def test_the_batches_are_counted(count):
    def train(network, batches):
        for _ in range(count):
            next(batches)
        return network

    assert scoreboard.trained_within_budget(train).used == count


def test_the_batches_are_others_with_another_seed_only():
    first, second = (next(scoreboard.budget(seed))[0] for seed in (0, 1))
    assert np.array_equal(first, next(scoreboard.budget(0))[0])
    assert not np.array_equal(first, second)


def test_what_is_no_function_is_not_called():
    with pytest.raises(TypeError, match="a function train"):
        scoreboard.trained_within_budget("train")
