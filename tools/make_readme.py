"""Draw the picture at the top of the README: digits, one noise, and what the network makes of the two."""

from pathlib import Path

import course_utils

import keras
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

PICTURE = Path(__file__).parent.parent / "notebooks" / "images" / "noise_at_work.png"
SHOWN = 8


def search_noise(network: keras.Model, images: np.ndarray, target_class: int) -> np.ndarray:
    """Find one noise for all images, as notebook 04 explains it."""
    layer = course_utils.AdversarialNoise(limit=0.35, l2_weight=0.02)
    attack = keras.Sequential([keras.Input(images.shape[1:]), layer, network])
    network.trainable = False
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    attack.compile(keras.optimizers.Adam(0.01), loss)
    attack.fit(images, np.full(len(images), target_class), batch_size=64, verbose=0)
    return layer.noise.numpy()


def main() -> None:
    """Train, search, draw."""
    mnist = course_utils.load_mnist()
    network = course_utils.kept_network(course_utils.course_network, mnist, seed=0)
    noise = search_noise(network, mnist.train.images[:32_000], target_class=3)
    images = mnist.test.images[:SHOWN]
    noisy = course_utils.add_noise(images, noise)
    figure, axes = plt.subplots(2, SHOWN + 1, figsize=(9, 2.7), layout="constrained")
    for row, pictures in zip(axes, (images, noisy), strict=True):
        answers = network.predict(pictures, verbose=0).argmax(axis=1)
        for axis, picture, answer in zip(row[1:], pictures, answers, strict=True):
            axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
            axis.set_title(f"“{answer}”", fontsize=12)
    axes[0, 0].text(0.5, 0.5, "the network\nreads:", ha="center", va="center", fontsize=11)
    axes[1, 0].imshow(noise, cmap="RdBu_r", vmin=-0.45, vmax=0.45)
    axes[1, 0].set_title("+ this noise:", fontsize=11)
    for axis in axes.flat:
        axis.axis("off")
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
