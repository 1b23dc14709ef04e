"""Samples of comparisons, logic, bits, and of Python's operators."""
import operator

import numpy as np

from .sample import BOOL, COMPLEX, FLOATS, INTS, Sample, apart, const, elementwise, made, positive, randint, randn
from .samples_elementwise import EVERYTHING, INF, NAN, REAL, SPECIAL, nonzero, small, special, thirds, whole


def comparison(name, op, dtypes):
    return elementwise(name, small(3, 4), small(3, 4), op=op, ref=getattr(np, op), dtypes=dtypes, gives="bool", grad=False,
                       inplace="gives bools")


def bitwise(name, op, second=None, dtypes=BOOL + INTS):
    return elementwise(name, small(3, 4), second or small(3, 4), op=op, ref=getattr(np, op), dtypes=dtypes, grad=False)


COMPARISON = [
    comparison("eq", "equal", EVERYTHING), comparison("ne", "not_equal", EVERYTHING), comparison("lt", "less", REAL + BOOL),
    comparison("le", "less_equal", REAL + BOOL), comparison("gt", "greater", REAL + BOOL), comparison("ge", "greater_equal", REAL + BOOL),
    comparison("logical_and", "logical_and", EVERYTHING), comparison("logical_or", "logical_or", EVERYTHING),
    comparison("logical_xor", "logical_xor", EVERYTHING),
    elementwise("logical_not", small(3, 4), ref=np.logical_not, dtypes=EVERYTHING, gives="bool", grad=False, inplace="gives bools"),
    *[special(name, SPECIAL, ref=getattr(np, name), gives="bool", dtypes=FLOATS) for name in ("isnan", "isinf", "isfinite")],
    *[elementwise(name, small(3, 4), ref=getattr(np, name), dtypes=EVERYTHING, gives="bool", grad=False) for name in ("isnan", "isinf",
                                                                                                                      "isfinite")],
    special("isposinf", SPECIAL, ref=np.isposinf, gives="bool", op="equal"),
    special("isneginf", SPECIAL, ref=np.isneginf, gives="bool", op="equal"),
    Sample("isreal", [made(lambda rng: np.array([1 + 0j, 1 + 1j]))], op="equal", ref=np.isreal, gives="bool", grad=False, dtypes=COMPLEX),
    special("isreal", [1.0, 99], ref=np.isreal, gives="bool", op=None),
    special("isclose", [1.0, 1.0, INF, INF, 99, 0.0], [1.0 + 1e-6, 1.1, INF, -INF, 99, 1e-9], ref=np.isclose, gives="bool",
            dtypes=("float64",)),
    Sample("isclose", [const([1.0, 99.0]), const([1.3, 99.0])], {"rtol": 0.1, "atol": 0.1, "equal_nan": True}, ref=lambda x,
           y: np.array([False, True]),
           gives="bool", grad=False, dtypes=("float64",),
           call=lambda lib, x, y, **kw: lib.isclose(*[lib.where(t == 99, NAN, t) for t in (x, y)], **kw)),
    Sample("isclose", [small(3, 4), small(3, 4)], ref=np.isclose, gives="bool", grad=False, dtypes=INTS + COMPLEX),
    Sample("allclose", [const([1.0, 2.0]), const([1.0, 2.0 + 1e-6])], op="isclose", ref=np.allclose, grad=False),
    Sample("allclose", [const([1.0, 2.0]), const([1.0, 2.5])], op="isclose", ref=np.allclose, grad=False),
    Sample("equal", [small(3, 4), small(4, 3)], op=None, ref=np.array_equal, grad=False),
    Sample("equal", [const([1.0, 2.0]), const([1.0, 2.0], "float32")], ref=np.array_equal, grad=False),
    special("equal", [1.0, 99.0], [1.0, 99.0], ref=np.array_equal),
    bitwise("bitwise_and", "bitwise_and"), bitwise("bitwise_or", "bitwise_or"), bitwise("bitwise_xor", "bitwise_xor"),
    elementwise("bitwise_not", small(3, 4), op="invert", ref=np.invert, dtypes=BOOL + INTS, grad=False),
    bitwise("bitwise_left_shift", "left_shift", randint(0, 5, 3, 4, follows=True), INTS),
    bitwise("bitwise_right_shift", "right_shift", randint(0, 5, 3, 4, follows=True), INTS),
    Sample("bitwise_right_shift", [whole(-5, 5, -5), whole(70, 70, 1)], op="right_shift", ref=lambda x, y: np.array([-1, 0, -3]),
           dtypes=("int64",), grad=False),
]


def python(name, call, ref=None, op=None, first=randn, second=None, **fields):
    """The row of a Python operator."""
    return Sample(f"Tensor.{name}", [first(3, 4)] + ([second] if second is not None else []), call=lambda lib, *a: call(*a),
                  ref=ref or call,
                  op=op or name.strip("_"), **fields)


OPERATORS = [
    python("__add__", operator.add, op="add", second=randn(4)), python("__sub__", operator.sub, op="subtract", second=randn(4)),
    python("__mul__", operator.mul, op="multiply", second=randn(4)),
    python("__truediv__", operator.truediv, op="divide", second=positive(4)),
    python("__floordiv__", operator.floordiv, op="floor_divide", first=thirds, second=nonzero(4), torch="not differentiable there"),
    python("__floordiv__", operator.floordiv, op="floor_divide", first=small, second=nonzero(4), dtypes=INTS, grad=False),
    python("__mod__", operator.mod, op="remainder", first=thirds, second=nonzero(4)),
    python("__pow__", operator.pow, op="power", first=positive, second=randn(4)), python("__neg__", operator.neg, op="negative"),
    python("__abs__", operator.abs, op="absolute", first=apart), python("__pos__", lambda x: +x * 2, op="multiply"),
    python("__radd__", lambda x: 2 + x, op="add"), python("__rsub__", lambda x: 2 - x, op="rsub"),
    python("__rmul__", lambda x: 3.5 * x, op="multiply"), python("__rtruediv__", lambda x: 2 / x, op="reciprocal", first=positive, slack=2),
    python("__rfloordiv__", lambda x: 7 // x, op="floor_divide", first=positive, dtypes=("float32", "float64"),
           torch="not differentiable there"),
    python("__rfloordiv__", lambda x: 7 // x, op="floor_divide", first=nonzero, dtypes=INTS, grad=False),
    python("__rmod__", lambda x: 7 % x, op="remainder", first=positive, dtypes=("float32", "float64"), torch="not differentiable there"),
    python("__rmod__", lambda x: 7 % x, op="remainder", first=nonzero, dtypes=INTS, grad=False),
    python("__rpow__", lambda x: 2 ** x, op="power"),
    *[python(f"__{n}__", getattr(operator, n), op=o, first=small, second=small(4), gives="bool", grad=False)
      for n, o in (("eq", "equal"), ("ne", "not_equal"), ("lt", "less"), ("le", "less_equal"), ("gt", "greater"), ("ge", "greater_equal"))],
    python("__gt__", lambda x: x > 0, op="greater", gives="bool", grad=False, dtypes=REAL),
    *[python(f"__{n}__", getattr(operator, n), op=o, first=small, second=small(4), grad=False, dtypes=BOOL + INTS)
      for n, o in (("and_", "bitwise_and"), ("or_", "bitwise_or"), ("xor", "bitwise_xor"))],
    *[python(f"__{n}__", getattr(operator, n), op=o, first=small, second=randint(0, 4, 4, follows=True), grad=False, dtypes=INTS)
      for n, o in (("lshift", "left_shift"), ("rshift", "right_shift"))],
    python("__rand__", lambda x: 6 & x, op="bitwise_and", first=small, dtypes=INTS, grad=False),
    python("__rlshift__", lambda x: 1 << x, op="left_shift", first=nonzero, dtypes=("int64",), grad=False),
    python("__rrshift__", lambda x: 99 >> x, op="right_shift", first=nonzero, dtypes=("int64",), grad=False),
    python("__invert__", operator.invert, op="invert", first=small, dtypes=BOOL + INTS, grad=False),
]

SAMPLES = [*COMPARISON, *OPERATORS]
