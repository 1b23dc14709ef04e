"""Attention of CuPy arrays in any type whose softmax would be large: a few heads at a time, and once more in the backward pass.

Never more than LARGE bytes of a softmax are there, whatever the mask, dropout or a mask that learns: masks are read as they are repeated, dropout is
drawn again from the state of the random source.
"""
import math

import numpy as np

from .._backends import philox
from ..ops.flash_attention import LARGE, for_each_head, for_one_head
from . import attention


def _parts(q, k):
    """Slices of the flattened batch and heads of which a softmax stays below LARGE bytes."""
    number = max(1, LARGE // max(1, q.shape[-2] * k.shape[-2] * q.itemsize))
    return [slice(i, i + number) for i in range(0, math.prod(q.shape[:-2]), number)]


def _flat(xp, *arrays):
    return [xp.ascontiguousarray(a).reshape(-1, *a.shape[-2:]) for a in arrays]


def forward(xp, q, k, v, bias, seed, causal, scale, dropout):
    """(attention, nothing to keep), as the op `flash_attention` has them."""
    q_, k_, v_ = _flat(xp, q, *for_each_head(xp, q, k, v))
    out, masks, kept = xp.empty((*q.shape[:-1], v.shape[-1]), q.dtype), _Masks(xp, bias, q, k), _drawn(xp, seed, q, k, dropout)
    flat = out.reshape(-1, *out.shape[-2:])
    for part in _parts(q, k):
        flat[part] = attention.forward(xp, q_[part], k_[part], v_[part], masks.of(part), kept(part), causal, scale, _keep_scale(dropout))[0]
    return out, xp.empty((0,), np.float32)


def _keep_scale(dropout):
    return 1 / (1 - dropout) if dropout < 1 else 0.0


def _drawn(xp, seed, q, k, dropout):
    """part -> its dropout mask, the same one whenever it is asked for; None without dropout."""
    scores = q.shape[-2] * k.shape[-2]
    counters, matrices = -(-scores // philox.PER_BLOCK["below_float32"]), math.prod(q.shape[:-2])

    def draw(part):
        number = len(range(*part.indices(matrices)))
        return philox.below(xp, seed, part.start * counters, (number, q.shape[-2], k.shape[-2]), 1 - dropout)
    return draw if dropout else lambda part: None


class _Masks:
    """A bias as parts of the flattened batch and heads need it, and the sum of what it learns from each."""

    def __init__(self, xp, bias, q, k):
        self.xp, self.bias = xp, bias
        if bias is None:
            return
        *lead, rows, keys = (1,) * (q.ndim - bias.ndim) + bias.shape
        self.flat, number, self.number = bias.reshape(-1, rows, keys), math.prod(lead), math.prod(q.shape[:-2])
        # which of its matrices each matrix of scores reads
        self.places = xp.ascontiguousarray(xp.broadcast_to(xp.arange(number).reshape(lead), q.shape[:-2])).reshape(-1) if number > 1 else None
        self.total, self.wide = None, np.float64 if bias.dtype == np.float64 else np.float32

    def of(self, part):
        if self.bias is None:
            return None
        if len(self.flat) == self.number:
            return self.flat[part]
        return self.flat[0] if self.places is None else self.flat[self.places[part]]

    def learn(self, part, g):
        """Add the gradient for a part's scores: by a product with ones where they are of one matrix, so that the order of the sums is fixed."""
        xp = self.xp
        g = g.astype(self.wide, copy=False)
        axes = tuple([i for i in (1, 2) if self.flat.shape[i] == 1 != g.shape[i]])
        g = g.sum(axis=axes, keepdims=True) if axes else g
        if len(self.flat) == self.number:
            self.total = xp.empty(self.flat.shape, self.wide) if self.total is None else self.total
            self.total[part] = g
            return
        if self.places is None:
            of = xp.ones((1, len(g)), self.wide)
        else:
            of = (self.places[part] == xp.arange(len(self.flat))[:, None]).astype(self.wide)
        found = attention.product(xp, of, g.reshape(len(g), -1)).reshape(self.flat.shape)
        self.total = found if self.total is None else self.total + found


def backward(xp, g, q, k, v, bias, seed, causal, scale, dropout, learns):
    """The gradients for q, k, v, and for bias where it learns."""
    masks, kept, each = _Masks(xp, bias, q, k), _drawn(xp, seed, q, k, dropout), for_each_head(xp, q, k, v)
    q_, k_, v_, g_ = _flat(xp, q, *each, g)
    found = [xp.empty(a.shape, a.dtype) for a in (q, *each)]
    for part in _parts(q, k):
        q__, k__, v__, kept_, keep_scale = q_[part], k_[part], v_[part], kept(part), _keep_scale(dropout)
        p = attention.forward(xp, q__, k__, v__, masks.of(part), None, causal, scale)[1]
        gradients = attention.backward(xp, [g_[part]], q__, k__, v__, None, kept_, (None, p), causal, scale, keep_scale, (True, True, True, learns))
        for whole, gradient in zip(found, gradients):
            whole.reshape(-1, *whole.shape[-2:])[part] = gradient
        if learns:
            masks.learn(part, gradients[3])
    of_bias = masks.total.reshape(bias.shape).astype(bias.dtype, copy=False) if learns else None
    return found[0], *[for_one_head(xp, a, like.shape) for a, like in zip(found[1:], (k, v))], of_bias
