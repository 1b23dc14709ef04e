"""NCCL through cupy.cuda.nccl.  Source: CuPy 14, cupy_backends/cuda/libs/nccl.pyx."""

from cupy.cuda import nccl

from ._interface import NcclBinding, NcclCommunicator, spelled_version


class Communicator(NcclCommunicator):
    """A cupy.cuda.nccl.NcclCommunicator."""

    def __init__(self, size: int, unique_id: bytes, rank: int) -> None:
        self._comm = nccl.NcclCommunicator(size, unique_id, rank)

    def all_reduce(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        self._comm.allReduce(send, recv, count, datatype, op, stream)

    def reduce(self, send: int, recv: int, count: int, datatype: int, op: int, root: int, stream: int) -> None:
        self._comm.reduce(send, recv, count, datatype, op, root, stream)

    def broadcast(self, send: int, recv: int, count: int, datatype: int, root: int, stream: int) -> None:
        self._comm.broadcast(send, recv, count, datatype, root, stream)

    def all_gather(self, send: int, recv: int, count: int, datatype: int, stream: int) -> None:
        self._comm.allGather(send, recv, count, datatype, stream)

    def reduce_scatter(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        self._comm.reduceScatter(send, recv, count, datatype, op, stream)

    def send(self, send: int, count: int, datatype: int, peer: int, stream: int) -> None:
        self._comm.send(send, count, datatype, peer, stream)

    def recv(self, recv: int, count: int, datatype: int, peer: int, stream: int) -> None:
        self._comm.recv(recv, count, datatype, peer, stream)

    def async_error(self) -> str | None:
        try:
            self._comm.check_async_error()
        except nccl.NcclError as error:
            return str(error)
        return None

    def abort(self) -> None:
        self._comm.abort()

    def destroy(self) -> None:
        self._comm.destroy()


class Binding(NcclBinding):
    """CuPy's own."""

    def __init__(self) -> None:
        if not nccl.available:
            raise RuntimeError("CuPy could not load libnccl")

    def unique_id(self) -> bytes:
        return bytes(nccl.get_unique_id())

    def communicator(self, size: int, unique_id: bytes, rank: int) -> Communicator:
        return Communicator(size, unique_id, rank)

    def group_start(self) -> None:
        nccl.groupStart()

    def group_end(self) -> None:
        nccl.groupEnd()

    def version(self) -> str:
        return spelled_version(nccl.get_version())
