"""MnasNet B1 (Tan et al. 2018, arXiv:1807.11626)."""
from ... import nn
from ._build import builder
from .mobilenetv2 import _make_divisible

__all__ = ["MNASNet", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"]

_MOMENTUM = 1 - 0.9997  # the paper's, of the running statistics
# After the stem: channels, kernel, first stride, expand ratio, blocks.
_STACKS = ((24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1))


def _norm(width):
    return nn.BatchNorm2d(width, momentum=_MOMENTUM)


def _depthwise(width, kernel, stride):
    return [nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False), _norm(width), nn.ReLU(inplace=True)]


class _InvertedResidual(nn.Module):
    def __init__(self, in_ch, out_ch, kernel_size, stride, expansion_factor):
        super().__init__()
        wide = in_ch * expansion_factor
        self.apply_residual = in_ch == out_ch and stride == 1
        self.layers = nn.Sequential(nn.Conv2d(in_ch, wide, 1, bias=False), _norm(wide), nn.ReLU(inplace=True),
                                    *_depthwise(wide, kernel_size, stride), nn.Conv2d(wide, out_ch, 1, bias=False), _norm(out_ch))

    def forward(self, input):
        return self.layers(input) + input if self.apply_residual else self.layers(input)


class MNASNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).  alpha: factor of all widths;  dropout: before the classifier."""

    _version = 2

    def __init__(self, alpha, num_classes=1000, dropout=0.2):
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha, self.num_classes = alpha, num_classes
        first, width = (_make_divisible(c * alpha, 8) for c in (32, 16))
        layers = [nn.Conv2d(3, first, 3, 2, 1, bias=False), _norm(first), nn.ReLU(inplace=True), *_depthwise(first, 3, 1),
                  nn.Conv2d(first, width, 1, bias=False), _norm(width)]
        for channels, kernel, stride, ratio, blocks in _STACKS:
            out = _make_divisible(channels * alpha, 8)
            rest = [_InvertedResidual(out, out, kernel, 1, ratio) for _ in range(1, blocks)]
            layers.append(nn.Sequential(_InvertedResidual(width, out, kernel, stride, ratio), *rest))
            width = out
        layers += [nn.Conv2d(width, 1280, 1, bias=False), _norm(1280), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(1280, num_classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.kaiming_uniform_(m.weight, mode="fan_out", nonlinearity="sigmoid")
            if isinstance(m, (nn.BatchNorm2d, nn.Linear)):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.classifier(self.layers(x).mean([2, 3]))


def _make(alpha):
    def make(**options):
        return MNASNet(alpha, **options)
    make.__name__ = make.__qualname__ = f"mnasnet{str(alpha).replace('.', '_')}"
    make.__doc__ = f"MnasNet B1, {alpha} times as wide."
    return builder(make)


mnasnet0_5, mnasnet0_75, mnasnet1_0, mnasnet1_3 = (_make(alpha) for alpha in (0.5, 0.75, 1.0, 1.3))
