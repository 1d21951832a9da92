"""The noise lab as a widget: thin, since all that could be right or wrong is in `engine` and is tested there."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_utils._checks import check_noise_limit, check_target_class, in_short
from course_utils.certificates import certified_images
from course_utils.data import Dataset
from course_utils.lab.engine import LIMITS, Engine, Networks, as_bytes
from course_utils.lab.still import PANELS, still
from course_utils.notebook import chosen_language

import anywidget
import numpy as np
import traitlets

HERE = Path(__file__).parent


def screen() -> str:
    """Join the modules of the screen to the one that a widget takes, each behind those that it imports."""
    parts: dict[str, str] = {}

    def take(name: str) -> None:
        part = (HERE / "screen" / f"{name}.js").read_text(encoding="utf-8")
        for needed in re.findall(r'from "\./(\w+)\.js";$', part, re.MULTILINE):
            if needed not in parts:
                take(needed)
        parts[name] = re.sub(r"^import .*;$|^export (?!default)", "", part, flags=re.MULTILINE)

    take("lab")
    return "\n".join([*parts.values(), ""])


def words() -> dict[str, str]:
    """Return the labels of the screen, in the language of the notebook."""
    places = [HERE / "words" / f"{language}.json" for language in (chosen_language(), "en")]
    return json.loads(next(place for place in places if place.exists()).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


class NoiseLab(anywidget.AnyWidget):
    """The screen, and what stands behind it; `noise_lab` opens one.

    Attributes:
        noise: float32, shape (H, W, C), the noise on the screen; another one may be given.
    """

    _esm = traitlets.Unicode(screen()).tag(sync=True)
    _css = traitlets.Unicode((HERE / "screen" / "lab.css").read_text(encoding="utf-8")).tag(sync=True)
    texts = traitlets.Dict().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)
    images = traitlets.Bytes().tag(sync=True)
    # By the screen, which comes back as it was when the page is loaded anew; with the noise that it shows.
    kept = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(self, engine: Engine, about: dict[str, Any]) -> None:
        self.engine = engine
        self._noise = np.zeros(engine.shape, np.float32)
        self._is_open, self._is_given = False, False  # has a screen asked yet, and was noise given before it did?
        super().__init__(about=about, texts=words(), images=as_bytes(engine.images[about["kept"]]).tobytes())
        self.on_msg(self._asked)
        self.observe(self._take_kept, "kept")

    def __repr__(self) -> str:
        """Return what a notebook shows where no kernel is."""
        return "The noise lab: run this cell to open it."

    def _repr_mimebundle_(self, **settings: Any) -> Any:
        """Show the screen; where a notebook is stored for readers, a picture of it."""
        if not os.environ.get("COURSE_STILLS"):
            return super()._repr_mimebundle_(**settings)
        picture, alt = still(self.engine, self.about, self._noise if self._is_given else None)
        data = {"image/png": picture, "text/plain": f"{self!r} As it looked for us. {alt}"}
        return data, {"image/png": {"alt": alt}}

    @property
    def noise(self) -> np.ndarray:
        """The noise on the screen, float32, shape (H, W, C), from -1 to 1; what is given is shown.

        Raises:
            TypeError, ValueError: it is given something that is no such noise; the one on the screen stays.
        """
        return self._noise.copy()

    @noise.setter
    def noise(self, noise: Any) -> None:
        self._noise = self.engine.check_noise(noise).copy()
        self._is_given = not self._is_open
        self._show_given()

    def _show_given(self) -> None:
        limit = min(1.0, max(float(np.abs(self._noise).max()), self.about["step"]))
        self.send({"tell": "noise", "limit": limit}, [self._noise.tobytes()])

    def _take_kept(self, change: dict[str, Any]) -> None:
        if "noise" in change["new"] and self.about["panel"] == "image":  # one that came with no question
            self._noise = np.frombuffer(change["new"]["noise"], np.float32).reshape(self.engine.shape).copy()

    def _asked(self, _: Any, message: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Answer the screen: the same number, what was found, and the arrays behind it."""
        arrays = [np.frombuffer(one, np.float32) for one in buffers]
        answer, found = self.engine.answer(message["question"], message["settings"], arrays)
        given, self._is_given, self._is_open = self._is_given, False, True
        if "error" not in answer and not given:
            self._keep(message["question"], arrays, found)
        kinds = [{"type": array.dtype.name, "shape": array.shape} for array in found]
        told = {"id": message["id"], "answer": answer, "arrays": kinds}
        self.send(told, [np.ascontiguousarray(array).tobytes() for array in found])
        if given:  # the screen has only just opened, and did not hear of it
            self._show_given()

    def _keep(self, question: str, arrays: list[np.ndarray], found: list[np.ndarray]) -> None:
        """Keep the noise that is now on the screen."""
        shown = {
            "measure": lambda: arrays[0], "search": lambda: found[-1], "mean": lambda: found[0],
            "grow": lambda: found[0][-1], "single": lambda: found[0][-1],
        }.get(question)  # fmt: skip
        if shown:
            self._noise = shown().reshape(self.engine.shape).copy()


def noise_lab(
    networks: Networks, dataset: Dataset, target_class: int | None = 3, noise_limit: float = 0.35, *,
    panel: str = "noise", seed: int = 0, search: bool = True,
) -> NoiseLab:  # fmt: skip
    """Open the noise lab: paint noise by hand, or let it be searched while the slider moves.

    Args:
        networks: one, or several by name; each takes float32 images in [0, 1] and returns logits.
        dataset: noise is searched on its training images, and measured on its first 1,000 test images, fewer of
            large ones.
        target_class: the class to aim at first; None for anything but the right one. A proof needs none.
        noise_limit: largest |noise| of a pixel at first, in (0, 1].
        panel: "noise" for one noise for all images; "image" for the search for one image; "proof" for what is
            clean, attacked and proven, of networks that `certified_images` can bound.
        seed: for every search.
        search: begin with a search; otherwise with an empty canvas.

    Returns:
        A widget; a notebook shows it when it stands last in a cell. Its `noise` is the noise on the screen.

    Raises:
        TypeError, ValueError: networks, images, classes or a limit that do not fit; another panel.

    Explained in notebook 04.
    """
    engine = Engine(networks, dataset, seed)
    if not isinstance(panel, str) or panel not in PANELS:
        raise ValueError(f"panel must be one of {', '.join(PANELS)}, got {in_short(panel)}")
    limit, classes = check_noise_limit(noise_limit), len(dataset.class_names)
    if panel == "image" or (panel == "noise" and target_class is not None):
        target_class = check_target_class(target_class, classes)
    if panel == "proof":
        target_class = None
        certified_images(next(iter(engine.networks.values())), engine.images[:1], engine.labels[:1], limit)
    one_of_each = [(int(label), int(np.argmax(engine.labels == label))) for label in np.unique(engine.labels)]
    shown = {place for target in (None, *range(classes)) for place in engine.places(target)}
    small = limit < 0.05
    about = {
        "panel": panel, "shape": engine.shape, "classes": [str(name) for name in dataset.class_names],
        "networks": list(engine.networks), "labels": engine.labels.tolist(), "target": target_class, "limit": limit,
        "most": max(limit, 0.1 if small else 0.6), "step": min(limit, 1 / 255) if small else 0.01,
        "digits": engine.shape[2] == 1 and classes == 10, "mean": classes <= 100, "start": bool(search),
        "one_of_each": one_of_each, "first": dict(one_of_each).get(7, one_of_each[0][1]), "limits": list(LIMITS),
        "kept": sorted(shown),
    }  # fmt: skip
    return NoiseLab(engine, about)
