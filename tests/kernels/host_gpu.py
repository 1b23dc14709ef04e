"""A GPU on the host, to run the CUDA sources without one: `device()` stands where CuPy does, with arrays of NumPy and kernels compiled by g++.

    xp = host_gpu.device(folder)
    x = xp.asarray(values)
    module = xp.RawModule(code=source)             # compiled once per text
    module.get_function("name")((blocks,), (threads,), (x, out, np.int64(n)))

It checks what CUDA does not: that each argument has the type the kernel declares, that arrays are contiguous, and that no thread waits for
others that have ended.  Arrays made by `empty` are full of nan, so that what a kernel does not write shows.
"""
import contextlib
import ctypes
import hashlib
import re
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np

from ringgrad import _backends, kernels
from ringgrad._backends import BACKENDS
from ringgrad._core.op import REGISTRY
from ringgrad.kernels.resources import largest_block

__name__ = "cupy.host_gpu"  # in tracebacks these frames are CuPy's
HERE = Path(__file__).parent / "host"
TIMEOUT_S = 180
ERRORS = {1: "a barrier was not reached by all threads of its block or warp", 2: "the grid or block is empty or too large"}
KEEP_ORDER = {"asarray", "array", "copy", "zeros_like", "ones_like", "full_like"}  # CuPy's other functions make row-major results, NumPy's do not
STRIDED = ["i8"] * 4  # what follows an array that need not be contiguous: how it lies (kernels/elementwise.py)
CODES = {"float16": "f2", "bfloat16": "bf", "float32": "f4", "float64": "f8", "bool": "b1"}


class Pointer:
    """What CuPy calls `array.data`: the address, and the block of memory that it lies in, which views share."""

    def __init__(self, array):
        self.ptr, self.array = array.ctypes.data, array

    @property
    def mem(self):
        block = self.array
        while isinstance(block.base, np.ndarray):
            block = block.base
        return block


class DeviceArray(np.ndarray):
    """An array on the emulated device."""

    data = property(Pointer)
    device = property(lambda self: Device())

    def get(self):
        """The values as a plain array."""
        return self.view(np.ndarray).copy()

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [a.view(np.ndarray) if isinstance(a, DeviceArray) else a for a in inputs]
        if out is None:
            return on_device(row_major(getattr(ufunc, method)(*plain, **kwargs)), type(self))
        getattr(ufunc, method)(*plain, out=tuple([o.view(np.ndarray) for o in out]), **kwargs)
        return out[0] if len(out) == 1 else out


class Device:
    """CuPy's device object: a context manager that changes nothing."""

    id = 0
    compute_capability = "90"

    def __init__(self, index=None):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def compiler():
    """The path of g++, or None."""
    return shutil.which("g++")


def on_device(value, kind=DeviceArray):
    """NumPy's results as arrays of the device, scalars too: CuPy knows only 0-d arrays."""
    if isinstance(value, (tuple, list)):
        return type(value)([on_device(v, kind) for v in value])
    return np.asarray(value).view(kind) if isinstance(value, (np.ndarray, np.generic)) else value


def row_major(value):
    """NumPy's new arrays in the order in which CuPy makes them."""
    if isinstance(value, (tuple, list)):
        return type(value)([row_major(v) for v in value])
    return np.ascontiguousarray(value) if isinstance(value, np.ndarray) and value.flags.owndata and value.ndim else value


class device:  # noqa: N801 - used like a module
    """NumPy's functions on DeviceArrays, and RawModule."""

    ndarray = DeviceArray
    cuda = types.SimpleNamespace(Device=Device)

    def __init__(self, folder, sanitize=False):
        self.folder, self.sanitize, self.modules, self.launched = Path(folder), sanitize, {}, set()

    def __getattr__(self, name):
        value = getattr(np, name)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args, **kwargs):
            result = value(*args, **kwargs)
            return on_device(result if name in KEEP_ORDER else row_major(result))
        if isinstance(value, np.ufunc):
            call.at = value.at
        return call

    def empty(self, shape, dtype=np.float32):
        """An array full of nan, or of the largest odd number."""
        out = np.empty(shape, dtype)
        out.reshape(-1).view(np.uint8)[...] = 0xff if out.dtype.kind != "b" else 1
        return out.view(self.ndarray)

    def place(self, array):
        """An array on the device in memory of its own, with the strides of `array`."""
        base = array if array.base is None or not isinstance(array.base, np.ndarray) else array.base
        copy = base.copy().view(self.ndarray)
        return copy[..., ::2] if base is not array and array.shape != base.shape else copy

    def empty_like(self, x, dtype=None):
        """`empty` in the shape of x."""
        return self.empty(x.shape, dtype or x.dtype)

    def RawModule(self, code, options=()):
        """Compiled code: the same library for the same text."""
        if code not in self.modules:
            self.modules[code] = Module(self, code)
        return self.modules[code]

    def submit(self, work, arrays):
        """Do a piece of work on some arrays: here at once (host_capture.py may write it down instead)."""
        work()


class Module:
    """The kernels of one source."""

    def __init__(self, xp, code):
        self.xp, self.names = xp, re.findall(r"KERNEL\s+(\w+)\(", code) or re.findall(r"__global__ void (\w+)\(", code)
        self.library = ctypes.CDLL(str(build(code, self.names, xp.folder, xp.sanitize)))

    def get_function(self, name):
        """Launches a kernel: f(grid, block, arguments)."""
        text = ctypes.create_string_buffer(4096)
        getattr(self.library, f"signature_{name}")(text)
        expected, launch = text.value.decode().split(), getattr(self.library, f"launch_{name}")

        def run(grid, block, arguments):
            assert len(arguments) == len(expected), f"{name} takes {len(expected)} arguments, got {len(arguments)}"
            kept = [_argument(name, i, a, code, expected[i + 1:i + 5] == STRIDED) for i, (a, code) in enumerate(zip(arguments, expected))]
            pointers = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(k) for k in kept))
            sizes = [(ctypes.c_uint * 3)(*([*size, 1, 1][:3])) for size in (grid, block)]
            _launchable(name, *sizes)
            self.xp.launched.add(name)

            def work():
                error = launch(*sizes, pointers)
                assert kept and not error, f"{name}: {ERRORS[error]}"
            self.xp.submit(work, [a for a in arguments if isinstance(a, DeviceArray)])
        return run

    def backwards(self, on):
        """Run the threads of a block from the last to the first."""
        ctypes.c_int.in_dll(self.library, "emulator_order").value = -1 if on else 1


def _launchable(name, grid, block):
    """AssertionError for a launch that a GPU refuses, or that the kernel's registers were not counted for (kernels/resources.py)."""
    threads = block[0] * block[1] * block[2]
    assert threads == 1 or threads % 32 == 0, f"{name}: blocks of {list(block)} threads are no whole warps"
    assert threads <= largest_block(name), f"{name}: blocks of {list(block)} threads, and `make kernels` counts with {largest_block(name)}"
    assert 0 < grid[0] < 2**31 and 0 < grid[1] < 2**16 and 0 < grid[2] < 2**16, f"{name}: a grid of {list(grid)} blocks"


def _argument(name, i, a, code, strided):
    """One argument as a ctypes object.  AssertionError unless it is what the kernel declares."""
    if code.startswith("*"):
        if a is None or isinstance(a, np.intp) and not a:
            return ctypes.c_void_p(0)
        assert isinstance(a, DeviceArray), f"{name}: argument {i} is {type(a)}, not an array on the device"
        found = CODES.get(a.dtype.name, a.dtype.str[1:])
        assert found == code[1:], f"{name}: argument {i} is an array of {a.dtype} but the kernel reads {code[1:]}"
        assert a.flags.c_contiguous or strided, f"{name}: argument {i} is not contiguous"
        return ctypes.c_void_p(a.ctypes.data)
    assert isinstance(a, np.generic) and a.dtype.str[1:] == code, f"{name}: argument {i} is {type(a)} but the kernel takes {code}"
    return (ctypes.c_char * a.nbytes).from_buffer_copy(a.tobytes())


def build(code, names, folder, sanitize):
    """The shared library of a source.  AssertionError with the compiler's words when it does not compile."""
    options = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g"] if sanitize else []
    stem = hashlib.sha256((code + str(sanitize)).encode()).hexdigest()[:16]
    library = Path(folder) / f"{stem}.so"
    if not library.exists():
        launchers = "\n".join(f"LAUNCHER({name}, {name})" for name in names)
        (Path(folder) / f"{stem}.cpp").write_text(f'#include "emulator.hpp"\n#define EMULATED\n{code}\n{launchers}\n')
        compile_here(folder, *options, f"-I{parsed(folder, options)}", f"-I{HERE}", "-shared", "-Wl,-Bsymbolic", f"{stem}.cpp", "-o", library.name)
    return library


def parsed(folder, options):
    """The folder of the emulator's header as g++ has read it, once for all sources: half the time of a small one is the header."""
    place = Path(folder) / ("header, sanitized" if options else "header")
    if not place.exists():
        place.mkdir()
        compile_here(folder, *options, "-x", "c++-header", HERE / "emulator.hpp", "-o", place / "emulator.hpp.gch")
    return place


def compile_here(folder, *arguments):
    """Run g++ in a folder; AssertionError with its words when it refuses."""
    command = [compiler(), "-std=c++17", "-O1", "-ffp-contract=off", "-w", "-fPIC", *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stderr


class Backend:
    """What `ringgrad._backends.cupy_` is for CuPy, for the emulated device."""

    name, COMPUTES_HALF_IN_FLOAT32 = "cupy", True

    def __init__(self, xp):
        self.xp, self.Array, self.ARRAY_TYPES = xp, xp.ndarray, (xp.ndarray,)

    def asarray(self, x, dtype=None):
        return self.xp.asarray(x, dtype=dtype)

    def from_host(self, array, index=None, non_blocking=False):
        return self.xp.array(array)

    def to_host(self, array, non_blocking=False):
        return array.get()

    def move(self, array, index):
        return array

    def index_of(self, array):
        return 0

    def data_ptr(self, array):
        return array.data.ptr

    def require_device(self, index=None):
        pass

    def synchronize(self, index=None):
        pass

    def scalar(self, value, dtype):
        return np.asarray(value).astype(dtype)[()]

    def on_device_of(self, array):
        return Device()

    def several(self):
        return False

    def is_current(self, array):
        return True

    def checking_matrices(self):
        return contextlib.nullcontext()  # NumPy checks


class plugged:  # noqa: N801 - used with `with`
    """Inside the block, DeviceArrays are CUDA tensors and the kernels of ringgrad run on them."""

    backend = Backend

    def __init__(self, xp):
        self.xp = xp

    def __enter__(self):
        self.before = {name: dict(op.overrides) for name, op in REGISTRY.items()}
        BACKENDS[self.xp.ndarray] = backend = self.backend(self.xp)
        self.load, _backends.load_cuda = _backends.load_cuda, lambda: backend
        kernels.register()
        return self.xp

    def __exit__(self, *error):
        del BACKENDS[self.xp.ndarray]
        _backends.load_cuda = self.load
        for name, overrides in self.before.items():
            REGISTRY[name].overrides = overrides
            REGISTRY[name].kernels.clear()
