"""MPI: NumPy rows (and GPU rows) moved by the MPI library of the machine.

Every collective goes in two steps. First the ranks compare a 16-byte fingerprint of what they are about to do (a non-blocking allreduce of
two integers on a communicator of its own); only when all have arrived and agree is the data posted. So collectives that do not match
raise on every rank instead of hanging or corrupting, and a timeout strikes before any data has moved. RINGGRAD_CHECK_COLLECTIVES=0, set
on all ranks, leaves the first step out. The data always moves by non-blocking calls, which are as fast as the blocking ones and let a
synchronous call on one rank meet an asynchronous one on another.

Messages (send, recv) are not compared; a receive checks the number of bytes, not the dtype.
"""

import os
import time
import zlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import CollectiveMismatchError, DistBackendError, RankFailedError
from ..flight_recorder import Record
from ..reduce_op import ReduceOp
from . import _mpi_library
from ._base import Array, Backend, Pending, displacements
from ._mismatch import call_in_words, describe_mismatch, split_mismatch
from ._mpi_buffers import divide_and_round, for_moving, for_reducing, in_turn, on_host
from ._mpi_operation import MpiOperation, Post, Then
from ._mpi_world import MpiWorld

_REMEMBERED = 10_000  # signatures whose hash is kept; a program with ever new shapes must not fill the memory
_WORDS = 400  # bytes in which a rank tells the others what it called, once the fingerprints differ
_CONFESSION_S = 10.0  # how long to wait for the others' words


class MpiBackend(Backend):
    """One rank's end of a group over MPI.

    data, check: two communicators with the group's ranks; collectives and messages go over the first, fingerprints over the second.
    max_count: the largest number of elements one MPI call takes; larger rows go in several calls.
    """

    name = "mpi"

    def __init__(self, world: MpiWorld, group: str, rank: int, members: Sequence[int], data: Any, check: Any) -> None:
        super().__init__(rank, members)
        self.world, self._data, self._check = world, data, check
        self._group = group
        self._group_key = zlib.crc32(group.encode())
        self._queue: deque[MpiOperation] = deque()  # issued, not all of it posted: what follows must wait for its turn
        self._fingerprints: dict[tuple[object, ...], int] = {}
        self._checked = os.environ.get("RINGGRAD_CHECK_COLLECTIVES", "1") != "0"
        self._operations = _mpi_library.operations()
        self.max_count = _mpi_library.largest_count()
        self.broken: str | None = None

    # Collectives

    def all_reduce(self, record: Record, buffer: Array, op: ReduceOp) -> Pending:
        mpi, mine = self.world.mpi, self._operations
        wide, op_there = for_reducing(buffer, op)
        row = on_host(wide, reads=True, writes=True)

        def post() -> list[Any]:
            return [self._data.Iallreduce(mpi.IN_PLACE, part, mine[op_there]) for part in self._parts(row.array)]

        return self._issue(record, post, in_turn(row.after, divide_and_round(wide, buffer, op, self.size)), hold=(row, buffer))

    def reduce(self, record: Record, buffer: Array, op: ReduceOp, root: int) -> Pending:
        mpi, mine, is_root = self.world.mpi, self._operations, self.rank == root
        wide, op_there = for_reducing(buffer, op)
        row = on_host(wide, reads=True, writes=is_root)

        def post() -> list[Any]:
            parts = self._parts(row.array)
            if is_root:
                return [self._data.Ireduce(mpi.IN_PLACE, part, mine[op_there], root) for part in parts]
            return [self._data.Ireduce(part, None, mine[op_there], root) for part in parts]

        then = in_turn(row.after, divide_and_round(wide, buffer, op, self.size)) if is_root else None
        return self._issue(record, post, then, hold=(row, buffer))

    def reduce_scatter(self, record: Record, output: Array, data: Array, op: ReduceOp, counts: Sequence[int]) -> Pending:
        wide, op_there = for_reducing(_apart(data, output), op)
        total = for_reducing(output, op)[0]  # the output itself, or a wider row of its size
        source, target = on_host(wide, reads=True, writes=False), on_host(total, reads=False, writes=True)

        def post() -> list[Any]:
            self._fits("reduce_scatter", max(counts))
            if len(set(counts)) == 1:
                return [self._data.Ireduce_scatter_block(source.array, target.array, op=self._operations[op_there])]
            return [self._data.Ireduce_scatter(source.array, target.array, list(counts), self._operations[op_there])]

        return self._issue(
            record, post, in_turn(target.after, divide_and_round(total, output, op, self.size)), hold=(source, target, output)
        )

    def broadcast(self, record: Record, buffer: Array, root: int) -> Pending:
        row = for_moving(buffer, reads=self.rank == root, writes=self.rank != root)

        def post() -> list[Any]:
            return [self._data.Ibcast(part, root) for part in self._parts(row.array)]

        return self._issue(record, post, row.after, hold=(row, buffer))

    def all_gather(self, record: Record, output: Array, data: Array, counts: Sequence[int]) -> Pending:
        source = for_moving(_apart(data, output), reads=True, writes=False)
        target = for_moving(output, reads=False, writes=True)

        def post() -> list[Any]:
            self._fits("all_gather", max(counts))
            if len(set(counts)) == 1:
                return [self._data.Iallgather(source.array, target.array)]
            return [self._data.Iallgatherv(source.array, self._cut(target.array, counts))]

        return self._issue(record, post, target.after, hold=(source, target))

    def gather(self, record: Record, output: Array | None, data: Array, root: int) -> Pending:
        source = for_moving(data if output is None else _apart(data, output), reads=True, writes=False)
        target = None if output is None else for_moving(output, reads=False, writes=True)

        def post() -> list[Any]:
            self._fits("gather", data.size)
            return [self._data.Igather(source.array, None if target is None else target.array, root)]

        return self._issue(record, post, target.after if target is not None else None, hold=(source, target))

    def scatter(self, record: Record, output: Array, data: Array | None, root: int) -> Pending:
        source = None if data is None else for_moving(_apart(data, output), reads=True, writes=False)
        target = for_moving(output, reads=False, writes=True)

        def post() -> list[Any]:
            self._fits("scatter", output.size)
            return [self._data.Iscatter(None if source is None else source.array, target.array, root)]

        return self._issue(record, post, target.after, hold=(source, target))

    def all_to_all(self, record: Record, output: Array, data: Array, output_counts: Sequence[int], counts: Sequence[int]) -> Pending:
        source = for_moving(_apart(data, output), reads=True, writes=False)
        target = for_moving(output, reads=False, writes=True)
        said = np.array([*counts, *output_counts], np.int64)
        heard = np.empty((self.size, 2, self.size), np.int64)

        def compare() -> None:
            wrong = split_mismatch(heard[:, 0].tolist(), heard[:, 1].tolist(), self.members)
            if wrong is not None:
                raise CollectiveMismatchError(wrong)

        def post() -> list[Any]:
            self._fits("all_to_all", max(*counts, *output_counts))
            return [self._data.Ialltoallv(self._cut(source.array, counts), self._cut(target.array, output_counts))]

        first: list[tuple[Post, Then | None]] = [(lambda: [self._data.Iallgather(said, heard)], compare)] if self._checked else []
        return self._issue(record, post, target.after, hold=(source, target, said, heard), before=first)

    def barrier(self, record: Record) -> Pending:
        return self.agree(record)

    def agree(self, record: Record) -> Pending:
        return self._issue(record, lambda: [] if self._checked else [self._data.Ibarrier()], None)

    # Messages

    def send(self, record: Record, data: Array, peer: int, tag: int) -> Pending:
        row = for_moving(data, reads=True, writes=False)
        stage: tuple[Post, Then | None] = (lambda: [self._data.Isend(part, peer, tag) for part in self._parts(row.array)], None)
        return self._start(record, [stage], awaited=[peer], hold=(row,))

    def recv(self, record: Record, buffer: Array, peer: int | None, tag: int) -> Pending:
        row = for_moving(buffer, reads=False, writes=True)
        source = self.world.mpi.ANY_SOURCE if peer is None else peer
        receipt = _Receipt(self.world.mpi, row.array.nbytes, self.members)

        def post() -> list[Any]:
            return [receipt.expect(self._data.Irecv(part, source, tag)) for part in self._parts(row.array)]

        def then() -> None:
            operation.source = receipt.check()
            if row.after is not None:
                row.after()

        others = [rank for rank in range(self.size) if rank != self.rank] if peer is None else [peer]
        operation = self._start(record, [(post, then)], awaited=others, hold=(row, buffer), any_will_do=peer is None)
        return operation

    # Groups

    def subgroup(self, name: str, ranks: Sequence[int]) -> "MpiBackend":
        mpi = self.world.mpi
        chosen = self._data.Get_group().Incl(list(ranks))
        with self.world.lock:
            data = self._data.Create_group(chosen, tag=zlib.crc32(name.encode()) % 32768)
            check = data.Dup()
        chosen.Free()
        data.Set_errhandler(mpi.ERRORS_RETURN)
        members = [self.members[rank] for rank in ranks]
        return MpiBackend(self.world, name, list(ranks).index(self.rank), members, data, check)

    def close(self) -> None:
        with self.world.lock:
            clean = self.broken is None and not self._queue and not self.world.mpi.Is_finalized()
            for communicator in (self._data, self._check) if clean else ():
                if communicator != self.world.mpi.COMM_NULL:
                    communicator.Free()
        self.broken = self.broken or "it was destroyed"

    def progress(self) -> None:
        self.world.progress()

    # Issuing

    def _issue(
        self, record: Record, post: Post, then: Then | None, hold: tuple[Any, ...] = (), before: Sequence[tuple[Post, Then | None]] = ()
    ) -> Pending:
        """Start a collective: fingerprints, what comes `before`, then the data."""
        stages = [*before, (post, then)]
        if self._checked:
            sent = self._fingerprint(record)
            seen = np.empty(2, np.int64)
            mpi = self.world.mpi
            stages.insert(0, (lambda: [self._check.Iallreduce(sent, seen, mpi.MAX)], lambda: self._compare(record, seen)))
        awaited = [rank for rank in range(self.size) if rank != self.rank]
        return self._start(record, stages, awaited, hold=hold, queued=True)

    def _start(
        self,
        record: Record,
        stages: list[tuple[Post, Then | None]],
        awaited: Sequence[int],
        hold: tuple[Any, ...] = (),
        any_will_do: bool = False,
        queued: bool = False,
    ) -> MpiOperation:
        self.world.check_thread()
        if self.broken is not None:
            raise DistBackendError(f"the group cannot be used any more: {self.broken}")
        with self.world.lock:
            try:
                operation = MpiOperation(self, record, stages, awaited, hold, any_will_do)
            except self.world.mpi.Exception as error:
                raise DistBackendError(f"MPI failed: {error}") from error
            self.world.remember(operation)
            if queued and (self._queue or not operation.posted):
                self._queue.append(operation)
        return operation

    def push_queue(self) -> None:
        """Post the data of the operations whose fingerprints agree, in the order in which they were issued."""
        queue = self._queue
        while queue and queue[0].push():
            queue.popleft()

    # Comparing

    def _fingerprint(self, record: Record) -> np.ndarray:
        """(h, -h): the maximum over all ranks of both gives (h, -h) again only if every rank has the same h."""
        signature = record.signature
        code = self._fingerprints.get(signature)
        if code is None:
            if len(self._fingerprints) >= _REMEMBERED:
                self._fingerprints.clear()
            words = f"{record.collective}|{record.op}|{record.dtype}|{record.shape}|{record.root}|{record.extra}"
            code = self._fingerprints[signature] = zlib.crc32(words.encode()) << 24
        value = code ^ (record.sequence & 0xFFFFFF)
        return np.array((value, -value), np.int64)

    def _compare(self, record: Record, seen: np.ndarray) -> None:
        high, low = seen.tolist()
        if high != -low:
            raise CollectiveMismatchError(describe_mismatch(self._hear_all(record)))

    def _hear_all(self, record: Record) -> dict[int, str]:
        """What every rank called, by global rank. All ranks have seen that the fingerprints differ, so all of them send."""
        own = call_in_words(record)
        sent = np.frombuffer(own.encode()[:_WORDS].ljust(_WORDS), np.uint8).copy()
        heard = {rank: np.zeros(_WORDS, np.uint8) for rank in range(self.size) if rank != self.rank}
        tag = record.sequence % 32768
        receives = {rank: self._check.Irecv(row, rank, tag) for rank, row in heard.items()}
        sends = [self._check.Isend(sent, rank, tag) for rank in heard]
        deadline = time.monotonic() + _CONFESSION_S
        while time.monotonic() < deadline and not all(request.Test() for request in [*receives.values(), *sends]):
            time.sleep(0.0005)
        self.world.abandon([*receives.values(), *sends], (sent, heard))
        said = {self.members[rank]: bytes(row).decode(errors="replace").strip("\0 ") or "something else" for rank, row in heard.items()}
        return dict(sorted({**said, self.members[self.rank]: own}.items()))

    # Waiting

    def tell_waiting(self, record: Record) -> None:
        """Let the others know that this rank has come to a collective, so that a timeout names only those that have not."""
        others = [member for rank, member in enumerate(self.members) if rank != self.rank]
        self.world.tell_waiting(others, self._group_key, record.sequence)

    def first_to_leave(self, operation: MpiOperation) -> RankFailedError | None:
        """The error for an operation that waits for a rank which has left, or None."""
        self.world.read_news()
        gone = [error for rank in operation.awaited if (error := self.world.obituary(self.members[rank])) is not None]
        return gone[0] if gone and (not operation.any_will_do or len(gone) == len(operation.awaited)) else None

    def without_a_sign(self, operation: MpiOperation) -> str:
        """Which ranks have not said that they wait for the same collective, in words."""
        if operation.record.collective in ("send", "recv"):
            peers = ", ".join(str(self.members[rank]) for rank in operation.awaited)
            return f"rank {peers} has not {'received' if operation.record.collective == 'send' else 'sent'} it"
        self.world.read_news()
        silent = [
            self.members[rank]
            for rank in operation.awaited
            if self.world.waits_for(self.members[rank], self._group_key) < operation.record.sequence
        ]
        if not silent:
            return "all ranks had arrived, but the data did not get through"
        return f"no sign of rank{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}"

    # Counts

    def _parts(self, row: Array) -> list[Array]:
        """The row in pieces that one MPI call can take each."""
        if self.max_count is None or row.size <= self.max_count:
            return [row]
        return [row[start : start + self.max_count] for start in range(0, row.size, self.max_count)]

    def _fits(self, collective: str, count: int) -> None:
        if self.max_count is not None and count > self.max_count:
            raise DistBackendError(
                f"{collective} of {count} elements per rank, but this MPI library (version {self.world.mpi.Get_version()}) moves at most "
                f"{self.max_count} in one call; send it in pieces, or use a library with MPI 4"
            )

    def _cut(self, row: Array, counts: Sequence[int]) -> list[Any]:
        """A row with a part for each rank, as mpi4py's vector calls take it."""
        return [row, (list(counts), displacements(counts)), _mpi_library.datatype(row.dtype)]


class _Receipt:
    """What has to be checked of a receive: who sent, and how much."""

    def __init__(self, mpi: Any, expected_bytes: int, members: Sequence[int]) -> None:
        self._mpi, self._expected, self._members = mpi, expected_bytes, members
        self._statuses: list[Any] = []

    def expect(self, request: Any) -> "_WatchedRequest":
        """The request, keeping its status when it completes."""
        status = self._mpi.Status()
        self._statuses.append(status)
        return _WatchedRequest(self._mpi, request, status)

    def check(self) -> int:
        """The sender's rank in the group.  CollectiveMismatchError if it sent less than there is room for."""
        source = int(self._statuses[0].Get_source())
        received = sum(int(status.Get_count(self._mpi.BYTE)) for status in self._statuses)
        if received != self._expected:
            raise CollectiveMismatchError(
                f"rank {self._members[source]} sent {received} bytes, but the receiver's tensor has {self._expected}; "
                f"send and receive tensors alike"
            )
        return source


class _WatchedRequest:
    """A receive request whose status is kept, and whose overflow is told in our words."""

    __slots__ = ("_mpi", "_request", "_status")

    def __init__(self, mpi: Any, request: Any, status: Any) -> None:
        self._mpi, self._request, self._status = mpi, request, status

    def Test(self) -> bool:  # noqa: N802 - mpi4py's name
        """Whether it has completed.  CollectiveMismatchError if the message was too long for its row."""
        try:
            return bool(self._request.Test(self._status))
        except self._mpi.Exception as error:
            if error.Get_error_class() == self._mpi.ERR_TRUNCATE:
                raise CollectiveMismatchError(
                    "the sender sent more than the receiver's tensor holds; send and receive tensors alike"
                ) from error
            raise


def _apart(data: Array, output: Array) -> Array:
    """The data, copied if it shares memory with the output: MPI forbids buffers that overlap."""
    overlaps = np.may_share_memory(data, output) if isinstance(data, np.ndarray) else _gpu_overlap(data, output)
    return data.copy() if overlaps else data


def _gpu_overlap(one: Array, other: Array) -> bool:
    start, there = one.data.ptr, other.data.ptr
    return bool(start < there + other.nbytes and there < start + one.nbytes)


def connect(world: MpiWorld, group: str, timeout_s: float) -> MpiBackend:
    """The backend of the group of all ranks; every rank calls it."""
    everyone = world.mpi.COMM_WORLD
    data = world.duplicate(everyone, timeout_s, "init_process_group")
    check = world.duplicate(everyone, timeout_s, "init_process_group")
    return MpiBackend(world, group, world.rank, range(world.size), data, check)
