"""What a module owns: registration, attribute access, walks, modes, conversion, printing, copies."""
from ..autograd.script import Script

NET = """
        class Net(T.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = T.nn.Linear(2, 3)
                self.register_buffer("steps", T.zeros(2))
                self.register_buffer("cache", T.ones(1), persistent=False)
                self.w = T.nn.Parameter(T.ones(2, 2))
                self.none = None
                self.register_parameter("nothing", None)
                self.b = T.nn.Sequential(T.nn.Linear(3, 3, bias=False), T.nn.Dropout(0.5))
            def forward(self, x):
                return self.b(self.a(x))
        net = Net()
        for i, p in enumerate(net.parameters()):
            p.data.fill_(0.1 * (i + 1))
"""

ERRORS = [
    ("a parameter before __init__", "m = T.nn.Module.__new__(T.nn.Module)\nm.w = T.nn.Parameter(T.ones(1))", "cannot assign parameters before"),
    ("a module before __init__", "m = T.nn.Module.__new__(T.nn.Module)\nm.w = T.nn.ReLU()", "cannot assign module before"),
    ("a buffer before __init__", "m = T.nn.Module.__new__(T.nn.Module)\nm.register_buffer('b', T.ones(1))", "cannot assign buffer before"),
    ("a tensor where a parameter is", "m = T.nn.Linear(2, 2)\nm.weight = T.ones(2, 2)", "as parameter 'weight' .*Parameter or None expected"),
    ("a number where a module is", "m = T.nn.Sequential(T.nn.ReLU())\nm[0] = 3", "cannot assign 'int' as child module '0'"),
    ("a number where a buffer is", "m = T.nn.BatchNorm1d(2)\nm.running_mean = 3", "cannot assign 'int' as buffer 'running_mean'"),
    ("an attribute that is not there", "T.nn.Linear(2, 2).wieght", "'Linear' object has no attribute 'wieght'"),
    ("deleting what is not there", "del T.nn.Linear(2, 2).wieght", "wieght"),
    ("a parameter's name with a dot", "T.nn.Module().register_parameter('a.b', None)", "parameter name can.*contain"),
    ("an empty name", "T.nn.Module().register_buffer('', T.ones(1))", "buffer name can.*t be empty string"),
    ("a name that is no string", "T.nn.Module().register_parameter(3, None)", "parameter name should be a string. Got int"),
    ("a module's name with a dot", "T.nn.Module().add_module('a.b', T.nn.ReLU())", "module name can.*t contain"),
    ("a name that is taken", "T.nn.Module().register_buffer('forward', T.ones(1))", "attribute 'forward' already exists"),
    ("a module that is none", "T.nn.Module().add_module('a', 3)", "int is not a Module subclass"),
    ("a parameter that is a tensor", "T.nn.Module().register_parameter('a', T.ones(1))", "object to parameter 'a'"),
    ("a parameter that was computed", "m = T.nn.Module()\np = T.nn.Parameter(T.ones(1))\np.grad_fn\nq = p * 2\nq.__class__ = type(p)\nm.a = q",
     "Cannot assign non-leaf Tensor to parameter 'a'"),
    ("a buffer that is a list", "T.nn.Module().register_buffer('a', [1])", "object to buffer 'a'"),
    ("no forward", "T.nn.Module()(1)", 'missing the required "forward" function'),
    ("an argument of Module()", "T.nn.Module(3)", "takes 1 positional argument but 2 were given"),
    ("a mode that is no bool", "T.nn.Linear(1, 1).train(1)", "training mode is expected to be boolean"),
    ("get_submodule of what is not there", "T.nn.Sequential(T.nn.ReLU()).get_submodule('1')", "Sequential has no attribute `1`"),
    ("get_submodule of a parameter", "T.nn.Linear(1, 1).get_submodule('weight')", "`weight` is not an nn.Module"),
    ("get_parameter of a buffer", "T.nn.BatchNorm1d(1).get_parameter('running_mean')", "`running_mean` is not an nn.Parameter"),
    ("get_buffer of a parameter", "T.nn.BatchNorm1d(1).get_buffer('weight')", "`weight` is not a buffer"),
    ("set_submodule without a name", "T.nn.Module().set_submodule('', T.nn.ReLU())", "Cannot set the submodule without a target name"),
    ("set_submodule, strict", "T.nn.Module().set_submodule('a', T.nn.ReLU(), strict=True)", "has no attribute `a`"),
    ("to an integer type", "T.nn.Linear(1, 1).to(T.int64)", "only accepts floating point or complex dtypes"),
    ("requires_grad of an integer parameter", "T.nn.Parameter(T.ones(1, dtype=T.int64))", "Only Tensors of floating point and complex dtype"),
]

SCRIPTS = [
    Script("walks over parameters, buffers and modules", NET,
           "[n for n, _ in net.named_parameters()]; [n for n, _ in net.named_buffers()]; [n for n, _ in net.named_modules()]; "
           "[n for n, _ in net.named_children()]; [n for n, _ in net.named_parameters(prefix='x', recurse=False)]; "
           "[n for n, _ in net.named_modules(prefix='y')]; len(list(net.modules())); len(list(net.children())); list(net.state_dict()); "
           "[n for n, _ in net.named_buffers(recurse=False)]; [p.shape == q.shape for p, q in zip(net.parameters(), net.parameters())]"),
    Script("what is shared comes once", """
        shared = T.nn.Linear(2, 2)
        net = T.nn.Sequential(shared, T.nn.ReLU(), shared)
        net.register_parameter("tied", shared.weight)
    """, "[n for n, _ in net.named_parameters()]; [n for n, _ in net.named_parameters(remove_duplicate=False)]; [n for n, _ in net.named_modules()]; "
         "[n for n, _ in net.named_modules(remove_duplicate=False)]; [n for n, _ in net.named_children()]; list(net.state_dict()); repr(net); "
         "len(list(net.modules(remove_duplicate=False)))"),
    Script("an assignment moves a name from one kind to another", """
        m = T.nn.Module()
        log = []
        def note():
            log.append((list(m._parameters), list(m._buffers), list(m._modules), sorted(m._non_persistent_buffers_set),
                        "x" in m.__dict__))
        m.x = 3; note()
        m.x = T.nn.Parameter(T.ones(1)); note()
        m.x = None; note()
        del m.x
        m.x = T.nn.Linear(1, 1); note()
        m.x = None; note()
        del m.x
        m.register_buffer("x", T.ones(1), persistent=False); note()
        m.x = T.zeros(2); note()
        m.x = T.nn.Parameter(T.ones(1)); note()
        del m.x; note()
        m.y = T.nn.Buffer(T.ones(1), persistent=False); note()
        m.z = T.ones(1); note()
    """, "log; m.y; 'z' in m.__dict__"),
    Script("by dotted name", NET, "net.get_parameter('b.0.weight'); net.get_buffer('steps'); net.get_submodule('b.1').p; net.get_submodule('') is net"),
    Script("set_submodule", NET + """
        net.set_submodule("b.1", T.nn.ReLU())
        net.set_submodule("a", T.nn.Linear(2, 2), strict=True)
        net.set_submodule("c", T.nn.Tanh())
    """, "repr(net); [n for n, _ in net.named_modules()]"),
    Script("modes", NET + """
        log = [(n, m.training) for n, m in net.named_modules()]
        same = net.eval() is net
        log += [m.training for m in net.modules()]
        net.train()
        net.b.train(False)
        log += [m.training for m in net.modules()]
    """, "log; same"),
    Script("freezing", NET + """
        same = net.requires_grad_(False) is net
        first = [p.requires_grad for p in net.parameters()]
        net.a.requires_grad_()
    """, "same; first; [p.requires_grad for p in net.parameters()]"),
    Script("zero_grad", NET + """
        net.eval()
        x = T.ones(1, 2)
        net(x).sum().backward()
        grads = [p.grad.clone() for p in net.parameters() if p.grad is not None]
        held = net.a.weight.grad
        net.zero_grad(set_to_none=False)
        zeros = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
        same = net.a.weight.grad is held
        net.zero_grad()
    """, "grads; zeros; same; [p.grad is None for p in net.parameters()]"),
    Script("conversion keeps the Parameter objects, and converts gradients and floating buffers", NET + """
        net.register_buffer("count", T.zeros((), dtype=T.int64))
        net.eval()
        net(T.ones(1, 2)).sum().backward()
        before = list(net.parameters())
        log = []
        for change in (lambda: net.double(), lambda: net.to(T.float16), lambda: net.bfloat16(), lambda: net.float(), lambda: net.half(),
                       lambda: net.to("cpu", T.float64), lambda: net.to(T.zeros(1)), lambda: net.cpu(), lambda: net.type(T.float64),
                       lambda: net.to(device="cpu", dtype=T.float32, non_blocking=True)):
            assert change() is net
            log.append([str(p.dtype).split(".")[1] for p in net.parameters()] + [str(b.dtype).split(".")[1] for b in net.buffers()])
            log.append(str(net.a.weight.grad.dtype).split(".")[1])
    """, "log; [p is q for p, q in zip(before, net.parameters())]; [p.is_leaf and p.requires_grad for p in net.parameters()]"),
    Script("apply visits children first", NET + """
        seen = []
        same = net.apply(lambda m: seen.append(type(m).__name__)) is net
    """, "seen; same"),
    Script("printed forms", NET + """
        class Extra(T.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = T.nn.ReLU()
            def extra_repr(self):
                return "first line\\nsecond line"
        class Alone(T.nn.Module):
            def extra_repr(self):
                return "a=1"
    """, "repr(net); repr(Extra()); repr(Alone()); repr(T.nn.Module()); repr(T.nn.Sequential()); str(T.nn.ModuleList([Extra(), Extra(), Alone()]))"),
    Script("dir lists members, and no numbers", NET + "        names = dir(T.nn.Sequential(T.nn.ReLU()))",
           "[n in dir(net) for n in ('a', 'w', 'steps', 'cache', 'b', 'forward', 'training')]; '0' in names; names == sorted(names)"),
    Script("deepcopy", NET + """
        import copy
        net.eval()
        net(T.ones(1, 2)).sum().backward()
        other = copy.deepcopy(net)
        with T.no_grad():
            other.a.weight.add_(1)
    """, "[n for n, _ in other.named_parameters()]; net.a.weight; other.a.weight; other.training; [p is q for p, q in zip(net.parameters(), other.parameters())]; "
         "[type(p).__name__ for p in other.parameters()]; [p.requires_grad for p in other.parameters()]; list(other.state_dict())"),
    Script("deepcopy keeps what is shared shared", """
        import copy
        a = T.nn.Linear(2, 2)
        net = copy.deepcopy(T.nn.Sequential(a, a))
    """, "net[0] is net[1]; net[0].weight is net[1].weight; len(list(net.parameters()))"),
    Script("pickle", """
        import pickle
        net = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2), T.nn.Dropout(0.3))
        net[0].weight.data.fill_(0.5)
        net.eval()
        other = pickle.loads(pickle.dumps(net))
    """, "repr(other); other[0].weight; [n for n, _ in other.named_parameters()]; other.training; list(other.state_dict()); "
         "[type(p).__name__ for p in other.parameters()]"),
    Script("a Parameter shares its tensor's memory, under no_grad too", """
        t = T.ones(2)
        with T.no_grad():
            p = T.nn.Parameter(t)
        t.add_(1)
        q = T.nn.Parameter(p, requires_grad=False)
    """, "p; q; isinstance(p, T.Tensor); p.is_leaf; repr(p); repr(q); T.nn.Parameter().shape == (0,); (p * 2).requires_grad; type(p * 2).__name__"),
    Script("a write into the tensor that a Parameter shares is noticed", """
        t = T.ones(2)
        p = T.nn.Parameter(t)
        y = (p * p).sum()
        t.add_(1)
        y.backward()
    """, raises="has been modified by an inplace operation"),
    Script("a Buffer", """
        b = T.nn.Buffer(T.ones(2))
        m = T.nn.Module()
        m.a = b
        m.c = T.nn.Buffer(T.zeros(1), persistent=False)
    """, "b.persistent; list(m.state_dict()); [n for n, _ in m.named_buffers()]; b.requires_grad"),
    Script("registration hooks", """
        from importlib import import_module
        module = import_module(T.__name__ + ".nn.modules.module")
        seen = []
        handles = [module.register_module_parameter_registration_hook(lambda m, n, p: seen.append(("parameter", n))),
                   module.register_module_buffer_registration_hook(lambda m, n, b: seen.append(("buffer", n))),
                   module.register_module_module_registration_hook(lambda m, n, c: seen.append(("module", n)))]
        T.nn.BatchNorm1d(1)
        T.nn.Sequential(T.nn.ReLU())
        for h in handles:
            h.remove()
        T.nn.Linear(1, 1)
    """, "seen"),
    *(Script(title, text, raises=words) for title, text, words in ERRORS),
]
