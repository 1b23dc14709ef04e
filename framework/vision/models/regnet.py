"""RegNet (Radosavovic et al. 2020, arXiv:2003.13678): X, and Y, which squeezes and excites."""
import math
from collections import OrderedDict
from functools import partial
from itertools import groupby

import numpy as np

from ... import nn
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._build import builder
from .mobilenetv2 import _make_divisible

__all__ = ["RegNet", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_x_8gf",
           "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf", "regnet_y_400mf", "regnet_y_800mf",
           "regnet_y_8gf"]


class SimpleStemIN(Conv2dNormActivation):
    """A 3x3 convolution of stride 2."""

    def __init__(self, width_in, width_out, norm_layer, activation_layer):
        super().__init__(width_in, width_out, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer)


class BottleneckTransform(nn.Sequential):
    """1x1, grouped 3x3, perhaps squeeze and excite, 1x1."""

    def __init__(self, width_in, width_out, stride, norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio):
        inner = int(round(width_out * bottleneck_multiplier))
        block = partial(Conv2dNormActivation, norm_layer=norm_layer)
        layers = OrderedDict(a=block(width_in, inner, kernel_size=1, activation_layer=activation_layer),
                             b=block(inner, inner, stride=stride, groups=inner // group_width, activation_layer=activation_layer))
        if se_ratio:
            layers["se"] = SqueezeExcitation(inner, int(round(se_ratio * width_in)), activation=activation_layer)
        layers["c"] = block(inner, width_out, kernel_size=1, activation_layer=None)
        super().__init__(layers)


class ResBottleneckBlock(nn.Module):
    """activation(x + f(x)), where x is projected when the shape changes."""

    def __init__(self, width_in, width_out, stride, norm_layer, activation_layer, group_width=1, bottleneck_multiplier=1.0, se_ratio=None):
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(width_in, width_out, kernel_size=1, stride=stride, norm_layer=norm_layer, activation_layer=None)
        self.f = BottleneckTransform(width_in, width_out, stride, norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        self.activation = activation_layer(inplace=True)

    def forward(self, x):
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """depth blocks of one width, the first of them with the stride."""

    def __init__(self, width_in, width_out, stride, depth, block_constructor, norm_layer, activation_layer, group_width, bottleneck_multiplier,
                 se_ratio=None, stage_index=0):
        super().__init__()
        for i in range(depth):
            self.add_module(f"block{stage_index}-{i}", block_constructor(
                width_out if i else width_in, width_out, 1 if i else stride, norm_layer, activation_layer, group_width, bottleneck_multiplier,
                se_ratio))


class BlockParams:
    """The stages: their depths, widths, widths of groups, inner widths over outer ones, strides, and the ratio of squeeze and excite or None."""

    def __init__(self, depths, widths, group_widths, bottleneck_multipliers, strides, se_ratio=None):
        self.depths, self.widths, self.group_widths = depths, widths, group_widths
        self.bottleneck_multipliers, self.strides, self.se_ratio = bottleneck_multipliers, strides, se_ratio

    @classmethod
    def from_init_params(cls, depth, w_0, w_a, w_m, group_width, bottleneck_multiplier=1.0, se_ratio=None, **kwargs):
        """Section 3.3: the width of block j is w_0 + w_a * j, brought to the nearest w_0 * w_m^s for an integer s and to a multiple of 8; blocks
        of equal width are a stage, whose width is then made a multiple of that of its groups."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings: w_a must not be negative, w_0 be a positive multiple of 8, w_m above 1")
        steps = np.round(np.log((np.arange(depth, dtype=np.float32) * np.float32(w_a) + w_0) / w_0) / np.float32(math.log(w_m)))
        quantized = (np.round(w_0 * np.power(np.float32(w_m), steps) / 8) * 8).astype(int)
        stages = [(width, len(list(blocks))) for width, blocks in groupby(quantized.tolist())]
        inner = [int(width * bottleneck_multiplier) for width, _ in stages]
        groups = [min(group_width, width) for width in inner]
        widths = [int(_make_divisible(width, group) / bottleneck_multiplier) for width, group in zip(inner, groups)]
        return cls([blocks for _, blocks in stages], widths, groups, [bottleneck_multiplier] * len(stages), [2] * len(stages), se_ratio)

    def _get_expanded_params(self):
        return zip(self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers)


class RegNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).  block_params: BlockParams;  stem_width: channels of the stem;  the others: classes to use instead."""

    def __init__(self, block_params, num_classes=1000, stem_width=32, stem_type=None, block_type=None, norm_layer=None, activation=None):
        super().__init__()
        norm_layer, activation = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm_layer, activation)
        stages, current = OrderedDict(), stem_width
        for i, (width, stride, depth, group_width, multiplier) in enumerate(block_params._get_expanded_params(), 1):
            stages[f"block{i}"] = AnyStage(current, width, stride, depth, block_type or ResBottleneckBlock, norm_layer, activation, group_width,
                                           multiplier, block_params.se_ratio, stage_index=i)
            current = width
        self.trunk_output = nn.Sequential(stages)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(current, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, 0.0, math.sqrt(2.0 / (m.kernel_size[0] * m.kernel_size[1] * m.out_channels)))
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0.0, 0.01)
            if isinstance(m, (nn.BatchNorm2d, nn.Linear)):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


def _make(name, depth, w_0, w_a, w_m, group_width):
    se_ratio = 0.25 if name[0] == "y" else None

    def make(**options):
        params = BlockParams.from_init_params(depth, w_0, w_a, w_m, group_width, se_ratio=se_ratio)
        return RegNet(params, **{"norm_layer": partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1), **options})
    make.__name__ = make.__qualname__ = f"regnet_{name}"
    make.__doc__ = f"RegNet {name[0].upper()} of {name[2:-2].replace('_', '.')} {'billion' if name.endswith('gf') else 'million'} multiply-adds."
    return builder(make)


regnet_y_400mf = _make("y_400mf", 16, 48, 27.89, 2.09, 8)
regnet_y_800mf = _make("y_800mf", 14, 56, 38.84, 2.4, 16)
regnet_y_1_6gf = _make("y_1_6gf", 27, 48, 20.71, 2.65, 24)
regnet_y_3_2gf = _make("y_3_2gf", 21, 80, 42.63, 2.66, 24)
regnet_y_8gf = _make("y_8gf", 17, 192, 76.82, 2.19, 56)
regnet_y_16gf = _make("y_16gf", 18, 200, 106.23, 2.48, 112)
regnet_y_32gf = _make("y_32gf", 20, 232, 115.89, 2.53, 232)
regnet_y_128gf = _make("y_128gf", 27, 456, 160.83, 2.52, 264)
regnet_x_400mf = _make("x_400mf", 22, 24, 24.48, 2.54, 16)
regnet_x_800mf = _make("x_800mf", 16, 56, 35.73, 2.28, 16)
regnet_x_1_6gf = _make("x_1_6gf", 18, 80, 34.01, 2.25, 24)
regnet_x_3_2gf = _make("x_3_2gf", 25, 88, 26.31, 2.25, 48)
regnet_x_8gf = _make("x_8gf", 23, 80, 49.56, 2.88, 120)
regnet_x_16gf = _make("x_16gf", 22, 216, 55.59, 2.1, 128)
regnet_x_32gf = _make("x_32gf", 23, 320, 69.86, 2.0, 168)
