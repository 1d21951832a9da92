"""What all questions have in common; what each asks for is tested in the files of its exercise."""

from course_utils.exercises import questions

import numpy as np
import pytest
from answers import EXERCISES, measures_of, named, outcome

ALL = [
    pytest.param(exercise, number, id=f"{exercise}-{number}")
    for exercise in EXERCISES
    for number in range(1, len(measures_of(exercise)) + 1)
]
BUILDING_ON_OTHERS = [
    case
    for case in ALL
    if any(isinstance(part, int) for part in measures_of(case.values[0])[case.values[1] - 1].parts.values())
]
NONSENSE = {"a text": "nonsense", "NaN": float("nan"), "a wrong shape": np.zeros((2, 2), np.float32)}


@pytest.mark.parametrize(("exercise", "number"), ALL)
def test_nothing_is_not_attempted(exercise, number):
    assert outcome(exercise, number, ...).state == "not attempted"


@pytest.mark.parametrize("nonsense", named(NONSENSE))
@pytest.mark.parametrize(("exercise", "number"), ALL)
def test_nonsense_gets_a_sentence(exercise, number, nonsense):
    assert outcome(exercise, number, nonsense).state == "not yet"


@pytest.mark.parametrize(("exercise", "number"), BUILDING_ON_OTHERS)
def test_what_an_earlier_question_asks_for_comes_first(exercise, number):
    parts = measures_of(exercise)[number - 1].parts
    (name, earlier), *_ = [(name, part) for name, part in parts.items() if isinstance(part, int)]
    own = ["something" for part in parts.values() if not isinstance(part, int)]
    result = outcome(exercise, number, tuple(own) if len(own) > 1 else own[0])
    assert 0 < earlier < number
    assert f"answer question {earlier} first, and run its check: its `{name}` is used here" in result.text


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_question_but_the_last_has_hints(exercise, capsys):
    *asked, last = questions(exercise)
    assert len(asked) >= 2
    for question in asked:
        question.hint()
        question.hint()
        assert question.hints_given == 2
        question.hints_given = 0
    last.hint()
    assert last.hints_given == 0


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_last_asks_for_words_of_the_readers_own(exercise):
    last = len(measures_of(exercise))
    assert outcome(exercise, last, "Because.").state == "not yet"
    assert outcome(exercise, last, 20 * "word ").reached
