"""Attention on CuPy arrays without the softmax in memory: by cuDNN in half precision; else as attention_in_parts.py does it."""
import ctypes
import math
import threading

import numpy as np

from .._backends import BACKENDS
from .._config import ATTENTION, DETERMINISTIC
from .._libraries import choice
from .._libraries.attention import Attention
from ..ops._layout import steps
from ..ops.flash_attention import HALVES, flash_attention, fused
from . import attention_in_parts as in_parts

OLDEST = 91002  # the two before it compute wrong results, and those before them want another number than -infinity where a query may not look
PADS = 91501  # the first version whose gradients are right for any number of keys, not for multiples of 128 only
MOST = 512  # plans, each with a kernel that took a second to compile: programs with ever new lengths go the other way after so many
_PLANS, _lock = {}, threading.Lock()


def planned(planner, key, describe):
    """The plan kept under a key, or one made for describe(), an Attention or None; None where the library has none."""
    key = planner, *key
    plan = _PLANS.get(key)
    if plan is None:
        if len(_PLANS) >= MOST:
            return None
        with _lock:
            what = describe() if planner.version >= OLDEST else None
            plan = _PLANS[key] = False if what is None else next(iter(planner.plans(what)), False)
    return plan or None


def _plan(xp, q, k, v, bias, causal, dropout, backward, learns=False):
    """A plan, or None where cuDNN has none for such arrays.  q, k, v: four dimensions;  bias: the shape of a contiguous array, or None."""
    planner = choice.graphs(xp, q.device.id)
    if planner is None or q.dtype.name not in HALVES or not q.ndim == k.ndim == v.ndim == 4 or not (q.size and k.size and v.size):
        return None
    same_bits = DETERMINISTIC["on"]

    def describe():
        told = [(a.shape, tuple(s // a.itemsize for s in a.strides)) for a in (q, k, v)]
        sizes = (*q.shape[:3], v.shape[3])
        mask = None if bias is None else _repeated(bias, (*q.shape[:3], k.shape[2]))
        if (bias is None) != (mask is None) or backward and (planner.version < PADS and k.shape[2] % 128 or q.shape[2] == k.shape[2] == 1):
            return None
        if learns and (same_bits or mask[1][2] == 0):  # sums over a repeated bias are added up in no fixed order, and none over its rows are known
            return None
        return Attention(backward, q.dtype.name, *told, (sizes, heads_between(sizes)), *_layout(q, k, v), mask, causal, dropout, same_bits, learns)
    key = backward, q.dtype.name, q.shape, q.strides, k.shape, k.strides, v.shape, v.strides, bias, causal, dropout, same_bits, learns
    return planned(planner, key, describe)


def _repeated(shape, scores):
    """(sizes, steps) of a contiguous array that is repeated to the shape of the scores; None where the library could not read it."""
    if len(shape) > 4 or shape[-1:] != scores[3:] or any(n not in (1, m) for n, m in zip(reversed(shape), reversed(scores))):
        return None
    sizes = (1,) * (4 - len(shape)) + tuple(shape)
    found = [0 if n == 1 else step for n, step in zip(sizes, steps(sizes, False))]
    return (*sizes[:2], *scores[2:]), (found[0] or math.prod(sizes[1:]), found[1] or math.prod(sizes[2:]), *found[2:])


def _layout(q, k, v):
    """(sizes, steps) of the gradients for q, k and v: side by side in one array where these are pieces of one, so that nothing has to be joined."""
    b, heads, rows, d = q.shape
    if q.shape == k.shape == v.shape and q.strides == k.strides == v.strides and q.strides[2] == 3 * heads * d * q.itemsize:
        return [(q.shape, (rows * 3 * heads * d, d, 3 * heads * d, 1))] * 3
    return [(a.shape, heads_between(a.shape)) for a in (q, k, v)]


def heads_between(sizes):
    """Steps of (B, H, L, E) stored as (B, L, H, E): the order in which models join heads."""
    _, heads, rows, e = sizes
    return (heads * rows * e, e, heads * e, 1)


def _new(xp, sizes, dtype):
    """An array (B, H, L, E) stored as (B, L, H, E)."""
    b, heads, rows, e = sizes
    return xp.swapaxes(xp.empty((b, rows, heads, e), dtype), 1, 2)


def _gradients(xp, q, k, v):
    """Arrays for the gradients, as `_layout` says."""
    if _layout(q, k, v)[0][1] == heads_between(q.shape):
        return [_new(xp, a.shape, a.dtype) for a in (q, k, v)]
    b, heads, rows, d = q.shape
    room = xp.empty((b, rows, 3, heads, d), q.dtype)
    return [xp.swapaxes(room[:, :, i], 1, 2) for i in range(3)]


def run(xp, plan, arrays, scale, dropout=0.0, **whole):
    """arrays: {name of a tensor: array};  whole: numbers of the graph by name"""
    numbers = {name: ctypes.c_float(value) for name, value in (
        ("scale", scale), ("keep_scale", 1 / (1 - dropout)), ("keep", 1 - dropout), ("nothing", -math.inf))}
    numbers.update({name: ctypes.c_int32(value) for name, value in whole.items()})
    addresses = [ctypes.addressof(numbers[name]) if name in numbers else arrays[name].data.ptr for name in plan.names]
    room = xp.cuda.alloc(plan.workspace) if plan.workspace else None
    plan.run(addresses, 0 if room is None else room.ptr, xp.cuda.get_current_stream(arrays["q"].device.id).ptr)


def _suitable(xp, a):
    """`a` in four dimensions, with what the library asks of its memory: features side by side, every row at a multiple of 16 bytes."""
    a = a[None] if a.ndim == 3 else a
    *steps, last = a.strides
    fits = last == a.itemsize and not a.data.ptr % 16 and all(s > 0 and not s % 16 for s in steps)
    return a if fits else xp.ascontiguousarray(a)


def takes(q, k, v, bias, causal, dropout, learns=False):
    """Whether cuDNN computes attention of these arrays, forward and backward.

    bias: the shape of a mask that is added, or None;  learns: whether its gradient is wanted
    """
    if q.dtype.name not in HALVES or q.ndim not in (3, 4) or not 0 <= dropout < 1 or not (q.size and k.size and v.size):
        return False
    xp = BACKENDS[type(q)].xp
    if choice.graphs(xp, q.device.id) is None or not (ATTENTION["flash"] or ATTENTION["cudnn"]):
        return False
    arrays = [_suitable(xp, a) for a in (q, k, v)]
    return _plan(xp, *arrays, bias, causal, dropout, False) is not None and _plan(xp, *arrays, bias, causal, dropout, True, learns) is not None


def _added(xp, bias):
    """(its shape, {name: array}) of a bias."""
    return (None, {}) if bias is None else (bias.shape, {"bias": xp.ascontiguousarray(bias)})


def _random(seed):
    """{name: array} of the dropout's random source; empty without dropout."""
    return {} if seed is None else {"seed": seed, "offset": seed[1:]}


def forward(xp, q, k, v, bias=None, seed=None, causal=False, scale=1.0, dropout=0.0):
    """The op `flash_attention`."""
    if q.dtype.name not in HALVES or q.ndim not in (3, 4):
        return in_parts.forward(xp, q, k, v, bias, seed, causal, scale, dropout)
    q4, k4, v4 = [_suitable(xp, a) for a in (q, k, v)]
    shape, mask = _added(xp, bias)
    plan = _plan(xp, q4, k4, v4, shape, causal, dropout, False)
    if plan is None:
        return in_parts.forward(xp, q, k, v, bias, seed, causal, scale, dropout)
    out, stats = _new(xp, (*q4.shape[:3], v4.shape[3]), q.dtype), xp.empty((*q4.shape[:3], 1), np.float32)
    run(xp, plan, {"q": q4, "k": k4, "v": v4, "o": out, "stats": stats, **mask, **_random(seed)}, scale, dropout)
    return out if q.ndim == 4 else out[0], stats


def backward(xp, g, q, k, v, bias, seed, out, causal, scale, dropout, needs):
    """Its gradients for q, k, v and bias."""
    (o, stats), g = out, g[0]
    if not stats.size or g is None:
        return in_parts.backward(xp, g, q, k, v, bias, seed, causal, scale, dropout, needs[3])
    q4, k4, v4 = [_suitable(xp, a) for a in (q, k, v)]
    o4, g4 = [a if a.ndim == 4 else a[None] for a in (o, g)]
    shape, mask = _added(xp, bias)
    plan, do = _plan(xp, q4, k4, v4, shape, causal, dropout, True, needs[3]), g4
    if g4.strides != o4.strides or g4.dtype != o4.dtype or g4.data.ptr % 16:
        do = _new(xp, o4.shape, o4.dtype)
        do[...] = g4
    gradients, of_bias = _gradients(xp, q4, k4, v4), xp.zeros(shape, q.dtype) if needs[3] else None
    run(xp, plan, {"q": q4, "k": k4, "v": v4, "o": o4, "do": do, "stats": stats, **dict(zip(("dq", "dk", "dv"), gradients)), **mask, **_random(seed),
                    "sums": xp.empty(stats.shape, np.float32), "dq_sum": xp.empty(q4.shape, np.float32), "dbias": of_bias}, scale, dropout)
    return *[a if q.ndim == 4 else a[0] for a in gradients], of_bias


def register():
    """Put these in the place of the formula and its rule on CuPy arrays."""
    flash_attention.kernel("cupy")(forward)
    flash_attention.kernel("cupy", vjp="q")(backward)
    fused["takes"] = takes
