"""NCCL: GPU rows moved by NVIDIA's library, on a stream of its own.

- A collective waits for what the current stream has been given so far (event), runs on the group's own stream, and Work.wait() makes the
  current stream wait for it (event): the host is not held up, and communication overlaps with computing.
- The communicator is made at the first collective, on the GPU of its tensors; its identity travels over MPI or the store (Bootstrap).
- Before each collective the ranks compare a fingerprint of it: two integers, all-reduced on the same stream just before the data. The host
  reads the outcome when it is there and stops the group if they differ (RINGGRAD_CHECK_COLLECTIVES=0 on all ranks leaves it out).
- A watchdog thread looks at outstanding operations, at NCCL's asynchronous errors and at the time limit; it aborts the communicator, so
  that streams do not hang, and the next call on the group raises what happened (_nccl_watchdog.py). RINGGRAD_NCCL_BLOCKING_WAIT=1
  makes every wait() hold the host instead, so that errors strike where they happen: for debugging.
- In a CUDA graph's capture the same events bring the group's stream into the graph and back, and the collective is part of every replay.
  The host cannot look at it there: no fingerprint, no watchdog, no waiting. The communicator must be there before, from a warm-up.

int16, which NCCL does not know, is reduced in int32; booleans as bytes; complex numbers as pairs. NCCL has no bitwise operations on
integers, no receive from any source, and ignores tags.
"""

import os
import socket
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ringgrad._core import hooks

from ..errors import CollectiveMismatchError, DistBackendError, DistTimeoutError
from ..flight_recorder import Record
from ..reduce_op import ReduceOp
from . import _nccl_bindings
from ._base import Array, Backend, Pending, displacements
from ._bootstrap import Bootstrap
from ._mismatch import call_in_words, describe_mismatch, split_mismatch
from ._nccl_bindings._interface import DATATYPES, MAX, SUM, NcclBinding, NcclCommunicator
from ._nccl_operation import Fingerprint, Finish, NcclPending
from ._nccl_rows import for_reducing
from ._nccl_watchdog import Watchdog

_BYTE = DATATYPES["uint8"]
_CONFESSION_S = 10.0  # how long to wait for what the other ranks called, once the fingerprints differ

Launch = Callable[[NcclCommunicator, int], None]


def is_usable() -> bool:
    """Whether CuPy and the chosen NCCL binding are installed; whether there is a GPU shows when the first group is made."""
    return _nccl_bindings.is_installed()


def _load_cupy() -> Any:
    """CuPy, on a machine with a GPU.  RuntimeError, with the way out, without."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            f"the nccl backend needs CuPy, which is not installed ({error}); pip install 'ringgrad[cuda13]' or 'ringgrad[cuda12]'"
        ) from None
    if not cupy.cuda.is_available():
        raise RuntimeError(
            "the nccl backend needs an NVIDIA GPU, and CuPy finds none on this machine; use backend='mpi' (or 'gloo') for the CPU"
        )
    return cupy


class NcclBackend(Backend):
    """One rank's end of a group over NCCL."""

    name = "nccl"

    def __init__(self, bootstrap: Bootstrap, group: str, rank: int, members: Sequence[int], timeout_s: float) -> None:
        super().__init__(rank, members)
        self.cupy = _load_cupy()
        self._binding: NcclBinding = _nccl_bindings.load()
        self._bootstrap, self._group, self.timeout_s = bootstrap, group, timeout_s
        self._communicator: NcclCommunicator | None = None
        self._stream: Any = None
        self._device = -1
        self._lock = threading.RLock()
        self._in_batch = False
        self._captured_batch: list[NcclPending] = []
        self._checked = os.environ.get("RINGGRAD_CHECK_COLLECTIVES", "1") != "0"
        self.always_blocks = os.environ.get("RINGGRAD_NCCL_BLOCKING_WAIT", "0") == "1"
        self._fill = self.cupy.ElementwiseKernel("int64 value", "int64 pair", "pair = i == 0 ? value : -value", "ringgrad_fingerprint")
        self.broken: DistBackendError | None = None
        self._watchdog = Watchdog.of_this_process()

    # Collectives

    def all_reduce(self, record: Record, buffer: Array, op: ReduceOp) -> Pending:
        row, datatype, code, settle = for_reducing("all_reduce", buffer, op, self.size, self._binding)

        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.all_reduce(row.data.ptr, row.data.ptr, row.size, datatype, code, stream)
            settle(row, buffer)

        return self._launch(record, buffer, launch, hold=(buffer, row))

    def reduce(self, record: Record, buffer: Array, op: ReduceOp, root: int) -> Pending:
        row, datatype, code, settle = for_reducing("reduce", buffer, op, self.size, self._binding)

        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.reduce(row.data.ptr, row.data.ptr, row.size, datatype, code, root, stream)
            if self.rank == root:
                settle(row, buffer)

        return self._launch(record, buffer, launch, hold=(buffer, row))

    def reduce_scatter(self, record: Record, output: Array, data: Array, op: ReduceOp, counts: Sequence[int]) -> Pending:
        row, datatype, code, settle = for_reducing("reduce_scatter", data, op, self.size, self._binding)
        part = output.view(row.dtype) if row.dtype.itemsize <= output.dtype.itemsize else self.cupy.empty(output.size, row.dtype)
        per_element = row.size // data.size if data.size else 1

        def launch(comm: NcclCommunicator, stream: int) -> None:
            if len(set(counts)) == 1:
                comm.reduce_scatter(row.data.ptr, part.data.ptr, part.size, datatype, code, stream)
            else:
                self._reduce_to_each(comm, row, part, [count * per_element for count in counts], datatype, code, stream)
            settle(part, output)

        return self._launch(record, output, launch, hold=(output, data, row, part))

    def _reduce_to_each(
        self, comm: NcclCommunicator, row: Array, part: Array, counts: Sequence[int], datatype: int, code: int, stream: int
    ) -> None:
        """Parts of different sizes: one reduce per rank, launched together."""
        self._binding.group_start()
        for root, (start, count) in enumerate(zip(displacements(counts), counts, strict=True)):
            target = part.data.ptr if root == self.rank else row.data.ptr
            comm.reduce(row.data.ptr + start * row.itemsize, target, count, datatype, code, root, stream)
        self._binding.group_end()

    def broadcast(self, record: Record, buffer: Array, root: int) -> Pending:
        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.broadcast(buffer.data.ptr, buffer.data.ptr, buffer.nbytes, _BYTE, root, stream)

        return self._launch(record, buffer, launch, hold=(buffer,))

    def all_gather(self, record: Record, output: Array, data: Array, counts: Sequence[int]) -> Pending:
        def launch(comm: NcclCommunicator, stream: int) -> None:
            if len(set(counts)) == 1:
                comm.all_gather(data.data.ptr, output.data.ptr, data.nbytes, _BYTE, stream)
                return
            self._binding.group_start()
            for root, (start, count) in enumerate(zip(displacements(counts), counts, strict=True)):
                place = output.data.ptr + start * output.itemsize
                comm.broadcast(data.data.ptr if root == self.rank else place, place, count * output.itemsize, _BYTE, root, stream)
            self._binding.group_end()

        return self._launch(record, data, launch, hold=(output, data))

    def gather(self, record: Record, output: Array | None, data: Array, root: int) -> Pending:
        sizes = [data.nbytes if rank == root else 0 for rank in range(self.size)]
        return self._exchange(record, output, data, [data.nbytes] * self.size if self.rank == root else [0] * self.size, sizes)

    def scatter(self, record: Record, output: Array, data: Array | None, root: int) -> Pending:
        receives = [output.nbytes if rank == root else 0 for rank in range(self.size)]
        sends = [output.nbytes] * self.size if self.rank == root else [0] * self.size
        return self._exchange(record, output, data, receives, sends)

    def all_to_all(self, record: Record, output: Array, data: Array, output_counts: Sequence[int], counts: Sequence[int]) -> Pending:
        if self._checked and not self._capturing():
            self._compare_splits(record, output_counts, counts)
        item = data.itemsize
        return self._exchange(record, output, data, [count * item for count in output_counts], [count * item for count in counts])

    def _exchange(
        self,
        record: Record,
        output: Array | None,
        data: Array | None,
        receives: Sequence[int],
        sends: Sequence[int],
    ) -> Pending:
        """Everybody sends sends[i] bytes to rank i and receives receives[i] from it, all at once."""
        anything = data if data is not None else output

        def launch(comm: NcclCommunicator, stream: int) -> None:
            self._binding.group_start()
            for peer, (start, size) in enumerate(zip(displacements(sends), sends, strict=True)):
                if size and data is not None:
                    comm.send(data.data.ptr + start, size, _BYTE, peer, stream)
            for peer, (start, size) in enumerate(zip(displacements(receives), receives, strict=True)):
                if size and output is not None:
                    comm.recv(output.data.ptr + start, size, _BYTE, peer, stream)
            self._binding.group_end()

        return self._launch(record, anything, launch, hold=(output, data))

    def _compare_splits(self, record: Record, output_counts: Sequence[int], counts: Sequence[int]) -> None:
        said = self.cupy.array([*counts, *output_counts], np.int64)
        heard = self.cupy.empty((self.size, 2, self.size), np.int64)

        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.all_gather(said.data.ptr, heard.data.ptr, said.nbytes, _BYTE, stream)

        self._launch(record, said, launch, hold=(said, heard)).wait(self.timeout_s, block_host=True)
        table = heard.get()
        wrong = split_mismatch(table[:, 0].tolist(), table[:, 1].tolist(), self.members)
        if wrong is not None:
            raise CollectiveMismatchError(wrong)

    # Messages

    def send(self, record: Record, data: Array, peer: int, tag: int) -> Pending:
        return self._launch(
            record, data, lambda comm, stream: comm.send(data.data.ptr, data.nbytes, _BYTE, peer, stream), hold=(data,), message=True
        )

    def recv(self, record: Record, buffer: Array, peer: int | None, tag: int) -> Pending:
        if peer is None:
            raise DistBackendError("NCCL cannot receive from any source; name the source rank, or use an mpi group for such messages")

        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.recv(buffer.data.ptr, buffer.nbytes, _BYTE, peer, stream)

        pending = self._launch(record, buffer, launch, hold=(buffer,), message=True)
        pending.source = peer
        return pending

    def start_messages(self) -> None:
        with self._lock:
            self._connected(self.cupy.cuda.Device().id)  # a communicator cannot be made within a group of calls
        self._in_batch = True
        self._binding.group_start()

    def end_messages(self) -> None:
        self._binding.group_end()
        self._in_batch = False
        captured, self._captured_batch = self._captured_batch, []
        for pending in (*self._watchdog.of(self), *captured):
            if pending.finished.is_open:
                pending.finished.record(self._stream)

    # Meetings

    def barrier(self, record: Record) -> Pending:
        return self.agree(record)

    def agree(self, record: Record) -> Pending:
        token = self.cupy.zeros(1, np.int32)

        def launch(comm: NcclCommunicator, stream: int) -> None:
            comm.all_reduce(token.data.ptr, token.data.ptr, 1, DATATYPES["int32"], SUM, stream)

        return self._launch(record, token, launch, hold=(token,))

    def subgroup(self, name: str, ranks: Sequence[int]) -> "NcclBackend":
        raise RuntimeError("NCCL groups are made from a Bootstrap of their own, not from another group")

    def close(self) -> None:
        with self._lock:
            comm, self._communicator = self._communicator, None
            self._watchdog.forget(self)
            if comm is not None and self.broken is None:
                self._stream.synchronize()
                comm.destroy()
            self.broken = self.broken or DistBackendError("the group has been destroyed")

    # Launching

    def _launch(self, record: Record, array: Array, launch: Launch, hold: tuple[Any, ...], message: bool = False) -> NcclPending:
        """Run `launch` on the group's stream, after what the current stream has been given so far."""
        if self.broken is not None:
            self.failure_is_told()
            raise DistBackendError(f"the group cannot be used any more: {self.broken}")
        with self._lock, self.cupy.cuda.Device(array.device.id):
            captured = self._capturing()
            if captured and self._communicator is None:
                raise DistBackendError(
                    "the first collective of a group makes its communicator, which cannot be captured in a CUDA graph; run one before"
                )
            comm = self._connected(array.device.id)
            ready = self.cupy.cuda.Event(disable_timing=True)
            ready.record(self.cupy.cuda.get_current_stream())
            self._stream.wait_event(ready)
            agreed = self._compare(comm, record) if self._checked and not message and not captured else None
            with hooks.on_stream(self.cupy.cuda, self._stream):
                launch(comm, self._stream.ptr)
            finished = Finish(self.cupy)
            if not self._in_batch:
                finished.record(self._stream)
            pending = NcclPending(self, record, agreed, finished, hold, captured)
            if captured:
                hooks.keep_while_captured(hold, finished)
                self._captured_batch += [pending] if self._in_batch else []
            else:
                self._watchdog.watch(pending)
        return pending

    def _capturing(self) -> bool:
        """Whether the current stream's work is being captured in a CUDA graph."""
        return bool(self.cupy.cuda.get_current_stream().is_capturing())

    def _compare(self, comm: NcclCommunicator, record: Record) -> Fingerprint:
        import cupyx

        words = f"{record.collective}|{record.op}|{record.dtype}|{record.shape}|{record.root}|{record.extra}|{record.sequence}"
        with hooks.on_stream(self.cupy.cuda, self._stream):
            pair = self.cupy.empty(2, np.int64)
            self._fill(zlib.crc32(words.encode()), pair)
            comm.all_reduce(pair.data.ptr, pair.data.ptr, 2, DATATYPES["int64"], MAX, self._stream.ptr)
            host = cupyx.empty_pinned(2, np.int64)
            pair.get(stream=self._stream, out=host, blocking=False)
        copied = self.cupy.cuda.Event(disable_timing=True)
        copied.record(self._stream)
        return Fingerprint(host, copied)

    def _connected(self, device: int) -> NcclCommunicator:
        """The communicator, made at the first call on the GPU of its tensors."""
        if self._communicator is None:
            self._check_one_gpu_each(device)
            identity = self._bootstrap.share("nccl identity", self._binding.unique_id() if self.rank == 0 else None, self.timeout_s)
            try:
                self._communicator = self._binding.communicator(self.size, identity[:128], self.rank)
            except Exception as error:  # each binding has its own exception
                raise DistBackendError(
                    f"NCCL {self._binding.version()} could not join {self.size} ranks: {error}; NCCL_DEBUG=INFO says more"
                ) from error
            self._stream, self._device = self.cupy.cuda.Stream(non_blocking=True), device
        elif device != self._device:
            raise DistBackendError(
                f"this rank communicates on GPU {self._device}, but the tensor is on GPU {device}; "
                f"call ringgrad.cuda.set_device(LOCAL_RANK) before anything else, and keep to that GPU"
            )
        return self._communicator

    def _check_one_gpu_each(self, device: int) -> None:
        bus = self.cupy.cuda.runtime.deviceGetPCIBusId(device)
        own = f"{socket.gethostname()} {bus}"
        places = self._bootstrap.exchange("gpu", own, self.timeout_s)
        absent = [rank for rank in self.members if rank not in places]
        if absent:
            ranks = f"rank{'s' if len(absent) > 1 else ''} {', '.join(map(str, absent))}"
            raise DistTimeoutError(f"gave up after {self.timeout_s:g} s: {ranks} did not come to the group's first collective")
        if "NCCL_HOSTID" in os.environ or os.environ.get("NCCL_MULTI_RANK_GPU_ENABLE") == "1":
            return
        sharing = [rank for rank, place in places.items() if place == own]
        if len(sharing) > 1:
            raise DistBackendError(
                f"ranks {', '.join(map(str, sharing))} all use GPU {device} ({own}), and NCCL takes one rank per GPU; "
                f"call ringgrad.cuda.set_device(int(os.environ['LOCAL_RANK'])) before the first tensor, and start no more ranks than GPUs"
            )

    # Failing

    def stop_for_mismatch(self, pending: NcclPending) -> None:
        """Stop the group because the ranks called different things, and say what every rank called, as far as it tells in time."""
        with self._lock:
            if self.broken is None:
                own = call_in_words(pending.record)
                said = self._bootstrap.exchange(f"mismatch {pending.record.sequence}", own, _CONFESSION_S)
                self.stop(CollectiveMismatchError(describe_mismatch({**said, self.members[self.rank]: own})))

    def failure_is_told(self) -> None:
        """Some call has raised what went wrong: the end of the program need not."""
        self._watchdog.delivered = True

    def look(self) -> None:
        """Called by the watchdog: find out what has gone wrong, and stop the group."""
        comm = self._communicator
        problem = comm.async_error() if comm is not None and self.broken is None else None
        if problem is not None:
            self.stop(DistBackendError(f"NCCL reports: {problem}; a rank may have died, look for its error first"))

    def stop(self, error: DistBackendError) -> None:
        """Abort the communicator, so that streams which wait for it go on, and let every outstanding operation fail with this error."""
        with self._lock:
            if self.broken is None:
                self.broken = error
                comm, self._communicator = self._communicator, None
                if comm is not None:
                    comm.abort()
            for pending in self._watchdog.of(self):
                pending.error = pending.error or self.broken
