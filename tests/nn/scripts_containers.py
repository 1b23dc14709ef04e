"""Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict; and nn.utils."""
from ..autograd.script import Script

ERRORS = [
    ("Sequential: an index too large", "T.nn.Sequential(T.nn.ReLU())[1]", "index 1 is out of range"),
    ("Sequential + list", "T.nn.Sequential() + [T.nn.ReLU()]", "add operator supports only objects of Sequential class"),
    ("Sequential * float", "T.nn.Sequential() * 1.5", "unsupported operand type"),
    ("Sequential * 0", "T.nn.Sequential() * 0", "Non-positive multiplication factor 0"),
    ("Sequential of a function", "T.nn.Sequential(abs)", "is not a Module subclass"),
    ("Sequential.insert too far", "T.nn.Sequential().insert(2, T.nn.ReLU())", "Index out of range: 2"),
    ("Sequential.insert of a number", "T.nn.Sequential().insert(0, 3)", "module should be of type"),
    ("ModuleList: an index too small", "T.nn.ModuleList([T.nn.ReLU()])[-2]", "index -2 is out of range"),
    ("ModuleList.extend of a number", "T.nn.ModuleList().extend(3)", "ModuleList.extend should be called with an iterable, but got int"),
    ("ModuleList has no forward", "T.nn.ModuleList()(1)", 'missing the required "forward" function'),
    ("ModuleDict: a key that is not there", "T.nn.ModuleDict()['a']", "a"),
    ("ModuleDict.update of a number", "T.nn.ModuleDict().update(3)", "should be called with an iterable of key/value pairs, but got int"),
    ("ModuleDict.update of triples", "T.nn.ModuleDict([(1, 2, 3)])", "has length 3; 2 is required"),
    ("ParameterList: an index too large", "T.nn.ParameterList([T.ones(1)])[1]", "index 1 is out of range"),
    ("ParameterList is not called", "T.nn.ParameterList()(1)", "ParameterList should not be called"),
    ("ParameterList of a tensor", "T.nn.ParameterList(T.ones(2))", "should be called with an iterable, but got Tensor"),
    ("ParameterDict: a key that is no string", "T.nn.ParameterDict({3: T.ones(1)})", "not a string"),
    ("ParameterDict is not called", "T.nn.ParameterDict()(1)", "ParameterDict should not be called"),
    ("clip_grad_norm_ of nan", "p = T.nn.Parameter(T.ones(1)); p.grad = T.tensor([float('nan')])\n"
     "T.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)", "The total norm of order 2.0 for gradients from `parameters` is non-finite"),
    ("vector_to_parameters of a list", "T.nn.utils.vector_to_parameters([1.0], [])", "expected \\w+.Tensor, but got: "),
]

GRADS = """
        ps = [T.nn.Parameter(T.zeros(2)), T.nn.Parameter(T.zeros(3)), T.nn.Parameter(T.zeros(1))]
        ps[0].grad = T.tensor([3.0, -4.0])
        ps[1].grad = T.tensor([0.0, 12.0, 1.0])
"""

SCRIPTS = [
    Script("Sequential", """
        from collections import OrderedDict
        a, b, c = T.nn.Linear(2, 2), T.nn.ReLU(), T.nn.Tanh()
        s = T.nn.Sequential(a, b)
        named = T.nn.Sequential(OrderedDict([("first", a), ("second", b)]))
        log = [len(s), s[0] is a, s[-1] is b, repr(s[0:1]), repr(named), list(named.state_dict()), repr(named[1:]), [m is n for m, n in zip(s, [a, b])]]
        s.append(c); s.insert(1, T.nn.Sigmoid()); s.extend([T.nn.ELU()]); log.append(repr(s))
        s[1] = T.nn.GELU(); del s[0]; log.append(repr(s))
        log.append(repr(s.pop(0))); log.append(repr(s.pop(slice(0, 1)))); log.append(repr(s))
        t = T.nn.Sequential(b) + T.nn.Sequential(c); log.append(repr(t))
        t += T.nn.Sequential(a); log.append(repr(t)); t *= 2; log.append(repr(t)); log.append(repr(2 * T.nn.Sequential(b, c)))
        del t[1:4]; log.append(repr(t)); s.insert(-1, a); log.append(repr(s))
        named[0] = c; log.append(repr(named))
    """, "log; T.nn.Sequential(b, T.nn.Flatten(0))(T.tensor([[-1.0, 2.0]])); T.nn.Sequential()(3)"),
    Script("ModuleList", """
        a, b = T.nn.ReLU(), T.nn.Tanh()
        m = T.nn.ModuleList([a, b])
        log = [len(m), m[-1] is b, repr(m[:1]), repr(m), [type(x).__name__ for x in m], a in m]
        m.append(a); m.extend(T.nn.ModuleList([b])); m.insert(1, T.nn.ELU()); log.append(repr(m))
        m[0] = T.nn.GELU(); del m[1]; log.append(repr(m)); log.append(repr(m.pop(-1)))
        m += [a, a, a]; log.append(repr(m)); log.append(repr(m + [b])); del m[1:3]; log.append(repr(m))
        log.append(list(T.nn.ModuleList([T.nn.Linear(1, 1), T.nn.Linear(1, 1)]).state_dict()))
        log.append(repr(T.nn.ModuleList([T.nn.Sequential(a, b)] * 2 + [a])))
    """, "log; repr(T.nn.ModuleList())"),
    Script("ModuleDict", """
        a, b = T.nn.ReLU(), T.nn.Tanh()
        m = T.nn.ModuleDict({"x": a, "y": b})
        log = [len(m), "x" in m, list(m), list(m.keys()), [k for k, v in m.items()], [type(v).__name__ for v in m.values()], repr(m)]
        m["z"] = T.nn.Linear(1, 1); m.update([("w", a), ["x", b]]); log.append(repr(m)); log.append(repr(m.pop("y"))); del m["w"]; log.append(repr(m))
        m.update(T.nn.ModuleDict({"q": a})); log.append(list(m.state_dict())); log.append(list(m)); m.clear(); log.append(len(m))
    """, "log"),
    Script("ParameterList", """
        p = T.nn.ParameterList([T.ones(2), T.nn.Parameter(T.zeros(1))])
        log = [len(p), type(p[0]).__name__, [n for n, _ in p.named_parameters()], repr(p), list(p.state_dict())]
        p.append(T.ones(3)); p += [T.ones(1)]; p[0] = T.zeros(4); log += [len(p), p[0], repr(p), [t.numel() for t in p], len(p[1:3]), p[-1]]
        p.append(7); log.append(repr(p)); p.extend([T.ones(1), T.ones(1, dtype=T.float64)]); log.append(len(p)); log.append(p[4])
    """, "log[:3]; [s.replace(T.__name__, 'T') if isinstance(s, str) else s for s in log[3:]]"),
    Script("ParameterDict", """
        p = T.nn.ParameterDict({"b": T.ones(2), "a": T.zeros(1)})
        log = [len(p), list(p), "a" in p, list(reversed(p)), [n for n, _ in p.named_parameters()], type(p["a"]).__name__, repr(p).replace(T.__name__, "T")]
        p["c"] = T.ones(1); p.update([("d", T.ones(3))]); log += [list(p.keys()), p.pop("a"), list(p), p.get("zz", 5), p.setdefault("c"), p.setdefault("e", T.ones(1))]
        q = p.copy(); q |= T.nn.ParameterDict({"z": T.ones(1)}); log += [list(q), list(p), list(p | q), p["c"] is q["c"]]
        log += [q.popitem()[0], list(q), [k for k, _ in q.items()], len(list(q.values())), list(p.fromkeys(["m", "n"], 1))]
        del p["b"]; p["n"] = 3; log += [list(p.state_dict()), repr(p).replace(T.__name__, "T")]; p.clear(); log.append(len(p))
    """, "log"),
    Script("clip_grad_norm_", GRADS + "        total = T.nn.utils.clip_grad_norm_(ps, 1.0)", "total; ps[0].grad; ps[1].grad; ps[2].grad is None"),
    Script("clip_grad_norm_ that need not clip", GRADS + "        total = T.nn.utils.clip_grad_norm_(iter(ps), 100.0)", "total; ps[0].grad; ps[1].grad"),
    *(Script(f"clip_grad_norm_ in the norm {p}", GRADS + f"        total = T.nn.utils.clip_grad_norm_(ps, 2.0, norm_type={p})", "total; ps[0].grad; ps[1].grad")
      for p in ("1", "3.5", "'inf'", "float('inf')", "0")),
    Script("clip_grad_norm_ of one tensor, and of none", GRADS + """
        one = T.nn.utils.clip_grad_norm_(ps[0], 1)
        none = T.nn.utils.clip_grad_norm_([ps[2]], 1)
    """, "one; none; ps[0].grad"),
    Script("clip_grad_norm_ of nan poisons all, as told", GRADS + """
        ps[0].grad[0] = float("nan")
        total = T.nn.utils.clip_grad_norm_(ps, 1.0)
    """, "total.isnan().item(); ps[1].grad.isnan().tolist()"),
    Script("clip_grad_value_", GRADS + "        none = T.nn.utils.clip_grad_value_(ps, 2)", "none is None; ps[0].grad; ps[1].grad"),
    Script("get_total_norm and clip_grads_with_norm_", GRADS + """
        total = T.nn.utils.get_total_norm([p.grad for p in ps if p.grad is not None])
        T.nn.utils.clip_grads_with_norm_(ps, 6.5, total)
    """, "total; ps[0].grad; ps[1].grad"),
    Script("parameters as a vector, and back", """
        net = T.nn.Linear(2, 2)
        for i, p in enumerate(net.parameters()):
            p.data.fill_(i + 1.0)
        v = T.nn.utils.parameters_to_vector(net.parameters())
        T.nn.utils.vector_to_parameters(T.arange(6.0), net.parameters())
    """, "v; net.weight; net.bias; v.requires_grad"),
    *(Script(title, text, raises=words) for title, text, words in ERRORS),
]
