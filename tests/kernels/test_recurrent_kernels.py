"""Recurrent layers three ways: the formula, NumPy in memory that is used again, and loops compiled by numba."""
import numpy as np
import pytest

import ringgrad
from ringgrad._core.op import REGISTRY
from ringgrad.ops import _recurrence

GATES = {"lstm_layer": 4, "gru_layer": 3, "rnn_layer": 1}
KINDS = [("lstm_layer", {}), ("lstm_layer", {"projection": 5}), ("gru_layer", {}), ("rnn_layer", {"activation": "tanh"}),
         ("rnn_layer", {"activation": "relu"})]
SIZES = {"of one length": (12,) * 9, "of different lengths": (12, 12, 12, 9, 9, 7, 3, 2, 2, 1, 1)}
IN, H = 260, 11


def inputs(name, dtype, rows, batch, projection=None, **_):
    rng = np.random.default_rng(0)
    state, n = projection or H, GATES[name] * H
    shapes = [(rows, IN), (batch, state), *([(batch, H)] if name == "lstm_layer" else []), (n, IN), (n, state), (n,), (n,)]
    shapes += [(projection, H)] if projection else []
    return [ringgrad.from_numpy((rng.standard_normal(s) / np.sqrt(s[-1])).astype(dtype)).requires_grad_() for s in shapes]


def run(name, options, dtype, sizes, reverse):
    """Outputs and gradients."""
    op = getattr(ringgrad.ops, name)
    tensors = inputs(name, dtype, sum(sizes), sizes[0], **options)
    attrs = {k: v for k, v in options.items() if k == "activation"}
    outs = op(*tensors, **attrs, batch_sizes=sizes, reverse=reverse)[:op.op.gives_away]
    rng = np.random.default_rng(1)
    sum((t * ringgrad.from_numpy(rng.standard_normal(tuple(t.shape)).astype(dtype))).sum() for t in outs).backward()
    return [t.detach().numpy() for t in outs] + [t.grad.numpy() for t in tensors]


def formula_only(monkeypatch, name):
    op = REGISTRY[name]
    monkeypatch.setattr(op, "overrides", {})
    monkeypatch.setitem(op.kernels, np.ndarray, op.forward)


def close(got, want, atol):
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=atol, atol=atol * max(1.0, float(np.abs(b).max())), err_msg=f"outputs, then gradients, number {i}")


cases = [pytest.mark.parametrize(("name", "options"), KINDS, ids=str), pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES),
         pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])]


def every_case(test):
    for mark in cases:
        test = mark(test)
    return test


@every_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy(name, options, sizes, reverse, dtype, monkeypatch):
    monkeypatch.setattr(_recurrence, "available", lambda: False)
    fast = run(name, options, dtype, sizes, reverse)
    formula_only(monkeypatch, name)
    close(fast, run(name, options, dtype, sizes, reverse), 3e-5 if dtype == "float32" else 1e-12)


@every_case
def test_compiled_loops(name, options, sizes, reverse, monkeypatch):
    if not _recurrence.available():
        pytest.skip("numba (extra fast-cpu) is not installed, or RINGGRAD_NUMBA=0")
    assert sum(sizes) * IN >= _recurrence.LARGE
    used = []
    before = _recurrence.array_steps
    for module in (ringgrad.ops.recurrent, ringgrad.ops.recurrent_cpu):
        monkeypatch.setattr(module, "array_steps", lambda xp, x: used.append(before(xp, x)) or used[-1])
    fast = run(name, options, "float32", sizes, reverse)
    assert [m.__name__.rpartition(".")[2] for m in used] == ["_loops_recurrent"] * 2 * (name != "rnn_layer")
    formula_only(monkeypatch, name)
    close(fast, run(name, options, "float32", sizes, reverse), 3e-5)


def test_small_inputs_never_compile():
    assert _recurrence.array_steps(np, np.zeros((2, 3), np.float32)) is _recurrence.ARRAYS
    assert _recurrence.array_steps(np, np.zeros((200, 300), np.float64)) is _recurrence.ARRAYS


def test_tanh_of_the_loops():
    """To seven digits, nan and infinities included."""
    if not _recurrence.available():
        pytest.skip("numba (extra fast-cpu) is not installed, or RINGGRAD_NUMBA=0")
    from ringgrad.ops import _loops_recurrent
    x = np.concatenate([np.linspace(-12, 12, 20_001), np.geomspace(1e-30, 1, 2000), [np.inf, -np.inf, 0.0, -0.0, 1e30]]).astype(np.float32)
    got, want = np.array([_loops_recurrent.tanh(v) for v in x], np.float64), np.tanh(x.astype(np.float64))
    assert np.abs(got - want).max() < 2e-7
    small = want != 0
    assert np.abs(got[small] / want[small] - 1).max() < 6e-7
    assert np.isnan(_loops_recurrent.tanh(np.float32(np.nan)))
