"""Every number in the text is held by an output beside it, names its source in a mark, or comes from `make readme`.

A share or a time in a Markdown cell must be printed, as precisely as it is written, by a code cell near it: there
`claim` or a check watches over it. A line with numbers that were not measured here ends in <!-- source: … -->, which
a reader does not see.
"""

import copy
import re

import nbformat
import pytest
from helpers import ROOT

PATHS = [
    *sorted((ROOT / "notebooks").glob("**/*.ipynb")),
    *sorted((ROOT / "exercises" / "solutions").glob("*.ipynb")),
]
NEAR = 10  # cells, before and after
NUMBER = r"(\d+(?:,\d{3})*(?:\.\d+)?)"
SHARES = re.compile(rf"(?:{NUMBER} (?:to|and|–) )?{NUMBER} ?%")
TIMES = re.compile(rf"(?:{NUMBER} (?:to|and|–) )?{NUMBER} (?:s|seconds?|minutes?|hours?)\b")
DEFINED = {("s", "3,600")}  # seconds in an hour: nobody measures these
MARK = re.compile(r"<!-- source: .+? -->")
OPENING = re.compile(
    r"^\*(Time|Difficulty|Last run)"
)  # its minutes are held by tests of their own, or are the reader's


def numbers_in(text):
    """Return what is written as a share or a time, as (kind, digits)."""
    for kind, pattern in (("%", SHARES), ("s", TIMES)):
        for found in pattern.finditer(text):
            yield from ((kind, digits) for digits in found.groups() if digits)


def value(digits):
    return float(digits.replace(",", ""))


def printed(cells):
    """Return all shares and times that code cells have printed, or that a figure's text says in its code."""
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    return [(kind, value(digits)) for text in texts for kind, digits in numbers_in(text)]


def is_held(kind, digits, found):
    """Is there an output that rounds to what is written?"""
    half = 0.5 * 10 ** -len(digits.partition(".")[2])
    return (kind, digits) in DEFINED or any(
        kind == other and abs(there - value(digits)) <= half + 1e-9 for other, there in found
    )


def loose_numbers(notebook):
    """Return every number in the text that nothing holds."""
    loose = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        found = printed(notebook.cells[max(0, place - NEAR) : place + NEAR + 1])
        for line in cell.source.splitlines():
            if not MARK.search(line) and not OPENING.match(line):
                loose += [
                    f"cell {place}: {digits} {kind}"
                    for kind, digits in numbers_in(line)
                    if not is_held(kind, digits, found)
                ]
    return loose


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_number_in_the_text_is_held_by_an_output_or_names_its_source(path):
    assert loose_numbers(nbformat.read(path, as_version=4)) == []


def test_a_number_that_was_changed_is_found():
    notebook = nbformat.read(ROOT / "notebooks" / "02_convolutional_network.ipynb", as_version=4)
    changed = copy.deepcopy(notebook)
    cell = next(cell for cell in changed.cells if cell.cell_type == "markdown" and "95 %" in cell.source)
    cell.source = cell.source.replace("95 %", "85 %")
    assert loose_numbers(notebook) == []
    assert loose_numbers(changed) == [f"cell {changed.cells.index(cell)}: 85 %"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("it took 12.5 seconds, and 95 % fell", [("%", "95"), ("s", "12.5")]),
        ("78 to 94 % in 3 minutes", [("%", "78"), ("%", "94"), ("s", "3")]),
        ("1,200 to 3,600 seconds", [("s", "1,200"), ("s", "3,600")]),
        ("images that are not 3s, at 0.35, in 20 steps", []),
    ],
)
def test_shares_and_times_are_recognised(text, numbers):
    assert list(numbers_in(text)) == numbers


def test_the_readme_has_only_numbers_that_were_generated():
    text = re.sub(
        r"<!-- (.+?): made by make readme -->.*?<!-- end of \1 -->",
        "",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    loose = [number for line in text.splitlines() if not MARK.search(line) for number in numbers_in(line)]
    assert loose == []
