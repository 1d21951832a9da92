"""One list of versions, three ways in that agree with it, and what they say meanwhile."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml
from helpers import ROOT, TOOLS
from nbformat.sign import NotebookNotary
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKED = (ROOT / "requirements.txt").read_text(encoding="utf-8")
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
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
    assert [minor for minor in range(9, 16) if f"3.{minor}.5" in pythons] == [11, 12, 13]


def test_conda_has_no_version_list_of_its_own():
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    (pip_step,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pip_step == ["-e ."]
    assert [entry.split("=")[0] for entry in plain] == ["python", "pip"]
    assert plain[0].split("=")[1] + ".5" in SpecifierSet(PROJECT["project"]["requires-python"])
    assert "nbval" in {Requirement(text).name for text in PROJECT["project"]["dependencies"]}


@pytest.mark.nightly
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


TINY = """
import zipfile
from pathlib import Path

def wheel(folder, name):
    path, info = Path(folder) / f"{name}-1-py3-none-any.whl", f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(f"{info}/RECORD", "")
    return path

def build_editable(folder, *_):
    return wheel(folder, "tiny_course").name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "tiny"
backend-path = ["."]
[project]
name = "tiny_course"
version = "1"
"""


class Course:
    """A course of twelve empty packages, which are in its folder; set up by the Makefile of the real one."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tools").mkdir()
        for name in ("Makefile", "tools/set_up.py", "tools/jupyterlab_settings.json"):
            shutil.copyfile(ROOT / name, folder / name)
        self.write("tiny.py", TINY)
        self.write("pyproject.toml", PYPROJECT)
        tiny = {}
        exec(TINY, tiny)
        parts = [tiny["wheel"](folder, f"part{number}") for number in range(12)]
        hashes = {path.name.split("-")[0]: hashlib.sha256(path.read_bytes()).hexdigest() for path in parts}
        self.locked = "".join(f"{name}==1 --hash=sha256:{digest}\n" for name, digest in hashes.items())
        self.locked += f"absent==1 ; sys_platform == 'nowhere' --hash=sha256:{'0' * 64}\n"
        self.write("requirements.txt", self.locked)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def make(self, *arguments):
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder)}
        return subprocess.Popen(
            ["make", "venv", *(arguments or [f"PYTHON={sys.executable}"])],
            cwd=self.folder, env={**os.environ, **pip}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def works(self):
        code = "import tiny_course, " + ", ".join(f"part{number}" for number in range(12))
        python = self.folder / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", code], check=False, cwd=self.folder.parent).returncode == 0


@pytest.fixture
def course(tmp_path):
    if not shutil.which("make"):
        pytest.skip("there is no make")
    (tmp_path / "tiny").mkdir()
    return Course(tmp_path / "tiny")


def test_make_venv_says_how_far_it_is_and_nothing_else(course):
    said, errors = (process := course.make()).communicate()
    assert process.returncode == 0, errors
    first, *others = said.splitlines()
    assert first.startswith("Setting up .venv with Python 3.")
    assert others[-1] == "12 of 12 packages: unpacking"  # without those of other platforms
    assert all(re.fullmatch(r"\d+ of 12 packages: (downloading .+|unpacking)", line) for line in others)
    assert len(others) <= 22
    assert errors == ""
    assert course.works()
    assert "Nothing to be done" in course.make().communicate()[0]


def test_the_notebooks_are_trusted_and_no_matter_if_they_cannot_be(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(TOOLS)
    import set_up

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    set_up.trust_notebooks()
    with NotebookNotary(data_dir=str(tmp_path / "data")) as notary:
        for folder in ("notebooks", "exercises", "exercises/solutions"):
            for path in (ROOT / folder).glob("*.ipynb"):
                assert notary.check_signature(nbformat.read(path, as_version=4)), path
    monkeypatch.setenv("JUPYTER_DATA_DIR", os.devnull)
    set_up.trust_notebooks()


def test_a_notebook_that_was_only_opened_is_unchanged_for_git(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(TOOLS)
    import set_up

    def git(*words):
        return subprocess.run(["git", "-C", tmp_path, *words], capture_output=True, text=True, check=True).stdout

    stored = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    (path := tmp_path / "opened.ipynb").write_text(stored, encoding="utf-8")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    git("init")
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    set_up.hide_python_version_from_git()
    git("add", ".")
    lexer = '"pygments_lexer": "ipython3"'
    path.write_text(stored.replace(lexer, f'{lexer},\n   "version": "3.12.9"'), encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["language_info"]["version"] == "3.12.9"
    assert git("diff") == ""
    path.write_text(stored.replace("Start here", "Begin here"), encoding="utf-8")
    assert "Begin here" in git("diff")


@pytest.mark.nightly
def test_what_cannot_be_installed_is_said_in_full_and_tried_again(course):
    course.write("requirements.txt", course.locked.replace("part3==1", "part3==2"))
    _, errors = (process := course.make()).communicate()
    assert process.returncode
    assert "ERROR: No matching distribution found for part3==2" in errors
    assert "Setting up .venv failed: see above." in errors
    assert "Traceback" not in errors
    course.write("requirements.txt", course.locked)
    course.make().communicate()
    assert course.works()


@pytest.mark.parametrize(
    "python", ["/no/such/python", "ls", "", "a folder/python"], ids=["missing", "another program", "none", "a folder"]
)
def test_a_python_that_does_not_suit_is_named_before_anything_is_installed(course, python):
    said, errors = (process := course.make(f"PYTHON={python}")).communicate()
    assert process.returncode
    assert said == ""
    assert "The course needs Python 3.11, 3.12 or 3.13, and" in errors
    assert (f'"{python}" is none of them' if python else "none was found") in errors
    assert not (course.folder / ".venv").exists()


@pytest.mark.nightly
def test_two_at_once_leave_an_environment_that_works(course):
    both = [course.make(), course.make()]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert course.works()
    assert sum("Setting up .venv" in out for out, _ in said) == 1


@pytest.mark.nightly
def test_the_second_says_that_it_waits(course):
    with (course.folder / "tools" / "set_up.py").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = course.make()
        assert process.stdout.readline() == "Somebody else is setting up .venv just now: waiting for them.\n"
        assert not (course.folder / ".venv").exists()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert course.works()


@pytest.mark.nightly
def test_one_that_was_killed_or_stopped_hinders_nobody(course):
    for number, ending in enumerate((signal.SIGKILL, signal.SIGINT)):
        process = course.make()
        process.stdout.readline()
        os.killpg(process.pid, ending)
        _, errors = process.communicate()
        assert process.returncode
        assert ("Stopped. The next call begins anew." in errors) == bool(number)
        assert "Traceback" not in errors
    _, errors = (process := course.make()).communicate()
    assert process.returncode == 0, errors
    assert course.works()


def test_as_root_jupyterlab_is_allowed_whatever_else_is_asked(course):
    course.make().communicate()
    course.write("id", "#!/bin/sh\necho 0\n")
    (course.folder / "id").chmod(0o755)
    as_root = {**os.environ, "PATH": f"{course.folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "--dry-run", "lab", "LAB_OPTIONS=--no-browser"]
    said = subprocess.run(command, cwd=course.folder, env=as_root, capture_output=True, text=True, check=True).stdout
    assert "jupyter lab --allow-root --no-browser " in said


CLAIM = """
import pathlib, sys
import course_utils

usual, encoding = pathlib.Path.open, ""

def as_on_windows(self, mode="r", buffering=-1, encoding_asked=None, errors=None, newline=None, **named):
    asked = named.get("encoding", encoding_asked)
    if "b" not in mode and asked in (None, "locale"):
        asked = encoding
    return usual(self, mode, buffering, asked, errors, newline)

pathlib.Path.open = as_on_windows
course_utils.notebook.RESULTS = pathlib.Path(sys.argv[1])
for encoding in ("gbk", "cp949", "cp950", "cp1252", "ascii"):
    share = course_utils.stored_result("one")["gr\\xf6\\xdfer \\u2713"]
    course_utils.claim("share of the pixels that hold any ink", share, 0.17, 0.22)
"""


@pytest.mark.parametrize("console", ["utf-8", "gbk", "ascii"])
def test_a_claim_and_a_result_need_no_machine_that_reads_or_writes_utf_8(tmp_path, console):
    """Files as Windows reads them in China, Korea, Taiwan or Europe, and a Linux without any language."""
    result = '{"runs": [{"values": {"größer ✓": 0.193}}]}'
    (tmp_path / "one.json").write_text(result, encoding="utf-8")
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": console}
    command = [sys.executable, "-c", CLAIM, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, encoding=console, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("share of the pixels that hold any ink") == 5
