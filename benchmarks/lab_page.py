"""How fast, how large and how good is the lab on a page of its own?

    make bench        (a minute; nothing else should run)

In headless Chromium, without a GPU, on files that this machine hands out; the figures go to results/lab_page.json.
Seconds and megabytes belong to the machine that is named there.
"""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path += [str(Path(__file__).parent.parent / name) for name in ("tools", "tests")]
    import stopping  # noqa: F401

import argparse
import io
import re
import tempfile
from statistics import median
from typing import Any

from course_utils import cached_network, evaluate_noise, find_universal_noise, load_mnist, train_course_network

import browser
import make_lab_page
import numpy as np
import psutil
from measurements import keep_result, measured_run
from playwright.sync_api import Browser, Page

WHAT = "The lab on a page of its own, in headless Chromium without a GPU: medians of five visits, of 30 movements."
VISITS, LIMIT, SEEDS = 5, 0.35, 5
READY = "document.querySelector('#status').textContent && !document.querySelector('#status progress')"
CLOCK = "performance.now() / 1000"


def visit(chromium: Browser, address: str, folder: Path) -> tuple[Page, dict[str, float]]:
    """Open the page as one who has never been there; say how long that took, and how much was sent."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    sent: list[str] = []
    page.on("requestfinished", lambda request: sent.append(request.url.removeprefix(address).split("#")[0]))
    page.goto(f"{address}/index.html", wait_until="commit")
    page.locator(".result .number").first.wait_for()
    first_picture = page.evaluate(CLOCK)
    page.wait_for_function(READY)
    usable, files = page.evaluate(CLOCK), {folder / name.lstrip("/") for name in sent}
    sizes = sum(file.stat().st_size for file in files if file.is_file() and file.name[:4] not in ("inte", "immu"))
    return page, {"first_picture_s": first_picture, "usable_s": usable, "sent_MB": sizes / 1e6}


def settle(page: Page) -> None:
    """Wait for the last answer."""
    page.wait_for_timeout(100)
    page.locator(".result[aria-busy=false]").wait_for()


def hold_slider(page: Page) -> None:
    """Move the slider to the limit and do not let go: what is searched then is what a moving slider shows."""
    move = "(slider, limit) => { slider.value = String(limit); slider.dispatchEvent(new Event('input')); }"
    page.locator("input.limit").evaluate(move, LIMIT)
    settle(page)


def saved_noise(page: Page) -> np.ndarray:
    """Return the noise as the reader would save it."""
    with page.expect_download() as saved:
        page.get_by_text("Save the noise (.npy)").click()
    return np.load(io.BytesIO(saved.value.path().read_bytes()))


def searched(page: Page, target: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Search for a target; return the share of hits that the page counts, the noise, and that of a moving search."""
    page.locator(f"[data-target='{target}']").click()
    page.get_by_role("button", name="Search for me", exact=True).click()
    settle(page)
    counts = [int(re.search(r"\d+", one)[0]) for one in page.locator(".shares-words .key").all_inner_texts()]
    resting = saved_noise(page)
    hold_slider(page)
    return counts[1] / sum(counts), resting, saved_noise(page)


def success(page: Page) -> dict[str, float]:
    """Compare the mean success over the ten classes with that of the library, on the same 1,000 test images."""
    mnist = load_mnist()
    plain, some = cached_network(train_course_network, mnist, 0), slice(1_000)

    def mean(all_noise: np.ndarray) -> float:
        test = mnist.test.images[some], mnist.test.labels[some]
        reports = [evaluate_noise(plain, *test, noise, target, LIMIT) for target, noise in enumerate(all_noise)]
        return float(np.mean([report.success_rate for report in reports]))

    page.locator(".more summary").click()
    hold_slider(page)
    shares, resting, moving = zip(*(searched(page, target) for target in range(10)), strict=True)
    library = [
        mean(find_universal_noise(plain, mnist.train.images, list(range(10)), LIMIT, seed=seed))
        for seed in range(SEEDS)
    ]
    return {
        "page": float(np.mean(shares)), "page_by_the_library": mean(np.stack(resting)),
        "while_moving": mean(np.stack(moving)), "library": library[0], "library_five_seeds": float(np.mean(library)),
    }  # fmt: skip


def measure(chromium: Browser, address: str, folder: Path) -> dict[str, Any]:
    """Visit, move, paint, and measure."""
    visits = []
    for _ in range(VISITS):
        page, seen = visit(chromium, address, folder)
        visits.append(seen)
        if len(visits) < VISITS:
            page.context.close()
    settle(page)
    lab = page.locator(".noise-lab").element_handle()
    times = {kind: page.evaluate(browser.TIMES, [lab, kind]) for kind in ("slide", "paint")}
    settle(page)
    processes = [one for one in psutil.Process().children(recursive=True) if "--type=renderer" in one.cmdline()]
    return {
        "load": round(psutil.getloadavg()[0], 1),  # of what else runs on this machine, too
        **{name: round(median(seen[name] for seen in visits), 2) for name in visits[0]},
        **{f"{kind}_s": round(median(values) / 1000, 3) for kind, values in times.items()},
        "memory_MB": round(max(one.memory_full_info().uss for one in processes) / 1e6),
        "success": {name: round(share, 4) for name, share in success(page).items()},
    }


def main() -> None:
    """Make the page, measure, print, and keep."""
    if browser.CHROMIUM is None or not make_lab_page.runtime_is_there():
        sys.exit("This needs Chromium and Node's npm.")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lab"
        make_lab_page.main(folder)
        with browser.handed_out(folder) as address, browser.chromium() as page:
            values = measure(page.context.browser, address, folder)
    for name, value in values.items():
        print(f"{name}: {value}")
    keep_result("lab_page", WHAT, "benchmarks/lab_page.py", [measured_run(values)])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
