"""Data: the search order, the real thing recognised whatever holds it, and every kind of damaged file."""

import shutil
from pathlib import Path

from course_utils import data, load_mnist

import numpy as np
import pytest


@pytest.fixture
def places(monkeypatch, tmp_path):
    """An empty data folder, an empty Keras cache, no network, and nothing loaded yet."""
    folder, keras_home = tmp_path / "data", tmp_path / "keras"
    folder.mkdir()
    (keras_home / "datasets").mkdir(parents=True)
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(data, "_download", no_network)
    data._load_mnist.cache_clear()
    yield folder, keras_home / "datasets"
    data._load_mnist.cache_clear()


def no_network(url, file_hash, path):
    raise OSError("no network")


@pytest.fixture
def small_mnist(monkeypatch):
    """Arrays in the layout of MNIST, few and small, whose hash counts as the right one for this test."""
    generator = np.random.default_rng(0)
    arrays = {
        "x_train": generator.integers(0, 256, (55_100, 2, 2), np.uint8),
        "y_train": generator.integers(0, 10, 55_100, np.uint8),
        "x_test": generator.integers(0, 256, (50, 2, 2), np.uint8),
        "y_test": generator.integers(0, 10, 50, np.uint8),
    }
    monkeypatch.setattr(data, "MNIST_HASH", data.hash_of(*arrays.values()))
    return arrays


def test_the_data_of_this_run_are_as_promised():
    mnist = load_mnist()
    splits = (mnist.train, mnist.validation, mnist.test)
    for split in splits:
        assert split.images.dtype == np.float32
        assert split.images.shape == (len(split), 28, 28, 1)
        assert split.images.min() == 0
        assert 0.99 < split.images.max() <= 1
        assert split.labels.dtype == np.int64
        assert set(split.labels) == set(range(10))
    if mnist.is_stand_in:
        assert len(mnist.test) >= 300
        assert "stand-in" in mnist.source
    else:
        assert [len(split) for split in splits] == [55_000, 5_000, 10_000]
        assert mnist.test.labels[:9].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5]
    assert mnist.class_names == tuple("0123456789")


def test_images_are_read_only_since_all_notebook_cells_share_them():
    with pytest.raises(ValueError, match="read-only"):
        load_mnist().test.images[0] = 0


def test_the_folder_comes_first_then_the_cache(places, small_mnist):
    folder, cache = places
    np.savez(cache / "mnist.npz", **small_mnist)
    assert load_mnist().source == "MNIST, from the Keras cache"
    np.savez_compressed(folder / "mnist.npz", **small_mnist)  # other bytes, the same arrays
    data._load_mnist.cache_clear()
    mnist = load_mnist()
    assert mnist.source == "MNIST, from the folder in COURSE_DATA_DIR"
    assert not mnist.is_stand_in
    np.testing.assert_allclose(mnist.test.images[..., 0] * 255, small_mnist["x_test"], atol=1e-4)
    assert mnist.validation.labels.tolist() == small_mnist["y_train"][55_000:].tolist()


def test_a_download_lands_in_the_cache(places, small_mnist, monkeypatch):
    _, cache = places
    monkeypatch.setattr(data, "_download", lambda url, file_hash, path: np.savez(path, **small_mnist))
    assert load_mnist().source == "MNIST, from the Keras cache"
    assert (cache / "mnist.npz").exists()


def test_no_network_gives_the_stand_in_and_says_so_once(places, capsys):
    assert load_mnist().is_stand_in
    said = capsys.readouterr().out
    assert "stand in" in said
    assert "OSError" in said
    assert str(places[0] / "mnist.npz") in said  # the folder was set, but empty
    load_mnist()
    assert capsys.readouterr().out == ""


def test_a_login_page_in_place_of_the_file_gives_the_stand_in(places, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_HOME", str(places[1].parent))
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    monkeypatch.delenv("COURSE_DATA", raising=False)

    class LoginPage:
        def __init__(self, **_):
            pass

        def __call__(self, url, output_file, pooch):
            Path(output_file).write_text("<html>please log in</html>")

    monkeypatch.setattr(data.pooch, "HTTPDownloader", LoginPage)
    assert load_mnist().is_stand_in
    assert not list(places[1].iterdir()), "nothing wrong may be left in the cache"


def test_a_folder_that_does_not_exist_is_named(places, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA_DIR", "/no/such/folder")
    assert load_mnist().is_stand_in
    assert "/no/such/folder" in capsys.readouterr().out


def test_an_empty_variable_counts_as_unset(places, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    assert load_mnist().is_stand_in
    assert "COURSE_DATA_DIR" not in capsys.readouterr().out


def test_the_stand_in_can_be_asked_for(places, small_mnist, monkeypatch):
    np.savez(places[0] / "mnist.npz", **small_mnist)
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    assert load_mnist().is_stand_in
    monkeypatch.setenv("COURSE_DATA", "standin")
    with pytest.raises(ValueError, match=r"COURSE_DATA must be .* 'standin'"):
        load_mnist()


@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("damage", ["other arrays", "truncated", "no archive", "an array missing", "pickled"])
def test_a_damaged_file_is_named_with_both_hashes_and_left_alone(places, small_mnist, where, damage):
    path = places[where] / "mnist.npz"
    if damage == "other arrays":
        small_mnist["y_test"] = small_mnist["y_test"] + 1
    if damage == "an array missing":
        del small_mnist["x_test"]
    if damage == "pickled":
        small_mnist["x_test"] = np.array([{"code": 1}], dtype=object)
    np.savez(path, **small_mnist)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1_000])
    if damage == "no archive":
        path.write_text("<html>not found</html>")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="damaged, half downloaded or another data set") as error:
        load_mnist()
    assert str(path) in str(error.value)
    assert data.MNIST_HASH in str(error.value)
    assert "hash of its arrays:" in str(error.value)
    assert "Move it elsewhere" in str(error.value)
    assert path.read_bytes() == before


def test_a_failed_load_can_be_repeated_once_the_file_is_mended(places, small_mnist):
    path = places[0] / "mnist.npz"
    path.write_text("broken")
    with pytest.raises(ValueError, match="damaged"):
        load_mnist()
    shutil.move(path, path.with_suffix(".broken"))
    np.savez(path, **small_mnist)
    assert not load_mnist().is_stand_in
