"""Layer, root-mean-square, group and batch norm, forward and backward.  See family.py for the words of the text.

Statistics are taken in two passes (the mean, then squares round it).  Gradients of weight and bias are summed in two stages, parts of the rows
first and then the parts, in a fixed order: no atomics, the same bits every time.
"""
import functools
import math

from ..ops._layout import channels_last, dense
from ..ops.norm import group_normalize, moments, normalize, scale_shift
from . import layer_norm
from ._norm_text import TEXT
from .family import I32, I64, Family, flat_grid, number, rows_grid, wide

FAMILY = Family("norm", TEXT)
FULL = 2112  # blocks that keep a large GPU busy to the end
LARGE = 32  # elements of an image from which on it is the work of threads of its own
CHUNKS = 64  # parts into which rows or images are divided for sums over them, at most


def _chunks(n, least):
    """(elements of a part, number of parts)."""
    chunk = max(least, math.ceil(n / CHUNKS))
    return chunk, math.ceil(n / chunk)


def _sum_parts(xp, like, parts, which, chunks, n, factor=1.0):
    out = xp.empty((which, n), number(like))
    FAMILY.launch(xp, "norm_parts", like, *flat_grid(which * n), parts, out, I64(chunks), I64(n), I64(which * n), number(like)(factor))
    return out


def _channel_sums(xp, kind, g, x, stats, batch, channels, spatial, groups, share, factor=1.0):
    """(2 for kind 0 or else 1, channels): see norm_channels."""
    if spatial == 1 and not groups:
        return _last_channel_sums(xp, kind, g, x, stats, batch, channels, factor)
    side_by_side = batch >= 8 and spatial <= 2048
    chunk = max(8 if side_by_side else 1, math.ceil(batch / max(1, FULL // channels)))
    chunks = math.ceil(batch / chunk)
    which = 2 if kind == 0 else 1
    parts = xp.empty((which, chunks, channels), number(x))
    FAMILY.launch(xp, "norm_channels", x, (channels, chunks), (32, 8) if side_by_side else (256,), g, x, stats, parts, I64(batch), I64(channels),
                  I64(spatial), I64(chunk), I64(groups), I64(share), I32(kind))
    return _sum_parts(xp, x, parts, which, chunks, channels, factor)


def _last_channel_sums(xp, kind, g, x, stats, rows, channels, factor):
    """`_channel_sums` of (rows, channels): see norm_channels_last."""
    tiles, which = math.ceil(channels / 32), 2 if kind == 0 else 1
    chunk = max(64, math.ceil(rows / max(1, FULL // tiles)))
    chunks = math.ceil(rows / chunk)
    parts = xp.empty((which, chunks, channels), number(x))
    FAMILY.launch(xp, "norm_channels_last", x, (tiles, chunks), (32, 8), g, x, stats, parts, I64(rows), I64(channels), I64(chunk), I32(kind))
    return _sum_parts(xp, x, parts, which, chunks, channels, factor)


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


def _column_sums(xp, g, x, stats, rows, n):
    chunk, chunks = _chunks(rows, 32)
    parts = xp.empty((2, chunks, n), number(x))
    FAMILY.launch(xp, "norm_weight_columns", x, (math.ceil(n / 32), chunks), (32, 8), g, x, stats, parts, I64(rows), I64(n), I64(chunk))
    return _sum_parts(xp, x, parts, 2, chunks, n)


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
    sums = _channel_sums(xp, 0, g, x, stats, batch, channels, spatial, groups, own)
    return gx, *(s.reshape(channels, *(1,) * (x.ndim - 2)) for s in sums)


def _in_groups(x, *affine):
    return FAMILY.takes(x) and x.ndim > 1 and x.size < 2**31 * x.shape[0] and all(t is None or t.size == x.shape[1] for t in affine)


# -- batch norm --------------------------------------------------------------------------------------------------------

def _are_channels(x, axes):
    return x.ndim > 1 and sorted(a % x.ndim for a in axes) == [0, *range(2, x.ndim)]


def batch_moments(xp, x, axes):
    """The op `moments` on CuPy arrays."""
    if not (FAMILY.takes(x) and _are_channels(x, axes)):
        return moments.formula(xp, x, axes)
    shape = 1, x.shape[1], *(1,) * (x.ndim - 2)
    x = _rows_of_channels(xp, x) if channels_last(x) else xp.ascontiguousarray(x)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    sizes, share = (batch, channels, spatial, 0, 1), 1 / (batch * spatial)
    mean = _channel_sums(xp, 1, None, x, None, *sizes, share)
    var = _channel_sums(xp, 2, None, x, mean, *sizes, share)
    return mean.reshape(shape), var.reshape(shape)


def _rows_of_channels(xp, x):
    """An image with its channels last as (rows, channels), contiguous."""
    return xp.moveaxis(dense(xp, x, True), 1, -1).reshape(-1, x.shape[1])


def _as_image(xp, rows, x):
    """What `_rows_of_channels` made of an array like `x`, as an image again."""
    return xp.moveaxis(rows.reshape(x.shape[0], *x.shape[2:], x.shape[1]), -1, 1)


def _apply(xp, x, low, times, also, plus):
    if channels_last(x):
        return _as_image(xp, _apply(xp, _rows_of_channels(xp, x), low, times, also, plus), x)
    x, y = xp.ascontiguousarray(x), xp.empty(x.shape, x.dtype)
    name, grid, count, spatial = _planes("channels_apply", x)
    FAMILY.launch(xp, name, x, *grid, x, *(wide(xp, t, x) for t in (low, times, also, plus)), y, count, I64(x.shape[1]), I64(spatial))
    return y


def _planes(name, x):
    """(kernel, grid, how many elements or images it counts, elements of an image)."""
    spatial = math.prod(x.shape[2:])
    if spatial < LARGE:
        return name, flat_grid(x.size), I64(x.size), spatial
    return f"{name}_planes", rows_grid(x.size // spatial, spatial), I64(x.size // spatial), spatial


def shift_channels(xp, x, scale, shift):
    """The op `scale_shift` on CuPy arrays."""
    per_channel = x.ndim > 1 and all(t.shape == (x.shape[1], *(1,) * (x.ndim - 2)) for t in (scale, shift))
    return _apply(xp, x, None, scale, None, shift) if per_channel and FAMILY.takes(x) else scale_shift.formula(xp, x, scale, shift)


def _batch_backward(xp, g, x, weight, mean, rstd, needs):
    if channels_last(x):
        gx, *sums = _batch_backward(xp, _rows_of_channels(xp, g), _rows_of_channels(xp, x), weight, mean, rstd, needs)
        return gx if gx is None else _as_image(xp, gx, x), *(s.reshape(-1, *(1,) * (x.ndim - 2)) for s in sums)
    g, x = xp.ascontiguousarray(g), xp.ascontiguousarray(x)
    batch, channels, spatial = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    stats = xp.stack([wide(xp, t, x).reshape(-1) for t in (mean, rstd)], axis=1)
    sums = _channel_sums(xp, 0, g, x, stats, batch, channels, spatial, 0, 1)
    gx = None
    if needs[0]:
        gx = xp.empty(x.shape, x.dtype)
        name, grid, count, _ = _planes("channels_backward", x)
        FAMILY.launch(xp, name, x, *grid, g, x, stats, sums, wide(xp, weight, x), gx, count, I64(channels), I64(spatial),
                      number(x)(1 / (batch * spatial)))
    return gx, *(s.reshape(channels, *(1,) * (x.ndim - 2)) for s in sums)


# -- the op that is layer, root-mean-square and batch norm -------------------------------------------------------------

def normalize_forward(xp, x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    """The op `normalize` on CuPy arrays."""
    if FAMILY.takes(x):
        if rstd is None and mean is None and (n := _last(x, axes, weight, bias)):
            return _rows_forward(xp, x, weight, bias, n, (1, n, 1), eps, center)
        if _has_channel_statistics(x, weight, bias, mean, rstd, axes, center):
            return _apply(xp, x, mean, rstd, weight, bias)
    return normalize.formula(xp, x, weight, bias, mean, rstd, axes, eps, center)


def _has_channel_statistics(x, weight, bias, mean, rstd, axes, center):
    return rstd is not None and mean is not None and center and _are_channels(x, axes) and all(
        t is None or t.size == x.shape[1] for t in (weight, bias, mean, rstd))


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
            sums = _column_sums(xp, g, x, stats, x.size // n, n)
            return gx, *(s.reshape(x.shape[x.ndim - len(axes):]) for s in sums)
        if _has_channel_statistics(x, weight, None, mean, rstd, axes, center) and (bias_shape is None or math.prod(bias_shape) == x.shape[1]):
            return _batch_backward(xp, g, x, weight, mean, rstd, needs)
    return normalize.rules[0].formula(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    normalize.kernel("cupy")(normalize_forward)
    normalize.kernel("cupy", vjp="x")(normalize_backward)
    group_normalize.kernel("cupy")(group_forward)
    group_normalize.kernel("cupy", vjp="x")(group_backward)
    moments.kernel("cupy")(batch_moments)
    scale_shift.kernel("cupy")(shift_channels)
