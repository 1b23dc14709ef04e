"""The end of a rank, told to the others.

MPI waits for ranks that never come: after an uncaught exception or sys.exit in one rank both MPICH and Open MPI hang for ever. So the
first MPI group of a process installs, for the rest of the process,

- an except hook: prints the rank, calls the previous hook (which prints the traceback), flushes, and stops all ranks with MPI_Abort;
- a sys.exit that remembers its code, since an `atexit` function cannot see it; and
- an `atexit` function that says goodbye to the other ranks (`MpiWorld.leave_for_good`) before MPI is finalized.

`raise SystemExit(5)` and the interactive `exit(5)` go past sys.exit: the others still learn that this rank has left and stop when they
next wait for it, but with exit code 1. A process forked from a rank is no rank: it says nothing to the others, and ends without
mpi4py's MPI_Finalize, which would end the rank's MPI.
"""

import atexit
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from ..errors import RankFailedError
from ._mpi_world import MpiWorld

# mpirun reads each rank's output from a pipe of its own, in no order. What the others printed before this rank failed should be out before the
# traceback, which is to be the last thing seen.
PAUSE_S = 0.1

ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


class ExitWatch:
    """What is installed: remembers what stood there before, and which process it watches."""

    def __init__(self, world: MpiWorld) -> None:
        self._world, self._pid = world, os.getpid()
        self._previous_hook: ExceptHook = sys.excepthook
        self._previous_exit: Callable[..., NoReturn] = sys.exit
        self._exit_code = 0
        sys.excepthook = self._uncaught
        sys.exit = self._exit
        atexit.register(self._at_exit)

    def _is_rank(self) -> bool:
        return os.getpid() == self._pid

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        headline = ""
        if self._is_rank() and self._world.size > 1:
            sys.stdout.flush()
            headline = f"[rank {self._world.rank}] uncaught {kind.__name__}; all ranks are being stopped\n"
        if self._previous_hook is sys.__excepthook__:  # in one piece, so that ranks that fail together do not mix their lines
            if headline:
                time.sleep(PAUSE_S)
            sys.stderr.write(headline + "".join(traceback.format_exception(kind, error, trace)))
        else:
            sys.stderr.write(headline)
            self._previous_hook(kind, error, trace)
        self._exit_code = _exit_code_of(error)
        if self._is_rank() and not self._world.mpi.Is_finalized():
            self._world.abort(self._exit_code)

    def _exit(self, status: Any = None) -> NoReturn:
        # None is 0, an integer is the code, anything else is printed and means 1 (the language reference, sys.exit).
        self._exit_code = status & 0xFF if isinstance(status, int) else int(status is not None)
        self._previous_exit(status)

    def _at_exit(self) -> None:
        if self._is_rank():
            self._world.leave_for_good(self._exit_code)
        else:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._exit_code)


def _exit_code_of(error: BaseException) -> int:
    if isinstance(error, RankFailedError):
        return error.exit_code or 1
    return 130 if isinstance(error, KeyboardInterrupt) else 1
