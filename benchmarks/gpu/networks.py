"""Networks of the GPU checks and measurements beside those of benchmarks.models, written once for either library."""
from ..models import char_gpt


def resnet20(lib, width=16, blocks=3):
    """ResNet-20 for images of 32 x 32 (He et al. 2016, arXiv:1512.03385, section 4.2, with 1x1 convolutions where sizes change)."""
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
            self.conv2, self.bn2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside)
            same = stride == 1 and inside == outside
            self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)))
            return F.relu(self.bn2(self.conv2(y)) + self.short(x))

    layers, inside = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()], width
    for stage in range(3):
        for block in range(blocks):
            outside = width << stage
            layers.append(Block(inside, outside, 2 if stage and not block else 1))
            inside = outside
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 10))


def resnet50(lib, classes=1000, width=64, blocks=(3, 4, 6, 3)):
    """ResNet-50 for images of 224 x 224 (He et al. 2016, table 1), with the stride in the 3 x 3 convolution: (N, 3, 224, 224) -> (N, classes)."""
    nn, F = lib.nn, lib.nn.functional

    def normed(inside, outside, kernel, stride=1):
        return nn.Sequential(nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside))

    class Bottleneck(nn.Module):
        def __init__(self, inside, middle, stride):
            super().__init__()
            self.down, self.mix, self.up = normed(inside, middle, 1), normed(middle, middle, 3, stride), normed(middle, 4 * middle, 1)
            self.short = nn.Identity() if stride == 1 and inside == 4 * middle else normed(inside, 4 * middle, 1, stride)

        def forward(self, x):
            return F.relu(self.up(F.relu(self.mix(F.relu(self.down(x))))) + self.short(x))

    layers, inside = [normed(3, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], width
    for stage, count in enumerate(blocks):
        for block in range(count):
            layers.append(Bottleneck(inside, width << stage, 2 if stage and not block else 1))
            inside = 4 * (width << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, classes))


def gpt2(lib, layers=12, heads=12, width=768, context=1024, batch=12, vocabulary=50304):
    """GPT-2 124M (Radford et al. 2019) without biases in its linear layers, the token table shared with the output: (model, batch)."""
    model, data = char_gpt(lib, layers, heads, width, context, batch, vocabulary)
    model.head.weight = model.token.weight
    with lib.no_grad():
        model.token.weight.normal_(std=0.02)
    return model, data


def flops_of_gpt(parameters, layers, width, tokens, context=1024):
    """Of a training step: 6 for each parameter and token, and the two products of attention (Chowdhery et al. 2022, arXiv:2204.02311, appendix B)."""
    return tokens * (6 * parameters + 12 * layers * width * context)
