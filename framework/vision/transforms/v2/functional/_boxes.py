"""What becomes of boxes (..., 4) when their image, of canvas_size (height, width), changes.

`format` is a BoundingBoxFormat.  A kernel returns the boxes, or (boxes, canvas_size) where the size of the image changes too.
"""
from ....._core.tensor import Tensor
from ....._dtypes import float32
from ....._functional.creation import tensor
from ....._functional.joining import cat, stack
from ....tv_tensors import BoundingBoxes, BoundingBoxFormat, format_of, wrap
from ._dispatch import is_pure_tensor
from ._points import (
    by_displacement,
    by_matrix,
    by_perspective,
    check_displacement,
    crop_corner,
    padding_sides,
    perspective_coefficients,
    resized_size,
)

XYXY, XYWH, CXCYWH = BoundingBoxFormat


def _to_corners(boxes, format):
    """XYXY; integers are cut, not rounded, as torchvision does."""
    if format == XYXY:
        return boxes
    place, size = boxes[..., :2], boxes[..., 2:]
    if format == CXCYWH:
        place = place - size / 2
    return cat([place, place + size], -1).to(boxes.dtype)


def _from_corners(corners, format):
    if format == XYXY:
        return corners
    low, high = corners[..., :2], corners[..., 2:]
    if format == XYWH:
        return cat([low, high - low], -1)
    middle = (low + high).div(2, rounding_mode=None if corners.is_floating_point() else "floor")
    return cat([middle, high - low], -1)


def converted(boxes, old, new):
    """Boxes of one format in another."""
    return boxes if old == new else _from_corners(_to_corners(boxes, old), new)


def convert_bounding_box_format(inpt, old_format=None, new_format=None, inplace=False):
    """BoundingBoxes, or a plain tensor of `old_format`, in `new_format`.  Formats may be given by name."""
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    old_format, new_format = format_of(old_format), format_of(new_format)
    if is_pure_tensor(inpt):
        if old_format is None:
            raise ValueError("For pure tensor inputs, `old_format` has to be passed.")
        out = converted(inpt, old_format, new_format)
        return inpt.copy_(out) if inplace else out
    if not isinstance(inpt, BoundingBoxes):
        raise TypeError(f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead.")
    if old_format is not None:
        raise ValueError("For bounding box tv_tensor inputs, `old_format` must not be passed.")
    out = convert_bounding_box_format(inpt.as_subclass(Tensor), inpt.format, new_format, inplace)
    return wrap(out, like=inpt, format=new_format)


def _clamped(boxes, format, canvas_size, clamping_mode):
    if clamping_mode is None:
        return boxes.clone()
    wide = boxes if boxes.is_floating_point() else boxes.float()
    x1, y1, x2, y2 = _to_corners(wide, format).unbind(-1)
    height, width = canvas_size
    corners = stack([x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)], -1)
    return _from_corners(corners, format).to(boxes.dtype)


def clamp_bounding_boxes(inpt, format=None, canvas_size=None, clamping_mode="auto"):
    """Boxes cut at the edge of the image.  clamping_mode: None leaves them, "auto" does what the boxes say.  Plain tensors need all three."""
    if clamping_mode not in (None, "soft", "hard", "auto"):
        raise ValueError(f"clamping_mode must be soft, hard, auto or None, got {clamping_mode}")
    if is_pure_tensor(inpt):
        if format is None or canvas_size is None or clamping_mode == "auto":
            raise ValueError("For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed.")
        return _clamped(inpt, format_of(format), canvas_size, clamping_mode)
    if not isinstance(inpt, BoundingBoxes):
        raise TypeError(f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead.")
    if format is not None or canvas_size is not None:
        raise ValueError("For bounding box tv_tensor inputs, `format` and `canvas_size` must not be passed.")
    how = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
    return wrap(_clamped(inpt.as_subclass(Tensor), inpt.format, inpt.canvas_size, how), like=inpt)


def valid_boxes(boxes, format, canvas_size, min_size=1.0, min_area=1.0):
    """Which boxes are large enough and inside of the image: booleans (N)."""
    x1, y1, x2, y2 = converted(boxes.as_subclass(Tensor), format, XYXY).unbind(-1)
    height, width = canvas_size
    w, h = x2 - x1, y2 - y1
    large = (w >= min_size) & (h >= min_size) & (w * h >= min_area)
    return large & (x1 >= 0) & (y1 >= 0) & (x2 >= 0) & (y2 >= 0) & (x1 <= width) & (x2 <= width) & (y1 <= height) & (y2 <= height)


def sanitize_bounding_boxes(bounding_boxes, format=None, canvas_size=None, min_size=1.0, min_area=1.0):
    """(boxes that are large enough and inside of the image, which they were: booleans (N))."""
    if is_pure_tensor(bounding_boxes):
        if format is None or canvas_size is None:
            raise ValueError("format and canvas_size cannot be None if bounding_boxes is a pure tensor. "
                             f"Got format={format} and canvas_size={canvas_size}."
                             "Set those to appropriate values or pass bounding_boxes as a tv_tensors.BoundingBoxes object.")
        valid = valid_boxes(bounding_boxes, format_of(format), canvas_size, min_size, min_area)
        return bounding_boxes[valid], valid
    if not isinstance(bounding_boxes, BoundingBoxes):
        raise ValueError("bounding_boxes must be a tv_tensors.BoundingBoxes instance or a pure tensor.")
    if format is not None or canvas_size is not None:
        raise ValueError("format and canvas_size must be None when bounding_boxes is a tv_tensors.BoundingBoxes instance. "
                         f"Got format={format} and canvas_size={canvas_size}. Leave those to None or pass bounding_boxes as a pure tensor.")
    valid = valid_boxes(bounding_boxes, bounding_boxes.format, bounding_boxes.canvas_size, min_size, min_area)
    return wrap(bounding_boxes.as_subclass(Tensor)[valid], like=bounding_boxes), valid


# -- kernels -----------------------------------------------------------------------------------------------------------


def horizontal_flip(bounding_boxes, format, canvas_size):
    return _mirrored(bounding_boxes, format, canvas_size[1], 0)


def vertical_flip(bounding_boxes, format, canvas_size):
    return _mirrored(bounding_boxes, format, canvas_size[0], 1)


def _mirrored(boxes, format, extent, axis):
    out = boxes.clone()
    if format == CXCYWH:
        out[..., axis] = extent - boxes[..., axis]
    elif format == XYWH:
        out[..., axis] = extent - boxes[..., axis] - boxes[..., axis + 2]
    else:
        out[..., axis], out[..., axis + 2] = extent - boxes[..., axis + 2], extent - boxes[..., axis]
    return out


def resize(bounding_boxes, canvas_size, size, max_size=None, format=XYXY, clamping_mode="soft"):
    new = tuple(resized_size(canvas_size, size, max_size))
    if new == tuple(canvas_size):
        return bounding_boxes, canvas_size
    y, x = (b / a for a, b in zip(canvas_size, new))
    return (bounding_boxes * tensor([x, y, x, y], device=bounding_boxes.device)).to(bounding_boxes.dtype), new


def _shifted(boxes, x, y, format):
    return boxes + tensor([x, y, x, y] if format == XYXY else [x, y, 0, 0], dtype=boxes.dtype, device=boxes.device)


def pad(bounding_boxes, format, canvas_size, padding, padding_mode="constant", clamping_mode="soft"):
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
    left, top, right, bottom = padding_sides(padding)
    canvas = canvas_size[0] + top + bottom, canvas_size[1] + left + right
    return _clamped(_shifted(bounding_boxes, left, top, format), format, canvas, clamping_mode), canvas


def crop(bounding_boxes, format, top, left, height, width, clamping_mode="soft"):
    return _clamped(_shifted(bounding_boxes, -left, -top, format), format, (height, width), clamping_mode), (height, width)


def center_crop(bounding_boxes, format, canvas_size, output_size, clamping_mode="soft"):
    return crop(bounding_boxes, format, *crop_corner(canvas_size, output_size), clamping_mode)


def resized_crop(bounding_boxes, format, top, left, height, width, size, clamping_mode="soft"):
    boxes, canvas = crop(bounding_boxes, format, top, left, height, width, clamping_mode)
    return resize(boxes, canvas, size)


def _moved(boxes, format, canvas_size, clamping_mode, move):
    """The smallest boxes round the four corners, each where `move` (float points (P, 2) -> points) takes it, cut at the edge."""
    corners = _to_corners(boxes, format)
    x1, y1, x2, y2 = (corners if corners.is_floating_point() else corners.to(float32)).unbind(-1)
    points = move(stack([x1, y1, x2, y1, x2, y2, x1, y2], -1).reshape(-1, 2)).reshape(*boxes.shape[:-1], 4, 2)
    corners = cat([points.amin(-2), points.amax(-2)], -1) if boxes.numel() else corners
    return _from_corners(_clamped(corners, XYXY, canvas_size, clamping_mode), format).to(boxes.dtype)


def affine(bounding_boxes, format, canvas_size, angle, translate, scale, shear, center=None, clamping_mode="soft"):
    wide = bounding_boxes if bounding_boxes.is_floating_point() else bounding_boxes.to(float32)
    moved = _moved(wide, format, canvas_size, clamping_mode, lambda p: by_matrix(p, canvas_size, angle, translate, scale, shear, center)[0])
    return moved.to(bounding_boxes.dtype)


def rotate(bounding_boxes, format, canvas_size, angle, expand=False, center=None, clamping_mode="soft"):
    if not bounding_boxes.numel():
        return bounding_boxes, canvas_size
    wide = bounding_boxes if bounding_boxes.is_floating_point() else bounding_boxes.to(float32)
    turn = -angle, [0.0, 0.0], 1.0, [0.0, 0.0], center, expand
    canvas = by_matrix(wide.reshape(-1, 2)[:1], canvas_size, *turn)[1]
    return _moved(wide, format, canvas, clamping_mode, lambda p: by_matrix(p, canvas_size, *turn)[0]).to(bounding_boxes.dtype), canvas


def perspective(bounding_boxes, format, canvas_size, startpoints, endpoints, coefficients=None, clamping_mode="soft"):
    numbers = perspective_coefficients(startpoints, endpoints, coefficients)
    return _moved(bounding_boxes, format, canvas_size, clamping_mode, lambda p: by_perspective(p, numbers, "bounding boxes"))


def elastic(bounding_boxes, format, canvas_size, displacement, clamping_mode="soft"):
    check_displacement(displacement, canvas_size)

    def move(points):
        moved = by_displacement(points.ceil(), displacement, canvas_size)
        return moved.to(bounding_boxes.dtype).to(points.dtype)

    return _moved(bounding_boxes, format, canvas_size, clamping_mode, move)


KERNELS = {f.__name__: f for f in (
    horizontal_flip, vertical_flip, resize, pad, crop, center_crop, resized_crop, affine, rotate, perspective, elastic)}
