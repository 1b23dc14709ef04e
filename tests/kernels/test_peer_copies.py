"""Copies between two GPUs are in order with the streams of both: the backend's own module, over the GPU on the host, whose waits are written down."""
import importlib.util
import sys
import types

import host_capture
import numpy as np
import pytest

from ringgrad import _backends


class OnFirst(host_capture.CapturedArray):
    """An array on the first device."""


@pytest.fixture
def xp(compiled):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp


@pytest.fixture
def backend(xp, monkeypatch):
    """`_backends/cupy_.py` with the emulator in CuPy's place."""
    xp.cuda.pinned_memory = types.SimpleNamespace(is_memory_pinned=lambda address: False)
    monkeypatch.setitem(sys.modules, "cupy", xp)
    monkeypatch.setitem(sys.modules, "cupyx", types.SimpleNamespace())
    spec = importlib.util.find_spec("ringgrad._backends.cupy_")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def written(xp, monkeypatch):
    """What streams did, in order: ("record", device, stream) and ("wait", device, stream, whose event), ("copy", device)."""
    log, record, wait = [], host_capture.Stream.record, host_capture.Stream.wait_event

    def note_record(stream, event=None):
        log.append(("record", host_capture.RUNTIME.device, stream.ptr))
        return record(stream, event)

    def note_wait(stream, event):
        log.append(("wait", host_capture.RUNTIME.device, stream.ptr, event.stream.ptr))
        wait(stream, event)
    monkeypatch.setattr(host_capture.Event, "record", lambda event, stream: note_record(stream, event))
    monkeypatch.setattr(host_capture.Stream, "wait_event", note_wait)
    monkeypatch.setattr(xp, "array", lambda a: log.append(("copy", host_capture.RUNTIME.device)) or np.copy(a), raising=False)
    return log


def test_a_copy_waits_for_the_source_and_the_source_for_the_copy(xp, backend, written):
    values = np.float32([1, 2, 3]).view(OnFirst)
    with xp.cuda.Device(0):
        there = xp.cuda.Stream(non_blocking=True)
        there.use()
    with xp.cuda.Device(1):
        here = xp.cuda.Stream(non_blocking=True)
        here.use()
    assert backend.move(values, 1).tolist() == [1, 2, 3]
    assert written == [("record", 0, there.ptr), ("wait", 1, here.ptr, there.ptr), ("copy", 1),
                       ("record", 1, here.ptr), ("wait", 0, there.ptr, here.ptr)]


@pytest.mark.parametrize("index", [None, 0])
def test_what_is_there_stays(backend, written, index):
    values = np.float32([1]).view(OnFirst)
    assert backend.move(values, index) is values and written == []


def test_a_device_that_is_not_there(backend, written):
    with pytest.raises(RuntimeError, match="device cuda:2 was asked for but this machine has 2"):
        backend.move(np.float32([1]).view(OnFirst), 2)
    assert written == []


def test_the_library_has_its_own_module_still(backend):
    assert _backends.cupy_ is not backend
