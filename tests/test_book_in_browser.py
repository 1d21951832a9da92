"""The book in a real browser, opened as from a stick: no server, and nothing asked of anybody else."""

import browser
import pytest
from browser import ARTEFACTS

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="the browser tests were left out: no Chromium was found (apt install chromium)"
)
PAGES = (
    "index",
    "notebooks/00_start_here",
    "notebooks/01_linear_model",
    "exercises/01_steps",
    "glossary",
    "reference",
    "teaching",
)
WIDTHS = (390, 800, 1440)


@pytest.fixture(scope="module")
def page():
    ARTEFACTS.mkdir(exist_ok=True)
    with browser.chromium() as page:
        page.complaints = []  # begun anew for each test
        page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: asked.url.startswith(("file:", "data:", "blob:")) or page.complaints.append(asked.url),
        )
        yield page


@pytest.fixture(params=("en", "zh"))
def opened(request, page, book):
    """Opens a page of the book in one language."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.complaints.clear()

    def open_page(name, query=""):
        page.goto((book / request.param / f"{name}.html").as_uri() + query)
        return page

    open_page.language = request.param
    yield open_page
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_on_every_screen(opened, page, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for name in PAGES:
        opened(name)
        page.locator("article h1").first.wait_for()
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        page.screenshot(path=ARTEFACTS / f"book_{opened.language}_{name.replace('/', '_')}_{width}_{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        wide = "[...document.querySelectorAll('article img')].filter(one => one.getBoundingClientRect().right > {})"
        assert page.evaluate(f"{wide.format(width)}.length") == 0, name


def test_an_answer_unfolds_and_all_code_can_be_hidden(opened, page):
    opened("notebooks/01_linear_model")
    answer = page.locator("details.hide").first
    assert not answer.locator(".cell_output").is_visible()
    answer.locator("summary").click()
    assert answer.locator(".cell_output").is_visible()
    code = page.locator(".cell_input").first
    assert code.is_visible()
    page.locator("button.hide-code").click()
    assert not code.is_visible()
    page.locator("button.hide-code").click()
    assert code.is_visible()


def test_a_formula_is_drawn(opened, page):
    opened("notebooks/01_linear_model")
    box = page.locator("math[display=block]").first.bounding_box()
    assert box["height"] > 15


def test_the_search_finds_what_is_asked(opened, page):
    for word in ("perturbation", *(("噪声", "通用对抗扰动", "对抗训练") if opened.language == "zh" else ("noise",))):
        opened("search", f"?q={word}")
        page.locator("#search-results ul.search li a").first.wait_for()
        assert page.locator("#search-results ul.search li").count() >= 3, word
        page.screenshot(path=ARTEFACTS / f"book_{opened.language}_search.png")
    opened("search", "?q=xyzzy" if opened.language == "en" else "?q=蜥蜴")
    page.locator(".search-summary").wait_for()
    assert page.locator("#search-results ul.search li").count() == 0


def test_in_print_folds_stay_as_they_are_and_nothing_is_cut_off(opened, page):
    page.emulate_media(media="print", color_scheme="light")
    page.set_viewport_size({"width": 700, "height": 900})
    opened("exercises/01_steps")
    assert not page.locator("button.hide-code").is_visible()
    assert not page.locator("#pst-primary-sidebar").is_visible()
    page.screenshot(path=ARTEFACTS / f"book_{opened.language}_print.png")
    page.emulate_media(media="screen")
