"""The quick path of dispatch: one plain function per op, written out from its record.

`Op.apply` loops over inputs, save slots and policies.  The function made here does the same for the common case - every tensor on one
backend, all float32 or all float64 - with the loops unrolled, and hands every other case to `Op.apply`.  `make bench` prints what it costs.
A test holds both equal for every op.

`source_code(op)` is the text; read one to see what runs:

    python -c "import ringgrad; from ringgrad._core.compile import source_code; print(source_code(ringgrad.ops.multiply.op))"
"""
import functools

import numpy as np

from .._backends import BACKENDS
from .._state import state
from . import errors
from .graph import FREED, OWN, Node, next_sequence, refresh_view
from .op import F32, F64, shares_memory, tie_view
from .quiet import OFF, restore, silence
from .tensor import Tensor, _new

OPERANDS = (Tensor, int, float, complex, np.generic, *BACKENDS)  # what an operator takes beside a tensor
LOCALS = {"common", "data", "general", "kind", "new", "node", "out", "state", "token"}  # of the quick path: no parameter may be called so
TORCH_NAMES = {"x": "input", "y": "other"}  # what torch calls the first two operands


def fast_function(op, operator=False):
    """The public function of an op, with the record as its attribute `op`.

    operator: make what stands behind a Python operator, which answers NotImplemented to an operand that is neither tensor nor number
    """
    if op.variadic:
        def function(*args, **kwargs):
            inputs, attrs = op.bind(args, kwargs)
            return op.apply(inputs, attrs)
    else:
        function = _compiled_when_called(op, operator)
    function.__name__ = function.__qualname__ = op.name
    function.__doc__, function.__module__, function.op = op.__doc__, op.forward.__module__, op
    return function


def apply_operator(op, inputs, attrs):
    """`op.apply`, or NotImplemented: Python then asks the other operand, and raises its own TypeError."""
    for t in inputs:
        if not isinstance(t, OPERANDS):
            return NotImplemented
    return op.apply(inputs, attrs)


def _compiled_when_called(op, operator):
    """A function with the op's signature that gets its body at the first call: compiling all of them would double the time of the import."""
    taken = LOCALS & set(op.order)
    if taken:
        raise TypeError(f"{op.name}: a parameter may not be called {', '.join(sorted(taken))}, which the compiled path uses itself")
    scope = {"state": state, "Tensor": Tensor, "Node": Node, "new": _new, "next_sequence": next_sequence, "F32": F32, "F64": F64, "OWN": OWN,
             "OP": op, "KERNELS": op.kernels, "BACKENDS": BACKENDS, "refresh_view": refresh_view, "explain": errors.explain,
             "shares_memory": shares_memory, "tie_view": tie_view, "FREED": FREED, "NO_ATTRS": {}, "OFF": OFF, "silence": silence,
             "restore": restore, "general": functools.partial(apply_operator, op) if operator else op.apply}
    scope.update({f"default_{n}": v for n, v in op.defaults.items()})
    passed = ", ".join(_spelled(op).values())
    exec(f"def {op.name}({_signature(op)}):\n    return body_of()({passed})\n", scope)
    function = scope.pop(op.name)

    def body_of():
        exec(compile(source_code(op), f"<ringgrad op {op.name}>", "exec"), scope)
        function.__code__ = scope[op.name].__code__
        return function
    scope["body_of"] = body_of
    return function


def _spelled(op):
    return {n: TORCH_NAMES.get(n, n) for n in op.order}


def _signature(op):
    return ", ".join(f"{spelled}=default_{n}" if n in op.defaults else spelled for n, spelled in _spelled(op).items())


def source_code(op):
    """Python source of the quick path; for an op without one, of the call of the general path."""
    spelled = _spelled(op)
    inputs = [spelled[n] for n in op.inputs]
    attrs = "{" + ", ".join(f"{n!r}: {spelled[n]}" for n in op.attrs) + "}" if op.attrs else "NO_ATTRS"
    general = f"return general(({''.join(i + ', ' for i in inputs)}), {attrs})"
    if not (op.fast and op.inputs and op.inputs[0] == op.order[0] and op.inputs[0] not in op.optional):
        return f"def {op.name}({_signature(op)}):\n    {general}\n"
    lines = [f"def {op.name}({_signature(op)}):", "    if state.tracer is not None:", f"        {general}"]
    lines += _unwrap(op, inputs, general)
    call = ", ".join(f"{i}_a" for i in inputs) + "".join(f", {n}={spelled[n]}" for n in op.attrs)
    warns = not op.view
    lines += ["    token = silence(OFF)"] if warns else []
    lines += ["    try:", f"        data = KERNELS[kind](BACKENDS[kind].xp, {call})", "    except Exception as error:",
              f"        explain(OP, error, ({''.join(i + '_a, ' for i in inputs)}))", "        raise",
              *(["    finally:", "        restore(token)"] if warns else []),
              "    if type(data) is not kind:", "        data = BACKENDS[kind].asarray(data)",
              "    out = new(Tensor)", "    out._data = data", "    out._grad = out._hooks = None"]
    lines += _views(op, inputs[0], attrs)
    lines += _node(op, inputs, attrs)
    return "\n".join([*lines, "    return out", ""])


def _unwrap(op, inputs, general):
    """Arrays out of tensors; anything but float32 / float64 tensors (and, beside one, numbers and None) takes the general path."""
    first, lines = inputs[0], []
    lines += [f"    if not isinstance({first}, Tensor):", f"        {general}", f"    {first}_a = {first}._data",
              f"    kind = type({first}_a)", f"    common = {first}_a.dtype"]
    if op.promote is not None:
        lines += ["    if common is not F32 and common is not F64:", f"        {general}"]
    lines += [f"    if {first}._view is not None:", f"        refresh_view({first})"]
    numbers = getattr(op.promote, "numbers", False)
    for name, i in zip(op.inputs[1:], inputs[1:]):
        lines += [f"    if isinstance({i}, Tensor):", f"        {i}_a = {i}._data"]
        if op.promote is not None:
            lines += [f"        if {i}_a.dtype is not common:", f"            {general}"]
        lines += [f"        if {i}._view is not None:", f"            refresh_view({i})", f"        {i}_r = {i}._requires_grad"]
        if name in op.optional:
            lines += [f"    elif {i} is None:", f"        {i}_a = None", f"        {i}_r = False"]
        if numbers:
            lines += [f"    elif {i}.__class__ is float or {i}.__class__ is int:", f"        {i}_a = {i}", f"        {i}_r = False"]
        lines += ["    else:", f"        {general}"]
    return lines


def _views(op, first, attrs):
    if not op.view:
        return ["    out._cell = [0]", "    out._view = None"]
    return [f"    if shares_memory(data, {first}_a):", f"        tie_view(OP, {first}, out, {attrs})", "    else:",
            "        out._cell = [0]", "        out._view = None"]


def _node(op, inputs, attrs):
    plain = ["out._requires_grad = False", "out._node = None"]
    if not op.rules:
        return [f"    {line}" for line in plain]
    first = inputs[0]
    wanted = [f"{first}._requires_grad", *(f"{i}_r" for i in inputs[1:])]
    kind = ' and data.dtype.kind in "fcV"' if "dtype" in op.attrs else ""
    lines = [f"    if ({' or '.join(wanted)}) and state.grad{kind}:"]
    for i, want in zip(inputs, wanted):
        lines.append(f"        {i}_n = ({i}._node or {i}) if {want} else None")
    body = ["out._requires_grad = True", "out._node = node = new(Node)", "node.op = OP", f"node.attrs = {attrs}", "node.hooks = node.trace = None",
            f"node.edges = ({''.join(i + '_n, ' for i in inputs)})", "node.dtypes = None", f"node.shapes = {_shapes(op, inputs)}",
            f"node.saved = {_saved(op, inputs)}", "node.seq = next_sequence()"]
    lines += [f"        {line}" for line in body]
    return [*lines, "    else:", *(f"        {line}" for line in plain)]


def _shapes(op, inputs):
    if not op.broadcasts:
        return "None"
    first, *rest = inputs
    return f"({first}_a.shape, " + "".join(f"None if {i}_a.__class__ is not kind else {i}_a.shape, " for i in rest) + ")"


def _saved(op, inputs):
    if not op.slots:
        return "()"
    entries = []
    for slot, users in zip(op.slots, op.users):
        needed = " or ".join(f"{inputs[u]}_n is not None" for u in users)
        entries.append(f"{_entry(op, slot, inputs)} if {needed} else None" if len(inputs) > 1 else _entry(op, slot, inputs))
    return "(" + "".join(f"{e}, " for e in entries) + ")"


def _entry(op, slot, inputs):
    if slot == "out":
        return "(data, out._cell, out._cell[0], OWN)"
    if slot in op.inputs:
        at = op.inputs.index(slot)
        i = inputs[at]
        tracked = f"({i}_a, {i}._cell, {i}._cell[0], {i}_n)"
        return tracked if at == 0 else f"({tracked} if {i}_a.__class__ is kind else ({i}_a, None, 0, None))"
    name, _, what = slot.rpartition("_")
    i = inputs[op.inputs.index(name)]
    return f"({i}_a.{what} if {i}_a.__class__ is kind else None, None, 0, None)"
