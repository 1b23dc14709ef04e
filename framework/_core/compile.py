"""The quick path of dispatch: one plain function per op, written out from its record.

`Op.apply` loops over inputs, save slots and policies.  The function made here does the same for the common case - every tensor on one
backend, all float32 or all float64 - with the loops unrolled, and hands every other case to `Op.apply`.  `make bench` prints what it costs.
A test holds both equal for every op.  Tensors of half precision on a GPU have such a function too, behind the first one's question for types:
the same text, for ops that take halves there as they are.

`source_code(op)` is the text; read one to see what runs:

    python -c "import ringgrad; from ringgrad._core.compile import source_code; print(source_code(ringgrad.ops.multiply.op))"
"""
import functools
import types

import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._backends.sparse_ import Elsewhere
from .._state import state
from . import errors
from .graph import FREED, OWN, next_sequence, refresh_view
from .quiet import OFF, restore, silence
from .recording import F32, F64, several_outputs, shares_memory, tie_view
from .saved import RAW
from .tensor import Tensor, _new

OPERANDS = (Tensor, int, float, complex, np.generic, *BACKENDS)  # what an operator takes beside a tensor
LOCALS = {  # of the quick path: no parameter may be called so
    "common", "data", "general", "halves", "kind", "ndarray", "new", "node", "out", "state", "takes_half", "token"}
TORCH_NAMES = {"x": "input", "y": "other"}  # what torch calls the first two operands


def fast_function(op, operator=False):
    """The public function of an op, with the record as its attribute `op`.

    operator: make what stands behind a Python operator, which answers NotImplemented to an operand that is neither tensor nor number
    """
    function = _compiled_when_called(op, operator)
    function.__name__ = function.__qualname__ = op.name
    function.__doc__, function.__module__, function.op = op.__doc__, op.forward.__module__, op
    if not operator and op.order == (*op.inputs, *op.attrs) and not op.variadic:
        op.quick = function
    return function


def apply_operator(op, inputs, attrs):
    """`op.apply`, or NotImplemented: Python then asks the other operand, and raises its own TypeError."""
    for t in inputs:
        if not isinstance(t, OPERANDS):
            return NotImplemented
    return op.apply(inputs, attrs)


def _first_call():
    """What an op's function does until it has its body; the op's parameters are put in below."""
    return body_of()(**locals())  # noqa: F821 - in the scope of each function


def _compiled_when_called(op, operator):
    """A function with the op's signature that gets its body at the first call: compiling all of them would double the time of the import."""
    taken = LOCALS & set(op.order)
    if taken:
        raise TypeError(f"{op.name}: a parameter may not be called {', '.join(sorted(taken))}, which the compiled path uses itself")
    scope = {"state": state, "Tensor": Tensor, "new": _new, "next_sequence": next_sequence, "F32": F32, "F64": F64, "OWN": OWN, "RAW": RAW,
             "OP": op, "KERNELS": op.kernels, "BACKENDS": BACKENDS, "refresh_view": refresh_view, "explain": errors.explain,
             "shares_memory": shares_memory, "Elsewhere": Elsewhere, "tie_view": tie_view, "FREED": FREED, "NO_ATTRS": {}, "OFF": OFF,
             "ndarray": np.ndarray, "silence": silence,
             "restore": restore, "several_outputs": several_outputs, "general": functools.partial(apply_operator, op) if operator else op.apply}
    scope.update({f"default_{n}": v for n, v in op.defaults.items()})
    spelled = _spelled(op)
    names = tuple(spelled.values())
    code = _first_call.__code__.replace(co_name=op.name, co_argcount=len(names), co_nlocals=len(names), co_varnames=names)
    function = types.FunctionType(code, scope, op.name, tuple(op.defaults[n] for n in spelled if n in op.defaults))

    def body_of():
        scope["Node"] = op.node_class
        exec(compile(source_code(op), f"<ringgrad op {op.name}>", "exec"), scope)
        function.__code__ = scope.pop(op.name).__code__
        return function

    def halves(*operands):
        scope["takes_half"] = functools.partial(takes_half, op)
        made = {}
        exec(compile(source_code(op, half=True), f"<ringgrad op {op.name}, half precision>", "exec"), scope, made)
        scope["halves"] = made[op.name]
        return made[op.name](*operands)
    scope["body_of"], scope["halves"] = body_of, halves
    return function


def takes_half(op, kind, common, a):
    """Whether `op` computes on arrays of half precision like `a`, of type `kind` and data type `common`, as they are: on a GPU, with a kernel or by
    itself, and without a change of type by its policy."""
    known = op.kernels.halves.get((kind, common))
    if known is None:
        backend = BACKENDS[kind]
        known = backend.name == "cupy" and _dtypes.is_half(common) and not op.widens_half(backend, [a])
        if known:
            try:
                converted, agreed = op.promote([a for _ in op.inputs], backend)
                known = agreed == common and all(x is a for x in converted)
            except Exception:  # the general path will say what is wrong
                known = False
        op.kernels.halves[kind, common] = known
    return known


def _spelled(op):
    if op.variadic:
        return {n: n for n in (op.inputs[0], *op.attrs)}
    return {n: TORCH_NAMES.get(n, n) for n in op.order}


def _signature(op):
    return ", ".join(f"{spelled}=default_{n}" if n in op.defaults else spelled for n, spelled in _spelled(op).items())


def source_code(op, half=False):
    """Python source of the quick path; for an op without one, of the call of the general path.  half: of the one for half precision."""
    if op.variadic:
        return _variadic(op)
    spelled = _spelled(op)
    inputs = [spelled[n] for n in op.inputs]
    attrs = "{" + ", ".join(f"{n!r}: {spelled[n]}" for n in op.attrs) + "}" if op.attrs else "NO_ATTRS"
    general = f"return general(({''.join(i + ', ' for i in inputs)}), {attrs})"
    if not (op.fast and op.inputs and op.inputs[0] == op.order[0] and op.inputs[0] not in op.optional):
        return f"def {op.name}({_signature(op)}):\n    {general}\n"
    lines = [f"def {op.name}({_signature(op)}):", "    if state.tracer is not None:", f"        {general}"]
    lines += _unwrap(op, inputs, general, f"halves({', '.join(spelled.values())})", half)
    call = ", ".join(f"{i}_a" for i in inputs) + "".join(f", {n}={spelled[n]}" for n in op.attrs)
    warns = not op.view
    lines += ["    token = silence(OFF)"] if warns else []
    lines += ["    try:", f"        data = KERNELS[kind](BACKENDS[kind].xp, {call})", *_brought(op), "    except Elsewhere:", f"        {general}",
              "    except Exception as error:",
              f"        if explain(OP, error, ({''.join(i + '_a, ' for i in inputs)})):", f"            {general}", "        raise",
              *(["    finally:", "        restore(token)"] if warns else []),
              ]
    if op.several:
        return "\n".join([*lines, *_several(op, inputs[0], attrs), ""])
    lines += _one(op, inputs[0], attrs)
    lines += _node(op, inputs, attrs, half)
    return "\n".join([*lines, "    return out", ""])


def _brought(op):
    """The result as an array of its backend: formulas on 0-d arrays give scalars."""
    return [] if op.several else ["        if type(data) is not kind:", "            data = BACKENDS[kind].asarray(data)"]


def _one(op, first, attrs):
    """The tensor around the result."""
    return ["    out = new(Tensor)", "    out._data = data", "    out._grad = out._hooks = None", *_views(op, first, attrs)]


def _several(op, first, attrs):
    """Results, node and the tensors in front of it, of an op with one input."""
    make = f"several_outputs(OP, {first}, data, {attrs}, "
    if not op.rules:
        return [f"    return {make}None)"]
    saved = "".join(f"{_entry(op, slot, [first])}, " for slot in op.slots)
    return [f"    if not ({first}._requires_grad and state.grad):", f"        return {make}None)", "    node = new(Node)", "    node.op = OP",
            f"    node.attrs = {attrs}", "    node.hooks = node.trace = None", f"    {first}_n = {first}._node or {first}",
            f"    node.edges = ({first}_n, )",
            f"    node.shapes = ({first}_a.shape, tuple([(a.shape, a.dtype) for a in data]))", f"    node.dtypes = {_several_types(op, first)}",
            "    node.seq = next_sequence()", f"    out = {make}node)", f"    node.saved = ({saved})", "    return out"]


def _several_types(op, first):
    same = "" if op.view else " and all([a.dtype is common or a.dtype.kind == 'i' for a in data])"
    return f"None if (common is F32 or common is F64){same} else ({first}_a.dtype, )"


def _variadic(op):
    """The quick path of an op that takes a sequence of tensors and saves nothing of them: all float32 or all float64, on one backend."""
    spelled, name = _spelled(op), op.inputs[0]
    attrs = "{" + ", ".join(f"{n!r}: {n}" for n in op.attrs) + "}" if op.attrs else "NO_ATTRS"
    general = f"return general(tuple({name}), {attrs})"
    signature = ", ".join(f"{n}=default_{n}" if n in op.defaults else n for n in spelled)
    lines = [f"def {op.name}({signature}):"]
    if not op.fast or op.slots:
        return "\n".join([*lines, f"    {general}", ""])
    call = "*data" + "".join(f", {n}={n}" for n in op.attrs)
    lines += [f"    data = [t._data for t in {name} if isinstance(t, Tensor)]",
              f"    if state.tracer is not None or not data or len(data) != len({name}):", f"        {general}",
              "    kind = type(data[0])", "    common = data[0].dtype", "    if common is not F32 and common is not F64:", f"        {general}",
              "    wanted = False", f"    for t in {name}:", "        if t._data.dtype is not common or type(t._data) is not kind:",
              f"            {general}", "        if t._view is not None:", "            refresh_view(t)",
              "        if t._requires_grad:", "            wanted = state.grad",
              "    shapes = tuple([a.shape for a in data]) if wanted else None",
              "    token = silence(OFF)", "    try:", f"        data = KERNELS[kind](BACKENDS[kind].xp, {call})", *_brought(op),
              "    except Elsewhere:",
              f"        {general}", "    except Exception as error:",
              "        explain(OP, error, data)", "        raise", "    finally:", "        restore(token)", *_one(op, name, attrs)]
    return "\n".join([*lines, "    if wanted:", "        out._requires_grad = True", "        out._node = node = new(Node)", "        node.op = OP",
                      f"        node.attrs = {attrs}", "        node.hooks = node.trace = node.dtypes = None", "        node.saved = ()",
                      "        node.shapes = shapes", f"        node.edges = tuple([(t._node or t) if t._requires_grad else None for t in {name}])",
                      "        node.seq = next_sequence()", "    else:", "        out._requires_grad = False", "        out._node = None",
                      "    return out", ""])


def _unwrap(op, inputs, general, halves, half):
    """Arrays out of tensors; anything but float32 / float64 tensors (and, beside one, numbers and None) takes the general path, or on a GPU `halves`.

    half: tensors of half precision, and no numbers, which are not rounded to it
    """
    first, lines = inputs[0], []
    lines += [f"    if not isinstance({first}, Tensor):", f"        {general}", f"    {first}_a = {first}._data",
              f"    kind = type({first}_a)", f"    common = {first}_a.dtype"]
    if op.promote is not None and half:
        lines += [f"    if not takes_half(kind, common, {first}_a):", f"        {general}"]
    elif op.promote is not None:
        lines += ["    if common is not F32 and common is not F64:", "        if kind is not ndarray:", f"            return {halves}",
                  f"        {general}"]
    lines += [f"    if {first}._view is not None:", f"        refresh_view({first})"]
    numbers = getattr(op.promote, "numbers", False)
    for name, i in zip(op.inputs[1:], inputs[1:]):
        lines += [f"    if isinstance({i}, Tensor):", f"        {i}_a = {i}._data"]
        if op.promote is not None:
            places = f" and ({i}_a.dtype.kind not in 'iub' or type({i}_a) is not kind)" if getattr(op.promote, "places", False) else ""
            lines += [f"        if {i}_a.dtype is not common{places}:", f"            {general}"]
        lines += [f"        if {i}._view is not None:", f"            refresh_view({i})", f"        {i}_r = {i}._requires_grad"]
        if name in op.optional:
            lines += [f"    elif {i} is None:", f"        {i}_a = None", f"        {i}_r = False"]
        if numbers and not half:
            lines += [f"    elif {i}.__class__ is float or {i}.__class__ is int:", f"        {i}_a = {i}", f"        {i}_r = False"]
        lines += ["    else:", f"        {general}"]
    return lines


def _views(op, first, attrs):
    if not op.view:
        return ["    out._cell = [0]", "    out._view = None"]
    return [f"    if shares_memory(data, {first}_a):", f"        tie_view(OP, {first}, out, {attrs})", "    else:",
            "        out._cell = [0]", "        out._view = None"]


def _node(op, inputs, attrs, half):
    plain = ["out._requires_grad = False", "out._node = None"]
    if op.view:  # as in torch, a view of what requires grad says so even when it was made without recording
        plain[0] = f"out._requires_grad = {inputs[0]}._requires_grad and out._view is not None and data.dtype.kind in 'fcV'"
    if not op.rules:
        return [f"    {line}" for line in plain]
    first = inputs[0]
    wanted = [f"{first}._requires_grad", *(f"{i}_r" for i in inputs[1:])]
    kind = ' and data.dtype.kind in "fcV"' if "dtype" in op.attrs else ""
    lines = [f"    if ({' or '.join(wanted)}) and state.grad{kind}:"]
    for i, want in zip(inputs, wanted):
        lines.append(f"        {i}_n = ({i}._node or {i}) if {want} else None")
    body = ["out._requires_grad = True", "out._node = node = new(Node)", "node.op = OP", f"node.attrs = {attrs}", "node.hooks = node.trace = None",
            f"node.edges = ({''.join(i + '_n, ' for i in inputs)})", f"node.dtypes = {_types(op, inputs, half)}",
            f"node.shapes = {_shapes(op, inputs)}",
            f"node.saved = {_saved(op, inputs)}", "node.seq = next_sequence()"]
    lines += [f"        {line}" for line in body]
    return [*lines, "    else:", *(f"        {line}" for line in plain)]


def _types(op, inputs, half):
    return f"({'common, ' * len(inputs)})" if half and op.promote is not None else "None"


def _shapes(op, inputs):
    if not op.broadcasts:
        return "None"
    first, *rest = inputs
    return f"({first}_a.shape, " + "".join(f"{i}_a.shape if {i}_r else None, " for i in rest) + ")"


def _saved(op, inputs):
    if not op.slots:
        return "()"
    entries = []
    for slot, users in zip(op.slots, op.users):
        needed = " or ".join(f"{inputs[u]}_n is not None" for u in users)
        entries.append(f"{_entry(op, slot, inputs)} if {needed} else None" if len(inputs) > 1 else _entry(op, slot, inputs))
    return "(" + "".join(f"{e}, " for e in entries) + ")"


def _entry(op, slot, inputs):
    if slot == "out" and op.several:
        entry = "(o._data, o._cell, o._cell[0], i if o._data.dtype.kind in 'fcV' else RAW)"
        return f"[None if i < {op.gives_away} else {entry} for i, o in enumerate(out)]" if op.gives_away else f"[{entry} for i, o in enumerate(out)]"
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
