"""All operations, under NumPy's names and signatures, on Tensors.

This namespace is what gradient rules get as `xp` under create_graph=True: a formula written for NumPy reads the same here and is recorded.
torch's names and arguments (`dim`, `keepdim`, ...) are respelled above, in `_functional`.

A family file registers its ops with @op; plain functions that formulas need besides (`zeros`, `ones_like`, ...) stand in its table HELPERS.
"""
import importlib
import pkgutil
import sys

from .._core import broadcasting, inplace, rules  # noqa: F401 - inplace registers view_scatter
from .._core.compile import fast_function
from .._core.op import REGISTRY
from . import _backward_names, _fused, _fused_places, _writers  # noqa: F401 - _fused_places notes its overrides

_families = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
_fused.register()
_writers.register()
for _name, _refined in _backward_names.REFINED.items():
    REGISTRY[_name].backward_name = _refined
globals().update({name: fast_function(op) for name, op in REGISTRY.items()})
for _family in _families:
    globals().update(getattr(_family, "HELPERS", {}))
rules.differentiable = sys.modules[__name__]
broadcasting.summed = reductions.sum_over  # type: ignore[name-defined]  # noqa: F821 - one of the families
