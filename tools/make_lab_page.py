"""Make the lab as a page of its own, where the search runs in the reader's browser: build/book/lab/index.html.

    .venv/bin/python tools/make_lab_page.py        (make book calls it)

The screen is that of the notebooks. Behind it stands no kernel, but the same networks as ONNX graphs, and
onnxruntime-web, which npm fetches into book/node_modules. Without Node the page is a picture.
"""

if __name__ == "__main__":
    import stopping  # noqa: F401

import argparse
import base64
import gzip
import html
import json
import shutil
import subprocess
from pathlib import Path
from string import Template
from typing import Any

from course_utils import cached_network, load_mnist, noise_lab, pretrained_network, train_course_network
from course_utils.evaluation import classes_seen
from course_utils.lab import NoiseLab

import numpy as np
from onnx_graph import onnx_graph

ROOT = Path(__file__).parent.parent
BOOK, BUILT = ROOT / "book", ROOT / "build" / "book" / "lab"
HERE = BOOK / "lab"
SCREEN = ROOT / "course_utils" / "lab"
STILL = ROOT / "notebooks" / "images" / "noise_lab.png"
RUNTIME = BOOK / "node_modules" / "onnxruntime-web" / "dist"
# What a browser runs the networks with, and the part of it that is large; on WebGPU where there is one.
RUNTIMES = {"wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
            "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm")}  # fmt: skip
TRAINED = 1_000  # digits to search with: those that a search with seed 0 draws, in that order
LANGUAGES = json.loads((BOOK / "words.json").read_text(encoding="utf-8"))
NO_RUNTIME = "The lab is a picture in this book: Node's npm, which fetches what runs it, {}."


def runtime_is_there() -> bool:
    """Let npm fetch the runtime unless it is there; say in a line why it is not."""
    wanted = json.loads((BOOK / "package.json").read_text(encoding="utf-8"))["dependencies"]["onnxruntime-web"]
    about = RUNTIME.parent / "package.json"
    if about.exists() and json.loads(about.read_text(encoding="utf-8"))["version"] == wanted:
        return True
    npm = shutil.which("npm")
    if not npm:
        print(NO_RUNTIME.format("was not found"))
        return False
    done = subprocess.run([npm, "ci", "--ignore-scripts"], cwd=BOOK, capture_output=True, text=True, check=False)
    if done.returncode:
        print(NO_RUNTIME.format("failed: " + " ".join(done.stderr.split())[:300]))
    return done.returncode == 0


def words_in(code: str) -> dict[str, str]:
    """Return the words of the screen and of the page in one language."""
    screen = json.loads((SCREEN / "words" / f"{code}.json").read_text(encoding="utf-8"))
    return {**screen, **LANGUAGES[code]}


def page_of(code: str) -> str:
    """Name the page of one language: the English one opens by itself."""
    return "index.html" if code == "en" else f"{code}.html"


def write_data(folder: Path) -> str:
    """Write digits, networks and what the lab opens with; return which digits these are, in a word of the lab."""
    dataset = load_mnist()
    networks = {"plain": cached_network(train_course_network, dataset, 0)}
    networks |= {"interleaved": pretrained_network("interleaved"), "immune": pretrained_network("worst_noise")}
    lab = noise_lab(networks, dataset)
    engine, classes = lab.engine, range(len(dataset.class_names))
    drawn = np.random.default_rng(engine.seed).integers(len(dataset.train), size=TRAINED)
    train = dataset.train.images[drawn]
    digits = np.round(255 * np.concatenate([train, engine.images])).astype(np.uint8)
    means = np.stack([engine.mean(one, 1.0, sign)[1][0] for sign in (False, True) for one in classes])
    write_packed(folder / "digits.packed", digits.tobytes() + means.astype("<f4").tobytes())
    for name, network in networks.items():
        (folder / f"{name}.onnx").write_bytes(onnx_graph(network).SerializeToString())
    large = [*folder.rglob("*.onnx"), *folder.rglob("*.packed")]
    known = {
        "trained": TRAINED,
        "places": {"none" if one is None else one: engine.places(one) for one in (*classes, None)},
        "seen": {
            name: {
                "train": classes_seen(network, train).tolist(),
                "test": classes_seen(network, engine.images).tolist(),
            }
            for name, network in networks.items()
        },
        "bytes": {path.relative_to(folder).as_posix(): path.stat().st_size for path in large},
    }
    stored = [as_it_opens(lab, target) for target in (*classes, None)]
    about = {"about": lab.about, "images": in_letters(lab.images), "known": known, "stored": stored}
    (folder / "lab.json").write_text(json.dumps(about), encoding="utf-8")
    return "page_stand_in" if dataset.is_stand_in else "page_digits"


def as_it_opens(lab: NoiseLab, target: int | None) -> dict[str, Any]:
    """Search for one target as the lab does when it opens; return the question with its answer."""
    network = lab.about["networks"][0]
    settings = {"network": network, "target": target, "limit": lab.about["limit"], "networks": [network]}
    settings |= {"l2_weight": 0, "steps": 20, "moving": False}
    answer, arrays = lab.engine.search(**settings)
    return {"settings": settings, "answer": answer, "arrays": [in_letters(array.tobytes()) for array in arrays]}


def in_letters(values: bytes) -> str:
    """Write bytes as text."""
    return base64.b64encode(values).decode()


def write_packed(path: Path, values: bytes) -> None:
    """Write a file that the page unpacks; no server would send it smaller by itself."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(values, mtime=0))


def write_page(folder: Path, code: str, digits: str, whole: bool) -> None:
    """Write the page in one language: the lab, or the picture of it alone."""
    words, others = words_in(code), [other for other in LANGUAGES if other != code]
    links = [
        f'<a class="other-language" lang="{other}" href="{page_of(other)}">{LANGUAGES[other]["language"]}</a>'
        for other in others
    ]
    texts = json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
    scripts = (HERE / "scripts.html").read_text(encoding="utf-8").replace("$texts", texts)
    if not whole:
        scripts = f"<script>picture({json.dumps(words['page_no_runtime'], ensure_ascii=False)})</script>"
    page = Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        {name: html.escape(text) for name, text in words.items()},
        language=code, digits=html.escape(words.get(digits, "")), others=" ".join(links), scripts=scripts,
    )  # fmt: skip
    (folder / page_of(code)).write_text(page, encoding="utf-8", newline="\n")


def main(folder: Path = BUILT) -> None:
    """Make the page in all languages, with all that it needs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(STILL, folder / "still.png")
    shutil.copyfile(HERE / "page.css", folder / "page.css")
    digits, whole = "", runtime_is_there()
    if whole:
        for name in ("page.js", "worker.js"):
            shutil.copyfile(HERE / name, folder / name)
        shutil.copytree(SCREEN / "screen", folder / "screen")
        for name, (script, binary) in RUNTIMES.items():
            write_packed(folder / "ort" / f"{name}.wasm.packed", (RUNTIME / binary).read_bytes())
            shutil.copyfile(RUNTIME / script, folder / "ort" / f"{name}.mjs")
        digits = write_data(folder)
    for code in LANGUAGES:
        write_page(folder, code, digits, whole)
    if whole:  # for one who comes again without a network
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if "ort" not in path.parts)
        offline = (HERE / "offline.js").read_text(encoding="utf-8")
        (folder / "offline.js").write_text(
            Template(offline).safe_substitute(files=json.dumps(["./", *files])), encoding="utf-8"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the lab as a page of its own.")
    parser.add_argument("folder", type=Path, nargs="?", default=BUILT, help="where to; build/book/lab when left out")
    main(parser.parse_args().folder)
