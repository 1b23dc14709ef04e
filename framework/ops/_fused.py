"""Overrides for large float32 arrays on the CPU: loops compiled by numba (extra `fast-cpu`), one pass where NumPy takes several.

Each answers NotImplemented where its loop does not apply, and then the kernel or formula that stood there before is used.  They give the
same values up to rounding (tests/kernels/test_fast_cpu.py).
"""
import functools
import math

import numpy as np

from .. import _mkl
from .._core.op import REGISTRY
from .._core.recording import F32
from .._numba import available
from .attention import _product as product
from .attention import _room as room
from .cross_entropy import _checked as targets
from .cross_entropy import _reduced as reduced
from .pool import _check as check

LARGE = 1 << 14  # elements; below this NumPy is as fast, and half a second for numba's import would be lost
WANTED = []  # (name of the op, input whose gradient it is or None, argument that decides, the function)


def override(name, vjp=None, decides=0):
    """Decorator: the function goes before the op's kernel for NumPy arrays, or before its gradient rule for the input `vjp`.

    decides: which argument has to be large and float32 for the function to be asked; None: it is always asked
    """
    def note(fn):
        WANTED.append((name, vjp, decides, fn))
        return fn
    return note


def register():
    """Put the overrides in their places.  Called once, when every family of ops has its own kernels."""
    for name, vjp, decides, fn in WANTED:
        op = REGISTRY[name]
        before = op.overrides.get(("numpy", vjp)) or _definition(op, vjp)
        op.kernel("numpy", vjp=vjp)(_either(fn, before, decides))


def _definition(op, vjp):
    return op.forward if vjp is None else next(r.fn for r in op.rules if op.inputs[r.targets[0]] == vjp)


def _either(fn, before, decides):
    @functools.wraps(before)
    def chosen_of_two(xp, a, b):  # the same without packing arguments: it runs for small arrays too, where that would show
        if a.size >= LARGE and a.dtype is F32:
            result = fn(a, b)
            if result is not NotImplemented:
                return result
        return before(xp, a, b)

    if decides == 0 and before.__code__.co_argcount == 3 and not before.__defaults__:
        return chosen_of_two

    @functools.wraps(before)
    def chosen(xp, *args, **attrs):
        if decides is None or args[decides].dtype is F32 and args[decides].size >= LARGE:
            result = fn(*args, **attrs)
            if result is not NotImplemented:
                return result
        return before(xp, *args, **attrs)
    return chosen


def _fit(*arrays):
    """Whether numba is there and all arrays are float32 (or None), each in one block of memory."""
    return available() and all(a is None or a.dtype is F32 and a.flags.c_contiguous for a in arrays)


# -- matrix products ---------------------------------------------------------------------------------------------------

if _mkl.PRESENT:
    @override("matmul")
    def _(x, y):
        if y.ndim != 2:
            return NotImplemented
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        out = _mkl.gemm(rows, y)
        return NotImplemented if out is None else out if x.ndim == 2 else out.reshape(*x.shape[:-1], y.shape[1])

    @override("linear")
    def _(x, weight, bias=None):
        if weight.ndim != 2 or x.ndim < 2 or bias is not None and bias.shape != weight.shape[:1]:
            return NotImplemented
        out = _mkl.gemm(x if x.ndim == 2 else x.reshape(-1, x.shape[-1]), weight.T)
        if out is None:
            return NotImplemented
        if bias is not None:
            out += bias
        return out if x.ndim == 2 else out.reshape(*x.shape[:-1], weight.shape[0])


# -- elementwise -------------------------------------------------------------------------------------------------------

def _elementwise(loop, *arrays):
    y = np.empty(arrays[0].shape, F32)
    loop(*[a.reshape(-1) for a in arrays], y.reshape(-1))
    return y


@override("gelu")
def _(x, approximate="none"):
    if approximate not in ("none", "tanh") or not _fit(x):
        return NotImplemented
    from . import _loops_exp as loops
    return _elementwise(loops.gelu if approximate == "none" else loops.gelu_tanh, x)


@override("gelu", vjp="x")
def _(g, x, approximate):
    if not _fit(g, x):
        return NotImplemented
    from . import _loops_exp as loops
    return _elementwise(loops.gelu_gradient if approximate == "none" else loops.gelu_tanh_gradient, g, x)


@override("relu", vjp="x")
def _(g, out):
    if not _fit(g, out):
        return NotImplemented
    from . import _loops as loops
    return _elementwise(loops.relu_gradient, g, out)


@override("masked_scale")
@override("masked_scale", vjp="x")
def _(x, mask, scale):
    if mask.shape != x.shape or mask.dtype.kind != "b" or not mask.flags.c_contiguous or not _fit(x):
        return NotImplemented
    from . import _loops as loops
    y = np.empty(x.shape, F32)
    loops.masked_scale(x.reshape(-1), mask.reshape(-1), F32.type(scale), y.reshape(-1))
    return y


# -- softmax and its kin, along the last axis --------------------------------------------------------------------------

def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _last(x, axis):
    return axis in (-1, x.ndim - 1)


def _softmax(name):
    def forward(x, axis=-1):
        if not _last(x, axis) or not _fit(x):
            return NotImplemented
        from . import _loops_exp
        y = np.empty(x.shape, F32)
        getattr(_loops_exp, name)(_rows(x), np.maximum.reduce(x, None), _rows(y))
        return y

    def gradient(g, out, axis):
        if not _last(out, axis) or not _fit(g, out):
            return NotImplemented
        from . import _loops_exp
        y = np.empty(out.shape, F32)
        getattr(_loops_exp, f"{name}_gradient")(_rows(g), _rows(out), _rows(y))
        return y
    override(name)(forward)
    override(name, vjp="x")(gradient)


_softmax("softmax")
_softmax("log_softmax")


@override("cross_entropy")
def _(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    if x.ndim != 2 or weight is not None or label_smoothing or not _fit(x):
        return NotImplemented
    t = targets(np, x, target, weight, ignore_index)
    if (t == ignore_index).any():
        return NotImplemented
    from . import _loops_exp as loops
    loss = np.empty(len(x), F32)
    loops.log_sum_exp(x, np.maximum.reduce(x, None), loss)
    loss -= x[np.arange(len(t)), t]
    return reduced(loss, len(t), target.shape, reduction)


@override("cross_entropy", vjp="x", decides=1)
def _(g, x, target, weight, ignore_index, reduction, label_smoothing):
    if x.ndim != 2 or weight is not None or label_smoothing or not _fit(x):
        return NotImplemented
    if not target.flags.c_contiguous or (target == ignore_index).any():
        return NotImplemented
    from . import _loops_exp as loops
    factors = np.empty(len(x), F32)
    factors[...] = g / len(x) if reduction == "mean" else g
    y = np.empty(x.shape, F32)
    loops.cross_entropy_gradient(x, np.maximum.reduce(x, None), target, factors, y)
    return y


@override("scaled_dot_product_attention")
def _(q, k, v, mask=None, kept=None, causal=False, scale=1.0, keep_scale=1.0):
    if mask is not None or not scale > 0 or not available() or not k.size:
        return NotImplemented
    from . import _loops_exp as loops
    p = np.matmul(q, k.swapaxes(-1, -2))
    loops.attention_softmax(_rows(p), np.maximum.reduce(p, None), F32.type(scale), p.shape[-2], causal)
    return product(np, p if kept is None else p * kept * keep_scale, v), p


@override("scaled_dot_product_attention", vjp="q", decides=1)
def _(g, q, k, v, mask, kept, out, causal, scale, keep_scale, needs):
    p = out[1]
    if mask is not None or not _fit(p) or not p.size:
        return NotImplemented
    from . import _loops_exp as loops
    g = g[0]
    room_q, room_k, room_v = room(np, q, k, v, needs)
    gv = product(np, (p if kept is None else p * kept * keep_scale).swapaxes(-1, -2), g, room_v) if needs[2] else None
    if not (needs[0] or needs[1]):
        return None, None, gv, None
    scores = np.ascontiguousarray(np.matmul(g, v.swapaxes(-1, -2)))
    if kept is not None:
        scores *= kept
        scores *= keep_scale
    loops.attention_softmax_gradient(_rows(scores), _rows(p), F32.type(scale), p.shape[-2], causal)
    gq = product(np, scores, k, room_q) if needs[0] else None
    return gq, product(np, scores.swapaxes(-1, -2), q, room_k) if needs[1] else None, gv, None


# -- normalisation: by rows (layer norm), by channels (batch norm), by groups ------------------------------------------

def _row_length(x, axes, *parameters):
    """Elements per row where `axes` are the last ones and parameters have one element for each of those; otherwise 0."""
    if sorted(a % x.ndim for a in axes) != list(range(x.ndim - len(axes), x.ndim)):
        return 0
    shape = x.shape[x.ndim - len(axes):]
    return math.prod(shape) if all(p is None or p == shape for p in parameters) else 0


def _channels(x, axes):
    """The shape (N, C, area) of an array that is normalised over all axes but the second; None where it is not."""
    if x.ndim < 3 or sorted(a % x.ndim for a in axes) != [0, *range(2, x.ndim)]:
        return None
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def _flat(a):
    return None if a is None else a.reshape(-1)


def _shape(a):
    return None if a is None else a.shape


@override("normalize")
def _(x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    if not _fit(x, weight, bias, mean, rstd):
        return NotImplemented
    from . import _loops as loops
    n, shape = _row_length(x, axes, _shape(weight), _shape(bias)), _channels(x, axes)
    y = np.empty(x.shape, F32)
    if n and mean is None and rstd is None:
        loops.normalize_rows(x.reshape(-1, n), _flat(weight), _flat(bias), F32.type(eps), center, y.reshape(-1, n))
    elif shape and mean is not None and rstd is not None and center:
        factor = _flat(rstd) if weight is None else _flat(rstd) * _flat(weight)
        shift = -_flat(mean) * factor if bias is None else _flat(bias) - _flat(mean) * factor
        loops.normalize_channels(x.reshape(shape), factor, shift, y.reshape(shape))
    else:
        return NotImplemented
    return y


@override("normalize", vjp="x")
def _(g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    if not _fit(x, g, weight, mean, rstd) or not needs[0]:
        return NotImplemented
    from . import _loops as loops
    n, shape = _row_length(x, axes, _shape(weight), bias_shape), _channels(x, axes)
    gx = np.empty(x.shape, F32)
    if n and mean is None and rstd is None:
        sums, like = np.zeros((2, n)), x.shape[x.ndim - len(axes):]
        loops.normalize_rows_gradient(g.reshape(-1, n), x.reshape(-1, n), _flat(weight), F32.type(eps), center, gx.reshape(-1, n), *sums)
    elif shape and mean is not None and rstd is not None and center:
        sums, like = np.zeros((2, shape[1])), (shape[1], *(1,) * (x.ndim - 2))
        _channels_gradient(loops, g.reshape(shape), x.reshape(shape), _flat(weight), _flat(mean), _flat(rstd), sums, gx.reshape(shape))
    else:
        return NotImplemented
    gw, gb = sums.astype(F32).reshape(2, *like)
    return gx, gw if needs[1] else None, gb if needs[2] else None


def _by_groups(x, groups):
    """(N, C, *) -> (N * groups, channels of a group, area)"""
    return x.reshape(x.shape[0] * groups, x.shape[1] // groups, math.prod(x.shape[2:]))


@override("group_normalize")
def _(x, weight=None, bias=None, groups=1, eps=1e-5):
    if not _fit(x, weight, bias):
        return NotImplemented
    from . import _loops as loops
    y = np.empty(x.shape, F32)
    loops.normalize_groups(_by_groups(x, groups), groups, _flat(weight), _flat(bias), F32.type(eps), _by_groups(y, groups))
    return y


@override("group_normalize", vjp="x")
def _(g, x, weight, groups, eps, needs):
    if not _fit(g, x, weight) or not needs[0]:
        return NotImplemented
    from . import _loops as loops
    gx, sums = np.empty(x.shape, F32), np.zeros((2, x.shape[1]))
    loops.normalize_groups_gradient(_by_groups(g, groups), _by_groups(x, groups), groups, _flat(weight), F32.type(eps), _by_groups(gx, groups), *sums)
    gw, gb = sums.astype(F32).reshape(2, -1, *(1,) * (x.ndim - 2))
    return gx, gw if needs[1] else None, gb if needs[2] else None


def _channels_gradient(loops, g, x, weight, mean, rstd, sums, gx):
    loops.channel_sums(g, x, mean, rstd, sums[1], sums[0])
    slope, level = (sums / (x.shape[0] * x.shape[2])).astype(F32)
    loops.normalize_channels_gradient(g, x, mean, rstd, rstd if weight is None else rstd * weight, level, slope, gx)


# -- windows -----------------------------------------------------------------------------------------------------------

def _images(a):
    return a.reshape(-1, *a.shape[2:])


def _plain_2x2(kernel, stride, padding, dilation, out, sizes):
    return kernel == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1) and all(2 * o <= n for o, n in zip(out, sizes))


@override("max_pool")
def _(x, kernel, stride, padding, dilation, ceil_mode=False):
    if x.ndim != 4 or math.prod(kernel) > 255 or not _fit(x):
        return NotImplemented
    from . import _loops as loops
    out = check(x.shape, kernel, stride, padding, dilation, ceil_mode)
    y, where = np.empty((*x.shape[:2], *out), F32), np.empty((*x.shape[:2], *out), np.uint8)
    if _plain_2x2(kernel, stride, padding, dilation, out, x.shape[2:]):
        loops.max_pool_2x2(_images(x), _images(y), _images(where))
    else:
        loops.max_pool(_images(x), *kernel, *stride, *padding, *dilation, _images(y), _images(where))
    return y, where


@override("max_pool", vjp="x", decides=None)
def _(g, out, x_shape, kernel, stride, padding, dilation, ceil_mode):
    g, where = g[0], out[1]
    if len(x_shape) != 4 or g.size < LARGE // 4 or not where.flags.c_contiguous or where.dtype != np.uint8 or not _fit(g):
        return NotImplemented
    from . import _loops as loops
    if _plain_2x2(kernel, stride, padding, dilation, g.shape[2:], x_shape[2:]):
        y = (np.empty if all(2 * o == n for o, n in zip(g.shape[2:], x_shape[2:])) else np.zeros)(x_shape, F32)
        loops.spread_to_max_2x2(_images(g), _images(where), _images(y))
    else:
        y = np.zeros(x_shape, F32)
        loops.spread_to_max(_images(g), _images(where), kernel[1], *stride, *padding, *dilation, _images(y))
    return y
