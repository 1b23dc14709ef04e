"""ringgrad.func: transforms of functions, nested in any order; modules as functions of their parameters."""
import textwrap

from .script import Script

X = """
from importlib import import_module
from collections import namedtuple, OrderedDict
F = import_module(T.__name__ + '.func'); nn = import_module(T.__name__ + '.nn')
x = T.tensor([1.0, 2.0, -0.5]); y = T.tensor([[0.5, -2.0, 1.0], [1.5, 0.25, -1.0]]); s = T.tensor(2.0)
Pair = namedtuple('Pair', 'a b')
def linear(seed=0):
    m = nn.Linear(3, 2)
    with T.no_grad():
        m.weight.copy_(T.arange(6.0).reshape(2, 3) / 7 + seed); m.bias.copy_(T.tensor([0.5, -1.0]))
    return m
"""


def _row(title, text, compare="", **rest):
    return Script(title, X + textwrap.dedent(text), compare, **rest)


TRANSFORMS = [
    _row("grad", "r = F.grad(lambda a: (a ** 3).sum())(x)", "r; r.requires_grad"),
    _row("grad of grad", "r = F.grad(F.grad(F.grad(lambda a: a ** 4)))(s)", "r"),
    _row("grad by several arguments", "r = F.grad(lambda a, b: (a * b).sum(), argnums=(1, 0))(x, y)", "r"),
    _row("grad by a negative position", "r = F.grad(lambda a, b: (a * b).sum(), argnums=-1)(x, y)", "r"),
    _row("grad by a tuple of one", "r = F.grad(lambda a, b: (a * b).sum(), argnums=(0,))(x, y)", "r"),
    _row("grad of nested containers", "r = F.grad(lambda p: (p['a'] * p['b'][0]).sum() + p['b'][1])({'a': x, 'b': [y, s]})", "r"),
    _row("grad of a named tuple", "r = F.grad(lambda p: (p.a * p.b).sum())(Pair(x, y))", "type(r).__name__; r.a; r.b"),
    _row("grad of an OrderedDict", "r = F.grad(lambda p: (p['u'] * p['v']).sum())(OrderedDict(u=x, v=y))", "type(r).__name__; r['u']; r['v']"),
    _row("grad with keyword arguments", "r = F.grad(lambda a, k: (a * k).sum())(x, k=y)", "r"),
    _row("grad with aux", "r = F.grad(lambda a: ((a ** 2).sum(), {'out': a * 2}), has_aux=True)(x)", "r; r[1]['out'].requires_grad"),
    _row("grad_and_value", "r = F.grad_and_value(lambda a: (a ** 2).sum())(x)", "r"),
    _row("grad_and_value with aux", "r = F.grad_and_value(lambda a: ((a ** 2).sum(), (a, [a * 2])), has_aux=True)(x)", "r"),
    _row("grad of an unused argument", "r = F.grad(lambda a, b: (a * a).sum(), argnums=1)(x, y)", "r"),
    _row("grad of a constant function", "r = F.grad(lambda a: T.tensor(3.0))(x)", "r"),
    _row("the gradient can be followed from outside", """
        x.requires_grad_()
        g, v = F.grad_and_value(lambda a: (a ** 3).sum())(x)
        (g.sum() + v).backward()
    """, "g; v; x.grad"),
    _row("so can a tensor that the function closes over", """
        s.requires_grad_()
        g = F.grad(lambda a: (s * a ** 2).sum())(x)
        g.sum().backward()
    """, "g; s.grad"),
    _row("no_grad outside does not disturb", """
        x.requires_grad_()
        with T.no_grad():
            g = F.grad(lambda a: (a ** 3).sum())(x)
    """, "g; g.requires_grad"),
    _row("no_grad inside is respected", """
        def f(a):
            with T.no_grad():
                c = a ** 2
            return (a * c).sum()
        g = F.grad(f)(x)
    """, "g"),
    _row("detach inside is respected", "g = F.grad(lambda a: (a * a.detach()).sum())(x)", "g"),
    _row("an inner grad sees the outer argument as constant", """
        f = lambda a: F.grad(lambda b: (a * b ** 2))(s)
        g = F.grad(f)(T.tensor(5.0))
    """, "g"),
    _row("perturbations are not confused", "g = F.grad(lambda a: a * F.grad(lambda b: a + b)(s))(s)", "g"),
    _row("in-place operations inside", """
        def f(a):
            b = a * 2
            b.mul_(a); b[0] = 1.0
            return b.sum()
        g = F.grad(f)(x)
    """, "g; x"),
    _row("grad wants a scalar", "F.grad(lambda a: a)(x)", raises="to return a scalar Tensor, got tensor with 1 dims"),
    _row("grad wants a tensor", "F.grad(lambda a: 3.0)(x)", raises="to return a Tensor, got"),
    _row("grad wants a tensor argument", "F.grad(lambda a: a)(3.0)", raises="Thing passed to transform API must be Tensor"),
    _row("grad of integers", "F.grad(lambda a: a.sum())(T.tensor([1, 2]))", raises="require gradients"),
    _row("grad: no such argument", "F.grad(lambda a: a.sum(), argnums=1)(x)", raises="Got argnum=1, but only 1 positional inputs"),
    _row("grad: an argument named twice", "F.grad(lambda a, b: a.sum(), argnums=(0, 0))(x, x)", raises="argnums elements must be unique"),
    _row("grad: argnums empty", "F.grad(lambda a, b: a.sum(), argnums=())(x, x)", raises="argnums must be non-empty"),
    _row("grad: argnums a list", "F.grad(lambda a: a.sum(), argnums=[0])(x)", raises="argnums must be int or Tuple"),
    _row("grad: aux missing", "F.grad(lambda a: a.sum(), has_aux=True)(x)", raises="should be a tuple: .output, aux."),
    _row("vjp", "out, pull = F.vjp(lambda a: a.sin(), x); r = pull(T.ones(3)); again = pull(2 * T.ones(3))", "out; r; again; out.requires_grad"),
    _row("vjp of several arguments and outputs", "out, pull = F.vjp(lambda a, b: {'p': a * b, 'q': (a.sum(),)}, x, y); r = pull({'p': y, 'q': (s,)})",
         "out; r"),
    _row("vjp with aux", "r = F.vjp(lambda a: (a * 2, a.sum()), x, has_aux=True); g = r[1](x)", "r[0]; r[2]; g"),
    _row("vjp of vjp", """
        f = lambda a: F.vjp(lambda b: b ** 3, a)[1](T.ones(3))[0]
        out, pull = F.vjp(f, x)
        r = pull(T.ones(3))
    """, "out; r"),
    _row("cotangents can be differentiated by", """
        _, pull = F.vjp(lambda a: a ** 3, x)
        g = F.grad(lambda c: (pull(c)[0] ** 2).sum())(T.ones(3))
    """, "g"),
    _row("vjp: cotangents of another structure", "F.vjp(lambda a: (a, a), x)[1](x)", raises="Expected pytree structure of cotangents"),
    _row("vjp: cotangent of another shape", "F.vjp(lambda a: a * 2, x)[1](T.ones(4))", raises="Mismatch in shape"),
    _row("vjp: an output that is no tensor", "F.vjp(lambda a: (a, 3), x)", raises="to return only tensors, got unsupported type"),
    _row("vjp: an integer output", "F.vjp(lambda a: a > 0, x)", raises="All outputs of f must be floating-point or complex"),
    _row("vjp: nothing returned", "F.vjp(lambda a: None, x)", raises="non-empty output"),
    _row("jvp", "r = F.jvp(lambda a: a.sin(), (x,), (T.ones(3),))", "r"),
    _row("jvp of several arguments", "r = F.jvp(lambda a, b: (a * b, a.sum()), (x, y), (T.ones(3), y))", "r"),
    _row("jvp with aux", "r = F.jvp(lambda a: (a * 2, a.sum()), (x,), (x,), has_aux=True)", "r"),
    _row("jvp of a constant", "r = F.jvp(lambda a: T.ones(2), (x,), (x,))", "r"),
    _row("jvp of the identity", "r = F.jvp(lambda a: a, (x,), (2 * x,))", "r"),
    _row("jvp of a comparison", "r = F.jvp(lambda a: (a > 0, a * a), (x,), (x,))", "r[0]; r[1][1]"),
    _row("jvp, strict", "F.jvp(lambda a: T.ones(2), (x,), (x,), strict=True)", raises="independent of the inputs"),
    _row("jvp of jvp", "r = F.jvp(lambda a: F.jvp(lambda b: b ** 3, (a,), (T.ones(3),))[1], (x,), (T.ones(3),))", "r"),
    _row("jvp of grad", "r = F.jvp(F.grad(lambda a: (a ** 3).sum()), (x,), (T.ones(3),))", "r"),
    _row("grad of jvp", "r = F.grad(lambda a: F.jvp(lambda b: b ** 3, (a,), (T.ones(3),))[1].sum())(x)", "r"),
    _row("grad by the tangent", "r = F.grad(lambda t: (F.jvp(lambda b: b ** 3, (x,), (t,))[1] ** 2).sum())(T.ones(3))", "r"),
    _row("jvp: primals are a tuple", "F.jvp(lambda a: a, x, x)", raises="Expected primals to be a tuple"),
    _row("jvp: another structure", "F.jvp(lambda a: a, (x,), (x, x))", raises="same python structure"),
    _row("jvp: another shape", "F.jvp(lambda a: a, (x,), (T.ones(4),))", raises="different size"),
    _row("jvp: integer tangents", "F.jvp(lambda a: a, (x,), (T.tensor([1, 2, 3]),))", raises="floating point"),
    _row("jvp: no tensor", "F.jvp(lambda a: a, (1.0,), (1.0,))", raises="only contain Tensors"),
    _row("jacrev", "r = F.jacrev(lambda a: a.sin())(x)", "r"),
    _row("jacrev of nested outputs", "r = F.jacrev(lambda a, b: {'p': a * b, 'q': (a.sum(),)}, argnums=(0, 1))(x, y)", "r"),
    _row("jacrev of nested inputs", "r = F.jacrev(lambda p: p['a'] * p['b'])({'a': x, 'b': s})", "r"),
    _row("jacrev with aux", "r = F.jacrev(lambda a: (a.sin(), a), has_aux=True)(x)", "r"),
    _row("jacrev in chunks", "r = [F.jacrev(lambda a: a.sin(), chunk_size=n)(x) for n in (1, 2, 5)]", "r"),
    _row("jacrev: chunk of nothing", "F.jacrev(lambda a: a, chunk_size=0)", raises="chunk_size"),
    _row("jacrev of complex numbers", "F.jacrev(lambda a: a)(T.tensor([1j]))", raises="Expected all inputs to be real"),
    _row("jacfwd", "r = F.jacfwd(lambda a: T.outer(a, a))(x)", "r; r.shape"),
    _row("jacfwd by several arguments", "r = F.jacfwd(lambda a, b: (a * b, a.sum()), argnums=(0, 1))(x, y)", "r"),
    _row("jacfwd of nested inputs", "r = F.jacfwd(lambda p: p['a'] * p['b'])({'a': x, 'b': s})", "r"),
    _row("jacfwd with aux", "r = F.jacfwd(lambda a: (a.sin(), a.sum()), has_aux=True)(x)", "r"),
    _row("hessian", "r = F.hessian(lambda a: (a ** 3).sum() * a[0])(x)", "r"),
    _row("hessian by several arguments", "r = F.hessian(lambda a, b: (a * b).exp().sum(), argnums=(0, 1))(x, y)", "r"),
    _row("jacrev of jacfwd and the other ways", """
        f = lambda a: (a ** 3).sum() * a[1]
        r = [p(q(f))(x) for p in (F.jacrev, F.jacfwd) for q in (F.jacrev, F.jacfwd)]
    """, "r"),
    _row("a jacobian can be followed from outside", """
        x.requires_grad_()
        F.jacrev(lambda a: a ** 3)(x).sum().backward(); first = x.grad.clone(); x.grad = None
        F.jacfwd(lambda a: a ** 3)(x).sum().backward()
    """, "first; x.grad"),
    _row("linearize", """
        out, push = F.linearize(lambda a, b: (a * b).sin(), x, s)
        r = push(T.ones(3), T.tensor(0.0)), push(x, s)
    """, "out; r"),
    _row("linearize: a tangent of another shape", "F.linearize(lambda a: a.sin(), x)[1](T.ones(4))", raises="tangent:0 with shape"),
]

VMAP = [
    _row("vmap", "r = F.vmap(lambda a, b: (a * b).sum())(y, y + 1)", "r"),
    _row("vmap from the top", "r = T.vmap(lambda a: a.sum())(y)", "r"),
    _row("vmap over other dimensions", "r = F.vmap(lambda a, b: a * b, in_dims=(1, 0), out_dims=1)(y, x)", "r; r.shape"),
    _row("vmap over negative dimensions", "r = F.vmap(lambda a: a * 2, in_dims=-1, out_dims=-1)(y)", "r; r.shape"),
    _row("vmap with an argument for all", "r = F.vmap(lambda a, b: a @ b, in_dims=(0, None))(y, x)", "r"),
    _row("vmap with a plain argument", "r = F.vmap(lambda a, n: a * n, in_dims=(0, None))(y, 3)", "r"),
    _row("vmap with keyword arguments", "r = F.vmap(lambda a, k: a * k)(y, k=2.0)", "r"),
    _row("vmap of nested arguments", "r = F.vmap(lambda p, q: p['a'] * q[0], in_dims=({'a': 0}, (None, 0)))({'a': y}, (x, y))", "r"),
    _row("vmap of nested results", "r = F.vmap(lambda a: (a.sum(), {'b': a * 2}), out_dims=(0, 1))(y)", "r"),
    _row("vmap: a result that is the same for all", "r = F.vmap(lambda a: (T.ones(2), a), out_dims=(None, 0))(y)", "r"),
    _row("vmap: a constant result is repeated", "r = F.vmap(lambda a: T.ones(2))(y)", "r"),
    _row("vmap of vmap is an outer product", "r = F.vmap(F.vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))(x, x)", "r"),
    _row("vmap in chunks", "r = [F.vmap(lambda a: a.sum(), chunk_size=n)(y.T) for n in (1, 2, 3, 10)]", "r"),
    _row("vmap of an empty batch", "r = F.vmap(lambda a: (a * 2, a.sum()))(T.zeros(0, 3))", "r"),
    _row("vmap: an argument written in place", "F.vmap(lambda a: a.add_(1))(y)", "y"),
    _row("vmap of grad: gradients per sample", "r = F.vmap(F.grad(lambda w, a: (w * a).sum() ** 2), in_dims=(None, 0))(x, y)", "r"),
    _row("grad of vmap", "r = F.grad(lambda w: F.vmap(lambda a: (a * w).sum())(y).sum())(x)", "r"),
    _row("vmap of grad of grad", "r = F.vmap(F.grad(F.grad(lambda a: a ** 3)))(x)", "r"),
    _row("vmap of vjp and of its pullback", """
        out, pull = F.vjp(lambda a: a ** 2, x)
        r = F.vmap(pull)(T.eye(3))
        q = F.vmap(lambda a: F.vjp(lambda b: b.sin(), a)[1](T.ones(3)))(y)
    """, "r; q"),
    _row("vmap of jvp", "r = F.vmap(lambda t: F.jvp(lambda a: a ** 3, (x,), (t,))[1])(T.eye(3))", "r"),
    _row("jvp of vmap", "r = F.jvp(F.vmap(lambda a: a.sum() ** 2), (y,), (y,))", "r"),
    _row("vmap of jacrev and jacfwd", "r = F.vmap(F.jacrev(lambda a: a.sin()))(y), F.vmap(F.jacfwd(lambda a: a.sin()))(y)", "r"),
    _row("batched hessian", "r = F.vmap(F.hessian(lambda a: (a ** 3).sum()))(y)", "r"),
    _row("gradients flow through vmap", """
        y.requires_grad_()
        r = F.vmap(lambda a: a.sin() * a)(y)
        r.sum().backward()
    """, "r; y.grad"),
    _row("indexing, shapes and reductions inside", """
        def f(a):
            b = a.reshape(3, 1) * a[None]
            return b[0], b[..., 1:], b.T.softmax(-1), b.sum(0), b.max(), a.unsqueeze(0).expand(2, 3), T.cat([a, a]), T.stack([a, a], 1), b.argmax(1)
        r = F.vmap(f)(y)
    """, "r"),
    _row("where, comparisons and type changes inside", "r = F.vmap(lambda a: (T.where(a > 0, a, -a), a.double(), (a > 0).sum(), a.clamp(min=0)))(y)", "r"),
    _row("creation inside", "r = F.vmap(lambda a: (T.zeros_like(a) + 1, a.new_ones(2), T.arange(3) * a))(y)", "r"),
    _row("matrices inside", "r = F.vmap(lambda a, m: (m @ a, a @ m, m @ m, T.outer(a, a)), in_dims=(0, None))(y, T.arange(9.0).reshape(3, 3))", "r"),
    _row("vmap: random numbers are refused", "F.vmap(lambda a: a + T.rand(3))(y)", raises="called random operation while in randomness error mode"),
    _row("vmap: dropout is refused", "F.vmap(lambda a: nn.functional.dropout(a))(y)", raises="called random operation while in randomness error mode"),
    _row("vmap: same random numbers", """
        r = F.vmap(lambda a: a * 0 + T.rand(3), randomness='same')(y)
        q = F.vmap(lambda a: a * 0 + T.rand(3), randomness='different')(y)
    """, "bool((r[0] == r[1]).all()); bool((q[0] == q[1]).all())"),
    _row("vmap: unknown randomness", "F.vmap(lambda a: a, randomness='some')", raises="Only allowed values for randomness"),
    _row("vmap: chunks of nothing", "F.vmap(lambda a: a, chunk_size=0)", raises="chunk_size should be None or greater than 0"),
    _row("vmap: sizes differ", "F.vmap(lambda a, b: a)(x, y)", raises=r"got sizes \[3, 2\] for the mapped dimension"),
    _row("vmap: nothing mapped", "F.vmap(lambda a: a, in_dims=None)(x)", raises="expected `in_dims` to be int or a"),
    _row("vmap: all dims None", "F.vmap(lambda a: a, in_dims=(None,))(x)", raises="Expected at least one Tensor to vmap over"),
    _row("vmap: no arguments", "F.vmap(lambda: 1)()", raises="got no inputs"),
    _row("vmap: a list of in_dims", "F.vmap(lambda a: a, in_dims=[0])(x)", raises="expected `in_dims` to be int or a"),
    _row("vmap: in_dims of another structure", "F.vmap(lambda a: a, in_dims=(0, 0))(x)", raises="in_dims is not compatible with the structure"),
    _row("vmap: in_dim is no int", "F.vmap(lambda a: a, in_dims=('a',))(x)", raises="must be either an integer dimension or None"),
    _row("vmap: mapping over a number", "F.vmap(lambda a, n: a)(x, 3)", raises="We cannot vmap over non-Tensor arguments"),
    _row("vmap: no such dimension", "F.vmap(lambda a: a, in_dims=2)(y)", raises="of dimensionality 2 so expected in_dim to satisfy -2 <= in_dim < 2"),
    _row("vmap: a result that is no tensor", "F.vmap(lambda a: 3)(x)", raises="must only return Tensors, got type"),
    _row("vmap: out_dims of another structure", "F.vmap(lambda a: (a, a), out_dims=(0, 0, 0))(y)", raises="out_dims is not compatible with the structure"),
    _row("vmap: out_dims is no int", "F.vmap(lambda a: a, out_dims='a')(y)", raises="`out_dims` must be an int"),
    _row("vmap: out_dim too large", "F.vmap(lambda a: a, out_dims=2)(y)", raises="Dimension out of range"),
    _row("vmap: differing results cannot be the same for all", "F.vmap(lambda a: a, out_dims=None)(y)", raises="can not return a BatchedTensor when out_dim is None"),
]

MODULES = [
    _row("functional_call", "m = linear(); r = F.functional_call(m, {'weight': T.ones(2, 3)}, x); k = m.weight", "r; k"),
    _row("functional_call with several dicts, a tuple, keywords",
         "m = linear(); r = F.functional_call(m, [{'weight': T.ones(2, 3)}, {'bias': T.zeros(2)}], (), {'input': x})", "r"),
    _row("functional_call: gradients of the given tensors", """
        m = linear(); p = {k: v.detach() for k, v in m.named_parameters()}
        r = F.grad(lambda p: F.functional_call(m, p, (x,)).sum())(p)
    """, "r; m.weight.grad is None"),
    _row("functional_call: a nested name", "m = nn.Sequential(linear(), nn.ReLU()); r = F.functional_call(m, {'0.weight': T.ones(2, 3)}, x)", "r"),
    _row("functional_call: buffers are written to the given dict, not to the module", """
        m = nn.BatchNorm1d(3)
        p = {**dict(m.named_parameters()), **{k: v.clone() for k, v in m.named_buffers()}}
        r = F.functional_call(m, p, y)
    """, "r; p['running_mean']; p['num_batches_tracked']; m.running_mean"),
    _row("functional_call: tied weights follow one name", """
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = linear(); self.b = linear(1.0); self.b.weight = self.a.weight
            def forward(self, v): return self.a(v) + self.b(v)
        m = Tied()
        r = F.functional_call(m, {'a.weight': T.ones(2, 3)}, x)
        q = F.functional_call(m, {'a.weight': T.ones(2, 3)}, x, tie_weights=False)
    """, "r; q"),
    _row("functional_call: two values for tied weights", """
        m = nn.Sequential(linear(), linear()); m[1].weight = m[0].weight
        F.functional_call(m, {'0.weight': T.ones(2, 3), '1.weight': T.zeros(2, 3)}, x)
    """, raises="which are tied"),
    _row("functional_call, strict: missing", "F.functional_call(linear(), {'weight': T.ones(2, 3)}, x, strict=True)", raises="Missing key.s.: 'bias'"),
    _row("functional_call, strict: unexpected",
         "F.functional_call(linear(), {'weight': T.ones(2, 3), 'bias': T.ones(2), 'foo': x}, x, strict=True)", raises="Unexpected key.s.: 'foo'"),
    _row("functional_call: the same name twice", "F.functional_call(linear(), [{'bias': x}, {'bias': x}], x)", raises="appeared in multiple dictionaries"),
    _row("functional_call: no dict", "F.functional_call(linear(), 3, x)", raises="Expected parameter_and_buffer_dicts to be a dict"),
    _row("functional_call: an unknown module", "F.functional_call(linear(), {'foo.weight': x}, x)", raises="has no attribute `foo`"),
    _row("functional_call: not a tensor", "F.functional_call(linear(), {'weight': 3.0}, x)", raises="is not an instance of"),
    _row("functional_call: the module is whole again after an error", """
        m = linear(); w = m.weight
        try:
            F.functional_call(m, {'weight': T.ones(2, 5), 'new': x}, x)
        except RuntimeError:
            pass
    """, "m.weight is w; hasattr(m, 'new')"),
    _row("gradients per sample of a module", """
        m = linear(); p = {k: v.detach() for k, v in m.named_parameters()}
        loss = lambda p, v, t: ((F.functional_call(m, p, (v,)) - t) ** 2).mean()
        r = F.vmap(F.grad(loss), in_dims=(None, 0, 0))(p, y, T.tensor([[1.0, 0.0], [0.0, 1.0]]))
    """, "r"),
    _row("an ensemble", """
        p, b = F.stack_module_state([linear(), linear(1.0), linear(2.0)])
        base = linear()
        r = F.vmap(lambda p, b, v: F.functional_call(base, (p, b), (v,)), in_dims=(0, 0, None))(p, b, y)
    """, "p; b; p['weight'].is_leaf; r.shape; r"),
    _row("an ensemble with buffers", """
        p, b = F.stack_module_state([nn.BatchNorm1d(3), nn.BatchNorm1d(3)])
    """, "list(p); list(b); b['running_mean'].requires_grad; b['num_batches_tracked']"),
    _row("stack_module_state: nothing", "F.stack_module_state([])", raises="Expected at least one model, got 0"),
    _row("stack_module_state: classes differ", "F.stack_module_state([linear(), nn.ReLU()])", raises="of the same class"),
    _row("stack_module_state: modes differ", "F.stack_module_state([linear(), linear().eval()])", raises="same training/eval mode"),
    _row("stack_module_state: requires_grad differs", "F.stack_module_state([linear(), linear().requires_grad_(False)])", raises="same .requires_grad"),
    _row("the older name of functional_call", """
        import warnings
        warnings.simplefilter('ignore')
        r = nn.utils.stateless.functional_call(linear(), {'bias': T.zeros(2)}, x)
    """, "r"),
]

SCRIPTS = TRANSFORMS + VMAP + MODULES
