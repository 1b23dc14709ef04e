"""Networks for images, written from their papers, with torchvision's names, arguments and state dict keys."""
from . import _utils as _utils  # programs reach it as torchvision.models._utils
from . import (
    alexnet,
    convnext,
    densenet,
    detection,
    efficientnet,
    feature_extraction,
    googlenet,
    inception,
    mnasnet,
    mobilenetv2,
    mobilenetv3,
    regnet,
    resnet,
    segmentation,
    shufflenetv2,
    squeezenet,
    swin_transformer,
    vgg,
    video,
    vision_transformer,
)
from ._build import get_model, get_model_builder, get_model_weights, get_weight, list_models
from ._weights import Weights, WeightsEnum

_FILES = (alexnet, convnext, densenet, efficientnet, googlenet, inception, mnasnet, mobilenetv2, mobilenetv3, regnet, resnet, shufflenetv2,
          squeezenet, swin_transformer, vgg, vision_transformer)
_NAMES = {name: getattr(file, name) for file in _FILES for name in file.__all__}
_WEIGHTS = {f.weights.__name__: f.weights for f in _NAMES.values() if hasattr(f, "weights")}
globals().update(_NAMES, **_WEIGHTS)

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models", "detection",
           "feature_extraction", "segmentation", "video", *_NAMES, *_WEIGHTS]
