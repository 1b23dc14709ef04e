"""Python's protocol of operators: who is asked, in which order, and what == gives for what is no number."""
import operator

import numpy as np
import pytest

import ringgrad

BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift", "lt", "le", "gt", "ge")


class Polite:
    """Knows how to combine itself with anything."""

    def _answer(self, other):
        return "asked"

    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _answer
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = __lt__ = __le__ = __gt__ = __ge__ = _answer


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("name", BINARY)
def test_the_other_side_is_asked(name, dtype):
    assert getattr(operator, name)(ringgrad.ones(2, dtype=getattr(ringgrad, dtype)), Polite()) == "asked"


@pytest.mark.parametrize("stranger", [None, "a", [1.0], object()], ids=["None", "str", "list", "object"])
@pytest.mark.parametrize("name", BINARY)
def test_strangers_are_refused(name, stranger):
    x = ringgrad.ones(2, dtype=ringgrad.int64)
    own = isinstance(stranger, (str, list))  # these have + and % of their own, and other words for a refusal
    for left, right in ((x, stranger),) if own else ((x, stranger), (stranger, x)):
        with pytest.raises(TypeError, match="not supported between|unsupported operand|to an index"):
            getattr(operator, name)(left, right)


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor", "ilshift", "irshift"])
def test_in_place_operators_write_and_return_the_tensor(name):
    plain = name[1:] + ("_" if name in ("iand", "ior") else "")
    x = ringgrad.tensor([6, 12], dtype=ringgrad.float32 if name == "itruediv" else ringgrad.int64)
    memory, wanted = x._data, getattr(operator, plain)(x, 2)
    same = getattr(operator, name)(x, 2)
    assert same is x and x._data is memory and x._version == 1
    np.testing.assert_array_equal(x.numpy(), wanted.numpy())
    with pytest.raises(TypeError):
        getattr(operator, name)(x, "a")


def test_equality_with_what_is_no_number():
    x = ringgrad.ones(2)
    assert operator.eq(x, None) is False
    assert operator.ne(x, None) is True
    assert operator.eq(x, "a") is False
    assert x in [None, x], "compared by identity first, as in a list of parameters"


def test_numpy_scalars_count_as_numbers():
    x = ringgrad.ones(2)
    assert (x * np.float64(2)).dtype == ringgrad.float32
    assert (np.float64(2) * x).dtype == ringgrad.float32
    assert (np.float64(2) - x).numpy().tolist() == [1.0, 1.0]
    assert (ringgrad.ones(2, dtype=ringgrad.int64) + np.int8(1)).dtype == ringgrad.int64


def test_hashable_although_equality_is_elementwise():
    x, y = ringgrad.ones(2), ringgrad.ones(2)
    assert len({x, y, x}) == 2
