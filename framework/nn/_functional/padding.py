"""Padding with a constant or with values from inside."""
import numpy as np

from ... import ops
from ._arguments import beside


def pad(input, pad, mode="constant", value=None):
    """Add elements before and after dimensions; pad: (before, after) of the last one, then of the last but one, and so on.

    mode: "constant" (value, 0 by default; negative widths cut off), "reflect", "replicate" or "circular", which copy from inside.
    """
    pad = [int(p) for p in pad]
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(pad)} widths")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(f"Padding length should be less than or equal to two times the input dimension but got padding length {len(pad)} and "
                           f"input of dimension {input.ndim}")
    widths = [(0, 0)] * (input.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    if mode == "constant":
        short = [(n, w) for n, w in zip(input.shape, widths) if n + sum(w) < 0]
        if short:
            raise RuntimeError(f"The input size {short[0][0]}, plus negative padding {short[0][1][0]} and {short[0][1][1]}, resulted in a negative "
                               "output size")
        return ops.constant_pad(input, tuple(widths), 0.0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}; the modes are constant, {', '.join(SOURCES)}")
    if len(pad) // 2 not in (input.ndim - 1, input.ndim - 2):
        raise NotImplementedError(f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now; {len(pad)} widths do not fit an "
                                  f"input of dimension {input.ndim}")
    for axis, (before, after) in enumerate(widths):
        if before or after:
            source = SOURCES[mode](input.shape[axis], before, after)
            input = ops.take(input, beside(input, source), axis)
    return input


def _reflected(n, before, after):
    if max(before, after) >= n:
        raise RuntimeError("Padding size should be less than the corresponding input dimension, but got: padding "
                           f"({before}, {after}) at a dimension of size {n}")
    i = np.abs(np.arange(-before, n + after))
    return np.where(i >= n, 2 * (n - 1) - i, i)


def _replicated(n, before, after):
    return np.clip(np.arange(-before, n + after), 0, n - 1)


def _circular(n, before, after):
    if max(before, after) > n:
        raise RuntimeError(f"Padding value causes wrapping around more than once: ({before}, {after}) at a dimension of size {n}")
    return np.arange(-before, n + after) % n


SOURCES = {"reflect": _reflected, "replicate": _replicated, "circular": _circular}  # index of the element that each place copies

__all__ = ["pad"]
