"""A picture of the noise lab for those who read without running: the state with which it opens."""

import io
from typing import Any

from course_utils.lab.engine import Engine
from course_utils.plots import draw_images, draw_noise, plain_text

import numpy as np
from matplotlib.figure import Figure

SCALE = 0.6  # as on the screen: noise of this size has full colour
MARKS = {"right": "○", "hit": "◆", "other": "△", "proven": "●", "open": "○", "fooled": "◆", "misread": "△"}


def still(engine: Engine, about: dict[str, Any], given: np.ndarray | None = None) -> tuple[bytes, str]:
    """Draw a panel as it opens, or with the noise given; return a PNG file, and a sentence that says it all."""
    figure = Figure(figsize=(9, 3.3), dpi=100)
    text = PANELS[about["panel"]](figure, engine, about, given)
    figure.text(0.01, 0.97, plain_text(f"As it looked for us. {text}"), fontsize=10, va="top")
    figure.savefig(file := io.BytesIO(), format="png")
    return file.getvalue(), text


def _one_for_all(figure: Figure, engine: Engine, about: dict[str, Any], given: np.ndarray | None) -> str:
    names, target, limit = about["networks"], about["target"], about["limit"]
    if given is None and about["start"]:
        answer, (pixels, noise) = engine.search(names[0], target=target, limit=limit)
    else:
        noise = np.zeros(engine.shape, np.float32) if given is None else given
        limit = limit if given is None else float(np.abs(given).max())
        answer, (pixels,) = engine.measure(noise, target=target)
    _noise(figure, noise, f"noise_limit {limit:.2g}")
    first = answer["measured"][names[0]]
    pairs = zip(first["verdicts"], first["seen"], strict=True)
    seen = [f"{MARKS[verdict]} {_short(about['classes'][one], 13)}" for verdict, one in pairs]
    draw_images(figure.add_axes((0.34, 0.02, 0.32, 0.86)), pixels / np.float32(255), seen, columns=3)
    aim = "misread" if target is None else f"taken for “{about['classes'][target]}”"
    for row, name in enumerate(names):
        one = 0.8 / len(names)
        _result(figure, answer["measured"][name], 0.8 - row * one, aim if len(names) == 1 else name, large=one > 0.5)
    if len(names) == 1:
        return f"At a limit of {limit:.2g}, {first['in_100']} of 100 images are {aim}"
    many = ", ".join(f"{answer['measured'][name]['in_100']} ({name})" for name in names)
    return f"At a limit of {limit:.2g}, so many of 100 images are {aim}: {many}"


def _result(figure: Figure, counts: dict[str, Any], height: float, text: str, large: bool) -> None:
    """Write the result of one network: the number, what it means, and what makes it up."""
    size, below = (44, 0.29) if large else (26, 0.15)
    place, said = ((0.7, height - 0.2), f"of 100 {text}") if large else ((0.8, height - 0.05), f"of 100: {text}")
    parts = [f"{MARKS['right']} right {counts['right']}", f"{MARKS['hit']} hit {counts['hit']}"]
    parts.append(f"{MARKS['other']} elsewhere {counts['elsewhere']}   of {counts['of']}")
    figure.text(0.7, height, str(counts["in_100"]), fontsize=size, weight="bold", va="top")
    figure.text(*place, plain_text(_short(said, 40 if large else 24)), fontsize=10, va="top")
    figure.text(0.7, height - below, "   ".join(parts), fontsize=8, va="top")


def _one_image(figure: Figure, engine: Engine, about: dict[str, Any], _: np.ndarray | None) -> str:
    name, place, target, limit = about["networks"][0], about["first"], about["target"], about["limit"]
    answer, (all_noise, pixels) = engine.single(name, place=place, target=target, limit=limit)
    scores, label = np.array(answer["scores"]), answer["label"]
    last = len(scores) - 1
    _noise(figure, all_noise[-1], f"the noise after step {last}")
    seen = about["classes"][int(scores[-1].argmax())]
    draw_images(figure.add_axes((0.34, 0.02, 0.28, 0.86)), pixels[[-1]] / np.float32(255), [f"seen as {seen}"], 1)
    axis = figure.add_axes((0.7, 0.16, 0.28, 0.66))
    for one, style in ((label, "s--"), (target, "o-")):
        axis.plot(scores[:, one], style, markersize=4, label=plain_text(f"score of {about['classes'][one]}"))
    axis.set(xlabel="step", ylim=(-0.04, 1.04))
    axis.legend(fontsize=8)
    return f"Noise for one image: “{about['classes'][label]}” is seen as “{seen}” after {last} steps"


def _proof(figure: Figure, engine: Engine, about: dict[str, Any], _: np.ndarray | None) -> str:
    name, limit = about["networks"][0], about["limit"]
    answer, (_, noisy) = engine.proof(name, limit)
    curves = engine.curves(name)[0]["curves"]
    axis = figure.add_axes((0.05, 0.16, 0.33, 0.68))
    for kind, style in {"clean": ":", "attacked": "v--", "proven": "o-"}.items():
        axis.plot([one["limit"] for one in curves], [one[kind] for one in curves], style, markersize=4, label=kind)
    axis.axvline(limit, color="black", linewidth=1)
    axis.set(xlabel="noise_limit", ylim=(0, 1.03))
    axis.legend(fontsize=8, loc="lower left")
    verdicts = [f"{MARKS[one]} {one}" for one in answer["verdicts"]]
    draw_images(figure.add_axes((0.42, 0.02, 0.32, 0.86)), noisy / np.float32(255), verdicts, columns=3)
    for row, (one, count) in enumerate(answer["counts"].items()):
        figure.text(0.78, 0.78 - 0.12 * row, f"{MARKS[one]} {one}: {count} of {answer['of']}", fontsize=10, va="top")
    shares = ", ".join(f"{answer[kind]:.1%} {kind}" for kind in ("clean", "attacked", "proven"))
    return f"At a limit of {limit:.2g}: {shares}"


PANELS = {"noise": _one_for_all, "image": _one_image, "proof": _proof}


def _short(text: str, most: int) -> str:
    """Cut a text that is too long for its place."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _noise(figure: Figure, noise: np.ndarray, title: str) -> None:
    axis = figure.add_axes((0.01, 0.02, 0.3, 0.8))
    draw_noise(axis, noise, SCALE)
    axis.set_title(plain_text(title), fontsize=10, loc="left")
    axis.axis("off")
