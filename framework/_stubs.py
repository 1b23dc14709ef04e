"""Write the type stubs that show editors and type checkers what is attached at import: `make stubs`.

    framework/_core/tensor.pyi   the methods, operators and attributes that `_methods.py` hangs on Tensor
    framework/__init__.pyi       the public functions of `ringgrad`

A test compares both files with the tables.
"""
import inspect
from pathlib import Path

from . import _methods
from ._core.tensor import Tensor
from ._dtypes import ALIASES, ALL, RARE
from ._functional import _out

MODES = ("enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_grad_enabled")
HEADER = '"""{0}  Written by `make stubs`; do not edit."""\nfrom typing import Any\n'


def _parameters(function, method):
    """The parameter list of a function as stub text; `(*args, **kwargs)` where it cannot be read."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "(self, *args: Any, **kwargs: Any)" if method else "(*args: Any, **kwargs: Any)"
    if method and parameters and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        parameters[0] = parameters[0].replace(name="self", default=inspect.Parameter.empty)
    parts, star = [], False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        star = star or p.kind is p.VAR_POSITIONAL
        text = f"{mark}{p.name}" + ("" if p.name == "self" else ": Any")
        parts.append(text + (" = ..." if p.default is not p.empty else ""))
    return "(" + ", ".join(parts) + ")"


def _function(name, function, indent="", method=False, out=False):
    parameters = _parameters(function, method)
    if out and "**" not in parameters:
        parameters = f"{parameters[:-1]}, {'' if '*' in parameters else '*, '}out: Any = ...)"
    return f"{indent}def {name}{parameters} -> Any: ..."


def tensor_stub():
    """Text of framework/_core/tensor.pyi."""
    lines = [HEADER.format("The Tensor as it is after `_methods.py` has attached its tables."), "", "class Tensor:"]
    lines += [f"    {slot}: Any" for slot in Tensor.__slots__ if not slot.startswith("__")]
    lines += ["    def __init__(self, *args: Any, **kwargs: Any) -> None: ..."]
    for name, value in sorted({**_methods.TWINS, **_methods.METHODS, **_methods.ATTRIBUTES}.items()):
        if isinstance(value, property):
            lines.append(f"    {name}: Any")
        else:
            lines.append(_function(name, value, "    ", method=True))
    lines += ["", "class Hooks:", "    on_grad: dict[Any, Any]", "    post_accumulate: dict[Any, Any]", "",
              "class InferenceVersion(list[int]): ...", "", "def wrap(array: Any, requires_grad: bool = ..., cls: type[Tensor] = ...) -> Any: ...",
              "def count_write(t: Any) -> None: ...", "def unwrap(x: Any) -> Any: ...",
              "def as_number(factor: Any) -> Any: ...", "def _new(cls: Any) -> Any: ...", ""]
    return "\n".join(lines)


def package_stub():
    """Text of framework/__init__.pyi."""
    lines = [HEADER.format("The public names of ringgrad."), *(f"from ._core.modes import {n} as {n}" for n in MODES),
             "from ._core.tensor import Tensor as Tensor", "from ._device import device as device", "from ._dtypes import dtype as dtype",
             "from ._tensor.info import Size as Size", ""]
    lines += [f"{name}: Any" for name in sorted({*(d.name for d in ALL + RARE), *ALIASES, *_methods.CONSTANTS})]
    lines += [_function(name, f, out=name in _out.NAMES) for name, f in sorted(_methods.FUNCTIONS.items())]
    return "\n".join([*lines, "def __getattr__(name: str) -> Any: ...", ""])


def files():
    """{path: text} of both stubs."""
    root = Path(__file__).parent
    return {root / "_core" / "tensor.pyi": tensor_stub(), root / "__init__.pyi": package_stub()}


def main():
    """Write both stubs."""
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
