"""Figures, in one look: digits as ink on paper, noise and weights in red and blue around zero, a caption on top."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from course_utils.evaluation import NoiseReport

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay

CELL = 1.25  # inches, the width of one small picture
# The ends of the scale are left unused: there red and blue are so dark that one can hardly tell them apart.
STRONGEST = 1.25


@dataclass(frozen=True, repr=False)
class View:
    """What a slider shows.

    Attributes:
        figures: of one size, to stand side by side, or below one another where there is no room. Drawn without
            pyplot, so that nobody has to close them.
        lines: the numbers, in words.
        all_noise: float32, shape (networks, H, W, C), the noise that is shown.
        reports: one for each network, what the noise does to it.
    """

    figures: tuple[Figure, ...]
    lines: tuple[str, ...]
    all_noise: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    reports: tuple[NoiseReport, ...] = ()

    def __repr__(self) -> str:
        """Return the lines, since that is what a notebook shows."""
        return "\n".join(self.lines)

    def pictures(self) -> list[bytes]:
        """Return the figures as PNG files."""
        files = [io.BytesIO() for _ in self.figures]
        for figure, file in zip(self.figures, files, strict=True):
            figure.savefig(file, format="png")
        return [file.getvalue() for file in files]

    def _repr_png_(self) -> bytes:
        """Show the figures side by side where a notebook shows the view itself."""
        side_by_side = np.hstack([np.asarray(Image.open(io.BytesIO(picture))) for picture in self.pictures()])
        Image.fromarray(side_by_side).save(file := io.BytesIO(), format="png")
        return file.getvalue()


def tile() -> Figure:
    """Make one of the figures of a view."""
    return Figure(figsize=(3.4, 3.1), dpi=100)


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
        titles = names if predictions is None else [verdict(*pair) for pair in zip(names, seen, strict=True)]
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
    end = STRONGEST * (noise_limit or float(np.abs(pictures).max()) or 1.0)
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


def verdict(name: str, seen: str) -> str:
    """Say in a title what is true and what is seen, and mark what is misread."""
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


def draw_noise(axis: Axes, noise: np.ndarray, noise_limit: float, title: str) -> None:
    """Draw one noise in red and blue."""
    end = STRONGEST * noise_limit
    axis.imshow(noise[..., 0], cmap="RdBu_r", vmin=-end, vmax=end)
    axis.set_title(title, fontsize=10, loc="left")
    axis.axis("off")


def draw_images(axis: Axes, images: np.ndarray, titles: Sequence[str] | np.ndarray, columns: int) -> None:
    """Draw many small images into one pair of axes, which takes a tenth of the time of a pair for each."""
    height, width = images.shape[1:3]
    above, beside = height // 3, 4
    rows = -(-len(images) // columns)
    page = np.zeros((rows * (height + above), columns * (width + beside)), np.float32)
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        top, left = (place // columns) * (height + above) + above, (place % columns) * (width + beside)
        page[top : top + height, left : left + width] = image[..., 0]
        axis.text(left + width / 2, top - 1, title, ha="center", va="bottom", fontsize=9)
    axis.imshow(page, cmap="gray_r", vmin=0, vmax=1)
    axis.axis("off")
