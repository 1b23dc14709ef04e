"""Multi-head attention as a layer."""
from .. import init
from .._functional.multi_head_attention import canonical_mask, multi_head_attention_forward, none_or_dtype
from ._modes import in_autocast, needs_gradient
from ._tensors import new_parameter, set_parameters
from .linear import NonDynamicallyQuantizableLinear
from .module import Module


class MultiheadAttention(Module):
    """Attention of num_heads heads, each with its own projections.  Vaswani et al. 2017, arXiv:1706.03762.

    in_proj_weight: (3E, E) for queries, keys and values together, or where kdim or vdim differ q_proj_weight: (E, E), k_proj_weight: (E, kdim) and
    v_proj_weight: (E, vdim); in_proj_bias: (3E); out_proj: a linear layer E -> E; bias_k, bias_v: (1, 1, E) with add_bias_kv.

    dropout        of the attention weights, in training
    add_zero_attn  one more key and value of zeros
    batch_first    inputs and output are (B, T, E), not (T, B, E)

    Where torch takes its fast path (`fast_path`), the numbers here are the same; a query that may look nowhere gets nan there, and 0 elsewhere
    when need_weights is False.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, vdim=None, batch_first=False,
                 device=None, dtype=None):
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead")
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.head_dim = embed_dim // num_heads
        same = self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)} if same else {
            "q_proj_weight": (embed_dim, embed_dim), "k_proj_weight": (embed_dim, self.kdim), "v_proj_weight": (embed_dim, self.vdim)}
        set_parameters(self, device, dtype, **shapes)
        for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight") if same else ("in_proj_weight",):
            self.register_parameter(name, None)
        set_parameters(self, device, dtype, in_proj_bias=(3 * embed_dim,) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.bias_k, self.bias_v = (new_parameter((1, 1, embed_dim), device, dtype) if add_bias_kv else None for _ in range(2))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        """Glorot's uniform distribution for projections, zeros for biases, Glorot's normal one for bias_k and bias_v."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def __setstate__(self, state):
        super().__setstate__({"_qkv_same_embed_dim": True, **state})

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True, is_causal=False):
        """(output, attention weights or None); shapes and masks as in `nn.functional.multi_head_attention_forward`, or with B first."""
        floating = any(m is not None and m.is_floating_point() for m in (attn_mask, key_padding_mask))
        key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", none_or_dtype(attn_mask), "attn_mask", query.dtype)
        attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
        fast = not floating and query is key and key is value and self.fast_path(query)
        batched = query.ndim == 3
        if self.batch_first and batched:
            query, key, value = _swapped(query, key, value)
        output, weights = multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn,
            self.dropout, self.out_proj.weight, self.out_proj.bias, self.training, key_padding_mask, need_weights or fast, attn_mask,
            not self._qkv_same_embed_dim, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal and not fast)
        if self.batch_first and batched:
            output = output.transpose(1, 0)
        return output, weights if need_weights else None

    def fast_path(self, x):
        """Whether torch computes self-attention of `x` by its fast path: batches in evaluation, even heads, nothing added, no gradient."""
        weights = x, self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias
        return (x.ndim == 3 and not self.training and self.num_heads % 2 == 0 and self.batch_first and self.bias_k is None and not self.add_zero_attn
                and self._qkv_same_embed_dim and self.in_proj_bias is not None and x.dtype == self.in_proj_weight.dtype
                and not in_autocast() and not needs_gradient(*weights))

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """(one mask for torch's fast path, its kind): None, key_padding_mask (1) or both added to (B, h, T, T) (2).  query: (B, T, E)"""
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, time = query.shape[:2]
        if attn_mask.ndim == 3:
            merged = attn_mask.view(batch, -1, time, time)
        else:
            merged = attn_mask.view(1, 1, time, time).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            merged = merged + key_padding_mask.view(batch, 1, 1, time).expand(-1, self.num_heads, -1, -1)
        return merged, 2


def _swapped(query, key, value):
    """All with batch and time swapped; inputs that are one tensor stay one."""
    k = key.transpose(1, 0)
    return k if query is key else query.transpose(1, 0), k, k if value is key else value.transpose(1, 0)
