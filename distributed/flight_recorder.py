"""What each rank was doing: the last collectives with operation, sequence number, shape and label.

A ring per rank, always on (one small object per collective), read by every timeout error and by `dump()`.
RINGGRAD_FLIGHT_RECORDS sets its length (default 256).
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable

import numpy as np

from .reduce_op import ReduceOp

DEFAULT_RECORDS = 256
_IN_ERRORS = 16  # how many of the last records a timeout error shows


class Record:
    """One collective or message on one rank.

    sequence: counts the collectives of a group from 1, and apart from them its messages.  shape: of the tensor the caller gave.
    root: rank in the group, of broadcast, reduce, gather, scatter, or the other side of a message.  extra: what else every rank must say
    alike (split sizes).  state: 'issued', 'completed' or 'failed'.  started, ended: seconds on this machine's monotonic clock.
    """

    __slots__ = ("collective", "dtype", "ended", "extra", "group", "label", "op", "root", "sequence", "shape", "started", "state")

    def __init__(
        self,
        group: str,
        sequence: int,
        collective: str,
        op: ReduceOp | None = None,
        dtype: np.dtype | None = None,
        shape: tuple[int, ...] = (),
        root: int | None = None,
        extra: tuple[int, ...] | None = None,
        label: str | None = None,
    ) -> None:
        self.group, self.sequence, self.collective, self.op = group, sequence, collective, op
        self.dtype, self.shape, self.root, self.extra, self.label = dtype, shape, root, extra, label
        self.state, self.started, self.ended = "issued", time.monotonic(), None

    state: str
    ended: float | None

    @property
    def signature(self) -> tuple[object, ...]:
        """What must be the same on every rank."""
        return (self.collective, self.op, self.dtype, self.shape, self.root, self.extra)

    def finish(self, state: str) -> None:
        """Note how and when it ended."""
        self.state, self.ended = state, time.monotonic()

    def arguments(self) -> str:
        """'SUM, float32, shape (10, 3), root 0': what the ranks are compared by, in words."""
        words = [self.op.name] if self.op is not None else []
        if self.dtype is not None:
            words += [self.dtype.name, f"shape {self.shape}"]
        if self.root is not None:
            words.append(f"{'peer' if self.collective in ('send', 'recv') else 'root'} {self.root if self.root >= 0 else 'any'}")
        if self.extra is not None:
            words.append(f"sizes {list(self.extra)}")
        return ", ".join(words)

    def __str__(self) -> str:
        arguments = self.arguments()
        label = f" for {self.label!r}" if self.label else ""
        return f"{self.collective} #{self.sequence}{f' ({arguments})' if arguments else ''}{label} in group {self.group!r}"


class FlightRecorder:
    """The ring of one rank."""

    def __init__(self, size: int | None = None) -> None:
        self._ring: deque[Record] = deque(maxlen=_size_from_environment() if size is None else size)
        self.add = self._ring.append

    def records(self) -> list[Record]:
        """The records, oldest first."""
        return list(self._ring)

    def dump(self, last: int | None = None) -> str:
        """One line per record, oldest first; `last`: only so many."""
        records = self.records()
        shown = records if last is None else records[-last:]
        return "\n".join(_lines(shown, time.monotonic())) if shown else "no collective has been called"

    def for_error(self) -> str:
        """The end of the ring, as it stands below an error."""
        hidden = max(0, len(self._ring) - _IN_ERRORS)
        earlier = f" ({hidden} earlier ones: ringgrad.distributed.flight_recorder.dump())" if hidden else ""
        return f"last collectives of this rank{earlier}:\n{self.dump(_IN_ERRORS)}"


class _PerThread(threading.local):
    recorder: FlightRecorder | None = None


_process: list[FlightRecorder] = []  # at most one: made at the first use
_thread = _PerThread()


def current() -> FlightRecorder:
    """The recorder of the rank that calls: the thread's own where ranks are threads, else the process's."""
    if _thread.recorder is not None:
        return _thread.recorder
    if not _process:
        _process.append(FlightRecorder())
    return _process[0]


def use(recorder: FlightRecorder | None) -> None:
    """Give the calling thread a recorder of its own, or (None) take it away again."""
    _thread.recorder = recorder


def dump(last: int | None = None) -> str:
    """The last collectives of the rank that calls, one line each, oldest first."""
    return current().dump(last)


def _lines(records: Iterable[Record], now: float) -> Iterable[str]:
    for record in records:
        took = f"{(record.ended - record.started) * 1e3:.2f} ms" if record.ended is not None else f"for {now - record.started:.1f} s"
        yield f"  {now - record.started:8.1f} s ago  {record.state:9} {took:>12}  {record}"


def _size_from_environment() -> int:
    text = os.environ.get("RINGGRAD_FLIGHT_RECORDS", str(DEFAULT_RECORDS))
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"RINGGRAD_FLIGHT_RECORDS must be a positive integer, but is {text!r}")
    return int(text)
