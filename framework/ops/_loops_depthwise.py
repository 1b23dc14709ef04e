"""`_depthwise` for two spatial dimensions in float32, compiled by numba: a channel's images are sorted into planes, worked on and read while they are
in the cache.  Imported where numba is installed.

x: (N, C, H, W), y: (N, C, P, Q), planes: (stride * stride, images * area).  taps[k] = plane and offset of kernel element k;  w: (kernel size, C);
window: stride, padding (two each), area and row length of a plane.
"""
import numba
import numpy as np

from .._numba import kept

# Sums may be reordered in a `loop`; infinities and nan keep their meaning.
loop = kept(numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}))
ZERO = np.float32(0)
PIECE = 2048  # elements of a row that stay in the innermost cache


@loop
def _sort(x, first, n, c, window, planes, back):
    """Copy n images of a channel into their planes; back: out of them."""
    sh, sw, ph, pw, area, row = window
    for i in range(n):
        for h in range(x.shape[2]):
            down, image = (h + ph) // sh * row + i * area, x[first + i, c, h]
            for r in range(sw):
                start = (r - pw) % sw
                count = (image.size - start + sw - 1) // sw
                begin = down + (start + pw) // sw
                run = planes[(h + ph) % sh * sw + r, begin:begin + count]
                if sw == 1:
                    for j in range(count):
                        if back:
                            image[j] = run[j]
                        else:
                            run[j] = image[j]
                elif back:
                    for j in range(count):
                        image[start + j * sw] = run[j]
                else:
                    for j in range(count):
                        run[j] = image[start + j * sw]


@loop
def _spread(y, first, n, c, area, row, wide):
    """Copy n results of a channel to where their runs begin."""
    for i in range(n):
        for h in range(y.shape[2]):
            begin = i * area + h * row
            for j in range(y.shape[3]):
                wide[begin + j] = y[first + i, c, h, j]


@loop
def convolve(x, w, bias, window, taps, length, images, y):
    """y = the convolution of x, `images` images at a time; bias: (C) or None."""
    area, row = window[4], window[5]
    planes, wide = np.zeros((window[0] * window[1], images * area), np.float32), np.empty(images * area, np.float32)
    for c in range(x.shape[1]):
        shift = ZERO if bias is None else bias[c]
        for first in range(0, len(x), images):
            n = min(images, len(x) - first)
            _sort(x, first, n, c, window, planes, False)
            run = (n - 1) * area + length
            for start in range(0, run, PIECE):
                total = wide[start:min(start + PIECE, run)]
                total[:] = shift
                for k in range(len(taps)):
                    factor, at = w[k, c], taps[k, 1] + start
                    source = planes[taps[k, 0], at:at + total.size]
                    for j in range(total.size):
                        total[j] += factor * source[j]
            for i in range(n):
                for h in range(y.shape[2]):
                    begin = i * area + h * row
                    for j in range(y.shape[3]):
                        y[first + i, c, h, j] = wide[begin + j]


@loop
def transpose(y, w, window, taps, length, images, x):
    """x = the adjoint of `convolve` of y."""
    area, row = window[4], window[5]
    planes, wide = np.empty((window[0] * window[1], images * area), np.float32), np.zeros(images * area, np.float32)
    for c in range(x.shape[1]):
        for first in range(0, len(x), images):
            n = min(images, len(x) - first)
            _spread(y, first, n, c, area, row, wide)
            planes[:] = ZERO
            run = (n - 1) * area + length
            for start in range(0, run, PIECE):
                source = wide[start:min(start + PIECE, run)]
                for k in range(len(taps)):
                    factor, at = w[k, c], taps[k, 1] + start
                    total = planes[taps[k, 0], at:at + source.size]
                    for j in range(source.size):
                        total[j] += factor * source[j]
            _sort(x, first, n, c, window, planes, True)


@loop
def weight_gradient(y, x, window, taps, length, images, gw):
    """gw: (kernel size, C) in double precision = the gradient of `convolve` for w.  y: a gradient"""
    area, row = window[4], window[5]
    planes, wide = np.zeros((window[0] * window[1], images * area), np.float32), np.zeros(images * area, np.float32)
    for c in range(x.shape[1]):
        for first in range(0, len(x), images):
            n = min(images, len(x) - first)
            _sort(x, first, n, c, window, planes, False)
            _spread(y, first, n, c, area, row, wide)
            run = (n - 1) * area + length
            for start in range(0, run, PIECE):
                above = wide[start:min(start + PIECE, run)]
                for k in range(len(taps)):
                    at, total = taps[k, 1] + start, ZERO
                    source = planes[taps[k, 0], at:at + above.size]
                    for j in range(above.size):
                        total += above[j] * source[j]
                    gw[k, c] += total
