"""The base classes: a transform is called with a sample, any nesting of images, boxes, masks, labels and other things."""
import enum
from typing import Any

import PIL.Image

from ...._core.tensor import Tensor
from ....func._tree import flatten, unflatten
from ....nn import Module
from ... import tv_tensors
from .. import _draws
from ._inputs import check_type, has_any
from .functional import is_pure_tensor
from .functional._dispatch import kernel_of

_SHOWN = (bool, int, float, str, tuple, list, enum.Enum)


class Transform(Module):
    """Base class.  A subclass defines `transform(inpt, params)`, and `make_params(flat_inputs)` where it draws.

    Only inputs of `_transformed_types` are changed.  Of plain tensors the first one is, and only in a sample without any Image, Video or
    Pillow image.
    """

    _transformed_types: tuple[Any, ...] = (Tensor, PIL.Image.Image)
    _v1_transform_cls: Any = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if hasattr(cls._v1_transform_cls, "get_params"):
            cls.get_params = staticmethod(cls._v1_transform_cls.get_params)

    def check_inputs(self, flat_inputs):
        """Raises when the sample is not for this transform."""

    def make_params(self, flat_inputs):
        """What is drawn once for the whole sample: a dictionary."""
        return {}

    def _call_kernel(self, functional, inpt, *args, **kwargs):
        return kernel_of(functional, type(inpt), passing=True)(inpt, *args, **kwargs)

    def transform(self, inpt, params):
        """One input, changed."""
        raise NotImplementedError

    def forward(self, *inputs):
        """The sample, changed; several arguments come back as a tuple."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = flatten(sample)
        self.check_inputs(flat)
        return self._changed(sample, flat, spec)

    def _changed(self, sample, flat, spec):
        needed = self._needs_transform_list(flat)
        params = self.make_params([x for x, n in zip(flat, needed) if n])
        return unflatten([self.transform(x, params) if n else x for x, n in zip(flat, needed)], spec)

    def _needs_transform_list(self, flat_inputs):
        plain_too = not has_any(flat_inputs, tv_tensors.Image, tv_tensors.Video, PIL.Image.Image)
        needed = []
        for x in flat_inputs:
            need = check_type(x, self._transformed_types)
            if need and is_pure_tensor(x):
                need, plain_too = plain_too, False
            needed.append(need)
        return needed

    def extra_repr(self):
        return ", ".join(f"{name}={value}" for name, value in self.__dict__.items()
                         if not name.startswith("_") and name != "training" and isinstance(value, _SHOWN))


class RandomApplyTransform(Transform):
    """Base class of those that change a sample with probability p.  ValueError unless p is from 0 to 1."""

    def __init__(self, p=0.5):
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        super().__init__()
        self.p = p

    def _changed(self, sample, flat, spec):
        return super()._changed(sample, flat, spec) if _draws.chance(self.p) else sample
