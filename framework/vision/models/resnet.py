"""ResNet (He et al. 2015, arXiv:1512.03385), ResNeXt (Xie et al. 2016, arXiv:1611.05431), Wide ResNet (Zagoruyko and Komodakis 2016,
arXiv:1605.07146).

The stride of a Bottleneck stands at its 3x3 convolution, which is known as ResNet v1.5.
"""
from ... import nn
from ..._functional.shape import flatten
from ._build import builder

__all__ = ["ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d",
           "wide_resnet50_2", "wide_resnet101_2"]


def conv3x3(in_planes, out_planes, stride=1, groups=1, dilation=1):
    """A 3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(in_planes, out_planes, stride=1):
    """A 1x1 convolution."""
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1, norm_layer=None):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1, self.bn1, self.relu = conv3x3(inplanes, planes, stride), norm_layer(planes), nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv3x3(planes, planes), norm_layer(planes)
        self.downsample, self.stride = downsample, stride

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 ones, beside a shortcut."""

    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1, norm_layer=None):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1, self.bn1 = conv1x1(inplanes, width), norm_layer(width)
        self.conv2, self.bn2 = conv3x3(width, width, stride, groups, dilation), norm_layer(width)
        self.conv3, self.bn3 = conv1x1(width, planes * self.expansion), norm_layer(planes * self.expansion)
        self.relu, self.downsample, self.stride = nn.ReLU(inplace=True), downsample, stride

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    block: BasicBlock or Bottleneck;  layers: how many of them in each of four stages;  zero_init_residual: begin with every block as its
    shortcut;  groups, width_per_group: of the 3x3 convolutions;  replace_stride_with_dilation: for each of the last three stages.
    """

    def __init__(self, block, layers, num_classes=1000, zero_init_residual=False, groups=1, width_per_group=64, replace_stride_with_dilation=None,
                 norm_layer=None):
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = 64, 1, groups, width_per_group
        dilate = (False, False, False) if replace_stride_with_dilation is None else replace_stride_with_dilation
        if len(dilate) != 3:
            raise ValueError(f"replace_stride_with_dilation should be None or a 3-element tuple, got {replace_stride_with_dilation}")
        self.conv1 = nn.Conv2d(3, self.inplanes, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = self._norm_layer(self.inplanes), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(512 * block.expansion, num_classes)
        self._init_weights(zero_init_residual)

    def _init_weights(self, zero_init_residual):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
        for m in self.modules() if zero_init_residual else ():
            last = m.bn3 if isinstance(m, Bottleneck) else m.bn2 if isinstance(m, BasicBlock) else None
            if last is not None and last.weight is not None:
                nn.init.zeros_(last.weight)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        before, downsample = self.dilation, None
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(conv1x1(self.inplanes, planes * block.expansion, stride), self._norm_layer(planes * block.expansion))
        common = {"groups": self.groups, "base_width": self.base_width, "norm_layer": self._norm_layer}
        first = block(self.inplanes, planes, stride, downsample, dilation=before, **common)
        self.inplanes = planes * block.expansion
        return nn.Sequential(first, *[block(self.inplanes, planes, dilation=self.dilation, **common) for _ in range(1, blocks)])

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(flatten(self.avgpool(x), 1))


def _make(name, block, layers, about, **fixed):
    def make(**options):
        for key, value in fixed.items():
            if options.get(key, value) != value:
                raise ValueError(f"The parameter '{key}' expected value {value} but got {options[key]} instead.")
        return ResNet(block, layers, **{**options, **fixed})
    make.__name__ = make.__qualname__ = name
    make.__doc__ = about
    return builder(make)


_50, _101 = [3, 4, 6, 3], [3, 4, 23, 3]
resnet18 = _make("resnet18", BasicBlock, [2, 2, 2, 2], "ResNet with 18 layers.")
resnet34 = _make("resnet34", BasicBlock, _50, "ResNet with 34 layers.")
resnet50 = _make("resnet50", Bottleneck, _50, "ResNet with 50 layers.")
resnet101 = _make("resnet101", Bottleneck, _101, "ResNet with 101 layers.")
resnet152 = _make("resnet152", Bottleneck, [3, 8, 36, 3], "ResNet with 152 layers.")
resnext50_32x4d = _make("resnext50_32x4d", Bottleneck, _50, "ResNeXt with 50 layers, 32 groups of width 4.", groups=32, width_per_group=4)
resnext101_32x8d = _make("resnext101_32x8d", Bottleneck, _101, "ResNeXt with 101 layers, 32 groups of width 8.", groups=32, width_per_group=8)
resnext101_64x4d = _make("resnext101_64x4d", Bottleneck, _101, "ResNeXt with 101 layers, 64 groups of width 4.", groups=64, width_per_group=4)
wide_resnet50_2 = _make("wide_resnet50_2", Bottleneck, _50, "ResNet with 50 layers, twice as wide inside its blocks.", width_per_group=128)
wide_resnet101_2 = _make("wide_resnet101_2", Bottleneck, _101, "ResNet with 101 layers, twice as wide inside its blocks.", width_per_group=128)
