"""Key-value stores with torch's interface: where ranks that cannot talk to each other yet leave notes.

HashStore lives in one process, FileStore in a file that all ranks see, TCPStore in a server thread of rank 0;
PrefixStore puts a prefix before every key of another store. Values are bytes; text is stored as UTF-8.
"""

import fcntl
import os
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from ._store_table import Table, check_size
from ._timeouts import seconds
from .errors import DistStoreError

Result = TypeVar("Result")
DEFAULT_STORE_TIMEOUT = timedelta(minutes=5)


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8 of a string; bytes as they are.  TypeError for anything else."""
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"a store holds str and bytes, but got {type(text).__name__}; encode it first")


class Store(ABC):
    """What all stores can do.  `timeout` (default 5 minutes) bounds every wait."""

    def __init__(self, timeout: timedelta | float | None = None) -> None:
        self._timeout_s = seconds(timeout, DEFAULT_STORE_TIMEOUT.total_seconds())

    @property
    def timeout(self) -> timedelta:
        """The time limit of waits that name none."""
        return timedelta(seconds=self._timeout_s)

    def set_timeout(self, timeout: timedelta | float) -> None:
        """Change the time limit of waits that name none."""
        self._timeout_s = seconds(timeout)

    @abstractmethod
    def set(self, key: str, value: str | bytes) -> None:
        """Write or overwrite one value."""

    @abstractmethod
    def wait(self, keys: Sequence[str], timeout: timedelta | float | None = None) -> None:
        """Block until all keys exist.  DistStoreError after the time limit, naming the keys that are missing."""

    @abstractmethod
    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        """The values of several keys; waits for those that do not exist yet."""

    @abstractmethod
    def add(self, key: str, amount: int) -> int:
        """Add to a counter that starts at 0; the new value."""

    @abstractmethod
    def append(self, key: str, value: str | bytes) -> None:
        """Write behind what the key holds."""

    @abstractmethod
    def compare_set(self, key: str, expected_value: str | bytes, desired_value: str | bytes) -> bytes:
        """Write if the key holds the expected value (empty: if it does not exist); what is held now."""

    @abstractmethod
    def delete_key(self, key: str) -> bool:
        """Forget a key; whether it existed."""

    @abstractmethod
    def check(self, keys: Sequence[str]) -> bool:
        """Whether all keys exist; never waits."""

    @abstractmethod
    def list_keys(self) -> list[str]:
        """All keys."""

    def get(self, key: str) -> bytes:
        """The value of a key; waits until it exists."""
        return self.multi_get([key])[0]

    def multi_set(self, keys: Sequence[str], values: Sequence[str | bytes]) -> None:
        """Write several values."""
        if len(keys) != len(values):
            raise ValueError(f"multi_set: {len(keys)} keys but {len(values)} values")
        for key, value in zip(keys, values, strict=True):
            self.set(key, value)

    def num_keys(self) -> int:
        """How many keys exist."""
        return len(self.list_keys())

    def close(self) -> None:
        """Let go of sockets and threads; a store without any has nothing to do."""
        return


def timed_out(timeout_s: float, missing: Sequence[bytes | str]) -> DistStoreError:
    """The error of a wait that ran into its time limit."""
    names = ", ".join(repr(key.decode(errors="replace") if isinstance(key, bytes) else key) for key in missing[:8])
    return DistStoreError(f"wait timeout after {timeout_s * 1000:.0f}ms, keys: {names}: the rank that should have set them has not")


class _TableStore(Store):
    """A store that can run an action on its whole table at once."""

    @abstractmethod
    def _with_table(self, action: Callable[[Table], Result], changes: bytes | None = None) -> Result:
        """Run an action on the table while nobody else can; `changes` is the key that it may have changed."""

    def set(self, key: str, value: str | bytes) -> None:
        raw_key, raw_value = to_bytes(key), to_bytes(value)
        check_size(raw_key, raw_value)
        self._with_table(lambda table: table.set(raw_key, raw_value), raw_key)

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        self.wait(keys)
        return self._with_table(lambda table: [table.get(to_bytes(key)) for key in keys])

    def add(self, key: str, amount: int) -> int:
        return self._with_table(lambda table: table.add(to_bytes(key), amount), to_bytes(key))

    def append(self, key: str, value: str | bytes) -> None:
        self._with_table(lambda table: table.append(to_bytes(key), to_bytes(value)), to_bytes(key))

    def compare_set(self, key: str, expected_value: str | bytes, desired_value: str | bytes) -> bytes:
        raw = to_bytes(key)
        return self._with_table(lambda table: table.compare_set(raw, to_bytes(expected_value), to_bytes(desired_value)), raw)

    def delete_key(self, key: str) -> bool:
        return self._with_table(lambda table: table.delete(to_bytes(key)), to_bytes(key))

    def check(self, keys: Sequence[str]) -> bool:
        return self._with_table(lambda table: not table.missing([to_bytes(key) for key in keys]))

    def list_keys(self) -> list[str]:
        return self._with_table(lambda table: [key.decode(errors="replace") for key in table.names()])


class HashStore(_TableStore):
    """A store for the threads of one process."""

    def __init__(self, timeout: timedelta | float | None = None) -> None:
        super().__init__(timeout)
        self._table = Table()
        self._changed = threading.Condition()

    def _with_table(self, action: Callable[[Table], Result], changes: bytes | None = None) -> Result:
        with self._changed:
            result = action(self._table)
            if changes is not None:
                self._changed.notify_all()
            return result

    def wait(self, keys: Sequence[str], timeout: timedelta | float | None = None) -> None:
        wanted, timeout_s = [to_bytes(key) for key in keys], seconds(timeout, self._timeout_s)
        with self._changed:
            if not self._changed.wait_for(lambda: not self._table.missing(wanted), timeout_s):
                raise timed_out(timeout_s, self._table.missing(wanted))


class FileStore(_TableStore):
    """A store in one file, for ranks that share a file system with working locks.

    The file is a log of (key, value) pairs under a lock; the last pair of a key counts, and a pair without a value deletes it.
    world_size is accepted for torch's sake. Start every job with a new file name: what an earlier job left is read too.
    """

    _HEADER = struct.Struct("!II")
    _DELETED = 0xFFFFFFFF

    def __init__(self, file_name: str | os.PathLike[str], world_size: int = -1, timeout: timedelta | float | None = None) -> None:
        super().__init__(timeout)
        self._path = Path(file_name)
        with open(self._path, "ab"):
            pass  # create it, or say at once that it cannot be written

    @property
    def path(self) -> str:
        """The file's name."""
        return str(self._path)

    def _read(self, log: bytes) -> Table:
        table, at = Table(), 0
        while at < len(log):
            key_size, value_size = self._HEADER.unpack_from(log, at)
            at += self._HEADER.size
            key, at = log[at : at + key_size], at + key_size
            if value_size == self._DELETED:
                table.delete(key)
            else:
                table.set(key, log[at : at + value_size])
                at += value_size
        return table

    def _with_table(self, action: Callable[[Table], Result], changes: bytes | None = None) -> Result:
        with open(self._path, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            table = self._read(file.read())
            result = action(table)
            if changes is not None:
                gone = bool(table.missing([changes]))
                value = b"" if gone else table.get(changes)
                file.write(self._HEADER.pack(len(changes), self._DELETED if gone else len(value)) + changes + value)
                file.flush()
            return result

    def wait(self, keys: Sequence[str], timeout: timedelta | float | None = None) -> None:
        wanted, timeout_s = [to_bytes(key) for key in keys], seconds(timeout, self._timeout_s)
        deadline = time.monotonic() + timeout_s
        while missing := self._with_table(lambda table: table.missing(wanted)):
            if time.monotonic() > deadline:
                raise timed_out(timeout_s, missing)
            time.sleep(0.01)  # other processes write the file; nothing tells us when


class PrefixStore(Store):
    """Another store, with a prefix before every key, so that two users of it cannot meet."""

    def __init__(self, prefix: str, store: Store) -> None:
        super().__init__(store.timeout)
        self._prefix = prefix + "/"
        self.underlying_store = store

    def _named(self, keys: Sequence[str]) -> list[str]:
        return [self._prefix + key for key in keys]

    def set(self, key: str, value: str | bytes) -> None:
        self.underlying_store.set(self._prefix + key, value)

    def wait(self, keys: Sequence[str], timeout: timedelta | float | None = None) -> None:
        self.underlying_store.wait(self._named(keys), self._timeout_s if timeout is None else timeout)

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        self.wait(keys)
        return self.underlying_store.multi_get(self._named(keys))

    def add(self, key: str, amount: int) -> int:
        return self.underlying_store.add(self._prefix + key, amount)

    def append(self, key: str, value: str | bytes) -> None:
        self.underlying_store.append(self._prefix + key, value)

    def compare_set(self, key: str, expected_value: str | bytes, desired_value: str | bytes) -> bytes:
        return self.underlying_store.compare_set(self._prefix + key, expected_value, desired_value)

    def delete_key(self, key: str) -> bool:
        return self.underlying_store.delete_key(self._prefix + key)

    def check(self, keys: Sequence[str]) -> bool:
        return self.underlying_store.check(self._named(keys))

    def list_keys(self) -> list[str]:
        return [key[len(self._prefix) :] for key in self.underlying_store.list_keys() if key.startswith(self._prefix)]
