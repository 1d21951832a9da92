"""Settings for every test run: an empty cache folder of its own, and threads that don't get in each other's way."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.make_exercises import EXERCISES, worked_in

import nbval.kernel
import pytest

# Two notebooks run side by side on two cores. With two threads each they would only wait for one another.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

BROWSER_TIMES = Path(__file__).parent / "artefacts" / "browser_times.txt"


def pytest_configure(config: pytest.Config) -> None:
    """Before anything starts; the workers and the kernels of the notebooks inherit what is set here."""
    nbval.kernel.start_new_kernel = start_kernel
    if hasattr(config, "workerinput"):
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts with & ignore Ctrl-C
    BROWSER_TIMES.unlink(missing_ok=True)
    config.stash_cache = tempfile.mkdtemp(prefix="course-cache-")
    os.environ["COURSE_CACHE_DIR"] = config.stash_cache
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"):
        os.environ.pop(name, None)  # a make in a test is no part of the one that runs the tests
    if config.getoption("numprocesses", None):
        for name, value in ONE_THREAD.items():
            os.environ.setdefault(name, value)


def start_kernel(*args: Any, started: Callable[..., Any] = nbval.kernel.start_new_kernel, **settings: Any) -> Any:
    """Start a notebook's kernel, twice if need be: a port found free may be taken before the kernel listens to it."""
    try:
        return started(*args, **settings)
    except RuntimeError:
        return started(*args, **settings)


def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything, also after a failure."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash_cache, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how long a move of a slider takes in the browser; no test depends on it."""
    if BROWSER_TIMES.exists():
        terminalreporter.section("from letting go of a slider to the new picture")
        terminalreporter.write(BROWSER_TIMES.read_text(encoding="utf-8"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out an exercise in which somebody has worked: a reader's answers never make a test fail."""
    if collection_path.suffix == ".ipynb" and collection_path.parent == EXERCISES and worked_in(collection_path):
        return True
    return None
