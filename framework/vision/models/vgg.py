"""VGG (Simonyan and Zisserman 2014, arXiv:1409.1556)."""
from ... import nn
from ..._functional.shape import flatten
from ._build import builder

__all__ = ["VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]

# How many 3x3 convolutions stand before each pool; the stages have 64, 128, 256, 512 and 512 channels.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """(N, 3, H, W) -> (N, num_classes); H, W at least 32."""

    def __init__(self, features, num_classes=1000, init_weights=True, dropout=0.5):
        super().__init__()
        self.features, self.avgpool = features, nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, num_classes))
        if init_weights:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                elif isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, 0, 0.01)
                if isinstance(m, (nn.Conv2d, nn.Linear)):
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))


def make_layers(cfg, batch_norm=False):
    """Convolutions with so many channels each, with a ReLU, and a pool for every "M"."""
    layers, channels = [], 3
    for v in cfg:
        if v == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers += [nn.Conv2d(channels, v, 3, padding=1), *([nn.BatchNorm2d(v)] if batch_norm else []), nn.ReLU(inplace=True)]
        channels = v
    return nn.Sequential(*layers)


def _make(depth, batch_norm):
    cfg = [v for width, n in zip((64, 128, 256, 512, 512), _DEPTHS[depth]) for v in (*[width] * n, "M")]

    def make(**options):
        return VGG(make_layers(cfg, batch_norm), **options)
    make.__name__ = make.__qualname__ = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    make.__doc__ = f"VGG with {depth} layers{' and batch normalisation' if batch_norm else ''}."
    return builder(make)


vgg11, vgg13, vgg16, vgg19 = (_make(depth, False) for depth in _DEPTHS)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (_make(depth, True) for depth in _DEPTHS)
