"""What NVIDIA's management library says of a GPU: load, temperature, power, processes.  It comes with the package nvidia-ml-py."""
import importlib

from ._place import cupy, index_of


def _nvml():
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed or it can't be imported: pip install nvidia-ml-py") from error


def _handle(device):
    """(the library, its handle of a GPU), found by the bus it sits on: the library numbers GPUs without regard to CUDA_VISIBLE_DEVICES."""
    nvml = _nvml()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_DriverNotLoaded as error:
        raise RuntimeError("cuda driver can't be loaded, is cuda enabled?") from error
    bus = cupy().cuda.runtime.deviceGetPCIBusId(index_of(device))
    return nvml, nvml.nvmlDeviceGetHandleByPciBusId(bus.encode())


def utilization(device=None):
    """Per cent of the last moments (a sixth of a second to a second) in which a kernel ran.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetUtilizationRates(handle).gpu


def memory_usage(device=None):
    """Per cent of the last moments in which device memory was read or written.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetUtilizationRates(handle).memory


def device_memory_used(device=None):
    """Bytes of device memory that all processes use.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetMemoryInfo(handle).used


def temperature(device=None):
    """Degrees Celsius.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)


def power_draw(device=None):
    """Milliwatts, averaged over the last moments.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetPowerUsage(handle)


def clock_rate(device=None):
    """Megahertz of the multiprocessors.  ModuleNotFoundError without nvidia-ml-py."""
    nvml, handle = _handle(device)
    return nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)


def list_gpu_processes(device=None):
    """A text, to print: the processes on a GPU and the memory they use; without nvidia-ml-py or a driver it says so."""
    try:
        nvml, handle = _handle(device)
    except ModuleNotFoundError:
        return "pynvml module not found, please install nvidia-ml-py"
    except RuntimeError as error:
        return str(error)
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    lines = [f"process {p.pid:>10d} uses {(p.usedGpuMemory or 0) / 2**20:>12.3f} MB GPU memory" for p in processes]
    return "\n".join([f"GPU:{index_of(device)}", *(lines or ["no processes are running"])])
