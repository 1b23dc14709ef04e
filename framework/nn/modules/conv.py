"""Convolution layers.  weight: (out, in / groups, *kernel), or transposed (in, out / groups, *kernel); bias: (out)."""
import math

from .. import functional as F
from .. import init
from ..parameter import UninitializedParameter
from ._sizes import as_tuple
from ._tensors import set_parameters
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _pair, _reverse_repeat_tuple, _single, _triple  # noqa: F401 - old programs import them from here

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What the convolutions have in common.  `dims`: the number of spatial dimensions."""

    transposed = False

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode, device,
                 dtype):
        super().__init__()
        d = self.dims
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self.kernel_size, self.stride, self.dilation = as_tuple(kernel_size, d), as_tuple(stride, d), as_tuple(dilation, d)
        self.padding = padding if isinstance(padding, str) else as_tuple(padding, d)
        self.output_padding = as_tuple(output_padding, d)
        self._check()
        set_parameters(self, device, dtype, weight=(*self._weight_channels(), *self.kernel_size), bias=(out_channels,) if bias else None)
        self.reset_parameters()

    def _check(self):
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(f"{name} must be divisible by groups")
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {self.padding!r}, should be one of 'same', 'valid'")
            if self.padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, but got padding_mode='{self.padding_mode}'")

    def _weight_channels(self):
        """The first two sizes of the weight."""
        a, b = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        return a, b // self.groups

    def reset_parameters(self):
        """Draw new initial values, uniform on +-1 / sqrt(in_channels / groups * kernel size)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in else 0
            init.uniform_(self.bias, -bound, bound)

    def _pad_widths(self):
        """`padding` in the order of F.pad."""
        if self.padding == "valid":
            return [0] * (2 * self.dims)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            return [w for t in reversed(totals) for w in (t // 2, t - t // 2)]
        return [p for p in reversed(self.padding) for _ in range(2)]

    def _conv_forward(self, input, weight, bias):
        convolve = getattr(F, f"conv{self.dims}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._pad_widths(), self.padding_mode), 0
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input):
        """(N, in_channels, *in) or without N -> (N, out_channels, *out)"""
        return self._conv_forward(input, self.weight, self.bias)

    def extra_repr(self):
        d = self.dims
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * d:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * d:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class _Convolution(_ConvNd):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode="zeros",
                 device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype)


class Conv1d(_Convolution):
    """Cross-correlation over one dimension: (N, C, L) -> (N, K, L')."""

    dims = 1


class Conv2d(_Convolution):
    """Cross-correlation over two dimensions: (N, C, H, W) -> (N, K, H', W')."""

    dims = 2


class Conv3d(_Convolution):
    """Cross-correlation over three dimensions: (N, C, D, H, W) -> (N, K, D', H', W')."""

    dims = 3


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
                 padding_mode="zeros", device=None, dtype=None):
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode, device,
                         dtype)

    def forward(self, input, output_size=None):
        """(N, in_channels, *in) or without N -> (N, out_channels, *out).  output_size: which of the sizes that stride makes possible"""
        output_padding = self.output_padding if output_size is None else self._padding_for(input, output_size)
        transpose = getattr(F, f"conv_transpose{self.dims}d")
        return transpose(input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation)

    def _padding_for(self, input, output_size):
        d = self.dims
        wanted = tuple(output_size)[-d:]
        if len(output_size) not in (d, input.ndim):
            raise ValueError(f"{type(self).__name__}: for {input.ndim}D input, output_size must have {d} or {input.ndim} elements (got "
                             f"{len(output_size)})")
        least = [(n - 1) * s - 2 * p + e * (k - 1) + 1 for n, s, p, e, k in zip(
            input.shape[-d:], self.stride, self.padding, self.dilation, self.kernel_size)]
        most = [n + s - 1 for n, s in zip(least, self.stride)]
        if any(not a <= w <= b for a, w, b in zip(least, wanted, most)):
            raise ValueError(f"requested an output size of {list(wanted)}, but valid sizes range from {least} to {most} (for an input of "
                             f"{list(input.shape[2:])})")
        return tuple(w - a for w, a in zip(wanted, least))


class ConvTranspose1d(_ConvTransposeNd):
    """The adjoint of Conv1d: (N, C, L) -> (N, K, L')."""

    dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The adjoint of Conv2d: (N, C, H, W) -> (N, K, H', W')."""

    dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The adjoint of Conv3d: (N, C, D, H, W) -> (N, K, D', H', W')."""

    dims = 3


class _LazyConvXdMixin(LazyModuleMixin):
    """in_channels is the size of the first input's channels; the other arguments are those of the class that it becomes, without it."""

    def __init__(self, out_channels, kernel_size, *args, bias=True, device=None, dtype=None, **kwargs):
        before = 4  # positional arguments between kernel_size and bias
        if len(args) > before:
            bias, args = args[before], (*args[:before], False, *args[before + 1:])
        else:
            kwargs["bias"] = False
        super().__init__(0, 0, kernel_size, *args, device=device, dtype=dtype, **kwargs)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        """Draw new initial values; nothing before the first input."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        """Take in_channels from the input."""
        if not self.has_uninitialized_params():
            return
        if input.ndim not in (self.dims + 1, self.dims + 2):
            raise RuntimeError(f"Expected {self.dims + 1}D (unbatched) or {self.dims + 2}D (batched) input to {type(self).__name__}, but got "
                               f"input of size: {input.shape}")
        self.in_channels = input.shape[-self.dims - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        self.weight.materialize((*self._weight_channels(), *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConvXdMixin, Conv1d):
    """Conv1d whose in_channels comes from the first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvXdMixin, Conv2d):
    """Conv2d whose in_channels comes from the first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvXdMixin, Conv3d):
    """Conv3d whose in_channels comes from the first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):
    """ConvTranspose1d whose in_channels comes from the first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):
    """ConvTranspose2d whose in_channels comes from the first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):
    """ConvTranspose3d whose in_channels comes from the first input."""

    cls_to_become = ConvTranspose3d


__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d", "LazyConv3d",
           "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"]
