"""Changes without chance, of Pillow images, tensors and tv_tensors: each type is treated in its own way.

Beside `resize` there are `resize_image`, `resize_video`, `resize_mask`, `resize_bounding_boxes` and
`resize_keypoints`, and so on: its kernels for plain tensors.
"""
from ... import functional as v1
from ..._modes import InterpolationMode
from ...functional import pil_to_tensor, to_pil_image
from . import _boxes, _dispatch, _images, _points
from ._boxes import clamp_bounding_boxes, convert_bounding_box_format, sanitize_bounding_boxes
from ._dispatch import dispatching, is_pure_tensor, with_channel
from ._meta import (
    convert_image_dtype,
    get_dimensions,
    get_image_size,
    get_num_channels,
    get_num_frames,
    get_size,
    to_image,
    to_tensor,
    uniform_temporal_subsample,
)
from ._points import clamp_keypoints, sanitize_keypoints

_FLIPS = {"horizontal_flip": v1.hflip, "vertical_flip": v1.vflip}
_TUPLES = {"five_crop": v1.five_crop, "ten_crop": v1.ten_crop}
_TENSORS_ONLY = {"normalize": v1.normalize, "to_dtype": _images.to_dtype}
_WITH_MASKS = {"resize": _images.resize_mask, "affine": _images.affine_mask, "rotate": _images.rotate_mask, "pad": _images.pad_mask,
               "perspective": _images.perspective_mask, "elastic": _images.elastic_mask, "resized_crop": _images.resized_crop_mask,
               "crop": with_channel(_images.crop), "center_crop": with_channel(_images.center_crop), **_FLIPS}
_PLACES = {**_FLIPS, **{name: getattr(_images, name) for name in (
    "resize", "affine", "rotate", "pad", "perspective", "elastic", "resized_crop", "crop", "center_crop")}}
_SHADES = {name: getattr(_images, name, None) or getattr(v1, name) for name in (
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness", "autocontrast", "equalize",
    "grayscale_to_rgb", "invert", "permute_channels", "posterize", "rgb_to_grayscale", "solarize", "erase", "gaussian_blur", "gaussian_noise",
    "jpeg")}
_NO_VIDEO = ("grayscale_to_rgb", "rgb_to_grayscale")  # torchvision's have no kernel for it

_made, _kernels = {}, {}
for _name, _image in {**_PLACES, **_SHADES, **_TUPLES, **_TENSORS_ONLY}.items():
    _made[_name] = dispatching(_name, _image, pillow_too=_name not in _TENSORS_ONLY, video=_name not in _NO_VIDEO, mask=_WITH_MASKS.get(_name),
                               boxes=_boxes.KERNELS.get(_name), points=_points.KERNELS.get(_name))
    _kernels.update({f"{_name}_{kind}": kernel for kind, kernel in (
        ("image", _image), ("video", _image if _name not in _NO_VIDEO else None), ("mask", _WITH_MASKS.get(_name)),
        ("bounding_boxes", _boxes.KERNELS.get(_name)), ("keypoints", _points.KERNELS.get(_name))) if kernel is not None})
for _name, _kernel in _kernels.items():
    _kernel.__doc__ = _kernel.__doc__ or f"What `{_name.rpartition('_')[0].removesuffix('_bounding')}` does with plain tensors of that kind."
for _kind in _dispatch.BUILT_IN[2:]:  # masks, boxes and points change their type without being scaled
    _made["to_dtype"].kernels[_kind] = lambda inpt, dtype, scale=False: inpt.to(dtype)

_made.update(hflip=_made["horizontal_flip"], vflip=_made["vertical_flip"], elastic_transform=_made["elastic"], to_grayscale=_made["rgb_to_grayscale"],
             get_image_num_channels=get_num_channels)
_kernels.update({f"{function.__name__}_{kind}": function for function, kinds in (
    (get_dimensions, "image video"), (get_num_channels, "image video"), (get_num_frames, "video"), (uniform_temporal_subsample, "video"),
    (get_size, "image video mask bounding_boxes keypoints")) for kind in kinds.split()})
globals().update(_made)
globals().update(_kernels)


def register_kernel(functional, tv_tensor_cls):
    """A decorator: its function becomes the kernel of a functional, or of the one of this name, for a subclass of TVTensor of your own."""
    return _dispatch.register_kernel(functional, tv_tensor_cls, _made.get)


__all__ = ["InterpolationMode", "clamp_bounding_boxes", "clamp_keypoints", "convert_bounding_box_format", "convert_image_dtype", "get_dimensions",
           "get_image_size", "get_num_channels", "get_num_frames", "get_size", "is_pure_tensor", "pil_to_tensor", "register_kernel",
           "sanitize_bounding_boxes", "sanitize_keypoints", "to_image", "to_pil_image", "to_tensor", "uniform_temporal_subsample",
           *sorted(_made), *sorted(_kernels)]
