"""The floors of the library, the size of what stands on them, and docstrings that say what a reader needs."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import course_utils

import pytest

LIBRARY = Path(course_utils.__file__).parent


def module_name(path):
    name = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
    return name.removesuffix(".__init__")


TREES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(LIBRARY.rglob("*.py"))}
# From the lowest floor to the highest: a module knows of lower ones only.
FLOORS = [
    *("gradients", "checks", "data", "cifar", "photographs", "networks", "noise", "search", "evaluation", "attacks"),
    *("training", "immunity", "certificates"),
    *("stored", "results", "colour", "imagenet", "plots"),
    *("lab.engine", "lab.still", "lab.widget", "lab"),
    *("feedback", "scoreboard", "questions"),
    *("questions_noise", "questions_immunity", "questions_networks", "questions_cifar", "questions_imagenet"),
    "questions_explain",
    "__init__",
]
RETURNED = {"Dataset", "Split", "NoiseReport", "AttackReport", "NoiseLab"}  # by functions


def known_modules(tree):
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {module.removeprefix("course_utils.") for module in found if module.startswith("course_utils.")}


def functions():
    for stem, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{stem}.{node.name}", node


def length(function):
    """Lines of code, without the docstring."""
    doc = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - (len(doc.splitlines()) if doc else 0)


def test_every_module_has_its_floor_and_knows_of_lower_ones_only():
    assert set(TREES) == set(FLOORS)
    for stem, tree in TREES.items():
        allowed = set(FLOORS[: FLOORS.index(stem)])
        assert known_modules(tree) <= allowed, stem
    assert known_modules(TREES["evaluation"]) == {"checks", "gradients", "noise"}


def test_functions_stay_small():
    lengths = {name: length(node) for name, node in functions()}
    assert median(lengths.values()) <= 10
    assert sorted(lengths.values())[int(0.9 * len(lengths))] <= 25
    assert max(lengths.values()) <= 50, max(lengths, key=lengths.get)


@pytest.mark.parametrize("name", course_utils.__all__)
def test_a_public_docstring_says_where_it_is_explained(name):
    thing = getattr(course_utils, name)
    doc = inspect.getdoc(thing)
    if name in RETURNED:
        assert "Attributes:" in doc
        return
    assert re.search(r"Explained in (notebook|exercise) \d\d", doc)
    parameters = inspect.signature(thing).parameters.values()
    arguments = [one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]
    assert all(re.search(rf"^ *(.*, )?{argument}(,.*)?: ", doc, re.MULTILINE) for argument in arguments), arguments
    if inspect.isfunction(thing) and inspect.signature(thing).return_annotation is not None:
        assert "Returns:" in doc


def test_a_public_name_is_used_by_the_course():
    root = LIBRARY.parent
    paths = [*root.glob("notebooks/*.ipynb"), *root.glob("exercises/*.ipynb")]
    notebooks = " ".join(path.read_text(encoding="utf-8") for path in paths)
    assert {name for name in course_utils.__all__ if name not in notebooks} <= RETURNED


def import_with(code="import course_utils, keras; print(keras.config.backend())", **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_it_imports_without_a_word():
    done = import_with()
    assert done.stdout == "tensorflow\n"
    assert done.stderr == ""


def test_another_backend_is_refused_with_the_remedy():
    done = import_with(KERAS_BACKEND="numpy")
    assert done.returncode != 0
    assert "KERAS_BACKEND to 'tensorflow'" in done.stderr


def test_a_configuration_file_that_names_another_backend_does_no_harm(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "numpy"}', encoding="utf-8")
    assert import_with(KERAS_HOME=str(tmp_path)).stdout == "tensorflow\n"


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [("image_data_format", "channels_first", "channels_last"), ("floatx", "float16", "float32")],
)
def test_formats_of_an_older_project_are_put_right_and_that_is_said(tmp_path, setting, value, wanted):
    (tmp_path / "keras.json").write_text(json.dumps({setting: value}), encoding="utf-8")
    code = (
        "import course_utils, keras; network = course_utils.convolutional_network(); "
        f"print(keras.config.{setting}(), network.output_shape, network.dtype)"
    )
    done = import_with(code, KERAS_HOME=str(tmp_path))
    said, found = done.stdout.splitlines()
    assert said == (f"Keras is set to {setting} = {value}; the course needs {wanted} and uses it in this process.")
    assert found == f"{wanted} (None, 10) float32"


@pytest.mark.parametrize(
    ("version", "fits"), [("2.19.0", True), ("2.21.1", True), ("3.0.0rc1", True), ("2.18.9", False)]
)
def test_versions_that_are_too_old_are_named(version, fits):
    if fits:
        course_utils._check_version("tensorflow", version, "2.19")
        return
    with pytest.raises(ImportError, match=r"needs tensorflow 2.19 or newer, but here is 2.18.9"):
        course_utils._check_version("tensorflow", version, "2.19")
