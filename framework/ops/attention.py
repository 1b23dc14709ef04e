"""Scaled dot-product attention.  B: batch and head dimensions, L: queries, S: keys, D: features of queries and keys, E: of values."""
import functools
import math

import numpy as np

from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import one_type
from ._run import run
from .matmul import matmul
from .softmax import row_exponentials, softmax

_three_types = one_type("scaled_dot_product_attention", "query", "key", "value")


def _attention_types(raw, backend):
    """query, key and value agree; a mask is boolean or of their type, a dropout mask boolean."""
    _three_types(raw[:3], backend)
    mask = raw[3]
    if mask is not None and mask.dtype.kind != "b" and mask.dtype != raw[0].dtype:
        raise RuntimeError(f"Expected attn_mask dtype to be bool or to match query dtype, but got attn_mask.dtype: {mask.dtype} and "
                           f"query.dtype: {raw[0].dtype} instead.")
    return raw, raw[0].dtype


@op(promote=_attention_types, fast=False, broadcasts=True)
def scaled_dot_product_attention(xp, q, k, v, mask=None, kept=None, causal: bool = False, scale: float = 1.0, keep_scale: float = 1.0):
    """(softmax(scale * q k^T + mask) v, the softmax).  q: (*B, L, D), k: (*B, S, D), v: (*B, S, E) -> (*B, L, E), (*B, L, S)

    mask    boolean, True where a query may look, or of q's type and added; broadcasts to (*B, L, S).  A query that may look nowhere gets 0
    causal  queries look at no later keys
    kept    boolean dropout mask of the softmax, which is scaled by keep_scale

    Vaswani et al. 2017, arXiv:1706.03762.
    """
    p = xp.matmul(q * scale, xp.swapaxes(k, -1, -2))
    bias = _bias(xp, mask, p.shape, causal, p.dtype)
    if bias is not None:
        p += bias
    if xp is np and mask is None and p.size:
        p, total, _ = row_exponentials(p, out=p)
    else:
        high = p.max(axis=-1, keepdims=True)
        p = xp.exp(p - xp.maximum(high, xp.finfo(p.dtype).min))
        total = p.sum(axis=-1, keepdims=True)
        total += total == 0
    p *= 1 / total
    return _product(xp, p if kept is None else xp.multiply(p, kept) * keep_scale, v), p


scaled_dot_product_attention.gives_away = 1  # rules read the softmax only


@scaled_dot_product_attention.vjp("q", "k", "v", "mask")
def _(xp, g, q, k, v, mask, kept, out, causal, scale, keep_scale, needs):
    g, p = g[0], out[1]
    if isinstance(g, Tensor):
        p = _differentiable_softmax(xp, q, k, mask, causal, scale, p)
    else:
        q, k, v, g, p = [_wide(a) for a in (q, k, v, g, p)]
    dropped = p if kept is None else p * kept * keep_scale
    room_q, room_k, room_v = _room(xp, q, k, v, needs)
    gv = _product(xp, xp.swapaxes(dropped, -1, -2), g, room_v) if needs[2] else None
    if not (needs[0] or needs[1] or needs[3]):
        return None, None, gv, None
    gp = run(matmul, xp, g, xp.swapaxes(v, -1, -2))
    if kept is not None:
        gp = gp * kept * keep_scale
    if xp is np:
        gp -= np.vecdot(gp, p)[..., None]
        gp *= p
    else:
        gp = p * (gp - xp.sum(gp * p, axis=-1, keepdims=True))
    scaled = gp * scale
    gq = _product(xp, scaled, k, room_q) if needs[0] else None
    gk = _product(xp, xp.swapaxes(scaled, -1, -2), q, room_k) if needs[1] else None
    return gq, gk, gv, gp if needs[3] else None


def _differentiable_softmax(xp, q, k, mask, causal, scale, p):
    """The softmax `p` once more, recorded."""
    scores = run(matmul, xp, q * scale, xp.swapaxes(k, -1, -2))
    raw = unwrap(q)
    learnt = mask is not None and unwrap(mask).dtype.kind != "b"
    fixed = _bias(BACKENDS[type(raw)].xp, None if learnt else unwrap(mask), scores.shape, causal, raw.dtype)
    for bias in (mask if learnt else None, fixed):
        if bias is not None:
            scores = scores + (bias if isinstance(bias, Tensor) else wrap(bias))
    if mask is None:
        return run(softmax, xp, scores, axis=-1)
    blind = wrap(unwrap(p).sum(axis=-1, keepdims=True) == 0)  # queries that may look nowhere
    return xp.where(blind, 0.0, run(softmax, xp, xp.where(blind, 0.0, scores), axis=-1))


def _bias(xp, mask, shape, causal, dtype):
    """What is added to the scores: 0 where a query may look and -inf elsewhere, or the mask itself; None for nothing."""
    bias = None
    if mask is not None:
        bias = xp.where(mask, 0, xp.asarray(-math.inf, dtype)) if mask.dtype.kind == "b" else mask
    if causal:
        future = _future(*shape[-2:], dtype) if xp is np else xp.asarray(_future(*shape[-2:], dtype))
        bias = future if bias is None else bias + future
    return bias


@functools.lru_cache(maxsize=8)
def _future(queries, keys, dtype):
    """(queries, keys): -inf above the diagonal, 0 elsewhere."""
    return np.triu(np.full((queries, keys), -np.inf, dtype), 1)


def _wide(a):
    """Half precision is computed in float32 on the CPU; the engine rounds the gradients."""
    return a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.itemsize == 2 else a


def _product(xp, a, b, out=None):
    """a @ b, on the CPU in `out`, or with the last batch dimension, the heads, stored next to the features, which is where models want them next."""
    if xp is not np or a.ndim < 3 or a.shape[:-2] != b.shape[:-2]:
        return run(matmul, xp, a, b)
    if out is None:
        *batch, heads, rows, _ = (1,) * (a.ndim == 3) + a.shape
        out = np.empty((*batch, rows, heads, b.shape[-1]), a.dtype).swapaxes(-2, -3).reshape(*a.shape[:-1], b.shape[-1])
    return np.matmul(a, b, out=out)


def _room(xp, q, k, v, needs):
    """Memory for the gradients of q, k and v: (*B, heads, L, D), where these are pieces of one array; else Nones.

    The gradients stand side by side in it, as their operands probably do, so that the rule of `split` has nothing to copy.
    """
    if xp is not np or q.base is None or not (q.base is k.base is v.base and q.shape == k.shape == v.shape and q.ndim > 3 and all(needs[:3])):
        return None, None, None
    *batch, heads, rows, features = q.shape
    room = np.empty((*batch, rows, 3, heads, features), q.dtype)
    return [room[..., i, :, :].swapaxes(-2, -3) for i in range(3)]
