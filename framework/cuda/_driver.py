"""Calls of CUDA's driver that CuPy has none for, through ctypes.  Streams, events and graphs of the runtime are those of the driver."""
import ctypes
from functools import lru_cache

POINTER, NUMBER = ctypes.c_void_p, ctypes.c_uint
SIGNATURES = {  # a test holds them to NVIDIA's header
    "cuCtxGetStreamPriorityRange": (ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)),
    "cuEventRecordWithFlags": (POINTER, POINTER, NUMBER),
}
RECORD_EXTERNAL = 1  # CU_EVENT_RECORD_EXTERNAL: as a node of the graph that is being captured
WAIT_EXTERNAL = 1  # CU_EVENT_WAIT_EXTERNAL, cudaEventWaitExternal


@lru_cache(maxsize=1)
def library():
    """The driver."""
    return ctypes.CDLL("libcuda.so.1")


def call(name, *arguments):
    """Call a function of SIGNATURES.  RuntimeError with its name and CUDA's number for the error."""
    function = getattr(library(), name)
    function.argtypes, function.restype = SIGNATURES[name], ctypes.c_int
    status = function(*arguments)
    if status:
        raise RuntimeError(f"CUDA error: {name} failed with error {status} of the driver")


def stream_priorities():
    """(least urgent, most urgent) of the current device."""
    least, most = ctypes.c_int(0), ctypes.c_int(0)
    call("cuCtxGetStreamPriorityRange", ctypes.byref(least), ctypes.byref(most))
    return least.value, most.value


def record_external(event, stream):
    """Record an event as a node of the graph that `stream` is captured for.  event, stream: handles, as integers"""
    call("cuEventRecordWithFlags", event, stream, RECORD_EXTERNAL)
