"""What the tests of the exercises share: an answer held against a check, and networks and noise made once."""

import functools

from course_utils import find_universal_noise, load_mnist
from course_utils.exercises import core, questions
from course_utils.exercises.core import Question
from course_utils.exercises.measures import LIMIT, plain_network
from course_utils.notebook import chosen_seed

import numpy as np
import pytest

EXERCISES = sorted(path.stem for path in core.SOLUTIONS.glob("*.ipynb"))
ON_MNIST = not load_mnist().is_stand_in  # finished networks read too little of the fallback data to begin with


def measures_of(exercise):
    return [question.measure for question in questions(exercise)]


def fresh_questions(exercise):
    """The questions of an exercise as a reader has them who has just started."""
    asked = []
    for measure in measures_of(exercise):
        asked.append(Question(exercise, measure, tuple(asked)))
    return asked


def outcome(exercise, number, answer, *earlier):
    """Check an answer; the earlier ones were given before, or stand as parts before its own."""
    asked = fresh_questions(exercise)
    for place, given in enumerate(earlier):
        asked[place].check(given)
    question = asked[number - 1]
    parts = question.measure.parts
    if isinstance(answer, tuple) and len(answer) == len(parts) > len(question.takes):
        own = []
        for (name, part), value in zip(parts.items(), answer, strict=True):
            if isinstance(part, int):
                asked[part - 1].given[name] = asked[part - 1].takes[name](value, name)
            else:
                own.append(value)
        answer = tuple(own)
    return question.check(answer)


def assert_not_yet(exercise, number, answer, words, *earlier):
    """The words tell which part of the measure refuses it: not just any."""
    result = outcome(exercise, number, answer, *earlier)
    assert result.state == "not yet", result
    assert words in result.text, result


def named(cases):
    """The cases of a dict for `parametrize`, each under its name."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), id=str(name)) for name, case in cases.items()
    ]


@functools.cache
def noise_for(target, limit=LIMIT, **settings):
    """Noise of a search against the course's network, as a reader finds it."""
    network, images = plain_network(chosen_seed()), load_mnist().train.images
    (noise,) = find_universal_noise(network, images, target, limit, seed=0, **settings)
    noise.flags.writeable = False
    return noise


def once(function):
    """Let a function measure the same once for all tests: the checks themselves measure anew each time."""
    known = {}

    def identity(value):
        return (value.shape, value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else value

    @functools.wraps(function)
    def remembered(*about, **settings):
        key = *map(identity, about), *((name, identity(value)) for name, value in settings.items())
        if key not in known:
            known[key] = function(*about, **settings)
        return known[key]

    return remembered
