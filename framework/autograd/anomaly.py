"""Anomaly mode: every recorded operation remembers its forward call, and a NaN gradient is an error that shows it."""
import traceback

from .._core.modes import tracer_below
from .._state import state


def _remember_call(result, inplace):
    for t in result if type(result) is tuple else (result,):
        node = t._node
        if node is not None:
            trace = "".join(traceback.format_stack()[:-4])
            node.trace = trace
            for edge in node.edges if type(node).__name__ == "Pick" else ():
                edge.trace = trace


class set_detect_anomaly:  # noqa: N801 - torch's name
    """Switch anomaly mode on or off at once; as a context manager, back again at the end.

    mode: on or off;  check_nan: raise RuntimeError when a backward function returns NaN
    """

    def __init__(self, mode, check_nan=True):
        self.was = state.anomaly, state.tracer
        if mode and not state.anomaly:
            state.tracer = tracer_below(_remember_call, state.tracer)
        elif not mode and state.anomaly:
            state.tracer = None
        state.anomaly = bool(mode) and ("nan" if check_nan else "trace")

    def __enter__(self):
        return None

    def __exit__(self, *_):
        state.anomaly, state.tracer = self.was


class detect_anomaly(set_detect_anomaly):  # noqa: N801
    """Anomaly mode inside a `with` block."""

    def __init__(self, check_nan=True):
        self.check_nan = check_nan

    def __enter__(self):
        super().__init__(True, self.check_nan)


def is_anomaly_enabled():
    """Whether anomaly mode is on in this thread."""
    return bool(state.anomaly)


def is_anomaly_check_nan_enabled():
    """Whether NaN gradients are looked for: True, torch's default, outside of anomaly mode."""
    return state.anomaly != "trace"


def set_anomaly_enabled(enabled, check_nan=True):
    """Switch anomaly mode on or off in this thread.  check_nan: raise RuntimeError when a backward function returns NaN."""
    set_detect_anomaly(enabled, check_nan)
