"""What the nccl backend needs of NCCL, over integers: device addresses, element counts, enum codes, stream handles.

Source of the codes: nccl.h, ncclDataType_t and ncclRedOp_t, which are the same in every release.
"""

from abc import ABC, abstractmethod

DATATYPES = {
    "int8": 0,
    "uint8": 1,
    "int32": 2,
    "uint32": 3,
    "int64": 4,
    "uint64": 5,
    "float16": 6,
    "float32": 7,
    "float64": 8,
    "bfloat16": 9,
}
SUM, PROD, MAX, MIN, AVG = range(5)
UNIQUE_ID_BYTES = 128


class NcclCommunicator(ABC):
    """One rank's communicator. Every call is asynchronous on the stream; addresses are device addresses, counts are elements."""

    @abstractmethod
    def all_reduce(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        """recv <- op over all ranks' send; they may be the same address."""

    @abstractmethod
    def reduce(self, send: int, recv: int, count: int, datatype: int, op: int, root: int, stream: int) -> None:
        """recv of root <- op over all ranks' send."""

    @abstractmethod
    def broadcast(self, send: int, recv: int, count: int, datatype: int, root: int, stream: int) -> None:
        """recv <- root's send."""

    @abstractmethod
    def all_gather(self, send: int, recv: int, count: int, datatype: int, stream: int) -> None:
        """recv <- all ranks' send, count elements each."""

    @abstractmethod
    def reduce_scatter(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        """recv <- this rank's count elements of op over all ranks' send."""

    @abstractmethod
    def send(self, send: int, count: int, datatype: int, peer: int, stream: int) -> None:
        """Send to one rank."""

    @abstractmethod
    def recv(self, recv: int, count: int, datatype: int, peer: int, stream: int) -> None:
        """Receive from one rank."""

    @abstractmethod
    def async_error(self) -> str | None:
        """What has gone wrong since, in words, or None."""

    @abstractmethod
    def abort(self) -> None:
        """End outstanding operations, so that streams which wait for them go on, and free the communicator."""

    @abstractmethod
    def destroy(self) -> None:
        """Free the communicator after its operations have completed."""


class NcclBinding(ABC):
    """One Python package that speaks NCCL.  has_avg, has_bfloat16: what it can ask the library for."""

    has_avg = True
    has_bfloat16 = True

    @abstractmethod
    def unique_id(self) -> bytes:
        """A new identity for a communicator; one rank makes it, all ranks get it."""

    @abstractmethod
    def communicator(self, size: int, unique_id: bytes, rank: int) -> NcclCommunicator:
        """Join a communicator on the current GPU; returns when all ranks have joined."""

    @abstractmethod
    def group_start(self) -> None:
        """The calls up to group_end become one."""

    @abstractmethod
    def group_end(self) -> None:
        """Launch what was called since group_start."""

    @abstractmethod
    def version(self) -> str:
        """The library's version, '2.28.3'."""


def spelled_version(code: int) -> str:
    """'2.28.3' from NCCL's 22803, and '2.8.4' from the 2804 of releases before 2.9."""
    if code < 10000:
        return f"{code // 1000}.{code % 1000 // 100}.{code % 100}"
    return f"{code // 10000}.{code % 10000 // 100}.{code % 100}"
