"""NCCL through nccl4py, NVIDIA's binding.  Source: nccl4py 0.6, nccl.bindings.nccl, the layer that takes integer addresses."""

from nccl.bindings import nccl

from ._interface import NcclBinding, NcclCommunicator, spelled_version

_SUCCESS, _IN_PROGRESS = 0, 7  # ncclResult_t


class Communicator(NcclCommunicator):
    """An ncclComm_t held by nccl4py."""

    def __init__(self, size: int, unique_id: bytes, rank: int) -> None:
        self._comm = nccl.comm_init_rank_scalable(size, rank, 1, bytearray(unique_id), 0)

    def all_reduce(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        nccl.all_reduce(send, recv, count, datatype, op, self._comm, stream)

    def reduce(self, send: int, recv: int, count: int, datatype: int, op: int, root: int, stream: int) -> None:
        nccl.reduce(send, recv, count, datatype, op, root, self._comm, stream)

    def broadcast(self, send: int, recv: int, count: int, datatype: int, root: int, stream: int) -> None:
        nccl.broadcast(send, recv, count, datatype, root, self._comm, stream)

    def all_gather(self, send: int, recv: int, count: int, datatype: int, stream: int) -> None:
        nccl.all_gather(send, recv, count, datatype, self._comm, stream)

    def reduce_scatter(self, send: int, recv: int, count: int, datatype: int, op: int, stream: int) -> None:
        nccl.reduce_scatter(send, recv, count, datatype, op, self._comm, stream)

    def send(self, send: int, count: int, datatype: int, peer: int, stream: int) -> None:
        nccl.send(send, count, datatype, peer, self._comm, stream)

    def recv(self, recv: int, count: int, datatype: int, peer: int, stream: int) -> None:
        nccl.recv(recv, count, datatype, peer, self._comm, stream)

    def async_error(self) -> str | None:
        code = int(nccl.comm_get_async_error(self._comm))
        return None if code in (_SUCCESS, _IN_PROGRESS) else f"{nccl.get_error_string(code)}: {nccl.get_last_error(self._comm)}"

    def abort(self) -> None:
        nccl.comm_abort(self._comm)

    def destroy(self) -> None:
        nccl.comm_destroy(self._comm)


class Binding(NcclBinding):
    """NVIDIA's own."""

    def __init__(self) -> None:
        self.version()  # loads libnccl, or says that it is not there

    def unique_id(self) -> bytes:
        return bytes(nccl.get_unique_id())

    def communicator(self, size: int, unique_id: bytes, rank: int) -> Communicator:
        return Communicator(size, unique_id, rank)

    def group_start(self) -> None:
        nccl.group_start()

    def group_end(self) -> None:
        nccl.group_end()

    def version(self) -> str:
        return spelled_version(int(nccl.get_version()))
