"""Padding with a constant, and windows as columns."""
import math

from .._core.op import op
from ._run import run
from ._windows import add_windows, out_sizes, padded, windows


@op(grad_name="ConstantPadNd")
def constant_pad(xp, x, widths: tuple, value: float = 0.0):
    """`x` with `value` before and after each dimension; widths: ((before, after), ...) per dimension, negative ones cut elements off."""
    out = xp.full([n + a + b for n, (a, b) in zip(x.shape, widths)], value, x.dtype)
    out[tuple(slice(max(0, a), out_n - max(0, b)) for out_n, (a, b) in zip(out.shape, widths))] = (
        x[tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, widths))])
    return out


@constant_pad.vjp("x")
def _(xp, g, widths):
    return run(constant_pad, xp, g, widths=tuple((-a, -b) for a, b in widths))


@op(grad_name="Im2Col")
def im2col(xp, x, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple):
    """x: (N, C, *in) -> (N, C * kernel size, number of windows): each window as a column."""
    out = out_sizes(x.shape[2:], kernel, stride, padding, dilation)
    if min(out) < 1:
        raise RuntimeError(f"Given input with spatial size {list(x.shape[2:])}, {kernel=}, {dilation=}, {padding=}, {stride=}, calculated "
                           f"shape of the array of sliding blocks as {list(out)}, but its components must be at least one.")
    seen = windows(xp, padded(xp, x, padding), kernel, out, stride, dilation)
    return seen.reshape(len(x), x.shape[1] * math.prod(kernel), math.prod(out))


@im2col.vjp("x")
def _(xp, g, x_shape, kernel, stride, padding, dilation):
    return run(col2im, xp, g, size=tuple(x_shape[2:]), kernel=kernel, stride=stride, padding=padding, dilation=dilation)


@op(grad_name="Col2Im")
def col2im(xp, x, size: tuple = (), kernel: tuple = (), stride: tuple = (), padding: tuple = (), dilation: tuple = ()):
    """im2col, transposed: add each column of x: (N, C * kernel size, windows) to its window -> (N, C, *size)."""
    out = out_sizes(size, kernel, stride, padding, dilation)
    area = math.prod(kernel)
    if x.shape[1] % area:
        raise RuntimeError("Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
                           f"input.size(1)={x.shape[1]} and kernel_size={list(kernel)}.")
    if x.shape[2] != math.prod(out):
        raise RuntimeError(f"Given output_size={list(size)}, {kernel=}, {dilation=}, {padding=}, {stride=}, expected size of input's "
                           f"dimension 2 to match the calculated number of sliding blocks {' * '.join(map(str, out))} = {math.prod(out)}, "
                           f"but got {x.shape[2]}.")
    return add_windows(xp, x.reshape(len(x), x.shape[1] // area, *kernel, *out), size, kernel, out, stride, padding, dilation)


@col2im.vjp("x")
def _(xp, g, kernel, stride, padding, dilation):
    return run(im2col, xp, g, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
