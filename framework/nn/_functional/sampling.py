"""Sampling an image at given points: the spatial transformer's grid.  Jaderberg et al. 2015, arXiv:1506.02025."""
import functools
import itertools
import operator
import warnings

from ... import ops
from ..._backends import of_array
from ..._core.tensor import wrap
from .vision import cubic_head, cubic_tail

MODES, PADDING_MODES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """`input`: (N, C, *in) at the points of `grid`: (N, *out, d), d = 2 or 3 spatial dimensions -> (N, C, *out).

    grid           x, y (and z) of each point: -1 is the left, upper (and front) edge, 1 the other one
    mode           "bilinear" (trilinear for volumes), "nearest", or "bicubic" (a = -0.75; images only)
    padding_mode   what lies outside: "zeros", the "border" repeated, or its "reflection"
    align_corners  -1 and 1 are the middles of the outermost pixels, not their outer edges; False when None
    """
    if mode not in MODES:
        raise ValueError(f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in PADDING_MODES:
        raise ValueError("nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
                         f"'{padding_mode}'")
    if align_corners is None:
        warn_of_corners(stacklevel=3)
    return sample(input, grid, mode, padding_mode, bool(align_corners))


def warn_of_corners(stacklevel):
    """torch's warning that the default of align_corners was another once."""
    warnings.warn("Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
                  "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
                  stacklevel=stacklevel + 1)


def sample(input, grid, mode, padding_mode, align_corners):
    """`grid_sample` with its arguments checked for what they say, not yet for whether they fit."""
    _check(input, grid, mode)
    n, c, *sizes = input.shape
    d = len(sizes)
    flat = ops.reshape(grid, (n, -1, d))
    per_axis = []
    for axis, size in enumerate(sizes):
        place = _to_pixels(flat[..., d - 1 - axis], size, align_corners)
        per_axis.append(TAPS[mode](place, size, _Outside(padding_mode, size, align_corners)))
    weights, places = [], []
    for taps in itertools.product(*per_axis):
        at, valid = 0, True
        for (_, index, inside), size in zip(taps, sizes):
            at = at * size + index
            valid = valid & inside
        weight = functools.reduce(operator.mul, (w for w, _, _ in taps))
        weights.append(weight * wrap(valid.astype(input._data.dtype)))
        places.append(at * valid)
    xp = of_array(input._data).xp
    out = ops.read_at(ops.reshape(input, (n, c, -1)), ops.stack(weights, 1), wrap(xp.stack(places, 1)))
    return ops.reshape(out, (n, c, *grid.shape[1:-1]))


def _check(input, grid, mode):
    """RuntimeError, in torch's words, unless input and grid go together."""
    x, g = list(input.shape), list(grid.shape)
    who = "grid_sampler(): expected"
    if input.dtype != grid.dtype:
        raise RuntimeError(f"{who} input and grid to have same dtype, but input has {input.dtype} and grid has {grid.dtype}")
    if input.device != grid.device:
        raise RuntimeError(f"{who} input and grid to be on same device, but input is on {input.device} and grid is on {grid.device}")
    if len(x) not in (4, 5) or len(g) != len(x):
        raise RuntimeError(f"{who} 4D or 5D input and grid with same number of dimensions, but got input with sizes {x} and grid with sizes {g}")
    if x[0] != g[0]:
        raise RuntimeError(f"{who} grid and input to have same batch size, but got input with sizes {x} and grid with sizes {g}")
    if g[-1] != len(x) - 2:
        raise RuntimeError(f"{who} grid to have size {len(x) - 2} in last dimension, but got grid with sizes {g}")
    if 0 in x[2:]:
        raise RuntimeError(f"{who} input to have non-empty spatial dimensions, but input has sizes {x}")
    if mode == "bicubic" and len(x) == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


def _to_pixels(place, size, align_corners):
    """-1 ... 1 as 0 ... size - 1, the middles of the outermost pixels (or, not aligned, half a pixel beyond them)."""
    return (place + 1) * (0.5 * (size - 1)) if align_corners else ((place + 1) * size - 1) * 0.5


class _Outside:
    """What a place beyond the image stands for."""

    def __init__(self, padding_mode, size, align_corners):
        self.mode, self.size = padding_mode, size
        self.low, self.span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))

    def __call__(self, place):
        """The place inside that is meant; a place held at the edge passes no gradient on."""
        if self.mode == "zeros":
            return place
        if self.mode == "reflection":
            place = self._reflected(place)
        xp, raw = of_array(place._data).xp, place._data
        inside = ((raw > 0) & (raw < self.size - 1)).astype(raw.dtype)
        edge = xp.where(raw >= self.size - 1, self.size - 1, 0).astype(raw.dtype) * (1 - inside)
        return place * wrap(inside) + wrap(edge.astype(raw.dtype))

    def _reflected(self, place):
        if not self.span:
            return place * 0.0
        away = ops.absolute(place - self.low)
        flips = ops.floor(away.detach() / self.span)
        extra = away - flips * self.span
        odd = ops.remainder(flips, 2.0)
        return (1 - odd) * extra + odd * (self.span - extra) + self.low

    def index(self, raw):
        """(int index, whether it is inside) of whole-numbered places, an array."""
        place = self(wrap(raw))._data
        inside = (place >= 0) & (place <= self.size - 1)
        return _whole(place, inside), inside


def _plain_index(raw, size):
    inside = (raw >= 0) & (raw <= size - 1)
    return _whole(raw, inside), inside


def _whole(raw, inside):
    """Floats as int64, 0 where they are not inside (or not numbers)."""
    return of_array(raw).xp.where(inside, raw, 0).astype("int64")


def _linear_taps(place, size, outside):
    """[(weight, index, whether inside)] of the two neighbours."""
    place = outside(place)
    low = of_array(place._data).xp.floor(place._data)
    t = place - wrap(low)
    return [(1 - t, *_plain_index(low, size)), (t, *_plain_index(low + 1, size))]


def _nearest_taps(place, size, outside):
    place = outside(place)
    nearest = of_array(place._data).xp.rint(place._data)
    return [(place * 0.0 + 1.0, *_plain_index(nearest, size))]


def _cubic_taps(place, size, outside):
    low = of_array(place._data).xp.floor(place._data)
    t = place - wrap(low)
    shares = (cubic_tail(t + 1), cubic_head(t), cubic_head(1 - t), cubic_tail(2 - t))
    return [(w, *outside.index(low + k)) for k, w in zip((-1, 0, 1, 2), shares)]


TAPS = {"bilinear": _linear_taps, "nearest": _nearest_taps, "bicubic": _cubic_taps}


def affine_grid(theta, size, align_corners=None):
    """The grid of points that an affine map takes the pixels of an image to.  theta: (N, d, d + 1), size: (N, C, *out) -> (N, *out, d)."""
    size = tuple(int(n) for n in size)
    if align_corners is None:
        warn_of_corners(stacklevel=2)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    d = len(size) - 2
    if d not in (2, 3):
        raise NotImplementedError("affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
                                  f"Got size {list(size)}.")
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (d, d + 1):
        raise ValueError(f"Expected a batch of {d}D affine matrices of shape Nx{d}x{d + 1} for size {list(size)}. Got {theta.shape}.")
    if align_corners and min(size[2:]) == 1:
        warnings.warn("Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not an "
                      "intended use case of affine_grid. See the documentation of affine_grid for details.", stacklevel=2)
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {list(size)}")
    out = ops.matmul(_points(theta, size[2:], bool(align_corners)), ops.swapaxes(theta, 1, 2))
    return ops.reshape(out, (theta.shape[0], *size[2:], d))


def _points(theta, sizes, align_corners):
    """(product of sizes, d + 1): x, y (, z), 1 of every pixel, on the device of theta."""
    xp = of_array(theta._data).xp
    axes = []
    for n in sizes:
        line = xp.linspace(-1, 1, n) if n > 1 else xp.zeros(n)
        axes.append(line if align_corners else line * ((n - 1) / n))
    mesh = xp.meshgrid(*axes, indexing="ij")
    points = xp.stack([m.reshape(-1) for m in reversed(mesh)] + [xp.ones(mesh[0].size)], 1)
    return wrap(points.astype(theta._data.dtype))


__all__ = ["affine_grid", "grid_sample"]
