"""One attempt: start the ranks, watch them, stop the rest after the first failure, collect everything they said."""
from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from . import plan
from ._guardian import Guardian
from ._logs import Console, Stream
from ._mpirun import Mpirun, Seat, shared_memory
from ._ports import listen
from ._process import kill_group, open_process
from ._rank import Rank
from ._report import Failure, first
from ._signals import SignalRelay

# How long the ranks may take to end by themselves, unless --shutdown-timeout says otherwise. After a signal a rank may want to save its
# work; after a failure its collectives cannot complete any more, and it is in the way of the message.
SIGNAL_GRACE_S = 30.0
FAILURE_GRACE_S = 3.0
_DRAIN_S = 1.0  # for output of grandchildren that left the process group and outlive their rank
_SEARCH_S = 1.0  # between two looks for MPI's shared memory, until it is found
_NEVER = float("inf")


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: `failures` in no particular order, `stopped` ranks (ended by us), the signal that ended it or 0.

    `mpirun_code` and `mpirun_words` are mpirun's exit code and what it said, if it was mpirun that failed and not a rank.
    """

    failures: Sequence[Failure] = ()
    stopped: Sequence[int] = ()
    signal: int = 0
    mpirun_code: int = 0
    mpirun_words: str = ""

    @property
    def exit_code(self) -> int:
        """The first failing rank's; 128 + n after a signal that the ranks did not turn into a clean end."""
        if self.signal:
            return 128 + self.signal if self.failures or self.stopped else 0
        return first(self.failures).exit_code if self.failures else self.mpirun_code


class Attempt:
    """The ranks of one attempt. Use as a context manager: leaving it leaves no process behind."""

    def __init__(
        self, job: plan.Job, number: int, *, root: Path, private: Path, guardian: Guardian, relay: SignalRelay, console: Console
    ) -> None:
        """number: from 0; root: folder for logs and error files; private: the launcher's own folder, for sockets."""
        self._job = job
        self._number = number
        self._folder = root / f"attempt_{number}"
        self._private = private
        self._guardian = guardian
        self._relay = relay
        self._console = console
        self._ranks: list[Rank] = []
        self._selector = selectors.DefaultSelector()
        self._deadline = _NEVER  # of the ranks that are still running: then SIGKILL
        self._ended_by = 0  # the signal that ended the attempt
        self._mpirun: Mpirun | None = None
        self._seats_lost = False
        self._shared_memory: list[str] = []
        self._next_search = 0.0

    def __enter__(self) -> Attempt:
        return self

    def run(self) -> Outcome:
        """Start everything and return when every rank has ended and all output is out. Raises LaunchError when it cannot start."""
        self._relay.ranks = self._ranks
        self._start()
        self._decide()
        while any(rank.running for rank in self._ranks):
            self._relay.deliver()
            self._read(min(self._job.monitor_interval_s, max(0.0, self._deadline - time.monotonic())))
            for rank in self._ranks:
                rank.look()
            self._decide()
        self._sweep()
        self._drain()
        return self._outcome()

    # -- start ------------------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        job = self._job
        server = listen(job.master_addr, job.master_port, job.nnodes) if job.node_rank == 0 else None
        try:
            port = server.getsockname()[1] if server else job.master_port
            base = plan.base_environment(job, os.environ)
            for local_rank, seat in enumerate(self._seats(base)):
                environment, fds = {**base, **seat.environment}, list(seat.fds)
                if server and local_rank == 0:
                    environment["RINGGRAD_STORE_FD"] = str(server.fileno())
                    fds.append(server.fileno())
                self._start_rank(local_rank, environment, fds, port)
                seat.close()
        finally:
            # From here on the socket is rank 0's alone: when it ends, late clients are refused instead of waiting for nobody.
            if server:
                server.close()

    def _seats(self, base: Mapping[str, str]) -> list[Seat]:
        """One seat per local rank; none when a signal came while mpirun was starting."""
        job = self._job
        if job.mpirun is None:
            return [Seat({})] * job.nproc
        folder = self._private / f"mpirun_{self._number}"
        folder.mkdir()
        self._mpirun = Mpirun(job.mpirun, job.nproc, base, str(folder))
        self._guardian.watch_group(self._mpirun.process.pid)
        seats = self._mpirun.seats(interrupted=lambda: bool(self._relay.ending))
        for connection in self._mpirun.connections:
            self._selector.register(connection.fileno(), selectors.EVENT_READ, self._mpirun)
        return seats

    def _start_rank(self, local_rank: int, environment: dict[str, str], fds: list[int], port: int) -> None:
        job = self._job
        folder = self._folder / str(local_rank)
        folder.mkdir(parents=True)
        error_file = str((folder / "error.json").absolute())
        environment |= plan.rank_environment(job, local_rank, attempt=self._number, master_port=port, error_file=error_file)
        outputs = {number: self._open(local_rank, number, folder) for number in (plan.STDOUT, plan.STDERR)}
        process = subprocess.Popen(
            plan.program_command(job.program, os.getpid()),
            stdin=None if local_rank == 0 else subprocess.DEVNULL,
            stdout=outputs[plan.STDOUT][0],
            stderr=outputs[plan.STDERR][0],
            env=environment,
            pass_fds=fds,
            start_new_session=True,  # a group of its own, so that it can be ended with all it starts, and Ctrl-C comes from us alone
        )
        self._guardian.watch_group(process.pid)
        streams = {number: stream for number, (target, stream) in outputs.items() if target is not None}
        self._ranks.append(Rank(job.rank(local_rank), local_rank, process, folder, streams))
        if (fd := open_process(process.pid)) is not None:
            self._selector.register(fd, selectors.EVENT_READ, None)
        for target, _ in outputs.values():
            if target is not None:
                os.close(target)

    def _open(self, local_rank: int, number: int, folder: Path) -> tuple[int | None, Stream | None]:
        """For one output of a rank: the descriptor to give it (None: the launcher's own), and the stream to read here, if any."""
        route = plan.route(self._job, local_rank, number)
        prefix = plan.prefix(self._job, local_rank)
        log = folder / ("stdout.log" if number == plan.STDOUT else "stderr.log")
        if route.file and not route.console:
            return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), None
        if self._job.nproc == 1 and route.console and not route.file and not prefix:  # it keeps its terminal, with colours and bars
            return None, None
        file: BinaryIO | None = log.open("wb", buffering=0) if route.file else None
        reader, writer = os.pipe()
        stream = Stream(number, reader, prefix.encode(), self._console if route.console else None, file)
        self._selector.register(reader, selectors.EVENT_READ, stream)
        return writer, stream

    # -- watch ------------------------------------------------------------------------------------------------------------------

    def _read(self, timeout_s: float) -> None:
        """Pass output on; return when a rank or a seat has ended (its descriptor becomes readable) or after the time."""
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, Stream) and key.data.read():
                continue
            self._seats_lost |= key.data is self._mpirun and self._mpirun is not None
            self._close(key)

    def _decide(self) -> None:
        """What the present state calls for: nothing, or to ask the ranks to end, or, after the grace period, to kill them."""
        now = time.monotonic()
        grace_s = self._job.shutdown_timeout_s
        self._seats_lost |= self._mpirun is not None and self._mpirun.gone
        self._search_shared_memory(now)
        if self._seats_lost or now >= self._deadline or (self._deadline < _NEVER and self._relay.insists):
            self._stop(signal.SIGKILL)  # mpirun, too, kills the ranks when one of them calls MPI_Abort
        elif self._deadline < _NEVER:
            return
        elif self._relay.ending:
            self._ended_by = self._relay.ending[0]
            self._deadline = now + (SIGNAL_GRACE_S if grace_s is None else grace_s)
        elif self._console.reader_gone or any(rank.failed for rank in self._ranks):
            self._ended_by = signal.SIGPIPE if self._console.reader_gone else 0
            self._deadline = now + (FAILURE_GRACE_S if grace_s is None else grace_s)
            self._stop(signal.SIGTERM)

    def _stop(self, signum: int) -> None:
        """SIGTERM spares a failing rank, which is ending anyway and may have more to say; SIGKILL spares nobody."""
        for rank in self._ranks:
            if signum == signal.SIGKILL or not rank.failed:
                rank.stop(signum)

    def _search_shared_memory(self, now: float) -> None:
        """Find what MPICH would leave behind: now and then until it is there, and in any case before the ranks are killed."""
        urgent = self._seats_lost or self._relay.ending or any(rank.failed for rank in self._ranks)
        if self._mpirun is None or self._shared_memory or (now < self._next_search and not urgent):
            return
        self._next_search = now + _SEARCH_S
        for rank in self._ranks:
            if rank.running and not self._shared_memory:
                self._shared_memory = shared_memory(rank.process.pid)
        for path in self._shared_memory:
            self._guardian.watch_file(path)

    # -- end --------------------------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Remove what the ranks left behind: processes in their groups, which may hold pipes or a GPU, and shared memory."""
        for rank in self._ranks:
            kill_group(rank.process.pid)
        for path in self._shared_memory:
            with suppress(OSError):
                os.unlink(path)

    def _drain(self) -> None:
        """Everything that the ranks wrote before they ended is in their pipes: read on to the end of each."""
        deadline = time.monotonic() + _DRAIN_S
        while any(isinstance(key.data, Stream) for key in self._selector.get_map().values()) and time.monotonic() < deadline:
            self._read(deadline - time.monotonic())
        self._close_all()

    def _close_all(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key)

    def _close(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fd)
        if isinstance(key.data, Stream):
            key.data.close()
        elif key.data is None:
            os.close(key.fd)

    def _outcome(self) -> Outcome:
        """Who failed, and who was only stopped. When mpirun gave the job up, exit codes of ranks that noticed it mean nothing."""
        failed = [rank for rank in self._ranks if rank.failed]
        code, words = 0, ""
        if self._seats_lost and self._mpirun:
            code, words = self._mpirun.stop(), self._mpirun.output()
            failed = [rank for rank in self._ranks if rank.called_abort or (rank.failed and rank.record)] or failed
        settled = {rank.number for rank in self._ranks if rank in failed or (rank.status == 0 and not rank.stopped)}
        numbers = (self._job.rank(local_rank) for local_rank in range(self._job.nproc))
        stopped = [number for number in numbers if number not in settled]  # also those that a signal kept from starting
        return Outcome([rank.failure(abort_code=code) for rank in failed], stopped, self._ended_by, code, words)

    def __exit__(self, *_: object) -> None:
        self._relay.ranks = []
        self._sweep()
        self._close_all()
        self._selector.close()
        for rank in self._ranks:
            rank.process.wait()
        if self._mpirun:
            self._mpirun.stop()
