"""Deformable convolution (Dai et al. 2017, arXiv:1703.06211; with a mask Zhu et al. 2018, arXiv:1811.11168)."""
import math

from ... import nn, ops
from ..._functional.creation import empty

__all__ = ["DeformConv2d", "deform_conv2d"]


def _pair(n):
    return (n, n) if isinstance(n, int) else tuple(n)


def deform_conv2d(input, offset, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), mask=None):
    """A convolution whose kernel elements look elsewhere, by offsets that are data.

    input: (N, C, H, W);  weight: (K, C / groups, kh, kw);  offset: (N, 2 * G * kh * kw, OH, OW), (y, x) for each kernel element, the C
    channels in G groups;  mask: (N, G * kh * kw, OH, OW), factors -> (N, K, OH, OW).  Values between pixels by interpolation, 0 outside.
    """
    (sh, sw), (ph, pw), (dh, dw) = _pair(stride), _pair(padding), _pair(dilation)
    n, c, h, w = input.shape
    k, per_group, kh, kw = weight.shape
    oh, ow = ((size + 2 * p - d * (kernel - 1) - 1) // s + 1 for size, p, d, kernel, s in ((h, ph, dh, kh, sh), (w, pw, dw, kw, sw)))
    groups = offset.shape[1] // (2 * kh * kw)
    if groups == 0 or offset.shape[1] % (2 * kh * kw):
        raise RuntimeError("the shape of the offset tensor at dimension 1 is not valid. It should be a multiple of 2 * weight.size[2] * "
                           f"weight.size[3].\nGot offset.shape[1]={offset.shape[1]}, while 2 * weight.size[2] * weight.size[3]={2 * kh * kw}")
    if tuple(offset.shape[2:]) != (oh, ow):
        raise RuntimeError(f"offset output dims: ({offset.shape[2]}, {offset.shape[3]}) - expected: ({oh}, {ow})")
    if mask is not None and tuple(mask.shape) != (n, groups * kh * kw, oh, ow):
        raise RuntimeError(f"mask should have shape {[n, groups * kh * kw, oh, ow]} beside an offset of shape {list(offset.shape)}, got "
                           f"{list(mask.shape)}")
    seen = ops.deformed_columns(input, offset, mask, (kh, kw), (sh, sw), (ph, pw), (dh, dw))
    taken = seen.reshape(n, c // per_group, per_group * kh * kw, oh * ow)
    out = (weight.reshape(c // per_group, -1, per_group * kh * kw) @ taken).reshape(n, k, oh, ow)
    return out if bias is None else out + bias.reshape(1, -1, 1, 1)


class DeformConv2d(nn.Module):
    """See `deform_conv2d`; the offsets, and the mask, are arguments of forward."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True):
        super().__init__()
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding, self.dilation = (_pair(v) for v in (kernel_size, stride, padding, dilation))
        self.weight = nn.Parameter(empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = nn.Parameter(empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        """As a convolution begins."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input, offset, mask=None):
        return deform_conv2d(input, offset, self.weight, self.bias, self.stride, self.padding, self.dilation, mask)

    def __repr__(self):
        text = f"{type(self).__name__}({self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        defaults = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
        text += "".join(f", {name}={getattr(self, name)}" for name, value in defaults.items() if getattr(self, name) != value)
        return text + (", bias=False)" if self.bias is None else ")")
