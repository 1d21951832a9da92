"""What exercises 1 to 4 ask, about the search for noise: how each answer is measured, and the hints."""

from collections.abc import Iterator
from typing import Any

from course_utils.data import load_mnist
from course_utils.evaluation import classes_seen
from course_utils.feedback import Finding, answered, as_array, at_least, at_most, near
from course_utils.gradients import image_gradient
from course_utils.noise import add_noise
from course_utils.questions import (
    AGAIN,
    LIMIT,
    as_measured,
    measured,
    plain_network,
    question,
    reflection,
    search_for,
    success_of,
    universal_noise,
    wanted,
    within,
)
from course_utils.results import chosen_seed

import numpy as np
import tensorflow as tf

# 1 · Fewer or more steps

SEEDS = (0, 1, 2)
LEARNING_RATES = (0.005, 0.02, 0.1, 0.35)
STEPS = (1, 2, 5, 10, 20, 50)


@question(
    "01_steps",
    "Start at zero. In each step draw 32 digits, ask `gradient` for the direction, and move against its sign.",
    "`np.random.default_rng(seed)` gives a generator whose `integers(len(digits), size=32)` draws images.",
    "After each step `np.clip` keeps the noise within ± 0.35. Give it back as float32.",
)
def search_with_steps(search: Any) -> Iterator[Finding]:
    """A function search(steps, learning_rate, seed) → noise for the 3."""
    one = universal_noise(answered(search(1, 0.05, 0)))
    largest = float(np.abs(one).max())
    reason = "A step moves every pixel by the learning rate: take the *sign* of the gradient."
    yield near("largest |noise| after one step of 0.05", largest, 0.05, 0.001, reason, ".3f")
    noise = universal_noise(search(30, 0.05, 0))
    yield within(noise, LIMIT)
    success = success_of(noise, 3)
    yield at_least("success after 30 steps of 0.05", success, 0.75, "Does each step go *against* the gradient?")
    again, other = (universal_noise(search(30, 0.05, seed)) for seed in (0, 1))
    reason = "The same seed must give the same noise."
    yield at_most("pixels that change when it is called again", float(np.mean(noise != again)), 0.0, reason)
    yield at_least("pixels that another seed changes", float(np.mean(noise != other)), 0.01, "Let `seed` decide.")


@question(
    "01_steps",
    "Three loops: over LEARNING_RATES, over STEPS, over SEEDS. Inside, `search` and then `evaluate_noise`.",
    "`evaluate_noise(plain, images, labels, noise, 3, 0.35).success_rate` leaves the 3s out, as it should.",
)
def success_by_steps(answer: Any) -> Iterator[Finding]:
    """The pair (search, table), table of shape (learning rates, steps, seeds)."""
    search, table = answer
    table = as_array(answered(table), (len(LEARNING_RATES), len(STEPS), len(SEEDS)), "the table")
    for rate, steps, seed in ((0, 3, 0), (1, 4, 1), (2, 1, 2)):
        noise = universal_noise(search(STEPS[steps], LEARNING_RATES[rate], SEEDS[seed]))
        success = success_of(noise, 3)
        what = f"your success for {STEPS[steps]} steps of {LEARNING_RATES[rate]}, seed {SEEDS[seed]}"
        reason = f"{AGAIN} Is it the success rate, on test images, without the 3s?"
        yield near(what, float(table[rate, steps, seed]), success, 0.02, reason)


@question(
    "01_steps",
    "Average the success over the seeds. Compare 5 with 10 steps, 10 with 20, 20 with 40, 40 with 80.",
    "Take the first of these numbers of steps whose double gains less than two points.",
)
def where_more_stops_helping(answer: Any) -> Iterator[Finding]:
    """The pair (search, steps): the fewest steps of 0.05 of which twice as many gain less than two points."""
    search, steps = answer
    if answered(steps) not in (5, 10, 20, 40):
        raise ValueError(f"the number of steps must be 5, 10, 20 or 40, got {steps!r}")

    def success(count: int) -> float:
        noises = [universal_noise(search(count, 0.05, seed)) for seed in SEEDS]
        return float(np.mean([success_of(noise, 3) for noise in noises]))

    here, twice = success(steps), success(2 * steps)
    yield at_most(f"gain from {steps} to {2 * steps} steps", twice - here, 0.02, "More still helps.")
    if steps > 5:
        before = success(steps // 2)
        yield at_least(f"gain from {steps // 2} to {steps} steps", here - before, 0.02, "Fewer would do.")


question("01_steps")(reflection())


# 2 · Why more steps than for one image?

TOGETHER = (1, 10, 100, 1_000, 10_000)


@question(
    "02_why_more_steps",
    "Make each gradient a row: `gradients.reshape(len(gradients), -1)`. Divide every row by its length.",
    "Rows times columns, `rows @ rows.T`, gives all cosines at once. Leave out those of a row with itself.",
)
def mean_cosine(function: Any) -> Iterator[Finding]:
    """A function of gradients, (N, H, W, C), that returns the mean cosine between two different ones."""
    generator = np.random.default_rng(0)
    for name, shared in {"unrelated": 0.0, "partly alike": 1.0, "opposite in pairs": -2.0}.items():
        gradients = generator.normal(size=(6, 5, 5, 1)) + shared
        if shared < 0:
            gradients = np.concatenate([gradients, -3 * gradients])
        rows = gradients.reshape(len(gradients), -1)
        true = float(np.mean([_cosine(rows[i], rows[j]) for i in range(len(rows)) for j in range(i)]))
        value = float(answered(function(gradients.astype(np.float32))))
        reason = "Is every gradient divided by its length, and is none compared with itself?"
        yield near(f"your cosine for gradients that are {name}", value, true, 1e-3, reason, ".3f")


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@question(
    "02_why_more_steps",
    "A loop: ask `shared_gradient`, move every pixel by 0.01 against its sign, count, look, and go on.",
    "How many are taken for a 3: the mean of `plain(add_noise(images, noise)).numpy().argmax(axis=1) == 3`.",
)
def steps_until_nine_in_ten(function: Any) -> Iterator[Finding]:
    """A function of images, none of them a 3, that returns the fewest steps of 0.01 until nine in ten are a 3."""
    train = load_mnist().train
    others = train.images[:1_000][train.labels[:1_000] != 3]
    for count in (1, 100):
        steps, true = answered(function(others[-count:])), _steps_needed(others[-count:])
        reason = (
            "We have counted anew: our own number lies in that range. One step is 0.01 for every pixel, from zero, "
            "until 90 % are taken for a 3. Do you look at images that `add_noise` has clipped?"
        )
        name = "1 image" if count == 1 else f"{count} images"
        yield near(f"your steps for {name}", float(steps), true, 2, reason, ".0f")


def _steps_needed(images: np.ndarray) -> int:
    network = plain_network(chosen_seed())
    gradient = tf.function(image_gradient)
    noise, steps = np.zeros_like(images[0]), 0
    while steps < 100 and np.mean(classes_seen(network, add_noise(images, noise)) == 3) < 0.9:
        towards = gradient(network, tf.constant(images + noise), tf.fill([len(images)], 3))
        noise = noise - np.float32(0.01) * np.sign(np.mean(towards, axis=0))
        steps += 1
    return steps


@question(
    "02_why_more_steps",
    "For each number in TOGETHER, search on so many of the training images that are not a 3.",
    "A list comprehension: one noise, float32 (28, 28, 1), for each number.",
)
def noise_for_so_many(answer: Any) -> Iterator[Finding]:
    """One noise for each number of images, at a limit of 0.2: (numbers, H, W, C)."""
    all_noise = universal_noise(answer, len(TOGETHER))
    yield within(all_noise, 0.2)
    success = [success_of(noise, 3) for noise in all_noise]
    yield at_least("found with 10,000: success on test images", success[-1], wanted(0.55, 0.5), "Search longer.")
    yield at_least("what 10,000 gain over one", success[-1] - success[0], 0.02, "More images should help.")


question("02_why_more_steps")(reflection())


# 3 · noise_limit and noise_l2_weight

LIMITS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
L2_WEIGHTS = (0.0, 0.01, 0.1, 1.0)


@question(
    "03_limit_and_weight",
    "Two loops around `find_universal_noise(plain, digits, 3, noise_limit=…, noise_l2_weight=…, seed=seed)`.",
    "Measure each noise with `evaluate_noise` on the first 1,000 test images, and keep `success_rate`.",
)
def success_by_limit_and_weight(table: Any) -> Iterator[Finding]:
    """Success for the 3, shape (limits, weights)."""
    table = as_array(table, (len(LIMITS), len(L2_WEIGHTS)), "the table")
    for row, column in ((2, 0), (5, 0), (3, 1), (5, 2), (5, 3)):
        limit, weight = LIMITS[row], L2_WEIGHTS[column]
        noise = search_for(3, noise_limit=limit, noise_l2_weight=weight)
        success = success_of(noise, 3, limit)
        what = f"your success at limit {limit} and weight {weight}"
        reason = (
            "We have searched and measured anew: our own value lies in that range. Rows are limits, columns weights."
        )
        yield near(what, float(table[row, column]), success, 0.06, reason)


@question(
    "03_limit_and_weight",
    "Not every target is equally easy. `find_universal_noise(plain, digits, range(10), limit)` tries all ten.",
    "Go through some limits from small to large. Stop at the first one at which one target passes 90 %.",
)
def smallest_limit(answer: Any) -> Iterator[Finding]:
    """The pair (noise, target): noise that nine in ten fall for, at a small limit."""
    noise, target = answer
    noise = universal_noise(noise)
    success = success_of(noise, answered(target))
    yield at_least("taken for your target, on test images", success, 0.9, "Another target, or a larger limit?")
    reason = "It works, but a smaller limit is enough."
    yield at_most("largest |noise|", float(np.abs(noise).max()), 0.3 + 1e-6, reason, ".3f")


@question(
    "03_limit_and_weight",
    "The limit bounds the largest pixel, the weight charges for the sum of all squares.",
    "Keep the limit at 0.35, and raise `noise_l2_weight` until success falls to 80 %.",
)
def faint_noise(noise: Any) -> Iterator[Finding]:
    """Noise for the 3 that is faint on average."""
    noise = universal_noise(noise)
    yield within(noise, LIMIT)
    success = success_of(noise, 3)
    yield at_least("success on test images", success, 0.8, "Too faint, or not for the 3?")
    strength = float(np.sqrt(np.mean(noise**2)))
    yield at_most("root of the mean square", strength, wanted(0.2, 0.25), "Let the weight fade it.", ".3f")


question("03_limit_and_weight")(reflection())


# 4 · Target 1


@question(
    "04_target_1",
    "`find_universal_noise(plain, digits, 1, seed=seed)` is a start. What do more steps bring? Other starts?",
    "`steps=60, batch_size=32, restarts=4` searches much longer.",
)
def noise_for_the_1(noise: Any) -> Iterator[Finding]:
    """Noise for the 1."""
    noise = universal_noise(noise)
    yield within(noise, LIMIT)
    success = success_of(noise, 1)
    yield at_least("success on test images", success, wanted(0.4, 0.3), "Search longer, or is it for another class?")


@question(
    "04_target_1",
    "`evaluate_noise(…).confusion` has a row for each true class. Column 1 counts those taken for a 1.",
    "Divide column 1 by the sum of each row, and leave out the row of the 1s.",
)
def who_holds_out(answer: Any) -> Iterator[Finding]:
    """The pair (noise, digit): the digit of which the smallest share is taken for a 1."""
    noise, digit = answer
    if answered(digit) not in range(10):
        raise ValueError(f"the digit must be a whole number from 0 to 9, got {digit!r}")
    confusion = measured(universal_noise(noise), 1, LIMIT).confusion
    shares = confusion[:, 1] / confusion.sum(axis=1)
    shares[1] = 1.0
    reason = "Another digit holds out better. Is each count divided by the number of such digits?"
    most = float(shares.min()) + 0.02
    yield at_most(f"share of the {digit}s taken for a 1", float(shares[digit]), most, reason)


@question(
    "04_target_1",
    "One row for each noise. Count what the network sees in the noisy images that are *not* of that noise's class.",
    "`evaluate_noise(…).confusion` once more: drop the row of the target, sum over the rest, divide by their number.",
)
def taken_for(answer: Any) -> Iterator[Finding]:
    """The pair (all noise, table): of the images not of class t, the share that noise for t makes a c, [t, c]."""
    all_noise, table = answer
    all_noise, table = universal_noise(all_noise, 10), as_array(answered(table), (10, 10), "the table")
    yield within(all_noise, LIMIT)
    for target in (1, 3, 8):
        confusion = np.delete(measured(all_noise[target], target).confusion, target, axis=0)
        share = confusion.sum(axis=0) / confusion.sum()
        reason = f"Are the {target}s left out, and do the shares of each row add up to 1?"
        yield as_measured(f"row {target}", table[target], share, 0.03, reason)
        yield at_least(f"noise {target}: success", float(share[target]), 0.25, "Noise that hardly works.")


question("04_target_1")(reflection())
