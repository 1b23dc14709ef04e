"""Loops over rows, channels and windows in float32, compiled by numba.  Imported by `_fused` alone, since it needs numba.

Matrices are (rows, n) in one block of memory.
"""
import numba
import numpy as np

from .._numba import kept

# Sums may be reordered in a `loop`; infinities and nan keep their meaning.
loop = kept(numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}))
exact = kept(numba.njit(nogil=True, error_model="numpy"))

F = np.float32
ZERO, ONE = F(0), F(1)
ROWS = 256  # added up in float32 before they go to a sum in double precision


@loop
def _moments(x, eps, center):
    """(mean, 1 / standard deviation) of a row; the mean counts as 0 without `center`."""
    mean, square = ZERO, ZERO
    if center:
        for j in range(x.size):
            mean += x[j]
        mean /= F(x.size)
    for j in range(x.size):
        off = x[j] - mean
        square += off * off
    return mean, ONE / np.sqrt(square / F(x.size) + eps)


@loop
def normalize_rows(x, weight, bias, eps, center, y):
    """y = (x - mean) / standard deviation * weight + bias of every row; weight and bias: (n) or None."""
    for i in range(len(x)):
        mean, rstd = _moments(x[i], eps, center)
        for j in range(x.shape[1]):
            v = (x[i, j] - mean) * rstd
            if weight is not None:
                v *= weight[j]
            if bias is not None:
                v += bias[j]
            y[i, j] = v


@loop
def normalize_rows_gradient(g, x, weight, eps, center, gx, gw, gb):
    """The gradients of `normalize_rows`.  gw and gb: (n) in double precision, zeros to begin with."""
    n = x.shape[1]
    some_w, some_b = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for i in range(len(x)):
        mean, rstd = _moments(x[i], eps, center)
        level, slope = ZERO, ZERO
        for j in range(n):
            xhat = (x[i, j] - mean) * rstd
            some_w[j] += g[i, j] * xhat
            some_b[j] += g[i, j]
            v = g[i, j] * weight[j] if weight is not None else g[i, j]
            level += v
            slope += v * xhat
        level = level / F(n) if center else ZERO
        slope /= F(n)
        for j in range(n):
            v = g[i, j] * weight[j] if weight is not None else g[i, j]
            gx[i, j] = rstd * (v - level - (x[i, j] - mean) * rstd * slope)
        if i % ROWS == ROWS - 1 or i == len(x) - 1:
            for j in range(n):
                gw[j] += some_w[j]
                gb[j] += some_b[j]
                some_w[j] = some_b[j] = ZERO


@loop
def normalize_groups(x, groups, weight, bias, eps, y):
    """Each of x standardized, times weight, plus bias of its channels.  x: (N * groups, channels of a group, area);  weight, bias: (C) or None."""
    for i in range(len(x)):
        mean, rstd = _moments(x[i].reshape(-1), eps, True)
        first = i % groups * x.shape[1]
        for c in range(x.shape[1]):
            scale = rstd if weight is None else rstd * weight[first + c]
            shift = ZERO if bias is None else bias[first + c]
            for j in range(x.shape[2]):
                y[i, c, j] = (x[i, c, j] - mean) * scale + shift


@loop
def normalize_groups_gradient(g, x, groups, weight, eps, gx, gw, gb):
    """The gradients of `normalize_groups`.  gw and gb: (C) in double precision, zeros to begin with."""
    for i in range(len(x)):
        mean, rstd = _moments(x[i].reshape(-1), eps, True)
        first, level, slope = i % groups * x.shape[1], ZERO, ZERO
        for c in range(x.shape[1]):
            a, b = ZERO, ZERO
            for j in range(x.shape[2]):
                a += g[i, c, j]
                b += g[i, c, j] * (x[i, c, j] - mean)
            b *= rstd
            gb[first + c] += a
            gw[first + c] += b
            w = ONE if weight is None else weight[first + c]
            level += a * w
            slope += b * w
        level /= F(x[i].size)
        slope /= F(x[i].size)
        for c in range(x.shape[1]):
            w = ONE if weight is None else weight[first + c]
            for j in range(x.shape[2]):
                gx[i, c, j] = rstd * (g[i, c, j] * w - level - (x[i, c, j] - mean) * rstd * slope)


@loop
def normalize_channels(x, scale, shift, y):
    """y = x * scale + shift, one pair per channel.  x: (N, C, area)"""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            for j in range(x.shape[2]):
                y[i, c, j] = x[i, c, j] * scale[c] + shift[c]


@loop
def channel_sums(g, x, mean, rstd, total, product):
    """total = sum of g and product = sum of g * xhat for each channel, in double precision from zeros.  g, x: (N, C, area)"""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            a, b, m, r = ZERO, ZERO, mean[c], rstd[c]
            for j in range(x.shape[2]):
                a += g[i, c, j]
                b += g[i, c, j] * ((x[i, c, j] - m) * r)
            total[c] += a
            product[c] += b


@loop
def normalize_channels_gradient(g, x, mean, rstd, factor, level, slope, y):
    """y = factor * (g - level - xhat * slope), numbers per channel.  g, x: (N, C, area)"""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            f, a, b, m = factor[c], level[c], slope[c] * rstd[c], mean[c]
            for j in range(x.shape[2]):
                y[i, c, j] = f * (g[i, c, j] - a - (x[i, c, j] - m) * b)


@loop
def relu_gradient(g, out, y):
    """y = g where out, never negative, is not 0.  All flat."""
    for i in range(g.size):
        y[i] = g[i] if out[i] != ZERO else ZERO


@loop
def masked_scale(x, mask, scale, y):
    """y = x * scale where the mask is True, and 0 elsewhere.  All flat."""
    for i in range(x.size):
        y[i] = x[i] * (scale if mask[i] else ZERO)


@loop
def max_pool(x, kh, kw, sh, sw, ph, pw, dh, dw, y, where):
    """The largest element of each window and its number, the first among equals.  x: (images, H, W), y, where: (images, P, Q)"""
    images, height, width = x.shape
    for i in range(images):
        image = x[i]
        for p in range(y.shape[1]):
            top = p * sh - ph
            a_from, a_to = inside(top, kh, dh, height)
            for q in range(y.shape[2]):
                left = q * sw - pw
                b_from, b_to = inside(left, kw, dw, width)
                best, at = F(-np.inf), a_from * kw + b_from
                for a in range(a_from, a_to):
                    row = image[top + a * dh]
                    for b in range(b_from, b_to):
                        v = row[np.uint64(left + b * dw)]
                        larger = v > best or v != v
                        best = v if larger else best
                        at = a * kw + b if larger else at
                y[i, p, q], where[i, p, q] = best, at


@loop
def max_pool_2x2(x, y, where):
    """`max_pool` for the commonest windows, which do not touch."""
    for i in range(len(x)):
        for p in range(y.shape[1]):
            upper, lower = x[i, 2 * p], x[i, 2 * p + 1]
            for q in range(y.shape[2]):
                k = np.uint64(2 * q)
                a, b, c, d = upper[k], upper[k + np.uint64(1)], lower[k], lower[k + np.uint64(1)]
                at = 1 if b > a or b != b else 0
                best = b if b > a or b != b else a
                at = 2 if c > best or c != c else at
                best = c if c > best or c != c else best
                at = 3 if d > best or d != d else at
                y[i, p, q] = d if d > best or d != d else best
                where[i, p, q] = at


@loop
def inside(start, kernel, dilation, size):
    """(first, last + 1) of a window's elements that are not in the padding."""
    first, stop = 0, kernel
    while start + first * dilation < 0:
        first += 1
    while start + (stop - 1) * dilation >= size:
        stop -= 1
    return first, stop


@loop
def spread_to_max(g, where, kw, sh, sw, ph, pw, dh, dw, y):
    """y += g at the places that `where` numbers.  g, where: (images, P, Q), y: (images, H, W)"""
    kernel = np.uint32(kw)
    for i in range(g.shape[0]):
        image = y[i]
        for p in range(g.shape[1]):
            for q in range(g.shape[2]):
                at = np.uint32(where[i, p, q])
                a = at // kernel
                row, column = p * sh - ph + np.int64(a) * dh, q * sw - pw + np.int64(at - a * kernel) * dw
                if 0 <= row < y.shape[1] and 0 <= column < y.shape[2]:
                    image[np.uint64(row), np.uint64(column)] += g[i, p, q]


@loop
def spread_to_max_2x2(g, where, y):
    """y = g at the places that `where` numbers, 0 elsewhere in their windows, as in `max_pool_2x2`."""
    for i in range(len(g)):
        for p in range(g.shape[1]):
            upper, lower = y[i, 2 * p], y[i, 2 * p + 1]
            for q in range(g.shape[2]):
                k, at = np.uint64(2 * q), np.uint64(where[i, p, q])
                upper[k] = upper[k + np.uint64(1)] = lower[k] = lower[k + np.uint64(1)] = ZERO
                y[i, 2 * p + np.int64(at >> np.uint64(1)), 2 * q + np.int64(at & np.uint64(1))] = g[i, p, q]


@loop
def add_rows(x, indices, y):
    """y[indices[i]] += x[i]."""
    for i in range(len(x)):
        k = indices[i]
        for j in range(x.shape[1]):
            y[k, j] += x[i, j]



@loop
def take_along_rows(x, indices, y):
    """y[i, j] = x[i, indices[i, j]].  Returns False, with y unfinished, where an index is not a place of a row."""
    n = np.uint64(x.shape[1])
    for i in range(len(indices)):
        for j in range(indices.shape[1]):
            k = np.uint64(indices[i, j])  # a negative number is a very large one
            if k >= n:
                return False
            y[i, j] = x[i, k]
    return True


@loop
def add_along_rows(x, indices, y):
    """y[i, indices[i, j]] += x[i, j].  Returns False, with y unfinished, where an index is not a place of a row."""
    n = np.uint64(y.shape[1])
    for i in range(len(x)):
        for j in range(x.shape[1]):
            k = np.uint64(indices[i, j])
            if k >= n:
                return False
            y[i, k] += x[i, j]
    return True


@exact
def first_of_rows(x, largest, values, places):
    """The largest (or smallest) elements of each row in order, of equal ones the first, and where they are.  nan counts as the largest number."""
    k = values.shape[1]
    for i in range(len(x)):
        held = 0
        for j in range(x.shape[1]):
            v = x[i, j]
            if held == k:
                last = values[i, k - 1]
                if (v <= last) if largest else (v >= last):  # false where one of them is nan
                    continue
            at = held if held < k else k
            while at > 0:
                w = values[i, at - 1]
                comes_first = (v > w or (v != v and w == w)) if largest else (v < w or (w != w and v == v))
                if not comes_first:
                    break
                if at < k:
                    values[i, at], places[i, at] = w, places[i, at - 1]
                at -= 1
            if at < k:
                values[i, at], places[i, at] = v, j
                held = min(held + 1, k)
