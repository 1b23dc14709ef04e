"""How DataLoader workers are started, and how they are stopped.

torch forks on Linux, always.  A forked child has only the forking thread, so a lock that another thread held stays locked for ever, and
an MPI library does not survive in it.  So we fork only a process that runs no other thread of Python's and has not initialised MPI: there
fork is quick, and takes datasets and functions that cannot be pickled.  Anywhere else workers come from a clean server process
("forkserver"; "spawn" where there is none), which needs a picklable dataset and, in a script, `if __name__ == "__main__":`.
`multiprocessing.set_start_method` (with another method than the platform's default) and `multiprocessing_context=` overrule this.

CUDA does not survive in a fork either, but workers do without it, and many scripts for GPUs have no `if __name__`: a process that uses
CUDA is forked as torch does it, and a worker that asks for CUDA gets torch's error.

Daemon threads (a progress bar's, a log writer's) do not count: they mostly sleep, and hold no lock that fetching a sample would need.
"""
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
import weakref
from contextlib import contextmanager

from ._utils import worker as _worker

GRACE_S = 2.0  # what a worker gets to finish its sample when it is not needed any more
_ours = weakref.WeakSet()  # this process's ends of all pipes to workers


def _close_inherited():
    """A forked process must not hold the pipes of other workers open, or their end of file would not come."""
    for connection in list(_ours):
        connection.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def default_context():
    """The multiprocessing context for workers, by the rule at the head of this file."""
    methods = multiprocessing.get_all_start_methods()
    chosen = multiprocessing.get_start_method(allow_none=True)
    if chosen not in (None, methods[0]):  # the default is also what any library gets that makes a lock
        return multiprocessing.get_context(chosen)
    if "fork" in methods and not fork_is_unsafe():
        return multiprocessing.get_context("fork")
    if "forkserver" not in methods:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", _worker.__name__])
    return context


def fork_is_unsafe():
    """Why this process must not be forked, in a few words; None when nothing speaks against it."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized():
        return "MPI is initialised"
    if threading.current_thread() is not threading.main_thread():
        return "this is not the main thread"
    if any(not t.daemon and t is not threading.main_thread() for t in threading.enumerate()):
        return "other threads are running"
    return None


class Worker:
    """A worker process as its parent sees it."""

    def __init__(self, context, job):
        self.connection, theirs = context.Pipe()
        _ours.add(self.connection)
        in_main = threading.current_thread() is threading.main_thread() and context.get_start_method() != "forkserver"
        self.method = context.get_start_method()
        self.process = context.Process(target=_worker.main, args=(theirs, job, in_main), daemon=True,
                                       name=f"DataLoader worker {job.worker_id}")
        try:
            with _quiet_start(self.method):
                self.process.start()
        except Exception as error:
            self.connection.close()
            if self.method == "fork" or not isinstance(error, (TypeError, AttributeError, pickle.PicklingError)):
                raise
            why = fork_is_unsafe() or "as was asked for"
            raise type(error)(f"{error}\nDataLoader workers start by {self.method!r} here ({why}), so the dataset, collate_fn and "
                              "worker_init_fn must be picklable: define them at the top of a module, or pass num_workers=0") from error
        finally:
            theirs.close()

    @property
    def pid(self):
        """The process's number."""
        return self.process.pid

    def is_alive(self):
        """Whether the process runs."""
        return self.process.is_alive()

    def describe_death(self):
        """A sentence about a process that should be alive and is not."""
        self.process.join(GRACE_S)
        pid, code = self.process.pid, self.process.exitcode
        if code is not None and code < 0:
            text = f"DataLoader worker (pid {pid}) is killed by signal: {_signal_name(-code)}."
            if -code in (signal.SIGKILL, signal.SIGBUS):
                text += " If nobody killed it, the machine may be out of memory: use fewer workers or smaller batches."
            return text
        text = (f"DataLoader worker (pid {pid}) exited unexpectedly with exit code {code}. Details are lost due to multiprocessing. "
                "Rerunning with num_workers=0 may give better error trace.")
        if code == 1 and self.method != "fork":
            text += (f" Workers start by {self.method!r} here: if the trace above is about bootstrapping, put the script's code below "
                     "`if __name__ == '__main__':`.")
        return text


def stop(workers, owner):
    """End workers: close their pipes, give them GRACE_S to finish, then insist.  Harmless in a process that did not start them
    (`owner`)."""
    if os.getpid() != owner:
        return
    for w in workers:
        w.connection.close()
    deadline = time.monotonic() + GRACE_S
    for insist in (lambda p: None, multiprocessing.process.BaseProcess.terminate, multiprocessing.process.BaseProcess.kill):
        for w in workers:
            insist(w.process)
        for w in workers:
            w.process.join(max(0.0, deadline - time.monotonic()))
        if all(w.process.exitcode is not None for w in workers):
            break
        deadline = time.monotonic() + GRACE_S
    for w in workers:
        if w.process.exitcode is not None:
            w.process.close()


def _signal_name(number):
    try:
        return f"{signal.strsignal(number)} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


@contextmanager
def _quiet_start(method):
    """Start without Python's warning about forking a process with threads: BLAS restarts its own in a child, and Python's were looked at.

    Children that are not forked import the script anew; mpi4py at its head must not initialise MPI in a process that no mpirun started.
    """
    if method == "fork":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            yield
        return
    name = "MPI4PY_RC_INITIALIZE"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
