"""The worker process of a DataLoader: fetch what the pipe asks for until the pipe closes."""
import ctypes
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import numpy as np

from ...._rng import Generator, seed_everywhere
from ...._threads import set_num_threads
from .._transport import receive, send
from ..graph_settings import apply_random_seed, apply_sharding
from ._exceptions import ExceptionWrapper
from .fetch import create_fetcher

_PR_SET_PDEATHSIG = 1
BATCH, END, FAILED = "batch", "end", "failed"  # kinds of answers
_worker_info = None


@dataclass(frozen=True)
class Restart:
    """In place of an index: begin a new pass.  shared_seed: of data pipes."""

    shared_seed: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Which worker this is: `id` of `num_workers`, its `seed` (base seed + id) and its copy of the `dataset`.

    rng: None, and worker_method: "multiprocessing", for workers are processes here.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


def get_worker_info():
    """The WorkerInfo of this process; None outside of DataLoader workers."""
    return _worker_info


def _generate_state(base_seed, worker_id):
    """NumPy's seed in a worker: four 32-bit words, which have nothing to do with those of Python's `random`."""
    return np.random.SeedSequence([worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4).tolist()


@dataclass
class Job:
    """What a worker needs to know; sent to it when it starts."""

    dataset: Any
    iterable: bool
    batched: bool
    collate_fn: Any
    drop_last: bool
    init_fn: Any
    base_seed: int
    worker_id: int
    num_workers: int
    shared_seed: int | None = None  # of data pipes, the same in all workers
    share: tuple | None = None  # (world size, rank) among which data pipes are shared out; None for other datasets

    def prepare(self):
        """Seed this process, take this worker's share of data pipes, call the user's function."""
        global _worker_info
        seed = self.base_seed + self.worker_id
        random.seed(seed)
        np.random.seed(_generate_state(self.base_seed, self.worker_id))
        seed_everywhere(seed % 2**63)
        self.seed_pipes(self.shared_seed)
        _worker_info = WorkerInfo(self.worker_id, self.num_workers, seed, self.dataset)
        if self.share is not None:
            world, rank = self.share
            apply_sharding(self.dataset, self.num_workers * world, self.worker_id * world + rank)
        if self.init_fn is not None:
            self.init_fn(self.worker_id)

    def seed_pipes(self, shared_seed):
        """Give data pipes the seeds of a new pass."""
        if shared_seed is not None:
            apply_random_seed(self.dataset, Generator().manual_seed(shared_seed))

    def fetcher(self):
        """A fetcher at the beginning of a pass."""
        return create_fetcher(self.iterable, self.dataset, self.batched, self.collate_fn, self.drop_last)


def main(connection, job, started_by_main_thread):
    """The life of a worker."""
    gc.freeze()  # garbage of a parent that was forked stays its own: what CUDA gave it cannot be given back here
    _die_with_parent(started_by_main_thread)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends us by closing the pipe
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked child has the parent's handler
    set_num_threads(1)
    where = f"in DataLoader worker process {job.worker_id}"
    broken = fetcher = None
    try:
        job.prepare()
        fetcher = job.fetcher()
    except Exception:
        broken = ExceptionWrapper(where=where)
    try:
        _serve(connection, job, fetcher, broken, where)
    except (EOFError, ConnectionError):  # the parent closed the pipe: it is done with us
        pass
    finally:
        sys.stdout.flush()
        connection.close()


def _serve(connection, job, fetcher, broken, where):
    while True:
        index = receive(connection)
        if isinstance(index, Restart):
            if broken is None:
                job.seed_pipes(index.shared_seed)
                fetcher = job.fetcher()
            continue
        answer = (FAILED, broken)
        if broken is None:
            try:
                answer = (BATCH, fetcher.fetch(index))
            except StopIteration:
                answer = (END, None) if job.iterable else (FAILED, ExceptionWrapper(where=where))
            except Exception:
                answer = (FAILED, ExceptionWrapper(where=where))
        try:
            send(connection, answer)
        except ConnectionError:
            raise
        except Exception:  # a batch that cannot be pickled, or for which there is no memory
            send(connection, (FAILED, ExceptionWrapper(where=where)))


def _die_with_parent(started_by_main_thread):
    """End this process as soon as the parent is gone, whatever it is doing.

    The kernel's promise is for the thread that started us, so it is asked for only where that was the main one; a thread of ours that
    watches the parent does the rest, and what the pipe's end of file would do only when we next look at it.
    """
    parent = multiprocessing.parent_process()
    if sys.platform.startswith("linux") and started_by_main_thread:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if not parent.is_alive():
        os._exit(1)

    def watch():
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="ringgrad-watch-parent", daemon=True).start()
