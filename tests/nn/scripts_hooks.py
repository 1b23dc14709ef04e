"""Hooks of modules: their order, what they see, what they may change, and what is left when they are removed."""
from ..autograd.script import Script

SETUP = """
        import warnings
        from importlib import import_module
        module = import_module(T.__name__ + ".nn.modules.module")
        seen = []
        class Net(T.nn.Module):
            def __init__(self):
                super().__init__()
                self.w = T.nn.Parameter(T.tensor([2.0, 3.0]))
            def forward(self, x, y=1.0):
                seen.append("forward")
                return x * self.w * y
        net = Net()
        x = T.tensor([1.0, 4.0], requires_grad=True)
        def note(name, answer=None):
            def hook(m, *rest):
                seen.append((name, len(rest)))
                return answer
            return hook
"""

SCRIPTS = [
    Script("order of forward hooks: global ones first, then in turn, prepended ones before", SETUP + """
        handles = [net.register_forward_hook(note("after 1")), net.register_forward_hook(note("after 2"), prepend=True),
                   net.register_forward_pre_hook(note("before 1")), net.register_forward_pre_hook(note("before 2"), prepend=True),
                   module.register_module_forward_hook(note("global after")), module.register_module_forward_pre_hook(note("global before"))]
        net(x)
        for h in handles:
            h.remove()
        net(x)
    """, "seen; len(net._forward_hooks); len(net._forward_pre_hooks)"),
    Script("a forward pre-hook changes the inputs", SETUP + """
        net.register_forward_pre_hook(lambda m, args: args[0] * 10)
        one = net(x)
        net.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
        two = net(x)
    """, "one; two"),
    Script("a forward hook changes the output", SETUP + """
        net.register_forward_hook(lambda m, args, out: out * 10)
        net.register_forward_hook(lambda m, args, out: None)
        net.register_forward_hook(lambda m, args, out: (out, args[0]))
        out = net(x)
    """, "out"),
    Script("hooks with kwargs", SETUP + """
        net.register_forward_pre_hook(lambda m, args, kwargs: (args, {**kwargs, "y": 5.0}), with_kwargs=True)
        net.register_forward_hook(lambda m, args, kwargs, out: out + kwargs["y"], with_kwargs=True)
        out = net(x, y=2.0)
    """, "out"),
    Script("a pre-hook with kwargs must return a pair", SETUP + """
        net.register_forward_pre_hook(lambda m, args, kwargs: (1, 2, 3), with_kwargs=True)
        net(x)
    """, raises="forward pre-hook must return None or a tuple of"),
    Script("always_call runs after an error", SETUP + """
        class Fails(T.nn.Module):
            def forward(self, x):
                raise ValueError("no")
        m = Fails()
        m.register_forward_hook(note("plain"))
        m.register_forward_hook(note("always"), always_call=True)
        m.register_forward_hook(lambda m, args, kwargs, out: seen.append((args[0].tolist(), kwargs, out)), with_kwargs=True, always_call=True)
        handle = module.register_module_forward_hook(note("global"), always_call=True)
        try:
            m(x)
        except ValueError as error:
            seen.append(str(error))
        finally:
            handle.remove()
    """, "seen"),
    Script("an error in a hook: the always-called ones still run, each once", SETUP + """
        def bad(m, args, out):
            raise ValueError("bad hook")
        net.register_forward_hook(note("first"), always_call=True)
        net.register_forward_hook(bad)
        net.register_forward_hook(note("last"), always_call=True)
        try:
            net(x)
        except ValueError as error:
            seen.append(str(error))
    """, "seen"),
    Script("a handle as a context removes flags too", SETUP + """
        with net.register_forward_hook(note("inside"), always_call=True, with_kwargs=True):
            net(x)
        net(x)
    """, "seen; len(net._forward_hooks_with_kwargs); len(net._forward_hooks_always_called)"),
    Script("full backward hooks see gradients of inputs and outputs", SETUP + """
        net.register_full_backward_hook(lambda m, gi, go: seen.append(("after", gi, go)))
        net.register_full_backward_pre_hook(lambda m, go: seen.append(("before", go)))
        out = net(x)
        (out * T.tensor([10.0, 100.0])).sum().backward()
    """, "seen; x.grad; net.w.grad"),
    Script("backward hooks change gradients", SETUP + """
        net.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
        net.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
        net(x).sum().backward()
    """, "x.grad; net.w.grad"),
    Script("order of backward hooks", SETUP + """
        handles = [net.register_full_backward_hook(note("after 1")), net.register_full_backward_hook(note("after 2"), prepend=True),
                   net.register_full_backward_pre_hook(note("before 1")), net.register_full_backward_pre_hook(note("before 2"), prepend=True),
                   module.register_module_full_backward_hook(note("global after")),
                   module.register_module_full_backward_pre_hook(note("global before"))]
        net(x).sum().backward()
        for h in handles:
            h.remove()
        seen.append("removed")
        net(x).sum().backward()
    """, "seen"),
    Script("several inputs and outputs, some without gradients", SETUP + """
        class Two(T.nn.Module):
            def forward(self, a, b, n, c):
                return a * 2, b * 3, a.detach()
        m = Two()
        m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
        a, b = T.ones(2, requires_grad=True), T.ones(2, requires_grad=True)
        p, q, r = m(a, b, 7, T.ones(2))
        p.sum().backward()
        seen.append((a.grad, b.grad, r.requires_grad))
    """, "seen"),
    Script("no input takes a gradient: the hook runs with the outputs'", SETUP + """
        net.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            net(x.detach()).sum().backward()
    """, "seen; net.w.grad; ['Full backward hook is firing' in str(w.message) for w in caught]"),
    Script("a backward hook with too many gradients", SETUP + """
        net.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
        net(x).sum().backward()
    """, raises="Backward hook returned an invalid number of grad_input, got 2, but expected 1"),
    Script("a backward pre-hook with too many gradients", SETUP + """
        net.register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
        net(x).sum().backward()
    """, raises="Backward pre hook returned an invalid number of grad_output, got 2, but expected 1"),
    Script("an in-place operation on the output of a hooked module", SETUP + """
        net.register_full_backward_hook(note("after"))
        net(x).add_(1)
    """, raises="is a view and is being modified inplace"),
    Script("without gradients, hooked modules compute as others", SETUP + """
        net.register_full_backward_hook(note("after"))
        with T.no_grad():
            out = net(x)
    """, "seen; out; out.requires_grad"),
    Script("backward hooks under create_graph", SETUP + """
        net.register_full_backward_hook(lambda m, gi, go: seen.append((len(gi), len(go))))
        out = (net(x) ** 2).sum()
        (g,) = T.autograd.grad(out, x, create_graph=True)
        (h,) = T.autograd.grad(g.sum(), x)
    """, "seen; g; h"),
    Script("hooks of inner modules run inside those of outer ones", SETUP + """
        net = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.ReLU())
        for n, m in net.named_modules():
            m.register_forward_pre_hook(lambda m, args, n=n: seen.append(("pre", n)))
            m.register_forward_hook(lambda m, args, out, n=n: seen.append(("post", n)))
            m.register_full_backward_hook(lambda m, gi, go, n=n: seen.append(("backward", n)))
        net(T.ones(1, 2, requires_grad=True)).sum().backward()
    """, "seen"),
]
