"""autograd.functional: Jacobians, Hessians and their products with vectors; structure, strictness, histories of the results."""
import textwrap

from .script import Script

F = "from importlib import import_module; A = import_module(T.__name__ + '.autograd.functional')\n"
X = F + "x = T.tensor([[1.0, 2.0], [3.0, -1.0]]); y = T.tensor([0.5, -2.0])\n"


def _row(title, text, compare="", **rest):
    return Script(title, X + textwrap.dedent(text), compare, **rest)


SCRIPTS = [
    _row("jacobian of one output by one input", "j = A.jacobian(lambda a: a.exp().sum(1), x)", "j; j.shape; j.is_leaf"),
    _row("jacobian by two inputs is a tuple", "j = A.jacobian(lambda a, b: a @ b, (x, y))", "j; len(j)"),
    _row("jacobian of two outputs by two inputs nests outputs first", "j = A.jacobian(lambda a, b: (a @ b, b * b, a.sum()), (x, y))", "j"),
    _row("jacobian of two outputs by one input", "j = A.jacobian(lambda b: (b * b, b.sum()), y)", "j"),
    _row("a tuple of one input keeps its tuple", "j = A.jacobian(lambda b: b * b, (y,)); k = A.jacobian(lambda b: (b * b,), y)", "j; k"),
    _row("an unused input gives zeros", "j = A.jacobian(lambda a, b: b * 2, (x, y))", "j"),
    _row("an output without history gives zeros", "j = A.jacobian(lambda b: T.ones(3), y)", "j"),
    _row("jacobian of 0-d tensors", "j = A.jacobian(lambda a: a ** 3, T.tensor(2.0))", "j"),
    _row("jacobian with create_graph can be differentiated", """
        y.requires_grad_()
        j = A.jacobian(lambda b: b ** 3, y, create_graph=True)
        j.sum().backward()
    """, "j; y.grad"),
    _row("jacobian without create_graph leaves no history", """
        y.requires_grad_()
        j = A.jacobian(lambda b: b ** 3, y)
    """, "j; j.requires_grad; y.grad is None"),
    _row("create_graph of an input without history", "j = A.jacobian(lambda b: b ** 3, y, create_graph=True)", "j"),
    _row("jacobian vectorized", "j = A.jacobian(lambda a, b: (a @ b, b.sin()), (x, y), vectorize=True)", "j"),
    _row("jacobian vectorized with create_graph", """
        y.requires_grad_()
        j = A.jacobian(lambda b: b ** 3, y, create_graph=True, vectorize=True)
        j.sum().backward()
    """, "j; y.grad"),
    _row("jacobian in forward mode", "j = A.jacobian(lambda a, b: (a @ b, b.sin()), (x, y), vectorize=True, strategy='forward-mode')", "j"),
    _row("forward mode of a function with more outputs than inputs",
         "j = A.jacobian(lambda b: T.outer(b, b.exp()), y, vectorize=True, strategy='forward-mode')", "j; j.shape"),
    _row("forward mode, unused input", "j = A.jacobian(lambda a, b: b * 2, (x, y), vectorize=True, strategy='forward-mode')", "j"),
    _row("forward mode keeps the history of its inputs", """
        y.requires_grad_()
        j = A.jacobian(lambda b: b ** 3, y, vectorize=True, strategy='forward-mode')
    """, "j"),
    _row("forward mode wants vectorize", "A.jacobian(lambda b: b, y, strategy='forward-mode')", raises="only implemented for"),
    _row("forward mode refuses strict", "A.jacobian(lambda b: b, y, strict=True, vectorize=True, strategy='forward-mode')", raises="not supported together"),
    _row("forward mode refuses create_graph", "A.jacobian(lambda b: b, y, create_graph=True, strategy='forward-mode')", raises="not supported together"),
    _row("an unknown strategy", "A.jacobian(lambda b: b, y, strategy='sideways')", raises="Expected strategy to be either"),
    _row("vectorize refuses strict", "A.jacobian(lambda b: b, y, strict=True, vectorize=True)", raises="are not supported together"),
    _row("strict jacobian: an unused input", "A.jacobian(lambda a, b: b * 2, (x, y), strict=True)", raises="Output 0 .* independent of input 0"),
    _row("strict jacobian: an output without history", "A.jacobian(lambda b: T.ones(3), y, strict=True)", raises="Output 0 .* does not require gradients"),
    _row("strict jacobian of a linear function with create_graph", "A.jacobian(lambda b: b * 2, y, strict=True, create_graph=True)",
         raises="independent of input 0. This is not allowed in strict mode when create_graph=True"),
    _row("strict jacobian of a well-behaved function", "j = A.jacobian(lambda a, b: (a @ b).exp(), (x, y), strict=True)", "j"),
    _row("inputs that are no tensors", "A.jacobian(lambda b: b, [1.0])", raises="given inputs has type"),
    _row("a tuple with something that is no tensor", "A.jacobian(lambda a, b: a, (y, 2.0))", raises="value at index 1 has type"),
    _row("a function that returns no tensor", "A.jacobian(lambda b: 3.0, y)", raises="outputs of the user-provided function given to jacobian"),
    _row("integer inputs", "A.jacobian(lambda b: b, T.tensor([1, 2]))", raises="can require gradients"),
    _row("func runs with recording even under no_grad", """
        with T.no_grad():
            j = A.jacobian(lambda b: b ** 2, y)
            v = A.vjp(lambda b: b ** 2, y, y)
            h = A.hvp(lambda b: (b ** 3).sum(), y, y)
            p = A.jvp(lambda b: b ** 2, y, y)
    """, "j; v; h; p"),
    _row("hessian of one input", "h = A.hessian(lambda a: (a ** 3).sum(), x)", "h; h.shape"),
    _row("hessian of two inputs", "h = A.hessian(lambda a, b: (a @ b).exp().sum(), (x, y))", "h"),
    _row("hessian of an output of shape (1,)", "h = A.hessian(lambda b: (b ** 3).sum().reshape(1), y)", "h; h.shape"),
    _row("hessian with create_graph", """
        y.requires_grad_()
        h = A.hessian(lambda b: (b ** 4).sum(), y, create_graph=True)
        h.sum().backward()
    """, "h; y.grad"),
    _row("hessian vectorized", "h = A.hessian(lambda a, b: (a @ b).exp().sum(), (x, y), vectorize=True)", "h"),
    _row("hessian, forward mode outside",
         "h = A.hessian(lambda b: (b ** 3).sum(), y, vectorize=True, outer_jacobian_strategy='forward-mode')", "h.detach(); h.shape"),
    _row("hessian of a linear function is zero", "h = A.hessian(lambda a, b: a.sum() + b.sum(), (x, y))", "h"),
    _row("strict hessian of a linear function", "A.hessian(lambda b: b.sum(), y, strict=True)", raises="independent of (the )?input"),
    _row("hessian wants one tensor", "A.hessian(lambda b: (b.sum(), b.sum()), y)", raises="should return a single Tensor"),
    _row("hessian wants one element", "A.hessian(lambda b: b * 2, y)", raises="should contain a single element"),
    _row("vjp", "r = A.vjp(lambda a: a.exp().sum(1), x, T.tensor([1.0, 2.0]))", "r"),
    _row("vjp of a function with one element needs no v", "r = A.vjp(lambda a: (a * a).sum(), x)", "r"),
    _row("vjp with tuples", "r = A.vjp(lambda a, b: (a @ b, b * b), (x, y), (y, y + 1))", "r"),
    _row("vjp with create_graph", """
        y.requires_grad_()
        out, r = A.vjp(lambda b: b ** 3, y, T.ones(2), create_graph=True)
        r.sum().backward()
    """, "out; r; y.grad"),
    _row("vjp: v is missing", "A.vjp(lambda b: b * 2, y)", raises="The vector v can only be None"),
    _row("vjp: v has a wrong size", "A.vjp(lambda b: b * 2, y, T.ones(3))", raises="v has invalid size: should be .*Size.*2.* but got .*3"),
    _row("vjp: v has a wrong length", "A.vjp(lambda b: (b * 2, b), y, (y,))", raises="tuple of invalid length: should be 2 but got 1"),
    _row("vjp: several v for one output", "A.vjp(lambda b: b * 2, y, (y, y))", raises="should contain a single Tensor"),
    _row("vjp: entry of v has a wrong size", "A.vjp(lambda b: (b * 2, b), y, (y, T.ones(3)))", raises="Entry 1 in v has invalid size"),
    _row("strict vjp: independent input", "A.vjp(lambda a, b: b * 2, (x, y), y, strict=True)", raises="independent of input 0"),
    _row("jvp", "r = A.jvp(lambda a: a.exp().sum(1), x, T.ones(2, 2))", "r"),
    _row("jvp with tuples", "r = A.jvp(lambda a, b: (a @ b, b * b), (x, y), (T.ones(2, 2), y))", "r"),
    _row("jvp of one element needs no v", "r = A.jvp(lambda a: T.stack([a, a * a]), T.tensor(3.0))", "r"),
    _row("jvp with create_graph", """
        y.requires_grad_()
        out, r = A.jvp(lambda b: b ** 3, y, T.ones(2), create_graph=True)
        r.sum().backward()
    """, "out; r; y.grad"),
    _row("jvp of an output that does not depend on the input", "r = A.jvp(lambda b: T.ones(3), y, y)", "r"),
    _row("jvp: v is missing", "A.jvp(lambda b: b * 2, y)", raises="The vector v can only be None"),
    _row("strict jvp of a constant", "A.jvp(lambda b: T.ones(3), y, y, strict=True)", raises="does not require gradients"),
    _row("vhp", "r = A.vhp(lambda a: (a ** 3).sum(), x, T.ones(2, 2))", "r"),
    _row("vhp with tuples", "r = A.vhp(lambda a, b: (2 * a ** 2).sum() + 3 * (b ** 2).sum(), (x, y), (T.zeros(2, 2), T.ones(2)))", "r"),
    _row("vhp with create_graph", """
        y.requires_grad_()
        out, r = A.vhp(lambda b: (b ** 4).sum(), y, T.ones(2), create_graph=True)
        r.sum().backward()
    """, "out; r; y.grad"),
    _row("vhp of a linear function", "r = A.vhp(lambda b: b.sum(), y, y)", "r"),
    _row("vhp wants one tensor", "A.vhp(lambda b: (b.sum(),), y, y)", raises="should return a single Tensor"),
    _row("strict vhp of a linear function", "A.vhp(lambda b: b.sum(), y, y, strict=True)", raises="independent of (the )?input"),
    _row("hvp", "r = A.hvp(lambda a: (a ** 3).sum(), x, T.ones(2, 2))", "r"),
    _row("hvp with tuples", "r = A.hvp(lambda a, b: (a @ b).exp().sum(), (x, y), (T.ones(2, 2), y))", "r"),
    _row("hvp of one element needs no v", "r = A.hvp(lambda b: b ** 3, T.tensor(2.0))", "r"),
    _row("hvp with create_graph", """
        y.requires_grad_()
        out, r = A.hvp(lambda b: (b ** 4).sum(), y, T.ones(2), create_graph=True)
        r.sum().backward()
    """, "out; r; y.grad"),
    _row("hvp: v has a wrong size", "A.hvp(lambda b: b.sum(), y, T.ones(3))", raises="v has invalid size"),
    _row("hvp of a function whose gradient is constant", "r = A.hvp(lambda b: (3 * b).sum(), y, y)", "r"),
    _row("complex inputs", """
        z = T.tensor([1 + 2j, 0.5 - 1j])
        p = A.jvp(lambda a: a * a, z, T.tensor([1j, 2 + 0j]))
        q = A.vjp(lambda a: a * a, z, T.tensor([1j, 2 + 0j]))
    """, "p; q"),
    _row("jacobian of a complex output", "A.jacobian(lambda a: a * a, T.tensor([1j]))", raises="only for real scalar outputs"),
    _row("batched gradients, one row per seed", """
        y.requires_grad_()
        (g,) = T.autograd.grad(y ** 2, (y,), T.eye(2), is_grads_batched=True)
    """, "g"),
]

DUAL = X + "D = import_module(T.__name__ + '.autograd.forward_ad')\n"


def _dual(title, text, compare="", **rest):
    return Script(title, DUAL + textwrap.dedent(text), compare, **rest)


SCRIPTS += [
    _dual("a dual tensor carries its tangent along", """
        with D.dual_level():
            p, t = D.unpack_dual((D.make_dual(y, T.tensor([1.0, 2.0])).sin() * 3).sum())
    """, "p.detach(); t.detach()"),
    _dual("two dual tensors", """
        with D.dual_level():
            a, b = D.make_dual(y, T.ones(2)), D.make_dual(x, 2 * x)
            t = D.unpack_dual(b @ a).tangent
            u = D.unpack_dual(a).tangent
    """, "t.detach(); u.detach()"),
    _dual("what is not computed from one has no tangent", """
        with D.dual_level():
            a = D.make_dual(y, T.ones(2))
            t = D.unpack_dual(y * 2).tangent
    """, "t"),
    _dual("a tangent ends with its level", """
        with D.dual_level():
            z = D.make_dual(y, T.ones(2)) * 2
        t = D.unpack_dual(z).tangent
    """, "t; z.detach()"),
    _dual("the tangent can be differentiated", """
        y.requires_grad_()
        with D.dual_level():
            t = D.unpack_dual(D.make_dual(y, T.ones(2)) ** 3).tangent
        t.sum().backward()
    """, "t; y.grad"),
    _dual("a level inside no_grad", """
        with T.no_grad(), D.dual_level():
            t = D.unpack_dual(D.make_dual(y, T.ones(2)) ** 3).tangent
    """, "t; T.is_grad_enabled()"),
    _dual("no level", "D.make_dual(y, y)", raises="no level exists"),
    _dual("a tangent of another shape", """
        with D.dual_level():
            D.make_dual(y, T.ones(3))
    """, raises="different size"),
    _dual("an integer tangent", """
        with D.dual_level():
            D.make_dual(y, T.tensor([1, 2]))
    """, raises="Expected tangent to be floating point or complex"),
    _dual("an integer primal", """
        with D.dual_level():
            D.make_dual(T.tensor([1, 2]), y)
    """, raises="Expected primal to be floating point or complex"),
    _dual("levels do not nest", """
        with D.dual_level():
            with D.dual_level():
                pass
    """, raises="Nested forward mode AD is not supported"),
    _dual("leaving no level", "D.exit_dual_level()", raises="Dual level must be a positive number"),
]
