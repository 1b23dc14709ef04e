"""The rest of nn: utilities on weights and gradients, initial values under their older names, helpers, older hooks, gradients as functions."""
from ..autograd.script import Script

BEGIN = """
        import warnings
        from importlib import import_module
        def caught_in(call, *args, **kwargs):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = call(*args, **kwargs)
            return result, [(w.category.__name__, str(w.message).replace("torch", "T").replace("ringgrad", "T")) for w in caught]
        def fill(m):
            for i, p in enumerate(m.parameters()):
                p.data.copy_(T.linspace(-1, 1.5 + i, p.numel()).reshape(p.shape))
            for i, b in enumerate(m.buffers()):
                b.copy_(T.linspace(0.5, 1.5 + i, b.numel()).reshape(b.shape)) if b.is_floating_point() else None
            return m
        F, utils, init = T.nn.functional, T.nn.utils, T.nn.init
"""


def refused(title, text, words):
    return Script(title, BEGIN + f"        {text}", raises=words)


FUSED = [("Conv2d(2, 3, 2)", "BatchNorm2d(3)", "1, 2, 4, 4", ""), ("Conv1d(2, 3, 2, bias=False)", "BatchNorm1d(3, affine=False)", "1, 2, 4", ""),
         ("ConvTranspose2d(2, 3, 2)", "BatchNorm2d(3)", "1, 2, 4, 4", ", transpose=True"), ("Conv3d(1, 3, 2)", "BatchNorm3d(3, eps=0.1)", "1, 1, 3, 3, 3", "")]

UTILITIES = [
    *(Script(f"{bn} folded into {conv}", BEGIN + f"""
        conv, bn = fill(T.nn.{conv}).eval(), fill(T.nn.{bn}).eval()
        fused = utils.fuse_conv_bn_eval(conv, bn{transpose})
        x = T.linspace(-1, 1, T.ones({shape}).numel()).reshape({shape})
        """, "fused(x); (fused(x) - bn(conv(x))).abs().max().item() < 1e-5; repr(fused); fused.weight.requires_grad; fused.bias.requires_grad; "
             "[n for n, _ in fused.named_parameters()]") for conv, bn, shape, transpose in FUSED),
    Script("batch norm folded into a linear layer", BEGIN + """
        linear, bn = fill(T.nn.Linear(3, 4, bias=False)).eval(), fill(T.nn.BatchNorm1d(4)).eval()
        fused = utils.fuse_linear_bn_eval(linear, bn)
        x = T.linspace(-1, 1, 6).reshape(2, 3)
        """, "fused(x); (fused(x) - bn(linear(x))).abs().max().item() < 1e-5; [n for n, _ in fused.named_parameters()]"),
    refused("folding in training", "utils.fuse_conv_bn_eval(T.nn.Conv2d(1, 1, 1), T.nn.BatchNorm2d(1))", "Fusion only for eval"),
    Script("gradients clipped under the older name", BEGIN + """
        m = fill(T.nn.Linear(2, 3))
        m(T.ones(1, 2)).sum().backward()
        norm, told = caught_in(utils.clip_grad_norm, m.parameters(), 1.0)
        """, "norm; told; [p.grad for p in m.parameters()]"),
    Script("total norms and clipping by them", BEGIN + """
        a, b = T.nn.Parameter(T.ones(3)), T.nn.Parameter(T.ones(2, 2))
        a.grad, b.grad = T.tensor([3.0, -4.0, 0.0]), T.full((2, 2), 2.0)
        norms = [utils.get_total_norm([a.grad, b.grad], p) for p in (2.0, 1, float("inf"), 0.5)]
        utils.clip_grads_with_norm_([a, b], 2.0, norms[0], foreach=False)
        """, "norms; a.grad; b.grad"),
    refused("norms that are not finite", "utils.get_total_norm([T.tensor([float('inf')])], error_if_nonfinite=True)", "is non-finite"),
    Script("without initial values", BEGIN + """
        T.manual_seed(1)
        before = T.rand(3)
        T.manual_seed(1)
        m = utils.skip_init(T.nn.Linear, 3, 4, bias=False)
        after = T.rand(3)
        """, "repr(m); tuple(m.weight.shape); m.weight.requires_grad; bool((before == after).all())"),
    refused("without initial values, no module", "utils.skip_init(dict)", "Expected a Module"),
    refused("without initial values or device", "utils.skip_init(T.nn.ReLU)", "Module must support a 'device' arg"),
    Script("memory formats of weights", BEGIN + """
        m = T.nn.Sequential(fill(T.nn.Conv2d(1, 2, 2)), T.nn.Sequential(fill(T.nn.ConvTranspose2d(2, 1, 2))))
        w = m[0].weight.clone()
        out = utils.convert_conv2d_weight_memory_format(m, T.channels_last)
        """, "out is m; bool((m[0].weight == w).all())"),
    Script("prefixes of state dicts", BEGIN + """
        state = T.nn.DataParallel(T.nn.Sequential(T.nn.Linear(1, 1))).state_dict()
        T.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        """, "list(state); list(state._metadata)"),
]

OLD_INITS = [f"{name}({args})" for name, args in (
    ("uniform", "w, -1, 2"), ("normal", "w"), ("xavier_uniform", "w, gain=2.0"), ("xavier_normal", "w"), ("kaiming_uniform", "w, a=0.2"),
    ("kaiming_normal", "w, mode='fan_out'"), ("orthogonal", "w"), ("sparse", "w, 0.3"), ("constant", "w, 3"), ("eye", "w"), ("dirac", "T.empty(2, 2, 3)"))]

INIT = [
    *(Script(f"init.{call} warns and fills", BEGIN + f"""
        w = T.empty(5, 4)
        out, told = caught_in(lambda: init.{call})
        """, "told; tuple(out.shape); out is w or out.ndim == 3; bool(T.isfinite(out).all()); init." + call.split("(")[0] + ".__name__") for call in OLD_INITS),
    Script("constants under the older names", BEGIN + """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b, c = init.constant(T.empty(2), 4), init.eye(T.empty(2, 3)), init.dirac(T.empty(2, 2, 3))
        """, "a; b; c"),
    Script("all gains", BEGIN + "        names = ['linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', 'conv_transpose3d', 'sigmoid', "
           "'tanh', 'relu', 'leaky_relu', 'selu']", "[init.calculate_gain(n) for n in names]; init.calculate_gain('leaky_relu', 0.3); "
           "init.calculate_gain('leaky_relu', 1)"),
    refused("a gain of no function", "init.calculate_gain('gelu')", "Unsupported nonlinearity gelu"),
    refused("a slope that is a bool", "init.calculate_gain('leaky_relu', True)", "not a valid number"),
    Script("fans", BEGIN, "init._calculate_fan_in_and_fan_out(T.empty(4, 3, 5, 2)); init._calculate_correct_fan(T.empty(4, 3), 'FAN_OUT')"),
    Script("torch's helpers", BEGIN + """
        a = [init._no_grad_fill_(T.empty(2), 3.0), init._no_grad_zero_(T.empty(2)), init._no_grad_uniform_(T.empty(2), 1.0, 1.0)]
        """, "a"),
]

HELPERS = [
    Script("one or several", BEGIN + "        u = T.nn.modules.utils",
           "u._single(3); u._pair(3); u._triple((1, 2, 3)); u._quadruple([1, 2]); u._ntuple(5)(0); u._reverse_repeat_tuple((1, 2), 2); "
           "u._list_with_default([None, 3], [7, 8, 9]); u._list_with_default(4, [1]); T.nn.modules.conv._pair(2); F._pair(1)"),
    Script("reductions by number", BEGIN + """
        r = import_module(T.__name__ + ".nn._reduction")
        a = [r.get_enum(n) for n in ("none", "mean", "sum")]
        b, told = caught_in(r.legacy_get_string, None, False)
        c, _ = caught_in(r.legacy_get_enum, False, True)
        d, old = caught_in(r.get_enum, "elementwise_mean")
        """, "a; b; told; c; d; old"),
    refused("a reduction that is none", "import_module(T.__name__ + '.nn._reduction').get_enum('all')", "all is not a valid value for reduction"),
    Script("factory_kwargs", BEGIN, "T.nn.factory_kwargs(None); T.nn.factory_kwargs({'device': 'cpu'}); "
           "T.nn.factory_kwargs({'dtype': 1, 'factory_kwargs': {'device': 2}}) == {'dtype': 1, 'device': 2}"),
    refused("factory_kwargs of a stranger", "T.nn.factory_kwargs({'colour': 1})", "unexpected kwargs"),
    refused("factory_kwargs given twice", "T.nn.factory_kwargs({'dtype': 1, 'factory_kwargs': {'dtype': 2}})", "dtype specified twice"),
    Script("gradients of convolutions as functions", BEGIN + """
        def of(d):
            x, w = T.linspace(-1, 1, 2 * 4 * 5 ** d).reshape(2, 4, *[5] * d), T.linspace(-1, 2, 6 * 2 * 2 ** d).reshape(6, 2, *[2] * d)
            x.requires_grad_(), w.requires_grad_()
            y = getattr(F, f"conv{d}d")(x, w, None, 2, 1, 1, 2)
            g = T.linspace(0, 1, y.numel()).reshape(y.shape)
            a = getattr(F.grad, f"conv{d}d_input")(x.shape, w, g, 2, 1, 1, 2)
            b = getattr(T.nn.grad, f"conv{d}d_weight")(x.detach(), w.shape, g, 2, 1, 1, 2)
            want = T.autograd.grad(y, (x, w), g)
            return a, b, (a - want[0]).abs().max().item() < 1e-4, (b - want[1]).abs().max().item() < 1e-4
        """, "of(1); of(2)[2:]; of(3)[2:]"),
    Script("named tuples are tuples with names", BEGIN + """
        from collections import namedtuple
        s = import_module(T.__name__ + ".nn.parallel.scatter_gather")
        """, "s.is_namedtuple(namedtuple('P', 'x y')(1, 2)); s.is_namedtuple((1, 2))"),
    Script("older resizing names warn", BEGIN + """
        x = T.arange(8.0).reshape(1, 2, 2, 2)
        a = [caught_in(F.upsample, x, None, 2), caught_in(F.upsample_nearest, x, (3, 4)), caught_in(F.upsample_bilinear, x, scale_factor=2)]
        """, "[y for y, _ in a]; [told for _, told in a]"),
    Script("older layers warn", BEGIN + """
        a, told = caught_in(T.nn.Container, first=T.nn.ReLU())
        b, also = caught_in(T.nn.NLLLoss2d)
        """, "repr(a); told; repr(b); also"),
    refused("both sizes and scales", "F.interpolate(T.ones(1, 1, 4), 2, 2)", "only one of size or scale_factor should be defined"),
    refused("recomputing a given size", "F.interpolate(T.ones(1, 1, 4), 2, recompute_scale_factor=True)", "not meaningful with an explicit size"),
    refused("anti-aliasing of a signal", "F.interpolate(T.ones(1, 1, 4), 2, mode='linear', antialias=True)", "Anti-alias option is restricted"),
    refused("lanczos without a filter", "F.interpolate(T.ones(1, 1, 4, 4), 2, mode='lanczos')", "Lanczos mode requires antialias=True"),
    refused("no size at all", "F.interpolate(T.ones(1, 1, 4, 4), 0)", "sizes should be greater than 0"),
]

HOOKS = [
    Script("a hook of the older kind", BEGIN + """
        m, seen = fill(T.nn.Linear(2, 2)), []
        x = T.ones(1, 2, requires_grad=True)
        h = m.register_backward_hook(lambda m, gi, go: seen.append((len(go), go[0])))
        y, _ = caught_in(m, x)
        y.sum().backward()
        h.remove()
        caught_in(m, x)[0].sum().backward()
        """, "seen; m._is_full_backward_hook; x.grad"),
    Script("older hooks of all modules", BEGIN + """
        module, seen = T.nn.modules.module, []
        def forget_the_kind():
            module._global_is_full_backward_hook = None
            getattr(module, "GLOBAL_KIND", module).full = None
        forget_the_kind()
        h = module.register_module_backward_hook(lambda m, gi, go: seen.append(type(m).__name__))
        net = T.nn.Sequential(T.nn.ReLU(), T.nn.Tanh())
        y, told = caught_in(net, T.ones(1, 2, requires_grad=True))
        y.sum().backward()
        h.remove()
        forget_the_kind()
        """, "sorted(seen)"),
    refused("both kinds of hooks", "m = T.nn.ReLU()\n        m.register_backward_hook(print)\n        m.register_full_backward_hook(print)",
            "Cannot use both regular backward hooks and full backward hooks on a single Module"),
    refused("both kinds, the other way", "m = T.nn.ReLU()\n        m.register_full_backward_hook(print)\n        m.register_backward_hook(print)",
            "Cannot use both regular backward hooks and full backward hooks on a single Module"),
]

SCRIPTS = [*UTILITIES, *INIT, *HELPERS, *HOOKS]
