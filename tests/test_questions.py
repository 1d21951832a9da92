"""What all checks have in common; what each asks is tested in the other files of this name."""

from course_utils.questions import EXERCISES, questions

import numpy as np
import pytest
from answers import outcome

NONSENSE = {"a text": "nonsense", "NaN": float("nan"), "a wrong shape": np.zeros((2, 2), np.float32)}


@pytest.mark.parametrize(("exercise", "count"), [(name, len(entries)) for name, entries in EXERCISES.items()])
def test_nothing_attempted_says_so_and_nonsense_gets_a_sentence(exercise, count):
    for number in range(1, count + 1):
        assert outcome(exercise, number, ...).state == "not attempted"
        for nonsense in NONSENSE.values():
            result = outcome(exercise, number, nonsense)
            assert result.state == "not yet", (number, nonsense)
            assert result.text.startswith("✗ Not yet.")


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_question_but_the_last_has_hints(exercise):
    *asked, last = questions(exercise)
    assert len(asked) >= 2
    assert all(len(question.hints) >= 2 for question in asked)
    assert list(last.parts) == ["findings"]
    assert last.hints == ()


def test_a_reflection_wants_words_of_the_readers_own():
    assert outcome("01_steps", 4, "Because.").state == "not yet"
    assert outcome("01_steps", 4, 20 * "word ").reached
