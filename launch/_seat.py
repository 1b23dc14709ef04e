"""One seat at MPI's table: started by mpirun, it hands its identity to the launcher and stays until the rank has finished.

mpirun tells a process who it is through environment variables (PMI_RANK, OMPI_COMM_WORLD_RANK, ...) and, with MPICH, an open socket to
the process manager (PMI_FD). The seat sends both to the launcher, which starts the rank as its own child with them. So MPI finds every
rank where it expects one, and the launcher still sees each rank's output, exit code and signal at first hand.
"""
from __future__ import annotations

import json
import os
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as launcher:
        launcher.connect(sys.argv[1])
        fds = [int(os.environ["PMI_FD"])] if "PMI_FD" in os.environ else []
        body = json.dumps(dict(os.environ)).encode()
        socket.send_fds(launcher, [len(body).to_bytes(8, "big")], fds)
        launcher.sendall(body)
        launcher.recv(1)  # end of file: the ranks have ended, or the launcher has


if __name__ == "__main__":
    main()
