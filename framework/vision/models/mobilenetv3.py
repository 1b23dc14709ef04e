"""MobileNet v3 (Howard et al. 2019, arXiv:1905.02244)."""
from functools import partial

from ... import nn
from ..._functional.shape import flatten
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._build import builder
from ._initial import fill
from .mobilenetv2 import _make_divisible

__all__ = ["MobileNetV3", "mobilenet_v3_large", "mobilenet_v3_small"]


class InvertedResidualConfig:
    """A row of the paper's tables 1 and 2; channels are multiplied by width_mult and rounded to multiples of 8.

    activation: "RE" (ReLU) or "HS" (hard swish);  use_se: squeeze and excite;  dilation: above 1 the stride is left out.
    """

    def __init__(self, input_channels, kernel, expanded_channels, out_channels, use_se, activation, stride, dilation, width_mult):
        self.input_channels, self.expanded_channels, self.out_channels = (
            self.adjust_channels(c, width_mult) for c in (input_channels, expanded_channels, out_channels))
        self.kernel, self.use_se, self.use_hs, self.stride, self.dilation = kernel, use_se, activation == "HS", stride, dilation

    @staticmethod
    def adjust_channels(channels, width_mult):
        """channels * width_mult as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """Widen, convolve each channel alone, squeeze and excite, narrow (section 5); with a shortcut where the shape stays."""

    def __init__(self, cnf, norm_layer, se_layer=partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(f"illegal stride value {cnf.stride}: 1 or 2 expected")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = cnf.expanded_channels
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU)
        layers = [block(cnf.input_channels, wide, kernel_size=1)] if wide != cnf.input_channels else []
        layers.append(block(wide, wide, kernel_size=cnf.kernel, stride=1 if cnf.dilation > 1 else cnf.stride, dilation=cnf.dilation, groups=wide))
        if cnf.use_se:
            layers.append(se_layer(wide, _make_divisible(wide // 4, 8)))
        layers.append(Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, norm_layer=norm_layer, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels, self._is_cn = cnf.out_channels, cnf.stride > 1

    def forward(self, input):
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    inverted_residual_setting: a list of InvertedResidualConfig;  last_channel: features of the hidden layer of the classifier;  block,
    norm_layer: classes to use instead;  dropout: before the last layer.
    """

    def __init__(self, inverted_residual_setting, last_channel, num_classes=1000, block=None, norm_layer=None, dropout=0.2, **kwargs):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not all(isinstance(s, InvertedResidualConfig) for s in inverted_residual_setting):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        block, norm_layer = block or InvertedResidual, norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        ends = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.Hardswish)
        width = inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(ends(3, inverted_residual_setting[0].input_channels, kernel_size=3, stride=2),
                                      *[block(cnf, norm_layer) for cnf in inverted_residual_setting],
                                      ends(width, 6 * width, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(6 * width, last_channel), nn.Hardswish(inplace=True), nn.Dropout(dropout, inplace=True),
                                        nn.Linear(last_channel, num_classes))
        fill(self)

    def forward(self, x):
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))


# Rows (input, kernel, expanded, out, squeeze and excite, activation, stride); those behind None are the tail, which may be narrow or dilated.
_LARGE = ((16, 3, 16, 16, False, "RE", 1), (16, 3, 64, 24, False, "RE", 2), (24, 3, 72, 24, False, "RE", 1), (24, 5, 72, 40, True, "RE", 2),
          (40, 5, 120, 40, True, "RE", 1), (40, 5, 120, 40, True, "RE", 1), (40, 3, 240, 80, False, "HS", 2), (80, 3, 200, 80, False, "HS", 1),
          (80, 3, 184, 80, False, "HS", 1), (80, 3, 184, 80, False, "HS", 1), (80, 3, 480, 112, True, "HS", 1), (112, 3, 672, 112, True, "HS", 1))
_SMALL = ((16, 3, 16, 16, True, "RE", 2), (16, 3, 72, 24, False, "RE", 2), (24, 3, 88, 24, False, "RE", 1), (24, 5, 96, 40, True, "HS", 2),
          (40, 5, 240, 40, True, "HS", 1), (40, 5, 240, 40, True, "HS", 1), (40, 5, 120, 48, True, "HS", 1), (48, 5, 144, 48, True, "HS", 1))
_ROWS = {"mobilenet_v3_large": (_LARGE, (112, 672, 160, 960), 1280), "mobilenet_v3_small": (_SMALL, (48, 288, 96, 576), 1024)}


def _mobilenet_v3_conf(arch, width_mult=1.0, reduced_tail=False, dilated=False, **_rest):
    """(setting, last_channel).  reduced_tail: half the channels behind the fourth resolution;  dilated: dilate there and keep the resolution."""
    if arch not in _ROWS:
        raise ValueError(f"Unsupported model type {arch}")
    rows, (before, first, out, wide), last = _ROWS[arch]
    less, dilation = 2 if reduced_tail else 1, 2 if dilated else 1
    out, wide = out // less, wide // less
    tail = [(before, 5, first, out, True, "HS", 2), *[(out, 5, wide, out, True, "HS", 1)] * 2]
    setting = [InvertedResidualConfig(*row, 1, width_mult) for row in rows] + [InvertedResidualConfig(*row, dilation, width_mult) for row in tail]
    return setting, InvertedResidualConfig.adjust_channels(last // less, width_mult)


def _make(name, about):
    def make(width_mult=1.0, reduced_tail=False, dilated=False, **options):
        return MobileNetV3(*_mobilenet_v3_conf(name, width_mult, reduced_tail, dilated), **options)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{about}  width_mult, reduced_tail, dilated: change the setting;  other options are the class's."
    return builder(make)


mobilenet_v3_large = _make("mobilenet_v3_large", "MobileNet v3, large.")
mobilenet_v3_small = _make("mobilenet_v3_small", "MobileNet v3, small.")
