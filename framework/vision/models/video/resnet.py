"""ResNets for videos: R3D, MC3, R(2+1)D (Tran et al. 2017, arXiv:1711.11248)."""
from .... import nn
from .._build import builder

__all__ = ["VideoResNet", "mc3_18", "r2plus1d_18", "r3d_18"]


class Conv3DSimple(nn.Conv3d):
    """A 3x3x3 convolution."""

    def __init__(self, in_planes, out_planes, midplanes=None, stride=1, padding=1):
        super().__init__(in_planes, out_planes, (3, 3, 3), stride, padding, bias=False)

    @staticmethod
    def get_downsample_stride(stride):
        """The strides of the shortcut."""
        return stride, stride, stride


class Conv2Plus1D(nn.Sequential):
    """A convolution in the image, then one in time."""

    def __init__(self, in_planes, out_planes, midplanes, stride=1, padding=1):
        super().__init__(nn.Conv3d(in_planes, midplanes, (1, 3, 3), (1, stride, stride), (0, padding, padding), bias=False),
                         nn.BatchNorm3d(midplanes), nn.ReLU(inplace=True),
                         nn.Conv3d(midplanes, out_planes, (3, 1, 1), (stride, 1, 1), (padding, 0, 0), bias=False))

    @staticmethod
    def get_downsample_stride(stride):
        """The strides of the shortcut."""
        return stride, stride, stride


class Conv3DNoTemporal(nn.Conv3d):
    """A 3x3 convolution in the image alone."""

    def __init__(self, in_planes, out_planes, midplanes=None, stride=1, padding=1):
        super().__init__(in_planes, out_planes, (1, 3, 3), (1, stride, stride), (0, padding, padding), bias=False)

    @staticmethod
    def get_downsample_stride(stride):
        """The strides of the shortcut."""
        return 1, stride, stride


def _between(inplanes, planes):
    """The channels between the two convolutions of Conv2Plus1D, by which it has as many weights as a 3x3x3 convolution."""
    return (inplanes * planes * 27) // (inplanes * 9 + 3 * planes)


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inplanes, planes, conv_builder, stride=1, downsample=None):
        super().__init__()
        middle = _between(inplanes, planes)
        self.conv1 = nn.Sequential(conv_builder(inplanes, planes, middle, stride), nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv_builder(planes, planes, middle), nn.BatchNorm3d(planes))
        self.relu, self.downsample, self.stride = nn.ReLU(inplace=True), downsample, stride

    def forward(self, x):
        return self.relu(self.conv2(self.conv1(x)) + (x if self.downsample is None else self.downsample(x)))


class BasicStem(nn.Sequential):
    """A 3x7x7 convolution that halves the image."""

    def __init__(self):
        super().__init__(nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(64), nn.ReLU(inplace=True))


class R2Plus1dStem(nn.Sequential):
    """A 7x7 convolution that halves the image, then one in time."""

    def __init__(self):
        super().__init__(nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False), nn.BatchNorm3d(45), nn.ReLU(inplace=True),
                         nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False), nn.BatchNorm3d(64), nn.ReLU(inplace=True))


class VideoResNet(nn.Module):
    """(N, 3, T, H, W) -> (N, num_classes).

    block, stem: classes;  conv_makers: the class of convolution of each of four stages;  layers: how many blocks each has;  zero_init_residual:
    begin with every block as its shortcut.
    """

    def __init__(self, block, conv_makers, layers, stem, num_classes=400, zero_init_residual=False):
        super().__init__()
        self.inplanes, self.stem = 64, stem()
        for i, (conv, planes, blocks) in enumerate(zip(conv_makers, (64, 128, 256, 512), layers), 1):
            setattr(self, f"layer{i}", self._make_layer(block, conv, planes, blocks, stride=1 if i == 1 else 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool3d((1, 1, 1)), nn.Linear(512 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv3d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm3d):
                nn.init.ones_(m.weight)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
            if isinstance(m, (nn.BatchNorm3d, nn.Linear)):
                nn.init.zeros_(m.bias)
        for m in self.modules() if zero_init_residual else ():
            if isinstance(m, BasicBlock):
                nn.init.zeros_(m.conv2[1].weight)

    def _make_layer(self, block, conv_builder, planes, blocks, stride):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(nn.Conv3d(self.inplanes, planes * block.expansion, 1, conv_builder.get_downsample_stride(stride), bias=False),
                                       nn.BatchNorm3d(planes * block.expansion))
        first = block(self.inplanes, planes, conv_builder, stride, downsample)
        self.inplanes = planes * block.expansion
        return nn.Sequential(first, *[block(self.inplanes, planes, conv_builder) for _ in range(1, blocks)])

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(self.avgpool(x).flatten(1))


def _make(name, convolutions, stem, about):
    def make(**options):
        return VideoResNet(BasicBlock, convolutions, [2, 2, 2, 2], stem, **options)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = about
    return builder(make)


r3d_18 = _make("r3d_18", [Conv3DSimple] * 4, BasicStem, "ResNet with 18 layers of 3x3x3 convolutions.")
mc3_18 = _make("mc3_18", [Conv3DSimple] + [Conv3DNoTemporal] * 3, BasicStem, "ResNet with 18 layers, convolved in time in the first stage only.")
r2plus1d_18 = _make("r2plus1d_18", [Conv2Plus1D] * 4, R2Plus1dStem, "ResNet with 18 layers, convolved in the image and in time by turns.")
