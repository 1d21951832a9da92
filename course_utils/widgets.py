"""Sliders around the views: thin, so that all which can be right or wrong is in `views` and is tested there."""

import asyncio
import html
import time
from collections.abc import Callable
from typing import Any

from course_utils.checks import check_dataset, check_noise_limit, check_seed, check_target_class
from course_utils.data import Dataset
from course_utils.views import (
    Networks,
    View,
    accuracies_by_limit,
    search_step_by_step,
    view_certificate,
    view_image,
    view_noise,
)

import ipywidgets
import keras
import numpy as np

PAUSE = 0.05  # seconds without another move, before anything is computed
AWAY = "away: any other"  # as a value too: a menu shows none that is None
SEARCH, SCALE = "search anew", "same noise, weaker or stronger"
L2_WEIGHTS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
WIDE = {"layout": ipywidgets.Layout(width="98%", max_width="430px"), "style": {"description_width": "9em"}}
LINE = 28  # pixels, of a line of text
PICTURE = ipywidgets.Layout(width="98%", max_width="340px")


class Panel(ipywidgets.VBox):
    """Controls, a picture of one size, the numbers as text, and a line that says what is going on.

    A move of any control asks for a new view. It is computed when no other move has come for a moment, so that of
    several quick moves only the last one is. Whatever goes wrong is said in the panel.

    Args:
        show: takes the controls' values by name and returns a `View`.
        **controls: ipywidgets with a value.

    Explained in notebook 04.
    """

    def __init__(self, show: Callable[..., View], **controls: Any) -> None:
        self.show, self.controls = show, controls
        self.view: View | None = None
        self.waiting: asyncio.TimerHandle | None = None
        self.pictures = ipywidgets.Box(layout={"flex_flow": "row wrap"})
        self.numbers, self.state = ipywidgets.HTML(), ipywidgets.HTML(layout={"height": f"{LINE}px"})
        for control in controls.values():
            control.observe(self.ask, "value")
        rows = ipywidgets.Box(list(controls.values()), layout={"flex_flow": "row wrap"})
        super().__init__([rows, self.state, self.pictures, self.numbers])
        self.compute()
        # Of one size from now on, with room for lines that a narrow window breaks: the page must not jump.
        lines = len(self.view.lines) if self.view else 1
        self.numbers.layout = {"width": "98%", "height": f"{2 * LINE * lines}px"}

    def ask(self, _: Any = None) -> None:
        """Say that something is going on, and compute it in a moment."""
        self.say("working …")
        if self.waiting:
            self.waiting.cancel()
        try:
            self.waiting = asyncio.get_running_loop().call_later(PAUSE, self.compute)
        except RuntimeError:  # there is no event loop outside a kernel
            self.compute()

    def compute(self) -> None:
        """Show what belongs to the values as they are now."""
        start = time.perf_counter()
        try:
            self.view = self.show(**{name: control.value for name, control in self.controls.items()})
        except Exception as error:  # nobody reads a kernel's log: it is said here
            self.say(f"✗ This cannot be shown: {error}")
            return
        pictures = self.view.pictures()
        if len(self.pictures.children) != len(pictures):
            self.pictures.children = [ipywidgets.Image(format="png", layout=PICTURE) for _ in pictures]
        for image, picture in zip(self.pictures.children, pictures, strict=True):
            image.value = picture
        self.numbers.value = "<br>".join(map(html.escape, self.view.lines))
        self.say(f"ready, in {time.perf_counter() - start:.1f} s")

    def say(self, text: str) -> None:
        """Write the line that says what is going on."""
        self.state.value = f"<i>{html.escape(text)}</i>"


def _limit_slider(noise_limit: float, least: float, most: float) -> ipywidgets.FloatSlider:
    """Make the slider for the limit. Its range holds the value that it begins with; small ones move in 255ths."""
    noise_limit = check_noise_limit(noise_limit)
    small = noise_limit < least
    return ipywidgets.FloatSlider(
        noise_limit, min=min(1 / 255, noise_limit) if small else least, max=max(most, noise_limit),
        step=1 / 255 if small else 0.01,
        readout_format=".3f" if small else ".2f", description="noise_limit", continuous_update=False,
        tooltip="largest change of a pixel; 1 is the way from paper to ink", **WIDE,
    )  # fmt: skip


def explore_noise(
    networks: Networks, dataset: Dataset, target_class: int | None = None, noise_limit: float = 0.35, seed: int = 0
) -> Panel:
    """Search noise with sliders: limit, L2 weight, steps, and a menu for the class to aim at.

    Args:
        networks: one, or several by name, which are then shown side by side.
        dataset: as in `view_noise`.
        target_class, noise_limit: what is shown first; the class is 3 when left out, or the last one.
        seed: for every search.

    Returns:
        A widget; a notebook shows it when it stands last in a cell.

    Explained in notebook 04.
    """
    check_dataset(dataset)
    classes = len(dataset.class_names)
    target_class = min(3, classes - 1) if target_class is None else check_target_class(target_class, classes)
    check_seed(seed)
    targets = [*((f"to “{name}”", place) for place, name in enumerate(dataset.class_names)), (AWAY, AWAY)]
    mode = ipywidgets.ToggleButtons(
        options=[SEARCH, SCALE],
        description="on release",
        tooltips=["search new noise for these values", "keep the noise that was found, and scale it to the limit"],
        style={"description_width": "9em", "button_width": "auto"},
    )
    controls = {
        "target_class": ipywidgets.Dropdown(
            options=targets, value=target_class, description="target class", tooltip="the class to aim at", **WIDE
        ),
        "noise_limit": _limit_slider(noise_limit, 0.05, 0.6),
        "noise_l2_weight": ipywidgets.SelectionSlider(
            options=[(f"{weight:g}", weight) for weight in L2_WEIGHTS], description="noise_l2_weight",
            continuous_update=False, tooltip="how much strong noise costs", **WIDE,
        ),
        "steps": ipywidgets.IntSlider(
            20, min=1, max=60, description="steps", continuous_update=False, tooltip="steps of the search", **WIDE
        ),
        "mode": mode,
    }  # fmt: skip
    kept: dict[str, Any] = {}

    def show(mode: str, target_class: int | str, noise_limit: float, noise_l2_weight: float, steps: int) -> View:
        target = None if target_class == AWAY else int(target_class)
        scaled = mode == SCALE and "noise" in kept
        for name in ("target_class", "noise_l2_weight", "steps"):
            controls[name].disabled = scaled
        if scaled:
            return view_noise(networks, dataset, kept["target"], noise_limit, all_noise=kept["noise"])
        view = view_noise(networks, dataset, target, noise_limit, noise_l2_weight, steps, seed=seed)
        kept.update(noise=view.all_noise, target=target)
        return view

    return Panel(show, **controls)


def explore_image(
    network: keras.Model, dataset: Dataset, target_class: int | None = None, noise_limit: float = 0.35
) -> Panel:
    """Step through the search for one image with a play button: pick a digit and what it is to become.

    Args:
        network: takes float32 images in [0, 1] and returns logits.
        dataset: the first test image of each class can be picked.
        target_class: what is aimed at first; 3 when left out, or the last class.
        noise_limit: largest |noise| of a pixel, in (0, 1].

    Returns:
        A widget; a notebook shows it when it stands last in a cell.

    Explained in notebook 03.
    """
    check_dataset(dataset)
    check_noise_limit(noise_limit)
    classes = len(dataset.class_names)
    target_class = min(3, classes - 1) if target_class is None else check_target_class(target_class, classes)
    images, labels = dataset.test.images, dataset.test.labels
    options = [(f"“{name}”", place) for place, name in enumerate(dataset.class_names)]
    there = [(name, place) for name, place in options if (labels == place).any()]
    if not there:
        raise ValueError("dataset.test has no image of any of the classes")
    places = [place for _, place in there]
    first = 7 if 7 in places else places[0]
    play = ipywidgets.Play(min=0, max=25, interval=500, tooltip="step through the search")
    slider = ipywidgets.IntSlider(0, min=0, max=25, description="step", tooltip="steps done", **WIDE)
    ipywidgets.jslink((play, "value"), (slider, "value"))
    kept: dict[tuple[int, int], np.ndarray] = {}

    def show(digit: int, target_class: int, step: int) -> View:
        image, key = images[np.argmax(labels == digit)], (digit, target_class)
        if key not in kept:
            kept.clear()
            kept[key] = search_step_by_step(network, image, target_class, noise_limit)
            slider.value = step = 0  # another search begins
        play.max = slider.max = max(1, len(kept[key]) - 1)
        return view_image(network, image, digit, target_class, kept[key], step, dataset.class_names)

    panel = Panel(
        show,
        digit=ipywidgets.Dropdown(options=there, value=first, description="digit", tooltip="true class", **WIDE),
        target_class=ipywidgets.Dropdown(
            options=options, value=target_class, description="target class", tooltip="what it is to become", **WIDE
        ),
        step=slider,
    )
    panel.children = [panel.children[0], play, *panel.children[1:]]
    return panel


def explore_certificate(network: keras.Model, dataset: Dataset, noise_limit: float = 0.3) -> Panel:
    """Move the limit over what is clean, attacked and proven, with nine images and a verdict for each.

    Args:
        network, dataset: as in `accuracies_by_limit`.
        noise_limit: what is shown first.

    Returns:
        A widget; a notebook shows it when it stands last in a cell.

    Explained in notebook 07.
    """
    check_dataset(dataset)
    kept: list[np.ndarray] = []

    def show(noise_limit: float) -> View:
        if not kept:
            kept.append(accuracies_by_limit(network, dataset))
        return view_certificate(network, dataset, noise_limit, kept[0])

    return Panel(show, noise_limit=_limit_slider(noise_limit, 0.02, 0.4))
