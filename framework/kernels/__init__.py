"""CUDA sources and the overrides made from them.  Loaded with the first CUDA tensor; `check` compiles all of them without a GPU.

sources() lists every CUDA source of the package as (name, text).
"""
from .._backends import philox
from .._core.op import REGISTRY
from . import elementwise

FLOATS = ("float16", "bfloat16", "float32", "float64")


def sources():
    """Every CUDA source of the package: [(name, text)]."""
    bodies = [(f"{op.name} {dtype}", elementwise.source(op, dtype)) for op in REGISTRY.values() if op.cuda for dtype in FLOATS]
    return [*bodies, ("philox", philox.SOURCE)]


def register():
    """Put the kernels in the place of their formulas on CuPy arrays."""
    for op in REGISTRY.values():
        if op.cuda:
            op.kernel("cupy")(elementwise.kernel(op))
