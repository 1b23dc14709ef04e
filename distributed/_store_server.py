"""The TCP store's server: one thread, all connections, one table."""

import contextlib
import hmac
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ._store_table import Table, check_size
from ._store_wire import ANSWER_BYTES, CHALLENGE_BYTES, GREETING, REFUSED, Code, frame_size, pack, proof, unpack
from .errors import DistStoreError

HANDSHAKE_S = 10.0  # a connection that has not proved itself by then is closed
_CHUNK = 1 << 18


@dataclass(eq=False)
class _Connection:
    """One client: what it sent and was not handled, what it is still to get, and whether it has proved itself."""

    socket: socket.socket
    challenge: bytes
    deadline: float
    trusted: bool = False
    closing: bool = False
    incoming: bytearray = field(default_factory=bytearray)
    outgoing: bytearray = field(default_factory=bytearray)


@dataclass(eq=False)
class _Waiter:
    """A GET or WAIT whose keys do not all exist yet."""

    connection: _Connection
    code: Code
    keys: list[bytes]
    deadline: float


class StoreServer:
    """Serves a table on a listening socket from a daemon thread until close()."""

    def __init__(self, listener: socket.socket, token: bytes) -> None:
        self._listener, self._token = listener, token
        self._table = Table()
        self._waiters: list[_Waiter] = []
        self._connections: set[_Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._closing = False
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, lambda: None)
        self._thread = threading.Thread(target=self._run, name="ringgrad-store", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port that is served."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop the thread and close every socket."""
        if not self._closing:
            self._closing = True
            self._wake_writer.send(b"x")
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing:
                for key, events in self._selector.select(self._pause()):
                    if isinstance(key.data, _Connection):
                        self._guarded(key.data, events)
                    else:
                        key.data()
                self._expire(time.monotonic())
        finally:
            for connection in list(self._connections):
                self._drop(connection)
            for each in (self._listener, self._wake_reader, self._wake_writer):
                each.close()
            self._selector.close()

    def _pause(self) -> float | None:
        deadlines = [waiter.deadline for waiter in self._waiters]
        deadlines += [each.deadline for each in self._connections if not each.trusted]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it went away before we looked
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, secrets.token_bytes(CHALLENGE_BYTES), time.monotonic() + HANDSHAKE_S)
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)
        self._send(connection, GREETING + connection.challenge)

    def _guarded(self, connection: _Connection, events: int) -> None:
        """Serve one connection; whatever is wrong with it ends it and nothing else."""
        try:
            if events & selectors.EVENT_READ:
                self._receive(connection)
            if events & selectors.EVENT_WRITE:
                self._flush(connection)
        except (OSError, ValueError, IndexError):
            self._drop(connection)

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("closed by the client")
        connection.incoming += data
        if not connection.trusted and not self._authenticate(connection):
            return
        while (size := frame_size(connection.incoming)) is not None and len(connection.incoming) >= size:
            frame = bytes(connection.incoming[:size])
            del connection.incoming[:size]
            self._answer(connection, *unpack(frame))

    def _authenticate(self, connection: _Connection) -> bool:
        if len(connection.incoming) < ANSWER_BYTES:
            return False
        answer = bytes(connection.incoming[:ANSWER_BYTES])
        del connection.incoming[:ANSWER_BYTES]
        challenge, claim = answer[:CHALLENGE_BYTES], answer[CHALLENGE_BYTES:]
        connection.trusted = hmac.compare_digest(claim, proof(self._token, b"client", connection.challenge))
        connection.closing = not connection.trusted
        self._send(connection, proof(self._token, b"server", challenge) if connection.trusted else REFUSED)
        return connection.trusted

    def _answer(self, connection: _Connection, code: Code, fields: list[bytes]) -> None:
        if code in (Code.GET, Code.WAIT):
            waiter = _Waiter(connection, code, fields[1:], time.monotonic() + int(fields[0]) / 1000)
            if not self._satisfy(waiter):
                self._waiters.append(waiter)
            return
        try:
            reply = _ACTIONS[code](self._table, *fields)
        except (DistStoreError, ValueError, TypeError, KeyError) as error:
            self._send(connection, pack(Code.REFUSED, str(error).encode()))
            return
        self._send(connection, pack(Code.OK, *reply))
        if code in (Code.SET, Code.ADD, Code.APPEND, Code.COMPARE_SET):
            self._waiters = [waiter for waiter in self._waiters if not self._satisfy(waiter)]

    def _satisfy(self, waiter: _Waiter) -> bool:
        if self._table.missing(waiter.keys):
            return False
        values = [self._table.get(key) for key in waiter.keys] if waiter.code is Code.GET else []
        self._send(waiter.connection, pack(Code.OK, *values))
        return True

    def _expire(self, now: float) -> None:
        late = [waiter for waiter in self._waiters if waiter.deadline <= now]
        self._waiters = [waiter for waiter in self._waiters if waiter.deadline > now]
        for waiter in late:
            self._send(waiter.connection, pack(Code.TIMED_OUT, *self._table.missing(waiter.keys)))
        for connection in [each for each in self._connections if not each.trusted and each.deadline <= now]:
            self._drop(connection)

    def _send(self, connection: _Connection, data: bytes) -> None:
        connection.outgoing += data
        try:
            self._flush(connection)
        except OSError:
            self._drop(connection)

    def _flush(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return
        with contextlib.suppress(BlockingIOError):
            sent = connection.socket.send(connection.outgoing)
            del connection.outgoing[:sent]
        if connection.closing and not connection.outgoing:
            self._drop(connection)
            return
        interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outgoing else 0)
        self._selector.modify(connection.socket, interest, connection)

    def _drop(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._waiters = [waiter for waiter in self._waiters if waiter.connection is not connection]
            self._selector.unregister(connection.socket)
            connection.socket.close()


def _set(table: Table, key: bytes, value: bytes) -> list[bytes]:
    check_size(key, value)
    table.set(key, value)
    return []


def _append(table: Table, key: bytes, value: bytes) -> list[bytes]:
    check_size(key, value)
    table.append(key, value)
    return []


_ACTIONS: dict[Code, Callable[..., list[bytes]]] = {
    Code.SET: _set,
    Code.APPEND: _append,
    Code.ADD: lambda table, key, amount: [str(table.add(key, int(amount))).encode()],
    Code.COMPARE_SET: lambda table, key, expected, desired: [table.compare_set(key, expected, desired)],
    Code.DELETE: lambda table, key: [b"1" if table.delete(key) else b"0"],
    Code.CHECK: lambda table, *keys: [b"0" if table.missing(keys) else b"1"],
    Code.LIST: lambda table: table.names(),
}
