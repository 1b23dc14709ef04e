"""Networks for images, written from their papers, with torchvision's names, arguments and state dict keys."""
from . import _weights, alexnet, densenet, mobilenetv2, resnet, vgg, vision_transformer
from ._build import get_model, get_model_builder, get_model_weights, get_weight, list_models
from ._weights import Weights, WeightsEnum

_FILES = (alexnet, vgg, resnet, densenet, mobilenetv2, vision_transformer)
globals().update({name: getattr(file, name) for file in (*_FILES, _weights) for name in file.__all__})

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models",
           *(name for file in _FILES for name in file.__all__), *(name for name in _weights.__all__ if name.endswith("_Weights"))]
