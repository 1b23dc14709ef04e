"""The twelve data types: torch's promotion as a table, ranks of operands, names, defaults."""
import pickle

import numpy as np
import pytest

import ringgrad
from ringgrad import _dtypes

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]

# torch.promote_types, row by column, in the order of NAMES
# https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
TABLE = """
    b   u1  i1  i2  i4  i8  f2  bf  f4  f8  c8  c16
    u1  u1  i2  i2  i4  i8  f2  bf  f4  f8  c8  c16
    i1  i2  i1  i2  i4  i8  f2  bf  f4  f8  c8  c16
    i2  i2  i2  i2  i4  i8  f2  bf  f4  f8  c8  c16
    i4  i4  i4  i4  i4  i8  f2  bf  f4  f8  c8  c16
    i8  i8  i8  i8  i8  i8  f2  bf  f4  f8  c8  c16
    f2  f2  f2  f2  f2  f2  f2  f4  f4  f8  c8  c16
    bf  bf  bf  bf  bf  bf  f4  bf  f4  f8  c8  c16
    f4  f4  f4  f4  f4  f4  f4  f4  f4  f8  c8  c16
    f8  f8  f8  f8  f8  f8  f8  f8  f8  f8  c16 c16
    c8  c8  c8  c8  c8  c8  c8  c8  c8  c16 c8  c16
    c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16
"""
SHORT = dict(zip(["b", "u1", "i1", "i2", "i4", "i8", "f2", "bf", "f4", "f8", "c8", "c16"], NAMES, strict=True))
ROWS = {name: [SHORT[s] for s in row.split()] for name, row in zip(NAMES, TABLE.strip().splitlines(), strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_promotion_table(name):
    assert [ringgrad.promote_types(getattr(ringgrad, name), getattr(ringgrad, other)).name for other in NAMES] == ROWS[name]


@pytest.mark.torch
def test_promotion_table_is_torchs():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for name in NAMES:
        row = [str(torch.promote_types(getattr(torch, name), getattr(torch, other))).rpartition(".")[2] for other in NAMES]
        assert row == ROWS[name]


def make(name, ndim):
    return np.ones((2,) * ndim, getattr(ringgrad, name).np)


@pytest.mark.parametrize(("operands", "expected"), [
    ((("float32", 1), ("float64", 0)), "float32"),
    ((("float32", 0), ("float64", 1)), "float64"),
    ((("int32", 1), ("int64", 0)), "int32"),
    ((("int32", 1), ("float64", 0)), "float64"),
    ((("int64", 0), ("float16", 0)), "float16"),
    ((("float16", 1), 2.5), "float16"),
    ((("int64", 1), 2.5), "float32"),
    ((("int8", 1), 300), "int8"),
    ((("bool", 1), 1), "int64"),
    ((("bool", 1), True), "bool"),
    ((("bool", 1), ("uint8", 0)), "uint8"),
    ((("uint8", 1), ("int8", 0)), "uint8"),
    ((("float32", 1), 1j), "complex64"),
    ((("float64", 1), 1j), "complex128"),
    ((("float64", 1), ("complex64", 0)), "complex128"),
    ((("int64", 1), 1j), "complex64"),
    ((("float32", 1), ("float64", 0), ("float16", 1)), "float32"),
    ((2, 2.5), "float32"),
    ((2, True), "int64"),
])
def test_ranks_of_operands(operands, expected):
    """Tensors with dimensions outrank those without, and these outrank numbers; a lower rank counts only by its category."""
    arrays = [make(*x) if isinstance(x, tuple) else x for x in operands]
    assert _dtypes.result_dtype(arrays).name == expected
    assert _dtypes.result_dtype(arrays[::-1]).name == expected


@pytest.mark.torch
def test_ranks_of_operands_are_torchs():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    numbers = (True, 3, 2.5, 1 + 2j)
    checked = 0
    for a in NAMES:
        for ndim in (0, 1):
            x = torch.ones((2,) * ndim, dtype=getattr(torch, a))
            others = [(n, torch.result_type(x, n)) for n in numbers]
            for b in NAMES:
                y = torch.ones((2,) * (1 - ndim), dtype=getattr(torch, b))
                others.append((make(b, 1 - ndim), torch.result_type(x, y)))
            for other, theirs in others:
                here = str(theirs).removeprefix("torch.").replace("complex32", "complex64")  # the half of complex64 is not ours
                assert _dtypes.result_dtype([make(a, ndim), other]).name == here, (a, ndim, other)
                checked += 1
    assert checked == 12 * 2 * 16


@pytest.mark.torch
def test_can_cast_is_torchs():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for a in NAMES:
        for b in NAMES:
            ours = ringgrad.can_cast(getattr(ringgrad, a), getattr(ringgrad, b))
            assert ours == torch.can_cast(getattr(torch, a), getattr(torch, b)), (a, b)


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_a_value_of_its_own(name):
    d = getattr(ringgrad, name)
    assert repr(d) == f"ringgrad.{name}" and pickle.loads(pickle.dumps(d)) is d
    assert ringgrad.zeros(2, dtype=d).dtype is d and ringgrad.zeros(2, dtype=d).element_size() == d.itemsize
    assert d.is_floating_point == ("float" in name) and d.is_complex == ("complex" in name)
    assert d.is_signed == (name not in ("bool", "uint8"))
    assert isinstance(d, ringgrad.dtype)


@pytest.mark.parametrize(("spelled", "name"), [
    (float, "float64"), (int, "int64"), (bool, "bool"), (complex, "complex128"), (np.float64, "float64"), (np.dtype("int16"), "int16"),
    ("float16", "float16"), (np.uint8, "uint8"),
])
def test_other_words_for_a_dtype(spelled, name):
    assert _dtypes.as_dtype(spelled).name == name


@pytest.mark.parametrize("wrong", ["flot32", object, 5, np.dtype("U3"), np.dtype("M8[s]")])
def test_what_is_no_dtype(wrong):
    with pytest.raises(TypeError, match="ringgrad.dtype"):
        _dtypes.as_dtype(wrong)


def test_aliases():
    for alias, name in {"half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32", "long": "int64",
                        "cfloat": "complex64", "cdouble": "complex128"}.items():
        assert getattr(ringgrad, alias) is getattr(ringgrad, name)


def test_the_default_dtype():
    try:
        ringgrad.set_default_dtype(ringgrad.float64)
        assert ringgrad.get_default_dtype() is ringgrad.float64
        assert ringgrad.tensor([1.0]).dtype is ringgrad.zeros(2).dtype is (ringgrad.tensor([1]) / 2).dtype is ringgrad.float64
        assert ringgrad.tensor([1j]).dtype is ringgrad.complex128 and ringgrad.tensor([1]).dtype is ringgrad.int64
    finally:
        ringgrad.set_default_dtype(ringgrad.float32)
    assert ringgrad.tensor([1.0]).dtype is ringgrad.float32
    with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
        ringgrad.set_default_dtype(ringgrad.int64)


def test_numpy_types_that_torch_has_no_word_for():
    for dtype in ("U3", "M8[s]", "O", "V3"):
        with pytest.raises(TypeError, match="can't convert.*supported types are: bool"):
            ringgrad.from_numpy(np.zeros(2, dtype))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_to_real_and_to_complex(name):
    d = getattr(ringgrad, name)
    assert d.to_complex().is_complex and not d.to_real().is_complex
    if name != "float16" and name != "bfloat16":
        assert d.to_complex().to_real().to_complex() is d.to_complex()


@pytest.mark.parametrize("d", ringgrad._dtypes.FLOAT8, ids=str)
def test_eight_bit_floats_are_kept_and_converted(d):
    x = ringgrad.tensor([0.5, 1.0, 8.0, 2.0])
    y = x.to(d)
    assert y.dtype is d and d.itemsize == 1 and d.is_floating_point and getattr(ringgrad, d.name) is d
    assert y.float().tolist() == x.tolist() and y[1:].to(ringgrad.float64).tolist() == [1.0, 8.0, 2.0] and y.view(ringgrad.uint8).shape == (4,)
    with pytest.raises(RuntimeError, match="Promotion for Float8 Types is not supported"):
        y + x
