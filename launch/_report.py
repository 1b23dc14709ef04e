"""Which rank failed first, and the words for it."""
from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

_OUT_OF_MEMORY = (
    ". If nobody did this by hand, the kernel's out-of-memory killer probably did (`dmesg` tells): "
    "use a smaller batch, or fewer ranks on this machine"
)


@dataclass(frozen=True)
class Failure:
    """The end of one rank that did not go well.

    exit_code: as a shell would see it, 128 + n after signal n; time: seconds on the monotonic clock at which the rank is known to have
    failed, or, without an error record, was last seen alive; tail: its last lines on stderr; shown: its output went straight to the
    terminal, so the traceback stands there already.
    """

    rank: int
    local_rank: int
    pid: int
    exit_code: int
    time: float
    signal: int = 0
    traceback: str = ""
    tail: Sequence[str] = ()
    shown: bool = False

    @property
    def event(self) -> str:
        if self.signal:
            return f"was killed by {signal_name(self.signal)}"
        return f"failed with exit code {self.exit_code}"


def signal_name(signum: int) -> str:
    """15 -> "SIGTERM"; real-time signals without a name of their own stay numbers."""
    return signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"


def first(failures: Sequence[Failure]) -> Failure:
    """The failure that the others may be a consequence of: the earliest; a kill before an exit code, for nobody reports his own kill."""
    return min(failures, key=lambda failure: (failure.time, not failure.signal, failure.rank))


def ranks_in_words(ranks: Sequence[int]) -> str:
    """[0, 1, 3] -> "ranks 0, 1 and 3"."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"


def sentence(cause: Failure, others: Sequence[Failure], stopped: Sequence[int]) -> str:
    """One sentence: who failed, how, and what became of the others."""
    text = f"rank {cause.rank} (local rank {cause.local_rank}, pid {cause.pid}) {cause.event}"
    if stopped:
        text += f"; {ranks_in_words(stopped)} {'was' if len(stopped) == 1 else 'were'} stopped"
    if others:
        text += f"; {ranks_in_words([failure.rank for failure in others])} failed after it"
    if cause.signal == signal.SIGKILL:
        text += _OUT_OF_MEMORY
    return text


def evidence(cause: Failure) -> str:
    """What the rank itself had to say: its traceback, else its last lines on stderr; "" when it stands on the terminal already."""
    if cause.shown:
        return ""
    if cause.traceback:
        return f"Traceback of rank {cause.rank}:\n{cause.traceback.rstrip()}"
    if cause.tail:
        return f"The last lines of rank {cause.rank} on stderr:\n" + "".join(cause.tail).rstrip()
    return ""
