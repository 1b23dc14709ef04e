"""nn.utils.prune: every method, on top of each other, and back."""
from ..autograd.script import Script

NET = """
        import copy, pickle
        from importlib import import_module
        prune = import_module(T.__name__ + ".nn.utils.prune")
        def fill(m):
            for i, p in enumerate(m.parameters()):
                n = p.numel()
                p.data.copy_((((T.arange(n) * 7 + i) % (n + 1)).float() - n / 2.3).reshape(p.shape))
            return m
        m = fill(T.nn.Linear(3, 4))
        x = T.linspace(-1, 1, 6).reshape(2, 3)
"""
STATE = "[n for n, _ in m.named_parameters()]; [n for n, _ in m.named_buffers()]; list(m.state_dict()); m.weight; "


def refused(title, text, words):
    return Script(title, NET + f"        {text}", raises=words)


SCRIPTS = [
    *(Script(f"pruned by {call}", NET + f"""
        out = prune.{call}
        y = m(x)
        y.square().sum().backward()
        """, STATE + "out is m; m.weight_mask; m.weight_orig; m.weight_orig.grad; y; prune.is_pruned(m); len(m._forward_pre_hooks); "
             "type(next(iter(m._forward_pre_hooks.values()))).__name__") for call in (
        "identity(m, 'weight')", "l1_unstructured(m, 'weight', 5)", "l1_unstructured(m, 'weight', amount=0.25)",
        "l1_unstructured(m, name='weight', amount=0)", "l1_unstructured(m, 'weight', 3, importance_scores=T.arange(12.0).reshape(4, 3))",
        "ln_structured(m, 'weight', amount=2, n=2, dim=0)", "ln_structured(m, 'weight', 0.34, n=1, dim=1)",
        "ln_structured(m, 'weight', 1, n=float('inf'), dim=-1)", "ln_structured(m, 'weight', 1, 2, 0, importance_scores=T.arange(12.0).reshape(4, 3))",
        "custom_from_mask(m, 'weight', mask=(T.arange(12).reshape(4, 3) % 2).float())", "random_unstructured(m, 'weight', 1.0)",
        "random_structured(m, 'weight', 4, dim=0)")),
    Script("one on top of the other", NET + """
        prune.l1_unstructured(m, "weight", 3)
        one = m.weight.clone()
        prune.ln_structured(m, "weight", 1, n=2, dim=0)
        two = m.weight.clone()
        prune.l1_unstructured(m, "weight", 0.5)
        hook = next(iter(m._forward_pre_hooks.values()))
        """, STATE + "one; two; m.weight_mask; type(hook).__name__; len(hook); [type(h).__name__ for h in hook]; len(m._forward_pre_hooks)"),
    Script("as many as asked for, at random", NET + """
        prune.random_unstructured(m, "weight", 5)
        prune.random_structured(m, "weight", 1, dim=1)
        prune.random_unstructured(m, "bias", 0.5)
        """, "int(m.bias_mask.sum()); sorted((m.weight_mask.sum(0) == 0).tolist())[-1]; int(m.weight_mask.sum()) <= 7"),
    Script("over several layers", NET + """
        net = T.nn.Sequential(m, fill(T.nn.Linear(4, 2)))
        prune.l1_unstructured(net[1], "weight", 2)
        prune.global_unstructured([(net[0], "weight"), (net[1], "weight"), (net[0], "bias")], pruning_method=prune.L1Unstructured, amount=0.4)
        """, "net[0].weight; net[1].weight; net[0].bias; list(net.state_dict())"),
    Script("over several layers, by given scores", NET + """
        other = fill(T.nn.Linear(2, 2))
        prune.global_unstructured([(m, "weight"), (other, "weight")], prune.L1Unstructured,
                                  importance_scores={(m, "weight"): T.arange(12.0).reshape(4, 3)}, amount=6)
        """, "m.weight; other.weight"),
    Script("removal makes it permanent", NET + """
        w = m.weight
        prune.l1_unstructured(m, "weight", 5)
        prune.remove(m, "weight")
        """, STATE + "m.weight is w; prune.is_pruned(m); len(m._forward_pre_hooks)"),
    Script("a step of gradient descent keeps the pruned ones at zero", NET + """
        prune.l1_unstructured(m, "weight", 5)
        m(x).square().sum().backward()
        with T.no_grad():
            for p in m.parameters():
                p -= 0.1 * p.grad
        y = m(x)
        """, STATE + "y; m.weight_orig"),
    Script("state dicts and deep copies", NET + """
        prune.l1_unstructured(m, "weight", 5)
        n = prune.identity(T.nn.Linear(3, 4), "weight")
        keys = n.load_state_dict(m.state_dict())
        """, "list(keys); n(x); n.weight_mask"),
    Script("a method of one's own", NET + """
        class Chess(prune.BasePruningMethod):
            PRUNING_TYPE = "unstructured"
            def compute_mask(self, t, default_mask):
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask
        Chess.apply(m, "weight")
        Chess.apply(m, "bias")
        t = prune.L1Unstructured(amount=2).prune(T.tensor([3.0, -1.0, 2.0, 0.5]))
        """, STATE + "m.bias; t"),
    Script("a mask that cannot be made leaves everything as it was", NET + """
        class Broken(prune.BasePruningMethod):
            PRUNING_TYPE = "unstructured"
            def compute_mask(self, t, default_mask):
                raise KeyError("no")
        try:
            Broken.apply(m, "weight")
        except KeyError:
            pass
        """, "sorted(n for n, _ in m.named_parameters()); list(m._buffers); len(m._forward_pre_hooks)"),
    refused("more than there are", "prune.l1_unstructured(m, 'weight', 13)", "should be smaller than the number of parameters to prune=12"),
    refused("a share above 1", "prune.l1_unstructured(m, 'weight', 1.5)", "should either be a float in the range"),
    refused("a negative number", "prune.random_unstructured(m, 'weight', -1)", "should either be a float in the range"),
    refused("a number that is none", "prune.random_unstructured(m, 'weight', 'all')", "Invalid type for amount"),
    refused("slices of a vector", "prune.ln_structured(m, 'bias', 1, n=2, dim=0)", "can only be applied to multidimensional tensors"),
    refused("a dimension that is not there", "prune.random_structured(m, 'weight', 1, dim=2)", "Invalid index 2 for tensor of size"),
    refused("scores of another shape", "prune.l1_unstructured(m, 'weight', 1, importance_scores=T.ones(3))", "should have the same shape as parameter"),
    refused("a mask of another shape", "prune.custom_from_mask(m, 'weight', T.ones(3))", "must match self.mask shape"),
    refused("removal of what is not pruned", "prune.remove(m, 'weight')", "has to be pruned before pruning can be removed"),
    refused("slices over several layers", "prune.global_unstructured([(m, 'weight')], prune.LnStructured, amount=1, n=2)",
            'Only "unstructured" PRUNING_TYPE supported'),
    refused("scores over several layers that are no dict", "prune.global_unstructured([(m, 'weight')], prune.L1Unstructured, [1], amount=1)",
            "importance_scores must be of type dict"),
    refused("a container of strangers", "prune.PruningContainer().add_pruning_method(3)", "is not a BasePruningMethod subclass"),
]
