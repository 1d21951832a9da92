"""The search for universal noise on many machines: each chunk of it is a task of a Dask cluster.

Needs one more package: `pip install -e ".[cluster]"`; the same versions, and this library, wherever a worker runs.
A worker fetches network and images once, before its first chunk, and TensorFlow starts there with as many threads as
the worker was given. All of it stays in the worker for the next search of the same network.

Whoever reaches the ports of a cluster may run any code on it. On one machine LocalCluster listens to that machine
only; between machines give scheduler, workers and client the same `distributed.Security`, so that they speak TLS.
"""

import contextlib
import hashlib
import importlib
import io
import math
import os
import pickle
import re
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from course_utils._checks import (
    LOOKED_AT,
    as_floats,
    check_callback,
    check_count,
    check_images,
    check_number,
    in_short,
)
from course_utils._gradients import logits_of, rounding
from course_utils.search import Found, Plan

import keras
import numpy as np
from tqdm import tqdm

try:
    import dask
    from distributed import Client, Future, LocalCluster, as_completed, get_client, get_worker
except ModuleNotFoundError:
    raise ImportError('a search on a cluster needs one more package: pip install -e ".[cluster]"') from None

# For LocalCluster(preload=DEAF): its workers then survive a Ctrl-C or the stop button, which reach them, too.
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
CHUNKS = 32  # at least so many, where there are so many searches: no worker then waits long for the last one
AHEAD = 2  # chunks for each thread of the cluster that are sent at once
SECONDS_TO_LOOK = 1  # from one look at the workers to the next
SECONDS_TO_RESTART = 10  # until a worker is left out whose nanny does not answer, either
_kept: dict[str, Any] = {}  # in a worker: the network and the plan that it fetched last
_fetching = threading.Lock()


@contextlib.contextmanager
def local_client(workers: int = 2, threads: int = 1) -> Iterator[Client]:
    """Start workers on this machine, which listen to nobody else, and give a client of them; they end with it.

    Args:
        workers: so many processes.
        threads: TensorFlow's in each of them.
    """
    check_count(workers, "workers"), check_count(threads, "threads")
    names = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"
    # Set before a worker starts: it imports what the script imports that calls this, and TensorFlow with it. What is
    # set here already would go before what Dask is told.
    before = dict.fromkeys(names, str(threads))
    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": before}),
        patch.dict(os.environ, before),
        LocalCluster(n_workers=workers, threads_per_worker=1, preload=DEAF, **here) as cluster,
        cluster.get_client() as client,
    ):
        client.wait_for_workers(workers)
        yield client


class SearchStoppedError(RuntimeError):
    """A search on a cluster could not be finished.

    Attributes:
        found: what is there: noise, float32, shape (H, W, C), by target class, of those restarts that were made; or
            by the number of the restart when there are no targets.
    """

    def __init__(self, what_happened: str, found: dict[int, np.ndarray], wanted: int) -> None:
        super().__init__(f"{what_happened}. {_what_is_kept(found, wanted)}")
        self.found = found


class SearchInterruptedError(KeyboardInterrupt):
    """A search on a cluster was interrupted, and the workers were told to stop; `found` is as that of the other."""

    def __init__(self, found: dict[int, np.ndarray], wanted: int) -> None:
        super().__init__(_what_is_kept(found, wanted))
        self.found = found


def _what_is_kept(found: dict[int, np.ndarray], wanted: int) -> str:
    return f"{len(found)} of {wanted} noises were found; they are in the attribute `found` of this error"


def find_universal_noise_on(
    client: Client,
    network: keras.Model,
    images: np.ndarray,
    target_classes: int | Sequence[int] | np.ndarray | None,
    noise_limit: float = 0.35,
    noise_l2_weight: float = 0.0,
    steps: int = 20,
    batch_size: int = 16,
    restarts: int = 1,
    start: np.ndarray | None = None,
    seed: int | None = None,
    after_chunk: Callable[[np.ndarray, np.ndarray], None] | None = None,
    labels: np.ndarray | None = None,
    first_step: float = 1.0,
    searches_a_chunk: int | None = None,
    seconds_a_chunk: float | None = None,
) -> np.ndarray:
    """Find what `find_universal_noise` finds with the same seed, but for rounding, on all workers of a Dask cluster.

    Workers may come and go. A chunk whose worker dies is searched again elsewhere; after more deaths than the
    cluster allows (`distributed.scheduler.allowed-failures`, 3) it is given up. All others are finished first.

    Args:
        client: of any cluster, such as `distributed.LocalCluster(threads_per_worker=1, preload=DEAF).get_client()`.
        network, images, target_classes, noise_limit, noise_l2_weight, steps, batch_size, restarts, start, seed,
            labels, first_step: as for `find_universal_noise`. The network goes to the workers as a `.keras` file;
            only those images go there that a step looks at.
        after_chunk: called when a chunk has come, with its target classes, int64, shape (searches,), and its noise,
            float32, shape (searches, H, W, C). A target class comes once for each restart; -1 stands for none.
        searches_a_chunk: so many searches are one task; when left out as many as there is memory for in a local
            search, but no more than a 32nd of all.
        seconds_a_chunk: a worker that holds chunks and finishes none for so long is restarted, or left out where
            nothing can restart it, and its chunks go elsewhere. The first chunk of a worker includes the start of
            TensorFlow, some ten seconds. When left out, there is no such limit.

    Returns:
        float32, shape (targets, H, W, C). Without targets (restarts, H, W, C).

    Raises:
        TypeError, ValueError: as `find_universal_noise`, before anything is sent; something that is no client of a
            running cluster; a network that a `.keras` file cannot hold.
        SearchStoppedError: a chunk or after_chunk failed, or the cluster is gone. In `found` is what had come.
        SearchInterruptedError: a KeyboardInterrupt, with the same attribute.
    """
    _check_client(client)
    check_callback(after_chunk, "after_chunk")
    plan = Plan.drawn(
        network, images, target_classes, noise_limit, noise_l2_weight, steps, batch_size, restarts, start, seed,
        labels, first_step,
    )  # fmt: skip
    plan = _with_drawn_images_only(plan)
    usual = min(plan.at_once, math.ceil(len(plan.targets) / CHUNKS))
    size = usual if searches_a_chunk is None else check_count(searches_a_chunk, "searches_a_chunk")
    patience = math.inf if seconds_a_chunk is None else check_number(seconds_a_chunk, "seconds_a_chunk", 0, ends="(]")
    return plan.best(_ClusterSearch(client, plan, size, patience, after_chunk).made_with(network))


def _check_client(client: Any) -> None:
    """See that something is a client of a cluster that runs, and is called as other functions are."""
    if not isinstance(client, Client):
        remedy = ": its get_client() returns one" if hasattr(client, "get_client") else ""
        raise TypeError(f"client must be a distributed.Client, got {in_short(client)}{remedy}")
    if client.asynchronous:
        raise TypeError("client must not be asynchronous: Client(..., asynchronous=False)")
    if client.status != "running":
        raise ValueError(f"client must be connected to a cluster, but its status is {client.status!r}")


def _with_drawn_images_only(plan: Plan) -> Plan:
    """Leave out of a plan the images that no step looks at, and check the others."""
    indices = np.concatenate([plan.batch_indices, plan.fresh_indices])
    drawn, places = np.unique(indices, return_inverse=True)
    images, steps = plan.images[drawn], len(plan.batch_indices)
    if images.dtype == np.float32:
        check_images(images)
    places = places.reshape(indices.shape)
    return replace(
        plan, images=images, labels=plan.labels[drawn], batch_indices=places[:steps], fresh_indices=places[steps:]
    )


def _packed(network: keras.Model, images: np.ndarray) -> bytes:
    """Return a network as the bytes of a `.keras` file without its optimiser; ValueError where none can hold it."""
    remedy = (
        "Layers and classes of your own need get_config and @keras.saving.register_keras_serializable(), in a file "
        "that the workers can import; a Lambda layer cannot be sent"
    )
    try:
        copy = _unpacked(_saved(network))
        content = _saved(copy)  # without the optimiser
        logits, others = (np.asarray(logits_of(each, images)) for each in (network, copy))
    except Exception as error:  # whatever the reader's layers may do
        raise ValueError(f"the network cannot be sent as a .keras file ({type(error).__name__}). {remedy}") from error
    if logits.shape != others.shape or not np.allclose(logits, others, rtol=0, atol=rounding(network, logits)):
        raise ValueError(f"the network answers otherwise once it went through a .keras file. {remedy}")
    if "__main__" in _modules_of(content):
        raise ValueError(f"the network uses code of this notebook or script, which no worker can import. {remedy}")
    return content


def _saved(network: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        return path.read_bytes()


def _unpacked(content: bytes) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _layers_and_weights(content: bytes) -> tuple[bytes, bytes]:
    """Return what makes a network: of its file all but the date."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("config.json"), archive.read("model.weights.h5")


def _modules_of(content: bytes) -> list[str]:
    """Return where the classes and functions of the reader's own were registered that a network uses."""
    names = set(re.findall(rb'"([^"]*>[^"]*)"', _layers_and_weights(content)[0]))
    own = (keras.saving.get_registered_object(name.decode()) for name in names)
    return sorted({one.__module__ for one in own if one is not None})


class _ClusterSearch:
    """A search as the client sees it: which chunks are sent, where they are, and what has come."""

    def __init__(
        self, client: Client, plan: Plan, size: int, patience: float, after_chunk: Callable[..., None] | None
    ) -> None:
        self.client, self.plan, self.patience, self.after_chunk = client, plan, patience, after_chunk
        self.chunks = [slice(first, first + size) for first in range(0, len(plan.targets), size)]
        self.name = f"search-noise-{uuid.uuid4().hex}"
        self.running: dict[Future, int] = {}
        self.failed: dict[int, BaseException] = {}
        self.come = np.zeros(len(plan.targets), bool)
        self.found = Found(np.empty((len(plan.targets), *plan.images.shape[1:]), np.float32), False, self.come + 0.0)
        self.held: dict[str, tuple[set[str], float]] = {}  # which tasks each worker holds, and since when

    def made_with(self, network: keras.Model) -> Found:
        """Send everything, gather everything, and leave nothing behind."""
        content = _packed(network, as_floats(self.plan.images[:LOOKED_AT]))
        shared = {name: value for name, value in vars(self.plan).items() if name not in ("targets", "starts")}
        luggage = {"network": content, "modules": _modules_of(content), "plan": pickle.dumps(shared)}
        digest = hashlib.sha256(b"".join(_layers_and_weights(content))).hexdigest()
        try:
            self.client.set_metadata([self.name], luggage)
            with tqdm(total=self.plan.length, desc="searching noise", delay=2, leave=False) as progress:
                self.gather(digest, progress)
        except KeyboardInterrupt:
            raise SearchInterruptedError(*self.what_is_kept()) from None
        except Exception as error:  # of the cluster, or of after_chunk: what has come must not be lost
            what = f"the search stopped: {type(error).__name__}: {error}"
            raise SearchStoppedError(what, *self.what_is_kept()) from error
        finally:
            self.stop()
        if self.failed:
            raise SearchStoppedError(self.what_failed(), *self.what_is_kept()) from min(self.failed.items())[1]
        return self.found

    def gather(self, digest: str, progress: tqdm) -> None:
        """Keep the workers busy until every chunk has come or failed."""
        left, call, threads, next_look = list(enumerate(self.chunks))[::-1], _worker_call(), 1, 0.0
        coming = as_completed(loop=self.client.loop, with_results=True)
        while left or self.running:
            if time.monotonic() > next_look:
                threads, next_look = sum(self.client.nthreads().values()) or 1, time.monotonic() + SECONDS_TO_LOOK
                self.give_up_late_workers()
            while left and len(self.running) < AHEAD * threads:
                number, some = left.pop()
                starts = None if self.plan.starts is None else self.plan.starts[some]
                arguments = self.name, digest, self.plan.targets[some], starts
                future = self.client.submit(call, *arguments, key=f"{self.name}-{number}", pure=False)
                self.running[future] = number
                coming.add(future)
            for future, result in coming.next_batch(block=False):
                number = self.running.pop(future)
                if future.status == "finished":
                    progress.update(self.keep(self.chunks[number], *result))
                else:  # an error is a tuple, with its type before it and its traceback behind
                    self.failed[number] = result[1] if isinstance(result, tuple) else result
            time.sleep(0.02)

    def keep(self, some: slice, noise: np.ndarray, moved: bool, losses: np.ndarray) -> int:
        """Keep what a chunk has found, hand it over, and return how many steps that were."""
        self.found.noise[some], self.found.losses[some], self.come[some] = noise, losses, True
        self.found = replace(self.found, moved=self.found.moved or moved)
        if self.after_chunk:
            self.after_chunk(self.plan.targets[some], noise)
        return len(noise) * self.plan.length // len(self.come)

    def give_up_late_workers(self) -> None:
        """Have workers restarted that hold the same tasks as long ago; TimeoutError if there was none so long."""
        if self.patience == math.inf:
            return
        now, keys = time.monotonic(), {str(future.key) for future in self.running}
        everywhere = {worker: keys.intersection(its) for worker, its in self.client.processing().items()}
        before, self.held = self.held, {}
        for worker, its in (everywhere or {"": keys}).items():
            same = worker in before and before[worker][0] == its
            self.held[worker] = before[worker] if same else (its, now)
        late = [worker for worker, (its, since) in self.held.items() if its and now - since > self.patience]
        if "" in late:
            raise TimeoutError(f"there has been no worker for {self.patience:g} seconds")
        if late:
            tqdm.write(f"No chunk came for {self.patience:g} seconds from {', '.join(late)}: restarted or left out.")
            # As client.restart_workers, which refuses workers without a nanny, and waits for those that have one.
            self.client.sync(
                self.client.scheduler.restart_workers,
                workers=late,
                timeout=SECONDS_TO_RESTART,
                wait_for_workers=False,
                on_error="return",
                stimulus_id=f"{self.name}-{now}",
            )

    def stop(self) -> None:
        """Take back what is not done, and leave nothing in the scheduler."""
        if self.client.status == "running":
            with contextlib.suppress(Exception):
                self.client.cancel(list(self.running))
                self.client.set_metadata([self.name], None)

    def what_is_kept(self) -> tuple[dict[int, np.ndarray], int]:
        """Return the best noise that has come for each target class, or for each search, and how many were wanted."""
        which = self.plan.targets if self.plan.kind[0] else np.arange(self.come.size)
        worst_first = sorted(np.flatnonzero(self.come), key=lambda search: -self.found.losses[search])
        best = {int(which[search]): self.found.noise[search] for search in worst_first}
        return dict(sorted(best.items())), len(np.unique(which))

    def what_failed(self) -> str:
        """Say how many chunks failed, and of the first which classes it was to find and what happened."""
        number, error = min(self.failed.items())
        classes = ", ".join(map(str, self.plan.targets[self.chunks[number]])) if self.plan.kind[0] else "none"
        return (
            f"{len(self.failed)} of {len(self.chunks)} chunks failed; chunk {number} (target classes {classes}): "
            f"{type(error).__name__}: {error}"
        )


# In the worker


def _worker_call() -> Callable[..., Any]:
    """Return the function that a worker calls for each chunk.

    It travels as code, not by its name: with the name, scheduler and worker would import this library, and with it
    start TensorFlow, before the number of threads is set, and where they should answer others.
    """

    def call(*arguments: Any) -> tuple[np.ndarray, bool, np.ndarray]:
        import os
        import sys

        from distributed import get_worker

        if "tensorflow" not in sys.modules:
            for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ[name] = str(get_worker().state.nthreads)
        from course_utils.cluster import search_chunk

        return search_chunk(*arguments)

    return call


def search_chunk(
    name: str, digest: str, targets: np.ndarray, starts: np.ndarray | None
) -> tuple[np.ndarray, bool, np.ndarray]:
    """Make some of the searches of a plan, in a worker; return what `Found` holds."""
    network, plan = _fetched(name, digest)
    found = replace(plan, targets=targets, starts=starts).search(network, _WhileWanted())
    return found.noise, found.moved, found.losses


def _fetched(name: str, digest: str) -> tuple[keras.Model, Plan]:
    """Return network and plan as the client has left them in the scheduler; each is fetched once."""
    with _fetching:
        if _kept.get("digest") != digest:
            for module in get_client().get_metadata([name, "modules"]):
                importlib.import_module(module)  # so that Keras knows what is registered there
            _kept.update(network=_unpacked(get_client().get_metadata([name, "network"])), digest=digest)
        if _kept.get("name") != name:
            fields = pickle.loads(get_client().get_metadata([name, "plan"]))
            _kept.update(plan=Plan(**fields, targets=np.empty(0, np.int64), starts=None), name=name)
        return _kept["network"], _kept["plan"]


class _WhileWanted:
    """Stands where a search has its progress bar, and ends it when nobody waits for the chunk any more."""

    def __init__(self) -> None:
        worker = get_worker()
        self.task = worker.state.tasks[worker.get_current_task()]

    def update(self, _: int) -> None:
        """See whether the client has taken the chunk back."""
        if self.task.state == "cancelled":
            raise InterruptedError("the chunk is no longer wanted")
