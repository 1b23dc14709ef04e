"""Where pixels come from: affine maps, perspective and displacement of tensors (..., C, H, W), and the matrices for Pillow too."""
import math

import numpy as np

from ..._dtypes import float32
from ..._functional.creation import as_tensor, empty, linspace, ones, tensor
from ..._functional.joining import cat
from ...linalg import lstsq
from ...nn.functional import conv2d, grid_sample, interpolate
from ...nn.functional import pad as pad_tensor
from ._colors import rounded


def inverse_affine_matrix(center, angle, translate, scale, shear, inverted=True):
    """The first two rows of the matrix that takes a pixel of the result to its place in the source (inverted=False: the other way).

    The map is T C R(angle) S(scale) shear C^-1: shear in degrees along x and y, rotation about `center`, translation.
    """
    turn, sx, sy = (math.radians(v) for v in (angle, *shear))
    cx, cy = center
    tx, ty = translate
    a, b = math.cos(turn - sy) / math.cos(sy), -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c, d = math.sin(turn - sy) / math.cos(sy), -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    if inverted:  # the determinant without scale is 1
        rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
        moved, back = (-cx - tx, -cy - ty), (cx, cy)
    else:
        rows = [[a * scale, b * scale], [c * scale, d * scale]]
        moved, back = (-cx, -cy), (cx + tx, cy + ty)
    return [v for (p, q), end in zip(rows, back) for v in (p, q, p * moved[0] + q * moved[1] + end)]


def perspective_coefficients(startpoints, endpoints):
    """Eight numbers of the perspective map that takes `endpoints` to `startpoints`, four corners each."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(f"Please provide exactly four corners, got {len(startpoints)} startpoints and {len(endpoints)} endpoints.")
    rows = [row for (x, y), (u, v) in zip(endpoints, startpoints) for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))]
    solution = lstsq(as_tensor(np.array(rows, float)), as_tensor(np.array(startpoints, float).reshape(8, 1))).solution
    return solution.reshape(8).to(float32).tolist()


# -- sampling ----------------------------------------------------------------------------------------------------------


def sample(img, grid, mode, fill):
    """The image at the places of a grid (1, H, W, 2) of coordinates from -1 to 1; `fill`, a number or one per channel, outside."""
    lead, dtype = img.shape[:-3], img.dtype
    flat = img.reshape(-1, *img.shape[-3:]).to(grid.dtype)
    grid = grid.expand(flat.shape[0], *grid.shape[1:])
    if fill is not None:
        flat = cat([flat, ones(flat.shape[0], 1, *flat.shape[2:], dtype=flat.dtype, device=flat.device)], 1)
    out = grid_sample(flat, grid, mode=mode, padding_mode="zeros", align_corners=False)
    if fill is not None:
        inside, out = out[:, -1:], out[:, :-1]
        color = tensor(fill if isinstance(fill, (list, tuple)) else [float(fill)], dtype=out.dtype, device=out.device).reshape(1, -1, 1, 1)
        if mode == "nearest":
            inside = (inside >= 0.5).to(out.dtype)
        out = out * inside + (1 - inside) * color
    return rounded(out, dtype).reshape(*lead, *out.shape[1:])


def check_sample(img, mode, fill, modes=("nearest", "bilinear")):
    """ValueError for a way of interpolation or a number of fill values that does not fit."""
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        raise TypeError("Argument fill should be either int, float, tuple or list")
    channels = img.shape[-3] if img.ndim > 2 else 1
    if isinstance(fill, (tuple, list)) and len(fill) > 1 and len(fill) != channels:
        raise ValueError("The number of elements in 'fill' cannot broadcast to match the number of channels of the image "
                         f"({len(fill)} != {channels})")
    if mode not in modes:
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")


def _float_type(img):
    return img.dtype if img.is_floating_point() else float32


def _pixel_centres(ow, oh, first_x, first_y, dtype, device):
    """(1, oh * ow, 3): x, y, 1 of every pixel of the result."""
    base = empty(1, oh, ow, 3, dtype=dtype, device=device)
    base[..., 0] = linspace(first_x, first_x + ow - 1, ow, dtype=dtype, device=device)
    base[..., 1] = linspace(first_y, first_y + oh - 1, oh, dtype=dtype, device=device).unsqueeze(-1)
    base[..., 2] = 1
    return base.reshape(1, oh * ow, 3)


def affine(img, matrix, mode, fill, size=None):
    """By a matrix in pixels about the image's centre; size: (W, H) of the result."""
    check_sample(img, mode, fill)
    dtype, (h, w) = _float_type(img), img.shape[-2:]
    ow, oh = size or (w, h)
    theta = tensor(matrix, dtype=dtype, device=img.device).reshape(1, 2, 3)
    scaled = theta.transpose(1, 2) / tensor([0.5 * w, 0.5 * h], dtype=dtype, device=img.device)
    grid = _pixel_centres(ow, oh, 0.5 - ow * 0.5, 0.5 - oh * 0.5, dtype, img.device).bmm(scaled)
    return sample(img, grid.reshape(1, oh, ow, 2), mode, fill)


def rotated_size(matrix, w, h):
    """(W, H) of the smallest picture that holds the rotated one."""
    corners = np.array([[x * w, y * h, 1] for x, y in ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))], np.float32)
    moved = corners @ np.array(matrix, np.float32).reshape(2, 3).T
    low, high = moved.min(0) + np.float32([w / 2, h / 2]), moved.max(0) + np.float32([w / 2, h / 2])
    size = np.ceil(np.trunc(high / 1e-4) * 1e-4) - np.floor(np.trunc(low / 1e-4) * 1e-4)  # 1e-15 too much is no pixel more
    return int(size[0]), int(size[1])


def perspective(img, coefficients, mode, fill):
    check_sample(img, mode, fill)
    dtype, (h, w) = _float_type(img), img.shape[-2:]
    a, b, c, d, e, f, u, v = coefficients
    above, below, half = (tensor(x, dtype=dtype, device=img.device) for x in ([[a, b, c], [d, e, f]], [[u, v, 1.0]] * 2, [0.5 * w, 0.5 * h]))
    above, below = above.T[None] / half, below.T[None]
    base = _pixel_centres(w, h, 0.5, 0.5, dtype, img.device)
    return sample(img, (base.bmm(above) / base.bmm(below) - 1.0).reshape(1, h, w, 2), mode, fill)


def displace(img, displacement, mode, fill):
    """Every pixel from its place plus displacement (1, H, W, 2), where the image is from -1 to 1."""
    h, w = img.shape[-2:]
    grid = empty(1, h, w, 2, dtype=displacement.dtype, device=img.device)
    grid[..., 0], grid[..., 1] = linspace((1 - w) / w, (w - 1) / w, w), linspace((1 - h) / h, (h - 1) / h, h).unsqueeze(-1)
    return sample(img, grid + displacement.to(img.device), mode, fill)


# -- size --------------------------------------------------------------------------------------------------------------


def resize(img, size, mode, antialias):
    check_sample(img, mode, None, ("nearest", "nearest-exact", "bilinear", "bicubic"))
    lead, smooth = img.shape[:-3], mode in ("bilinear", "bicubic")
    flat = img.reshape(-1, *img.shape[-3:]) if img.ndim > 2 else img[None, None]
    wide = flat if flat.is_floating_point() or not smooth else flat.to(float32)
    out = interpolate(wide, size=list(size), mode=mode, align_corners=False if smooth else None, antialias=bool(antialias) and smooth)
    if mode == "bicubic" and img.dtype.name == "uint8":
        out = out.clamp(0, 255)
    return rounded(out, img.dtype).reshape(*lead, *img.shape[-3:-2], *out.shape[-2:])


def pad(img, left, top, right, bottom, fill, mode):
    """mode: "constant", "edge", "reflect" or "symmetric"; negative padding cuts."""
    if mode == "symmetric":
        x, y = (_mirrored(n, *ends, img.device) for n, ends in ((img.shape[-1], (left, right)), (img.shape[-2], (top, bottom))))
        return img.index_select(-2, y).index_select(-1, x)
    flat = img.reshape(-1, *img.shape[-3:]) if img.ndim > 2 else img[None, None]
    wide = flat if mode == "constant" or flat.is_floating_point() else flat.to(float32)
    if mode == "constant":
        out = pad_tensor(wide, [left, right, top, bottom], value=float(fill) if wide.is_floating_point() else int(fill))
    else:
        out = pad_tensor(wide, [left, right, top, bottom], mode="replicate" if mode == "edge" else mode)
    return out.to(img.dtype).reshape(*img.shape[:-2], *out.shape[-2:])


def _mirrored(n, before, after, device):
    """Numbers of the rows of an image of n rows with its mirror image at both ends."""
    numbers = [*range(max(before, 0) - 1, -1, -1), *range(max(-before, 0), n - max(-after, 0)), *range(n - 1, n - 1 - max(after, 0), -1)]
    return tensor(numbers, device=device)


def gaussian_blur(img, kernel_size, sigma):
    """kernel_size, sigma: (along x, along y)."""
    dtype, c = _float_type(img), img.shape[-3]
    bells = []
    for n, s in zip(kernel_size, sigma):
        x = linspace((1 - n) / 2, (n - 1) / 2, n, dtype=dtype, device=img.device)
        bell = (-0.5 * (x / s).pow(2)).exp()
        bells.append(bell / bell.sum())
    kernel = bells[1][:, None] * bells[0][None, :]
    half_x, half_y = (n // 2 for n in kernel_size)
    flat = pad_tensor(img.reshape(-1, *img.shape[-3:]).to(dtype), [half_x, half_x, half_y, half_y], mode="reflect")
    return rounded(conv2d(flat, kernel.expand(c, 1, *kernel.shape), groups=c), img.dtype).reshape(img.shape)
