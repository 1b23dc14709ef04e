"""Attention within windows that are shifted from block to block.  Features are (N, H, W, C)."""
import math

import numpy as np

from ... import nn
from ..._core.tensor import wrap
from ..._functional.arrange import roll
from ..._functional.creation import ones, zeros
from ..._functional.joining import cat
from ...nn import functional as F

__all__ = ["ShiftedWindowAttention", "ShiftedWindowAttentionV2", "shifted_window_attention"]


def _windows(x, size):
    """(N, H, W, ...) -> (N * windows, places of a window, ...)."""
    n, height, width, *rest = x.shape
    x = x.reshape(n, height // size[0], size[0], width // size[1], size[1], *rest)
    return x.permute(0, 1, 3, 2, 4, *range(5, x.ndim)).reshape(-1, size[0] * size[1], *rest)


def _joined(x, size, height, width):
    """The inverse of `_windows`."""
    x = x.reshape(-1, height // size[0], width // size[1], *size, x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, x.shape[-1])


def _strangers(height, width, size, shift, like):
    """(windows, places, places): -100 between places that the shift has brought into one window from opposite edges, 0 elsewhere."""
    rows = np.searchsorted([height - size[0], height - shift[0]], np.arange(height), "right") if shift[0] else np.zeros(height, int)
    columns = np.searchsorted([width - size[1], width - shift[1]], np.arange(width), "right") if shift[1] else np.zeros(width, int)
    regions = _windows(wrap((rows[:, None] * 3 + columns)[None]), size)
    return ((regions[:, None, :] != regions[:, :, None]) * -100.0).to(like)


def shifted_window_attention(input, qkv_weight, proj_weight, relative_position_bias, window_size, num_heads, shift_size, attention_dropout=0.0,
                             dropout=0.0, qkv_bias=None, proj_bias=None, logit_scale=None, training=True):
    """Every place attends to the others of its window.  (N, H, W, C) -> same.

    relative_position_bias: (1, heads, places, places), added to the scores;  logit_scale: (heads, 1, 1), for scores that are cosines (version
    2), whose keys have no bias.
    """
    n, height, width, channels = input.shape
    right, below = -width % window_size[1], -height % window_size[0]
    x = F.pad(input, (0, 0, 0, right, 0, below))
    full = (height + below, width + right)
    shift = [0 if w >= f else s for w, f, s in zip(window_size, full, shift_size)]
    if any(shift):
        x = roll(x, (-shift[0], -shift[1]), (1, 2))
    x = _windows(x, window_size)
    if logit_scale is not None and qkv_bias is not None:
        part = len(qkv_bias) // 3
        qkv_bias = cat([qkv_bias[:part], qkv_bias.new_zeros(part), qkv_bias[2 * part:]])
    q, k, v = F.linear(x, qkv_weight, qkv_bias).reshape(*x.shape[:2], 3, num_heads, -1).permute(2, 0, 3, 1, 4)
    if logit_scale is None:
        scores = (q * (channels // num_heads) ** -0.5) @ k.transpose(-2, -1)
    else:
        scores = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)) * logit_scale.clamp(max=math.log(100.0)).exp()
    scores = scores + relative_position_bias
    if any(shift):
        apart = _strangers(*full, window_size, shift, scores)
        scores = (scores.reshape(n, len(apart), *scores.shape[1:]) + apart[None, :, None]).reshape(scores.shape)
    x = F.dropout(scores.softmax(-1), attention_dropout, training) @ v
    x = F.dropout(F.linear(x.transpose(1, 2).flatten(2), proj_weight, proj_bias), dropout, training)
    x = _joined(x, window_size, *full)
    if any(shift):
        x = roll(x, tuple(shift), (1, 2))
    return x[:, :height, :width].contiguous()


class ShiftedWindowAttention(nn.Module):
    """`shifted_window_attention` with its weights and a learnt bias for each way in which two places of a window can lie to each other."""

    def __init__(self, dim, window_size, shift_size, num_heads, qkv_bias=True, proj_bias=True, attention_dropout=0.0, dropout=0.0):
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size, self.shift_size, self.num_heads = window_size, shift_size, num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=qkv_bias), nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.define_relative_position_index()

    def define_relative_position_bias_table(self):
        """The learnt biases: (ways, heads)."""
        ways = math.prod(2 * size - 1 for size in self.window_size)
        self.relative_position_bias_table = nn.Parameter(zeros(ways, self.num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def define_relative_position_index(self):
        """Which way each pair of places lies to each other: (places * places)."""
        high, wide = self.window_size
        rows, columns = (axis.reshape(-1) for axis in np.indices((high, wide)))
        down, across = rows[:, None] - rows + high - 1, columns[:, None] - columns + wide - 1
        self.register_buffer("relative_position_index", wrap((down * (2 * wide - 1) + across).reshape(-1)))

    def _bias(self, table):
        places = self.window_size[0] * self.window_size[1]
        return table[self.relative_position_index].reshape(places, places, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def get_relative_position_bias(self):
        """(1, heads, places, places)."""
        return self._bias(self.relative_position_bias_table)

    def _attended(self, x, logit_scale=None):
        return shifted_window_attention(x, self.qkv.weight, self.proj.weight, self.get_relative_position_bias(), self.window_size, self.num_heads,
                                        self.shift_size, self.attention_dropout, self.dropout, self.qkv.bias, self.proj.bias, logit_scale,
                                        self.training)

    def forward(self, x):
        return self._attended(x)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Scores are scaled cosines, and a small network makes the biases of the logarithms of the distances (section 3.3 of version 2)."""

    def __init__(self, dim, window_size, shift_size, num_heads, qkv_bias=True, proj_bias=True, attention_dropout=0.0, dropout=0.0):
        super().__init__(dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout, dropout)
        self.logit_scale = nn.Parameter((10 * ones(num_heads, 1, 1)).log())
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False))
        if qkv_bias:
            self.qkv.bias.data[dim:2 * dim] = 0

    def define_relative_position_bias_table(self):
        """The distances: (1, 2 high - 1, 2 wide - 1, 2), logarithmic, 1 at a distance of 8 times the window."""
        axes = [np.arange(1 - size, size, dtype=np.float32) / (size - 1) * 8 for size in self.window_size]
        table = np.stack(np.meshgrid(*axes, indexing="ij"), -1)[None]
        self.register_buffer("relative_coords_table", wrap(np.sign(table) * np.log2(np.abs(table) + 1) / np.float32(3)))

    def get_relative_position_bias(self):
        """(1, heads, places, places), between 0 and 16."""
        return 16 * self._bias(self.cpb_mlp(self.relative_coords_table).reshape(-1, self.num_heads)).sigmoid()

    def forward(self, x):
        return self._attended(x, self.logit_scale)
