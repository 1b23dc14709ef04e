"""The engine's short way for arrays of a GPU gives what the general one gives, bit for bit, and takes what it says it takes."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad._core import engine
from ringgrad._core.tensor import wrap

TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64, "complex64": np.complex64}
CALLS = {  # of ops that need no compiled kernel
    "products": lambda x, y: (x * y) @ y.T,
    "a saved result": lambda x, y: x.exp() * y,
    "one input of two": lambda x, y: x.detach() * y,
    "two types": lambda x, y: x * y.float() if x.dtype.is_floating_point else x * y,
    "several in one rule": lambda x, y: x * y if x.dtype.itemsize == 2 else ringgrad.linalg.solve(x, y),
    "complex on the way": lambda x, y: ringgrad.complex(x.float(), y.float()).abs() * x if x.dtype.is_floating_point else x * y,
    "used twice": lambda x, y: x * y + x * x,
}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def gradients(xp, call, dtype, short, monkeypatch):
    """(gradients of both inputs, the operations whose rules went the short way)."""
    taken = []

    def on_gpu(node, *rest):
        if short and way(node, *rest):
            taken.append(node.op.name)
            return True
        return False
    way = engine.on_gpu
    monkeypatch.setattr(engine, "on_gpu", on_gpu)
    x, y = (wrap(xp.place(np.random.default_rng(i).standard_normal((4, 4)).astype(TYPES[dtype]))).requires_grad_() for i in range(2))
    out = call(x, y)
    out.backward(ringgrad.ones_like(out))
    monkeypatch.undo()
    return [None if t.grad is None else t.grad._data for t in (x, y)], taken


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("call", CALLS)
def test_both_ways_give_the_same_bits(xp, call, dtype, monkeypatch):
    short, taken = gradients(xp, CALLS[call], dtype, True, monkeypatch)
    general, none = gradients(xp, CALLS[call], dtype, False, monkeypatch)
    assert not none and bool(taken) == (dtype != "complex64")
    for a, b in zip(short, general):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype == TYPES[dtype]
            np.testing.assert_array_equal(np.asarray(a).view(np.uint8), np.asarray(b).view(np.uint8))


def test_what_was_overwritten_is_refused(xp):
    x = wrap(xp.place(np.ones((2, 2), np.float32))).requires_grad_()
    y = x.exp()
    z = y * 1
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward(ringgrad.ones_like(z))


def test_hooks_on_a_node_see_its_gradients(xp):
    x, seen = wrap(xp.place(np.ones((2, 2), np.float32))).requires_grad_(), []
    y = x * 3
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append(inputs[0]))
    y.backward(ringgrad.ones_like(y))
    np.testing.assert_array_equal(seen[0]._data.get(), np.full((2, 2), 3))
