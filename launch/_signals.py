"""Signals to the launcher, passed on to the ranks."""
from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Protocol

# These ask the job to end; any other signal (SIGUSR1, ...) is only passed on, and what it means is up to the ranks.
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}

# A wrapper that passes Ctrl-C on to a launcher that the terminal has told already must not count as a second Ctrl-C.
_ECHO_S = 1.0


class Receiver(Protocol):
    def send(self, signum: int) -> None: ...


class SignalRelay:
    """Catches `signals` while it is open and sends each of them, once, to every rank in `ranks`, also to those that start later.

    A signal that the launcher inherited as ignored (`nohup`) stays ignored.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._signals = tuple(signals)
        self.received: list[int] = []
        self._times: list[float] = []
        self.ranks: Sequence[Receiver] = []
        self._sent: dict[Receiver, int] = {}

    def __enter__(self) -> SignalRelay:
        self._before = {signum: signal.getsignal(signum) for signum in self._signals}
        for signum, handler in self._before.items():
            if handler != signal.SIG_IGN:
                signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the former handlers back; but once the end was asked for, asking again must not disturb the last steps towards it."""
        for signum, handler in self._before.items():
            signal.signal(signum, signal.SIG_IGN if self.ending else handler)

    @property
    def ending(self) -> list[int]:
        """The signals so far that ask for the end."""
        return [signum for signum in self.received if signum in _ENDING]

    @property
    def insists(self) -> bool:
        """Whether the end was asked for again, after a moment: then it should come at once."""
        return bool(self._times) and self._times[-1] - self._times[0] > _ECHO_S

    def _on_signal(self, signum: int, _: FrameType | None) -> None:
        self.received.append(signum)
        if signum in _ENDING:
            self._times.append(time.monotonic())
        self.deliver()  # from the handler too: the main loop may be waiting for a reader of its output

    def deliver(self) -> None:
        for rank in list(self.ranks):
            count = self._sent.get(rank, 0)
            self._sent[rank] = len(self.received)
            for signum in self.received[count:]:
                rank.send(signum)
