"""The affine map of a linear layer."""
import math

from .._core.op import op
from ._columns import column_sums
from ._layer_types import one_type
from ._run import run
from .matmul import matmul


@op(promote=one_type("linear"), grad_name="Addmm", broadcasts=False, half=True)
def linear(xp, x, weight, bias=None):
    """x @ weight.T + bias.  x: (*, in), weight: (out, in), bias: (out) -> (*, out)."""
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise _misfit(x.shape, weight.shape)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(f"linear: bias has shape {list(bias.shape)} but weight {list(weight.shape)} gives {weight.shape[0]} features; "
                           f"expected bias of shape [{weight.shape[0]}]")
    out = x.dot(weight.T) if x.ndim == 2 else _rows(x).dot(weight.T)
    if bias is not None:
        out += bias
    return out if x.ndim == 2 else out.reshape(*x.shape[:-1], weight.shape[0])


@linear.vjp("x")
def _(xp, g, weight):
    return run(matmul, xp, g, weight)


@linear.vjp("weight")
def _(xp, g, x):
    if x.ndim != 2:
        rows = math.prod(x.shape[:-1])
        g, x = xp.reshape(g, (rows, g.shape[-1])), xp.reshape(x, (rows, x.shape[-1]))
    return run(matmul, xp, g.T, x)


@linear.vjp("bias")
def _(xp, g):
    return xp.sum(g, axis=tuple(range(g.ndim - 1)))


@linear.kernel("numpy", vjp="bias")
def _(xp, g):
    return column_sums(g if g.ndim == 2 else _rows(g))


def _rows(x):
    """(*, n) as (rows, n)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _misfit(x, weight):
    if len(weight) != 2:
        return RuntimeError(f"linear: weight must be a matrix (out_features, in_features), got shape {list(weight)}")
    if not x:
        return RuntimeError("linear: input must have at least one dimension, its features; got a 0-d tensor")
    way_out = "did you transpose the weight?" if x[-1] == weight[0] else f"reshape the input, or make the layer with in_features={x[-1]}"
    return RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({math.prod(x[:-1])}x{x[-1]} and {weight[1]}x{weight[0]}): input has "
                        f"{x[-1]} features but weight {list(weight)} expects {weight[1]}; {way_out}")
