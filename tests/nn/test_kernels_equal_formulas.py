"""The CPU's own kernels and gradient rules, each against the formula beside it."""
import contextlib

import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad._core.op import REGISTRY
from ringgrad.ops import _fused

from ..ops import samples_nn
from ..ops.checks import close, differentiable_positions, first_order, name_of, record_of, run, tensor, values
from ..ops.sample import Fails

ROWS = [s for s in samples_nn.SAMPLES if not isinstance(s, Fails) and not s.random and s.inputs and s.op in REGISTRY]
OVERRIDDEN = [s for s in ROWS if any(backend == "numpy" for backend, _ in REGISTRY[s.op].overrides)]


@contextlib.contextmanager
def formulas_only():
    """Inside, every operation is computed by its formula and every gradient by its rule."""
    kept = {op: (op.overrides, [r.numpy for r in op.rules]) for op in REGISTRY.values()}
    try:
        for op in kept:
            op.overrides = {}
            op.kernels.clear()
            for rule in op.rules:
                rule.numpy = rule.fn
        yield
    finally:
        for op, (overrides, rules) in kept.items():
            op.overrides = overrides
            op.kernels.clear()
            for rule, fn in zip(op.rules, rules, strict=True):
                rule.numpy = fn


@pytest.mark.parametrize("sample", OVERRIDDEN, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_gradient(sample, dtype):
    if dtype not in sample.dtypes:
        pytest.skip(f"the sample is not for {dtype}")
    arrays = sample.arrays(dtype)
    positions = differentiable_positions(sample, arrays)

    def both():
        outs = [values(t) for t in run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])]
        return outs, first_order(ringgrad, sample, arrays)[0] if positions else []
    outs, grads = both()
    with formulas_only():
        wanted, wanted_grads = both()
    for i, (a, b) in enumerate(zip(outs, wanted, strict=True)):
        close(a, b, dtype, 4 * sample.slack, f"output {i}")
    for i, (a, b) in enumerate(zip(grads, wanted_grads, strict=True)):
        size = max(1.0, float(np.abs(b).max(initial=0)))
        close(a / size, b / size, dtype, 4 * sample.slack, f"gradient {i}")


def test_every_operation_with_a_kernel_is_here():
    mine = {op.name for op in REGISTRY.values() if "numpy" in {b for b, _ in op.overrides} and op.forward.__module__ in {
        f"ringgrad.ops.{name}" for name in ("activation", "attention", "conv", "cross_entropy", "dropout", "embedding", "linear", "norm", "pool",
                                            "softmax")}}
    assert mine
    assert mine <= {record_of(s).name for s in OVERRIDDEN}


LARGE = [  # sizes at which kernels work in several blocks, chunks or groups
    ("gelu", lambda x: F.gelu(x), [(300, 301)]),
    ("gelu tanh", lambda x: F.gelu(x, "tanh"), [(300, 301)]),
    ("linear bias over many rows", lambda x, w, b: F.linear(x, w, b), [(9001, 3), (4, 3), (4,)]),
    ("layer_norm over many rows", lambda x, w, b: F.layer_norm(x, (5,), w, b), [(9001, 5), (5,), (5,)]),
    ("conv2d, many small images, the last chunk not full", lambda x, w: F.conv2d(x, w, padding=1), [(65, 3, 4, 4), (5, 3, 3, 3)]),
    ("conv2d, large weights", lambda x, w: F.conv2d(x, w, padding=1), [(40, 3, 4, 4), (150, 3, 3, 3)]),
    ("conv2d, grouped, several chunks", lambda x, w: F.conv2d(x, w, groups=2, stride=2), [(30, 4, 30, 30), (6, 2, 7, 7)]),
    ("conv1d, long", lambda x, w: F.conv1d(x, w, padding=2, dilation=2), [(3, 2, 400), (4, 2, 3)]),
    ("conv2d, strided", lambda x, w: F.conv2d(x, w, stride=2, padding=1), [(3, 4, 31, 33), (6, 4, 3, 3)]),
    ("max_pool2d, overlapping", lambda x: F.max_pool2d(x, 3, 2, 1), [(3, 4, 31, 33)]),
    ("max_pool2d, apart, several blocks", lambda x: F.max_pool2d(x, 2), [(40, 8, 30, 30)]),
    ("group_norm, several blocks", lambda x, w, b: F.group_norm(x, 4, w, b), [(40, 8, 30, 30), (8,), (8,)]),
    ("batch_norm in evaluation", lambda x, w, b: F.batch_norm(x, ringgrad.zeros(8, dtype=x.dtype), ringgrad.ones(8, dtype=x.dtype), w, b),
     [(40, 8, 30, 30), (8,), (8,)]),
    ("batch_norm, several blocks", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), [(40, 8, 30, 30), (8,), (8,)]),
    ("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), [(33, 7, 9, 11), (7,), (7,)]),
    ("attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [(2, 3, 70, 16)] * 3),
]


@pytest.mark.parametrize(("label", "function", "shapes"), LARGE, ids=[row[0] for row in LARGE])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_inputs(label, function, shapes, dtype, monkeypatch):
    monkeypatch.setattr(_fused, "available", lambda: False)  # as on a machine without numba, whose loops have tests of their own
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]

    def both():
        inputs = [tensor(ringgrad, a, True) for a in arrays]
        out = function(*inputs)
        seed = np.random.default_rng(4).standard_normal(tuple(out.shape)).astype(dtype)
        out.backward(tensor(ringgrad, seed))
        return [values(out), *(values(t.grad) for t in inputs)]
    fast = both()
    with formulas_only():
        plain = both()
    for i, (a, b) in enumerate(zip(fast, plain, strict=True)):
        size = max(1.0, float(np.abs(b).max()))
        atol = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(a / size, b / size, rtol=20 * atol, atol=atol, err_msg=f"{label}: output, then gradients, number {i}")


def test_float32_gelu_is_as_close_to_double_precision_as_it_says():
    x = np.linspace(-9, 9, 200_001)
    single = tensor(ringgrad, x.astype(np.float32), True)
    exact = tensor(ringgrad, x.astype(np.float32).astype(np.float64), True)
    for t in (exact, single):
        F.gelu(t).sum().backward()
    assert np.abs(values(F.gelu(single)) - values(F.gelu(exact))).max() < 9e-7
    assert np.abs(values(single.grad) - values(exact.grad)).max() < 1.3e-6


def test_softmax_of_rows_that_have_no_maximum_in_common():
    """One maximum for all rows would lose the small ones altogether."""
    x = np.array([[0.0, 1.0], [500.0, 501.0], [-500.0, -499.0]], np.float32)
    p = values(F.softmax(tensor(ringgrad, x), -1))
    np.testing.assert_allclose(p, np.tile([1 / (1 + np.e), np.e / (1 + np.e)], (3, 1)), rtol=1e-6)
    log_p = values(F.log_softmax(tensor(ringgrad, x), -1))
    np.testing.assert_allclose(log_p, np.log(p), rtol=1e-5)


def test_infinities_and_nan_in_softmax():
    """As in torch: -inf takes no part, a row of nothing but -inf is nan, and nan poisons its row alone."""
    x = np.array([[0.0, -np.inf, 0.0], [-np.inf] * 3, [np.nan, 0, 0], [np.inf, 0, 0], [1.0, 1.0, 1.0]], np.float32)
    p = values(F.softmax(tensor(ringgrad, x), -1))
    np.testing.assert_array_equal(p[0], [0.5, 0, 0.5])
    assert np.isnan(p[1:4]).all()
    np.testing.assert_allclose(p[4], 1 / 3, rtol=1e-6)
    assert name_of(F.softmax(tensor(ringgrad, x), -1).dtype) == "float32"
