"""Make what the README shows: its pictures, and tables of what the benchmark and `make results` have measured."""

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
METHODS = {
    "plain, 1,000 steps, as in tutorial #12": "plain",
    "tutorial #12's rounds, ten targets in turn, twice each": "in_turn_twice",
    "its first idea: ten noises at once, `immunise_interleaved`": "interleaved",
    "its second idea: eleven networks, `TwoTierNetwork`": "two_tiers",
    "**each image its own worst noise, `train_on_worst_noise`**": "worst_noise",
    "the same, three small steps instead of two": "worst_noise_small_steps",
    "high contrast before the plain network, nothing trained, `with_contrast`": "contrast",
}
PROOFS = {
    "0.1": "certified_1",
    "0.2": "certified_2",
    "0.3": "certified_3",
    "0.3, behind high contrast": "certified_3_contrast",
}


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


def immunity_table() -> str:
    """Write what protects, and how well."""
    columns = ("clean_accuracy", "mean_accuracy", "worst_accuracy", "single_image_accuracy")
    rows = [
        f"| {method} | " + " | ".join(f"{course_utils.stored_result(name)[column]:.1%}" for column in columns) + " |"
        for method, name in METHODS.items()
    ]
    return "\n".join(
        [
            "",
            "| accuracy at `noise_limit` 0.35 | clean | universal: mean | universal: worst | single images |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def proof_table() -> str:
    """Write between what bounds the truth lies."""
    kinds = ("clean_accuracy", "certified_accuracy", "single_image_accuracy", "certified_of_attacked")
    rows = []
    for limit, name in PROOFS.items():
        clean, proven, *first = (f"{course_utils.stored_result(name)[kind]:.1%}" for kind in kinds)
        rows.append(f"| {limit} | {clean} | **{proven}** | {first[1]} to {first[0]} |")
    head = ["", "| `noise_limit` | clean | proven | first 1,000 images: proven to attacked |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def benchmark_table() -> str:
    """Write how fast the search is."""
    kept = json.loads(BENCHMARK.read_text())
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


TABLES = {"benchmark": benchmark_table, "immunity": immunity_table, "proof": proof_table}


def with_tables(text: str) -> str:
    """Put each table between the two comments that mark its place."""
    for name, table in TABLES.items():
        place = re.compile(rf"(<!-- {name}: made by make readme -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = place.sub(lambda found, table=table: found[1] + table() + found[2], text)  # type: ignore[misc]
    return text


def main() -> None:
    """Draw both pictures and write the tables."""
    draw_search_time(json.loads(BENCHMARK.read_text())["growth"])
    README.write_text(with_tables(README.read_text()))
    draw_noise_at_work()


if __name__ == "__main__":
    main()
