"""Figures, in one look: digits as ink on paper, noise and weights in red and blue around zero, a caption on top."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

CELL = 1.25  # inches, the width of one small picture


def plot_images(
    images: np.ndarray,
    labels: Sequence[int] | np.ndarray | None = None,
    predictions: Sequence[int] | np.ndarray | None = None,
    class_names: Sequence[str] = "0123456789",
    *,
    titles: Sequence[str] | None = None,
    columns: int = 9,
    caption: str = "",
) -> Figure:
    """Show images side by side, each with its true class and with what the network sees in it.

    Args:
        images: float32, shape (N, H, W, 1), drawn as ink on paper, or (N, H, W, 3); pixels in [0, 1].
        labels: the true class of each image.
        predictions: the class that the network sees in each; those that differ from the label are marked "✗".
        class_names: one for each class.
        titles: words above each image, in place of the classes.
        columns: images in a row.
        caption: what there is to see.

    Returns:
        The figure.

    Explained in notebook 00.
    """
    if titles is None and labels is not None:
        names = [class_names[label] for label in labels]
        seen = names if predictions is None else [class_names[label] for label in predictions]
        titles = names if predictions is None else [_verdict(*pair) for pair in zip(names, seen, strict=True)]
    figure, axes = _grid(len(images), columns, titles, caption, scale=1.0 if images.shape[1] < 100 else 1.5)
    for axis, image in zip(axes, images, strict=False):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    return figure


def plot_noise(
    noise: np.ndarray,
    noise_limit: float | None = None,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 5,
    caption: str = "",
) -> Figure:
    """Show noise, or anything else with a sign, such as weights: red is positive, blue negative, white zero.

    Noise in colour is shown in its colours, around a middle grey that stands for zero.

    Args:
        noise: shape (H, W, 1) or (H, W, 3) for one picture, (N, H, W, 1) or (N, H, W, 3) for many.
        noise_limit: the value of the strong colours; the largest |noise| when left out.
        titles: words above each picture.
        columns: pictures in a row.
        caption: what there is to see.

    Returns:
        The figure, with a scale of the colours where there is one.

    Explained in notebook 01.
    """
    pictures = noise[np.newaxis] if noise.ndim == 3 else noise
    # The ends of the scale are left unused: there red and blue are so dark that one can hardly tell them apart.
    end = 1.25 * (noise_limit or float(np.abs(pictures).max()) or 1.0)
    figure, axes = _grid(len(pictures), columns, titles, caption, scale=2.0 if len(pictures) == 1 else 1.2)
    if pictures.shape[-1] == 3:
        for axis, picture in zip(axes, pictures, strict=False):
            axis.imshow(np.clip(0.5 + picture / (2 * end), 0, 1))
        return figure
    for axis, picture in zip(axes, pictures, strict=False):
        shown = axis.imshow(picture.mean(axis=-1), cmap="RdBu_r", vmin=-end, vmax=end)
    figure.colorbar(shown, ax=axes.tolist(), shrink=0.8, aspect=30 if len(pictures) > columns else 15)
    return figure


def plot_confusion(confusion: np.ndarray, class_names: Sequence[str] = "0123456789", *, caption: str = "") -> Figure:
    """Show a confusion matrix: a row for each true class, a column for each class that the network sees.

    Args:
        confusion: whole numbers, shape (classes, classes).
        class_names: one for each class.
        caption: what there is to see.

    Returns:
        The figure, with the counts written into the squares.

    Explained in notebook 01.
    """
    figure, axis = plt.subplots(figsize=(6, 5.4), layout="constrained")
    display = ConfusionMatrixDisplay(confusion, display_labels=list(class_names))
    display.plot(ax=axis, cmap="cividis", values_format="d", text_kw={"fontsize": 8})
    axis.set(xlabel="seen by the network", ylabel="true class")
    axis.set_title(caption, fontsize=10, loc="left", wrap=True)
    return figure


def _verdict(name: str, seen: str) -> str:
    return f"{name} → {seen}" if name == seen else f"{name} → {seen} ✗"


def _grid(
    count: int, columns: int, titles: Sequence[str] | None, caption: str, scale: float = 1.0
) -> tuple[Figure, np.ndarray]:
    """Lay out `count` bare axes in rows, with a title above each and a caption on top."""
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (max(columns * CELL * scale, 3.2) + 0.5, rows * (CELL * scale + 0.2) + 0.35)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, title in zip(axes.flat, titles or [], strict=False):
        axis.set_title(title, fontsize=10)
    if caption:
        figure.suptitle(caption, fontsize=10, x=0.01, ha="left")
    return figure, axes.flatten()
