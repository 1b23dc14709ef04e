"""One outstanding NCCL operation, and the events by which the host learns how far the GPU has come."""

import time
from typing import Any, Protocol

import numpy as np

from ..errors import DistBackendError, DistTimeoutError
from ..flight_recorder import Record
from ._base import Pending

_MEETINGS = ("barrier", "new_group")  # what they promise is about the host


class Owner(Protocol):
    """What an operation, and the watchdog, need of the group's backend."""

    cupy: Any
    rank: int
    members: tuple[int, ...]
    timeout_s: float
    always_blocks: bool
    broken: DistBackendError | None

    def look(self) -> None:
        """Find out whether NCCL has something to complain about."""

    def stop(self, error: DistBackendError) -> None:
        """Abort the communicator and fail what is outstanding."""

    def stop_for_mismatch(self, pending: "NcclPending") -> None:
        """The same, because the ranks called different things."""

    def failure_is_told(self) -> None:
        """The program has been told of a failure."""


class NcclPending(Pending):
    """An operation on the group's stream.  hold: memory it uses, kept until it is over.

    captured: it is written down in a CUDA graph; for the host it is over then, and streams wait for it in the graph.
    """

    def __init__(
        self,
        backend: Owner,
        record: Record,
        agreed: "Fingerprint | None",
        finished: Any,
        hold: tuple[Any, ...],
        captured: bool = False,
    ) -> None:
        self.backend, self.record, self.agreed, self.finished, self.hold, self.captured = backend, record, agreed, finished, hold, captured
        self.started = time.monotonic()
        self.error: DistBackendError | None = None

    def poll(self) -> bool:
        self.look()
        if self.error is not None:
            self.backend.failure_is_told()
            raise self.error
        return self.captured or bool(self.finished.done)

    def look(self) -> bool:
        """Read the fingerprints' outcome if it is there; True once the operation is over, well or badly."""
        if self.error is None and self.agreed is not None and self.agreed.differs():
            self.backend.stop_for_mismatch(self)
        return self.error is not None or self.captured or bool(self.finished.done)

    def wait(self, timeout_s: float, block_host: bool = False) -> None:
        deadline = time.monotonic() + timeout_s
        block_host = block_host or self.backend.always_blocks or self.record.collective in _MEETINGS
        while not self.poll() and block_host:
            if time.monotonic() > deadline:
                self.backend.stop(DistTimeoutError(f"gave up after {timeout_s:g} s; the communicator has been aborted"))
            time.sleep(0.0002)
        self.backend.cupy.cuda.get_current_stream().wait_event(self.finished)


class Fingerprint:
    """(h, -h) of this rank, all-reduced with MAX: unchanged on every rank only if every rank has the same h."""

    def __init__(self, host: np.ndarray, copied: Any) -> None:
        self._host, self._copied = host, copied

    def differs(self) -> bool:
        """Whether the outcome is there and the ranks disagree."""
        return bool(self._copied.done) and int(self._host[0]) != -int(self._host[1])


class Finish:
    """An event that says "not yet" until it has been recorded: within a batch that happens only at the batch's end."""

    def __init__(self, cupy: Any) -> None:
        self._event = cupy.cuda.Event(disable_timing=True)
        self.is_open = True

    def record(self, stream: Any) -> None:
        """From now on it stands for the end of what the stream has been given."""
        self._event.record(stream)
        self.is_open = False

    @property
    def done(self) -> bool:
        """Whether the stream has come this far."""
        return not self.is_open and bool(self._event.done)

    @property
    def ptr(self) -> int:
        """The CUDA event, as cupy.cuda.Stream.wait_event takes it."""
        return int(self._event.ptr)
