"""In-place arithmetic on the GPU on the host: a launch writes into its target, and nothing is copied; it gives what it gives on the CPU."""
import host_gpu
import host_ledger
import ml_dtypes
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad._core.tensor import wrap

BF16 = np.dtype(ml_dtypes.bfloat16)


def arrays(place, dtype, *shapes):
    rng = np.random.default_rng(0)
    return [wrap(place((5 * rng.standard_normal(s)).astype(dtype))) for s in shapes]


CASES = {
    "a row": lambda x, y: x.add_(y), "itself": lambda x, y: x.mul_(x), "a number": lambda x, y: x.sub_(3), "a quotient": lambda x, y: x.div_(y),
    "a view of itself": lambda x, y: x[1:].add_(x[:-1]), "columns": lambda x, y: x[:, ::2].add_(1), "a float": lambda x, y: x.mul_(0.3),
    "with alpha": lambda x, y: x.add_(y, alpha=2),
}


@pytest.mark.parametrize("dtype", [np.float32, np.int64, BF16], ids=["float32", "int64", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_it_gives_what_it_gives_on_the_cpu(compiled, case, dtype):
    def run(place):
        x, y = arrays(place, dtype, (4, 6), (6,))
        try:
            CASES[case](x, y)
        except RuntimeError as error:
            return str(error)
        return x._data.view(np.ndarray).astype(np.float64)
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        found = run(xp.place)
    wanted = run(np.asarray)
    if isinstance(wanted, str):
        assert found == wanted
    else:
        np.testing.assert_array_equal(found, wanted)


ACTIVATIONS = {"relu": lambda x: x.relu_(), "sigmoid": lambda x: x.sigmoid_(), "tanh": lambda x: x.tanh_(), "columns": lambda x: x[:, ::2].relu_()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, BF16], ids=["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(3, 5), (40, 33), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_an_activation_is_written_over_its_input(compiled, case, shape, dtype):
    def run(place):
        x, = arrays(place, dtype, shape)
        ACTIVATIONS[case](x)
        return x._data.view(np.ndarray).astype(np.float64)
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        found = run(xp.place)
    np.testing.assert_allclose(found, run(np.asarray), rtol=1e-6 if np.dtype(dtype).itemsize > 2 else 0.01)


def test_gradients_of_activations_in_place(compiled):
    def run(place):
        x, y = (t.requires_grad_() for t in arrays(place, np.float32, (4, 6), (4, 6)))
        h = (x * y).relu_() + (x + y).tanh_()
        z = h.sigmoid_()
        (z * y).sum().backward()
        return [t.grad._data.view(np.ndarray) for t in (x, y)]
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        found = run(xp.place)
    for a, b in zip(found, run(np.asarray)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_an_image_stays_as_it_lies_and_one_launch_is_all(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        values = np.random.default_rng(1).standard_normal((2, 5, 3, 4)).astype(np.float32)
        x = wrap(np.moveaxis(xp.place(np.ascontiguousarray(np.moveaxis(values, 1, -1))), -1, 1))
        place, strides = x.data_ptr(), x.stride()
        xp.launched.clear()
        assert F.relu(x, inplace=True) is x
        assert xp.launched == {"relu_o_float32"} and (x.data_ptr(), x.stride()) == (place, strides)
        np.testing.assert_array_equal(x._data.view(np.ndarray), np.maximum(values, 0))


def test_its_gradients_are_those_of_the_cpu(compiled):
    def run(place):
        x, y, w = (t.requires_grad_() for t in arrays(place, np.float32, (4, 6), (6,), (4, 6)))
        h = x * 1
        h.add_(y).sub_(w)
        h[1:].add_(y)
        kept = h.exp()
        h.mul_(w)
        (kept + h).sum().backward()
        return [t.grad._data.view(np.ndarray) for t in (x, y, w)]
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        found = run(xp.place)
    for a, b in zip(found, run(np.asarray)):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def launches(function, *shapes, dtype=None, grad=False):
    with host_ledger.plugged(host_ledger.device()) as xp:
        tensors = [ringgrad.empty(s, dtype=dtype, device="cuda").requires_grad_(grad) for s in shapes]
        tensors[0] = tensors[0] * 1
        with ringgrad.cuda.graph(ringgrad.cuda.CUDAGraph()):
            function(*tensors)
        return [launch.name for launch in xp.launches]


@pytest.mark.parametrize(("function", "options", "expected"), [
    (lambda x, y: x.add_(y), {}, ["add"]), (lambda x, y: x.add_(y), {"grad": True}, ["add"]),
    (lambda x, y: x.add_(1), {"dtype": ringgrad.int64}, ["add"]),
    (lambda x, y: x.sub_(y), {"dtype": ringgrad.bfloat16, "grad": True}, ["subtract"]), (lambda x, y: x.mul_(2.0), {}, ["multiply"]),
    (lambda x, y: x.add_(y, alpha=-2), {}, ["multiply", "add"]),
    (lambda x, y: x.mul_(y), {"grad": True}, ["multiply", "copy", "setitem"]),  # whose gradient needs the old value
], ids=["sum", "recorded", "counter", "halves", "product", "scaled", "saved"])
def test_it_is_written_at_once(function, options, expected):
    assert launches(function, (4, 6), (6,), **options) == expected


def test_a_saved_value_that_it_overwrites_is_noticed():
    x = ringgrad.ones(3, requires_grad=True)
    h = x * 1
    y = h.exp()
    z = y * 2
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
