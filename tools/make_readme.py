"""Make what the README shows: the picture at its top, and what results/benchmark.json says about the search."""

import json
import re
from pathlib import Path

import course_utils

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BENCHMARK = ROOT / "results" / "benchmark.json"
NOISE_AT_WORK = ROOT / "notebooks" / "images" / "noise_at_work.png"
SEARCH_TIME = ROOT / "notebooks" / "images" / "search_time.png"
SHOWN = 8
TABLE = re.compile(r"(<!-- benchmark: made by make readme -->\n).*?(<!-- end of benchmark -->)", re.DOTALL)


def draw_noise_at_work() -> None:
    """Draw digits, one noise, and what the network makes of the two."""
    mnist = course_utils.load_mnist()
    network = course_utils.kept_network(course_utils.course_network, mnist, seed=0)
    (noise,) = course_utils.find_universal_noise(network, mnist.train.images, 3, seed=0)
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
    figure.savefig(NOISE_AT_WORK, dpi=110)


def draw_search_time(growth: dict[str, dict[str, float]]) -> None:
    """Draw how the time of a search grows with the number of targets and of images."""
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.6), layout="constrained", sharey=True)
    for axis, (name, title) in zip(
        axes,
        {"targets": "With the targets it grows evenly", "images": "With the images it hardly grows"}.items(),
        strict=True,
    ):
        points = growth[f"seconds by {name}"]
        axis.plot([int(count) for count in points], list(points.values()), "o-")
        axis.set(xlabel=f"number of {name}", ylim=(0, None))
        axis.set_title(title, fontsize=10, loc="left")
    axes[0].set_ylabel("seconds")
    figure.savefig(SEARCH_TIME, dpi=100)


def benchmark_table(kept: dict) -> str:  # type: ignore[type-arg]
    """Write the README's table from what the benchmark measured."""
    seconds, success, machine = kept["seconds"], kept["success"], kept["machine"]
    evaluations = kept["gradient evaluations"]
    return f"""
| medians of {kept["rounds"]} rounds in one run | seconds | gradient evaluations | mean success |
|---|---|---|---|
| ten noises, tutorial #12's recipe | {seconds["recipe"]:.1f} | {evaluations["recipe"]:,} | {success["recipe"]:.1%} |
| **ten noises, `find_universal_noise`** | **{seconds["fast"]:.2f}** | **{evaluations["fast"]:,}** | **{success["fast"]:.1%}** |
| the same, first call on a new network | {seconds["fast, first call"]:.2f} | {evaluations["fast"]:,} | |
| noise for the 3, adversarial-robustness-toolbox | {seconds["ART, one target"]:.1f} | | {success["ART, one target"]:.1%} |
| noise for the 3, `find_universal_noise` | {seconds["fast, one target"]:.3f} | {evaluations["fast"] // 10:,} | {success["fast, one target"]:.1%} |

So the recipe's time is divided by {kept["times faster than the recipe"]:.0f} on this machine ({machine["cores"]} cores, {machine["GFLOP a second in a float32 matrix product"]} GFLOP a second in a float32 matrix product, of which the search reaches {kept["share of the matrix product's speed"]:.0%}; TensorFlow {machine["tensorflow"]}). Seconds belong to the machine: compare the ratios, or run `make bench` on yours.
"""  # noqa: E501


def main() -> None:
    """Draw both pictures and write the table."""
    kept = json.loads(BENCHMARK.read_text())
    draw_search_time(kept["growth"])
    README.write_text(TABLE.sub(lambda found: found[1] + benchmark_table(kept) + found[2], README.read_text()))
    draw_noise_at_work()


if __name__ == "__main__":
    main()
