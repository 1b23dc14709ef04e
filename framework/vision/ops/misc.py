"""Blocks that models are made of."""
from typing import Any

from ... import nn

__all__ = ["MLP", "Conv2dNormActivation", "Conv3dNormActivation", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation"]


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation with fixed statistics and fixed scale and shift: all four are buffers.  (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, num_features, eps=1e-5):
        super().__init__()
        self.eps = eps
        like = nn.BatchNorm2d(num_features)
        self.register_buffer("weight", like.weight.detach())
        self.register_buffer("bias", like.bias.detach())
        self.register_buffer("running_mean", like.running_mean)
        self.register_buffer("running_var", like.running_var)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict.pop(f"{prefix}num_batches_tracked", None)  # of a BatchNorm2d that was frozen
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x):
        scale = self.weight.reshape(1, -1, 1, 1) * (self.running_var.reshape(1, -1, 1, 1) + self.eps).rsqrt()
        return x * scale + (self.bias.reshape(1, -1, 1, 1) - self.running_mean.reshape(1, -1, 1, 1) * scale)

    def __repr__(self):
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


class _ConvNormActivation(nn.Sequential):
    _convolution: Any = None

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=None, groups=1, norm_layer=None, activation_layer=nn.ReLU,
                 dilation=1, inplace=True, bias=None):
        if padding is None:
            padding = _same(kernel_size, dilation)
        layers = [self._convolution(in_channels, out_channels, kernel_size, stride, padding, dilation=dilation, groups=groups,
                                    bias=norm_layer is None if bias is None else bias)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same(kernel_size, dilation):
    """The padding that keeps the size at stride 1."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    n = len(kernel_size if not isinstance(kernel_size, int) else dilation)
    kernel = [kernel_size] * n if isinstance(kernel_size, int) else kernel_size
    steps = [dilation] * n if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernel, steps))


class Conv2dNormActivation(_ConvNormActivation):
    """Convolution, normalisation, activation.

    padding: None keeps the size at stride 1;  norm_layer, activation_layer: classes, or None for nothing;  bias: None for one only without
    normalisation;  inplace: passed to the activation unless None.
    """

    _convolution = nn.Conv2d

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=None, groups=1, norm_layer=nn.BatchNorm2d,
                 activation_layer=nn.ReLU, dilation=1, inplace=True, bias=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation, inplace, bias)


class Conv3dNormActivation(_ConvNormActivation):
    """Conv2dNormActivation in three dimensions."""

    _convolution = nn.Conv3d

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=None, groups=1, norm_layer=nn.BatchNorm3d,
                 activation_layer=nn.ReLU, dilation=1, inplace=True, bias=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation, inplace, bias)


class SqueezeExcitation(nn.Module):
    """Channels scaled by what a small network makes of their means.  (N, C, H, W) -> same.  Hu et al. 2018, arXiv:1709.01507."""

    def __init__(self, input_channels, squeeze_channels, activation=nn.ReLU, scale_activation=nn.Sigmoid):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(input_channels, squeeze_channels, 1), nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, input):
        return self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(input))))) * input


class MLP(nn.Sequential):
    """Linear layers with normalisation, activation and dropout between them, and dropout at the end.  hidden_channels: sizes, the last is out."""

    def __init__(self, in_channels, hidden_channels, norm_layer=None, activation_layer=nn.ReLU, inplace=None, bias=True, dropout=0.0):
        options = {} if inplace is None else {"inplace": inplace}
        layers, width = [], in_channels
        for hidden in hidden_channels[:-1]:
            layers += [nn.Linear(width, hidden, bias=bias), *([norm_layer(hidden)] if norm_layer is not None else []), activation_layer(**options),
                       nn.Dropout(dropout, **options)]
            width = hidden
        super().__init__(*layers, nn.Linear(width, hidden_channels[-1], bias=bias), nn.Dropout(dropout, **options))


class Permute(nn.Module):
    """x.permute(dims)."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)
