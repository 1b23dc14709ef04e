"""MobileNet v2 (Sandler et al. 2018, arXiv:1801.04381)."""
from functools import partial

from ... import nn
from ..._functional.shape import flatten
from ..ops.misc import Conv2dNormActivation
from ._build import builder
from ._initial import fill

__all__ = ["MobileNetV2", "mobilenet_v2"]


def _make_divisible(v, divisor, min_value=None):
    """The multiple of `divisor` nearest to v, at least min_value and not below 90 % of v."""
    near = max(min_value or divisor, int(v + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * v else near


class InvertedResidual(nn.Module):
    """Widen by expand_ratio, convolve each channel alone, narrow; with a shortcut where the shape stays."""

    def __init__(self, inp, oup, stride, expand_ratio, norm_layer=None):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        self.stride, self.out_channels, self._is_cn = stride, oup, stride > 1
        self.use_res_connect = stride == 1 and inp == oup
        norm_layer = norm_layer or nn.BatchNorm2d
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        hidden = int(round(inp * expand_ratio))
        widen = [block(inp, hidden, kernel_size=1)] if expand_ratio != 1 else []
        self.conv = nn.Sequential(*widen, block(hidden, hidden, stride=stride, groups=hidden), nn.Conv2d(hidden, oup, 1, bias=False), norm_layer(oup))

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


_SETTING = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    width_mult: factor of all widths;  inverted_residual_setting: rows (expand ratio, channels, blocks, first stride);  round_nearest: widths
    are multiples of it;  block, norm_layer: classes to use instead;  dropout: before the classifier.
    """

    def __init__(self, num_classes=1000, width_mult=1.0, inverted_residual_setting=None, round_nearest=8, block=None, norm_layer=None, dropout=0.2):
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if len(setting) == 0 or len(setting[0]) != 4:
            raise ValueError(f"inverted_residual_setting should be non-empty or a 4-element list, got {setting}")
        width = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features = [Conv2dNormActivation(3, width, stride=2, norm_layer=norm_layer, activation_layer=nn.ReLU6)]
        for ratio, channels, blocks, stride in setting:
            out = _make_divisible(channels * width_mult, round_nearest)
            for i in range(blocks):
                features.append(block(width, out, stride if i == 0 else 1, expand_ratio=ratio, norm_layer=norm_layer))
                width = out
        features.append(Conv2dNormActivation(width, self.last_channel, kernel_size=1, norm_layer=norm_layer, activation_layer=nn.ReLU6))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        fill(self)

    def forward(self, x):
        return self.classifier(flatten(nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1)), 1))


@builder
def mobilenet_v2(**options):
    """MobileNet v2."""
    return MobileNetV2(**options)
