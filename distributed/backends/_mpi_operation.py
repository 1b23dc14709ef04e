"""One outstanding MPI operation: its stages, and the wait for it.

MPI makes progress only inside MPI calls, so waiting is polling: first without pause, then giving the processor away, then with naps.
Between polls the wait pushes the other outstanding operations, listens for ranks that have left, and watches its time limit.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import DistBackendError, DistTimeoutError, RankFailedError
from ..flight_recorder import Record
from ._base import Pending
from ._mpi_world import MpiWorld

_SPINS = 1500  # polls close together, about 2 ms: MPI moves a message in pieces, one or a few per poll
_SPINS_PER_YIELD = 8  # ranks may have to share a core
_YIELD_S = 0.002  # then: how long the processor is given away after each poll before naps begin
_NAPS_S = (50e-6, 1e-3)  # at first, and after a second of waiting
_NEWS_S = 0.1  # how often a wait looks for news
_GRACE_S = 1.0  # a rank that has left may have sent its part before

Post = Callable[[], Sequence[Any]]
Then = Callable[[], None]


class Owner(Protocol):
    """What an operation needs of its group's backend."""

    world: MpiWorld
    broken: str | None

    def push_queue(self) -> None:
        """Post the data of operations whose turn it is."""

    def tell_waiting(self, record: Record) -> None:
        """Let the other ranks know that this one waits for a collective."""

    def first_to_leave(self, operation: "MpiOperation") -> RankFailedError | None:
        """The error for an operation that waits for a rank which has left."""

    def without_a_sign(self, operation: "MpiOperation") -> str:
        """Which ranks have not said that they wait too."""


class MpiOperation(Pending):
    """Stages that follow each other: each posts requests, and has something to do once they are complete.

    stages: (post, then) pairs.  awaited: ranks of the group whose leaving makes the operation impossible; any_will_do: it takes all of
    them to leave.  posted: the last stage has been posted, so that the next operation of the group may follow.
    """

    __slots__ = (
        "_backend",
        "_requests",
        "_stages",
        "any_will_do",
        "awaited",
        "done",
        "error",
        "hold",
        "posted",
        "record",
        "source",
        "statuses",
    )

    def __init__(
        self,
        backend: Owner,
        record: Record,
        stages: list[tuple[Post, Then | None]],
        awaited: Sequence[int],
        hold: tuple[Any, ...] = (),
        any_will_do: bool = False,
    ) -> None:
        self._backend, self.record, self._stages, self.awaited, self.any_will_do = backend, record, stages, awaited, any_will_do
        self.hold = hold  # memory that MPI reads or writes until we are done
        self._requests: list[Any] = []
        self.error: DistBackendError | None = None
        self.posted, self.done, self.source = False, False, None
        self._post()

    def push(self) -> bool:
        """Go through the stages as far as possible without waiting; True once the last one has been posted."""
        try:
            while not self.posted and self._complete():
                self._end_stage()
                self._post()
        except Exception as error:  # whatever MPI or a check says becomes this operation's outcome
            self._fail(error)
        return self.posted

    def poll(self) -> bool:
        if not self.done:
            with self._backend.world.lock:
                self.nudge()
        if self.error is not None:
            raise self.error
        return self.done

    def nudge(self) -> None:
        """Go as far as possible without waiting; an error is kept for whoever waits."""
        if not self.posted:
            self._backend.push_queue()
        if self.posted and not self.done:
            try:
                if self._complete():
                    self._end_stage()
                    self._finish()
            except Exception as error:
                self._fail(error)

    def _post(self) -> None:
        self._requests = list(self._stages[0][0]())
        self.posted = len(self._stages) == 1

    def _end_stage(self) -> None:
        then = self._stages.pop(0)[1]
        if then is not None:
            then()

    def _complete(self) -> bool:
        requests = self._requests
        while requests:
            if not requests[-1].Test():
                return False
            requests.pop()
        return True

    def _finish(self) -> None:
        self.done, self.hold = True, ()
        self._backend.world.forget(self)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, DistBackendError):
            cause, error = error, DistBackendError(f"MPI failed: {error}")
            error.__cause__ = cause
        self.error = error
        if self._requests:
            self._backend.world.abandon(self._requests, self.hold)
        self.posted = self.done = True
        self._backend.world.forget(self)

    # Waiting

    def wait(self, timeout_s: float, block_host: bool = False) -> None:
        if not self.done:
            with self._backend.world.lock:
                self._spin()
        if not self.poll():
            self._wait_patiently(timeout_s)

    def _spin(self) -> None:
        for turn in range(1, _SPINS):
            self.nudge()
            if self.done:
                return
            if not turn % _SPINS_PER_YIELD:
                os.sched_yield()

    def _wait_patiently(self, timeout_s: float) -> None:
        world = self._backend.world
        start = time.monotonic()
        next_news, told, last_call = start + min(_NEWS_S, timeout_s / 8), False, None
        while not self.poll():
            world.progress(besides=self)
            now = time.monotonic()
            if now - start >= timeout_s:
                self._give_up(timeout_s)
            if now >= next_news:
                next_news = now + min(_NEWS_S, timeout_s / 8)
                if not told and now - start >= min(1.0, timeout_s / 4):
                    told = True
                    self._backend.tell_waiting(self.record)
                gone = self._backend.first_to_leave(self)
                last_call = None if gone is None else (last_call or now + _GRACE_S)
                if gone is not None and last_call is not None and now >= last_call:
                    self._fail(gone)
            _pause(now - start)

    def _give_up(self, timeout_s: float) -> None:
        with self._backend.world.lock:
            late = self._backend.without_a_sign(self)
            self._backend.broken = f"{self.record} timed out on it"
            self._fail(DistTimeoutError(f"gave up after {timeout_s:g} s: {late}"))


def _pause(waited_s: float) -> None:
    if waited_s < _YIELD_S:
        os.sched_yield()
    else:
        time.sleep(_NAPS_S[0] if waited_s < 1 else _NAPS_S[1])
