"""Feedback for the exercises: measure an answer again, give hints one by one, show the solution last.

What is asked, and how an answer is measured, stands in `questions`. Nothing here raises at the reader.
"""

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.results import MEASURED
from course_utils.stored import band, limits_in_words, measured_before

import nbformat
import numpy as np

SOLUTIONS = Path(__file__).parent.parent / "exercises" / "solutions"


class NotAttempted(Exception):
    """Raised by a measure that finds nothing to measure."""


@dataclass(frozen=True)
class Finding:
    """One number that a check has measured, and what is wanted of it.

    Attributes:
        text: what was measured.
        value: the number.
        low, high: the smallest and the largest value wanted.
        reason: what is likely the matter when the value is outside; where nothing is wanted, a remark.
        form: how Python formats the value.
    """

    text: str
    value: float
    low: float = -math.inf
    high: float = math.inf
    reason: str = ""
    form: str = ".1%"

    @property
    def holds(self) -> bool:
        """Is the value within what is wanted? NaN never is."""
        return self.low <= self.value <= self.high

    @property
    def wanted(self) -> str:
        """What is wanted, in words."""
        return limits_in_words(self.low, self.high, self.form)

    def __str__(self) -> str:
        """Return what was measured and what is wanted."""
        measured = f"{self.text}: {format(self.value, self.form)}"
        if self.low == -math.inf and self.high == math.inf:
            return measured + self.reason
        return f"{measured} (wanted: {self.wanted})"


def at_least(text: str, value: float, low: float, reason: str = "", form: str = ".1%") -> Finding:
    """Want at least so much."""
    return Finding(text, value, low=low, reason=reason, form=form)


def at_most(text: str, value: float, high: float, reason: str = "", form: str = ".1%") -> Finding:
    """Want at most so much."""
    return Finding(text, value, high=high, reason=reason, form=form)


def told(text: str, value: float, remark: str = "", form: str = ".1%") -> Finding:
    """Want nothing: only tell what was measured, with a remark behind it."""
    return Finding(text, value, reason=remark, form=form)


def near(text: str, value: float, true: float, tolerance: float, reason: str = "", form: str = ".1%") -> Finding:
    """Want what was measured again, give or take the tolerance; a share stays within 0 and 1."""
    low, high = true - tolerance, true + tolerance
    if form.endswith("%"):
        low, high = max(low, 0.0), min(high, 1.0)
    return Finding(text, value, low=low, high=high, reason=reason, form=form)


@dataclass(frozen=True)
class Outcome:
    """What a check came to.

    Attributes:
        state: "reached", "not yet" or "not attempted".
        text: what the reader is told.
    """

    state: str
    text: str

    @property
    def reached(self) -> bool:
        """Is the question answered?"""
        return self.state == "reached"

    def __repr__(self) -> str:
        """Return the text, since that is what a notebook shows."""
        return self.text


class Question:
    """One question of an exercise.

    Args:
        exercise: the name of the exercise's notebook, such as "04_target_1".
        number: of the question within it, from 1.
        measure: takes the answer and yields a `Finding` for each thing that it measures. The first one that does
            not hold ends the check.
        hints: from a nudge to nearly all.

    Explained in exercise 01.
    """

    def __init__(
        self, exercise: str, number: int, measure: Callable[[Any], Iterator[Finding]], hints: Sequence[str]
    ) -> None:
        self.exercise, self.number, self.measure, self.hints = exercise, number, measure, hints
        self.prediction = ""
        self.hints_given = 0
        self.asked_for_the_solution = False
        self.reached = False

    def predict(self, prediction: Any) -> None:
        """Keep a prediction, in words or numbers; `check` shows it again beside what was measured."""
        try:
            text = "" if is_empty(prediction) else str(prediction)
        except Exception as error:  # whatever a reader may write down
            print(f"Not kept: {in_words(error)}. Write your prediction down in words or numbers.")
            return
        if not text:
            print("No prediction yet. Write one down, however wild: that is how one learns the most.")
            return
        self.prediction = text
        print(f"Kept: you expect {text}")

    def check(self, answer: Any) -> Outcome:
        """Measure an answer, and say whether it is what was asked for.

        Args:
            answer: what the question asks for; None or ... when there is none yet.

        Returns:
            An `Outcome`; `reached` of this question keeps whether it was reached. Whatever the answer is, nothing is
            raised.
        """
        outcome = self._outcome(answer)
        self.reached = outcome.reached
        if not self.prediction or outcome.state == "not attempted":
            return outcome
        return Outcome(outcome.state, f"{outcome.text}\n  You expected: {self.prediction}")

    def _outcome(self, answer: Any) -> Outcome:
        findings = []
        try:
            for finding in self.measure(answered(answer)):
                findings.append(finding)
                if not finding.holds:
                    return Outcome("not yet", f"✗ Not yet. {finding}\n  {finding.reason}")
        except NotAttempted:
            return Outcome("not attempted", f"· Question {self.number}: not attempted yet.")
        except Exception as error:  # whatever a reader's code may do
            return Outcome("not yet", f"✗ Not yet. It cannot be measured: {in_words(error)}")
        MEASURED.extend((f"{self.number}: {finding.text}", np.asarray(finding.value).item()) for finding in findings)
        return Outcome("reached", "✓ Reached. " + "\n  ".join(map(self._beside_ours, findings)))

    def _beside_ours(self, finding: Finding) -> str:
        """Add to what was measured what the course's own solution gave, where several seeds are known."""
        ours = measured_before(f"solution_{self.exercise}").get(f"{self.number}: {finding.text}", [])
        shown = {format(number, finding.form) for number in (finding.value, *ours)}
        words = band(ours, finding.form) if len(shown) > 1 else ""  # what is always the same is not worth a word
        return f"{finding} · our solution, on the real data: {words}" if words else str(finding)

    def hint(self) -> None:
        """Give one more hint with each call."""
        if not self.hints:
            print("There are no hints here: it is for you to say.")
            return
        self.hints_given = min(self.hints_given + 1, len(self.hints))
        for index, text in enumerate(self.hints[: self.hints_given], start=1):
            print(f"Hint {index} of {len(self.hints)}: {text}")
        if self.hints_given == len(self.hints):
            print("These are all. What is left is solution().")

    def solution(self) -> None:
        """Show the solved cells. The first call only asks whether you are sure."""
        if not self.asked_for_the_solution:
            self.asked_for_the_solution = True
            left = len(self.hints) - self.hints_given
            print(f"Sure? There are {left} hints that you have not seen. Call solution() once more to see it.")
            return
        path, wanted = SOLUTIONS / f"{self.exercise}.ipynb", {"solution", f"question-{self.number}"}
        try:
            cells = nbformat.read(path, as_version=4).cells
            print("\n\n".join(cell.source for cell in cells if wanted <= set(cell.metadata.get("tags", []))))
        except Exception as error:  # a damaged file can fail anywhere between UTF-8, JSON and the form of a notebook
            state = "is missing" if isinstance(error, FileNotFoundError) else "is damaged or cannot be read"
            print(f"{path.name} {state} in exercises/solutions: 'git checkout exercises/solutions' fetches it again.")


def is_empty(answer: Any) -> bool:
    """Is this no answer at all: None, ..., an empty text, or a collection of nothing else?"""
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return all(map(is_empty, answer))
    return answer is None or answer is ...


def answered(value: Any) -> Any:
    """Return an answer, or what a reader's function gave back, unless that is nothing.

    Raises:
        NotAttempted: it is nothing.
    """
    if is_empty(value):
        raise NotAttempted("there is nothing to measure yet")
    return value


def as_array(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return an answer as numbers of this shape, float32.

    Raises:
        ValueError: it is something else, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {type(value).__name__}") from None
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must not hold NaN or infinity")
    return array


def in_words(error: Exception) -> str:
    """Say what happened, and in which line of the reader's own."""
    text = f"{error} ({type(error).__name__})" if str(error) else type(error).__name__
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    return f"{text}, in line {lines[-1].lineno} of your cell: {lines[-1].line}" if lines else text
