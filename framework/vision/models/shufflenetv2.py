"""ShuffleNet v2 (Ma et al. 2018, arXiv:1807.11164)."""
from ... import nn
from ..._functional.joining import cat
from ._build import builder

__all__ = ["ShuffleNetV2", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"]


def _pointwise(inp, oup):
    return [nn.Conv2d(inp, oup, 1, bias=False), nn.BatchNorm2d(oup), nn.ReLU(inplace=True)]


def _depthwise(width, stride):
    return [nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width)]


class InvertedResidual(nn.Module):
    """At stride 1 one half of the channels passes and the other is convolved; at stride 2 all channels go both ways.  Then they are shuffled."""

    def __init__(self, inp, oup, stride):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"illegal stride value {stride}: 1 or 2 expected")
        half = oup // 2
        if stride == 1 and inp != half * 2:
            raise ValueError(f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. If stride == 1 then inp should be equal to "
                             "oup, and even.")
        self.stride = stride
        self.branch1 = nn.Sequential(*_depthwise(inp, stride), *_pointwise(inp, half)) if stride > 1 else nn.Sequential()
        self.branch2 = nn.Sequential(*_pointwise(inp if stride > 1 else half, half), *_depthwise(half, stride), *_pointwise(half, half))

    def forward(self, x):
        if self.stride == 1:
            passing, x = x.chunk(2, dim=1)
        else:
            passing = self.branch1(x)
        return nn.functional.channel_shuffle(cat((passing, self.branch2(x)), 1), 2)


class ShuffleNetV2(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    stages_repeats: blocks in each of three stages;  stages_out_channels: of the stem, the three stages and the last convolution;
    inverted_residual: class of the blocks.
    """

    def __init__(self, stages_repeats, stages_out_channels, num_classes=1000, inverted_residual=InvertedResidual):
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        stem, *stages, last = self._stage_out_channels = stages_out_channels
        self.conv1 = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        width = stem
        for i, (blocks, out) in enumerate(zip(stages_repeats, stages), 2):
            rest = [inverted_residual(out, out, 1) for _ in range(blocks - 1)]
            setattr(self, f"stage{i}", nn.Sequential(inverted_residual(width, out, 2), *rest))
            width = out
        self.conv5 = nn.Sequential(*_pointwise(width, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x):
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


def _make(name, widths, about):
    def make(**options):
        return ShuffleNetV2([4, 8, 4], list(widths), **options)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = about
    return builder(make)


shufflenet_v2_x0_5 = _make("shufflenet_v2_x0_5", (24, 48, 96, 192, 1024), "ShuffleNet v2 of half the width.")
shufflenet_v2_x1_0 = _make("shufflenet_v2_x1_0", (24, 116, 232, 464, 1024), "ShuffleNet v2.")
shufflenet_v2_x1_5 = _make("shufflenet_v2_x1_5", (24, 176, 352, 704, 1024), "ShuffleNet v2 of 1.5 times the width.")
shufflenet_v2_x2_0 = _make("shufflenet_v2_x2_0", (24, 244, 488, 976, 2048), "ShuffleNet v2 of twice the width.")
