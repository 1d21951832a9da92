"""Keep the translations in step with the English text, and make the translated notebooks and exercises from them.

    make translations

A catalogue in translations/LANGUAGE/LC_MESSAGES/ holds one message for each Markdown cell, paragraph or label. Where
the English has changed, the old translation stays, marked as fuzzy, with the old English beside it. What is made from
the catalogues lies beside them, with the same code, outputs and names of cells, and is not kept in git.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbformat
from babel import Locale
from babel.dates import format_date
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from make_exercises import keep_unless_worked_in
from make_exercises import main as make_exercises
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
TRANSLATIONS = ROOT / "translations"
WORDS = ROOT / "course_utils" / "lab" / "words" / "en.json"
PAGES = sorted((ROOT / "book" / "pages").glob("*.md"))
TRIED = ROOT / "results" / "README.md"
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("exercises/solutions/*.ipynb"))
LAST_RUN = "*Last run* on {date} with {versions}, on {cores} cores."
FOUND_LAST_RUN = re.compile(r"\*Last run\* on (.*) with (Python .*), on (\d+) cores\.")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)")


def catalogue_of(path: Path) -> str:
    """Name the catalogue of a file: an exercise and a notebook may have the same number."""
    before = {"solutions": "exercise_", "pages": "book_", "results": "results_"}
    return before.get(path.parent.name, "") + path.stem.lower()


def messages(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield what is to be translated of a file, each with a context where the text alone may be ambiguous."""
    if path.suffix == ".json":
        yield from ((text, name) for name, text in json.loads(path.read_text(encoding="utf-8")).items())
    elif path.suffix == ".md":
        yield from ((text, None) for text in blocks(path) if re.search("[A-Za-z]{2}", without_code(text)))
    else:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        yield from ((FOUND_LAST_RUN.sub(LAST_RUN, cell.source), None) for cell in cells)


def blocks(path: Path) -> list[str]:
    """Return the paragraphs of a Markdown file; a block of code is one of them."""
    return re.split(r"\n\n(?=(?:[^`]|`(?!``)|```[^`]*```)*\Z)", path.read_text(encoding="utf-8").rstrip("\n"))


def without_code(text: str) -> str:
    """Return a text without its blocks of code and its comments, in which there is nothing to translate."""
    return re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)


class Language:
    """One language: its catalogues, and what is made from them."""

    def __init__(self, code: str) -> None:
        self.code, self.folder = code, TRANSLATIONS / code

    def place(self, path: Path) -> Path:
        """Return where the catalogue of a file is kept."""
        return self.folder / "LC_MESSAGES" / f"{catalogue_of(path)}.po"

    def read(self, path: Path) -> Catalog:
        """Return the catalogue of a file as it is, empty where there is none."""
        if not self.place(path).exists():
            return Catalog(locale=self.code)
        with self.place(path).open("rb") as file:
            return read_po(file, locale=self.code)

    def update(self, path: Path) -> Catalog:
        """Bring the catalogue of a file up to date with the English, write it, and return it."""
        template, catalogue = Catalog(), self.read(path)
        for text, context in messages(path):
            template.add(text, context=context)
        catalogue.update(template, update_creation_date=False)
        catalogue.obsolete.clear()
        for message in catalogue:  # Babel writes the old English, but cannot read it again
            if message.previous_id and not message.user_comments:
                message.user_comments = ["The English was: " + " ".join(message.previous_id[0].split())]
            elif not message.fuzzy:
                message.user_comments = []
        with self.place(path).open("wb") as file:
            write_po(file, catalogue, width=0, omit_header=True)
        return catalogue

    def text(self, catalogue: Catalog, text: str, context: str | None = None) -> str:
        """Return the translation of a text, or the text itself where there is none that can be trusted."""
        message = catalogue.get(text, context)
        return message.string if message and message.string and not message.fuzzy else text

    def notebook(self, path: Path, catalogue: Catalog) -> NotebookNode:
        """Return the translated notebook; its links are those of the English one."""
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                text = self.text(catalogue, FOUND_LAST_RUN.sub(LAST_RUN, cell.source))
                if found := FOUND_LAST_RUN.search(cell.source):
                    date = format_date(datetime.strptime(found[1], "%d %B %Y"), "long", Locale(self.code))
                    text = text.format(date=date, versions=found[2], cores=found[3])
                cell.source = text
        return notebook

    def page(self, path: Path, catalogue: Catalog) -> str:
        """Return a translated page of Markdown; its links are those of the English one."""
        return "\n\n".join(self.text(catalogue, block) for block in blocks(path)) + "\n"

    def make_notebook(self, path: Path, catalogue: Catalog) -> bool:
        """Make the translated notebook, unless somebody has worked in the one that is there; tell whether it was."""
        notebook, new = self.notebook(path, catalogue), self.folder / path.relative_to(ROOT)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.with_links(cell.source, path, new)
        return keep_unless_worked_in(notebook, new)

    def make_page(self, path: Path, catalogue: Catalog) -> None:
        """Make the translated page, beside the English one."""
        new = path.with_suffix(f".{self.code}.md")
        text = self.with_links(self.page(path, catalogue), path, new)
        new.write_text(text, encoding="utf-8", newline="\n")

    def make_words(self, path: Path, catalogue: Catalog) -> None:
        """Make the translated words of the noise lab, beside the English ones."""
        words = {name: self.text(catalogue, text, name) for text, name in messages(path) if name}
        text = json.dumps(words, indent=2, ensure_ascii=False)
        path.with_stem(self.code).write_text(text + "\n", encoding="utf-8", newline="\n")

    def with_links(self, text: str, path: Path, new: Path) -> str:
        """Return a text in which each link leads from the new file to where it led from the old one."""

        def link(found: re.Match[str]) -> str:
            target = Path(os.path.normpath(path.parent / found[1]))
            exercise = target.parent.name == "exercises" and target.suffix == ".ipynb"
            if new.suffix == ".ipynb" and (target in NOTEBOOKS or exercise):
                target = self.folder / target.relative_to(ROOT)
            return f"]({Path(os.path.relpath(target, new.parent)).as_posix()}"

        return LINK.sub(link, text)


def main() -> None:
    """Update all catalogues, and make all that is made from them."""
    left: list[str] = []
    for folder in sorted(TRANSLATIONS.iterdir()):
        language = Language(folder.name)
        language.make_words(WORDS, language.update(WORDS))
        language.make_page(ROOT / "README.md", language.update(ROOT / "README.md"))
        for path in (*PAGES, TRIED):
            language.update(path)
        for path in NOTEBOOKS:
            if not language.make_notebook(path, language.update(path)):
                left.append(path.name)
        left += make_exercises(folder / "exercises")
    if left:
        sys.exit(f"Somebody has worked in {', '.join(left)}: left as is. Move it away and call it again.")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
