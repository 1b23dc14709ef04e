"""SqueezeNet (Iandola et al. 2016, arXiv:1602.07360)."""
from ... import nn
from ..._functional.joining import cat
from ..._functional.shape import flatten
from ._build import builder

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1"]


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 ones side by side."""

    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super().__init__()
        self.inplanes = inplanes
        self.squeeze, self.squeeze_activation = nn.Conv2d(inplanes, squeeze_planes, 1), nn.ReLU(inplace=True)
        self.expand1x1, self.expand1x1_activation = nn.Conv2d(squeeze_planes, expand1x1_planes, 1), nn.ReLU(inplace=True)
        self.expand3x3, self.expand3x3_activation = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return cat([self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1)


# Each version: the first convolution (channels, kernel), then fires (squeezed, expanded by each of two) and "M", max pooling.
_VERSIONS = {
    "1_0": ((96, 7), ("M", (16, 64), (16, 64), (32, 128), "M", (32, 128), (48, 192), (48, 192), (64, 256), "M", (64, 256))),
    "1_1": ((64, 3), ("M", (16, 64), (16, 64), "M", (32, 128), (32, 128), "M", (48, 192), (48, 192), (64, 256), (64, 256))),
}


class SqueezeNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).  version: "1_0" or "1_1", which costs less than half as much;  dropout: before the classifier."""

    def __init__(self, version="1_0", num_classes=1000, dropout=0.5):
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        (width, kernel), plan = _VERSIONS[version]
        features = [nn.Conv2d(3, width, kernel, 2), nn.ReLU(inplace=True)]
        for step in plan:
            if step == "M":
                features.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                squeezed, expanded = step
                features.append(Fire(width, squeezed, expanded, expanded))
                width = 2 * expanded
        self.features = nn.Sequential(*features)
        final = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), final, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                if m is final:
                    nn.init.normal_(m.weight, 0.0, 0.01)
                else:
                    nn.init.kaiming_uniform_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return flatten(self.classifier(self.features(x)), 1)


@builder
def squeezenet1_0(**options):
    """SqueezeNet of the paper."""
    return SqueezeNet("1_0", **options)


@builder
def squeezenet1_1(**options):
    """SqueezeNet 1.1 of the authors' later release: the same accuracy at less cost."""
    return SqueezeNet("1_1", **options)
