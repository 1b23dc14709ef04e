"""nn.utils.parametrize, and weight norm, spectral norm and orthogonal matrices in both their forms."""
from ..autograd.script import Script

NET = """
        import copy, pickle, warnings
        from importlib import import_module
        parametrize = import_module(T.__name__ + ".nn.utils.parametrize")
        maps = import_module(T.__name__ + ".nn.utils.parametrizations")
        utils = T.nn.utils
        def fill(m):
            for i, p in enumerate(m.parameters()):
                p.data.copy_(T.linspace(-1, 1.5 + i, p.numel()).reshape(p.shape) + 0.1)
            return m
        class Symmetric(T.nn.Module):
            def forward(self, x):
                return x.triu() + x.triu(1).transpose(-1, -2)
            def right_inverse(self, a):
                return a.triu()
        class Double(T.nn.Module):
            def forward(self, x):
                return 2 * x
        class Sum(T.nn.Module):
            def forward(self, x, y):
                return x + y
            def right_inverse(self, z):
                return z / 4, 3 * z / 4
        x = T.linspace(-1, 1, 6).reshape(2, 3)
"""
STATE = "[n for n, _ in m.named_parameters()]; [n for n, _ in m.named_buffers()]; list(m.state_dict()); "

SCRIPTS = [
    Script("a symmetric weight", NET + """
        m = fill(T.nn.Linear(3, 3))
        w = m.weight
        out = parametrize.register_parametrization(m, "weight", Symmetric())
        y = m(x)
        y.square().sum().backward()
        """, STATE + "out is m; repr(m); type(m).__name__; y; m.weight; m.parametrizations.weight.original is w; w.grad; "
                     "parametrize.is_parametrized(m); parametrize.is_parametrized(m, 'bias'); parametrize.type_before_parametrizations(m).__name__"),
    Script("assignment through right_inverse", NET + """
        m = fill(T.nn.Linear(3, 3))
        parametrize.register_parametrization(m, "weight", Symmetric())
        a = T.arange(9.0).reshape(3, 3)
        m.weight = a + a.t()
        """, "m.weight; m.parametrizations.weight.original"),
    Script("two, one after the other", NET + """
        m = fill(T.nn.Linear(3, 3))
        parametrize.register_parametrization(m, "weight", Symmetric())
        parametrize.register_parametrization(m, "weight", Double())
        parametrize.register_parametrization(m, "bias", Double())
        w, b = m.weight, m.bias
        parametrize.remove_parametrizations(m, "bias", leave_parametrized=False)
        """, STATE + "w; b; m.bias; type(m).__name__; len(m.parametrizations.weight)"),
    Script("a weight made of two", NET + """
        m = fill(T.nn.Linear(3, 2))
        parametrize.register_parametrization(m, "weight", Sum())
        m(x).sum().backward()
        grads = [p.grad for p in m.parameters()]
        w = m.weight
        m.weight = w * 2
        """, STATE + "grads; w; m.weight; m.parametrizations.weight.ntensors; m.parametrizations.weight.is_tensor"),
    Script("a parametrized buffer", NET + """
        m = T.nn.BatchNorm1d(2)
        parametrize.register_parametrization(m, "running_mean", Double())
        """, STATE + "m.running_mean"),
    Script("removal leaves the values", NET + """
        m = fill(T.nn.Linear(3, 3))
        w = m.weight
        parametrize.register_parametrization(m, "weight", Symmetric())
        parametrize.remove_parametrizations(m, "weight")
        """, STATE + "type(m).__name__; m.weight; m.weight is w; hasattr(m, 'parametrizations')"),
    Script("removal of several leaves a new parameter", NET + """
        m = fill(T.nn.Linear(3, 2))
        parametrize.register_parametrization(m, "weight", Sum())
        parametrize.remove_parametrizations(m, "weight")
        """, STATE + "m.weight; type(m.weight).__name__"),
    Script("cached within, computed anew without", NET + """
        seen = []
        class Count(T.nn.Module):
            def forward(self, x):
                seen.append(1)
                return x
        m = T.nn.Linear(3, 3)
        parametrize.register_parametrization(m, "weight", Count())
        seen.clear()
        with parametrize.cached():
            a, b = m.weight, m.weight
            same = a is b
        m.weight
        m.weight
        """, "same; len(seen)"),
    Script("state dicts go round", NET + """
        m, n = fill(T.nn.Linear(3, 3)), T.nn.Linear(3, 3)
        parametrize.register_parametrization(m, "weight", Symmetric())
        parametrize.register_parametrization(n, "weight", Symmetric())
        keys = n.load_state_dict(m.state_dict())
        """, "list(keys); n.weight"),
    Script("deep copies are independent", NET + """
        m = fill(T.nn.Linear(3, 3))
        parametrize.register_parametrization(m, "weight", Symmetric())
        n = copy.deepcopy(m)
        n.parametrizations.weight.original.data.zero_()
        """, "n.weight; m.weight; type(n) is type(m); parametrize.is_parametrized(n, 'weight')"),
    Script("transfer to another module", NET + """
        m, n = fill(T.nn.Linear(3, 3)), T.nn.Linear(3, 3)
        parametrize.register_parametrization(m, "weight", Symmetric())
        out = parametrize.transfer_parametrizations_and_params(m, n)
        """, "out is n; n.weight; n.parametrizations.weight.original is m.parametrizations.weight.original"),
    Script("training mode reaches the parametrization", NET + """
        m = T.nn.Linear(3, 3).eval()
        d = Double()
        parametrize.register_parametrization(m, "weight", d)
        """, "d.training"),
    Script("pickling", NET + """
        m = T.nn.Linear(3, 3)
        parametrize.register_parametrization(m, "weight", Double())
        pickle.dumps(m)
        """, raises="Serialization of parametrized modules is only supported through state_dict"),
    Script("no such tensor", NET + "        parametrize.register_parametrization(T.nn.Linear(3, 3), 'wieght', Double())", raises="does not have a parameter"),
    Script("a changed shape", NET + """
        class Cut(T.nn.Module):
            def forward(self, x):
                return x[:1]
        parametrize.register_parametrization(T.nn.Linear(3, 3), "weight", Cut())
        """, raises="may not change the shape of the tensor, unless `unsafe` flag"),
    Script("a changed shape, later", NET + """
        class Cut(T.nn.Module):
            def forward(self, x):
                return x[:1]
        m = parametrize.register_parametrization(T.nn.Linear(3, 3), "weight", Double())
        parametrize.register_parametrization(m, "weight", Cut())
        """, raises="may not change the shape of the tensor, unless the `unsafe` flag"),
    Script("a changed type", NET + """
        class Wide(T.nn.Module):
            def forward(self, x):
                return x.double()
        parametrize.register_parametrization(T.nn.Linear(3, 3), "weight", Wide())
        """, raises="may not change the dtype of the tensor"),
    Script("unsafe may change the shape", NET + """
        class Cut(T.nn.Module):
            def forward(self, x):
                return x[:1]
        m = parametrize.register_parametrization(fill(T.nn.Linear(3, 3)), "weight", Cut(), unsafe=True)
        """, "m.weight; m.parametrizations.weight.unsafe"),
    Script("no tensor comes out", NET + """
        class Nothing(T.nn.Module):
            def forward(self, x):
                return 3
        parametrize.register_parametrization(T.nn.Linear(3, 3), "weight", Nothing())
        """, raises="A parametrization must return a tensor. Got int"),
    Script("assignment without right_inverse", NET + """
        m = parametrize.register_parametrization(T.nn.Linear(3, 3), "weight", Double())
        m.weight = T.zeros(3, 3)
        """, raises="parametrization Double does not implement right_inverse"),
    Script("removal of what is not there", NET + "        parametrize.remove_parametrizations(T.nn.Linear(3, 3), 'weight')", raises="does not have a parametriz"),
    Script("several cannot be left unparametrized", NET + """
        m = parametrize.register_parametrization(T.nn.Linear(3, 2), "weight", Sum())
        parametrize.remove_parametrizations(m, "weight", leave_parametrized=False)
        """, raises="Cannot leave unparametrized"),
    Script("an empty list", NET + "        parametrize.ParametrizationList([], T.ones(2))", raises="requires one or more modules"),
    # weight norm
    *(Script(f"weight norm of {layer}, dim={dim}", NET + f"""
        m = fill(T.nn.{layer})
        maps.weight_norm(m, dim={dim})
        w = m.weight
        (w * T.linspace(0, 1, w.numel()).reshape(w.shape)).sum().backward()
        """, STATE + "w; [p.grad for p in m.parameters()]; repr(m)") for layer, dim in (
            ("Linear(3, 4)", 0), ("Linear(3, 4)", 1), ("Conv1d(2, 3, 2)", 0), ("Linear(3, 4)", None))),
    Script("weight norm, the older form", NET + """
        m = fill(T.nn.Linear(3, 4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = utils.weight_norm(m)
        y = m(x)
        y.square().sum().backward()
        grads = [p.grad for p in m.parameters()]
        names = list(m.state_dict())
        utils.remove_weight_norm(m)
        """, STATE + "out is m; names; y; grads; m.weight; m(x); len(m._forward_pre_hooks)"),
    Script("the older form warns", NET + """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            utils.weight_norm(T.nn.Linear(3, 4))
        """, "[(w.category.__name__, str(w.message)) for w in caught]"),
    Script("a state dict of the older weight norm", NET + """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m = utils.weight_norm(fill(T.nn.Linear(3, 4)))
        n = maps.weight_norm(T.nn.Linear(3, 4))
        keys = n.load_state_dict(m.state_dict())
        """, "list(keys); n.weight"),
    Script("weight norm twice", NET + """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            utils.weight_norm(utils.weight_norm(T.nn.Linear(3, 4)))
        """, raises="Cannot register two weight_norm hooks on the same parameter weight"),
    Script("remove_weight_norm of none", NET + "        utils.remove_weight_norm(T.nn.Linear(3, 4))", raises="weight_norm of 'weight' not found"),
    # spectral norm
    *(Script(f"spectral norm of {layer}, the older form", NET + f"""
        m = fill(T.nn.{layer})
        utils.spectral_norm(m, n_power_iterations=2)
        for name in ("weight_u", "weight_v"):
            v = getattr(m, name)
            v.copy_(T.nn.functional.normalize(T.linspace(0.5, 1, v.numel()), dim=0))
        m(T.ones({shape}))
        w = m.weight
        (w * T.linspace(0, 1, w.numel()).reshape(w.shape)).sum().backward()
        m.eval()
        m(T.ones({shape}))
        """, STATE + "w; m.weight_u; m.weight_v; m.weight_orig.grad; m.weight; dict(m.state_dict()._metadata)") for layer, shape in (
            ("Linear(3, 4)", "2, 3"), ("Conv2d(2, 3, 2)", "1, 2, 4, 4"), ("ConvTranspose1d(2, 3, 2)", "1, 2, 4"))),
    Script("spectral norm, the older form, removed", NET + """
        m = utils.spectral_norm(fill(T.nn.Linear(3, 4)))
        for name in ("weight_u", "weight_v"):
            v = getattr(m, name)
            v.copy_(T.nn.functional.normalize(T.linspace(0.5, 1, v.numel()), dim=0))
        utils.remove_spectral_norm(m)
        """, STATE + "m.weight; len(m._forward_pre_hooks); len(m._state_dict_hooks)"),
    Script("a state dict of before spectral norm had v", NET + """
        m = utils.spectral_norm(fill(T.nn.Linear(3, 3)))
        w = T.tensor([[2.0, 0.5, 0.1], [0.3, 1.0, 0.2], [0.0, 0.4, 1.5]])
        u = T.nn.functional.normalize(T.tensor([1.0, 0.5, 0.2]), dim=0)
        state = {"weight_orig": w, "weight": w / 2.5, "weight_u": u, "bias": T.zeros(3)}
        keys = m.load_state_dict(state)
        """, "list(keys); m.weight_v; m.weight_u"),
    Script("spectral norm as a parametrization", NET + """
        m = maps.spectral_norm(fill(T.nn.Linear(3, 4)), n_power_iterations=3)
        norm = m.parametrizations.weight[0]
        for name in ("_u", "_v"):
            v = getattr(norm, name)
            v.copy_(T.nn.functional.normalize(T.linspace(0.5, 1, v.numel()), dim=0))
        y = m(x)
        y.square().sum().backward()
        m.eval()
        """, STATE + "y; norm._u; norm._v; m.parametrizations.weight.original.grad; m.weight; repr(m)"),
    Script("spectral norm of a vector", NET + "        m = maps.spectral_norm(fill(T.nn.Linear(3, 4)), 'bias')", STATE + "m.bias"),
    Script("spectral norm without iterations", NET + "        maps.spectral_norm(T.nn.Linear(3, 4), n_power_iterations=0)", raises="n_power_iterations to be pos"),
    Script("spectral norm of a dimension that is not there", NET + "        maps.spectral_norm(T.nn.Linear(3, 4), dim=2)", raises="Dimension out of range"),
    Script("spectral norm of what is not there", NET + "        maps.spectral_norm(T.nn.Linear(3, 4), 'wieght')", raises="has no parameter or buffer"),
    Script("spectral norm twice, the older form", NET + "        utils.spectral_norm(utils.spectral_norm(T.nn.Linear(3, 4)))", raises="two spectral_norm hooks"),
    Script("remove_spectral_norm of none", NET + "        utils.remove_spectral_norm(T.nn.Linear(3, 4))", raises="spectral_norm of 'weight' not found"),
    # orthogonal matrices
    *(Script(f"orthogonal {shape} by {kind}, trivialization {trivial}", NET + f"""
        n, k = {shape}
        m = T.nn.Linear(k, n, bias=False).double()
        maps.orthogonal(m, orthogonal_map={kind!r}, use_trivialization={trivial})
        a = T.linspace(-0.5, 0.7, n * k, dtype=T.float64).reshape(n, k)
        a.diagonal().fill_(-1.0)
        m.parametrizations.weight.original.data.copy_(a)
        if {trivial}:
            base = m.parametrizations.weight[0].base
            base.copy_(T.eye(base.shape[0], dtype=T.float64).flip(0))
        q = m.weight
        (q * T.linspace(0, 1, q.numel(), dtype=T.float64).reshape(q.shape)).sum().backward()
        """, STATE + "q; m.parametrizations.weight.original.grad; repr(m)")
      for shape in ((3, 3), (4, 2), (2, 4)) for kind in ("matrix_exp", "cayley", "householder") for trivial in (True, False)),
    *(Script(f"assignment to an orthogonal {shape}, {kind}", NET + f"""
        n, k = {shape}
        m = maps.orthogonal(T.nn.Linear(k, n, bias=False).double(), orthogonal_map={kind!r}, use_trivialization={trivial})
        a = T.linspace(-1, 1.3, n * k, dtype=T.float64).reshape(n, k) ** 3 + T.eye(n, k, dtype=T.float64)
        q = T.linalg.qr(a if n >= k else a.t())[0]
        q = q if n >= k else q.t()
        m.weight = q
        """, "(m.weight - q).abs().max().item() < 1e-9") for shape, kind, trivial in (
            ((3, 3), "matrix_exp", True), ((4, 2), "cayley", True), ((4, 2), "householder", False), ((2, 4), "householder", True))),
    Script("orthogonal by default", NET + "        a, b = maps.orthogonal(T.nn.Linear(3, 3)), maps.orthogonal(T.nn.Linear(3, 2))",
           "a.parametrizations.weight[0].orthogonal_map.name; b.parametrizations.weight[0].orthogonal_map.name"),
    Script("orthogonal by an unknown map", NET + "        maps.orthogonal(T.nn.Linear(3, 3), orthogonal_map='polar')", raises="orthogonal_map has to be one of"),
    Script("an orthogonal vector", NET + "        maps.orthogonal(T.nn.Linear(3, 3), 'bias')", raises="Expected a matrix or batch of matrices"),
    Script("assignment to exp without trivialization", NET + """
        m = maps.orthogonal(T.nn.Linear(3, 3), use_trivialization=False)
        m.weight = T.eye(3)
        """, raises="It is not possible to assign to the matrix exponential"),
]
