"""NCCL through pynccl.  Source: pynccl 0.1.2, pynccl.binding, which calls the library with ctypes.

It declares the interface of NCCL 2.7: counts of 31 bits, no bfloat16, no AVG. NUMBA_NCCLLIB must name the folder of libnccl.so.
"""

import ctypes

from pynccl import binding as pynccl

from ._interface import UNIQUE_ID_BYTES, NcclBinding, NcclCommunicator, spelled_version


class Communicator(NcclCommunicator):
    """An ncclComm_t."""

    def __init__(self, library: pynccl.libnccl, size: int, unique_id: bytes, rank: int) -> None:
        self._library, self._comm = library, ctypes.c_void_p()
        identity = pynccl.ncclUniqueId()
        ctypes.memmove(ctypes.addressof(identity), unique_id, UNIQUE_ID_BYTES)
        library.ncclCommInitRank(ctypes.byref(self._comm), size, identity, rank)

    def all_reduce(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        self._library.ncclAllReduce(send, recv, _count(count), datatype, op, self._comm, _stream(stream))

    def reduce(self, send: int, recv: int, count: int, datatype: int, op: int, root: int, stream: int) -> None:
        self._library.ncclReduce(send, recv, _count(count), datatype, op, root, self._comm, _stream(stream))

    def broadcast(self, send: int, recv: int, count: int, datatype: int, root: int, stream: int) -> None:
        self._library.ncclBroadcast(send, recv, _count(count), datatype, root, self._comm, _stream(stream))

    def all_gather(self, send: int, recv: int, count: int, datatype: int, stream: int) -> None:
        self._library.ncclAllGather(send, recv, _count(count), datatype, self._comm, _stream(stream))

    def reduce_scatter(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        self._library.ncclReduceScatter(send, recv, _count(count), datatype, op, self._comm, _stream(stream))

    def send(self, send: int, count: int, datatype: int, peer: int, stream: int) -> None:
        self._library.ncclSend(send, _count(count), datatype, peer, self._comm, _stream(stream))

    def recv(self, recv: int, count: int, datatype: int, peer: int, stream: int) -> None:
        self._library.ncclRecv(recv, _count(count), datatype, peer, self._comm, _stream(stream))

    def async_error(self) -> str | None:
        code = ctypes.c_int(0)
        self._library.ncclCommGetAsyncError(self._comm, ctypes.byref(code))
        return None if code.value == 0 else pynccl.STATUS.get(code.value, f"NCCL error {code.value}")

    def abort(self) -> None:
        self._library.ncclCommAbort(self._comm)

    def destroy(self) -> None:
        self._library.ncclCommDestroy(self._comm)


class Binding(NcclBinding):
    """The old one."""

    has_avg = False
    has_bfloat16 = False

    def __init__(self) -> None:
        self._library = pynccl.libnccl()

    def unique_id(self) -> bytes:
        identity = pynccl.ncclUniqueId()
        self._library.ncclGetUniqueId(ctypes.byref(identity))
        return ctypes.string_at(ctypes.addressof(identity), UNIQUE_ID_BYTES)  # the rest of pynccl's 512 bytes is unused

    def communicator(self, size: int, unique_id: bytes, rank: int) -> Communicator:
        return Communicator(self._library, size, unique_id, rank)

    def group_start(self) -> None:
        self._library.ncclGroupStart()

    def group_end(self) -> None:
        self._library.ncclGroupEnd()

    def version(self) -> str:
        code = ctypes.c_int(0)
        self._library.ncclGetVersion(ctypes.byref(code))
        return spelled_version(code.value)


def _count(count: int) -> int:
    if count >= 2**31:
        raise ValueError(f"pynccl moves at most {2**31 - 1} elements in one call, not {count}; use RINGGRAD_NCCL_BINDING=cupy")
    return count


def _stream(handle: int) -> pynccl.cu_stream:
    return pynccl.cu_stream(handle)
