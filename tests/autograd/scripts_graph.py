"""torch.autograd.graph: what nodes save and who may pack it, nodes and edges, hooks on nodes and on several tensors."""
from .script import Script

PACKED = """
        log = []
        def pack(t):
            log.append(("pack", t.tolist(), t.requires_grad, t.is_leaf, T.is_grad_enabled()))
            return t.detach()
        def unpack(t):
            log.append(("unpack", t.tolist()))
            return t
        hooks = T.autograd.graph.saved_tensors_hooks
"""

SCRIPTS = [
    Script("hooks see saved inputs with their history, and no grad mode", PACKED + """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with hooks(pack, unpack):
            y = x.sin()
        (y * 2).sum().backward()
    """, "log; x.grad"),
    Script("hooks see a saved output", PACKED + """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with hooks(pack, unpack):
            y = x.exp()
        y.sum().backward()
    """, "log; x.grad"),
    Script("hooks see the output of an operation in place", PACKED + """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        with hooks(pack, unpack):
            y.exp_()
        y.sum().backward()
    """, "log; x.grad"),
    Script("nothing is packed of what saves nothing", PACKED + """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with hooks(pack, unpack):
            y = x + 1
            z = x.detach() * x.detach()
            with T.no_grad():
                x * x
        y.sum().backward()
    """, "log; x.grad"),
    Script("only the innermost pair of hooks is in force", """
        seen = []
        hooks = T.autograd.graph.saved_tensors_hooks
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with hooks(lambda t: seen.append("outer") or t.detach(), lambda t: t):
            with hooks(lambda t: seen.append("inner") or t.detach() * 10, lambda t: t):
                y = x.exp()
            z = x.exp()
        (y + z).sum().backward()
    """, "seen; x.grad"),
    Script("what hooks pack may be anything", """
        store = {}
        def pack(t):
            store[len(store)] = t.detach().clone()
            return len(store) - 1
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(pack, lambda key: store[key]):
            y = (x.exp() * x).tanh()
        y.sum().backward()
    """, "len(store) > 2; x.grad"),
    Script("a value that unpack changes changes the gradient", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t * 100):
            y = x.exp()
        y.sum().backward()
    """, "x.grad"),
    Script("packed values may be overwritten", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
            y = x * 1
            z = y * y
        y.add_(5)
        z.sum().backward()
    """, "x.grad"),
    Script("second derivatives through packed values", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
            y = x.exp() * x
        (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
        (h,) = T.autograd.grad(g.sum(), x)
    """, "g; h"),
    Script("hooks and a Function's saved tensors", PACKED + """
        class Scale(T.autograd.Function):
            @staticmethod
            def forward(ctx, a):
                out = a * 3
                ctx.save_for_backward(a, None, out)
                return out
            @staticmethod
            def backward(ctx, g):
                a, nothing, out = ctx.saved_tensors
                log.append((nothing is None, out.tolist()))
                return g * a
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with hooks(pack, unpack):
            y = Scale.apply(x)
        y.sum().backward()
    """, "log; x.grad"),
    Script("hooks on cat, split and a layer", """
        seen = []
        def pack(t):
            seen.append(tuple(t.shape))
            return t.detach()
        T.manual_seed(0)
        x = T.ones(4, 3, requires_grad=True)
        w = T.full((2, 3), 0.5, requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            a, b = x.split(2)
            y = T.nn.functional.linear(T.cat([b, a]), w)
        y.sum().backward()
    """, "len(seen) > 0; x.grad; w.grad"),
    Script("unpack must return a tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: 3, lambda t: t):
            y = x.exp()
        y.sum().backward()
    """, raises="unpack_hook expected to be a Tensor but got result of type"),
    Script("pack must not write to its argument", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
            (x * 1).exp()
    """, raises="modifying its input in place"),
    Script("an error in pack comes out of the operation", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.saved_tensors_hooks(lambda t: 1 / 0, lambda t: t):
            x.exp()
    """, raises="division"),
    Script("after an error in pack nothing is in force any more", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        try:
            with T.autograd.graph.saved_tensors_hooks(lambda t: 1 / 0, lambda t: t):
                x.exp()
        except ZeroDivisionError:
            pass
        x.exp().sum().backward()
    """, "x.grad; T.is_grad_enabled()"),
    Script("hooks refused", """
        with T.autograd.graph.disable_saved_tensors_hooks("not here"):
            with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
    """, raises="not here"),
    Script("hooks refused while some are in force", """
        with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            with T.autograd.graph.disable_saved_tensors_hooks("too late"):
                pass
    """, raises="too late"),
    Script("the inner refusal speaks", """
        with T.autograd.graph.disable_saved_tensors_hooks("one"):
            with T.autograd.graph.disable_saved_tensors_hooks("two"):
                pass
            with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
    """, raises="one"),
    Script("save_on_cpu", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.save_on_cpu():
            y = (x * x).exp()
        y.sum().backward()
    """, "x.grad"),
    Script("saved tensors may be written where that is allowed", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.autograd.graph.allow_mutation_on_saved_tensors():
            y = x.clone()
            z = y ** 2
            y.sin_()
            z.sum().backward()
    """, "x.grad"),
    Script("saved values of a node by name", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([3.0, 4.0])
        y, z = x.exp(), x * c
        saved = y.grad_fn._saved_result, z.grad_fn._saved_other
    """, "saved; z.grad_fn._saved_self is None"),
    Script("saved attributes of a node", """
        x = T.ones(2, 3, requires_grad=True)
        s = x.sum(1, keepdim=True).grad_fn
        d = x.softmax(1).grad_fn
    """, "s._saved_keepdim; d._saved_dim; d._saved_result"),
    Script("saved values after they were freed", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        y.sum().backward()
        y.grad_fn._saved_result
    """, raises="second time"),
    Script("hooks of one saved value", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        y.grad_fn._raw_saved_result.register_hooks(lambda t: t.detach(), lambda t: t * 10)
        y.sum().backward()
    """, "x.grad"),
    Script("hooks of one saved value, twice", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        raw = y.grad_fn._raw_saved_result  # torch's does not keep its node alive
        raw.register_hooks(lambda t: t, lambda t: t)
        raw.register_hooks(lambda t: t, lambda t: t)
    """, raises="whose hooks have already been set"),
    Script("a Function's node shows its saved tensors and attributes", """
        class Scale(T.autograd.Function):
            @staticmethod
            def forward(ctx, a):
                ctx.factor = 3
                ctx.save_for_backward(a)
                return a * 3
            @staticmethod
            def backward(ctx, g):
                return g * ctx.factor
        x = T.tensor([1.0, 2.0], requires_grad=True)
        node = Scale.apply(x).grad_fn
    """, "node.name(); node.saved_tensors; node.factor; type(node).__name__; isinstance(node, T.autograd.graph.Node)"),
    Script("a Function's saved tensors after they were freed", """
        class Scale(T.autograd.Function):
            @staticmethod
            def forward(ctx, a):
                ctx.save_for_backward(a)
                return a * 3
            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Scale.apply(x)
        y.sum().backward()
        y.grad_fn.saved_tensors
    """, raises="second time"),
    Script("the nodes behind a tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * 2).exp().sum()
        names, node = [], y.grad_fn
        while node is not None:
            names.append(node.name())
            node = node.next_functions[0][0] if node.next_functions else None
    """, "names"),
    Script("a leaf at the end of the graph", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        node, place = y.grad_fn.next_functions[0]
    """, "place; node.variable is x; node is (x * 3).grad_fn.next_functions[0][0]; type(node).__name__; y.grad_fn.next_functions[1]; node.next_functions"),
    Script("outputs of one operation share a node", """
        x = T.ones(4, requires_grad=True)
        a, b = (x * 2).split(2)
        edges = (a + b).grad_fn.next_functions
    """, "a.grad_fn is b.grad_fn; [n for _, n in edges]; edges[0][0] is a.grad_fn; (a.output_nr, b.output_nr); a.grad_fn.name()"),
    Script("notes on a node", """
        x = T.ones(2, requires_grad=True)
        y = x * 2
        before = dict(y.grad_fn.metadata)
        y.grad_fn.metadata["mine"] = 3
    """, "before; y.grad_fn.metadata; isinstance(y.grad_fn, T.autograd.graph.Node); y.grad_fn.requires_grad"),
    Script("the types of nodes carry torch's names", """
        x = T.ones(2, 2, requires_grad=True)
        names = [type(t.grad_fn).__name__ for t in (x * 2, x @ x, x.transpose(0, 1), x[0], x.sum(), x.relu(), T.cat([x, x]), x.clone(), -x, x.view(4))]
    """, "names"),
    Script("hooks of a node, before and after it runs", """
        log = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.grad_fn.register_hook(lambda gi, go: log.append(("post", [None if g is None else g.tolist() for g in gi], go[0].tolist())))
        y.grad_fn.register_prehook(lambda go: log.append(("pre", go[0].tolist())))
        y.register_hook(lambda g: log.append(("tensor", g.tolist())))
        (y * y).sum().backward()
    """, "log; x.grad"),
    Script("a node's hooks replace gradients", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y, z = x * 3, x * 5
        y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
        z.grad_fn.register_hook(lambda gi, go: (gi[0] * 100, None))
        (y + z).sum().backward()
    """, "x.grad"),
    Script("a node's hook taken away", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        handle = y.grad_fn.register_hook(lambda gi, go: seen.append("post"))
        y.sum().backward(retain_graph=True)
        handle.remove()
        y.sum().backward()
    """, "seen; x.grad"),
    Script("hooks of the node of several outputs", """
        log = []
        x = T.arange(4.0).requires_grad_()
        a, b = (x * 1).split(2)
        a.grad_fn.register_prehook(lambda go: log.append([None if g is None else g.tolist() for g in go]))
        a.register_hook(lambda g: g * 10)
        (a * 2).sum().backward()
    """, "len(log); x.grad"),
    Script("a node's hook must return a tuple", """
        x = T.tensor([1.0], requires_grad=True)
        y = x * 3
        y.grad_fn.register_hook(lambda gi, go: 3)
        y.sum().backward()
    """, raises="expected tuple, but hook returned 'int'"),
    Script("a node's hook must return as many gradients", """
        x = T.tensor([1.0], requires_grad=True)
        y = x * 3
        y.grad_fn.register_prehook(lambda go: (go[0], go[0]))
        y.sum().backward()
    """, raises="incorrect number of values \\(got 2, but expected 1\\)"),
    Script("hooks round the accumulation of a leaf", """
        log = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        node = (x * 1).grad_fn.next_functions[0][0]
        node.register_hook(lambda gi, go: log.append(("after", gi, go[0].tolist(), x.grad.tolist())))
        node.register_prehook(lambda go: log.append(("before", go[0].tolist(), x.grad is None)))
        x.register_hook(lambda g: log.append(("tensor", g.tolist())))
        x.register_post_accumulate_grad_hook(lambda p: log.append(("post", p.grad.tolist())))
        (x * 5).sum().backward()
        g = T.autograd.grad((x * 7).sum(), x)
    """, "log; g"),
    Script("a hook on several tensors waits for all of them", """
        log = []
        a, b, c = [T.ones(2, requires_grad=True) for _ in range(3)]
        d = a * b
        T.autograd.graph.register_multi_grad_hook((a, b, c, d), lambda gs: log.append([None if g is None else g.tolist() for g in gs]))
        (d * 2).sum().backward(retain_graph=True)
        (d * c).sum().backward(inputs=[a], retain_graph=True)
        (d * c).sum().backward()
    """, "log"),
    Script("a hook on any of several tensors", """
        log = []
        a, b = [T.ones(2, requires_grad=True) for _ in range(2)]
        handle = T.autograd.graph.register_multi_grad_hook((a, b), lambda g: log.append(g.tolist()), mode="any")
        (a * b * 3).sum().backward()
        handle.remove()
        (a * b * 3).sum().backward()
    """, "log"),
    Script("a hook on several tensors in an unknown mode", """
        T.autograd.graph.register_multi_grad_hook((T.ones(1, requires_grad=True),), print, mode="some")
    """, raises="one of"),
    Script("gradients at an edge of the graph", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        at_x, at_y = T.autograd.graph.get_gradient_edge(x), T.autograd.graph.get_gradient_edge(y)
        z = (y * y).sum()
        g = T.autograd.grad(z, (at_x, at_y), retain_graph=True)
        h = T.autograd.grad(at_y, x, T.ones(2))
    """, "g; h; at_y.output_nr; at_y.node is y.grad_fn; at_x.node.variable is x"),
    Script("an edge of a constant", """
        T.autograd.graph.get_gradient_edge(T.ones(2))
    """, raises="does not require gradients"),
    Script("a write that autograd cannot see", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.ones(2)
        y = x * c
        T.autograd.graph.increment_version(c)
        y.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("versions counted by hand", """
        x = T.ones(2)
        counts = [x._version]
        T.autograd.graph.increment_version(x)
        counts.append(x._version)
        T.autograd.graph.increment_version([x, x])
        counts.append(x._version)
        x.add_(1)
        x.detach().mul_(2)
        x[0] = 5
        counts.append(x._version)
    """, "counts"),
]
