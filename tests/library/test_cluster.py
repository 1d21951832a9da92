"""The search on a Dask cluster: real worker processes on this machine, which are killed, stopped and late."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import course_utils
from course_utils import find_universal_noise

import keras
import numpy as np
import psutil
import pytest
from helpers import ROOT, case

distributed = pytest.importorskip("distributed")

from course_utils import cluster as cluster_module  # noqa: E402
from course_utils.cluster import (  # noqa: E402
    DEAF,
    SearchInterruptedError,
    SearchStoppedError,
    find_universal_noise_on,
    local_client,
)

SHAPE, CLASSES = (8, 8, 1), 5
IMAGES = np.random.default_rng(0).uniform(size=(60, *SHAPE)).astype(np.float32)
LABELS = np.arange(60) % CLASSES
QUIET = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    network = course_utils.convolutional_network(SHAPE, CLASSES)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(IMAGES, LABELS, verbose=0)
    return network


@pytest.fixture(scope="module")
def shared_cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, preload=DEAF, **QUIET) as cluster:
        yield cluster


@pytest.fixture
def client(shared_cluster):
    with shared_cluster.get_client() as client:
        client.wait_for_workers(2)
        yield client


def agree(found, local):
    """Threads of another number round otherwise, which may send a few pixels another way."""
    return found.shape == local.shape and np.isclose(found, local, atol=1e-3).mean() > 0.97


@pytest.fixture
def workers_call(monkeypatch):
    """Return a function: from then on each worker, later ones too, calls wrapper(call) in place of call."""
    usual = cluster_module._worker_call()
    return lambda wrapper: monkeypatch.setattr(cluster_module, "_worker_call", lambda: wrapper(usual))


def test_without_dask_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['distributed'] = None; import course_utils; import course_utils.cluster"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: ")
    assert 'pip install -e ".[cluster]"' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"images": np.round(IMAGES * 255).astype(np.uint8), "steps": 7, "noise_l2_weight": 0.1},
        {"restarts": 3, "labels": LABELS},
        {"target_classes": None, "restarts": 4},
        {"target_classes": [4, 1], "start": np.full((2, *SHAPE), 0.2, np.float32), "first_step": 0.1},
        {"restarts": 2, "searches_a_chunk": 4},
    ],
    ids=case,
)
def test_it_finds_what_a_local_search_finds(client, network, changes):
    arguments = {"images": IMAGES, "target_classes": range(CLASSES), "noise_limit": 0.3, "seed": 3, **changes}
    found = find_universal_noise_on(client, network, **arguments)
    arguments.pop("searches_a_chunk", None)
    assert agree(found, find_universal_noise(network, **arguments))
    assert found.dtype == np.float32


def test_network_and_images_go_to_each_worker_once_and_leave_the_scheduler(
    client, shared_cluster, network, monkeypatch
):
    asked, handlers = [], shared_cluster.scheduler.handlers

    def get_metadata(keys, **others):
        asked.append(keys[1])
        return shared_cluster.scheduler.get_metadata(keys, **others)

    monkeypatch.setitem(handlers, "get_metadata", get_metadata)
    larger = keras.Sequential([keras.Input(SHAPE), network, keras.layers.Rescaling(2.0)])
    for _ in range(2):
        find_universal_noise_on(client, larger, IMAGES, [1] * 40, seed=0, searches_a_chunk=1)
    assert asked.count("network") <= 2  # the second search finds it there
    assert asked.count("plan") <= 4
    left = shared_cluster.scheduler.task_metadata.items()
    assert not any(value for name, value in left if name.startswith("search-noise"))
    assert not shared_cluster.scheduler.tasks


def test_chunks_are_handed_over_as_they_come_and_progress_is_shown(client, network, monkeypatch, capfd):
    quick, come = cluster_module.tqdm, []
    monkeypatch.setattr(cluster_module, "tqdm", lambda **settings: quick(**{**settings, "delay": 0}))
    found = find_universal_noise_on(
        client, network, IMAGES, [3, 0, 2], seed=0, after_chunk=lambda *chunk: come.append(chunk)
    )
    assert sorted(int(target) for targets, _ in come for target in targets) == [0, 2, 3]
    for (target,), (noise,) in come:
        np.testing.assert_array_equal(noise, found[[3, 0, 2].index(target)])
    assert "searching noise" in capfd.readouterr().err


def test_a_worker_starts_tensorflow_with_its_share_of_threads(client, network):
    find_universal_noise_on(client, network, IMAGES, [0, 1, 2, 3], seed=0)
    threads = client.run(lambda: os.environ.get("TF_NUM_INTRAOP_THREADS"))
    assert set(threads.values()) == {"1"}


def test_workers_on_this_machine_begin_with_the_threads_they_were_given():
    """Not later: a worker of a script imports TensorFlow with it."""
    with local_client(2, threads=3) as client:
        began_with = client.run(lambda: psutil.Process().environ().get("TF_NUM_INTRAOP_THREADS"))
        hosts = {worker.split("://")[1].split(":")[0] for worker in began_with}
        assert list(began_with.values()) == ["3", "3"]
        assert hosts == {"127.0.0.1"}
    with pytest.raises(ValueError, match="workers"), local_client(0):
        pass


# Faults


def test_a_killed_worker_costs_nothing_but_time(client, network):
    def kill_once(targets, noise):
        if not killed:
            busy = next(worker for worker, keys in client.processing().items() if keys)
            killed.append(busy)
            os.kill(client.run(os.getpid, workers=[busy])[busy], signal.SIGKILL)

    killed = []
    found = find_universal_noise_on(
        client, network, IMAGES, range(CLASSES), seed=0, restarts=6, steps=300, after_chunk=kill_once
    )
    assert killed
    assert agree(found, find_universal_noise(network, IMAGES, range(CLASSES), seed=0, restarts=6, steps=300))


def test_a_chunk_whose_workers_die_for_good_is_named_and_the_others_are_kept(
    client, shared_cluster, network, monkeypatch, workers_call
):
    def deadly(search_chunk):
        def call(name, digest, targets, starts):
            if 2 in targets:
                os.kill(os.getpid(), signal.SIGKILL)
            return search_chunk(name, digest, targets, starts)

        return call

    monkeypatch.setattr(shared_cluster.scheduler, "allowed_failures", 0)
    monkeypatch.setattr(cluster_module, "AHEAD", 1)  # so that nothing waits behind the deadly one
    match = r"chunk 2 \(target classes 2\): KilledWorker"
    workers_call(deadly)
    with pytest.raises(SearchStoppedError, match=match) as stopped:
        find_universal_noise_on(client, network, IMAGES, range(CLASSES), seed=0)
    local = find_universal_noise(network, IMAGES, range(CLASSES), seed=0)
    assert list(stopped.value.found) == [0, 1, 3, 4]
    assert all(agree(noise, local[target]) for target, noise in stopped.value.found.items())


def test_a_worker_that_never_answers_is_given_up(client, shared_cluster, network, monkeypatch):
    def stop_once(targets, noise):
        if not stopped:
            busy = next(worker for worker, keys in client.processing().items() if keys)
            stopped.append(client.run(os.getpid, workers=[busy])[busy])
            os.kill(stopped[0], signal.SIGSTOP)

    monkeypatch.setattr(shared_cluster.scheduler, "allowed_failures", 1_000)  # a slow start is no failure here
    find_universal_noise_on(client, network, IMAGES, range(4), seed=0)  # TensorFlow has started
    stopped = []
    settings = {"seed": 0, "restarts": 6, "steps": 300}
    found = find_universal_noise_on(
        client, network, IMAGES, range(CLASSES), **settings, after_chunk=stop_once, seconds_a_chunk=8
    )
    assert stopped
    assert agree(found, find_universal_noise(network, IMAGES, range(CLASSES), **settings))


def test_an_error_in_one_chunk_leaves_the_others(client, network, workers_call):
    def clumsy(search_chunk):
        def call(name, digest, targets, starts):
            if 3 in targets:
                raise ArithmeticError("out of numbers")
            return search_chunk(name, digest, targets, starts)

        return call

    match = r"1 of 5 chunks failed; chunk 3 \(target classes 3\): ArithmeticError: out of numbers"
    workers_call(clumsy)
    with pytest.raises(SearchStoppedError, match=match) as stopped:
        find_universal_noise_on(client, network, IMAGES, range(CLASSES), seed=0)
    local = find_universal_noise(network, IMAGES, range(CLASSES), seed=0)
    assert list(stopped.value.found) == [0, 1, 2, 4]
    assert all(agree(noise, local[target]) for target, noise in stopped.value.found.items())


def test_an_interruption_keeps_what_came(client, network):
    with pytest.raises(SearchInterruptedError, match="1 of 5") as interrupted:
        find_universal_noise_on(
            client, network, IMAGES, range(CLASSES), seed=0, after_chunk=lambda *_: signal.raise_signal(signal.SIGINT)
        )
    ((target, noise),) = interrupted.value.found.items()
    assert agree(noise, find_universal_noise(network, IMAGES, range(CLASSES), seed=0)[target])


def test_an_interruption_that_reaches_the_workers_does_not_end_them(client):
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGINT)
    before = client.run(os.getpid)
    time.sleep(1)
    assert client.run(os.getpid) == before


def test_an_interruption_stops_the_workers(client, network, workers_call):
    def noted(search_chunk):
        def call(*arguments):
            from course_utils import cluster, search

            worker = distributed.get_worker()
            cluster._fetched(*arguments[:2])  # so that the interruption meets the search, not the way to it
            usual, search.VALUES_AT_ONCE = search.VALUES_AT_ONCE, 16 * 64  # a few steps a call
            worker.last_chunk = "begun"
            try:
                return search_chunk(*arguments)
            except InterruptedError:
                worker.last_chunk = "interrupted"
                raise
            finally:
                search.VALUES_AT_ONCE = usual

        return call

    def last_chunks():
        return set(client.run(lambda dask_worker: getattr(dask_worker, "last_chunk", "")).values())

    def reached(wanted):
        return any(time.sleep(0.1) or last_chunks() == {wanted} for _ in range(600))

    def interrupt():
        try:
            reached("begun")
        finally:  # otherwise the search would go on for hours
            os.kill(os.getpid(), signal.SIGINT)

    workers_call(noted)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        find_universal_noise_on(client, network, IMAGES, [0, 1], seed=0, steps=500_000)
    assert reached("interrupted")


def test_what_after_chunk_raises_loses_nothing(client, network):
    with pytest.raises(SearchStoppedError, match="ZeroDivisionError") as stopped:
        find_universal_noise_on(
            client, network, IMAGES, range(CLASSES), seed=0, after_chunk=lambda targets, _: 1 / (int(targets[0]) - 1)
        )
    assert len(stopped.value.found) >= 1
    assert isinstance(stopped.value.__cause__, ZeroDivisionError)


def test_a_worker_may_come_late_but_not_for_ever(network):
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, **QUIET) as cluster:
        with cluster.get_client() as client:
            with pytest.raises(SearchStoppedError, match="no worker for 2 seconds"):
                find_universal_noise_on(client, network, IMAGES, [1, 2], seed=0, seconds_a_chunk=2)
            threading.Timer(2, lambda: cluster.scale(1)).start()
            found = find_universal_noise_on(client, network, IMAGES, [1, 2], seed=0)
            assert agree(found, find_universal_noise(network, IMAGES, [1, 2], seed=0))
        with pytest.raises(ValueError, match="client must be connected to a cluster"):
            find_universal_noise_on(client, network, IMAGES, 1)


def test_a_lost_cluster_loses_nothing_that_came(network):
    settings = {**QUIET, "host": None, "processes": False}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, **settings) as cluster,
        cluster.get_client() as client,
        pytest.raises(SearchStoppedError) as stopped,
    ):
        find_universal_noise_on(
            client, network, IMAGES, range(CLASSES), seed=0, after_chunk=lambda *_: cluster.close()
        )
    assert 1 <= len(stopped.value.found) < CLASSES


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"client": None}, TypeError, "client must be a distributed.Client, got None"),
        ({"target_classes": [7]}, ValueError, "target_class must be from 0 to 4, got 7"),
        ({"noise_limit": 1.5}, ValueError, "noise_limit"),
        ({"images": IMAGES.astype(np.float64)}, TypeError, "images must be float32, got float64"),
        ({"images": IMAGES * 2}, ValueError, r"pixels in \[0, 1\]"),
        ({"start": np.zeros((3, 3, 1), np.float32)}, ValueError, "start must have the shape"),
        ({"labels": LABELS[:3]}, ValueError, "labels must have the shape"),
        ({"restarts": 0}, ValueError, "restarts"),
        ({"after_chunk": 3}, TypeError, "after_chunk must be a function, got 3"),
        ({"searches_a_chunk": 0}, ValueError, "searches_a_chunk must be at least 1"),
        ({"seconds_a_chunk": 0}, ValueError, "seconds_a_chunk must be above 0"),
    ],
    ids=case,
)
def test_bad_input_is_refused_before_anything_is_sent(client, network, monkeypatch, changes, error, words):
    monkeypatch.setattr(client, "submit", lambda *_, **__: pytest.fail("a task was sent"))
    monkeypatch.setattr(client, "set_metadata", lambda *_, **__: pytest.fail("something was sent"))
    arguments = {"client": client, "network": network, "images": IMAGES, "target_classes": [0, 1], **changes}
    with pytest.raises(error, match=words):
        find_universal_noise_on(**arguments)


def test_a_cluster_is_no_client(shared_cluster, network):
    with pytest.raises(TypeError, match="got a LocalCluster: its get_client"):
        find_universal_noise_on(shared_cluster, network, IMAGES, 1)


@keras.saving.register_keras_serializable("test_cluster")
class Doubling(keras.layers.Layer):
    def call(self, images):
        return images * 2


@keras.saving.register_keras_serializable("test_cluster")
class Forgetful(Doubling):
    """Does not store what it was given."""

    factor = 1.0

    def call(self, images):
        return images * self.factor


class Unknown(Doubling):
    """Is not registered."""


def behind(layer, network):
    return keras.Sequential([keras.Input(SHAPE), layer, network])


def test_layers_of_a_module_of_ones_own_are_found_by_the_workers(client, network):
    own = behind(Doubling(), network)
    found = find_universal_noise_on(client, own, IMAGES, [0, 3], seed=0)
    assert agree(found, find_universal_noise(own, IMAGES, [0, 3], seed=0))


def test_layers_of_a_notebook_are_refused(client, network, monkeypatch):
    monkeypatch.setattr(Doubling, "__module__", "__main__")
    with pytest.raises(ValueError, match="code of this notebook or script"):
        find_universal_noise_on(client, behind(Doubling(), network), IMAGES, 1)


def forgetful():
    layer = Forgetful()
    layer.factor = 3.0
    return layer


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (keras.layers.Lambda(lambda images: images * 2), "cannot be sent as a .keras file .* a Lambda layer cannot"),
        (Unknown(), "cannot be sent as a .keras file"),
        (forgetful(), "answers otherwise"),
    ],
    ids=["Lambda", "not registered", "forgetful"],
)
def test_a_network_that_no_file_can_hold_is_refused(client, network, monkeypatch, layer, words):
    monkeypatch.setattr(client, "submit", lambda *_, **__: pytest.fail("a task was sent"))
    with pytest.raises(ValueError, match=words):
        find_universal_noise_on(client, behind(layer, network), IMAGES, 1)
