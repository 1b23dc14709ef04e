"""Modules and tensors without values: made, moved, filled by loading, saved, and refused where values are wanted."""
from ..autograd.script import Script

NET = """
        with T.device("meta"):
            net = T.nn.Sequential(T.nn.Linear(2, 3), T.nn.BatchNorm1d(3), T.nn.Linear(3, 1))
        real = T.nn.Sequential(T.nn.Linear(2, 3), T.nn.BatchNorm1d(3), T.nn.Linear(3, 1))
        for i, t in enumerate(real.state_dict().values()):
            t.fill_(i + 1)
        def text(t):
            return repr(t).replace("torch.", "").replace("ringgrad.", "")
"""

SCRIPTS = [
    Script("a module made on meta", NET, "[text(p) for p in net.parameters()]; [text(b) for b in net.buffers()]; {str(p.device) for p in net.parameters()}; "
           "net[0].weight.is_meta; net[0].weight.stride(); net[0].weight.t().stride(); net[0].weight.data_ptr(); net[0].weight.get_device(); "
           "net[0].weight.untyped_storage().nbytes()"),
    Script("device= of a layer", "        l = T.nn.Linear(2, 3, device='meta', dtype=T.float64)", "l.weight.is_meta; str(l.weight.dtype)[-7:]; l.weight.requires_grad"),
    Script("to_empty gives memory", NET + """
        before = net[0].weight
        same = net.to_empty(device="cpu") is net
        net.load_state_dict(real.state_dict())
    """, "same; net[0].weight is before; net[0].weight; net[1].running_mean; net[0].weight.requires_grad"),
    Script("loading by assignment", NET + "        result = net.load_state_dict(real.state_dict(), assign=True)",
           "str(result); net[0].weight; type(net[0].weight).__name__; net[0].weight.requires_grad; net(T.ones(4, 2))"),
    Script("loading by copy changes nothing", NET + """
        import warnings
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            net.load_state_dict(real.state_dict())
    """, "net[0].weight.is_meta; str(said[0].message); len(said)"),
    Script("to meta and back", NET + "        w = real[0].weight\n        real.to('meta')\n        x = real(T.empty(5, 2, device='meta'))",
           "real[0].weight is w; real[0].weight.is_meta; x.shape; x.is_meta; x.requires_grad"),
    Script("training without values", NET + """
        x = T.randn(7, 2, device="meta")
        loss = T.nn.functional.mse_loss(net(x), T.zeros(7, 1, device="meta"))
        loss.backward()
    """, "text(loss.detach()); [p.grad.shape for p in net.parameters()]; {p.grad.is_meta for p in net.parameters()}"),
    Script("a module's values are not there", NET + "        net.to('cpu')",
           raises="Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty\\(\\) instead of torch.nn.Module.to\\(\\) when moving module "
                  "from meta to a different device."),
    Script("a tensor's values are not there", "        T.empty(2, device='meta').cpu()", raises="Cannot copy out of meta tensor; no data!"),
    Script("nor by copying", "        T.empty(2).copy_(T.empty(2, device='meta'))", raises="Cannot copy out of meta tensor; no data!"),
    Script("nor as a list", "        T.empty(2, device='meta').tolist()", raises="Cannot copy out of meta tensor; no data!"),
    Script("nor as a number", "        T.empty((), device='meta').item()", raises="Tensor.item\\(\\) cannot be called on meta tensors"),
    Script("nor as a condition", "        bool(T.empty(1, device='meta') > 0)", raises="Tensor.item\\(\\) cannot be called on meta tensors"),
    Script("nor for NumPy", "        T.empty(2, device='meta').numpy()", raises="can't convert meta device type tensor to numpy. Use Tensor.cpu\\(\\) to copy"),
    Script("how many are not zero", "        T.empty(2, device='meta').nonzero()", raises="nonzero|depends on values"),
    Script("beside values", "        T.ones(2) + T.empty(2, device='meta')", raises="Tensor on device meta is not on the expected device cpu!"),
    Script("values beside it", "        T.empty(2, device='meta') * T.ones(2)", raises="Tensor on device cpu is not on the expected device meta!"),
    Script("numbers beside it", "        x = T.empty(2, 3, device='meta')", "(x + 1).shape; (T.tensor(2.0) * x).shape; (x > T.tensor(1)).dtype is T.bool; x.add_(1).is_meta"),
    Script("random numbers and fillings", """
        x = T.empty(3, 4, device="meta")
        made = [T.rand(2, 3, device="meta"), T.randn_like(x), T.randint(3, (2,), device="meta"), T.randperm(4, device="meta"),
                T.arange(5, device="meta"), T.arange(0, 1, 0.25, device="meta"), T.linspace(0, 1, 5, device="meta"), T.eye(3, device="meta"),
                T.full((2,), 3, device="meta"), T.tensor([[1, 2]], device="meta"), x.new_zeros(2), T.multinomial(x, 2), T.bernoulli(x),
                x.uniform_(0, 1), x.fill_(2), x.copy_(T.ones(4)), T.ones(2, 2).to("meta"), T.tril(T.ones(3, 3, device="meta"))]
        for fill in ("normal_", "kaiming_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_", "zeros_", "eye_"):
            made.append(getattr(T.nn.init, fill)(x))
    """, "[(tuple(t.shape), str(t.dtype).split('.')[1], t.is_meta, t.stride()) for t in made]"),
    Script("pickles and files", NET + """
        import copy, io, pickle
        x = T.empty(3, 4, device="meta").t()
        file = io.BytesIO()
        T.save({"net": net.state_dict(), "x": x, "p": net[0].weight}, file)
        back = [T.load(io.BytesIO(file.getvalue())), T.load(io.BytesIO(file.getvalue()), map_location="cpu")]
        file = io.BytesIO()
        T.save(real.state_dict(), file)
        file.seek(0)
        without = T.load(file, map_location="meta")
        again, copied = pickle.loads(pickle.dumps(x)), copy.deepcopy(net)
    """, "[(text(b['x']), b['x'].stride(), text(b['net']['0.weight']), text(b['p'])) for b in back]; text(without['0.weight']); text(again); again.stride(); "
         "text(copied[0].weight)"),
    Script("hash is id", "        x = T.ones(2)", "hash(x) == id(x); x in {x}"),
    Script("a pickled result is a leaf", "        import pickle\n        y = T.ones(2, requires_grad=True) * 2\n        z = pickle.loads(pickle.dumps(y))",
           "z; z.is_leaf; z.requires_grad"),
]
