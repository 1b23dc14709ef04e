"""Tensors that say what they are of: images, videos, masks, boxes and key points.  The transforms of version 2 treat each in its own way.

Operations on them return plain Tensors, save `clone`, `to`, `detach`, `requires_grad_` and `pin_memory`.  Inside of
`set_return_type("TVTensor")` methods and operators return the class of the tensor they were called on; functions of `ringgrad` do not.
"""
import enum

import PIL.Image

from .._core.tensor import Tensor
from .._functional.creation import as_tensor
from ._pixels import tensor_of

__all__ = ["BoundingBoxFormat", "BoundingBoxes", "Image", "KeyPoints", "Mask", "TVTensor", "Video", "set_return_type", "wrap"]

_keeps_class = False


class set_return_type:  # noqa: N801 - torchvision's name
    """What methods of a TVTensor return from now on, or inside of a `with` block: "Tensor" (the default) or "TVTensor".

    ValueError for anything else.
    """

    def __init__(self, return_type):
        global _keeps_class
        self._before = _keeps_class
        if return_type.lower() not in ("tensor", "tvtensor"):
            raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
        _keeps_class = return_type.lower() == "tvtensor"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        global _keeps_class
        _keeps_class = self._before


class TVTensor(Tensor):
    """Base class."""

    @staticmethod
    def _tensor(data, dtype, device, requires_grad):
        data = tensor_of(data) if isinstance(data, PIL.Image.Image) else data
        wanted = isinstance(data, Tensor) and data.requires_grad if requires_grad is None else requires_grad
        out = as_tensor(data, dtype=dtype, device=device)
        return out.detach().requires_grad_() if wanted and not out.requires_grad else out

    def __new__(cls, data, *, dtype=None, device=None, requires_grad=None):
        return cls._tensor(data, dtype, device, requires_grad).as_subclass(cls)

    def __init__(self, *args, **kwargs):
        pass

    @classmethod
    def wrap(cls, tensor, like, **kwargs):
        """`tensor` as one of this class, with what else `like` says."""
        return tensor.as_subclass(cls)

    def _told(self, **facts):
        return f"{super().__repr__()[:-1]}, {', '.join(f'{k}={v}' for k, v in facts.items())})"

    def __deepcopy__(self, memo):
        return self.detach().clone().requires_grad_(self.requires_grad)


class Image(TVTensor):
    """An image (..., C, H, W); one of (H, W) gets a channel.  data: a tensor, a Pillow image, or what makes a tensor."""

    def __new__(cls, data, *, dtype=None, device=None, requires_grad=None):
        tensor = cls._tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 2:
            raise ValueError(f"Tensor must be 2D or higher, got {tensor.ndim}D tensor.")
        return (tensor.unsqueeze(0) if tensor.ndim == 2 else tensor).as_subclass(cls)

    def __repr__(self):
        return self._told()


class Video(TVTensor):
    """A video (..., T, C, H, W)."""

    def __new__(cls, data, *, dtype=None, device=None, requires_grad=None):
        tensor = cls._tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 4:
            raise ValueError(f"A video has 4 dimensions (T, C, H, W) or more, got a tensor of {tensor.ndim}")
        return tensor.as_subclass(cls)

    def __repr__(self):
        return self._told()


class Mask(TVTensor):
    """Masks (..., H, W) of an image: of segmentation, or one for each object (N, H, W)."""


class BoundingBoxFormat(enum.Enum):
    """What the four numbers of a box are: two corners, a corner and the size, or the centre and the size."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"


def format_of(format):
    """A BoundingBoxFormat from one or from its name.  KeyError for a name that is not there."""
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


class BoundingBoxes(TVTensor):
    """Boxes (N, 4) in an image of canvas_size (height, width); one box (4) becomes (1, 4).

    format: a BoundingBoxFormat or its name;  clamping_mode: "soft", "hard", or None for boxes that transforms do not cut at the edge.
    """

    def __new__(cls, data, *, format, canvas_size, clamping_mode="soft", dtype=None, device=None, requires_grad=None):
        tensor = cls._tensor(data, dtype, device, requires_grad)
        if tensor.ndim not in (1, 2):
            raise ValueError(f"Expected a 1D or 2D tensor, got {tensor.ndim}D")
        return cls._boxes(tensor.unsqueeze(0) if tensor.ndim == 1 else tensor, format, canvas_size, clamping_mode)

    @classmethod
    def _boxes(cls, tensor, format, canvas_size, clamping_mode):
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be None, hard or soft, got {clamping_mode}.")
        boxes = tensor.as_subclass(cls)
        boxes.format, boxes.canvas_size, boxes.clamping_mode = format_of(format), canvas_size, clamping_mode
        return boxes

    @classmethod
    def wrap(cls, tensor, like, **kwargs):
        """`tensor` as boxes of the format, canvas_size and clamping_mode of `like`, save those that are given."""
        return cls._boxes(tensor, *(kwargs.get(name, getattr(like, name)) for name in ("format", "canvas_size", "clamping_mode")))

    def __repr__(self):
        return self._told(format=self.format, canvas_size=self.canvas_size, clamping_mode=self.clamping_mode)


class KeyPoints(TVTensor):
    """Points (..., 2) of (x, y) in an image of canvas_size (height, width); one point (2) becomes (1, 2)."""

    def __new__(cls, data, *, canvas_size, dtype=None, device=None, requires_grad=None):
        tensor = cls._tensor(data, dtype, device, requires_grad)
        if tensor.ndim != 1 and tensor.shape[-1:] != (2,):
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tensor.shape}")
        return cls._points(tensor.unsqueeze(0) if tensor.ndim == 1 else tensor, canvas_size)

    @classmethod
    def _points(cls, tensor, canvas_size):
        points = tensor.as_subclass(cls)
        points.canvas_size = canvas_size
        return points

    @classmethod
    def wrap(cls, tensor, like, **kwargs):
        """`tensor` as points in an image of the canvas_size of `like`, unless one is given."""
        return cls._points(tensor, kwargs.get("canvas_size", like.canvas_size))

    def __repr__(self):
        return self._told(canvas_size=self.canvas_size)


def wrap(wrappee, *, like, **kwargs):
    """A plain tensor as the class of `like`.  kwargs: for boxes and points, what differs: format, canvas_size, ..."""
    return type(like).wrap(wrappee, like, **kwargs)


_ALWAYS = ("clone", "to", "detach", "requires_grad_", "pin_memory")
_NEVER = ("as_subclass", "register_hook", "register_post_accumulate_grad_hook", "backward", "set_")
_TWO_SIDED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
_OPERATORS = [f"__{side}{name}__" for side in ("", "r") for name in _TWO_SIDED]
_OPERATORS += [f"__{name}__" for name in ("neg", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge", "getitem")]


def _again(out, like):
    if isinstance(out, Tensor):
        return out if isinstance(out, type(like)) else wrap(out, like=like)
    return type(out)(_again(part, like) for part in out) if type(out) in (tuple, list) else out


def _method(name):
    plain, always = getattr(Tensor, name), name in _ALWAYS

    def call(self, *args, **kwargs):
        out = plain(self, *args, **kwargs)
        return _again(out, self) if always or _keeps_class else out

    call.__name__, call.__doc__ = name, plain.__doc__
    return call


for _name in [*_OPERATORS, *(n for n in dir(Tensor) if not n.startswith("_") and n not in _NEVER)]:
    if callable(getattr(Tensor, _name, None)):
        setattr(TVTensor, _name, _method(_name))
setattr(TVTensor, "__hash__", Tensor.__hash__)  # noqa: B010 - a class that defines __eq__ loses it
