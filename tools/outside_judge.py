"""A judge that is not ours: AutoAttack (Croce and Hein 2020), put together from what the ART toolbox has of it."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from art.attacks.attack import EvasionAttack
from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack
from art.estimators.classification import TensorFlowV2Classifier


def classifier(network: keras.Model, classes: int = 10) -> TensorFlowV2Classifier:
    """Hand a network to the toolbox."""
    logits = tf.function(lambda images, training: network(images, training=False), reduce_retracing=True)  # noqa: ARG005
    return TensorFlowV2Classifier(
        logits, classes, network.input_shape[1:], clip_values=(0, 1),
        loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )  # fmt: skip


def unfooled(
    network: keras.Model, images: np.ndarray, labels: np.ndarray, noise_limit: float, steps: int = 100
) -> np.ndarray:
    """Which images stand after APGD along two losses, APGD towards each other class, and Square? bool (N,)."""
    judge, classes = classifier(network), np.eye(10, dtype=np.float32)
    np.random.seed(0)  # noqa: NPY002 - its attacks draw from NumPy's global generator
    still_right = judge.predict(images).argmax(axis=1) == labels
    for attack, shift in _attacks(judge, noise_limit, steps):
        some = np.flatnonzero(still_right)
        if not len(some):
            break
        aims = classes[(labels[some] + shift) % 10]  # the true class, or another one to lead towards
        noise = attack.generate(images[some], y=aims) - images[some]
        noisy = np.clip(images[some] + np.clip(noise, -noise_limit, noise_limit), 0, 1)
        still_right[some] = judge.predict(noisy).argmax(axis=1) == labels[some]
    return still_right


def _attacks(judge: TensorFlowV2Classifier, limit: float, steps: int) -> Iterator[tuple[EvasionAttack, int]]:
    """Yield each attack, and by how many classes its aim lies beside the true one."""
    settings = {"eps": limit, "eps_step": 2 * limit, "max_iter": steps, "batch_size": 500, "verbose": False}
    ratio = "difference_logits_ratio"
    for loss, shift in [("cross_entropy", 0), *((ratio, shift) for shift in range(10))]:
        starts = 1 if shift else 2
        yield AutoProjectedGradientDescent(
            judge, loss_type=loss, targeted=shift > 0, nb_random_init=starts, **settings
        ), shift  # fmt: skip
    yield SquareAttack(judge, eps=limit, max_iter=30 * steps, batch_size=500, verbose=False), 0
