"""Gradients of convolutions as functions."""
from .. import ops
from ._functional._arguments import per_dimension


def _settings(d, stride, padding, dilation):
    return (per_dimension(v, d, name) for v, name in ((stride, "stride"), (padding, "padding"), (dilation, "dilation")))


def _of_input(d):
    def conv_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
        stride, padding, dilation = _settings(d, stride, padding, dilation)
        return ops.conv_transpose(grad_output, weight, None, tuple(input_size)[2:], stride, padding, dilation, groups)
    conv_input.__name__ = conv_input.__qualname__ = f"conv{d}d_input"
    conv_input.__doc__ = f"The gradient of conv{d}d for its input, of shape input_size: (N, C, *in).  grad_output: (N, K, *out)"
    return conv_input


def _of_weight(d):
    def conv_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
        stride, padding, dilation = _settings(d, stride, padding, dilation)
        return ops.conv_weight(grad_output, input, tuple(weight_size)[2:], stride, padding, dilation, groups)
    conv_weight.__name__ = conv_weight.__qualname__ = f"conv{d}d_weight"
    conv_weight.__doc__ = f"The gradient of conv{d}d for its weight, of shape weight_size: (K, C / groups, *kernel).  grad_output: (N, K, *out)"
    return conv_weight


conv1d_input, conv2d_input, conv3d_input = _of_input(1), _of_input(2), _of_input(3)
conv1d_weight, conv2d_weight, conv3d_weight = _of_weight(1), _of_weight(2), _of_weight(3)

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]
