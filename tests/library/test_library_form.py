"""What the library is as a whole: small functions, an import without a word, and remedies where it does not fit."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import course_utils

import pytest

LIBRARY = Path(course_utils.__file__).parent


def lengths():
    """The lines of every function, without its docstring, and its name: the shortest first."""
    found = []
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node, clean=False)
                length = node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
                found.append((length, f"{path.stem}.{node.name}"))
    return sorted(found)


def test_functions_stay_small():
    found = lengths()
    assert len(found) > 200
    assert median(length for length, _ in found) <= 10
    assert found[int(0.9 * len(found))][0] <= 25
    assert found[-1][0] <= 50, found[-1]


def import_with(code="import course_utils, keras; print(keras.config.backend())", **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_it_imports_without_a_word():
    done = import_with()
    assert (done.stdout, done.stderr) == ("tensorflow\n", "")


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
    for part in (setting, value, wanted):
        assert part in said
    assert found == f"{wanted} (None, 10) float32"


@pytest.mark.parametrize("version", ["2.19.0", "2.21.1", "3.0.0rc1"])
def test_versions_that_are_new_enough_will_do(version):
    course_utils._check_version("tensorflow", version, "2.19")


@pytest.mark.parametrize("version", ["2.18.9", "1.99", "2.9.0"])
def test_versions_that_are_too_old_are_named(version):
    with pytest.raises(ImportError, match=rf"needs tensorflow 2.19 or newer, but here is {version}"):
        course_utils._check_version("tensorflow", version, "2.19")
