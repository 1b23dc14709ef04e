"""Streams and events of CUDA devices, in torch's words, over CuPy's."""
import ctypes

from .._backends import load_cuda
from .._device import device as Device
from ._driver import WAIT_EXTERNAL, record_external, stream_priorities
from ._place import index_of


def _cuda():
    return load_cuda().xp.cuda


class Stream:
    """A queue of GPU work: kernels on one stream run in order, those on different streams may overlap.

    device: where it is (None or a negative index: the current one);  priority: negative is more urgent, 0 normal, brought into
    `priority_range`;  stream_id, device_index: those of a stream that there is, instead.  `native` is CuPy's stream.
    """

    __module__ = "ringgrad.cuda"

    def __init__(self, device=None, priority=0, *, stream_id=None, device_index=None, device_type=None, stream_ptr=None, native=None):
        cuda = _cuda()
        index = device_index if device_index is not None else _index(device)
        pointer = stream_ptr if stream_ptr is not None else stream_id
        if native is None:
            with cuda.Device(index):
                native = cuda.Stream(non_blocking=True, priority=priority) if pointer is None else _wrapped(cuda, pointer, index)
        self.native, self.device, self._entered = native, Device("cuda", index), []

    device_index = property(lambda self: self.device.index, doc="Number of the device.")
    device_type = property(lambda self: 1, doc="1, torch's number for CUDA.")
    stream_id = property(lambda self: self.native.ptr, doc="The handle again, which names the stream on its device.")
    cuda_stream = property(lambda self: self.native.ptr, doc="The cudaStream_t as an integer.")
    native_handle = cuda_stream
    _as_parameter_ = property(lambda self: ctypes.c_void_p(self.cuda_stream))

    @property
    def priority(self):
        """The priority it has: negative is more urgent, 0 normal."""
        return self.native.priority

    @staticmethod
    def priority_range():
        """(the least urgent, the most urgent) priority: (0, -5) on current GPUs."""
        _cuda().runtime.deviceSynchronize()  # makes the context that the driver is asked about
        return stream_priorities()

    def synchronize(self):
        """Wait on the host until the stream is empty."""
        self.native.synchronize()

    def wait_event(self, event):
        """Later work on this stream waits for `event`, of any device; the host does not wait."""
        event.wait(self)

    def wait_stream(self, stream):
        """Later work on this stream waits for what is on `stream` now; the host does not wait."""
        self.wait_event(stream.record_event())

    def record_event(self, event=None):
        """Record an event (a new one unless given) behind the work queued so far, and return it."""
        event = event if event is not None else Event()
        event.record(self)
        return event

    def query(self):
        """Whether all queued work is done."""
        return self.native.done

    def is_capturing(self):
        """Whether its work is being captured in a graph."""
        return bool(self.native.is_capturing())

    def __enter__(self):
        context = StreamContext(self)
        context.__enter__()
        self._entered.append(context)
        return self

    def __exit__(self, *error):
        self._entered.pop().__exit__(*error)

    def __eq__(self, other):
        return isinstance(other, Stream) and (self.cuda_stream, self.device) == (other.cuda_stream, other.device)

    def __hash__(self):
        return hash((self.cuda_stream, self.device))

    def __cuda_stream__(self):
        """(0, handle): CUDA's protocol for exchanging streams between libraries."""
        return 0, self.cuda_stream

    def __repr__(self):
        return f"<ringgrad.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """A stream that another library made, which must keep it alive.  stream_ptr: its cudaStream_t as an integer;  device: where it is."""

    __module__ = "ringgrad.cuda"

    def __init__(self, stream_ptr, device=None):
        super().__init__(device, stream_ptr=stream_ptr)


class _Foreign:
    """A handle as CuPy takes it from other libraries."""

    def __init__(self, pointer):
        self.pointer = pointer

    def __cuda_stream__(self):
        return 0, self.pointer


def _wrapped(cuda, pointer, index):
    if not pointer:
        return cuda.Stream.null
    native = cuda.Stream.from_external(_Foreign(int(pointer)))
    native.device_id = index  # CuPy leaves it open
    return native


def _index(device):
    return index_of(None if isinstance(device, int) and device < 0 else device)


class Event:
    """A mark in a stream that others can wait for; with enable_timing, a clock.

    blocking: `synchronize` sleeps in place of spinning;  interprocess: may be sent to other processes, and has no clock;  external: recorded or
    waited for in a capture, it is a node of the graph, so that each replay marks it, or waits for what was marked outside; without it a capture
    takes both for an order within the graph.
    The event is made when it is first recorded, on that stream's device.
    """

    __module__ = "ringgrad.cuda"

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        load_cuda()
        self._external = bool(external)
        self._options = {"block": bool(blocking), "disable_timing": not enable_timing, "interprocess": bool(interprocess)}
        self.native = self.device = None

    @classmethod
    def from_ipc_handle(cls, device, handle):
        """The event of another process, from what its `ipc_handle` returned."""
        event, cuda = cls(interprocess=True), _cuda()
        with cuda.Device(_index(device)):
            event._make(_index(device))
            cuda.runtime.eventDestroy(event.native.ptr)
            event.native.ptr = cuda.runtime.ipcOpenEventHandle(handle)
        return event

    def ipc_handle(self):
        """Bytes by which another process can open this event; needs interprocess=True."""
        if self.native is None:
            self._make(_index(None))
        return _cuda().runtime.ipcGetEventHandle(self.native.ptr)

    cuda_event = property(lambda self: 0 if self.native is None else self.native.ptr, doc="The cudaEvent_t as an integer; 0 before the first use.")
    event_id = cuda_event
    _as_parameter_ = property(lambda self: ctypes.c_void_p(self.cuda_event))

    def _make(self, index):
        with _cuda().Device(index):
            self.native, self.device = _cuda().Event(**self._options), Device("cuda", index)

    def record(self, stream=None):
        """Put the mark behind the work queued on `stream` (None: the current one), which must be on the event's device."""
        stream = stream if stream is not None else current_stream()
        if self.native is None:
            self._make(stream.device.index)
        elif self.device != stream.device:
            raise RuntimeError(f"Event device {self.device.index} does not match recording stream's device {stream.device.index}.")
        with _cuda().Device(stream.device.index):
            if self._external and stream.is_capturing():  # outside of a capture the flag is an error
                record_external(self.native.ptr, stream.native.ptr)
            else:
                self.native.record(stream.native)

    def wait(self, stream=None):
        """Later work on `stream` (None: the current one) waits for the mark; an event that was never recorded holds nobody up."""
        stream = stream if stream is not None else current_stream()
        if self.native is not None:
            with _cuda().Device(stream.device.index):
                if self._external and stream.is_capturing():
                    _cuda().runtime.streamWaitEvent(stream.native.ptr, self.native.ptr, WAIT_EXTERNAL)
                else:
                    stream.native.wait_event(self.native)

    def query(self):
        """Whether the mark has been reached; True for one that was never recorded."""
        return self.native is None or self.native.done

    def synchronize(self):
        """Wait on the host until the mark is reached."""
        if self.native is not None:
            self.native.synchronize()

    def elapsed_time(self, end_event):
        """Milliseconds from this mark to `end_event`.  ValueError unless both have enable_timing and were recorded."""
        if self._options["disable_timing"] or end_event._options["disable_timing"]:
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self.native is None or end_event.native is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return _cuda().get_elapsed_time(self.native, end_event.native)

    def __repr__(self):
        return f"<ringgrad.cuda.Event {self.cuda_event:#x}>" if self.native is not None else "<ringgrad.cuda.Event uninitialized>"


def current_stream(device=None):
    """The stream that this thread's work for `device` (None: the current one) goes to."""
    index = index_of(device)
    return Stream(device_index=index, native=_cuda().get_current_stream(index))


def default_stream(device=None):
    """The stream that work for `device` (None: the current one) goes to unless another is chosen."""
    return Stream(device_index=index_of(device), native=_cuda().Stream.null)


def get_stream_from_external(data_ptr, device=None):
    """A Stream on the cudaStream_t `data_ptr`, an integer, which another library made on `device` and keeps alive."""
    return ExternalStream(data_ptr, device)


def set_stream(stream):
    """Send this thread's CUDA work to `stream` from here on, on its device, which becomes the current one; None changes nothing."""
    if stream is not None:
        _cuda().Device(stream.device.index).use()
        stream.native.use()


class StreamContext:
    """`with ringgrad.cuda.stream(s):` sends work to `s`, and makes its device the current one.  Both go back; None changes nothing.

    CuPy is told by its own `with`, too: what a program enters of CuPy's streams inside comes back to `s`.
    """

    def __init__(self, stream):
        self.stream, self._before = stream, []

    def __enter__(self):
        if self.stream is not None:
            here = current_stream()
            self._before.append((here, here if here.device == self.stream.device else current_stream(self.stream.device)))
            _cuda().Device(self.stream.device.index).use()
            self.stream.native.__enter__()

    def __exit__(self, *error):
        if self.stream is not None:
            here, there = self._before.pop()
            self.stream.native.__exit__(*error)
            set_stream(there)
            set_stream(here)


def stream(stream):
    """`with ringgrad.cuda.stream(s):` sends work to `s`, and makes its device the current one; None changes nothing."""
    return StreamContext(stream)
