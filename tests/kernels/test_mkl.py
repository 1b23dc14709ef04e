"""MKL, where it is installed, beside NumPy: products in every layout, in place, and what it must leave alone."""
import math

import numpy as np
import pytest

import ringgrad
from ringgrad import _mkl
from ringgrad.ops import _gelu

pytestmark = pytest.mark.skipif(not _mkl.PRESENT, reason="MKL, an optional library, is not installed")
RNG = np.random.default_rng(0)
N, K, M = 120, 110, 130


def numbers(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


LAYOUTS = {
    "rows": lambda n, m, t: numbers(n, m, dtype=t),
    "columns": lambda n, m, t: numbers(m, n, dtype=t).T,
    "part of wider rows": lambda n, m, t: numbers(n, m + 7, dtype=t)[:, 3:m + 3],
    "part of longer columns": lambda n, m, t: numbers(m, n + 5, dtype=t).T[2:n + 2],
    "every other row": lambda n, m, t: numbers(2 * n, m, dtype=t)[::2],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
def test_products(left, right, dtype):
    a, b = LAYOUTS[left](N, K, dtype), LAYOUTS[right](K, M, dtype)
    got = _mkl.gemm(a, b)
    assert got is not None and got.dtype == dtype
    np.testing.assert_allclose(got, np.matmul(a, b), rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-4 if dtype == np.float32 else 1e-11)
    out = np.full((N, M + 4), np.nan, dtype)[:, 1:M + 1]
    assert _mkl.gemm(a, b, out) is out
    np.testing.assert_array_equal(out, got)


LEFT_ALONE = {
    "small": lambda: (numbers(4, 5), numbers(5, 6)),
    "every other column": lambda: (numbers(N, 2 * K)[:, ::2], numbers(K, M)),
    "backwards": lambda: (numbers(N, K)[::-1], numbers(K, M)),
    "broadcast rows": lambda: (np.broadcast_to(numbers(K), (N, K)), numbers(K, M)),
    "two types": lambda: (numbers(N, K), numbers(K, M, dtype=np.float64)),
    "whole numbers": lambda: (numbers(N, K).astype(int), numbers(K, M).astype(int)),
    "a stack": lambda: (numbers(3, N, K), numbers(3, K, M)),
    "a vector": lambda: (numbers(N, K), numbers(K)),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_left_to_numpy(name):
    a, b = LEFT_ALONE[name]()
    assert _mkl.gemm(a, b) is None
    np.testing.assert_array_equal(_mkl.matmul(a, b), np.matmul(a, b))


def test_a_stack_of_one():
    a, b = numbers(1, N, K), numbers(1, K, M)
    np.testing.assert_allclose(_mkl.matmul(a, b), a @ b, rtol=1e-4, atol=1e-4)
    out = np.empty((1, N, M), np.float32)
    assert np.shares_memory(_mkl.matmul(a, b, out), out)


def test_the_same_numbers_anywhere_in_memory_give_the_same_product():
    a, b = numbers(N, K), numbers(K, M)
    expected, room = _mkl.gemm(a, b), np.empty(N * K + 16, np.float32)
    for shift in range(16):
        moved = room[shift:shift + N * K].reshape(N, K)
        moved[...] = a
        np.testing.assert_array_equal(_mkl.gemm(moved, b), expected)


def test_linear_and_matmul_use_it(monkeypatch):
    asked = []
    monkeypatch.setattr(_mkl, "gemm", lambda *args, real=_mkl.gemm: asked.append(args[0].shape) or real(*args))
    x, layer = ringgrad.randn(3, 64, 128, requires_grad=True), ringgrad.nn.Linear(128, 256)
    layer(x).sum().backward()
    assert asked == [(192, 128), (192, 256), (256, 192)]


def test_the_normal_distribution_function():
    x = np.concatenate([np.linspace(-12, 12, _gelu.LARGE, dtype=np.float32), np.float32([0, np.inf, -np.inf, np.nan])])
    got = _mkl.function("cdf_norm")(x, np.empty_like(x))
    expected = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.astype(float)])
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-30)


def test_gelu_with_and_without(monkeypatch):
    x, g = numbers(2 * _gelu.LARGE) * 3, numbers(2 * _gelu.LARGE)
    value, gradient = _gelu.gelu32(x), _gelu.gelu_gradient32(g, x)
    monkeypatch.setattr(_mkl, "PRESENT", False)
    np.testing.assert_allclose(value, _gelu.gelu32(x), atol=2e-6)
    np.testing.assert_allclose(gradient, _gelu.gelu_gradient32(g, x), atol=1e-5)
    assert (value != _gelu.gelu32(x)).any()


@pytest.mark.parametrize("vendor, used", [("GenuineIntel", True), ("AuthenticAMD", False)])
def test_only_intels_processors_use_it_unasked(vendor, used, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: 6\n")
    assert _mkl._intel(file) is used
    assert _mkl._intel(tmp_path / "none") is True
