"""The calls of CUDA's runtime that torch hands to programs: `cudart()`."""
import ctypes
import enum

from ._place import cupy, index_of


class cudaError(enum.IntEnum):  # noqa: N801 - CUDA's name
    """What a call of the runtime returned: success.  The numbers of errors are int."""

    success = 0


class cudaStatus:  # noqa: N801 - torch's name
    """Two of the runtime's numbers."""

    SUCCESS: int = 0
    ERROR_NOT_READY: int = 34


class CudaError(RuntimeError):
    """A call of CUDA's runtime failed.  code: its number"""

    def __init__(self, code):
        super().__init__(f"{_runtime().cudaGetErrorString(code)} ({int(code)})")


class DeferredCudaCallError(Exception):  # noqa: N818 - torch's name
    """Raised by torch for calls it puts off until CUDA is there; nothing is put off here."""


def check_error(res):
    """CudaError unless `res`, which a function of `cudart()` returned, is success."""
    if int(res) != cudaError.success:
        raise CudaError(res)


def cudart():
    """CUDA's runtime: functions that return a number, 0 for success, under the names that torch's has.  RuntimeError without a GPU."""
    return _runtime()


def _runtime():
    return _Runtime(cupy().cuda.runtime)


class _Runtime:
    """CuPy's runtime, whose functions raise, in C's manner."""

    cudaError = cudaError  # noqa: N815 - CUDA's name

    def __init__(self, native):
        self._native = native

    def cudaGetErrorString(self, error):
        """What a number means."""
        return str(self._native.CUDARuntimeError(int(error)))

    def cudaProfilerStart(self):
        """Let a profiler that waits for it begin."""
        return self._call(self._native.profilerStart)

    def cudaProfilerStop(self):
        """Let the profiler end."""
        return self._call(self._native.profilerStop)

    def cudaHostRegister(self, pointer, size, flags=0):
        """Lock `size` bytes of host memory at an address in their pages."""
        return self._call(self._native.hostRegister, pointer, size, flags)

    def cudaHostUnregister(self, pointer):
        """Undo `cudaHostRegister`."""
        return self._call(self._native.hostUnregister, pointer)

    def cudaStreamCreate(self, pointer):
        """Make a stream, and write its address to host memory at `pointer`."""
        def create():
            ctypes.c_void_p.from_address(pointer).value = self._native.streamCreate()
        return self._call(create)

    def cudaStreamDestroy(self, stream):
        """Give up a stream by its address."""
        return self._call(self._native.streamDestroy, stream)

    def cudaMemGetInfo(self, device):
        """(free, total) bytes of a GPU."""
        with cupy().cuda.Device(index_of(device)):
            return self._native.memGetInfo()

    def _call(self, fn, *args):
        try:
            fn(*args)
        except self._native.CUDARuntimeError as error:
            return error.status
        return cudaError.success
