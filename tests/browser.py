"""A real JupyterLab and a real Chromium for the tests: started in folders of their own, and gone afterwards."""

import contextlib
import functools
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
from jupyter_client import BlockingKernelClient
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
ARTEFACTS = ROOT / "artefacts"  # screenshots and times; not in the repository
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PIXELS = """root => {
    const canvas = root.querySelector(".cell canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, place) => place % 4 === 0);
}"""
# Do something thirty times; after each, wait for the answer to be on the screen. Milliseconds of each.
TIMES = """async ([root, kind]) => {
    const slider = root.querySelector("input.limit"), noise = root.querySelector("canvas.noise"), times = [];
    const result = root.querySelector(".result");
    const key = (name) => noise.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    for (let turn = 0; turn < 30; turn += 1) {
        const start = performance.now();
        const drawn = new Promise((done) => new MutationObserver((_, seen) => (seen.disconnect(), done()))
            .observe(result, { childList: true, subtree: true }));
        if (kind === "slide") {
            slider.value = String(0.1 + 0.01 * turn);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        } else {
            key(turn % 10 ? "ArrowDown" : "ArrowRight");
            key(" ");
        }
        await drawn;
        times.push(performance.now() - start);
        while (result.ariaBusy === "true") await new Promise((done) => setTimeout(done, 5));
    }
    return times;
}"""
# All cells stay in the page, also those out of sight; nothing is fetched from outside.
LAB_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """Open a page in a browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


@contextlib.contextmanager
def served(command: str, *options: str) -> Iterator[tuple[str, Path]]:
    """Serve a copy of the course with `-m jupyter lab`, or the app; yield the address and the folder.

    Whatever happens meanwhile: in the end no process is left, and no folder.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="course-browser-"))
    try:
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        shutil.copytree(ROOT / "results", folder / "results", ignore=shutil.ignore_patterns("networks"))
        log = (folder / "log").open("w", encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, *command.split(), f"--port={port}", "--no-browser", *options],
            cwd=folder, env=environment_in(folder), stdout=log, stderr=log,
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_there(address, server, folder / "log")
            yield address, folder
        finally:
            end(server)
            log.close()
    finally:
        shutil.rmtree(folder)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Hands files out without a word."""

    def log_message(self, *said: object) -> None:
        """Say nothing."""

    def copyfile(self, *files: object) -> None:
        """Hand a file out, unless whoever asked has gone."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(*files)


@contextlib.contextmanager
def handed_out(folder: Path) -> Iterator[str]:
    """Hand out the files of a folder, as `python -m http.server` does; yield the address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def environment_in(folder: Path) -> dict[str, str]:
    """Keep everything that Jupyter and IPython write in this folder."""
    for name, setting in LAB_SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(setting), encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {**os.environ, **{name: str(folder / place) for name, place in places.items()}}


def wait_until_there(address: str, server: subprocess.Popen, log: Path) -> None:
    """Ask until somebody answers."""
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=60)
            return
        assert server.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.2)
    raise AssertionError(f"nobody answers at {address}: {log.read_text('utf-8')}")


def end(server: subprocess.Popen) -> None:
    """Ask the server to go, which ends its kernels, and see that all of them went."""
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.terminate()
    _, left = psutil.wait_procs(family, timeout=20)
    for process in left:
        process.kill()
    server.wait()
    assert not left, f"these processes were left behind: {left}"


def end_kernels(address: str) -> None:
    """End every kernel of a server."""
    with urllib.request.urlopen(f"{address}/api/kernels") as answer:
        kernels = json.load(answer)
    for kernel in kernels:
        urllib.request.urlopen(urllib.request.Request(f"{address}/api/kernels/{kernel['id']}", method="DELETE"))


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of these code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, path)


def open_in_lab(page: Page, address: str, path: str) -> None:
    """Open a notebook, and wait until its kernel is there and has nothing to do."""
    page.goto(f"{address}/lab/tree/{path}?reset")
    wait_for_idle_kernel(page)


def wait_for_idle_kernel(page: Page, seconds: float = 60) -> None:
    """Wait for the status bar to say so."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=1_000 * seconds)


def choose(page: Page, menu: str, entry: str) -> None:
    """Choose an entry of JupyterLab's menu."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text=entry).first.click()


def run_all_cells(page: Page, seconds: float = 60) -> None:
    """Run the notebook from top to bottom, and wait for the last cell."""
    choose(page, "Run", "Run All Cells")
    wait_for_all_cells(page, seconds)


def wait_for_all_cells(page: Page, seconds: float = 60) -> None:
    """Wait until no cell has a star any more."""
    page.wait_for_timeout(1_000)
    stars = "[...document.querySelectorAll('.jp-InputPrompt')].filter(one => one.textContent.includes('*'))"
    page.wait_for_function(f"{stars}.length == 0", timeout=1_000 * seconds)


def in_kernel(folder: Path, code: str) -> str:
    """Run code in the one kernel of a server, beside the notebook, and return what it prints."""
    (connection,) = (folder / "runtime").glob("kernel-*.json")
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    printed: list[str] = []
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            code, store_history=False, timeout=120, output_hook=lambda m: printed.append(m["content"].get("text", ""))
        )
    finally:
        client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)
