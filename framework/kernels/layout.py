"""Images with their channels last, through operations that CuPy computes: it makes row-major results, so it is shown the image as it lies.

What has a kernel of its own keeps the order there (elementwise.py, pool.py, mixing.py, norm.py, conv.py); joining is in ops/_joined.py.
"""
from .._backends import BACKENDS
from .._core import gradients
from .._core.op import REGISTRY
from ..ops._layout import lies_last, turned

ELEMENTWISE = ("add", "add_scaled", "subtract", "rsub", "multiply", "divide", "negative", "absolute", "square", "sqrt", "reciprocal", "power", "exp",
               "log", "maximum", "minimum", "clip", "where", "sign", "scale_shift")


def in_its_order(fn):
    """`fn(xp, *arrays, **attrs)`, elementwise, on arrays as they lie where one is an image with its channels last: so has the result then."""
    def ordered(xp, *arrays, **attrs):
        kind = xp.ndarray
        for a in arrays:
            if a.__class__ is kind and not a.flags.c_contiguous and lies_last(a) and a.ndim == max([b.ndim for b in arrays if b.__class__ is kind]):
                out = fn(xp, *[turned(xp, b, a.ndim) if b.__class__ is kind and b.ndim else b for b in arrays], **attrs)
                return xp.moveaxis(out, -1, 1)
        return fn(xp, *arrays, **attrs)
    ordered.formula = fn
    return ordered


def _knows_shapes(op, rule):
    return bool(rule.attrs and "shapes" in rule.attrs) or any(op.slots[k].rpartition("_")[2] == "shape" for k in rule.slots)


def constant_pad(xp, x, widths, value=0.0):
    """The op `constant_pad` on CuPy arrays."""
    formula = REGISTRY["constant_pad"].formula
    if not lies_last(x):
        return formula(xp, x, widths, value)
    return xp.moveaxis(formula(xp, xp.moveaxis(x, 1, -1), (widths[0], *widths[2:], widths[1]), value), -1, 1)


def register():
    """Put these in the place of formulas and rules on CuPy arrays, and of the sum of two gradients."""
    for name in ELEMENTWISE:
        op = REGISTRY[name]
        if not op.cuda and ("cupy", None) not in op.overrides:
            op.kernel("cupy")(in_its_order(op.forward))
        for rule in op.rules:
            if rule.single is not None and ("cupy", op.inputs[rule.single]) not in op.overrides and not _knows_shapes(op, rule):
                op.kernel("cupy", vjp=op.inputs[rule.single])(in_its_order(rule.fn))
    REGISTRY["constant_pad"].kernel("cupy")(constant_pad)
    add = REGISTRY["add"]
    for kind, backend in BACKENDS.items():
        if backend.name == "cupy":
            gradients.SUMS[kind] = lambda held, g, kind=kind, xp=backend.xp: add.kernels[kind](xp, held, g)
