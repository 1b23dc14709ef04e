"""Transforms of what things are."""
import warnings

import numpy as np
import PIL.Image

from .... import _dtypes
from ...._core.tensor import Tensor
from ... import tv_tensors
from .. import _conversion
from .. import functional as v1
from .._checks import check_whitening, whitened
from . import functional as F
from ._inputs import has_any
from ._transform import Transform

__all__ = ["ConvertImageDtype", "Identity", "Lambda", "LinearTransformation", "PILToTensor", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor",
           "ToTensor", "UniformTemporalSubsample"]


class Identity(Transform):
    """The sample as it is."""

    def transform(self, inpt, params):
        return inpt


class Lambda(Transform):
    """Calls a function with everything of the given types, by default with everything."""

    _transformed_types = (object,)

    def __init__(self, lambd, *types):
        super().__init__()
        self.lambd, self.types = lambd, types or self._transformed_types

    def transform(self, inpt, params):
        return self.lambd(inpt) if isinstance(inpt, self.types) else inpt

    def extra_repr(self):
        name = getattr(self.lambd, "__name__", None)
        return ", ".join([*([name] if name else []), f"types={[t.__name__ for t in self.types]}"])


class PILToTensor(Transform):
    """Pillow images -> tensors (C, H, W), unscaled."""

    _transformed_types = (PIL.Image.Image,)

    def transform(self, inpt, params):
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """Pillow images, arrays (H, W, C) and plain tensors -> tv_tensors.Image, unscaled."""

    _transformed_types = (F.is_pure_tensor, PIL.Image.Image, np.ndarray)

    def transform(self, inpt, params):
        return F.to_image(inpt)


class ToPILImage(Transform):
    """Images, plain tensors and arrays (H, W, C) -> Pillow images."""

    _transformed_types = (F.is_pure_tensor, tv_tensors.Image, np.ndarray)

    def __init__(self, mode=None):
        super().__init__()
        self.mode = mode

    def transform(self, inpt, params):
        return F.to_pil_image(inpt, mode=self.mode)


class ToPureTensor(Transform):
    """Images, videos, masks and boxes -> plain tensors."""

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt, params):
        return inpt.as_subclass(Tensor)


class ToTensor(Transform):
    """Pillow images and arrays -> floats (C, H, W) from 0 to 1; deprecated for ToImage and ToDtype."""

    _transformed_types = (PIL.Image.Image, np.ndarray)

    def __init__(self):
        warnings.warn("The transform `ToTensor()` is deprecated and will be removed in a future release. Instead, please use "
                      "`v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`.Output is equivalent up to float precision.", stacklevel=2)
        super().__init__()

    def transform(self, inpt, params):
        return v1.to_tensor(inpt)


class ToDtype(Transform):
    """To another type.  dtype: of images and videos, or {class or "others": type, None leaves it};  scale: full brightness stays full."""

    _transformed_types = (Tensor,)

    def __init__(self, dtype, scale=False):
        super().__init__()
        if not isinstance(dtype, (dict, _dtypes.dtype)):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        if isinstance(dtype, dict) and Tensor in dtype and any(cls in dtype for cls in (tv_tensors.Image, tv_tensors.Video)):
            warnings.warn("Got `dtype` values for `torch.Tensor` and either `tv_tensors.Image` or `tv_tensors.Video`. Note that a plain "
                          "`torch.Tensor` will *not* be transformed by this (or any other transformation) in case a `tv_tensors.Image` or "
                          "`tv_tensors.Video` is present in the input.", stacklevel=2)
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt, params):
        picture = F.is_pure_tensor(inpt) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Video))
        if not isinstance(self.dtype, dict):
            return self._call_kernel(F.to_dtype, inpt, dtype=self.dtype, scale=self.scale) if picture else inpt
        if type(inpt) not in self.dtype and "others" not in self.dtype:
            raise ValueError(f"No dtype was specified for type {type(inpt)}. If you only need to convert the dtype of images or videos, you can just "
                             "pass e.g. dtype=torch.float32. If you're passing a dict as dtype, you can use \"others\" as a catch-all key "
                             "e.g. dtype={tv_tensors.Mask: torch.int64, \"others\": None} to pass-through the rest of the inputs.")
        dtype = self.dtype[type(inpt)] if type(inpt) in self.dtype else self.dtype["others"]
        if dtype is None:
            if self.scale and picture:
                warnings.warn("scale was set to True but no dtype was specified for images or videos: no scaling will be done.", stacklevel=2)
            return inpt
        return self._call_kernel(F.to_dtype, inpt, dtype=dtype, scale=self.scale)


class ConvertImageDtype(Transform):
    """To another type, scaled so that full brightness stays full."""

    _v1_transform_cls = _conversion.ConvertImageDtype

    def __init__(self, dtype=_dtypes.float32):
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt, params):
        return self._call_kernel(F.to_dtype, inpt, dtype=self.dtype, scale=True)


class LinearTransformation(Transform):
    """(flat image - mean_vector) @ transformation_matrix, for whitening.  matrix: (D, D), vector: (D), D = C * H * W."""

    _v1_transform_cls = _conversion.LinearTransformation
    _transformed_types = (F.is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, transformation_matrix, mean_vector):
        super().__init__()
        check_whitening(transformation_matrix, mean_vector)
        self.transformation_matrix, self.mean_vector = transformation_matrix, mean_vector

    def check_inputs(self, flat_inputs):
        if has_any(flat_inputs, PIL.Image.Image):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt, params):
        out = whitened(inpt.as_subclass(Tensor), self.transformation_matrix, self.mean_vector)
        return out if F.is_pure_tensor(inpt) else tv_tensors.wrap(out, like=inpt)


class UniformTemporalSubsample(Transform):
    """num_samples frames of a video, evenly spaced."""

    _transformed_types = (F.is_pure_tensor, tv_tensors.Video)

    def __init__(self, num_samples):
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt, params):
        return F.uniform_temporal_subsample(inpt, self.num_samples)
