"""What stands behind Python's operators on tensors: +, -, *, ..., ==, +=, in both orders.

An operator answers NotImplemented to an operand that is neither tensor, number nor array, so that Python asks the other side, or raises.
"""
from .. import ops
from .._core.compile import OPERANDS, apply_operator, fast_function
from .._core.inplace import apply_inplace
from .._dtypes import of_numpy

BINARY = {
    "add": ops.add, "sub": ops.subtract, "mul": ops.multiply, "truediv": ops.divide, "floordiv": ops.floor_divide, "mod": ops.remainder,
    "pow": ops.power, "and": ops.bitwise_and, "or": ops.bitwise_or, "xor": ops.bitwise_xor, "lshift": ops.left_shift,
    "rshift": ops.right_shift,
}
COMPARISONS = {"eq": ops.equal, "ne": ops.not_equal, "lt": ops.less, "le": ops.less_equal, "gt": ops.greater, "ge": ops.greater_equal}
COMMUTATIVE = ("add", "mul", "and", "or", "xor")


def reflected(op, name):
    """The operator for `other op self`, where `other` is no Tensor."""
    def method(self, other):
        return apply_operator(op, (other, self), {})
    method.__name__ = method.__qualname__ = name
    return method


def inplace(op, name):
    """The operator for `self op= other`, which writes over self."""
    def method(self, other):
        return apply_inplace(op, self, (other,), {}) if isinstance(other, OPERANDS) else NotImplemented
    method.__name__ = method.__qualname__ = name
    return method


def __rtruediv__(self, other):
    """other / self, as torch computes it: the reciprocal first."""
    return ops.multiply(ops.reciprocal(self), other) if isinstance(other, OPERANDS) else NotImplemented


def __invert__(self):
    """~self, of integers and bools."""
    if self._data.dtype.kind not in "biu":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors, not "
                        f"{of_numpy(self._data.dtype).name}")
    return ops.invert(self)


def positive(input):
    """`input` itself.  RuntimeError for bools."""
    if input._data.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


FUNCTIONS = {"positive": positive}
METHODS = {
    "positive": positive, "__pos__": positive, "__neg__": ops.negative, "__abs__": ops.absolute, "__invert__": __invert__,
    **{f"__{n}__": fast_function(f.op, operator=True) for n, f in {**BINARY, **COMPARISONS}.items()},
    **{f"__r{n}__": reflected(f.op, f"__r{n}__") for n, f in BINARY.items() if n not in COMMUTATIVE},
    **{f"__r{n}__": fast_function(BINARY[n].op, operator=True) for n in COMMUTATIVE},
    **{f"__i{n}__": inplace(f.op, f"__i{n}__") for n, f in BINARY.items()},
    "__rsub__": fast_function(ops.rsub.op, operator=True), "__rtruediv__": __rtruediv__,
}
INPLACE = {}
