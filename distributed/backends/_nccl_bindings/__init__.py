"""NCCL through one of three Python bindings, behind one small interface over integer addresses.

RINGGRAD_NCCL_BINDING chooses: 'cupy' (default, comes with CuPy), 'nccl4py' (NVIDIA's), 'pynccl' (a release of 2020: no bfloat16, no AVG).
Nothing is imported before `load`.
"""

import os
from importlib import import_module
from importlib.util import find_spec

from ._interface import NcclBinding

BINDING_VARIABLE = "RINGGRAD_NCCL_BINDING"
DEFAULT_BINDING = "cupy"

# our module, the package it needs, how to get it
_BINDINGS = {
    "cupy": ("cupy_nccl", "cupy", "pip install 'ringgrad[cuda13]' (or cuda12) brings CuPy; it finds the NCCL of nvidia-nccl-cu13"),
    "nccl4py": ("nccl4py_", "nccl", "pip install 'ringgrad[nccl4py]'"),
    "pynccl": ("pynccl_", "pynccl", "pip install 'ringgrad[pynccl]', and set NUMBA_NCCLLIB to the folder of libnccl.so"),
}


def chosen() -> str:
    """The binding that RINGGRAD_NCCL_BINDING names.  ValueError for one that is not there."""
    name = os.environ.get(BINDING_VARIABLE, DEFAULT_BINDING)
    if name not in _BINDINGS:
        raise ValueError(f"{BINDING_VARIABLE} is {name!r}, but the bindings are {', '.join(_BINDINGS)}")
    return name


def is_installed(name: str | None = None) -> bool:
    """Whether the packages of a binding (default: the chosen one) are there."""
    return find_spec("cupy") is not None and find_spec(_BINDINGS[name or chosen()][1]) is not None


def load(name: str | None = None) -> NcclBinding:
    """A binding (default: the chosen one), with its library loaded.  RuntimeError, with the way out, if something is missing."""
    name = name or chosen()
    module, package, install = _BINDINGS[name]
    try:
        binding: NcclBinding = import_module(f"{__name__}.{module}").Binding()
    except Exception as error:  # a missing package, a missing libnccl, a missing GPU: each binding has its own error for it
        raise RuntimeError(f"the nccl backend cannot use its binding {name!r} (package {package}): {error}; {install}") from error
    return binding
