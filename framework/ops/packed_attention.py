"""Attention of sequences of several lengths that lie packed: one after the other, without padding.

`attend` is the definition: padded to the longest, masked, packed again.  kernels/packed_attention.py computes where the sequences lie.
N: sequences, T: queries, S: keys, H: heads of queries, G: of keys and values, each for H / G neighbouring ones of queries, D, E: features.
"""
import numpy as np

from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import like_first, one_type
from ._run import run
from .attention import scaled_dot_product_attention
from .flash_attention import for_each_head, for_one_head
from .reductions import logsumexp

fused = {"takes": lambda q, k, v, max_q, max_k, left, right: False}  # whether a kernel does it; kernels/packed_attention.py puts its own here

_three_types = one_type("varlen_attn", "query", "key", "value")


def _types(raw, backend):
    return raw, _three_types(raw[:3], backend)[1]


@op(promote=like_first, fast=False, broadcasts=False)
def rows_at(xp, x, places, back):
    """Row places[i] of x as row i, zeros where places[i] is -1.  x: (T, *), places: (M) -> (M, *)

    back: (T), the place in the result of each row of x, -1 for none: what the gradient reads, so that nothing has to be added up
    """
    if not len(x):
        return xp.zeros((*places.shape, *x.shape[1:]), x.dtype)
    return xp.where((places >= 0).reshape(-1, *(1,) * (x.ndim - 1)), x[places], xp.zeros((), x.dtype))


@rows_at.vjp("x")
def _(xp, g, places, back):
    return run(rows_at, xp, g, back, places)


@op(promote=_types, fast=False, broadcasts=False)
def packed_attention(xp, q, k, v, cu_q, cu_k, max_q: int, max_k: int, left: int = -1, right: int = -1, scale: float = 1.0):
    """(attention, logarithms of the sums of exponentials).  q: (T, H, D), k: (S, G, D), v: (S, G, E) -> (T, H, E), (T, H) float32

    cu_q, cu_k    (N + 1) whole numbers: where each sequence begins, and the last ends;  max_q, max_k: the largest lengths
    left, right   how many keys before and after its own a query looks at, -1 for all; its own key is the one as far from the end as itself
    A query that may look nowhere, or is of no sequence, gets 0, and infinity for its sum: its softmax is 0 everywhere.

    Dao 2023, arXiv:2307.08691.
    """
    rows, keys, seen = tables(cu_q, cu_k, len(q), len(k), max_q, max_k, left, right)

    def attention(q, k, v, seen):
        return run(scaled_dot_product_attention, xp, q, *for_each_head(xp, q, k, v), seen, None, scale=scale)[0]
    return attend(xp, q, k, v, rows, keys, seen, attention), log_sums(q, k, rows, keys, seen, scale)


@packed_attention.vjp("q", "k", "v")
def _(xp, g, q, k, v, cu_q, cu_k, out, max_q, max_k, left, right, scale, needs):  # `out` is for the kernel
    rows, keys, seen = tables(unwrap(cu_q), unwrap(cu_k), q.shape[0], k.shape[0], max_q, max_k, left, right)
    padded = padded_q, *_ = [_padded(xp, a, *where, len(seen)) for a, where in ((q, rows), (k, keys), (v, keys))]
    each = for_each_head(xp, *padded)
    plain, raw = scaled_dot_product_attention, [unwrap(a) for a in (padded_q, *each)]
    p = run(plain, BACKENDS[type(raw[0])].xp, *raw, seen, None, scale=scale)[1]
    recorded = isinstance(g[0], Tensor)
    rule = plain.rules[0].fn if recorded else plain.rule_for(plain.rules[0], BACKENDS[type(raw[0])])
    gradients = rule(xp, [_padded(xp, g[0], *rows, len(seen))], padded_q, *each, wrap(seen) if recorded else seen, None,
                     (None, wrap(p) if recorded else p), False, scale, 1.0, (*needs, False))
    return tuple([None if a is None else _packed(xp, for_one_head(xp, a, like.shape), *where)
                  for a, like, where in zip(gradients, padded, (rows, keys, keys))])


def attend(xp, q, k, v, rows, keys, seen, attention):
    """attention(q, k, v, seen) of the padded sequences, packed again.  rows, keys, seen: `tables`"""
    q, k, v = [_padded(xp, a, *where, len(seen)) for a, where in ((q, rows), (k, keys), (v, keys))]
    return _packed(xp, attention(q, k, v, wrap(seen) if isinstance(q, Tensor) else seen), *rows)


def _padded(xp, x, places, back, sequences):
    """(T, H, D) -> (N, H, longest, D)"""
    x = _rows(xp, x, places, back)
    return xp.swapaxes(xp.reshape(x, (sequences, len(places) // sequences, *x.shape[1:])), 1, 2)


def _packed(xp, x, places, back):
    """(N, H, longest, D) -> (T, H, D)"""
    x = xp.swapaxes(x, 1, 2)
    return _rows(xp, xp.reshape(x, (len(places), *x.shape[2:])), back, places)


def _rows(xp, x, *places):
    return run(rows_at, xp, x, *[wrap(p) if isinstance(x, Tensor) and p is not None else p for p in places])


def log_sums(q, k, rows, keys, seen, scale):
    """(T, H) float32 of arrays."""
    xp = BACKENDS[type(q)].xp
    wide = [a.astype(np.float32) if a.dtype.itemsize == 2 else a for a in (q, k)]
    q, k = [_padded(xp, a, *where, len(seen)) for a, where in zip(wide, (rows, keys))]
    scores, sees = xp.matmul(q * scale, xp.swapaxes(for_each_head(xp, q, k, k)[0], -1, -2)), seen.any(axis=-1, keepdims=True)
    found = run(logsumexp, xp, xp.where(sees, xp.where(seen, scores, -np.inf), 0), axis=(3,), keepdims=True)
    found = _packed(xp, xp.where(sees, found, np.inf).astype(np.float32), *rows)[..., 0]
    return xp.where((rows[1] < 0)[:, None], xp.asarray(np.inf, np.float32), found)


def tables(cu_q, cu_k, tokens, keys, max_q, max_k, left=-1, right=-1, used=None):
    """(`places` of queries, `places` of keys, which keys each query looks at (N, 1, max_q, max_k)), as arrays.

    used: (N) how many of its keys a sequence looks at, None for all
    """
    xp, max_q, max_k = BACKENDS[type(cu_q)].xp, max(max_q, 1), max(max_k, 1)  # so that there is a place, if an empty one
    length_k = (cu_k[1:] - cu_k[:-1] if used is None else used)[:, None, None]
    return (places(cu_q, tokens, max_q), places(cu_k, keys, max_k),
            visible(xp, (cu_q[1:] - cu_q[:-1])[:, None, None], length_k, max_q, max_k, left, right)[:, None])


def visible(xp, length_q, length_k, max_q, max_k, left, right):
    """(N, max_q, max_k) bool of lengths (N, 1, 1)."""
    row, column = xp.arange(max_q)[:, None], xp.arange(max_k)
    own, seen = row + (length_k - length_q), (row < length_q) & (column < length_k)
    if right >= 0:
        seen = seen & (column <= own + right)
    return seen & (column >= own - left) if left >= 0 else seen


def places(cu, tokens, longest):
    """(the token at each place of the padded sequences (N * longest), the place of each token (tokens)), -1 for none, as arrays."""
    xp = BACKENDS[type(cu)].xp
    cu, token, place = cu.astype(np.int64), xp.arange(tokens), xp.arange(longest)
    there = xp.where(place < (cu[1:] - cu[:-1])[:, None], cu[:-1, None] + place, -1).reshape(-1)
    last = len(cu) - 2
    sequence = xp.searchsorted(cu[1:], token, side="right")
    within = token - cu[xp.minimum(sequence, last)]
    back = xp.where((sequence <= last) & (within >= 0) & (within < longest), sequence * longest + within, -1)
    return there, back


def tokens_of_pages(pages, used, size, longest):
    """(N * longest): the token at each place of sequences whose keys lie in pages of `size` tokens, -1 for none.  pages: (N, pages), used: (N)"""
    xp = BACKENDS[type(pages)].xp
    place = xp.arange(longest)
    page = pages[:, xp.minimum(place // size, pages.shape[1] - 1)].astype(np.int64)
    return xp.where((place < used[:, None]) & (place < pages.shape[1] * size), page * size + place % size, -1).reshape(-1)
