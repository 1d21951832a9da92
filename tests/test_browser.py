"""Sliders where they live: in a real JupyterLab and a real browser, moved by mouse and by keyboard."""

import contextlib
import json
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import browser
import psutil
import pytest
from browser import ARTEFACTS, in_kernel, open_in_lab, run_all_cells

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="the browser tests were left out: no Chromium was found (apt install chromium)"
)

IMPORTS = "import course_utils\nfrom course_utils import *\nmnist, seed = load_mnist(), 0"
PLAIN = "network = plain = kept_network(course_network, mnist, seed)"
# What the noise explorer shows, measured again in its kernel from the pixels of the noise that it shows.
AGAIN = """
import json
import numpy as np
from course_utils import evaluate_noise
from course_utils.widgets import Panel
(panel,) = {id(one): one for one in Out.values() if isinstance(one, Panel)}.values()
values = {name: control.value for name, control in panel.controls.items()}
test = mnist.test.images[:1000], mnist.test.labels[:1000]
(noise,) = panel.view.all_noise
target = values["target_class"] if values["target_class"] in range(10) else None
report = evaluate_noise(network, *test, noise, target, values["noise_limit"])
success = None if report.success_rate is None else f"{report.success_rate:.1%}"
print(json.dumps({"values": values, "success": success, "accuracy": f"{report.accuracy:.1%}"}))
"""


@pytest.fixture(scope="module")
def page():
    ARTEFACTS.mkdir(exist_ok=True)
    with browser.chromium() as page:
        yield page


@pytest.fixture(scope="module")
def lab():
    options = ("--allow-root", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True")
    with browser.served("-m jupyter lab", *options) as (address, folder):
        yield address, folder


@pytest.fixture
def kernel_of_its_own(page, lab):
    """End the kernel after a test, so that there is one only."""
    yield
    page.goto("about:blank")
    browser.end_kernels(lab[0])


class Explorer:
    """The panel in a page, as a person sees it."""

    def __init__(self, page):
        self.page = page
        self.panel = page.locator(".widget-vbox").filter(has=page.locator("img.widget-image")).first
        self.panel.wait_for()
        self.panel.scroll_into_view_if_needed()

    @property
    def picture(self):
        return self.panel.locator("img.widget-image").first.get_attribute("src")

    @property
    def numbers(self):
        return self.panel.locator(".widget-html").last.inner_text()

    @property
    def state(self):
        return self.panel.locator(".widget-html").first.inner_text()

    def handle(self, name):
        return self.panel.locator(".widget-slider", has_text=name).locator(".noUi-handle")

    def value_of(self, name):
        return self.panel.locator(".widget-slider", has_text=name).locator(".widget-readout").inner_text()

    def after(self, move):
        """Move something; wait for the new picture, and return the seconds until it was there."""
        before = self.picture
        start = time.perf_counter()
        move()
        self.page.wait_for_function(
            "([panel, before]) => panel.querySelector('img').src != before && panel.innerText.includes('ready')",
            arg=[self.panel.element_handle(), before],
            polling=20,
        )
        return time.perf_counter() - start

    def press(self, name, key, times=1):
        self.handle(name).focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def drag(self, name, pixels):
        box = self.handle(name).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + pixels, y, steps=5)
        self.page.mouse.up()

    def screenshot(self, name):
        """Keep a picture at both widths, and see that nothing sticks out."""
        for width in (1280, 800):
            self.page.set_viewport_size({"width": width, "height": 1_400})
            self.panel.scroll_into_view_if_needed()
            self.page.wait_for_timeout(300)
            self.panel.screenshot(path=ARTEFACTS / f"{name}_{width}.png")
            sizes = self.panel.evaluate("panel => [panel.scrollWidth, panel.clientWidth]")
            assert sizes[0] <= sizes[1] + 1, f"{name} sticks out at {width} pixels"
        self.page.set_viewport_size({"width": 1280, "height": 900})


def note(name, seconds):
    """Write a time down; it is reported at the end, and nothing depends on it."""
    with (ARTEFACTS / "browser_times.txt").open("a", encoding="utf-8") as file:
        file.write(f"{name}: {seconds:.2f} s\n")


def measured_again(folder, explorer):
    """See that what is shown is what is measured from the pixels of the noise that is shown."""
    again = json.loads(in_kernel(folder, AGAIN))
    shown = explorer.numbers
    if again["success"] is not None:
        assert f"success {again['success']}" in shown
    assert f"accuracy {again['accuracy']}" in shown
    return again["values"]


@pytest.mark.usefixtures("kernel_of_its_own")
def test_the_noise_explorer_of_notebook_04(page, lab):
    address, folder = lab
    open_in_lab(page, address, "notebooks/04_universal_noise.ipynb")
    assert page.locator('[data-jp-item-name="voila"]').count() == 0
    run_all_cells(page, seconds=500)
    assert page.get_by_text("AssertionError").count() == 0
    explorer = Explorer(page)
    first, height = explorer.numbers, explorer.panel.bounding_box()["height"]
    assert measured_again(folder, explorer)["noise_limit"] == 0.35
    explorer.screenshot("noise_explorer")

    note("noise explorer, first move", explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft", 5)))
    assert explorer.value_of("noise_limit") == "0.30"
    assert measured_again(folder, explorer)["noise_limit"] == pytest.approx(0.3)
    assert explorer.numbers != first
    for limit in ("0.29", "0.28", "0.27"):
        note("noise explorer, next moves", explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft")))
        assert explorer.value_of("noise_limit") == limit

    explorer.after(lambda: explorer.drag("noise_limit", -80))
    assert float(explorer.value_of("noise_limit")) < 0.27
    measured_again(folder, explorer)
    explorer.after(lambda: explorer.press("noise_l2_weight", "End"))
    assert explorer.value_of("noise_l2_weight") == "0.1"
    explorer.after(lambda: explorer.press("steps", "Home"))
    explorer.after(lambda: explorer.panel.locator("select").select_option("to “8”"))
    assert measured_again(folder, explorer) | {"noise_limit": 0} == {
        "target_class": 8, "noise_limit": 0, "noise_l2_weight": 0.1, "steps": 1, "mode": "search anew",
    }  # fmt: skip
    explorer.after(lambda: explorer.press("steps", "End"))
    explorer.after(lambda: explorer.panel.locator("select").select_option("away: any other"))
    assert "fooling rate" in explorer.numbers
    measured_again(folder, explorer)

    before = explorer.numbers
    explorer.panel.get_by_role("button", name="same noise").click()
    explorer.page.wait_for_timeout(300)
    explorer.after(lambda: explorer.press("noise_limit", "End"))
    assert explorer.value_of("noise_limit") == "0.60"
    assert explorer.numbers != before
    measured_again(folder, explorer)
    assert explorer.panel.bounding_box()["height"] == height, "the page jumps"


@pytest.mark.usefixtures("kernel_of_its_own")
def test_of_several_quick_moves_only_the_last_is_computed(page, lab):
    address, folder = lab
    browser.write_notebook(folder / "quick.ipynb", IMPORTS, PLAIN, browser.explorer_cell("04"))
    open_in_lab(page, address, "quick.ipynb")
    run_all_cells(page)
    explorer = Explorer(page)
    in_kernel(
        folder,
        "from course_utils.widgets import Panel\n"
        "(panel,) = {id(one): one for one in Out.values() if isinstance(one, Panel)}.values()\n"
        "seen, show = [], panel.show\n"
        "panel.show = lambda **values: (seen.append(values['noise_limit']), show(**values))[1]",
    )
    explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft", 10))
    page.wait_for_timeout(1_500)
    seen = [float(word) for word in in_kernel(folder, "print(*seen)").split()]
    assert seen[-1] == pytest.approx(0.25)
    assert len(seen) <= 4
    assert explorer.value_of("noise_limit") == "0.25"
    measured_again(folder, explorer)


@pytest.mark.usefixtures("kernel_of_its_own")
def test_one_image_step_by_step(page, lab):
    address, folder = lab
    browser.write_notebook(folder / "image.ipynb", IMPORTS, PLAIN, browser.explorer_cell("03"))
    open_in_lab(page, address, "image.ipynb")
    run_all_cells(page)
    explorer = Explorer(page)
    assert "Step 0 of" in explorer.numbers
    note("one image, a step", explorer.after(lambda: explorer.press("step", "ArrowRight")))
    assert "Step 1 of" in explorer.numbers
    explorer.after(lambda: explorer.press("step", "End"))
    assert "seen as “3”" in explorer.numbers
    explorer.screenshot("one_image")
    explorer.after(lambda: explorer.panel.locator("select").nth(1).select_option("“9”"))
    assert "Step 0 of" in explorer.numbers
    assert "score of “9”" in explorer.numbers
    explorer.after(lambda: explorer.panel.locator("button").first.click())  # play
    explorer.panel.get_by_text("Step 2 of").wait_for()
    # It goes on playing: a new picture may still be of the step before, so the words are waited for.
    explorer.panel.locator("select").first.select_option("“4”")
    explorer.panel.get_by_text("score of “4”").wait_for()


@pytest.mark.usefixtures("kernel_of_its_own")
def test_three_networks_side_by_side(page, lab):
    address, folder = lab
    networks = 'interleaved, immune_network = finished_network("interleaved"), finished_network("worst_noise")'
    browser.write_notebook(folder / "networks.ipynb", IMPORTS, PLAIN, networks, browser.explorer_cell("06"))
    open_in_lab(page, address, "networks.ipynb")
    run_all_cells(page)
    explorer = Explorer(page)
    assert all(f"{name}: success" in explorer.numbers for name in ("plain", "interleaved", "immune"))
    explorer.after(lambda: explorer.press("noise_limit", "ArrowRight"))
    note("three networks, a move", explorer.after(lambda: explorer.press("noise_limit", "ArrowRight")))
    explorer.after(lambda: explorer.panel.locator("select").select_option("away: any other"))
    assert explorer.numbers.count("fooling rate") == 3
    explorer.screenshot("three_networks")


@pytest.mark.usefixtures("kernel_of_its_own")
def test_the_certificate(page, lab):
    address, folder = lab
    network = 'certified = finished_network("certified_3")'
    browser.write_notebook(folder / "certificate.ipynb", IMPORTS, network, browser.explorer_cell("07"))
    open_in_lab(page, address, "certificate.ipynb")
    run_all_cells(page)
    explorer = Explorer(page)
    first = explorer.numbers
    explorer.after(lambda: explorer.press("noise_limit", "Home"))
    assert "At a limit of 0.02" in explorer.numbers
    assert explorer.numbers != first
    explorer.after(lambda: explorer.press("noise_limit", "End"))
    note("certificate, a move", explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft", 4)))
    assert "At a limit of 0.36" in explorer.numbers
    explorer.screenshot("certificate")


@pytest.mark.usefixtures("kernel_of_its_own")
def test_what_goes_wrong_is_said_and_a_restart_leaves_no_ghost(page, lab):
    address, folder = lab
    cell = "explore_noise(plain if os.path.exists('second') else None, mnist)"
    browser.write_notebook(folder / "wrong.ipynb", IMPORTS, f"import os\n{PLAIN}", cell)
    open_in_lab(page, address, "wrong.ipynb")
    run_all_cells(page)
    page.get_by_text("there is no network here yet").wait_for()
    assert page.get_by_text("Traceback").count() == 0
    (folder / "second").touch()
    browser.choose(page, "Kernel", "Restart Kernel and Run All Cells")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    browser.wait_for_all_cells(page)
    explorer = Explorer(page)
    assert page.locator("img.widget-image").count() == 2
    explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft"))
    measured_again(folder, explorer)


@pytest.fixture
def app():
    """The app with one place: its address with the token, a function that counts its kernels, and its log."""
    kernels = tempfile.mkdtemp(prefix="course-app-")
    options = ("--visitors=1", f"--Voila.connection_dir_root={kernels}")
    try:
        with browser.served(f"{browser.ROOT / 'tools' / 'app.py'}", *options) as (_, folder):
            log = folder / "log"
            (address,) = re.findall(r"http://\S+\?token=\w{20,}", log.read_text(encoding="utf-8"))
            yield address, lambda: len(list(Path(kernels).glob("*/kernel-*.json"))), log
    finally:
        shutil.rmtree(kernels)


def wait_until_free(kernels):
    """Wait until the last kernel has ended: a minute, and some seconds for a machine that is busy."""
    for _ in range(90):
        if not kernels():
            return
        time.sleep(1)
    raise AssertionError("the kernel was not ended")


def test_the_app(page, app):
    address, kernels, log = app
    page.goto(address.split("?")[0])
    assert "/login" in page.url
    assert kernels() == 0
    sockets = [one for process in psutil.Process().children() for one in process.net_connections() if one.laddr]
    hosts = {one.laddr.ip for one in sockets if f":{one.laddr.port}/" in address and one.status == "LISTEN"}
    assert hosts
    assert hosts <= {"127.0.0.1", "::1"}

    page.goto(address)
    explorer = Explorer(page)
    first = explorer.numbers
    note("app, first move", explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft", 5)))
    note("app, a move", explorer.after(lambda: explorer.press("noise_limit", "ArrowLeft", 5)))
    assert explorer.value_of("noise_limit") == "0.25"
    assert explorer.numbers != first
    assert page.get_by_text("import").count() == 0
    explorer.screenshot("app")

    one_too_many = page.context.browser.new_page()
    assert one_too_many.goto(address).status == 503
    assert "All places are taken just now (1 of 1)." in one_too_many.inner_text("body")
    one_too_many.screenshot(path=ARTEFACTS / "app_full.png")
    assert kernels() == 1
    page.goto("about:blank")
    one_too_many.locator("img.widget-image").first.wait_for(timeout=120_000)  # it looked again by itself
    assert kernels() == 1
    one_too_many.goto("about:blank")
    wait_until_free(kernels)
    assert "of inactivity" not in log.read_text(encoding="utf-8")  # the page itself has ended its kernel
    one_too_many.close()


def test_of_two_visitors_at_once_the_app_admits_one_and_its_kernel_ends_when_nobody_is_there(app):
    address, kernels, log = app

    def visit(_):
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(address) as page:
            return page.read()

    with ThreadPoolExecutor() as visitors:
        pages = [page for page in visitors.map(visit, range(2)) if page]
    assert len(pages) == 1
    wait_until_free(kernels)
    assert "of inactivity" in log.read_text(encoding="utf-8")
