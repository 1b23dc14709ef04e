"""EfficientNet (Tan and Le 2019, arXiv:1905.11946) and EfficientNet v2 (Tan and Le 2021, arXiv:2104.00298)."""
import copy
import math
from dataclasses import dataclass
from functools import partial

from ... import nn
from ..._functional.shape import flatten
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ..ops.stochastic_depth import StochasticDepth
from ._build import builder
from ._initial import fill
from .mobilenetv2 import _make_divisible

__all__ = ["EfficientNet", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5",
           "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s"]


@dataclass
class _MBConvConfig:
    """A stage: num_layers blocks, the first of the given stride."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    block: object

    @staticmethod
    def adjust_channels(channels, width_mult, min_value=None):
        """channels * width_mult as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A row of table 1 of the first paper: widths and depth are multiplied by width_mult and depth_mult."""

    def __init__(self, expand_ratio, kernel, stride, input_channels, out_channels, num_layers, width_mult=1.0, depth_mult=1.0, block=None):
        super().__init__(expand_ratio, kernel, stride, self.adjust_channels(input_channels, width_mult),
                         self.adjust_channels(out_channels, width_mult), self.adjust_depth(num_layers, depth_mult), block or MBConv)

    @staticmethod
    def adjust_depth(num_layers, depth_mult):
        """num_layers * depth_mult, rounded up."""
        return math.ceil(num_layers * depth_mult)


class FusedMBConvConfig(_MBConvConfig):
    """A row of table 4 of the second paper whose blocks are fused."""

    def __init__(self, expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block=None):
        super().__init__(expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block or FusedMBConv)


class _Block(nn.Module):
    """Layers beside a shortcut, where the shape stays; in training some samples take the shortcut alone."""

    def __init__(self, cnf, stochastic_depth_prob, layers):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(f"illegal stride value {cnf.stride}: 1 or 2 expected")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth, self.out_channels = StochasticDepth(stochastic_depth_prob, "row"), cnf.out_channels

    def forward(self, input):
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Block):
    """Widen, convolve each channel alone, squeeze and excite, narrow."""

    def __init__(self, cnf, stochastic_depth_prob, norm_layer, se_layer=SqueezeExcitation):
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        active = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers = [active(cnf.input_channels, wide, kernel_size=1)] if wide != cnf.input_channels else []
        layers += [active(wide, wide, kernel_size=cnf.kernel, stride=cnf.stride, groups=wide),
                   se_layer(wide, max(1, cnf.input_channels // 4), activation=partial(nn.SiLU, inplace=True)),
                   Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, norm_layer=norm_layer, activation_layer=None)]
        super().__init__(cnf, stochastic_depth_prob, layers)


class FusedMBConv(_Block):
    """Widen by a full convolution, narrow; one convolution where nothing is widened."""

    def __init__(self, cnf, stochastic_depth_prob, norm_layer):
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        first = partial(Conv2dNormActivation, cnf.input_channels, kernel_size=cnf.kernel, stride=cnf.stride, norm_layer=norm_layer,
                        activation_layer=nn.SiLU)
        layers = [first(cnf.out_channels)] if wide == cnf.input_channels else [
            first(wide), Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, norm_layer=norm_layer, activation_layer=None)]
        super().__init__(cnf, stochastic_depth_prob, layers)


class EfficientNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    inverted_residual_setting: a list of stages, MBConvConfig or FusedMBConvConfig;  dropout: before the classifier;  stochastic_depth_prob: of
    the last block, growing linearly up to it;  norm_layer: class to use instead;  last_channel: of the last convolution, four times the last
    stage's unless given.
    """

    def __init__(self, inverted_residual_setting, dropout, stochastic_depth_prob=0.2, num_classes=1000, norm_layer=None, last_channel=None):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not all(isinstance(s, _MBConvConfig) for s in inverted_residual_setting):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm_layer = norm_layer or nn.BatchNorm2d
        ends = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        features = [ends(3, inverted_residual_setting[0].input_channels, kernel_size=3, stride=2)]
        total, built = sum(cnf.num_layers for cnf in inverted_residual_setting), 0
        for cnf in inverted_residual_setting:
            stage = []
            for i in range(cnf.num_layers):
                block = copy.copy(cnf)
                if i > 0:
                    block.input_channels, block.stride = block.out_channels, 1
                stage.append(block.block(block, stochastic_depth_prob * built / total, norm_layer))
                built += 1
            features.append(nn.Sequential(*stage))
        width = inverted_residual_setting[-1].out_channels
        last = 4 * width if last_channel is None else last_channel
        self.features = nn.Sequential(*features, ends(width, last, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(last, num_classes))
        fill(self)
        bound = num_classes ** -0.5
        nn.init.uniform_(self.classifier[1].weight, -bound, bound)

    def forward(self, x):
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))


# Rows (expand ratio, kernel, stride, input, out, layers); a leading "fused" stands for the other kind of block.
_B = ((1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3), (6, 5, 2, 112, 192, 4),
      (6, 3, 1, 192, 320, 1))
_V2 = {
    "s": (("fused", 1, 3, 1, 24, 24, 2), ("fused", 4, 3, 2, 24, 48, 4), ("fused", 4, 3, 2, 48, 64, 4), (4, 3, 2, 64, 128, 6),
          (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)),
    "m": (("fused", 1, 3, 1, 24, 24, 3), ("fused", 4, 3, 2, 24, 48, 5), ("fused", 4, 3, 2, 48, 80, 5), (4, 3, 2, 80, 160, 7),
          (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)),
    "l": (("fused", 1, 3, 1, 32, 32, 4), ("fused", 4, 3, 2, 32, 64, 7), ("fused", 4, 3, 2, 64, 96, 7), (4, 3, 2, 96, 192, 10),
          (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)),
}


def _efficientnet_conf(arch, width_mult=1.0, depth_mult=1.0):
    """(setting, last_channel) of "efficientnet_b0" and the like."""
    if arch.startswith("efficientnet_b"):
        return [MBConvConfig(*row, width_mult=width_mult, depth_mult=depth_mult) for row in _B], None
    if arch[len("efficientnet_v2_"):] not in _V2:
        raise ValueError(f"Unsupported model type {arch}")
    return [FusedMBConvConfig(*row[1:]) if row[0] == "fused" else MBConvConfig(*row) for row in _V2[arch[len("efficientnet_v2_"):]]], 1280


def _make(size, dropout, width_mult=1.0, depth_mult=1.0, norm=None):
    name = f"efficientnet_{size}"

    def make(**options):
        setting, last = _efficientnet_conf(name, width_mult, depth_mult)
        given = {"norm_layer": partial(nn.BatchNorm2d, **norm)} if norm else {}
        return EfficientNet(setting, **{"dropout": dropout, "last_channel": last, **given, **options})
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"EfficientNet {size[-2:].upper() if size[0] == 'b' else f'v2, {size[-1].upper()}'}."
    return builder(make)


_TF = {"eps": 0.001, "momentum": 0.01}
efficientnet_b0 = _make("b0", 0.2, 1.0, 1.0)
efficientnet_b1 = _make("b1", 0.2, 1.0, 1.1)
efficientnet_b2 = _make("b2", 0.3, 1.1, 1.2)
efficientnet_b3 = _make("b3", 0.3, 1.2, 1.4)
efficientnet_b4 = _make("b4", 0.4, 1.4, 1.8)
efficientnet_b5 = _make("b5", 0.4, 1.6, 2.2, _TF)
efficientnet_b6 = _make("b6", 0.5, 1.8, 2.6, _TF)
efficientnet_b7 = _make("b7", 0.5, 2.0, 3.1, _TF)
efficientnet_v2_s = _make("v2_s", 0.2, norm={"eps": 0.001})
efficientnet_v2_m = _make("v2_m", 0.3, norm={"eps": 0.001})
efficientnet_v2_l = _make("v2_l", 0.4, norm={"eps": 0.001})
