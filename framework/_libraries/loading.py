"""Opening a library of NVIDIA's, wherever it was installed: by pip, conda or the system, or by another package of this process."""
import contextlib
import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util

NAMES = {"cublasLt": ("libcublasLt.so.13", "libcublasLt.so.12"), "cudnn": ("libcudnn.so.9",), "nccl": ("libnccl.so.2",)}
BEFORE = {"cudnn": ("nvrtc", "cublasLt")}  # what a library opens by itself, where the linker might not find it or, of NVRTC 13.0, its other half


@functools.cache
def open_library(name):
    """(the library, None), or (None, why not).  name: one of NAMES."""
    reasons = []
    for opened in (_by_pathfinder, _by_name):
        try:
            return opened(name), None
        except Exception as error:  # pathfinder has exceptions of its own; whatever it is, the next way is tried
            reasons.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
    return None, "; ".join(reasons)


def _by_pathfinder(name):
    """By cuda-pathfinder, which CuPy brings: it knows the folders of wheels and of conda."""
    load = importlib.import_module("cuda.pathfinder").load_nvidia_dynamic_lib
    for other in BEFORE.get(name, ()):
        with contextlib.suppress(Exception):  # it may do without
            load(other)
    return ctypes.CDLL(load(name).abs_path)


def _by_name(name):
    """By the name that the linker knows."""
    *others, last = NAMES[name]
    for each in others:
        try:
            return ctypes.CDLL(each)
        except OSError:
            continue
    return ctypes.CDLL(last)


def installed(module):
    """The version of an installed package by the name of its module, such as "cudnn"; None where it is missing."""
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(PACKAGES[module])
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


PACKAGES = {"cudnn": "nvidia-cudnn-frontend", "nvmath": "nvmath-python"}


class Library:
    """Functions of a C library with their types.  status(number) -> words; a call that fails raises RuntimeError with both.

    Types are declared once, in `signatures`: {function: types of its arguments}; a test holds them against NVIDIA's headers.
    """

    def __init__(self, library, name, signatures, words):
        self.name = name
        for function, types in signatures.items():
            raw = getattr(library, function)
            raw.argtypes, raw.restype = types, ctypes.c_int
            setattr(self, function, raw)
        self._words = getattr(library, words)
        self._words.argtypes, self._words.restype = [ctypes.c_int], ctypes.c_char_p

    def status(self, number):
        """What a status is called."""
        return (self._words(number) or b"unknown status").decode()

    def check(self, number, doing):
        """RuntimeError unless `number` is 0, success."""
        if number:
            raise RuntimeError(f"{self.name}: {self.status(number)} ({number}) when {doing}")
