"""What the tests of the checks share: solutions that are run, and answers that are held against a check."""

from pathlib import Path

from course_utils import find_universal_noise, load_mnist
from course_utils.questions import LIMIT, _questions, plain_network, questions
from course_utils.results import MEASURED, chosen_seed

import nbformat

SOLUTIONS = Path(__file__).parent.parent / "exercises" / "solutions"


def solved(exercise, without=".check("):
    """Run the code of a solution, but for figures, checks and what else is to be left out; return its variables."""
    names = {}
    for cell in nbformat.read(SOLUTIONS / f"{exercise}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and not any(
            word in cell.source for word in (without, ".check(", ".predict(", ".reached", "plt.show")
        ):
            exec(compile(cell.source, exercise, "exec"), names)
    return names


def noise_for(target, limit=LIMIT, **settings):
    network, images = plain_network(chosen_seed()), load_mnist().train.images
    (noise,) = find_universal_noise(network, images, target, limit, seed=0, **settings)
    return noise


def outcome(exercise, number, answer, *earlier):
    """Check an answer as a reader does who has just started, and has given the earlier answers before."""
    _questions.cache_clear()
    asked = questions(exercise)
    for place, given in enumerate(earlier):
        asked[place].check(given)
    already = len(MEASURED)
    result = asked[number - 1].check(answer)
    texts = [text for text, _ in MEASURED[already:]]
    assert len(set(texts)) == len(texts), "what our solution reached is looked up by these words"
    return result


def assert_not_yet(exercise, number, answer, words):
    result = outcome(exercise, number, answer)
    assert result.state == "not yet", result
    assert words in result.text, result
