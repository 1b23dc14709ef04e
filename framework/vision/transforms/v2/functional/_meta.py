"""Sizes, and what becomes what."""
import warnings

import numpy as np
import PIL.Image

from ....._core.tensor import Tensor, wrap
from ....._dtypes import float32
from ....._functional.creation import linspace
from .... import tv_tensors
from ... import _colors
from ... import functional as v1

_IMAGES = (tv_tensors.Image, tv_tensors.Video, PIL.Image.Image)


def _require(inpt, name, *kinds):
    plain = isinstance(inpt, Tensor) and not isinstance(inpt, tv_tensors.TVTensor)
    if not plain and not isinstance(inpt, kinds):
        raise TypeError(f"Functional F.{name} supports inputs of type {(Tensor, *kinds)}, but got {type(inpt)} instead.")


def get_dimensions(inpt):
    """[channels, height, width] of an image or video."""
    _require(inpt, "get_dimensions", *_IMAGES)
    return v1.get_dimensions(inpt)


def get_num_channels(inpt):
    """The number of channels of an image or video."""
    _require(inpt, "get_num_channels", *_IMAGES)
    return v1.get_dimensions(inpt)[0]


def get_size(inpt):
    """[height, width] of an image, video or mask, or of the image that boxes or key points are in."""
    if isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)):
        return list(inpt.canvas_size)
    _require(inpt, "get_size", *_IMAGES, tv_tensors.Mask)
    return v1.get_dimensions(inpt)[1:]


def get_num_frames(inpt):
    """The number of images in a video (..., T, C, H, W)."""
    _require(inpt, "get_num_frames", tv_tensors.Video)
    return inpt.shape[-4]


def get_image_size(inpt):
    """[width, height]; deprecated for `get_size`."""
    warnings.warn("The function `get_image_size(...)` is deprecated and will be removed in a future release. "
                  "Instead, please use `get_size(...)` which returns `[h, w]` instead of `[w, h]`.", stacklevel=2)
    return v1.get_image_size(inpt)


def to_tensor(inpt):
    """`functional.to_tensor` of version 1; deprecated for `to_image` and `to_dtype`."""
    warnings.warn("The function `to_tensor(...)` is deprecated and will be removed in a future release. "
                  "Instead, please use `to_image(...)` followed by `to_dtype(..., dtype=torch.float32, scale=True)`.", stacklevel=2)
    return v1.to_tensor(inpt)


def to_image(inpt):
    """A tv_tensors.Image of a tensor, a Pillow image or an array (H, W, C); values stay."""
    if isinstance(inpt, np.ndarray):
        return tv_tensors.Image(wrap(np.ascontiguousarray(np.atleast_3d(inpt).transpose(2, 0, 1))))
    if not isinstance(inpt, (Tensor, PIL.Image.Image)):
        raise TypeError(f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.")
    return tv_tensors.Image(inpt)


def convert_image_dtype(image, dtype=float32):
    """To another type, scaled so that full brightness stays full."""
    return _colors.convert_dtype(image, dtype)


def uniform_temporal_subsample(inpt, num_samples):
    """num_samples frames of a video (..., T, C, H, W), evenly spaced; the first and the last are among them."""
    _require(inpt, "uniform_temporal_subsample", tv_tensors.Video)
    at = linspace(0, inpt.shape[-4] - 1, num_samples).long()
    out = inpt.index_select(-4, at.to(inpt.device))
    return tv_tensors.wrap(out, like=inpt) if isinstance(inpt, tv_tensors.Video) else out
