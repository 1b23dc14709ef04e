"""Attention."""
import math

import numpy as np

from ... import _rng, ops
from ..._config import ATTENTION
from ..._core.modes import is_grad_enabled
from ..._core.tensor import wrap
from ..._dtypes import bool_
from ..._functional.dtypes import finfo
from ...ops.dropout import keep_scale
from ...ops.flash_attention import avoids_softmax
from ._causal_bias import CausalBias


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """softmax(query key^T * scale + mask) value.  query: (*, L, D), key: (*, S, D), value: (*, S, E) -> (*, L, E)

    attn_mask   boolean, True where a query may look at a key, or added to the scores; broadcasts to (*, L, S)
    dropout_p   of the weights after the softmax, whatever the mode: pass 0 in evaluation
    is_causal   query i looks at keys 0 ... i
    scale       1 / sqrt(D) when None
    enable_gqa  each head of key and value (dimension -3) serves several neighbouring heads of query
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    for name, t in (("query", query), ("key", key), ("value", value)):
        if t.ndim < 2:
            raise RuntimeError(f"scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but {name} has "
                               f"shape {list(t.shape)}")
    if isinstance(attn_mask, CausalBias):
        attn_mask = attn_mask.beside(query)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if query.is_cuda and _without_softmax(query, key, value, attn_mask, is_causal, dropout_p, enable_gqa):
        bias, seen = _bias(attn_mask, query.dtype)
        out = ops.flash_attention(query, key, value, bias, _random(query, key, dropout_p), is_causal, scale, dropout_p)[0]
        return out if seen is None else out * seen
    if query.is_cuda and not (ATTENTION["math"] or ATTENTION["mem_efficient"]):
        raise RuntimeError("No available kernel. Aborting execution.")
    if enable_gqa:
        key, value = (ops.repeat(t, query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    kept = None
    if dropout_p:
        if not 0 <= dropout_p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
        batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
        kept = ops.keep_mask(query, dropout_p, (*batch, query.shape[-2], key.shape[-2]))
    return ops.scaled_dot_product_attention(query, key, value, attn_mask, kept, is_causal, scale, keep_scale(dropout_p))[0]


def _without_softmax(query, key, value, mask, causal, dropout, grouped):
    """Whether a kernel that keeps no softmax is wanted, and there."""
    if mask is not None and (not mask.is_cuda or mask.dtype not in (query.dtype, bool_)):
        return False
    if not (ATTENTION["flash"] or ATTENTION["cudnn"] or ATTENTION["mem_efficient"]) or query.ndim < 3:
        return False
    if key.shape[-3] != query.shape[-3] and not (grouped and key.shape[-3] and query.shape[-3] % key.shape[-3] == 0):
        return False
    shape, learns = (None, False) if mask is None else (tuple(mask.shape), mask.requires_grad and is_grad_enabled())
    return avoids_softmax(query._data, key._data, value._data, shape, causal, dropout, learns)


def _bias(mask, dtype):
    """(what is added to the scores, 1 where a query may look anywhere and else 0) for a mask: fused kernels know no query that may look nowhere."""
    if mask is None:
        return None, None
    lowest = finfo(dtype).min
    if mask.dtype == bool_:
        return ops.where(mask, 0.0, lowest).to(dtype), mask.any(-1, keepdim=True).to(dtype)
    return ops.maximum(mask, lowest), (mask > -math.inf).any(-1, keepdim=True).to(dtype)


def _random(query, key, dropout):
    """The state of the random source for a dropout mask of the weights, which the source then steps over; None without dropout."""
    if not dropout:
        return None
    weights = query.numel() // query.shape[-1] * key.shape[-2]
    return wrap(_rng.generator_beside(query._data).reserve(weights))


__all__ = ["scaled_dot_product_attention"]
