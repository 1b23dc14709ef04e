"""ringgrad.compat: programs written for torch run on ringgrad, unmodified.

    python -m ringgrad.compat train.py --epochs 1       run a script (or -m package.module) with ringgrad as its torch
    python -m ringgrad.compat --check DIR               what a program uses of torch that ringgrad lacks, without running it
    ringgrad-run --as-torch --nproc-per-node 2 train.py the same on several ranks

    import ringgrad.compat                              in a notebook, before anything imports torch
    ringgrad.compat.install()

`import torch.x.y` then finds ringgrad's module of the same path - the very same module object, so classes, pickles and isinstance agree -
and `import torchvision` finds `ringgrad.vision`.  Modules are loaded when they are asked for.  A torch that is installed beside it is never
imported, and a torch that is imported already is left alone: `install` then raises RuntimeError.
"""
from ._install import SHADOW, environment, install
from ._missing import MissingImport, MissingModule, MissingName
from ._modules import Missing, facade, resolve
from ._refuse import is_built

__all__ = ["Missing", "MissingImport", "MissingModule", "MissingName", "SHADOW", "environment", "facade", "install", "is_built", "resolve"]
