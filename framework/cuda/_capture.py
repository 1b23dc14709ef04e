"""One capture of a stream's work in a CUDA graph: where memory comes from meanwhile, what may still be copied, and what went wrong, in words."""
import contextlib
import sys
import traceback
from pathlib import Path

from .._backends.streams import on_stream
from .._state import state

_HERE = Path(__file__).parents[1]
_OURS = (str(_HERE), str(_HERE.parent / "distributed"), "<ringgrad ", "<string>")
_LIBRARIES = ("cupy", "cupyx", "cupy_backends", "numpy", "ringgrad")
_WRAPPERS = ("__call__", "wrapper", "inside", "call", "hooked", "getter")  # functions whose name says nothing
_WAY_OUT = ("it copies between host and device, waits for the device, or calls a library that does. Move it out of what is captured, or keep the "
            "value on the device")
_WAYS_OUT = {  # by the library that CuPy names
    "cuBLAS": "CuPy gives cuBLAS no captures. Products of float16, bfloat16, float32 and float64 go to cuBLASLt, which can be captured, unless "
              "RINGGRAD_CUBLASLT=0 turns it off or it was not found (ringgrad.show_config() says why); move products of other types out of what is "
              "captured",
    "cuSOLVER": "CuPy gives cuSOLVER no captures. Move decompositions and solutions of equations out of what is captured",
    "cuSPARSE": "CuPy gives cuSPARSE no captures. Move operations on sparse tensors out of what is captured",
}
_STATUS = range(900, 909)  # cudaErrorStreamCaptureUnsupported and its kin


class CaptureError(RuntimeError):
    """Something in a CUDA graph's capture that a graph cannot hold: most often a value that the host wanted to see.

    operation: its name;  place: (file, line) of the code that called for it; None where nobody outside of the library did.
    """

    __module__ = "ringgrad.cuda"
    operation = place = None


class Capture:
    """From `begin` to `end`, what the current stream is given is written down and not done, and memory comes from `pool`.

    Copies between streams with events bring other streams into the capture.  `end` returns CuPy's graph, `abandon` nothing.
    """

    def __init__(self, backend, pool):
        self.backend, self.xp, self.pool = backend, backend.xp, pool
        self.kept, self._side, self._leaving = [], None, contextlib.ExitStack()

    def begin(self):
        """Begin to capture the current stream, which must not be the default one."""
        if state.capture is not None:
            raise RuntimeError("this thread captures a CUDA graph already, and captures cannot be nested")
        self.stream = self.xp.cuda.get_current_stream()
        # cudaMalloc is not allowed in the stricter modes, and the pool may have to grow.
        self.stream.begin_capture(self.xp.cuda.runtime.streamCaptureModeRelaxed)
        self._leaving.enter_context(self.xp.cuda.using_allocator(self.pool.allocate))
        state.capture = self

    def end(self):
        """CuPy's graph.  Its RuntimeError where the capture has become invalid; the stream is out of it in any case."""
        state.capture = None
        self._leaving.close()
        try:
            return self.stream.end_capture()
        finally:
            if self._side is not None:
                self._side.synchronize()  # what was copied beside the capture is there from now on; waiting within it is not allowed

    def abandon(self):
        """End without a graph."""
        with contextlib.suppress(Exception):  # CUDA says what is known already: that the capture is invalid
            self.end()

    def upload(self, xp, host):
        """A device array with the values of a NumPy array, copied on a stream beside the capture, until its end; kept as long as the graph."""
        self._side = self._side or xp.cuda.Stream(non_blocking=True)
        with xp.cuda.using_allocator(self.backend.allocator.allocate), on_stream(xp.cuda, self._side):
            array = xp.asarray(host)
        return self.keep(array)

    def keep(self, thing):
        """Keep something alive for as long as the graph: kernels in it know only addresses.  Returns it."""
        self.kept.append(thing)
        return thing


def explained(error):
    """The CaptureError for an error from within a capture; None when it has another cause."""
    if isinstance(error, CaptureError):
        return error
    words = str(error)  # CuPy refuses copies ("the current stream is capturing") and libraries ("during stream capture") before CUDA does
    if not (getattr(error, "status", None) in _STATUS or isinstance(error, RuntimeError) and ("is capturing" in words or "stream capture" in words)):
        return None
    operation, place = _culprit(error)
    said = f" ({place[0]}, line {place[1]})" if place else ""
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    way_out = next((told for library, told in _WAYS_OUT.items() if library in words), _WAY_OUT)
    result = CaptureError(f"{operation}{said} cannot be captured in a CUDA graph: {way_out}. CUDA said: {words}{notes}")
    result.operation, result.place = operation, place
    return result


def _culprit(error):
    """(operation, (file, line)) from an error's traceback: the innermost frame of the user's code, and what it called."""
    frames = list(traceback.walk_tb(error.__traceback__))
    user = max((i for i, (frame, _) in enumerate(frames) if not _is_library(frame)), default=None)
    below = frames[0 if user is None else user + 1:]
    names = [_name(frame) for frame, _ in below if frame.f_code.co_name not in _WRAPPERS]
    operation = names[0] if names else "what was called"
    place = None if user is None else (frames[user][0].f_code.co_filename, frames[user][1])
    return operation, place


def _name(frame):
    """A function by its name, an optimizer's step by the optimizer's too."""
    name, owner = frame.f_code.co_name, frame.f_locals.get("self")
    return f"{type(owner).__name__}.{name}" if name == "step" and hasattr(owner, "param_groups") else name


def _is_library(frame):
    file, module = frame.f_code.co_filename, frame.f_globals.get("__name__", "")
    return file.startswith(_OURS) or module.partition(".")[0] in _LIBRARIES or file.startswith(sys.base_prefix + "/lib/python")
