"""Arrays lent and borrowed: DLPack, the CUDA array interface, NumPy's functions and operators, copies and pickles on one memory."""
import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import ringgrad as rg
from ringgrad.utils import dlpack

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128", "bfloat16"]


def sample(dtype):
    return (rg.arange(6) % 2).reshape(2, 3).to(getattr(rg, dtype))


def address(x):
    return x.__array_interface__["data"][0]


class Old:
    """Lends as libraries of an older DLPack do: without versions."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bfloat16"])
def test_numpy_both_ways(dtype):
    t = sample(dtype)
    a = np.from_dlpack(t)
    assert address(a) == t.data_ptr() and a.dtype == dtype and a.shape == (2, 3)
    for lender in (a, Old(a)):
        back = rg.from_dlpack(lender)
        assert back.data_ptr() == t.data_ptr() and back.dtype == t.dtype and rg.equal(back, t)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_tensor_to_another(dtype):
    t = sample(dtype)
    for lend in (lambda: t, lambda: dlpack.to_dlpack(t), lambda: t.__dlpack__(max_version=(1, 0)), lambda: Old(t)):
        back = rg.from_dlpack(lend())
        assert back.data_ptr() == t.data_ptr() and back.dtype == t.dtype and rg.equal(back, t)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_both_ways(dtype):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    t = sample(dtype)
    theirs = torch.from_dlpack(t)
    assert theirs.data_ptr() == t.data_ptr() and str(theirs.dtype) == f"torch.{dtype}" and tuple(theirs.shape) == (2, 3)
    assert theirs.tolist() == t.tolist()
    theirs[1, 1] = 0
    assert t.tolist() == theirs.tolist()
    for lend in (lambda: theirs, lambda: torch.utils.dlpack.to_dlpack(theirs)):
        back = dlpack.from_dlpack(lend())
        assert back.data_ptr() == t.data_ptr() and back.dtype == t.dtype and back.tolist() == t.tolist()


def test_writes_show_on_both_sides():
    a = np.zeros(3)
    for lender in (a, Old(a)):
        t = rg.from_dlpack(lender)
        t += 1
        a[0] = 7
        assert t[0] == 7 and a[1] == t[1]
    assert a.tolist() == [7, 2, 2]


def test_the_memory_outlives_its_lender():
    t = rg.from_dlpack(rg.arange(1000.0))
    a = np.from_dlpack(rg.arange(1000.0))
    half = rg.from_dlpack(rg.ones(1000, dtype=rg.bfloat16))
    rg.zeros(1000)
    assert t.sum() == a.sum() == 499500 and half.float().sum() == 1000


def test_strides_pass():
    t = rg.arange(24.0).reshape(2, 3, 4)[:, 1:, ::2].transpose(0, 2)
    a = np.from_dlpack(t)
    assert a.tolist() == t.tolist() and a.strides == tuple(4 * s for s in t.stride())
    back = rg.from_dlpack(a)
    assert back.stride() == t.stride() and rg.equal(back, t)
    assert rg.from_dlpack(rg.tensor(3.0)).shape == () and rg.from_dlpack(rg.zeros(0, 3)).shape == (0, 3)


def test_bfloat16_bits():
    t = rg.tensor([1.5, -2.0], dtype=rg.bfloat16)
    back = rg.from_dlpack(t)
    assert back.numpy().dtype == ml_dtypes.bfloat16 and back.tolist() == [1.5, -2.0]


def test_options():
    t = rg.arange(3.0)
    assert rg.from_dlpack(t, copy=True).data_ptr() != t.data_ptr()
    assert rg.from_dlpack(t, device="cpu").data_ptr() == t.data_ptr()
    assert t.__dlpack_device__() == (1, 0)
    assert "dltensor_versioned" in repr(t.__dlpack__(max_version=(1, 0))) and "versioned" not in repr(t.__dlpack__())


def used_capsule():
    capsule = dlpack.to_dlpack(rg.ones(2))
    dlpack.from_dlpack(capsule)
    return capsule


G = rg.ones(2, requires_grad=True)
REFUSALS = [
    (lambda: G.__dlpack__(), BufferError, "Can't export tensors that require gradient"),
    (lambda: rg.from_dlpack(G), BufferError, "require gradient"),
    (lambda: np.from_dlpack(G), BufferError, "require gradient"),
    (lambda: dlpack.from_dlpack(used_capsule()), RuntimeError, "consumed only once"),
    (lambda: rg.from_dlpack([1, 2]), RuntimeError, "invalid capsule"),
    (lambda: rg.from_dlpack(3), RuntimeError, "invalid capsule"),
    (lambda: rg.ones(2).__dlpack__(stream="a"), TypeError, "stream must be"),
    (lambda: rg.ones(2).__dlpack__(stream=1), AssertionError, "stream should be None on cpu"),
    (lambda: rg.ones(2).__cuda_array_interface__, AttributeError, "Can't get __cuda_array_interface__ on non-CUDA tensor"),
]


@pytest.mark.parametrize("act, kind, says", REFUSALS)
def test_refusals(act, kind, says):
    with pytest.raises(kind, match=says):
        act()


def test_as_tensor_borrows_from_other_libraries():
    a = np.arange(3.0)
    t = rg.as_tensor(Old(a))
    assert t.data_ptr() == address(a)
    assert rg.as_tensor(Old(a), dtype=rg.float32).dtype == rg.float32
    assert not hasattr(t, "__cuda_array_interface__")


@pytest.mark.gpu
def test_cupy_both_ways():
    if not rg.cuda.is_available():
        pytest.skip("no CUDA device")
    import cupy
    for dtype in DTYPES:
        t = sample(dtype).cuda()
        assert t.__dlpack_device__() == (2, t.device.index)
        back = rg.from_dlpack(t)
        assert back.data_ptr() == t.data_ptr() and back.dtype == t.dtype and back.tolist() == t.tolist()
        if dtype != "bfloat16":
            a = cupy.from_dlpack(t)
            assert a.data.ptr == t.data_ptr()
            assert rg.as_tensor(a).data_ptr() == t.data_ptr() and cupy.asarray(t).data.ptr == t.data_ptr()


# -- NumPy's side of things --------------------------------------------------------------------------------------------

SCALARS = {"float64": np.float64(2), "float32": np.float32(2), "float16": np.float16(2), "int64": np.int64(2), "int32": np.int32(2),
           "uint8": np.uint8(3)}
OPERATORS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b, "//": lambda a, b: a // b,
             "%": lambda a, b: a % b, "**": lambda a, b: a ** b, "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, "==": lambda a, b: a == b,
             "!=": lambda a, b: a != b}


@pytest.mark.torch
@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_numpy_scalars_as_operands(scalar, operator):
    """On either side; a NumPy scalar counts as a Python number."""
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    s, act = SCALARS[scalar], OPERATORS[operator]
    for data in ([1.0, 2.0, 3.0], [1, 2, 3], [[True, False]]):
        if operator in ("-", "//", "%") and isinstance(data[0], list):
            continue
        for dtype in ("float32", "float16") if isinstance(data[0], float) else (None,):
            for left in (True, False):
                operands = [library.tensor(data, dtype=dtype and getattr(library, dtype)) for library in (rg, torch)]
                ours, theirs = (act(s, t) if left else act(t, s) for t in operands)
                assert type(ours) is rg.Tensor
                assert str(ours.dtype).rpartition(".")[2] == str(theirs.dtype).rpartition(".")[2], (data, left)
                np.testing.assert_allclose(ours.numpy(), theirs.numpy(), err_msg=f"{data} {left}")


def test_numpy_arrays_as_operands():
    """The result is a tensor, in torch's promotion, whichever side the array is on; gradients flow."""
    t, a = rg.tensor([1.0, 2.0, 3.0], requires_grad=True), np.array([2.0, 3.0, 4.0])
    for out in (t * a, a * t, t + a, a + t, a - t, a / t):
        assert type(out) is rg.Tensor and out.dtype == rg.float64 and out.requires_grad
    (a * t).sum().backward()
    assert t.grad.tolist() == [2.0, 3.0, 4.0]
    assert type(a < t) is rg.Tensor and type(a == t.detach()) is rg.Tensor
    assert rg.Tensor.__array_priority__ == 1000 and not hasattr(rg.Tensor, "__array_ufunc__")


def test_numpy_functions_of_tensors():
    t = rg.tensor([1.0, 2.0])
    assert type(np.sin(t)) is rg.Tensor and np.sin(t).dtype == rg.float32
    assert np.greater(t, 1.5).dtype == rg.uint8
    assert type(np.concatenate([t, t])) is np.ndarray
    assert np.array([rg.tensor(1.0), rg.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    with pytest.raises(RuntimeError, match="Can't call numpy.. on Tensor that requires grad"):
        np.sin(rg.ones(2, requires_grad=True))
    a = np.zeros(3)
    a[:2] = t
    assert a.tolist() == [1.0, 2.0, 0.0] and a[rg.tensor([1, 0])].tolist() == [2.0, 1.0]


CONVERSIONS = [
    ("list(T.ones(2, 3))[1].shape == (3,)", None), ("max(T.tensor([1.0, 3.0]))", None), ("sum(T.tensor([1.0, 3.0]))", None),
    ("2.0 in x; np.float64(2) in x; T.tensor(5.0) in x; True in x", None),
    ("float(T.tensor([3.0])); int(T.tensor(2.7)); complex(T.tensor(2.0))", None),
    ("bool(T.tensor([[0.0]])); [1, 2, 3][T.tensor(1)]; 'a' * T.tensor(2)", None), ("x == None; x != 'a'; x == [1, 2]", None),
    ("list(T.tensor(1.0))", "iteration over a 0-d tensor"), ("len(T.tensor(1.0))", "len"), ("'a' in x", "only supports Tensor or scalar"),
    ("None in x", "only supports Tensor or scalar"), ("[1.0] in x", "only supports Tensor or scalar"),
    ("bool(x)", "more than one value is ambiguous"),
    ("bool(T.tensor([]))", "no values is ambiguous"), ("float(x)", "only one element tensors"), ("int(T.tensor([]))", "only one element tensors"),
    ("x.item()", "cannot be converted to Scalar"), ("range(3)[T.tensor(1.0)]", "only integer tensors"),
    ("float(T.tensor(2 + 1j))", "without overflow"),
    ("x + None", "unsupported operand"), ("x < 'a'", "not supported between"), ("divmod(x, 2)", "divmod"),
    ("x.__setitem__(0, np.ones(1))", "can't assign a"),
]


@pytest.mark.torch
@pytest.mark.parametrize("text, says", CONVERSIONS)
def test_python_protocols(text, says):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    results = []
    for T in (rg, torch):
        scope = {"T": T, "x": T.tensor([1.0, 2.0]), "np": np}
        if says is None:
            results.append([v.tolist() if hasattr(v, "tolist") else v for v in (eval(e, scope) for e in text.split(";"))])
        else:
            with pytest.raises(Exception, match=says) as caught:
                eval(text, scope)
            results.append(caught.type)
    assert results[0] == results[1]


# -- copies and pickles ------------------------------------------------------------------------------------------------

def test_deepcopy_keeps_strides_and_shared_memory():
    base = rg.arange(12.0).reshape(3, 4)
    a, b, c, d = copy.deepcopy((base, base[1:], base.t(), base[:1].expand(3, 4)))
    assert [t.stride() for t in (a, b, c, d)] == [(4, 1), (4, 1), (1, 4), (0, 1)]
    a[1, 0] = 100
    assert b[0, 0] == c[0, 1] == 100 and base[1, 0] == 4
    b, a = copy.deepcopy((base[1:], base))
    a[1, 0] = 7
    assert b[0, 0] == 7
    assert copy.deepcopy(rg.zeros(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_are_whole_and_apart(make, dtype):
    t = sample(dtype)
    t.note = ["kept"]
    u = make(t)
    assert u.dtype == t.dtype and rg.equal(u, t) and u.data_ptr() != t.data_ptr() and u.note == ["kept"] and not u.requires_grad
    v = make(t.T)
    assert rg.equal(v, t.T) and v.stride() == t.T.stride()


def test_copies_of_leaves_with_gradients():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.grad.tolist() == [2.0, 4.0] and y.grad is not x.grad
    assert copy.copy(x).requires_grad and copy.copy(x).data_ptr() == x.data_ptr()
    z = pickle.loads(pickle.dumps(x))
    assert z.requires_grad and z.grad is None
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
