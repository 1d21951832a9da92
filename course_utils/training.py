"""What the ways of training have in common: a model that holds the network, and one loop with Adam and a schedule."""

from typing import Any

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
    """
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
        progress = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: bar.update())
        training.fit(_batches(images, labels, chosen), shuffle=False, verbose=0, callbacks=[progress])
    return training.network


def _batches(images: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> tf.data.Dataset:
    """Gather the chosen images batch by batch: all at once would be a gigabyte."""
    all_images, all_labels = tf.constant(images), tf.constant(labels)
    batches = tf.data.Dataset.from_tensor_slices(chosen)
    return batches.map(lambda some: (tf.gather(all_images, some), tf.gather(all_labels, some))).prefetch(1)
