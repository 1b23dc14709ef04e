"""Networks below detectors: ResNets and MobileNets with a pyramid of features on them."""
import warnings

from .... import nn
from ...ops.feature_pyramid import FeaturePyramidNetwork, LastLevelMaxPool
from ...ops.misc import FrozenBatchNorm2d
from .._build import get_model_builder
from .._utils import IntermediateLayerGetter

__all__ = ["BackboneWithFPN", "mobilenet_backbone", "resnet_fpn_backbone"]

_CHANNELS = 256


class BackboneWithFPN(nn.Module):
    """(N, 3, H, W) -> an OrderedDict of features with out_channels each.

    return_layers: {name of a part of the network: name of its features};  in_channels_list: their channels;  extra_blocks: adds levels, by default
    one by pooling, called "pool";  norm_layer: in the pyramid.
    """

    def __init__(self, backbone, return_layers, in_channels_list, out_channels, extra_blocks=None, norm_layer=None):
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers)
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels, extra_blocks or LastLevelMaxPool(), norm_layer)
        self.out_channels = out_channels

    def forward(self, x):
        return self.fpn(self.body(x))


def _freeze(parameters):
    for p in parameters:
        p.requires_grad_(False)


def resnet_fpn_backbone(backbone_name, weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3, returned_layers=None, extra_blocks=None,
                        **old):
    """A ResNet with a pyramid.

    trainable_layers: how many of its five stages, from the last, keep learning;  returned_layers: which of 1 to 4 give features, all by default;
    extra_blocks: adds levels to the pyramid.
    """
    return _resnet_fpn_extractor(get_model_builder(backbone_name)(norm_layer=norm_layer, **_said(weights, old)), trainable_layers, returned_layers,
                                 extra_blocks)


def _said(weights, old):
    """The arguments that choose weights; the old `pretrained` may come in their place."""
    unknown = set(old) - {"pretrained"}
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {unknown.pop()!r}")
    return old if old else {"pretrained": weights} if isinstance(weights, bool) else {"weights": weights}


def _resnet_fpn_extractor(backbone, trainable_layers, returned_layers=None, extra_blocks=None, norm_layer=None):
    if not 0 <= trainable_layers <= 5:
        raise ValueError(f"Trainable layers should be in the range [0,5], got {trainable_layers}")
    learning = ("layer4", "layer3", "layer2", "layer1", "conv1")[:trainable_layers] + (("bn1",) if trainable_layers == 5 else ())
    _freeze(p for name, p in backbone.named_parameters() if not name.startswith(learning))
    returned = [1, 2, 3, 4] if returned_layers is None else returned_layers
    if min(returned) <= 0 or max(returned) >= 5:
        raise ValueError(f"Each returned layer should be in the range [1,4]. Got {returned}")
    channels = [backbone.inplanes // 8 * 2 ** (k - 1) for k in returned]
    return BackboneWithFPN(backbone, {f"layer{k}": str(i) for i, k in enumerate(returned)}, channels, _CHANNELS, extra_blocks, norm_layer)


def _validate_trainable_layers(is_trained, trainable_backbone_layers, max_value, default_value):
    """How many stages learn: all of them in a network without published weights."""
    if not is_trained:
        if trainable_backbone_layers is not None:
            warnings.warn("Changing trainable_backbone_layers has no effect if neither pretrained nor pretrained_backbone have been set to True, "
                          f"falling back to trainable_backbone_layers={max_value} so that all layers are trainable", UserWarning, stacklevel=4)
        return max_value
    layers = default_value if trainable_backbone_layers is None else trainable_backbone_layers
    if not 0 <= layers <= max_value:
        raise ValueError(f"Trainable backbone layers should be in the range [0,{max_value}], got {layers} ")
    return layers


def mobilenet_backbone(backbone_name, fpn, weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=2, returned_layers=None, extra_blocks=None,
                       **old):
    """A MobileNet, with a pyramid if fpn.  The others as in `resnet_fpn_backbone`, by the stages between which the resolution changes."""
    backbone = get_model_builder(backbone_name)(norm_layer=norm_layer, **_said(weights, old))
    return _mobilenet_extractor(backbone, fpn, trainable_layers, returned_layers, extra_blocks)


def stages_of(features):
    """The numbers of the parts with which a resolution begins, and of the last part."""
    return [0, *(i for i, part in enumerate(features) if getattr(part, "_is_cn", False)), len(features) - 1]


def freeze_stages(features, stages, trainable_layers):
    """Stop all but the last trainable_layers of the stages from learning.  ValueError for more than there are."""
    if not 0 <= trainable_layers <= len(stages):
        raise ValueError(f"Trainable layers should be in the range [0,{len(stages)}], got {trainable_layers} ")
    before = stages[len(stages) - trainable_layers] if trainable_layers else len(features)
    _freeze(p for part in features[:before] for p in part.parameters())


def _mobilenet_extractor(backbone, fpn, trainable_layers, returned_layers=None, extra_blocks=None, norm_layer=None):
    features = backbone.features
    stages = stages_of(features)
    freeze_stages(features, stages, trainable_layers)
    if not fpn:
        out = nn.Sequential(features, nn.Conv2d(features[-1].out_channels, _CHANNELS, 1))
        out.out_channels = _CHANNELS
        return out
    returned = [len(stages) - 2, len(stages) - 1] if returned_layers is None else returned_layers
    if min(returned) < 0 or max(returned) >= len(stages):
        raise ValueError(f"Each returned layer should be in the range [0,{len(stages) - 1}], got {returned} ")
    channels = [features[stages[k]].out_channels for k in returned]
    return BackboneWithFPN(features, {str(stages[k]): str(i) for i, k in enumerate(returned)}, channels, _CHANNELS, extra_blocks, norm_layer)
