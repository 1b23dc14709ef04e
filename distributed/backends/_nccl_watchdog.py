"""The thread that looks after NCCL operations: NCCL itself waits for ever for a rank that does not come."""

import atexit
import os
import sys
import threading
import time

from ..errors import DistTimeoutError
from ._nccl_operation import NcclPending, Owner

_LOOK_S = 0.1


class Watchdog:
    """One per process. Outstanding operations, whether they take too long, and whether the program has been told of a failure.

    delivered: some call has raised the failure. A program that ends without (a hung GPU gave it garbage, and it never communicated again)
    must not end well: it prints the failure and exits with 1.
    """

    _instance: "Watchdog | None" = None
    _making = threading.Lock()

    def __init__(self) -> None:
        self.delivered = False
        self._pending: list[NcclPending] = []
        self._backends: set[Owner] = set()
        self._lock = threading.Lock()
        self._started = False

    @classmethod
    def of_this_process(cls) -> "Watchdog":
        """The one there is, made at the first call."""
        with cls._making:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def watch(self, pending: NcclPending) -> None:
        """Look after an operation until it is over."""
        with self._lock:
            self._pending.append(pending)
            self._backends.add(pending.backend)
            if not self._started:
                self._started = True
                atexit.register(self._last_word)
                threading.Thread(target=self._run, name="ringgrad-nccl-watchdog", daemon=True).start()

    def of(self, backend: Owner) -> list[NcclPending]:
        """The outstanding operations of a group."""
        with self._lock:
            return [pending for pending in self._pending if pending.backend is backend]

    def forget(self, backend: Owner) -> None:
        """A group is being destroyed."""
        with self._lock:
            self._backends.discard(backend)
            self._pending = [pending for pending in self._pending if pending.backend is not backend]

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            with self._lock:
                pendings, backends = list(self._pending), list(self._backends)
            over = {id(pending) for pending in pendings if self._look(pending)}
            for backend in backends:
                backend.look()
            with self._lock:
                self._pending = [pending for pending in self._pending if id(pending) not in over]

    def _look(self, pending: NcclPending) -> bool:
        """True once there is nothing left to look after; stops a group whose operation takes too long."""
        if pending.look():
            return True
        limit_s = pending.backend.timeout_s
        if time.monotonic() - pending.started > limit_s:
            error = DistTimeoutError(f"{pending.record} had not completed after {limit_s:g} s; the communicator has been aborted")
            sys.stderr.write(f"[rank {pending.backend.members[pending.backend.rank]}] {error}\n")
            pending.backend.stop(error)
        return pending.error is not None

    def _last_word(self) -> None:
        failures = [backend.broken for backend in self._backends if backend.broken is not None]
        if failures and not self.delivered:
            sys.stderr.write(f"a collective failed and the program went on without noticing: {failures[0]}\n")
            sys.stderr.flush()
            os._exit(1)
