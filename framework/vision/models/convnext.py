"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545)."""
from functools import partial

from ... import nn
from ..._functional.creation import ones
from ...nn import functional as F
from ..ops.misc import Conv2dNormActivation, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._build import builder

__all__ = ["ConvNeXt", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of the channels at each place: (N, C, H, W) -> (N, C, H, W)."""

    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A 7x7 convolution of each channel alone, then two linear layers at each place, scaled and added to the input."""

    def __init__(self, dim, layer_scale, stochastic_depth_prob, norm_layer=None):
        super().__init__()
        norm_layer = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute([0, 2, 3, 1]), norm_layer(dim), nn.Linear(dim, 4 * dim),
                                   nn.GELU(), nn.Linear(4 * dim, dim), Permute([0, 3, 1, 2]))
        self.layer_scale = nn.Parameter(ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input):
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig:
    """A stage: num_layers blocks of input_channels, then, unless out_channels is None, half the resolution with that many."""

    def __init__(self, input_channels, out_channels, num_layers):
        self.input_channels, self.out_channels, self.num_layers = input_channels, out_channels, num_layers

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.__dict__.items())})"


class ConvNeXt(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    block_setting: a list of CNBlockConfig;  stochastic_depth_prob: of the last block, growing linearly up to it;  layer_scale: what each block's
    result is multiplied with at first;  block, norm_layer: classes to use instead.
    """

    def __init__(self, block_setting, stochastic_depth_prob=0.0, layer_scale=1e-6, num_classes=1000, block=None, norm_layer=None, **kwargs):
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not all(isinstance(s, CNBlockConfig) for s in block_setting):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        block, norm_layer = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        layers = [Conv2dNormActivation(3, block_setting[0].input_channels, kernel_size=4, stride=4, padding=0, norm_layer=norm_layer,
                                       activation_layer=None, bias=True)]
        total, built = sum(cnf.num_layers for cnf in block_setting), 0
        for cnf in block_setting:
            layers.append(nn.Sequential(*[block(cnf.input_channels, layer_scale, stochastic_depth_prob * (built + i) / (total - 1.0))
                                          for i in range(cnf.num_layers)]))
            built += cnf.num_layers
            if cnf.out_channels is not None:
                layers.append(nn.Sequential(norm_layer(cnf.input_channels), nn.Conv2d(cnf.input_channels, cnf.out_channels, 2, 2)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = block_setting[-1]
        width = last.input_channels if last.out_channels is None else last.out_channels
        self.classifier = nn.Sequential(norm_layer(width), nn.Flatten(1), nn.Linear(width, num_classes))
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))


def _make(size, widths, depths, drop):
    def make(**options):
        setting = [CNBlockConfig(*row) for row in zip(widths, (*widths[1:], None), depths)]
        return ConvNeXt(setting, **{"stochastic_depth_prob": drop, **options})
    make.__name__ = make.__qualname__ = f"convnext_{size}"
    make.__doc__ = f"ConvNeXt, {size}."
    return builder(make)


convnext_tiny = _make("tiny", (96, 192, 384, 768), (3, 3, 9, 3), 0.1)
convnext_small = _make("small", (96, 192, 384, 768), (3, 3, 27, 3), 0.4)
convnext_base = _make("base", (128, 256, 512, 1024), (3, 3, 27, 3), 0.5)
convnext_large = _make("large", (192, 384, 768, 1536), (3, 3, 27, 3), 0.5)
