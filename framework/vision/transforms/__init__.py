"""Changes of images, with and without chance, in torchvision's words."""
import importlib

from . import autoaugment, functional, transforms
from ._containers import RandomTransforms  # noqa: F401 - torchvision has it in the module only
from .autoaugment import *  # noqa: F403
from .transforms import *  # noqa: F403

__all__ = ["functional", *transforms.__all__, *autoaugment.__all__]


def __getattr__(name):
    if name == "v2":
        return importlib.import_module(f"{__name__}.v2")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
