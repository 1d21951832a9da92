"""Make one HTML file of each notebook, whole by itself: to be read, sent on or printed without a network.

    make pages

build/pages holds them. Pictures are in the file; formulas are MathML, which browsers show without a script.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

PAGES = Path(__file__).parent.parent / "build" / "pages"
# Code is kept as it is; so is a dollar that stands alone.
CODE_OR_FORMULA = re.compile(r"(```.*?```|`[^`]*`)|(\$\$?)(.+?)\2", re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)(?:[\w./]*/)?(\w+)(\.\w+)?\)")
SCRIPT = re.compile(r"[ \t]*<script\b.*?</script>\n?", re.DOTALL)


class WholeByItself(Preprocessor):
    """Keeps the formulas, which nbconvert leaves to a script, and the alt texts of pictures, which it drops."""

    def __init__(self) -> None:
        super().__init__(enabled=True)
        self.formulas: list[str] = []

    def preprocess(self, notebook: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:  # type: ignore[type-arg]
        """Return a notebook as a browser can show it."""
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                text = CODE_OR_FORMULA.sub(self.kept, cell.source)
                cell.source = LINK.sub(lambda to: f"[{to[1]}]({to[2]}.html)" if to[3] == ".ipynb" else to[1], text)
            for output in cell.get("outputs", ()):
                if picture := output.get("data", {}).get("image/png"):
                    alt = html.escape(output.metadata["image/png"]["alt"])
                    output.data = {"text/html": f'<img alt="{alt}" src="data:image/png;base64,{picture.strip()}">'}
        return notebook, resources

    def kept(self, found: re.Match[str]) -> str:
        """Return code as it is, and for a formula its mark."""
        if not found[2]:
            return found[0]
        self.formulas.append(convert(found[3].strip(), display="block" if found[2] == "$$" else "inline"))
        return f"\ue000{len(self.formulas) - 1}\ue001"

    def put_in(self, page: str) -> str:
        """Return the page with its formulas, and without scripts from the web: for formulas, widgets, diagrams."""
        return re.sub("\ue000(\\d+)\ue001", lambda mark: self.formulas[int(mark[1])], SCRIPT.sub("", page))


def page_of(path: Path) -> str:
    """Return the HTML of a stored notebook."""
    whole = WholeByItself()
    exporter = HTMLExporter(embed_images=True)
    exporter.register_preprocessor(whole)
    return whole.put_in(exporter.from_filename(str(path))[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make one HTML file of each notebook.")
    parser.add_argument("notebooks", type=Path, nargs="+")
    PAGES.mkdir(parents=True, exist_ok=True)
    for path in parser.parse_args().notebooks:
        place = PAGES / f"{path.stem}.html"
        place.write_text(page_of(path), encoding="utf-8", newline="\n")
        print(place)
