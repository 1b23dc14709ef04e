"""Counting floating-point operations: of matrix products, convolutions and attention, forwards and backwards, by module.

A product of (n, k) and (k, m) counts as 2 n k m, and each of the products in its gradient the same.  Everything else counts as nothing.
"""
import math
from collections import defaultdict

from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._state import state
from ..nn.modules._hooks import register_module_forward_hook, register_module_forward_pre_hook

__all__ = ["FlopCounterMode"]


def _product(x, y, out):
    if x.ndim < 2 or y.ndim < 2:
        return None
    return "bmm" if x.ndim > 2 and y.ndim > 2 else "mm", 2 * math.prod(out.shape) * x.shape[-1]


def _linear(x, weight, bias, out):
    return "mm" if bias is None else "addmm", 2 * math.prod(out.shape) * x.shape[-1]


def _convolution(x, weight, bias, out):
    return "convolution", 2 * out.shape[0] * math.prod(out.shape[2:]) * math.prod(weight.shape)


def _transposed(x, weight, bias, out):
    return "convolution", 2 * x.shape[0] * math.prod(x.shape[2:]) * math.prod(weight.shape)


def _attention(q, k, v, out):
    return "scaled_dot_product_attention", 2 * math.prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1])


# op: (how many inputs the rule reads, rule(inputs, result) -> (torch's name, operations) or None, how many products of its size each gradient is)
_RULES = {"matmul": (2, _product, 1), "linear": (3, _linear, 1), "convolution": (3, _convolution, 1), "conv_transpose": (3, _transposed, 1),
          "scaled_dot_product_attention": (3, _attention, 2.5 / 3)}
_BACKWARD = {"addmm": "mm", "convolution": "convolution_backward"}


class FlopCounterMode:
    """A `with` block that counts the floating-point operations in it.

    mods: not needed;  depth: of the modules in the table, 2;  display: print the table at the end
    custom_mapping: {op name: rule(*inputs, result) -> operations} for more operations
    """

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        self.depth, self.display, self.custom = depth, display, custom_mapping or {}
        self.flop_counts, self._names, self._inside = defaultdict(lambda: defaultdict(int)), {}, ["Global"]
        self._on = False

    def __enter__(self):
        self.flop_counts.clear()
        self._names, self._inside, self._on = {}, ["Global"], True
        self._outer, state.tracer = state.tracer, self._trace
        self._hooks = [register_module_forward_pre_hook(self._go_in), register_module_forward_hook(self._come_out, always_call=True)]
        return self

    def __exit__(self, *error):
        self._on, state.tracer = False, self._outer
        for hook in self._hooks:
            hook.remove()
        if self.display:
            print(self.get_table(self.depth))

    def get_total_flops(self):
        """The number of operations."""
        return int(sum(self.flop_counts["Global"].values()))

    def get_flop_counts(self):
        """{module: {torch's name of the operation: number}}; "Global" is everything."""
        return {module: {f"aten.{name}": int(n) for name, n in counts.items()} for module, counts in self.flop_counts.items()}

    def get_table(self, depth=None):
        """The counts as text, modules down to `depth`, the largest share first."""
        depth, total = self.depth if depth is None else depth, max(self.get_total_flops(), 1)
        rows = [("Module", "FLOP", "% Total")]
        for module, counts in self.get_flop_counts().items():
            if module.count(".") < depth:
                rows.append((module, _short(sum(counts.values())), f"{sum(counts.values()) / total:.2%}"))
                rows += [(f" - {name}", _short(n), f"{n / total:.2%}") for name, n in counts.items()]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])

    def _go_in(self, module, inputs):
        if module not in self._names:
            kind = type(module).__name__
            self._names.update({part: f"{kind}.{name}" if name else kind for name, part in module.named_modules() if part not in self._names})
        self._inside.append(self._names[module])

    def _come_out(self, module, inputs, result):
        self._inside.pop()

    def _trace(self, op, inputs, attrs, inplace=False):
        inner, state.tracer = state.tracer, self._outer
        try:
            result = apply_inplace(op, inputs[0], inputs[1:], attrs) if inplace else op.apply(inputs, attrs)
        finally:
            state.tracer = inner
        out = result[0] if type(result) is tuple else result
        if op.name in self.custom:
            self._count(op.name, self.custom[op.name](*inputs, out), tuple(self._inside))
        elif op.name in _RULES:
            self._see(*_RULES[op.name], inputs, out)
        return result

    def _see(self, reads, rule, share, inputs, out):
        found = rule(*inputs[:reads], out)
        if found is None:
            return
        name, number = found
        inside = tuple(self._inside)
        self._count(name, number, inside)
        if isinstance(out, Tensor) and out.grad_fn is not None:
            def backward(grad_inputs, grad_outputs):
                wanted = sum(g is not None for g in grad_inputs[:2 if share == 1 else 3])
                self._count(_BACKWARD.get(name, name), number * share * wanted, inside)
            out.grad_fn.register_hook(backward)

    def _count(self, name, number, inside):
        if self._on:
            for module in dict.fromkeys(inside):
                self.flop_counts[module][name] += number


def _short(n):
    for unit in ("", "K", "M", "B", "T"):
        if n < 1000:
            return f"{n:.3f}{unit}" if unit else f"{n:.0f}"
        n /= 1000
    return f"{n * 1000:.3f}T"
