"""CPU ranks through mpirun: it provides one seat per rank (`_seat.py`), the launcher puts its own child processes on them."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import plan
from ._process import kill_group

START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 2.0
_POLL_S = 0.05
_RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")


@dataclass(frozen=True)
class Seat:
    """What a rank needs to be known to MPI: variables to add, and open file descriptors to inherit."""

    environment: Mapping[str, str]
    fds: tuple[int, ...] = ()

    def close(self) -> None:
        """Close the launcher's copies, once the rank has its own."""
        for fd in self.fds:
            os.close(fd)


def shared_memory(pid: int) -> list[str]:
    """The files in /dev/shm through which MPICH connects this process with its neighbours; killed ranks leave them behind."""
    try:
        rows = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:  # no /proc, or the process is gone
        return []
    paths = {row.partition("/")[2] for row in rows if "/dev/shm/mpich_shm_" in row and not row.endswith("(deleted)")}
    return ["/" + path for path in paths]


class Mpirun:
    """A running mpirun whose seats are being taken. `stop()` ends it, however far it came.

    connections: one socket per seat; end of file on one of them while ranks run means that mpirun has given the job up.
    """

    def __init__(self, path: str, nproc: int, base: Mapping[str, str], folder: str) -> None:
        """path: of mpirun; base: the ranks' environment; folder: private, for the socket and for mpirun's own output."""
        self._path = path
        self._nproc = nproc
        self._environment = plan.mpirun_environment(base, folder)
        self._output = Path(folder) / "mpirun.txt"
        self.connections: list[socket.socket] = []
        self._exit_code: int | None = None
        socket_path = str(Path(folder) / "seats")
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(socket_path)
        self._server.listen(nproc)
        self._server.settimeout(_POLL_S)
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                plan.mpirun_command(path, nproc, socket_path, os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )

    def seats(self, interrupted: Callable[[], bool]) -> list[Seat]:
        """Wait for all seats, in the order of their ranks; [] when `interrupted()` turns true meanwhile.

        Raises LaunchError with mpirun's own words when it ends first or takes longer than START_TIMEOUT_S.
        """
        seats: dict[int, Seat] = {}
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(seats) < self._nproc:
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                if interrupted():
                    return []
                if self.process.poll() is not None:
                    raise plan.LaunchError(self._failure(f"ended with exit code {self.process.returncode}")) from None
                if time.monotonic() > deadline:
                    raise plan.LaunchError(self._failure(f"took longer than {START_TIMEOUT_S:.0f} s")) from None
                continue
            self.connections.append(connection)
            rank, seat = self._receive(connection)
            seats[rank] = seat
        return [seats[rank] for rank in sorted(seats)]

    def _receive(self, connection: socket.socket) -> tuple[int, Seat]:
        header, fds, _, _ = socket.recv_fds(connection, 8, 1)
        if not header:
            raise plan.LaunchError(self._failure("lost a process"))
        with connection.makefile("rb") as reader:
            environment: dict[str, str] = json.loads(reader.read(int.from_bytes(header, "big")))
        added = {name: value for name, value in environment.items() if self._environment.get(name) != value}
        rank = next((added[name] for name in _RANK_VARIABLES if name in added), None)
        if rank is None:
            raise plan.LaunchError(
                f"{self._path} starts processes without telling them their rank (none of {', '.join(_RANK_VARIABLES)} is set): "
                "MPICH, Open MPI and their relatives are understood; use one of these, or --mpi none"
            )
        if fds:
            added["PMI_FD"] = str(fds[0])
        return int(rank), Seat(added, tuple(fds))

    @property
    def gone(self) -> bool:
        """Whether mpirun itself has ended; Open MPI's, killed, leaves its seats behind."""
        return self.process.poll() is not None

    def output(self) -> str:
        """What mpirun itself has said so far (never the ranks' output)."""
        return self._output.read_text(errors="replace").strip()

    def _failure(self, what: str) -> str:
        words = self.output()
        return (
            f"{self._path} {what} before it had started {self._nproc} processes, and said {words if words else 'nothing'}\n"
            "(--mpi none starts the processes without MPI)"
        )

    def stop(self) -> int:
        """Free the seats, after which mpirun ends by itself; help where it does not. Returns its exit code, 128 + n after signal n."""
        if self._exit_code is None:
            self._exit_code = self._stop()
        return self._exit_code

    def _stop(self) -> int:
        patience_s = _STOP_TIMEOUT_S if self.connections else 0.0  # without seats it has nobody to wait for
        self._server.close()
        for connection in self.connections:
            connection.close()
        for signum in (signal.SIGTERM, signal.SIGKILL):
            try:
                self.process.wait(timeout=patience_s)
                break
            except subprocess.TimeoutExpired:
                kill_group(self.process.pid, signum)
                patience_s = _STOP_TIMEOUT_S
        status = self.process.wait()
        kill_group(self.process.pid)
        return status if status >= 0 else 128 - status
