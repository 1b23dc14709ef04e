"""Tensor hooks: what they see, in which order, and what they may change."""
from .script import Script

SCRIPTS = [
    Script("a hook sees the gradient of a computed tensor", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: seen.append(g.clone()))
        (y * y).sum().backward()
    """, "seen; x.grad"),
    Script("a hook on a leaf sees the sum, once", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_hook(lambda g: seen.append(g.clone()))
        (x * x + x * 3 + x.exp()).sum().backward()
    """, "seen; x.grad"),
    Script("a hook's answer takes the gradient's place", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: g * 100)
        (y * y).sum().backward()
    """, "x.grad"),
    Script("a hook on a leaf changes what is accumulated", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_hook(lambda g: g.clamp(max=3.0))
        (x * x).sum().backward()
        (x * x).sum().backward()
    """, "x.grad"),
    Script("hooks run in the order of registration, each on the last one's answer", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        y.register_hook(lambda g: seen.append(("a", g.tolist())) or g + 1)
        y.register_hook(lambda g: seen.append(("b", g.tolist())) or None)
        y.register_hook(lambda g: seen.append(("c", g.tolist())) or g * 2)
        y.sum().backward()
    """, "seen; x.grad"),
    Script("a removed hook is not called", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        first = x.register_hook(lambda g: seen.append("a"))
        second = x.register_hook(lambda g: seen.append("b"))
        first.remove()
        first.remove()
        (x * 2).sum().backward()
    """, "seen"),
    Script("a handle as a context", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with x.register_hook(lambda g: seen.append("a")):
            (x * 2).sum().backward()
        (x * 2).sum().backward()
    """, "seen"),
    Script("a hook of another shape", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.register_hook(lambda g: g[:1])
        y.sum().backward()
    """, raises="has changed the size of value"),
    Script("a hook that answers no tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.register_hook(lambda g: 5)
        y.sum().backward()
    """, raises="Tensor|Variable"),
    Script("a hook on a constant", """
        T.tensor([1.0]).register_hook(print)
    """, raises="doesn't require gradient"),
    Script("an exception in a hook comes out of backward", """
        def hook(g):
            raise KeyError("mine")
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.register_hook(hook)
        y.sum().backward()
    """, raises="mine"),
    Script("hooks and retain_grad", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        y.register_hook(lambda g: g * 10)
        (y * y).sum().backward()
    """, "y.grad; x.grad"),
    Script("hooks see gradients under autograd.grad too", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: seen.append(g.clone()) or g * 2)
        x.register_hook(lambda g: seen.append(g.clone()) or g + 1)
        g = T.autograd.grad((y * y).sum(), [x])
    """, "seen; g"),
    Script("hooks on the tensor that autograd.grad is asked for", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: g * 10)
        g = T.autograd.grad((y * y).sum(), [y])
    """, "g"),
    Script("retain_grad follows a tensor through an in-place operation", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.retain_grad()
        y.mul_(2)
        (y * y).sum().backward()
    """, "y.grad; x.grad; y.retains_grad"),
    Script("retain_grad of a base written through a view, and of a view", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y, z = x * 3, x * 5
        v = z[:1]
        y.retain_grad()
        v.retain_grad()
        y[0].mul_(2)
        z.mul_(2)
        ((y * y).sum() + (v * v).sum()).backward()
    """, "y.grad; v.grad; x.grad; y.retains_grad; v.retains_grad"),
    Script("hooks take part in second derivatives", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: g * x)
        (g,) = T.autograd.grad((y * y).sum(), x, create_graph=True)
        (h,) = T.autograd.grad(g.sum(), x)
    """, "g; h"),
    Script("the order of hooks along a chain and at the leaves", """
        seen = []
        w1 = T.tensor([1.0, 2.0], requires_grad=True)
        w2 = T.tensor([3.0, 4.0], requires_grad=True)
        h = (w1 * 2).exp()
        y = h * w2
        for name, t in (("w1", w1), ("w2", w2), ("h", h), ("y", y)):
            t.register_hook(lambda g, name=name: seen.append(name))
        y.sum().backward()
    """, "seen"),
    Script("a post-accumulate hook sees .grad complete", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.tolist())))
        (x * x + x).sum().backward()
        (x * 2).sum().backward()
    """, "seen"),
    Script("a post-accumulate hook runs after the tensor's own", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_post_accumulate_grad_hook(lambda p: seen.append("post"))
        x.register_hook(lambda g: seen.append("grad"))
        (x * x).sum().backward()
    """, "seen"),
    Script("an optimizer in a post-accumulate hook", """
        def step(p):
            with T.no_grad():
                p -= 0.1 * p.grad
            p.grad = None
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_post_accumulate_grad_hook(step)
        for _ in range(3):
            (x * x).sum().backward()
    """, "x; x.grad is None"),
    Script("autograd.grad calls no post-accumulate hook", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.register_post_accumulate_grad_hook(lambda p: seen.append("post"))
        T.autograd.grad((x * x).sum(), x)
    """, "seen"),
    Script("a post-accumulate hook on a computed tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 2).register_post_accumulate_grad_hook(print)
    """, raises="non-leaf"),
    Script("a post-accumulate hook removed", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        handle = x.register_post_accumulate_grad_hook(lambda p: seen.append("post"))
        (x * x).sum().backward()
        handle.remove()
        (x * x).sum().backward()
    """, "seen"),
    Script("a hook before an in-place operation belongs to the value it was set on", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        y.register_hook(lambda g: seen.append(g.clone()))
        y.mul_(10)
        y.sum().backward()
    """, "seen; x.grad"),
    Script("backward inside a hook", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        w = T.tensor([5.0, 6.0], requires_grad=True)
        def hook(g):
            with T.enable_grad():
                (w * w).sum().backward()
        y = x * 2
        y.register_hook(hook)
        (y * y).sum().backward()
    """, "x.grad; w.grad"),
]
