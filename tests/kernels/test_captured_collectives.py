"""Collectives of the nccl backend in a CUDA graph's capture, on the GPU on the host: events bring them into the graph, and nothing looks at them."""
import types

import host_capture
import numpy as np
import pytest

from ringgrad import cuda
from ringgrad._core.tensor import wrap
from ringgrad.distributed.backends import nccl
from ringgrad.distributed.errors import DistBackendError
from ringgrad.distributed.reduce_op import ReduceOp


class Communicator:
    """NCCL's for one rank: notes what it was asked for, and on which stream."""

    def __init__(self, *args):
        self.calls = []

    def all_reduce(self, send, receive, count, datatype, op, stream):
        self.calls.append((count, stream))

    def async_error(self):
        return None

    def abort(self):
        pass

    destroy = abort


@pytest.fixture
def group(compiled, monkeypatch):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        xp.ElementwiseKernel = lambda *texts: lambda value, pair: pair.fill(value)
        comm = Communicator()
        binding = types.SimpleNamespace(communicator=lambda *args: comm, unique_id=lambda: b"0" * 128, version=lambda: 0, group_start=lambda: None,
                                        group_end=lambda: None, premul_sum=None, has=lambda *args: True)
        monkeypatch.setattr(nccl, "_load_cupy", lambda: xp)
        monkeypatch.setattr(nccl._nccl_bindings, "load", lambda: binding)
        monkeypatch.setattr(nccl.NcclBackend, "_check_one_gpu_each", lambda self, device: None)
        monkeypatch.setattr(nccl.NcclBackend, "_compare", lambda self, comm, record: comparisons.append(record))
        bootstrap, comparisons = types.SimpleNamespace(share=lambda *args: b"0" * 128), []
        backend = nccl.NcclBackend(bootstrap, "g", 0, (0,), 60.0)
        watched = []
        monkeypatch.setattr(backend, "_watchdog", types.SimpleNamespace(watch=watched.append, of=lambda b: watched, forget=lambda b: None))
        yield types.SimpleNamespace(backend=backend, comm=comm, watched=watched, comparisons=comparisons, xp=xp)


def all_reduce(group, x):
    record = types.SimpleNamespace(collective="all_reduce", op="sum", dtype="float32", shape=x._data.shape, root=None, extra=None, sequence=1)
    return group.backend.all_reduce(record, x._data, ReduceOp.SUM)


def test_a_captured_collective_is_part_of_the_graph(group):
    x, graph = wrap(group.xp.place(np.ones(4, np.float32))), cuda.CUDAGraph()
    all_reduce(group, x).wait(1.0)
    assert len(group.comparisons) == len(group.watched) == 1
    with cuda.graph(graph):
        y = x * 2
        pending = all_reduce(group, y)
        assert group.backend._stream.is_capturing()
        assert pending.poll()  # its event is never asked
        pending.wait(1.0)
        z = y + 1
    assert len(group.comparisons) == len(group.watched) == 1 and len(group.comm.calls) == 2
    assert not group.backend._stream.is_capturing()
    graph.replay()
    assert z.tolist() == [3] * 4 and any(pending.hold in kept for kept in graph._kept)
    assert pending.look() and pending.poll()  # nor is it afterwards


def test_a_collective_that_nobody_waits_for_is_an_error(group):
    x = wrap(group.xp.place(np.ones(4, np.float32)))
    all_reduce(group, x).wait(1.0)
    with pytest.raises(cuda.CaptureError, match="Unjoined"), cuda.graph(cuda.CUDAGraph()):
        all_reduce(group, x)


def test_a_batch_of_messages_is_captured(group):
    x, graph = wrap(group.xp.place(np.ones(4, np.float32))), cuda.CUDAGraph()
    all_reduce(group, x).wait(1.0)
    with cuda.graph(graph):
        group.backend.start_messages()
        pending = all_reduce(group, x)
        group.backend.end_messages()
        pending.wait(1.0)
    graph.replay()


def test_the_communicator_must_be_there_before(group):
    x = wrap(group.xp.place(np.ones(4, np.float32)))
    with pytest.raises(DistBackendError, match="cannot be captured in a CUDA graph; run one before"), cuda.graph(cuda.CUDAGraph()):
        all_reduce(group, x)
