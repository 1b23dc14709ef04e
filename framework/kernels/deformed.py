"""What the kernel of a deformable convolution sees, and the gradients of image, offsets and mask.  See family.py for the words of the text.

The image's gradient adds atomically; under `use_deterministic_algorithms` the formula runs.  Those of offsets and mask are sums of one thread over
the channels.
"""
import math

import numpy as np

from .._backends.uploads import constant
from .._config import DETERMINISTIC
from ..ops.deformed import deformed_columns
from .family import I64, Family, flat_grid, number

TEXT = r"""
// channels: of a group;  in, out: rows and columns of images and results;  chunk: channels that a thread goes through
struct Sizes { int groups, channels, in_y, in_x, k_y, k_x, out_y, out_x, s_y, s_x, p_y, p_x, d_y, d_x, chunk; };

// A kernel element's look at the image: the four pixels round its place, in the order (0, 0), (0, 1), (1, 0), (1, 1), and their shares
struct Look { i64 group, place, tap; int first, last, at[4]; bool inside[4]; A share[4], y, x, factor; };

__device__ inline Look look(i64 i, const Sizes& s, const T* offset, const T* mask, int chunks) {
    Look l;
    const i64 places = (i64)s.out_y * s.out_x, taps = s.k_y * s.k_x;
    l.place = rest(i, places); i = quotient(i, places);
    l.tap = rest(i, taps); i = quotient(i, taps);
    l.first = (int)rest(i, chunks) * s.chunk;
    l.last = min(l.first + s.chunk, s.channels);
    l.group = quotient(i, chunks);  // counted over all images
    const T* move = offset + (l.group * taps + l.tap) * 2 * places + l.place;
    const A y = (A)move[0] + (A)((int)(l.place / s.out_x) * s.s_y - s.p_y + (int)(l.tap / s.k_x) * s.d_y);
    const A x = (A)move[places] + (A)((int)(l.place % s.out_x) * s.s_x - s.p_x + (int)(l.tap % s.k_x) * s.d_x);
    const A top = floor(y), left = floor(x);
    l.y = y - top;
    l.x = x - left;
    l.factor = mask ? (A)mask[(l.group * taps + l.tap) * places + l.place] : (A)1;
    for (int k = 0; k < 4; ++k) {
        const A row = top + (A)(k >> 1), column = left + (A)(k & 1);
        l.inside[k] = row >= 0 && row < s.in_y && column >= 0 && column < s.in_x;
        l.at[k] = l.inside[k] ? (int)row * s.in_x + (int)column : 0;
        l.share[k] = (k >> 1 ? l.y : 1 - l.y) * (k & 1 ? l.x : 1 - l.x);
    }
    return l;
}
__device__ inline i64 column_of(const Look& l, const Sizes& s, int channel) {
    return ((l.group * s.channels + channel) * (s.k_y * s.k_x) + l.tap) * ((i64)s.out_y * s.out_x) + l.place;
}

KERNEL deformed_columns(const T* x, const T* offset, const T* mask, T* out, const int* sizes, i64 total) {
    const Sizes s = *(const Sizes*)sizes;
    const int chunks = (s.channels + s.chunk - 1) / s.chunk;
    const i64 pixels = (i64)s.in_y * s.in_x;
    EACH_ELEMENT(i, total) {
        const Look l = look(i, s, offset, mask, chunks);
        for (int c = l.first; c < l.last; ++c) {
            const T* plane = x + (l.group * s.channels + c) * pixels;
            A sum = 0;
            for (int k = 0; k < 4; ++k)
                if (l.inside[k]) sum += (A)plane[l.at[k]] * l.share[k];
            out[column_of(l, s, c)] = (T)(sum * l.factor);
        }
    }
}

KERNEL deformed_image(const T* g, const T* offset, const T* mask, A* out, const int* sizes, i64 total) {
    const Sizes s = *(const Sizes*)sizes;
    const int chunks = (s.channels + s.chunk - 1) / s.chunk;
    const i64 pixels = (i64)s.in_y * s.in_x;
    EACH_ELEMENT(i, total) {
        const Look l = look(i, s, offset, mask, chunks);
        for (int c = l.first; c < l.last; ++c) {
            A* plane = out + (l.group * s.channels + c) * pixels;
            const A v = (A)g[column_of(l, s, c)] * l.factor;
            for (int k = 0; k < 4; ++k)
                if (l.inside[k]) atomicAdd(plane + l.at[k], v * l.share[k]);
        }
    }
}

// moved: the gradient of the offsets;  faded: that of the mask, or null
KERNEL deformed_offsets(const T* g, const T* x, const T* offset, const T* mask, T* moved, T* faded, const int* sizes, i64 total) {
    const Sizes s = *(const Sizes*)sizes;
    const i64 pixels = (i64)s.in_y * s.in_x, places = (i64)s.out_y * s.out_x;
    EACH_ELEMENT(i, total) {
        const Look l = look(i, s, offset, mask, 1);
        A seen[4] = {0, 0, 0, 0};
        for (int c = l.first; c < l.last; ++c) {
            const T* plane = x + (l.group * s.channels + c) * pixels;
            const A v = (A)g[column_of(l, s, c)];
            for (int k = 0; k < 4; ++k)
                if (l.inside[k]) seen[k] += v * (A)plane[l.at[k]];
        }
        const i64 at = l.group * (s.k_y * s.k_x) + l.tap;
        moved[at * 2 * places + l.place] = (T)(l.factor * ((seen[2] - seen[0]) * (1 - l.x) + (seen[3] - seen[1]) * l.x));
        moved[(at * 2 + 1) * places + l.place] = (T)(l.factor * ((seen[1] - seen[0]) * (1 - l.y) + (seen[3] - seen[2]) * l.y));
        if (faded) faded[at * places + l.place] = (T)(seen[0] * l.share[0] + seen[1] * l.share[1] + seen[2] * l.share[2] + seen[3] * l.share[3]);
    }
}
"""
FAMILY = Family("deformed", TEXT)
CHUNK = 16  # channels that a thread goes through where threads share them


def _takes(x, offset, mask):
    return FAMILY.takes(x) and offset.size > 0 and math.prod(x.shape[2:]) < 2**31 and all(a is None or a.dtype == x.dtype for a in (offset, mask))


def _sizes(xp, x, offset, kernel, stride, padding, dilation, chunk):
    """(the kernels' table, threads that are wanted)."""
    groups = offset.shape[1] // (2 * math.prod(kernel))
    channels = x.shape[1] // groups
    chunk = min(chunk, channels)
    table = (groups, channels, *x.shape[2:], *kernel, *offset.shape[2:], *stride, *padding, *dilation, chunk)
    return constant(xp, np.array(table, np.int32)), offset.size // 2 * math.ceil(channels / chunk)


def forward(xp, x, offset, mask=None, kernel=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    """The op `deformed_columns` on CuPy arrays."""
    if not _takes(x, offset, mask):
        return deformed_columns.formula(xp, x, offset, mask, kernel, stride, padding, dilation)
    x, offset, mask = (a if a is None else xp.ascontiguousarray(a) for a in (x, offset, mask))
    table, total = _sizes(xp, x, offset, kernel, stride, padding, dilation, CHUNK)
    out = xp.empty((*x.shape[:2], math.prod(kernel), math.prod(offset.shape[2:])), x.dtype)
    FAMILY.launch(xp, "deformed_columns", x, *flat_grid(total), x, offset, mask, out, table, I64(total))
    return out


def backward(xp, g, x, offset, mask, kernel, stride, padding, dilation, needs):
    """The gradients of `forward`."""
    if not _takes(x, offset, mask) or g.dtype != x.dtype or needs[0] and DETERMINISTIC["on"]:
        return deformed_columns.rules[0].formula(xp, g, x, offset, mask, kernel, stride, padding, dilation, needs)
    g, x, offset, mask = (a if a is None else xp.ascontiguousarray(a) for a in (g, x, offset, mask))
    image = moved = faded = None
    if needs[0]:
        table, total = _sizes(xp, x, offset, kernel, stride, padding, dilation, CHUNK)
        image = xp.zeros(x.shape, number(x))
        FAMILY.launch(xp, "deformed_image", x, *flat_grid(total), g, offset, mask, image, table, I64(total))
        image = image.astype(x.dtype, copy=False)
    if needs[1] or needs[2]:
        table, total = _sizes(xp, x, offset, kernel, stride, padding, dilation, x.shape[1])
        moved, faded = xp.empty(offset.shape, x.dtype), None if mask is None else xp.empty(mask.shape, x.dtype)
        FAMILY.launch(xp, "deformed_offsets", x, *flat_grid(total), g, x, offset, mask, moved, faded, table, I64(total))
    return image, moved, faded


def register():
    """Put the kernels in the place of the formula and its rule on CuPy arrays."""
    deformed_columns.kernel("cupy")(forward)
    deformed_columns.kernel("cupy", vjp="x")(backward)
