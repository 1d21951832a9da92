"""What the noise lab shows is what is measured, over the whole range of every control; and nothing gets lost."""

import functools
import io
import itertools
import json
import re
import shutil
import subprocess

from course_utils import (
    Dataset,
    Split,
    certifiable_network,
    certified_accuracy,
    certified_training,
    evaluate_noise,
    find_image_noise,
    find_universal_noise,
    noise_lab,
)
from course_utils._gradients import logits_of
from course_utils.evaluation import classes_seen
from course_utils.lab import engine as engine_module
from course_utils.lab.engine import LIMITS, QUESTIONS, Engine, in_100
from course_utils.lab.still import PANELS
from course_utils.lab.widget import HERE, screen, words

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import case
from matplotlib.figure import Figure
from PIL import Image

TARGETS = [*range(10), None]
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def engine(digits, plain_network, immune_network):
    return Engine({"plain": plain_network, "immune": immune_network}, digits)


@pytest.fixture(scope="module")
def certified(digits):
    network = certifiable_network((14, 14, 1))
    return certified_training(network, digits.train.images, digits.train.labels, 0.1, steps=200, batch_size=64)


def ask(engine, question, *arrays, **settings):
    answer, found = engine.answer(question, settings, arrays)
    assert "error" not in answer, answer
    json.dumps(answer, allow_nan=False)  # it goes to a browser
    return answer, found


def refusal(engine, question, *arrays, **settings):
    answer, found = engine.answer(question, settings, arrays)
    assert found == []
    assert set(answer) == {"error"}
    assert "\n" not in answer["error"]
    return answer["error"]


def softmax(network, images):
    return tf.nn.softmax(logits_of(network, images)).numpy()


def seen_by(network, images):
    return logits_of(network, images).numpy().argmax(axis=1)


def noise_of(seed, shape=(14, 14, 1), limit=0.3):
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(np.float32)


def assert_true(engine, answer, noise, target, count):
    """See that the numbers are those of the noise, as `evaluate_noise` has them."""
    images, labels = engine.images[:count], engine.labels[:count]
    assert answer["images"] == len(images)
    assert answer["largest"] == pytest.approx(np.abs(noise).max())
    for name, counts in answer["measured"].items():
        report = evaluate_noise(engine.networks[name], images, labels, noise, target, 1.0)
        others = np.arange(10) != target
        assert counts["confusion"] == report.confusion.tolist()
        assert counts["of"] == np.sum(labels != target)
        assert counts["right"] == np.diag(report.confusion)[others].sum()
        assert counts["right"] + counts["hit"] + counts["elsewhere"] == counts["of"]
        if target is None:
            assert counts["hit"] == round(len(images) * (1 - report.accuracy))
        else:
            assert counts["hit"] / counts["of"] == report.success_rate
        assert counts["in_100"] == in_100(counts["hit"], counts["of"])
        everything, truth = engine.images, engine.labels
        seen = classes_seen(engine.networks[name], everything)
        clean = np.sum((seen != truth) if target is None else (seen == target) & others[truth])
        assert counts["clean_in_100"] == in_100(int(clean), int(np.sum(truth != target)))
        assert counts["images"] == len(images)


@pytest.mark.parametrize("target", TARGETS)
def test_searched_noise_is_measured_for_every_target(engine, target):
    answer, (_, noise) = ask(engine, "search", network="plain", target=target)
    assert list(answer["measured"]) == ["plain", "immune"]
    assert 0 < np.abs(noise).max() <= 0.35 + 1e-6
    assert_true(engine, answer, noise, target, 1_000)


@pytest.mark.parametrize(
    "settings", [{"limit": 1 / 255}, {"limit": 1}, {"l2_weight": 0.1}, {"steps": 1}, {"steps": 60}, {"moving": True}]
)
def test_searched_noise_at_both_ends_of_every_control(engine, digits, settings):
    answer, (_, noise) = ask(engine, "search", network="immune", target=3, **settings)
    limit, weight, steps = settings.get("limit", 0.35), settings.get("l2_weight", 0.0), settings.get("steps", 20)
    network = engine.networks["immune"]
    found = find_universal_noise(network, digits.train.images, 3, limit, weight, steps, seed=0)
    np.testing.assert_array_equal(noise, found[0])
    assert_true(engine, answer, noise, 3, 300 if settings.get("moving") else 1_000)


@pytest.mark.parametrize("target", [0, 9, None])
@pytest.mark.parametrize("moving", [False, True])
def test_any_noise_is_measured(engine, target, moving):
    for noise in (noise_of(1), np.zeros((14, 14, 1), np.float32), np.full((14, 14, 1), -1, np.float32)):
        answer, _ = ask(engine, "measure", noise.ravel(), target=target, networks=["immune"], moving=moving)
        assert list(answer["measured"]) == ["immune"]
        assert_true(engine, answer, noise, target, 300 if moving else 1_000)


@pytest.mark.parametrize("target", [3, None])
def test_the_images_shown_and_the_words_on_them(engine, target):
    noise = noise_of(2, limit=0.6)
    answer, (pixels,) = ask(engine, "measure", noise, target=target)
    places, labels = answer["places"], engine.labels[answer["places"]]
    assert len(set(labels.tolist())) == 9
    assert target not in labels
    noisy = np.clip(engine.images[places] + noise, 0, 1)
    np.testing.assert_array_equal(pixels, np.round(255 * noisy).astype(np.uint8))
    for name, network in engine.networks.items():
        assert (seen_by(network, engine.images[places]) == labels).all()
        seen = seen_by(network, noisy)
        words = [
            "right" if s == t else "hit" if target in (None, s) else "other"
            for s, t in zip(seen, labels, strict=True)
        ]
        assert answer["measured"][name]["seen"] == seen.tolist()
        assert answer["measured"][name]["verdicts"] == words


def test_the_networks_are_told_apart(engine):
    answer, _ = ask(engine, "search", network="plain", target=3, limit=0.2)
    assert answer["measured"]["plain"]["hit"] > answer["measured"]["immune"]["hit"]


def test_never_all_or_none_by_rounding():
    assert [in_100(count, 1_000) for count in (0, 1, 500, 999, 1_000)] == [0, 1, 50, 99, 100]
    assert in_100(0, 0) == 0


# Step by step


@pytest.mark.parametrize("target", [3, None])
def test_the_search_grows_to_where_the_search_ends(engine, target):
    answer, (all_noise,) = ask(engine, "grow", network="plain", target=target, limit=0.3, steps=7)
    _, (_, noise) = ask(engine, "search", network="plain", target=target, limit=0.3, steps=7)
    assert len(all_noise) == len(answer["in_100"]) == 8
    assert not all_noise[0].any()
    np.testing.assert_allclose(all_noise[-1], noise, atol=1e-6)
    assert all(np.abs(later - one).max() > 0 for one, later in itertools.pairwise(all_noise))
    for count, one in zip(answer["in_100"], all_noise, strict=True):
        measured, _ = ask(engine, "measure", one, target=target, networks=["plain"], moving=True)
        assert measured["measured"]["plain"]["in_100"] == count


@pytest.mark.parametrize("target", [3, 8])
def test_the_search_for_an_image_step_by_step(digits, plain_network, target):
    image = digits.test.images[0]
    all_noise = [np.zeros_like(image)]
    find_image_noise(plain_network, image[None], target, 0.3, after_step=lambda noise: all_noise.append(noise[0]))
    assert not all_noise[0].any()
    for count, noise in enumerate(all_noise[1:], start=1):
        found, (steps,) = find_image_noise(plain_network, image[None], target, 0.3, max_steps=count)
        assert steps == count
        np.testing.assert_allclose(noise, found[0], atol=1e-6)
    _, (steps,) = find_image_noise(plain_network, image[None], target, 0.3)
    assert len(all_noise) == steps + 1


def test_an_image_that_is_the_target_already_takes_no_step(digits, plain_network):
    seen = softmax(plain_network, digits.test.images)
    surest = int(np.argmax(seen.max(axis=1)))
    called = []
    target = int(seen[surest].argmax())
    find_image_noise(plain_network, digits.test.images[[surest]], target, after_step=called.append)
    assert called == []


@pytest.mark.parametrize("target", range(10))
def test_an_image_can_become_any_class(engine, target):
    answer, (all_noise, pixels) = ask(engine, "single", network="plain", place=4, target=target, limit=0.4)
    noisy = np.clip(engine.images[4] + all_noise, 0, 1)
    np.testing.assert_allclose(answer["scores"], softmax(engine.networks["plain"], noisy), atol=1e-5)
    np.testing.assert_array_equal(pixels, np.round(255 * noisy).astype(np.uint8))
    assert answer["label"] == engine.labels[4]
    assert np.abs(all_noise).max() <= 0.4 + 1e-6
    assert answer["scores"][-1][target] >= 0.98 or len(all_noise) == 26


# One image, and the mean of a class


def test_scores_before_and_after(engine):
    noise = noise_of(3)
    for image, arrays, settings in (
        (engine.images[7], (), {"place": 7}),
        (noise_of(4, limit=0.5) + 0.5, (noise_of(4, limit=0.5) + 0.5,), {"networks": ["immune"]}),
    ):
        answer, (pixels,) = ask(engine, "scores", noise, *arrays, **settings)
        both = np.stack([image, np.clip(image + noise, 0, 1)])
        np.testing.assert_array_equal(pixels, np.round(255 * both).astype(np.uint8))
        assert list(answer["scores"]) == settings.get("networks", ["plain", "immune"])
        for name, scores in answer["scores"].items():
            np.testing.assert_allclose(scores, softmax(engine.networks[name], both), atol=1e-5)


@pytest.mark.parametrize("limit", [0.01, 1])
def test_the_mean_of_a_class_is_as_strong_as_the_limit(engine, digits, limit):
    _, (mean,) = ask(engine, "mean", target=3, limit=limit)
    _, (sign,) = ask(engine, "mean", target=3, limit=limit, sign=True)
    train = digits.train
    difference = train.images[train.labels == 3].mean(axis=0) - train.images.mean(axis=0)
    assert np.corrcoef(mean.ravel(), difference.ravel())[0, 1] > 0.999
    assert np.abs(mean).max() == pytest.approx(limit)
    np.testing.assert_allclose(np.unique(sign), [-limit, 0, limit], atol=1e-6)
    assert (sign * mean >= 0).all()


# Clean, attacked, proven


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.4, 1])
@pytest.mark.parametrize("moving", [False, True])
def test_proven_attacked_clean_at_every_limit(digits, certified, limit, moving):
    engine = Engine(certified, digits)
    answer, (clean, noisy) = ask(engine, "proof", network="network", limit=limit, moving=moving)
    images, labels = digits.test.images[: answer["of"]], digits.test.labels[: answer["of"]]
    assert answer["of"] == (100 if moving else 300)
    assert answer["proven"] <= answer["attacked"] <= answer["clean"]
    assert answer["proven"] == certified_accuracy(certified, images, labels, limit)
    assert answer["clean"] == np.mean(seen_by(certified, images) == labels)
    shares = {name: count / answer["of"] for name, count in answer["counts"].items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["proven"] == pytest.approx(answer["proven"])
    assert shares["proven"] + shares["open"] == pytest.approx(answer["attacked"])
    assert shares["misread"] == pytest.approx(1 - answer["clean"])
    assert len(answer["verdicts"]) == len(answer["labels"]) == len(clean) == len(noisy) == 9
    changes = np.abs(noisy.astype(int) - clean).max(axis=(1, 2, 3))
    assert changes.min() > 0
    assert changes.max() <= round(255 * limit) + 1
    seen_clean, seen = (seen_by(certified, pixels / np.float32(255)) for pixels in (clean, noisy))
    for verdict, label, before, after in zip(answer["verdicts"], answer["labels"], seen_clean, seen, strict=True):
        assert (before == label) == (verdict != "misread")
        assert verdict in ("misread", "fooled") or after == label


def test_an_attack_leaves_something_open_and_fools_something(digits, certified):
    counts = ask(Engine(certified, digits), "proof", network="network", limit=0.05)[0]["counts"]
    assert min(counts.values()) > 0


def test_a_proof_is_not_made_twice(digits, certified, monkeypatch):
    engine = Engine({"it": certified}, digits)
    first, second = (ask(engine, "proof", network="it", limit=limit)[0] for limit in (0.05, 0.1))
    monkeypatch.setattr(engine_module, "certified_images", None)
    assert ask(engine, "proof", network="it", limit=0.05)[0] == first
    curves = ask(engine, "curves", network="it", limits=[0.05, 0.1])[0]["curves"]
    assert curves == [
        {"limit": limit, **{kind: one[kind] for kind in ("clean", "attacked", "proven")}}
        for limit, one in ((0.05, first), (0.1, second))
    ]


def test_the_curves_stand_at_all_limits(digits, certified):
    curves = ask(Engine(certified, digits), "curves", network="network")[0]["curves"]
    assert tuple(one["limit"] for one in curves) == LIMITS
    assert all(later["proven"] <= one["proven"] for one, later in itertools.pairwise(curves))


# Networks and data of all kinds


def tail(classes):
    return [keras.layers.Flatten(), keras.layers.Dense(classes)]


def network_for(shape, classes, **settings):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *tail(classes)], **settings)


def dataset_of(images, labels, names, train=None):
    split = Split(images, labels)
    return Dataset(train or split, split, split, names, "a test", False, "a test")


def asked_all(engine, target):
    """Ask everything that any network must be able to answer."""
    name, noise = next(iter(engine.networks)), noise_of(0, engine.shape, 0.05)
    for moving, count in ((False, 1_000), (True, 300)):
        assert_true(engine, ask(engine, "measure", noise, target=target, moving=moving)[0], noise, target, count)
    answer, (pixels, found) = ask(engine, "search", network=name, target=target, limit=8 / 255, steps=3)
    assert found.dtype == np.float32
    assert found.shape == engine.shape
    assert pixels.shape == (len(answer["places"]), *engine.shape)
    ask(engine, "grow", network=name, target=target, limit=8 / 255, steps=2)
    ask(engine, "scores", noise, place=len(engine.images) - 1)
    ask(engine, "single", network=name, place=0, target=0, limit=8 / 255, most_steps=2)
    return answer


@pytest.mark.parametrize("shape", [(32, 32, 3), (24, 24, 3), (9, 5, 1)])
def test_images_in_colour_and_of_other_shapes(shape):
    labels = np.arange(40) % 10
    data = dataset_of(noise_of(0, (40, *shape), 0.5) + 0.5, labels, tuple("abcdefghij"))
    engine = Engine(network_for(shape, 10), data)
    assert len(asked_all(engine, 3)["places"]) == 9
    assert ask(engine, "mean", target=3, limit=0.1)[1][0].shape == shape


def test_forty_three_classes(monkeypatch):
    images, labels = noise_of(0, (86, 8, 8, 3), 0.5) + 0.5, np.arange(86) % 43
    data = dataset_of(images, labels, tuple(f"sign {number}" for number in range(43)))
    lab = noise_lab(network_for((8, 8, 3), 43), data, 42, 8 / 255)
    assert lab.about["classes"][42] == "sign 42"
    answer, _ = ask(lab.engine, "measure", noise_of(0, (8, 8, 3)), target=42)
    assert answer["measured"]["network"]["confusion"] == []  # too many to be read
    assert answer["measured"]["network"]["of"] == 84


@pytest.mark.parametrize("target", [0, 1, 2, None])
def test_few_images_and_missing_classes(target):
    """Two images of class 0, one of class 2, none of class 1: each is shown, but those of the target class."""
    data = dataset_of(noise_of(0, (3, 6, 6, 1), 0.5) + 0.5, np.array([0, 2, 0]), ("a", "b", "c"))
    engine = Engine(network_for((6, 6, 1), 3), data)
    answer, _ = ask(engine, "measure", noise_of(0, (6, 6, 1)), target=target)
    assert sorted(answer["places"]) == [place for place in range(3) if data.test.labels[place] != target]
    assert answer["measured"]["network"]["of"] == len(answer["places"])
    assert "no image of “b”" in refusal(engine, "mean", target=1)


def test_only_images_of_the_target_class(digits, plain_network):
    threes = digits.test.images[digits.test.labels == 3]
    engine = Engine(plain_network, dataset_of(threes, np.full(len(threes), 3), digits.class_names, digits.train))
    answer, (pixels, _) = ask(engine, "search", network="network", target=3)
    assert answer["measured"]["network"] | {"confusion": []} == {
        "of": 0, "hit": 0, "right": 0, "elsewhere": 0, "in_100": 0, "clean_in_100": 0,
        "images": 39, "confusion": [], "seen": [], "verdicts": [],
    }  # fmt: skip
    assert pixels.shape == (0, 14, 14, 1)


@pytest.mark.filterwarnings("ignore:the network reads")
@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "float64"])
def test_a_network_that_computes_in_other_numbers(digits, policy):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((14, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(10, dtype=policy)]
    )
    asked_all(Engine(network, digits), 3)
    answer, _ = ask(Engine(network, digits), "proof", network="network", limit=0.01)
    assert answer["proven"] <= answer["attacked"] <= answer["clean"]


@pytest.fixture
def photographs():
    """As `load_imagenet_samples` gives them: bytes to search on, floats to test; of every other one no label."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    labels = np.array([-1, 2] * 6)
    return dataset_of(pixels.astype(np.float32) / 255, labels, tuple("abcd"), train=Split(pixels, labels))


def test_photographs_are_taken_as_bytes_and_what_nobody_knows_is_what_was_seen(photographs):
    network = network_for((20, 20, 3), 4)
    lab = noise_lab(network, photographs, 1, 8 / 255)
    seen = seen_by(network, photographs.test.images)
    np.testing.assert_array_equal(lab.engine.labels, np.where(np.arange(12) % 2, 2, seen))
    _, (_, noise) = ask(lab.engine, "search", network="network", target=1, limit=8 / 255)
    as_floats = find_universal_noise(network, photographs.test.images, 1, 8 / 255, seed=0)
    np.testing.assert_allclose(noise, as_floats[0], atol=1e-5)


@pytest.mark.parametrize("sign", [False, True])
def test_the_mean_of_bytes_is_that_of_floats(photographs, sign):
    pixels = photographs.train.images // 8 + 100  # weak contrast, so that the means lie near one another
    for_floats = Split(pixels.astype(np.float32) / 255, photographs.train.labels)
    network, test = network_for((20, 20, 3), 4), photographs.test
    mean, expected = (
        ask(
            Engine(network, dataset_of(test.images, test.labels, tuple("abcd"), train=train)),
            "mean", target=2, limit=0.1, sign=sign,
        )[1][0]
        for train in (Split(pixels, photographs.train.labels), for_floats)
    )  # fmt: skip
    np.testing.assert_allclose(mean, expected, atol=1e-5)


def test_of_large_images_there_are_fewer(digits, plain_network, monkeypatch):
    monkeypatch.setattr(engine_module, "VALUES", 100 * 14 * 14)
    engine = Engine(plain_network, digits)
    assert len(engine.images) == 100
    for moving, count in ((False, 100), (True, 30)):
        assert_true(engine, ask(engine, "measure", noise_of(0), target=3, moving=moving)[0], noise_of(0), 3, count)


def test_networks_by_any_name(digits, plain_network):
    engine = Engine({1: plain_network, "both": plain_network, "": plain_network}, digits)
    answer, _ = ask(engine, "measure", noise_of(0), target=3, moving=True)
    assert list(answer["measured"]) == ["1", "both", "network"]
    with pytest.raises(ValueError, match="can be told apart"):
        Engine({1: plain_network, "1": plain_network}, digits)


# What goes wrong


BAD = {
    "no question": ("erase", (), {}),
    "no such setting": ("search", (), {"network": "plain", "colour": "red"}),
    "no network": ("search", (), {"network": "other", "target": 3}),
    "no network to measure": ("measure", (noise_of(0),), {"networks": ["other"]}),
    "a target too many": ("measure", (noise_of(0),), {"target": 10}),
    "a limit of 0": ("search", (), {"network": "plain", "target": 3, "limit": 0}),
    "a limit above 1": ("proof", (), {"network": "plain", "limit": 1.01}),
    "no steps": ("grow", (), {"network": "plain", "target": 3, "steps": 0}),
    "a weight below 0": ("search", (), {"network": "plain", "target": 3, "l2_weight": -1}),
    "noise of another size": ("measure", (noise_of(0)[:5],), {}),
    "noise beyond 1": ("measure", (noise_of(0) + 1,), {}),
    "NaN": ("measure", (noise_of(0) * np.nan,), {}),
    "no noise": ("measure", (), {}),
    "no such place": ("scores", (noise_of(0),), {"place": 500}),
    "an image of another size": ("scores", (noise_of(0), noise_of(0)[:3]), {}),
    "an image of noise": ("scores", (noise_of(0), noise_of(0)), {}),
    "a mean of nothing": ("mean", (), {"target": None}),
    "no target for an image": ("single", (), {"network": "plain", "place": 0, "target": None}),
    "no proof": ("proof", (), {"network": "bent"}),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_goes_wrong_is_said_in_one_sentence(engine, digits, kind):
    bent = keras.Sequential([keras.Input((14, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "tanh")])
    both = Engine({"plain": engine.networks["plain"], "bent": bent}, digits)
    question, arrays, settings = BAD[kind]
    assert len(refusal(both, question, *arrays, **settings)) > 10
    ask(both, "measure", noise_of(0), target=3)  # and all goes on


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), RuntimeError("two\nlines")])
def test_an_error_from_elsewhere_is_said_too(engine, monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(engine_module, "classes_seen", broken)
    assert refusal(engine, "measure", noise_of(0), target=3)


OPENED = {
    **{panel: lambda data, panel=panel: noise_lab(None, data, panel=panel) for panel in ("noise", "image", "proof")},
}


@pytest.mark.parametrize("what", OPENED)
def test_a_network_that_is_not_there_yet_is_told(digits, what):
    with pytest.raises(TypeError, match=r"network must be a keras\.Model, got None: .* run the cells above"):
        OPENED[what](digits)


def test_a_network_that_cannot_be_bounded_opens_no_proof(digits):
    strange = keras.Sequential([keras.Input((14, 14, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "tanh")])
    with pytest.raises(ValueError, match="cannot be bounded"):
        noise_lab(strange, digits, panel="proof")


# The widget


class Told(list):
    """What a lab sends to its screen, and what a screen asks."""

    def __init__(self, lab):
        super().__init__()
        self.lab = lab
        lab.send = lambda content, buffers: self.append((content, buffers))

    def ask(self, question, *arrays, **settings):
        self.clear()
        buffers = [memoryview(array.tobytes()) for array in arrays]
        self.lab._asked(None, {"id": "a 1", "question": question, "settings": settings}, buffers)
        content, buffers = self[0]
        assert content["id"] == "a 1"
        found = [
            np.frombuffer(buffer, about["type"]).reshape(about["shape"])
            for about, buffer in zip(content["arrays"], buffers, strict=True)
        ]
        return content["answer"], found


@pytest.fixture
def told(digits, plain_network):
    return Told(noise_lab(plain_network, digits))


def test_the_latest_noise_is_kept(told):
    lab, noise = told.lab, noise_of(0)
    assert not lab.noise.any()
    told.ask("measure", noise, target=3, moving=True)
    np.testing.assert_array_equal(lab.noise, noise)
    for question, place in (("search", -1), ("mean", 0)):
        network = {"network": "network"} if question == "search" else {}
        _, found = told.ask(question, target=3, limit=0.2, **network)
        np.testing.assert_array_equal(lab.noise, found[place])
    for question, settings in (("grow", {"steps": 3}), ("single", {"place": 0})):
        _, found = told.ask(question, network="network", target=3, limit=0.2, **settings)
        np.testing.assert_array_equal(lab.noise, found[0][-1])
    kept = lab.noise
    told.ask("scores", noise)
    answer, _ = told.ask("measure", noise + 2)
    assert "beyond 1" in answer["error"]
    np.testing.assert_array_equal(lab.noise, kept)
    assert lab.noise.dtype == np.float32
    lab.noise[:] = 1  # a copy
    np.testing.assert_array_equal(lab.noise, kept)


def test_the_step_that_is_on_the_screen_is_kept(digits, plain_network):
    told = Told(noise_lab(plain_network, digits, panel="image"))
    _, (all_noise, _) = told.ask("single", network="network", place=0, target=3)
    told.lab.kept = {"step": 1, "noise": all_noise[1].tobytes()}
    np.testing.assert_array_equal(told.lab.noise, all_noise[1])
    told.lab.kept = {"step": 1}
    np.testing.assert_array_equal(told.lab.noise, all_noise[1])


def test_what_comes_through_the_widget_is_what_the_engine_says(told):
    noise = noise_of(0)
    answer, (pixels,) = told.ask("measure", noise, target=3)
    expected, (expected_pixels,) = told.lab.engine.measure(noise, 3)
    assert answer == expected
    np.testing.assert_array_equal(pixels, expected_pixels)


@pytest.mark.parametrize("strength", [0.0, 0.004, 0.2, 1.0])
def test_noise_of_ones_own_is_shown(told, strength):
    told.ask("search", network="network", target=3)
    noise = np.full((14, 14, 1), -strength, np.float32)
    told.clear()
    told.lab.noise = noise
    ((content, (sent,)),) = told
    np.testing.assert_array_equal(np.frombuffer(sent, np.float32), noise.ravel())
    assert strength <= content["limit"] + 1e-6
    assert 0 < content["limit"] <= 1
    np.testing.assert_array_equal(told.lab.noise, noise)
    told.ask("measure", noise, target=3)  # as the screen does then
    assert len(told) == 1
    noise[:] = 7
    assert told.lab.noise.max() < 1


def test_noise_that_was_given_before_the_screen_opened_is_shown(told):
    noise = noise_of(5)
    told.lab.noise = noise
    told.ask("search", network="network", target=3)
    assert told[-1][0]["tell"] == "noise"
    np.testing.assert_array_equal(np.frombuffer(told[-1][1][0], np.float32), noise.ravel())
    np.testing.assert_array_equal(told.lab.noise, noise)
    told.ask("search", network="network", target=3)
    assert len(told) == 1
    assert np.abs(told.lab.noise - noise).max() > 0.01


@pytest.mark.parametrize(
    "noise",
    [noise_of(0)[:5], noise_of(0)[..., 0], noise_of(0) * np.nan, noise_of(0) * 4, noise_of(0).astype(float), "noise",
     None],
    ids=["another size", "no channel", "NaN", "beyond 1", "float64", "text", "None"],
)  # fmt: skip
def test_noise_that_is_none_is_refused_and_nothing_lost(told, noise):
    told.lab.noise = noise_of(6)
    told.clear()
    with pytest.raises((TypeError, ValueError), match="noise"):
        told.lab.noise = noise
    np.testing.assert_array_equal(told.lab.noise, noise_of(6))
    assert told == []


def test_noise_as_the_search_returns_it_is_taken(told):
    told.lab.noise = noise_of(7)[None]
    np.testing.assert_array_equal(told.lab.noise, noise_of(7))


@pytest.mark.parametrize("limit", [1e-6, 8 / 255, 0.35, 0.8, 1])
def test_a_limit_that_was_asked_for_is_what_one_gets(digits, plain_network, limit):
    about = noise_lab(plain_network, digits, noise_limit=limit).about
    assert about["limit"] == limit
    assert about["step"] <= limit <= about["most"] <= 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"noise_limit": 0}, "noise_limit must be above 0"),
        ({"noise_limit": 1.5}, "noise_limit must be above 0 and at most 1"),
        ({"target_class": 10}, "target_class must be from 0 to 9"),
        ({"target_class": None, "panel": "image"}, "target_class must be a whole number"),
        ({"panel": "certificate"}, "panel must be one of noise, image, proof"),
        ({"panel": None}, "panel must be one of noise, image, proof"),
        ({"seed": -1}, "seed must be at least 0|seed must be from 0"),
        ({"networks": {}}, "networks must hold at least one network"),
    ],
    ids=case,
)
def test_what_no_lab_can_be_opened_with(digits, plain_network, settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        noise_lab(**{"networks": plain_network, "dataset": digits} | settings)


DO_NOT_FIT = {
    "a network of another size": (
        lambda network, data: ({"plain": network, "other": network_for((28, 28, 1), 10)}, data),
        "but the network takes",
    ),
    "too few names": (
        lambda network, data: (network, dataset_of(data.test.images, data.test.labels, ("a", "b", "c"))),
        r"the network has 10 classes, but dataset\.class_names names 3",
    ),
    "labels of other classes": (
        lambda network, data: (network, dataset_of(data.test.images, data.test.labels + 1, data.class_names)),
        r"dataset\.test\.labels must be classes from 0 to 9, got 1 to 10",
    ),
    "images to 255": (
        lambda network, data: (network, dataset_of(data.test.images * 255, data.test.labels, data.class_names)),
        "images",
    ),
    "no images": (
        lambda network, data: (network, dataset_of(data.test.images[:0], data.test.labels[:0], data.class_names)),
        "images",
    ),
}


@pytest.mark.parametrize(("change", "words"), DO_NOT_FIT.values(), ids=DO_NOT_FIT)
def test_networks_and_data_that_do_not_fit(digits, plain_network, change, words):
    with pytest.raises(ValueError, match=words):
        noise_lab(*change(plain_network, digits))


def test_the_clean_images_lie_where_the_screen_looks_for_them(told):
    lab, about = told.lab, told.lab.about
    size = np.prod(about["shape"])
    for target in TARGETS:
        answer, _ = ask(lab.engine, "measure", noise_of(0), target=target, moving=True)
        for place in answer["places"]:
            start = about["kept"].index(place) * size
            clean = np.frombuffer(lab.images, np.uint8)[start : start + size].reshape(about["shape"])
            np.testing.assert_array_equal(clean, np.round(255 * lab.engine.images[place]).astype(np.uint8))
    assert [label for label, _ in about["one_of_each"]] == list(range(10))
    assert all(about["labels"][place] == label for label, place in about["one_of_each"])
    assert about["labels"][about["first"]] == 7


# Where nothing runs


def picture_of(lab, monkeypatch):
    monkeypatch.setenv("COURSE_STILLS", "1")
    data, about = lab._repr_mimebundle_()
    alt = about["image/png"]["alt"]
    assert WIDGET not in data
    assert alt in data["text/plain"]
    assert np.asarray(Image.open(io.BytesIO(data["image/png"])).convert("L")).std() > 10  # there is something in it
    return alt


@pytest.mark.parametrize("target", [3, None])
def test_a_still_says_what_is_measured(digits, engine, monkeypatch, target):
    lab = noise_lab(engine.networks, digits, target, 0.18)
    alt = picture_of(lab, monkeypatch)
    answer, _ = ask(engine, "search", network="plain", target=target, limit=0.18)
    counts = [answer["measured"][name]["in_100"] for name in ("plain", "immune")]
    assert [int(number) for number in re.findall(r"\d+(?= \()", alt)] == counts
    assert "0.18" in alt
    PANELS["noise"](figure := Figure(), lab.engine, lab.about, None)
    written = [text.get_text() for text in figure.texts]
    assert [text for text in written if text.isdigit()] == [str(count) for count in counts]
    for name in ("plain", "immune"):
        parts = [answer["measured"][name][kind] for kind in ("right", "hit", "elsewhere", "of")]
        assert any([int(number) for number in re.findall(r"\d+", text)] == parts for text in written)


def test_a_still_of_noise_that_was_given_and_of_none(digits, plain_network, monkeypatch):
    lab = noise_lab(plain_network, digits, search=False)
    nothing = np.zeros((14, 14, 1), np.float32)
    counts = [ask(lab.engine, "measure", nothing, target=3)[0]["measured"]["network"]["in_100"]]
    pictures = [picture_of(lab, monkeypatch)]
    lab.noise = noise_of(0, limit=0.6)
    counts.append(ask(lab.engine, "measure", lab.noise, target=3)[0]["measured"]["network"]["in_100"])
    pictures.append(picture_of(lab, monkeypatch))
    assert [int(re.search(r"(\d+) of 100", picture)[1]) for picture in pictures] == counts


def test_a_still_of_one_image_and_of_a_proof(digits, certified, monkeypatch):
    lab = noise_lab(certified, digits, 3, 0.3, panel="image")
    answer, _ = ask(lab.engine, "single", network="network", place=lab.about["first"], target=3, limit=0.3)
    last = np.argmax(answer["scores"][-1])
    alt = picture_of(lab, monkeypatch)
    assert f"“{answer['label']}”" in alt
    assert f"“{last}” after {len(answer['scores']) - 1} steps" in alt
    proof = noise_lab(certified, digits, noise_limit=0.1, panel="proof")
    answer, _ = ask(proof.engine, "proof", network="network", limit=0.1)
    shares = re.findall(r"[\d.]+(?=%)", picture_of(proof, monkeypatch))
    assert [float(one) / 100 for one in shares] == pytest.approx(
        [answer[kind] for kind in ("clean", "attacked", "proven")], abs=6e-4
    )


def test_a_still_in_colour(monkeypatch):
    data = dataset_of(noise_of(0, (43, 8, 8, 3), 0.5) + 0.5, np.arange(43), tuple(f"sign ${n}$" for n in range(43)))
    assert "“sign $7$”" in picture_of(noise_lab(network_for((8, 8, 3), 43), data, 7, 0.1), monkeypatch)


def test_where_a_kernel_runs_the_screen_is_shown(told, monkeypatch):
    monkeypatch.delenv("COURSE_STILLS", raising=False)
    data = told.lab._repr_mimebundle_()
    assert WIDGET in (data[0] if isinstance(data, tuple) else data)
    assert len(repr(told.lab)) < 100


# The screen


@functools.cache
def scripts():
    return {path.stem: path.read_text(encoding="utf-8") for path in (HERE / "screen").glob("*.js")}


def test_every_module_of_the_screen_is_joined_once_after_those_that_it_needs():
    first_lines = {name: script.split("\n", 1)[0] for name, script in scripts().items()}
    places = {name: screen().index(line) for name, line in first_lines.items()}
    for name, script in scripts().items():
        assert screen().count(first_lines[name]) == 1, name
        assert all(places[one] < places[name] for one in re.findall(r'from "\./(\w+)\.js"', script)), name
    assert not re.findall(r"^import |^export (?!default)", screen(), re.MULTILINE)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not there; readers need none")
def test_the_joined_screen_is_a_script(tmp_path):
    (tmp_path / "screen.mjs").write_text(screen(), encoding="utf-8")
    done = subprocess.run(["node", "--check", tmp_path / "screen.mjs"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("folder", "language"), [("translations/zh/notebooks", "zh"), ("notebooks", "en"), ("translations/xx", "en")]
)
def test_the_screen_speaks_the_language_of_the_notebook(tmp_path, monkeypatch, folder, language):
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    assert words() == json.loads((HERE / "words" / f"{language}.json").read_text(encoding="utf-8"))
    assert words()["lang"] == language


def test_every_word_of_the_screen_is_there_and_none_is_left_over():
    words = json.loads((HERE / "words" / "en.json").read_text(encoding="utf-8"))
    assert all(isinstance(word, str) and word.strip() for word in words.values())
    text = "\n".join(scripts().values())
    asked = set(re.findall(r'\bwords\(\s*"(\w+)"', text))
    asked |= {name for choice in re.findall(r'\bwords\([^"()]*\? "(\w+)" : "(\w+)"', text) for name in choice}
    assert asked
    assert asked <= set(words)
    made = re.findall(r"\bwords\(\s*`([^`]*)`", text)
    patterns = [re.compile(re.sub(r"\\\$\\\{.*?\\\}", r"\\w+", re.escape(one))) for one in made]
    for pattern in patterns:
        assert any(pattern.fullmatch(name) for name in words), pattern
    quoted = set(re.findall(r'"(\w+)"', text)) | set(re.findall(r"\b(\w+):", text))
    left_over = {name for name in words if not any(pattern.fullmatch(name) for pattern in patterns)} - quoted
    assert left_over == set()


def test_every_question_of_the_screen_is_one():
    text = "\n".join(scripts().values())
    asked = set(re.findall(r'\bask\(\s*"(\w+)"', text)) | set(re.findall(r'question: "(\w+)"', text))
    assert asked
    assert asked <= set(QUESTIONS)
