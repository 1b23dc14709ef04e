"""What the elements of a deformable convolution's kernel see: values between pixels, at places that are data.

x: (N, C, H, W);  offset: (N, 2 * G * T, OH, OW), (y, x) for each of the kernel's T elements, the C channels in G groups;  mask: (N, G * T, OH, OW),
factors.  Dai et al. 2017, arXiv:1703.06211; with a mask Zhu et al. 2018, arXiv:1811.11168.
"""
import math

import numpy as np

from .._backends import BACKENDS
from .._backends.uploads import constant
from .._core.op import op
from .._core.promotion import same
from .._core.tensor import Tensor, wrap
from . import _sequences as seq
from ._run import run
from .gathering import add_along_axis, take_along_axis

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


@op(promote=same, fast=False, broadcasts=False, grad_name="DeformConv2d")
def deformed_columns(xp, x, offset, mask=None, kernel: tuple = (1, 1), stride: tuple = (1, 1), padding: tuple = (0, 0), dilation: tuple = (1, 1)):
    """The values that each kernel element sees, by interpolation between four pixels, 0 outside, times its factor.  -> (N, C, T, OH * OW)"""
    flat, y, x_at = _places(xp, x, offset, kernel, stride, padding, dilation)
    total = 0
    for row, column, y_share, x_share in _corners(xp, y, x_at):
        at, inside = _at(xp, row, column, x.shape[2:], flat.shape)
        total = total + run(take_along_axis, xp, flat, at, axis=3) * xp.expand_dims(xp.where(inside, y_share * x_share, 0), 2)
    if mask is not None:
        total = total * xp.reshape(mask, (flat.shape[0], flat.shape[1], 1, -1))
    return xp.reshape(total, (*x.shape[:2], math.prod(kernel), -1))


@deformed_columns.vjp("x", "offset", "mask")
def _(xp, g, x, offset, mask, kernel, stride, padding, dilation, needs):
    if isinstance(x, Tensor):
        attrs = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        return seq.differentiate(xp, deformed_columns.forward, (g,), (x, offset, mask), needs, **attrs)
    flat, y, x_at = _places(xp, x, offset, kernel, stride, padding, dilation)
    n, groups, channels, _ = flat.shape
    g = g.reshape(n, groups, channels, -1)
    factor = 1 if mask is None else mask.reshape(n, groups, -1)
    image, gm, gy, gx = None, 0, 0, 0
    for (row, column, y_share, x_share), (down, right) in zip(_corners(xp, y, x_at), CORNERS):
        at, inside = _at(xp, row, column, x.shape[2:], flat.shape)
        if needs[0]:
            part = run(add_along_axis, xp, g * xp.where(inside, y_share * x_share * factor, 0)[:, :, None], at, shape=flat.shape, axis=3)
            image = part if image is None else image + part
        if needs[1] or needs[2]:
            seen = xp.where(inside, (g * run(take_along_axis, xp, flat, at, axis=3)).sum(axis=2), 0)
            gm = gm + seen * y_share * x_share
            gy, gx = gy + (seen if down else -seen) * x_share, gx + (seen if right else -seen) * y_share
    moves = xp.stack([(gy * factor).reshape(n, groups, math.prod(kernel), -1), (gx * factor).reshape(n, groups, math.prod(kernel), -1)], 3) if (
        needs[1]) else None
    return (None if image is None else image.reshape(x.shape), None if moves is None else moves.reshape(offset.shape),
            gm.reshape(mask.shape) if needs[2] else None)


def _places(xp, x, offset, kernel, stride, padding, dilation):
    """(x as (N, G, C / G, H * W), and the places (y, x) of each group's kernel elements, each (N, G, T * OH * OW))."""
    taps, (oh, ow), n = math.prod(kernel), offset.shape[2:], x.shape[0]
    groups = offset.shape[1] // (2 * taps)
    moves = xp.reshape(offset, (n, groups, taps, 2, oh * ow))
    grids = []
    for d, (size, k, s, p, step) in enumerate(zip((oh, ow), kernel, stride, padding, dilation)):
        at = np.arange(size)[None] * s - p + np.arange(k)[:, None] * step  # (kernel elements, places) along this dimension
        at = np.repeat(at, ow, 1) if d == 0 else np.tile(at, (1, oh))
        grids.append(_beside(offset, np.repeat(at, kernel[1], 0) if d == 0 else np.tile(at, (kernel[0], 1))))
    y, x_at = (xp.reshape(moves[:, :, :, d] + grids[d], (n, groups, taps * oh * ow)) for d in range(2))
    return xp.reshape(x, (n, groups, x.shape[1] // groups, -1)), y, x_at


def _beside(like, values):
    """A NumPy array as an array, or a Tensor, in the type and on the device of `like`."""
    a = like._data if isinstance(like, Tensor) else like
    backend = BACKENDS[type(a)]
    with backend.on_device_of(a):
        there = constant(backend.xp, values.astype(a.dtype))
    return wrap(there) if isinstance(like, Tensor) else there


def _corners(xp, y, x):
    """(row, column, share of the row, share of the column) of the four pixels round each place, in the order of CORNERS."""
    top, left = xp.floor(y), xp.floor(x)
    for down, right in CORNERS:
        yield top + down, left + right, y - top if down else 1 - (y - top), x - left if right else 1 - (x - left)


def _at(xp, row, column, sizes, shape):
    """(the pixels' places in a flattened image, int64, for every channel, and whether they are inside of it)."""
    h, w = sizes
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    at = xp.astype(xp.clip(row, 0, h - 1) * w + xp.clip(column, 0, w - 1), np.int64)
    return xp.broadcast_to(xp.expand_dims(at, 2), (*shape[:3], at.shape[-1])), inside
