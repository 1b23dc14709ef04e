"""Arrays of NumPy over addresses, and functions in C that lead to Python: what the stand-ins for NVIDIA's mathematics share."""
import ctypes
import math

import ml_dtypes
import numpy as np

LETTERS = {"p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_longlong, "c": ctypes.c_char}
TYPES = {"S": np.float32, "D": np.float64, "C": np.complex64, "Z": np.complex128}
BY_NUMBER = {0: np.float32, 1: np.float64, 2: np.float16, 3: np.int8, 4: np.complex64, 5: np.complex128, 10: np.int32,
             14: ml_dtypes.bfloat16}  # cudaDataType


def view(address, shape, dtype, strides=None):
    """An array at an address.  strides: in elements, those of rows (C) by default."""
    dtype = np.dtype(dtype)
    if not address or 0 in shape:
        return np.zeros(shape, dtype)
    strides = strides or [math.prod(shape[i + 1:]) for i in range(len(shape))]
    size = (sum((n - 1) * s for n, s in zip(shape, strides)) + 1) * dtype.itemsize
    memory = (ctypes.c_char * size).from_address(address)
    return np.ndarray(shape, dtype, memory, strides=[s * dtype.itemsize for s in strides])


def matrix(address, rows, columns, leading, dtype):
    """A matrix by columns, as Fortran has it."""
    return view(address, (rows, columns), dtype, (1, leading))


def pointers(address, count):
    """A list of addresses, at an address."""
    return [int(a) for a in view(address, (count,), np.uint64)]


def scalar(address, dtype):
    """One number at an address."""
    return view(address, (1,), dtype)[0]


def lead(shell, name, letters, function):
    """Let a function of a shell call a Python function; letters: a letter per argument, after LETTERS.  It gives 0: success."""
    def call(*arguments):
        function(*arguments)
        return 0
    shell.lead(name, ctypes.c_int, [LETTERS[c] for c in letters], call)


def submitter(host, shell):
    """submit(stream, function): do something when the stream comes to it, which is now, or in each launch of the graph that it captures."""
    waiting = {}

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def work(number):
        waiting[number or 0]()

    def submit(stream, function):
        number = next(free for free in range(len(waiting) + 1) if free not in waiting)
        waiting[number] = function
        host.cudaLaunchHostFunc(ctypes.c_void_p(stream), work, ctypes.c_void_p(number))
        captured = ctypes.c_int()
        host.cudaStreamIsCapturing(ctypes.c_void_p(stream), ctypes.byref(captured))
        if not captured.value:
            del waiting[number]

    shell.kept.append(work)
    return submit


def succeeds(shell, names, host):
    """Let functions do nothing and give 0, in C: CuPy calls them when Python has ended, too."""
    for name in names:
        shell.lead_to(name, ctypes.cast(host.host_succeeds, ctypes.c_void_p).value)
