"""default_collate and default_convert, row by row against PyTorch."""
import types
from collections import OrderedDict, UserDict, UserList, defaultdict, namedtuple

import numpy as np
import pytest

import ringgrad
from ringgrad.utils.data import default_collate, default_convert

Point = namedtuple("Point", "x y")


def samples(make):
    """What is collated, with `make` turning an array into a tensor of either library."""
    a = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    return {
        "tensors": [make(a), make(a + 1)],
        "0-d tensors": [make(a.sum()), make(a.sum())],
        "arrays": [a, a + 1],
        "int arrays": [np.arange(3), np.arange(3)],
        "bool arrays": [np.array([True]), np.array([False])],
        "0-d arrays": [np.array(3), np.array(4)],
        "numpy floats": [np.float32(1), np.float32(2)],
        "numpy doubles": [np.float64(1), np.float64(2)],
        "numpy ints": [np.int16(1), np.int16(2)],
        "numpy bools": [np.bool_(True), np.bool_(False)],
        "floats": [1.5, 2.5],
        "ints": [1, 2],
        "bools": [True, False],
        "strings": ["a", "b"],
        "bytes": [b"a", b"b"],
        "tuples": [(1, 2.0), (3, 4.0)],
        "lists": [[1, "a"], [2, "b"]],
        "dicts": [{"x": 1, "y": make(a)}, {"x": 2, "y": make(a)}],
        "ordered": [OrderedDict(x=1, y=2), OrderedDict(x=3, y=4)],
        "default dicts": [defaultdict(int, x=1), defaultdict(int, x=2)],
        "user dicts": [UserDict(x=1), UserDict(x=2)],
        "read-only dicts": [types.MappingProxyType({"x": 1}), types.MappingProxyType({"x": 2})],
        "user lists": [UserList([1, 2]), UserList([3, 4])],
        "named tuples": [Point(1, make(a)), Point(2, make(a))],
        "ranges": [range(2), range(2)],
        "nested": [{"a": [(1, {"b": np.ones(2)})]}, {"a": [(2, {"b": np.zeros(2)})]}],
    }


def plain(x):
    """A structure with its tensors replaced by (type name, values)."""
    if hasattr(x, "requires_grad"):
        return ("tensor", str(x.dtype).split(".")[1], x.tolist())
    if isinstance(x, (dict, UserDict, types.MappingProxyType)):
        return (type(x).__name__, {k: plain(v) for k, v in x.items()})
    if isinstance(x, (list, tuple, UserList)):
        return (type(x).__name__, [plain(v) for v in x])
    return (type(x).__name__, str(x))


@pytest.mark.torch
@pytest.mark.parametrize("row", samples(lambda a: a))
@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
def test_equal_torch(row, function):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    mine = globals()[function](samples(lambda a: ringgrad.from_numpy(np.asarray(a).copy()))[row])
    other = getattr(torch.utils.data, function)(samples(lambda a: torch.from_numpy(np.asarray(a).copy()))[row])
    assert plain(mine) == plain(other)


BAD = [
    ([object(), object()], TypeError, "must contain tensors, numpy arrays, numbers, dicts or lists; found <class 'object'>"),
    ([np.array(["a"]), np.array(["b"])], TypeError, "found <U1"),
    ([[1, 2], [1]], RuntimeError, "each element in list of batch should be of equal size"),
    ([ringgrad.ones(2), ringgrad.ones(3)], RuntimeError, r"equal size, but got \[2\] at entry 0 and \[3\] at entry 1"),
    ([None, None], TypeError, "NoneType"),
    ([np.zeros(2, np.longdouble)], TypeError, "float128|longdouble"),
    ([1j, 2j], TypeError, "complex"),
]


@pytest.mark.parametrize(("batch", "error", "words"), BAD, ids=[row[2][:30] for row in BAD])
def test_wrong_batches(batch, error, words):
    with pytest.raises(error, match=words):
        default_collate(batch)


def test_gradients_flow_through_a_batch():
    a, b = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2)
    default_collate([a, b]).sum().backward()
    assert a.grad.tolist() == [1.0, 1.0]


def test_the_original_mapping_is_not_changed():
    first = OrderedDict(x=1)
    assert default_collate([first, OrderedDict(x=2)])["x"].tolist() == [1, 2] and first["x"] == 1


def test_converting_shares_memory():
    a = np.zeros(2)
    default_convert([a])[0].add_(1)
    assert a.tolist() == [1.0, 1.0]
