"""What exercise 10 asks: the parts in order, explanations of three lengths, and a quiz that is measured."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from course_utils.data import load_mnist
from course_utils.feedback import Finding, at_least, told
from course_utils.networks import course_network
from course_utils.questions import (
    LIMIT,
    Measure,
    accuracy_under,
    measured,
    question,
    reflection,
    search_for,
    success_of,
)
from course_utils.results import chosen_seed, finished_network, kept_network

import keras
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


@question(
    "10_explain",
    "It begins with images and ends with the noise. What must be there before the network can answer?",
    "Two clips: one before the network, for pixels, and one at the very end, for the noise.",
)
def steps_in_order(answer: Any) -> Iterator[Finding]:
    """The eight steps of the search, in order."""
    if not isinstance(answer, list | tuple) or sorted(map(str, answer)) != sorted(STEPS_IN_ORDER):
        raise ValueError("your list must hold each of the eight steps once")
    first = next(
        (place for place, pair in enumerate(zip(answer, STEPS_IN_ORDER, strict=True)) if len(set(pair)) > 1), 8
    )
    reason = f"The first {first} stand right. Look at number {first + 1}."
    yield at_least("steps in their place, from the first on", first, 8, reason, ".0f")


QUIZ_CHOICES = (0.1, 0.5, 0.9)


def _accuracy_with(noise: np.ndarray) -> float:
    return measured(noise, None).accuracy


def _success_with(noise: np.ndarray) -> float:
    return success_of(noise, 3)


def _random_like(noise: np.ndarray) -> np.ndarray:
    return np.random.default_rng(chosen_seed()).choice([-LIMIT, LIMIT], noise.shape).astype(np.float32)


def _another_network() -> keras.Model:
    return kept_network(course_network, load_mnist(), chosen_seed() + 1)


# What is asked of noise that was searched for the 3 at a limit of 0.35, and how it is measured.
QUIZ: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy under this noise": _accuracy_with,
    "success for the 3": _success_with,
    "accuracy under random noise that is half as strong": lambda noise: _accuracy_with(_random_like(noise) / 2),
    "success of the noise with its sign turned round": lambda noise: _success_with(-noise),
    "success of the noise at a fifth of its strength": lambda noise: _success_with(noise / 5),
    "success of the noise, shifted by six pixels": lambda noise: _success_with(np.roll(noise, 6, axis=1)),
    "accuracy under the noise at a fifth of its strength": lambda noise: _accuracy_with(noise / 5),
    "accuracy of the immune network under it": lambda noise: accuracy_under(finished_network("worst_noise"), noise),
    "accuracy of a network trained alike, from another seed, under it": lambda noise: accuracy_under(
        _another_network(), noise
    ),
    "accuracy of the plain network without any noise": lambda noise: _accuracy_with(np.zeros_like(noise)),
}


@question(
    "10_explain",
    "Ask of each: does anything in it know where this noise has its strokes?",
    "Random, shifted or turned-round noise has no strokes where they count, and weak noise has too little force. "
    "A network that was trained alike leans the same way.",
)
def quiz(answers: Any) -> Iterator[Finding]:
    """A dict: for each question of the quiz, 0.1, 0.5 or 0.9, whichever is nearest."""
    if not isinstance(answers, dict) or set(answers) != set(QUIZ) or not set(answers.values()) <= set(QUIZ_CHOICES):
        raise ValueError("your answers must be a dict with the ten questions, and 0.1, 0.5 or 0.9 for each")
    noise = search_for(3)
    findings = [_beside_answer(text, measure(noise), answers[text]) for text, measure in QUIZ.items()]
    wrong = [str(finding) for finding in findings if finding.reason]
    yield at_least("right answers", len(QUIZ) - len(wrong), 8, "\n  ".join(["Measured:", *wrong]), ".0f")
    yield from findings


def _beside_answer(text: str, value: float, answer: float) -> Finding:
    """Tell what was measured, with the reader's answer where another would have been nearer."""
    is_nearest = abs(answer - value) <= min(abs(choice - value) for choice in QUIZ_CHOICES)
    return told(text, value, "" if is_nearest else f", you said about {answer:.0%}", ".0%")


def explanation(least: int, most: int, topics: dict[str, tuple[str, ...]]) -> Measure:
    """Measure what can be measured of a text: its length, and whether it mentions what it is about."""

    def measure(text: Any) -> Iterator[Finding]:
        if not isinstance(text, str):
            raise TypeError(f"your explanation must be a text between quotation marks, got {type(text).__name__}")
        words = re.findall(r"[\w'’-]+", text.lower())
        reason = "A friend would ask: and how?" if len(words) < least else "What can go?"
        yield Finding("words", len(words), least, most, reason, ".0f")
        yield at_least("different words", len(set(words)), least / 2, "Say more than one thing.", ".0f")
        missing = [topic for topic, stems in topics.items() if not any(stem in text.lower() for stem in stems)]
        hints = [f"{topic} (any of: {', '.join(topics[topic])})" for topic in missing]
        reason = f"It does not speak of {'; of '.join(hints)}."
        yield at_least("things it speaks of", len(topics) - len(missing), len(topics), reason, ".0f")

    return measure


# What a text must speak of, and the words, or their beginnings, of which any will do.
IN_SHORT = {
    "the noise": ("noise", "pattern", "perturbation", "disturbance", "dirt", "smudge", "speck"),
    "the network": ("network", "model", "classifier", "computer", "machine", "program"),
    "any image": ("image", "picture", "digit", "photo"),
}
AIMED = (
    *("target", "wanted", "chosen", "choice", "another class", "a class", "wrong answer"),
    *("see a", "say a", "a 3"),
)
IN_DETAIL = IN_SHORT | {
    "the target class": AIMED,
    "the gradient": ("gradient", "slope", "uphill", "downhill", "direction", "nearer", "steep", "nudge"),
}
IN_FULL = IN_DETAIL | {
    "the limit": ("limit", "at most", "bound"),
    "immunity": ("immun", "robust", "resist", "protect"),
    "attacking afresh": ("afresh", "again", "anew", "fresh", "new noise"),
    "proof": ("proof", "prove", "certif", "guarantee"),
}
question("10_explain", "Who does what to whom? Leave out how.", "Say that it is *one* noise for all.")(
    explanation(10, 40, IN_SHORT)
)
question(
    "10_explain",
    "What tells the search whether a pixel should become darker or lighter?",
    "Two sentences on what, two on how, one on why.",
)(explanation(60, 160, IN_DETAIL))
question("10_explain", "Go through the notebooks: one or two sentences each.", "End with what is still open.")(
    explanation(250, 600, IN_FULL)
)
question("10_explain")(reflection())
