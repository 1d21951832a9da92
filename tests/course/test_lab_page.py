"""The lab on a page, before a browser opens it: its graphs, and what is made where there is no Node."""

import json
import re

from course_utils import linear_network, load_mnist, pretrained_network
from course_utils._gradients import logits_of, mean_gradient, quick_pooling

import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT, TOOLS


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)


def taught(network, images, target):
    """Return logits and the gradient of a step of the library's search."""

    @tf.function
    def step(images):
        images = tf.identity(images)
        with quick_pooling():
            logits = logits_of(network, images)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.fill([len(images)], target), logits)
        return logits, mean_gradient(losses, images, 1)

    return [each.numpy() for each in step(images)]


@pytest.mark.parametrize("name", ["interleaved", "worst_noise"])
def test_a_graph_has_the_logits_of_its_network_and_the_gradient_of_the_search(tools, name):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is installed on Linux only")
    from onnx_graph import onnx_graph

    network, images = pretrained_network(name), load_mnist().train.images[:50]
    # Grey everywhere, so that no two pixels are alike: which of two equals is the largest is a matter of rounding.
    images = 0.1 + 0.8 * images + np.random.default_rng(0).uniform(-0.1, 0.1, images.shape).astype(np.float32)
    session = runtime.InferenceSession(onnx_graph(network).SerializeToString())
    blank = np.full((1, 28, 28, 1), 0.5, np.float32)  # but here they all are
    for given, count in ((images, 50), (images, 7), (blank, 1)):  # the gradient is that of so many, the first ones
        wanted = np.eye(10, dtype=np.float32)[[3] * count]
        logits, gradient = session.run(None, {"images": given.transpose(0, 3, 1, 2), "wanted": wanted})
        expected, _ = taught(network, given, 3)
        _, slope = taught(network, given[:count], 3)
        assert np.abs(logits - expected).max() < 1e-4
        assert np.abs(slope).max() > 1e-3
        assert np.abs(gradient - slope.transpose(0, 3, 1, 2)).max() < 1e-4 * np.abs(slope).max()


def test_another_network_is_refused_in_words(tools):
    from onnx_graph import onnx_graph

    with pytest.raises(ValueError, match="linear_network"):
        onnx_graph(linear_network())


@pytest.mark.parametrize("reason", ["no npm", "npm fails"])
def test_without_node_there_are_pictures_and_one_line_says_so(tools, monkeypatch, tmp_path, capsys, reason):
    import make_lab_page

    monkeypatch.setattr(make_lab_page, "RUNTIME", tmp_path / "nowhere" / "dist")
    (tmp_path / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n", encoding="utf-8")
    (tmp_path / "npm").chmod(0o755 if reason == "npm fails" else 0o644)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":" if reason == "npm fails" else None)
    make_lab_page.main(tmp_path / "lab")
    (line,) = capsys.readouterr().out.splitlines()
    assert ("no network" if reason == "npm fails" else "not found") in line
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {"index.html", "zh.html", "page.css", "still.png"}
    for code in make_lab_page.LANGUAGES:
        page = (tmp_path / "lab" / make_lab_page.page_of(code)).read_text(encoding="utf-8")
        assert make_lab_page.words_in(code)["page_no_runtime"] in page
        assert not re.search(r"\$\w", page)


def test_the_lock_file_names_no_host():
    lock = (ROOT / "book" / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    wanted = json.loads((ROOT / "book" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert json.loads(lock)["packages"][""]["dependencies"] == wanted
