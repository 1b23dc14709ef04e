"""Tensors as text, letter for letter as torch prints them.

All elements of a tensor share one format: integers as they are; floats with `precision` decimals, as whole numbers with a point when they all are,
or in scientific notation when they span more than three decades or lie outside 1e-4 ... 1e8.  Large tensors show only their edges.
"""
import contextlib
import dataclasses
import math

import numpy as np

from . import _config
from ._backends import device_of, of_array
from ._backends.meta_ import MetaArray
from ._backends.sparse_ import SparseArray
from ._dtypes import bool_, get_default_dtype, int64, of_numpy


@dataclasses.dataclass
class PrintOptions:
    """precision: decimals; threshold: elements above which only edges are shown; edgeitems: how many of them; linewidth: characters;
    sci_mode: True, False, or None to decide for each tensor."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, math.inf, 3, 80)}
options = PrintOptions()


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Change how tensors are printed; see PrintOptions.  profile: "default", "short" or "full" first; other names do
    nothing, as in torch.  sci_mode is set in any case."""
    if profile in PROFILES:
        options.precision, options.threshold, options.edgeitems, options.linewidth = PROFILES[profile]
    for name, value in (("precision", precision), ("threshold", threshold), ("edgeitems", edgeitems), ("linewidth", linewidth)):
        if value is not None:
            setattr(options, name, value)
    options.sci_mode = sci_mode


def get_printoptions():
    """The present options, as a dict for set_printoptions."""
    return dataclasses.asdict(options)


@contextlib.contextmanager
def printoptions(**changes):
    """A context in which tensors are printed with other options."""
    before = get_printoptions()
    set_printoptions(**changes)
    try:
        yield
    finally:
        set_printoptions(**before)


# -- numbers -----------------------------------------------------------------------------------------------------------

class RealFormat:
    """The common format of the real numbers in an array: `width` characters each."""

    def __init__(self, array):
        self.floating, self.whole, self.scientific, self.width = array.dtype.kind == "f", True, False, 1
        if not self.floating:
            self.width = max((len(str(v)) for v in array.reshape(-1).tolist()), default=1)
            return
        numbers = array[np.isfinite(array) & (array != 0)]
        if not numbers.size:
            return
        sizes = np.abs(numbers).astype(np.float64)
        low, high = sizes.min(), sizes.max()
        self.whole = bool((numbers == np.ceil(numbers)).all())
        with np.errstate(over="ignore"):
            self.scientific = bool(high / low > 1000 or high > 1e8 or low < 1e-4) if options.sci_mode is None else options.sci_mode
        self.width = max(self.width, *(len(self._digits(v)) for v in numbers.tolist()))

    def _digits(self, value):
        if self.scientific:
            return f"{value:.{options.precision}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{options.precision}f}"

    def __call__(self, value):
        return (self._digits(value) if self.floating else str(value)).rjust(self.width)


class ComplexFormat:
    """The common format of complex numbers: one format for their real parts, one for the imaginary."""

    def __init__(self, array):
        self.real, self.imag = RealFormat(array.real), RealFormat(array.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value):
        imag = self.imag(value.imag).lstrip() + "j"
        return self.real(value.real) + (imag if imag[0] in "+-" else f"+{imag}")


# -- arrays ------------------------------------------------------------------------------------------------------------

def array_text(array, indent):
    """The elements of a host array between brackets; lines after the first are indented by `indent` and one for each bracket."""
    if not array.size:
        return "[]"
    summarize = array.size > options.threshold
    shown = _edges(array) if summarize else array
    number = (ComplexFormat if array.dtype.kind == "c" else RealFormat)(shown)
    return number(array.item()) if not array.ndim else _nested(array, indent, summarize, number)


def _nested(array, indent, summarize, number):
    edge = options.edgeitems
    skips = summarize and len(array) > 2 * edge
    if array.ndim == 1:
        return _line(array, indent, summarize, skips, number)
    rows = [*range(edge), None, *range(len(array) - edge, len(array))] if skips else range(len(array))
    texts = ["..." if i is None else _nested(array[i], indent + 1, summarize, number) for i in rows]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(texts) + "]"


def _line(array, indent, summarize, skips, number):
    """A vector, broken into lines of at most `linewidth` characters."""
    edge = options.edgeitems
    if summarize and not edge:
        texts = ["..."]
    elif skips:
        texts = [*map(number, array[:edge].tolist()), " ...", *map(number, array[-edge:].tolist())]
    else:
        texts = [*map(number, array.tolist())]
    per_line = max(1, (options.linewidth - indent) // (number.width + 2))
    lines = [", ".join(texts[i:i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _edges(array):
    """The elements that a summary shows."""
    for axis, n in enumerate(array.shape):
        if n > 2 * options.edgeitems:
            kept = [*range(options.edgeitems), *range(n - options.edgeitems, n)]
            array = array.take(kept, axis)
    return array


# -- tensors -----------------------------------------------------------------------------------------------------------

def tensor_repr(t):
    """repr(t): the elements, then what is not obvious from them (device, size, dtype, grad_fn or requires_grad)."""
    if type(t._data) is SparseArray:
        return _sparse_repr(t)
    array, dtype, name = t._data, of_numpy(t._data.dtype), type(t).__name__
    prefix = "tensor(" if name in ("Tensor", "Parameter") else f"{name}("
    text, host = "...", None if type(array) is MetaArray else of_array(array).to_host(array)
    if host is not None:
        text = array_text(host.astype(np.float32) if host.dtype.kind == "V" else host, len(prefix))
    notes = [] if device_of(array).type == "cpu" else [f"device='{device_of(array)}'"]
    default = get_default_dtype()
    if host is None:
        notes += [f"size={tuple(array.shape)}"]
        notes += [f"dtype={dtype}"] if dtype is not default else []
    elif not array.size:
        notes += [f"size={tuple(array.shape)}"] if array.ndim != 1 else []
        notes += [f"dtype={dtype}"] if dtype is not default else []
    else:
        notes += [f"size={tuple(array.shape)}"] if not options.edgeitems else []
        notes += [f"dtype={dtype}"] if dtype not in (default, default.to_complex(), int64, bool_) else []
    try:
        if t.grad_fn is not None:
            notes.append(f"grad_fn=<{t.grad_fn.name().rpartition('::')[2]}>")
        elif t.requires_grad:
            notes.append("requires_grad=True")
    except RuntimeError:  # a view whose base was overwritten has no history any more
        notes.append("grad_fn=<Invalid>")
    return _with_notes(prefix + text, notes, len(prefix))


def _sparse_repr(t):
    """repr of a sparse tensor: its parts, then its size, number of values, and what `tensor_repr` notes."""
    raw, indent = t._data, len("tensor(")
    parts = {"indices": raw.indices}
    if raw.layout == "sparse_csr":
        parts = {"crow_indices": raw.pattern.by_row[3], "col_indices": raw.indices[1]}
    parts["values"] = raw.values
    texts = []
    for name, array in parts.items():
        host = of_array(array).to_host(array)
        text = array_text(host.astype(np.float32) if host.dtype.kind == "V" else host, indent + len(name) + 8)
        texts.append(f"{name}=tensor({text}" + ("" if host.size else f", size={tuple(host.shape)}") + ")")
    notes = [] if device_of(raw).type == "cpu" else [f"device='{device_of(raw)}'"]
    notes += [f"size={tuple(raw.shape)}", f"nnz={len(raw.values)}"]
    default = get_default_dtype()
    notes += [f"dtype={of_numpy(raw.dtype)}"] if of_numpy(raw.dtype) not in (default, default.to_complex(), int64, bool_) else []
    notes.append(f"layout={_config.NAME}.{raw.layout}")
    if t.grad_fn is not None:
        notes.append(f"grad_fn=<{t.grad_fn.name().rpartition('::')[2]}>")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    text = "tensor(" + (",\n" + " " * indent).join(texts)
    if raw.layout == "sparse_csr":
        return _with_notes(text, notes, indent)
    return _with_notes(text + ",\n" + " " * indent + notes[0], notes[1:], indent)


def _with_notes(text, notes, indent):
    """Notes after the elements, on a new line where the present one would grow too long."""
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > options.linewidth:
            text += ",\n" + " " * indent + note
            used = indent + len(note)
        else:
            text += f", {note}"
            used += len(note) + 2
    return text + ")"
