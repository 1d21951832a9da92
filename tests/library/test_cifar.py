"""CIFAR-10: where it is looked for, the fallback for it, and the network that reads it."""

import hashlib

from course_utils import cifar_network, load_cifar10, photos
from course_utils.models import copy_network

import keras
import numpy as np
import pytest


@pytest.fixture
def places(monkeypatch, tmp_path):
    """An empty data folder, an empty Keras cache, no network, and nothing loaded yet."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", no_network)
    photos._load_cifar10.cache_clear()
    yield tmp_path
    photos._load_cifar10.cache_clear()


def no_network():
    raise Exception("URL fetch failure")


def some_arrays(count, label_shape):
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (n, 32, 32, 3), np.uint8) for n in (count, 10)]
    labels = [generator.integers(0, 10, (len(each), *label_shape), np.uint8) for each in images]
    return images[0], labels[0], images[1], labels[1]


def test_the_data_of_this_run_are_as_promised():
    data = load_cifar10()
    for split in (data.train, data.validation, data.test):
        assert split.images.dtype == np.float32
        assert split.images.shape == (len(split), 32, 32, 3)
        assert 0 <= split.images.min() < 0.01
        assert 0.99 < split.images.max() <= 1
        assert set(split.labels) == set(range(10))
    assert len(data.class_names) == 10
    if data.is_stand_in:
        assert data.class_names[0] == "disc"
    else:
        assert [data.class_names[label] for label in data.test.labels[:3]] == ["bird", "automobile", "truck"]


def test_a_part_of_it_in_the_folder_comes_first(places, monkeypatch):
    arrays = some_arrays(100, ())
    monkeypatch.setattr(photos, "CIFAR_HASH", photos.hash_of(*arrays))
    monkeypatch.setattr(photos, "CIFAR_SHAPES", tuple(array.shape for array in arrays))
    flat = [array.reshape(len(array), -1) for array in arrays]  # as some pack them
    np.savez(places / "cifar10.npz", **dict(zip(("x_train", "y_train", "x_test", "y_test"), flat, strict=True)))
    data = load_cifar10()
    assert [len(split) for split in (data.train, data.validation, data.test)] == [95, 5, 10]
    assert data.source == "CIFAR-10, a part of it, from the folder in COURSE_DATA_DIR"
    np.testing.assert_allclose(data.train.images[3] * 255, arrays[0][3], atol=1e-3)
    assert data.class_names[9] == "truck"
    assert not data.is_stand_in


def test_then_all_of_it_through_keras(places, monkeypatch):
    images, labels, test_images, test_labels = some_arrays(40, (1,))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: ((images, labels), (test_images, test_labels)))
    data = load_cifar10()
    assert "all of it" in data.source
    assert data.train.labels.shape == (38,)
    assert data.validation.labels.tolist() == labels[38:, 0].tolist()


@pytest.fixture
def batches(places, monkeypatch):
    """The folder in the Keras cache with six files whose hashes count as the right ones for this test."""
    folder = places / "keras" / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in photos.CIFAR_BATCHES:
        (folder / name).write_bytes(name.encode())
    hashes = {name: hashlib.md5(name.encode()).hexdigest() for name in photos.CIFAR_BATCHES}
    monkeypatch.setattr(photos, "CIFAR_BATCHES", hashes)
    return folder


@pytest.mark.parametrize("damage", ["changed", "missing", "a folder"])
@pytest.mark.parametrize("name", ["data_batch_1", "test_batch"])
def test_files_in_the_keras_cache_are_checked_before_they_are_unpickled(batches, monkeypatch, damage, name):
    loaded = []
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: loaded.append(1))
    (batches / name).unlink()
    if damage == "changed":
        (batches / name).write_bytes(b"cos\nsystem\n(S'echo code'\ntR.")
    if damage == "a folder":
        (batches / name).mkdir()
    with pytest.raises(ValueError, match=r"damaged, half downloaded or another data set|cannot be read") as error:
        load_cifar10()
    assert str(batches / name) in str(error.value)
    if damage != "a folder":
        assert photos.CIFAR_BATCHES[name] in str(error.value)
        assert f"Move {batches} elsewhere" in str(error.value)
    assert loaded == []


def test_whole_files_in_the_keras_cache_are_left_to_keras(batches, monkeypatch):
    images, labels, *test = some_arrays(40, (1,))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: ((images, labels), test))
    assert "all of it, from the Keras cache" in load_cifar10().source
    assert sorted(path.name for path in batches.iterdir()) == sorted(photos.CIFAR_BATCHES)


def test_the_files_are_where_keras_looks(places, monkeypatch):
    monkeypatch.undo()
    folder = places / "keras" / "datasets"
    asked = []
    monkeypatch.setenv("KERAS_HOME", str(places / "keras"))
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr("keras.src.datasets.cifar10.get_file", lambda fname, **_: str(folder / fname))
    monkeypatch.setattr("keras.src.datasets.cifar10.load_batch", lambda path: asked.append(path) or 1 / 0)
    assert load_cifar10().is_stand_in
    assert asked == [str(folder / "cifar-10-batches-py-target" / "cifar-10-batches-py" / "data_batch_1")]
    (folder / "cifar-10-batches-py-target" / "cifar-10-batches-py").mkdir(parents=True)
    photos._load_cifar10.cache_clear()
    with pytest.raises(ValueError, match="data_batch_1 is damaged, half downloaded"):
        load_cifar10()
    assert len(asked) == 1


def test_no_network_gives_drawn_shapes_and_says_so_once(places, capsys):
    data = load_cifar10()
    assert data.is_stand_in
    assert "coloured shapes are the fallback" in capsys.readouterr().out
    load_cifar10()
    assert capsys.readouterr().out == ""
    again, _ = photos._drawn_shapes(30)
    np.testing.assert_array_equal(data.train.images[:30], photos._drawn_shapes(2_700)[0][:30])
    assert again.shape == (30, 32, 32, 3)


def test_the_fallback_can_be_asked_for(monkeypatch, places):
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    assert load_cifar10().is_stand_in
    monkeypatch.setenv("COURSE_DATA", "other")
    with pytest.raises(ValueError, match="COURSE_DATA must be"):
        load_cifar10()


@pytest.mark.parametrize("content", [b"<html>not found</html>", None])
def test_a_damaged_file_is_named(places, content):
    path = places / "cifar10.npz"
    if content is None:
        np.savez(path, **dict(zip(("x_train", "y_train", "x_test", "y_test"), some_arrays(20, ()), strict=True)))
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="damaged, half downloaded or another data set") as error:
        load_cifar10()
    assert str(path) in str(error.value)
    assert photos.CIFAR_HASH in str(error.value)
    assert path.read_bytes() == before


def test_every_shape_is_there_and_has_a_colour_of_its_own():
    images, labels = photos._drawn_shapes(200)
    for image, label in zip(images, labels, strict=True):
        assert 0.02 < share_unlike_the_ground(image) < 0.7, list(photos.SHAPES)[label]


def share_unlike_the_ground(image):
    ground = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]), axis=0)
    return np.mean(np.abs(image - ground).max(axis=-1) > 0.2)


def test_the_network_varies_images_in_training_only(tmp_path):
    keras.utils.set_random_seed(0)
    network, images = cifar_network(), photos._drawn_shapes(40)[0]
    varies = network.get_layer("varied")
    for as_they_are in (varies(images), varies(images, training=False), keras.Sequential([varies])(images)):
        np.testing.assert_allclose(as_they_are, images, atol=1e-6)
    np.testing.assert_allclose(network(images), network.predict(images, verbose=0), atol=1e-5)
    varied = np.asarray(varies(images, training=True))
    assert np.mean(np.abs(varied - images).max(axis=(1, 2, 3)) > 0.05) > 0.9
    assert varied.min() >= 0
    assert varied.max() <= 1
    network.save(tmp_path / "kept.keras")
    kept = keras.saving.load_model(tmp_path / "kept.keras", safe_mode=True)
    np.testing.assert_allclose(kept(images), network(images), atol=1e-5)
    np.testing.assert_allclose(copy_network(network)(images), network(images), atol=1e-5)
    assert network.output_shape == (None, 10)
    assert network.count_params() * 4 < 1.2e6  # so that the finished ones stay small
