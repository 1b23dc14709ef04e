"""How ranks that cannot use NCCL yet tell each other a few bytes: over MPI, or over the store."""

import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ..errors import DistStoreError, DistTimeoutError
from ..store import Store
from .mpi import MpiBackend


class Bootstrap(ABC):
    """Exchange of short byte strings among the members of one group.  Keys are used once."""

    @abstractmethod
    def share(self, key: str, value: bytes | None, timeout_s: float) -> bytes:
        """What the group's first rank gave as value; the others give None.  DistTimeoutError if it does not."""

    @abstractmethod
    def exchange(self, key: str, text: str, timeout_s: float) -> dict[int, str]:
        """What every rank said, by global rank; ranks that said nothing in time are left out."""


class StoreBootstrap(Bootstrap):
    """Over a store that belongs to the group (a PrefixStore).  members: global ranks; rank: this one's global rank."""

    def __init__(self, store: Store, members: Sequence[int], rank: int) -> None:
        self._store, self._members, self._rank = store, tuple(members), rank

    def share(self, key: str, value: bytes | None, timeout_s: float) -> bytes:
        if value is not None:
            self._store.set(key, value)
            return value
        try:
            self._store.wait([key], timeout_s)
        except DistStoreError as error:
            raise DistTimeoutError(f"rank {self._members[0]} has not sent {key} within {timeout_s:g} s") from error
        return self._store.get(key)

    def exchange(self, key: str, text: str, timeout_s: float) -> dict[int, str]:
        self._store.set(f"{key}/{self._rank}", text)
        deadline, said = time.monotonic() + timeout_s, {self._rank: text}
        while len(said) < len(self._members) and time.monotonic() < deadline:
            for rank in self._members:
                if rank not in said and self._store.check([f"{key}/{rank}"]):
                    said[rank] = self._store.get(f"{key}/{rank}").decode(errors="replace")
            time.sleep(0.02)
        return dict(sorted(said.items()))


class MpiBootstrap(Bootstrap):
    """Over MPI_COMM_WORLD, which carries nothing else of ours."""

    _BYTES = 1024

    def __init__(self, mpi: MpiBackend, group: str, members: Sequence[int]) -> None:
        self._world, self._group, self._members = mpi.world, group, tuple(members)
        self._everyone = mpi.world.mpi.COMM_WORLD

    def _tag(self, key: str) -> int:
        return zlib.crc32(f"{self._group}/{key}".encode()) % 32768

    def share(self, key: str, value: bytes | None, timeout_s: float) -> bytes:
        row = np.zeros(self._BYTES, np.uint8)
        if value is not None:
            row[: len(value)] = np.frombuffer(value, np.uint8)
            others = [rank for rank in self._members if rank != self._world.rank]
            requests = [self._everyone.Isend(row, rank, self._tag(key)) for rank in others]
        else:
            requests = [self._everyone.Irecv(row, self._members[0], self._tag(key))]
        if not self._all_done(requests, timeout_s):
            self._world.abandon(requests, (row,))
            raise DistTimeoutError(f"rank {self._members[0]} and rank {self._world.rank} have not exchanged {key} within {timeout_s:g} s")
        return bytes(row)[: len(value)] if value is not None else bytes(row)

    def exchange(self, key: str, text: str, timeout_s: float) -> dict[int, str]:
        own = np.frombuffer(text.encode()[: self._BYTES].ljust(self._BYTES), np.uint8).copy()
        heard = {rank: np.zeros(self._BYTES, np.uint8) for rank in self._members if rank != self._world.rank}
        requests = [self._everyone.Irecv(row, rank, self._tag(key)) for rank, row in heard.items()]
        requests += [self._everyone.Isend(own, rank, self._tag(key)) for rank in heard]
        if not self._all_done(requests, timeout_s):
            self._world.abandon(requests, (own, heard))
        said = {rank: bytes(row).decode(errors="replace").strip("\0 ") for rank, row in heard.items()}
        return dict(sorted({self._world.rank: text, **{rank: words for rank, words in said.items() if words}}.items()))

    def _all_done(self, requests: Sequence[object], timeout_s: float) -> bool:
        deadline, left = time.monotonic() + timeout_s, list(requests)
        while left and time.monotonic() < deadline:
            with self._world.lock:
                left = [request for request in left if not request.Test()]
            time.sleep(0.0005)
        return not left
