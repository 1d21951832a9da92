"""Exercise 2, why more steps than for one image: its questions, and how each answer is measured."""

from course_utils._gradients import image_gradient
from course_utils.data import load_mnist
from course_utils.evaluation import classes_seen
from course_utils.exercises.core import Answer, Findings, asks, at_least, at_most
from course_utils.exercises.measures import (
    function,
    least_apart,
    noise,
    number,
    plain_network,
    success_of,
    threshold,
    within,
)
from course_utils.noise import add_noise
from course_utils.notebook import chosen_seed

import numpy as np
import tensorflow as tf
from sklearn.metrics.pairwise import cosine_similarity

TOGETHER = (1, 10, 100, 1_000, 10_000)


@asks(mean_cosine=function("gradients", gives=number))
def cosine_of_two_gradients(answer: Answer) -> Findings:
    """A function of gradients, (N, H, W, C), that returns the mean cosine between two different ones."""
    generator = np.random.default_rng()
    for name, shared in {"unrelated": 0.0, "partly alike": 1.0, "opposite in pairs": -2.0}.items():
        gradients = generator.normal(size=(6, 5, 5, 1)) + shared
        if shared < 0:
            gradients = np.concatenate([gradients, -3 * gradients])
        cosines = cosine_similarity(gradients.reshape(len(gradients), -1))
        true = float(np.mean(cosines[np.triu_indices(len(cosines), 1)]))
        yours = answer.mean_cosine(gradients.astype(np.float32))
        reason = (
            f"You have {yours:.3f}, we have {true:.3f}. "
            "Is every gradient divided by its length, and is none compared with itself?"
        )
        yield at_most(f"gradients that are {name}: difference from ours", abs(yours - true), 1e-3, reason, ".4f")


@asks(steps_needed=function("images", gives=number))
def steps_until_nine_in_ten(answer: Answer) -> Findings:
    """A function of images, none of them a 3, that returns the fewest steps of 0.01 until nine in ten are a 3."""
    train = load_mnist().train
    others = np.random.default_rng().choice(np.flatnonzero(train.labels != 3), 120, replace=False)
    single = sorted((train.images[[other]] for other in others[:20]), key=_steps_needed)
    cases = {
        "the quickest of 20 digits": single[0],
        "the slowest of them": single[-1],
        "100 digits together": train.images[others[20:]],
    }
    for name, images in cases.items():
        yours, ours = answer.steps_needed(images), _steps_needed(images)
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


@asks(all_noise=noise(len(TOGETHER)))
def noise_for_so_many(answer: Answer) -> Findings:
    """One noise for each number of images, at a limit of 0.2: (numbers, H, W, C)."""
    all_noise = answer.all_noise
    yield within(all_noise, 0.2)
    success = [success_of(noise, 3) for noise in all_noise]
    hardly = f"That found with {TOGETHER[int(np.argmin(success))]:,} hardly works."
    yield at_least("lowest success of the five, on test images", min(success), threshold(0.4, 0.3), hardly)
    unlike, _ = least_apart(dict(zip(TOGETHER, all_noise, strict=True)))
    # of the fallback digits there are fewer than 1,000, so that the last two are the same
    reason = "Two of the five are the same: search one for each number."
    yield at_least("pixels in which two of them differ, at least", unlike, threshold(0.001, 0.0), reason)
    yield at_least("found with 10,000: success on test images", success[-1], threshold(0.55, 0.45), "Search longer.")
    yield at_least("what 10,000 gain over one", success[-1] - success[0], 0.02, "More images should help.")


QUESTIONS = [cosine_of_two_gradients, steps_until_nine_in_ten, noise_for_so_many]
