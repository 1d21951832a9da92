"""Every check: the solution reaches it, and named wrong answers do not."""

import itertools
import re

from course_utils.questions import EXERCISES
from course_utils.questions_explain import IN_SHORT

import numpy as np
import pytest
from answers import assert_not_yet, noise_for, outcome, solved

NONSENSE = {"a text": "nonsense", "NaN": float("nan"), "a wrong shape": np.zeros((2, 2), np.float32)}


@pytest.fixture(scope="module")
def steps():
    return solved("01_steps")


@pytest.fixture(scope="module")
def sharing():
    return solved("02_why_more_steps")


@pytest.fixture(scope="module")
def limits():
    return solved("03_limit_and_weight")


@pytest.fixture(scope="module")
def ones():
    return solved("04_target_1")


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
    *entries, (_, last_hints) = EXERCISES[exercise]
    assert len(entries) >= 2
    assert all(len(hints) >= 2 for _, hints in entries)
    assert last_hints == ()


def test_a_reflection_wants_words_of_the_readers_own():
    assert outcome("01_steps", 4, "Because.").state == "not yet"
    assert outcome("01_steps", 4, 20 * "word ").reached


# 1 · Fewer or more steps


def test_the_search_of_the_solution_is_reached(steps):
    assert outcome("01_steps", 1, steps["search"]).reached


def test_wrong_searches_are_not(steps):
    search, numbers = steps["search"], itertools.count()
    wrong = {
        "over the limit": (lambda n, rate, seed: 1.3 * search(n, rate, seed), "largest |noise|"),
        "with the gradient, not against it": (lambda n, rate, seed: -search(n, rate, seed), "against"),
        "ignores the learning rate": (lambda n, rate, seed: search(n, 0.1, seed), "after one step"),
        "ignores the steps": (lambda n, rate, seed: search(30, rate, seed), "after one step"),
        "ignores the seed": (lambda n, rate, seed: search(n, rate, 0), "another seed"),
        "for another class": (lambda n, rate, seed: np.sign(noise_for(8)) * min(n * rate, 0.35), "success after 30"),
        "always the same noise": (lambda n, rate, seed: noise_for(3), "take the *sign*"),
        "another noise each time": (lambda n, rate, seed: search(n, rate, next(numbers)), "called again"),
        "a text": (lambda n, rate, seed: "noise", "must be numbers"),
        "raises": (lambda n, rate, seed: [][1], "IndexError"),
    }
    for name, (function, words) in wrong.items():
        assert_not_yet("01_steps", 1, function, words), name
    assert outcome("01_steps", 1, lambda n, rate, seed: None).state == "not attempted"


def test_the_table_of_steps(steps):
    search, table = steps["search"], steps["table"]
    assert outcome("01_steps", 2, (search, table)).reached
    assert_not_yet("01_steps", 2, (search, np.full_like(table, 0.5)), "We have measured it anew")
    assert_not_yet("01_steps", 2, (search, 1 - table), "We have measured it anew")
    assert_not_yet("01_steps", 2, (search, table[::-1]), "We have measured it anew")
    assert_not_yet("01_steps", 2, (search, 0.9 * table + 0.1), "without the 3s")
    assert_not_yet("01_steps", 2, (search, table[..., 0]), "must have the shape (4, 6, 3)")
    assert outcome("01_steps", 2, (search, ...)).state == "not attempted"


def test_where_more_stops_helping(steps):
    search, enough = steps["search"], steps["enough"]
    assert outcome("01_steps", 3, (search, enough)).reached
    for other in {5, 10, 20, 40} - {enough}:
        assert_not_yet("01_steps", 3, (search, other), "More still helps" if other < enough else "Fewer would do")
    assert_not_yet("01_steps", 3, (search, 7), "must be 5, 10, 20 or 40")
    assert outcome("01_steps", 3, (search, ...)).state == "not attempted"


# 2 · Why more steps than for one image?


def test_the_cosine(sharing):
    right = sharing["mean_cosine"]
    assert outcome("02_why_more_steps", 1, right).reached

    def with_itself(gradients):
        rows = gradients.reshape(len(gradients), -1)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.mean(rows @ rows.T)

    def not_divided(gradients):
        rows = gradients.reshape(len(gradients), -1)
        return np.mean([rows[i] @ rows[j] for i in range(len(rows)) for j in range(i)])

    for wrong in (with_itself, not_divided, lambda gradients: abs(right(gradients)), lambda gradients: 0.0):
        assert_not_yet("02_why_more_steps", 1, wrong, "your cosine")


def test_the_steps_needed(sharing):
    right = sharing["steps_needed"]
    assert outcome("02_why_more_steps", 2, right).reached
    assert_not_yet("02_why_more_steps", 2, lambda images: right(images) + 4, "We have counted anew")
    assert_not_yet("02_why_more_steps", 2, lambda images: 12, "We have counted anew")
    assert_not_yet("02_why_more_steps", 2, lambda images: right(images[:1]), "We have counted anew")
    assert_not_yet("02_why_more_steps", 2, lambda images: "three", "cannot be measured")
    assert outcome("02_why_more_steps", 2, lambda images: None).state == "not attempted"


def test_noise_for_so_many_images(sharing):
    right = sharing["all_noise"]
    assert outcome("02_why_more_steps", 3, right).reached
    assert_not_yet("02_why_more_steps", 3, 1.2 * right, "largest |noise|")
    assert_not_yet("02_why_more_steps", 3, right[::-1], "✗")
    assert_not_yet("02_why_more_steps", 3, right[[0, 0, 0, 0, 0]], "✗")
    assert_not_yet("02_why_more_steps", 3, right[[4, 4, 4, 4, 4]], "gain over one")
    assert_not_yet("02_why_more_steps", 3, right[:4], "must have the shape (5, 28, 28, 1)")


# 3 · noise_limit and noise_l2_weight


def test_the_map_of_limit_and_weight(limits):
    right = limits["success_map"]
    assert outcome("03_limit_and_weight", 1, right).reached
    assert_not_yet("03_limit_and_weight", 1, right[::-1], "Rows are limits")
    assert_not_yet("03_limit_and_weight", 1, right.T, "must have the shape (6, 4)")
    assert_not_yet("03_limit_and_weight", 1, np.ones((6, 4)), "searched and measured anew")
    assert_not_yet("03_limit_and_weight", 1, np.repeat(right[:, :1], 4, axis=1), "searched and measured anew")


def test_the_smallest_limit(limits):
    noise, target = limits["small_noise"], limits["target"]
    assert outcome("03_limit_and_weight", 2, (noise, target)).reached
    assert_not_yet("03_limit_and_weight", 2, (noise / 2, target), "taken for your target")
    assert_not_yet("03_limit_and_weight", 2, (noise_for(3), 3), "a smaller limit")
    assert_not_yet("03_limit_and_weight", 2, (noise, (target + 1) % 10), "taken for your target")
    assert_not_yet("03_limit_and_weight", 2, (noise, 10), "target_class")
    assert outcome("03_limit_and_weight", 2, (noise, ...)).state == "not attempted"


def test_faint_noise(limits):
    right = limits["faint_noise"]
    assert outcome("03_limit_and_weight", 3, right).reached
    assert_not_yet("03_limit_and_weight", 3, noise_for(3), "root of the mean square")
    assert_not_yet("03_limit_and_weight", 3, right / 4, "success on test images")
    assert_not_yet("03_limit_and_weight", 3, noise_for(8), "success on test images")
    assert_not_yet("03_limit_and_weight", 3, np.where(np.abs(right) > 0.2, 3 * right, 0), "largest |noise|")


# 4 · Target 1


def test_noise_for_the_1(ones):
    right = ones["noise_for_1"]
    assert outcome("04_target_1", 1, right).reached
    assert_not_yet("04_target_1", 1, 1.3 * right, "largest |noise|")
    assert_not_yet("04_target_1", 1, noise_for(3), "success on test images")
    assert_not_yet("04_target_1", 1, np.zeros_like(right), "success on test images")
    assert_not_yet("04_target_1", 1, -right, "success on test images")


def test_who_holds_out(ones):
    noise, digit = ones["noise_for_1"], ones["digit"]
    assert outcome("04_target_1", 2, (noise, digit)).reached
    most = int(np.argmax([ones["shares"][name] if name != 1 else 0 for name in range(10)]))
    assert_not_yet("04_target_1", 2, (noise, most), "holds out better")
    assert_not_yet("04_target_1", 2, (noise, 1), "holds out better")
    assert_not_yet("04_target_1", 2, (noise, 10), "a whole number from 0 to 9")
    assert_not_yet("04_target_1", 2, (1.3 * noise, digit), "beyond noise_limit")
    assert outcome("04_target_1", 2, (noise, ...)).state == "not attempted"


def test_searched_for_one_taken_for_another(ones):
    noise, table = ones["all_noise"], ones["table"]
    assert outcome("04_target_1", 3, (noise, table)).reached
    assert_not_yet("04_target_1", 3, (noise, table.T), "row 1")
    assert_not_yet("04_target_1", 3, (noise, 0.5 * table + 0.5 * np.eye(10)), "row 1")
    assert_not_yet("04_target_1", 3, (noise, np.eye(10)), "row 1")
    assert_not_yet("04_target_1", 3, (1.3 * noise, table), "largest |noise|")
    assert_not_yet("04_target_1", 3, (np.zeros_like(noise), table), "row 1")


# 10 · Explain it to a friend


@pytest.fixture(scope="module")
def friend():
    return solved("10_explain")


def test_the_steps_in_order(friend):
    right = friend["in_order"]
    assert outcome("10_explain", 1, right).reached
    assert_not_yet("10_explain", 1, right[::-1], "The first 0 stand right. Look at number 1.")
    assert_not_yet("10_explain", 1, [*right[:6], right[7], right[6]], "The first 6 stand right. Look at number 7.")
    assert_not_yet("10_explain", 1, [*right[:7], right[0]], "each of the eight steps once")
    assert_not_yet("10_explain", 1, right[:7], "each of the eight steps once")


def test_the_quiz(friend):
    right = friend["answers"]
    assert outcome("10_explain", 2, right).reached
    one_wrong = {**right, "success for the 3": 0.5}
    assert re.search(
        r"success for the 3: \d+%, you said about 50%( · our solution.+)?\n", outcome("10_explain", 2, one_wrong).text
    )
    assert_not_yet("10_explain", 2, dict.fromkeys(right, 0.1), "you said about 10%")
    assert_not_yet("10_explain", 2, dict.fromkeys(right, 0.9), "you said about 90%")
    assert_not_yet("10_explain", 2, {text: 1 - value for text, value in right.items()}, "0.1, 0.5 or 0.9")
    assert_not_yet("10_explain", 2, {**right, "success for the 3": ...}, "0.1, 0.5 or 0.9")
    assert_not_yet("10_explain", 2, {"accuracy under this noise": 0.1}, "the ten questions")
    assert outcome("10_explain", 2, dict.fromkeys(right, ...)).state == "not attempted"


@pytest.mark.parametrize(("number", "name"), [(3, "sentence"), (4, "paragraph"), (5, "page")])
def test_explanations(friend, number, name):
    right = friend[name]
    assert outcome("10_explain", number, right).reached
    assert_not_yet("10_explain", number, " ".join(right.split()[:6]), "A friend would ask")
    assert_not_yet("10_explain", number, 30 * right, "What can go?")
    length = len(right.split())
    assert_not_yet("10_explain", number, length * "noise ", "Say more than one thing")
    without = re.sub("|".join(IN_SHORT["the noise"] + IN_SHORT["any image"]), "thing", right.lower())
    assert_not_yet("10_explain", number, without, "does not speak of the noise (any of: noise, pattern")
    assert_not_yet("10_explain", number, without, "of any image (any of: image")
    in_other_words = right.lower().replace("noise", "pattern").replace("network", "model")
    assert outcome("10_explain", number, in_other_words).reached
    assert_not_yet("10_explain", number, 3, "a text between quotation marks")
