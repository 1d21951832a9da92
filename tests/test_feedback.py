"""The mechanism of the exercises: three outcomes, nothing raised at the reader, hints one by one, solution last."""

import linecache

from course_utils import feedback, questions
from course_utils.feedback import Finding, Part, Question, as_array, given_back, is_empty, near, told
from course_utils.questions import by_name, function, noise, number, one_of, shares

import nbformat
import numpy as np
import pytest


def at_least_half(answer):
    yield Finding("your number", float(answer.number), 0.5, 1, "Is it large enough?")
    yield Finding("its half", float(answer.number) / 2, 0, 1)


def as_it_is(value, name):
    return value


@pytest.fixture
def question():
    return Question("00_test", 1, at_least_half, ("Think.", "Think harder.", "Say 0.6."), {"number": Part(as_it_is)})


def stub(steps): ...


def stub_with_words(steps):
    """Search."""


def stub_that_passes(steps):
    pass


def stub_that_returns(steps):
    return None


STUBS = [stub, stub_with_words, stub_that_passes, stub_that_returns, lambda: None]
NOTHING = [None, ..., "", "  ", [], (), {}, [None, ...], {"steps": ...}, (..., (None,)), (stub, ...), *STUBS]


@pytest.mark.parametrize("answer", NOTHING)
def test_no_answer_is_not_attempted(question, answer):
    assert is_empty(answer)
    outcome = question.check(answer)
    assert outcome.state == "not attempted"
    assert not outcome.reached
    assert "Question 1: not attempted yet" in repr(outcome)


@pytest.mark.parametrize(
    "answer", [0, 0.0, False, np.zeros(3), [0, None], "no", {"steps": 3}, lambda: 3, lambda x: x, print, Question]
)
def test_what_is_an_answer(answer):
    assert not is_empty(answer)


def test_what_is_wanted_is_reached_and_all_that_was_measured_is_said(question):
    outcome = question.check(0.6)
    assert outcome.reached
    assert question.reached
    assert "✓ Reached. your number: 60.0% (wanted: 50.0% to 100.0%)" in repr(outcome)
    assert "its half: 30.0%" in repr(outcome)


def test_what_is_reached_stands_beside_what_our_solution_reached_with_several_seeds(question, monkeypatch):
    ours = {"1: your number": [0.7, 0.65, 0.8], "1: its half": [0.4, 0.4]}
    monkeypatch.setattr(feedback, "measured_before", {"solution_00_test": ours}.get)
    text = question.check(0.6).text
    assert (
        "your number: 60.0% (wanted: 50.0% to 100.0%) · our solution, on the real data: three seeds 65.0% – 80.0%"
        in text
    )
    assert text.endswith("its half: 30.0% (wanted: 0.0% to 100.0%)"), "what is always the same is not worth a word"
    ours["1: its half"] = [0.3, 0.30001]
    assert question.check(0.6).text.endswith("its half: 30.0% (wanted: 0.0% to 100.0%)"), "nor what looks the same"
    assert question.check(0.8).text.endswith("two seeds all 30.0%"), "unless yours differs"
    assert "our solution" not in question.check(0.4).text


def test_what_is_only_told_wants_nothing(question):
    question.measure = lambda answer: iter([told("your number", answer.number, ", you said about 10%", ".0%")])
    assert question.check(0.6).text == "✓ Reached. your number: 60%, you said about 10%"


def test_what_a_check_found_is_written_down(question, monkeypatch):
    monkeypatch.setattr(feedback, "MEASURED", [])
    question.check(0.4)
    assert feedback.MEASURED == []
    question.check(0.6)
    assert feedback.MEASURED == [("1: your number", 0.6), ("1: its half", 0.3)]


@pytest.mark.parametrize("answer", [0.4, 1.2, float("nan")])
def test_what_is_outside_is_not_yet_with_both_numbers_and_a_reason(question, answer):
    outcome = question.check(answer)
    assert outcome.state == "not yet"
    assert f"your number: {answer:.1%} (wanted: 50.0% to 100.0%)" in outcome.text
    assert "Is it large enough?" in outcome.text
    assert "its half" not in outcome.text, "the first that does not hold ends the check"
    assert not question.reached


@pytest.mark.parametrize("answer", ["half", np.zeros(3), {"a": 1}, object(), lambda: 1, [0.6, 0.7]])
def test_nonsense_gets_a_sentence(question, answer):
    outcome = question.check(answer)
    assert outcome.state == "not yet"
    assert "It cannot be measured" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_function_of_the_reader_may_return_nothing_or_raise(question):
    question.measure = lambda answer: iter([Finding("it", given_back(answer.number(3), "search(steps)"), 1)])
    assert question.check(lambda steps: steps).reached
    assert question.check(stub).state == "not attempted"
    forgot = question.check(lambda steps: print(end=""))
    assert forgot.state == "not yet"
    assert forgot.text == (
        "✗ Not yet. It cannot be measured: your function search(steps) gives nothing back: does it end with `return`?"
    )
    assert question.check(lambda steps: 1 / 0).text == (
        "✗ Not yet. It cannot be measured: division by zero (ZeroDivisionError)"
    )


def test_what_held_before_is_said_as_well(question):
    question.measure = lambda answer: iter([Finding("one", 0.5, 0, 1), Finding("two", 0.7, 0, 0.6, "Too much.")])
    assert question.check(1).text == (
        "✗ Not yet. two: 70.0% (wanted: 0.0% to 60.0%)\n  Too much.\n  ✓ one: 50.0% (wanted: 0.0% to 100.0%)"
    )

    def fails(answer):
        yield Finding("one", 0.5, 0, 1)
        raise RuntimeError("lost")

    question.measure = fails
    assert question.check(1).text == (
        "✗ Not yet. It cannot be measured: lost (RuntimeError)\n  ✓ one: 50.0% (wanted: 0.0% to 100.0%)"
    )


def test_how_long_it_takes_is_said_beforehand(question, capsys):
    question.seconds = 40
    question.measure = lambda answer: iter([Finding("it", len(capsys.readouterr().out), 1, form=".0f")])
    assert question.check(0.6).reached, "said before the measure begins"
    question.check(...)
    assert capsys.readouterr().out == "", "and not when nothing is measured"


# Answers of several parts


def both(answer):
    yield Finding("largest", float(np.abs(answer.all_noise).max()), 0, 1)
    yield Finding("first", float(answer.table[0]), 0, 1)


@pytest.fixture
def pair():
    """The second question: its noise is one's own, the digit was asked for before."""
    first = Question(
        "00_test", 1, lambda answer: iter([Finding("it", 1, 1)]), (), {"digit": Part(one_of(*range(10)))}
    )
    parts = {"digit": Part(one_of(*range(10)), 1), "all_noise": Part(noise(2)), "table": Part(shares(3))}
    second = Question("00_test", 2, both, (), parts)
    second.earlier = [first]
    return second


NOISE, TABLE = np.zeros((2, 28, 28, 1), np.float32), np.full(3, 0.5)


def test_a_part_of_an_earlier_question_is_taken_from_there(pair):
    missing = pair.check((NOISE, TABLE))
    assert missing.state == "not yet"
    assert "answer question 1 first, and run its check: its `digit` is used here" in missing.text
    pair.earlier[0].check(3)
    assert pair.check((NOISE, TABLE)).reached
    assert pair.check((4, NOISE, TABLE)).reached, "all parts may be given as well"
    assert pair.check([4, NOISE, TABLE]).reached
    assert pair.given["digit"] == 4
    assert pair.check((..., NOISE, TABLE)).reached
    assert pair.given["digit"] == 3


def test_a_missing_part_is_named_and_what_was_measured_is_kept(pair):
    pair.earlier[0].check(3)
    outcome = pair.check((NOISE, ...))
    assert outcome.state == "not yet"
    assert outcome.text == "✗ Not yet. `table` is still missing.\n  ✓ largest: 0.0% (wanted: 0.0% to 100.0%)"
    assert pair.check((..., TABLE)).text == "✗ Not yet. `all_noise` is still missing."
    for nothing in (..., None, (..., ...), [None, ...], (3, ..., ...)):
        assert pair.check(nothing).state == "not attempted", nothing


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((TABLE, NOISE), "its parts are in another order: it must be (all_noise, table)"),
        ((NOISE, TABLE, 3), "its parts are in another order: it must be (digit, all_noise, table)"),
        (NOISE, "your answer must be (digit, all_noise, table), got "),
        (3, "your answer must be (digit, all_noise, table), got 3"),
        ((3, NOISE, TABLE, 4), "your answer must be (digit, all_noise, table), got "),
        ("noise", "your answer must be (digit, all_noise, table), got 'noise'"),
        ((10, NOISE, TABLE), "`digit` must be a whole number, from 0 to 9, got 10"),
        ((NOISE[:, :5], TABLE), "`all_noise` must have the shape (2, 28, 28, 1), got (2, 5, 28, 1)"),
        ((NOISE, TABLE[:2]), "`table` must have the shape (3,), got (2,)"),
        ((NOISE, [0.1, 0.2, -7]), "`table` must hold shares from 0 to 1, got -7 at [2]"),
        ((NOISE, [0.1, 97.5, 1]), "got 97.5 at [1]. Is that in percent?"),
        ((NOISE, [[1], [1, 2]]), "`table` must be numbers of one length in each row"),
        ((NOISE, [0.1, float("nan"), 1]), "`table` must not hold NaN or infinity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_number_order_and_kind_of_the_parts_come_first(pair, answer, words):
    pair.earlier[0].check(3)
    pair.measure = lambda answer: pytest.fail("nothing is measured before the parts are what they must be")
    outcome = pair.check(answer)
    assert outcome.state == "not yet"
    assert words in outcome.text
    assert "Error" not in outcome.text, "no words of Python"


def test_of_one_part_nothing_is_unpacked():
    asked = Question(
        "00_test", 1, lambda answer: iter([Finding("it", len(answer.rows), 2, 2)]), (), {"rows": Part(as_it_is)}
    )
    assert asked.check([1, 2]).reached
    assert asked.check((1, 2)).reached
    assert asked.check(([1, 2],)).reached, "a comma too many"


@pytest.mark.parametrize(
    ("take", "value", "taken"),
    [
        (one_of(5, 10, 20), "10", 10),
        (one_of(5, 10, 20), 10.0, 10),
        (one_of(5, 10, 20), np.int64(10), 10),
        (one_of(5, 10, 20), [10], 10),
        (one_of(*range(10)), np.array([[2]]), 2),
        (number, "0.25", 0.25),
        (number, np.float32(0.25), 0.25),
        (shares(2), [[0.5, 1]], np.array([0.5, 1])),
        (shares(), 1, 1.0),
        (noise(), NOISE[:1], NOISE[0]),
        (noise(), NOISE[0, :, :, 0].tolist(), NOISE[0]),
        (noise(2), list(NOISE), NOISE),
        (noise(2), NOISE[None], NOISE),
        (noise(2), NOISE[..., 0].astype(float), NOISE),
        (by_name(number), {3: "4"}, {"3": 4.0}),
        (function("images"), len, len),
    ],
)
def test_what_is_meant_unmistakably_is_taken(take, value, taken):
    assert np.array_equal(take(value, "it"), taken)


@pytest.mark.parametrize(
    ("take", "value", "words"),
    [
        (one_of(5, 10, 20), 7, "`it` must be a whole number, 5, 10 or 20, got 7"),
        (one_of(5, 10, 20), 10.5, "got 10.5"),
        (one_of(*range(10)), "three", "`it` must be a whole number, from 0 to 9, got 'three'"),
        (one_of(*range(10)), [1, 2], "must be a whole number"),
        (shares(), 1.2, r"`it` must hold shares from 0 to 1, got 1\.2"),
        (noise(), np.zeros((10, 28, 28, 1)), r"must have the shape \(28, 28, 1\), got \(10, 28, 28, 1\)"),
        (
            function("images", "labels"),
            lambda images: images,
            r"`it` must be a function it\(images, labels\): too many",
        ),
        (function("images"), 3, r"`it` must be a function it\(images\), got 3"),
        (function("images"), dict, r"`it` must be a function it\(images\), got "),
        (by_name(number), [1], "`it` must be a dict, with a value for each name"),
        (by_name(number, "a", "b"), {"a": 1}, "in `it`, 'b' is still missing"),
        (by_name(number), {"a": 1, "c": ...}, "in `it`, 'c' is still missing"),
    ],
)
def test_what_is_of_another_kind_gets_a_sentence(take, value, words):
    with pytest.raises((TypeError, ValueError), match=words):
        take(value, "it")


def test_a_second_call_returns_the_same_questions(capsys):
    first, *_ = questions("01_steps")
    first.predict("half of them")
    again, *_ = questions("01_steps")
    assert again.prediction == "half of them", "set-up run twice loses nothing"
    first.prediction = ""


def test_the_line_of_the_readers_own_cell_is_named(question):
    source = "def search():\n    steps = 0\n    return 1 / steps\n"
    path = "/somewhere/ipykernel_12/34.py"  # as a notebook's cells are called
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    names = {}
    exec(compile(source, path, "exec"), names)
    question.measure = lambda answer: iter([Finding("it", answer.number())])
    text = question.check(names["search"]).text
    assert "division by zero (ZeroDivisionError), in line 3 of your cell: return 1 / steps" in text
    assert "somewhere" not in text


def test_an_interruption_is_the_readers_own(question):
    def interrupt(answer):
        raise KeyboardInterrupt
        yield

    question.measure = interrupt
    with pytest.raises(KeyboardInterrupt):
        question.check(1)


def test_the_prediction_is_shown_beside_the_result(question, capsys):
    question.predict(...)
    assert "No prediction yet" in capsys.readouterr().out
    assert "expected" not in question.check(0.6).text
    question.predict("about a third")
    assert "you expect about a third" in capsys.readouterr().out
    assert "You expected: about a third" in question.check(0.6).text
    assert "You expected: about a third" in question.check(0.1).text
    assert "expected" not in question.check(...).text


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


ENDLESS = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize("odd", [Unspeakable(), [Unspeakable()], ENDLESS])
def test_what_cannot_be_said_is_no_prediction_and_no_answer(question, capsys, odd):
    question.predict("about half")
    question.predict(odd)
    assert "Write your prediction down in words or numbers" in capsys.readouterr().out
    outcome = question.check(odd)
    assert outcome.state == "not yet"
    assert "It cannot be measured" in outcome.text
    assert "You expected: about half" in outcome.text


@pytest.mark.parametrize("prediction", [0, 0.0, False, np.zeros(3), {"a": 1}, 3j])
def test_a_prediction_may_be_of_any_kind(question, capsys, prediction):
    question.predict(prediction)
    assert f"you expect {prediction}" in capsys.readouterr().out
    assert f"You expected: {prediction}" in question.check(0.6).text


def test_hints_come_one_at_a_time(question, capsys):
    for shown in (1, 2, 3, 3):
        question.hint()
        printed = capsys.readouterr().out
        assert printed.count("Hint ") == shown
        assert ("These are all" in printed) == (shown == 3)


def test_the_solution_asks_first_and_shows_only_the_cells_of_its_question(question, capsys, tmp_path, monkeypatch):
    cells = [
        nbformat.v4.new_code_cell("answer = ..."),
        nbformat.v4.new_code_cell("answer = 0.6", metadata={"tags": ["solution", "question-1"]}),
        nbformat.v4.new_code_cell("answer = 0.7", metadata={"tags": ["solution", "question-2"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_test.ipynb")
    monkeypatch.setattr(feedback, "SOLUTIONS", tmp_path)
    question.hint()
    capsys.readouterr()
    question.solution()
    assert "Sure? There are 2 hints that you have not seen" in capsys.readouterr().out
    question.hint()
    question.asked_for_the_solution = False
    capsys.readouterr()
    question.solution()
    assert "Sure? There is a hint that you have not seen. Call" in capsys.readouterr().out
    question.hint()
    question.asked_for_the_solution = False
    capsys.readouterr()
    question.solution()
    assert capsys.readouterr().out == "Sure? Call solution() once more to see it.\n", "no hint is left"
    question.solution()
    assert capsys.readouterr().out == "answer = 0.6\n"


def test_a_missing_solution_is_said(question, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(feedback, "SOLUTIONS", tmp_path)
    question.solution()
    question.solution()
    assert "00_test.ipynb is missing in exercises/solutions" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["", '{"cells": [{"cell_ty', "[]", "{}", "ÿ", '{"nbformat": 4, "cells": [3]}', None]
)
def test_a_solution_that_cannot_be_read_is_said(question, capsys, tmp_path, monkeypatch, content):
    path = tmp_path / "00_test.ipynb"
    path.mkdir() if content is None else path.write_text(content, encoding="latin-1")
    monkeypatch.setattr(feedback, "SOLUTIONS", tmp_path)
    question.solution()
    capsys.readouterr()
    question.solution()
    assert capsys.readouterr().out == (
        "00_test.ipynb is damaged or cannot be read in exercises/solutions: "
        "'git checkout exercises/solutions' fetches it again.\n"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("noise", "must be numbers, got 'noise'"),
        (np.zeros((2, 3)), r"must have the shape \(3, 2\), got \(2, 3\)"),
        (np.full((3, 2), np.nan), "NaN or infinity"),
        (np.full((3, 2), np.inf), "NaN or infinity"),
    ],
)
def test_what_is_no_array_is_named(value, words):
    with pytest.raises(ValueError, match=words):
        as_array(value, (3, 2), "the table")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.5, float("inf"), "at least 50.0%"),
        (-float("inf"), 0.5, "at most 50.0%"),
        (0.2, 0.5, "20.0% to 50.0%"),
        (0.2, 0.2, "20.0%"),
    ],
)
def test_what_is_wanted_is_said_in_words(low, high, words):
    assert str(Finding("it", 0.3, low, high)) == f"it: 30.0% (wanted: {words})"


def test_an_exercise_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"no exercise '99_none': the names are 01_steps"):
        questions("99_none")


@pytest.mark.parametrize("exercise", [None, 3, [], ["01_steps"]])
def test_an_exercise_has_a_name(exercise):
    with pytest.raises(TypeError, match=r"exercise must be the name of one, such as '01_steps', got "):
        questions(exercise)


def test_a_share_that_is_wanted_stays_between_0_and_1():
    assert near("a share", 0.99, 0.99, 0.02).wanted == "97.0% to 100.0%"
    assert near("a share", 0.0, 0.01, 0.05).wanted == "0.0% to 6.0%"
    assert near("steps", 1, 1, 2, form=".0f").wanted == "-1 to 3"


def test_a_question_without_hints_says_so(capsys):
    Question("00_test", 2, at_least_half, (), {"number": Part(as_it_is)}).hint()
    assert "There are no hints here" in capsys.readouterr().out
