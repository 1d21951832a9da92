"""What the sliders show: plain functions from values to a figure and a few lines of text. Knows of no widgets."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from course_utils.attacks import descent
from course_utils.certificates import certified_images
from course_utils.checks import (
    as_array,
    check_built,
    check_count,
    check_dataset,
    check_images,
    check_network,
    check_noise,
    check_noise_limit,
    check_target_class,
)
from course_utils.data import Dataset
from course_utils.evaluation import NoiseReport, classes_seen, evaluate_noise
from course_utils.gradients import compiled, logits_of
from course_utils.noise import add_noise
from course_utils.plots import View, draw_images, draw_noise, plain_text, tile, verdict
from course_utils.search import find_image_noise, find_universal_noise

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MEASURED = 1_000  # test images that a view measures on
ATTACKED = 300  # test images that are attacked one by one
LIMITS = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.33, 0.36, 0.4], np.float32)
Networks: TypeAlias = keras.Model | dict[str, keras.Model]


def view_noise(
    networks: Networks,
    dataset: Dataset,
    target_class: int | None = 3,
    noise_limit: float = 0.35,
    noise_l2_weight: float = 0.0,
    steps: int = 20,
    *,
    all_noise: np.ndarray | None = None,
    seed: int = 0,
) -> View:
    """Search universal noise, and show what it does to one network or to several side by side.

    Args:
        networks: one, or several by name; each takes float32 images in [0, 1] and returns logits.
        dataset: what to search on, and whose first 1,000 test images are measured.
        target_class: the class to aim at; None for anything but what the network sees in the clean images.
        noise_limit, noise_l2_weight, steps, seed: as in `find_universal_noise`.
        all_noise: float32, shape (networks, H, W, C), found earlier. Nothing is searched then: each is made so much
            weaker or stronger that its largest pixel is the limit.

    Returns:
        A `View`: the noise, some noisy images with what the network sees in them, and the measures.

    Raises:
        TypeError, ValueError: as `find_universal_noise`; no network at all; something that is no data set, or
            does not name the classes of the network; noise of another shape.

    Explained in notebook 04.
    """
    by_name = _by_name(networks, dataset)
    noise_limit = check_noise_limit(noise_limit)
    if target_class is not None:
        target_class = check_target_class(target_class, len(dataset.class_names))
    if all_noise is None:
        settings = (target_class, noise_limit, noise_l2_weight, steps)
        found = [
            find_universal_noise(network, dataset.train.images, *settings, seed=seed) for network in by_name.values()
        ]
        all_noise = np.concatenate(found)
    else:
        all_noise = check_noise(all_noise, dataset.test.images[: len(by_name)], name="all_noise")
        all_noise = np.broadcast_to(all_noise, (len(by_name), *all_noise.shape[-3:]))
        largest = np.abs(all_noise).max(axis=(1, 2, 3), keepdims=True)
        all_noise = np.clip(all_noise * (noise_limit / np.maximum(largest, 1e-9)), -noise_limit, noise_limit)
    images, labels = dataset.test.images[:MEASURED], dataset.test.labels[:MEASURED]
    pairs = list(zip(by_name.items(), all_noise, strict=True))
    reports = tuple(
        evaluate_noise(network, images, labels, noise, target_class, noise_limit) for (_, network), noise in pairs
    )
    lines = [
        (f"{name}: " if name else "") + in_words(report, target_class, dataset.class_names)
        for ((name, _), _), report in zip(pairs, reports, strict=True)
    ]
    draw, figures = (_two_figures if len(pairs) == 1 else _one_figure), []
    for (name, network), noise in pairs:
        noisy = add_noise(images[:9], noise)
        names = np.array(dataset.class_names)[[labels[:9], classes_seen(network, noisy)]]
        figures += draw(name, noise, noise_limit, noisy, [verdict(*pair) for pair in names.T])
    return View(tuple(figures), tuple(lines), all_noise, reports)


def _by_name(networks: Any, dataset: Dataset) -> dict[str, keras.Model]:
    """Return the networks by name, after a look at each of them and at the data set."""
    by_name = networks if isinstance(networks, dict) else {"": networks}
    if not by_name:
        raise ValueError("networks must hold at least one network, got an empty dict")
    for name, network in by_name.items():
        check_built(network, f"the network {name!r}" if name else "network")
        check_dataset(dataset)
        some = check_images(dataset.test.images[:8], network)
        check_dataset(dataset, classes=check_network(network, some))
        if some.shape[-1] not in (1, 3):
            raise ValueError(f"images must be grey or in colour to be shown, got {some.shape[-1]} channels")
    return by_name


def in_words(report: NoiseReport, target_class: int | None, class_names: Sequence[str]) -> str:
    """Say what a noise does: success, accuracy, and where most of the others go instead."""
    wrong = report.confusion * (1 - np.eye(len(class_names), dtype=int))
    if target_class is None:
        hit = f"fooling rate {report.fooling_rate:.1%}"
    else:
        hit = f"success {report.success_rate:.1%} (taken for “{class_names[target_class]}”)"
        wrong[target_class], wrong[:, target_class] = 0, 0
    text = f"{hit} · accuracy {report.accuracy:.1%}"
    if not wrong.any():
        return f"{text} · no others are misread"
    most = wrong.sum(axis=0).argmax()
    others = "misread ones" if target_class is None else "other misread ones"
    return f"{text} · most {others} go to “{class_names[most]}” ({wrong[:, most].sum() / report.confusion.sum():.1%})"


def search_step_by_step(
    network: keras.Model, image: np.ndarray, target_class: int, noise_limit: float = 0.35, max_steps: int = 25
) -> np.ndarray:
    """Search noise for one image, and keep what it is after every step.

    Args:
        network: takes float32 images in [0, 1] and returns logits.
        image: float32, shape (H, W, C), pixels in [0, 1].
        target_class, noise_limit, max_steps: as in `find_image_noise`.

    Returns:
        float32, shape (steps + 1, H, W, C), from nothing to the noise that reaches a score of 0.99, if it does.

    Raises:
        TypeError, ValueError: as `find_image_noise`.

    Explained in notebook 03.
    """
    check_built(network)
    max_steps = check_count(max_steps, "max_steps")
    settings = (network, as_array(image, "image")[np.newaxis], target_class, noise_limit)
    noise, (steps,) = find_image_noise(*settings, max_steps=max_steps)
    before = [find_image_noise(*settings, max_steps=count)[0] for count in range(1, steps)]
    return np.concatenate([np.zeros_like(noise), *before, *([noise] if steps else [])])


def view_image(
    network: keras.Model,
    image: np.ndarray,
    label: int,
    target_class: int,
    all_noise: np.ndarray,
    step: int,
    class_names: Sequence[str] | None = None,
) -> View:
    """Show one step of the search for a single image: the noise, the noisy image, and the scores so far.

    Args:
        network: as in `search_step_by_step`.
        image: float32, shape (H, W, C), pixels in [0, 1].
        label, target_class: its true class, and the one wanted.
        all_noise: float32, shape (steps + 1, H, W, C), from `search_step_by_step`.
        step: from 0; beyond the last one it is the last one.
        class_names: one for each class; their numbers when left out.

    Returns:
        A `View`.

    Raises:
        TypeError, ValueError: as `search_step_by_step`; noise of another shape; a class without a name.

    Explained in notebook 03.
    """
    check_built(network)
    clean = check_images(as_array(image, "image")[np.newaxis], network)
    classes = check_network(network, clean)
    label, target_class = check_target_class(label, classes, "label"), check_target_class(target_class, classes)
    all_noise = as_array(all_noise, "all_noise")
    if all_noise.ndim == 4 and len(all_noise):
        clean = np.broadcast_to(clean, (len(all_noise), *clean.shape[1:]))
    all_noise = check_noise(all_noise, clean, name="all_noise").reshape(clean.shape)
    names = [str(place) for place in range(classes)] if class_names is None else [str(one) for one in class_names]
    if len(names) != classes:
        raise ValueError(f"class_names must be one for each of the {classes} classes, got {len(names)}")
    step = min(check_count(step, "step", 0), len(all_noise) - 1)
    noisy = np.clip(clean + all_noise, 0, 1)
    scores = keras.ops.convert_to_numpy(keras.ops.softmax(logits_of(network, noisy)))
    seen = names[scores[step].argmax()]
    pair, plot = tile(), tile()
    largest = float(np.abs(all_noise).max()) or 1.0
    draw_noise(pair.add_axes((0.02, 0.24, 0.47, 0.52)), all_noise[step], largest, "the noise so far")
    draw_images(pair.add_axes((0.51, 0.24, 0.47, 0.6)), noisy[[step]], [f"seen as “{seen}”"], 1)
    axis = plot.add_axes((0.12, 0.13, 0.84, 0.76))
    for one, style in ((label, "s--"), (target_class, "o-")):
        axis.plot(scores[: step + 1, one], style, markersize=4, label=f"score of “{plain_text(names[one])}”")
    axis.set(xlim=(-0.5, max(len(all_noise), 2) - 0.5), ylim=(-0.04, 1.04))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_title(f"step {step} of {len(all_noise) - 1}", fontsize=10)
    axis.legend(loc="center left", fontsize=8)
    line = (
        f"Step {step} of {len(all_noise) - 1}: seen as “{seen}” · score of “{names[label]}” "
        f"{scores[step, label]:.3f} · score of “{names[target_class]}” {scores[step, target_class]:.3f}"
    )
    return View((pair, plot), (line,), all_noise[step][np.newaxis])


def accuracies_by_limit(
    network: keras.Model, dataset: Dataset, limits: Sequence[float] | np.ndarray = LIMITS
) -> np.ndarray:
    """Measure what is proven and what an attack leaves, at several limits, on the first 300 test images.

    Args:
        network: a network that `certified_images` can bound.
        dataset: its test images are measured.
        limits: largest |noise| of a pixel, each in (0, 1].

    Returns:
        float64, shape (limits, 2): proven and attacked accuracy, each a share in [0, 1].

    Raises:
        TypeError, ValueError: as `certified_images`.

    Explained in notebook 07.
    """
    return np.array([_proven_and_standing(network, dataset, limit).mean(axis=1) for limit in _limits(limits)])


def _limits(limits: Any) -> list[float]:
    limits = as_array(limits, "limits")
    if limits.ndim != 1 or len(limits) == 0:
        raise ValueError(f"limits must be a list of at least one noise limit, got the shape {limits.shape}")
    return [check_noise_limit(limit) for limit in limits]


def view_certificate(
    network: keras.Model, dataset: Dataset, noise_limit: float, curves: np.ndarray, limits: np.ndarray = LIMITS
) -> View:
    """Show what is known of a network at one limit: three accuracies, and nine images with a verdict for each.

    Args:
        network, dataset: as in `accuracies_by_limit`.
        noise_limit: largest |noise| of a pixel, in (0, 1].
        curves, limits: from `accuracies_by_limit`, and the limits that it was given.

    Returns:
        A `View`.

    Raises:
        TypeError, ValueError: as `certified_images`.

    Explained in notebook 07.
    """
    proven, standing = _proven_and_standing(network, dataset, check_noise_limit(noise_limit))
    images, labels = dataset.test.images[:ATTACKED], dataset.test.labels[:ATTACKED]
    limits, curves = np.array(_limits(limits)), as_array(curves, "curves")
    if curves.shape != (len(limits), 2):
        raise ValueError(f"curves must have the shape ({len(limits)}, 2), a row for each limit, got {curves.shape}")
    right = classes_seen(network, images) == labels
    clean = right.mean()
    plot, nine = tile(), tile()
    axis = plot.add_axes((0.12, 0.16, 0.84, 0.73))
    axis.axhline(clean, color="tab:gray", linestyle=":", label="clean")
    for column, style, name in ((1, "v-", "attacked: at most"), (0, "o-", "proven: at least")):
        axis.plot(limits, curves[:, column], style, markersize=4, label=name)
    axis.axvline(noise_limit, color="black", linewidth=1)
    axis.set(xlabel="noise_limit", ylim=(0, 1.02))
    axis.set_title("accuracy; the line: your limit", fontsize=10)
    axis.legend(loc="lower left", fontsize=8)
    verdicts = np.select([~right, proven, standing], ["misread", "proven", "not proven"], "fooled")
    shown = _some_of_each(verdicts)
    draw_images(nine.add_axes((0.02, 0.02, 0.96, 0.94)), images[shown], verdicts[shown], columns=3)
    counts = " · ".join(f"{name} {np.mean(verdicts == name):.1%}" for name in np.unique(verdicts))
    line = f"At a limit of {noise_limit:.2f}: clean {clean:.1%} · attacked {standing.mean():.1%} · proven "
    return View((plot, nine), (f"{line}{proven.mean():.1%}", f"Of {len(images)} images: {counts}"))


def _some_of_each(verdicts: np.ndarray, count: int = 9) -> np.ndarray:
    """Take images in turn from each verdict, and return their places in order of the verdicts."""
    rank = np.array([np.sum(verdicts[:place] == verdict) for place, verdict in enumerate(verdicts)])
    chosen = np.argsort(rank, kind="stable")[:count]
    return chosen[np.argsort(verdicts[chosen], kind="stable")]


def _proven_and_standing(network: keras.Model, dataset: Dataset, noise_limit: float) -> np.ndarray:
    """Which of the first test images are proven, and which stand against an attack? Bool, shape (2, N)."""
    check_built(network)
    check_dataset(dataset)
    images, labels = dataset.test.images[:ATTACKED], dataset.test.labels[:ATTACKED]
    start = np.random.default_rng(0).uniform(-noise_limit, noise_limit, images.shape).astype(np.float32)
    limit, steps = tf.constant(float(noise_limit)), tf.constant(20)
    proven = certified_images(network, images, labels, float(noise_limit))
    return np.array([proven, compiled(network, descent, True)(images, labels, start, limit, steps)[0]])


def _two_figures(
    _: str, noise: np.ndarray, noise_limit: float, noisy: np.ndarray, titles: Sequence[str]
) -> list[Figure]:
    """Draw the noise, and nine noisy images."""
    large, nine = tile(), tile()
    draw_noise(large.add_axes((0.03, 0.02, 0.94, 0.88)), noise, noise_limit, f"the noise, up to ± {noise_limit:.2f}")
    draw_images(nine.add_axes((0.02, 0.02, 0.96, 0.94)), noisy, titles, columns=3)
    return [large, nine]


def _one_figure(
    name: str, noise: np.ndarray, noise_limit: float, noisy: np.ndarray, titles: Sequence[str]
) -> list[Figure]:
    """Draw the noise for one of several networks, and six noisy images."""
    figure = tile()
    draw_noise(figure.add_axes((0.02, 0.2, 0.46, 0.6)), noise, noise_limit, name)
    draw_images(figure.add_axes((0.5, 0.02, 0.48, 0.94)), noisy[:6], titles[:6], columns=2)
    return [figure]
