"""What the ways of training have in common: a model that holds the network, and one loop with Adam and a schedule."""

from typing import Any

from course_utils.checks import check_count, check_number, check_seed
from course_utils.gradients import logits_of

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

BATCH = 64


class Training(keras.Model):
    """A network in training; what is special about a way to train stands in `train_step`."""

    def __init__(self, network: keras.Model, noise_limit: float) -> None:
        super().__init__(name="training")
        self.network, self.noise_limit = network, noise_limit

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the network's logits."""
        return self.network(images, training=training)


def fit(
    training: Training,
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    seed: int,
    peak_learning_rate: float = 2e-3,
    batch_size: int = BATCH,
) -> keras.Model:
    """Train with Adam and a learning rate that rises for a tenth of the steps and then falls along a cosine.

    Returns:
        The network that was in training.

    Raises:
        TypeError, ValueError: a number of steps, a rate or a seed that cannot be; no weight that can be trained; a
            training that ends in NaN or changes nothing.
    """
    steps, batch_size, seed = check_count(steps, "steps"), check_count(batch_size, "batch_size"), check_seed(seed)
    peak_learning_rate = check_number(peak_learning_rate, "peak_learning_rate", 0, ends="(]")
    check_count(steps * batch_size, "steps × batch_size", maximum=10**9)
    before = weights_before(training.network)
    rising = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        peak_learning_rate / 20, steps - rising, warmup_target=peak_learning_rate, warmup_steps=rising
    )
    training.compile(
        keras.optimizers.Adam(schedule), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"], jit_compile=False,
    )  # fmt: skip
    keras.utils.set_random_seed(seed)
    chosen = np.random.default_rng(seed).integers(len(images), size=(steps, batch_size))
    with tqdm(total=steps, desc="training", delay=2) as bar:
        # Keras's own progress bar takes a fifth of the time with steps as short as these.
        def watch(_: int, logs: dict[str, float]) -> None:
            bar.update()
            check_learns(logs["loss"])

        progress = keras.callbacks.LambdaCallback(on_train_batch_end=watch)
        training.fit(_batches(images, labels, chosen), shuffle=False, verbose=0, callbacks=[progress])
    check_trained(training.network, before, images[:64])
    return training.network


def weights_before(network: keras.Model) -> list[np.ndarray]:
    """Return a copy of all weights that a training can change; ValueError when there is none."""
    if not network.trainable_variables:
        raise ValueError("the network has no weight that can be trained: is it frozen? Set network.trainable = True")
    return [variable.numpy() for variable in network.trainable_variables]


def check_learns(*numbers: Any) -> None:
    """Raise ValueError when a loss, weights or answers are no numbers any more."""
    if not all(np.isfinite(one).all() for one in numbers):
        raise ValueError(
            "the training ended in NaN or infinity: try a smaller peak_learning_rate, such as 1e-3. Or is there a "
            "layer such as sqrt or a division, which is infinitely steep where pixels are 0?"
        )


def check_trained(network: keras.Model, before: list[np.ndarray], images: np.ndarray) -> None:
    """See what a training came to; ValueError when weights or answers are NaN, or no weight has changed."""
    after = [variable.numpy() for variable in network.trainable_variables]
    check_learns(*after, logits_of(network, images))
    if all(map(np.array_equal, before, after)):
        raise ValueError("the training has changed no weight: is peak_learning_rate too small, or no gradient there?")


def _batches(images: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> tf.data.Dataset:
    """Gather the chosen images batch by batch: all at once would be a gigabyte."""
    all_images, all_labels = tf.constant(images), tf.constant(labels)
    batches = tf.data.Dataset.from_tensor_slices(chosen)
    return batches.map(lambda some: (tf.gather(all_images, some), tf.gather(all_labels, some))).prefetch(1)
