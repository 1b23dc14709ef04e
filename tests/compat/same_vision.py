"""python same_vision.py STEPS PROGRAM [argument ...]: `same_start` for programs that use torchvision; ends after STEPS optimizer steps (0: never).

Random transforms draw from NumPy, data sets take files whose digests are not the published ones, data is loaded by the program's own process, and
every loss that is differentiated is written to stderr as "loss VALUE".  Under the real torch, torchvision's compiled operators need not load.
"""
import os
import random
import runpy
import sys

import numpy as np
import same_start
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

OURS = hasattr(torch, "__ringgrad__")
OPERATORS = ("nms", "qnms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
_DRAWS = np.random.default_rng(1)
_kept = []


def load_torchvision():
    """torchvision; its operators are only declared where they were compiled for another torch."""
    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            for operator in (name, f"_{name}_backward"):
                library.define(f"{operator}(Tensor x) -> Tensor")
        _kept.append(library)
        import torchvision
    import torchvision.datasets
    import torchvision.transforms
    return torchvision


def draw_transforms_from_numpy():
    """Flips and crops take the same numbers under both."""
    if OURS:
        draws = sys.modules["ringgrad.vision.transforms._draws"]
        draws.uniform = lambda low, high: float(np.float32(low + (high - low) * _DRAWS.random()))
        draws.integer = lambda low, high: int(_DRAWS.integers(low, high))
        return
    import torchvision.transforms.transforms as transforms
    plain = torch.Tensor.uniform_

    class Torch:
        """`torch` as torchvision's transforms see it."""

        def __getattr__(self, name):
            return getattr(torch, name)

        def rand(self, *size):
            return torch.from_numpy(_DRAWS.random(size).astype(np.float32))

        def randint(self, low, high, size):
            return torch.from_numpy(_DRAWS.integers(low, high, size))

    def uniform_(tensor, low=0, high=1, **options):
        if "torchvision" in sys._getframe(1).f_code.co_filename:
            return tensor.fill_(float(np.float32(low + (high - low) * _DRAWS.random())))
        return plain(tensor, low, high, **options)

    transforms.torch, torch.Tensor.uniform_ = Torch(), uniform_


def watch(steps):
    """Write losses, and end after `steps` optimizer steps."""
    backward, taken = torch.Tensor.backward, []

    def told(loss, *args, **kwargs):
        print(f"loss {loss.detach().sum().item():.9g}", file=sys.stderr, flush=True)
        return backward(loss, *args, **kwargs)

    def count(*_ignored):
        taken.append(1)
        if len(taken) == steps:
            sys.exit(0)

    torch.Tensor.backward = told
    register_optimizer_step_post_hook(count)


def load_here():
    """Worker processes would each draw their own numbers."""
    make = torch.utils.data.DataLoader.__init__

    def without_workers(self, *args, **options):
        make(self, *args, **{k: v for k, v in options.items() if k != "persistent_workers"} | {"num_workers": 0})

    torch.utils.data.DataLoader.__init__ = without_workers
    torch.utils.data.SubsetRandomSampler.__iter__ = lambda self: iter([self.indices[i] for i in _DRAWS.permutation(len(self.indices))])


if __name__ == "__main__":
    torch.set_num_threads(1)
    np.random.seed(0)
    random.seed(0)
    random.seed = np.random.seed = lambda *_ignored, **__ignored: None
    vision = load_torchvision()
    if not OURS:
        vision.datasets.CIFAR10._check_integrity = lambda self: True
        vision.datasets.CIFAR10.meta["md5"] = None
    draw_transforms_from_numpy()
    same_start.draw_from_numpy()
    torch.nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: x
    load_here()
    watch(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
