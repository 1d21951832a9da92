"""Photographs in folders, those that stand in for them, and networks that know ImageNet."""

import json
import shutil

from course_utils import evaluate_noise, find_universal_noise, imagenet, photographs
from course_utils.imagenet import decode_predictions, imagenet_network
from course_utils.photographs import Photographs, load_imagenet_samples

import keras
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path):
    """No folder of data, an empty Keras cache, no network."""
    for name in ("COURSE_DATA", "COURSE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(photographs.keras.utils, "get_file", no_network)
    photographs.imagenet_classes.cache_clear()
    yield
    photographs.imagenet_classes.cache_clear()


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
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_a_folder_of_pictures_is_a_data_set(folder, capsys):
    pictures = load_imagenet_samples(folder)
    assert [len(split) for split in (pictures.train, pictures.validation, pictures.test)] == [6, 0, 1]
    assert pictures.train.images.shape == (6, 224, 224, 3)
    reds = pictures.train.images[:][:, 100, 100, 0]
    np.testing.assert_allclose(np.sort(reds), np.array([0, 30, 60, 90, 150, 180]) / 255, atol=0.02)
    assert pictures.test.images[0].dtype == np.float32
    assert "7 pictures" in pictures.source
    assert not pictures.is_stand_in
    assert pictures.test.labels.tolist() == [-1]
    assert "5 pictures have another size than 224 × 224" in capsys.readouterr().out


def test_they_are_sliced_as_an_array_is(folder):
    images = load_imagenet_samples(folder, side=32).train.images
    everything = images[:]
    assert everything.shape == (6, 32, 32, 3)
    for which in (slice(1, 4), [2, 0, 2], np.array([5]), np.arange(6) > 2, 3, np.int64(3), slice(0, 0)):
        np.testing.assert_array_equal(images[which], everything[which])
    with pytest.raises(TypeError, match="never all in memory"):
        np.asarray(images)


def test_a_photograph_that_lies_on_its_side_is_set_upright(tmp_path):
    half = np.zeros((40, 40, 3), np.uint8)
    half[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    Image.fromarray(half).save(tmp_path / "a.png", exif=exif)
    upright = Photographs([tmp_path / "a.png"], 40)[0]
    assert upright[:20].min() == 1
    assert upright[20:].max() == 0


def test_labels_are_read_from_a_file_beside_them(folder):
    (folder / "labels.json").write_text(json.dumps({str(place): {"index": 10 * place} for place in range(6)}))
    pictures = load_imagenet_samples(folder)
    assert sorted(pictures.train.labels.tolist()) == [-1, 0, 10, 20, 30, 50]
    assert load_imagenet_samples(folder).train.labels.tolist() == pictures.train.labels.tolist()
    (folder / "labels.json").write_text('{"0": 3}')
    with pytest.raises(ValueError, match=r"labels.json must give an index for each name"):
        load_imagenet_samples(folder)


def test_broken_pictures_are_named_and_left_out(folder, capsys):
    whole = (folder / "4.webp").read_bytes()
    (folder / "4.webp").write_bytes(whole[: len(whole) // 2])
    (folder / "1.png").write_text("<html>not found</html>")
    pictures = load_imagenet_samples(folder)
    assert len(pictures.train) + len(pictures.test) == 5
    assert "Left out, since they cannot be read: 2 of 7 pictures (1.png, 4.webp)." in capsys.readouterr().out


@pytest.mark.parametrize("count", [0, 1])
def test_a_folder_with_too_few_is_refused(folder, count):
    for path in sorted(folder.glob("[0-9].*"))[count:]:
        path.unlink()
    with pytest.raises(ValueError, match=f"at least two pictures.* has {count}"):
        load_imagenet_samples(folder)


def test_no_folder_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is none at"):
        load_imagenet_samples(tmp_path / "missing")


def test_the_samples_are_found_where_the_data_are(folder, monkeypatch):
    shutil.copytree(folder, folder.parent / "imagenet_samples")
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder.parent))
    assert "ImageNet" in load_imagenet_samples().source
    index = {str(number): [f"n{number}", f"name_{number}"] for number in range(1_000)}
    (folder.parent / "imagenet_class_index.json").write_text(json.dumps(index))
    photographs.imagenet_classes.cache_clear()
    assert load_imagenet_samples().class_names[7] == "name 7"
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    assert load_imagenet_samples().is_stand_in


def test_an_empty_variable_names_no_folder_not_even_the_working_one(folder, monkeypatch):
    shutil.copytree(folder, folder.parent / "imagenet_samples")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("COURSE_DATA_DIR", "")
    assert load_imagenet_samples().is_stand_in


def test_without_any_the_two_of_scikit_learn_stand_in(capsys):
    stand_in = load_imagenet_samples(side=96)
    assert stand_in.is_stand_in
    assert stand_in.train.images.shape == (80, 96, 96, 3)
    assert len(stand_in.test) == 20
    assert stand_in.train.images[:].std() > 0.2
    assert "stand in" in capsys.readouterr().out
    assert stand_in.class_names[3] == "class 3"


# Networks


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with weights that were never trained, in files as they are downloaded."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    for name, (build, _) in imagenet.NETWORKS.items():
        build(weights=None).save_weights(folder / f"{name}_imagenet.weights.h5")
    return folder


@pytest.mark.parametrize(("name", "side"), [("mobilenet_v2", 224), ("mobilenet_v2", 96), ("inception_v3", 299)])
def test_a_network_takes_images_from_0_to_1_and_returns_logits(weights, monkeypatch, name, side):
    monkeypatch.setenv("COURSE_DATA_DIR", str(weights))
    network = imagenet_network(name, side if side == 96 else None)
    assert network.input_shape == (None, side, side, 3)
    image = np.random.default_rng(0).uniform(size=(1, side, side, 3)).astype(np.float32)
    build, _ = imagenet.NETWORKS[name]
    bare = build(weights=None, input_shape=(side, side, 3), classifier_activation="softmax")
    bare.set_weights(network.get_weights())
    scores = bare(2 * image - 1)  # both papers: pixels from -1 to 1
    np.testing.assert_allclose(keras.ops.softmax(network(image)), scores, atol=1e-5)


def test_weights_of_another_network_are_refused(weights, monkeypatch, tmp_path):
    shutil.copy(weights / "inception_v3_imagenet.weights.h5", tmp_path / "mobilenet_v2_imagenet.weights.h5")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"mobilenet_v2_imagenet.weights.h5 does not hold the weights of mobilenet_v2"
    ):
        imagenet_network()
    (tmp_path / "mobilenet_v2_imagenet.weights.h5").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="does not hold the weights of mobilenet_v2"):
        imagenet_network()


def test_without_weights_the_network_for_cifar10_stands_in(monkeypatch, capsys):
    monkeypatch.setitem(imagenet.NETWORKS, "mobilenet_v2", (no_network, 224))
    network = imagenet_network()
    assert "stands in" in capsys.readouterr().out
    assert network.output_shape == (None, 10)
    images = load_imagenet_samples().test.images[:2]
    assert {name for name, _ in decode_predictions(network(images), top=10)[0]} == set(imagenet.CLASSES)
    with pytest.raises(ValueError, match="name must be one of mobilenet_v2, inception_v3"):
        imagenet_network("resnet")


def test_predictions_are_named_the_likeliest_first(monkeypatch, tmp_path):
    index = {str(number): [f"n{number}", f"name_{number}"] for number in range(1_000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(index))
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    logits = np.zeros((2, 1_000), np.float32)
    logits[0, [5, 9]] = 20, 19
    logits[1, 700] = 30
    first, second = decode_predictions(logits, top=2)
    assert [name for name, _ in first] == ["name 5", "name 9"]
    assert first[0][1] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert second[0] == ("name 700", pytest.approx(1))
    with pytest.raises(ValueError, match=r"logits must have the shape \(N, 1000\)"):
        decode_predictions(logits[0])


# Measuring and searching


@pytest.fixture
def averages():
    """A network that sees nothing but the average colour."""
    network = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()])
    assert network.output_shape == (None, 3)
    return network


def test_noise_is_searched_and_measured_on_photographs(folder, averages):
    images = load_imagenet_samples(folder, side=32).train.images
    noise = find_universal_noise(averages, images, 2, 0.3, seed=0)
    assert noise[0, ..., 2].mean() > 0.25
    report = evaluate_noise(averages, images, None, noise[0], 2, 0.3)
    everything = images[:]
    labels = np.argmax(averages(everything), axis=1)
    again = evaluate_noise(averages, everything, labels, noise[0], 2, 0.3)
    assert report.success_rate == again.success_rate
    assert report.accuracy == again.accuracy == pytest.approx(1 - report.fooling_rate)
    np.testing.assert_array_equal(report.confusion, again.confusion)


def test_never_all_of_them_are_decoded_at_once(folder, averages, monkeypatch):
    images = Photographs(sorted(folder.glob("[0-9].*")) * 100, 32)
    taken = []
    take = Photographs.__getitem__
    monkeypatch.setattr(
        Photographs, "__getitem__", lambda self, which: taken.append(len(take(self, which))) or take(self, which)
    )
    monkeypatch.setattr("course_utils.evaluation.VALUES", 32 * 32 * 3 * 20)
    find_universal_noise(averages, images, 2, 0.3, steps=3, batch_size=10, seed=0)
    evaluate_noise(averages, images, None, np.zeros((32, 32, 3), np.float32), None, 0.3)
    assert max(taken) <= 30
    assert sum(taken) >= 700


def test_a_plain_call_of_the_stand_in_varies_nothing(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "stand-in")
    network, images = imagenet_network(), np.random.default_rng(0).uniform(size=(4, 224, 224, 3)).astype(np.float32)
    expected = network.predict(images, verbose=0)
    for _ in range(2):  # a call that counts as training would also change the network
        np.testing.assert_allclose(network(images), expected, atol=1e-4)
