"""ProcessGroup: every collective, with its arguments checked once for all backends.

A group knows its members, gives every collective a sequence number, keeps a record of it, flattens tensors into contiguous rows and
hands these to the backend of the tensors' device. Ranks are ranks *in the group* here; the functions of ringgrad.distributed translate.

Methods take tensors, or bare NumPy and CuPy arrays where code below the autograd level works on flat buffers (DDP's buckets do), and
`label`, a word about the data that errors and the flight recorder repeat (a parameter's name).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._arrays import Finish, array_of, arrays_of, cut_back, device_type, empty_row, flat_input, flat_output, joined, written
from ._checks import check_alike, check_length, check_list, check_multiple, check_peer, check_rank, list_of_root, split_counts
from .backends._base import Array, Backend, Pending
from .errors import DistBackendError
from .flight_recorder import FlightRecorder, Record
from .reduce_op import ReduceOp, check_reduction
from .work import Work, with_context


class ProcessGroup:
    """Some of the job's ranks, in an order, and the collectives among them.

    name: the same on every member.  ranks: the members' global ranks; rank(): this process's place among them.
    backends: device type ('cpu', 'cuda') -> backend.  timeout_s: default time limit of every wait.
    """

    def __init__(
        self, name: str, ranks: Sequence[int], backends: Mapping[str, Backend], timeout_s: float, recorder: FlightRecorder, desc: str = ""
    ) -> None:
        self.group_name, self.group_desc, self.ranks = name, desc or name, tuple(ranks)
        self.timeout_s, self.recorder = timeout_s, recorder
        self._backends = dict(backends)
        self._any = self._backends.get("cpu") or next(iter(self._backends.values()))
        self._rank, self._size, self._global_rank = self._any.rank, self._any.size, self.ranks[self._any.rank]
        self._sequence, self._messages = 0, 0
        self._issue_lock = threading.Lock()
        self._closed = False

    def rank(self) -> int:
        """This process's rank in the group."""
        return self._rank

    def size(self) -> int:
        """How many ranks the group has."""
        return self._size

    def name(self) -> str:
        """The backend's name, or 'cpu:mpi,cuda:nccl' where there are two."""
        names = {each.name for each in self._backends.values()}
        return names.pop() if len(names) == 1 else ",".join(f"{device}:{each.name}" for device, each in sorted(self._backends.items()))

    def moves(self, device: str) -> bool:
        """Whether the group has a backend for tensors on 'cpu' or 'cuda'."""
        return device in self._backends

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.group_name!r}: rank {self._rank} of {self._size}, backend {self.name()}, ranks {list(self.ranks)}>"

    # Reductions

    def all_reduce(self, tensor: Any, op: ReduceOp = ReduceOp.SUM, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """Combine all ranks' tensors elementwise, and put the result into all of them.  Shapes: (*) -> (*), in place."""
        array = array_of(tensor)
        check_reduction("all_reduce", op, array.dtype)
        row, finish = flat_output(array)
        record = self._record("all_reduce", array, op=op, label=label)
        return self._run(record, self._backend(array).all_reduce, (row, op), [tensor], finish, async_op)

    def reduce(
        self, tensor: Any, dst: int, op: ReduceOp = ReduceOp.SUM, async_op: bool = False, *, label: str | None = None
    ) -> Work | None:
        """Combine all ranks' tensors elementwise into that of rank dst; the others keep theirs.  (*) -> (*), in place."""
        array = array_of(tensor)
        check_reduction("reduce", op, array.dtype)
        check_rank("reduce", "dst", dst, self._size)
        row, finish = flat_output(array) if self._rank == dst else (flat_input(array), ())
        record = self._record("reduce", array, op=op, root=dst, label=label)
        return self._run(record, self._backend(array).reduce, (row, op, dst), [tensor] if self._rank == dst else [], finish, async_op)

    def reduce_scatter(
        self, output: Any, input_list: Any, op: ReduceOp = ReduceOp.SUM, async_op: bool = False, *, label: str | None = None
    ) -> Work | None:
        """Combine the ranks' i-th tensors elementwise into rank i's output.  The tensors of a list may differ in size, as long as
        every rank's list has the same sizes."""
        out, parts = array_of(output, "output"), arrays_of(input_list, "input_list")
        check_reduction("reduce_scatter", op, out.dtype)
        check_list("reduce_scatter", "input_list", parts, out, self._size, places=[self._rank])
        return self._reduce_scatter("reduce_scatter", output, out, joined(parts), [part.size for part in parts], op, async_op, label)

    def reduce_scatter_tensor(
        self, output: Any, input: Any, op: ReduceOp = ReduceOp.SUM, async_op: bool = False, *, label: str | None = None
    ) -> Work | None:
        """Combine all ranks' inputs elementwise and cut the result into equal parts, one per rank.

        input (n * size, *) -> output (n, *).
        """
        out, whole = array_of(output, "output"), array_of(input, "input")
        check_reduction("reduce_scatter_tensor", op, out.dtype)
        check_alike("reduce_scatter_tensor", [out, whole])
        check_multiple("reduce_scatter_tensor", "input", whole, "output", out, self._size)
        return self._reduce_scatter("reduce_scatter_tensor", output, out, flat_input(whole), [out.size] * self._size, op, async_op, label)

    def _reduce_scatter(
        self, collective: str, output: Any, out: Array, row: Array, counts: list[int], op: ReduceOp, async_op: bool, label: str | None
    ) -> Work | None:
        out_row, finish = flat_output(out)
        record = self._sized_record(collective, out, counts, op=op, label=label)
        return self._run(record, self._backend(out).reduce_scatter, (out_row, row, op, counts), [output], finish, async_op)

    # Copies

    def broadcast(self, tensor: Any, src: int, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """Copy rank src's tensor into everybody's.  (*) -> (*), in place."""
        array = array_of(tensor)
        check_rank("broadcast", "src", src, self._size)
        row, finish = flat_output(array)
        record = self._record("broadcast", array, root=src, label=label)
        return self._run(record, self._backend(array).broadcast, (row, src), [tensor], finish if self._rank != src else (), async_op)

    def all_gather(self, tensor_list: Any, tensor: Any, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """tensor_list[i] <- rank i's tensor, on every rank.  Tensors may differ in size from rank to rank if every list says so."""
        data, outputs = array_of(tensor), arrays_of(tensor_list, "tensor_list")
        check_list("all_gather", "tensor_list", outputs, data, self._size, places=[self._rank])
        counts = [output.size for output in outputs]
        row = empty_row(data, sum(counts))
        record = self._sized_record("all_gather", data, counts, label=label)
        start = self._backend(data).all_gather
        return self._run(record, start, (row, flat_input(data), counts), list(tensor_list), (cut_back(row, outputs),), async_op)

    def all_gather_into_tensor(
        self, output_tensor: Any, input_tensor: Any, async_op: bool = False, *, label: str | None = None
    ) -> Work | None:
        """One tensor with all ranks' inputs one behind the other.  input (n, *) -> output (n * size, *) or (size, n, *)."""
        out, data = array_of(output_tensor, "output_tensor"), array_of(input_tensor, "input_tensor")
        check_alike("all_gather_into_tensor", [out, data])
        check_multiple("all_gather_into_tensor", "output_tensor", out, "input_tensor", data, self._size)
        row, finish = flat_output(out)
        record = self._record("all_gather_into_tensor", data, label=label)
        start = self._backend(data).all_gather
        return self._run(record, start, (row, flat_input(data), [data.size] * self._size), [output_tensor], finish, async_op)

    def gather(self, tensor: Any, gather_list: Any, dst: int, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """gather_list[i] of rank dst <- rank i's tensor; gather_list is None elsewhere.  All tensors have one shape."""
        data = array_of(tensor)
        check_rank("gather", "dst", dst, self._size)
        outputs = list_of_root("gather", "gather_list", "destination", gather_list, data, self._size, self._rank == dst)
        row = empty_row(data, data.size * self._size) if outputs else None
        record = self._record("gather", data, root=dst, label=label)
        finish = (cut_back(row, outputs),) if outputs else ()
        return self._run(record, self._backend(data).gather, (row, flat_input(data), dst), list(gather_list or ()), finish, async_op)

    def scatter(self, tensor: Any, scatter_list: Any, src: int, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """Rank i's tensor <- scatter_list[i] of rank src; scatter_list is None elsewhere.  All tensors have one shape."""
        out = array_of(tensor)
        check_rank("scatter", "src", src, self._size)
        parts = list_of_root("scatter", "scatter_list", "source", scatter_list, out, self._size, self._rank == src)
        row, finish = flat_output(out)
        record = self._record("scatter", out, root=src, label=label)
        return self._run(record, self._backend(out).scatter, (row, joined(parts) if parts else None, src), [tensor], finish, async_op)

    def all_to_all(
        self, output_tensor_list: Any, input_tensor_list: Any, async_op: bool = False, *, label: str | None = None
    ) -> Work | None:
        """Rank i's output_tensor_list[j] <- rank j's input_tensor_list[i]."""
        outputs, parts = arrays_of(output_tensor_list, "output_tensor_list"), arrays_of(input_tensor_list, "input_tensor_list")
        for name, arrays in (("output_tensor_list", outputs), ("input_tensor_list", parts)):
            check_length("all_to_all", name, arrays, self._size)
        check_alike("all_to_all", [*outputs, *parts])
        counts = [output.size for output in outputs]
        row = empty_row(parts[0], sum(counts))
        record = self._record("all_to_all", parts[0], shape=(), label=label)
        arguments = (row, joined(parts), counts, [part.size for part in parts])
        return self._run(record, self._backend(row).all_to_all, arguments, list(output_tensor_list), (cut_back(row, outputs),), async_op)

    def all_to_all_single(
        self,
        output: Any,
        input: Any,
        output_split_sizes: Sequence[int] | None = None,
        input_split_sizes: Sequence[int] | None = None,
        async_op: bool = False,
        *,
        label: str | None = None,
    ) -> Work | None:
        """Cut the input along dimension 0, send part i to rank i, and put what comes from rank j into part j of the output.

        The split sizes count rows of dimension 0, one per rank; None cuts into equal parts.
        """
        out, data = array_of(output, "output"), array_of(input, "input")
        check_alike("all_to_all_single", [out, data])
        out_counts = split_counts("output", out, output_split_sizes, self._size)
        counts = split_counts("input", data, input_split_sizes, self._size)
        row, finish = flat_output(out)
        record = self._record("all_to_all_single", data, shape=(), label=label)
        return self._run(record, self._backend(data).all_to_all, (row, flat_input(data), out_counts, counts), [output], finish, async_op)

    # Messages

    def send(self, tensor: Any, dst: int, tag: int = 0, async_op: bool = False, *, label: str | None = None) -> Work | None:
        """Send a tensor to one rank, which receives it with the same tag.  May return before it has arrived."""
        array = array_of(tensor)
        check_peer("destination", dst, tag, self._rank, self._size)
        record = self._record("send", array, root=dst, label=label, message=True)
        return self._run(record, self._backend(array).send, (flat_input(array), dst, tag), [], (), async_op)

    def recv(self, tensor: Any, src: int | None = None, tag: int = 0, async_op: bool = False, *, label: str | None = None) -> Work:
        """Receive a tensor from one rank, or from whichever sends first (src None).  The Work's source_rank() says who it was."""
        array = array_of(tensor)
        check_peer("source", src, tag, self._rank, self._size)
        row, finish = flat_output(array)
        record = self._record("recv", array, root=-1 if src is None else src, label=label, message=True)
        work = self._run(record, self._backend(array).recv, (row, src, tag), [tensor], finish, async_op=True)
        assert work is not None, "an asynchronous operation has a Work"
        if not async_op:
            work.wait()
        return work

    def start_messages(self) -> None:
        """The sends and receives up to end_messages belong together and may be completed in any order."""
        for backend in self._backends.values():
            backend.start_messages()

    def end_messages(self) -> None:
        """See start_messages."""
        for backend in self._backends.values():
            backend.end_messages()

    # Meetings

    def barrier(self, async_op: bool = False, timeout_s: float | None = None) -> Work | None:
        """Return once every rank has called it."""
        record = self._record("barrier", None)
        return self._run(record, self._any.barrier, (), [], (), async_op, timeout_s)

    def agree(self, what: str, numbers: Sequence[int], label: str | None = None) -> None:
        """Return once every rank has called this with the same arguments; CollectiveMismatchError if they differ."""
        self._run(self._record(what, None, extra=tuple(numbers), label=label), self._any.agree, (), [], (), async_op=False)

    def progress(self) -> None:
        """Push outstanding asynchronous collectives along; cheap, and nothing to do where the library progresses by itself."""
        for backend in self._backends.values():
            backend.progress()

    def close(self) -> None:
        """Give back what the backends hold; the group cannot be used afterwards."""
        self._closed = True
        for backend in self._backends.values():
            backend.close()

    # Inside

    def _record(
        self,
        collective: str,
        array: Array | None,
        op: ReduceOp | None = None,
        root: int | None = None,
        shape: tuple[int, ...] | None = None,
        extra: tuple[int, ...] | None = None,
        label: str | None = None,
        message: bool = False,
    ) -> Record:
        dtype, own_shape = (None, ()) if array is None else (array.dtype, array.shape)
        return Record(
            self.group_name, -1 if message else 0, collective, op, dtype, own_shape if shape is None else shape, root, extra, label
        )

    def _sized_record(
        self, collective: str, array: Array, counts: list[int], op: ReduceOp | None = None, label: str | None = None
    ) -> Record:
        """Of a collective in which ranks may hold parts of different sizes: then the sizes are what they must agree on, not the shape."""
        if len(set(counts)) > 1:
            return self._record(collective, array, op=op, shape=(), extra=tuple(counts), label=label)
        return self._record(collective, array, op=op, label=label)

    def _run(
        self,
        record: Record,
        start: Callable[..., Pending],
        arguments: tuple[Any, ...],
        outputs: Sequence[Any],
        finish: tuple[Finish, ...],
        async_op: bool,
        timeout_s: float | None = None,
    ) -> Work | None:
        """Number the operation, start it, and wait for it unless it is asynchronous."""
        if self._closed:
            raise ValueError(f"process group {self.group_name!r} has been destroyed; make a new one with init_process_group or new_group")
        self.recorder.add(record)
        with self._issue_lock:  # a sequence number and its place in the backend's order belong together
            record.sequence = self._next_number(record.sequence < 0)
            try:
                pending = start(record, *arguments)
            except DistBackendError as error:
                record.finish("failed")
                raise with_context(error, record, self.recorder, self._global_rank) from error
        written(outputs)
        work = Work(pending, record, self.recorder, self._global_rank, self.timeout_s if timeout_s is None else timeout_s, finish, outputs)
        if async_op:
            return work
        work.wait()
        return None

    def _next_number(self, is_message: bool) -> int:
        if is_message:
            self._messages += 1
            return self._messages
        self._sequence += 1
        return self._sequence

    def _backend(self, array: Array) -> Backend:
        device = device_type(array)
        if device not in self._backends:
            raise RuntimeError(
                f"No backend type associated with device type {device}: group {self.group_name!r} has {self.name()} for "
                f"{', '.join(sorted(self._backends))} tensors; move the tensor, or initialise with backend='cpu:mpi,cuda:nccl'"
            )
        return self._backends[device]
