"""One list of versions, and three ways in that agree with it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = (ROOT / "requirements.txt").read_text()
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
WANTED = [Requirement(text) for text in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]]


def locked_versions(name):
    return re.findall(rf"^{re.escape(name)}==([^ ;\\]+)", LOCKED, re.MULTILINE | re.IGNORECASE)


@pytest.mark.parametrize("requirement", WANTED, ids=lambda requirement: requirement.name)
def test_what_is_locked_lies_in_the_range_of_pyproject(requirement):
    versions = locked_versions(requirement.name)
    assert versions, "not in requirements.txt: run make lock"
    assert all(version in requirement.specifier for version in versions), "run make lock"


def test_the_lock_has_hashes_and_no_address():
    entries = re.split(r"\n(?=[a-z0-9])", LOCKED.strip(), flags=re.IGNORECASE)
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    for address in ("://", "index-url", "find-links", "trusted-host"):
        assert address not in LOCKED


def test_the_promised_versions():
    for name, version in {"tensorflow": "2.21", "keras": "3.15", "jupyterlab": "4.6", "ipywidgets": "8"}.items():
        assert all(found.startswith(version + ".") for found in locked_versions(name))
    pythons = SpecifierSet(PROJECT["project"]["requires-python"])
    assert [minor for minor in range(9, 16) if f"3.{minor}.5" in pythons] == [11, 12]


def test_conda_has_no_version_list_of_its_own():
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    (pip_step,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pip_step == ["-e ."]
    assert [entry.split("=")[0] for entry in plain] == ["python", "pip"]
    assert plain[0].split("=")[1] + ".5" in SpecifierSet(PROJECT["project"]["requires-python"])
    assert "nbval" in {Requirement(text).name for text in PROJECT["project"]["dependencies"]}


def test_what_conda_does_with_pip_gives_a_course_that_runs(tmp_path):
    """In an empty environment: `pip install -e .` in the folder of environment.yml, then notebook 00."""
    course, environment = tmp_path / "course", tmp_path / "environment"
    shutil.copytree(ROOT, course, ignore=shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "tests"))
    run([sys.executable, "-m", "venv", str(environment)], course)
    python = environment / "bin" / "python"
    (pip_step,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    run([str(python), "-m", "pip", "install", "--quiet", *pip_step[0].split()], course)
    run(
        [str(python), "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=300", "notebooks/00_start_here.ipynb"],
        course,
    )


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]


def test_without_a_browser_its_tests_are_left_out_and_that_is_said():
    tests = [sys.executable, "-m", "pytest", "-rs", "--quiet", "-p", "no:cacheprovider", "tests/test_browser.py"]
    nowhere = {**os.environ, "PATH": str(ROOT / "no" / "such" / "folder")}
    done = subprocess.run(tests, cwd=ROOT, env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "the browser tests were left out: no Chromium was found (apt install chromium)" in done.stdout
