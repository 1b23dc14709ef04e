"""Streams, events and the accounts of device memory, on the GPU on the host (host_capture.py), whose pool is CuPy's in small."""
import threading

import host_capture
import numpy as np
import pytest

import ringgrad
from ringgrad import cuda
from ringgrad._backends import BACKENDS, load_cuda, out_of_memory
from ringgrad._core.tensor import wrap

KIB = 1024


class OnBlock(host_capture.CapturedArray):
    """An array that lies, for the accounts, in a block of the pool."""

    data = property(lambda self: self.block)


def tensor_on(block):
    array = np.ndarray.view(np.ones(4, np.float32), OnBlock)
    array.block = block
    return wrap(array)


@pytest.fixture
def xp(compiled, monkeypatch):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        monkeypatch.setitem(BACKENDS, OnBlock, load_cuda())
        yield xp


@pytest.fixture
def allocate(xp):
    return load_cuda().allocator.allocate


# Accounts


def test_what_is_in_use_and_the_most_that_was(allocate):
    a, b = allocate(10 * KIB), allocate(5 * KIB)
    assert (cuda.memory_allocated(), cuda.max_memory_allocated(), cuda.memory_reserved()) == (15 * KIB,) * 3
    del a
    assert (cuda.memory_allocated(), cuda.max_memory_allocated(), cuda.memory_reserved()) == (5 * KIB, 15 * KIB, 15 * KIB)
    c = allocate(10 * KIB)
    assert (cuda.memory_allocated(), cuda.max_memory_allocated(), cuda.max_memory_reserved()) == (15 * KIB,) * 3
    del b, c
    cuda.reset_peak_memory_stats()
    assert (cuda.memory_allocated(), cuda.max_memory_allocated(), cuda.max_memory_reserved()) == (0, 0, 15 * KIB)
    cuda.empty_cache()
    assert (cuda.memory_reserved(), cuda.max_memory_reserved()) == (0, 15 * KIB)
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_reserved() == 0


def test_a_short_peak_counts(allocate):
    """One that is over before anybody asks."""
    for size in (1, 64, 3):
        allocate(size * KIB)
    assert cuda.memory_allocated() == 0 and cuda.max_memory_allocated() == 64 * KIB


def test_threads_are_counted_together(allocate):
    barrier, kept = threading.Barrier(4), []

    def work():
        for _ in range(50):
            allocate(KIB)
        kept.append(allocate(8 * KIB))
        barrier.wait()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert cuda.memory_allocated() == 32 * KIB and 32 * KIB <= cuda.max_memory_allocated() <= 36 * KIB


def test_pools_of_graphs_are_counted(allocate):
    kept, handle = allocate(KIB), cuda.graph_pool_handle()
    own = handle.pool.allocate(2 * KIB)
    assert (cuda.memory_allocated(), cuda.max_memory_allocated(), cuda.memory_reserved()) == (3 * KIB,) * 3
    del own
    assert allocate(2 * KIB).ptr and cuda.memory_reserved() == 5 * KIB  # memory of a graph is used by that graph alone
    cuda.empty_cache()
    assert cuda.memory_reserved() == 3 * KIB  # and stays with it, though no tensor is in it
    handle.pool.native.free_all_blocks()  # as CuPy does when memory is short
    assert [segment.size for segment in handle.pool.segments] == [2 * KIB]
    del handle
    assert (cuda.memory_allocated(), cuda.memory_reserved(), kept.mem.size) == (KIB, KIB, KIB)


def test_blocks_belong_to_streams(allocate):
    block = allocate(KIB)
    address = block.ptr
    del block
    with cuda.stream(cuda.Stream()):
        assert allocate(KIB).ptr != address
    assert allocate(KIB).ptr == address


def test_stats_under_torchs_keys(allocate):
    kept = [allocate(4 * KIB), allocate(KIB)]
    del kept[0]
    stats = cuda.memory_stats()
    assert {k: v for k, v in stats.items() if v} == {
        "active_bytes.all.current": KIB, "active_bytes.all.peak": 5 * KIB, "allocated_bytes.all.current": KIB,
        "allocated_bytes.all.peak": 5 * KIB, "reserved_bytes.all.current": 5 * KIB, "reserved_bytes.all.peak": 5 * KIB,
        "allocation.all.allocated": 2}
    assert cuda.memory_stats_as_nested_dict()["reserved_bytes"]["all"]["peak"] == 5 * KIB
    assert " Allocated memory      |        1 KiB  |        5 KiB  " in cuda.memory_summary()
    cuda.reset_accumulated_memory_stats()
    assert cuda.memory_stats()["allocation.all.allocated"] == 0
    assert cuda.memory_snapshot() == [] and cuda.get_allocator_backend() == "cupy"


# Too little


def test_out_of_memory_in_torchs_words(allocate, xp):
    host_capture.RUNTIME.capacity = 8 * KIB
    kept = [allocate(4 * KIB), allocate(KIB)]
    del kept[1]
    words = (r"CUDA out of memory. Tried to allocate 6.00 KiB. GPU 0 has a total capacity of 8.00 KiB of which 4.00 KiB is free. Of the memory of "
             r"this process 4.00 KiB is allocated by ringgrad, and 0 bytes is reserved by ringgrad but unallocated")
    with pytest.raises(cuda.OutOfMemoryError, match=words) as info:
        allocate(6 * KIB)
    assert isinstance(info.value, RuntimeError) and isinstance(info.value, xp.cuda.memory.OutOfMemoryError)
    assert ringgrad.OutOfMemoryError is cuda.OutOfMemoryError and info.value.operation is None
    stats = cuda.memory_stats()
    assert stats["num_ooms"] == stats["num_alloc_retries"] == 1 and cuda.memory_allocated() == 4 * KIB
    assert allocate(2 * KIB).ptr  # and it goes on


def test_the_operation_that_asked_is_named(xp, monkeypatch):
    op, x = ringgrad.ops.multiply.op, wrap(xp.place(np.ones(3, np.float32)))
    host_capture.RUNTIME.capacity = 0

    def needs_memory(xp, a, b):
        return load_cuda().allocator.allocate(KIB)
    monkeypatch.setitem(op.overrides, ("cupy", None), needs_memory)
    op.kernels.clear()
    with pytest.raises(cuda.OutOfMemoryError, match=r"Tried to allocate 1.00 KiB.*It was asked for by multiply\.$") as info:
        ringgrad.mul(x, x)
    assert info.value.operation == "multiply"
    op.kernels.clear()


def test_memory_is_given_back_before_giving_up(allocate):
    """Blocks of other streams, and those that only a stream of record_stream still holds."""
    host_capture.RUNTIME.capacity = 8 * KIB
    other = cuda.Stream()
    with cuda.stream(other):
        allocate(4 * KIB)
    t = tensor_on(allocate(4 * KIB))
    t.record_stream(other)
    other.native.busy = True
    del t
    assert allocate(8 * KIB).ptr  # it has waited for the stream
    assert cuda.memory_stats()["num_alloc_retries"] == 1 and cuda.memory_stats()["num_ooms"] == 0 and not other.native.busy


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.50 KiB"), (20 * 2**20, "20.00 MiB"),
                                             (2**31, "2.00 GiB")])
def test_sizes_as_torch_prints_them(count, text):
    assert out_of_memory.size(count) == text


def test_an_allocator_of_the_users_own_stays(xp):
    mine = lambda size: None  # noqa: E731
    host_capture.RUNTIME.allocator = mine
    load_cuda().allocator.install()
    assert xp.cuda.get_allocator() is mine


# Memory that another stream reads


def test_record_stream_keeps_memory_until_the_stream_has_passed(xp):
    backend = load_cuda()
    allocate, other = backend.allocator.allocate, cuda.Stream()
    t = tensor_on(allocate(KIB))
    address = t._data.data.ptr
    other.native.busy = True
    t.record_stream(other)
    assert allocate(KIB).ptr != address
    other.native.busy = True
    del t
    kept = [allocate(KIB) for _ in range(3)]
    assert address not in [k.ptr for k in kept] and cuda.memory_allocated() == 4 * KIB
    other.native.busy = False
    assert address in [allocate(KIB).ptr, allocate(KIB).ptr]
    del kept
    assert cuda.memory_allocated() == 0


def test_a_recorded_tensor_that_is_still_used_stays(xp):
    backend = load_cuda()
    t = tensor_on(backend.allocator.allocate(KIB))
    view = t._data.data.mem  # what a view holds
    t.record_stream(cuda.Stream())
    del t
    backend.allocator.allocate(KIB)
    assert backend.allocator._held and view.size == KIB


def test_record_stream_needs_a_gpu():
    with pytest.raises(RuntimeError, match="record_stream: the tensor is on cpu"):
        ringgrad.ones(2).record_stream(None)


# Streams


def test_the_current_stream_and_its_contexts(xp):
    default, a, b = cuda.current_stream(), cuda.Stream(), cuda.Stream(priority=-1)
    assert default == cuda.default_stream() and default.cuda_stream == 0 and a != b and len({a, b, cuda.current_stream()}) == 3
    with cuda.stream(a) as nothing:
        assert nothing is None and cuda.current_stream() == a
        with b as entered:
            assert entered is b and cuda.current_stream() == b
            with cuda.stream(a), cuda.stream(None):
                assert cuda.current_stream() == a
            assert cuda.current_stream() == b
        assert cuda.current_stream() == a
    assert cuda.current_stream() == default and (a.priority, b.priority) == (0, -1)
    cuda.set_stream(b)
    cuda.set_stream(None)
    assert cuda.current_stream() == b
    cuda.set_stream(default)


def test_streams_of_another_device(xp):
    """Entering one makes its device the current one, as in torch; both devices keep their streams."""
    here, there = cuda.Stream(), cuda.Stream("cuda:1")
    assert str(there.device) == "cuda:1" and there.device_index == 1 and repr(there).startswith("<ringgrad.cuda.Stream device=cuda:1 cuda_stream=0x")
    with cuda.stream(here):
        with cuda.stream(there):
            assert cuda.current_device() == 1 and cuda.current_stream() == there and cuda.current_stream(0) == here
            with cuda.stream(here):
                assert cuda.current_device() == 0 and cuda.current_stream(1) == there
            assert cuda.current_device() == 1
        assert cuda.current_device() == 0 and cuda.current_stream() == here and cuda.current_stream(1) == cuda.default_stream(1)
    assert cuda.default_stream(1) != cuda.default_stream(0)  # one handle, two devices
    cuda.set_stream(there)
    assert cuda.current_device() == 1
    cuda.set_stream(cuda.default_stream(1))
    cuda.set_device(0)


def test_an_error_leaves_the_streams_as_they_were(xp):
    with pytest.raises(KeyError), cuda.stream(cuda.Stream("cuda:1")):
        raise KeyError
    assert cuda.current_device() == 0 and cuda.current_stream(1) == cuda.default_stream(1)


def test_streams_of_other_libraries(xp, monkeypatch):
    made = []

    def from_external(cls, foreign):
        stream = cls.__new__(cls)
        (_, stream.ptr), stream.capture, stream.busy = foreign.__cuda_stream__(), None, False
        made.append(foreign)
        return stream
    monkeypatch.setattr(host_capture.Stream, "from_external", classmethod(from_external), raising=False)
    stream = cuda.ExternalStream(77, "cuda:1")
    assert (stream.cuda_stream, str(stream.device), stream.native.device_id) == (77, "cuda:1", 1) and stream.__cuda_stream__() == (0, 77)
    assert cuda.get_stream_from_external(77, 1) == stream == cuda.Stream(stream_id=77, device_index=1, device_type=1) and len(made) == 3
    assert cuda.ExternalStream(0).native is xp.cuda.Stream.null


def test_events(xp):
    a, b, event = cuda.Stream(), cuda.Stream(), cuda.Event()
    assert event.query() and event.cuda_event == 0 and event.device is None and "uninitialized" in repr(event)
    event.wait()  # never recorded: holds nobody up
    a.native.busy = True
    assert a.record_event(event) is event and not event.query() and not a.query() and str(event.device) == "cuda:0"
    b.wait_event(event)
    b.wait_stream(a)
    event.synchronize()
    assert event.query() and a.query()
    with pytest.raises(RuntimeError, match="Event device 0 does not match recording stream's device 1"):
        event.record(cuda.Stream(1))
    event.wait(cuda.Stream(1))


def test_event_options(xp):
    clock = cuda.Event(enable_timing=True, blocking=True)
    with pytest.raises(ValueError, match="must be recorded"):
        clock.elapsed_time(cuda.Event(enable_timing=True))
    with pytest.raises(ValueError, match="enable_timing=True"):
        clock.elapsed_time(cuda.Event())
    clock.record()
    assert clock.elapsed_time(clock) == 0 and clock.native.timed and not cuda.current_stream().record_event().native.timed
    with pytest.raises(ValueError, match="Timing must be disabled for interprocess events"):
        cuda.Event(enable_timing=True, interprocess=True).record()


def test_torchs_own_names(xp):
    assert isinstance(ringgrad.Stream(), cuda.Stream) and isinstance(ringgrad.Event(enable_timing=True), cuda.Event)
    assert ringgrad.Stream("cuda:1", priority=-1).priority == -1


@pytest.mark.torch
def test_streams_of_the_cpu_have_torchs_names():
    torch = pytest.importorskip("torch")
    for name in ("Stream", "Event"):
        ours, theirs = getattr(ringgrad, name)("cpu"), getattr(torch, name)("cpu")
        assert not {n for n in dir(theirs) if not n.startswith("_")} - set(dir(ours))
    assert (ours.device, ours.event_id) == ("cpu", theirs.event_id)
    stream, theirs = ringgrad.Stream("cpu"), torch.Stream("cpu")
    for name in ("device_type", "device_index", "stream_id"):
        assert getattr(stream, name) == getattr(theirs, name)
    assert stream.is_capturing() is theirs.is_capturing() is False
    for call in (lambda s, e: s.native_handle, lambda s, e: e.ipc_handle(), lambda s, e: e.from_ipc_handle("cpu", b"")):
        with pytest.raises(RuntimeError) as ours_error:
            call(stream, ours)
        with pytest.raises(RuntimeError) as torchs:
            call(theirs, torch.Event("cpu"))
        assert str(ours_error.value) == str(torchs.value) and ours_error.type is torchs.type


@pytest.mark.torch
def test_signatures_are_torchs():
    torch = pytest.importorskip("torch")
    import inspect
    for name in ("Stream", "ExternalStream", "Event", "CUDAGraph", "graph", "current_stream", "default_stream", "set_stream", "stream",
                 "make_graphed_callables", "graph_pool_handle", "is_current_stream_capturing", "memory_stats", "memory_summary", "memory_snapshot",
                 "max_memory_allocated", "reset_peak_memory_stats", "get_stream_from_external"):
        ours, theirs = getattr(cuda, name), getattr(torch.cuda, name)
        mine = [p.name for p in inspect.signature(ours).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        want = [p.name for p in inspect.signature(theirs).parameters.values() if p.kind is not p.VAR_KEYWORD]
        assert mine == want, name
        if isinstance(ours, type):
            missing = {n for n in dir(theirs) if not n.startswith("_")} - set(dir(ours)) - {"get_graph_data"}
            assert not missing, (name, missing)
