"""Modules that learn their shapes from the first input, and what may not be done before."""
from ..autograd.script import Script

FILL = """
        def fill(m):
            for i, p in enumerate(m.parameters()):
                p.data.copy_(T.linspace(-1, 1 + i, p.numel()).reshape(p.shape))
            return m
"""

LAYERS = [
    ("LazyLinear(4)", "T.linspace(-1, 1, 6).reshape(2, 3)"), ("LazyLinear(4, bias=False)", "T.linspace(-1, 1, 3)"),
    ("LazyConv1d(4, 3)", "T.linspace(-1, 1, 30).reshape(2, 3, 5)"),
    ("LazyConv2d(6, 3, 2, 1, 1, 3, False)", "T.linspace(-1, 1, 75).reshape(1, 3, 5, 5)"),
    ("LazyConv2d(4, (2, 3), padding='same', padding_mode='circular')", "T.linspace(-1, 1, 75).reshape(3, 5, 5)"),
    ("LazyConv3d(2, 2, bias=False)", "T.linspace(-1, 1, 54).reshape(1, 2, 3, 3, 3)"),
    ("LazyConvTranspose1d(4, 3, stride=2)", "T.linspace(-1, 1, 30).reshape(2, 3, 5)"),
    ("LazyConvTranspose2d(4, 3, 2, 1, 1, 2, True)", "T.linspace(-1, 1, 50).reshape(1, 2, 5, 5)"),
    ("LazyConvTranspose3d(2, 2)", "T.linspace(-1, 1, 54).reshape(1, 2, 3, 3, 3)"),
    ("LazyBatchNorm1d()", "T.linspace(-1, 1, 12).reshape(4, 3)"), ("LazyBatchNorm2d(affine=False)", "T.linspace(-1, 1, 24).reshape(2, 3, 2, 2)"),
    ("LazyBatchNorm3d(track_running_stats=False)", "T.linspace(-1, 1, 48).reshape(2, 3, 2, 2, 2)"),
    ("LazyInstanceNorm1d(affine=True)", "T.linspace(-1, 1, 24).reshape(2, 3, 4)"),
    ("LazyInstanceNorm2d(track_running_stats=True)", "T.linspace(-1, 1, 24).reshape(2, 3, 2, 2)"),
    ("LazyInstanceNorm3d(affine=True, bias=True)", "T.linspace(-1, 1, 48).reshape(2, 3, 2, 2, 2)"),
]

SCRIPTS = [
    *(Script(f"{text}, its first call and a second one", f"""{FILL}
        m = T.nn.{text}
        before = repr(m), m.has_uninitialized_params(), list(m.state_dict()), [repr(p) for p in m.parameters()]
        x = {x}
        first = tuple(m(x).shape)
        fill(m)
        y = m(x)
        (y * T.linspace(0, 1, y.numel()).reshape(y.shape)).sum().backward() if y.requires_grad else None
        """, "before; first; repr(m); type(m).__name__; hasattr(m, 'initialize_parameters'); y; [p.grad for p in m.parameters()]; dict(m.state_dict()); "
             "len(m._forward_pre_hooks); len(m._load_state_dict_pre_hooks); hasattr(m, '_initialize_hook')") for text, x in LAYERS),
    Script("a lazy module takes the shapes of a state dict", f"""{FILL}
        full = fill(T.nn.Linear(3, 4))
        m = T.nn.LazyLinear(4)
        keys = m.load_state_dict(full.state_dict())
        was = m.in_features, type(m).__name__, m.has_uninitialized_params()
        y = m(T.ones(2, 3))
        """, "was; tuple(m.weight.shape); y; m.in_features; type(m).__name__; list(keys)"),
    Script("a lazy state dict into a lazy module", """
        a, b = T.nn.LazyBatchNorm2d(), T.nn.LazyBatchNorm2d()
        keys = b.load_state_dict(a.state_dict())
        """, "list(keys); b.has_uninitialized_params(); list(b.state_dict())"),
    Script("a lazy state dict into a full module", "T.nn.Linear(3, 4).load_state_dict(T.nn.LazyLinear(4).state_dict())",
           raises="Can't access the shape of an uninitialized parameter or buffer"),
    Script("conversion before the first call", """
        m = T.nn.Sequential(T.nn.LazyLinear(4), T.nn.LazyBatchNorm1d()).double()
        types = [str(p.dtype).rpartition('.')[2] for p in m.parameters()], [str(b.dtype).rpartition('.')[2] for b in m.buffers()]
        y = m(T.ones(3, 2, dtype=T.float64))
        """, "types; str(y.dtype).rpartition('.')[2]; [str(p.dtype).rpartition('.')[2] for p in m.parameters()]"),
    Script("a move before the first call", """
        m = T.nn.Sequential(T.nn.LazyLinear(4), T.nn.LazyBatchNorm1d()).to("cpu").to("cpu", T.float64)
        told = [(p.is_meta, p.is_cpu, p.ndim, str(p.device)) for p in m.parameters()], m[0].has_uninitialized_params()
        y = m(T.ones(3, 2, dtype=T.float64))
        """, "told; str(y.dtype).rpartition('.')[2]; tuple(m[0].weight.shape)"),
    Script("a net with lazy layers", """
        class Net(T.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = T.nn.LazyLinear(5), T.nn.LazyLinear(1)
            def forward(self, x):
                return self.b(self.a(x).relu())
        net = Net()
        before = [n for n, p in net.named_parameters() if T.nn.parameter.is_lazy(p)], repr(net)
        y = net(T.ones(2, 3))
        """, "before; repr(net); [tuple(p.shape) for p in net.parameters()]; tuple(y.shape)"),
    Script("deep copies and pickles stay lazy", """
        import copy, pickle
        p = T.nn.UninitializedParameter(requires_grad=False)
        q, r = copy.deepcopy(p), pickle.loads(pickle.dumps(p))
        """, "type(q).__name__; q.requires_grad; type(r).__name__; r.requires_grad; repr(r)"),
    Script("materialize makes an ordinary parameter", """
        p, b = T.nn.UninitializedParameter(dtype=T.float64), T.nn.UninitializedBuffer()
        kinds = isinstance(p, T.nn.Parameter), isinstance(b, T.nn.Parameter), p.requires_grad, b.requires_grad
        p.materialize((2, 3))
        b.materialize((4,), dtype=T.int64)
        """, "kinds; type(p).__name__; type(b).__name__; tuple(p.shape); str(p.dtype).rpartition('.')[2]; str(b.dtype).rpartition('.')[2]; p.requires_grad"),
    Script("arithmetic before the first call", "T.nn.LazyLinear(4).weight * 2", raises="Attempted to use an uninitialized parameter"),
    Script("the shape before the first call", "T.nn.LazyLinear(4).weight.shape", raises="Can't access the shape of an uninitialized parameter"),
    Script("sharing memory before the first call", "T.nn.LazyLinear(4).weight.share_memory_()", raises="Can't share memory on an uninitialized"),
    Script("a lazy convolution of too many dimensions", "T.nn.LazyConv2d(4, 3)(T.ones(2, 3))", raises=r"Expected 3D \(unbatched\) or 4D \(batched\)"),
    Script("lazy channels that groups do not divide", "T.nn.LazyConv2d(4, 3, groups=2)(T.ones(2, 3, 5, 5))", raises="in_channels must be divisible"),
    Script("a mixin without initialize_parameters", """
        class Half(T.nn.modules.lazy.LazyModuleMixin, T.nn.Linear):
            pass
        Half(2, 3)(T.ones(1, 2))
        """, raises="initialize_parameters is not implemented for Half"),
]
