"""torch.profiler: how often each operation ran and how long it took, as a table and as a file for Chrome's trace viewer.

Forward operations and `record_function` blocks are timed on the host; the rules of a backward pass run inside it and are not listed one by one.
"""
from ._events import EventList, FunctionEvent
from ._profile import (
    DeviceType,
    ProfilerAction,
    ProfilerActivity,
    emit_itt,
    emit_nvtx,
    kineto_available,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = ["DeviceType", "EventList", "FunctionEvent", "ProfilerAction", "ProfilerActivity", "emit_itt", "emit_nvtx", "kineto_available",
           "profile", "record_function", "schedule", "supported_activities", "tensorboard_trace_handler"]
