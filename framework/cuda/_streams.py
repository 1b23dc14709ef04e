"""Streams and events of a CUDA device, in torch's words, over CuPy's."""
from .._backends import load_cuda


def _cuda():
    return load_cuda().xp.cuda


class Stream:
    """A queue of GPU work: kernels on one stream run in order, those on different streams may overlap.

    priority: -1 is high, 0 normal.  `native` is CuPy's stream; `cuda_stream` its handle as an integer.
    """

    def __init__(self, device=None, priority=0, native=None):
        self.native = native if native is not None else _cuda().Stream(non_blocking=True, priority=priority)

    @property
    def cuda_stream(self):
        """The cudaStream_t as an integer."""
        return self.native.ptr

    def synchronize(self):
        """Wait on the host until the stream is empty."""
        self.native.synchronize()

    def wait_event(self, event):
        """Later work on this stream waits for `event`."""
        self.native.wait_event(event.native)

    def wait_stream(self, stream):
        """Later work on this stream waits for what is on `stream` now."""
        self.wait_event(stream.record_event())

    def record_event(self, event=None):
        """Record an event (a new one unless given) behind the work queued so far, and return it."""
        event = event or Event()
        event.record(self)
        return event

    def query(self):
        """Whether all queued work is done."""
        return self.native.done

    def __enter__(self):
        self.native.__enter__()
        return self

    def __exit__(self, *error):
        self.native.__exit__(*error)

    def __eq__(self, other):
        return isinstance(other, Stream) and self.native == other.native

    def __hash__(self):
        return hash(self.native)

    def __repr__(self):
        return f"<ringgrad.cuda.Stream cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a stream that others can wait for; with enable_timing, a clock."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False):
        self.native = _cuda().Event(block=blocking, disable_timing=not enable_timing, interprocess=interprocess)

    def record(self, stream=None):
        """Put the mark behind the work queued on `stream` (None: the current one)."""
        self.native.record((stream or current_stream()).native)

    def wait(self, stream=None):
        """Later work on `stream` (None: the current one) waits for the mark."""
        (stream or current_stream()).wait_event(self)

    def query(self):
        """Whether the mark has been reached."""
        return self.native.done

    def synchronize(self):
        """Wait on the host until the mark is reached."""
        self.native.synchronize()

    def elapsed_time(self, end_event):
        """Milliseconds from this mark to `end_event`; both need enable_timing."""
        return _cuda().get_elapsed_time(self.native, end_event.native)


def current_stream(device=None):
    """The stream that this thread's CUDA work goes to."""
    return Stream(native=_cuda().get_current_stream())


def default_stream(device=None):
    """The stream that work goes to unless another is chosen."""
    return Stream(native=_cuda().Stream.null)


def set_stream(stream):
    """Send this thread's CUDA work to `stream` from here on; None changes nothing."""
    if stream is not None:
        stream.native.use()


class StreamContext:
    """`with ringgrad.cuda.stream(s):` sends work to `s`; None changes nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            self.stream.__enter__()

    def __exit__(self, *error):
        if self.stream is not None:
            self.stream.__exit__(*error)


def stream(stream):
    """`with ringgrad.cuda.stream(s):` sends work to `s`; None changes nothing."""
    return StreamContext(stream)
