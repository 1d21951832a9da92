"""The search for noise: for single images, and universal noise for all targets at once."""

from course_utils import add_noise, evaluate_noise, find_image_noise, find_universal_noise
from course_utils import search as search_module
from course_utils._gradients import compiled

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import case, same_weights


def softmax(logits):
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def test_each_image_stops_when_its_own_score_is_reached(tiny_network, tiny_images):
    images = np.concatenate([tiny_images, tiny_images * 0.2])
    noise, steps = find_image_noise(tiny_network, images, 2, noise_limit=0.7, score=0.9)
    scores = softmax(tiny_network.predict(add_noise(images, noise), verbose=0))[:, 2]
    assert (scores >= 0.9).all()
    assert noise.shape == images.shape
    assert noise.dtype == np.float32
    assert steps.dtype == np.int64
    assert steps[2] == 0  # is of the target class from the start
    assert not noise[2].any()
    assert len(set(steps)) > 2  # each at its own time
    for index in range(len(images)):  # and alone it takes the same steps to the same noise
        alone, alone_steps = find_image_noise(tiny_network, images[index : index + 1], 2, noise_limit=0.7, score=0.9)
        assert alone_steps[0] == steps[index]
        np.testing.assert_allclose(alone[0], noise[index], atol=1e-5)


def test_targets_may_differ_and_batches_do_not_matter(random_network, random_images):
    targets = np.arange(40) % 5
    noise, steps = find_image_noise(random_network, random_images, targets, 0.3, max_steps=20)
    in_batches, steps_in_batches = find_image_noise(
        random_network, random_images, targets, 0.3, max_steps=20, batch_size=7
    )
    np.testing.assert_array_equal(steps, steps_in_batches)
    # Batches of another size are rounded otherwise, which may send a few pixels another way.
    assert np.isclose(noise, in_batches, atol=1e-3).mean() > 0.97
    before = random_network.predict(random_images, verbose=0)[np.arange(40), targets]
    after = random_network.predict(add_noise(random_images, noise), verbose=0)[np.arange(40), targets]
    assert (after > before).mean() > 0.95


def test_limit_and_number_of_steps_are_kept_and_the_network_too(random_network, random_images):
    before = [weight.copy() for weight in random_network.get_weights()]
    noise, steps = find_image_noise(
        random_network, random_images, 1, noise_limit=0.02, score=0.999999, max_steps=6, step_size=1.0
    )
    assert np.abs(noise).max() == pytest.approx(0.02, abs=1e-6)
    assert (steps == 6).all()
    for one, other in zip(before, random_network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_search_is_compiled_once(random_network, random_images):
    find_image_noise(random_network, random_images, 1, 0.3, max_steps=2)
    find_image_noise(random_network, random_images, 4, 0.1, max_steps=5, score=0.5, step_size=0.01)
    assert compiled(random_network, search_module._image_search).experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"target_classes": 5}, ValueError, "target_class must be from 0 to 4, got 5"),
        ({"target_classes": -1}, ValueError, "got -1"),
        ({"target_classes": 2.0}, TypeError, "target_class must be a whole number"),
        ({"target_classes": np.array([1, 2])}, ValueError, r"target_classes must have the shape \(40,\)"),
        ({"target_classes": np.full(40, 7)}, ValueError, "target_classes must be classes from 0 to 4, got 7 to 7"),
        ({"target_classes": np.full(40, 0.5)}, TypeError, "target_classes must be whole numbers"),
        ({"noise_limit": 0}, ValueError, "noise_limit"),
        ({"noise_limit": 1.5}, ValueError, "noise_limit"),
        ({"images": np.zeros((2, 28, 28, 1), np.float32)}, ValueError, r"the network takes \('N', 12, 12, 1\)"),
        ({"score": 1.0}, ValueError, r"score must be in \(0, 1\)"),
        ({"max_steps": 0}, ValueError, "max_steps"),
        ({"step_size": 0.0}, ValueError, "step_size"),
    ],
    ids=case,
)
def test_find_image_noise_refuses(random_network, random_images, changes, error, words):
    arguments = {"images": random_images, "target_classes": 1, "noise_limit": 0.3, **changes}
    with pytest.raises(error, match=words):
        find_image_noise(random_network, **arguments)


def test_a_network_that_returns_probabilities_is_refused(random_network, random_images):
    with_softmax = keras.Sequential([keras.Input((12, 12, 1)), random_network, keras.layers.Softmax()])
    with pytest.raises(ValueError, match="returns probabilities, but logits are needed"):
        find_image_noise(with_softmax, random_images, 1, 0.3)


def test_a_network_with_broken_weights_is_refused(random_network, random_images):
    random_network.layers[0].kernel.assign(random_network.layers[0].kernel * np.nan)
    with pytest.raises(ValueError, match="NaN or infinity"):
        find_image_noise(random_network, random_images, 1, 0.3)


# Universal noise


def successes(stripes, all_noise, targets, limit=0.3):
    network, images, labels = stripes
    reports = [
        evaluate_noise(network, images, labels, noise, target, limit)
        for noise, target in zip(all_noise, targets, strict=True)
    ]
    return np.array([report.success_rate for report in reports])


def test_noise_for_all_targets_works_and_keeps_the_limit(stripes):
    network, images, _ = stripes
    before = network.get_weights()
    all_noise = find_universal_noise(network, images, [0, 1, 2], 0.3, seed=0)
    assert all_noise.shape == (3, 12, 12, 1)
    assert all_noise.dtype == np.float32
    assert np.abs(all_noise).max() == pytest.approx(0.3, abs=1e-6)
    assert successes(stripes, all_noise, [0, 1, 2]).min() > 0.9  # evaluate_noise refuses noise beyond the limit
    assert same_weights(before, network)


@pytest.mark.filterwarnings("ignore:PyTorch not found")
def test_an_outside_judge_sees_the_same_success(stripes):
    from art.estimators.classification import TensorFlowV2Classifier
    from art.utils import compute_success

    network, images, labels = stripes
    all_noise = find_universal_noise(network, images, range(3), 0.15, steps=4, seed=0)  # not all succeed
    judge = TensorFlowV2Classifier(network, nb_classes=3, input_shape=(12, 12, 1), clip_values=(0, 1))
    for target, (noise, own) in enumerate(zip(all_noise, successes(stripes, all_noise, range(3)), strict=True)):
        others = images[labels != target]
        wanted = keras.utils.to_categorical(np.full(len(others), target), 3)
        noisy = np.clip(others + noise, *judge.clip_values)
        assert compute_success(judge, others, wanted, noisy, targeted=True) == pytest.approx(own, abs=1e-6)


def test_random_noise_of_that_size_does_not_do_the_same(stripes):
    signs = np.random.default_rng(0).choice(np.float32([-0.3, 0.3]), (3, 12, 12, 1))
    assert successes(stripes, signs, [0, 1, 2]).mean() < 0.7


def test_the_same_seed_gives_the_same_noise_and_another_seed_another(stripes):
    network, images, _ = stripes
    one, again, other = (find_universal_noise(network, images, 1, 0.3, steps=4, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_without_a_seed_the_seed_of_the_notebook_counts(stripes):
    network, images, _ = stripes
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        found.append(find_universal_noise(network, images, 1, 0.3, steps=4))
    np.testing.assert_array_equal(*found)


def test_the_number_of_targets_at_once_does_not_matter(stripes, monkeypatch):
    network, images, _ = stripes
    together = find_universal_noise(network, images, range(3), 0.3, seed=0)
    monkeypatch.setattr(search_module, "VALUES_AT_ONCE", 1)
    one_by_one = find_universal_noise(network, images, range(3), 0.3, seed=0)
    assert np.isclose(together, one_by_one, atol=1e-3).mean() > 0.9
    np.testing.assert_allclose(
        successes(stripes, together, range(3)), successes(stripes, one_by_one, range(3)), atol=0.05
    )


def test_no_more_searches_at_once_than_fit_into_memory(random_network, random_images, monkeypatch):
    sizes = []

    def search(noise, velocity, *_):
        sizes.append(len(noise))
        return noise, velocity, np.zeros(len(noise), np.float32)

    monkeypatch.setattr(search_module, "_universal_search", lambda *_: search)
    monkeypatch.setattr(search_module, "VALUES_AT_ONCE", 16 * 144 * 3)
    assert find_universal_noise(random_network, random_images, [1] * 7, steps=1).shape == (7, 12, 12, 1)
    assert sizes == [3, 3, 1]


def test_a_long_search_in_pieces_is_the_same_search(stripes, monkeypatch):
    network, images, _ = stripes
    whole = find_universal_noise(network, images, 2, 0.3, seed=0)
    monkeypatch.setattr(search_module, "VALUES_AT_ONCE", 16 * 144)  # four steps a call
    np.testing.assert_array_equal(whole, find_universal_noise(network, images, 2, 0.3, seed=0))


def test_bytes_are_taken_as_they_are_stored(stripes):
    network, images, _ = stripes
    stored = np.round(images * 255).astype(np.uint8)
    from_bytes = find_universal_noise(network, stored, 1, 0.3, seed=0)
    from_floats = find_universal_noise(network, stored.astype(np.float32) / 255, 1, 0.3, seed=0)
    np.testing.assert_allclose(from_bytes, from_floats, atol=1e-5)


def test_colour_and_other_layers_work_too():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((9, 7, 3)),
            layers.Rescaling(2.0, offset=-1),
            layers.Conv2D(8, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2, strides=1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    images = np.random.default_rng(0).uniform(size=(20, 9, 7, 3)).astype(np.float32)
    all_noise = find_universal_noise(network, images, range(4), 8 / 255, seed=0)
    assert all_noise.shape == (4, 9, 7, 3)
    clean = network.predict(images, verbose=0)
    for target, noise in enumerate(all_noise):
        assert (network.predict(add_noise(images, noise), verbose=0)[:, target] > clean[:, target]).all()


def test_untargeted_noise_leads_away_from_the_clean_answers(stripes):
    network, images, labels = stripes
    noise = find_universal_noise(network, images, None, 0.3, seed=0)
    assert noise.shape == (1, 12, 12, 1)
    report = evaluate_noise(network, images, labels, noise[0], None, 0.3)
    assert report.fooling_rate > 0.6  # two of three classes at least


def test_untargeted_restarts_are_all_returned_and_differ(stripes):
    network, images, labels = stripes
    noises = find_universal_noise(network, images, None, 0.3, restarts=3, seed=0)
    assert noises.shape == (3, 12, 12, 1)
    assert all(evaluate_noise(network, images, labels, noise, None, 0.3).fooling_rate > 0.5 for noise in noises)
    assert not np.allclose(noises[0], noises[1])


def test_of_restarts_for_targets_the_best_is_returned(random_network, random_images, monkeypatch):
    def search(noise, velocity, batches, labels, wanted, *_):
        starts.append(noise)
        return noise, velocity, wanted * noise.mean(axis=(1, 2, 3))  # the loss of each

    starts = []
    monkeypatch.setattr(search_module, "_universal_search", lambda *_: search)
    best = find_universal_noise(random_network, random_images, [2, 4], 0.1, restarts=5, seed=1)
    means = starts[0].reshape(5, 2, -1).mean(axis=2)  # five starts for each of the two targets
    np.testing.assert_allclose(best.reshape(2, -1).mean(axis=1), means.min(axis=0))
    assert np.abs(starts[0]).max() <= 0.1


def test_a_start_is_used_and_brought_within_the_limit(stripes):
    network, images, _ = stripes
    start = find_universal_noise(network, images, 2, 0.3, seed=0)[0]
    warm = find_universal_noise(network, images, 2, 0.2, steps=1, start=start, seed=0)
    assert np.abs(warm).max() == pytest.approx(0.2, abs=1e-6)
    cold = find_universal_noise(network, images, 2, 0.2, steps=1, seed=0)
    assert successes(stripes, warm, [2])[0] > successes(stripes, cold, [2])[0]


def test_a_small_first_step_stays_near_the_start(stripes):
    network, images, _ = stripes
    start = find_universal_noise(network, images, 2, 0.3, seed=0)
    near = find_universal_noise(network, images, 2, 0.3, steps=3, start=start, first_step=0.1, seed=0)
    assert 0.03 <= np.abs(near - start).max() <= 0.03 + 0.02 + 0.01 + 1e-6


def test_the_l2_weight_makes_the_noise_smaller(stripes):
    network, images, _ = stripes
    energy = [
        np.mean(find_universal_noise(network, images, 1, 0.3, noise_l2_weight=weight, seed=0) ** 2)
        for weight in (0, 0.1, 10)
    ]
    assert energy[0] > energy[1] > energy[2]


@pytest.mark.parametrize("targets", [range(10), None], ids=["towards classes", "away"])
def test_with_labels_more_is_found_against_a_network_that_resists_and_away_hardly_less(
    digits, immune_network, targets
):
    train, test, limit = digits.train, digits.test, 0.2

    def left(labels):
        found = find_universal_noise(
            immune_network, train.images, targets, limit, steps=60, batch_size=32, seed=0, labels=labels
        )
        return min(
            evaluate_noise(immune_network, test.images, test.labels, noise, None, limit).accuracy for noise in found
        )

    assert left(train.labels) < left(None) + (0.02 if targets is None else -0.005)


def test_the_scale_of_the_logits_makes_no_difference_to_the_count(stripes):
    network, images, labels = stripes
    larger = keras.Sequential([keras.Input((12, 12, 1)), network, keras.layers.Rescaling(1_000)])
    one, other = (find_universal_noise(net, images, 1, 0.1, seed=0, labels=labels) for net in (network, larger))
    assert np.mean(np.sign(one) == np.sign(other)) > 0.95


def test_it_is_compiled_once(random_network, random_images):
    keras.backend.clear_session()
    for targets, limit, settings in (
        ([0, 1], 0.3, {}),
        ([3, 4], 0.1, {"seed": 4, "noise_l2_weight": 0.1, "steps": 3}),
        ([2], 0.2, {"batch_size": 5}),
    ):
        find_universal_noise(random_network, random_images, targets, limit, **settings)
    search = compiled(random_network, search_module._universal_search, (12, 12, 1), "float32", True, False)
    assert search.experimental_get_tracing_count() == 1


def test_an_interrupted_search_leaves_the_network_as_it_was(random_network, random_images, monkeypatch):
    before = random_network.get_weights()
    monkeypatch.setattr(search_module, "VALUES_AT_ONCE", 16 * 144)
    calls = []

    def interrupt(self, count):
        calls.append(count)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(search_module.tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        find_universal_noise(random_network, random_images, 1)
    assert same_weights(before, random_network)
    assert random_network.trainable


def test_short_searches_are_silent_and_long_ones_show_progress(random_network, random_images, monkeypatch, capfd):
    find_universal_noise(random_network, random_images, 1)
    assert capfd.readouterr() == ("", "")
    quick = search_module.tqdm
    monkeypatch.setattr(search_module, "tqdm", lambda **settings: quick(**{**settings, "delay": 0}))
    find_universal_noise(random_network, random_images, 1)
    assert "searching noise" in capfd.readouterr().err


def test_it_runs_in_the_scope_of_a_distribution_strategy(stripes):
    network, images, _ = stripes
    outside = find_universal_noise(network, images, 1, 0.3, seed=0)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        inside = find_universal_noise(copy, images, 1, 0.3, seed=0)
    np.testing.assert_allclose(outside, inside, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"target_classes": 5}, ValueError, "target_class must be from 0 to 4, got 5"),
        ({"target_classes": [0, -1]}, ValueError, "got -1"),
        ({"target_classes": []}, ValueError, "target_classes is empty"),
        ({"target_classes": "3"}, TypeError, "target_class must be a whole number"),
        ({"target_classes": [0.5]}, TypeError, "target_class must be a whole number"),
        ({"noise_limit": 0}, ValueError, "noise_limit must be above 0"),
        ({"noise_limit": float("nan")}, ValueError, "noise_limit"),
        ({"noise_limit": 8}, ValueError, "8 / 255|3 / 255"),
        ({"noise_l2_weight": -1}, ValueError, "noise_l2_weight must be at least 0"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"restarts": 0}, ValueError, "restarts"),
        ({"first_step": 0}, ValueError, r"first_step must be in \(0, 1\], got"),
        ({"first_step": 1.5}, ValueError, r"first_step must be in \(0, 1\], got"),
        ({"after_step": 3}, TypeError, "after_step must be a function, got 3"),
        ({"images": np.zeros((3, 12, 12, 1))}, TypeError, "images must be float32, got float64"),
        ({"images": np.zeros((0, 12, 12, 1), np.float32)}, ValueError, "images is empty"),
        ({"images": np.zeros((12, 12, 1), np.uint8)}, ValueError, r"images must have the shape \(N, H, W, C\)"),
        ({"images": np.zeros((2, 28, 28, 1), np.uint8)}, ValueError, r"the network takes \('N', 12, 12, 1\)"),
        ({"images": np.full((2, 12, 12, 1), 2, np.float32)}, ValueError, r"pixels in \[0, 1\]"),
        ({"images": np.full((2, 12, 12, 1), np.nan, np.float32)}, ValueError, "no NaN"),
        ({"start": np.zeros((3, 12, 12, 1), np.float32)}, ValueError, "start must have the shape"),
        ({"start": np.full((12, 12, 1), np.nan, np.float32)}, ValueError, "start must not hold NaN"),
        ({"start": np.zeros((12, 12, 1), np.float32), "restarts": 2}, ValueError, "start and restarts exclude"),
        ({"labels": np.zeros(3, int)}, ValueError, r"labels must have the shape \(40,\)"),
        ({"labels": np.full(40, 7)}, ValueError, "labels must be classes from 0 to 4"),
        ({"labels": np.zeros(40)}, TypeError, "labels must be whole numbers"),
    ],
    ids=case,
)
def test_find_universal_noise_refuses(random_network, random_images, changes, error, words):
    arguments = {"images": random_images, "target_classes": [0, 1], "noise_limit": 0.3, **changes}
    with pytest.raises(error, match=words):
        find_universal_noise(random_network, **arguments)


def test_probabilities_and_broken_weights_are_refused_by_the_universal_search_too(random_network, random_images):
    with_softmax = keras.Sequential([keras.Input((12, 12, 1)), random_network, keras.layers.Softmax()])
    with pytest.raises(ValueError, match="returns probabilities, but logits are needed"):
        find_universal_noise(with_softmax, random_images, 1)
    find_universal_noise(random_network, random_images, 1, steps=1)
    random_network.layers[0].kernel.assign(random_network.layers[0].kernel * np.nan)  # after it was compiled
    with pytest.raises(ValueError, match="returns NaN"):
        find_universal_noise(random_network, random_images, 1, steps=1)
