"""The initial weights that several of the models share."""
from ... import nn

__all__ = ["as_google_scales", "fill", "fill_truncated"]


def fill(model, linear_std=0.01):
    """He's normal distribution by the outputs for convolutions, ones for normalisation, linear_std for linear layers, zeros for biases."""
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out")
        elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(m.weight)
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, linear_std)
        if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.Linear)) and m.bias is not None:
            nn.init.zeros_(m.bias)


def fill_truncated(model, std):
    """Normal numbers cut at 2 for convolutions and linear layers, of the deviation `stddev` that a layer has, or of std; ones, zeros as `fill`."""
    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(m.weight, mean=0.0, std=float(getattr(m, "stddev", std)), a=-2, b=2)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)


def as_google_scales(x):
    """Images (N, 3, H, W) that were normalised by ImageNet's mean and deviation, scaled to -1..1, for which the Inceptions were trained."""
    deviation, mean = (x.new_tensor(v).reshape(1, 3, 1, 1) for v in ((0.229, 0.224, 0.225), (0.485, 0.456, 0.406)))
    return x * (deviation / 0.5) + (mean - 0.5) / 0.5
