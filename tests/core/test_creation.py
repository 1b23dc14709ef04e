"""New tensors: types inferred from data, memory shared or not, shapes as users spell them, and errors."""
import array
import collections
import re
import warnings

import ml_dtypes
import numpy as np
import pytest

import ringgrad
from ringgrad import from_numpy, tensor

# expression in `t`, the library, and `np` -> dtype of the result
DATA = {
    "t.tensor(3)": "int64", "t.tensor(2.5)": "float32", "t.tensor(True)": "bool", "t.tensor(1j)": "complex64",
    "t.tensor([])": "float32", "t.tensor([[], []])": "float32", "t.tensor([1, 2.5, True])": "float32", "t.tensor([True, 2])": "int64",
    "t.tensor([1, 1j])": "complex64", "t.tensor(range(3))": "int64", "t.tensor([(1, 2), [3, 4]])": "int64",
    "t.tensor(np.float64(3))": "float64", "t.tensor([np.float64(1), 2])": "float64", "t.tensor([np.float32(1), 2.0])": "float32",
    "t.tensor([np.int32(1), 2])": "int64", "t.tensor(np.arange(3, dtype='int16'))": "int16", "t.tensor([np.arange(3), np.arange(3)])": "int64",
    "t.tensor([t.tensor(1.0), t.tensor(2)])": "float32", "t.tensor([t.tensor([1.0]), 2])": "float32",
    "t.tensor([1.9, -1.9], dtype=t.int64)": "int64", "t.tensor([-1], dtype=t.uint8)": "uint8", "t.tensor([1e300])": "float32",
    "t.tensor(1.5, dtype=t.bool)": "bool", "t.tensor([[[1, 2], [3, 4]]], dtype=t.float16)": "float16",
    "t.tensor([1, 2], dtype=t.bfloat16)": "bfloat16",
    "t.as_tensor([1, 2])": "int64", "t.as_tensor(np.arange(3), dtype=t.float32)": "float32", "t.scalar_tensor(3)": "float32",
    "t.asarray([1, 2])": "int64",
    "t.zeros(2, 3)": "float32", "t.zeros((2, 3), dtype=t.int32)": "int32", "t.ones([2])": "float32", "t.zeros(size=(2,))": "float32",
    "t.ones(t.tensor(2), 3)": "float32", "t.zeros(np.int64(2))": "float32", "t.zeros(0)": "float32", "t.zeros(())": "float32",
    "t.full((2,), 1)": "int64", "t.full((2,), True)": "bool", "t.full((2,), 1.5)": "float32", "t.full((2,), 1j)": "complex64",
    "t.full((2, 3), t.tensor(2.0))": "float32", "t.full((2,), 1.5, dtype=t.int64)": "int64",
    "t.zeros_like(t.tensor([[1, 2]]))": "int64", "t.ones_like(t.tensor([1, 2]), dtype=t.float64)": "float64",
    "t.full_like(t.tensor([1, 2]), 2.7)": "int64", "t.tensor([1.0]).new_zeros(2, 3)": "float32", "t.tensor([1]).new_ones((2,))": "int64",
    "t.tensor([1]).new_full((2,), 7)": "int64", "t.tensor([1.0]).new_tensor([1, 2])": "float32",
    "t.arange(5)": "int64", "t.arange(5.0)": "float32", "t.arange(1, 10, 2.5)": "float32", "t.arange(5, 1, -2)": "int64",
    "t.arange(0.0, 1, 0.1)": "float32",
    "t.arange(3, dtype=t.float16)": "float16", "t.arange(3, 3)": "int64", "t.arange(2, 5, dtype=t.float64)": "float64",
    "t.linspace(0, 1, 5)": "float32", "t.linspace(-2, 2, 7, dtype=t.float64)": "float64", "t.linspace(0, 1, 1)": "float32",
    "t.linspace(3, 9, 4, dtype=t.int64)": "int64", "t.logspace(0, 2, 3)": "float32", "t.logspace(0, 3, 4, base=2)": "float32",
    "t.eye(2, 3)": "float32", "t.eye(3, dtype=t.int64)": "int64", "t.tril_indices(3, 3)": "int64", "t.triu_indices(3, 4, 1)": "int64",
    "t.zeros(2, requires_grad=True)": "float32",
}
# expression -> (error, words)
REFUSED = {
    "t.tensor([[1, 2], [3]])": (ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)"),
    "t.tensor([[1, 2], 3])": (TypeError, "not a sequence"),
    "t.tensor([1, [2, 3]])": (TypeError, "cannot be interpreted as a number"),
    "t.tensor(None)": (RuntimeError, "Could not infer dtype of NoneType"),
    "t.tensor({1: 2})": (RuntimeError, "Could not infer dtype of dict"),
    "t.tensor('a')": (TypeError, "invalid data type 'str'"),
    "t.tensor(['a'])": (ValueError, "too many dimensions 'str'"),
    "t.tensor(np.array(['a']))": (TypeError, r"can't convert np.ndarray of type numpy.str_"),
    "t.tensor([300], dtype=t.uint8)": (RuntimeError, "value cannot be converted to type uint8 without overflow"),
    "t.tensor(float('nan'), dtype=t.int64)": (RuntimeError, "without overflow"),
    "t.tensor([2**70])": (ValueError, "Overflow when unpacking long long"),
    "t.tensor([1 + 1j], dtype=t.float32)": (TypeError, "must be real number, not complex"),
    "t.tensor([t.tensor([1.0, 2]), t.tensor([1, 2])])": (ValueError, "only one element tensors can be converted"),
    "t.tensor([1, 2], requires_grad=True)": (RuntimeError, "Only Tensors of floating point and complex dtype can require gradients"),
    "t.tensor([1], device='tpu')": (RuntimeError, "device type at start of device string: tpu"),
    "t.tensor(np.arange(3)[::-1])": (ValueError, "At least one stride in the given numpy array is negative"),
    "t.from_numpy(np.arange(3)[::-1])": (ValueError, "At least one stride in the given numpy array is negative"),
    "t.from_numpy([3])": (TypeError, r"expected np.ndarray \(got list\)"),
    "t.zeros(2, 'a')": (TypeError, "argument 'size' must be tuple of ints, but found str 'a' at position 2"),
    "t.zeros(2.5)": (TypeError, "argument 'size' must be tuple of ints, but found float 2.5"),
    "t.zeros(True)": (TypeError, "argument 'size' must be tuple of ints, but found bool"),
    "t.zeros()": (TypeError, 'missing 1 required positional arguments: "size"'),
    "t.zeros(2, -1)": (RuntimeError, "Dimension size must be non-negative"),
    "t.arange(1, 5, -1)": (RuntimeError, "upper bound and lower bound inconsistent with step sign"),
    "t.arange(1, 5, 0)": (RuntimeError, "step must be nonzero"),
    "t.linspace(0, 1, -1)": (RuntimeError, "number of steps must be non-negative"),
    "t.eye(-1)": (RuntimeError, "n must be greater or equal to 0, got -1"),
}


def made(expression, library):
    return eval(expression, {"t": library, "np": np})


@pytest.mark.parametrize("expression", DATA)
def test_type_of_new_tensors(expression):
    out = made(expression, ringgrad)
    assert out.dtype is getattr(ringgrad, DATA[expression])
    assert out.is_leaf and out.device == ringgrad.device("cpu")


@pytest.mark.torch
@pytest.mark.parametrize("expression", DATA)
def test_values_are_torchs(expression):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that lists of arrays are slow
        ours, theirs = made(expression, ringgrad), made(expression, torch)
    assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
    assert tuple(ours.shape) == tuple(theirs.shape) and ours.requires_grad == theirs.requires_grad
    np.testing.assert_allclose(np.array(ours.tolist()), np.array(theirs.tolist()), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals(expression):
    error, words = REFUSED[expression]
    with pytest.raises(error, match=words):
        made(expression, ringgrad)


@pytest.mark.torch
@pytest.mark.parametrize("expression", REFUSED)
def test_torch_refuses_the_same(expression):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    with pytest.raises(REFUSED[expression][0]):
        made(expression, torch)


def test_values():
    assert tensor([[1, 2], [3, 4.5]]).tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert tensor([collections.deque([1, 2]), array.array("i", [3, 4])]).tolist() == [[1, 2], [3, 4]]
    assert ringgrad.arange(1, 10, 3).tolist() == [1, 4, 7]
    assert ringgrad.full((2,), 7).tolist() == [7, 7]
    assert ringgrad.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert ringgrad.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]


def test_the_default_float_is_followed():
    ringgrad.set_default_dtype(ringgrad.float64)
    try:
        new = (tensor(1.5), ringgrad.zeros(2), ringgrad.arange(2.0), ringgrad.randn(2), ringgrad.full((1,), 0.5))
        assert {t.dtype for t in new} == {ringgrad.float64}
        assert tensor(1j).dtype is ringgrad.complex128
    finally:
        ringgrad.set_default_dtype(ringgrad.float32)


def test_tensor_copies_and_from_numpy_shares():
    a = np.zeros(3, np.float32)
    copy, shared, also = tensor(a), from_numpy(a), ringgrad.as_tensor(a)
    a[0] = 5
    shared[1] = 6
    assert copy.tolist() == [0, 0, 0]
    assert a.tolist() == shared.tolist() == also.tolist() == [5, 6, 0]
    assert ringgrad.as_tensor(shared) is shared
    assert not np.shares_memory(ringgrad.as_tensor(a, dtype=ringgrad.float64).numpy(), a)


def test_as_tensor_keeps_the_history():
    x = tensor([1.0, 2.0], requires_grad=True)
    ringgrad.as_tensor(x * 2, dtype=ringgrad.float64).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_asarray_copies_only_when_asked():
    a = np.zeros(2)
    assert np.shares_memory(ringgrad.asarray(a).numpy(), a)
    assert not np.shares_memory(ringgrad.asarray(a, copy=True).numpy(), a)
    with pytest.raises(ValueError, match="can't alias"):
        ringgrad.asarray([1, 2], copy=False)


def test_tensor_of_a_tensor_warns_and_forgets_the_history():
    x = tensor([1.0], requires_grad=True)
    with pytest.warns(UserWarning, match="sourceTensor.detach"):
        y = tensor(x * 2)
    assert y.is_leaf and not y.requires_grad and y.tolist() == [2.0]


def test_from_numpy_of_a_read_only_array_warns_and_writing_raises():
    a = np.zeros(2)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        t = from_numpy(a)
    with pytest.raises((RuntimeError, ValueError), match="read-only|single memory location"):
        t.add_(1)


def test_foreign_byte_order_is_converted():
    a = np.arange(3, dtype=">f4")
    assert tensor(a).tolist() == from_numpy(a).tolist() == [0.0, 1.0, 2.0]
    assert from_numpy(a).dtype is ringgrad.float32


def test_bfloat16_arrays_are_understood():
    a = np.array([1, 2.5], ml_dtypes.bfloat16)
    assert from_numpy(a).dtype is tensor(a).dtype is ringgrad.bfloat16


def test_like_functions_keep_the_layout():
    x = ringgrad.zeros(3, 4).T
    assert ringgrad.empty_like(x).stride() == x.stride() == (1, 4)
    assert ringgrad.empty_strided((2, 3), (1, 2)).stride() == (1, 2)


def test_new_tensors_of_inference_mode_are_inference_tensors():
    with ringgrad.inference_mode():
        made_inside = (ringgrad.zeros(2), tensor([1.0]), ringgrad.randn(2))
    assert all(t.is_inference() for t in made_inside)
    assert not ringgrad.zeros(2).is_inference()


def test_the_default_device_is_followed():
    with ringgrad.device("cpu"):
        assert ringgrad.zeros(2).device == ringgrad.device("cpu")
    if not ringgrad.cuda.is_available():
        with ringgrad.device("cuda"), pytest.raises(RuntimeError, match="CUDA|CuPy"):
            ringgrad.zeros(2)


@pytest.mark.parametrize("make", ["zeros(2, device='cuda')", "tensor([1.0], device='cuda')", "randn(2, device='cuda')", "arange(3, device='cuda:0')"])
def test_without_a_gpu_the_error_shows_the_way_out(make):
    if ringgrad.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(RuntimeError, match=re.escape("device='cpu'")):
        eval(make, vars(ringgrad))


@pytest.mark.gpu
def test_new_tensors_on_the_gpu():
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA device")
    like = ringgrad.ones_like(ringgrad.zeros(2, 3), device="cuda")
    for t in (ringgrad.zeros(2, 3, device="cuda"), tensor([[1.0, 2, 3]] * 2, device="cuda:0"), like):
        assert t.device == ringgrad.device("cuda:0") and t.shape == (2, 3)
        assert t.new_zeros(4).device == t.device and ringgrad.zeros_like(t).device == t.device
    assert ringgrad.arange(5, device="cuda").tolist() == [0, 1, 2, 3, 4]
