"""What several test modules need and is no fixture."""

import contextlib
import os
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "tools"


@contextlib.contextmanager
def locked(path):
    """Take every right to a file or a folder away for a while, from root, too."""
    user = os.geteuid()
    path.chmod(0)
    os.seteuid(user or 65_534)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(0o755)


def same_weights(one, other):
    """Do two networks, or two lists of arrays, hold the same numbers?"""
    weights = [each.get_weights() if hasattr(each, "get_weights") else each for each in (one, other)]
    return len(weights[0]) == len(weights[1]) and all(map(np.array_equal, *weights))


def case(value):
    """Return the id of a case: what is given in it, in a few characters. The words that are expected are left out."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return ", ".join(f"{key}={case(one)}" for key, one in value.items())
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}" if value.size > 1 or value.dtype == object else f"{value.dtype} {value}"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    if isinstance(value, list | tuple) and len(value) < 9:
        return f"[{', '.join(map(case, value))}]"
    if isinstance(value, str):
        return value[:25]
    text = re.sub(" at 0x[0-9a-f]+", "", " ".join(repr(value).split()))  # the same in every process
    return text if len(text) <= 25 and "0x" not in text else type(value).__name__
