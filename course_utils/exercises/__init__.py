"""The exercises' checks, one module an exercise, which is found by its name."""

import functools
import importlib
from pathlib import Path

from course_utils._checks import in_short
from course_utils.exercises.core import Answer, Findings, Question, asks, at_least, words_in
from course_utils.exercises.measures import text
from course_utils.exercises.scoreboard import Scoreboard as Scoreboard
from course_utils.exercises.scoreboard import attacked as attacked


@asks(findings=text)
def reflection(answer: Answer) -> Findings:
    """A text of the reader's own: nobody but the reader can judge it."""
    words = "words (whether they are right, only you can say)"
    yield at_least(words, len(words_in(answer.findings)), 20, "Say a little more, and why.", ".0f")


def questions(exercise: str) -> list[Question]:
    """Return the questions of an exercise, in order; the last one of each is the same.

    A second call returns the same ones: what was predicted and answered is kept until the kernel stops.

    Args:
        exercise: the name of its notebook, such as "01_steps".

    Returns:
        A list of `Question`: each has predict(…), check(answer), hint() and solution().

    Raises:
        TypeError: the name is no text.
        ValueError: there is no exercise of that name.

    Explained in exercise 01.
    """
    if not isinstance(exercise, str):
        raise TypeError(f"exercise must be the name of one, such as '01_steps', got {in_short(exercise)}")
    names = sorted(path.stem.removeprefix("ex") for path in Path(__file__).parent.glob("ex[0-9]*.py"))
    if exercise not in names:
        raise ValueError(f"there is no exercise {exercise!r}: the names are {', '.join(names)}")
    return list(_questions(exercise))


@functools.lru_cache
def _questions(exercise: str) -> list[Question]:
    found: list[Question] = []
    for measure in [*importlib.import_module(f"{__package__}.ex{exercise}").QUESTIONS, reflection]:
        found.append(Question(exercise, measure, tuple(found)))
    return found
