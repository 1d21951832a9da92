"""Writes results/: numbers with what they were measured on, and the pretrained networks."""

import hashlib
import json
import os
import platform
import re
import subprocess
import zipfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from course_utils import notebook
from course_utils.models import copy_network
from course_utils.notebook import read_json, read_network, replacing, write_json

import keras
import numpy as np


def machine() -> dict[str, Any]:
    """Return what else may change a number: cores and versions."""
    packages = {package: version(package) for package in ("tensorflow", "keras", "numpy")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), **packages}


def commit() -> str:
    """Return the commit of the code that measures, with a + where files were changed since."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return asked.stdout.strip() or "unknown"


def measured_run(values: dict[str, Any], seed: int = 0, **about: Any) -> dict[str, Any]:
    """Return an entry of a result: what was measured with one seed, when, with which code and on what."""
    return {
        "seed": seed, "commit": commit(), "date": f"{date.today()}", **about, **machine(), "values": values,
    }  # fmt: skip


def keep_result(name: str, what: str, made_by: str, runs: list[dict[str, Any]]) -> None:
    """Write a result to results/: what it is, what made it, and a run for each seed."""
    write_json(notebook.RESULTS / f"{name}.json", {"what": what, "made_by": made_by, "runs": runs})


def keep_pretrained_network(network: keras.Model, name: str) -> None:
    """Write a network and its hash to results/networks/, for `pretrained_network`. Its optimiser is left behind."""
    path, hashes_file = notebook.PRETRAINED / f"{name}.keras", notebook.HASHES
    pretrained = copy_network(network)
    pretrained.optimizer, pretrained.compiled = None, False
    hashes = read_json(hashes_file) if hashes_file.exists() else {}
    if not _are_equal(read_network(path), pretrained):  # files of equal networks differ in their dates
        with replacing(path) as new:
            pretrained.save(new)
            _without_initializers(new)
    hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(hashes_file, dict(sorted(hashes.items())))


def _without_initializers(path: Path) -> None:
    """Rewrite a saved network without what a trained one no longer needs: older versions of Keras do not know it."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["config.json"] = json.dumps(json.loads(parts["config.json"], object_hook=_shortened)).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(zipfile.ZipInfo(name), content)  # a fixed date


def _shortened(part: dict[str, Any]) -> dict[str, Any]:
    """Leave out of one layer's settings what is not set, and what only matters before training."""
    config = part.get("config")
    if "class_name" in part and config:
        part["config"] = {
            name: value
            for name, value in config.items()
            if value is not None and not name.endswith("_initializer") and not name.startswith("renorm")
        }
    return part


def _are_equal(one: keras.Model | None, other: keras.Model) -> bool:
    """Have two networks the same layers, but for the names that Keras counts up, and the same weights?"""
    if one is None:
        return False
    layers, others = (re.sub(r'_\d+"', '"', network.to_json()) for network in (one, other))
    weights, other_weights = one.get_weights(), other.get_weights()
    return layers == others and all(map(np.array_equal, weights, other_weights))
