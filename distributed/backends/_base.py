"""What a backend is to a process group: it moves the bytes of flat, contiguous arrays, and checks nothing about them.

Every method starts an operation and returns a `Pending`. Arrays are one-dimensional; `counts` are elements per rank.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..flight_recorder import Record
from ..reduce_op import ReduceOp

Array = Any  # numpy.ndarray or cupy.ndarray: CuPy may be absent, and has no types


class Pending(ABC):
    """An operation that has been started."""

    source: int | None = None  # of a receive that has completed: the sender's rank in the group

    @abstractmethod
    def poll(self) -> bool:
        """One look without waiting: True once it has completed.  Raises what made it fail."""

    @abstractmethod
    def wait(self, timeout_s: float, block_host: bool = False) -> None:
        """Return once it has completed.  DistTimeoutError after timeout_s; raises what made it fail.

        GPU operations only make the current stream wait and return at once, unless block_host (the caller named a time limit) is set.
        """


class Backend(ABC):
    """One rank's end of one group.

    name: 'local', 'mpi' or 'nccl'.  rank, size: in the group.  members: the global rank of each rank of the group.
    """

    name: str

    def __init__(self, rank: int, members: Sequence[int]) -> None:
        self.rank, self.members, self.size = rank, tuple(members), len(members)

    @abstractmethod
    def all_reduce(self, record: Record, buffer: Array, op: ReduceOp) -> Pending:
        """buffer <- op over all ranks' buffers, everywhere."""

    @abstractmethod
    def reduce(self, record: Record, buffer: Array, op: ReduceOp, root: int) -> Pending:
        """buffer of root <- op over all ranks' buffers; the others' stay as they are."""

    @abstractmethod
    def broadcast(self, record: Record, buffer: Array, root: int) -> Pending:
        """buffer <- root's buffer, everywhere."""

    @abstractmethod
    def all_gather(self, record: Record, output: Array, data: Array, counts: Sequence[int]) -> Pending:
        """output <- all ranks' data one behind the other; rank i sends counts[i] elements."""

    @abstractmethod
    def reduce_scatter(self, record: Record, output: Array, data: Array, op: ReduceOp, counts: Sequence[int]) -> Pending:
        """output <- this rank's part (counts[rank] elements) of op over all ranks' data."""

    @abstractmethod
    def gather(self, record: Record, output: Array | None, data: Array, root: int) -> Pending:
        """output of root <- all ranks' data, of equal sizes, one behind the other; None elsewhere."""

    @abstractmethod
    def scatter(self, record: Record, output: Array, data: Array | None, root: int) -> Pending:
        """output <- this rank's part of root's data, cut into equal parts; data is None elsewhere."""

    @abstractmethod
    def all_to_all(self, record: Record, output: Array, data: Array, output_counts: Sequence[int], counts: Sequence[int]) -> Pending:
        """The i-th part of rank j's data becomes the j-th part of rank i's output.  RuntimeError everywhere if the counts disagree."""

    @abstractmethod
    def send(self, record: Record, data: Array, peer: int, tag: int) -> Pending:
        """Send to one rank."""

    @abstractmethod
    def recv(self, record: Record, buffer: Array, peer: int | None, tag: int) -> Pending:
        """Receive from one rank, or (None) from whichever sends first; the Pending's `source` says who it was."""

    @abstractmethod
    def barrier(self, record: Record) -> Pending:
        """Completes once every rank has called it."""

    @abstractmethod
    def agree(self, record: Record) -> Pending:
        """Completes once every rank has issued the same record; moves no data."""

    @abstractmethod
    def subgroup(self, name: str, ranks: Sequence[int]) -> "Backend":
        """The backend of a new group of these ranks of this one, in this order; only its members call, and all of them."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the group holds; may be called on one rank only, and twice."""

    def progress(self) -> None:
        """Push outstanding operations along, for libraries that make no progress on their own."""
        return

    def start_messages(self) -> None:
        """The sends and receives that follow, up to end_messages, may depend on each other in any order."""
        return

    def end_messages(self) -> None:
        """See start_messages."""
        return


class Completed(Pending):
    """An operation that was over as soon as it was started."""

    def poll(self) -> bool:
        return True

    def wait(self, timeout_s: float, block_host: bool = False) -> None:
        return


def displacements(counts: Sequence[int]) -> list[int]:
    """Where each rank's part starts: [2, 3, 1] -> [0, 2, 5]."""
    starts, at = [], 0
    for count in counts:
        starts.append(at)
        at += count
    return starts
