"""Helpers that belong to no layer of a network: `ringgrad.utils.data`, `.checkpoint`, `.dlpack`, `.hooks`, ...

`.tensorboard` needs the package tensorboard.
"""
import importlib

from . import data
from ._swap import swap_tensors

__all__ = ["benchmark", "checkpoint", "collect_env", "data", "deterministic", "dlpack", "hooks", "model_zoo", "swap_tensors"]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'ringgrad.utils' has no attribute {name!r}")
