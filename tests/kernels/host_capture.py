"""Streams, events, graph capture and replay on the host: what `host_gpu.device` lacks of CuPy for captured steps.

    xp = host_capture.device(folder)
    with xp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        y = xp.exp(x) + 1               # written down
        graph = stream.end_capture()
    graph.launch()                      # done, from what x holds now, into the same y

Work is done at once, on any stream.  In a capture kernels are not, but NumPy's functions are, because they say what their results look like in no
other way; at the capture's end that is undone: what was written gets its old values back, what was made is filled with nan.  So a program that reads
results of a capture before a replay sees garbage, as on a device.  Copies to and from the host, and whatever has to know values, are refused in
CuPy's words.  It does not show that memory freed in a capture is used again.
"""
import contextlib
import ctypes
import itertools
import types
import weakref

import host_gpu
import numpy as np

from ringgrad import _backends, _rng, cuda
from ringgrad._backends import BACKENDS
from ringgrad._backends.allocator import Allocator
from ringgrad.cuda import _driver, _place

__name__ = "cupy.host_capture"  # in tracebacks these frames are CuPy's
REFUSED = "the current stream is capturing, so {} are disallowed"
READS = ("item", "tolist", "tobytes", "__float__", "__int__", "__bool__", "__complex__", "__index__", "nonzero")
METHODS = ("sum", "prod", "mean", "std", "var", "max", "min", "argmax", "argmin", "any", "all", "cumsum", "cumprod", "astype", "copy", "take", "dot",
           "argsort", "clip", "round", "repeat", "flatten", "conj", "conjugate", "trace", "diagonal", "ravel", "reshape", "transpose", "squeeze",
           "swapaxes", "view", "__getitem__")
WRITES = ("fill", "sort", "put", "partition", "__setitem__")  # methods that write into their array
WRITERS = ("copyto", "put", "put_along_axis", "fill_diagonal", "place", "putmask")  # functions that write into their first argument
NEED_VALUES = ("nonzero", "flatnonzero", "argwhere", "unique", "bincount", "histogram", "array_equal", "allclose", "extract", "compress")


class CUDARuntimeError(RuntimeError):
    """CuPy's error of a CUDA call."""

    def __init__(self, status, words):
        super().__init__(words)
        self.status = status


class Capture:
    """A graph in the making: what is to be done, what to put back, and the streams that take part."""

    def __init__(self, origin):
        self.origin, self.steps, self.undo, self.made, self.open, self.valid = origin, [], [], [], set(), True

    def end(self):
        """Put back what was written and spoil what was made."""
        for array, values in reversed(self.undo):
            array[...] = values
        for array in self.made:
            if array.flags.writeable and array.flags.c_contiguous:
                array.reshape(-1).view(np.uint8)[...] = 0xff if array.dtype.kind != "b" else 1


class Graph:
    """What `end_capture` returns."""

    def __init__(self, steps):
        self.steps, self.graph, self.graphExec, self.launches = steps, id(self), id(self) + 1, 0
        GRAPHS[self.graph] = self

    def launch(self, stream=None):
        """Do it all again."""
        self.launches += 1
        with np.errstate(all="ignore"):
            for step in self.steps:
                step()

    def debug_dot_str(self, flags=0):
        """One node per piece of work."""
        return "digraph {\n" + "\n".join(f"  n{i}" for i in range(len(self.steps))) + "\n}"


class Stream:
    """A queue that is always empty, unless a test says `busy`."""

    null = None
    numbers = itertools.count(1000)

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr, self.device_id = (0, -1) if null else (next(self.numbers), RUNTIME.device)
        self.priority, self.capture, self.busy = priority or 0, None, False
        STREAMS[self.ptr] = self

    def __eq__(self, other):
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self):
        return self.ptr

    @property
    def done(self):
        self._must_not_capture("an operation not permitted when stream is capturing")
        return not self.busy

    def synchronize(self):
        self._must_not_capture("operation not permitted when stream is capturing")
        if RUNTIME.captures:  # of another stream: waiting is for afterwards
            raise CUDARuntimeError(900, "cudaErrorStreamCaptureUnsupported: operation not permitted when a stream is capturing")
        self.busy = False

    def _must_not_capture(self, words):
        if self.capture is not None:
            self.capture.valid = False
            raise CUDARuntimeError(900, f"cudaErrorStreamCaptureUnsupported: {words}")

    def use(self):
        if self.device_id not in (-1, RUNTIME.device):
            raise RuntimeError(f"The device that the stream is created on ({self.device_id}) does not match with the current device "
                               f"({RUNTIME.device})")
        RUNTIME.streams[RUNTIME.device] = self
        return self

    def __enter__(self):
        self.use()
        RUNTIME.entered.append((RUNTIME.device, self))
        return self

    def __exit__(self, *error):
        """As CuPy does: back to the last stream entered, not to one that `use` chose since."""
        index, _ = RUNTIME.entered.pop()
        RUNTIME.streams[index] = next((stream for device, stream in reversed(RUNTIME.entered) if device == index), Stream.null)

    def record(self, event=None):
        event = event or Event()
        event.stream, event.capture = self, self.capture
        return event

    def wait_event(self, event):
        capture = getattr(event, "capture", None) if isinstance(event, Event) else EVENTS[event.ptr].capture
        event = event if isinstance(event, Event) else EVENTS[event.ptr]
        if capture is None:
            return
        if self.capture is None:
            self.capture = capture
        if self is capture.origin:
            capture.open.discard(event.stream)
        else:
            capture.open.add(self)

    def begin_capture(self, mode=None):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.capture is not None:
            raise CUDARuntimeError(901, "cudaErrorIllegalState: the stream is capturing already")
        self.capture = Capture(self)
        RUNTIME.captures += 1

    def end_capture(self):
        capture, self.capture = self.capture, None
        RUNTIME.captures -= 1
        for stream in list(STREAMS_OF(capture)):
            stream.capture = None
        capture.end()
        if not capture.valid:
            raise CUDARuntimeError(901, "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture")
        if capture.open:
            raise CUDARuntimeError(904, "cudaErrorStreamCaptureUnjoined: capture was not ended in the same stream as it began")
        return Graph(capture.steps)

    def is_capturing(self):
        return self.capture is not None


def STREAMS_OF(capture):  # noqa: N802 - a table in effect
    return [event.stream for event in EVENTS.values() if event.stream is not None and event.stream.capture is capture] + list(capture.open)


EVENTS = {}
STREAMS = weakref.WeakValueDictionary()


def node(stream, event, what):
    """An event as a node of the graph that is captured: each launch says in `event.log` what was done."""
    STREAMS[stream].capture.steps.append(lambda: EVENTS[event].log.append(what))
    return 0


def wait_event(stream, event, flags=0):
    """cudaStreamWaitEvent, with the flag for nodes."""
    if flags:
        return node(stream, event, "waited for")
    return STREAMS[stream].wait_event(EVENTS[event])


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint)
def record_with_flags(event, stream, flags):
    """cuEventRecordWithFlags, which refuses the flag outside of captures (CUDA_ERROR_INVALID_VALUE)."""
    stream = stream or 0  # which ctypes gives as None
    return 1 if flags != 1 or STREAMS[stream].capture is None else node(stream, event, "recorded")


class Executables:
    """Graphs made executable by hand: cudaGraphInstantiate and its kin."""

    def __init__(self):
        self.held, self.numbers = {}, itertools.count(1)

    def instantiate(self, graph):
        number = next(self.numbers)
        self.held[number] = GRAPHS[graph]
        return number

    def launch(self, number, stream):
        self.held[number].launch()

    def destroy(self, number):
        del self.held[number]


GRAPHS = weakref.WeakValueDictionary()


class Event:
    """A mark that is reached when its stream is not `busy`."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr, self.timed, self.stream, self.capture, self.log = id(self), not disable_timing, None, None, []
        EVENTS[self.ptr] = self

    @property
    def done(self):
        if self.capture is not None:
            raise CUDARuntimeError(907, "cudaErrorCapturedEvent: operation not permitted on an event last recorded in a capturing stream")
        return self.stream is None or not self.stream.busy

    def record(self, stream=None):
        (stream or RUNTIME.stream()).record(self)

    def synchronize(self):
        if RUNTIME.capture() is not None:
            RUNTIME.capture().valid = False
            raise CUDARuntimeError(900, "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")
        if self.stream is not None:
            self.stream.busy = False


class Device:
    """A device by number; `with` makes it the current one."""

    def __init__(self, index=None):
        self.id = RUNTIME.device if index is None else int(index)

    def use(self):
        RUNTIME.device = self.id

    def synchronize(self):
        if any(s.capture is not None for s in RUNTIME.streams):
            raise CUDARuntimeError(900, "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")

    def __enter__(self):
        RUNTIME.devices.append(RUNTIME.device)
        RUNTIME.device = self.id
        return self

    def __exit__(self, *error):
        RUNTIME.device = RUNTIME.devices.pop()

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self):
        return self.id


class OutOfMemoryError(MemoryError):
    """CuPy's."""

    def __init__(self, size, total, limit=0):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class Segment:
    """Memory of the driver."""

    def __init__(self, size):
        self.size = size


class Memory:
    """A block of a pool; goes back to the free blocks of its stream when nobody holds it."""

    numbers = itertools.count(1 << 20, 1 << 20)

    def __init__(self, pool, size, stream):
        self.pool, self.size, self.stream, self.device_id, self.ptr = pool, size, stream, RUNTIME.device, next(self.numbers)

    def __del__(self):
        self.pool.used -= self.size
        self.pool.free.setdefault((self.stream, self.size), []).append(self.ptr)


class MemoryPointer:
    """The beginning of a block."""

    def __init__(self, memory):
        self.mem, self.ptr, self.device_id = memory, memory.ptr, memory.device_id


class MemoryPool:
    """CuPy's pool in small: blocks of 512 bytes' multiples, free ones by stream and size, all pools together at most `RUNTIME.capacity` bytes."""

    def __init__(self, allocator=None):
        self.used, self.total, self.free, self.allocator = 0, 0, {}, allocator or (lambda size: None)
        RUNTIME.pools.append(self)

    def malloc(self, size):
        size = -(-size // 512) * 512
        place = RUNTIME.stream().ptr, size
        reused = self.free[place].pop() if self.free.get(place) else None
        if reused is None:
            if sum(p.total for p in RUNTIME.pools) + size > RUNTIME.capacity:
                self.free_all_blocks()
            if sum(p.total for p in RUNTIME.pools) + size > RUNTIME.capacity:
                raise OutOfMemoryError(size, self.total)
            self.allocator(size)
            self.total += size
        memory = Memory(self, size, place[0])
        memory.ptr = reused or memory.ptr
        self.used += size
        return MemoryPointer(memory)

    def free_all_blocks(self, stream=None):
        self.total -= sum(size * len(blocks) for (_, size), blocks in self.free.items())
        self.free.clear()

    def used_bytes(self):
        return self.used

    def total_bytes(self):
        return self.total

    def n_free_blocks(self):
        return sum(map(len, self.free.values()))

    def set_limit(self, size=None, fraction=None):
        RUNTIME.capacity = size if fraction is None else int(fraction * RUNTIME.capacity)


class Runtime:
    """The state of the emulated driver: devices, current streams, pools."""

    def __init__(self):
        self.device, self.devices, self.entered, self.pools, self.capacity, self.allocator, self.captures = 0, [], [], [], 1 << 40, None, 0
        self.streams = [None, None]

    def stream(self):
        return self.streams[self.device]

    def capture(self):
        stream = self.stream()
        return stream.capture if stream is not None else None


RUNTIME = Runtime()
Stream.null = Stream(null=True)


def refuse(what):
    """CuPy's error when the current stream is capturing."""
    if RUNTIME.capture() is not None:
        raise RuntimeError(REFUSED.format(what))


def plain(value):
    """Arrays of the device as NumPy's own, in whatever holds them."""
    if isinstance(value, CapturedArray):
        return np.ndarray.view(value, np.ndarray)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)([plain(v) for v in value])
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def arrays_in(value):
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [a for v in value for a in arrays_in(v)] if isinstance(value, (list, tuple)) else []


def execute(function, args, kwargs, targets=()):
    """function(*args, **kwargs), written down when the current stream is capturing.  targets: arrays that it writes into."""
    args, kwargs, targets = plain(args), plain(kwargs), plain(list(targets))
    capture = RUNTIME.capture()
    if capture is not None:
        capture.undo.extend((t, t.copy()) for t in targets)
    with np.errstate(all="ignore"):  # a GPU computes inf and nan without a word
        found = function(*args, **kwargs)
    if capture is None:
        return host_gpu.on_device(found, CapturedArray)
    result = host_gpu.on_device(found, CapturedArray)
    given = [*arrays_in(args), *arrays_in(kwargs)]
    made = [plain(a) for a in arrays_in(result)]
    fresh = [any(np.may_share_memory(a, b) for b in given) is False for a in made]
    if targets or any(fresh):
        capture.made.extend(a for a, new in zip(made, fresh) if new)

        def again():
            values = arrays_in(host_gpu.on_device(function(*args, **kwargs), CapturedArray))
            for old, value, new in zip(made, values, fresh):
                if new:
                    old[...] = plain(value)
        capture.steps.append(again)
    return result


class CapturedArray(host_gpu.DeviceArray):
    """An array on the emulated device whose operations can be captured."""

    device = property(lambda self: Device(0))

    def get(self, stream=None, order="C", out=None, blocking=True):
        if (stream or RUNTIME.stream()).capture is not None:
            raise RuntimeError(REFUSED.format("D2H transfers"))
        values = plain(self).copy()
        return values if out is None else np.copyto(out, values) or out

    def set(self, array, stream=None):
        refuse("H2D transfers")
        plain(self)[...] = array

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        targets = [inputs[0]] if method == "at" else [o for o in out or () if o is not None]
        if out is not None:
            kwargs["out"] = out
        result = execute(getattr(ufunc, method), inputs, kwargs, targets)
        return targets[0] if out is not None and len(targets) == 1 else result

    def __array_function__(self, function, types, args, kwargs):
        name = function.__name__
        if name in NEED_VALUES or name == "where" and len(args) == 1:
            refuse("synchronous API calls")
        targets = [args[0]] if name in WRITERS else [kwargs["out"]] if kwargs.get("out") is not None else []
        result = execute(function, args, kwargs, targets)
        return kwargs["out"] if kwargs.get("out") is not None else result


def _method(name):
    def method(self, *args, **kwargs):
        if name == "__getitem__" and RUNTIME.capture() is not None:
            index = args[0] if isinstance(args[0], tuple) else (args[0],)
            if any(isinstance(i, np.ndarray) and i.dtype == bool or isinstance(i, list) for i in index):
                refuse("synchronous API calls")
        if name == "view" and args and isinstance(args[0], type) and issubclass(args[0], np.ndarray):
            return np.ndarray.view(self, *args)
        return execute(getattr(np.ndarray, name), (self, *args), kwargs, [self] if name in WRITES else ())
    method.__name__ = name
    return method


def _read(name):
    def method(self, *args):
        refuse("synchronous API calls")
        return getattr(plain(self), name)(*args)
    return method


for _name in (*METHODS, *WRITES):
    setattr(CapturedArray, _name, _method(_name))
for _name in READS:
    setattr(CapturedArray, _name, _read(_name))


class _Ufunc:
    """A ufunc with its methods."""

    def __init__(self, ufunc):
        self.ufunc = ufunc

    def __call__(self, *args, **kwargs):
        out = kwargs.get("out")
        result = execute(self.ufunc, args, kwargs, [o for o in (out if isinstance(out, tuple) else (out,)) if o is not None])
        return out if isinstance(out, np.ndarray) else result

    def at(self, target, *args):
        execute(self.ufunc.at, (target, *args), {}, [target])

    def __getattr__(self, name):
        return lambda *args, **kwargs: execute(getattr(self.ufunc, name), args, kwargs)


@contextlib.contextmanager
def using_allocator(allocator=None):
    before, RUNTIME.allocator = RUNTIME.allocator, allocator
    try:
        yield
    finally:
        RUNTIME.allocator = before


def _namespace(pool):
    """cupy.cuda."""
    executables = Executables()
    runtime = types.SimpleNamespace(
        executables=executables, graphInstantiate=executables.instantiate, graphLaunch=executables.launch, graphExecDestroy=executables.destroy,
        streamWaitEvent=wait_event,
        CUDARuntimeError=CUDARuntimeError, streamCaptureModeRelaxed=2, streamCaptureModeGlobal=0, streamCaptureModeThreadLocal=1,
        getDevice=lambda: RUNTIME.device, getDeviceCount=lambda: 2, memGetInfo=lambda: (RUNTIME.capacity - sum(p.total for p in RUNTIME.pools),
                                                                                       RUNTIME.capacity),
        deviceSynchronize=lambda: Device().synchronize(), setDevice=lambda index: setattr(RUNTIME, "device", index))
    memory = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
    return types.SimpleNamespace(
        Memory=Segment, MemoryPointer=lambda memory, offset: memory, Stream=Stream, Event=Event, Device=Device, MemoryPool=MemoryPool,
        using_allocator=using_allocator, runtime=runtime, memory=memory, get_elapsed_time=lambda a, b: 0.0,
        get_current_stream=lambda index=-1: RUNTIME.streams[RUNTIME.device if index < 0 else index],
        alloc=lambda size: (RUNTIME.allocator or pool.malloc)(size), get_allocator=lambda: RUNTIME.allocator or pool.malloc,
        set_allocator=lambda allocator=None: setattr(RUNTIME, "default", allocator))


class device(host_gpu.device):  # noqa: N801 - used like a module
    """host_gpu.device with streams and graphs."""

    ndarray = CapturedArray

    def __init__(self, folder):
        RUNTIME.__init__()
        RUNTIME.streams = [Stream.null, Stream.null]
        super().__init__(folder)
        self.pool = MemoryPool()
        self.cuda = _namespace(self.pool)
        tricks = types.SimpleNamespace(as_strided=lambda x, *rest: np.ndarray.view(np.lib.stride_tricks.as_strided(plain(x), *rest), CapturedArray))
        self.lib = types.SimpleNamespace(stride_tricks=tricks)  # which NumPy gives back as an array of its own

    def get_default_memory_pool(self):
        return self.pool

    def get_default_pinned_memory_pool(self):
        return types.SimpleNamespace(free_all_blocks=lambda: None)

    def __getattr__(self, name):
        value = getattr(np, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args, **kwargs):
            if name in NEED_VALUES or name == "where" and len(args) == 1:
                refuse("synchronous API calls")
            if name in ("array", "asarray", "ascontiguousarray") and not isinstance(args[0], (CapturedArray, np.generic, int, float, bool)):
                refuse("H2D transfers")
            if name in ("concatenate", "stack") and len(args[0]) > 8:
                refuse("H2D transfers")  # of a table of addresses
            targets = [args[0]] if name in WRITERS else [kwargs["out"]] if kwargs.get("out") is not None else []
            if name in ("asarray", "ascontiguousarray") and isinstance(args[0], CapturedArray) and value(plain(args[0]), *args[1:], **kwargs) is (
                    plain(args[0])):
                return args[0]
            result = execute(value, args, kwargs, targets)
            return kwargs["out"] if kwargs.get("out") is not None else result
        return call

    def submit(self, work, arrays):
        """A kernel on arrays that it may write into."""
        capture = RUNTIME.capture()
        if capture is not None:
            capture.steps.append(lambda: (work(), arrays))  # whose memory stays, as that of a graph's pool does
        else:
            work()


class Backend(host_gpu.Backend):
    """host_gpu.Backend with an allocator."""

    def __init__(self, xp):
        super().__init__(xp)
        self.allocator = Allocator(xp)

    def from_host(self, array, index=None, non_blocking=False):
        return self.xp.asarray(np.array(array))

    def synchronize(self, index=None):
        Device().synchronize()


class plugged(host_gpu.plugged):  # noqa: N801 - used with `with`
    """host_gpu.plugged, with an allocator, two devices, and random numbers on the device."""

    backend = Backend

    def __enter__(self):
        self.source, self.count = _rng._cuda_source, _place.device_count
        _rng._cuda_source, _place.device_count = lambda place: random_source(self.xp, place.index or 0), lambda: 2
        self.library, _driver.library = _driver.library, lambda: types.SimpleNamespace(cuEventRecordWithFlags=record_with_flags)
        super().__enter__()
        # Modules that hold the real load_cuda find this backend where it looks.
        self.waiting, _backends.WHEN_CUDA_LOADS[:] = _backends.WHEN_CUDA_LOADS[:], []
        self.before_cupy, _backends.cupy_ = getattr(_backends, "cupy_", None), BACKENDS[self.xp.ndarray]
        return self.xp

    def __exit__(self, *error):
        super().__exit__(*error)
        _backends.WHEN_CUDA_LOADS[:] = self.waiting
        if self.before_cupy is None:
            del _backends.cupy_
        else:
            _backends.cupy_ = self.before_cupy
        _rng._cuda_source, _place.device_count, _driver.library = self.source, self.count, self.library
        cuda.graph.default_capture_stream = None
        for place in [d for d in _rng._defaults if d.type == "cuda"]:
            del _rng._defaults[place]


def random_source(xp, index):
    """`_backends/cupy_random.CudaSource` over the emulated device."""
    import importlib.util
    import sys
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = xp
    try:
        spec = importlib.util.find_spec("ringgrad._backends.cupy_random")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before
    return module.CudaSource(index)
