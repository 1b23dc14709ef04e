"""Convolution (cross-correlation, as in torch) in any number of spatial dimensions, and its two adjoints.

The three operations are bilinear and closed under differentiation, so derivatives of every order are here:

    convolution(x, w)        x: (N, C, *in),  w: (K, C / groups, *kernel)  ->  (N, K, *out)
    conv_transpose(g, w)     g: (N, K, *out), w                            ->  (N, C, *in)       the gradient for x
    conv_weight(g, x)        g: (N, K, *out), x                            ->  (K, C / groups, *kernel)

The windows of an image are a strided view (C, *kernel, *out) of it; copied to a matrix (im2col), they turn convolution into one matrix
product.  How the CPU does that is in `conv_cpu.py`.
"""
import math

from .._core.op import op
from ._layer_types import one_type
from ._run import run
from ._windows import add_windows, out_sizes, padded, windows


@op(promote=one_type("convolution"), broadcasts=False, grad_name="Convolution", half=True)
def convolution(xp, x, weight, bias=None, stride: tuple = (1, 1), padding: tuple = (0, 0), dilation: tuple = (1, 1), groups: int = 1):
    """x: (N, C, *in), weight: (K, C / groups, *kernel), bias: (K) -> (N, K, *out), zeros beyond the edges."""
    out = check(x, weight, bias, stride, padding, dilation, groups)
    w = grouped(weight, groups)
    columns = windows(xp, padded(xp, x, padding), weight.shape[2:], out, stride, dilation)
    y = (w @ columns.reshape(len(x), groups, w.shape[2], math.prod(out))).reshape(len(x), len(weight), *out)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(out))


@op(promote=one_type("conv_transpose"), broadcasts=False, grad_name="Convolution", half=True)
def conv_transpose(xp, x, weight, bias=None, size: tuple = (), stride: tuple = (1, 1), padding: tuple = (0, 0), dilation: tuple = (1, 1),
                   groups: int = 1):
    """x: (N, K, *out), weight: (K, C / groups, *kernel), bias: (C) -> (N, C, *size): the adjoint of convolution with the same weight."""
    kernel, out = weight.shape[2:], x.shape[2:]
    columns = xp.swapaxes(grouped(weight, groups), 1, 2) @ x.reshape(len(x), groups, len(weight) // groups, math.prod(out))
    columns = columns.reshape(len(x), weight.shape[1] * groups, *kernel, *out)
    y = add_windows(xp, columns, size, kernel, out, stride, padding, dilation)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(size))


@op(promote=one_type("conv_weight"), broadcasts=False, grad_name="Convolution", half=True)
def conv_weight(xp, x, y, kernel: tuple = (), stride: tuple = (1, 1), padding: tuple = (0, 0), dilation: tuple = (1, 1), groups: int = 1):
    """x: (N, K, *out), a gradient, y: (N, C, *in), the input it belongs to -> (K, C / groups, *kernel)."""
    n, out = len(x), x.shape[2:]
    k, c = x.shape[1] // groups, y.shape[1] // groups
    columns = windows(xp, padded(xp, y, padding), kernel, out, stride, dilation)
    columns = columns.reshape(n, groups, c * math.prod(kernel), math.prod(out))
    return (x.reshape(n, groups, k, math.prod(out)) @ xp.swapaxes(columns, 2, 3)).sum(axis=0).reshape(k * groups, c, *kernel)


# -- gradients: each of the three is linear in both inputs -------------------------------------------------------------

@convolution.vjp("x")
def _(xp, g, weight, x_shape, stride, padding, dilation, groups):
    return run(conv_transpose, xp, g, weight, None, size=x_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


@convolution.vjp("weight")
def _(xp, g, x, weight_shape, stride, padding, dilation, groups):
    return run(conv_weight, xp, g, x, kernel=weight_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


@conv_transpose.vjp("x")
def _(xp, g, weight, stride, padding, dilation, groups):
    return run(convolution, xp, g, weight, None, stride=stride, padding=padding, dilation=dilation, groups=groups)


@conv_transpose.vjp("weight")
def _(xp, g, x, weight_shape, stride, padding, dilation, groups):
    return run(conv_weight, xp, x, g, kernel=weight_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


@conv_weight.vjp("x")
def _(xp, g, y, stride, padding, dilation, groups):
    return run(convolution, xp, y, g, None, stride=stride, padding=padding, dilation=dilation, groups=groups)


@conv_weight.vjp("y")
def _(xp, g, x, y_shape, stride, padding, dilation, groups):
    return run(conv_transpose, xp, x, g, None, size=y_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


for _op in (convolution, conv_transpose):
    @_op.vjp("bias")
    def _(xp, g):
        return xp.sum(g, axis=(0, *range(2, g.ndim)))


def grouped(weight, groups):
    """(K, C / groups, *kernel) -> (groups, K / groups, C / groups * kernel size)."""
    return weight.reshape(groups, len(weight) // groups, -1)


def check(x, weight, bias, stride, padding, dilation, groups):
    """Sizes of the result.  RuntimeError in torch's words for what does not fit."""
    d = weight.ndim - 2
    if x.ndim != weight.ndim:
        raise RuntimeError(f"Expected {d + 1}D (unbatched) or {d + 2}D (batched) input to conv{d}d, but got input of size: {list(x.shape)}")
    if groups < 1 or len(weight) % groups or len(weight) < groups:
        raise RuntimeError(f"Given groups={groups}, expected weight to be at least {groups} at dimension 0 and divisible by it, but got "
                           f"weight of size {list(weight.shape)} instead")
    if x.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(x.shape)} to have "
                           f"{weight.shape[1] * groups} channels, but got {x.shape[1]} channels instead")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {len(weight)} elements, but "
                           f"got bias of size {list(bias.shape)} instead")
    if min(stride) < 1 or min(dilation) < 1 or min(padding) < 0:
        raise RuntimeError(f"stride and dilation must be positive and padding not negative, got {stride=} {dilation=} {padding=}")
    reach = [k_d * (k - 1) + 1 for k, k_d in zip(weight.shape[2:], dilation)]
    room = [n + 2 * p for n, p in zip(x.shape[2:], padding)]
    if any(r > n for r, n in zip(reach, room)):
        raise RuntimeError(f"Calculated padded input size per channel: ({_times(room)}). Kernel size: ({_times(reach)}). Kernel size can't "
                           "be greater than actual input size")
    return out_sizes(x.shape[2:], weight.shape[2:], stride, padding, dilation)


def _times(sizes):
    return " x ".join(str(n) for n in sizes)
