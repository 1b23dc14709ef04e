"""Swin Transformer (Liu et al. 2021, arXiv:2103.14030) and version 2 (Liu et al. 2021, arXiv:2111.09883)."""
from functools import partial

from ... import nn
from ...nn import functional as F
from ..ops.misc import MLP, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._build import builder
from ._shifted_windows import ShiftedWindowAttention, ShiftedWindowAttentionV2

__all__ = ["SwinTransformer", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t"]


def _quarters(x):
    """(..., H, W, C) -> (..., H/2, W/2, 4C), H and W rounded up: the four places of each 2x2 square side by side."""
    height, width = x.shape[-3:-1]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height // 2, 2, width // 2, 2, channels)
    n = len(batch)
    return x.permute(*range(n), n, n + 2, n + 3, n + 1, n + 4).reshape(*batch, height // 2, width // 2, 4 * channels)


class PatchMerging(nn.Module):
    """(..., H, W, C) -> (..., H/2, W/2, 2C): normalise the four places of each square, then a linear layer."""

    def __init__(self, dim, norm_layer=nn.LayerNorm):
        super().__init__()
        self.dim, self.reduction, self.norm = dim, nn.Linear(4 * dim, 2 * dim, bias=False), norm_layer(4 * dim)

    def forward(self, x):
        return self.reduction(self.norm(_quarters(x)))


class PatchMergingV2(nn.Module):
    """PatchMerging that normalises behind the linear layer."""

    def __init__(self, dim, norm_layer=nn.LayerNorm):
        super().__init__()
        self.dim, self.reduction, self.norm = dim, nn.Linear(4 * dim, 2 * dim, bias=False), norm_layer(2 * dim)

    def forward(self, x):
        return self.norm(self.reduction(_quarters(x)))


class SwinTransformerBlock(nn.Module):
    """Attention within windows and two linear layers, each normalised before and beside a shortcut.  (N, H, W, C) -> same.

    window_size, shift_size: (height, width) of the windows, and by how much they are moved;  mlp_ratio: inner features of the linear layers
    over dim;  attn_layer: class of the attention.
    """

    def __init__(self, dim, num_heads, window_size, shift_size, mlp_ratio=4.0, dropout=0.0, attention_dropout=0.0, stochastic_depth_prob=0.0,
                 norm_layer=nn.LayerNorm, attn_layer=ShiftedWindowAttention):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout, dropout=dropout)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for m in self.mlp.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)

    def forward(self, x):
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """SwinTransformerBlock that normalises behind attention and linear layers."""

    def __init__(self, dim, num_heads, window_size, shift_size, mlp_ratio=4.0, dropout=0.0, attention_dropout=0.0, stochastic_depth_prob=0.0,
                 norm_layer=nn.LayerNorm, attn_layer=ShiftedWindowAttentionV2):
        super().__init__(dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout, stochastic_depth_prob, norm_layer,
                         attn_layer)

    def forward(self, x):
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    patch_size, window_size: (height, width) in pixels and in patches;  embed_dim: features of the first stage, doubled by each next;  depths,
    num_heads: of each stage;  stochastic_depth_prob: of the last block, growing linearly up to it;  norm_layer, block, downsample_layer: classes
    to use instead;  the others as in SwinTransformerBlock.
    """

    def __init__(self, patch_size, embed_dim, depths, num_heads, window_size, mlp_ratio=4.0, dropout=0.0, attention_dropout=0.0,
                 stochastic_depth_prob=0.1, num_classes=1000, norm_layer=None, block=None, downsample_layer=PatchMerging):
        super().__init__()
        self.num_classes = num_classes
        block, norm_layer = block or SwinTransformerBlock, norm_layer or partial(nn.LayerNorm, eps=1e-5)
        layers = [nn.Sequential(nn.Conv2d(3, embed_dim, tuple(patch_size), tuple(patch_size)), Permute([0, 2, 3, 1]), norm_layer(embed_dim))]
        total, built, dim = sum(depths), 0, embed_dim
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            layers.append(nn.Sequential(*[
                block(dim, heads, window_size=window_size, shift_size=[0 if k % 2 == 0 else w // 2 for w in window_size], mlp_ratio=mlp_ratio,
                      dropout=dropout, attention_dropout=attention_dropout, norm_layer=norm_layer,
                      stochastic_depth_prob=stochastic_depth_prob * float(built + k) / (total - 1)) for k in range(depth)]))
            built += depth
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm_layer))
                dim *= 2
        self.features = nn.Sequential(*layers)
        self.norm, self.permute, self.avgpool = norm_layer(dim), Permute([0, 3, 1, 2]), nn.AdaptiveAvgPool2d(1)
        self.flatten, self.head = nn.Flatten(1), nn.Linear(dim, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.head(self.flatten(self.avgpool(self.permute(self.norm(self.features(x))))))


def _make(size, width, depths, heads, window, drop, **classes):
    def make(**options):
        return SwinTransformer([4, 4], width, list(depths), list(heads), [window, window],
                               **{"stochastic_depth_prob": drop, **classes, **options})
    make.__name__ = make.__qualname__ = f"swin_{size}"
    make.__doc__ = f"Swin Transformer{' v2' if size[0] == 'v' else ''}, {dict(t='tiny', s='small', b='base')[size[-1]]}."
    return builder(make)


_V2 = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
swin_t = _make("t", 96, (2, 2, 6, 2), (3, 6, 12, 24), 7, 0.2)
swin_s = _make("s", 96, (2, 2, 18, 2), (3, 6, 12, 24), 7, 0.3)
swin_b = _make("b", 128, (2, 2, 18, 2), (4, 8, 16, 32), 7, 0.5)
swin_v2_t = _make("v2_t", 96, (2, 2, 6, 2), (3, 6, 12, 24), 8, 0.2, **_V2)
swin_v2_s = _make("v2_s", 96, (2, 2, 18, 2), (3, 6, 12, 24), 8, 0.3, **_V2)
swin_v2_b = _make("v2_b", 128, (2, 2, 18, 2), (4, 8, 16, 32), 8, 0.5, **_V2)
