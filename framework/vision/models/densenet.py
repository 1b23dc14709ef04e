"""DenseNet-BC (Huang et al. 2016, arXiv:1608.06993)."""
import re
from collections import OrderedDict

from ... import nn
from ..._functional.joining import cat
from ..._functional.shape import flatten
from ...nn import functional as F
from ...utils.checkpoint import checkpoint
from ._build import builder

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]


class _DenseLayer(nn.Module):
    def __init__(self, num_input_features, growth_rate, bn_size, drop_rate, memory_efficient=False):
        super().__init__()
        inner = bn_size * growth_rate
        self.norm1, self.relu1 = nn.BatchNorm2d(num_input_features), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, inner, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(inner), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(inner, growth_rate, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def _narrow(self, *inputs):
        return self.conv1(self.relu1(self.norm1(cat(inputs, 1))))

    def forward(self, input):
        inputs = list(input) if isinstance(input, (list, tuple)) else [input]
        if self.memory_efficient and any(t.requires_grad for t in inputs):
            narrow = checkpoint(self._narrow, *inputs, use_reentrant=False)
        else:
            narrow = self._narrow(*inputs)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new


class _DenseBlock(nn.ModuleDict):
    _version = 2

    def __init__(self, num_layers, num_input_features, bn_size, growth_rate, drop_rate, memory_efficient=False):
        super().__init__()
        for i in range(num_layers):
            width = num_input_features + i * growth_rate
            self.add_module(f"denselayer{i + 1}", _DenseLayer(width, growth_rate, bn_size, drop_rate, memory_efficient))

    def forward(self, init_features):
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(nn.Sequential):
    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.norm, self.relu = nn.BatchNorm2d(num_input_features), nn.ReLU(inplace=True)
        self.conv, self.pool = nn.Conv2d(num_input_features, num_output_features, 1, bias=False), nn.AvgPool2d(2, 2)


class DenseNet(nn.Module):
    """(N, 3, H, W) -> (N, num_classes).

    growth_rate: features that each layer adds;  block_config: layers in each block;  num_init_features: after the first convolution;
    bn_size: a layer's inner features over growth_rate;  drop_rate: of each layer;  memory_efficient: compute inner features again in backward.
    """

    def __init__(self, growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, bn_size=4, drop_rate=0, num_classes=1000,
                 memory_efficient=False):
        super().__init__()
        width = num_init_features
        self.features = nn.Sequential(OrderedDict(conv0=nn.Conv2d(3, width, 7, 2, 3, bias=False), norm0=nn.BatchNorm2d(width),
                                                  relu0=nn.ReLU(inplace=True), pool0=nn.MaxPool2d(3, 2, 1)))
        for i, layers in enumerate(block_config, 1):
            self.features.add_module(f"denseblock{i}", _DenseBlock(layers, width, bn_size, growth_rate, drop_rate, memory_efficient))
            width += layers * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(width, width // 2))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
            if isinstance(m, (nn.BatchNorm2d, nn.Linear)):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        features = F.relu(self.features(x), inplace=True)
        return self.classifier(flatten(F.adaptive_avg_pool2d(features, (1, 1)), 1))


def _renamed(state_dict):
    """The published files call a layer's parts "norm.1"; modules cannot be called so any more."""
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key): value for key, value in state_dict.items()}


def _make(depth, growth_rate, block_config, num_init_features):
    def make(**options):
        return DenseNet(growth_rate, block_config, num_init_features, **options)
    make.__name__ = make.__qualname__ = f"densenet{depth}"
    make.__doc__ = f"DenseNet with {depth} layers."
    return builder(make, _renamed)


densenet121 = _make(121, 32, (6, 12, 24, 16), 64)
densenet161 = _make(161, 48, (6, 12, 36, 24), 96)
densenet169 = _make(169, 32, (6, 12, 32, 32), 64)
densenet201 = _make(201, 32, (6, 12, 48, 32), 64)
