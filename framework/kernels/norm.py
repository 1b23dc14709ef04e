"""Layer, root-mean-square and group norm, forward and backward.  See family.py for the words of the text.

Statistics are taken in two passes (the mean, then squares round it).  The gradients of weight and bias are channel_sums.py's.
"""
import functools
import math

from ..ops.norm import group_normalize, normalize
from . import batch_norm, channel_sums, layer_norm
from ._norm_text import TEXT
from .family import I32, I64, Family, number, rows_grid, wide

FAMILY = Family("norm", TEXT)


# -- by rows: layer, root-mean-square and group norm -------------------------------------------------------------------

def _last(x, axes, *affine):
    """How many elements the last axes have, when `axes` are those and weight and bias have their shape; else 0."""
    return _last_of(x.shape, axes, *[None if t is None else t.shape for t in affine])


@functools.lru_cache(1 << 12)
def _last_of(shape, axes, *affine):
    first = len(shape) - len(axes)
    if sorted(a % len(shape) for a in axes) != list(range(first, len(shape))):
        return 0
    n = math.prod(shape[first:])
    return n if all(s is None or math.prod(s) == n and s[-len(axes):] == shape[first:] for s in affine) else 0


def _rows_forward(xp, x, weight, bias, n, layout, eps, center):
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    FAMILY.launch(xp, "norm_rows", x, *rows_grid(x.size // n, n), x, wide(xp, weight, x), wide(xp, bias, x), y, I64(x.size // n), I64(n),
                  *map(I64, layout), number(x)(eps), I32(center))
    return y


def _rows_backward(xp, g, x, weight, n, layout, eps, center, needs):
    """(gradient of x or None, statistics of the rows, g and x contiguous)."""
    g, x = xp.ascontiguousarray(g), xp.ascontiguousarray(x)
    rows = x.size // n
    gx, stats = xp.empty(x.shape, x.dtype) if needs else None, xp.empty((rows, 2), number(x))
    FAMILY.launch(xp, "norm_rows_backward", x, *rows_grid(rows, n), g, x, wide(xp, weight, x), gx, stats, I64(rows), I64(n), *map(I64, layout),
                  number(x)(eps), I32(center))
    return gx, stats, g, x


def group_forward(xp, x, weight=None, bias=None, groups=1, eps=1e-5):
    """The op `group_normalize` on CuPy arrays."""
    if not _in_groups(x, weight, bias):
        return group_normalize.formula(xp, x, weight, bias, groups, eps)
    channels, spatial = x.shape[1], math.prod(x.shape[2:])
    return _rows_forward(xp, x, weight, bias, channels // groups * spatial, (groups, channels // groups, spatial), eps, True)


def group_backward(xp, g, x, weight, groups, eps, needs):
    """The gradients of `group_forward`."""
    if not _in_groups(x, weight) or g.dtype != x.dtype:
        return group_normalize.rules[0].formula(xp, g, x, weight, groups, eps, needs)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    own = channels // groups
    gx, stats, g, x = _rows_backward(xp, g, x, weight, own * spatial, (groups, own, spatial), eps, True, needs[0])
    if not (needs[1] or needs[2]):
        return gx, None, None
    work = channel_sums.over_images(batch, channels, spatial)
    return gx, *channel_sums.sums(xp, "group_sums", work, g, x, [stats], (channels, *(1,) * (x.ndim - 2)), I64(groups), I64(own))


def _in_groups(x, *affine):
    return FAMILY.takes(x) and x.ndim > 1 and x.size < 2**31 * x.shape[0] and all(t is None or t.size == x.shape[1] for t in affine)


# -- the op that is layer, root-mean-square and batch norm -------------------------------------------------------------

def normalize_forward(xp, x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    """The op `normalize` on CuPy arrays."""
    if FAMILY.takes(x):
        if rstd is None and mean is None and (n := _last(x, axes, weight, bias)):
            return _rows_forward(xp, x, weight, bias, n, (1, n, 1), eps, center)
        if batch_norm.takes_statistics(x, weight, bias, mean, rstd, axes, center):
            return batch_norm.apply(xp, x, mean, rstd, weight, bias)
    return normalize.formula(xp, x, weight, bias, mean, rstd, axes, eps, center)


def normalize_backward(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    """The gradients of `normalize_forward` for x, weight and bias."""
    if FAMILY.takes(x) and g.dtype == x.dtype:
        n = _last(x, axes, weight)
        if rstd is None and mean is None and n and (bias_shape is None or math.prod(bias_shape) == n):
            if (needs[1] or needs[2]) and layer_norm.takes(x, n):
                gx, *sums = layer_norm.gradients(xp, g, x, weight, n, eps, center, needs[0])
                return gx, *(s.reshape(x.shape[x.ndim - len(axes):]) for s in sums)
            gx, stats, g, x = _rows_backward(xp, g, x, weight, n, (1, n, 1), eps, center, needs[0])
            if not (needs[1] or needs[2]):
                return gx, None, None
            work = channel_sums.over_rows(x.size // n, n, g, x)
            return gx, *channel_sums.sums(xp, "row_sums", work, g, x, [stats], x.shape[x.ndim - len(axes):])
        if batch_norm.takes_statistics(x, weight, None, mean, rstd, axes, center) and (bias_shape is None or math.prod(bias_shape) == x.shape[1]):
            return batch_norm.backward(xp, g, x, weight, mean, rstd, needs)
    return normalize.rules[0].formula(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    normalize.kernel("cupy")(normalize_forward)
    normalize.kernel("cupy", vjp="x")(normalize_backward)
    group_normalize.kernel("cupy")(group_forward)
    group_normalize.kernel("cupy", vjp="x")(group_backward)
