"""CUDA sources and the overrides made from them.  Loaded with the first CUDA tensor; `check` compiles all of them without a GPU.

elementwise.py makes kernels from the one-line bodies of the ops and rules; the files of FILES hold a family each, over the common part in family.py.
sources() lists every CUDA source of the package as (name, text, options).  What was checked how: docs/gpu.md.
"""
import importlib

from .._backends import philox
from .._core.op import REGISTRY
from . import elementwise
from .family import FAMILIES

FLOATS = ("float16", "bfloat16", "float32", "float64")
FILES = ("softmax", "cross_entropy", "nll_loss", "norm", "batch_norm", "channel_sums", "attention", "dropout", "embedding", "pool", "reductions",
         "adding", "multi_tensor", "mixing", "selection", "scatter", "boxes", "rotary", "gates", "bias_activation", "gemm", "feed_forward", "conv",
         "flash", "packed_attention", "multi_tensor_rules", "regions", "layout", "recurrent", "deformed")


def _families():
    """The files with families of kernels, imported: optimizers need one of them on machines that never need the others."""
    return [importlib.import_module(f"{__name__}.{name}") for name in FILES]


def patterns(body, dtype="float32"):
    """The patterns of a body's inputs that are compiled without a GPU: all alike; the last of several repeated, in float32; the result over x."""
    repeated, over = len(body.inputs) > 1 and dtype == "float32", body.overwrites
    return [body.plain, *[body.plain[:-1] + "b"] * repeated, *[elementwise.OVER] * over]


def sources():
    """Every CUDA source of the package: [(name, text, options of the compiler)]."""
    _families()
    elementwise.bodies(REGISTRY)
    bodies = [(" ".join(filter(None, (body.name, choice, pattern, dtype))), body.source(dtype, pattern, choice), elementwise.OPTIONS)
              for body in elementwise.EVERY.values() for choice in body.texts for dtype in FLOATS for pattern in patterns(body, dtype)]
    blocks = [(f"{family.name} family {dtype}", family.source(dtype), family.options) for family in FAMILIES.values() for dtype in family.dtypes]
    return [*bodies, *blocks, ("philox", philox.SOURCE, philox.OPTIONS)]


def register():
    """Put the kernels in the place of their formulas on CuPy arrays."""
    elementwise.register(REGISTRY)
    for file in _families():
        if hasattr(file, "register"):
            file.register()
