"""Ops that use each other inside formulas and gradient rules."""
from .._backends import BACKENDS
from .._core.tensor import Tensor, wrap


def run(op, xp, *inputs, **attrs):
    """Run `op` in a gradient rule: recorded where the inputs are Tensors (create_graph), else its formula or kernel on the raw arrays.

    attrs: every attribute that has no default.
    """
    for i in inputs:
        if isinstance(i, Tensor):
            return op.apply(inputs, {**op.attrs, **attrs})
    return op.kernels[type(inputs[0])](xp, *inputs, **attrs)


def zeros_beside(g, shape):
    """Zeros of `shape` in the type and on the device of `g`, an array or a Tensor; of the same kind as `g`."""
    a = g._data if isinstance(g, Tensor) else g
    backend = BACKENDS[type(a)]
    with backend.on_device_of(a):
        zeros = backend.xp.zeros(shape, a.dtype)
    return wrap(zeros) if isinstance(g, Tensor) else zeros


def refuses_gradient(record, name):
    """Declare that `record` has no derivative with respect to its input `name`: asked for, it raises NotImplementedError, as in torch."""
    @record.vjp(name)
    def _(xp, g):
        raise NotImplementedError(f"the derivative for '{name}' of {record.name} is not implemented; detach() it, if no gradient is needed")
    _.refuses = True
