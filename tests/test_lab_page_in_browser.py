"""The lab on a page of its own, in a real browser: handed out as files, with no kernel and nothing from elsewhere."""

import contextlib
import io
import re
import shutil

from course_utils import cached_network, load_mnist, pretrained_network, train_course_network
from course_utils.lab.engine import Engine

import browser
import numpy as np
import pytest
from browser import ARTEFACTS, PIXELS

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="left out: no Chromium was found (apt install chromium)"),
]
NUMBER = ".result .number"
VERDICTS = "cells => cells.map(cell => ['right', 'hit', 'other'].find(kind => cell.classList.contains(kind)))"
PAINTING = ((0.3, 0.2), (0.6, 0.3), (0.4, 0.5), (0.6, 0.7), (0.3, 0.8))


class Lab:
    """The page, as a person meets it."""

    def __init__(self, page, address):
        self.page, self.root = page, page.locator(".noise-lab")
        page.goto(address)
        page.locator(NUMBER).first.wait_for()

    def ready(self):
        """Wait until the network is there, and nothing is asked any more."""
        self.page.wait_for_function(
            "document.querySelector('#status').textContent && !document.querySelector('#status progress')"
        )
        self.settle()
        return self

    def settle(self):
        self.page.wait_for_timeout(50)
        self.root.locator(".result[aria-busy=false]").wait_for()

    def press(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def paint(self):
        box = self.root.locator("canvas.noise").bounding_box()
        for place, (x, y) in enumerate(PAINTING):
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if place == 0:
                self.page.mouse.down()
        self.page.mouse.up()
        self.settle()

    def address(self, holds):
        """The address, once it says this and has come to rest: while one paints it changes."""
        self.page.wait_for_function("word => location.hash.includes(word)", arg=holds)
        before = ""
        while before != self.page.url:
            before = self.page.url
            self.page.wait_for_timeout(500)
            self.settle()
        return before

    @property
    def status(self):
        return self.page.locator("#status").inner_text()

    @property
    def number(self):
        return int(self.page.locator(NUMBER).first.inner_text().strip("<"))

    @property
    def counts(self):
        """How many are still right, hit, and another mistake; without a target there is no third."""
        return [int(re.search(r"\d+", one)[0]) for one in self.root.locator(".shares-words .key").all_inner_texts()]

    @property
    def verdicts(self):
        return self.root.locator(".cell").evaluate_all(VERDICTS)

    @property
    def first_digit(self):
        """The pixels of the first of the nine: 255 is ink."""
        return 255 - np.array(self.page.evaluate(PIXELS, self.root.element_handle()))

    @property
    def noise(self):
        """The noise, as the reader would save it."""
        if not self.root.locator(".more[open]").count():
            self.root.locator(".more summary").click()
        with self.page.expect_download() as saved:
            self.root.get_by_text("Save the noise (.npy)").click()
        return np.load(io.BytesIO(saved.value.path().read_bytes()))


@pytest.fixture(scope="module")
def folder(book):
    if not (book / "lab" / "page.js").exists():
        pytest.skip("the lab is a picture here: there was no Node when the book was built")
    return book


@pytest.fixture(scope="module")
def address(folder):
    with browser.handed_out(folder) as address:
        yield f"{address}/lab/"


@pytest.fixture(scope="module")
def chromium():
    ARTEFACTS.mkdir(exist_ok=True)
    with browser.chromium() as page:
        yield page.context.browser


@pytest.fixture
def visit(chromium, address):
    """Opens the page as a visitor who has never been there; in the end nothing was asked of anybody else."""
    visitors, asked, errors = contextlib.ExitStack(), [], []

    def open_page(where="index.html", change=None, settings=(("width", 1280), ("height", 900)), **more):
        context = visitors.enter_context(chromium.new_context(viewport=dict(settings), **more))
        context.set_default_timeout(30_000)
        page = context.new_page()
        context.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        if change:
            change(page)
        return Lab(page, where if "://" in where else address + where)

    with visitors:
        yield open_page
    assert errors == []
    hosts = {re.match(r"\w+://[^/]+", url)[0] for url in asked if not url.startswith(("data:", "blob:"))}
    assert {host.rpartition(":")[0] for host in hosts} == {"http://127.0.0.1"}


@pytest.fixture(scope="module")
def engine():
    """What stands behind the lab in a notebook."""
    mnist = load_mnist()
    plain = cached_network(train_course_network, mnist, 0)
    immune = {"interleaved": pretrained_network("interleaved"), "immune": pretrained_network("worst_noise")}
    return Engine({"plain": plain, **immune}, mnist)


def test_the_seven_scenes_of_the_story_end_as_in_the_notebook(visit, engine):
    lab = visit().ready()
    lab.press("A story in 7 steps")
    story = lab.root.locator(".story")
    expected = {
        3: lambda: engine.mean(3, 0.35, True)[1][0], 4: lambda: engine.search("plain", 3)[1][1],
        5: lambda: engine.search("plain", 1)[1][1], 6: lambda: engine.search("immune", 3)[1][1],
        7: lambda: engine.search("interleaved")[1][1],
    }  # fmt: skip
    scenes = [("plain", 3)] * 4 + [("plain", 1), ("immune", 3), ("interleaved", None)]
    for step, (network, target) in enumerate(scenes, start=1):
        story.locator(".guess").fill("50")
        story.get_by_text("Show", exact=True).click()
        if step == 2:
            story.get_by_text("Now paint, then compare.").wait_for()
            lab.settle()
            lab.paint()
            assert lab.root.locator(".try.painted").count() == 1
            story.get_by_text("Compare", exact=True).click()
        story.get_by_text("You guessed 50").wait_for()
        lab.settle()
        noise = lab.noise
        assert np.abs(noise).max() <= np.float32(0.35)
        (here,) = engine.measure(noise, target, [network])[0]["measured"].values()
        assert lab.verdicts == here["verdicts"]
        pixels = engine.measure(noise, target, [network])[1][0][0]
        assert np.abs(lab.first_digit - pixels.ravel()).max() <= 1
        kinds = ("right", "hit") if target is None else ("right", "hit", "elsewhere")
        assert np.abs(np.subtract(lab.counts, [here[kind] for kind in kinds])).max() <= 1  # a digit on the edge
        if step in expected:
            found = expected[step]()
            assert np.abs(noise - found).mean() < 0.02, step
            (there,) = engine.measure(found, target, [network])[0]["measured"].values()
            assert lab.verdicts == there["verdicts"], step
            assert abs(lab.counts[1] - there["hit"]) <= 0.02 * there["of"], step
        story.get_by_role("button", name="Next" if step < 7 else "The end").click()


@pytest.mark.parametrize(("scheme", "where"), [("light", "index.html"), ("dark", "zh.html")])
def test_it_fits_on_every_screen(visit, scheme, where):
    lab = visit(where, color_scheme=scheme).ready()
    for width in (390, 800, 1280):
        lab.page.set_viewport_size({"width": width, "height": 844})
        lab.page.wait_for_timeout(200)
        lab.page.screenshot(path=ARTEFACTS / f"lab_page_{width}_{scheme}.png")
        assert lab.page.evaluate("document.documentElement.scrollWidth") <= width
        number, slider = (lab.root.locator(part).bounding_box() for part in (".result", "input.limit"))
        assert number["y"] + number["height"] < slider["y"] + slider["height"] < 844 or width > 390
    colours = lab.page.evaluate("['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])")
    ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (ink > paper) == (scheme == "dark")


def test_everything_by_keyboard(visit):
    lab = visit().ready()
    for name, key in (("Clear", "Enter"), ("canvas.noise", "Space")):
        one = lab.root.locator(name) if "." in name else lab.root.get_by_role("button", name=name, exact=True)
        one.focus()
        lab.page.keyboard.press(key)
        lab.settle()
    assert lab.root.locator(".try.painted").count() == 1
    lab.root.get_by_role("button", name="Search for me").focus()
    lab.page.keyboard.press("Enter")
    lab.settle()
    lab.root.locator("input.limit").focus()
    before = lab.number
    for _ in range(20):
        lab.page.keyboard.press("ArrowLeft")
    lab.settle()
    assert lab.number < before
    lab.page.wait_for_function("location.hash.includes('limit=0.15')")


def test_a_link_shows_the_same(visit):
    lab = visit("index.html#target=5&limit=0.2&network=interleaved").ready()
    assert (
        lab.root.locator("[data-target='5'][aria-pressed=true], [data-name=interleaved][aria-pressed=true]").count()
        == 2
    )
    assert float(lab.root.locator("input.limit").input_value()) == 0.2
    lab.press("plain")  # the noise that was searched against the other
    friend = visit(lab.address("against")).ready()
    assert (friend.counts, friend.verdicts) == (lab.counts, lab.verdicts)
    lab.press("Clear")
    lab.paint()
    friend = visit(lab.address("painted").replace("index", "zh")).ready()
    assert (friend.counts, friend.verdicts) == (lab.counts, lab.verdicts)
    assert friend.root.locator(".try.painted").count() == 1


@pytest.mark.parametrize(
    "where", ["index.html#target=77&limit=nonsense&network=none&painted=%00", "index.html#limit=-1"]
)
def test_a_link_that_says_nonsense_opens_the_lab_as_it_is(visit, where):
    lab = visit(where).ready()
    assert lab.root.locator("[data-target='3'][aria-pressed=true], [data-name=plain][aria-pressed=true]").count() == 2
    assert float(lab.root.locator("input.limit").input_value()) == 0.35
    assert lab.number > 90


def test_two_tabs_search_at_the_same_time(visit):
    one = visit().ready()
    other = Lab(one.page.context.new_page(), one.page.url).ready()
    for lab in (one, other):
        lab.root.get_by_role("button", name="Search for me").click()
    for lab in (one, other):
        lab.settle()
        assert lab.number > 90


def without_network(page):
    page.route("**/plain.onnx", lambda route: route.fulfill(body=b"no graph"))


def without_webassembly(page):
    page.route("**/worker.js", lambda route: route.fulfill(
        body="delete self.WebAssembly;" + route.fetch().text(), content_type="text/javascript"
    ))  # fmt: skip


@pytest.mark.parametrize("change", [without_network, without_webassembly])
def test_where_the_network_cannot_run_a_sentence_says_so_and_what_was_stored_is_shown(visit, change):
    lab = visit(change=change).ready()
    assert "could not be loaded" in lab.status
    assert lab.number > 90
    three = lab.verdicts
    lab.press("0")
    assert lab.verdicts != three or lab.counts[1] > 100
    assert lab.root.locator(".message").is_hidden()
    lab.press("Clear")
    assert "could not be loaded" in lab.root.locator(".message").inner_text()


def test_a_network_that_is_damaged_is_named_and_the_others_go_on(visit):
    lab = visit(
        change=lambda page: page.route("**/immune.onnx", lambda route: route.fulfill(body=b"no graph"))
    ).ready()
    lab.press("immune")
    assert "immune.onnx" in lab.root.locator(".message").inner_text()
    lab.press("plain")
    lab.press("Search for me")
    assert lab.root.locator(".message").is_hidden()
    assert lab.number > 90


def test_it_works_without_a_network_once_it_was_loaded(visit, folder, tmp_path):
    shutil.copytree(folder / "lab", tmp_path / "lab")
    with browser.handed_out(tmp_path) as server:
        lab = visit(f"{server}/lab/index.html").ready()
        lab.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    lab.page.reload()
    lab.ready()
    assert lab.status.startswith("It runs")
    lab.press("Search for me")
    assert lab.number > 90
    lab.press("immune")
    assert lab.root.locator(".message").is_hidden()
    assert lab.number < 90


def test_from_a_stick_it_is_a_picture_with_a_sentence(chromium, folder):
    page = chromium.new_page()
    for name in ("index", "zh"):
        page.goto((folder / "lab" / f"{name}.html").as_uri())
        page.wait_for_function("document.querySelector('#status').textContent.includes('python -m http.server')")
        assert page.locator("#still").evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 600
    page.close()


def test_where_not_even_the_screen_comes_there_is_a_picture(chromium, address):
    page = chromium.new_page()
    page.route("**/lab.json", lambda route: route.abort())
    page.goto(address)
    page.wait_for_function("document.querySelector('#status').textContent.includes('could not be loaded')")
    page.locator("#still").wait_for()
    page.close()
