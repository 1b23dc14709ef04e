"""Weights of resizing with a filter as wide as the output's pixels, as Pillow does it."""
import numpy as np


def _triangle(x):
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x, a=-0.5):
    x = np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


FILTERS = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0), "lanczos": (_lanczos, 3.0)}  # kernel, its radius


def filtered_weights(n, out, step, align_corners, mode):
    """(n, out) matrix: the share of each input pixel in each output pixel.  step: input pixels per output pixel."""
    kernel, radius = FILTERS[mode]
    if align_corners:
        step = (n - 1) / (out - 1) if out > 1 else 0.0
    width = max(step, 1.0)
    matrix = np.zeros((n, out))
    for i in range(out):
        centre = step * (i + 0.5)
        start = max(int(centre - radius * width + 0.5), 0)
        stop = min(int(centre + radius * width + 0.5), n)
        shares = kernel((np.arange(start, stop) - centre + 0.5) / width)
        total = shares.sum()
        matrix[start:stop, i] = shares / total if total else shares
    return matrix
