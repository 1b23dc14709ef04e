"""Attention of CuPy arrays whose softmax would be large: a few heads at a time, or some queries of one, and once more in the backward pass.

Never more than PART bytes of a softmax are there, whatever the length, the mask, dropout or a mask that learns: masks are read as they are repeated,
dropout is drawn again from the state of the random source, and under a causal mask later keys are left out of the products.
"""
import math

import numpy as np

from .._backends import philox
from ..ops.dropout import keep_scale
from ..ops.flash_attention import for_each_head, for_one_head
from . import attention

PART = 1 << 26  # bytes of a softmax at a time: work enough for a device, and about what its cache holds


def _parts(q, k, causal):
    """(slice of the flattened batch and heads, slice of queries, how many keys) of which a softmax stays below PART bytes, or has four rows."""
    queries, keys, matrices = q.shape[-2], k.shape[-2], math.prod(q.shape[:-2])
    number, rows = PART // max(1, queries * keys * q.itemsize), queries
    if not number:
        number, rows = 1, max(4, PART // (keys * q.itemsize) // 4 * 4)  # dropout draws four numbers at a time
    for i in range(0, matrices, number):
        for first in range(0, queries, rows):
            last = min(first + rows, queries)
            yield slice(i, min(i + number, matrices)), slice(first, last), min(last, keys) if causal else keys


def _flat(xp, *arrays):
    return [xp.ascontiguousarray(a).reshape(-1, *a.shape[-2:]) for a in arrays]


def forward(xp, q, k, v, bias, seed, causal, scale, dropout):
    """(attention, nothing to keep), as the op `flash_attention` has them."""
    q_, k_, v_ = _flat(xp, q, *for_each_head(xp, q, k, v))
    out, masks, kept = xp.empty((*q.shape[:-1], v.shape[-1]), q.dtype), _Masks(xp, bias, q, k), _drawn(xp, seed, q, k, dropout)
    flat = out.reshape(-1, *out.shape[-2:])
    for part in _parts(q, k, causal):
        heads, rows, keys = part
        flat[heads, rows] = attention.forward(xp, q_[heads, rows], k_[heads, :keys], v_[heads, :keys], masks.of(*part), kept(*part), causal, scale,
                                              keep_scale(dropout), rows.start)[0]
    return out, xp.empty((0,), np.float32)


def backward(xp, g, q, k, v, bias, seed, causal, scale, dropout, learns):
    """The gradients for q, k, v, and for bias where it learns."""
    masks, kept, each = _Masks(xp, bias, q, k), _drawn(xp, seed, q, k, dropout), for_each_head(xp, q, k, v)
    q_, k_, v_, g_ = _flat(xp, q, *each, g)
    wide = np.promote_types(q.dtype, np.float32) if q.dtype.kind == "f" else np.float32
    dq, (dk, dv) = xp.empty(q_.shape, q.dtype), [xp.zeros(a.shape, wide) for a in (k_, v_)]  # all queries add to the same keys
    for part in _parts(q, k, causal):
        heads, rows, keys = part
        inputs = q_[heads, rows], k_[heads, :keys], v_[heads, :keys]
        p = attention.forward(xp, *inputs, masks.of(*part), None, causal, scale, 1.0, rows.start)[1]
        found = attention.backward(xp, [g_[heads, rows]], *inputs, None, kept(*part), (None, p), causal, scale, keep_scale(dropout),
                                   (True, True, True, learns))
        dq[heads, rows] = found[0]
        for total, gradient in zip((dk, dv), found[1:3]):
            total[heads, :keys] += gradient.astype(wide, copy=False)
        if learns:
            masks.learn(*part, found[3])
    of_bias = masks.total.reshape(bias.shape).astype(bias.dtype, copy=False) if learns else None
    dk, dv = [for_one_head(xp, a.reshape(like.shape), of.shape).astype(q.dtype, copy=False) for a, like, of in zip((dk, dv), each, (k, v))]
    return dq.reshape(q.shape), dk, dv, of_bias


def _drawn(xp, seed, q, k, dropout):
    """(heads, queries, number of keys) -> their dropout mask, the same one whenever it is asked for; None without dropout."""
    queries, keys, four = q.shape[-2], k.shape[-2], philox.PER_BLOCK["below_float32"]

    def draw(heads, rows, seen):
        first = heads.start * -(-queries * keys // four) + rows.start * keys // four
        return philox.below(xp, seed, first, (heads.stop - heads.start, rows.stop - rows.start, seen), 1 - dropout)
    return draw if dropout else lambda *part: None


class _Masks:
    """A bias as parts of the scores need it, and the sum of what it learns from each."""

    def __init__(self, xp, bias, q, k):
        self.xp, self.bias = xp, bias
        if bias is None:
            return
        *lead, rows, keys = (1,) * (q.ndim - bias.ndim) + bias.shape
        self.flat, number, self.number = bias.reshape(-1, rows, keys), math.prod(lead), math.prod(q.shape[:-2])
        # which of its matrices each matrix of scores reads
        self.places = xp.ascontiguousarray(xp.broadcast_to(xp.arange(number).reshape(lead), q.shape[:-2])).reshape(-1) if number > 1 else None
        self.total, self.wide = None, np.float64 if bias.dtype == np.float64 else np.float32

    def _within(self, rows, keys):
        """What of a matrix a part reads: all of what is repeated."""
        return slice(None) if self.flat.shape[1] == 1 else rows, slice(None) if self.flat.shape[2] == 1 else slice(keys)

    def of(self, heads, rows, keys):
        if self.bias is None:
            return None
        rows, keys = self._within(rows, keys)
        if len(self.flat) == self.number:
            return self.flat[heads, rows, keys]
        return self.flat[0, rows, keys] if self.places is None else self.flat[:, rows, keys][self.places[heads]]

    def learn(self, heads, rows, keys, g):
        """Add the gradient for a part's scores: by a product with ones where they are of one matrix, so that the order of the sums is fixed."""
        xp = self.xp
        if self.total is None:
            self.total = xp.zeros(self.flat.shape, self.wide)
        g = g.astype(self.wide, copy=False)
        axes = tuple([i for i in (1, 2) if self.flat.shape[i] == 1 != g.shape[i]])
        g = g.sum(axis=axes, keepdims=True) if axes else g
        rows, keys = self._within(rows, keys)
        if len(self.flat) == self.number:
            self.total[heads, rows, keys] += g
            return
        if self.places is None:
            of = xp.ones((1, len(g)), self.wide)
        else:
            of = (self.places[heads] == xp.arange(len(self.flat))[:, None]).astype(self.wide)
        self.total[:, rows, keys] += attention.product(xp, of, g.reshape(len(g), -1)).reshape(len(self.flat), *g.shape[1:])
