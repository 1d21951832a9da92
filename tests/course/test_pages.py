"""Each notebook as one HTML file: whole without a network."""

from html.parser import HTMLParser

from tools.make_pages import page_of

import nbformat
import pytest
from helpers import ROOT

PATHS = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted((ROOT / "exercises" / "solutions").glob("*.ipynb"))]
NAMES = {f"{path.stem}.html" for path in PATHS}
NO_TEXT = {"style", "math", "pre", "code"}


class Seen(HTMLParser):
    """What a page holds."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open += [tag] * (tag in NO_TEXT)

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[self.open.index(tag) :]

    def handle_data(self, text):
        self.text += text if not self.open else ""

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_page_is_whole_by_itself(path):
    page = Seen(page_of(path))
    notebook = nbformat.read(path, as_version=4)
    stored = sum(
        "image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())
    )
    pictures = page.all("img")
    assert len(pictures) == stored + sum(
        cell.source.count("![") for cell in notebook.cells if cell.cell_type == "markdown"
    )
    for picture in pictures:
        assert picture["src"].startswith("data:image/")
        assert len(picture["alt"]) > 10
        assert "No description" not in picture["alt"]
    assert not page.all("script")
    assert not page.all("link")
    assert "$" not in page.text
    for link in page.all("a"):
        assert link["href"].startswith(("#", "https://")) or link["href"] in NAMES


def test_formulas_are_shown_without_a_script():
    page = Seen(page_of(ROOT / "notebooks" / "01_linear_model.ipynb"))
    formulas = page.all("math")
    assert sum(formula["display"] == "block" for formula in formulas) >= 5
    assert sum(formula["display"] == "inline" for formula in formulas) >= 5
    assert len(page.all("msub")) > 10
