"""torch.cuda's smaller names on the GPU on the host: what waits says so, pools of the program's own, the runtime's calls, the management library."""
import ctypes
import sys
import types
import warnings

import host_capture
import numpy as np
import pytest

import ringgrad
from ringgrad import cuda
from ringgrad._core.tensor import wrap
from ringgrad._functional import _index


@pytest.fixture
def xp(compiled):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp
        cuda.set_sync_debug_mode(0)


def on_gpu(xp, values):
    return wrap(xp.asarray(np.asarray(values).view(xp.ndarray)))


WAITS = {
    "item": lambda t: t[0].item(), "bool": lambda t: bool(t[0] > 0), "int": lambda t: int(t[1]), "float": lambda t: float(t[1]),
    "tolist": lambda t: t.tolist(), "cpu": lambda t: t.cpu(), "nonzero": lambda t: t.nonzero(), "a mask": lambda t: t[t > 1],
    "unique": lambda t: t.unique(), "print": repr,
}


@pytest.mark.parametrize("use", WAITS.values(), ids=WAITS)
def test_what_waits_says_so(xp, use):
    t = on_gpu(xp, np.float32([0, 1, 2]))
    before = use(t)
    cuda.set_sync_debug_mode("warn")
    assert cuda.get_sync_debug_mode() == 1
    with pytest.warns(UserWarning, match="called a synchronizing CUDA operation"):
        use(t)
    cuda.set_sync_debug_mode(2)
    with pytest.raises(RuntimeError, match="called a synchronizing CUDA operation"):
        use(t)
    cuda.set_sync_debug_mode("default")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = use(t)
    assert str(after) == str(before)


def test_what_does_not_wait_says_nothing(xp):
    t = on_gpu(xp, np.float32([0, 1, 2])).requires_grad_()
    cuda.set_sync_debug_mode("error")
    (t * 2 + t.exp()).sum().backward()
    assert t.shape == (3,) and t.grad is not None
    assert ringgrad.ones(3).sum().item() == 3 and bool(ringgrad.ones(1)) and ringgrad.ones(2).nonzero().shape == (2, 1)
    t.detach().to("cpu", non_blocking=True)
    cuda.synchronize()


def test_the_mode_is_taken_off_whole(xp):
    before = [ringgrad.Tensor.item, ringgrad.Tensor.__bool__, _index.places]
    for mode in (1, 2, 1, 0):
        cuda.set_sync_debug_mode(mode)
    assert [ringgrad.Tensor.item, ringgrad.Tensor.__bool__, _index.places] == before
    t = on_gpu(xp, np.float32([0, 1]))
    assert t.nonzero().tolist() == [[1]] and ringgrad.ops.argwhere.op.kernels[xp.ndarray] is ringgrad.ops.argwhere.op.forward


@pytest.mark.parametrize("mode", ["loud", 3, -1, True, None, [1], 1.0])
def test_another_mode_is_refused_and_changes_nothing(xp, mode):
    cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match="expected one of `default`, `warn`, `error`"):
        cuda.set_sync_debug_mode(mode)
    assert cuda.get_sync_debug_mode() == 2


# Pools


def test_a_pool_of_ones_own_is_counted_and_used_for_graphs(xp):
    pool = cuda.MemPool()
    with cuda.use_mem_pool(pool):
        block = xp.cuda.alloc(4096)
    assert cuda.memory_allocated() == 4096 and xp.pool.used_bytes() == 0
    elsewhere = xp.cuda.alloc(512)
    assert cuda.memory_allocated() == 4608 and xp.pool.used_bytes() == 512
    graph = cuda.CUDAGraph()
    with cuda.graph(graph, pool=pool.id):
        pass
    assert graph.pool() is pool.id and pool.use_count() == 1 and pool.snapshot() == []
    del block, elsewhere
    assert cuda.memory_allocated() == 0


def test_a_pool_refuses_what_it_cannot_use(xp):
    with pytest.raises(TypeError, match="allocator must be None"):
        cuda.MemPool(allocator=object())
    with pytest.raises(TypeError, match="a MemPool was expected, got tuple"), cuda.use_mem_pool((0, 1)):
        pass


# The runtime


@pytest.fixture
def runtime(xp, monkeypatch):
    """The calls that host_capture.py lacks; the last one fails."""
    calls, runtime = [], xp.cuda.runtime

    class RuntimeCallError(RuntimeError):
        status = 712

        def __init__(self, status):
            super().__init__("cudaErrorHostMemoryAlreadyRegistered: part or all of the requested memory range is already mapped")

    def refuse(pointer, size, flags):
        raise RuntimeCallError(712)
    for name in ("profilerStart", "profilerStop", "hostUnregister", "streamDestroy"):
        monkeypatch.setattr(runtime, name, lambda *args, name=name: calls.append((name, *args)), raising=False)
    monkeypatch.setattr(runtime, "streamCreate", lambda: 1234, raising=False)
    monkeypatch.setattr(runtime, "hostRegister", refuse, raising=False)
    monkeypatch.setattr(runtime, "CUDARuntimeError", RuntimeCallError)
    return calls


def test_the_runtime_returns_numbers(runtime):
    rt = cuda.cudart()
    with cuda.profiler.profile():
        pass
    assert runtime == [("profilerStart",), ("profilerStop",)]
    address = ctypes.c_void_p()
    assert rt.cudaStreamCreate(ctypes.addressof(address)) == rt.cudaError.success and address.value == 1234
    assert rt.cudaHostUnregister(7) == 0 and rt.cudaStreamDestroy(1234) == 0
    assert rt.cudaMemGetInfo(0) == cuda.mem_get_info(0)
    assert rt.cudaHostRegister(7, 64, 0) == 712
    with pytest.raises(cuda.CudaError, match=r"already mapped \(712\)"):
        cuda.check_error(rt.cudaHostRegister(7, 64))


# The management library


@pytest.fixture
def nvml(xp, monkeypatch):
    """NVIDIA's library as its Python package speaks: one GPU, on bus 0000:17:00.0."""
    handle = object()

    def by_bus(bus):
        assert bus == b"0000:17:00.0"
        return handle

    def asked(answer):
        def ask(which, *kind):
            assert which is handle
            return answer
        return ask
    library = types.SimpleNamespace(
        NVMLError_DriverNotLoaded=type("NVMLError_DriverNotLoaded", (Exception,), {}), nvmlInit=lambda: None, nvmlDeviceGetHandleByPciBusId=by_bus,
        NVML_TEMPERATURE_GPU=0, NVML_CLOCK_SM=1, nvmlDeviceGetUtilizationRates=asked(types.SimpleNamespace(gpu=93, memory=41)),
        nvmlDeviceGetMemoryInfo=asked(types.SimpleNamespace(used=3 << 30)), nvmlDeviceGetTemperature=asked(55),
        nvmlDeviceGetPowerUsage=asked(612_000), nvmlDeviceGetClockInfo=asked(1980),
        nvmlDeviceGetComputeRunningProcesses=asked([
            types.SimpleNamespace(pid=77, usedGpuMemory=5 << 20), types.SimpleNamespace(pid=8, usedGpuMemory=None)]))
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(xp.cuda.runtime, "deviceGetPCIBusId", lambda index: "0000:17:00.0", raising=False)
    return library


def test_the_management_library_is_asked(nvml):
    assert (cuda.utilization(), cuda.memory_usage(0), cuda.device_memory_used()) == (93, 41, 3 << 30)
    assert (cuda.temperature(), cuda.power_draw(), cuda.clock_rate("cuda:0")) == (55, 612_000, 1980)
    assert cuda.list_gpu_processes().splitlines() == [
        "GPU:0", "process         77 uses        5.000 MB GPU memory", "process          8 uses        0.000 MB GPU memory"]


def test_no_driver_for_the_management_library(nvml, monkeypatch):
    def init():
        raise nvml.NVMLError_DriverNotLoaded
    monkeypatch.setattr(nvml, "nvmlInit", init)
    assert cuda.list_gpu_processes() == "cuda driver can't be loaded, is cuda enabled?"
    with pytest.raises(RuntimeError, match="driver can't be loaded"):
        cuda.utilization()


def test_no_management_library(xp, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "please install nvidia-ml-py" in cuda.list_gpu_processes()
    with pytest.raises(ModuleNotFoundError, match="nvidia-ml-py does not seem to be installed"):
        cuda.temperature()


def test_the_version_of_nccl():
    assert [cuda.nccl.split(n) for n in (22907, 21805, 2804)] == [(2, 29, 7), (2, 18, 5), (2, 8, 4)]
