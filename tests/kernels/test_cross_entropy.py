"""Cross entropy on the GPU on the host: many rows, and half precision under autocast, which is not copied to float32 first."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad._core.tensor import wrap
from ringgrad.kernels import cross_entropy

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")
HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


def loss_and_gradient(place, x, target, autocast=None, **options):
    x = wrap(place(x)).requires_grad_()
    options = {key: wrap(place(value)) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    with ringgrad.autocast(x.device.type, dtype=autocast, enabled=autocast is not None):
        loss = F.cross_entropy(x, wrap(place(target)), **options)
    (loss * 3).sum().backward()
    return loss, x.grad


def made(rows, classes, dtype=np.float32):
    rng = np.random.default_rng(rows)
    target = rng.integers(0, classes, rows)
    target[1] = -100
    return (2 * rng.standard_normal((rows, classes))).astype(dtype), target


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_many_rows_are_summed_by_many_blocks(xp, monkeypatch, reduction):
    monkeypatch.setattr(cross_entropy, "FEW", 8)
    xp.launched.clear()
    x, target = made(37, 5)
    found, wanted = (loss_and_gradient(place, x, target, reduction=reduction) for place in (xp.place, np.asarray))
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a._data.get(), b._data, rtol=1e-5, atol=1e-6)
    assert ("cross_entropy_parts" in xp.launched) == (reduction != "none")


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("options", [{}, {"reduction": "none"}, {"reduction": "sum", "label_smoothing": 0.2},
                                     {"weight": np.array([0.5, 1, 2, 0.1, 3], np.float32)}], ids=["mean", "none", "smoothed", "weighted"])
def test_under_autocast_it_is_that_of_float32(xp, monkeypatch, dtype, options):
    monkeypatch.setattr(ringgrad.cuda, "is_available", lambda: True)
    monkeypatch.setattr(ringgrad.cuda, "is_bf16_supported", lambda: True)
    x, target = made(6, 5, HALVES[dtype])
    xp.launched.clear()
    loss, gradient = loss_and_gradient(xp.place, x, target, autocast=getattr(ringgrad, dtype), **options)
    wanted = loss_and_gradient(np.asarray, x.astype(np.float32), target, **options)
    assert (loss.dtype, gradient.dtype) == (ringgrad.float32, getattr(ringgrad, dtype))
    np.testing.assert_allclose(loss._data.get(), wanted[0]._data, rtol=5e-6)
    np.testing.assert_allclose(gradient._data.get().astype(np.float32), wanted[1]._data, rtol=2.0**-8, atol=1e-6)
    assert "cross_entropy_backward_wide" in xp.launched


def test_its_second_derivative_is_that_of_the_definition():
    x, target = made(4, 3, ml_dtypes.bfloat16)

    def slope(function):
        t = wrap(x).requires_grad_()
        (g,) = ringgrad.autograd.grad(function(t), t, create_graph=True)
        return ringgrad.autograd.grad((g.float() ** 2).sum(), t)[0].float().numpy()
    target = wrap(target)
    np.testing.assert_allclose(slope(lambda t: ringgrad.ops.cross_entropy_in_float32(t, target)),
                               slope(lambda t: ringgrad.ops.cross_entropy(t.float(), target)), rtol=0.02, atol=1e-3)
