"""How a gradient rule is called in the general case: on any backend and type, for half precision and complex numbers, or recorded.

With create_graph the rules get Tensors and the differentiable namespace as `xp`.  The engine's plain path writes the same thing out for NumPy, and
`on_gpu` for floating-point arrays of the current GPU.
"""
from typing import Any

from .. import _dtypes
from .._backends import BACKENDS
from .._backends.sparse_ import Elsewhere, SparseArray
from .._state import state
from .broadcasting import unbroadcast
from .op import in_float32
from .recording import F32, F64
from .saved import unpack
from .tensor import Tensor

NOTHING = None, None, 0, None  # an entry that was not saved
differentiable: Any = None  # the namespace `ringgrad.ops`, put here by that package when it is complete


def readable(g, create_graph):
    """(gradient, xp, backend): scalars become arrays; under create_graph arrays become Tensors and xp the differentiable namespace."""
    first = next(x for x in g if x is not None) if type(g) is list else g
    backend = BACKENDS[type(first._data if isinstance(first, Tensor) else first)]
    if type(g) is not list and not isinstance(g, Tensor) and type(g) is not backend.Array:
        g = backend.asarray(g)
    return g, differentiable if create_graph else backend.xp, backend


def each_rule(node, g, xp, backend, create_graph):
    """Yield (target indexes, the list of their gradients) for every rule of which a gradient is wanted."""
    op, n = node.op, len(node.edges)
    for rule in op.rules if create_graph else op.rules_on.get(backend.name, op.rules):
        targets = range(n) if op.variadic else rule.targets
        needs = tuple([node.edges[i] is not None for i in targets])
        if not any(needs):
            continue
        args = [_restore(node.saved[k], node, create_graph) for k in rule.slots]
        if "shapes" in rule.attrs:
            attrs = {a: node.attrs[a] for a in rule.attrs if a != "shapes"}
            attrs["shapes"] = node.shapes
        else:
            attrs = {a: node.attrs[a] for a in rule.attrs}
        if rule.needs:
            attrs["needs"] = needs
        fn = rule.fn if create_graph else op.rule_for(rule, backend)
        try:
            grads = _call(op, rule, fn, xp, backend, g, args, attrs, create_graph)
        except Elsewhere:  # a sparse gradient that this rule has no way for
            grads = _call_dense(op, rule, g, args, attrs, create_graph)
        single = rule.single is not None and not op.variadic
        grads = [grads] if single else [*grads]
        if state.anomaly == "nan":
            _look_for_nan(node, grads)
        yield targets, grads


def on_gpu(node, g, backend, deliver):
    """Run the rules of one node on arrays and hand on what they give, as `each_rule` and `fit` do, without most of their questions.

    Whether it did: not for complex numbers, for operations with a list of inputs, for hooks on the node, or on another GPU.
    """
    op, dtypes, want = node.op, node.dtypes, g.dtype
    half = want is not F32 and want is not F64
    if half and not _dtypes.is_half(want) or op.variadic or op.rules_take_tensors or node.hooks is not None or not backend.is_current(g):
        return False
    if dtypes is not None and any(d is not None and d.kind == "c" for d in dtypes):
        return False
    xp, edges, saved, shapes, attrs = backend.xp, node.edges, node.saved, node.shapes, node.attrs
    half = half and op.promote is not None
    for rule, fn in op.kernels.rules_for(type(g)):
        needs = None
        if rule.single is None:
            needs = tuple([edges[i] is not None for i in rule.targets])
            if not any(needs):
                continue
        elif edges[rule.single] is None:
            continue
        args = []
        for k in rule.slots:
            value, cell, version, _ = entry = saved[k] or NOTHING
            if cell is not None and cell[0] != version:
                value = unpack(entry, node, False)
            args.append(value)
        named = {n: attrs[n] for n in rule.attrs}
        if rule.needs:
            named["needs"] = needs or (True,)
        try:
            if half and op.widens_half(backend, (g, *args), op.inputs[rule.targets[0]]):
                grads = in_float32(want, lambda h, *a, fn=fn, named=named: fn(xp, h, *a, **named), [g, *args])
            else:
                grads = fn(xp, g, *args, **named)
        except Elsewhere:
            grads = _call_dense(op, rule, g, args, named, False)
        grads = [grads] if rule.single is not None else [*grads]
        for i in rule.targets:  # taken out of the list, so that a leaf may keep what nobody else holds
            pg = grads.pop(0)
            if edges[i] is None:
                continue
            if pg is not None:
                if shapes is not None and pg.shape != shapes[i] and shapes[i] is not None:
                    pg = unbroadcast(xp, pg, shapes[i])
                if dtypes is not None and pg.dtype != dtypes[i] and dtypes[i] is not None:
                    pg = fit(node, i, pg, xp)
            deliver(edges[i], pg)
    return True


def _restore(entry, node, create_graph):
    """A saved value, or for a variadic op the list of them."""
    as_tensor = create_graph or node.op.rules_take_tensors
    if type(entry) is list:
        return [unpack(e, node, as_tensor) for e in entry]
    return unpack(entry, node, as_tensor)


def _call_dense(op, rule, g, args, attrs, create_graph):
    """`_call` for a sparse gradient, with its zeros."""
    if create_graph or type(g) is not SparseArray:
        raise NotImplementedError(f"{op.name}: the gradient of this sparse operand is not implemented; use .to_dense()") from None
    g = g.dense()
    backend = BACKENDS[type(g)]
    return _call(op, rule, op.rule_for(rule, backend), backend.xp, backend, g, args, attrs, False)


def _call(op, rule, fn, xp, backend, g, args, attrs, create_graph):
    """Call a rule; half precision is computed in float32 (see Op.widens_half), and a holomorphic op's complex gradient is conj(rule(conj(g)))."""
    parts = [p for p in g if p is not None] if type(g) is list else (g,)
    is_complex = any(map(_is_complex, parts))
    if create_graph and not is_complex:
        return fn(xp, g, *args, **attrs)
    if op.holomorphic and (is_complex or any(_is_complex(a) for a in args)):
        grads = fn(xp, [p if p is None else xp.conj(p) for p in g] if type(g) is list else xp.conj(g), *args, **attrs)
        return tuple(None if p is None else xp.conj(p) for p in grads) if type(grads) in (tuple, list) else xp.conj(grads)
    if op.promote is not None and not create_graph and _dtypes.is_half(parts[0].dtype) and op.widens_half(
            backend, (*parts, *args), op.inputs[rule.targets[0]]):
        return in_float32(parts[0].dtype, lambda h, *a: fn(xp, h, *a, **attrs), [g, *args])
    return fn(xp, g, *args, **attrs)


def fit(node, i, pg, xp):
    """The gradient in the shape and type of the input it belongs to."""
    if pg is None:
        return None
    if node.shapes is not None and node.shapes[i] is not None and tuple(pg.shape) != node.shapes[i]:
        pg = unbroadcast(xp, pg, node.shapes[i])
    if node.dtypes is not None and node.dtypes[i] is not None:
        want = node.dtypes[i]
        if (pg._data if isinstance(pg, Tensor) else pg).dtype != want:
            if want.kind != "c" and _is_complex(pg):
                pg = xp.real(pg)
            pg = xp.astype(pg, want)
    return pg


def _is_complex(x):
    a = x._data if isinstance(x, Tensor) else x
    return getattr(getattr(a, "dtype", None), "kind", "") == "c"


def _look_for_nan(node, grads):
    for i, pg in enumerate(grads):
        a = pg._data if isinstance(pg, Tensor) else pg
        if a is not None and a.dtype.kind in "fc" and bool((a != a).any()):
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")
