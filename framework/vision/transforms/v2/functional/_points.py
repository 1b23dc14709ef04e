"""Where points (P, 2) of (x, y) go when their image, of canvas_size (height, width), changes; and the kernels of KeyPoints (..., 2).

A kernel returns the points, or (points, canvas_size) where the size of the image changes too.
"""
from ....._core.tensor import Tensor
from ....._dtypes import float32, int64
from ....._functional.creation import linspace, ones, tensor
from ....._functional.joining import cat, stack
from .... import tv_tensors
from ... import _geometry
from ...functional import _pair, _resized
from ._dispatch import is_pure_tensor

# -- arguments ---------------------------------------------------------------------------------------------------------


def resized_size(canvas_size, size, max_size):
    """[height, width] after a resize: `size` as in `functional.resize`; None where only the longer side, max_size, is given."""
    if size is None:
        if not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        longest = max(canvas_size)
        return [max_size if n == longest else int(max_size * n / longest) for n in canvas_size]
    size = [size] if isinstance(size, int) else size
    if max_size is not None and len(size) != 1:
        raise ValueError("max_size should only be passed if size is None or specifies the length of the smaller edge, i.e. size should be an "
                         "int or a sequence of length 1 in torchscript mode.")
    return _resized(*canvas_size, size, max_size)


def padding_sides(padding):
    """[left, top, right, bottom] from a number or a sequence of one, two (x, y) or four."""
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError(f"`padding` should be an integer or tuple or list of integers, but got {padding}")
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple or list. Found {len(sides)}")
    return sides * (4 // len(sides))


def crop_corner(canvas_size, output_size):
    """(top, left, height, width) of the middle of an image."""
    height, width = _pair(output_size)
    return (*(int(round((n - part) / 2.0)) for n, part in zip(canvas_size, (height, width))), height, width)


def perspective_coefficients(startpoints, endpoints, coefficients):
    """Eight numbers, given or from the corners.  ValueError unless exactly one of the two is there."""
    if coefficients is None:
        if startpoints is None or endpoints is None:
            raise ValueError("Either the startpoints/endpoints or the coefficients must have non `None` values.")
        return _geometry.perspective_coefficients(startpoints, endpoints)
    if startpoints is not None and endpoints is not None:
        raise ValueError("The startpoints/endpoints and the coefficients shouldn't be defined concurrently.")
    if len(coefficients) != 8:
        raise ValueError("Argument coefficients should have 8 float values")
    return coefficients


# -- moves of float points (P, 2) --------------------------------------------------------------------------------------


def _homogeneous(points):
    return cat([points, ones(len(points), 1, dtype=points.dtype, device=points.device)], -1)


def by_matrix(points, canvas_size, angle, translate, scale, shear, center, expand=False):
    """(points after `functional.affine`, canvas_size), which grows with `expand`."""
    height, width = canvas_size
    center = [width * 0.5, height * 0.5] if center is None else [float(c) for c in center]
    shear = [shear, 0.0] if isinstance(shear, (int, float)) else list(shear) * (2 if len(shear) == 1 else 1)
    numbers = _geometry.inverse_affine_matrix(center, angle, translate, scale, shear, inverted=False)
    matrix = tensor(numbers, dtype=points.dtype, device=points.device).reshape(2, 3).T
    moved = _homogeneous(points) @ matrix
    if not expand:
        return moved, canvas_size
    ends = tensor([[0.0, 0.0], [0.0, height], [width, height], [width, 0.0]], dtype=points.dtype, device=points.device)
    backward = _geometry.inverse_affine_matrix(center, angle, translate, scale, shear)
    new_width, new_height = _geometry.rotated_size(backward, width, height)
    return moved - (_homogeneous(ends) @ matrix).amin(0), (new_height, new_width)


def by_perspective(points, coefficients, what):
    """Points after `functional.perspective`.  RuntimeError where the map has no inverse."""
    a, b, c, d, e, f, u, v = coefficients
    scale = a * e - b * d
    if scale == 0:
        raise RuntimeError(f"Provided perspective_coeffs {coefficients} can not be inverted to transform {what}. Denominator is zero, denom=0")
    adjugate = [[e - f * v, c * v - b, b * f - c * e], [f * u - d, a - c * u, c * d - a * f], [d * v - e * u, b * u - a * v, scale]]
    inverse = tensor([[x / scale for x in row] for row in adjugate], dtype=points.dtype, device=points.device)
    moved = _homogeneous(points) @ inverse.T
    return moved[:, :2] / moved[:, 2:]


def by_displacement(points, displacement, canvas_size):
    """Points after `functional.elastic_transform`: each goes where the pixel it lies in goes, approximately."""
    height, width = canvas_size
    at = points.to(int64)
    x, y = at[:, 0].clamp(0, width - 1), at[:, 1].clamp(0, height - 1)
    places = [linspace((1 - n) / n, (n - 1) / n, n, dtype=points.dtype, device=points.device)[i] for n, i in ((width, x), (height, y))]
    moved = stack(places, -1) - displacement[0, y, x].to(points)
    return (moved + 1) * (0.5 * tensor([width, height], dtype=points.dtype, device=points.device)) - 0.5


def check_displacement(displacement, canvas_size):
    """TypeError or ValueError unless it is (1, H, W, 2) for this image."""
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    wanted = (1, *canvas_size, 2)
    if tuple(displacement.shape) != wanted:
        raise ValueError(f"Argument displacement shape should be {wanted}, but given {tuple(displacement.shape)}")


# -- kernels of key points ---------------------------------------------------------------------------------------------


def _moved(keypoints, move):
    """move(float points (P, 2)) -> points, in the type and shape of the key points."""
    wide = keypoints if keypoints.is_floating_point() else keypoints.to(float32)
    return move(wide.reshape(-1, 2)).reshape(keypoints.shape).to(keypoints.dtype)


def _shifted(keypoints, x, y):
    return keypoints + tensor([x, y], dtype=keypoints.dtype, device=keypoints.device)


def horizontal_flip(keypoints, canvas_size):
    return stack([canvas_size[1] - 1 - keypoints[..., 0], keypoints[..., 1]], -1)


def vertical_flip(keypoints, canvas_size):
    return stack([keypoints[..., 0], canvas_size[0] - 1 - keypoints[..., 1]], -1)


def resize(keypoints, size, canvas_size, max_size=None):
    new = tuple(resized_size(canvas_size, size, max_size))
    y, x = (b / a for a, b in zip(canvas_size, new))
    return (keypoints * tensor([x, y], device=keypoints.device)).to(keypoints.dtype), new


def pad(keypoints, canvas_size, padding, padding_mode="constant"):
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with KeyPoints (supported modes are constant)")
    left, top, right, bottom = padding_sides(padding)
    return _shifted(keypoints, left, top), (canvas_size[0] + top + bottom, canvas_size[1] + left + right)


def crop(keypoints, top, left, height, width):
    return _shifted(keypoints, -left, -top), (height, width)


def center_crop(keypoints, canvas_size, output_size):
    return crop(keypoints, *crop_corner(canvas_size, output_size))


def resized_crop(keypoints, top, left, height, width, size):
    return resize(*crop(keypoints, top, left, height, width)[:1], size, (height, width))


def affine(keypoints, canvas_size, angle, translate, scale, shear, center=None):
    return _moved(keypoints, lambda p: by_matrix(p, canvas_size, angle, translate, scale, shear, center)[0]), canvas_size


def rotate(keypoints, canvas_size, angle, expand=False, center=None):
    canvas = canvas_size if not keypoints.numel() else by_matrix(tensor([[0.0, 0.0]]), canvas_size, -angle, [0, 0], 1.0, [0, 0], center, expand)[1]
    return _moved(keypoints, lambda p: by_matrix(p, canvas_size, -angle, [0.0, 0.0], 1.0, [0.0, 0.0], center, expand)[0]), canvas


def perspective(keypoints, canvas_size, startpoints, endpoints, coefficients=None):
    numbers = perspective_coefficients(startpoints, endpoints, coefficients)
    return _moved(keypoints, lambda p: by_perspective(p, numbers, "keypoints"))


def elastic(keypoints, canvas_size, displacement):
    check_displacement(displacement, canvas_size)
    return _moved(keypoints, lambda p: by_displacement(p, displacement, canvas_size))


KERNELS = {f.__name__: f for f in (
    horizontal_flip, vertical_flip, resize, pad, crop, center_crop, resized_crop, affine, rotate, perspective, elastic)}


# -- cutting and leaving out -------------------------------------------------------------------------------------------


def _canvas_of(keypoints, canvas_size, missing, given):
    """The size of the image that key points are in: of plain tensors the one that is given, else their own."""
    plain = is_pure_tensor(keypoints)
    if plain and canvas_size is None:
        raise ValueError(missing)
    if not plain and canvas_size is not None:
        raise ValueError(given)
    return canvas_size if plain else keypoints.canvas_size


def clamp_keypoints(inpt, canvas_size=None):
    """Points moved to the nearest one inside of the image.  Plain tensors need canvas_size."""
    if not is_pure_tensor(inpt) and not isinstance(inpt, tv_tensors.KeyPoints):
        raise TypeError(f"Input can either be a plain tensor or a keypoints tv_tensor, but got {type(inpt)} instead.")
    height, width = _canvas_of(inpt, canvas_size, "For pure tensor inputs, `canvas_size` has to be passed.",
                               "For keypoints tv_tensor inputs, `canvas_size` must not be passed.")
    points = inpt.as_subclass(Tensor)
    out = stack([points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)], -1)
    return out if is_pure_tensor(inpt) else tv_tensors.wrap(out, like=inpt)


def valid_keypoints(keypoints, canvas_size):
    """Which of (N, ..., 2) have all their points inside of the image: booleans (N)."""
    x, y = keypoints.as_subclass(Tensor).unbind(-1)
    valid = (x >= 0) & (x < canvas_size[1]) & (y >= 0) & (y < canvas_size[0])
    return valid.flatten(1).all(1) if valid.ndim > 1 else valid


def sanitize_keypoints(key_points, canvas_size=None):
    """(key points inside of the image, which they were: booleans (N))."""
    if not is_pure_tensor(key_points) and not isinstance(key_points, tv_tensors.KeyPoints):
        raise ValueError("key_points must be a tv_tensors.KeyPoints instance or a pure tensor.")
    size = _canvas_of(key_points, canvas_size, "canvas_size cannot be None if key_points is a pure tensor. Set it to an appropriate value or "
                      "pass key_points as a tv_tensors.KeyPoints object.",
                      f"canvas_size must be None when key_points is a tv_tensors.KeyPoints instance. Got canvas_size={canvas_size}. "
                      "Leave it to None or pass key_points as a pure tensor.")
    valid = valid_keypoints(key_points, size)
    out = key_points.as_subclass(Tensor)[valid]
    return (out if is_pure_tensor(key_points) else tv_tensors.wrap(out, like=key_points)), valid
