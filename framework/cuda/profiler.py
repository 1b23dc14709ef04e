"""torch.cuda.profiler: where NVIDIA's profilers begin and end, when they were started with capture-range=cudaProfilerApi."""
import contextlib

from ._runtime import check_error, cudart

__all__ = ["start", "stop", "profile"]


def start():
    """Let the profiler begin.  RuntimeError without a GPU."""
    check_error(cudart().cudaProfilerStart())


def stop():
    """Let the profiler end.  RuntimeError without a GPU."""
    check_error(cudart().cudaProfilerStop())


@contextlib.contextmanager
def profile():
    """Inside the `with` block the profiler runs."""
    start()
    try:
        yield
    finally:
        stop()
