"""The worker process of a DataLoader: fetch what the pipe asks for until the pipe closes."""
import ctypes
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import numpy as np

from ..._rng import seed_everywhere
from ._fetch import IterableFetcher, MapFetcher
from ._transport import receive, send

_PR_SET_PDEATHSIG = 1
BATCH, END, FAILED = "batch", "end", "failed"  # kinds of answers
RESTART = "restart"  # in place of an index: begin a new pass
_info = None


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this is: `id` of `num_workers`, its `seed` (base seed + id) and its copy of the `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info():
    """The WorkerInfo of this process; None outside of DataLoader workers."""
    return _info


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

    def fetcher(self):
        """A fetcher at the beginning of a pass."""
        kind = IterableFetcher if self.iterable else MapFetcher
        return kind(self.dataset, self.batched, self.collate_fn, self.drop_last)


class Failure:
    """An exception on its way to the parent: its type and its traceback as text."""

    def __init__(self, error, where):
        self.where, self.type_name = where, type(error).__name__
        self.text = "".join(traceback.format_exception(error))
        try:
            self.pickled_type = pickle.dumps(type(error))
        except Exception:  # a class that only this process can find
            self.pickled_type = None

    def reraise(self):
        """Raise an exception of the original type, with the worker's traceback in its message."""
        message = f"Caught {self.type_name} {self.where}.\nOriginal {self.text}"
        try:
            kind = pickle.loads(self.pickled_type)
            if issubclass(kind, (StopIteration, StopAsyncIteration, GeneratorExit)):
                kind = RuntimeError  # they would end the loop over the loader as if the data had ended
            error = kind(_Plain(message)) if issubclass(kind, KeyError) else kind(message)
        except Exception:  # its constructor wants something else, or its class cannot be found here
            raise RuntimeError(message) from None
        try:
            raise error
        finally:
            del error  # an exception that its own traceback holds keeps the iterator, and so the workers, until the next garbage collection


class _Plain(str):
    """Text that a KeyError prints as it is."""

    __slots__ = ()

    def __repr__(self):
        return self


def main(connection, job, started_by_main_thread):
    """The life of a worker."""
    _die_with_parent(started_by_main_thread)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends us by closing the pipe
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked child has the parent's handler
    global _info
    seed = job.base_seed + job.worker_id
    random.seed(seed)
    np.random.seed(np.random.SeedSequence([job.worker_id, job.base_seed]).generate_state(4))
    seed_everywhere(seed % 2**63)
    _info = WorkerInfo(job.worker_id, job.num_workers, seed, job.dataset)
    where = f"in DataLoader worker process {job.worker_id}"
    broken = fetcher = None
    try:
        if job.init_fn is not None:
            job.init_fn(job.worker_id)
        fetcher = job.fetcher()
    except Exception as error:
        broken = Failure(error, where)
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
        if isinstance(index, str) and index == RESTART:
            if broken is None:
                fetcher = job.fetcher()
            continue
        answer = (FAILED, broken)
        if broken is None:
            try:
                answer = (BATCH, fetcher.fetch(index))
            except StopIteration as error:
                answer = (END, None) if job.iterable else (FAILED, Failure(error, where))
            except Exception as error:
                answer = (FAILED, Failure(error, where))
        try:
            send(connection, answer)
        except ConnectionError:
            raise
        except Exception as error:  # a batch that cannot be pickled, or for which there is no memory
            send(connection, (FAILED, Failure(error, where)))


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
