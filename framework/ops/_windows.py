"""The windows that a kernel looks at, in arrays (N, C, *spatial) of any number of spatial dimensions.

kernel, stride, padding, dilation: one int per dimension.  out: how many windows there are, per dimension.
"""
import itertools


def out_sizes(sizes, kernel, stride, padding, dilation):
    """Spatial sizes of the result."""
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation))


def padded(xp, x, padding):
    """`x` with zeros round its spatial dimensions."""
    if not any(padding):
        return x
    out = xp.zeros((*x.shape[:2], *(n + 2 * p for n, p in zip(x.shape[2:], padding))), x.dtype)
    out[(..., *(slice(p, p + n) for n, p in zip(x.shape[2:], padding)))] = x
    return out


def windows(xp, x, kernel, out, stride, dilation):
    """(N, C, *padded) -> (N, C, *kernel, *out), a view: element (n, c, *k, *o) is x[n, c, *(o * stride + k * dilation)]."""
    steps = x.strides[2:]
    return xp.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out), (
        *x.strides[:2], *(b * d for b, d in zip(steps, dilation)), *(b * s for b, s in zip(steps, stride))))


def add_windows(xp, values, size, kernel, out, stride, padding, dilation):
    """`windows`, transposed: add each element of (N, C, *kernel, *out) to the place it was looked at, then cut the padding off."""
    y = xp.zeros((*values.shape[:2], *(n + 2 * p for n, p in zip(size, padding))), values.dtype)
    for at in itertools.product(*map(range, kernel)):
        y[(..., *places(at, out, stride, dilation))] += values[(slice(None), slice(None), *at)]
    return y[(..., *(slice(p, p + n) for n, p in zip(size, padding)))]


def places(at, out, stride, dilation):
    """The slices that kernel element `at` looks at, one per spatial dimension."""
    return [slice(k * d, k * d + (o - 1) * s + 1, s) for k, d, o, s in zip(at, dilation, out, stride)]
