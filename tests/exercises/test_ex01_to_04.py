"""The checks of exercises 1 to 4: honest answers of many kinds reach them, and named wrong answers do not."""

import functools
import itertools
from types import SimpleNamespace

from course_utils import add_noise, find_universal_noise, image_gradient, load_mnist
from course_utils.exercises import ex01_steps, ex03_limit_and_weight, ex04_target_1, measures
from course_utils.exercises.ex02_why_more_steps import TOGETHER
from course_utils.exercises.ex03_limit_and_weight import L2_WEIGHTS, LIMITS
from course_utils.exercises.measures import TEST_IMAGES, plain_network, search_for
from course_utils.notebook import chosen_seed

import numpy as np
import pytest
import tensorflow as tf
from answers import ON_MNIST, assert_not_yet, named, noise_for, once, outcome

STEPS, SHARING, WEIGHT, ONES = "01_steps", "02_why_more_steps", "03_limit_and_weight", "04_target_1"

IN_OTHER_FORM = {
    "a list": lambda array: np.asarray(array).tolist(),
    "a leading axis": lambda array: np.asarray(array)[None],
    "float64": lambda array: np.asarray(array, np.float64),
    "a tensor": tf.constant,
}
TABLES = {"a list": lambda array: np.asarray(array).tolist(), "in whole percent": lambda array: np.round(array, 2)}
ONE_NUMBER = {"a text": str, "a float": float, "a list": lambda number: [number], "an array": np.array}


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    """The same noise is searched and measured again and again, for each wrong answer beside it."""
    measured, searched = once(measures.measured), once(search_for)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "measured", measured)
        patch.setattr(ex04_target_1, "measured", measured)
        patch.setattr(ex04_target_1, "_success_in_each_way", once(ex04_target_1._success_in_each_way))
        patch.setattr(ex03_limit_and_weight, "search_for", searched)
        yield


def with_cell(table, place, value):
    changed = np.array(table, dtype=np.float64)
    changed[place] = value
    return changed


def zeros_but_for(table, *cells):
    changed = np.zeros_like(table)
    for cell in cells:
        changed[cell] = table[cell]
    return changed


def without_return(function):
    def forgetful(*arguments):
        function(*arguments)

    return forgetful


# 1 · Fewer or more steps


slope_of_each = tf.function(image_gradient, reduce_retracing=True)


def way_of(direction, learning_rate, seed):
    """Yield the noise of a search as it begins, and after each step."""
    generator, digits, network = np.random.default_rng(seed), load_mnist().train.images, plain_network(chosen_seed())
    noise = np.zeros((28, 28, 1), np.float32)
    kept = np.zeros_like(noise)
    while True:
        yield noise
        images = digits[generator.integers(len(digits), size=32)]
        slopes = slope_of_each(network, tf.constant(images + noise), tf.fill([32], 3))
        kept, step = direction(kept, np.mean(slopes, axis=0))
        noise = np.clip(noise - np.float32(learning_rate) * step, -0.35, 0.35)


@functools.cache
def searching(direction):
    """A search that moves as `direction` says. It keeps its ways: with more steps it only goes on."""
    ways = {}

    def search(steps, learning_rate, seed):
        way, reached = ways.setdefault((learning_rate, seed), (way_of(direction, learning_rate, seed), []))
        reached.extend(itertools.islice(way, max(0, steps + 1 - len(reached))))
        return reached[steps]

    return search


def by_its_sign(kept, slope):
    return kept, np.sign(slope)


def by_its_maximum(kept, slope):
    return kept, slope / np.abs(slope).max()


def with_momentum(kept, slope):
    kept = 0.9 * kept + slope / np.abs(slope).mean()
    return kept, np.sign(kept)


def away_at_random(search):
    counter = itertools.count()
    return lambda n, rate, seed: search(n, rate, next(counter))


WRONG_SEARCHES = {
    "over the limit": (lambda search: lambda n, rate, seed: 1.3 * search(n, rate, seed), "largest |noise|"),
    "with the gradient, not against it": (lambda search: lambda n, rate, seed: -search(n, rate, seed), "against"),
    "ignores the learning rate": (lambda search: lambda n, rate, seed: search(n, 0.1, seed), "after one step"),
    "always thirty steps": (lambda search: lambda n, rate, seed: search(30, rate, seed), "after one step"),
    "one step, or thirty": (
        lambda search: lambda n, rate, seed: search(1 if n == 1 else 30, rate, seed),
        "as many as `steps` says",
    ),
    "one step too few": (lambda search: lambda n, rate, seed: search(n - 1, rate, seed), "after one step"),
    "one step too many": (lambda search: lambda n, rate, seed: search(n + 1, rate, seed), "after one step"),
    "every step in one": (
        lambda search: lambda n, rate, seed: search(1, rate, seed),
        "as many as `steps` says",
    ),
    "ignores the seed": (lambda search: lambda n, rate, seed: search(n, rate, 0), "another seed"),
    "for another class": (
        lambda search: lambda n, rate, seed: np.sign(noise_for(8)) * min(n * rate, 0.35),
        "success after 30",
    ),
    "always the same noise": (lambda search: lambda n, rate, seed: noise_for(3), "after one step"),
    "another noise each time": (away_at_random, "called again"),
    "divided by its maximum, no sign": (lambda search: searching(by_its_maximum), "of the pixels that it moves"),
    "zeros": (lambda search: lambda n, rate, seed: np.zeros((28, 28, 1)), "after one step"),
    "a text": (lambda search: lambda n, rate, seed: "noise", "must be numbers"),
    "one noise for each image": (
        lambda search: lambda n, rate, seed: np.zeros((32, 28, 28, 1)),
        "must have the shape",
    ),
    "raises": (lambda search: lambda n, rate, seed: [][1], "IndexError"),
    "forgotten return": (without_return, "gives nothing back"),
    "without a seed": (lambda search: lambda n, rate: search(n, rate, 0), "search(steps, learning_rate, seed)"),
    "the noise itself": (lambda search: search(30, 0.05, 0), "must be a function search(steps, learning_rate, seed)"),
}


@pytest.fixture(scope="module")
def search():
    return searching(by_its_sign)


@pytest.fixture(scope="module")
def table(search):
    def success(rate, steps, seed):
        return measures.success_of(search(steps, rate, seed), 3)

    rates, seeds = ex01_steps.LEARNING_RATES, ex01_steps.SEEDS
    return np.array(
        [[[success(rate, steps, seed) for seed in seeds] for steps in ex01_steps.STEPS] for rate in rates]
    )


@functools.cache
def enough_for(search):
    def success(count):
        return np.mean([measures.success_of(search(count, 0.05, seed), 3) for seed in range(3)])

    return next(count for count in (5, 10, 20, 40) if success(2 * count) - success(count) < 0.02)


@pytest.mark.parametrize(("make", "words"), named(WRONG_SEARCHES))
def test_wrong_searches(search, make, words):
    assert_not_yet(STEPS, 1, make(search), words)


@pytest.mark.parametrize("form", named(IN_OTHER_FORM))
def test_a_search_may_give_its_noise_in_another_form(search, form):
    assert outcome(STEPS, 1, lambda n, rate, seed: form(search(n, rate, seed))).reached


OTHER_SEARCHES = {
    "by its sign": lambda search: search,
    "with momentum": lambda search: searching(with_momentum),
    "without the colour axis": lambda search: lambda n, rate, seed: search(n, rate, seed)[..., 0],
    "with defaults": lambda search: lambda steps=30, learning_rate=0.05, seed=0: search(steps, learning_rate, seed),
}


@pytest.mark.parametrize("make", named(OTHER_SEARCHES))
def test_other_searches(search, make):
    assert outcome(STEPS, 1, make(search)).reached


WRONG_TABLES_OF_STEPS = {
    "all the same": (lambda table: np.full_like(table, 0.5), "Every seed draws other images"),
    "zeros": (np.zeros_like, "Every seed draws other images"),
    "zeros but for three cells": (lambda table: zeros_but_for(table, (0, 3, 0), (1, 4, 1), (2, 1, 2)), "you have"),
    "one seed three times": (lambda table: np.repeat(table[..., :1], 3, axis=2), "Every seed draws other images"),
    "the mean over the seeds": (
        lambda table: np.repeat(table.mean(axis=2, keepdims=True), 3, axis=2),
        "Every seed draws other images",
    ),
    "the rest": (lambda table: 1 - table, "We have measured it anew"),
    "rates reversed": (lambda table: table[::-1], "We have measured it anew"),
    "steps reversed": (lambda table: table[:, ::-1], "We have measured it anew"),
    "the 3s are counted": (lambda table: 0.9 * table + 0.1, "without the 3s"),
    "transposed": (lambda table: table.T, "must have the shape (4, 6, 3)"),
    "one seed": (lambda table: table[..., 0], "must have the shape (4, 6, 3)"),
    "in percent": (lambda table: 100 * table, "Is that in percent?"),
    "-7 in a cell": (lambda table: with_cell(table, (3, 0, 1), -7), "shares from 0 to 1, got -7 at [3, 0, 1]"),
    "NaN in a cell": (lambda table: with_cell(table, (3, 0, 1), np.nan), "NaN"),
    "ragged": (lambda table: [*table[:3].tolist(), table[3, :5].tolist()], "of one length in each row"),
}


@pytest.mark.parametrize(("change", "words"), named(WRONG_TABLES_OF_STEPS))
def test_wrong_tables_of_steps(search, table, change, words):
    assert_not_yet(STEPS, 2, (search, change(table)), words)


@pytest.mark.parametrize("form", named(TABLES))
def test_the_table_of_steps(search, table, form):
    assert outcome(STEPS, 2, form(table), search).reached


def test_a_table_needs_a_search_that_holds(search, table):
    assert_not_yet(STEPS, 2, (lambda n, rate, seed: search(30, rate, seed), table), "after one step")
    assert_not_yet(STEPS, 2, table, "answer question 1 first")
    assert outcome(STEPS, 2, (search, ...)).state == "not attempted"


@pytest.mark.parametrize("other", [5, 10, 20, 40])
@pytest.mark.parametrize("direction", [by_its_sign, with_momentum])
def test_only_one_number_of_steps_is_enough(direction, other):
    search = searching(direction)
    enough = enough_for(search)
    if other == enough:
        assert outcome(STEPS, 3, other, search).reached
    else:
        assert_not_yet(STEPS, 3, (search, other), "More still helps" if other < enough else "Fewer would do")


@pytest.mark.parametrize("other", [7, "ten", 10.5, [10, 20]], ids=str)
def test_enough_is_one_of_four_numbers(search, other):
    assert_not_yet(STEPS, 3, (search, other), "5, 10, 20 or 40")


@pytest.mark.parametrize("form", named(ONE_NUMBER))
def test_enough_in_another_form(search, form):
    assert outcome(STEPS, 3, (search, form(enough_for(search)))).reached


@pytest.mark.parametrize("name", ["always thirty steps", "one step, or thirty", "ignores the seed"])
def test_enough_needs_a_search_that_holds(search, name):
    make, words = WRONG_SEARCHES[name]
    assert_not_yet(STEPS, 3, (make(search), 5), words)


# 2 · Why more steps than for one image?


def rows_of(gradients):
    rows = np.asarray(gradients).reshape(len(gradients), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def in_a_loop(gradients):
    rows = rows_of(gradients)
    return sum(rows[i] @ rows[j] for i in range(len(rows)) for j in range(i)) * 2 / len(rows) / (len(rows) - 1)


def in_one_product(gradients):
    cosines, count = rows_of(gradients) @ rows_of(gradients).T, len(gradients)
    return (cosines.sum() - np.trace(cosines)) / (count * (count - 1))


def with_tensorflow(gradients):
    rows = tf.math.l2_normalize(tf.reshape(gradients, (len(gradients), -1)), axis=1)
    cosines = tf.matmul(rows, rows, transpose_b=True)
    return (tf.reduce_sum(cosines) - tf.linalg.trace(cosines)) / (len(rows) * (len(rows) - 1))


RIGHT_COSINES = {
    "in a loop": in_a_loop,
    "in one product": in_one_product,
    "a tensor": with_tensorflow,
    "float32": lambda gradients: np.float32(in_a_loop(gradients)),
    "an array": lambda gradients: np.array(in_a_loop(gradients)),
    "an array of one": lambda gradients: np.array([in_a_loop(gradients)]),
}
WRONG_COSINES = {
    "with itself": (lambda gradients: np.mean(rows_of(gradients) @ rows_of(gradients).T), "compared with itself"),
    "not divided": (
        lambda gradients: np.mean([a.ravel() @ b.ravel() for a, b in itertools.combinations(gradients, 2)]),
        "divided by its length",
    ),
    "absolute": (lambda gradients: abs(in_a_loop(gradients)), "difference from ours"),
    "squared": (lambda gradients: in_a_loop(gradients) ** 2, "difference from ours"),
    "always zero": (lambda gradients: 0.0, "difference from ours"),
    "only neighbours": (
        lambda gradients: np.mean(np.sum(rows_of(gradients)[1:] * rows_of(gradients)[:-1], axis=1)),
        "difference from ours",
    ),
    "all of them": (lambda gradients: rows_of(gradients) @ rows_of(gradients).T, "must have the shape ()"),
    "a text": (lambda gradients: "near 0", "must be numbers"),
    "forgotten return": (without_return(in_a_loop), "mean_cosine(gradients) gives nothing back"),
    "a number": (0.39, "must be a function mean_cosine(gradients)"),
}


@pytest.mark.parametrize("function", named(RIGHT_COSINES))
def test_the_cosine(function):
    assert outcome(SHARING, 1, function).reached


@pytest.mark.parametrize(("function", "words"), named(WRONG_COSINES))
def test_wrong_cosines(function, words):
    assert_not_yet(SHARING, 1, function, words)


def loss_gradient(network, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = -tf.reduce_mean(tf.nn.log_softmax(network(images))[:, 3])
    return tape.gradient(loss, images)


def compiled_gradient(network, images):
    return slope_of_each(network, images, tf.fill([len(images)], 3))


def counting(step=0.01, enough=0.9, dtype=np.float32, gradient=compiled_gradient):
    def steps_needed(images):
        network, noise = plain_network(chosen_seed()), np.zeros((28, 28, 1), dtype)
        for steps in range(1, 100):
            slopes = gradient(network, tf.constant((images + noise).astype(np.float32)))
            noise = noise - dtype(step) * np.sign(np.mean(slopes, axis=0))
            noisy = (images + noise).astype(np.float32)
            if np.mean(network(np.clip(noisy, 0, 1)).numpy().argmax(axis=1) == 3) >= enough:
                return steps
        return 100

    return steps_needed


RIGHT_COUNTS = {
    "in float32": lambda right: right,
    "in float64, with a gradient of one's own": lambda right: counting(dtype=np.float64, gradient=loss_gradient),
    "a float": lambda right: lambda images: float(right(images)),
    "a text": lambda right: lambda images: str(right(images)),
    "a tensor": lambda right: lambda images: tf.constant(right(images)),
}
WRONG_COUNTS = {
    "too many": (lambda right: lambda images: right(images) + 4, "difference from our steps"),
    "always twelve": (lambda right: lambda images: 12, "difference from our steps"),
    "by the number of images": (
        lambda right: lambda images: {1: 12, 100: right(images)}[len(images)],
        "difference from our steps",
    ),
    "of the quickest image": (
        lambda right: lambda images: min(right(images[[place]]) for place in range(len(images[:5]))),
        "100 digits together",
    ),
    "of the mean image": (
        lambda right: lambda images: right(images.mean(axis=0, keepdims=True)),
        "100 digits together",
    ),
    "steps of 0.02": (lambda right: counting(step=0.02), "One step is 0.01"),
    "until half are": (lambda right: counting(enough=0.5), "until 90 % are taken"),
    "a text": (lambda right: lambda images: "three", "must be numbers"),
    "the noise": (lambda right: lambda images: images[0], "must have the shape ()"),
    "forgotten return": (without_return, "steps_needed(images) gives nothing back"),
}


@pytest.mark.parametrize("make", named(RIGHT_COUNTS))
def test_the_steps_needed(make):
    assert outcome(SHARING, 2, make(counting())).reached


@pytest.mark.parametrize(("make", "words"), named(WRONG_COUNTS))
def test_wrong_numbers_of_steps(make, words):
    assert_not_yet(SHARING, 2, make(counting()), words)


WRONG_NOISE_FOR_SO_MANY = {
    "over the limit": (lambda right: 1.2 * right, "largest |noise|"),
    "in reverse order": (lambda right: right[::-1], "10,000"),
    "one five times": (lambda right: right[[0, 0, 0, 0, 0]], "10,000" if not ON_MNIST else "are the same"),
    "the last five times": (lambda right: right[[4, 4, 4, 4, 4]], "are the same" if ON_MNIST else "gain over one"),
    "four": (lambda right: right[:4], "must have the shape (5, 28, 28, 1)"),
    "zeros in the middle": (lambda right: with_cell(right, 2, 0), "found with 100 hardly works"),
    "zeros but for the ends": (lambda right: with_cell(right, slice(1, 4), 0), "hardly works"),
    "for another class": (lambda right: np.repeat(noise_for(8, 0.2)[None], 5, axis=0), "hardly works"),
}
if ON_MNIST:  # of the fallback digits there are too few for the last two to differ
    WRONG_NOISE_FOR_SO_MANY["a copy in the middle"] = lambda right: right[[0, 1, 3, 3, 4]], "are the same"
    WRONG_NOISE_FOR_SO_MANY["a copy with dust"] = (
        lambda right: right[[0, 1, 3, 3, 4]] * np.array([1, 1, 1, 1 - 1e-4, 1])[:, None, None, None],
        "are the same",
    )


def noise_for_so_many(**settings):
    train, network, seed = load_mnist().train, plain_network(chosen_seed()), chosen_seed()
    digits = train.images[train.labels != 3]
    return np.array(
        [find_universal_noise(network, digits[:count], 3, 0.2, seed=seed, **settings)[0] for count in TOGETHER]
    )


@pytest.fixture(scope="module")
def for_so_many():
    return noise_for_so_many(steps=20, batch_size=32)


@pytest.mark.parametrize(("change", "words"), named(WRONG_NOISE_FOR_SO_MANY))
def test_wrong_noise_for_so_many(for_so_many, change, words):
    assert_not_yet(SHARING, 3, change(for_so_many), words)


@pytest.mark.parametrize("form", named(IN_OTHER_FORM))
def test_noise_for_so_many(for_so_many, form):
    assert outcome(SHARING, 3, form(for_so_many)).reached


@pytest.mark.parametrize("settings", [{}, {"steps": 60}, {"restarts": 2}], ids=str)
def test_noise_for_so_many_with_other_settings(settings):
    assert outcome(SHARING, 3, noise_for_so_many(**settings)).reached


# 3 · noise_limit and noise_l2_weight

WRONG_MAPS = {
    "limits reversed": (lambda right: right[::-1], "Rows are limits"),
    "weights reversed": (lambda right: right[:, ::-1], "Rows are limits"),
    "transposed": (lambda right: right.T, "must have the shape (6, 4)"),
    "all ones": (np.ones_like, "We have measured it anew"),
    "zeros but for five": (lambda right: zeros_but_for(right, (2, 0), (5, 0), (3, 1), (5, 2), (5, 3)), "you have"),
    "weight 0 four times": (lambda right: np.repeat(right[:, :1], 4, axis=1), "We have measured it anew"),
    "one limit six times": (lambda right: np.repeat(right[5:], 6, axis=0), "We have measured it anew"),
    "the rest": (lambda right: 1 - right, "We have measured it anew"),
    "in percent": (lambda right: 100 * right, "Is that in percent?"),
    "-7 in a cell": (lambda right: with_cell(right, (0, 3), -7), "shares from 0 to 1, got -7 at [0, 3]"),
}


@pytest.fixture(scope="module")
def success_map():
    def success(limit, weight):
        noise = ex03_limit_and_weight.search_for(3, noise_limit=limit, noise_l2_weight=weight)
        return measures.success_of(noise, 3)

    return np.array([[success(limit, weight) for weight in L2_WEIGHTS] for limit in LIMITS])


@pytest.mark.parametrize(("change", "words"), named(WRONG_MAPS))
def test_wrong_maps_of_limit_and_weight(success_map, change, words):
    assert_not_yet(WEIGHT, 1, change(success_map), words)


@pytest.mark.parametrize("form", named(TABLES))
def test_the_map_of_limit_and_weight(success_map, form):
    assert outcome(WEIGHT, 1, form(success_map)).reached


WRONG_SMALL_NOISE = {
    "too small": (lambda noise, target: (noise / 2, target), "taken for your target"),
    "too large": (lambda noise, target: (noise_for(3), 3), "A smaller limit is enough"),
    "another target": (lambda noise, target: (noise, (target + 1) % 10), "taken for your target"),
    "zeros": (lambda noise, target: (np.zeros_like(noise), target), "taken for your target"),
    "no such target": (lambda noise, target: (noise, 10), "`target` must be a whole number, from 0 to 9, got 10"),
    "turned round": (lambda noise, target: (target, noise), "it must be (small_noise, target)"),
    "without a target": (lambda noise, target: (noise, ...), "`target` is still missing"),
    "without noise": (lambda noise, target: (..., target), "`small_noise` is still missing"),
    "only the noise": (lambda noise, target: noise, "your answer must be (small_noise, target)"),
}


@pytest.fixture(scope="module")
def small():
    """Noise that is just small enough, and its target: the first that nine in ten fall for."""
    for target in (8, 3, *range(10)):
        noise = noise_for(target, 0.29, steps=40, batch_size=32)
        if measures.success_of(noise, target) >= 0.92:
            return noise, target
    raise AssertionError("no target is as easy as that")


@pytest.mark.parametrize(("make", "words"), named(WRONG_SMALL_NOISE))
def test_wrong_small_noise(small, make, words):
    assert_not_yet(WEIGHT, 2, make(*small), words)


def test_what_was_measured_is_kept_when_the_target_is_missing(small):
    assert_not_yet(WEIGHT, 2, (small[0], ...), "✓ largest |noise|")


@pytest.mark.parametrize("form", named(ONE_NUMBER))
@pytest.mark.parametrize("noise_form", ["a list", "a leading axis"])
def test_small_noise(small, noise_form, form):
    noise, target = small
    assert outcome(WEIGHT, 2, (IN_OTHER_FORM[noise_form](noise), form(target))).reached


WITHOUT_A_WEIGHT = {
    "the defaults": {},
    "a smaller limit": {"limit": 0.27},
    "other starts": {"limit": 0.28, "restarts": 4},
    "a longer search": {"limit": 0.28, "steps": 60, "batch_size": 32},
    "a short search": {"limit": 0.28, "steps": 5},
    "hardly any weight": {"noise_l2_weight": 1e-4},
}


@pytest.mark.parametrize("settings", named(WITHOUT_A_WEIGHT))
def test_faint_noise_needs_the_weight(settings):
    assert_not_yet(WEIGHT, 3, noise_for(3, **settings), "The limit alone does nearly as well")


WRONG_FAINT_NOISE = {
    "too faint": (lambda right: right / 4, "success on test images"),
    "zeros": (np.zeros_like, "success on test images"),
    "for another class": (lambda right: noise_for(8, noise_l2_weight=0.05), "success on test images"),
    "too large a weight": (lambda right: noise_for(3, noise_l2_weight=1.0), "success on test images"),
    "over the limit": (lambda right: np.where(np.abs(right) > 0.2, 3 * right, 0), "largest |noise|"),
}


@pytest.fixture(scope="module")
def faint():
    return noise_for(3, noise_l2_weight=0.05)


@pytest.mark.parametrize(("change", "words"), named(WRONG_FAINT_NOISE))
def test_wrong_faint_noise(faint, change, words):
    assert_not_yet(WEIGHT, 3, change(faint), words)


@pytest.mark.parametrize("form", named(IN_OTHER_FORM))
def test_faint_noise(faint, form):
    assert outcome(WEIGHT, 3, form(faint)).reached


@pytest.mark.parametrize("settings", [{"steps": 60, "batch_size": 32}, {"restarts": 2}], ids=str)
def test_faint_noise_with_other_settings(settings):
    assert outcome(WEIGHT, 3, noise_for(3, noise_l2_weight=0.05, **settings)).reached


# 4 · Target 1


def taken_for(pixels):
    """What the network takes test images for, the rows of a table: how many of each digit for which."""
    test = load_mnist().test
    seen = plain_network(chosen_seed())(pixels).numpy().argmax(axis=1)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (test.labels[:TEST_IMAGES], seen), 1)
    return counts


def row_for(noise, target, leave_out=True):
    """Of the images that are not of the target's class, the shares that are taken for each."""
    counts = taken_for(add_noise(load_mnist().test.images[:TEST_IMAGES], noise))
    counts = np.delete(counts, target, axis=0) if leave_out else counts
    return counts.sum(axis=0) / counts.sum()


def share_taken(pixels, target):
    counts = np.delete(taken_for(pixels), target, axis=0)
    return counts[:, target].sum() / counts.sum()


def halves_of(noise):
    return np.maximum(noise, 0), np.minimum(noise, 0)


def in_four_ways(noise, target):
    images = load_mnist().test.images[:TEST_IMAGES]
    pixels = [add_noise(images, noise), images + noise, *(add_noise(images, half) for half in halves_of(noise))]
    return [share_taken(each, target) for each in pixels]


@pytest.fixture(scope="module")
def ones():
    noise_for_1 = noise_for(1)
    confusion = taken_for(add_noise(load_mnist().test.images[:TEST_IMAGES], noise_for_1))
    shares = confusion[:, 1] / confusion.sum(axis=1)
    digit = min((name for name in range(10) if name != 1), key=lambda name: shares[name])
    return SimpleNamespace(
        noise_for_1=noise_for_1, confusion=confusion, shares=shares, digit=digit, share=float(shares[digit])
    )


@pytest.fixture(scope="module")
def ten():
    mnist = load_mnist()
    all_noise = find_universal_noise(plain_network(chosen_seed()), mnist.train.images, range(10), seed=5)
    table = np.array([row_for(noise, target) for target, noise in enumerate(all_noise)])
    tested = np.array([in_four_ways(noise, target) for target, noise in enumerate(all_noise)])
    return SimpleNamespace(all_noise=all_noise, table=table, tested=tested)


WRONG_NOISE_FOR_THE_1 = {
    "over the limit": (lambda right: 1.3 * right, "largest |noise|"),
    "for the 3": (lambda right: noise_for(3), "success on test images"),
    "zeros": (np.zeros_like, "success on test images"),
    "turned round": (lambda right: -right, "success on test images"),
    "only what darkens": (lambda right: np.maximum(right, 0), "success on test images"),
}


@pytest.mark.parametrize(("change", "words"), named(WRONG_NOISE_FOR_THE_1))
def test_wrong_noise_for_the_1(ones, change, words):
    assert_not_yet(ONES, 1, change(ones.noise_for_1), words)
    assert_not_yet(ONES, 2, (change(ones.noise_for_1), ones.digit, ones.share), words)


@pytest.mark.parametrize("form", named(IN_OTHER_FORM))
def test_noise_for_the_1(ones, form):
    assert outcome(ONES, 1, form(ones.noise_for_1)).reached


@pytest.mark.parametrize("settings", [{"steps": 40}, {"steps": 60, "batch_size": 32, "restarts": 2}], ids=str)
def test_noise_for_the_1_with_other_settings(settings):
    assert outcome(ONES, 1, noise_for(1, **settings)).reached


def gives_way(ones):
    return int(np.argmax([ones.shares[name] if name != 1 else 0 for name in range(10)]))


WRONG_DIGITS = {
    "the one that gives way": (gives_way, "holds out better"),
    "the 1 itself": (lambda ones: 1, "holds out better"),
    "ten": (lambda ones: 10, "must be a whole number, from 0 to 9, got 10"),
    "a share": (lambda ones: 0.12, "must be a whole number, from 0 to 9, got 0.12"),
    "a word": (lambda ones: "zero", "must be a whole number, from 0 to 9, got 'zero'"),
}


@pytest.mark.parametrize(("find", "words"), named(WRONG_DIGITS))
def test_wrong_digits(ones, find, words):
    digit = find(ones)
    share = ones.shares[digit] if digit in range(10) else 0.1
    assert_not_yet(ONES, 2, (ones.noise_for_1, digit, share), words)


WRONG_SHARES = {
    "guessed": (lambda ones: 0.5, "Is the count divided by"),
    "of all digits": (
        lambda ones: ones.confusion[ones.digit, 1] / ones.confusion.sum(),
        "Is the count divided by",
    ),
    "the rest": (lambda ones: 1 - ones.share, "Is the count divided by"),
    "in percent": (lambda ones: 100 * ones.share, "Is that in percent?"),
    "missing": (lambda ones: ..., "`share` is still missing"),
}


@pytest.mark.parametrize(("find", "words"), named(WRONG_SHARES))
def test_wrong_shares(ones, find, words):
    assert_not_yet(ONES, 2, (ones.noise_for_1, ones.digit, find(ones)), words)


def test_the_digit_and_its_share_cannot_be_found_by_trying(ones):
    for digit in range(10):
        result = outcome(ONES, 2, (ones.noise_for_1, digit, 0.99))
        assert result.state == "not yet"
        assert f"{ones.share:.1%}" not in result.text, "nor be read off the refusal"


@pytest.mark.parametrize("form", named(ONE_NUMBER))
def test_who_holds_out(ones, form):
    digit, share = form(ones.digit), ones.share
    assert outcome(ONES, 2, (digit, share), ones.noise_for_1).reached
    assert outcome(ONES, 2, (digit, round(share, 2)), ones.noise_for_1).reached
    assert outcome(ONES, 2, (ones.noise_for_1, digit, share)).reached


def test_who_holds_out_comes_second(ones):
    swapped = outcome(ONES, 2, (ones.share, ones.digit), ones.noise_for_1)
    assert "its parts are in another order: it must be (digit, share)" in swapped.text
    assert_not_yet(ONES, 2, (ones.digit, ones.share), "answer question 1 first")
    assert outcome(ONES, 2, (ones.noise_for_1, ..., ...)).state == "not attempted"


WRONG_TEN = {
    "over the limit": (lambda noise: 1.3 * noise, "largest |noise|"),
    "zeros": (np.zeros_like, "hardly works"),
    "zeros for the 4": (lambda noise: with_cell(noise, 4, 0), "Noise for the 4 that hardly works"),
    "each for the next class": (lambda noise: np.roll(noise, 1, axis=0), "hardly works"),
    "that for the 1 ten times": (lambda noise: np.repeat(noise[1:2], 10, axis=0), "hardly works"),
}


def test_noise_for_nine_classes_is_not_enough(ten):
    assert_not_yet(ONES, 3, (ten.all_noise[:9], ten.table), "must have the shape (10, 28, 28, 1)")


@pytest.mark.parametrize("number", [3, 4])
@pytest.mark.parametrize(("change", "words"), named(WRONG_TEN))
def test_noise_for_each_class_must_work(ten, change, words, number):
    assert_not_yet(ONES, number, (change(ten.all_noise), ten.table if number == 3 else ten.tested), words)


def its_own_class_not_left_out(ten):
    return np.array([row_for(noise, target, leave_out=False) for target, noise in enumerate(ten.all_noise)])


OFF = "cells of the table that are more than"
WRONG_TABLES = {
    "transposed": (lambda ten: ten.table.T, "a row's sum"),
    "all on the diagonal": (lambda ten: np.eye(10), OFF),
    "half on the diagonal": (lambda ten: 0.5 * ten.table + 0.5 * np.eye(10), OFF),
    "only three rows": (lambda ten: zeros_but_for(ten.table, 1, 3, 8), "add up to 1"),
    "three rows, the rest a tenth": (
        lambda ten: np.where(np.isin(np.arange(10), (1, 3, 8))[:, None], ten.table, 0.1),
        OFF,
    ),
    "two rows swapped": (lambda ten: ten.table[[0, 1, 2, 3, 4, 6, 5, 7, 8, 9]], OFF),
    "a tenth of it": (lambda ten: ten.table / 10, "add up to 1"),
    "its own class not left out": (its_own_class_not_left_out, "own class left out"),
    "counts": (lambda ten: 874 * ten.table, "must hold shares from 0 to 1"),
    "-7 in a cell": (lambda ten: with_cell(ten.table, (6, 2), -7), "got -7 at [6, 2]"),
    "missing": (lambda ten: ..., "`table` is still missing"),
}


@pytest.mark.parametrize(("make", "words"), named(WRONG_TABLES))
def test_wrong_tables_of_what_is_taken_for_what(ten, make, words):
    assert_not_yet(ONES, 3, (ten.all_noise, make(ten)), words)


def test_what_was_measured_is_kept_when_the_table_is_missing(ten):
    assert_not_yet(ONES, 3, (ten.all_noise, ...), "✓ lowest success of the ten")
    assert_not_yet(ONES, 3, (..., ten.table), "`all_noise` is still missing")
    assert_not_yet(ONES, 3, (ten.table, ten.all_noise), "it must be (all_noise, table)")


@pytest.mark.parametrize("form", named(TABLES))
def test_searched_for_one_taken_for_another(ten, form):
    assert outcome(ONES, 3, (list(ten.all_noise), form(ten.table))).reached


def halves_not_cut(ten):
    images = load_mnist().test.images[:TEST_IMAGES]
    uncut = [[share_taken(images + half, t) for half in halves_of(noise)] for t, noise in enumerate(ten.all_noise)]
    return np.concatenate([ten.tested[:, :2], uncut], axis=1)


WRONG_TESTS = {
    "never without the cut": (lambda ten: ten.tested[:, [0, 0, 2, 3]], ", 1], where you have"),
    "always without the cut": (lambda ten: ten.tested[:, [1, 1, 2, 3]], ", 0], where you have"),
    "halves swapped": (lambda ten: ten.tested[:, [0, 1, 3, 2]], "in the order of the text"),
    "halves not cut": (halves_not_cut, "are the halves cut to [0, 1]?"),
    "only the row of the 1": (lambda ten: zeros_but_for(ten.tested, 1), OFF),
    "the rest": (lambda ten: 1 - ten.tested, OFF),
    "transposed": (lambda ten: ten.tested.T, "must have the shape (10, 4)"),
    "in percent": (lambda ten: 100 * ten.tested, "Is that in percent?"),
}


@pytest.mark.parametrize(("make", "words"), named(WRONG_TESTS))
def test_wrong_tests_of_the_explanation(ten, make, words):
    assert_not_yet(ONES, 4, (ten.all_noise, make(ten)), words)


@pytest.mark.parametrize("form", named(TABLES))
def test_the_test_of_the_explanation(ten, form):
    assert outcome(ONES, 4, (ten.all_noise, form(ten.tested))).reached


def test_the_test_comes_after_the_ten_noises(ten):
    assert_not_yet(ONES, 4, ten.tested, "answer question 3 first")
    assert outcome(ONES, 4, (ten.all_noise, ...)).state == "not attempted"
