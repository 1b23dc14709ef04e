"""Samples of attention of packed sequences."""
import numpy as np

from .sample import Sample, const, randn

INSIDE = "inside nn.attention.varlen only"
ROWS, KEYS = [0, 2, 2, 5], [0, 3, 4, 6]  # where three sequences begin and end; the second has no query, the third more queries than keys


def rows_at(x, places):
    return np.where((places < 0)[:, None, None], 0, x[places])


def attend(q, k, v, left, right, scale):
    """Sequence by sequence."""
    out = np.zeros((*q.shape[:2], v.shape[2]))
    for a, b, c, d in zip(ROWS, ROWS[1:], KEYS, KEYS[1:]):
        own, place = np.arange(b - a)[:, None] + (d - c) - (b - a), np.arange(d - c)
        seen = ((place <= own + right) | (right < 0)) & ((place >= own - left) | (left < 0))
        e = np.exp(np.einsum("qhd,khd->hqk", q[a:b], k[c:d]) * scale) * seen
        total = e.sum(-1, keepdims=True)
        out[a:b] = np.einsum("hqk,khe->qhe", e / np.where(total == 0, 1, total), v[c:d])
    return out


def packed(left, right):
    return Sample("ops.packed_attention", [randn(6, 4, 5), randn(6, 2, 5), randn(6, 2, 3), const(ROWS, "int32"), const(KEYS, "int32")],
                  op="packed_attention", torch=INSIDE, slack=6,
                  call=lambda lib, *given: lib.ops.packed_attention(*given, 3, 3, left, right, 0.5)[0],
                  ref=lambda q, k, v, *_: attend(q, np.repeat(k, 2, 1), np.repeat(v, 2, 1), left, right, 0.5))


SAMPLES = [
    Sample("ops.rows_at", [randn(3, 2, 2), const([1, -1, 2, -1], "int64"), const([-1, 0, 2], "int64")], op="rows_at", torch=INSIDE,
           call=lambda lib, x, places, back: lib.ops.rows_at(x, places, back), ref=lambda x, places, back: rows_at(x, places)),
    packed(-1, -1), packed(-1, 0), packed(1, 1),
]
