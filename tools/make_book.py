"""Build the book from the stored notebooks, in every language, with Sphinx: build/book/LANGUAGE/index.html.

    make book

No notebook is run. What Sphinx reads is laid out in a folder first, as it is in the repository; but an exercise holds
its hints and its solution there, folded. Beside it stands the lab on a page of its own.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import ast
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path

from translations import NOTEBOOKS, PAGES, TRANSLATIONS, Language

import make_lab_page
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from sphinx.cmd.build import build_main

ROOT = Path(__file__).parent.parent
BOOK, BUILT = ROOT / "book", ROOT / "build" / "book"
WORDS = json.loads((BOOK / "words.json").read_text(encoding="utf-8"))
START = NOTEBOOKS[0]
GLOSSARY = "## Our words, and the field's"
PUT_HERE = re.compile(r"<!-- put here (.*?)(?:: (.*?))? -->")
COMMENT = re.compile(r"[ \t]*<!--.*?-->", re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
# What else the texts link to, and where that stands in the book.
IN_THE_BOOK = {"results": "tried.md", "results/README.md": "tried.md", "course_utils": "reference.md"}
# Where no word becomes a link: headings, tables, code, formulas, links, HTML.
NO_PROSE = re.compile(
    r"(^#.*?$|^\|.*?$|```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|!?\[[^\]]*\]\([^)]*\)|<[^>]*>)",
    re.DOTALL | re.MULTILINE,
)
# Beside what `from course_utils import …` gives.
OF_THE_EXERCISES = {"exercises": ["questions", "attacked", "Scoreboard"], "exercises.core": ["Question"]}
FRONT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<body style="font: 1.3em sans-serif; margin: 3em; color-scheme: light dark">
<h1 style="font-size: 1.2em">{title}</h1>
{links}
"""


class Edition:
    """The book in one language."""

    def __init__(self, code: str, folder: Path) -> None:
        self.words, self.source = WORDS[code], folder / "source" / code
        self.language = Language(code) if (TRANSLATIONS / code).exists() else None  # none for English
        self.notebooks = {path: self.notebook(path) for path in NOTEBOOKS}

    def notebook(self, path: Path) -> NotebookNode:
        """Return a notebook in this language."""
        return self.language.notebook(path, self.language.read(path)) if self.language else nbformat.read(path, 4)

    def page(self, path: Path) -> str:
        """Return a page of Markdown in this language."""
        return self.language.page(path, self.language.read(path)) if self.language else path.read_text("utf-8")

    def lay_out(self) -> None:
        """Write all that Sphinx reads."""
        for path in PAGES:
            text, *put = PUT_HERE.split(self.page(path))
            text = self.relinked(text, path)
            for what, heading, more in zip(put[::3], put[1::3], put[2::3], strict=True):
                text += self.put(what, heading) + self.relinked(more, path)
            contents = "".join(self.contents()) if path.stem == "index" else ""
            self.write(f"{path.stem}.md", f"{re.sub(r'^##', '#', text.strip())}\n{contents}")
        for path, notebook in self.notebooks.items():
            solved, named = path.parent.name == "solutions", set()
            cells = list(self.folded(notebook.cells)) if solved else notebook.cells
            for cell in cells:
                if cell.cell_type == "markdown":
                    cell.source = self.with_terms(self.relinked(cell.source, path), named)
                elif "predict(..." in cell.source:
                    cell.outputs = []  # that there is no prediction yet
            notebook.cells = cells
            self.write(in_the_book(path), nbformat.writes(notebook))

    def write(self, page: str, text: str) -> None:
        """Write one file for Sphinx."""
        place = self.source / page
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", newline="\n")

    def relinked(self, text: str, path: Path) -> str:
        """Let links of a text lead to where their targets stand in the book; leave out comments and other links."""

        def link(found: re.Match[str]) -> str:
            picture, label, target, place = found.groups("")
            file = Path(os.path.normpath(path.parent / target))
            if picture:
                (self.source / in_the_book(file)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, self.source / in_the_book(file))
            elif file.suffix != ".ipynb" and file.relative_to(ROOT).as_posix() not in IN_THE_BOOK:
                return label
            return f"{picture}[{label}](/{in_the_book(file)}{place})"

        return LINK.sub(link, COMMENT.sub("", text))

    def put(self, what: str, heading: str | None) -> str:
        """Return what a page asks for: something that is made, or a text, or one section of it."""
        if what in {"glossary", "reference"}:
            return "".join(self.glossary() if what == "glossary" else reference())
        path = ROOT / what
        text = prose(self.notebooks[path]) if path in self.notebooks else self.page(path)
        if heading:
            english = prose(nbformat.read(path, 4)) if path in self.notebooks else path.read_text("utf-8")
            found = [part.startswith(heading) for part in sections(english)]
            text = sections(text)[found.index(True)]
            text = f"## {text}"
        return self.relinked(text, path)

    def contents(self) -> Iterator[str]:
        """Yield the table of contents in its three parts."""
        pages = [in_the_book(path).removesuffix(".ipynb") for path in NOTEBOOKS]
        parts = {name: [page for page in pages if page.startswith(name)] for name in ("notebooks", "exercises")}
        parts["beside"] = ["results", "glossary", "reference", "reading", "tried", "teaching"]
        for part, pages in parts.items():
            yield "\n".join(["", "```{toctree}", ":hidden:", f":caption: {self.words[part]}", *pages, "```", ""])

    def folded(self, cells: list[NotebookNode]) -> Iterator[NotebookNode]:
        """Yield the cells of an exercise, with hints one by one, solutions and what they lead to folded."""
        asked = False
        cells = [cell for cell in cells if kind(cell) != "solution" or len(cell.metadata.tags) > 1]
        for tag, group in groupby(cells, kind):
            together = list(group)
            if tag == "hint":
                for number, cell in enumerate(together, start=1):
                    title = self.words["hint"].format(number=number, count=len(together))
                    cell.source = f"{fold(title)}\n\n{cell.source}\n\n</details>"
                    yield cell
            elif tag == "solution":
                yield new_markdown_cell(fold(self.words["solution"]))
                yield from together
                yield new_markdown_cell("</details>")
            else:
                for cell in together:
                    asked = asked or len(sections(cell.source)) > 1
                    if asked and cell.get("outputs"):
                        cell.metadata["tags"] = ["hide-output"]
                    yield cell

    @cached_property
    def rows(self) -> list[tuple[str, str]]:
        """What notebook 00 says in its table: our words, and the field's."""
        place = next(i for i, cell in enumerate(nbformat.read(START, 4).cells) if cell.source.startswith(GLOSSARY))
        table = self.notebook(START).cells[place].source
        return re.findall(r"^\| *(.*?) *\| *(.*?) *\|$", table, re.MULTILINE)[2:]

    @cached_property
    def terms(self) -> dict[str, int]:
        """Each word of the field, and the number of its row."""
        return {term: number for number, row in enumerate(self.rows) for term in words_of(row[1])}

    def with_terms(self, text: str, named: set[int]) -> str:
        """Let the first word of each row of the glossary lead there; `named` holds the rows that had one."""
        parts = NO_PROSE.split(text)

        def link(found: re.Match[str]) -> str:
            number = self.terms[found[2].lower()]
            if number in named:
                return found[0]
            named.add(number)
            return f"[{found[0]}](#word-{number})"

        parts[::2] = [word_in(self.terms).sub(link, part) for part in parts[::2]]
        return "".join(parts)

    def glossary(self) -> Iterator[str]:
        """Yield the lines of the glossary."""
        heads = (self.words[name] for name in ("our word", "the field's", "first named in"))
        yield f"| {' | '.join(heads)} |\n|---|---|---|\n"
        for number, (ours, theirs) in enumerate(self.rows):
            first = self.first_page([*words_of(theirs), *words_of(ours)])
            yield f"| [{ours}]{{#word-{number}}} | {theirs} | {first} |\n"

    def first_page(self, words: list[str]) -> str:
        """Return a link to the notebook that first prints one of these words in bold; or else to one that has it."""
        for strong in (True, False):
            for path, notebook in self.notebooks.items():
                text = "".join(NO_PROSE.split(prose(notebook))[::2])
                text = " ".join(re.findall(r"\*\*(.+?)\*\*", text)) if strong else text
                if word_in(words).search(text):
                    title = notebook.cells[0].source.split("\n")[0].removeprefix("# ")
                    return f"[{title}](/{in_the_book(path)})"
        return ""


def in_the_book(path: Path) -> str:
    """Return where a file of the repository stands in the book."""
    name = path.relative_to(ROOT).as_posix().replace("/solutions/", "/")
    return IN_THE_BOOK.get(name, name)


def kind(cell: NotebookNode) -> str:
    """Is a cell of an exercise a hint, or a part of a solution?"""
    return next((tag for tag in ("hint", "solution") if tag in cell.metadata.get("tags", [])), "")


def fold(title: str) -> str:
    """Return what opens something folded."""
    return f'<details class="fold"><summary>{title}</summary>'


def prose(notebook: NotebookNode) -> str:
    """Return all that is not code."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def sections(text: str) -> list[str]:
    """Return what stands before the first heading, and then the sections."""
    return re.split("^## ", text, flags=re.MULTILINE)


def words_of(text: str) -> list[str]:
    """Return the words between commas, semicolons and brackets in a row of the glossary."""
    parts = re.split(r"[,;()、；，（）]", text.lower())
    return [part.strip() for part in parts if len(part.strip()) > 1 or part.strip() > "z"]  # a Greek letter, too


def word_in(words: dict[str, int] | list[str]) -> re.Pattern[str]:
    """Return what finds one of these words with its stars, the longest first; Chinese has no spaces between them."""
    longest = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?<![*a-z-])(\*{{0,2}})({longest})\1(?![*a-z-])", re.IGNORECASE)


def reference() -> Iterator[str]:
    """Yield what lets Sphinx show the docstrings, module by module."""
    package = ROOT / "course_utils"
    shown: dict[str, list[str]] = {}
    for node in ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_utils."):
            shown[node.module.removeprefix("course_utils.")] = [name.name for name in node.names]
    for module, names in (shown | OF_THE_EXERCISES).items():
        file = package.joinpath(*module.split("."))
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        yield f"\n## {module.lstrip('_')}\n\n{about.split(chr(10) * 2)[0]}\n\n```{{eval-rst}}\n"
        for name in names:
            directive = "autoclass" if name[0].isupper() else "autofunction"
            yield f".. {directive}:: course_utils.{module}.{name}\n"
            yield "   :members:\n\n" if directive == "autoclass" else "\n"
        yield "```\n"


def main(folder: Path = BUILT) -> None:
    """Build the book in all languages; any warning ends it. What only Sphinx needs goes in the end."""
    shutil.rmtree(folder, ignore_errors=True)
    for code in WORDS:
        edition = Edition(code, folder)
        edition.lay_out()
        places = ["-d", folder / "doctrees" / code, edition.source, folder / code]
        options = ["-q", "-W", "--keep-going", "-b", "html", "-c", BOOK, "-t", code, *places]
        if build_main(list(map(str, options))):
            sys.exit(f"The book was not built: see above. What Sphinx has read is in {edition.source}.")
    for name in ("source", "doctrees", "jupyter_execute"):
        shutil.rmtree(folder / name)
    make_lab_page.main(folder / "lab")
    links = "".join(
        f'<p><a href="{code}/index.html">{words["language"]}</a> · '
        f'<a href="lab/{make_lab_page.page_of(code)}">{make_lab_page.words_in(code)["page_title"]}</a></p>\n'
        for code, words in WORDS.items()
    )
    front = FRONT.format(title=WORDS["en"]["title"], links=links)
    (folder / "index.html").write_text(front, encoding="utf-8", newline="\n")
    (folder / ".nojekyll").touch()  # GitHub's pages would leave out folders that begin with _
    print(f"The book is in {folder / 'index.html'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the book from the stored notebooks, in every language.")
    parser.add_argument("folder", type=Path, nargs="?", default=BUILT, help="where to; build/book when left out")
    main(parser.parse_args().folder)
