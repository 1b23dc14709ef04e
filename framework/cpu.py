"""torch.cpu: the CPU under the names of an accelerator.  Its streams are null objects: work is done when it is asked for."""
import contextlib
import os
import platform
import time

from .backends.cpu import get_cpu_capability

__all__ = ["Event", "Stream", "StreamContext", "current_device", "current_stream", "device_count", "get_capabilities", "is_available",
           "is_initialized", "set_device", "stream", "synchronize"]


class Stream:
    """A queue that is always empty."""

    device_type, device_index, stream_id = 0, -1, 0  # torch's numbers for the CPU

    def __init__(self, priority=-1, device=None):
        self.priority, self.device = priority, device

    @property
    def native_handle(self):
        """RuntimeError: there is none."""
        raise RuntimeError("Backend doesn't support getting stream native handle.")

    def is_capturing(self):
        """False: there are no graphs of the CPU's work."""
        return False

    def synchronize(self):
        """Nothing to wait for."""

    def wait_stream(self, stream):
        """Nothing to wait for."""

    def wait_event(self, event):
        """Nothing to wait for."""

    def record_event(self, event=None):
        """Record an event (a new one unless given), and return it."""
        event = event or Event()
        event.record(self)
        return event

    def query(self):
        """True: all work is done."""
        return True

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


class Event:
    """A mark, and with enable_timing a clock: it remembers when it was recorded."""

    event_id = 0

    def __init__(self, device=None, enable_timing=False, blocking=False, interprocess=False):
        self._enable_timing, self._time_s, self.device = enable_timing, None, device

    def ipc_handle(self):
        """NotImplementedError, as in torch."""
        raise NotImplementedError("torch.Event ipc is not supported yet, please open an issue if you need this!")

    @classmethod
    def from_ipc_handle(cls, device, handle):
        """NotImplementedError, as in torch."""
        raise NotImplementedError("torch.Event ipc is not supported yet, please open an issue if you need this!")

    def record(self, stream=None):
        """Remember this moment."""
        self._time_s = time.perf_counter()

    def query(self):
        """True: all work is done."""
        return True

    def wait(self, stream=None):
        """Nothing to wait for."""

    def synchronize(self):
        """Nothing to wait for."""

    def elapsed_time(self, end_event):
        """Milliseconds from this mark to `end_event`; both need enable_timing and to be recorded."""
        if not (self._enable_timing and end_event._enable_timing):
            raise RuntimeError("Both events must be created with argument 'enable_timing=True'.")
        if self._time_s is None or end_event._time_s is None:
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        return 1000 * (end_event._time_s - self._time_s)


class StreamContext(contextlib.nullcontext):
    """A `with` block that changes nothing."""


_stream = Stream()


def stream(stream):
    """A `with` block that changes nothing."""
    return StreamContext()


def current_stream(device=None):
    """The one stream."""
    return _stream


def is_available():
    """True."""
    return True


def is_initialized():
    """True."""
    return True


def device_count():
    """1: the CPU is one device."""
    return 1


def current_device():
    """"cpu"."""
    return "cpu"


def set_device(device):
    """Nothing to choose."""


def synchronize(device=None):
    """Nothing to wait for."""


def get_capabilities():
    """The machine's name, its cores and the widest instructions NumPy uses."""
    return {"architecture": platform.machine(), "cores": os.cpu_count(), "capability": get_cpu_capability()}
