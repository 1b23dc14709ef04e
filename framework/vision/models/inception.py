"""Inception v3 (Szegedy et al. 2015, arXiv:1512.00567)."""
from collections import namedtuple

from ... import nn
from ..._functional.joining import cat
from ..._functional.shape import flatten
from ...nn import functional as F
from ._build import builder
from ._initial import as_google_scales, fill_truncated
from .googlenet import BasicConv2d

__all__ = ["Inception3", "InceptionOutputs", "_InceptionOutputs", "inception_v3"]

InceptionOutputs = _InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
_ROW, _COLUMN = {"kernel_size": (1, 7), "padding": (0, 3)}, {"kernel_size": (7, 1), "padding": (3, 0)}
_ACROSS, _DOWN = {"kernel_size": (1, 3), "padding": (0, 1)}, {"kernel_size": (3, 1), "padding": (1, 0)}


def _averaged(x):
    return F.avg_pool2d(x, 3, 1, 1)


class InceptionA(nn.Module):
    """1x1; 1x1 and 5x5; 1x1 and two 3x3; mean and 1x1 (figure 5)."""

    def __init__(self, in_channels, pool_features, conv_block=None):
        super().__init__()
        block = conv_block or BasicConv2d
        self.branch1x1 = block(in_channels, 64, kernel_size=1)
        self.branch5x5_1, self.branch5x5_2 = block(in_channels, 48, kernel_size=1), block(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = block(in_channels, 64, kernel_size=1), block(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = block(96, 96, kernel_size=3, padding=1)
        self.branch_pool = block(in_channels, pool_features, kernel_size=1)

    def forward(self, x):
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), twice, self.branch_pool(_averaged(x))], 1)


class InceptionB(nn.Module):
    """To half the size: 3x3; 1x1 and two 3x3; the maximum."""

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        block = conv_block or BasicConv2d
        self.branch3x3 = block(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = block(in_channels, 64, kernel_size=1), block(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = block(96, 96, kernel_size=3, stride=2)

    def forward(self, x):
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return cat([self.branch3x3(x), twice, F.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    """7x7 convolutions as rows and columns (figure 6); channels_7x7: between them."""

    def __init__(self, in_channels, channels_7x7, conv_block=None):
        super().__init__()
        block, inner = conv_block or BasicConv2d, channels_7x7
        self.branch1x1 = block(in_channels, 192, kernel_size=1)
        self.branch7x7_1, self.branch7x7_2 = block(in_channels, inner, kernel_size=1), block(inner, inner, **_ROW)
        self.branch7x7_3 = block(inner, 192, **_COLUMN)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = block(in_channels, inner, kernel_size=1), block(inner, inner, **_COLUMN)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = block(inner, inner, **_ROW), block(inner, inner, **_COLUMN)
        self.branch7x7dbl_5 = block(inner, 192, **_ROW)
        self.branch_pool = block(in_channels, 192, kernel_size=1)

    def forward(self, x):
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        return cat([self.branch1x1(x), once, self.branch7x7dbl_5(self.branch7x7dbl_4(twice)), self.branch_pool(_averaged(x))], 1)


class InceptionD(nn.Module):
    """To half the size: 1x1 and 3x3; 1x1, 7x7 and 3x3; the maximum."""

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        block = conv_block or BasicConv2d
        self.branch3x3_1, self.branch3x3_2 = block(in_channels, 192, kernel_size=1), block(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = block(in_channels, 192, kernel_size=1), block(192, 192, **_ROW)
        self.branch7x7x3_3, self.branch7x7x3_4 = block(192, 192, **_COLUMN), block(192, 192, kernel_size=3, stride=2)

    def forward(self, x):
        long = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return cat([self.branch3x3_2(self.branch3x3_1(x)), long, F.max_pool2d(x, 3, 2)], 1)


class InceptionE(nn.Module):
    """The widest: 3x3 convolutions as a row and a column side by side (figure 7)."""

    def __init__(self, in_channels, conv_block=None):
        super().__init__()
        block = conv_block or BasicConv2d
        self.branch1x1 = block(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = block(in_channels, 384, kernel_size=1)
        self.branch3x3_2a, self.branch3x3_2b = block(384, 384, **_ACROSS), block(384, 384, **_DOWN)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = block(in_channels, 448, kernel_size=1), block(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = block(384, 384, **_ACROSS), block(384, 384, **_DOWN)
        self.branch_pool = block(in_channels, 192, kernel_size=1)

    def forward(self, x):
        once, twice = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return cat([self.branch1x1(x), self.branch3x3_2a(once), self.branch3x3_2b(once), self.branch3x3dbl_3a(twice),
                    self.branch3x3dbl_3b(twice), self.branch_pool(_averaged(x))], 1)


class InceptionAux(nn.Module):
    """A classifier in the middle of the network, for training."""

    def __init__(self, in_channels, num_classes, conv_block=None):
        super().__init__()
        block = conv_block or BasicConv2d
        self.conv0, self.conv1 = block(in_channels, 128, kernel_size=1), block(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)
        self.conv1.stddev, self.fc.stddev = 0.01, 0.001

    def forward(self, x):
        x = self.conv1(self.conv0(F.avg_pool2d(x, 5, 3)))
        return self.fc(flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception3(nn.Module):
    """(N, 3, H, W) -> (N, num_classes); with aux_logits, in training, InceptionOutputs of two such.  H, W: at least 75, 299 in the paper.

    transform_input: images come normalised by ImageNet's statistics and are scaled to -1..1;  inception_blocks: seven classes to use instead;
    init_weights: truncated normal numbers, unless False;  dropout: before the classifier.
    """

    def __init__(self, num_classes=1000, aux_logits=True, transform_input=False, inception_blocks=None, init_weights=None, dropout=0.5):
        super().__init__()
        blocks = inception_blocks or [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux]
        if len(blocks) != 7:
            raise ValueError(f"length of inception_blocks should be 7 instead of {len(blocks)}")
        conv, a, b, c, d, e, aux = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = conv(3, 32, kernel_size=3, stride=2), conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3, self.maxpool1 = conv(32, 64, kernel_size=3, padding=1), nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = conv(64, 80, kernel_size=1), conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = a(192, pool_features=32), a(256, pool_features=64), a(288, pool_features=64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = b(288), c(768, channels_7x7=128), c(768, channels_7x7=160)
        self.Mixed_6d, self.Mixed_6e = c(768, channels_7x7=160), c(768, channels_7x7=192)
        self.AuxLogits = aux(768, num_classes) if aux_logits else None
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = d(768), e(1280), e(2048)
        self.avgpool, self.dropout, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Dropout(dropout), nn.Linear(2048, num_classes)
        if init_weights is not False:
            fill_truncated(self, 0.1)

    def forward(self, x):
        if self.transform_input:
            x = as_google_scales(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        aside = self.aux_logits and self.training
        aux = self.AuxLogits(x) if aside and self.AuxLogits is not None else None
        x = self.avgpool(self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))))
        x = self.fc(flatten(self.dropout(x), 1))
        return InceptionOutputs(x, aux) if aside else x


def _published(options):
    """The file holds the classifier in the middle; without aux_logits it is dropped once it is read."""
    keep = options.get("aux_logits", True)

    def finish(model):
        if not keep:
            model.aux_logits, model.AuxLogits = False, None
    return {"transform_input": True, **options, "aux_logits": True, "init_weights": False}, finish


def inception_v3(**options):
    """Inception v3."""
    return Inception3(**options)


inception_v3 = builder(inception_v3, published=_published)
