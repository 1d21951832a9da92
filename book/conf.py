"""How Sphinx builds the book, in the language that is given as a tag; `make book` calls it."""

import json
import re
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from latex2mathml.converter import convert
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # for the reference
ALL_WORDS = json.loads((HERE / "words.json").read_text(encoding="utf-8"))
LANGUAGE = next(name for name in ALL_WORDS if tags.has(name))  # type: ignore[name-defined]  # noqa: F821
WORDS = ALL_WORDS[LANGUAGE]

project = html_title = WORDS["title"]
language = WORDS["sphinx"]
html_search_language = LANGUAGE
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
suppress_warnings = ["config.cache"]  # functions among the settings

nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # what Jupyter would load from elsewhere
nb_merge_streams = True
nb_code_prompt_show = WORDS["answer"]
nb_code_prompt_hide = WORDS["hide answer"]
myst_enable_extensions = ["attrs_inline", "dollarmath"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it better
default_role = "code"
add_module_names = False
napoleon_use_ivar = True
toc_object_entries = False

html_theme = "sphinx_book_theme"
html_theme_options = {
    "article_header_end": ["other-languages.html", "article-header-buttons.html"],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "footer_content_items": [],
    "search_bar_text": "",
}
html_context = {
    "default_mode": "auto",
    "languages": {name: words["language"] for name, words in ALL_WORDS.items() if name != LANGUAGE},
}
templates_path = ["templates"]
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = [("book.js", {"data-hide": WORDS["hide code"], "data-show": WORDS["show code"]})]
html_copy_source = html_use_index = False
html_show_sourcelink = False


class SearchChinese(SearchEnglish):
    """Chinese has no spaces: each character is a word of the index, and so are each two that stand side by side."""

    lang = "zh"
    words_in: ClassVar = re.compile(r"[a-zA-Z0-9_]+|[\u4e00-\u9fff]+")
    # A question has only the pairs, so that all of them must be on a page.
    js_splitter_code = r"""
var splitQuery = (query) => (query.match(/[a-zA-Z0-9_]+|[\u4e00-\u9fff]+/g) ?? []).flatMap((word) =>
    word < "\u4e00" || word.length < 2 ? [word] : [...word].slice(1).map((second, place) => word[place] + second));
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        found = self.words_in.findall(input)
        chinese = [word for word in found if word >= "\u4e00"]
        return [*found, *(word[at : at + size] for word in chinese for size in (1, 2) for at in range(len(word)))]


def say_formula(translator: nodes.NodeVisitor, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers show without a script or a font of its own."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def with_alt_text(draw: object) -> object:
    """Let a picture among the outputs have the description that is stored beside it."""

    def described(renderer: object, data: object) -> list[nodes.Element]:
        pictures = draw(renderer, data)
        for picture in pictures:
            picture.setdefault("alt", data.output_metadata.get(data.mime_type, {}).get("alt", ""))
        return pictures

    return described


def for_docutils(*docstring: object) -> None:
    """Let |noise| in a docstring be what it says, and have links to the notebooks."""
    lines: list[str] = docstring[-1]
    for place, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[place] = re.sub(r"\b(notebook|exercise) (\d\d)\b", link_to_notebook, "`".join(parts))


def link_to_notebook(found: re.Match[str]) -> str:
    """Return a link to a notebook or an exercise of which a docstring speaks."""
    (path,) = (ROOT / f"{found[1]}s").glob(f"{found[2]}_*.ipynb")
    return f":doc:`{found[0]} </{found[1]}s/{path.stem}>`"


def setup(app: Sphinx) -> None:
    """Enter all this with Sphinx."""
    app.add_search_language(SearchChinese)
    app.add_html_math_renderer("mathml", (say_formula, None), (say_formula, None))
    NbElementRenderer.render_image = with_alt_text(NbElementRenderer.render_image)
    app.connect("autodoc-process-docstring", for_docutils)


html_math_renderer = "mathml"
