"""Page-locked memory: what it says without a GPU, beside torch's CPU build, and what it does with one (whose pinned memory is stood in for)."""
import sys
import types

import numpy as np
import pytest

import ringgrad
from ringgrad import _backends

REFUSED = {
    "pin_memory": lambda lib: lib.zeros(2).pin_memory(),
    "pin_memory of nothing": lambda lib: lib.zeros(0).pin_memory(),
    **{name: lambda lib, name=name: getattr(lib, name)(2, pin_memory=True)
       for name in ("zeros", "ones", "empty", "rand", "randn", "arange", "randperm")},
    "full": lambda lib: lib.full((2,), 1.0, pin_memory=True),
    "randint": lambda lib: lib.randint(3, (2,), pin_memory=True),
    "tensor": lambda lib: lib.tensor([1.0], pin_memory=True),
    "zeros_like": lambda lib: lib.zeros_like(lib.ones(2), pin_memory=True),
    "new_zeros": lambda lib: lib.ones(2).new_zeros(2, pin_memory=True),
    "new_full": lambda lib: lib.ones(2).new_full((2,), 3.0, pin_memory=True),
    "empty_strided": lambda lib: lib.empty_strided((2,), (1,), pin_memory=True),
    "empty_permuted": lambda lib: lib.empty_permuted((2, 2), (0, 1), pin_memory=True),
}


without_gpu = pytest.mark.skipif(ringgrad.cuda.is_available(), reason="there is a GPU on this machine")


@without_gpu
@pytest.mark.parametrize("name", REFUSED)
def test_without_a_gpu_it_is_refused_in_torchs_words(name):
    words = "Cannot access accelerator device when none is available." if name.startswith("pin_memory") else (
        "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is available on this system.")
    with pytest.raises(RuntimeError) as ours:
        REFUSED[name](ringgrad)
    assert str(ours.value) == words


@without_gpu
@pytest.mark.torch
@pytest.mark.parametrize("name", REFUSED)
def test_those_are_torchs_words(name):
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as ours:
        REFUSED[name](ringgrad)
    with pytest.raises(RuntimeError) as theirs:
        REFUSED[name](torch)
    assert str(ours.value) == str(theirs.value)


def test_nothing_is_pinned_without_a_gpu():
    x = ringgrad.ones(2)
    assert not x.is_pinned() and not x.to("cpu", non_blocking=True).is_pinned()
    with pytest.raises(RuntimeError, match="pin their indices"):
        x.to_sparse().pin_memory()


class Pinned(np.ndarray):
    """An array that stands for one in page-locked memory."""


@pytest.fixture
def gpu(monkeypatch):
    """A backend whose pinned memory is told by its type, and which notes how it was asked to copy."""
    addresses, copies = set(), []

    def empty_pinned(shape, dtype):
        array = np.empty(shape, dtype)
        addresses.add(array.ctypes.data)
        return array
    backend = types.SimpleNamespace(empty_pinned=empty_pinned, is_pinned=lambda a: a.ctypes.data in addresses, require_device=lambda index=None: None,
                                    Array=Pinned, name="cupy", copies=copies, several=lambda: False)
    backend.from_host = lambda a, index=None, non_blocking=False: copies.append(("there", non_blocking)) or a.copy().view(Pinned)
    backend.to_host = lambda a, non_blocking=False: copies.append(("back", non_blocking)) or np.asarray(a).copy()
    backend.index_of, backend.asarray, backend.COMPUTES_HALF_IN_FLOAT32, backend.xp = lambda a: 0, np.asarray, False, np
    monkeypatch.setattr(_backends, "cupy_", backend, raising=False)
    monkeypatch.setattr(_backends, "WHEN_CUDA_LOADS", [])
    monkeypatch.setitem(sys.modules, "cupy", types.ModuleType("cupy"))
    monkeypatch.setitem(_backends.BACKENDS, Pinned, backend)
    return backend


def test_pinning_copies_once(gpu):
    x = ringgrad.tensor([1.0, 2.0], requires_grad=True)
    p = x.pin_memory()
    assert p.is_pinned() and not x.is_pinned() and p.requires_grad and p.is_leaf and p.tolist() == [1, 2]
    assert p.pin_memory() is p and p.pin_memory("cuda") is p and not (x * 2).pin_memory().requires_grad
    for t in (ringgrad.empty(3, pin_memory=True), ringgrad.tensor([1], pin_memory=True), ringgrad.empty_strided((2, 2), (1, 2), pin_memory=True),
              ringgrad.randn(2, requires_grad=True, pin_memory=True)):
        assert t.is_pinned() and t.is_leaf


def test_what_lies_on_the_gpu_cannot_be_pinned(gpu):
    t = ringgrad.ones(2).to("cuda")
    assert not t.is_pinned()
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        t.pin_memory()


def test_non_blocking_reaches_the_copies(gpu):
    x = ringgrad.ones(2).pin_memory()
    for copy, want in ((lambda: x.to("cuda"), ("there", False)), (lambda: x.to("cuda", non_blocking=True), ("there", True)),
                       (lambda: x.cuda(non_blocking=True), ("there", True)), (lambda: x.to("cuda", ringgrad.float64, True), ("there", True)),
                       (lambda: ringgrad.nn.Linear(1, 1, bias=False).to("cuda", non_blocking=True), ("there", True))):
        copy()
        assert gpu.copies.pop() == want
    y = x.to("cuda")
    for copy, want in ((lambda: y.cpu(), ("back", False)), (lambda: y.to("cpu", non_blocking=True), ("back", True)),
                       (lambda: x.copy_(y, non_blocking=True), ("back", False))):  # the host is about to read it
        copy()
        assert gpu.copies.pop() == want


def test_a_cast_on_the_way_back_is_made_before_the_copy(gpu):
    """The host must not touch what is on its way."""
    y = ringgrad.ones(2).to("cuda")
    out = y.to("cpu", ringgrad.float64, non_blocking=True)
    assert gpu.copies.pop() == ("back", True) and out.dtype is ringgrad.float64 and out.tolist() == [1, 1]
