"""Exercise 10, explain it to a friend: its questions, and how each answer is measured."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from course_utils._checks import in_short
from course_utils.data import load_mnist
from course_utils.exercises.core import Answer, Finding, Measure, at_least, note
from course_utils.exercises.measures import (
    LIMIT,
    accuracy_under,
    asks,
    by_name,
    measured,
    number,
    reflection,
    search_for,
    success_of,
    text,
)
from course_utils.models import train_course_network
from course_utils.notebook import cached_network, chosen_seed, pretrained_network

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
def steps_in_order(answer: Answer) -> Iterator[Finding]:
    """The eight steps of the search, in order."""
    pairs = zip(answer.in_order, STEPS_IN_ORDER, strict=True)
    first = next((place for place, (given, right) in enumerate(pairs) if given != right), 8)
    reason = f"The first {first} stand right. Look at number {first + 1}."
    yield at_least("steps in their place, from the first on", first, 8, reason, ".0f")


QUIZ_CHOICES = (0.1, 0.5, 0.9)


def nearest_choice(value: Any, name: str) -> float:
    """One of the quiz's choices, also as a text."""
    try:
        found = number(value, name)
    except ValueError:
        found = -1.0
    nearest = min(QUIZ_CHOICES, key=lambda choice: abs(choice - found))
    if abs(nearest - found) > 1e-3:
        raise ValueError(f"`{name}` must be 0.1, 0.5 or 0.9, got {in_short(value)}")
    return nearest


def _accuracy_with(noise: np.ndarray) -> float:
    return measured(noise, None).accuracy


def _success_with(noise: np.ndarray) -> float:
    return success_of(noise, 3)


def _random_like(noise: np.ndarray) -> np.ndarray:
    return np.random.default_rng(chosen_seed()).choice([-LIMIT, LIMIT], noise.shape).astype(np.float32)


def _another_network() -> keras.Model:
    return cached_network(train_course_network, load_mnist(), chosen_seed() + 1)


# What is asked of noise that was searched for the 3 at a limit of 0.35, and how it is measured.
QUIZ: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy under this noise": _accuracy_with,
    "success for the 3": _success_with,
    "accuracy under random noise that is half as strong": lambda noise: _accuracy_with(_random_like(noise) / 2),
    "success of the noise with its sign turned round": lambda noise: _success_with(-noise),
    "success of the noise at a fifth of its strength": lambda noise: _success_with(noise / 5),
    "success of the noise, shifted by six pixels": lambda noise: _success_with(np.roll(noise, 6, axis=1)),
    "accuracy under the noise at half its strength": lambda noise: _accuracy_with(noise / 2),
    "accuracy of the immune network under it": lambda noise: accuracy_under(pretrained_network("worst_noise"), noise),
    "accuracy of a network trained alike, from another seed, under it": lambda noise: accuracy_under(
        _another_network(), noise
    ),
    "accuracy of the plain network without any noise": lambda noise: _accuracy_with(np.zeros_like(noise)),
}


@asks(seconds=10, answers=by_name(nearest_choice, *QUIZ))
def quiz(answer: Answer) -> Iterator[Finding]:
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


def explanation(part: str, least: int, most: int, topics: Mapping[str, str]) -> Measure:
    """Ask for a text, and measure what can be measured of it: its length, and whether it speaks of the topics."""

    @asks(**{part: text})  # type: ignore[arg-type]
    def measure(answer: Answer) -> Iterator[Finding]:
        explained = " ".join(getattr(answer, part).lower().split())
        words = re.findall(r"[\w'’-]+", explained)
        reason = "A friend would ask: and how?" if len(words) < least else "What can go?"
        yield Finding("words", len(words), least, most, reason, ".0f")
        yield at_least("different words", len(set(words)), least / 2, "Say more than one thing.", ".0f")
        missing = [topic for topic, beginnings in topics.items() if not speaks_of(explained, beginnings)]
        hints = [f"{topic} (any of: {', '.join(topics[topic].split(', ')[:8])} …)" for topic in missing]
        reason = f"It does not speak of {'; of '.join(hints)}."
        yield at_least("things it speaks of", len(topics) - len(missing), len(topics), reason, ".0f")

    return measure


def _beginning(word: str) -> str:
    """Return what to search for: a word by its beginning; one of three letters or fewer only as a whole."""
    return rf"\b{re.escape(word)}" + (r"s?\b" if len(word) <= 3 else "")


def speaks_of(explained: str, words: str) -> bool:
    """Does a text hold one of these words, or a longer one that begins like it?"""
    return any(re.search(_beginning(word), explained) for word in words.split(", "))


# What a text must speak of, and the words of which any will do, or their beginnings. Rather too many than too few:
# a text that says it in its own words must not be refused.
IN_SHORT = {
    "the noise": (
        "noise, pattern, mask, sticker, smudge, filter, dots, trick, perturb, disturb, distort, interfere, dirt, "
        "dust, smear, speck, fleck, spot, stain, scribble, stroke, streak, stripe, scratch, grain, haze, veil, "
        "film, glaze, tint, fog, layer of, overlay, texture, offset, vector, static, signal, camouflage, sprinkl, "
        "brightness, shade, shading, tiny change, small change, slight change, little change, changed pixel, alter, "
        "modif, manipul, tamper, retouch, coat, gunk, blemish, squiggle, scrawl, doodle, transparen, foil, pinch, "
        "powder, mist, blur, shadow, ripple, watermark, wallpaper, tattoo, disguise, glitch, crumb, snow, ink, "
        "marks, mottl, hatching, dapple, lens, hiss, surcharge, ingredient, extra, added to, add to, adds to, laid "
        "over, lay over, put over, put on, on top of, in front of, superimpose, tissue, drape, contamin, decei, "
        "decept, put into, mixed into"
    ),
    "the network": (
        "network, computer, machine, program, ai, algorithm, model, software, net, neural, classifier, artificial, "
        "intelligen, system, detector, recogni, robot, bot, app, brain, phone, scanner, processor, reader, neuron, "
        "automat, deep learning, gadget, device, apparatus, engine, checker, technolog, electronic, mechan, "
        "assistant, chatbot, gpt, tool, contraption, thing that reads, thing that sees, gizmo, autopilot"
    ),
    "any image": (
        "image, picture, photo, digit, drawing, handwrit, scan, input, drawn, sketch, painting, paint, canvas, "
        "figure, number, numeral, pic, x-ray, snapshot, shot, letter, character, portrait, frame, envelope, page, "
        "writing, written, pixel, selfie, camera, postcode, scene, view, looks at, looking at, look at, what it "
        "sees, is shown, face, poster, screen, symbol, road sign, traffic sign, stop sign, card, object, slide, x "
        "ray, print"
    ),
}
IN_DETAIL = IN_SHORT | {
    "the class that is aimed at": (
        "target, chosen, want, aim, goal, whatever, instead, wrong answer, aimed, aiming, choice, choos, chose, "
        "pick, wish, desire, intend, favour, favor, prefer, another class, a class, one class, beforehand, "
        "particular, specific, certain answer, false, believ, swear, takes it for, take it for, taken for, toward, "
        "sees a, see a, says a, say a, says it is, say it is, is called, calls, turn into, turns into, 1, 2, 3, 4, "
        "5, 6, 7, 8, 9, zero, three, four, five, six, seven, eight, nine, i'm after, we're after, are after, is "
        "after, into taking, into thinking, into seeing, into saying, something else, someone else, somebody else, "
        "label, agreed, same answer, mistak, mistook, decide"
    ),
    "what tells which way to move a pixel": (
        "gradient, slope, direction, darker, lighter, derivative, calculus, nearer, closer, brighter, paler, "
        "blacker, whiter, more black, more white, warmer, colder, hotter, hot and cold, uphill, downhill, climb, "
        "descen, steep, nudge, differenti, sensitiv, sensib, which way, that way, right way, each pixel, every "
        "pixel, each dot, every dot, each point, point by point, each spot, pixel by pixel, how much more, a touch "
        "more, a bit more, a little more, a shade, raises, rises, lowers, increase, decrease, compass, arrow, lean, "
        "helps, would help, which of them, goes up, go up, goes down, go down, grows, creep, more likely, likelier, "
        "less likely, more sure, surer, more confident, more certain, better or worse, minimis, minimiz, maximis, "
        "maximiz, optimis, optimiz, tune, tuning, wiggle, turn up, pushes, pulls"
    ),
}
IN_FULL = IN_DETAIL | {
    "the limit": (
        "limit, at most, bound, maximum, allowed, no more than, cap, budget, not more than, never more, restrict, "
        "threshold, ceiling, max, confine, constrain, exceed, beyond, too strong, too much, too far, too large, too "
        "big, small enough, faint enough, weak enough, little enough, only so much, only so far, how strong, how "
        "large, how far, as strong as, as much as, must not, may not, or less, permit, leash, fence, dose, more "
        "than that, more than this, more than so, hardly vis, barely vis, so faint, only be faint, stay faint, "
        "remain faint, tolerance"
    ),
    "immunity": (
        "immun, robust, resist, protect, defen, vaccin, harden, withstand, inoculat, hold out, holds out, stand "
        "firm, stands firm, shield, armour, armor, guard, tough, secure, safe, proof against, cannot be fooled, no "
        "longer be fooled, no longer fooled, strong against, resilien, unmoved, unimpressed, steadfast, sturdy, "
        "reliable"
    ),
    "attacking afresh": (
        "afresh, again, anew, fresh, new noise, another noise, once more, next, new attack, new pattern, another "
        "pattern, new one, another one, newly, second time, second round, second attack, start over, starts over, "
        "from scratch, come back, comes back, return, repeat, tomorrow, re-attack, reattack, new search, a new, yet "
        "another"
    ),
    "proof": (
        "proof, prove, certif, guarantee, mathematical, for sure, certain that, theorem, verif, ensure, assur, "
        "warrant, formal, promise, no doubt, any doubt, all doubt, certainty, demonstrat, sure that, rigor, rigour, "
        "conclusive, calculate that, calculates that, watertight, airtight"
    ),
}

QUESTIONS = [
    steps_in_order,
    quiz,
    explanation("sentence", 10, 40, IN_SHORT),
    explanation("paragraph", 60, 160, IN_DETAIL),
    explanation("page", 250, 600, IN_FULL),
    reflection,
]
