"""profile, record_function and schedule."""
import json
import os
import socket
import threading
import time
from contextlib import ContextDecorator
from enum import Enum, IntEnum

from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._state import state
from ..cuda import nvtx
from ._events import EventList, FunctionEvent

_running = threading.local()  # .profiles: those that record in this thread


class ProfilerActivity(Enum):
    """What to time; only the CPU is."""

    CPU, CUDA, XPU, MTIA, HPU, PrivateUse1 = range(6)


class DeviceType(IntEnum):
    """Kinds of devices."""

    CPU, CUDA = 0, 1


class ProfilerAction(Enum):
    """What a schedule says about a step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


def supported_activities():
    """{ProfilerActivity.CPU}."""
    return {ProfilerActivity.CPU}


def kineto_available():
    """False."""
    return False


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """A function step -> ProfilerAction: skip_first steps, then `repeat` times (0: for ever) wait, warm up and record."""
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise AssertionError("Invalid profiler schedule arguments")

    def action(step):
        step -= skip_first
        length = wait + warmup + active
        if step < 0 or repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def _now_us():
    return time.perf_counter_ns() / 1000


class profile:  # noqa: N801 - torch's name
    """Times what runs inside the `with` block in this thread.

    schedule: step -> ProfilerAction, with `step()` called after each; on_trace_ready: called with the profile when a recording is complete.
    record_shapes: keep the shapes of inputs.  The other arguments are torch's and change nothing.
    """

    def __init__(self, enabled=True, *, activities=None, schedule=None, on_trace_ready=None, record_shapes=False, profile_memory=False,
                 with_stack=False, with_flops=False, with_modules=False, experimental_config=None, acc_events=False, use_cuda=None,
                 use_device=None, use_kineto=False, use_cpu=True, execution_trace_observer=None, **others):
        self.enabled, self.schedule, self.on_trace_ready, self.record_shapes = enabled, schedule, on_trace_ready, record_shapes
        self.step_num = 0
        self._done, self._open, self._recording, self._in_step = [], [], False, None

    # -- life ------------------------------------------------------------------------------------------------------------

    def start(self):
        """Begin."""
        self.__enter__()

    def stop(self):
        """End."""
        self.__exit__(None, None, None)

    def __enter__(self):
        if self.enabled:
            self._outer = state.tracer
            state.tracer = self._trace
            _running.profiles = [*getattr(_running, "profiles", []), self]
            self._recording = self._action() in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        return self

    def __exit__(self, *error):
        if not self.enabled:
            return
        state.tracer = self._outer
        _running.profiles = [p for p in _running.profiles if p is not self]
        while self._open:
            self._end()
        if self._recording:
            self._ready()
        self._recording = False

    def step(self):
        """The next step of the schedule begins."""
        before = self._action()
        self.step_num += 1
        if before is ProfilerAction.RECORD_AND_SAVE and self.schedule is not None:
            self._ready()
        after = self._action()
        recording = after in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if recording and not self._recording:
            self._done = []
        self._recording = recording

    def _action(self):
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num)

    def _ready(self):
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    # -- recording -------------------------------------------------------------------------------------------------------

    def _trace(self, op, inputs, attrs, inplace=False):
        inner, state.tracer = state.tracer, self._outer
        shapes = [list(t.shape) if isinstance(t, Tensor) else [] for t in inputs] if self.record_shapes else []
        self._begin(f"aten::{op.name}{'_' if inplace else ''}", shapes)
        try:
            return apply_inplace(op, inputs[0], inputs[1:], attrs) if inplace else op.apply(inputs, attrs)
        finally:
            self._end()
            state.tracer = inner

    def _begin(self, name, shapes=()):
        self._open.append(FunctionEvent(name, _now_us(), input_shapes=list(shapes), thread=threading.get_ident()))

    def _end(self):
        event = self._open.pop()
        event.end_us = _now_us()
        if self._open:
            self._open[-1].children_us += event.cpu_time_total
        if self._recording:
            self._done.append(event)

    # -- results ---------------------------------------------------------------------------------------------------------

    def events(self):
        """Everything that was timed, in the order in which it ended."""
        return EventList(self._done)

    function_events = property(events)

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False):
        """One entry per name; `.table()` prints them."""
        return self.events().key_averages(group_by_input_shape)

    def total_average(self):
        """All of it as one entry."""
        return self.events().total_average()

    def table(self, *args, **kwargs):
        """The events as text."""
        return self.events().table(*args, **kwargs)

    @property
    def self_cpu_time_total(self):
        """Microseconds altogether."""
        return self.events().self_cpu_time_total

    def export_chrome_trace(self, path):
        """Write the time line as JSON, for chrome://tracing and Perfetto."""
        pid = os.getpid()
        events = [{"ph": "X", "cat": "cpu_op", "name": e.name, "ts": e.start_us, "dur": e.cpu_time_total, "pid": pid, "tid": e.thread,
                   "args": {"Input Dims": e.input_shapes} if self.record_shapes else {}} for e in self._done]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 1, "traceEvents": events}, file)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Write name and microseconds per line."""
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{e.key} {int(getattr(e, metric.replace('cuda', 'device')))}\n" for e in self.key_averages())

    def add_metadata(self, key, value):
        """Taken for torch's sake."""

    add_metadata_json = add_metadata


class record_function(ContextDecorator):  # noqa: N801 - torch's name
    """A block (or function) that profiles list under `name`."""

    def __init__(self, name, args=None):
        self.name = name

    def __enter__(self):
        self._in = list(getattr(_running, "profiles", []))
        for p in self._in:
            p._begin(self.name)
        return self

    def __exit__(self, *error):
        for p in self._in:
            if p._open:
                p._end()


class emit_nvtx:  # noqa: N801 - torch's name
    """Inside the `with` block every operation is a range in the time line of NVIDIA's profilers."""

    def __init__(self, enabled=True, record_shapes=False):
        self.enabled = enabled

    def __enter__(self):
        self._outer = state.tracer
        if self.enabled:
            state.tracer = self._trace
        return self

    def __exit__(self, *error):
        state.tracer = self._outer

    def _trace(self, op, inputs, attrs, inplace=False):
        inner, state.tracer = state.tracer, self._outer
        nvtx.range_push(op.name)
        try:
            return apply_inplace(op, inputs[0], inputs[1:], attrs) if inplace else op.apply(inputs, attrs)
        finally:
            nvtx.range_pop()
            state.tracer = inner


class emit_itt(emit_nvtx):  # noqa: N801 - torch's name
    """Taken for torch's sake: Intel's profiler is not told anything."""

    def __init__(self, enabled=True, record_shapes=False):
        super().__init__(False)


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """For `on_trace_ready`: writes each recording to a file in `dir_name`."""
    def handle(p):
        os.makedirs(dir_name, exist_ok=True)
        name = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        p.export_chrome_trace(os.path.join(dir_name, f"{name}.{time.time_ns()}.pt.trace.json"))
    return handle
