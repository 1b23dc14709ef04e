"""Multi-head attention with its projections.  T: queries, S: keys, B: batch, E: features, h: heads, d = E / h.

Vaswani et al. 2017, arXiv:1706.03762.
"""
import math
import warnings

from ... import _dtypes, ops
from ..._functional.joining import chunk
from ..._functional.nn_ops import softmax
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .padding import pad

linear = ops.linear


def multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn,
                                 dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None,
                                 use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None,
                                 static_v=None, average_attn_weights=True, is_causal=False):
    """(output, attention weights or None).  query: (T, B, E), key: (S, B, Ek), value: (S, B, Ev), or all without B -> (T, B, E), (B, T, S)

    in_proj_weight        (3E, E), the projections of query, key and value; use_separate_proj_weight: q_/k_/v_proj_weight, (E, E), (E, Ek), (E, Ev)
    bias_k, bias_v        (1, 1, E), one more key and value; add_zero_attn: one more of zeros;  static_k, static_v: (B * h, S, d) in their place
    key_padding_mask      (B, S) boolean, True for keys that nobody looks at, or added to the scores
    attn_mask             (T, S) or (B * h, T, S), boolean, True where a query must not look, or added to the scores
    is_causal             attn_mask is the causal one; where nothing else needs it, the mask itself is left out
    average_attn_weights  the weights are the mean over the heads, not (B, h, T, S)
    """
    batched = _check_dimensions(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (ops.expand_dims(t, 1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else ops.expand_dims(key_padding_mask, 0)
    key_padding_mask, attn_mask, is_causal = _masks(key_padding_mask, attn_mask, is_causal, need_weights, query.dtype)
    time, batch, width = query.shape
    _check_widths(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    q, k, v = _project(query, key, value, weights, in_proj_bias)
    attn_mask = _with_batch(attn_mask, time, key.shape[0], batch * num_heads)
    k, v, more = _more_keys(k, v, bias_k, bias_v, static_k, static_v)
    q = _heads(q, batch * num_heads)
    k, v = (_heads(t, batch * num_heads) if s is None else _checked_static(s, name, batch * num_heads, width // num_heads)
            for t, s, name in ((k, static_k, "static_k"), (v, static_v, "static_v")))
    if add_zero_attn:
        k, v = (ops.concatenate([t, t.new_zeros((t.shape[0], 1, t.shape[2]))], 1) for t in (k, v))
        more += 1
    if more:
        attn_mask, key_padding_mask = (None if m is None else pad(m, (0, more)) for m in (attn_mask, key_padding_mask))
    mask = _merged(attn_mask, key_padding_mask, batch, num_heads, k.shape[1])
    p = dropout_p if training else 0.0
    attend = _attend_with_weights if need_weights else _attend
    out, seen = attend(q, k, v, mask, p, is_causal, batch)
    out = linear(ops.reshape(out, (time * batch, width)), out_proj_weight, out_proj_bias)
    out = ops.reshape(out, (time, batch, out.shape[1]))
    if need_weights and average_attn_weights:
        seen = seen.mean(dim=1)
    if batched:
        return out, seen
    return ops.squeeze(out, (1,)), None if seen is None else ops.squeeze(seen, (0,))


# -- attention itself --------------------------------------------------------------------------------------------------

def _attend_with_weights(q, k, v, mask, p, is_causal, batch):
    """((T, B * h, d), (B, h, T, S)) by way of the weights.  A query that may look nowhere gets nan, as in torch."""
    if is_causal and mask is None:
        raise AssertionError("FIXME: is_causal not implemented for need_weights")
    scores = ops.matmul(q * math.sqrt(1.0 / q.shape[-1]), ops.swapaxes(k, -1, -2))
    seen = softmax(scores if mask is None else scores + mask, -1)
    seen = dropout(seen, p) if p > 0 else seen
    return ops.swapaxes(ops.matmul(seen, v), 0, 1), ops.reshape(seen, (batch, -1, *seen.shape[1:]))


def _attend(q, k, v, mask, p, is_causal, batch):
    """((T, B, h, d), None).  A query that may look nowhere gets 0."""
    q, k, v = (ops.reshape(t, (batch, t.shape[0] // batch, *t.shape[1:])) for t in (q, k, v))
    if mask is not None:
        mask = ops.expand_dims(mask, 0) if mask.shape[0] == 1 else ops.reshape(mask, (batch, q.shape[1], -1, k.shape[2]))
    return ops.transpose(scaled_dot_product_attention(q, k, v, mask, p, is_causal), (2, 0, 1, 3)), None


def _heads(t, heads):
    """(T, B, E) -> (B * h, T, d)"""
    return ops.swapaxes(ops.reshape(t, (t.shape[0], heads, -1)), 0, 1)


# -- projections -------------------------------------------------------------------------------------------------------

def _project(query, key, value, weights, bias):
    """Queries, keys and values, each (T or S, B, E).  One product serves inputs that are the same tensor."""
    width = query.shape[-1]
    if isinstance(weights, tuple):
        for name, t, w in zip(("query", "key", "value"), (query, key, value), weights):
            if tuple(w.shape) != (width, t.shape[-1]):
                raise AssertionError(f"expecting {name} weights shape of {(width, t.shape[-1])}, but got {w.shape}")
    elif query is key and key is value:
        return chunk(linear(query, weights, bias), 3, -1)
    elif key is value:
        (w_q, w_kv), (b_q, b_kv) = (_split(w, width) for w in (weights, bias))
        return linear(query, w_q, b_q), *chunk(linear(key, w_kv, b_kv), 2, -1)
    else:
        weights = chunk(weights, 3)
    biases = (None,) * 3 if bias is None else chunk(bias, 3)
    return [linear(t, w, b) for t, w, b in zip((query, key, value), weights, biases)]


def _split(w, width):
    return (None, None) if w is None else (w[:width], w[width:])


def _more_keys(k, v, bias_k, bias_v, static_k, static_v):
    """Keys and values with the learnt one behind them, and how many came."""
    if bias_k is None and bias_v is None:
        return k, v, 0
    for name, other, given in (("bias_k", "bias_v", bias_v), ("bias_v", "bias_k", bias_k)):
        if given is None:
            raise AssertionError(f"{name} is set but {other} is None")
    for name, static in (("key", static_k), ("value", static_v)):
        if static is not None:
            raise AssertionError(f"bias cannot be added to static {name}.")
    return *(ops.concatenate([t, b.expand(1, *t.shape[1:])], 0) for t, b in ((k, bias_k), (v, bias_v))), 1


def _checked_static(static, name, heads, size):
    for at, expected in ((0, heads), (2, size)):
        if static.shape[at] != expected:
            raise AssertionError(f"expecting {name}.size({at}) of {expected}, but got {static.shape[at]}")
    return static


# -- masks -------------------------------------------------------------------------------------------------------------

def canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A boolean mask as one to add, of `target_type`: -inf for True; a floating one and None as they are.  Warns when `other_type` differs."""
    if mask is None:
        return None
    if mask.dtype != _dtypes.bool_ and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.", stacklevel=3)
    if mask.is_floating_point():
        return mask
    return mask.new_zeros(mask.shape, dtype=target_type).masked_fill(mask, -math.inf)


def none_or_dtype(input):
    """The type of a tensor, None for None."""
    return None if input is None else input.dtype


def _masks(key_padding_mask, attn_mask, is_causal, need_weights, dtype):
    """(key_padding_mask, attn_mask, is_causal) to add to the scores; a causal mask that says nothing more than is_causal is dropped."""
    key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", none_or_dtype(attn_mask), "attn_mask", dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
                           "`generate_square_subsequent_mask` to create this mask.")
    if is_causal and key_padding_mask is None and not need_weights:
        return None, None, True
    return key_padding_mask, canonical_mask(attn_mask, "attn_mask", None, "", dtype, False), False


def _with_batch(mask, time, keys, heads):
    """attn_mask with three dimensions: (1, T, S) or (B * h, T, S)."""
    if mask is None:
        return None
    expected = (time, keys) if mask.ndim == 2 else (heads, time, keys)
    if tuple(mask.shape) != expected:
        raise RuntimeError(f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {expected}.")
    return ops.expand_dims(mask, 0) if mask.ndim == 2 else mask


def _merged(attn_mask, key_padding_mask, batch, heads, keys):
    """Both masks as one: None, (1, T, S), (B * h, 1, S) or (B * h, T, S)."""
    if key_padding_mask is None:
        return attn_mask
    for at, expected in ((0, batch), (1, keys)):
        if key_padding_mask.shape[at] != expected:
            raise AssertionError(f"Expected key_padded_mask.shape[{at}] to be {expected}, but got {key_padding_mask.shape[at]}")
    padding = ops.reshape(ops.reshape(key_padding_mask, (batch, 1, 1, keys)).expand(batch, heads, 1, keys), (batch * heads, 1, keys))
    return padding if attn_mask is None else attn_mask + padding


# -- checks ------------------------------------------------------------------------------------------------------------

def _check_dimensions(query, key, value, key_padding_mask, attn_mask, heads):
    """Whether there is a batch dimension.  AssertionError in torch's words where the arguments disagree on that."""
    if query.ndim not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor")
    n = query.ndim
    kind = f"For {'batched (3-D)' if n == 3 else 'unbatched (2-D)'} `query`, expected"
    if key.ndim != n or value.ndim != n:
        raise AssertionError(f"{kind} `key` and `value` to be {n}-D but found {key.ndim}-D and {value.ndim}-D tensors respectively")
    if key_padding_mask is not None and key_padding_mask.ndim != n - 1:
        raise AssertionError(f"{kind} `key_padding_mask` to be `None` or {n - 1}-D but found {key_padding_mask.ndim}-D tensor instead")
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(f"{kind} `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D tensor instead")
    if n == 2 and attn_mask is not None and attn_mask.ndim == 3:
        expected = (heads, query.shape[0], key.shape[0])
        if tuple(attn_mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return n == 3


def _check_widths(query, key, value, expected, heads, separate):
    """AssertionError in torch's words for sizes that do not fit."""
    width = query.shape[2]
    if width != expected:
        raise AssertionError(f"was expecting embedding dimension of {expected}, but got {width}")
    if width % heads:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


__all__ = ["multi_head_attention_forward"]
