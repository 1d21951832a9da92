"""The mechanism of the exercises: three outcomes, nothing raised at the reader, hints one by one, solution last."""

import linecache

from course_utils.exercises import core, questions
from course_utils.exercises.core import Finding, Question, as_array, asks, at_least, given_back, is_empty, note
from course_utils.exercises.measures import by_name, function, noise, number, one_of, shares

import nbformat
import numpy as np
import pytest
from answers import named


def as_it_is(value, name):
    return value


def asked(measure, *earlier, seconds=0, **parts):
    """A question whose measure is this function."""
    return Question("00_test", asks(seconds=seconds, **(parts or {"number": as_it_is}))(measure), earlier)


def findings(*them):
    """A question that finds these, whatever the answer."""
    return asked(lambda answer: iter(them))


def at_least_half(answer):
    yield Finding("your number", float(answer.number), 0.5, 1, "Is it large enough?")
    yield Finding("its half", float(answer.number) / 2, 0, 1)


@pytest.fixture
def question():
    return asked(at_least_half)


# What is an answer


def stub(steps): ...


def stub_with_words(steps):
    """Search."""


def stub_that_passes(steps):
    pass


def stub_that_returns(steps):
    return None


NOTHING = {
    "None": None,
    "...": ...,
    "empty text": "",
    "spaces": "  ",
    "empty list": [],
    "empty tuple": ((),),
    "empty dict": {},
    "a list of nothing": [None, ...],
    "a dict of nothing": {"steps": ...},
    "nested": ((..., (None,)),),
    "a stub and nothing": ((stub, ...),),
    "stub": stub,
    "stub with words": stub_with_words,
    "stub that passes": stub_that_passes,
    "stub that returns": stub_that_returns,
    "empty lambda": lambda: None,
}
SOMETHING = {
    "0": 0,
    "0.0": 0.0,
    "False": False,
    "an array": np.zeros(3),
    "partly": [0, None],
    "a text": "no",
    "a dict": {"steps": 3},
    "a lambda": lambda: 3,
    "the identity": lambda x: x,
    "a built-in": print,
    "a class": Question,
}


@pytest.mark.parametrize("answer", named(NOTHING))
def test_no_answer_is_not_attempted(question, answer):
    assert is_empty(answer)
    outcome = question.check(answer)
    assert outcome.state == "not attempted"
    assert not outcome.reached


@pytest.mark.parametrize("answer", named(SOMETHING))
def test_what_is_an_answer(answer):
    assert not is_empty(answer)


# What a check says


def test_what_is_accepted_is_reached_and_all_that_was_measured_is_said(question):
    outcome = question.check(0.6)
    assert outcome.reached
    assert question.reached
    assert repr(outcome) == outcome.text
    assert "your number: 60.0%" in outcome.text
    assert "its half: 30.0%" in outcome.text


@pytest.mark.parametrize("answer", [0.4, 1.2, float("nan")])
def test_what_is_outside_is_not_yet_with_the_number_the_range_and_a_reason(question, answer):
    question.check(0.6)
    outcome = question.check(answer)
    assert outcome.state == "not yet"
    assert not question.reached, "the last check counts"
    assert f"your number: {answer:.1%} (" in outcome.text
    assert "50.0% to 100.0%" in outcome.text
    assert "Is it large enough?" in outcome.text
    assert "its half" not in outcome.text, "the first that does not hold ends the check"


def test_a_note_wants_nothing():
    outcome = findings(note("your number", 0.6, ", you said about 10%", ".0%")).check(1)
    assert outcome.reached
    assert outcome.text.endswith("your number: 60%, you said about 10%")


@pytest.mark.parametrize(
    "answer",
    ["half", np.zeros(3), {"a": 1}, object(), lambda: 1, [0.6, 0.7]],
    ids=lambda answer: type(answer).__name__,
)
def test_nonsense_gets_a_sentence(question, answer):
    outcome = question.check(answer)
    assert outcome.state == "not yet"
    assert "It cannot be measured" in outcome.text
    assert "Traceback" not in outcome.text


FUNCTIONS = {
    "returns": (lambda steps: steps, "reached", "it"),
    "a stub": (stub, "not attempted", ""),
    "forgets to return": (lambda steps: print(end=""), "not yet", "search(steps) gives nothing back"),
    "raises": (lambda steps: 1 / 0, "not yet", "division by zero (ZeroDivisionError)"),
    "stops an iteration": (lambda steps: next(iter(())), "not yet", "It cannot be measured"),
}


@pytest.mark.parametrize(("answer", "state", "words"), named(FUNCTIONS))
def test_a_function_of_the_reader_may_return_nothing_or_raise(answer, state, words):
    def measure(answer):
        yield Finding("it", given_back(answer.number(3), "search(steps)"), 1)

    outcome = asked(measure).check(answer)
    assert outcome.state == state
    assert words in outcome.text


def test_what_held_before_is_said_as_well():
    def fails(answer):
        yield Finding("one", 0.5, 0, 1)
        raise RuntimeError("lost")

    held, too_much = Finding("one", 0.5, 0, 1), Finding("two", 0.7, 0, 0.6, "Too much.")
    for outcome, words in (
        (findings(held, too_much, held).check(1), ["two: 70.0%", "✓ one: 50.0%"]),
        (asked(fails).check(1), ["lost (RuntimeError)", "✓ one: 50.0%"]),
    ):
        assert outcome.state == "not yet"
        places = [outcome.text.index(each) for each in words]
        assert places == sorted(places), "first what does not hold"
        assert outcome.text.count("one: ") == 1


def test_how_long_it_takes_is_said_before_the_measure_begins_and_only_then(capsys):
    def measure(answer):
        yield at_least("characters so far", len(capsys.readouterr().out), 1, form=".0f")

    question = asked(measure, seconds=40)
    assert question.check(0.6).reached
    question.check(...)
    assert capsys.readouterr().out == ""


def test_the_line_of_the_readers_own_cell_is_named():
    source = "def search():\n    steps = 0\n    return 1 / steps\n"
    path = "/somewhere/ipykernel_12/34.py"  # as a notebook's cells are called
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    names = {}
    exec(compile(source, path, "exec"), names)
    text = asked(lambda answer: iter([Finding("it", answer.number())])).check(names["search"]).text
    assert "in line 3 of your cell: return 1 / steps" in text
    assert "somewhere" not in text


def test_an_interruption_is_the_readers_own():
    def interrupt(answer):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        asked(interrupt).check(1)


# Answers of several parts


def both(answer):
    yield Finding("largest", float(np.abs(answer.all_noise).max()), 0, 1)
    yield Finding("first", float(answer.table[0]), 0, 1)


@pytest.fixture
def pair():
    """The second question: its noise is one's own, the digit was asked for before."""
    first = asked(lambda answer: iter([Finding("it", 1, 1)]), digit=one_of(*range(10)))
    return asked(both, first, digit=1, all_noise=noise(2), table=shares(3))


NOISE, TABLE = np.zeros((2, 28, 28, 1), np.float32), np.full(3, 0.5)


@pytest.mark.parametrize("form", [tuple, list])
def test_a_part_of_an_earlier_question_comes_from_there(pair, form):
    missing = pair.check(form([NOISE, TABLE]))
    assert missing.state == "not yet"
    assert "answer question 1 first" in missing.text
    pair.earlier[0].check(3)
    assert pair.check(form([NOISE, TABLE])).reached


@pytest.mark.parametrize(
    ("answer", "words"),
    [((NOISE, ...), "`table` is still missing"), ((..., TABLE), "`all_noise` is still missing")],
    ids=["the last", "the first"],
)
def test_a_missing_part_is_named_and_what_was_measured_is_kept(pair, answer, words):
    pair.earlier[0].check(3)
    outcome = pair.check(answer)
    assert outcome.state == "not yet"
    assert words in outcome.text
    assert ("✓ largest" in outcome.text) == (answer[0] is NOISE)


@pytest.mark.parametrize("nothing", [..., None, (..., ...), [None, ...]], ids=str)
def test_without_a_part_of_its_own_it_is_not_attempted(pair, nothing):
    pair.earlier[0].check(3)
    assert pair.check(nothing).state == "not attempted"


FORM = "must be (all_noise, table), got "
WRONG_FORMS = {
    "swapped": ((TABLE, NOISE), "another order: it must be (all_noise, table)"),
    "one alone": (NOISE, FORM),
    "a number": (3, FORM),
    "three": ((3, NOISE, TABLE), FORM),
    "a text": ("noise", FORM),
    "noise of another shape": ((NOISE[:, :5], TABLE), "`all_noise` must have the shape (2, 28, 28, 1)"),
    "too few shares": ((NOISE, TABLE[:2]), "`table` must have the shape (3,)"),
    "a share below 0": ((NOISE, [0.1, 0.2, -7]), "got -7 at [2]"),
    "in percent": ((NOISE, [0.1, 97.5, 1]), "Is that in percent?"),
    "ragged": ((NOISE, [[1], [1, 2]]), "`table` must be numbers of one length in each row"),
    "NaN": ((NOISE, [0.1, float("nan"), 1]), "`table` must not hold NaN or infinity"),
}


@pytest.mark.parametrize(("answer", "words"), named(WRONG_FORMS))
def test_number_order_and_kind_of_the_parts_come_before_any_measure(answer, words):
    first = asked(lambda answer: iter([Finding("it", 1, 1)]), digit=one_of(*range(10)))
    first.check(3)
    measured = []
    parts = {"digit": 1, "all_noise": noise(2), "table": shares(3)}
    outcome = asked(lambda answer: iter(measured.append(answer) or [Finding("it", 1)]), first, **parts).check(answer)
    assert outcome.state == "not yet"
    assert measured == []
    assert words in outcome.text
    assert "Error" not in outcome.text, "no words of Python"


@pytest.mark.parametrize("answer", [[1, 2], (1, 2), ([1, 2],)], ids=["a list", "a tuple", "a comma too many"])
def test_of_one_part_nothing_is_unpacked(answer):
    assert asked(lambda answer: iter([Finding("it", len(answer.rows), 2, 2)]), rows=as_it_is).check(answer).reached


# What the parts can be

TAKEN = {
    "a number as a text": (one_of(5, 10, 20), "10", 10),
    "a float": (one_of(5, 10, 20), 10.0, 10),
    "NumPy's": (one_of(5, 10, 20), np.int64(10), 10),
    "a list of one": (one_of(5, 10, 20), [10], 10),
    "an array of one": (one_of(*range(10)), np.array([[2]]), 2),
    "a fraction as a text": (number, "0.25", 0.25),
    "a short float": (number, np.float32(0.25), 0.25),
    "an axis more": (shares(2), [[0.5, 1]], np.array([0.5, 1])),
    "one share": (shares(), 1, 1.0),
    "noise with an axis more": (noise(), NOISE[:1], NOISE[0]),
    "noise as lists, an axis less": (noise(), NOISE[0, :, :, 0].tolist(), NOISE[0]),
    "a list of noises": (noise(2), list(NOISE), NOISE),
    "noises with an axis more": (noise(2), NOISE[None], NOISE),
    "float64": (noise(2), NOISE[..., 0].astype(float), NOISE),
    "a dict": (by_name(number), {3: "4"}, {"3": 4.0}),
    "a function that tells nothing of its arguments": (function("images"), len, len),
}
NOT_TAKEN = {
    "none of the choices": (one_of(5, 10, 20), 7, "`it` must be a whole number, 5, 10 or 20"),
    "between two": (one_of(5, 10, 20), 10.5, "got 10.5"),
    "a word": (one_of(*range(10)), "three", "`it` must be a whole number, from 0 to 9"),
    "two": (one_of(*range(10)), [1, 2], "must be a whole number"),
    "more than all": (shares(), 1.2, "must hold shares from 0 to 1"),
    "noise for many": (noise(), np.zeros((10, 28, 28, 1)), r"must have the shape \(28, 28, 1\)"),
    "an argument less": (function("images", "labels"), lambda images: images, r"a function it\(images, labels\)"),
    "arguments swapped": (function("images", "labels"), lambda labels, images: 0, "in another order"),
    "no function": (function("images"), 3, r"`it` must be a function it\(images\), got 3"),
    "a class": (function("images"), dict, r"`it` must be a function it\(images\)"),
    "a list for a dict": (by_name(number), [1], "`it` must be a dict"),
    "a name missing": (by_name(number, "a", "b"), {"a": 1}, "in `it`, 'b' is still missing"),
    "a value missing": (by_name(number), {"a": 1, "c": ...}, "in `it`, 'c' is still missing"),
}


@pytest.mark.parametrize(("take", "value", "taken"), named(TAKEN))
def test_what_is_meant_unmistakably_is_taken(take, value, taken):
    assert np.array_equal(take(value, "it"), taken)


@pytest.mark.parametrize(("take", "value", "words"), named(NOT_TAKEN))
def test_what_is_of_another_kind_gets_a_sentence(take, value, words):
    with pytest.raises((TypeError, ValueError), match=words):
        take(value, "it")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("noise", "must be numbers", id="a text"),
        pytest.param(np.zeros((2, 3)), r"must have the shape \(3, 2\), got \(2, 3\)", id="transposed"),
        pytest.param(np.full((3, 2), np.nan), "NaN or infinity", id="NaN"),
        pytest.param(np.full((3, 2), np.inf), "NaN or infinity", id="infinity"),
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
def test_what_is_accepted_is_said_in_words(low, high, words):
    finding = Finding("it", 0.3, low, high)
    assert str(finding) == f"it: 30.0% (wanted: {words})"


# The questions of an exercise


def test_a_second_call_returns_the_same_questions():
    first, *_ = questions("01_steps")
    first.predict("half of them")
    again, *_ = questions("01_steps")
    assert again.prediction == "half of them", "set-up run twice loses nothing"
    first.prediction = ""


def test_an_exercise_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="'99_none': the names are 01_steps"):
        questions("99_none")


@pytest.mark.parametrize("exercise", [None, 3, [], ["01_steps"]], ids=str)
def test_an_exercise_has_a_name(exercise):
    with pytest.raises(TypeError, match="exercise must be the name of one"):
        questions(exercise)


# Predictions


def test_the_prediction_is_shown_beside_the_result(question, capsys):
    question.predict(...)
    assert question.prediction == ""
    assert "expected" not in question.check(0.6).text
    question.predict("about a third")
    assert "about a third" in capsys.readouterr().out
    assert [question.check(answer).text.count("about a third") for answer in (0.6, 0.1, ...)] == [1, 1, 0]


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


ENDLESS = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    "odd", [Unspeakable(), [Unspeakable()], ENDLESS], ids=["unspeakable", "a list of it", "endless"]
)
def test_what_cannot_be_said_is_no_prediction_and_no_answer(question, odd):
    question.predict("about half")
    question.predict(odd)
    assert question.prediction == "about half"
    outcome = question.check(odd)
    assert outcome.state == "not yet"
    assert "It cannot be measured" in outcome.text
    assert "about half" in outcome.text


@pytest.mark.parametrize("prediction", [0, 0.0, False, np.zeros(3), {"a": 1}, 3j], ids=str)
def test_a_prediction_may_be_of_any_kind(question, prediction):
    question.predict(prediction)
    assert question.prediction == str(prediction)


# Hints and solutions


def cell(source, *tags, kind="code"):
    return getattr(nbformat.v4, f"new_{kind}_cell")(source, metadata={"tags": list(tags)})


@pytest.fixture
def solutions(tmp_path, monkeypatch):
    """The folder of the solved notebooks, with one for the test: three hints and a solution for question 1."""
    cells = [
        cell("answer = ..."),
        *(cell(f"*Hint.* {text}", "hint", "question-1", kind="markdown") for text in ("Think.", "Harder.", "0.6.")),
        cell("answer = 0.6", "solution", "question-1"),
        cell("*Hint.* Another.", "hint", "question-2", kind="markdown"),
        cell("answer = 0.7", "solution", "question-2"),
        cell("answer = 0.8", "solution", "question-1", "question-3"),
        cell("*Hint.* The last.", "hint", "question-10", kind="markdown"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_test.ipynb")
    monkeypatch.setattr(core, "SOLUTIONS", tmp_path)
    return tmp_path


def printed_by(action, capsys):
    capsys.readouterr()
    action()
    return capsys.readouterr().out


def test_hints_come_one_at_a_time_and_only_those_of_the_question(question, solutions, capsys):
    hints = ["Think.", "Harder.", "0.6."]
    for shown in (1, 2, 3, 3):
        text = printed_by(question.hint, capsys)
        assert [hint in text for hint in hints] == [place < shown for place in range(3)]
        assert ("solution()" in text) == (shown == 3)
        assert "*Hint.*" not in text
        assert "Another" not in text
        assert "last" not in text


@pytest.mark.parametrize(("folder", "said"), [("exercises", "Think."), ("translations/zh/exercises", "想一想。")])
def test_hints_are_in_the_language_of_the_folder(question, tmp_path, monkeypatch, capsys, folder, said):
    for place, text in (("exercises", "*Hint.* Think."), ("translations/zh/exercises", "*提示。* 想一想。")):
        solved = tmp_path / place / "solutions" / "00_test.ipynb"
        solved.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell(text, "hint", "question-1", kind="markdown")]), solved)
    monkeypatch.setattr(core, "SOLUTIONS", tmp_path / "exercises" / "solutions")
    monkeypatch.chdir(tmp_path / folder)
    assert printed_by(question.hint, capsys).startswith(f"Hint 1 of 1: {said}")


def test_a_question_without_hints_says_so(solutions, capsys):
    earlier = [asked(at_least_half), asked(at_least_half)]
    assert "no hints" in printed_by(asked(at_least_half, *earlier).hint, capsys)


def test_the_solution_asks_first_and_shows_only_the_cells_of_its_question(question, solutions, capsys):
    assert "Sure? There are 3 hints" in printed_by(question.solution, capsys)
    assert printed_by(question.solution, capsys) == "answer = 0.6\n\nanswer = 0.8\n"
    assert printed_by(question.solution, capsys) == "answer = 0.6\n\nanswer = 0.8\n"


@pytest.mark.parametrize(("given", "words"), [(2, "There is a hint"), (3, "Sure? Call")])
def test_the_solution_tells_how_many_hints_are_left(question, solutions, capsys, given, words):
    for _ in range(given):
        question.hint()
    assert words in printed_by(question.solution, capsys)


DAMAGED = {
    "empty": "",
    "cut off": '{"cells": [{"cell_ty',
    "a list": "[]",
    "no cells": "{}",
    "not UTF-8": "ÿ",
    "a cell that is none": '{"nbformat": 4, "cells": [3]}',
}


@pytest.mark.parametrize("what", ["hint", "solution"])
@pytest.mark.parametrize("content", [*named(DAMAGED), pytest.param(None, id="a folder")])
def test_a_solution_that_cannot_be_read_is_said(question, solutions, capsys, content, what):
    path = solutions / "00_test.ipynb"
    path.unlink()
    path.mkdir() if content is None else path.write_text(content, encoding="latin-1")
    question.asked_for_the_solution = True
    (line,) = printed_by(getattr(question, what), capsys).splitlines()
    assert "00_test.ipynb is damaged or cannot be read" in line
    assert "git checkout" in line


@pytest.mark.parametrize("what", ["hint", "solution"])
def test_a_missing_solution_is_said(question, solutions, capsys, what):
    (solutions / "00_test.ipynb").unlink()
    question.asked_for_the_solution = True
    (line,) = printed_by(getattr(question, what), capsys).splitlines()
    assert "00_test.ipynb is missing" in line
