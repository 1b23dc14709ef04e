"""Depthwise convolution in blocks, by NumPy and by compiled loops, beside the formulas."""
import importlib.util

import numpy as np
import pytest

from ringgrad.ops import _depthwise
from ringgrad.ops.conv import check, conv_transpose, conv_weight, convolution

ROWS = {  # x: (N, C, *in), kernel, stride, padding, dilation, further elements of the transposed result per dimension
    "3 x 3": ((3, 5, 9, 11), (3, 3), (1, 1), (1, 1), (1, 1), (0, 0)),
    "no padding": ((3, 5, 9, 11), (3, 2), (1, 1), (0, 0), (1, 1), (0, 0)),
    "stride": ((3, 5, 10, 11), (3, 3), (2, 2), (1, 1), (1, 1), (0, 0)),
    "stride that leaves something over": ((3, 5, 10, 12), (3, 3), (2, 3), (0, 1), (1, 1), (0, 0)),
    "stride beyond the kernel": ((2, 4, 13, 12), (2, 1), (3, 4), (2, 0), (1, 1), (0, 0)),
    "padding beyond the stride": ((2, 4, 5, 6), (5, 5), (2, 2), (4, 3), (1, 1), (0, 0)),
    "dilation": ((3, 5, 12, 11), (3, 3), (1, 1), (2, 1), (2, 3), (0, 0)),
    "dilation and stride": ((3, 5, 14, 11), (3, 2), (2, 3), (2, 1), (3, 2), (0, 0)),
    "one place": ((2, 3, 1, 1), (3, 3), (1, 1), (1, 1), (1, 1), (0, 0)),
    "a longer transposed result": ((2, 3, 7, 7), (3, 3), (2, 2), (1, 1), (1, 1), (1, 0)),
    "1-d": ((4, 6, 30), (5,), (2,), (2,), (1,), (0,)),
    "3-d": ((2, 3, 5, 6, 7), (3, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 1), (0, 0, 0)),
}
WAYS = ["numpy", pytest.param("loops", marks=pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba, an optional library"))]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    monkeypatch.setattr(_depthwise, "available", lambda: request.param == "loops")
    monkeypatch.setattr(_depthwise, "LARGE", 0)
    return request.param


@pytest.mark.parametrize("block", [1, 200, 1 << 15])
@pytest.mark.parametrize("name", ROWS)
def test_the_same_as_the_formulas(name, block, way, monkeypatch):
    shape, kernel, stride, padding, dilation, more = ROWS[name]
    monkeypatch.setattr(_depthwise, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in (shape, (shape[1], 1, *kernel), shape[1:2]))
    out = check(x, w, bias, stride, padding, dilation, shape[1])
    g = rng.standard_normal((*shape[:2], *out)).astype(np.float32)
    size = tuple(n + m for n, m in zip(shape[2:], more))
    same = {"stride": stride, "padding": padding, "dilation": dilation}
    for b in (bias, None):
        np.testing.assert_allclose(_depthwise.convolve(x, w, b, out, **same), convolution.forward(np, x, w, b, groups=shape[1], **same),
                                   rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(_depthwise.transpose(g, w, b, size, **same),
                                   conv_transpose.forward(np, g, w, b, size=size, groups=shape[1], **same), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(_depthwise.weight_gradient(g, x, kernel, **same),
                               conv_weight.forward(np, g, x, kernel=kernel, groups=shape[1], **same), rtol=1e-5, atol=2e-5)


def test_arrays_that_are_not_in_one_block(way):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 9, 8, 3)).astype(np.float32).transpose(0, 3, 1, 2)
    w, args = rng.standard_normal((2, 4, 3)).astype(np.float32).T[:, None, ::2], ((8, 7), (1, 1), (0, 0), (1, 1))
    np.testing.assert_allclose(_depthwise.convolve(x, w, None, *args), convolution.forward(np, x, w, None, *args[1:], groups=3), rtol=1e-5, atol=2e-6)
    g = np.broadcast_to(np.float32(2), (4, 3, 8, 7))
    np.testing.assert_allclose(_depthwise.weight_gradient(g, x, (2, 2), *args[1:]),
                               conv_weight.forward(np, g, x, (2, 2), *args[1:], groups=3), rtol=1e-5, atol=2e-5)
