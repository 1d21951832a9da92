"""Figures, in one look: digits as ink on paper, noise and weights in red and blue around zero, a caption on top."""

from collections.abc import Sequence
from typing import Any

from course_utils._checks import LARGEST, as_array, check_count, check_number, in_short

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from sklearn.metrics import ConfusionMatrixDisplay

CELL = 1.25  # inches, the width of one small picture
# The ends of the scale are left unused: there red and blue are so dark that one can hardly tell them apart.
STRONGEST = 1.25
AT_MOST = 200  # pictures in one figure, which then takes some seconds
LONG_TITLE = 10  # letters; a longer one goes into two lines
COUNTS_UP_TO = 20  # classes; the squares of larger confusion matrices are too small for numbers


def plot_images(
    images: np.ndarray,
    labels: Sequence[int] | np.ndarray | None = None,
    predictions: Sequence[int] | np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 9,
    caption: str = "",
) -> Figure:
    """Show images side by side, each with its true class and with what the network sees in it.

    Args:
        images: shape (N, H, W, 1), drawn as ink on paper, or (N, H, W, 3); float with pixels in [0, 1], or uint8.
        labels: the true class of each image; -1 where nobody knows.
        predictions: the class that the network sees in each; those that differ from the label are marked "✗".
        class_names: one for each class; their numbers when left out.
        titles: words above each image, in place of the classes.
        columns: images in a row.
        caption: what there is to see.

    Returns:
        The figure.

    Raises:
        TypeError, ValueError: images that cannot be drawn; not one label, prediction or title for each of them; a
            class without a name.

    Explained in notebook 00.
    """
    images, columns = _pictures(images, "images"), check_count(columns, "columns")
    if images.dtype == np.uint8:
        images = images / 255
    if not (images.min() >= -1e-3 and images.max() <= 1 + 1e-3):
        raise ValueError(f"images must have pixels in [0, 1], got {images.min():.4g} to {images.max():.4g}")
    if labels is None and predictions is not None:
        raise ValueError("predictions are shown beside labels: give both, or titles")
    if titles is None and labels is not None:
        names = _names(labels, len(images), class_names, "labels")
        seen = names if predictions is None else _names(predictions, len(images), class_names, "predictions")
        titles = names if predictions is None else [verdict(*pair) for pair in zip(names, seen, strict=True)]
    figure, axes = _grid(len(images), columns, titles, caption, scale=1.0 if images.shape[1] < 100 else 1.5)
    for axis, image in zip(axes, images, strict=False):
        axis.imshow(np.clip(image, 0, 1), cmap="gray_r", vmin=0, vmax=1)
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

    Raises:
        TypeError, ValueError: noise that cannot be drawn; a limit that is not above 0; not one title for each.

    Explained in notebook 01.
    """
    noise = as_array(noise, "noise")
    pictures = _pictures(noise[np.newaxis] if noise.ndim == 3 else noise, "noise")
    columns, largest = check_count(columns, "columns"), float(np.abs(pictures).max()) or 1.0
    end = largest if noise_limit is None else check_number(noise_limit, "noise_limit", 0, ends="(]")
    figure, axes = _grid(len(pictures), columns, titles, caption, scale=2.0 if len(pictures) == 1 else 1.2)
    for axis, picture in zip(axes, pictures, strict=False):
        shown = draw_noise(axis, picture, STRONGEST * end)
    if pictures.shape[-1] == 1:
        scale = figure.colorbar(shown, ax=axes.tolist(), shrink=0.8, aspect=30 if len(pictures) > columns else 15)
        scale.ax.set_ylim(-end, end)
    return figure


def plot_confusion(confusion: np.ndarray, class_names: Sequence[str] | None = None, *, caption: str = "") -> Figure:
    """Show a confusion matrix: a row for each true class, a column for each class that the network sees.

    Colours tell the errors only; what is right, on the diagonal, stays grey and would outshine them.

    Args:
        confusion: whole numbers, shape (classes, classes).
        class_names: one for each class; their numbers when left out.
        caption: what there is to see.

    Returns:
        The figure, with the counts written into the squares where there is room for them.

    Raises:
        TypeError, ValueError: no square of whole numbers; not one name for each class.

    Explained in notebook 01.
    """
    confusion = as_array(confusion, "confusion")
    if confusion.dtype.kind not in "iu":
        raise TypeError(f"confusion must hold whole numbers, got {confusion.dtype}")
    classes = len(confusion) if confusion.ndim else 0
    if classes == 0 or confusion.shape != (classes, classes):
        raise ValueError(f"confusion must have the shape (classes, classes), got {confusion.shape}")
    names = _names(range(classes), classes, class_names, "class_names")
    figure, axis = plt.subplots(figsize=(6, 5.4), layout="constrained")
    display = ConfusionMatrixDisplay(confusion, display_labels=names)
    counts = classes <= COUNTS_UP_TO
    display.plot(ax=axis, cmap="cividis", values_format="d", include_values=counts, text_kw={"fontsize": 8})
    right = np.eye(classes, dtype=bool)
    most = max(1, confusion[~right].max(initial=0))
    display.im_.set_data(np.ma.masked_where(right, confusion))
    display.im_.set_clim(0, most)
    axis.set_facecolor("lightgray")
    for place, text in np.ndenumerate(display.text_ if counts else ()):
        text.set_color("white" if not right[place] and confusion[place] < most / 2 else "black")
    axis.set(xlabel="seen by the network", ylabel="true class")
    if max(map(len, names)) > 2:
        axis.tick_params(axis="x", rotation=90)
    axis.tick_params(labelsize=10 if counts else 6)
    axis.set_title(plain_text(caption), fontsize=10, loc="left", wrap=True)
    return figure


def _pictures(values: Any, name: str) -> np.ndarray:
    """Return what is to be drawn: finite numbers, shape (N, H, W, 1) or (N, H, W, 3)."""
    values = as_array(values, name)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers, got {values.dtype}")
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise ValueError(f"{name} must have the shape (N, H, W, 1) or (N, H, W, 3), without a 0, got {values.shape}")
    if not np.abs(values).max() <= LARGEST:
        raise ValueError(f"{name} must not hold NaN or infinity, or numbers beyond {LARGEST:g}")
    return values


def _names(classes: Any, count: int, class_names: Sequence[str] | None, name: str) -> list[str]:
    """Return the name of each class: numbers where there are no names, "?" for -1, which nobody knows."""
    classes = as_array(classes, name)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {classes.dtype}")
    if classes.shape != (count,):
        raise ValueError(f"{name} must have the shape ({count},), one for each, got {classes.shape}")
    names = None if class_names is None else _texts(class_names, "class_names")
    last = np.iinfo(np.int64).max if names is None else len(names) - 1
    if classes.min() < -1 or classes.max() > last:
        raise ValueError(f"{name} must be classes from 0 to {last}, got {classes.min()} to {classes.max()}")
    return ["?" if c < 0 else str(c) if names is None else names[c] for c in classes]


def _texts(values: Any, name: str) -> list[str]:
    """Return words as matplotlib shows them: between two dollars it would look for a formula."""
    if isinstance(values, dict | set) or not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        raise TypeError(f"{name} must be a list of texts, got {in_short(values)}")
    return ["" if value is None else plain_text(value) for value in values]


def plain_text(value: Any) -> str:
    """Return a text as matplotlib shows it letter by letter."""
    return str(value).replace("$", r"\$")


def verdict(name: str, seen: str) -> str:
    """Say in a title what is true and what is seen, and mark what is misread."""
    between = "\n→ " if len(name) + len(seen) > LONG_TITLE else " → "
    return f"{name}{between}{seen}" if name == seen else f"{name}{between}{seen} ✗"


def _grid(
    count: int, columns: int, titles: Sequence[str] | None, caption: str, scale: float
) -> tuple[Figure, np.ndarray]:
    """Lay out `count` bare axes in rows, with a title above each and a caption on top."""
    if count > AT_MOST:
        raise ValueError(f"there is room for {AT_MOST} pictures, got {count}: show some, such as the first 36, [:36]")
    titles = [""] * count if titles is None else _texts(titles, "titles")
    if len(titles) != count:
        raise ValueError(f"titles must be one for each of the {count} pictures, got {len(titles)}")
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (max(columns * CELL * scale, 3.2) + 0.5, rows * (CELL * scale + 0.2) + 0.35)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    long = any(len(line) > LONG_TITLE + 5 for title in titles for line in title.splitlines())
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(title, fontsize=8 if long else 10)
    if str(caption):
        figure.suptitle(plain_text(caption), fontsize=10, x=0.01, ha="left")
    return figure, axes.flatten()


def draw_noise(axis: Axes, noise: np.ndarray, end: float) -> AxesImage:
    """Draw one noise in red and blue, from -end to end; or in its colours, where middle grey stands for zero."""
    if noise.shape[-1] == 3:
        return axis.imshow(np.clip(0.5 + noise / (2 * end), 0, 1))
    return axis.imshow(noise[..., 0], cmap="RdBu_r", vmin=-end, vmax=end)


def draw_images(axis: Axes, images: np.ndarray, titles: Sequence[str] | np.ndarray, columns: int) -> None:
    """Draw many small images into one pair of axes, which takes a tenth of the time of a pair for each."""
    height, width, channels = images.shape[1:]
    long = any("\n" in title for title in titles)
    above, beside = height // 2 if long else height // 3, max(4, width // 7)
    font_size = 7 if long or max(map(len, titles), default=0) > LONG_TITLE else 9
    rows = -(-len(images) // columns)
    paper = 1.0 if channels == 3 else 0.0
    page = np.full((rows * (height + above), columns * (width + beside), channels), paper, np.float32)
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        top, left = (place // columns) * (height + above) + above, (place % columns) * (width + beside)
        page[top : top + height, left : left + width] = image
        middle = left + width / 2
        axis.text(middle, top - 1, plain_text(title), ha="center", va="bottom", fontsize=font_size, linespacing=0.95)
    axis.imshow(page, cmap="gray_r", vmin=0, vmax=1)
    axis.axis("off")
