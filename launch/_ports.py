"""The socket of the rendezvous store: bound and listening before any rank starts, so that a port is never guessed."""
from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from ._parse import is_loopback
from .plan import LaunchError

_BACKLOG = 1024


def listen(host: str, port: int, nnodes: int) -> socket.socket:
    """A listening socket on `host`, on `port` or, for 0, on a free one. Rank 0 inherits it; early clients wait in its backlog.

    With several nodes, a host name that this machine resolves to its own loopback (a habit of /etc/hosts), or to an address that is
    not its own (behind address translation), is served on all interfaces.
    Raises LaunchError when the port is taken or the address is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise LaunchError(f"--master-addr {host}: {error.strerror}; give the address of node 0, or a name that every node knows") from None
    everywhere = ("::" if family == socket.AF_INET6 else "0.0.0.0", port)
    if nnodes > 1 and is_loopback(str(address[0])):
        address = everywhere
    try:
        return _listen(family, address)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL and nnodes > 1:
            return _listen(family, everywhere)
        raise LaunchError(_sentence(error, host, port, nnodes)) from None


def _listen(family: int, address: tuple) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart may come while old connections are in TIME_WAIT
        server.bind(address)
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _sentence(error: OSError, host: str, port: int, nnodes: int) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = _holder(port)
        who = holder or f"another user's process (root sees it with `ss -ltnp sport = :{port}`)"
        way_out = "let the launcher find a free one with --master-port 0 or --standalone"
        if nnodes > 1:
            way_out = "take another --master-port, the same on every node"
        return f"--master-port {port}: the port is taken on {host} by {who}; end that, or {way_out}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--master-addr {host}: this is not an address of this machine; on a single node leave the flag out"
    return f"--master-addr {host} --master-port {port}: cannot listen there: {error.strerror}"


def _holder(port: int) -> str | None:
    """The process that listens on a TCP port, as "process 4711 (python train.py)", if this user may know."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [row.split() for row in Path(table).read_text().splitlines()[1:]] if os.path.exists(table) else []
        inodes |= {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}  # 0A: LISTEN
    links = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(link) in links for link in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {folder.name} ({command[:80]})"
        except OSError:  # it has just ended, or belongs to somebody else
            continue
    return None
