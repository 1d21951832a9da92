"""How long does a reader wait, from nothing to the first picture, and what of it is TensorFlow's?

    make bench-waiting           imports, the first cell, the first picture of the noise lab
    make bench-waiting ALL=1     besides: the set-up in a fresh clone, and `make test` there (half an hour)

Everything runs in new processes, one after another; medians of three go to results/waiting.json.
"""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent.parent / "tools"))
    import stopping  # noqa: F401
    from measurements import keep_result, measured_run

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
WHAT = "Seconds that a reader waits: medians of three in new processes."
FIRST_CELL = "import course_utils; course_utils.start_notebook()"
STEPS = {
    "Python alone": "pass",
    "import numpy": "import numpy",
    "import tensorflow": "import tensorflow",
    "import keras, with TensorFlow": "import keras",
    "import course_utils": "import course_utils",
    "the first cell": FIRST_CELL,
    "the first picture of the noise lab": f"""
{FIRST_CELL}
from course_utils.lab.engine import Engine
mnist = course_utils.load_mnist()
Engine(course_utils.cached_network(course_utils.train_course_network, mnist, 0), mnist).search("network", 3)
""",
}
ONLY_WHERE_USED = ("art", "scipy.ndimage", "sklearn", "voila", "nbval", "distributed")


def seconds(command: list[str], where: Path = ROOT) -> float:
    """Run a command, and return how long it took."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - start


def imported_with_the_course() -> list[str]:
    """Name the packages that `import course_utils` brings along, beside Keras's, of those that few functions use."""
    script = "import sys, keras; theirs = set(sys.modules); import course_utils; print(*set(sys.modules) - theirs)"
    asked = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(set(ONLY_WHERE_USED) & set(asked.stdout.split()))


def from_nothing() -> dict[str, float]:
    """Set up a fresh clone, and test it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # some tests act as somebody else
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        return {f"make {target}": round(seconds(["make", target], Path(folder)), 1) for target in ("venv", "test")}


def main(rounds: int, everything: bool) -> dict[str, object]:
    """Measure, and return seconds by name."""
    seconds([sys.executable, "-c", STEPS["the first picture of the noise lab"]])  # the network is kept now
    found = {
        name: round(median(seconds([sys.executable, "-c", script]) for _ in range(rounds)), 2)
        for name, script in STEPS.items()
    }
    found |= from_nothing() if everything else {}
    return {"seconds": found, "imported without need": imported_with_the_course()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure how long a reader waits.")
    parser.add_argument("--all", action="store_true", help="set-up and tests in a fresh clone, too")
    arguments = parser.parse_args()
    values = main(rounds=3, everything=arguments.all)
    keep_result("waiting", WHAT, "benchmarks/waiting.py", [measured_run(values)])
    print(json.dumps(values, indent=2))
