"""state_dict and load_state_dict: keys, sharing, hooks, extra state, and every way of not fitting."""
from ..autograd.script import Script

NET = """
        class Net(T.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = T.nn.Linear(2, 3)
                self.bn = T.nn.BatchNorm1d(3)
        net = Net()
        for i, t in enumerate(net.state_dict().values()):
            t.fill_(i + 1)
        other = Net()
        for t in other.state_dict().values():
            t.fill_(0)
"""


def said(words):
    """Raises-pattern for load_state_dict of a Net."""
    return r"Error\(s\) in loading state_dict for Net:\n\t" + words


SCRIPTS = [
    Script("keys, metadata and sharing", NET + """
        state = net.state_dict()
        net.fc.weight.data.fill_(9)
        prefixed = net.state_dict(prefix="model.")
        kept = net.state_dict(keep_vars=True)
        into = {}
        same = net.state_dict(destination=into) is into
    """, "list(state); state['fc.weight']; dict(state._metadata); type(state).__name__; list(prefixed); kept['fc.weight'] is net.fc.weight; "
         "state['fc.weight'].requires_grad; same; list(into)"),
    Script("a round trip", NET + "        result = other.load_state_dict(net.state_dict())",
           "other.fc.weight; other.bn.running_var; other.bn.num_batches_tracked; result.missing_keys; result.unexpected_keys; str(result); "
           "other.fc.weight is net.fc.weight; other.fc.weight.requires_grad"),
    Script("missing and unexpected keys, not strict", NET + """
        state = net.state_dict()
        del state["fc.bias"]
        state["more"] = T.ones(1)
        state["fc.extra"] = T.ones(1)
        result = other.load_state_dict(state, strict=False)
    """, "list(result.missing_keys); list(result.unexpected_keys); other.fc.weight; other.fc.bias; tuple(result) == (result.missing_keys, result.unexpected_keys)"),
    Script("a missing key", NET + "        state = net.state_dict(); del state['fc.weight']\n        other.load_state_dict(state)",
           raises=said('Missing key\\(s\\) in state_dict: "fc.weight". $')),
    Script("an unexpected key", NET + "        state = net.state_dict(); state['a'] = T.ones(1); state['b.c'] = T.ones(1)\n        other.load_state_dict(state)",
           raises=said('Unexpected key\\(s\\) in state_dict: "a", "b.c". $')),
    Script("missing and unexpected keys", """
        other = type("Net", (T.nn.Module,), {})()
        other.fc = T.nn.Linear(2, 2)
        other.load_state_dict({"a": T.ones(1)})
    """, raises=said('Missing key\\(s\\) in state_dict: "fc.weight", "fc.bias". \n\tUnexpected key\\(s\\) in state_dict: "a". $')),
    Script("a wrong size", NET + "        state = net.state_dict(); state['fc.weight'] = T.ones(2, 2)\n        other.load_state_dict(state)",
           raises=said(r"size mismatch for fc.weight: copying a param with shape \w+.Size\(\[2, 2\]\) from checkpoint, the shape in current model is "
                       r"\w+.Size\(\[3, 2\]\).$")),
    Script("a wrong size, even when not strict", NET + "        state = net.state_dict(); state['fc.bias'] = T.ones(2)\n        other.load_state_dict(state, strict=False)",
           raises=said("size mismatch for fc.bias")),
    Script("what is no tensor", NET + "        state = net.state_dict(); state['fc.bias'] = [1, 2, 3]\n        other.load_state_dict(state)",
           raises=said('While copying the parameter named "fc.bias", expected \\w+.Tensor or Tensor-like object from checkpoint but received ')),
    Script("what is no dict", NET + "        other.load_state_dict([1])", raises="Expected state_dict to be dict-like, got <class 'list'>."),
    Script("a vector of one for a number", """
        m = T.nn.Module()
        m.x = T.nn.Parameter(T.zeros(()))
        m.load_state_dict({"x": T.ones(1)})
    """, "m.x"),
    Script("other types are converted", NET + """
        result = other.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
    """, "other.fc.weight; other.bn.running_mean; other.bn.num_batches_tracked"),
    Script("assign puts the tensors themselves in place", NET + """
        state = {k: v.double() if v.is_floating_point() else v for k, v in net.state_dict().items()}
        other.fc.weight.requires_grad_(False)
        given = T.nn.Parameter(T.ones(3), requires_grad=False)
        state["fc.bias"] = given
        other.load_state_dict(state, assign=True)
        state["bn.running_mean"].fill_(50)
    """, "other.fc.weight; other.fc.bias is given; other.fc.bias; other.bn.running_mean; type(other.fc.weight).__name__; other.bn.weight.requires_grad"),
    Script("an old batch norm without num_batches_tracked", NET + """
        state = dict(net.state_dict())
        del state["bn.num_batches_tracked"]
        result = other.load_state_dict(state)
    """, "result.missing_keys; other.bn.num_batches_tracked; other.bn.running_mean"),
    Script("non-persistent buffers stay out", """
        m = T.nn.Module()
        m.register_buffer("a", T.zeros(1), persistent=False)
        m.register_buffer("b", T.zeros(1))
        m.register_buffer("c", None)
        result = m.load_state_dict({"b": T.ones(1)})
    """, "list(m.state_dict()); m.a; m.b"),
    Script("extra state", """
        class Counts(T.nn.Module):
            n = 3
            def get_extra_state(self):
                return {"n": self.n}
            def set_extra_state(self, state):
                self.n = state["n"]
        a, b = T.nn.Sequential(Counts()), T.nn.Sequential(Counts())
        a[0].n = 8
        b.load_state_dict(a.state_dict())
    """, "dict(a.state_dict()); b[0].n; list(b.load_state_dict({}, strict=False).missing_keys)"),
    Script("extra state that nobody takes", """
        m = T.nn.Linear(1, 1)
        m.load_state_dict({**m.state_dict(), "_extra_state": 3})
    """, raises='Unexpected key\\(s\\) in state_dict: "_extra_state"'),
    Script("hooks on writing", NET + """
        seen = []
        net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", type(m).__name__, prefix, keep)))
        net.fc.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update({prefix + "tag": T.ones(1)}))
        net.register_state_dict_post_hook(lambda m, state, prefix, meta: seen.append(("post", prefix, meta["version"])))
        state = net.state_dict()
        net._register_state_dict_hook(lambda m, state, prefix, meta: {"only": 1})
    """, "seen; list(state); net.state_dict()"),
    Script("a post hook must return nothing", NET + """
        net.register_state_dict_post_hook(lambda *args: {})
        net.state_dict()
    """, raises="state_dict post-hook must return None"),
    Script("hooks on reading", NET + """
        seen = []
        def rename(m, state, prefix, meta, strict, missing, unexpected, errors):
            seen.append((type(m).__name__, prefix, strict, sorted(meta)))
            state[prefix + "weight"] = state.pop(prefix + "w")
        other.fc.register_load_state_dict_pre_hook(rename)
        other.register_load_state_dict_post_hook(lambda m, keys: seen.append((list(keys.missing_keys), list(keys.unexpected_keys))))
        state = net.state_dict()
        state["fc.w"] = state.pop("fc.weight")
        other.load_state_dict(state)
    """, "seen; other.fc.weight"),
    Script("a post hook may forgive", NET + """
        other.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
        state = net.state_dict()
        del state["fc.bias"]
        result = other.load_state_dict(state)
    """, "result.missing_keys; other.fc.bias; other.fc.weight"),
    Script("a load post hook must return nothing", NET + """
        other.register_load_state_dict_post_hook(lambda m, keys: keys)
        other.load_state_dict(net.state_dict())
    """, raises="are not expected to return new values"),
    Script("loading into a graph in use is noticed", """
        net = T.nn.Linear(2, 1, bias=False)
        x = T.ones(1, 2, requires_grad=True)
        out = net(x)
        net.load_state_dict({"weight": T.ones(1, 2)})
        out.sum().backward()
    """, raises="has been modified by an inplace operation"),
]
