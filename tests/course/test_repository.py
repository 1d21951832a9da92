"""What holds for all files together: links lead somewhere, and nothing is in there that must not be."""

import importlib.util
import json
import re
import subprocess
import zipfile

import pytest
from helpers import ROOT
from PIL import Image

TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).exists()
]
TEXTS = {path: path.read_text(encoding="utf-8") for path in TRACKED if path.suffix not in {".png", ".keras"}}
# Written so that this file does not find itself.
MACHINE_PATHS = re.compile(r"/(?:home|root|Users)/[a-z]|/(?:work|farm)/|/tmp" + r"/[a-z]", re.IGNORECASE)


def prose(path):
    if path.suffix == ".ipynb":
        cells = json.loads(TEXTS[path])["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return TEXTS[path]


@pytest.mark.parametrize(
    "path", [path for path in TRACKED if path.suffix in {".md", ".ipynb"}], ids=lambda path: path.name
)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (path.parent / target.split("#")[0]).exists(), target


@pytest.mark.parametrize(
    ("folder", "file"),
    [("notebooks", "README.md"), ("notebooks", "notebooks/00_start_here.ipynb"), ("exercises", "README.md")],
)
def test_every_notebook_and_exercise_has_a_row(folder, file):
    text, notebooks = prose(ROOT / file), sorted((ROOT / folder).glob("[0-9]*.ipynb"))
    missing = [path.name for path in notebooks if path != ROOT / file and f"{path.name})" not in text]
    assert not missing, f"enter {', '.join(missing)} into the table of {file}"


def test_every_exercise_has_tests():
    tests = "".join(TEXTS[path] for path in (ROOT / "tests" / "exercises").glob("*.py"))
    modules = sorted((ROOT / "course_utils" / "exercises").glob("ex[0-9]*.py"))
    missing = [
        path.stem for path in modules if f"exercises.{path.stem}" not in tests and f" {path.stem}" not in tests
    ]
    assert not missing, f"write tests/exercises/test_….py for {', '.join(missing)}: what is reached, and what is not"


def test_no_path_of_one_machine():
    found = {path.name for path, text in TEXTS.items() if MACHINE_PATHS.search(text.replace("~/", ""))}
    assert found == set()


def test_every_name_is_one_that_windows_can_hold():
    names = [path.relative_to(ROOT).as_posix() for path in TRACKED]
    assert len({name.casefold() for name in names}) == len(names)
    for part in {part for name in names for part in name.split("/")}:
        assert not re.search(r'[<>:"\\|?*]|[. ]$', part), part
        assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part, re.IGNORECASE), part


def test_no_checkout_turns_a_line_end():
    kinds = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for line in kinds.splitlines():
        _, _, wanted = line.split("\t")[0].split(maxsplit=2)
        assert wanted.strip() == ("attr/-text" if line.endswith((".png", ".keras")) else "attr/text=auto eol=lf"), (
            line
        )
    assert not [path for path, text in TEXTS.items() if "\r" in text]


def test_the_shared_data_are_named_in_one_place_only():
    place = "../" + "shared"
    assert {path.relative_to(ROOT).as_posix() for path, text in TEXTS.items() if place in text} <= {".ci/run"}


def test_it_stays_small():
    sizes = {path: path.stat().st_size for path in TRACKED}
    assert sum(sizes.values()) < 30e6
    assert max(sizes.values()) < 1.5e6, max(sizes, key=sizes.get)


def test_the_networks_name_nothing_that_older_versions_of_keras_do_not_know():
    """Colab has Keras 3.10, and an initializer of 3.15 has arguments that it refuses."""
    networks = [path for path in TRACKED if path.suffix == ".keras"]
    assert networks
    for path in networks:
        with zipfile.ZipFile(path) as file:
            config = file.read("config.json").decode()
        assert not re.search(r'_initializer"|"renorm|"quantization', config), path.name


def test_no_data_files():
    assert not [path for path in TRACKED if path.suffix in {".npz", ".h5", ".npy", ".pkl", ".jpg"}]


@pytest.fixture(scope="module")
def make_readme():
    spec = importlib.util.spec_from_file_location("make_readme", ROOT / "tools" / "make_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_readme_say_what_was_measured(make_readme):
    text = make_readme.README.read_text(encoding="utf-8")
    for name, table in make_readme.TABLES.items():
        assert f"<!-- {name}: made by make readme -->\n{table()}<!-- end of {name} -->" in text


def test_the_picture_of_the_readme_shows_what_was_measured(make_readme):
    with Image.open(make_readme.IMMUNITY) as picture:
        assert picture.text["Description"] == make_readme.fingerprint(make_readme.immunity_numbers())


def test_another_number_would_need_another_picture(make_readme):
    numbers = make_readme.immunity_numbers()
    before = make_readme.fingerprint(numbers)
    numbers["plain"]["universal"][0] += 0.001
    assert make_readme.fingerprint(numbers) != before
