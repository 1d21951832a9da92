"""What exercises 1 to 4 ask, about the search for noise: how each answer is measured, and the hints."""

from collections.abc import Callable, Iterator

from course_utils.data import load_mnist
from course_utils.evaluation import classes_seen
from course_utils.feedback import Answer, Finding, at_least, at_most, given_back, near, told
from course_utils.gradients import image_gradient
from course_utils.noise import add_noise
from course_utils.questions import (
    LIMIT,
    MEASURED,
    as_measured,
    as_ours,
    cells_as_measured,
    function,
    least_apart,
    measured,
    noise,
    number,
    one_of,
    plain_network,
    question,
    reflection,
    search_for,
    shares,
    success_of,
    wanted,
    within,
)
from course_utils.results import chosen_seed

import numpy as np
import tensorflow as tf

DIGITS = tuple(range(10))

# 1 · Fewer or more steps

SEEDS = (0, 1, 2)
LEARNING_RATES = (0.005, 0.02, 0.1, 0.35)
STEPS = (1, 2, 5, 10, 20, 50)

Search = Callable[[int, float, int], np.ndarray]


def search_of(answer: Answer) -> Search:
    """Return a reader's search; what it gives back is taken as one noise."""

    def search(steps: int, learning_rate: float, seed: int) -> np.ndarray:
        found = given_back(answer.search(steps, learning_rate, seed), "search(steps, learning_rate, seed)")
        return noise()(found, "search(…)")  # type: ignore[no-any-return]

    return search


@question(
    "01_steps",
    "Start at zero. In each step draw 32 digits, ask `gradient` for the direction, and move against its sign.",
    "`np.random.default_rng(seed)` gives a generator whose `integers(len(digits), size=32)` draws images.",
    "After each step `np.clip` keeps the noise within ± 0.35. Give it back as float32.",
    search=function("steps", "learning_rate", "seed"),
)
def search_with_steps(answer: Answer) -> Iterator[Finding]:
    """A function search(steps, learning_rate, seed) → noise for the 3."""
    search, generator = search_of(answer), np.random.default_rng()
    one = search(1, 0.05, 0)
    reason = "A step moves every pixel by the learning rate: take the *sign* of the gradient."
    yield near("largest |noise| after one step of 0.05", float(np.abs(one).max()), 0.05, 0.001, reason, ".3f")
    whole = float(np.mean(np.abs(np.abs(one[one != 0]) - 0.05) < 0.001))
    yield at_least("of the pixels that it moves, it moves by 0.05", whole, 0.99, reason)
    steps, rate = int(generator.integers(2, 7)), float(generator.uniform(0.01, 0.05))
    reached = float(np.abs(search(steps, rate, int(generator.integers(9)))).max()) / (steps * rate)
    reason = f"We asked for {steps} steps of {rate:.3f}. Does it make as many as `steps` says?"
    yield near("largest |noise| after a few small steps, as a multiple of their sum", reached, 1, 0.01, reason, ".2f")
    long = search(30, 0.05, 0)
    yield within(long, LIMIT)
    success = success_of(long, 3)
    yield at_least("success after 30 steps of 0.05", success, 0.75, "Does each step go *against* the gradient?")
    again, other = (search(30, 0.05, seed) for seed in (0, 1))
    reason = "The same seed must give the same noise."
    yield at_most("pixels that change when it is called again", float(np.mean(long != again)), 0.0, reason)
    yield at_least("pixels that another seed changes", float(np.mean(long != other)), 0.01, "Let `seed` decide.")


@question(
    "01_steps",
    "Three loops: over LEARNING_RATES, over STEPS, over SEEDS. Inside, `search` and then `evaluate_noise`.",
    "`evaluate_noise(plain, images, labels, noise, 3, 0.35).success_rate` leaves the 3s out, as it should.",
    seconds=5,
    search=1,
    table=shares(len(LEARNING_RATES), len(STEPS), len(SEEDS)),
)
def success_by_steps(answer: Answer) -> Iterator[Finding]:
    """Success for the 3, shape (learning rates, steps, seeds)."""
    yield from search_with_steps(answer)
    search, table = search_of(answer), answer.table
    spread = float(np.ptp(table, axis=-1).max())
    yield at_least("largest difference between two seeds", spread, 0.005, "Every seed draws other images.")

    def success(cell: tuple[int, ...]) -> float:
        rate, steps, seed = cell
        return success_of(search(STEPS[steps], LEARNING_RATES[rate], SEEDS[seed]), 3)

    def words(cell: tuple[int, ...]) -> str:
        rate, steps, seed = cell
        return f"a learning rate of {LEARNING_RATES[rate]}, steps: {STEPS[steps]}, and seed {SEEDS[seed]}"

    reason = "Is it the success rate, on the first 1,000 test images, without the 3s?"
    yield cells_as_measured(table, success, words, count=18, tolerance=0.01, reason=reason)


@question(
    "01_steps",
    "Average the success over the seeds. Compare 5 with 10 steps, 10 with 20, 20 with 40, 40 with 80.",
    "Take the first of these numbers of steps whose double gains less than two points.",
    search=1,
    enough=one_of(5, 10, 20, 40),
)
def where_more_stops_helping(answer: Answer) -> Iterator[Finding]:
    """The fewest steps of 0.05 of which twice as many gain less than two points."""
    yield from search_with_steps(answer)
    search, enough = search_of(answer), answer.enough

    def success(steps: int) -> float:
        return float(np.mean([success_of(search(steps, 0.05, seed), 3) for seed in SEEDS]))

    here = success(enough)
    yield at_most("what twice as many gain", success(2 * enough) - here, 0.02, "More still helps.")
    if enough > 5:
        yield at_least("what they gain over half as many", here - success(enough // 2), 0.02, "Fewer would do.")


reflection("01_steps")


# 2 · Why more steps than for one image?

TOGETHER = (1, 10, 100, 1_000, 10_000)


@question(
    "02_why_more_steps",
    "Make each gradient a row: `gradients.reshape(len(gradients), -1)`. Divide every row by its length.",
    "Rows times columns, `rows @ rows.T`, gives all cosines at once. Leave out those of a row with itself.",
    mean_cosine=function("gradients"),
)
def cosine_of_two_gradients(answer: Answer) -> Iterator[Finding]:
    """A function of gradients, (N, H, W, C), that returns the mean cosine between two different ones."""
    generator = np.random.default_rng()
    for name, shared in {"unrelated": 0.0, "partly alike": 1.0, "opposite in pairs": -2.0}.items():
        gradients = generator.normal(size=(6, 5, 5, 1)) + shared
        if shared < 0:
            gradients = np.concatenate([gradients, -3 * gradients])
        rows = gradients.reshape(len(gradients), -1)
        true = float(np.mean([_cosine(rows[i], rows[j]) for i in range(len(rows)) for j in range(i)]))
        given = given_back(answer.mean_cosine(gradients.astype(np.float32)), "mean_cosine(gradients)")
        yours = number(given, "mean_cosine(gradients)")
        reason = (
            f"You have {yours:.3f}, we have {true:.3f}. "
            "Is every gradient divided by its length, and is none compared with itself?"
        )
        yield at_most(f"gradients that are {name}: difference from ours", abs(yours - true), 1e-3, reason, ".4f")


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@question(
    "02_why_more_steps",
    "A loop: ask `shared_gradient`, move every pixel by 0.01 against its sign, count, look, and go on.",
    "How many are taken for a 3: the mean of `plain(add_noise(images, noise)).numpy().argmax(axis=1) == 3`.",
    steps_needed=function("images"),
)
def steps_until_nine_in_ten(answer: Answer) -> Iterator[Finding]:
    """A function of images, none of them a 3, that returns the fewest steps of 0.01 until nine in ten are a 3."""
    train = load_mnist().train
    others = np.random.default_rng().choice(np.flatnonzero(train.labels != 3), 120, replace=False)
    single = sorted((train.images[[other]] for other in others[:20]), key=_steps_needed)
    drawn = {
        "the quickest of 20 digits": single[0],
        "the slowest of them": single[-1],
        "100 digits together": train.images[others[20:]],
    }
    for name, images in drawn.items():
        given = given_back(answer.steps_needed(images), "steps_needed(images)")
        yours, ours = number(given, "steps_needed(images)"), _steps_needed(images)
        reason = (
            f"They are drawn anew: you have {yours:g} steps, we have {ours}. One step is 0.01 for every pixel, from "
            "zero, until 90 % are taken for a 3. Do you look at images that `add_noise` has clipped?"
        )
        yield at_most(f"{name}: difference from our steps", abs(yours - ours), 2, reason, ".0f")


_gradient = tf.function(image_gradient, reduce_retracing=True)


def _steps_needed(images: np.ndarray) -> int:
    network = plain_network(chosen_seed())
    noise, steps = np.zeros_like(images[0]), 0
    while steps < 100 and np.mean(classes_seen(network, add_noise(images, noise)) == 3) < 0.9:
        towards = _gradient(network, tf.constant(images + noise), tf.fill([len(images)], 3))
        noise = noise - np.float32(0.01) * np.sign(np.mean(towards, axis=0))
        steps += 1
    return steps


@question(
    "02_why_more_steps",
    "For each number in TOGETHER, search on so many of the training images that are not a 3.",
    "A list comprehension: one noise, float32 (28, 28, 1), for each number.",
    all_noise=noise(len(TOGETHER)),
)
def noise_for_so_many(answer: Answer) -> Iterator[Finding]:
    """One noise for each number of images, at a limit of 0.2: (numbers, H, W, C)."""
    all_noise = answer.all_noise
    yield within(all_noise, 0.2)
    success = [success_of(noise, 3) for noise in all_noise]
    hardly = f"That found with {TOGETHER[int(np.argmin(success))]:,} hardly works."
    yield at_least("lowest success of the five, on test images", min(success), wanted(0.4, 0.3), hardly)
    unlike, _ = least_apart(dict(zip(TOGETHER, all_noise, strict=True)))
    # of the stand-in digits there are fewer than 1,000, so that the last two are the same
    reason = "Two of the five are the same: search one for each number."
    yield at_least("pixels in which two of them differ, at least", unlike, wanted(0.001, 0.0), reason)
    yield at_least("found with 10,000: success on test images", success[-1], wanted(0.55, 0.45), "Search longer.")
    yield at_least("what 10,000 gain over one", success[-1] - success[0], 0.02, "More images should help.")


reflection("02_why_more_steps")


# 3 · noise_limit and noise_l2_weight

LIMITS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
L2_WEIGHTS = (0.0, 0.01, 0.1, 1.0)


@question(
    "03_limit_and_weight",
    "Two loops around `find_universal_noise(plain, digits, 3, noise_limit=…, noise_l2_weight=…, seed=seed)`.",
    "Measure each noise with `evaluate_noise` on the first 1,000 test images, and keep `success_rate`.",
    success_map=shares(len(LIMITS), len(L2_WEIGHTS)),
)
def success_by_limit_and_weight(answer: Answer) -> Iterator[Finding]:
    """Success for the 3, shape (limits, weights)."""

    def success(cell: tuple[int, ...]) -> float:
        limit, weight = LIMITS[cell[0]], L2_WEIGHTS[cell[1]]
        return success_of(search_for(3, noise_limit=limit, noise_l2_weight=weight), 3, limit)

    def words(cell: tuple[int, ...]) -> str:
        return f"limit {LIMITS[cell[0]]} and weight {L2_WEIGHTS[cell[1]]}"

    # with other steps or another seed the largest weights give other noise: 12 points at most, mostly 6
    reason = "Rows are limits, columns weights. Is each searched with its own number of steps, and `seed=seed`?"
    yield cells_as_measured(answer.success_map, success, words, count=12, tolerance=0.1, reason=reason)


@question(
    "03_limit_and_weight",
    "Not every target is equally easy. `find_universal_noise(plain, digits, range(10), limit)` tries all ten.",
    "Go through some limits from small to large. Stop at the first one at which one target passes 90 %.",
    small_noise=noise(),
    target=one_of(*DIGITS),
)
def smallest_limit(answer: Answer) -> Iterator[Finding]:
    """Noise that nine in ten fall for, at a small limit, and the target."""
    largest = float(np.abs(answer.small_noise).max())
    yield at_most("largest |noise|", largest, 0.3 + 1e-6, "A smaller limit is enough.", ".3f")
    success = success_of(answer.small_noise, answer.target)
    yield at_least("taken for your target, on test images", success, 0.9, "Another target, or a larger limit?")


@question(
    "03_limit_and_weight",
    "The limit bounds the largest pixel, the weight charges for the sum of all squares.",
    "Keep the limit at 0.35, start with a large weight, and lower it until success passes 80 %.",
    "A weight between 0.01 and 0.3 does it. What to beat: `find_universal_noise(plain, digits, 3, strength)` with "
    "`strength = float(np.sqrt(np.mean(faint_noise**2)))`.",
    faint_noise=noise(),
)
def faint_noise(answer: Answer) -> Iterator[Finding]:
    """Noise for the 3 that the limit alone could not make as faint."""
    noise = answer.faint_noise
    yield within(noise, LIMIT)
    success = success_of(noise, 3)
    yield at_least("success on test images", success, 0.8, "Too faint, or not for the 3?")
    strength = float(np.sqrt(np.mean(noise**2)))
    yield told("root of the mean square", strength, form=".3f")
    by_limit = success_of(search_for(3, noise_limit=min(strength, LIMIT)), 3)
    yield told("success of noise that the limit alone makes as faint", by_limit)
    reason = "The limit alone does nearly as well. A larger weight fades what hardly helps."
    yield at_least("what yours has more", success - by_limit, 0.1, reason)


reflection("03_limit_and_weight")


# 4 · Target 1

WAYS = ("as it is", "without the cut", "only what darkens", "only what lightens")


@question(
    "04_target_1",
    "`find_universal_noise(plain, digits, 1, seed=seed)` is a start. What do more steps bring? Other starts?",
    "`steps=60, batch_size=32, restarts=4` searches much longer.",
    noise_for_1=noise(),
)
def noise_for_the_1(answer: Answer) -> Iterator[Finding]:
    """Noise for the 1."""
    yield within(answer.noise_for_1, LIMIT)
    success = success_of(answer.noise_for_1, 1)
    yield at_least("success on test images", success, wanted(0.4, 0.3), "Search longer, or is it for another class?")


@question(
    "04_target_1",
    "`evaluate_noise(…).confusion` has a row for each true class. Column 1 counts those taken for a 1.",
    "Divide column 1 by the sum of each row, and leave out the row of the 1s.",
    noise_for_1=1,
    digit=one_of(*DIGITS),
    share=shares(),
)
def who_holds_out(answer: Answer) -> Iterator[Finding]:
    """The digit of which the smallest share is taken for a 1, and this share."""
    yield from noise_for_the_1(answer)
    confusion = measured(answer.noise_for_1, 1, LIMIT).confusion
    taken = confusion[:, 1] / confusion.sum(axis=1)
    taken[1] = 1.0
    share = float(taken[answer.digit])
    reason = "Is the count divided by the number of such digits, among the first 1,000 test images?"
    yield as_ours("share of your digit that is taken for a 1", answer.share, share, 0.02, reason)
    better = float(np.sum(taken < share - 0.02))
    yield at_most("digits that hold out better than yours", better, 0, "Another digit holds out better.", ".0f")


def ten_that_work(answer: Answer) -> Iterator[Finding]:
    """Measure noise for every class."""
    yield within(answer.all_noise, LIMIT)
    success = [_success_in_a_way(one, target) for target, one in enumerate(answer.all_noise)]
    hardly = f"Noise for the {int(np.argmin(success))} that hardly works, or is it for another class?"
    yield at_least("lowest success of the ten", min(success), 0.3, hardly)


@question(
    "04_target_1",
    "One row for each noise. Count what the network sees in the noisy images that are *not* of that noise's class.",
    "`evaluate_noise(…).confusion` once more: drop the row of the target, sum over the rest, divide by their number.",
    all_noise=noise(10),
    table=shares(10, 10),
)
def taken_for(answer: Answer) -> Iterator[Finding]:
    """Of the images not of class t, the share that noise for t makes a c: [t, c]."""
    yield from ten_that_work(answer)
    table, again = answer.table, np.empty((10, 10))
    off = float(np.abs(table.sum(axis=1) - 1).max())
    reason = "The shares of each row add up to 1. Is each count divided by the number of all images in that row?"
    yield at_most("furthest that a row's sum is from 1", off, 0.06, reason, ".3f")  # rounding ten shares to percent
    for target, one in enumerate(answer.all_noise):
        confusion = np.delete(measured(one, target).confusion, target, axis=0)
        again[target] = confusion.sum(axis=0) / confusion.sum()
    reason = "Rows are the noises, columns the classes seen. Are the images of the noise's own class left out?"
    yield as_measured("cells of the table", table, again, 0.02, reason)
    for target in (1, 3, 8):
        yield told(f"noise {target}: success", float(again[target, target]))


@question(
    "04_target_1",
    "`np.maximum(noise, 0)` is what darkens, `np.minimum(noise, 0)` what lightens.",
    "The network takes pixels beyond [0, 1] as well. Without the cut, what it sees is `plain(test_images + noise)`.",
    "One function for all: `seen = plain(pixels).numpy().argmax(axis=1)`, then the mean of "
    "`seen[test_labels != target] == target`. Four kinds of `pixels` for each noise.",
    seconds=5,
    all_noise=3,
    tested=shares(10, len(WAYS)),
)
def what_the_cut_explains(answer: Answer) -> Iterator[Finding]:
    """Success of each noise as it is, without the cut to [0, 1], and of its two halves: (noises, ways)."""
    yield from ten_that_work(answer)
    all_ways = range(len(WAYS))
    again = np.array([[_success_in_a_way(answer.all_noise[t], t, way) for way in all_ways] for t in DIGITS])
    reason = (
        "Rows are the noises, columns the four ways, in the order of the text. Are the images of the noise's own "
        "class left out, and are the halves cut to [0, 1]?"
    )
    yield as_measured("cells of the table", answer.tested, again, 0.01, reason)
    for target, way in ((1, 0), (1, 1), (1, 2), (3, 2)):
        yield told(f"noise for the {target}, {WAYS[way]}", float(again[target, way]))


def _success_in_a_way(one: np.ndarray, target: int, way: int = 0) -> float:
    test = load_mnist().test
    images, labels = test.images[:MEASURED], test.labels[:MEASURED]
    noisy = images + (one, one, np.maximum(one, 0), np.minimum(one, 0))[way]
    seen = classes_seen(plain_network(chosen_seed()), noisy if way == 1 else np.clip(noisy, 0, 1))
    return float(np.mean(seen[labels != target] == target))


reflection("04_target_1")
