"""Ranks as threads of one process: the reference for the semantics of every collective, and the place to debug.

All ranks of a group meet in a `Room`. Each lays down its arrays; the last to arrive does the work for all, in rank order, so results
are the same from run to run. The room knows who has arrived, so every error names the ranks at fault.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import CollectiveMismatchError, DistBackendError, DistTimeoutError, RankFailedError
from ..flight_recorder import Record
from ..reduce_op import ReduceOp
from ..store import HashStore
from ._base import Array, Backend, Completed, Pending, displacements
from ._mismatch import describe_mismatch, split_mismatch
from ._reduction import reduce_in_order

Payload = tuple[Any, ...]


@dataclass(eq=False)
class _Meeting:
    """One collective of one group: who has come with what, and how it ended."""

    arrived: dict[int, tuple[Record, Payload]] = field(default_factory=dict)
    done: bool = False
    error: DistBackendError | None = None


@dataclass(eq=False)
class _Receive:
    """A receive that waits for its message."""

    buffer: Array
    peer: int | None
    tag: int
    source: int | None = None
    done: bool = False
    error: DistBackendError | None = None


@dataclass(eq=False)
class _Message:
    source: int
    tag: int
    data: Array


@dataclass(eq=False)
class _Room:
    """What the ranks of one group share."""

    meetings: dict[int, _Meeting] = field(default_factory=dict)
    messages: dict[int, list[_Message]] = field(default_factory=dict)  # by receiver, in order of arrival
    receives: dict[int, list[_Receive]] = field(default_factory=dict)  # by receiver, in order of posting


class LocalWorld:
    """The ranks of one process: their rooms, and which of them have ended."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a world has at least one rank, but world_size is {size}")
        self.size = size
        self.changed = threading.Condition()
        self.store = HashStore()
        self._rooms: dict[str, _Room] = {}
        self.ended: dict[int, BaseException | None] = {}  # rank -> what it died of, None if its function returned

    def room(self, name: str) -> _Room:
        """The room of a group; whoever comes first opens it."""
        with self.changed:
            return self._rooms.setdefault(name, _Room())

    def end(self, rank: int, error: BaseException | None) -> None:
        """A rank's function has returned or raised: whoever waits for it must learn that."""
        with self.changed:
            self.ended.setdefault(rank, error)
            self.changed.notify_all()

    def obituary(self, rank: int) -> RankFailedError | None:
        """The error for somebody who waits for this rank in vain, or None while it lives."""
        if rank not in self.ended:
            return None
        error = self.ended[rank]
        if error is None:
            return RankFailedError(f"rank {rank} has finished its program and will not come; do all ranks make the same number of steps?")
        return RankFailedError(f"rank {rank} failed with {type(error).__name__}: {error}")


class _LocalPending(Pending):
    """Waits for a meeting or a message: `event` has `done` and `error`; `awaited` names the global ranks it still needs."""

    def __init__(
        self, backend: "LocalBackend", event: _Meeting | _Receive, awaited: Callable[[], list[int]], any_will_do: bool = False
    ) -> None:
        self._backend, self._event, self._awaited, self._any = backend, event, awaited, any_will_do

    @property
    def source(self) -> int | None:  # type: ignore[override]
        return self._event.source if isinstance(self._event, _Receive) else None

    def poll(self) -> bool:
        with self._backend.world.changed:
            return self._settled()

    def wait(self, timeout_s: float, block_host: bool = False) -> None:
        changed, deadline = self._backend.world.changed, time.monotonic() + timeout_s
        with changed:
            while not self._settled():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    late = self._awaited()
                    ranks = f"rank{'s' if len(late) > 1 else ''} {', '.join(map(str, late))}"
                    self._fail(DistTimeoutError(f"rank {self._backend.global_rank} gave up after {timeout_s:g} s: {ranks} had not arrived"))
                else:
                    changed.wait(left_s)

    def _settled(self) -> bool:
        event = self._event
        if not event.done:
            gone = [error for rank in self._awaited() if (error := self._backend.world.obituary(rank)) is not None]
            if gone and (not self._any or len(gone) == len(self._awaited())):
                self._fail(gone[0])
        if event.done and event.error is not None:
            raise type(event.error)(*event.error.args)
        return event.done

    def _fail(self, error: DistBackendError) -> None:
        """End it for every rank that came or will come."""
        self._event.error, self._event.done = error, True
        self._backend.world.changed.notify_all()


class LocalBackend(Backend):
    """One thread's end of a group."""

    name = "local"

    def __init__(self, world: LocalWorld, group: str, rank: int, members: Sequence[int]) -> None:
        super().__init__(rank, members)
        self.world, self._room = world, world.room(group)
        self.global_rank = self.members[rank]

    def _meet(self, record: Record, payload: Payload, work: Callable[[list[Payload]], None]) -> Pending:
        """Arrive with a payload; the last rank to arrive does the work with everybody's payloads, in rank order."""
        wait_for_writers(payload)
        with self.world.changed:
            meeting = self._room.meetings.setdefault(record.sequence, _Meeting())
            meeting.arrived[self.rank] = (record, payload)
            if len(meeting.arrived) == self.size:
                del self._room.meetings[record.sequence]
            if not meeting.done:
                self._advance(meeting, work)
        return _LocalPending(self, meeting, lambda: [each for rank, each in enumerate(self.members) if rank not in meeting.arrived])

    def _advance(self, meeting: _Meeting, work: Callable[[list[Payload]], None]) -> None:
        said = {self.members[rank]: record for rank, (record, _) in sorted(meeting.arrived.items())}
        if len({record.signature for record in said.values()}) > 1:
            meeting.error, meeting.done = CollectiveMismatchError(describe_mismatch(said)), True
        elif len(said) == self.size:
            try:
                work([meeting.arrived[rank][1] for rank in range(self.size)])
            except DistBackendError as error:
                meeting.error = error
            meeting.done = True
        if meeting.done:
            self.world.changed.notify_all()

    def all_reduce(self, record: Record, buffer: Array, op: ReduceOp) -> Pending:
        def work(buffers: list[Payload]) -> None:
            total = reduce_in_order([each for (each,) in buffers], op)
            for (each,) in buffers:
                each[...] = total

        return self._meet(record, (buffer,), work)

    def reduce(self, record: Record, buffer: Array, op: ReduceOp, root: int) -> Pending:
        def work(buffers: list[Payload]) -> None:
            buffers[root][0][...] = reduce_in_order([each for (each,) in buffers], op)

        return self._meet(record, (buffer,), work)

    def broadcast(self, record: Record, buffer: Array, root: int) -> Pending:
        def work(buffers: list[Payload]) -> None:
            for rank, (each,) in enumerate(buffers):
                if rank != root:
                    each[...] = buffers[root][0]

        return self._meet(record, (buffer,), work)

    def all_gather(self, record: Record, output: Array, data: Array, counts: Sequence[int]) -> Pending:
        def work(pairs: list[Payload]) -> None:
            parts = [each.copy() for _, each in pairs]
            for out, _ in pairs:
                for start, part in zip(displacements(counts), parts, strict=True):
                    out[start : start + part.size] = part

        return self._meet(record, (output, data), work)

    def reduce_scatter(self, record: Record, output: Array, data: Array, op: ReduceOp, counts: Sequence[int]) -> Pending:
        def work(pairs: list[Payload]) -> None:
            total = reduce_in_order([each for _, each in pairs], op)
            for (out, _), start, count in zip(pairs, displacements(counts), counts, strict=True):
                out[...] = total[start : start + count]

        return self._meet(record, (output, data), work)

    def gather(self, record: Record, output: Array | None, data: Array, root: int) -> Pending:
        def work(pairs: list[Payload]) -> None:
            parts = [each.copy() for _, each in pairs]
            for rank, part in enumerate(parts):
                pairs[root][0][rank * part.size : (rank + 1) * part.size] = part

        return self._meet(record, (output, data), work)

    def scatter(self, record: Record, output: Array, data: Array | None, root: int) -> Pending:
        def work(pairs: list[Payload]) -> None:
            whole = pairs[root][1].copy()
            for rank, (out, _) in enumerate(pairs):
                out[...] = whole[rank * out.size : (rank + 1) * out.size]

        return self._meet(record, (output, data), work)

    def all_to_all(self, record: Record, output: Array, data: Array, output_counts: Sequence[int], counts: Sequence[int]) -> Pending:
        def work(calls: list[Payload]) -> None:
            wrong = split_mismatch([call[3] for call in calls], [call[2] for call in calls], self.members)
            if wrong is not None:
                raise CollectiveMismatchError(wrong)
            copies = [(call[1].copy(), displacements(call[3])) for call in calls]
            for receiver, (out, _, out_counts, _) in enumerate(calls):
                for (source, starts), to, count in zip(copies, displacements(out_counts), out_counts, strict=True):
                    out[to : to + count] = source[starts[receiver] : starts[receiver] + count]

        return self._meet(record, (output, data, tuple(output_counts), tuple(counts)), work)

    def barrier(self, record: Record) -> Pending:
        return self.agree(record)

    def agree(self, record: Record) -> Pending:
        return self._meet(record, (), lambda _: None)

    # Messages: a send copies its data and completes; a receive takes the first message that fits, in order of arrival.

    def send(self, record: Record, data: Array, peer: int, tag: int) -> Pending:
        wait_for_writers((data,))
        message = _Message(self.rank, tag, data.copy())
        with self.world.changed:
            if (error := self.world.obituary(self.members[peer])) is not None:
                raise error
            waiting = self._room.receives.setdefault(peer, [])
            receive = next((each for each in waiting if each.peer in (None, self.rank) and each.tag == tag and not each.done), None)
            if receive is None:
                self._room.messages.setdefault(peer, []).append(message)
            else:
                waiting.remove(receive)
                self._deliver(message, receive)
        return Completed()

    def recv(self, record: Record, buffer: Array, peer: int | None, tag: int) -> Pending:
        receive = _Receive(buffer, peer, tag)
        with self.world.changed:
            arrived = self._room.messages.setdefault(self.rank, [])
            message = next((each for each in arrived if peer in (None, each.source) and each.tag == tag), None)
            if message is None:
                self._room.receives.setdefault(self.rank, []).append(receive)
            else:
                arrived.remove(message)
                self._deliver(message, receive)
        others = [each for rank, each in enumerate(self.members) if (rank != self.rank if peer is None else rank == peer)]
        return _LocalPending(self, receive, lambda: others, any_will_do=peer is None)

    def _deliver(self, message: _Message, receive: _Receive) -> None:
        data, buffer = message.data, receive.buffer
        if (data.dtype, data.size) != (buffer.dtype, buffer.size):
            receive.error = CollectiveMismatchError(
                f"rank {self.members[message.source]} sent {data.size} elements of {data.dtype.name}, "
                f"but the receiver's tensor has {buffer.size} of {buffer.dtype.name}; send and receive tensors alike"
            )
        else:
            buffer[...] = data
        receive.source, receive.done = message.source, True
        self.world.changed.notify_all()

    def subgroup(self, name: str, ranks: Sequence[int]) -> "LocalBackend":
        members = [self.members[rank] for rank in ranks]
        return LocalBackend(self.world, name, ranks.index(self.rank), members)

    def close(self) -> None:
        return


def wait_for_writers(payload: Payload) -> None:
    """Wait for the GPU work that writes these arrays, before another thread reads them."""
    for each in payload:
        if hasattr(each, "__cuda_array_interface__"):
            each.device.synchronize()


def single_rank() -> LocalBackend:
    """The backend of a job of one rank."""
    return LocalBackend(LocalWorld(1), "default", 0, [0])
