"""Photographs in folders, the fallback for them, and networks that know ImageNet."""

import hashlib
import json
import shutil

from course_utils import evaluate_noise, evaluation, find_universal_noise, photos
from course_utils.photos import decode_predictions, imagenet_network, load_imagenet_samples

import keras
import numpy as np
import pytest
from helpers import case, locked
from PIL import Image


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path):
    """No folder of data, an empty Keras cache, no network."""
    for name in ("COURSE_DATA", "COURSE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(photos.keras.utils, "get_file", no_network)
    photos.imagenet_classes.cache_clear()
    yield
    photos.imagenet_classes.cache_clear()


def no_network(*_, **__):
    raise Exception("URL fetch failure")


@pytest.fixture
def folder(tmp_path):
    """Seven pictures of one colour each, of many sizes and kinds, and a text beside them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    sizes = [(300, 200), (224, 224), (50, 80), (224, 224), (400, 400), (224, 225), (1, 1)]
    for place, (size, kind) in enumerate(
        zip(sizes, ("jpg", "png", "gif", "bmp", "webp", "JPEG", "tiff"), strict=True)
    ):
        Image.new("RGB", size, (30 * place, 100, 0)).save(folder / f"{place}.{kind}")
    (folder / "notes.txt").write_text("not a picture", encoding="utf-8")
    return folder


def test_a_folder_of_pictures_is_a_data_set(folder, capsys):
    pictures = load_imagenet_samples(folder)
    assert [len(split) for split in (pictures.train, pictures.validation, pictures.test)] == [6, 0, 1]
    assert pictures.train.images.shape == (6, 224, 224, 3)
    reds = np.sort(pictures.train.images[:, 100, 100, 0])
    np.testing.assert_allclose(reds, [0, 30, 60, 90, 150, 180], atol=5)
    np.testing.assert_allclose(pictures.test.images[0, 100, 100], [120 / 255, 100 / 255, 0], atol=0.02)
    assert "7 pictures" in pictures.source
    assert not pictures.is_stand_in
    assert pictures.test.labels.tolist() == [-1]
    assert "5 pictures have another size than 224 × 224" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["a folder of ones own", "the samples", "the fallback"])
def test_those_to_search_on_are_bytes_and_those_to_test_are_floats(folder, monkeypatch, place):
    shutil.copytree(folder, folder.parent / "imagenet_samples")
    if place != "the fallback":
        monkeypatch.setenv("COURSE_DATA_DIR", str(folder.parent))
    pictures = load_imagenet_samples(folder if place == "a folder of ones own" else None, side=32)
    assert pictures.is_stand_in == (place == "the fallback")
    train, test = pictures.train.images, pictures.test.images
    assert (train.dtype, test.dtype) == (np.uint8, np.float32)
    assert train.max() > 100
    assert 0 <= test.min() < test.max() <= 1
    for images in (train, test):
        assert type(images) is np.ndarray
        assert images.shape[1:] == (32, 32, 3)
        with pytest.raises(ValueError, match="read-only"):
            images[0] = 0


@pytest.mark.parametrize("change", ["another side", "other pixels"])
def test_other_arrays_have_another_fingerprint(folder, change):
    before = load_imagenet_samples(folder, side=32)
    if change == "other pixels":
        Image.new("RGB", (224, 224), (0, 0, 90)).save(folder / "3.bmp")
    after = load_imagenet_samples(folder, side=16 if change == "another side" else 32)
    assert before.fingerprint != after.fingerprint


def test_a_photograph_that_lies_on_its_side_is_set_upright(tmp_path):
    half = np.zeros((40, 40, 3), np.uint8)
    half[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    Image.fromarray(half).save(tmp_path / "a.png", exif=exif)
    upright = photos.decoded(tmp_path / "a.png", 40)
    assert upright[:20].min() == 255
    assert upright[20:].max() == 0


def test_labels_are_read_from_a_file_beside_them(folder):
    (folder / "labels.json").write_text(
        json.dumps({str(place): {"index": 10 * place} for place in range(6)}), encoding="utf-8-sig"
    )
    pictures = load_imagenet_samples(folder)
    assert sorted(pictures.train.labels.tolist()) == [-1, 0, 10, 20, 30, 50]
    assert load_imagenet_samples(folder).train.labels.tolist() == pictures.train.labels.tolist()


@pytest.mark.parametrize(
    "entry",
    [3, [], None, {}, *({"index": wrong} for wrong in (5_000, 1_000, -7, -1, True, "3", 2.5, None, [1]))],
    ids=case,
)
def test_a_wrong_entry_in_labels_json_is_named(folder, entry):
    (folder / "labels.json").write_text(json.dumps({"0": {"index": 1}, "4": entry}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"labels.json must give an index for each name.*: got .* for 4$"):
        load_imagenet_samples(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"null", b"{", b"\xff\xfe\x00", b"[" * 100_000], ids=case)
def test_another_labels_json_is_refused(folder, content):
    (folder / "labels.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"labels.json must give an index for each name"):
        load_imagenet_samples(folder)


def test_labels_json_must_be_a_file(folder):
    (folder / "labels.json").mkdir()
    with pytest.raises(ValueError, match=r"labels.json cannot be read: is a directory"):
        load_imagenet_samples(folder)


# Pictures of every kind: a white square on the left, a black one on the right, and what else there is.


def in_mode(mode):
    half = np.zeros((40, 40), np.uint8)
    half[:, :20] = 255
    return Image.fromarray(half).convert(mode)


def of_values(dtype, white, black=0):
    half = np.full((40, 40), black, dtype)
    half[:, :20] = white
    return Image.fromarray(half)


def over_hidden_colours(mode):
    """Left transparent over black, right opaque and black."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    if mode == "P":
        image = image.convert("RGB").convert("P")
        image.paste(7, (0, 0, 20, 40))
        image.info["transparency"] = 7
    return image if mode == "P" else image.convert(mode)


def with_transparent_black(mode):
    """A PNG can also name one colour that is transparent; here it is that of the left half."""
    image = Image.new(mode, (40, 40), 10 if mode == "L" else (10, 10, 10))
    image.paste(0, (20, 0, 40, 40))
    image.info["transparency"] = 10 if mode == "L" else (10, 10, 10)
    return image


PICTURES = {
    **{f"{mode}.png": in_mode(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    "cmyk.jpg": in_mode("RGB").convert("CMYK"),
    "cmyk.tiff": in_mode("RGB").convert("CMYK"),
    "16 bits.png": of_values(np.uint16, 65_535),
    "16 bits.tiff": of_values(np.uint16, 65_535),
    "16 bits.pgm": of_values(np.uint16, 65_535),
    "32 bits, as 8.tiff": of_values(np.int32, 255),
    "32 bits, as 16.tiff": of_values(np.int32, 65_535),
    "floats.tiff": of_values(np.float32, 1),
    "floats to 255.tiff": of_values(np.float32, 255),
    "transparent.png": over_hidden_colours("RGBA"),
    "transparent.webp": over_hidden_colours("RGBA"),
    "transparent grey.png": over_hidden_colours("LA"),
    "transparent.gif": over_hidden_colours("P"),
    "transparent palette.png": over_hidden_colours("P"),
    "named colour.png": with_transparent_black("RGB"),
    "named grey.png": with_transparent_black("L"),
}


def kept(picture, path):
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    hidden = {"transparency": picture.info["transparency"]} if "transparency" in picture.info else {}
    picture.save(path, **lossless, **hidden)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_white_is_white_and_black_is_black_in_every_kind_of_picture(tmp_path, name):
    pixels = photos.decoded(kept(PICTURES[name], tmp_path / name), 40)
    assert pixels.dtype == np.uint8
    assert pixels[:, :18].min() >= 250
    assert pixels[:, 22:].max() <= 5


@pytest.mark.parametrize(
    ("name", "dtype", "factor"),
    [("a.png", np.uint16, 1), ("b.tiff", np.int32, 1), ("c.tiff", np.float32, 1 / 65_535)],
)
def test_greys_of_16_bits_keep_their_places(tmp_path, name, dtype, factor):
    greys = np.linspace(0, 65_535, 1_600).reshape(40, 40)
    Image.fromarray((greys * factor).astype(dtype)).save(tmp_path / name)
    np.testing.assert_allclose(photos.decoded(tmp_path / name, 40)[..., 0], greys / 257, atol=0.51)


@pytest.mark.parametrize(
    ("dtype", "white", "black"),
    [(np.int32, 2**30, 0), (np.int32, 255, -1), (np.float32, 1_000, 0), (np.float32, 1, -1), (np.float32, np.nan, 0)],
)
def test_values_that_nobody_understands_are_named_and_left_out(folder, capsys, dtype, white, black):
    of_values(dtype, white, black).save(folder / "odd.tiff")
    assert "7 pictures" in load_imagenet_samples(folder).source
    assert "Left out, since they cannot be read: 1 of 8 pictures (odd.tiff)." in capsys.readouterr().out


def test_half_transparent_lies_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert np.unique(photos.decoded(tmp_path / "a.png", 8)) == 127


def test_files_that_are_no_pictures_are_named(folder, capsys):
    for name in ("a.heic", "b.svg", "c", ".hidden", "labels.json", "about.md", "d.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    (folder / "more").mkdir()
    assert "7 pictures" in load_imagenet_samples(folder).source
    said = capsys.readouterr().out
    assert "Left out, since they are not pictures that Pillow can read: a.heic, b.svg, c.\n" in said


def test_a_name_from_an_older_system_can_be_printed(folder, capsys):
    (folder / "Bl\udcfcte.jpg").write_bytes(b"\xff\xd8")
    assert "7 pictures" in load_imagenet_samples(folder).source
    capsys.readouterr().out.encode()


def test_broken_pictures_are_named_and_left_out(folder, capsys):
    whole = (folder / "4.webp").read_bytes()
    (folder / "4.webp").write_bytes(whole[: len(whole) // 2])
    (folder / "1.png").write_text("<html>not found</html>", encoding="utf-8")
    pictures = load_imagenet_samples(folder)
    assert len(pictures.train) + len(pictures.test) == 5
    assert "Left out, since they cannot be read: 2 of 7 pictures (1.png, 4.webp)." in capsys.readouterr().out


@pytest.mark.parametrize("count", [0, 1])
def test_a_folder_with_too_few_is_refused(folder, count):
    for path in sorted(folder.glob("[0-9].*"))[count:]:
        path.unlink()
    with pytest.raises(ValueError, match=f"at least two pictures.* has {count}"):
        load_imagenet_samples(folder)


@pytest.mark.parametrize("wrong", ["missing", "0.jpg", "", "a\0b", "x" * 5_000], ids=case)
def test_no_folder_at_all_is_refused(folder, monkeypatch, wrong):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match="there is none at"):
        load_imagenet_samples(wrong)


@pytest.mark.parametrize("wrong", [3, b"pictures", ["pictures"], True, np.zeros((2, 4, 4, 3))], ids=case)
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(TypeError, match="folder must be the path of a folder"):
        load_imagenet_samples(wrong)


def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch):
    with locked(folder), pytest.raises(ValueError, match="pictures may not be read"):
        load_imagenet_samples(folder)
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    with locked(folder), pytest.raises(ValueError, match="imagenet_samples cannot be looked for"):
        load_imagenet_samples()


@pytest.mark.parametrize("side", [0, -1, 1_025, 10**9, 1.5, "224", True, None, (224, 224), float("nan")], ids=case)
def test_a_side_that_is_none_is_refused(folder, side):
    with pytest.raises((TypeError, ValueError), match="side must be"):
        load_imagenet_samples(folder, side=side)


def test_a_folder_in_ones_home_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert "7 pictures" in load_imagenet_samples("~/pictures", side=np.int64(8)).source


def test_the_samples_are_found_where_the_data_are(folder, monkeypatch):
    shutil.copytree(folder, folder.parent / "imagenet_samples")
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder.parent))
    assert "ImageNet" in load_imagenet_samples().source
    index = {str(number): [f"n{number}", f"name_{number}"] for number in range(1_000)}
    (folder.parent / "imagenet_class_index.json").write_text(json.dumps(index), encoding="utf-8")
    photos.imagenet_classes.cache_clear()
    assert load_imagenet_samples().class_names[7] == "name 7"
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    assert load_imagenet_samples().is_stand_in


def test_an_empty_variable_names_no_folder_not_even_the_working_one(folder, monkeypatch):
    shutil.copytree(folder, folder.parent / "imagenet_samples")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    assert load_imagenet_samples().is_stand_in


def test_without_any_the_two_of_scikit_learn_are_the_fallback(capsys):
    fallback = load_imagenet_samples(side=96)
    assert fallback.is_stand_in
    assert fallback.train.images.shape == (80, 96, 96, 3)
    assert len(fallback.test) == 20
    assert fallback.test.images.std() > 0.2
    said = capsys.readouterr().out
    assert "are the fallback" in said
    assert "the classes are numbered" in said
    assert fallback.class_names[3] == "class 3"


# The names of the classes

INDEX = {str(number): [f"n{number}", f"name_{number}"] for number in range(1_000)}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(INDEX)[:-500],
        "",
        "<html>not found</html>",
        "[" * 100_000,
        json.dumps([["n", "name"]] * 1_000),
        json.dumps({name: INDEX[name] for name in list(INDEX)[:999]}),
        json.dumps({**INDEX, "7": "name"}),
        json.dumps({**INDEX, "7": ["n", 7]}),
    ],
    ids=["half", "empty", "a page", "deep", "a list", "too few", "no pair", "no text"],
)
def test_a_damaged_list_of_classes_is_named_with_both_hashes(tmp_path, monkeypatch, content):
    path = tmp_path / "imagenet_class_index.json"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="damaged, half downloaded or another file") as error:
        photos.imagenet_classes()
    for part in (str(path), hashlib.md5(content.encode()).hexdigest(), photos.CLASS_INDEX_HASH, "Move it"):
        assert part in str(error.value)
    with locked(path), pytest.raises(ValueError, match="cannot be"):
        photos.imagenet_classes()


def test_another_list_of_classes_is_used_and_announced(tmp_path, monkeypatch, capsys):
    content = json.dumps(INDEX).encode()
    (tmp_path / "imagenet_class_index.json").write_bytes(content)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    assert photos.imagenet_classes()[7] == "name 7"
    assert "imagenet_class_index.json is not the file we know" in capsys.readouterr().out
    photos.imagenet_classes.cache_clear()
    monkeypatch.setattr(photos, "CLASS_INDEX_HASH", hashlib.md5(content).hexdigest())
    assert photos.imagenet_classes()[7] == "name 7"
    assert capsys.readouterr().out == ""


# Networks


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with weights that were never trained, in files as they are downloaded."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    for name, (build, _) in photos.IMAGENET_NETWORKS.items():
        build(weights=None).save_weights(folder / f"{name}_imagenet.weights.h5")
    return folder


@pytest.fixture
def weights_are_known(weights, monkeypatch):
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in weights.iterdir()]
    monkeypatch.setattr(photos, "KNOWN_WEIGHTS", hashes)


@pytest.mark.parametrize(("name", "side"), [("mobilenet_v2", 224), ("mobilenet_v2", 96), ("inception_v3", 299)])
@pytest.mark.usefixtures("weights_are_known")
def test_a_network_takes_images_from_0_to_1_and_returns_logits(weights, monkeypatch, capsys, name, side):
    monkeypatch.setenv("COURSE_DATA_DIR", str(weights))
    network = imagenet_network(name, side if side == 96 else None)
    assert capsys.readouterr().out == ""
    assert network.input_shape == (None, side, side, 3)
    image = np.random.default_rng(0).uniform(size=(1, side, side, 3)).astype(np.float32)
    build, _ = photos.IMAGENET_NETWORKS[name]
    bare = build(weights=None, input_shape=(side, side, 3), classifier_activation="softmax")
    bare.set_weights(network.get_weights())
    scores = bare(2 * image - 1)  # both papers: pixels from -1 to 1
    np.testing.assert_allclose(keras.ops.softmax(network(image)), scores, atol=1e-5)


def as_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(str, "does not hold the weights of mobilenet_v2", id="another network's"),
        pytest.param(
            lambda path: path.write_text("<html>not found</html>", encoding="utf-8"),
            "does not hold the weights of mobilenet_v2",
            id="no weights",
        ),
        pytest.param(as_folder, "cannot be read: is a directory", id="a folder"),
    ],
)
def test_weights_of_another_network_are_refused(weights, monkeypatch, tmp_path, damage, words):
    path = tmp_path / "mobilenet_v2_imagenet.weights.h5"
    shutil.copy(weights / "inception_v3_imagenet.weights.h5", path)
    damage(path)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=f"{path.name} {words}"):
        imagenet_network()


@pytest.mark.usefixtures("weights_are_known")
def test_one_flipped_bit_in_the_weights_is_announced(weights, monkeypatch, tmp_path, capsys):
    path = tmp_path / "mobilenet_v2_imagenet.weights.h5"
    content = bytearray((weights / path.name).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    assert imagenet_network(side=32).output_shape == (None, 1_000)
    said = capsys.readouterr().out
    assert f"{path} is not the file we know (SHA-256 {hashlib.sha256(content).hexdigest()})" in said


@pytest.mark.parametrize("name", ["resnet", "", None, 3, ["mobilenet_v2"], {}, np.zeros(3), keras], ids=case)
def test_a_network_that_nobody_knows_is_refused(name):
    with pytest.raises(ValueError, match="name must be one of mobilenet_v2, inception_v3"):
        imagenet_network(name)


@pytest.mark.parametrize("name", ["mobilenet_v2", "inception_v3"])
@pytest.mark.parametrize("side", [0, -1, 31, 10**6, "224", True, 224.0, (224, 224), float("nan")], ids=case)
def test_a_side_for_which_there_is_no_network_is_refused(monkeypatch, name, side):
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    with pytest.raises((TypeError, ValueError), match="side must be"):
        imagenet_network(name, side)


def test_without_weights_the_network_for_cifar10_is_the_fallback(monkeypatch, capsys):
    monkeypatch.setitem(photos.IMAGENET_NETWORKS, "mobilenet_v2", (no_network, 224))
    network = imagenet_network()
    assert "is the fallback" in capsys.readouterr().out
    assert network.output_shape == (None, 10)
    images = load_imagenet_samples().test.images[:2]
    assert {name for name, _ in decode_predictions(network(images), top=10)[0]} == set(photos.CIFAR_CLASSES)


def test_predictions_are_named_the_likeliest_first(monkeypatch, tmp_path):
    index = {str(number): [f"n{number}", f"name_{number}"] for number in range(1_000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(index), encoding="utf-8")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    logits = np.zeros((2, 1_000), np.float32)
    logits[0, [5, 9]] = 20, 19
    logits[1, 700] = 30
    first, second = decode_predictions(logits, top=2)
    assert [name for name, _ in first] == ["name 5", "name 9"]
    assert first[0][1] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert second[0] == ("name 700", pytest.approx(1))
    for same in (logits.tolist(), keras.ops.convert_to_tensor(logits), logits.astype(np.float64), logits.astype(int)):
        assert decode_predictions(same, top=2) == [first, second]
    assert decode_predictions(logits[:0]) == []


LOGITS = np.random.default_rng(0).normal(0, 3, (2, 1_000)).astype(np.float32)


@pytest.mark.parametrize(
    ("logits", "top", "error", "words"),
    [
        (None, 5, TypeError, "logits must be"),
        ("logits", 5, TypeError, "logits must be"),
        ([[1.0, 2.0], [3.0]], 5, TypeError, "logits must be"),
        (LOGITS.astype(complex), 5, TypeError, "logits must be numbers, got complex"),
        (LOGITS.astype(str), 5, TypeError, "logits must be numbers, got <U"),
        (LOGITS[0], 5, ValueError, r"logits must have the shape \(N, 1000\)"),
        (LOGITS[:, :999], 5, ValueError, r"logits must have the shape \(N, 1000\)"),
        (3.0, 5, ValueError, r"logits must have the shape \(N, 1000\)"),
        ([], 5, ValueError, r"logits must have the shape \(N, 1000\)"),
        (LOGITS[None], 5, ValueError, r"logits must have the shape \(N, 1000\)"),
        (np.full((1, 1_000), np.nan), 5, ValueError, "logits must not hold NaN or infinity"),
        (np.full((1, 1_000), -np.inf), 5, ValueError, "logits must not hold NaN or infinity"),
        (np.full((1, 1_000), 1e-3), 5, ValueError, "logits must not be probabilities"),
        *((LOGITS, top, ValueError, "top must be from 1 to 1000") for top in (0, -1, 2_000)),
        *((LOGITS, top, TypeError, "top must be a whole number") for top in ("5", None, 2.5, True, [5])),
    ],
    ids=case,
)
def test_what_are_no_logits_is_refused_in_a_sentence(logits, top, error, words):
    with pytest.raises(error, match=words):
        decode_predictions(logits, top)


# Measuring and searching


@pytest.fixture
def averages():
    """A network that sees nothing but the average colour, from -1 to 1."""
    network = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Rescaling(2, -1), keras.layers.GlobalAveragePooling2D()]
    )
    assert network.output_shape == (None, 3)
    return network


def test_noise_is_searched_and_measured_on_photographs(folder, averages):
    images = load_imagenet_samples(folder, side=32).train.images
    noise = find_universal_noise(averages, images, 2, 0.3, seed=0)
    assert noise[0, ..., 2].mean() > 0.25
    report = evaluate_noise(averages, images, None, noise[0], 2, 0.3)
    as_floats = images.astype(np.float32) / 255
    labels = np.argmax(averages(as_floats), axis=1)
    again = evaluate_noise(averages, as_floats, labels, noise[0], 2, 0.3)
    assert report.success_rate == again.success_rate
    assert report.accuracy == again.accuracy == pytest.approx(1 - report.fooling_rate)
    np.testing.assert_array_equal(report.confusion, again.confusion)


def test_of_many_photographs_few_at_a_time_are_made_floats(averages, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (700, 32, 32, 3), np.uint8)
    taken = []
    seen = evaluation.classes_seen
    monkeypatch.setattr(
        evaluation, "classes_seen", lambda network, some: taken.append(len(some)) or seen(network, some)
    )
    monkeypatch.setattr(evaluation, "VALUES_AT_ONCE", 32 * 32 * 3 * 20)
    evaluate_noise(averages, images, None, np.zeros((32, 32, 3), np.float32), None, 0.3)
    assert max(taken) == 20
    assert sum(taken) == 2 * 700


def test_a_plain_call_of_the_fallback_varies_nothing(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    network, images = imagenet_network(), np.random.default_rng(0).uniform(size=(4, 224, 224, 3)).astype(np.float32)
    expected = network.predict(images, verbose=0)
    for _ in range(2):  # a call that counts as training would also change the network
        np.testing.assert_allclose(network(images), expected, atol=1e-4)
