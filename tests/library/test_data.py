"""Data: the search order, the real thing recognised whatever holds it, and every kind of damaged file."""

import contextlib
import shutil
import tempfile
import traceback
from pathlib import Path

from course_utils import data, load_mnist
from course_utils.data import Dataset, Split, as_pixels

import keras
import numpy as np
import pytest
from helpers import case, locked


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
def common():
    """A folder that everybody may enter; those of pytest are for one user."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


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
    monkeypatch.setattr(data, "MNIST_SHAPES", tuple(array.shape for array in arrays.values()))
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
        assert "fallback" in mnist.source
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


def test_no_network_gives_the_fallback_and_says_so_once(places, capsys):
    assert load_mnist().is_stand_in
    said = capsys.readouterr().out
    assert "are the fallback" in said
    assert "OSError" in said
    assert str(places[0] / "mnist.npz") in said  # the folder was set, but empty
    load_mnist()
    assert capsys.readouterr().out == ""


def test_a_login_page_in_place_of_the_file_gives_the_fallback(places, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_HOME", str(places[1].parent))
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    monkeypatch.delenv("COURSE_DATA", raising=False)

    class LoginPage:
        def __init__(self, **_):
            pass

        def __call__(self, url, output_file, pooch):
            Path(output_file).write_text("<html>please log in</html>", encoding="utf-8")

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


def test_the_fallback_can_be_asked_for(places, small_mnist, monkeypatch):
    np.savez(places[0] / "mnist.npz", **small_mnist)
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    assert load_mnist().is_stand_in
    monkeypatch.setenv("COURSE_DATA", "standin")
    with pytest.raises(ValueError, match=r"COURSE_DATA must be .* 'standin'"):
        load_mnist()


def shifted(arrays):
    """The same bytes in the same order, but the images' last one counts as labels."""
    arrays["y_train"] = np.concatenate([arrays["x_train"][-1].ravel(), arrays["y_train"]])
    arrays["x_train"] = arrays["x_train"][:-1]


DAMAGED_ARRAYS = {
    "other arrays": lambda arrays: arrays.update(y_test=arrays["y_test"] + 1),
    "an array missing": lambda arrays: arrays.pop("x_test"),
    "pickled": lambda arrays: arrays.update(x_test=np.array([{"code": 1}], dtype=object)),
    "the same bytes, signed": lambda arrays: arrays.update(x_train=arrays["x_train"].view(np.int8)),
    "the same bytes, as truths": lambda arrays: arrays.update(x_test=arrays["x_test"].view(bool)),
    "the same bytes, shifted": shifted,
    "dates": lambda arrays: arrays.update(y_test=np.zeros(50, "datetime64[s]")),
}


def with_bytes(offset_in_each_header, value):
    """Write a number into both headers of each member of a zip archive: the local one and that in the directory."""

    def change(path):
        content = bytearray(path.read_bytes())
        for start, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
            place = content.find(start)
            while place >= 0:
                content[place + offset_in_each_header + shift] |= value
                place = content.find(start, place + 1)
        path.write_bytes(content)

    return change


def as_folder(path):
    path.unlink()
    path.mkdir()


DAMAGED_FILES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1_000]),
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_text("<html>not found</html>", encoding="utf-8"),
    "one array alone": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "encrypted": with_bytes(6, 1),
    "packed in an odd way": with_bytes(8, 99),
}


@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("damage", [*DAMAGED_ARRAYS, *DAMAGED_FILES])
def test_a_damaged_file_is_named_with_both_hashes_and_left_alone(places, small_mnist, where, damage):
    path = places[where] / "mnist.npz"
    DAMAGED_ARRAYS.get(damage, len)(small_mnist)
    np.savez(path, **small_mnist)
    DAMAGED_FILES.get(damage, str)(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="damaged, half downloaded or another data set") as error:
        load_mnist()
    assert str(path) in str(error.value)
    assert data.MNIST_HASH in str(error.value)
    assert "hash of its arrays:" in str(error.value)
    assert "Move it elsewhere" in str(error.value)
    assert "pickle" not in str(error.value), "NumPy advises to load what cannot be trusted"
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", [0, 1])
def test_a_folder_in_place_of_the_file_is_named(places, where):
    (places[where] / "mnist.npz").mkdir()
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be read: is a directory"):
        load_mnist()


@pytest.mark.parametrize(
    "shapes",
    [
        {"x_train": (55_100, 4), "x_test": (50, 4)},
        {"x_train": (55_100, 2, 2, 1), "x_test": (50, 2, 2, 1)},
        {"x_train": (-1,), "x_test": (25, 8)},
        {"y_train": (55_100, 1), "y_test": (1, 50)},
    ],
    ids=["flat", "with a channel", "all in one", "labels as columns"],
)
def test_the_same_bytes_in_another_shape_are_the_same_images(places, small_mnist, shapes):
    changed = {name: array.reshape(shapes.get(name, array.shape)) for name, array in small_mnist.items()}
    np.savez(places[0] / "mnist.npz", **changed)
    mnist = load_mnist()
    assert mnist.fingerprint == data.MNIST_HASH
    assert mnist.train.images.shape == (55_000, 2, 2, 1)
    np.testing.assert_allclose(mnist.test.images[..., 0] * 255, small_mnist["x_test"], atol=1e-4)
    np.testing.assert_array_equal(mnist.validation.labels, small_mnist["y_train"][55_000:])


@pytest.mark.parametrize(
    "images",
    [*(np.zeros(shape, np.uint8) for shape in [(2, 3, 4, 4), (2, 4, 4, 2), (2, 4), (2, 4, 4, 1, 1)]),
     np.zeros((2, 4, 4), np.float32)],
    ids=case,
)  # fmt: skip
def test_pixels_of_no_image_are_not_squeezed_into_one(images):
    with pytest.raises(ValueError, match=r"images must be uint8, \(N, H, W\) or \(N, H, W, 1 or 3\)") as error:
        as_pixels(images)
    assert f"got {images.dtype}" in str(error.value)


# Folders


def test_a_file_that_may_not_be_read_is_named(common, places, small_mnist, monkeypatch):
    np.savez(common / "mnist.npz", **small_mnist)
    monkeypatch.setenv("COURSE_DATA_DIR", str(common))
    with (
        locked(common / "mnist.npz"),
        pytest.raises(ValueError, match=r"mnist\.npz cannot be read: permission denied"),
    ):
        load_mnist()
    with locked(common), pytest.raises(ValueError, match="a folder above it may not be entered"):
        load_mnist()
    assert load_mnist().source == "MNIST, from the folder in COURSE_DATA_DIR"


@pytest.mark.parametrize("name", ["data", "数据", "with space "])
@pytest.mark.parametrize("written", ["{}", "{}  ", "~/{}"])
def test_the_folder_may_be_written_as_people_write_it(places, small_mnist, monkeypatch, name, written):
    home = places[0].parent
    (home / name.strip()).mkdir(exist_ok=True)
    np.savez(home / name.strip() / "mnist.npz", **small_mnist)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    monkeypatch.setenv("COURSE_DATA_DIR", written.format(name))
    assert load_mnist().source == "MNIST, from the folder in COURSE_DATA_DIR"


def test_a_file_in_place_of_the_folder_is_named(places, monkeypatch, capsys):
    file = places[0] / "mnist.npz.txt"
    file.write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA_DIR", str(file))
    assert load_mnist().is_stand_in
    assert f"there is no file {file}" in capsys.readouterr().out


@pytest.mark.parametrize("trouble", ["no home", "unknown home", "nobody's folder", "a file"])
def test_a_cache_that_cannot_be_gives_the_fallback_and_says_so(places, monkeypatch, capsys, trouble):
    monkeypatch.undo()
    for name in ("KERAS_HOME", "COURSE_DATA", "COURSE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    home = places[0] / "home"
    monkeypatch.chdir(places[0].parent)
    monkeypatch.setenv("HOME", str(home))
    if trouble == "unknown home":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    if trouble == "a file":
        home.write_text("no folder", encoding="utf-8")
    monkeypatch.setattr(data.pooch, "HTTPDownloader", lambda **_: no_network)
    with locked(places[0]) if trouble == "nobody's folder" else contextlib.nullcontext():
        assert load_mnist().is_stand_in
    cache = "/tmp/.keras/datasets" if trouble == "unknown home" else home / ".keras" / "datasets"
    error = "PermissionError" if trouble == "nobody's folder" else ""
    assert f"(the download into {cache} failed: {error}" in capsys.readouterr().out
    assert not Path("~").exists()


def test_a_failed_load_can_be_repeated_once_the_file_is_mended(places, small_mnist):
    path = places[0] / "mnist.npz"
    path.write_text("broken", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        load_mnist()
    shutil.move(path, path.with_suffix(".broken"))
    np.savez(path, **small_mnist)
    assert not load_mnist().is_stand_in


# Data sets


@pytest.mark.parametrize("convert", [np.array, np.ndarray.tolist, keras.ops.convert_to_tensor])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_a_split_holds_arrays_and_labels_as_int64(convert, dtype):
    images = np.random.default_rng(0).uniform(size=(3, 4, 4, 1)).astype(np.float32)
    split = Split(convert(images), convert(np.array([2, 0, 1], dtype)))
    np.testing.assert_array_equal(split.images, images)
    assert split.labels.dtype == np.int64
    assert split.labels.tolist() == [2, 0, 1]
    for values in (split.images, split.labels):
        assert isinstance(values, np.ndarray)
        assert not values.flags.writeable


def test_a_split_leaves_the_arrays_of_the_reader_as_they_are():
    images, labels = np.zeros((3, 4, 4, 1), np.float32), np.array([-1, 0, 1])
    split = Split(images, labels)
    images[0], labels[0] = 1, 5
    assert images.flags.writeable
    assert labels.flags.writeable
    for values in (split.images, split.labels):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0


def test_labels_may_be_a_column_and_unknown_and_none_at_all():
    assert Split(np.zeros((2, 4, 4, 1)), np.array([[3], [-1]], np.int8)).labels.tolist() == [3, -1]
    assert Split(np.zeros((0, 4, 4, 1)), []).labels.dtype == np.int64


IMAGES = np.zeros((3, 4, 4, 1), np.float32)


@pytest.mark.parametrize(
    ("images", "labels", "error", "words"),
    [
        (IMAGES, [1.0, 2, 3], TypeError, "labels must be whole numbers, got float64"),
        (IMAGES, [True, False, True], TypeError, "labels must be whole numbers, got bool"),
        (IMAGES, ["1", "2", "3"], TypeError, "labels must be an array of numbers"),
        (IMAGES, [[1], [2, 3], [4]], TypeError, r"labels must be an array, got \[\[1\]"),
        (IMAGES, None, TypeError, "labels must be an array of numbers, got object"),
        (IMAGES, 3, TypeError, r"labels must be an array of numbers, got int64 of the shape \(\)"),
        (IMAGES, np.int64(3), TypeError, "labels must be an array of numbers"),
        (
            IMAGES,
            np.array([1, 2, 2**64 - 1], np.uint64),
            ValueError,
            "labels must be below 2⁶³, got 18446744073709551615",
        ),
        (IMAGES, [1, 2], ValueError, r"one for each of the 3 images, got the shape \(2,\)"),
        (IMAGES, np.eye(3, dtype=int), ValueError, r"one for each of the 3 images, got the shape \(3, 3\)"),
        (None, [1], TypeError, "images must be an array of numbers, got object"),
        ("images", [1], TypeError, "images must be an array of numbers, got <U6"),
        ([np.zeros((2, 2)), np.zeros((3, 3))], [1, 2], TypeError, "images must be an array, got"),
        (np.array([object()]), [1], TypeError, "images must be an array of numbers.* got object"),
        (np.float32(1), [1], TypeError, "images must be an array of numbers"),
        (keras.Input((4, 4, 1)), [1], TypeError, "images must be an array, got a KerasTensor"),
    ],
    ids=case,
)
def test_what_is_no_split_is_refused_in_a_sentence(images, labels, error, words):
    with pytest.raises(error, match=words) as caught:
        Split(images, labels)
    assert Path(traceback.extract_tb(caught.value.__traceback__)[-1].filename).name in ("data.py", "_checks.py")


def test_a_part_that_is_no_split_is_named():
    split = Split(IMAGES, [0, 1, 2])
    with pytest.raises(TypeError, match="validation must be a Split, got tuple"):
        Dataset(split, (IMAGES, [0, 1, 2]), split, ("a", "b", "c"), "here", False, "")


@pytest.mark.parametrize("names", ["abc", None, (1, 2, 3), [b"a"]], ids=case)
def test_names_that_are_none_are_refused(names):
    split = Split(IMAGES, [0, 1, 2])
    with pytest.raises(TypeError, match="class_names must be a tuple of text"):
        Dataset(split, split, split, names, "here", False, "")


def test_names_in_a_list_become_a_tuple():
    split = Split(IMAGES, [0, 1, 2])
    assert Dataset(split, split, split, ["a", "b", "c"], "here", False, "").class_names == ("a", "b", "c")


@pytest.mark.parametrize("source", ["from here", "MNIST, from the folder in COURSE_DATA_DIR"])
def test_a_data_set_is_printed_in_three_lines(capsys, source):
    split, short = Split(IMAGES, [0, 1, 2]), Split(IMAGES[:1], [0])
    print(Dataset(split, short, split, ("name",) * 1_000, source, False, ""))
    first, second, third = capsys.readouterr().out.splitlines()
    assert source in first
    assert "3 / 1 / 3 images" in second
    assert "(4, 4, 1)" in second
    assert "1,000 classes" in third


def test_the_data_set_of_this_run_is_printed_in_three_lines():
    assert len(str(load_mnist()).splitlines()) == 3


def test_a_split_is_printed_without_its_numbers():
    assert repr(Split(IMAGES, [0, 1, 2])) == "Split(3 images of the shape (4, 4, 1), with their labels)"
