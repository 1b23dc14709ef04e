"""Convolutions through cuDNN, told to a double of it that computes what it was told."""
import host_gpu
import host_libraries
import numpy as np
import pytest

from ringgrad import nn, ops
from ringgrad._config import CUDNN, DETERMINISTIC, TF32
from ringgrad._core.tensor import wrap
from ringgrad._dtypes import as_dtype
from ringgrad._libraries import choice, convolution, cudnn
from ringgrad.ops import _layout as layout

TOLERANCE = {"float16": 5e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-12}


def plug(compiled, library):
    xp = host_libraries.device(compiled)
    choice.put("graphs", xp, 0, cudnn.Planner(cudnn.opened(library)))
    return xp


@pytest.fixture
def plugged(compiled):
    """(array module of an emulated device, its double of cuDNN), with device arrays as CUDA tensors."""
    library = host_libraries.Cudnn()
    xp = plug(compiled, library)
    with host_gpu.plugged(xp):
        yield xp, library


def numbers(dtype, *shape):
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(as_dtype(dtype).np)


def placed(xp, a, last=False):
    """`a` in memory of the device, its channels first or last."""
    out = layout.empty(xp, a.shape, a.dtype, last)
    out[...] = a
    return out


GEOMETRIES = {  # name: (input, weight, stride, padding, dilation, groups)
    "plain": ((2, 4, 6, 5), (6, 4, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    "strided, padded, dilated": ((2, 4, 9, 8), (6, 4, 3, 2), (2, 3), (2, 1), (2, 1), 1),
    "groups": ((2, 4, 6, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    "depthwise": ((2, 4, 6, 5), (4, 1, 3, 3), (2, 1), (1, 1), (1, 1), 4),
    "pointwise": ((2, 4, 6, 5), (6, 4, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "one dimension": ((2, 4, 9), (6, 4, 3), (2,), (1,), (2,), 1),
    "three dimensions": ((2, 4, 5, 6, 4), (6, 4, 2, 3, 1), (1, 2, 1), (1, 1, 0), (1, 1, 1), 1),
    "one channel": ((2, 1, 6, 5), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
}


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_convolution_and_its_gradients(plugged, name, dtype, last):
    xp, library = plugged
    shape, kernel, stride, padding, dilation, groups = GEOMETRIES[name]
    host = [numbers(dtype, *shape), numbers(dtype, *kernel), numbers(dtype, kernel[0])]
    x, weight, bias = [wrap(placed(xp, a, last and a.ndim > 2)).requires_grad_() for a in host]
    y = ops.convolution(x, weight, bias, stride, padding, dilation, groups)
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
    expected = ops.convolution(*wide, stride, padding, dilation, groups)
    g = numbers(dtype, *expected.shape)
    y.backward(wrap(placed(xp, g, last)))
    expected.backward(wrap(g.astype(np.float64)))
    assert [len(operations) for operations in library.runs] == [2, 1, 1]
    asked = [operations[0][convolution.OPERATIONS[name][4][0]][0] for operations, name in zip(library.runs, ("forward", "data", "filter"))]
    assert [t[cudnn.TENSOR_ATTRIBUTES["type"]] for t in asked] == [[cudnn.TYPES[dtype]]] * 3, "the library was asked for another type"
    for found, right in zip((y, x.grad, weight.grad, bias.grad), (expected, *(w.grad for w in wide))):
        right = right._data
        np.testing.assert_allclose(found._data.get().astype(np.float64), right, atol=TOLERANCE[dtype] * np.abs(right).max(), rtol=TOLERANCE[dtype])
    if last and shape[1] > 1:
        assert [layout.is_dense(t._data, True) for t in (y, x.grad, weight.grad)] == [True] * 3, "the channels are not last any more"


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_transposed_convolution(plugged, last):
    xp, library = plugged
    x, weight, bias = numbers("float32", 2, 6, 4, 3), numbers("float32", 6, 2, 3, 3), numbers("float32", 4)
    arguments = dict(stride=(2, 1), padding=1, output_padding=(1, 0), groups=2)
    y = nn.functional.conv_transpose2d(*[wrap(placed(xp, a, last and a.ndim > 2)) for a in (x, weight, bias)], **arguments)
    np.testing.assert_allclose(y._data.get(), nn.functional.conv_transpose2d(*map(wrap, (x, weight, bias)), **arguments)._data, rtol=1e-4, atol=1e-5)
    assert len(library.runs) == 1 and layout.is_dense(y._data, last)


def test_an_input_in_another_order_is_brought_into_the_weight_s(plugged):
    xp, library = plugged
    x, weight = numbers("float32", 2, 4, 6, 5), numbers("float32", 6, 4, 3, 3)
    y = ops.convolution(wrap(placed(xp, x)), wrap(placed(xp, weight, True)), None, (1, 1), (1, 1), (1, 1), 1)
    assert layout.channels_last(y._data)
    np.testing.assert_allclose(y._data.get(), ops.convolution(wrap(x), wrap(weight), None, (1, 1), (1, 1), (1, 1), 1)._data, rtol=1e-4, atol=1e-5)
    assert [t[cudnn.TENSOR_ATTRIBUTES["strides"]][0:2] for t in _tensors(library.runs[0][0])] == [[36, 1], [120, 1], [180, 1]]


def _tensors(operation):
    return [operation[attribute][0] for attribute in convolution.OPERATIONS["forward"][4]]


def test_where_the_library_cannot_add_the_bias_it_is_added_afterwards(compiled):
    library = host_libraries.Cudnn(lambda operations: len(operations) == 1)
    xp = plug(compiled, library)
    host = [numbers("float32", 2, 4, 6, 5), numbers("float32", 6, 4, 3, 3), numbers("float32", 6)]
    with host_gpu.plugged(xp):
        y = ops.convolution(*[wrap(placed(xp, a)) for a in host], (1, 1), (0, 0), (1, 1), 1)._data.get()
    np.testing.assert_allclose(y, ops.convolution(*map(wrap, host), (1, 1), (0, 0), (1, 1), 1)._data, rtol=1e-4, atol=1e-5)
    assert len(library.runs) == 1


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_without_the_library_windows_are_copied_a_few_images_at_a_time(compiled, monkeypatch, name, dtype):
    monkeypatch.setattr("ringgrad.kernels.conv.WINDOW_BYTES", 600)
    xp = host_libraries.device(compiled)
    shape, kernel, stride, padding, dilation, groups = GEOMETRIES[name]
    host = [numbers(dtype, 3, *shape[1:]), numbers(dtype, *kernel), numbers(dtype, kernel[0])]
    with host_gpu.plugged(xp):
        x, weight, bias = [wrap(placed(xp, a)).requires_grad_() for a in host]
        y = ops.convolution(x, weight, bias, stride, padding, dilation, groups)
        y.backward(wrap(xp.ones_like(y._data)))
        found = [a.get().astype(np.float64) for a in (y._data, x.grad._data, weight.grad._data, bias.grad._data)]
    wide = [wrap(a.astype(np.float64)).requires_grad_() for a in host]
    expected = ops.convolution(*wide, stride, padding, dilation, groups)
    expected.sum().backward()
    for ours, right in zip(found, (expected, *(w.grad for w in wide))):
        right = right._data
        np.testing.assert_allclose(ours, right, atol=TOLERANCE[dtype] * np.abs(right).max(), rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("switch, value, note, taken", [
    (TF32, {"conv": True}, cudnn.TENSOR_CORE, True), (TF32, {"conv": False}, cudnn.TENSOR_CORE, False),
    (TF32, {"conv": True}, cudnn.DOWN_CONVERT_INPUTS, False), (CUDNN, {"deterministic": False}, cudnn.NONDETERMINISTIC, True),
    (CUDNN, {"deterministic": True}, cudnn.NONDETERMINISTIC, False), (DETERMINISTIC, {"on": True}, cudnn.NONDETERMINISTIC, False),
    (CUDNN, {"enabled": False}, cudnn.TENSOR_CORE, False), (CUDNN, {"enabled": True}, cudnn.TENSOR_CORE, True),
])
def test_switches_say_which_engines_may_be_taken(compiled, monkeypatch, switch, value, note, taken):
    for key, each in value.items():
        monkeypatch.setitem(switch, key, each)
    library = host_libraries.Cudnn(notes=[note])
    xp = plug(compiled, library)
    with host_gpu.plugged(xp):
        host = numbers("float32", 2, 4, 6, 5), numbers("float32", 6, 4, 3, 3)
        y = ops.convolution(*[wrap(placed(xp, a)) for a in host], None, (1, 1), (0, 0), (1, 1), 1)._data.get()
    assert len(library.runs) == taken
    np.testing.assert_allclose(y, ops.convolution(*map(wrap, host), None, (1, 1), (0, 0), (1, 1), 1)._data, rtol=1e-4, atol=1e-5)
