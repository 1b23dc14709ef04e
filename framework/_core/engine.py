"""The backward pass.

Nodes run in decreasing sequence number, from a heap, so without recursion: the reverse of the order in which they were recorded.  A first walk
over the graph counts how many gradients each leaf will receive; a leaf is accumulated, and its hooks fire, when the last of them arrives.
That, and not the end of the pass, is the moment at which communication may begin.

With create_graph the rules are called with Tensors and with the differentiable namespace as `xp`, so that what they compute is recorded too.
"""
import sys
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._state import state
from .broadcasting import unbroadcast
from .graph import FREED, Node, Pick, refresh_view, unpack
from .op import F32, F64, in_float32
from .quiet import OFF, restore, silence
from .tensor import Tensor, wrap

ndarray = np.ndarray
differentiable: Any = None  # the namespace `ringgrad.ops`, put here by that package when it is complete

ALREADY_FREED = ("Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
                 "Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True "
                 "if you need to backward through the graph a second time or if you need to access saved tensors after calling backward.")
_MINE = 3  # references to a gradient that only this engine holds: the caller's variable, the parameter, getrefcount's argument


def backward(roots, seeds, keep_graph, create_graph, inputs=None, accumulate=True):
    """Propagate `seeds` from `roots` into the leaves below them.

    roots       tensors that require grad
    seeds       one gradient per root: arrays, or Tensors when create_graph
    inputs      None: all leaves.  Else the tensors to stop at; work that leads to none of them is skipped
    accumulate  add into `.grad` (Tensor.backward); otherwise return {id(input): gradient} (autograd.grad)
    """
    was_grad, was_callbacks = state.grad, state.backward_end
    state.grad, state.backward_end = create_graph, []
    token = silence(OFF)
    try:
        run = _Pass(keep_graph, create_graph, accumulate)
        run.prepare(roots, inputs)
        run.start(roots, seeds)
        run.drain()
        run.flush()
        for callback in state.backward_end:
            callback()
        return run.captured
    finally:
        restore(token)
        state.grad, state.backward_end = was_grad, was_callbacks


class _Pass:
    """The working memory of one backward pass."""

    def __init__(self, keep_graph, create_graph, accumulate):
        self.keep_graph, self.create_graph, self.accumulate = keep_graph, create_graph, accumulate
        self.heap, self.nodes, self.pending = [], {}, {}  # sequence numbers; number -> node; number -> gradient so far
        self.arrivals, self.sums = {}, {}  # leaf -> gradients still to come; leaf -> sum of those that came
        self.captured, self.wanted_nodes, self.wanted_leaves, self.needed = {}, {}, None, None

    def prepare(self, roots, inputs):
        """Walk the graph once: count arrivals per leaf and, when `inputs` are named, find the nodes that lead to one."""
        for t in (*roots, *(inputs or ())):
            if t._view is not None:
                refresh_view(t)
        arrivals, seen, stack = self.arrivals, set(), []
        for t in roots:
            if t._node is None:
                arrivals[t] = arrivals.get(t, 0) + 1
            elif t._node not in seen:
                seen.add(t._node)
                stack.append(t._node)
        while stack:
            for edge in stack.pop().edges:
                if edge is None:
                    continue
                if isinstance(edge, Tensor):
                    arrivals[edge] = arrivals.get(edge, 0) + 1
                elif edge not in seen:
                    seen.add(edge)
                    stack.append(edge)
        if inputs is not None:
            self._restrict(seen, inputs)

    def _restrict(self, seen, inputs):
        self.wanted_leaves = {t for t in inputs if t._node is None}
        for t in inputs:
            if t._node is not None:
                self.wanted_nodes.setdefault(t._node, []).append(t)
        needed = self.needed = set()
        for node in sorted(seen, key=lambda n: n.seq):
            if node in self.wanted_nodes or any(
                    e is not None and (e in self.wanted_leaves if isinstance(e, Tensor) else e in needed) for e in node.edges):
                needed.add(node)

    def start(self, roots, seeds):
        """Put the seeds where they belong."""
        for t, g in zip(roots, seeds):
            self.deliver(t._node or t, g)

    def deliver(self, edge, g):
        """Add `g` to what waits at a node or leaf.  None counts as an arrival but adds nothing."""
        if isinstance(edge, Tensor):
            if g is not None:
                held = self.sums.get(edge)
                self.sums[edge] = g if held is None else held + g
            left = self.arrivals[edge] = self.arrivals[edge] - 1
            if not left and edge in self.sums:
                self.finish_leaf(edge, self.sums.pop(edge))
        elif g is not None and (self.needed is None or edge in self.needed):
            seq = edge.seq
            if seq in self.nodes:
                self.pending[seq] = self.pending[seq] + g
            else:
                self.nodes[seq], self.pending[seq] = edge, g
                heappush(self.heap, -seq)

    def drain(self):
        """Run nodes until none is left."""
        heap, nodes, pending, deliver = self.heap, self.nodes, self.pending, self.deliver
        plain = not self.create_graph and not state.anomaly
        heapify(heap)
        while heap:
            seq = -heappop(heap)
            node, g = nodes.pop(seq), pending.pop(seq)
            if node.hooks is not None or node in self.wanted_nodes:
                g = self.see_gradient(node, g)
            saved = node.saved
            if saved is FREED:
                raise RuntimeError(ALREADY_FREED)
            kind = type(g)
            if not plain or kind is not ndarray or node.dtypes is not None or not node.op.unrolls or (
                    g.dtype is not F32 and g.dtype is not F64):
                self.run_general(node, g)
            else:
                self.run_plain(node, g, deliver)
            if saved and not self.keep_graph and node.op.frees:
                node.saved = FREED

    def run_plain(self, node, g, deliver):
        """The rules of one node on NumPy arrays of one float type: `run_general` without its questions."""
        edges, saved, shapes = node.edges, node.saved, node.shapes
        try:
            for rule in node.op.rules:
                i = rule.single
                if i is None:
                    needs = tuple([edges[k] is not None for k in rule.targets])
                    if not any(needs):
                        continue
                elif edges[i] is None:
                    continue
                args = []
                for k in rule.slots:
                    value, cell, version, _ = entry = saved[k]
                    if cell is not None and cell[0] != version:
                        unpack(entry, node, False)
                    args.append(value)
                if i is None:
                    self.run_joint(rule, node, g, args, needs, deliver)
                    continue
                edge = edges[i]
                if rule.attrs:
                    attrs = node.attrs
                    pg = rule.numpy(np, g, *args, **{n: attrs[n] for n in rule.attrs})
                else:
                    pg = rule.numpy(np, g, *args)
                if shapes is not None and pg.shape != shapes[i]:
                    pg = unbroadcast(np, pg, shapes[i])
                deliver(edge, pg)
        except Exception as error:
            _name_the_forward(error, node)
            raise

    def run_joint(self, rule, node, g, args, needs, deliver):
        """A rule of `run_plain` that returns the gradients of several inputs."""
        attrs = {n: node.attrs[n] for n in rule.attrs}
        if rule.needs:
            attrs["needs"] = needs
        shapes = node.shapes
        for i, wanted, pg in zip(rule.targets, needs, rule.numpy(np, g, *args, **attrs)):
            if wanted:
                if pg is not None and shapes is not None and pg.shape != shapes[i]:
                    pg = unbroadcast(np, pg, shapes[i])
                deliver(node.edges[i], pg)

    def run_general(self, node, g):
        """The rules of one node, whatever the backend, types and mode."""
        try:
            if type(node) is Pick:
                self.pick(node, g)
                return
            g, xp, backend = self.readable(g)
            with backend.on_device_of(g):
                for targets, grads in self.each_rule(node, g, xp, backend):
                    for i, pg in zip(targets, grads):
                        if node.edges[i] is not None:
                            self.deliver(node.edges[i], self.fit(node, i, pg, xp))
        except Exception as error:
            _name_the_forward(error, node)
            raise

    def readable(self, g):
        """(gradient, xp, backend): scalars become arrays; under create_graph arrays become Tensors and xp the differentiable namespace."""
        first = next(x for x in g if x is not None) if type(g) is list else g
        backend = BACKENDS[type(first._data if isinstance(first, Tensor) else first)]
        if type(g) is not list and not isinstance(g, Tensor) and type(g) is not backend.Array:
            g = backend.asarray(g)
        return g, differentiable if self.create_graph else backend.xp, backend

    def each_rule(self, node, g, xp, backend):
        """Yield (target indexes, their gradients) for every rule of which a gradient is wanted."""
        op, n = node.op, len(node.edges)
        for rule in op.rules:
            targets = range(n) if op.variadic else rule.targets
            needs = tuple([node.edges[i] is not None for i in targets])
            if not any(needs):
                continue
            args = [self.restore(node.saved[k], node) for k in rule.slots]
            if "shapes" in rule.attrs:
                attrs = {a: node.attrs[a] for a in rule.attrs if a != "shapes"}
                attrs["shapes"] = node.shapes
            else:
                attrs = {a: node.attrs[a] for a in rule.attrs}
            if rule.needs:
                attrs["needs"] = needs
            fn = rule.fn if self.create_graph else op.rule_for(rule, backend)
            grads = self.call(op, fn, xp, backend, g, args, attrs)
            single = rule.single is not None and not op.variadic
            grads = (grads,) if single else grads
            if state.anomaly == "nan":
                _look_for_nan(node, grads)
            yield targets, grads

    def restore(self, entry, node):
        """A saved value, or for a variadic op the list of them."""
        if type(entry) is list:
            return [unpack(e, node, self.create_graph) for e in entry]
        return unpack(entry, node, self.create_graph)

    def call(self, op, fn, xp, backend, g, args, attrs):
        """Call a rule; half precision is computed in float32 on the CPU, and a holomorphic op's complex gradient is conj(rule(conj(g)))."""
        if type(g) is list or self.create_graph and not _is_complex(g):
            return fn(xp, g, *args, **attrs)
        if op.holomorphic and (_is_complex(g) or any(_is_complex(a) for a in args)):
            grads = fn(xp, xp.conj(g), *args, **attrs)
            return tuple(None if p is None else xp.conj(p) for p in grads) if type(grads) in (tuple, list) else xp.conj(grads)
        if backend.COMPUTES_HALF_IN_FLOAT32 and op.promote is not None and not self.create_graph and _dtypes.is_half(g.dtype):
            return in_float32(g.dtype, lambda h, *a: fn(xp, h, *a, **attrs), [g, *args])
        return fn(xp, g, *args, **attrs)

    def fit(self, node, i, pg, xp):
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

    def pick(self, node, g):
        """One output's gradient, put at its place among those of the operation; the others stay None until theirs come."""
        target = node.edges[0]
        seq = target.seq
        if self.needed is not None and target not in self.needed:
            return
        if seq not in self.nodes:
            self.nodes[seq], self.pending[seq] = target, [None] * len(target.shapes[-1])
            heappush(self.heap, -seq)
        self.pending[seq][node.index] = g

    def see_gradient(self, node, g):
        """Hooks of the tensor that this node made, then capture for autograd.grad / retain_grad."""
        if node.hooks is not None:
            g = _run_hooks(node.hooks, g)
        for t in self.wanted_nodes.get(node, ()):
            if self.accumulate:
                accumulate(t, g)
            else:
                self.captured[id(t)] = g
        return g

    def finish_leaf(self, leaf, g):
        """All gradients of a leaf are there: its hooks, its `.grad`, and the hooks that wait for that."""
        if self.wanted_leaves is not None and leaf not in self.wanted_leaves:
            return
        hooks = leaf._hooks
        if hooks is not None and hooks.on_grad:
            g = _run_hooks(hooks.on_grad, g)
        if not self.accumulate:
            self.captured[id(leaf)] = g
            return
        accumulate(leaf, g)
        if hooks is not None:
            for hook in tuple(hooks.post_accumulate.values()):
                hook(leaf)

    def flush(self):
        """Leaves of which some gradients never came (a rule returned None on the way)."""
        for leaf in list(self.sums):
            self.finish_leaf(leaf, self.sums.pop(leaf))


def accumulate(leaf, g):
    """Add `g` into leaf.grad, which gets memory of its own.  A Tensor `g` (create_graph) keeps its history."""
    held = leaf._grad
    if isinstance(g, Tensor):
        leaf._grad = g if held is None else held + g
        return
    want = leaf._data
    if held is None:
        if type(g) is not type(want) or g.dtype != want.dtype:
            g = BACKENDS[type(want)].asarray(g, dtype=want.dtype)
        if g.base is not None or sys.getrefcount(g) > _MINE + 2 or not g.flags.c_contiguous:
            g = g.copy()
        leaf._grad = wrap(g)
    elif held._requires_grad:
        leaf._grad = wrap(held._data + g)
    else:
        held._data += g
        held._cell[0] += 1


def _run_hooks(hooks, g):
    """Show a gradient to each hook in turn; what a hook returns takes its place."""
    raw = not isinstance(g, Tensor)
    for hook in tuple(hooks.values()):
        t = wrap(np.asarray(g) if isinstance(g, np.generic) else g) if raw else g
        answer = hook(t)
        if answer is not None:
            if not isinstance(answer, Tensor):
                raise TypeError(f"a gradient hook must return None or a Tensor, not {type(answer).__name__}")
            if answer.shape != t.shape:
                raise RuntimeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size of value: "
                                   f"{list(t.shape)} became {list(answer.shape)}")
            g = answer._data if raw else answer
    return g


def _is_complex(x):
    a = x._data if isinstance(x, Tensor) else x
    return getattr(getattr(a, "dtype", None), "kind", "") == "c"


def _look_for_nan(node, grads):
    for i, pg in enumerate(grads):
        a = pg._data if isinstance(pg, Tensor) else pg
        if a is not None and a.dtype.kind in "fc" and bool((a != a).any()):
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")


def _name_the_forward(error, node):
    """Say which forward operation the error belongs to, once."""
    if not isinstance(node, Node) or getattr(error, "_ringgrad_named", False):
        return
    error._ringgrad_named = True
    error.add_note(f"This happened in the backward pass of {node.op.name} ({node.name()}).")
    if node.trace:
        error.add_note("Its forward call was here:\n" + node.trace.rstrip())
