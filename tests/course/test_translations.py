"""Translations keep step with the English: nothing is missing or doubtful; numbers, links and code are the same."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from babel.messages.pofile import write_po
from helpers import ROOT, TOOLS

LANGUAGES = sorted(path.name for path in (ROOT / "translations").iterdir())
FILES = [
    ROOT / "README.md",
    ROOT / "results" / "README.md",
    ROOT / "course_utils" / "lab" / "words" / "en.json",
    *sorted((ROOT / "book" / "pages").glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    *sorted((ROOT / "exercises" / "solutions").glob("*.ipynb")),
]
MAKE = "call 'make translations', then translate what is marked in"
# What a translation must hold as often as the English does.
KEPT = {
    "code": r"```.*?```|`[^`\n]+`",
    "links": r"\]\(([^)\s]+)\)",
    "formulas": r"\$\$.+?\$\$|\$[^$\n]+\$",
    "comments": r"<!--.*?-->",
    "placeholders": r"\{[a-z]+\}",
}
# Words in a formula are translated. And where code, formulas and links stand, there are no other numbers.
WORDS_IN_FORMULA = r"\\(text|operatorname)\{[^}]*\}"
NO_PROSE = "|".join([KEPT["code"], KEPT["formulas"], KEPT["comments"], r"\]\([^)\s]+\)"])
NUMBER = r"(?<![\w.])\d+(?:[.,]?\d+)+(?!\w)"  # of one digit it may be a word: on 2 cores


def by_name(path):
    return f"{path.parent.name} {path.name}" if path.parent.name in {"solutions", "results"} else path.name


@pytest.fixture(params=LANGUAGES)
def language(request, monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import translations

    return translations.Language(request.param)


@pytest.fixture(params=FILES, ids=by_name)
def path(request):
    return request.param


def out_of_step(language, path):
    """Name each English text that has no translation that can be trusted, and say what to do."""
    from translations import messages

    catalogue, texts = language.read(path), list(messages(path))
    places = [f"“{text[:60]}”" for text, _ in texts]
    if path.suffix == ".ipynb":
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        places = [f"cell {cell.id}, {place}" for cell, place in zip(cells, places, strict=True)]
    found = {place: catalogue.get(text, context) for place, (text, context) in zip(places, texts, strict=True)}
    return [
        f"{path.name}: {place}: {MAKE} {language.place(path).name}"
        for place, message in found.items()
        if message is None or not message.string or message.fuzzy
    ]


def translated(language, path):
    """Return each English text beside its translation, unless it is marked as outdated anyway."""
    found = [message for message in language.read(path) if message.id and message.string and not message.fuzzy]
    return [(message.id, message.string) for message in found]


def count(what, text):
    """Count what is to be kept."""
    text = re.sub(NO_PROSE if what in {"placeholders", NUMBER} else WORDS_IN_FORMULA, " ", text, flags=re.DOTALL)
    return Counter(re.findall(KEPT.get(what, what), text, re.DOTALL | re.ASCII))


def test_every_text_is_translated_and_none_is_fuzzy(language, path):
    assert out_of_step(language, path) == []


def test_no_translation_is_left_over(language, path):
    from translations import messages

    assert {message.id for message in language.read(path) if message.id} <= {text for text, _ in messages(path)}


@pytest.mark.parametrize("what", KEPT)
def test_code_links_and_placeholders_are_the_same(language, path, what):
    for english, text in translated(language, path):
        assert count(what, text) == count(what, english), text


def test_every_number_is_there(language, path):
    for english, text in translated(language, path):
        missing = count(NUMBER, english).keys() - count(NUMBER, text).keys()
        assert not missing, f"{missing} in: {text}"


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".ipynb"], ids=by_name)
def test_code_and_outputs_of_a_translated_notebook_are_those_of_the_english(language, path):
    english, other = nbformat.read(path, as_version=4), language.notebook(path, language.read(path))
    assert [cell.id for cell in other.cells] == [cell.id for cell in english.cells]
    for one, two in zip(english.cells, other.cells, strict=True):
        assert (two.cell_type, two.metadata) == (one.cell_type, one.metadata)
        if one.cell_type == "code":
            assert two == one
    assert other.metadata == english.metadata


def test_a_cell_that_was_changed_is_named_with_what_to_do(language, tmp_path):
    path = FILES[-1]
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if "hint" in cell.metadata.get("tags", []))
    cell.source += " One more sentence."
    changed = tmp_path / "solutions" / path.name
    changed.parent.mkdir()
    nbformat.write(notebook, changed)
    (complaint,) = set(out_of_step(language, changed)) - set(out_of_step(language, path))
    assert f"cell {cell.id}" in complaint
    assert "make translations" in complaint
    assert f"exercise_{path.stem}.po" in complaint


def test_a_text_that_was_changed_becomes_fuzzy_and_keeps_its_old_translation(language, tmp_path, monkeypatch):
    page = tmp_path / "pages" / "page.md"
    page.parent.mkdir()
    (tmp_path / "LC_MESSAGES").mkdir()
    monkeypatch.setattr(language, "folder", tmp_path)
    page.write_text("Look at the lower row of digits.\n", encoding="utf-8")
    catalogue = language.update(page)
    (message,) = [message for message in catalogue if message.id]
    message.string = "看下面一行数字。"
    with language.place(page).open("wb") as file:
        write_po(file, catalogue)
    assert language.page(page, language.read(page)) == "看下面一行数字。\n"
    page.write_text("Look at the lower row of all digits.\n", encoding="utf-8")
    catalogue = language.update(page)
    (message,) = [message for message in catalogue if message.id]
    assert message.fuzzy
    assert message.string == "看下面一行数字。"
    assert message.user_comments == ["The English was: Look at the lower row of digits."]
    before = language.place(page).read_bytes()
    language.update(page)
    assert language.place(page).read_bytes() == before
    assert language.page(page, catalogue) == "Look at the lower row of all digits.\n"  # rather than what is outdated
    assert len(out_of_step(language, page)) == 1


def test_links_of_a_translated_notebook_lead_somewhere(language):
    for path in FILES:
        if path.suffix != ".ipynb":
            continue
        new = language.folder / path.relative_to(ROOT)
        for cell in language.notebook(path, language.read(path)).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", language.with_links(cell.source, path, new)):
                    place = (new.parent / target).resolve()  # what is made need not be there
                    source = Path(str(place).replace(f"/translations/{language.code}/", "/"))
                    assert place.exists() or source.exists(), f"{path.name}: {target}"
