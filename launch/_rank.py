"""One running rank, as the launcher sees it."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from . import plan
from ._logs import Stream, tail_of_file
from ._process import exit_status, kill_group
from ._report import Failure


class Rank:
    """One running rank. It is not reaped before the attempt is over, so its process number stays its own."""

    def __init__(self, number: int, local_rank: int, process: subprocess.Popen, folder: Path, streams: Mapping[int, Stream | None]) -> None:
        self.number = number
        self.local_rank = local_rank
        self.process = process
        self.streams = streams
        self.status: int | None = None
        self.record: dict | None = None  # the error file
        self.last_alive = time.monotonic()
        self._folder = folder
        self._stopped_at = float("inf")
        self._stopped_by: set[int] = set()

    @property
    def running(self) -> bool:
        return self.status is None

    @property
    def failed(self) -> bool:
        """Whether it failed by itself, not because it was stopped."""
        if self.record is not None:
            return self.record["monotonic_s"] < self._stopped_at
        if self.status is None or not self._stopped_by:
            return self.status not in (None, 0)
        return self.status < 0 and -self.status not in self._stopped_by

    @property
    def called_abort(self) -> bool:
        """Whether it ended the job through MPI_Abort (MPICH's own words on its stderr; Open MPI leaves the exit code alone)."""
        return any("application called MPI_Abort" in line for line in self._last_words())

    @property
    def stopped(self) -> bool:
        return bool(self._stopped_by) and not self.failed

    def look(self) -> None:
        """Has it ended, has it left word? Asked in this order, an end is never seen without the word that came before it."""
        if not self.running:
            return
        now = time.monotonic()
        self.status = exit_status(self.process)
        if self.running:
            self.last_alive = now
        if self.record is None and (self._folder / "error.json").exists():
            self.record = json.loads((self._folder / "error.json").read_text())

    def send(self, signum: int) -> None:
        """Pass a signal on: Ctrl-C to the whole group as a terminal would, others to the rank, which may look after its own children."""
        if not self.running:
            return
        if signum == signal.SIGINT:
            kill_group(self.process.pid, signum)
        else:
            os.kill(self.process.pid, signum)

    def stop(self, signum: int) -> None:
        """End it because of others; whatever it reports from here on is no failure of its own."""
        if self.running:
            self._stopped_at = min(self._stopped_at, time.monotonic())
            self._stopped_by.add(signum)
            if signum == signal.SIGKILL:
                kill_group(self.process.pid)
            else:
                self.send(signum)

    def failure(self, abort_code: int) -> Failure:
        """How it failed. `abort_code` stands for the exit code of a rank that called MPI_Abort and had no time to end by itself."""
        status = abort_code if abort_code and self.called_abort else self.status or 0
        record = self.record or {}
        killed_by = -status if status < 0 and not record else 0
        return Failure(
            rank=self.number,
            local_rank=self.local_rank,
            pid=self.process.pid,
            exit_code=int(record.get("exit_code", 128 + killed_by if killed_by else status)),
            time=float(record.get("monotonic_s", self.last_alive)),
            signal=killed_by,
            traceback=record.get("message", {}).get("extraInfo", {}).get("py_callstack", ""),
            tail=self._last_words(),
            shown=plan.STDERR not in self.streams,
        )

    def _last_words(self) -> list[str]:
        stream = self.streams.get(plan.STDERR)
        log = self._folder / "stderr.log"
        lines = stream.tail if stream else tail_of_file(log) if log.exists() else ()
        return [line.decode(errors="replace") for line in lines]
