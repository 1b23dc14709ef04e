"""Work: the handle of a collective that has been started."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from ._timeouts import seconds
from .backends._base import Pending
from .errors import DistBackendError, DistTimeoutError, RankFailedError
from .flight_recorder import FlightRecorder, Record


class Work:
    """What `async_op=True` returns: wait(), is_completed(), result().

    The tensors of the collective must be left alone until wait() has returned, or is_completed() has said True. After a GPU collective
    wait() makes the current stream wait and returns at once, as in torch; CPU collectives block.
    """

    __slots__ = ("_error", "_finish", "_outputs", "_pending", "_rank", "_record", "_recorder", "_timeout_s")

    def __init__(
        self,
        pending: Pending,
        record: Record,
        recorder: FlightRecorder,
        rank: int,
        timeout_s: float,
        finish: Sequence[Callable[[], None]] = (),
        outputs: Sequence[Any] = (),
    ) -> None:
        self._pending, self._record, self._recorder, self._rank = pending, record, recorder, rank
        self._timeout_s, self._finish, self._outputs = timeout_s, finish, outputs
        self._error: DistBackendError | None = None

    def wait(self, timeout: timedelta | float | None = None) -> bool:
        """Block until the collective has completed; always True.

        timeout: default the group's.  DistTimeoutError, CollectiveMismatchError, RankFailedError or DistBackendError say what went wrong,
        with this rank, the collective, its sequence number and shape, and the rank at fault where it is known.
        """
        if self._record.state == "issued":
            timeout_s = self._timeout_s if timeout is None else seconds(timeout)
            try:
                self._pending.wait(timeout_s, block_host=timeout is not None)
            except DistBackendError as error:
                self._fail(error)
            else:
                self._complete()
        if self._error is not None:
            raise self._error
        return True

    def is_completed(self) -> bool:
        """Whether it is over, well or badly; never waits."""
        if self._record.state == "issued":
            try:
                if self._pending.poll():
                    self._complete()
            except DistBackendError as error:
                self._fail(error)
        return self._record.state != "issued"

    def is_success(self) -> bool:
        """Whether it is over and went well."""
        return self.is_completed() and self._error is None

    def exception(self) -> DistBackendError | None:
        """What made it fail, or None."""
        self.is_completed()
        return self._error

    def result(self) -> list[Any]:
        """The tensors that were written; waits for them."""
        self.wait()
        return list(self._outputs)

    def source_rank(self) -> int:
        """Of a receive that has completed: the sender's rank in the group."""
        self.wait()
        if self._pending.source is None:
            raise RuntimeError(f"{self._record.collective} has no source rank; only receives have one")
        return self._pending.source

    def synchronize(self) -> None:
        """The same as wait()."""
        self.wait()

    def get_future(self) -> "WorkFuture":
        """A future on the result, for code written for torch.futures."""
        return WorkFuture(self)

    def _complete(self) -> None:
        for step in self._finish:
            step()
        self._record.finish("completed")

    def _fail(self, error: DistBackendError) -> None:
        self._record.finish("failed")
        self._error = with_context(error, self._record, self._recorder, self._rank)


class WorkFuture:
    """The part of torch.futures.Future that communication code uses: wait, value, done, then."""

    def __init__(self, work: Work, steps: tuple[Callable[["WorkFuture"], Any], ...] = ()) -> None:
        self._work, self._steps = work, steps
        self._value: Any = None
        self._computed = False

    def done(self) -> bool:
        """Whether wait() would return at once."""
        return self._work.is_completed()

    def wait(self) -> Any:
        """The tensors that were written, or what the last `then` made of them."""
        if not self._computed:
            self._value = self._work.result() if not self._steps else self._steps[-1](WorkFuture(self._work, self._steps[:-1]))
            self._computed = True
        return self._value

    value = wait

    def then(self, callback: Callable[["WorkFuture"], Any]) -> "WorkFuture":
        """A future on what `callback(this future)` returns. It runs when somebody waits for it, not before."""
        return WorkFuture(self._work, (*self._steps, callback))


def with_context(error: DistBackendError, record: Record, recorder: FlightRecorder, rank: int) -> DistBackendError:
    """The same error, saying which rank, which collective, and after a timeout what came before."""
    text = f"[rank {rank}] {record}: {error}"
    if isinstance(error, DistTimeoutError):
        text += f"\n{recorder.for_error()}"
    if isinstance(error, RankFailedError):
        return RankFailedError(text, error.exit_code)
    return type(error)(text)
