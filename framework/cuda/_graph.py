"""CUDA graphs under torch's names: work of a stream, written down once and done again by one call.

A graph works on the addresses that it was captured with.  What it reads and writes must stay where it is: its own memory comes from a pool that lives
as long as the graph (or any graph that shares it); inputs are written into tensors made before the capture.
"""
import gc
import itertools

from .._backends import load_cuda
from .._state import state
from ._capture import Capture, explained
from ._place import is_available
from ._streams import Stream, StreamContext, current_stream

_MODES = ("global", "thread_local", "relaxed")
_VERBOSE = 1  # cudaGraphDebugDotFlagsVerbose


class PoolHandle(tuple):
    """What `graph_pool_handle` returns: an opaque token, which keeps its pool alive."""

    __module__ = "ringgrad.cuda"
    _numbers = itertools.count(1)

    def __new__(cls):
        handle = super().__new__(cls, (0, next(cls._numbers)))
        handle.pool = load_cuda().allocator.private_pool()
        return handle


def graph_pool_handle():
    """A token for a new pool of device memory, which several graphs may share: `pool=` of `CUDAGraph.capture_begin`, `graph` and others.

    Graphs may share a pool when they are replayed in the order of their captures, and no two at once.  RuntimeError without a GPU.
    """
    return PoolHandle()


def is_current_stream_capturing():
    """Whether what this thread gives to the current stream is being captured.  False without a GPU."""
    if state.capture is not None:
        return True
    return is_available() and bool(load_cuda().xp.cuda.get_current_stream().is_capturing())


class CUDAGraph:
    """A graph: captured between `capture_begin` and `capture_end` (or by `graph`), done by `replay`.

    keep_graph: taken for torch's sake; the graph itself is kept in any case, for `raw_cuda_graph` and `instantiate`.  RuntimeError without a GPU.
    """

    __module__ = "ringgrad.cuda"

    def __init__(self, keep_graph=False):
        self._backend, self._native, self._capture, self._handle, self._kept = load_cuda(), None, None, None, []
        self._again = None  # what `instantiate` made

    def capture_begin(self, pool=None, capture_error_mode="global", check_input_liveness=False):
        """Begin to capture the current stream, which must not be the default one.

        pool: a token of `graph_pool_handle` or of another graph's `pool()`;  capture_error_mode: "global", "thread_local" or "relaxed", checked,
        and always taken as "relaxed": the others only refuse, and what they refuse (memory from the driver, pinned memory, kernels that are loaded)
        CuPy does on the first use of almost anything;  check_input_liveness: nothing
        RuntimeError on the default stream, in another capture, and for a graph that holds one already.
        """
        if capture_error_mode not in _MODES:
            raise RuntimeError(f'Unknown capture error mode. Expected `global`, `thread_local`, or `relaxed`, got {capture_error_mode}')
        if self._native is not None:
            raise RuntimeError("This CUDAGraph instance already owns a captured graph. To capture a new graph, create a new instance or call reset.")
        self._handle = pool if pool is not None else PoolHandle()
        if not isinstance(self._handle, PoolHandle):
            raise TypeError(f"pool must be what graph_pool_handle() or CUDAGraph.pool() returned, not {type(pool).__name__}")
        capture = Capture(self._backend, self._handle.pool)
        capture.begin()
        self._capture = capture

    def capture_end(self):
        """End the capture; `replay` may be called from here on.  CaptureError when something in it could not be captured."""
        capture, self._capture = self._capture, None
        if capture is None:
            raise RuntimeError("capture_end was called without a capture_begin before it")
        try:
            self._native, self._kept = capture.end(), capture.kept
        except Exception as error:
            raise explained(error) or error from error

    def abandon(self):
        """End the capture without a graph; nothing where there is none."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.abandon()

    def instantiate(self):
        """Make the graph executable anew, with what was changed in it by way of `raw_cuda_graph`; `capture_end` has done so once."""
        self._again = _Executable(self._backend.xp.cuda.runtime, self._whole("instantiate").graph)

    def replay(self):
        """Do what was captured, on the current stream."""
        (self._again or self._whole("replay")).launch()

    def reset(self):
        """Let go of the graph and of its part of the pool."""
        self._native, self._again, self._handle, self._kept = None, None, None, []

    def pool(self):
        """The token of the pool that the graph's memory came from."""
        self._whole("pool")
        return self._handle

    def enable_debug_mode(self):
        """Nothing to enable: `debug_dump` works on any graph."""

    def debug_dump(self, debug_path):
        """Write the graph to a file in the dot language, with all that CUDA tells of its nodes."""
        with open(debug_path, "w", encoding="utf-8") as file:
            file.write(self._whole("debug_dump").debug_dot_str(_VERBOSE))

    def raw_cuda_graph(self):
        """The cudaGraph_t as an integer."""
        return self._whole("raw_cuda_graph").graph

    def raw_cuda_graph_exec(self):
        """The cudaGraphExec_t as an integer: the last one made."""
        return (self._again or self._whole("raw_cuda_graph_exec")).graphExec

    def get_graph_data(self):
        """RuntimeError: what a profiler's numbers for nodes mean is not asked of the driver here; `debug_dump` writes the nodes and their order."""
        self._whole("get_graph_data")
        raise RuntimeError("get_graph_data requires names of nodes that CuPy does not give; debug_dump writes the graph's nodes and their order")

    def _whole(self, asker):
        if self._native is None:
            raise RuntimeError(f"Called CUDAGraph::{asker} without a preceding successful capture.")
        return self._native


class _Executable:
    """A graph that was made executable, as CuPy's own are; goes with its last user."""

    def __init__(self, runtime, raw):
        self.runtime, self.graphExec = runtime, runtime.graphInstantiate(raw)

    def launch(self):
        """On the current stream."""
        self.runtime.graphLaunch(self.graphExec, current_stream().cuda_stream)

    def __del__(self):
        if getattr(self, "graphExec", 0):
            self.runtime.graphExecDestroy(self.graphExec)


class graph:  # noqa: N801 - torch's name
    """`with ringgrad.cuda.graph(g):` captures the block into the CUDAGraph `g`, on a stream of its own (or `stream`).

    pool, capture_error_mode, check_input_liveness: as for `CUDAGraph.capture_begin`;  enable_annotations: nothing.
    The device is waited for first, garbage is collected and unused memory given back.  An error in the block ends the capture; one that only a
    capture has (a value asked for by the host, say) becomes a CaptureError that names the operation and the line.
    """

    default_capture_stream = None

    def __init__(self, cuda_graph, pool=None, stream=None, capture_error_mode="global", enable_annotations=False, check_input_liveness=False):
        self.cuda_graph, self.pool = cuda_graph, () if pool is None else (pool,)
        self.capture_error_mode, self.check_input_liveness = capture_error_mode, check_input_liveness
        if stream is None:
            if graph.default_capture_stream is None:
                graph.default_capture_stream = Stream()
            stream = graph.default_capture_stream
        self.capture_stream, self.stream_ctx = stream, StreamContext(stream)

    def __enter__(self):
        prepare(load_cuda())
        self.stream_ctx.__enter__()
        try:
            self.cuda_graph.capture_begin(*self.pool, capture_error_mode=self.capture_error_mode, check_input_liveness=self.check_input_liveness)
        except BaseException:
            self.stream_ctx.__exit__(None, None, None)
            raise

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                self.cuda_graph.capture_end()
                return
            self.cuda_graph.abandon()
            told = explained(error)
            if told is not None and told is not error:
                raise told from error
        finally:
            self.stream_ctx.__exit__(kind, error, trace)


def prepare(backend):
    """Leave nothing behind that could reach into a capture: work, garbage whose memory is freed in it, unused memory of the pools."""
    backend.synchronize()
    gc.collect()
    backend.allocator.free_unused()
