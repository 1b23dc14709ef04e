"""This process among all MPI processes: the communicator for news, outstanding operations, and who has left.

News are small messages on a communicator of their own: "I am waiting for collective n of group g" (so that a timeout can name those
who are not), and "I am leaving" (so that nobody waits for a rank whose program has ended). Sending one never blocks.
"""

import ctypes
import fcntl
import os
import stat
import struct
import sys
import termios
import threading
import time
from typing import Any, Protocol

import numpy as np

from ..errors import DistTimeoutError, RankFailedError
from . import _mpi_library

_WAITING, _LEFT = 1, 2
_LEAVE_S = 1.0  # how long a rank that exits with an error code lets the others leave by themselves
_READ_S = 1.0  # how long mpirun may take to read the last words of a rank that stops the job


class Outstanding(Protocol):
    """An operation that progress() can push."""

    def nudge(self) -> None:
        """Go as far as possible without waiting."""


class MpiWorld:
    """One per process, from its first MPI group to its end.

    rank, size: in MPI_COMM_WORLD, which is the job.  lock: held around every use of MPI, so that threads take turns.
    generation: counts init_process_group; news of an earlier one do not count.
    """

    def __init__(self, timeout_s: float) -> None:
        self.mpi: Any = _mpi_library.load()
        self.lock = threading.RLock()
        everyone = self.mpi.COMM_WORLD
        self.rank, self.size = everyone.Get_rank(), everyone.Get_size()
        self.generation = 0
        self._active: dict[int, Outstanding] = {}  # outstanding operations, in the order in which they were issued
        self._sending: list[tuple[Any, Any]] = []
        self._left: dict[tuple[int, int], int] = {}  # (generation, rank) -> exit code
        self._waiting: dict[tuple[int, int, int], int] = {}  # (generation, group, rank) -> the collective it waits for
        self._goodbyes = 0
        self._main_thread_only = self.mpi.Query_thread() < self.mpi.THREAD_SERIALIZED
        self.check_thread()
        self.news = self.duplicate(everyone, timeout_s, "init_process_group")

    def check_thread(self) -> None:
        """RuntimeError where this MPI library does not allow calls from this thread."""
        if self._main_thread_only and not self.mpi.Is_thread_main():
            raise RuntimeError(
                "this MPI library was initialised without thread support, so only the main thread may communicate; "
                "leave mpi4py.rc.thread_level at 'multiple', or call collectives from the main thread"
            )

    def duplicate(self, communicator: Any, timeout_s: float, what: str) -> Any:
        """A copy of a communicator.  DistTimeoutError if some of its ranks do not ask for one."""
        copy, request = communicator.Idup()
        deadline = time.monotonic() + timeout_s
        while not request.Test():
            if time.monotonic() > deadline:
                raise DistTimeoutError(
                    f"rank {self.rank} of {self.size} waited {timeout_s:g} s for all ranks to call {what}; some have not"
                )
            time.sleep(0.0005)
        return copy

    # Outstanding operations

    def remember(self, operation: Outstanding) -> None:
        """Let progress() push this operation until it is done."""
        self._active[id(operation)] = operation

    def forget(self, operation: Outstanding) -> None:
        """It is done."""
        self._active.pop(id(operation), None)

    def abandon(self, requests: list[Any], hold: tuple[Any, ...]) -> None:
        """Keep the memory of requests that will never complete: MPI may still write to it, even after Python has gone."""
        _keep_for_ever((list(requests), hold))

    def progress(self, besides: Outstanding | None = None) -> None:
        """Push every outstanding operation (besides one, which its caller pushes) as far as it goes."""
        if len(self._active) <= (besides is not None):
            return
        with self.lock:
            for operation in list(self._active.values()):
                if operation is not besides:
                    operation.nudge()

    # News

    def _tell(self, ranks: list[int], *words: int) -> None:
        message = np.array([*words, *[0] * (5 - len(words))], np.int64)
        for rank in ranks:
            self._sending.append((self.news.Isend(message, rank), message))
        self._sending = [each for each in self._sending if not each[0].Test()]

    def tell_waiting(self, ranks: list[int], group: int, sequence: int) -> None:
        """Tell these ranks that we wait for a collective."""
        with self.lock:
            self._tell(ranks, _WAITING, self.generation, group, sequence)

    def read_news(self) -> None:
        """Take in what has arrived."""
        with self.lock:
            message, status = np.empty(5, np.int64), self.mpi.Status()
            while self.news.Iprobe(self.mpi.ANY_SOURCE, self.mpi.ANY_TAG, status):
                source = status.Get_source()
                self.news.Recv(message, source)
                kind, generation, group, number, _ = message.tolist()
                if kind == _LEFT:
                    self._goodbyes += 1
                    self._left[generation, source] = group
                else:
                    self._waiting[generation, group, source] = number

    def waits_for(self, rank: int, group: int) -> int:
        """The number of the collective that a rank has said to be waiting for, 0 if it has said nothing."""
        return self._waiting.get((self.generation, group, rank), 0)

    def obituary(self, rank: int) -> RankFailedError | None:
        """The error for somebody who waits for a rank that has left."""
        code = self._left.get((self.generation, rank))
        if code is None:
            return None
        if code:
            return RankFailedError(f"rank {rank} ended its program with exit code {code}", exit_code=code)
        return RankFailedError(f"rank {rank} has finished its program or destroyed its group; do all ranks make the same number of steps?")

    # Leaving

    def leave(self, exit_code: int = 0) -> None:
        """Tell everybody that this rank takes no further part in this generation; once per generation."""
        with self.lock:
            if (self.generation, self.rank) not in self._left and not self.mpi.Is_finalized():
                self._left[self.generation, self.rank] = exit_code
                self._tell([rank for rank in range(self.size) if rank != self.rank], _LEFT, self.generation, exit_code)

    def leave_for_good(self, exit_code: int) -> None:
        """At the end of the program: say goodbye, and wait until everybody has, as MPI_Finalize needs all ranks.

        With an exit code other than 0 the others get one second, then the job is stopped: without this rank it can only hang.
        """
        if self.mpi.Is_finalized():
            return
        self.leave(exit_code)
        expected = (self.size - 1) * self.generation
        deadline, last_call = time.monotonic() + _LEAVE_S, None
        while True:
            self.progress()
            with self.lock:
                self.read_news()
                self._sending = [each for each in self._sending if not each[0].Test()]
            if self._goodbyes >= expected and not self._sending:
                last_call = last_call or time.monotonic() + _LEAVE_S  # for what this program has started and not waited for
                if not self._active or time.monotonic() > last_call:
                    _keep_for_ever(list(self._active.values()))
                    return
            elif exit_code and time.monotonic() > deadline:
                still = [rank for rank in range(self.size) if (self.generation, rank) not in self._left]
                sys.stderr.write(
                    f"[rank {self.rank}] ended with exit code {exit_code} while ranks {still} were running; stopping the job\n"
                )
                self.abort(exit_code)
            time.sleep(0.001)

    def abort(self, exit_code: int) -> None:
        """End all processes of the job now. What this one has printed stays the last word: MPI's own message is dropped."""
        sys.stdout.flush()
        sys.stderr.flush()
        wait_until_read(1, 2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        self.mpi.COMM_WORLD.Abort(exit_code)


def wait_until_read(*descriptors: int) -> None:
    """Wait, not for long, until nothing is left in these pipes: MPICH's mpirun drops what it has not read when MPI_Abort reaches it."""
    deadline = time.monotonic() + _READ_S
    while any(map(_unread, descriptors)) and time.monotonic() < deadline:
        time.sleep(0.0005)


def _unread(descriptor: int) -> int:
    """Bytes in a pipe that its reader has not taken; 0 for anything else, such as a file or a terminal."""
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return 0
        return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))[0])
    except OSError:
        return 0


def _keep_for_ever(memory: object) -> None:
    """Never free these objects: MPI is finalized after the interpreter, and may touch the memory of its requests until then."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
