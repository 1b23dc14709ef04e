"""The method table of Tensor: which function stands behind each operator and method.

Tensor itself (in _core) has no mathematics; `attach` hangs these tables on it, once.  `_methods.pyi` shows type checkers the same names,
and a test compares the two.
"""
from ._core.inplace import apply_inplace
from ._core.tensor import Tensor
from ._functional import FAMILIES, _old_order, _out
from ._tensor import conversion, exchange, gradients, info

FUNCTIONS, METHODS, INPLACE, CONSTANTS = {}, {}, {}, {}
for _family in FAMILIES:
    FUNCTIONS.update(getattr(_family, "FUNCTIONS", {}))
    METHODS.update(getattr(_family, "METHODS", {}))
    INPLACE.update(getattr(_family, "INPLACE", {}))
    CONSTANTS.update(getattr(_family, "CONSTANTS", {}))
for _table in (FUNCTIONS, METHODS):
    _table.update({name: _old_order.accepting_old_order(name, f) for name, f in _table.items() if name in _old_order.OLD_ORDERS})
ATTRIBUTES = {**info.ATTRIBUTES, **gradients.ATTRIBUTES, **conversion.ATTRIBUTES, **exchange.ATTRIBUTES}
_PARAMETER = {"other": "y", "input": "x"}  # torch's names for the operands of an op


def inplace_twin(name, op):
    """The function `name_` that stores an op's result in its first operand and returns that."""
    def twin(input, *args, **kwargs):  # noqa: A002 - torch's name
        inputs, attrs = op.bind((input, *args), {_PARAMETER.get(k, k): v for k, v in kwargs.items()})
        return apply_inplace(op, inputs[0], inputs[1:], attrs)
    twin.__name__ = twin.__qualname__ = f"{name}_"
    twin.__doc__ = f"In-place form of `{name}`: writes the result over the tensor and returns it."
    return twin


TWINS = {f"{name}_": inplace_twin(name, op) for name, op in INPLACE.items()}
FUNCTIONS.update({name: (TWINS | METHODS | ATTRIBUTES)[name] for name in _out.INPLACE_NAMES if name not in FUNCTIONS})
PUBLIC = {name: _out.accepting_out(name, f) if name in _out.NAMES else f for name, f in FUNCTIONS.items()}  # as ringgrad.<name>


def attach():
    """Hang every method, operator and attribute on Tensor."""
    for table in (TWINS, METHODS, ATTRIBUTES):
        for name, value in table.items():
            setattr(Tensor, name, value)


attach()
