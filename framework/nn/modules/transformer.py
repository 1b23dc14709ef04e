"""Transformers.  Vaswani et al. 2017, arXiv:1706.03762; norm_first: Xiong et al. 2020, arXiv:2002.04745.

S, T: lengths of source and target, B: batch, E: features.  Sequences are (S, B, E), (B, S, E) when batch_first, or (S, E).
Masks are boolean, True where nobody looks, or floating and added to the scores: *_mask: (queries, keys), *_key_padding_mask: (B, keys).
"""
import copy
import math
import warnings

from ... import ops
from ..._functional.creation import full
from .. import functional as F
from .. import init
from .._functional.multi_head_attention import canonical_mask, none_or_dtype
from ._fused_steps import activated
from ._modes import in_autocast, needs_gradient
from ._multihead_attention import MultiheadAttention
from .activation import GELU, ReLU
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class Transformer(Module):
    """An encoder, and a decoder that looks at what it gives.

    activation: "relu", "gelu" or a function.  custom_encoder, custom_decoder: modules in their place.  norm_first: normalise before attention and
    feed-forward layers, not after.  Weights start in Glorot's uniform distribution.
    """

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1, activation=F.relu,
                 custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-05, batch_first=False, norm_first=False, bias=True, device=None,
                 dtype=None):
        super().__init__()
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        norm = {"eps": layer_norm_eps, "bias": bias, "device": device, "dtype": dtype}
        self.encoder = TransformerEncoder(TransformerEncoderLayer(*options), num_encoder_layers, LayerNorm(d_model, **norm)) \
            if custom_encoder is None else custom_encoder
        self.decoder = TransformerDecoder(TransformerDecoderLayer(*options), num_decoder_layers, LayerNorm(d_model, **norm)) \
            if custom_decoder is None else custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None, memory_is_causal=False):
        """src: (S, B, E), tgt: (T, B, E) -> (T, B, E)"""
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """(sz, sz): -inf above the diagonal, 0 elsewhere, so that nobody looks ahead."""
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self):
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)


class TransformerEncoder(Module):
    """num_layers copies of encoder_layer, one on the other, and a last normalisation.

    enable_nested_tensor  as in torch: where a batch in evaluation, without gradients, is padded on the right, what it gives at padded places is 0
                          before the last normalisation (torch leaves them out of its nested tensor and pads with 0)
    mask_check            whether to look that the padding is on the right
    """

    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True):
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers, self.norm, self.mask_check = num_layers, norm, mask_check
        self.enable_nested_tensor = self.use_nested_tensor = enable_nested_tensor
        why_not = _why_not_nested(encoder_layer) if enable_nested_tensor else ""
        if why_not:
            warnings.warn(f"enable_nested_tensor is True, but self.use_nested_tensor is False because {why_not}", stacklevel=2)
            self.use_nested_tensor = False

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        """src: (S, B, E) -> (S, B, E).  is_causal: the mask is the causal one; None: look."""
        padded = None if src_key_padding_mask is None else src_key_padding_mask
        src_key_padding_mask = canonical_mask(src_key_padding_mask, "src_key_padding_mask", none_or_dtype(mask), "mask", src.dtype)
        mask = canonical_mask(mask, "mask", None, "", src.dtype, check_other=False)
        is_causal = _detect_is_causal_mask(mask, is_causal, _get_seq_len(src, self.layers[0].self_attn.batch_first))
        leaves_out = padded is not None and self._leaves_padding_out(src, mask, src_key_padding_mask)
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask)
        if leaves_out:
            output = output.masked_fill(ops.expand_dims(src_key_padding_mask != 0, 2), 0.0)
        return output if self.norm is None else self.norm(output)

    def _leaves_padding_out(self, src, mask, padding):
        """Whether torch makes a nested tensor of `src`, which leaves padded places out."""
        first = self.layers[0]
        return (self.use_nested_tensor and not first.training and src.ndim == 3 and mask is None and not in_autocast()
                and not needs_gradient(*_fast_path_tensors(first, src)) and (not self.mask_check or _on_the_right(padding != 0)))


class TransformerDecoder(Module):
    """num_layers copies of decoder_layer, one on the other, and a last normalisation."""

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None, tgt_is_causal=None,
                memory_is_causal=False):
        """tgt: (T, B, E), memory: (S, B, E) -> (T, B, E)"""
        tgt_is_causal = _detect_is_causal_mask(tgt_mask, tgt_is_causal, _get_seq_len(tgt, self.layers[0].self_attn.batch_first))
        output = tgt
        for layer in self.layers:
            output = layer(output, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                           memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
        return output if self.norm is None else self.norm(output)


class TransformerEncoderLayer(Module):
    """Self-attention and a feed-forward network, each with a residual connection and a normalisation."""

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-05, batch_first=False,
                 norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        made = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=batch_first, **made)
        self.linear1 = Linear(d_model, dim_feedforward, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **made)
        self.norm_first = norm_first
        self.norm1, self.norm2 = (LayerNorm(d_model, eps=layer_norm_eps, **made) for _ in range(2))
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        activation = _get_activation_fn(activation)
        relu, gelu = activation is F.relu or isinstance(activation, ReLU), activation is F.gelu or isinstance(activation, GELU)
        self.activation_relu_or_gelu = 1 if relu else 2 if gelu else 0
        self.activation = activation

    def __setstate__(self, state):
        super().__setstate__(state)
        if not hasattr(self, "activation"):
            self.activation = F.relu

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        """src: (S, B, E) -> (S, B, E)"""
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", none_or_dtype(src_mask), "src_mask", src.dtype)
        mask = canonical_mask(src_mask, "src_mask", None, "", src.dtype, check_other=False)
        attend = self._sa_block_of_fast_path if self._fast_path(src) else self._sa_block
        x = src
        if self.norm_first:
            x = x + attend(self.norm1(x), mask, padding, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + attend(x, mask, padding, is_causal))
        return self.norm2(x + self._ff_block(x))

    def _fast_path(self, src):
        """Whether torch runs the whole layer by its fast path."""
        return (not self.training and src.ndim == 3 and not _why_not_fused(self) and not in_autocast()
                and not needs_gradient(*_fast_path_tensors(self, src)) and not any(m._forward_hooks or m._forward_pre_hooks for m in self.modules()))

    def _sa_block_of_fast_path(self, x, attn_mask, key_padding_mask, is_causal=False):
        """`_sa_block` by way of the weights, so a query that may look nowhere gets nan, as torch gives it there; is_causal counts for nothing."""
        return self.self_attn(x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask)[0]

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        x = self.self_attn(x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, need_weights=False, is_causal=is_causal)[0]
        return self.dropout1(x)

    def _ff_block(self, x):
        return self.dropout2(self.linear2(self.dropout(activated(self.linear1, self.activation, x))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's memory and a feed-forward network, each with a residual connection and a normalisation."""

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-05, batch_first=False,
                 norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        made = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=batch_first, **made)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=batch_first, **made)
        self.linear1 = Linear(d_model, dim_feedforward, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **made)
        self.norm_first = norm_first
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model, eps=layer_norm_eps, **made) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout) for _ in range(3))
        self.activation = _get_activation_fn(activation)

    def __setstate__(self, state):
        super().__setstate__({"activation": F.relu, **state})

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None, tgt_is_causal=False,
                memory_is_causal=False):
        """tgt: (T, B, E), memory: (S, B, E) -> (T, B, E)"""
        own, seen = (tgt_mask, tgt_key_padding_mask, tgt_is_causal), (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), *seen)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, *seen))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        x = self.self_attn(x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=False)[0]
        return self.dropout1(x)

    def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
        x = self.multihead_attn(x, mem, mem, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=False)[0]
        return self.dropout2(x)

    def _ff_block(self, x):
        return self.dropout3(self.linear2(self.dropout(activated(self.linear1, self.activation, x))))


# Programs import the names below from torch's file of the same path.

def _get_clones(module, N):  # noqa: N803 - torch's name
    return ModuleList([copy.deepcopy(module) for _ in range(N)])


def _get_activation_fn(activation):
    """A function: the one given, or the one of this name."""
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return ACTIVATIONS[activation]


# -- masks -------------------------------------------------------------------------------------------------------------

def _generate_square_subsequent_mask(size, device=None, dtype=None):
    return full((size, size), -math.inf, dtype=dtype, device=device).triu(1)


def _get_seq_len(x, batch_first):
    """Steps of (S, B, E), (B, S, E) or (S, E)."""
    return x.shape[1 if batch_first and x.ndim == 3 else 0]


def _detect_is_causal_mask(mask, is_causal=None, size=None):
    """is_causal, or where it is None whether `mask` is the causal one for `size` steps, as many as it has where that is None."""
    if is_causal is not None or mask is None:
        return is_causal is True
    causal = _generate_square_subsequent_mask(mask.shape[-2] if size is None else size, mask.device, mask.dtype)
    return mask.shape == causal.shape and bool((mask == causal).all())


def _on_the_right(padded):
    """Whether in every row of (B, S) the padded places come last."""
    return not bool((padded[:, :-1] & ~padded[:, 1:]).any())


# -- when torch's encoder leaves padding out ---------------------------------------------------------------------------

def _why_not_nested(layer):
    """Why torch would not use nested tensors with such a layer; "" when it would."""
    if not isinstance(layer, TransformerEncoderLayer):
        return "encoder_layer was not TransformerEncoderLayer"
    return "encoder_layer.norm_first was True" if layer.norm_first else _why_not_fused(layer)


def _why_not_fused(layer):
    """Why torch has no fast path for a TransformerEncoderLayer made like this; "" when it has."""
    attention = layer.self_attn
    reasons = [
        (not attention.batch_first, ".self_attn.batch_first was not True(use batch_first for better inference performance)"),
        (not attention._qkv_same_embed_dim, ".self_attn._qkv_same_embed_dim was not True"),
        (attention.in_proj_bias is None, ".self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, ".activation_relu_or_gelu was not True"),
        (layer.norm1.eps != layer.norm2.eps, ".norm1.eps was not equal to encoder_layer.norm2.eps"),
        (attention.num_heads % 2 == 1, ".self_attn.num_heads is odd")]
    return next((f"encoder_layer{why}" for holds, why in reasons if holds), "")


def _fast_path_tensors(layer, src):
    """The input and the parameters of a layer."""
    parts = layer.self_attn.out_proj, layer.norm1, layer.norm2, layer.linear1, layer.linear2
    return src, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias, *(t for part in parts for t in (part.weight, part.bias))
