"""Communication hooks: what DistributedDataParallel does with a full bucket instead of averaging it with one all-reduce.

A hook is called as hook(state, bucket) when a bucket is full, in the same order on every rank. It returns a future whose value is the
bucket's new content: anything with wait(), such as Work.get_future().then(...). Hooks see sums, not averages: they divide themselves.

The hooks here take the process group as state; None means the group of all ranks.
"""

from collections.abc import Callable
from typing import Any

import ringgrad
from ringgrad import Tensor
from ringgrad._core import hooks

from ._state import resolve
from .buckets import Bucket, pieces

Future = Any  # whatever has wait() and value()
CommHook = Callable[[Any, "GradBucket"], Future]


class GradBucket:
    """A full bucket as a communication hook sees it."""

    def __init__(self, bucket: Bucket, parameters: list[Tensor], is_last: bool) -> None:
        self._bucket, self._parameters, self._is_last = bucket, parameters, is_last
        self._buffer = bucket.flat

    def index(self) -> int:
        """Its number: buckets are launched in this order."""
        return self._bucket.index

    def buffer(self) -> Tensor:
        """(n,) all gradients of the bucket, one behind the other."""
        return self._buffer

    def set_buffer(self, buffer: Tensor) -> None:
        """Put another tensor of the same size in the buffer's place."""
        if buffer.numel() != self._bucket.size:
            raise ValueError(f"the buffer of {self._bucket} has {self._bucket.size} elements, but the new one has {buffer.numel()}")
        self._buffer = buffer

    def gradients(self) -> list[Tensor]:
        """One tensor per parameter, in its shape, on the buffer's memory."""
        return pieces(self._buffer, [view.shape for view in self._bucket.views])

    def parameters(self) -> list[Tensor]:
        """The parameters, in the same order."""
        return self._parameters

    def is_last(self) -> bool:
        """Whether it is the last bucket of the pass."""
        return self._is_last


class DoneFuture:
    """A future that is done: for hooks that do not communicate, or did so synchronously."""

    def __init__(self, value: Any = None) -> None:
        self._value = value

    def set_result(self, value: Any) -> None:
        """Give the future its value."""
        self._value = value

    def done(self) -> bool:
        """Always True."""
        return True

    def wait(self) -> Any:
        """The value."""
        return self._value

    value = wait

    def then(self, callback: Callable[["DoneFuture"], Any]) -> "DoneFuture":
        """A future on what `callback(this future)` returns."""
        return DoneFuture(callback(self))


def allreduce_hook(process_group: Any, bucket: GradBucket) -> Future:
    """The average over all ranks, as without a hook."""
    return _average(process_group, bucket.buffer())


def fp16_compress_hook(process_group: Any, bucket: GradBucket) -> Future:
    """The average, sent in float16: half the bytes of float32.  Divides first, so that the sum does not overflow."""
    return _compressed(ringgrad.float16, process_group, bucket)


def bf16_compress_hook(process_group: Any, bucket: GradBucket) -> Future:
    """The average, sent in bfloat16: half the bytes of float32, with its range."""
    return _compressed(ringgrad.bfloat16, process_group, bucket)


def fp16_compress_wrapper(hook: CommHook) -> CommHook:
    """A hook that lets `hook` work on a float16 copy of the bucket."""
    return _wrapper(ringgrad.float16, hook)


def bf16_compress_wrapper(hook: CommHook) -> CommHook:
    """A hook that lets `hook` work on a bfloat16 copy of the bucket."""
    return _wrapper(ringgrad.bfloat16, hook)


def noop_hook(_: Any, bucket: GradBucket) -> Future:
    """No communication: every rank keeps its own gradients.  Shows how fast training would be if communication were free."""
    return DoneFuture(bucket.buffer())


def take_result(value: Any, bucket: Bucket, hook: CommHook) -> None:
    """Put what a hook's future holds into its bucket.  RuntimeError if that is not one tensor of the bucket's size."""
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if not isinstance(value, Tensor) or value.numel() != bucket.size:
        got = f"one of {value.numel()} elements" if isinstance(value, Tensor) else f"{type(value).__name__}"
        raise RuntimeError(
            f"communication hook {getattr(hook, '__qualname__', hook)}: the future it returns must hold one tensor of the bucket's "
            f"{bucket.size} elements, but holds {got}"
        )
    if value is not bucket.flat:
        bucket.row[: bucket.size] = hooks.array(value).reshape(-1)


def _average(process_group: Any, tensor: Tensor) -> Future:
    group = resolve(process_group)
    if group is None:
        raise ValueError("a communication hook's process group must contain this rank")
    tensor.div_(group.size())
    work: Any = group.all_reduce(tensor, async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def _compressed(dtype: Any, process_group: Any, bucket: GradBucket) -> Future:
    buffer = bucket.buffer()
    return _average(process_group, buffer.to(dtype)).then(lambda future: buffer.copy_(future.value()))


def _wrapper(dtype: Any, hook: CommHook) -> CommHook:
    def wrapped(state: Any, bucket: GradBucket) -> Future:
        buffer = bucket.buffer()
        bucket.set_buffer(buffer.to(dtype))
        return hook(state, bucket).then(lambda future: buffer.copy_(future.value()))

    return wrapped
