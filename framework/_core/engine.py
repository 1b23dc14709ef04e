"""The backward pass.

Nodes run in decreasing sequence number, from a heap, so without recursion: the reverse of the order in which they were recorded.  A first walk
over the graph counts how many gradients each leaf will receive; a leaf is accumulated, and its hooks fire, when the last of them arrives.
That, and not the end of the pass, is the moment at which communication may begin.

With create_graph the rules are called with Tensors and with the differentiable namespace as `xp`, so that what they compute is recorded too.
"""
from heapq import heapify, heappop, heappush

import numpy as np

from .._backends import BACKENDS
from .._state import state
from .broadcasting import unbroadcast
from .gradients import accumulate, as_tensors, replaced, run_hooks, total
from .graph import NO_GRAD_VIEW, Node, Pick, refresh_view
from .quiet import OFF, restore, silence
from .recording import F32, F64
from .rules import each_rule, fit, on_gpu, readable
from .saved import ALREADY_FREED, FREED, unpack
from .tensor import Tensor

ndarray = np.ndarray


def backward(roots, seeds, keep_graph, create_graph, inputs=None, accumulate=True):
    """Propagate `seeds` from `roots` into the leaves below them.

    roots       tensors that require grad
    seeds       one gradient per root: arrays, or Tensors when create_graph
    inputs      None: all leaves.  Else the tensors to stop at; work that leads to none of them is skipped
    accumulate  add into `.grad` (Tensor.backward); otherwise return {id(input): gradient} (autograd.grad)
    """
    outer = state.grad, state.backward
    run = _Pass(keep_graph, create_graph, accumulate)
    state.grad, state.backward = create_graph, run
    token = silence(OFF)
    try:
        run.prepare(roots, inputs)
        run.start(roots, seeds)
        run.drain()
        run.flush()
        for callback in run.callbacks:
            callback()
        if accumulate and state.stepper is not None:
            state.stepper.sees_leaves(run.arrivals)
        return run.captured
    finally:
        restore(token)
        state.grad, state.backward = outer


class _Pass:
    """The working memory of one backward pass."""

    def __init__(self, keep_graph, create_graph, accumulate):
        self.keep_graph, self.create_graph, self.accumulate = keep_graph, create_graph, accumulate
        self.heap, self.nodes, self.pending = [], {}, {}  # sequence numbers; number -> node; number -> gradient so far
        self.arrivals, self.sums = {}, {}  # leaf -> gradients still to come; leaf -> sum of those that came
        self.captured, self.wanted_nodes, self.wanted_leaves, self.needed = {}, {}, None, None
        self.callbacks, self.reached, self.on_the_way = [], (), ()  # at the end; nodes of the graph; wanted nodes that lead to another input

    def prepare(self, roots, inputs):
        """Walk the graph once: count arrivals per leaf and, when `inputs` are named, find the nodes that lead to one."""
        for t in (*roots, *(inputs or ())):
            if t._view is not None:
                refresh_view(t)
        arrivals, seen, stack = self.arrivals, set(), []
        self.reached = seen
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
        self.on_the_way = set()
        for node in sorted(seen, key=lambda n: n.seq):
            leads = any(e is not None and (e in self.wanted_leaves if isinstance(e, Tensor) else e in needed) for e in node.edges)
            if leads or node in self.wanted_nodes:
                needed.add(node)
                if leads and node in self.wanted_nodes:
                    self.on_the_way.add(node)

    def will_reach(self, t):
        """Whether this pass computes the gradient of `t`."""
        if t._node is None:
            return t in self.arrivals and (self.wanted_leaves is None or t in self.wanted_leaves)
        return t._node in (self.reached if self.needed is None else self.needed)

    def start(self, roots, seeds):
        """Put the seeds where they belong."""
        for t, g in zip(roots, seeds):
            self.deliver(t._node or t, g)

    def deliver(self, edge, g):
        """Add `g` to what waits at a node or leaf.  None counts as an arrival but adds nothing."""
        if isinstance(edge, Tensor):
            if g is not None:
                held = self.sums.get(edge)
                self.sums[edge] = g if held is None else total(held, g)
            left = self.arrivals[edge] = self.arrivals[edge] - 1
            if not left and edge in self.sums:
                self.finish_leaf(edge, self.sums.pop(edge))
        elif g is not None and (self.needed is None or edge in self.needed):
            seq = edge.seq
            if seq in self.nodes:
                self.pending[seq] = total(self.pending[seq], g)
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
                if g is None:
                    continue
            saved = node.saved
            if saved is FREED:
                raise RuntimeError(ALREADY_FREED)
            kind = type(g)
            if not plain or kind is not ndarray or node.dtypes is not None or not node.op.unrolls or (
                    g.dtype is not F32 and g.dtype is not F64):
                backend = BACKENDS.get(kind) if plain else None
                if backend is None or backend.name != "cupy" or not self.run_on_gpu(node, g, backend, deliver):
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
                        value = unpack(entry, node, False)
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
                if shapes is not None and pg is not None and pg.shape != shapes[i]:
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
        grads = [*rule.numpy(np, g, *args, **attrs)]
        for i, wanted in zip(rule.targets, needs):
            pg = grads.pop(0)
            if wanted:
                if pg is not None and shapes is not None and pg.shape != shapes[i]:
                    pg = unbroadcast(np, pg, shapes[i])
                deliver(node.edges[i], pg)

    def run_on_gpu(self, node, g, backend, deliver):
        """The rules of one node on arrays of a GPU, or False where that is for `run_general`."""
        try:
            return type(node) is not Pick and on_gpu(node, g, backend, deliver)
        except Exception as error:
            _name_the_forward(error, node)
            raise

    def run_general(self, node, g):
        """The rules of one node, whatever the backend, types and mode."""
        try:
            if type(node) is Pick:
                self.pick(node, g)
                return
            if node.op.lists and node.dtypes is None and not self.create_graph and not state.anomaly and is_plain(g):
                self.run_lists(node, g)
                return
            g, xp, backend = readable(g, self.create_graph)
            with backend.on_device_of(g):
                if node.hooks is not None and node.hooks.post:
                    self.run_hooked(node, g, xp, backend)
                    return
                for targets, grads in each_rule(node, g, xp, backend, self.create_graph):
                    for i in targets:  # taken out of the list, so that a leaf may keep what nobody else holds
                        pg = fit(node, i, grads.pop(0), xp)
                        if node.edges[i] is not None:
                            self.deliver(node.edges[i], pg)
        except Exception as error:
            _name_the_forward(error, node)
            raise

    def run_lists(self, node, g):
        """`run_plain` for an op with several inputs or outputs in a list."""
        op = node.op
        if not op.variadic:
            self.run_plain(node, g, self.deliver)
            return
        (rule,) = op.rules
        attrs = {n: node.shapes if n == "shapes" else node.attrs[n] for n in rule.attrs}
        if rule.needs:
            attrs["needs"] = tuple([edge is not None for edge in node.edges])
        for edge, pg in zip(node.edges, rule.numpy(np, g, **attrs)):
            if edge is not None:
                self.deliver(edge, pg)

    def run_hooked(self, node, g, xp, backend):
        """A node with hooks that want to see all its gradients together, before they go on."""
        found = [None] * len(node.edges)
        for targets, grads in each_rule(node, g, xp, backend, self.create_graph):
            for i, pg in zip(targets, grads):
                found[i] = None if node.edges[i] is None else fit(node, i, pg, xp)
        seen = as_tensors(g)
        for hook in tuple(node.hooks.post.values()):
            found = replaced(hook, hook(as_tensors(found), seen), found, self.create_graph)
        for edge, pg in zip(node.edges, found):
            if edge is not None:
                self.deliver(edge, pg)

    def pick(self, node, g):
        """One output's gradient, put at its place among those of the operation; the others stay None until theirs come."""
        target = node.edges[0]
        if isinstance(target, Tensor):
            self.deliver(target, g)
            return
        seq = target.seq
        if self.needed is not None and target not in self.needed:
            return
        if seq not in self.nodes:
            self.nodes[seq], self.pending[seq] = target, [None] * len(target.shapes[-1])
            heappush(self.heap, -seq)
        held = self.pending[seq][node.index]
        self.pending[seq][node.index] = g if held is None else total(held, g)

    def see_gradient(self, node, g):
        """Hooks of the tensor that this node made, capture for autograd.grad, then hooks of the node.  None when the pass ends here.

        As in torch, a tensor that only lies on the way to another input is captured before its hooks.
        """
        wanted, goes_on = self.wanted_nodes.get(node, ()), self.needed is None or node in self.on_the_way or node not in self.wanted_nodes
        if goes_on:
            self.capture(wanted, g)
        if node.hooks:
            g = run_hooks(node.hooks, g)
        if not goes_on:
            self.capture(wanted, g)
            return None
        if node.hooks is not None:
            for hook in tuple(node.hooks.pre.values()):
                g = replaced(hook, hook(as_tensors(g)), g, self.create_graph)
        return g

    def capture(self, wanted, g):
        for t in wanted:
            if self.accumulate:
                accumulate(t, g)
            else:
                self.captured[id(t)] = g

    def finish_leaf(self, leaf, g):
        """All gradients of a leaf are there: its hooks, its `.grad`, and the hooks that wait for that."""
        if self.wanted_leaves is not None and leaf not in self.wanted_leaves:
            return
        if leaf._view is not None and leaf._view.blocked is NO_GRAD_VIEW:
            return  # it says that it requires grad, but is no place for a gradient
        hooks = leaf._hooks
        if hooks is not None and hooks.on_grad:
            g = run_hooks(hooks.on_grad, g)
        if not self.accumulate:
            self.captured[id(leaf)] = g
            return
        if hooks is None:
            accumulate(leaf, g)
            return
        for hook in tuple(hooks.before_accumulate.values()):
            g = replaced(hook, hook(as_tensors(g)), g, self.create_graph)
        accumulate(leaf, g)
        for hook in tuple(hooks.post_accumulate.values()):
            hook(leaf)
        for hook in tuple(hooks.accumulated.values()):
            hook((), as_tensors(g))

    def flush(self):
        """Leaves of which some gradients never came (a rule returned None on the way)."""
        for leaf in list(self.sums):
            self.finish_leaf(leaf, self.sums.pop(leaf))


def is_plain(g):
    """Whether a gradient, or each of the list of them, is a NumPy array of one of the float types that rules take as they are."""
    for x in g if type(g) is list else (g,):
        if x is not None and (type(x) is not ndarray or (x.dtype is not F32 and x.dtype is not F64)):
            return False
    return True


def _name_the_forward(error, node):
    """Say which forward operation the error belongs to, once."""
    if not isinstance(node, Node) or getattr(error, "_ringgrad_named", False):
        return
    error._ringgrad_named = True
    error.add_note(f"This happened in the backward pass of {node.op.name} ({node.name()}).")
    if node.trace:
        error.add_note("Its forward call was here:\n" + node.trace.rstrip())
