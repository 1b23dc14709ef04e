"""Sums of large arrays on the GPU on the host: by kernels/adding.py where it has one, forward and where gradients meet, equal to the definition."""
import host_gpu
import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad._core.tensor import wrap
from ringgrad.kernels import adding

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")
TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


@pytest.fixture(autouse=True)
def from_few(monkeypatch, xp):
    monkeypatch.setattr(adding, "LARGE", 8)
    xp.launched.clear()


def values(shape, dtype, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(TYPES[dtype])


PAIRS = [*((t, t) for t in TYPES), ("float32", "bfloat16"), ("float16", "float32")]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda t: t)
@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 8)], ids=["odd", "even"])
def test_a_sum_is_that_of_the_definition(xp, a, b, shape):
    arrays = values(shape, a, 0), values(shape, b, 1)
    found, wanted = (wrap(place(arrays[0])) + wrap(place(arrays[1])) for place in (xp.place, np.asarray))
    assert found.dtype is wanted.dtype and xp.launched == {"add" if a == b else "add_to_wide"}
    np.testing.assert_array_equal(found._data.get(), wanted._data)


@pytest.mark.parametrize("other", ["bfloat16", "float32"])
def test_images_with_their_channels_last_keep_them(xp, other):
    def image(place, dtype, seed):
        return wrap(np.moveaxis(place(values((2, 3, 4, 5), dtype, seed)), -1, 1))
    found, wanted = (image(place, "bfloat16", 0) + image(place, other, 1) for place in (xp.place, np.asarray))
    assert xp.launched == {"add" if other == "bfloat16" else "add_to_wide"} and found._data.strides == image(xp.place, other, 1)._data.strides
    np.testing.assert_array_equal(found._data.get(), wanted._data)


@pytest.mark.parametrize("make", [
    lambda place: (wrap(place(values((3, 5), "float32", 0))), wrap(place(values((5,), "bfloat16", 1)))),
    lambda place: (wrap(place(values((3, 5), "float32", 0))), wrap(place(values((5, 3), "bfloat16", 1))).t()),
    lambda place: (wrap(place(values((3, 5), "bfloat16", 0))), wrap(place(values((), "float32", 1)))),
    lambda place: (wrap(place(values((3, 5), "bfloat16", 0))), 0.5),
    lambda place: (wrap(place(np.arange(15).reshape(3, 5).copy())), wrap(place(np.arange(15).reshape(3, 5).copy()))),
], ids=["repeated", "turned", "0-d", "number", "integers"])
def test_other_sums_are_as_they_were(xp, make):
    found, wanted = (x + y for x, y in (make(place) for place in (xp.place, np.asarray)))
    assert found.dtype is wanted.dtype and not xp.launched
    np.testing.assert_allclose(found._data.get().astype(np.float64), wanted._data.astype(np.float64), rtol=2.0**-7)


def test_gradients_have_the_types_of_what_was_added(xp):
    x, y = wrap(xp.place(values((4, 4), "float32", 0))).requires_grad_(), wrap(xp.place(values((4, 4), "bfloat16", 1))).requires_grad_()
    (x + y).backward(wrap(xp.place(np.full((4, 4), 1.01, np.float32))))
    assert (x.grad.dtype, y.grad.dtype) == (ringgrad.float32, ringgrad.bfloat16)
    assert float(x.grad[0, 0]) == np.float32(1.01) and float(y.grad[0, 0]) == float(np.float32(1.01).astype(ml_dtypes.bfloat16))


def test_gradients_that_meet_are_added_by_the_kernel(xp):
    """At a node, and at a leaf."""
    x = wrap(xp.place(values((4, 4), "float32", 0))).requires_grad_()
    h = x * 2
    (h * 3).backward(ringgrad.ones_like(h), retain_graph=True)
    assert "add" not in xp.launched and float(x.grad[0, 0]) == 6
    x.grad = None
    (h * 3).sum().add((h * 5).sum()).backward()
    assert "add" in xp.launched and float(x.grad[0, 0]) == 16
