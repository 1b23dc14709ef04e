"""Batch norm, forward and backward, channels first or last.  See family.py for the words of the text.

A training step reads an image twice and writes it once forward (the moments in one pass, by Welford's and Chan's sums; then x to y), and reads
two twice and writes one backward.  Moments and sums are taken of chunks first and then of the chunks, in a fixed order: no atomics, the same bits
every time.
"""
import math

from ..ops._layout import channels_last, dense
from ..ops.norm import moments, scale_shift, tracked_moments
from ._batch_norm_text import TEXT
from .channel_sums import BLOCKS, over_images, over_rows, sums, tiles, width_of
from .family import I64, Family, flat_grid, number, rows_grid, wide

FAMILY = Family("batch_norm", TEXT)
LARGE = 32  # elements of an image from which on it is the work of threads of its own


class _Image:
    """How kernels see an array of channels: contiguous, (batch, channels, spatial), or as rows of channels (rows, n).

    rows: None, or how many;  wide: a thread takes 16 bytes of channels
    """

    def __init__(self, x):
        self.like, self.channels, self.spatial = x, x.shape[1], math.prod(x.shape[2:])
        self.last = channels_last(x)
        self.rows = x.size // self.channels if self.last or self.spatial == 1 else None

    def arranged(self, xp, a):
        """An array like the first one, in this order."""
        if self.last:
            return xp.moveaxis(dense(xp, a, True), 1, -1).reshape(-1, self.channels)
        return xp.ascontiguousarray(a)

    def given_back(self, xp, a):
        """The array in the first one's shape."""
        x = self.like
        return xp.moveaxis(a.reshape(x.shape[0], *x.shape[2:], x.shape[1]), -1, 1) if self.last else a.reshape(x.shape)

    def reduced(self, *arrays):
        """How a kernel's work is divided that makes a part of every chunk (channel_sums.py)."""
        if self.rows is None:
            return over_images(self.like.shape[0], self.channels, self.spatial)
        return over_rows(self.rows, self.channels, *arrays)

    def mapped(self, kernel, *arrays):
        """(kernel, grid, block, sizes) of a kernel that makes an element of each element."""
        if self.rows is None:
            size, sizes = self.like.size, (I64(self.channels), I64(self.spatial))
            if self.spatial < LARGE:
                return kernel, *flat_grid(size), (I64(size), *sizes)
            return f"{kernel}_planes", *rows_grid(size // self.spatial, self.spatial), (I64(size // self.spatial), *sizes)
        width = width_of(self.channels, *arrays)
        across_all, across, down = tiles(self.channels, width)
        chunks = max(1, min(math.ceil(self.rows / (2 * down)), 2 * BLOCKS // across_all))
        return f"{kernel}_last{'_wide' * (width > 1)}", (across_all, chunks), (across, down), (I64(self.rows), I64(self.channels))


def _are_channels(x, axes):
    return x.ndim > 1 and sorted(a % x.ndim for a in axes) == [0, *range(2, x.ndim)]


def _takes(x, axes, *per_channel):
    return FAMILY.takes(x) and _are_channels(x, axes) and all(t is None or t.size == x.shape[1] for t in per_channel)


# -- statistics --------------------------------------------------------------------------------------------------------

def _statistics(xp, x, wanted, running_mean=None, running_var=None, eps=0.0, momentum=0.0):
    """(mean, variance or None, 1 / standard deviation or None), kept dimensions; wanted: which of the last two."""
    image = _Image(x)
    shape, kind = (1, image.channels, *(1,) * (x.ndim - 2)), number(x)
    x = image.arranged(xp, x)
    end, grid, block, sizes, chunks = image.reduced(x)
    parts = xp.empty((3, chunks, image.channels), kind)
    FAMILY.launch(xp, f"batch_moments{end}", x, grid, block, x, parts, *sizes)
    mean, var, rstd = [xp.empty(shape, kind) if w else None for w in (True, *wanted)]
    FAMILY.launch(xp, "batch_statistics", x, *rows_grid(image.channels, 32), parts, mean, var, rstd, running_mean, running_var, I64(chunks),
                  I64(image.channels), kind(eps), kind(momentum))
    return mean, var, rstd


def both_moments(xp, x, axes):
    """The op `moments` on CuPy arrays."""
    return _statistics(xp, x, (True, False))[:2] if _takes(x, axes) else moments.formula(xp, x, axes)


def tracked(xp, x, running_mean=None, running_var=None, axes=(0,), eps=1e-5, momentum=0.1):
    """The op `tracked_moments` on CuPy arrays: two launches, running statistics included."""
    running = running_mean, running_var
    if not _takes(x, axes, *running) or any(t is not None and (t.dtype != number(x) or not t.flags.c_contiguous) for t in running):
        return tracked_moments.formula(xp, x, running_mean, running_var, axes, eps, momentum)
    mean, _, rstd = _statistics(xp, x, (False, True), running_mean, running_var, eps, momentum)
    return mean, rstd


# -- x to y and back ---------------------------------------------------------------------------------------------------

def apply(xp, x, low, times, also, plus):
    """(x - low) * times * also + plus, each of the four a number per channel or None."""
    image = _Image(x)
    x = image.arranged(xp, x)
    y = xp.empty(x.shape, x.dtype)
    kernel, grid, block, sizes = image.mapped("batch_apply", x)
    FAMILY.launch(xp, kernel, x, grid, block, x, *(wide(xp, t, x) for t in (low, times, also, plus)), y, *sizes)
    return image.given_back(xp, y)


def backward(xp, g, x, weight, mean, rstd, needs):
    """The gradients for x, weight and bias of `normalize` with the statistics of the batch: (C, 1, ...) the last two."""
    image, shape = _Image(x), (x.shape[1], *(1,) * (x.ndim - 2))
    g, x = image.arranged(xp, g), image.arranged(xp, x)
    mean, rstd = wide(xp, mean, x), wide(xp, rstd, x)
    slopes, levels = sums(xp, "batch_sums", image.reduced(g, x), g, x, [mean, rstd], shape)
    gx = None
    if needs[0]:
        gx = xp.empty(x.shape, x.dtype)
        kernel, grid, block, sizes = image.mapped("batch_backward", g, x)
        share = number(x)(image.channels / x.size)
        FAMILY.launch(xp, kernel, x, grid, block, g, x, mean, rstd, slopes, levels, wide(xp, weight, x), gx, *sizes, share)
        gx = image.given_back(xp, gx)
    return gx, slopes, levels


def takes_statistics(x, weight, bias, mean, rstd, axes, center):
    """Whether `normalize` is called for batch norm, with a number per channel of everything."""
    return rstd is not None and mean is not None and center and _takes(x, axes, weight, bias, mean, rstd)


def shift_channels(xp, x, scale, shift):
    """The op `scale_shift` on CuPy arrays."""
    per_channel = x.ndim > 1 and all(t.shape == (x.shape[1], *(1,) * (x.ndim - 2)) for t in (scale, shift))
    return apply(xp, x, None, scale, None, shift) if per_channel and FAMILY.takes(x) else scale_shift.formula(xp, x, scale, shift)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays.  `normalize` is norm.py's, which calls those above."""
    moments.kernel("cupy")(both_moments)
    tracked_moments.kernel("cupy")(tracked)
    scale_shift.kernel("cupy")(shift_channels)
