"""Published weights of the models, by name: where they are, and how an image has to be prepared for them.

The files are torchvision's; `ringgrad.hub` fetches them, or takes them from its folder when they are there.
"""
import enum
import functools
import importlib
from dataclasses import dataclass, field

from ...hub import load_state_dict_from_url

__all__ = ["Weights", "WeightsEnum", "weights_of"]

_HOST = "https://download.pytorch.org/models/"
_FILES = {  # model: file of version 1, of version 2 where there is one
    "AlexNet": ["alexnet-owt-7be5be79"],
    "VGG11": ["vgg11-8a719046"], "VGG11_BN": ["vgg11_bn-6002323d"], "VGG13": ["vgg13-19584684"], "VGG13_BN": ["vgg13_bn-abd245e5"],
    "VGG16": ["vgg16-397923af"], "VGG16_BN": ["vgg16_bn-6c64b313"], "VGG19": ["vgg19-dcbb9e9d"], "VGG19_BN": ["vgg19_bn-c79401a0"],
    "ResNet18": ["resnet18-f37072fd"], "ResNet34": ["resnet34-b627a593"], "ResNet50": ["resnet50-0676ba61", "resnet50-11ad3fa6"],
    "ResNet101": ["resnet101-63fe2227", "resnet101-cd907fc2"], "ResNet152": ["resnet152-394f9c45", "resnet152-f82ba261"],
    "ResNeXt50_32X4D": ["resnext50_32x4d-7cdf4587", "resnext50_32x4d-1a0047aa"],
    "ResNeXt101_32X8D": ["resnext101_32x8d-8ba56ff5", "resnext101_32x8d-110c445d"], "ResNeXt101_64X4D": ["resnext101_64x4d-173b62eb"],
    "Wide_ResNet50_2": ["wide_resnet50_2-95faca4d", "wide_resnet50_2-9ba9bcbe"],
    "Wide_ResNet101_2": ["wide_resnet101_2-32ee1156", "wide_resnet101_2-d733dc28"],
    "DenseNet121": ["densenet121-a639ec97"], "DenseNet161": ["densenet161-8d451a50"], "DenseNet169": ["densenet169-b2777c0a"],
    "DenseNet201": ["densenet201-c1103571"],
    "MobileNet_V2": ["mobilenet_v2-b0353104", "mobilenet_v2-7ebf99e0"],
    "ViT_B_16": ["vit_b_16-c867db91"], "ViT_B_32": ["vit_b_32-d86f8d99"], "ViT_L_16": ["vit_l_16-852ce7e3"], "ViT_L_32": ["vit_l_32-c7638314"],
    "ViT_H_14": [],
}
_FURTHER = {  # model: {name: (file, size of the image)}
    "VGG16": {"IMAGENET1K_FEATURES": ("vgg16_features-amdegroot-88682ab5", 224)},
    "ViT_B_16": {"IMAGENET1K_SWAG_E2E_V1": ("vit_b_16_swag-9ac1b537", 384), "IMAGENET1K_SWAG_LINEAR_V1": ("vit_b_16_lc_swag-4e70ced5", 224)},
    "ViT_L_16": {"IMAGENET1K_SWAG_E2E_V1": ("vit_l_16_swag-4f3808c9", 512), "IMAGENET1K_SWAG_LINEAR_V1": ("vit_l_16_lc_swag-4d563306", 224)},
    "ViT_H_14": {"IMAGENET1K_SWAG_E2E_V1": ("vit_h_14_swag-80465313", 518), "IMAGENET1K_SWAG_LINEAR_V1": ("vit_h_14_lc_swag-c1eb923e", 224)},
}


@dataclass(frozen=True, eq=True)
class Weights:
    """url: of the file;  transforms: makes the function that prepares an image;  meta: what else is known of them."""

    url: str
    transforms: object = field(compare=False)
    meta: dict = field(compare=False)


class WeightsEnum(enum.Enum):
    """Base class of the enumerations of a model's weights."""

    @classmethod
    def verify(cls, obj):
        """A member of this enumeration from a member or its name; None stays None.  TypeError for a member of another, KeyError for a name
        that is not there."""
        if isinstance(obj, str):
            return cls[obj.replace(f"{cls.__name__}.", "")]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(f"Invalid Weight class provided; expected {cls.__name__} but received {type(obj).__name__}.")
        return obj

    def get_state_dict(self, *args, **kwargs):
        """The state dict: from the hub's folder, or fetched."""
        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self):
        return f"{type(self).__name__}.{self._name_}"

    @property
    def url(self):
        """Where the file is."""
        return self.value.url

    @property
    def transforms(self):
        """Makes the function that prepares an image."""
        return self.value.transforms

    @property
    def meta(self):
        """What else is known of them: num_classes, min_size."""
        return self.value.meta


def _prepare(**options):
    presets = importlib.import_module("..transforms._presets", __package__)
    return presets.ImageClassification(**options)


def _entry(stem, crop=224, resize=256, least=1):
    swag = "swag" in stem
    options = {"crop_size": crop, "resize_size": crop if swag else resize, **({"interpolation": "bicubic"} if swag else {})}
    return Weights(f"{_HOST}{stem}.pth", functools.partial(_prepare, **options), {"num_classes": 1000, "min_size": (least, least)})


def _make(model):
    vit = model.startswith("ViT")
    members = {f"IMAGENET1K_V{i}": _entry(stem, resize=232 if i == 2 else 256, least=224 if vit else 1) for i, stem in enumerate(_FILES[model], 1)}
    members.update({name: _entry(stem, size, size, size if vit else 1) for name, (stem, size) in _FURTHER.get(model, {}).items()})
    default = f"IMAGENET1K_V{len(_FILES[model])}" if _FILES[model] else next(iter(members))
    return WeightsEnum(f"{model}_Weights", {**members, "DEFAULT": members[default]}, module=__name__)


_ENUMERATIONS = {model: _make(model) for model in _FILES}
globals().update({e.__name__: e for e in _ENUMERATIONS.values()})
__all__ += [e.__name__ for e in _ENUMERATIONS.values()]


def weights_of(builder):
    """The enumeration of the weights of a model, given the name of the function that builds it."""
    plain = builder.replace("_", "").lower()
    return next(e for model, e in _ENUMERATIONS.items() if model.replace("_", "").lower() == plain)
