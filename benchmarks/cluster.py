"""What does a cluster cost beside the search itself? Many searches on a network that is nearly nothing.

    make bench-cluster        (about two minutes on 2 cores; nothing else should run)

Scheduler, two workers of one thread each and the client are processes of their own on this machine. Each search is a
task, so that what is measured is sending, keeping and gathering. How well real work is shared, the experiment
`imagenet_cluster` measures. The numbers go to results/cluster.json.
"""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    sys.path.append(str(Path(__file__).parent.parent / "tools"))
    import stopping  # noqa: F401
    from measurements import keep_result, measured_run

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import course_utils
from course_utils.cluster import find_universal_noise_on

import keras
import numpy as np
import psutil
from distributed import Client

WHAT = "Searches on a tiny network, each a task of a Dask cluster: tasks a second, memory of client and scheduler."
SHAPE, CLASSES = (8, 8, 1), 1_000
COUNTS = (10, 100, 300, 1_000)
WORKERS = 2
MEGABYTE = 2**20


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[tuple[Client, int]]:
    """Start a scheduler and workers of one thread, which listen to this machine only; give a client and a pid."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as processes:
        file = os.path.join(folder, "scheduler.json")
        common = ["--scheduler-file", file, "--host", "127.0.0.1", "--no-dashboard"]
        commands = [["dask_scheduler", "--port", "0"], *[["dask_worker", "--nthreads", "1", "--no-nanny"]] * workers]
        started = []
        for name, *options in commands:
            command = [sys.executable, "-m", f"distributed.cli.{name}", *options, *common]
            started.append(subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL))
            processes.callback(started[-1].wait)
            processes.callback(started[-1].terminate)
            while not os.path.exists(file):
                time.sleep(0.1)
        client = processes.enter_context(Client(scheduler_file=file))
        client.wait_for_workers(workers)
        yield client, started[0].pid


class Memory:
    """The largest memory of some processes while this context is open, in MB above what they had before."""

    def __init__(self, **pids: int) -> None:
        self.processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self.before, self.ended = self.now(), threading.Event()
        self.largest = self.before

    def now(self) -> dict[str, float]:
        """Return the resident memory of each process."""
        return {name: process.memory_info().rss / MEGABYTE for name, process in self.processes.items()}

    def watch(self) -> None:
        """Look ten times a second."""
        while not self.ended.wait(0.1):
            self.largest = {name: max(value, self.largest[name]) for name, value in self.now().items()}

    def __enter__(self) -> "Memory":
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def grown(self) -> dict[str, float]:
        """Return by how much each has grown."""
        return {f"MB of the {name}": round(self.largest[name] - self.before[name], 1) for name in self.before}


def main(counts: tuple[int, ...]) -> dict[str, object]:
    """Search for more and more targets, and return what that took."""
    keras.utils.set_random_seed(0)
    network = course_utils.linear_network(SHAPE, CLASSES)
    network.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=network.layers[-1].kernel.shape))
    images = np.random.default_rng(0).uniform(size=(300, *SHAPE)).astype(np.float32)
    found: dict[str, object] = {}
    with cluster(WORKERS) as (client, scheduler):
        settings = {"noise_limit": 0.3, "seed": 0, "searches_a_chunk": 1}
        find_universal_noise_on(client, network, images, range(2 * WORKERS), **settings)  # TensorFlow has started
        for count in counts:
            with Memory(client=os.getpid(), scheduler=scheduler) as memory:
                start = time.perf_counter()
                noise = find_universal_noise_on(client, network, images, range(count), **settings)
                seconds = time.perf_counter() - start
            local = course_utils.find_universal_noise(network, images, range(count), 0.3, seed=0)
            found[str(count)] = {
                "seconds": round(seconds, 2),
                "tasks a second": round(count / seconds, 1),
                **memory.grown(),
                "signs as in a local search": round(float(np.mean(np.sign(noise) == np.sign(local))), 5),
            }
    return {"workers": WORKERS, "by targets": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time a cluster on searches that are nearly nothing.")
    parser.add_argument("--try", dest="tried", action="store_true", help="a few targets, and nothing is written")
    result = main(COUNTS[:2] if (tried := parser.parse_args().tried) else COUNTS)
    if not tried:
        keep_result("cluster", WHAT, "benchmarks/cluster.py", [measured_run(result)])
    print(json.dumps(result, indent=2))
