"""Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929).  N: images, S: patches and the class token, E: hidden_dim."""
import math
from collections import OrderedDict
from functools import partial
from typing import Any, NamedTuple

from ... import nn
from ..._functional.creation import empty, zeros
from ..._functional.joining import cat
from ..ops.misc import MLP, Conv2dNormActivation
from ._build import builder

__all__ = ["VisionTransformer", "interpolate_embeddings", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]


class ConvStemConfig(NamedTuple):
    """One convolution of a stem that takes the place of the patches (Xiao et al. 2021, arXiv:2106.14881)."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Any = nn.BatchNorm2d
    activation_layer: Any = nn.ReLU


class MLPBlock(MLP):
    """The two linear layers of a block."""

    _version = 2

    def __init__(self, in_dim, mlp_dim, dropout):
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                if m.bias is not None:
                    nn.init.normal_(m.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") is None or local_metadata["version"] < 2:  # its layers had names, not numbers
            for i, number in enumerate((0, 3), 1):
                for kind in ("weight", "bias"):
                    old = f"{prefix}linear_{i}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{number}.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class EncoderBlock(nn.Module):
    """Attention and the linear layers, each behind a norm and beside a shortcut.  (N, S, E) -> same."""

    def __init__(self, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer=partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input):
        if input.ndim != 3:
            raise AssertionError(f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x = self.dropout(self.self_attention(x, x, x, need_weights=False)[0]) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Position embeddings, blocks, a norm.  (N, S, E) -> same."""

    def __init__(self, seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout,
                 norm_layer=partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        self.pos_embedding = nn.Parameter(empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict(
            (f"encoder_layer_{i}", EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)) for i in range(num_layers)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, input):
        if input.ndim != 3:
            raise AssertionError(f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """(N, 3, image_size, image_size) -> (N, num_classes).  representation_size: a tanh layer before the classifier, of this width."""

    def __init__(self, image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, dropout=0.0, attention_dropout=0.0, num_classes=1000,
                 representation_size=None, norm_layer=partial(nn.LayerNorm, eps=1e-6), conv_stem_configs=None):
        super().__init__()
        if image_size % patch_size:
            raise AssertionError(f"Input shape indivisible by patch size! image_size {image_size} is not a multiple of patch_size {patch_size}")
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout, self.num_classes = attention_dropout, dropout, num_classes
        self.representation_size, self.norm_layer = representation_size, norm_layer
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, patch_size) if conv_stem_configs is None else _stem(conv_stem_configs, hidden_dim)
        self.class_token = nn.Parameter(zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        heads = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"], heads["act"] = nn.Linear(hidden_dim, representation_size), nn.Tanh()
        heads["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(heads)
        self._init_weights()

    def _init_weights(self):
        if isinstance(self.conv_proj, nn.Conv2d):
            nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / self.conv_proj.weight[0].numel()))
            nn.init.zeros_(self.conv_proj.bias)
        else:
            last = self.conv_proj.conv_last
            nn.init.normal_(last.weight, std=math.sqrt(2 / last.out_channels))
            nn.init.zeros_(last.bias)
        if self.representation_size is not None:
            nn.init.trunc_normal_(self.heads.pre_logits.weight, std=math.sqrt(1 / self.hidden_dim))
            nn.init.zeros_(self.heads.pre_logits.bias)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def _process_input(self, x):
        """(N, 3, H, W) -> (N, number of patches, E)."""
        for size, side in zip(x.shape[2:], ("height", "width")):
            if size != self.image_size:
                raise AssertionError(f"Wrong image {side}! Expected {self.image_size} but got {size}!")
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)

    def forward(self, x):
        x = self._process_input(x)
        x = cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _stem(configs, hidden_dim):
    stem, channels = nn.Sequential(), 3
    for i, c in enumerate(configs):
        stem.add_module(f"conv_bn_relu_{i}", Conv2dNormActivation(channels, c.out_channels, c.kernel_size, c.stride, norm_layer=c.norm_layer,
                                                                  activation_layer=c.activation_layer))
        channels = c.out_channels
    stem.add_module("conv_last", nn.Conv2d(channels, hidden_dim, 1))
    return stem


def _make(size, patch, layers, heads, width, mlp):
    def make(image_size=224, **options):
        return VisionTransformer(image_size, patch, layers, heads, width, mlp, **options)
    make.__name__ = make.__qualname__ = f"vit_{size}_{patch}"
    make.__doc__ = f"Vision Transformer with {layers} layers of width {width} on patches of {patch} x {patch}."
    return builder(make)


vit_b_16, vit_b_32 = (_make("b", patch, 12, 12, 768, 3072) for patch in (16, 32))
vit_l_16, vit_l_32 = (_make("l", patch, 24, 16, 1024, 4096) for patch in (16, 32))
vit_h_14 = _make("h", 14, 32, 16, 1280, 5120)


def interpolate_embeddings(image_size, patch_size, model_state, interpolation_mode="bicubic", reset_heads=False):
    """A state dict for images of another size: position embeddings are resized as an image.  reset_heads: leave the classifier out.

    ValueError for embeddings of several images or of a number of patches that is no square.
    """
    old = model_state["encoder.pos_embedding"]
    n, length, width = old.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {old.shape}")
    if (image_size // patch_size) ** 2 + 1 == length:
        return model_state
    side = math.isqrt(length - 1)
    if side * side != length - 1:
        raise ValueError(f"seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = {side * side} and seq_length = "
                         f"{length - 1}")
    image = old[:, 1:].permute(0, 2, 1).reshape(1, width, side, side)
    new = nn.functional.interpolate(image, size=image_size // patch_size, mode=interpolation_mode, align_corners=True)
    model_state["encoder.pos_embedding"] = cat([old[:, :1], new.flatten(2).permute(0, 2, 1)], dim=1)
    if reset_heads:
        model_state = OrderedDict((key, value) for key, value in model_state.items() if not key.startswith("heads"))
    return model_state
