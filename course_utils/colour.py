"""The two networks for CIFAR-10 that the course compares: one as usual, and one that is immune."""

from course_utils.checks import check_dataset, check_seed
from course_utils.data import Dataset
from course_utils.immunity import train_on_worst_noise
from course_utils.networks import trained_cifar_network
from course_utils.results import finished_network, kept_network

import keras

LIMIT = 8 / 255


def immune_cifar_network(dataset: Dataset, seed: int) -> keras.Model:
    """Train the network for CIFAR-10 further, on each image's own worst noise up to 8 of 255 levels.

    Args:
        dataset: its training images are used, nothing else.
        seed: for the first network, and for all that is drawn in training it further.

    Returns:
        The trained network. Some five minutes on 2 cores for the part of CIFAR-10 in the data folder.

    Explained in exercise 08.
    """
    plain, train = kept_network(trained_cifar_network, dataset, seed), dataset.train
    steps = len(train) * 6 // 64
    return train_on_worst_noise(
        plain, train.images, train.labels, LIMIT, small_steps=1, steps=steps, peak_learning_rate=2e-3, seed=seed
    )


def cifar_networks(dataset: Dataset, seed: int) -> tuple[keras.Model, keras.Model]:
    """Fetch both networks: finished ones for CIFAR-10, made by `make results`; for the stand-in they are made now.

    Args:
        dataset: from `load_cifar10`.
        seed: for the networks that are made now.

    Returns:
        The plain network and the immune one.

    Raises:
        TypeError, ValueError: another data set; a seed that is none.

    Explained in exercise 08.
    """
    check_dataset(dataset)
    check_seed(seed)
    shape = tuple(dataset.test.images.shape[1:])
    if shape != (32, 32, 3):
        raise ValueError(f"dataset must be CIFAR-10, of images (32, 32, 3), got images {shape}")
    if dataset.is_stand_in:
        return kept_network(trained_cifar_network, dataset, seed), kept_network(immune_cifar_network, dataset, seed)
    return finished_network("cifar"), finished_network("cifar_immune")
