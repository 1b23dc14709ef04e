"""TCPStore: the key-value store of a job, served by rank 0 and reached by all ranks over TCP."""

import errno
import os
import socket
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from ._store_server import StoreServer
from ._store_table import check_size
from ._store_wire import CHALLENGE_BYTES, GREETING, HELLO_BYTES, PROOF_BYTES, REFUSED, Code, frame_size, pack, proof, unpack
from ._timeouts import seconds
from .env import is_loopback
from .errors import DistNetworkError, DistStoreError
from .store import DEFAULT_STORE_TIMEOUT, Store, timed_out, to_bytes

TOKEN_VARIABLE = "RINGGRAD_STORE_TOKEN"
_JOINED = "ringgrad/joined"  # counts the ranks that have connected


class TCPStore(Store):
    """A store over TCP, with torch.distributed.TCPStore's arguments.

    host_name, port: where the server listens; port 0 lets the server take a free one (read it from `.port`).
    world_size: with wait_for_workers, the server waits until so many stores have connected.
    is_master: run the server in this process. It listens on loopback if host_name means this machine, and otherwise needs a token.
    master_listen_fd: take over this listening socket instead of binding; ringgrad-run passes one.
    token: the secret that both sides must know; default the environment variable RINGGRAD_STORE_TOKEN, or none.
    everywhere: listen on all interfaces, for a job on several machines.
    Errors: DistNetworkError if the port is taken, the server cannot be reached, or the token is wrong; ValueError without a token
    where one is needed.
    """

    def __init__(
        self,
        host_name: str,
        port: int,
        world_size: int | None = None,
        is_master: bool = False,
        timeout: timedelta | float | None = None,
        wait_for_workers: bool = True,
        multi_tenant: bool = False,
        master_listen_fd: int | None = None,
        use_libuv: bool = True,
        *,
        token: str | bytes | None = None,
        everywhere: bool = False,
    ) -> None:
        self._server: StoreServer | None = None
        self._socket: socket.socket | None = None
        super().__init__(DEFAULT_STORE_TIMEOUT if timeout is None else timeout)
        self._token = to_bytes(os.environ.get(TOKEN_VARIABLE, "") if token is None else token)
        self._host = host_name
        self._lock = threading.Lock()
        if is_master:
            self._server = StoreServer(self._listen(host_name, port, master_listen_fd, everywhere), self._token)
            port = self._server.port
        self._port = port
        try:
            self._socket = self._connect()
            if world_size is not None and world_size > 0:
                self._join(world_size, wait_for_workers and is_master)
        except BaseException:
            self.close()
            raise

    @property
    def host(self) -> str:
        """The server's host, as it was given."""
        return self._host

    @property
    def port(self) -> int:
        """The server's TCP port."""
        return self._port

    def clone(self) -> "TCPStore":
        """A second connection to the same server, for another thread: a wait on one does not hold up the other."""
        return TCPStore(self._host, self._port, timeout=self._timeout_s, token=self._token)

    def close(self) -> None:
        """Close the connection and, in the process that runs it, the server."""
        if self._socket is not None:
            self._socket.close()
        if self._server is not None:
            self._server.close()

    def __del__(self) -> None:
        self.close()

    # Requests

    def set(self, key: str, value: str | bytes) -> None:
        check_size(to_bytes(key), to_bytes(value))
        self._request(Code.SET, to_bytes(key), to_bytes(value))

    def wait(self, keys: Sequence[str], timeout: timedelta | float | None = None) -> None:
        self._wait(Code.WAIT, keys, seconds(timeout, self._timeout_s))

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        return self._wait(Code.GET, keys, self._timeout_s)

    def add(self, key: str, amount: int) -> int:
        return int(self._request(Code.ADD, to_bytes(key), str(int(amount)).encode())[0])

    def append(self, key: str, value: str | bytes) -> None:
        self._request(Code.APPEND, to_bytes(key), to_bytes(value))

    def compare_set(self, key: str, expected_value: str | bytes, desired_value: str | bytes) -> bytes:
        return self._request(Code.COMPARE_SET, to_bytes(key), to_bytes(expected_value), to_bytes(desired_value))[0]

    def delete_key(self, key: str) -> bool:
        return self._request(Code.DELETE, to_bytes(key)) == [b"1"]

    def check(self, keys: Sequence[str]) -> bool:
        return self._request(Code.CHECK, *map(to_bytes, keys)) == [b"1"]

    def list_keys(self) -> list[str]:
        names = [key.decode(errors="replace") for key in self._request(Code.LIST)]
        return [name for name in names if name != _JOINED]

    def _wait(self, code: Code, keys: Sequence[str], timeout_s: float) -> list[bytes]:
        return self._request(code, str(int(timeout_s * 1000)).encode(), *map(to_bytes, keys), patience_s=timeout_s)

    def _request(self, code: Code, *fields: bytes, patience_s: float = 0.0) -> list[bytes]:
        """Send one request and read its reply; patience_s: how long the server itself may wait before it answers."""
        frame = pack(code, *fields)
        with self._lock:
            client = self._socket
            assert client is not None, "the constructor connects before anything is requested"
            try:
                client.settimeout(patience_s + max(self._timeout_s, 5.0))
                client.sendall(frame)
                answer, values = _read_frame(client)
            except (OSError, ValueError) as error:
                client.close()  # a half-read reply would be taken for the answer to the next request
                raise DistNetworkError(
                    f"lost the store at {self._host}:{self._port} during {code.name.lower()}: {error}; "
                    f"rank 0, which runs it, has probably ended: look for its error first"
                ) from error
        if answer is Code.TIMED_OUT:
            raise timed_out(patience_s, values)
        if answer is not Code.OK:
            raise DistStoreError(values[0].decode(errors="replace") if values else "the store refused the request")
        return values

    # Connecting

    def _listen(self, host: str, port: int, listen_fd: int | None, everywhere: bool) -> socket.socket:
        if listen_fd is not None:
            return adopt_listener(listen_fd)
        address = "" if everywhere else _resolve(host, port)
        if not self._token and (everywhere or not is_loopback(address)):
            raise ValueError(
                f"the store would listen on {host}:{port}, which other machines can reach, but no token is set; set {TOKEN_VARIABLE} "
                f"to the same secret on every machine (ringgrad-run does), or use 127.0.0.1 for a job on one machine"
            )
        try:
            return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1024)
        except OSError as error:
            raise _cannot_bind(error, host, port) from error

    def _connect(self) -> socket.socket:
        """Connect and authenticate; keeps trying while nobody listens yet, for ranks start in any order."""
        deadline = time.monotonic() + self._timeout_s
        host = "127.0.0.1" if self._server is not None and is_loopback(self._host) else self._host
        while True:
            left_s = deadline - time.monotonic()
            try:
                client = socket.create_connection((host, self._port), timeout=max(left_s, 0.1))
                break
            except OSError as error:
                if left_s <= 0 or isinstance(error, socket.gaierror):
                    raise DistNetworkError(
                        f"could not reach the store at {self._host}:{self._port} within {self._timeout_s:.0f} s ({error}); "
                        f"is rank 0 running, and are MASTER_ADDR and MASTER_PORT its host and port?"
                    ) from error
                time.sleep(0.02)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._prove(client)
        except BaseException:
            client.close()
            raise
        return client

    def _prove(self, client: socket.socket) -> None:
        where = f"{self._host}:{self._port}"
        try:
            hello = _read_exactly(client, HELLO_BYTES)
            mine = os.urandom(CHALLENGE_BYTES)
            if not hello.startswith(GREETING):
                raise DistNetworkError(f"what listens on {where} is not a ringgrad store; choose another port with MASTER_PORT")
            client.sendall(mine + proof(self._token, b"client", hello[len(GREETING) :]))
            verdict = _read_exactly(client, PROOF_BYTES)
        except OSError as error:
            raise DistNetworkError(
                f"the store at {where} did not answer the handshake ({error}); is another program on that port?"
            ) from error
        if verdict == REFUSED:
            mistake = f"{TOKEN_VARIABLE} here differs from the server's" if self._token else f"{TOKEN_VARIABLE} is not set here"
            raise DistNetworkError(f"the store at {where} refused this rank: {mistake}; set it to the same secret on every rank")
        if verdict != proof(self._token, b"server", mine):
            raise DistNetworkError(
                f"the store at {where} does not know this job's token: it belongs to another job; choose another MASTER_PORT"
            )

    def _join(self, world_size: int, wait: bool) -> None:
        joined = self.add(_JOINED, 1)
        deadline = time.monotonic() + self._timeout_s
        while wait and joined < world_size:
            if time.monotonic() > deadline:
                raise DistStoreError(f"only {joined} of {world_size} ranks have connected to the store after {self._timeout_s:.0f} s")
            time.sleep(0.01)
            joined = self.add(_JOINED, 0)


def adopt_listener(fd: int) -> socket.socket:
    """A duplicate of a listening socket that another process bound for us.

    The original stays open, so that a store of a later init_process_group can be started on it again; neither is passed on to children.
    ValueError if the number is no listening socket.
    """
    try:
        os.set_inheritable(fd, False)
        listener = socket.socket(fileno=os.dup(fd))
    except OSError as error:
        raise ValueError(
            f"file descriptor {fd} is not an open socket ({error}); it should be a listening socket that the launcher passed on"
        ) from None
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise ValueError(f"file descriptor {fd} is a socket that does not listen; the launcher must call listen() before it passes it on")
    return listener


def _read_frame(client: socket.socket) -> tuple[Code, list[bytes]]:
    reply = bytearray()
    while (size := frame_size(reply)) is None or len(reply) < size:
        data = client.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        reply += data
    return unpack(bytes(reply))


def _read_exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += more
    return data


def _resolve(host: str, port: int) -> str:
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror as error:
        raise DistNetworkError(
            f"host name {host!r} cannot be resolved ({error}); set MASTER_ADDR to the host name of rank 0's machine"
        ) from error


def _cannot_bind(error: OSError, host: str, port: int) -> DistNetworkError:
    if error.errno == errno.EADDRINUSE:
        reason = (
            f"port {port} on {host} is taken by another program (EADDRINUSE, address already in use); "
            f"set MASTER_PORT (or --master-port) to a free port, or start with ringgrad-run, which binds a free one itself"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = f"{host} is not an address of this machine, on which rank 0 runs; set MASTER_ADDR to this machine's name"
    else:
        reason = f"cannot listen on {host}:{port}: {error}"
    return DistNetworkError(reason)
