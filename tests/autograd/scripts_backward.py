"""backward and autograd.grad: accumulation, retained graphs, seeds, double backward, leaves and what requires grad."""
from .script import Script

SCRIPTS = [
    Script("a chain of operations", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = (x * x + 2 * x).exp().sum()
        y.backward()
    """, "y; x.grad"),
    Script("gradients accumulate over passes", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward()
        (x * x).sum().backward()
    """, "x.grad"),
    Script("the gradient keeps its identity while it accumulates", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward()
        first = x.grad
        (x * 3).sum().backward()
    """, "first is x.grad; first"),
    Script("grad set to None starts afresh", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward()
        old = x.grad
        x.grad = None
        (x * x).sum().backward()
    """, "old; x.grad"),
    Script("grad may be assigned and is added to", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.grad = T.tensor([10.0, 20.0])
        (x * 2).sum().backward()
    """, "x.grad"),
    Script("a gradient of another shape cannot be assigned", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.grad = T.tensor([1.0])
    """, raises="size"),
    Script("a gradient of another type cannot be assigned", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.grad = T.tensor([1.0, 2.0], dtype=T.float64)
    """, raises="type"),
    Script("grad takes tensors only", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.grad = 3.0
    """, raises="Tensor"),
    Script("a leaf used many times", """
        x = T.tensor([1.0, -2.0], requires_grad=True)
        y = (x * x * x + x / 2 - x * 3 + x).sum()
        y.backward()
    """, "x.grad"),
    Script("a diamond", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        a = x * 3
        b, c = a.exp(), a.sin()
        (b * c).sum().backward()
    """, "x.grad"),
    Script("broadcast operands get gradients of their own shapes", """
        x = T.ones(3, 1, requires_grad=True)
        y = T.tensor([[1.0, 2.0, 3.0, 4.0]], requires_grad=True)
        z = T.tensor(2.0, requires_grad=True)
        ((x + y) * z).sum().backward()
    """, "x.grad; y.grad; z.grad"),
    Script("mixed types: gradients come in the leaf's type", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0], dtype=T.float64, requires_grad=True)
        (x * y).sum().backward()
    """, "x.grad; y.grad"),
    Script("a graph is freed by its backward pass", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        y.backward()
        y.backward()
    """, raises="second time"),
    Script("what saved nothing can run twice", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x + x).sum()
        y.backward()
        y.backward()
    """, "x.grad"),
    Script("retain_graph keeps the graph", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
    """, "x.grad"),
    Script("the last pass over a retained graph frees it", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        y.backward()
    """, raises="second time"),
    Script("a second root over a freed shared part", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        shared = x.exp()
        a, b = shared.sum(), (shared * 2).sum()
        a.backward()
        b.backward()
    """, raises="second time"),
    Script("only scalars have an implicit gradient", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).backward()
    """, raises="only for scalar outputs"),
    Script("an element that is not a scalar is one", """
        x = T.tensor([[3.0]], requires_grad=True)
        (x * x).backward()
    """, "x.grad"),
    Script("a gradient argument weights the output", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * x).backward(T.tensor([1.0, 10.0]))
    """, "x.grad"),
    Script("a gradient argument must have the output's shape", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * x).backward(T.tensor([1.0, 10.0, 100.0]))
    """, raises="Mismatch in shape"),
    Script("backward of something without history", """
        x = T.tensor([1.0, 2.0])
        x.sum().backward()
    """, raises="does not require grad"),
    Script("backward of a leaf itself", """
        x = T.tensor(2.0, requires_grad=True)
        x.backward()
    """, "x.grad"),
    Script("backward with inputs touches no other leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0], requires_grad=True)
        (x * y).sum().backward(inputs=[x])
    """, "x.grad; y.grad is None"),
    Script("backward with a computed input", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        (y * y).sum().backward(inputs=[y])
        seen = y.grad
    """, "seen; x.grad is None"),
    Script("backward with an empty list of inputs", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward(inputs=[])
    """, raises="cannot be empty"),
    Script("several roots in one pass", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        a, b = (x * x).sum(), x * 3
        T.autograd.backward([a, b], [None, T.tensor([1.0, 100.0])])
    """, "x.grad"),
    Script("a root that lies below another root", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        a = x * 3
        b = (a * a).sum()
        T.autograd.backward([b, a], [None, T.tensor([1.0, 1.0])])
    """, "x.grad"),
    Script("the same root twice", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        b = (x * x).sum()
        T.autograd.backward([b, b])
    """, "x.grad"),
    Script("retain_grad keeps the gradient of a computed tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        (y * y).sum().backward()
    """, "y.grad; x.grad; y.retains_grad"),
    Script("a computed tensor keeps no gradient by itself", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        (y * y).sum().backward()
    """, "y.grad is None; y.retains_grad"),
    Script("retain_grad accumulates over passes", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        z = (y * y).sum()
        z.backward(retain_graph=True)
        z.backward()
    """, "y.grad; x.grad"),
    Script("retain_grad of a constant", """
        T.tensor([1.0]).retain_grad()
    """, raises="can't retain_grad"),
    Script("autograd.grad returns and leaves .grad alone", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0], requires_grad=True)
        g = T.autograd.grad((x * y * y).sum(), [x, y])
    """, "g; x.grad is None"),
    Script("autograd.grad of a single input is still a tuple", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        g = T.autograd.grad((x * x).sum(), x)
    """, "g; type(g) is tuple"),
    Script("autograd.grad of an intermediate result", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        g = T.autograd.grad((y * y).sum(), [y, x])
    """, "g"),
    Script("autograd.grad with grad_outputs", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        g = T.autograd.grad([x * x, x * 3], [x], grad_outputs=[T.tensor([1.0, 2.0]), T.tensor([10.0, 20.0])])
    """, "g"),
    Script("autograd.grad of an output with respect to itself", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        g = T.autograd.grad(y.sum(), [y]) + T.autograd.grad(x, x, T.tensor([5.0, 6.0]))
    """, "g"),
    Script("autograd.grad refuses an unused input", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([1.0, 2.0], requires_grad=True)
        T.autograd.grad((x * x).sum(), [x, y])
    """, raises="allow_unused=True"),
    Script("autograd.grad with allow_unused gives None", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([1.0, 2.0], requires_grad=True)
        g = T.autograd.grad((x * x).sum(), [x, y], allow_unused=True)
    """, "g"),
    Script("autograd.grad with materialize_grads gives zeros", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([[1.0, 2.0]], dtype=T.float64, requires_grad=True)
        g = T.autograd.grad((x * x).sum(), [x, y], materialize_grads=True)
    """, "g"),
    Script("materialize_grads contradicts allow_unused=False", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        T.autograd.grad((x * x).sum(), [x], allow_unused=False, materialize_grads=True)
    """, raises="allow_unused"),
    Script("autograd.grad of an input that requires none", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([1.0, 2.0])
        T.autograd.grad((x * y).sum(), [x, y])
    """, raises="does not require grad"),
    Script("autograd.grad frees the graph too", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        T.autograd.grad(y, x)
        T.autograd.grad(y, x)
    """, raises="second time"),
    Script("autograd.grad with the wrong number of seeds", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        T.autograd.grad([x * x, x * 2], [x], grad_outputs=[T.tensor([1.0, 2.0])])
    """, raises="got 2 tensors and 1 gradients"),
    Script("autograd.grad of a batch of seeds", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        g = T.autograd.grad(x * x * x, x, T.eye(3), is_grads_batched=True)
    """, "g"),
    Script("derivatives of order one to four", """
        x = T.tensor([1.5, -2.0], requires_grad=True)
        y, orders = (x ** 4).sum(), []
        for _ in range(4):
            (g,) = T.autograd.grad(y, x, create_graph=True)
            orders.append(g)
            y = g.sum()
    """, "[g.detach() for g in orders]"),
    Script("second derivative through exp, sin and a product", """
        x = T.tensor([0.5, -1.0], requires_grad=True)
        (g,) = T.autograd.grad((x.exp() * x.sin()).sum(), x, create_graph=True)
        (h,) = T.autograd.grad((g * g).sum(), x)
    """, "g; h"),
    Script("second derivative through a matrix product", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        w = T.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
        gx, gw = T.autograd.grad(((x @ w) ** 2).sum(), [x, w], create_graph=True)
        h = T.autograd.grad((gx * gx).sum() + (gw ** 3).sum(), [x, w])
    """, "gx; gw; h"),
    Script("a gradient penalty trains the weights", """
        w = T.tensor([1.0, 2.0], requires_grad=True)
        x = T.tensor([3.0, -1.0], requires_grad=True)
        (g,) = T.autograd.grad((w * x * x).sum(), x, create_graph=True)
        ((g * g).sum() - 1).backward()
    """, "w.grad; x.grad"),
    Script("backward with create_graph leaves a gradient with history", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x ** 3).sum().backward(create_graph=True)
        g = x.grad
        (h,) = T.autograd.grad(g.sum(), x)
    """, "g; h"),
    Script("without create_graph a gradient has no history", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (g,) = T.autograd.grad((x ** 3).sum(), x)
    """, "g; g.requires_grad; g.is_leaf"),
    Script("a mixed derivative", """
        x = T.tensor(2.0, requires_grad=True)
        y = T.tensor(3.0, requires_grad=True)
        (gx,) = T.autograd.grad(x ** 2 * y ** 3, x, create_graph=True)
        (gxy,) = T.autograd.grad(gx, y)
    """, "gx; gxy"),
    Script("create_graph through a broadcast", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        b = T.tensor([[1.0], [3.0]], requires_grad=True)
        gx, gb = T.autograd.grad(((x * b) ** 2).sum(), [x, b], create_graph=True)
        h = T.autograd.grad(gx.sum() + (gb * gb).sum(), [x, b])
    """, "gx; gb; h"),
    Script("what requires grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([1.0, 2.0])
        found = [t.requires_grad for t in (x, c, x + c, c + c, x > c, x.argmax(), x.detach(), x.sum(), x[0], x.to(T.int64), x.clone())]
    """, "found"),
    Script("what is a leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([1.0, 2.0])
        found = [t.is_leaf for t in (x, c, x + c, c + c, x > c, x.detach(), x[0], c[0], (x * 2).detach(), x.to(T.float32), x.to(T.float64))]
    """, "found"),
    Script("a leaf made of a computed tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * 2).detach().requires_grad_()
        (y * y).sum().backward()
    """, "y.grad; x.grad is None; y.is_leaf"),
    Script("integers cannot require grad", """
        T.tensor([1, 2], requires_grad=True)
    """, raises="floating point"),
    Script("integers cannot be made to require grad", """
        T.tensor([1, 2]).requires_grad_()
    """, raises="floating point"),
    Script("a computed tensor cannot stop requiring grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).requires_grad = False
    """, raises="leaf variables"),
    Script("a leaf can stop requiring grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([1.0, 2.0], requires_grad=True)
        x.requires_grad_(False)
        z = (x * y).sum()
        z.backward()
    """, "x.grad is None; y.grad; x.requires_grad"),
    Script("detach cuts", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * x.detach()).sum().backward()
    """, "x.grad; x.detach().requires_grad; x.detach().is_leaf"),
    Script("detach_ cuts in place", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        same = y.detach_()
    """, "same is y; y.requires_grad; y.is_leaf; y.grad_fn"),
    Script("clone carries gradients", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x.clone()
        y.mul_(3)
        y.sum().backward()
    """, "x.grad; x"),
    Script("deepcopy of a leaf", """
        import copy
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).sum().backward()
        y = copy.deepcopy(x)
        y.grad.mul_(2)
    """, "y; y.is_leaf; x.grad; y.grad"),
    Script("deepcopy of a computed tensor", """
        import copy
        x = T.tensor([1.0, 2.0], requires_grad=True)
        copy.deepcopy(x * 2)
    """, raises="created explicitly by the user"),
    Script("numpy() of a tensor that requires grad", """
        T.tensor([1.0], requires_grad=True).numpy()
    """, raises="detach"),
    Script("item() of a tensor that requires grad", """
        x = T.tensor([2.5], requires_grad=True)
        a, b = x.item(), float((x * 2).sum())
    """, "a; b"),
    Script("item() of several elements", """
        T.tensor([1.0, 2.0]).item()
    """, raises="Tensor", ours="element"),
    Script("truth of several elements", """
        bool(T.tensor([1.0, 2.0]) > 0)
    """, raises="ambiguous"),
    Script("names of graph nodes", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        names = [t.grad_fn.name() for t in (x + 1, x - x, x * 2, x / 2, x ** 2, -x, x.exp(), x.log(), x.sum(), x.mean(), x.tanh(),
                                            x.sigmoid(), x.relu(), x.abs(), x.clone(), x.sqrt())]
    """, "names; x.grad_fn"),
    Script("edges of graph nodes", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([1.0, 2.0])
        y = x.exp() * c
        z = y + x
        first = [f.name().rpartition(":")[2] if f is not None else None for f, _ in z.grad_fn.next_functions]
        second = [f.name() if f is not None else None for f, _ in y.grad_fn.next_functions]
        leaf = z.grad_fn.next_functions[1][0].variable is x
    """, "first; second; leaf"),
    Script("a loop with reused names", """
        w = T.tensor([0.5, -0.5], requires_grad=True)
        h = T.tensor([1.0, 1.0])
        for _ in range(20):
            h = (h * w + 1).tanh()
        h.sum().backward()
    """, "h; w.grad"),
    Script("twenty steps of gradient descent", """
        w = T.tensor([5.0, -3.0], requires_grad=True)
        losses = []
        for _ in range(20):
            loss = ((w - T.tensor([1.0, 2.0])) ** 2).sum()
            loss.backward()
            with T.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
            losses.append(loss.item())
    """, "w; losses"),
    Script("indexing with repeated indices adds up", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x[T.tensor([0, 0, 2, 0])] * T.tensor([1.0, 10.0, 100.0, 1000.0])
        y.sum().backward()
    """, "y; x.grad"),
    Script("several outputs of which one is used", """
        x = T.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
        values, indices = x.max(dim=1)
        (values * 5).sum().backward()
    """, "values; indices; x.grad; indices.requires_grad"),
    Script("several outputs, all used", """
        x = T.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
        a, b = x.split(2)
        (a * 2 + b * b).sum().backward()
    """, "x.grad"),
    Script("unbind and stack again", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        rows = x.unbind(0)
        y = T.stack([rows[1], rows[0] * 2])
        (y * y).sum().backward()
    """, "y; x.grad"),
    Script("complex numbers: the gradient of |z| squared", """
        z = T.tensor([1 + 2j, 3 - 1j], requires_grad=True)
        (z * z.conj()).real.sum().backward()
    """, "z.grad"),
    Script("complex products against real weights", """
        z = T.tensor([1 + 2j, 3 - 1j])
        w = T.tensor([0.5, 2.0], requires_grad=True)
        ((w * z).abs() ** 2).sum().backward()
    """, "w.grad"),
    Script("arguments of grad and backward that old programs pass", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        g, = T.autograd.grad(y, x, None, True, True, True, None)
        h = T.autograd.grad(outputs=g.sum(), inputs=x, grad_outputs=None, create_graph=True, retain_graph=True, only_inputs=True)[0]
        T.autograd.backward([y], [T.tensor(2.0)], None, False, None, [x])
        with T.random.fork_rng(devices=[], device_type="cpu"):
            T.rand(3)
    """, "g.tolist(), h.tolist(), x.grad"),
    Script("old names of backward's arguments", """
        import warnings
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            T.autograd.backward((x * x).sum(), grad_variables=T.tensor(3.0))
            T.autograd.grad((x * x).sum(), x, only_inputs=False)
    """, "x.grad, [w.category.__name__ for w in seen]"),
]
