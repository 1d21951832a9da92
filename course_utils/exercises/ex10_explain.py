"""Exercise 10, explain it to a friend: its questions, and how each answer is measured."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils._checks import in_short
from course_utils.exercises.core import Answer, Finding, Findings, Measure, asks, at_least, note, words_in
from course_utils.exercises.measures import (
    LIMIT,
    accuracy_under,
    by_name,
    measured,
    one_of,
    plain_network,
    search_for,
    success_of,
    text,
)
from course_utils.notebook import chosen_seed, pretrained_network

import numpy as np

STEPS_IN_ORDER = (
    "draw a batch of images",
    "add the noise to each",
    "clip the pixels to [0, 1]",
    "let the network answer",
    "compare with the target class",
    "find the gradient for the noise",
    "move the noise a little, against it",
    "clip the noise to its limit",
)


def the_eight_steps(value: Any, name: str) -> list[str]:
    """The eight steps of the search, each once."""
    if isinstance(value, str) or not isinstance(value, list | tuple | np.ndarray):
        raise TypeError(f"`{name}` must be a list of the eight steps, got {in_short(value)}")
    steps = [" ".join(str(step).split()) for step in value]
    if missing := [step for step in STEPS_IN_ORDER if step not in steps]:
        raise ValueError(f"`{name}` must hold each of the eight steps once: {missing[0]!r} is missing")
    if len(steps) != len(STEPS_IN_ORDER):
        raise ValueError(f"`{name}` must hold each of the eight steps once, got {len(steps)} lines")
    return steps


@asks(in_order=the_eight_steps)
def steps_in_order(answer: Answer) -> Findings:
    """The eight steps of the search, in order."""
    pairs = zip(answer.in_order, STEPS_IN_ORDER, strict=True)
    first = next((place for place, (given, right) in enumerate(pairs) if given != right), 8)
    reason = f"The first {first} stand right. Look at number {first + 1}."
    yield at_least("steps in their place, from the first on", first, 8, reason, ".0f")


QUIZ_CHOICES = (0.1, 0.5, 0.9)


def _accuracy_with(noise: np.ndarray) -> float:
    return measured(noise, None).accuracy


def _random_like(noise: np.ndarray) -> np.ndarray:
    return np.random.default_rng(chosen_seed()).choice([-LIMIT, LIMIT], noise.shape).astype(np.float32)


# What is asked of noise that was searched for the 3 at a limit of 0.35, and how it is measured.
QUIZ: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy under this noise": _accuracy_with,
    "success for the 3": lambda noise: success_of(noise, 3),
    "accuracy under random noise that is half as strong": lambda noise: _accuracy_with(_random_like(noise) / 2),
    "success of the noise with its sign turned round": lambda noise: success_of(-noise, 3),
    "success of the noise at a fifth of its strength": lambda noise: success_of(noise / 5, 3),
    "success of the noise, shifted by six pixels": lambda noise: success_of(np.roll(noise, 6, axis=1), 3),
    "accuracy under the noise at half its strength": lambda noise: _accuracy_with(noise / 2),
    "accuracy of the immune network under it": lambda noise: accuracy_under(pretrained_network("worst_noise"), noise),
    "accuracy of a network trained alike, from another seed, under it": lambda noise: accuracy_under(
        plain_network(chosen_seed() + 1), noise
    ),
    "accuracy of the plain network without any noise": lambda noise: _accuracy_with(np.zeros_like(noise)),
}


@asks(seconds=10, answers=by_name(one_of(*QUIZ_CHOICES), *QUIZ))
def quiz(answer: Answer) -> Findings:
    """For each question of the quiz, 0.1, 0.5 or 0.9, whichever is nearest."""
    noise = search_for(3)
    findings = [_beside_answer(text, measure(noise), answer.answers[text]) for text, measure in QUIZ.items()]
    wrong = [str(finding) for finding in findings if finding.reason]
    yield at_least("right answers", len(QUIZ) - len(wrong), 8, "\n  ".join(["Measured:", *wrong]), ".0f")
    yield from findings


def _beside_answer(text: str, value: float, answer: float) -> Finding:
    """Tell what was measured, with the reader's answer where another would have been nearer."""
    is_nearest = abs(answer - value) <= min(abs(choice - value) for choice in QUIZ_CHOICES)
    return note(text, value, "" if is_nearest else f", you said about {answer:.0%}", ".0%")


def explanation(part: str, least: int, most: int, topics: Mapping[str, Sequence[str]]) -> Measure:
    """Ask for a text, and measure what can be measured of it: its length, and whether it speaks of the topics."""

    @asks(**{part: text})  # type: ignore[arg-type]
    def measure(answer: Answer) -> Findings:
        explained = " ".join(getattr(answer, part).lower().split())
        words = words_in(explained)
        reason = "A friend would ask: and how?" if len(words) < least else "What can go?"
        yield Finding("words", len(words), least, most, reason, ".0f")
        yield at_least("different words", len(set(words)), least / 2, "Say more than one thing.", ".0f")
        missing = [topic for topic, beginnings in topics.items() if not speaks_of(explained, beginnings)]
        hints = [f"{topic} (any of: {', '.join(topics[topic][:8])} …)" for topic in missing]
        reason = f"It does not speak of {'; of '.join(hints)}."
        yield at_least("things it speaks of", len(topics) - len(missing), len(topics), reason, ".0f")

    return measure


def speaks_of(explained: str, words: Sequence[str]) -> bool:
    """Does a text hold one of these words, or a longer one that begins like it; of three letters or fewer itself?"""
    latin = [re.escape(word) + (r"s?\b" if len(word) <= 3 else "") for word in words if word.isascii()]
    chinese = [word for word in words if not word.isascii()]  # there a word may begin anywhere
    return any(re.search(rf"\b{word}", explained) for word in latin) or any(word in explained for word in chinese)


# What a text must speak of, and the words of which any will do, or their beginnings. Rather too many than too few:
# a text that says it in its own words must not be refused.
WORDS = json.loads(Path(__file__).with_name("ex10_words.json").read_text(encoding="utf-8"))
IN_SHORT = WORDS["sentence"]
IN_DETAIL = IN_SHORT | WORDS["paragraph"]
IN_FULL = IN_DETAIL | WORDS["page"]

QUESTIONS = [
    steps_in_order,
    quiz,
    explanation("sentence", 10, 40, IN_SHORT),
    explanation("paragraph", 60, 160, IN_DETAIL),
    explanation("page", 250, 600, IN_FULL),
]
