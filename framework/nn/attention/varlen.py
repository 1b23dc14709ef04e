"""Attention of sequences of several lengths that lie packed, one after the other, without padding.

On a GPU, in half precision, by cuDNN where it has a kernel; else padded, masked and packed again (ops/packed_attention.py).
"""
import math
from typing import NamedTuple

import numpy as np

from ... import ops
from ..._core.modes import is_grad_enabled, no_grad
from ..._core.tensor import Tensor, wrap
from ...ops.packed_attention import attend, fused, log_sums, tables, tokens_of_pages
from .._functional.attention import scaled_dot_product_attention

__all__ = ["AuxRequest", "varlen_attn", "varlen_attn_out"]


class AuxRequest(NamedTuple):
    """What `varlen_attn` shall return besides: lse, the logarithms of the sums of exponentials of the scaled scores."""

    lse: bool = False


def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1), enable_gqa=False,
                seqused_k=None, block_table=None, num_splits=None):
    """softmax(scale * q k^T) v within each of N sequences.  query: (T, H, D), key: (S, G, D), value: (S, G, E) -> (T, H, E), and with lse (H, T)

    cu_seq_q, cu_seq_k  (N + 1) int32: where each sequence of queries, of keys begins, and the last ends;  max_q, max_k: the largest lengths
    return_aux   AuxRequest(lse=True) for the logarithms of the sums too: float32, without a gradient; infinity where a query looks nowhere
    scale        1 / sqrt(D) when None
    window_size  (left, right): how many keys before and after its own a query looks at, -1 for all; its own key is the one as far from the
                 end of its sequence as itself, so (-1, 0) is causal also where there are more keys than queries
    enable_gqa   each head of key and value serves H / G neighbouring heads of query
    seqused_k    (N): how many of its keys a sequence looks at; without gradients
    block_table  (N, pages) int32: the pages of each sequence, where key and value are pages (all pages, tokens of a page, G, D or E); with seqused_k
    num_splits   taken and not read: sequences are never split, whatever else is in the batch

    A query that looks nowhere gets 0.  ValueError for heads or lengths that do not fit, RuntimeError for gradients through seqused_k.
    """
    out, sums = _attend(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, return_aux, scale, window_size, enable_gqa, seqused_k, block_table)
    return out if sums is None else (out, sums)


def varlen_attn_out(out, query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1),
                    enable_gqa=False, seqused_k=None, block_table=None, num_splits=None):
    """`varlen_attn`, written into `out` (T, H, E), without gradients."""
    with no_grad():
        found, sums = _attend(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, return_aux, scale, window_size, enable_gqa, seqused_k, block_table)
        out.copy_(found)
    return out if sums is None else (out, sums)


def _attend(query, key, value, cu_q, cu_k, max_q, max_k, return_aux, scale, window, grouped, used, pages):
    """(attention, the logarithms of the sums or None)"""
    _check(query, key, value, cu_q, cu_k, window, grouped, used, pages)
    wanted, scale = return_aux is not None and return_aux.lse, 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    _check_lengths(cu_q, query.shape[0], max_q, "q")
    if used is None:
        _check_lengths(cu_k, key.shape[0], max_k, "k")
        raw = [t._data for t in (query, key, value, cu_q, cu_k)]
        if query.is_cuda and fused["takes"](*raw, max_q, max_k, *window):
            out, sums = ops.packed_attention(query, key, value, cu_q, cu_k, max_q, max_k, *window, scale)
            return out, sums.detach().transpose(0, 1) if wanted else None
    key, value, found = _tables(query, key, value, cu_q, cu_k, max_q, max_k, window, used, pages)

    def attention(q, k, v, seen):
        return scaled_dot_product_attention(q, k, v, seen, scale=scale, enable_gqa=grouped)
    out = attend(ops, query, key, value, *found, attention)
    return out, wrap(log_sums(query._data, key._data, *found, scale)).transpose(0, 1) if wanted else None


def _tables(query, key, value, cu_q, cu_k, max_q, max_k, window, used, pages):
    """(key, value, the tables of ops/packed_attention.py).  Pages are one row of tokens, of which a table says where those of a sequence are."""
    lengths, cu_q = None if used is None else used._data, cu_q._data
    if pages is None:
        return key, value, tables(cu_q, cu_k._data, query.shape[0], key.shape[0], max_q, max_k, *window, lengths)
    rows, _, seen = tables(cu_q, cu_q, query.shape[0], 0, max_q, max_k, *window, lengths)
    tokens = tokens_of_pages(pages._data, lengths, key.shape[1], max_k)
    return key.flatten(0, 1), value.flatten(0, 1), (rows, (tokens, None), seen)


def _check(query, key, value, cu_q, cu_k, window, grouped, used, pages):
    """ValueError or RuntimeError for what does not fit, apart from lengths."""
    heads, groups = query.shape[1], key.shape[1 if pages is None else 2]
    if not grouped and heads != groups:
        raise ValueError(f"Expect query and key/value to have the same number of heads but got Hq={heads} and Hkv={groups}. "
                         "Try setting enable_gqa=True for GQA.")
    if grouped and heads % groups:
        raise ValueError(f"Expect number of query heads to be a multiple of kv heads for GQA but got Hq={heads} and Hkv={groups}.")
    if len(window) != 2:
        raise ValueError(f"window_size must have length 2, got {len(window)}")
    if used is not None and is_grad_enabled() and any(t.requires_grad for t in (query, key, value)):
        raise RuntimeError(f"{'seqused_k' if pages is None else 'block_table'} is an inference-only parameter.")
    if pages is not None and used is None:
        raise ValueError("block_table needs seqused_k: how many tokens of its pages each sequence has")
    if cu_k is None and pages is None:
        raise ValueError("cu_seq_k may be None only with block_table; it says where each sequence of keys begins")
    dims = 3 if pages is None else 4
    if query.ndim != 3 or key.ndim != dims or value.ndim != dims or key.shape[:-1] != value.shape[:-1] or query.shape[-1] != key.shape[-1]:
        raise ValueError(f"varlen_attn takes query (T, H, D), key ({'S' if pages is None else 'pages, tokens'}, G, D) and value of the key's size "
                         f"but for D, got {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}")
    for name, cu in (("cu_seq_q", cu_q), ("cu_seq_k", cu_k)):
        if isinstance(cu, Tensor) and (cu.ndim != 1 or cu.shape[0] < 2 or cu.is_floating_point()):
            raise ValueError(f"{name} must be (N + 1) whole numbers, 0 and the end of each sequence, got {cu.dtype} of shape {tuple(cu.shape)}")
    if pages is None and cu_q.shape != cu_k.shape:
        raise ValueError(f"cu_seq_q says {cu_q.shape[0] - 1} sequences and cu_seq_k {cu_k.shape[0] - 1}; each of queries needs one of keys")
    for name, other in (("key", key), ("value", value), ("cu_seq_q", cu_q), ("cu_seq_k", cu_k), ("seqused_k", used), ("block_table", pages)):
        if other is not None and other.device != query.device:
            raise RuntimeError(f"varlen_attn: query is on {query.device}, but {name} is on {other.device}; move it with .to({str(query.device)!r})")


def _check_lengths(cu, tokens, longest, which):
    """On the CPU, where looking costs nothing: ValueError where sequences do not lie one after the other, or are longer than said."""
    if type(cu._data) is not np.ndarray:
        return
    cu = cu._data.astype(np.int64)
    lengths = np.diff(cu)
    if cu[0] != 0 or (lengths < 0).any() or cu[-1] > tokens:
        raise ValueError(f"cu_seq_{which} must rise from 0 to at most {tokens}, the number of tokens, got {cu.tolist()}")
    if lengths.max() > longest:
        raise ValueError(f"max_{which} is {longest}, but cu_seq_{which} has a sequence of {lengths.max()}")
