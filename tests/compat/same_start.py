"""python same_start.py PROGRAM [argument ...]: runs a program written for torch so that it begins, and draws, the same under every torch.

Weights are filled by their names at a module's first call, random numbers come from NumPy, and dropout keeps everything: what is left of the
difference between two runs is the arithmetic. Constant weights (zero biases, ones of normalisation) stay as the program made them.
"""
import os
import random
import runpy
import sys
import weakref
import zlib

import numpy as np
import torch

_DRAWS = np.random.default_rng(0)
_SEEN = weakref.WeakSet()


def fill(module):
    """Fill every weight below `module` that holds random numbers, once: uniform within 1 / sqrt(last dimension or, in convolutions, fan-in)."""
    for parent, part in module.named_modules():
        if part in _SEEN:
            continue
        _SEEN.add(part)
        if isinstance(part, (torch.nn.modules.dropout._DropoutNd,)):
            part.p = 0.0
        elif isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0
        for name, p in part._parameters.items():
            if p is None or not p.is_floating_point() or p.numel() == 0 or _is_constant(p):
                continue
            draws = np.random.default_rng(zlib.crc32(f"{parent}.{name}".encode()))
            bound = (p[0].numel() if p.dim() > 2 else p.shape[-1]) ** -0.5
            p.data.copy_(torch.from_numpy(draws.uniform(-bound, bound, tuple(p.shape))))


def _is_constant(p):
    return bool(p.min() == p.max() and (p.numel() > 1 or p.item() in (0.0, 1.0)))


def _size(size):
    return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size


def _as(array, dtype=None, requires_grad=False, **_ignored):
    return torch.from_numpy(np.ascontiguousarray(array)).to(dtype or torch.get_default_dtype()).requires_grad_(requires_grad)


def _randint(low, high=None, size=None, dtype=torch.int64, **_ignored):
    if size is None or isinstance(high, (tuple, list)):
        low, high, size = 0, low, high if size is None else size
    return torch.from_numpy(np.asarray(_DRAWS.integers(low, high, tuple(size)))).to(dtype)


def _multinomial(probabilities, num_samples, replacement=False, **_ignored):
    rows = probabilities.detach().reshape(-1, probabilities.shape[-1]).double().numpy()
    picked = [_DRAWS.choice(rows.shape[1], num_samples, replace=replacement, p=np.round(row / row.sum(), 4) / np.round(row / row.sum(), 4).sum())
              for row in rows]
    return torch.from_numpy(np.array(picked)).reshape(*probabilities.shape[:-1], num_samples)


def draw_from_numpy():
    """Put NumPy's numbers behind the functions that programs draw with, and `fill` before every module's first call."""
    torch.randn = lambda *size, **options: _as(_DRAWS.standard_normal(_size(size)), **options)
    torch.rand = lambda *size, **options: _as(_DRAWS.random(_size(size)), **options)
    torch.randn_like = lambda x, **options: _as(_DRAWS.standard_normal(tuple(x.shape)), x.dtype)
    torch.rand_like = lambda x, **options: _as(_DRAWS.random(tuple(x.shape)), x.dtype)
    torch.randperm = lambda n, **_ignored: torch.from_numpy(_DRAWS.permutation(n))
    torch.randint = _randint
    torch.multinomial = _multinomial
    torch.utils.data.RandomSampler.__iter__ = lambda self: iter(_DRAWS.permutation(len(self.data_source)).tolist())
    call = torch.nn.Module.__call__

    def filled(self, *args, **kwargs):
        if self not in _SEEN:
            fill(self)
        return call(self, *args, **kwargs)

    torch.nn.Module.__call__ = filled


def allow_torchvision_without_operators():
    """Where only the Python half of the real torchvision is installed, importing it asks for two operators of the other half."""
    if "ringgrad" not in torch.__version__:
        torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if __name__ == "__main__":
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    draw_from_numpy()
    allow_torchvision_without_operators()
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
