"""Published weights of the models, by name: where they are, and how an image has to be prepared for them.

The files are torchvision's; `ringgrad.hub` fetches them, or takes them from its folder when they are there.
"""
import enum
import functools
import importlib
import os
from collections import defaultdict
from dataclasses import dataclass, field

from ...hub import load_state_dict_from_url
from ._weights_table import TABLE

__all__ = ["Weights", "WeightsEnum", "weights_of"]

_HOST = "https://download.pytorch.org/models/"
_WAYS = {"bicubic": {"interpolation": "bicubic"}, "half": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
         "bytes": {"mean": (0.48235, 0.45882, 0.40784), "std": (1 / 255, 1 / 255, 1 / 255)}}  # half: to -1..1;  bytes: only the mean is taken off
_KINDS = {"segmentation": ("SemanticSegmentation", {"resize_size": 520}, "voc"), "detection": ("ObjectDetection", {}, "coco"),
          "video": ("VideoClassification", {"crop_size": (112, 112), "resize_size": (128, 171)}, "kinetics")}


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
        """What else is known of them: min_size, categories (the names of the classes)."""
        return self.value.meta


def _prepare(kind, **options):
    return getattr(importlib.import_module("..transforms._presets", __package__), kind)(**options)


@functools.cache
def _names(kind):
    """The words of categories/<kind>.txt, one a line."""
    with open(os.path.join(os.path.dirname(__file__), "categories", f"{kind}.txt"), encoding="utf-8") as file:
        return file.read().splitlines()


def _entry(model, least, stem, how, *ways):
    """One set of weights, given a line of the table."""
    meta = {"min_size": (int(least), int(least))}
    if how in _KINDS:
        preset, options, names = _KINDS[how]
        names = "person" if model.startswith("Keypoint") else names
    else:
        crop, resize = (int(size) for size in how.split("/"))
        preset, options, names = "ImageClassification", {"crop_size": crop, "resize_size": resize}, "imagenet"
        for way in ways:
            options = {**options, **_WAYS[way]}
    if names == "person":
        meta["keypoint_names"] = _names("keypoints")
    meta["categories"] = None if "features" in stem else _names(names)
    return Weights(f"{_HOST}{stem}.pth", functools.partial(_prepare, preset, **options), meta)


def _make(model, rows):
    members = {name: _entry(model, least, *rest) for least, name, *rest in rows}
    plain = [name for name in members if name.endswith(("_V1", "_V2")) and "SWAG" not in name]
    return WeightsEnum(f"{model}_Weights", {**members, "DEFAULT": members[plain[-1] if plain else next(iter(members))]}, module=__name__)


def _read():
    models = defaultdict(list)
    for line in TABLE.split("\n"):
        name, *row = line.split() or [None]
        if name is not None:
            last = last if name == '"' else name  # noqa: F821 - the first line has a name
            models[last].append(row)
    return {model: _make(model, rows) for model, rows in models.items()}


_ENUMERATIONS = _read()
globals().update({e.__name__: e for e in _ENUMERATIONS.values()})


_BY_BUILDER = {model.lower(): e for model, e in _ENUMERATIONS.items()}


def weights_of(builder):
    """The enumeration of the weights of a model, given the name of the function that builds it."""
    return _BY_BUILDER[builder]
