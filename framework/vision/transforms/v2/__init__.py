"""Version 2 of the transforms: whole samples, any nesting of images, videos, boxes, masks and other things, changed together."""
from .._modes import InterpolationMode
from ..autoaugment import AutoAugmentPolicy
from . import _autoaugment, _containers, _detection, _mixing, _places, _regions, _shades, _types, functional
from ._autoaugment import *  # noqa: F403
from ._containers import *  # noqa: F403
from ._detection import *  # noqa: F403
from ._inputs import check_type, get_bounding_boxes, get_keypoints, has_all, has_any, query_chw, query_size
from ._mixing import *  # noqa: F403
from ._places import *  # noqa: F403
from ._regions import *  # noqa: F403
from ._shades import *  # noqa: F403
from ._transform import Transform
from ._types import *  # noqa: F403

__all__ = ["AutoAugmentPolicy", "InterpolationMode", "Transform", "check_type", "functional", "get_bounding_boxes", "get_keypoints", "has_all",
           "has_any", "query_chw", "query_size", *_autoaugment.__all__, *_containers.__all__, *_detection.__all__, *_mixing.__all__,
           *_places.__all__, *_regions.__all__, *_shades.__all__, *_types.__all__]
