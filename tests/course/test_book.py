"""The book as it is built: all is there, nothing comes from elsewhere, links lead somewhere, answers wait folded."""

import copy
import json
import re
from collections import Counter
from urllib.parse import unquote

import course_utils

import nbformat
import pytest
from bs4 import BeautifulSoup
from helpers import ROOT

LANGUAGES = list(json.loads((ROOT / "book" / "words.json").read_text(encoding="utf-8")))
NOTEBOOKS = {f"notebooks/{path.stem}": path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
EXERCISES = {f"exercises/{path.stem}": path for path in sorted((ROOT / "exercises" / "solutions").glob("*.ipynb"))}
PAGES = {path.stem: path for path in (ROOT / "book" / "pages").glob("*.md")}
# What makes a browser fetch something.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def pages(book, language):
    """Each page by its name, read."""
    folder = book / language
    return {
        path.relative_to(folder).with_suffix("").as_posix(): BeautifulSoup(
            path.read_text(encoding="utf-8"), "html.parser"
        )
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.parts
    }


def article(page):
    """Return a copy of what stands between head and foot, from which a test may take something away."""
    return copy.copy(page.find("article"))


def cells(path, tag=None):
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if tag is None or tag in cell.metadata.get("tags", [])]


def squeezed(text):
    """Without spaces and line ends, which highlighting and HTML may change."""
    return re.sub(r"\s", "", text)


def test_every_page_is_there_and_has_a_title(pages):
    assert set(pages) == {*NOTEBOOKS, *EXERCISES, *PAGES, "search"}
    for name, page in pages.items():
        assert len(page.find_all("h1")) >= 1, name
        assert page.html["lang"], name


def test_what_only_sphinx_needs_is_gone(book):
    left = {path.name for path in book.iterdir()}
    assert left - {"book.lock"} == {*LANGUAGES, "lab", "index.html", ".nojekyll"}


def test_nothing_is_fetched_from_elsewhere(book, pages):
    for name, page in pages.items():
        for tag, attribute in FETCHED.items():
            for one in page.find_all(tag):
                assert not re.match(r"(\w+:)?//", one.get(attribute) or ""), f"{name}: {one}"
    for path in book.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_links_lead_somewhere(book, language, pages):
    targets = {name: {one["id"] for one in page.find_all(id=True)} for name, page in pages.items()}
    for name, page in pages.items():
        for link in page.find_all("a", href=True):
            address, _, place = unquote(link["href"]).partition("#")
            if re.match(r"\w+:", address):
                continue
            file = (book / language / name).parent / address if address else book / language / f"{name}.html"
            assert file.exists(), f"{name}: {link}"
            if place:
                there = file.resolve().relative_to((book / language).resolve()).with_suffix("").as_posix()
                assert place in targets[there], f"{name}: {link}"


def test_every_reference_was_resolved_and_no_markup_is_left(pages):
    for name in pages.keys() - {"search"}:
        body = article(pages[name])
        assert not body.select(".system-message, .problematic, span.xref, a.xref:not(.reference)"), name
        for code in body.select("pre, code, math, .sig, script"):
            code.decompose()
        assert not re.search(r"\]\(|\{#|\*\*(?!kwargs)|\$|<!--|-->|put here|:doc:|`", body.get_text()), name


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_answers_below_a_prediction_are_folded(name, pages):
    folds = pages[name].select("details.hide")
    assert not any(fold.has_attr("open") for fold in folds)
    hidden = squeezed("".join(fold.get_text() for fold in folds))
    for cell in cells(NOTEBOOKS[name], "hide-cell"):
        assert squeezed(cell.source) in hidden, cell.source
    text = squeezed(article(pages[name]).get_text())
    assert text.count("#Theanswer") == hidden.count("#Theanswer")
    for cell in cells(NOTEBOOKS[name]):
        assert cell.cell_type == "markdown" or squeezed(cell.source) in text, cell.source


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_and_solutions_of_an_exercise_are_folded_one_by_one(name, pages):
    body = article(pages[name])
    assert not body.select("details[open]")
    folds = body.select("details.fold")
    hints = cells(EXERCISES[name], "hint")
    titles = Counter(fold.summary.get_text() for fold in folds)
    solution = titles.most_common(1)[0][0] if not hints else next(one for one in titles if not re.search(r"\d", one))
    assert len(folds) - titles[solution] == len(hints)
    solved = squeezed("".join(fold.get_text() for fold in folds if fold.summary.get_text() == solution))
    parts = [cell for cell in cells(EXERCISES[name], "solution") if len(cell.metadata.tags) > 1]
    for cell in parts:
        assert cell.cell_type == "markdown" or squeezed(cell.source) in solved, cell.source
    for fold in folds:
        fold.decompose()
    left = squeezed(body.get_text())
    assert not any(cell.cell_type == "code" and squeezed(cell.source) in left for cell in parts)


@pytest.mark.parametrize("name", EXERCISES)
def test_what_the_solved_exercise_shows_below_a_question_is_folded(name, pages):
    body = article(pages[name])
    for output in body.find("h2").find_all_next(class_="cell_output"):
        assert output.find_parent("details"), output.get_text()[:100]


def test_no_prediction_is_said_to_be_missing(pages):
    for name, page in pages.items():
        assert not [one for one in page.select(".cell_output") if "No prediction yet" in one.get_text()], name


def test_every_picture_has_its_description(pages):
    for name, page in pages.items():
        for picture in page.find_all("img"):
            assert picture.has_attr("alt"), f"{name}: {picture}"
        shown = Counter(picture["alt"] for picture in page.find_all("img"))
        stored = Counter(
            alt
            for cell in cells(NOTEBOOKS[name])
            for output in cell.get("outputs", ())
            if (alt := output.get("metadata", {}).get("image/png", {}).get("alt"))
        ) if name in NOTEBOOKS else Counter()  # fmt: skip
        assert stored <= shown, name


def test_every_formula_is_there(pages):
    for name, path in NOTEBOOKS.items():
        prose = "\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")
        prose = re.sub(r"```.*?```|`[^`]*`", "", prose, flags=re.DOTALL)
        long, short = re.findall(r"\$\$.+?\$\$", prose, re.DOTALL), re.findall(r"(?<!\$)\$[^$\n]+\$(?!\$)", prose)
        shown = Counter(one["display"] for one in pages[name].find_all("math"))
        assert shown == Counter({"block": len(long), "inline": len(short)}) or not (long or short), name
        assert "\\" not in "".join(one.get_text() for one in pages[name].find_all("math")), name


def test_the_glossary_leads_to_the_notebooks_and_they_lead_to_it(pages):
    rows = pages["glossary"].find("tbody").find_all("tr")
    assert len(rows) >= 13
    links = Counter(
        re.search(r"#(word-\d+)$", link["href"])[1]
        for name, page in pages.items()
        for link in page.select("article a[href*='#word-']")
    )
    for row in rows:
        assert row.find(id=re.compile(r"^word-\d+$")), row
        assert row.find("a", href=re.compile(r"^notebooks/\d\d_")), row
    assert sum(1 for row in rows if links[row.find(id=True)["id"]]) >= len(rows) - 1
    for name, page in pages.items():
        once = Counter(link["href"] for link in page.select("article a[href*='#word-']"))
        assert max(once.values(), default=0) <= 1, name


def test_the_results_are_those_of_the_readme(pages):
    text = pages["results"].get_text()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tables = re.findall(r": made by make readme -->(.*?)<!-- end of", readme, re.DOTALL)
    numbers = set(re.findall(r"\d+\.\d+%|\d+,\d{3}", "".join(tables)))
    assert len(numbers) > 30
    assert [number for number in numbers if number not in text] == []


def test_every_public_name_of_the_library_is_described(pages):
    public = {name for name in vars(course_utils) if not name.startswith("_")}
    public = {
        name for name in public if getattr(vars(course_utils)[name], "__module__", "").startswith("course_utils")
    }
    described = {one["id"].rpartition(".")[2] for one in pages["reference"].select("dt.sig[id]")}
    assert public <= described, public - described
    assert {"questions", "Question", "Scoreboard"} <= described


def test_each_page_leads_to_itself_in_the_other_languages(pages, language):
    for name, page in pages.items():
        found = {link["hreflang"] for link in page.select("a.other-language")}
        assert found == set(LANGUAGES) - {language}, name


def test_chinese_words_are_in_the_index_of_the_search(book):
    index = (book / "zh" / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"噪声", "对抗", "扰动"} <= set(terms)
