"""The transforms of version 1: each is called with a Pillow image or a tensor (..., C, H, W)."""
from . import _containers, _conversion, _places, _shades
from ._containers import *  # noqa: F403
from ._conversion import *  # noqa: F403
from ._modes import InterpolationMode
from ._places import *  # noqa: F403
from ._shades import *  # noqa: F403

__all__ = ["InterpolationMode", *_containers.__all__, *_conversion.__all__, *_places.__all__, *_shades.__all__]
