"""Make what the README shows: its pictures, and tables of what the benchmark and `make results` have measured."""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import course_utils
from course_utils.notebook import replacing

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
NOISE_AT_WORK = ROOT / "notebooks" / "images" / "noise_at_work.png"
SEARCH_TIME = ROOT / "notebooks" / "images" / "search_time.png"
IMMUNITY = ROOT / "notebooks" / "images" / "immunity.png"
SHOWN = 8
METHODS = {
    "plain, 1,000 steps, as in tutorial #12": "plain",
    "tutorial #12's rounds, ten targets in turn, twice each": "in_turn_twice",
    "its first idea: ten noise patterns at once, `immunise_interleaved`": "interleaved",
    "its second idea: eleven networks, `two_tier_network`": "two_tiers",
    "**each image its own worst noise, `adversarial_training`**": "worst_noise",
    "the same, five small steps instead of three, three times as long": "worst_noise_small_steps",
    "high contrast before the plain network, nothing trained, `prepend_contrast`": "contrast",
}
SHORT = {
    "plain": "plain",
    "in_turn_twice": "tutorial #12's rounds",
    "two_tiers": "two tiers",
    "interleaved": "ten patterns at once",
    "worst_noise": "each image its own\nworst noise",
    "contrast": "high contrast, untrained",
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
    network = course_utils.cached_network(course_utils.train_course_network, mnist, seed=0)
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
    with replacing(NOISE_AT_WORK) as new:
        figure.savefig(new, dpi=110)


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
    with replacing(SEARCH_TIME) as new:
        figure.savefig(new, dpi=100)


def immunity_numbers() -> dict[str, dict[str, list[float]]]:
    """Return what each seed gave for each method, under the quick attack."""
    kinds = {"universal": "worst_accuracy", "single images": "single_image_accuracy"}
    return {
        words: {kind: course_utils.values_by_seed(name, "quick", way) for kind, way in kinds.items()}
        for name, words in SHORT.items()
    }


def fingerprint(numbers: object) -> str:
    """Return a hash of the numbers that a picture shows; it is written into the file."""
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()


def draw_immunity(numbers: dict[str, dict[str, list[float]]]) -> None:
    """Draw for each method what is left, one point a training."""
    figure, axis = plt.subplots(figsize=(7.5, 2.9), layout="constrained")
    for row, kinds in enumerate(numbers.values()):
        for (kind, values), style, offset in zip(kinds.items(), ("ob", "xr"), (-0.15, 0.15), strict=True):
            label = f"{kind}, worst" if kind == "universal" else kind
            axis.plot(values, [row + offset] * len(values), style, alpha=0.7, label=label if row == 0 else None)
    axis.set_yticks(range(len(numbers)), numbers)
    axis.invert_yaxis()
    axis.grid(axis="y", alpha=0.4)
    axis.set(xlabel="accuracy that fresh noise leaves, one point a training", xlim=(-0.02, 1.02))
    figure.legend(loc="outside right center")
    with replacing(IMMUNITY) as new:
        figure.savefig(new, dpi=100, metadata={"Description": fingerprint(numbers)})


def table(head: str, rows: list[str]) -> str:
    """Write a table, with an empty line before it."""
    return "\n".join(["", head, "|---" * (head.count("|") - 1) + "|", *rows, ""])


def doubt(report: dict[str, Any]) -> str:
    """Say so where an attack doubts itself, behind its last number."""
    return "" if report["trustworthy"] else " (the attack doubts itself)"


def immunity_table() -> str:
    """Write what protects, and how well."""
    columns = ("clean_accuracy", "mean_accuracy", "worst_accuracy", "single_image_accuracy")
    rows = []
    for method, name in METHODS.items():
        result = course_utils.stored_result(name)
        report = result.get("full") or result["quick"]
        report = report | {"clean_accuracy": result["clean_accuracy"]}  # of the whole test set
        shares = " | ".join(f"{report[column]:.1%}" for column in columns) + doubt(report)
        worst, single = (
            course_utils.seed_range(course_utils.values_by_seed(name, "quick", f"{kind}_accuracy"))
            for kind in ("worst", "single_image")
        )
        rows.append(f"| {method} | {shares} | {worst} | {single} |")
    return table(
        "| accuracy at `noise_limit` 0.35 | clean | universal: mean | worst | single images "
        "| quick attack: worst | single images |",
        rows,
    )


def single_images(result: dict[str, Any]) -> str:
    """Write what the full attack leaves of single images."""
    report = result["full"]
    return f"{report['single_image_accuracy']:.1%}" + doubt(report)


def proof_table() -> str:
    """Write between what bounds the truth lies."""
    rows = []
    for limit, name in PROOFS.items():
        result = course_utils.stored_result(name)
        clean, proven, bound = (
            result[kind] for kind in ("clean_accuracy", "certified_accuracy", "certified_of_attacked")
        )
        attacked = single_images(result)
        seeds = course_utils.seed_range(course_utils.values_by_seed(name, "certified_accuracy")) or "–"
        rows.append(f"| {limit} | {clean:.1%} | **{proven:.1%}** | {seeds} | {bound:.1%} to {attacked} |")
    return table(
        "| `noise_limit` | clean | proven | other seeds | first 1,000: at least (proven) to at most (attacked) |",
        rows,
    )


PUBLISHED = """
| Gowal et al. 2018 | | 91.95% | |
| Zhang et al. 2020, CROWN-IBP | | 92.98% | 93.95% |
| Zhang et al. 2019, TRADES | 99.48% | | 92.76% |
| Madry et al. 2018 | | | 88.43% |
| Wong, Rice and Kolter 2020 (they had measured 88.77%) | | | 82.88% |
"""  # attacked by AutoAttack: Croce and Hein 2020, "Reliable evaluation of adversarial robustness"


def yardstick_table() -> str:
    """Write what was published for the limit of 0.3, beside our networks for a proof there."""
    rows = []
    for words, name in {"": "certified_3", ", behind high contrast": "certified_3_contrast"}.items():
        result = course_utils.stored_result(name)
        clean, proven = result["clean_accuracy"], result["certified_accuracy"]
        rows.append(
            f"| **this course, `certified_training`{words}** | {clean:.1%} | {proven:.1%} | {single_images(result)} |"
        )
    head = "| MNIST, `noise_limit` 0.3 | clean | proven | attacked, each image by itself |"
    return table(head, [*rows, *PUBLISHED.strip().splitlines()])


def old_and_new_table() -> str:
    """Write what the old tutorial reached, and what this course does."""
    bench = course_utils.stored_result("benchmark")
    seconds, success = bench["seconds"], bench["success"]
    rounds, immune = (course_utils.stored_result(name) for name in ("in_turn_twice", "worst_noise"))
    one, ten = rounds["full"]["mean_accuracy"], immune["full"]
    proven = course_utils.stored_result("certified_3")
    proof, clean = proven["certified_accuracy"], proven["clean_accuracy"]
    return f"""
| | the old tutorial (its recipe, run here) | this course |
|---|---|---|
| **time** to find noise for all ten classes | {seconds["recipe"]:.0f} s | {seconds["fast"]:.2f} s |
| **success**, mean over the classes | {success["recipe"]:.1%} | {success["fast"]:.1%} |
| **immunity**: accuracy under new universal noise up to 0.35, mean · worst | {one:.1%} · {rounds["full"]["worst_accuracy"]:.1%} | {ten["mean_accuracy"]:.1%} · {ten["worst_accuracy"]:.1%} |
| clean accuracy of the immune network | {rounds["clean_accuracy"]:.1%} | {immune["clean_accuracy"]:.1%} |
| **proof**, for another network: digits that no noise up to 0.3 can make it misread | not attempted | {proof:.1%} (clean: {clean:.1%}) |
"""  # noqa: E501


def benchmark_table() -> str:
    """Write how fast the search is."""
    kept = course_utils.stored_result("benchmark")
    seconds, success, machine = kept["seconds"], kept["success"], kept["machine"]
    evaluations = kept["gradient evaluations"]
    return f"""
| medians of {kept["rounds"]} rounds in one run | seconds | gradient evaluations | mean success |
|---|---|---|---|
| ten noise patterns, tutorial #12's recipe | {seconds["recipe"]:.1f} | {evaluations["recipe"]:,} | {success["recipe"]:.1%} |
| **ten noise patterns, `find_universal_noise`** | **{seconds["fast"]:.2f}** | **{evaluations["fast"]:,}** | **{success["fast"]:.1%}** |
| the same with `batch_size={kept["images a step, half"]}` | {seconds["half"]:.2f} | {evaluations["half"]:,} | {success["half"]:.1%} |
| the first call on a new network | {seconds["fast, first call"]:.2f} | {evaluations["fast"]:,} | |
| noise for the 3, adversarial-robustness-toolbox | {seconds["ART, one target"]:.1f} | | {success["ART, one target"]:.1%} |
| noise for the 3, `find_universal_noise` | {seconds["fast, one target"]:.3f} | {evaluations["fast"] // 10:,} | {success["fast, one target"]:.1%} |

So the recipe's time is divided by {kept["times faster than the recipe"]:.0f}, and with half of the gradients by {kept["times faster than the recipe, half of the gradients"]:.0f}, on this machine ({machine["cores"]} cores, {machine["GFLOP a second in a float32 matrix product"]} GFLOP a second in a float32 matrix product, of which the search reaches {kept["share of the matrix product's speed"]:.0%}; TensorFlow {machine["tensorflow"]}). Seconds belong to the machine: compare the ratios, or run `make bench` on yours.
"""  # noqa: E501


TABLES = {
    "old and new": old_and_new_table,
    "benchmark": benchmark_table,
    "immunity": immunity_table,
    "proof": proof_table,
    "yardstick": yardstick_table,
}


def with_tables(text: str) -> str:
    """Put each table between the two comments that mark its place."""
    for name, table in TABLES.items():
        place = re.compile(rf"(<!-- {name}: made by make readme -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = place.sub(lambda found, table=table: found[1] + table() + found[2], text)  # type: ignore[misc]
    return text


def main() -> None:
    """Draw the pictures and write the tables."""
    draw_search_time(course_utils.stored_result("benchmark")["growth"])
    draw_immunity(immunity_numbers())
    with replacing(README) as new:
        new.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    draw_noise_at_work()


if __name__ == "__main__":
    argparse.ArgumentParser(description="Draw the README's pictures again, and write its tables.").parse_args()
    if course_utils.load_mnist().is_stand_in:
        sys.exit("The README shows MNIST: put mnist.npz into the folder in COURSE_DATA_DIR first.")
    main()
