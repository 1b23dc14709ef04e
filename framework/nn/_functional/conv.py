"""Convolutions, padding, and windows as columns."""
from ... import ops
from ._arguments import batched, per_dimension, unbatched
from .padding import pad


def _convolution(d):
    def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        stride, dilation = per_dimension(stride, d, "stride"), per_dimension(dilation, d, "dilation")
        if weight.ndim != d + 2:
            raise RuntimeError(f"conv{d}d: weight must have {d + 2} dimensions (out_channels, in_channels / groups, *kernel), got shape "
                               f"{list(weight.shape)}")
        input, added = batched(input, d, name)
        if isinstance(padding, str):
            input, padding = _worded_padding(input, padding, weight.shape[2:], stride, dilation)
        out = ops.convolution(input, weight, bias, stride, per_dimension(padding, d, "padding"), dilation, groups)
        return unbatched(out, added)

    name = conv.__name__ = conv.__qualname__ = f"conv{d}d"
    sizes = ", ".join("DHW"[3 - d:])
    conv.__doc__ = (f"Cross-correlation.  input: (N, C, {sizes}) or without N, weight: (K, C / groups, *kernel), bias: (K).\n\n"
                    "padding: zeros before and after each dimension, 'valid' (none) or 'same' (as many as keep the size; stride 1 only).")
    return conv


def _worded_padding(input, padding, kernel, stride, dilation):
    """(input, padding in numbers).  When 'same' needs an odd number of zeros, the extra one goes behind, as in torch."""
    if padding == "valid":
        return input, (0,) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'; it is 'valid' or 'same'")
    if max(stride) > 1:
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for k, d in zip(kernel, dilation)]
    extra = [t % 2 for t in total]
    if any(extra):
        input = pad(input, [w for e in reversed(extra) for w in (0, e)])
    return input, tuple(t // 2 for t in total)


def _transposed(d):
    def conv_transpose(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        stride, padding, dilation = (per_dimension(v, d, n) for v, n in ((stride, "stride"), (padding, "padding"), (dilation, "dilation")))
        output_padding = per_dimension(output_padding, d, "output_padding")
        input, added = batched(input, d, name)
        if weight.ndim != d + 2 or input.shape[1] != weight.shape[0]:
            raise RuntimeError(f"Given transposed=1, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
                               f"{weight.shape[0]} channels, but got {input.shape[1]} channels instead")
        if any(o >= s and o >= e for o, s, e in zip(output_padding, stride, dilation)):
            raise RuntimeError("output padding must be smaller than either stride or dilation, but got output_padding: "
                               f"{list(output_padding)} stride: {list(stride)} dilation: {list(dilation)}")
        size = tuple((n - 1) * s - 2 * p + e * (k - 1) + o + 1 for n, s, p, e, k, o in zip(
            input.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding))
        return unbatched(ops.conv_transpose(input, weight, bias, size, stride, padding, dilation, groups), added)

    name = conv_transpose.__name__ = conv_transpose.__qualname__ = f"conv_transpose{d}d"
    conv_transpose.__doc__ = (f"The adjoint of conv{d}d.  (N, C, *in) or without N -> (N, K, *out);  weight: (C, K / groups, *kernel), bias: (K)."
                              "\n\noutput_padding: added to the size on one side, to choose among those that the convolution makes equal.")
    return conv_transpose


conv1d, conv2d, conv3d = _convolution(1), _convolution(2), _convolution(3)
conv_transpose1d, conv_transpose2d, conv_transpose3d = _transposed(1), _transposed(2), _transposed(3)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of an image as columns.  (N, C, H, W) -> (N, C * kernel size, windows)"""
    input, added = batched(input, 2, "unfold")
    kernel, stride, padding, dilation = (per_dimension(v, 2, n) for v, n in (
        (kernel_size, "kernel_size"), (stride, "stride"), (padding, "padding"), (dilation, "dilation")))
    return unbatched(ops.im2col(input, kernel, stride, padding, dilation), added)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Add columns up to the image whose windows they are; the adjoint of `unfold`.  (N, C * kernel size, windows) -> (N, C, *output_size)"""
    input, added = batched(input, 1, "fold")
    size, kernel, stride, padding, dilation = (per_dimension(v, 2, n) for v, n in (
        (output_size, "output_size"), (kernel_size, "kernel_size"), (stride, "stride"), (padding, "padding"), (dilation, "dilation")))
    return unbatched(ops.col2im(input, size, kernel, stride, padding, dilation), added)


def conv_tbc(input, weight, bias, pad=0):
    """conv1d with time first and channels last.  input: (T, N, C), weight: (kernel, C, K), bias: (K) -> (T', N, K)"""
    if input.ndim != 3 or weight.ndim != 3 or bias.ndim != 1:
        raise RuntimeError(f"Input, weight and bias must have 3, 3 and 1 dims: time, batch, channels; kernel, in, out; out. Got {input.ndim}, "
                           f"{weight.ndim} and {bias.ndim}")
    out = ops.convolution(ops.transpose(input, (1, 2, 0)), ops.transpose(weight, (2, 1, 0)), bias, (1,), (pad,), (1,), 1)
    return ops.transpose(out, (2, 0, 1))


__all__ = ["conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold", "unfold"]
