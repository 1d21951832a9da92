"""What every question of an exercise does: measure an answer again, give hints one by one, show the solution last.

How the answers of an exercise are measured stands in its own module, hints and solutions in its solved notebook.
Nothing here raises at the reader.
"""

import itertools
import math
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course_utils._checks import in_short, is_empty
from course_utils.notebook import predict, range_in_words

import nbformat
import numpy as np

SOLUTIONS = Path(__file__).parent.parent.parent / "exercises" / "solutions"
HINT = "*Hint.* "  # how a hint begins in the solved notebook
HERE = str(Path(__file__).parent)  # what is raised here speaks the reader's language


class NotAttempted(Exception):
    """Raised when there is nothing to measure yet."""


class StillMissing(Exception):
    """Raised when a measure comes to a part of the answer that is not there yet."""


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

    def __str__(self) -> str:
        """Return what was measured and what is wanted."""
        measured = f"{self.text}: {format(self.value, self.form)}"
        if self.low == -math.inf and self.high == math.inf:
            return measured + self.reason
        return f"{measured} (wanted: {range_in_words(self.low, self.high, self.form)})"


Findings = Iterator[Finding]  # what a measure yields, one after another


def at_least(text: str, value: float, low: float, reason: str = "", form: str = ".1%") -> Finding:
    """Want at least so much."""
    return Finding(text, value, low=low, reason=reason, form=form)


def at_most(text: str, value: float, high: float, reason: str = "", form: str = ".1%") -> Finding:
    """Want at most so much."""
    return Finding(text, value, high=high, reason=reason, form=form)


def note(text: str, value: float, remark: str = "", form: str = ".1%") -> Finding:
    """Want nothing: only tell what was measured, with a remark behind it."""
    return Finding(text, value, reason=remark, form=form)


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


class Answer(SimpleNamespace):
    """The parts of an answer by name, each taken as what it must be. Using one that is not there ends the check."""

    def __getattr__(self, name: str) -> Any:
        """Say that this part is missing: it is called for what is not there only."""
        raise StillMissing(name)


# Takes what the reader gave for a part, and the part's name; returns it as the measure needs it, or raises ValueError
# or TypeError with a sentence.
Take = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Measure:
    """What one question asks for, and how an answer is measured.

    Attributes:
        function: takes an `Answer` and yields a `Finding` for each thing that it measures. The first one that does
            not hold ends the check.
        parts: what the answer consists of, in order: each part's name, with the function that takes it, or with the
            number of the earlier question that asks for a part of this name.
        seconds: how long a check takes on 2 cores, about; 0 when it is hardly noticed.
    """

    function: Callable[[Any], Findings]
    parts: Mapping[str, Take | int]
    seconds: int = 0

    def __call__(self, answer: Any) -> Findings:
        """Measure an answer, also as a part of another measure."""
        return self.function(answer)


def asks(*, seconds: int = 0, **parts: Take | int) -> Callable[[Callable[[Any], Findings]], Measure]:
    """Make a function the measure of a question that asks for these parts."""
    return lambda function: Measure(function, parts, seconds)


class Question:
    """One question of an exercise.

    Args:
        exercise: the name of the exercise's notebook, such as "04_target_1".
        measure: what it asks for, and how that is measured.
        earlier: the questions before this one.

    Explained in exercise 01.
    """

    def __init__(self, exercise: str, measure: Measure, earlier: Sequence["Question"] = ()) -> None:
        self.exercise, self.measure, self.earlier, self.number = exercise, measure, earlier, len(earlier) + 1
        self.takes = {name: part for name, part in measure.parts.items() if not isinstance(part, int)}
        self.given: dict[str, Any] = {}  # the parts of the last answer that was of the right kind
        self.prediction = ""
        self.hints_given = 0
        self.asked_for_the_solution = False
        self.reached = False

    def predict(self, prediction: Any) -> None:
        """Keep a prediction, in words or numbers; `check` shows it again beside what was measured."""
        self.prediction = predict(prediction) or self.prediction

    def check(self, answer: Any) -> Outcome:
        """Measure an answer, and say whether it is what was asked for.

        Args:
            answer: what the question asks for; None or ... when there is none yet. A part that an earlier question
                asks for is taken from the last check of that question.

        Returns:
            An `Outcome`; `reached` of this question keeps whether it was reached. Whatever the answer is, nothing is
            raised.
        """
        outcome = self._outcome(answer)
        self.reached = outcome.reached
        if not self.prediction or outcome.state == "not attempted":
            return outcome
        return Outcome(outcome.state, f"{outcome.text}\n  You expected: {self.prediction}")

    def _outcome(self, given: Any) -> Outcome:
        findings: list[Finding] = []
        try:
            answer = self._answer(given)
            if self.measure.seconds:
                print(f"Measuring takes about {self.measure.seconds} seconds.")
            for finding in self.measure(answer):
                if not finding.holds:
                    return _not_yet(f"{finding}\n  {finding.reason}", findings)
                findings.append(finding)
        except NotAttempted:
            return Outcome("not attempted", f"· Question {self.number}: not attempted yet.")
        except StillMissing as missing:
            return _not_yet(f"`{missing}` is still missing.", findings)
        except Exception as error:  # whatever a reader's code may do
            return _not_yet(f"It cannot be measured: {in_words(error)}", findings)
        return Outcome("reached", "✓ Reached. " + "\n  ".join(map(str, findings)))

    def _answer(self, given: Any) -> Answer:
        """Sort out the parts of an answer: their number, where each comes from, and what each must be.

        Raises:
            NotAttempted: nothing is there of what this question asks for.
            ValueError, TypeError: a part is not what it must be, or an earlier question comes first.
        """
        found = {name: value for name, value in self._by_name(given).items() if not is_empty(value)}
        if not found:
            raise NotAttempted
        earlier = {}
        for name, part in self.measure.parts.items():
            if isinstance(part, int):
                if name not in self.earlier[part - 1].given:
                    raise ValueError(f"answer question {part} first, and run its check: its `{name}` is used here")
                earlier[name] = self.earlier[part - 1].given[name]
        try:
            self.given = self._taken(found)
        except (TypeError, ValueError):
            orders = itertools.permutations(found.values())
            if any(self._fits(dict(zip(found, order, strict=True))) for order in orders):
                raise ValueError(f"its parts are in another order: it must be ({', '.join(found)})") from None
            raise
        return Answer(**earlier, **self.given)

    def _by_name(self, given: Any) -> dict[str, Any]:
        """Tell which value is which part."""
        names = list(self.takes)
        if len(names) == 1:
            return {names[0]: given[0] if isinstance(given, tuple) and len(given) == 1 else given}
        if is_empty(given):
            return {}
        several = isinstance(given, tuple | list) or (isinstance(given, np.ndarray) and given.ndim == 1)
        if several and len(given) == len(names):
            return dict(zip(names, given, strict=True))
        raise ValueError(f"your answer must be ({', '.join(names)}), got {in_short(given)}")

    def _taken(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.takes[name](value, name) for name, value in values.items()}

    def _fits(self, values: Mapping[str, Any]) -> bool:
        try:
            self._taken(values)
        except Exception:  # it is only asked whether
            return False
        return True

    def hint(self) -> None:
        """Give one more hint with each call."""
        hints = self._cells("hint")
        if hints == []:
            print("There are no hints here: it is for you to say.")
        if not hints:
            return
        self.hints_given = min(self.hints_given + 1, len(hints))
        for index, text in enumerate(hints[: self.hints_given], start=1):
            print(f"Hint {index} of {len(hints)}: {text.removeprefix(HINT)}")
        if self.hints_given == len(hints):
            print("These are all. What is left is solution().")

    def solution(self) -> None:
        """Show the solved cells. The first call only asks whether you are sure."""
        if not self.asked_for_the_solution:
            self.asked_for_the_solution = True
            left = len(self._cells("hint") or ()) - self.hints_given
            hints = f"There {'is a hint' if left == 1 else f'are {left} hints'} that you have not seen. "
            print(f"Sure? {hints if left else ''}Call solution() once more to see it.")
        elif cells := self._cells("solution"):
            print("\n\n".join(cells))

    def _cells(self, tag: str) -> list[str] | None:
        """Return the cells of the solved notebook that have this tag and belong here; None when it cannot be read."""
        path, wanted = SOLUTIONS / f"{self.exercise}.ipynb", {tag, f"question-{self.number}"}
        try:
            cells = nbformat.read(path, as_version=4).cells
            return [cell.source for cell in cells if wanted <= set(cell.metadata.get("tags", []))]
        except Exception as error:  # a damaged file can fail anywhere between UTF-8, JSON and the form of a notebook
            state = "is missing" if isinstance(error, FileNotFoundError) else "is damaged or cannot be read"
            print(f"{path.name} {state} in exercises/solutions: 'git checkout exercises/solutions' fetches it again.")
            return None


def _not_yet(text: str, held: Sequence[Finding]) -> Outcome:
    """Say what does not hold, and below it what did."""
    return Outcome("not yet", "\n  ".join([f"✗ Not yet. {text}", *(f"✓ {finding}" for finding in held)]))


def given_back(value: Any, function: str) -> Any:
    """Return what a reader's function gave back, unless that is nothing.

    Raises:
        ValueError: it is nothing.
    """
    if is_empty(value):
        raise ValueError(f"your function {function} gives nothing back: does it end with `return`?")
    return value


def as_array(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return an answer as numbers of this shape, float32. Axes of 1 may be too many or missing.

    Raises:
        ValueError: it is something else, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        ragged = " of one length in each row, and nothing besides" if isinstance(value, list | tuple) else ""
        raise ValueError(f"{name} must be numbers{ragged}, got {in_short(value)}") from None
    if [size for size in array.shape if size != 1] == [size for size in shape if size != 1]:
        array = array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must not hold NaN or infinity")
    return array


def words_in(text: str) -> list[str]:
    """Return the words of a text. In Chinese nothing stands between them, and two characters are taken for one."""
    return re.findall(r"[\u4e00-\u9fff]{1,2}|(?:(?![\u4e00-\u9fff])[\w'’-])+", text)


def in_words(error: Exception) -> str:
    """Say what happened, and in which line of the reader's own. What the course itself says needs no Python name."""
    frames = traceback.extract_tb(error.__traceback__)
    said_here = frames and frames[-1].filename.startswith(HERE) and (frames[-1].line or "").startswith("raise ")
    name = type(error).__name__
    text = str(error) if said_here else f"{error} ({name})" if str(error) else name
    lines = [frame for frame in frames if "ipykernel" in frame.filename]
    return f"{text}, in line {lines[-1].lineno} of your cell: {lines[-1].line}" if lines else text
