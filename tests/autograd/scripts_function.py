"""autograd.Function: forward and backward written by hand."""
from .script import Script

SCRIPTS = [
    Script("a square with save_for_backward", """
        class Square(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 2 * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Square.apply(x)
        y.sum().backward()
    """, "y; x.grad; y.grad_fn.name(); y.is_leaf"),
    Script("forward runs without recording", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                seen.append((T.is_grad_enabled(), (x * 2).requires_grad))
                return x * 2
            @staticmethod
            def backward(ctx, g):
                seen.append((T.is_grad_enabled(), g.requires_grad))
                return g * 2
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        F.apply(x).sum().backward()
    """, "seen; x.grad"),
    Script("several inputs, some of them no tensors", """
        class Scale(T.autograd.Function):
            @staticmethod
            def forward(ctx, x, factor, y, mode):
                ctx.factor, ctx.mode = factor, mode
                ctx.save_for_backward(x, y)
                seen.append(ctx.needs_input_grad)
                return x * factor * y
            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                seen.append(ctx.needs_input_grad)
                return g * ctx.factor * y, None, g * ctx.factor * x if ctx.needs_input_grad[2] else None, None
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0])
        Scale.apply(x, 2.5, y, "mode").sum().backward()
        y.requires_grad_()
        Scale.apply(x, 2.5, y, "mode").sum().backward()
    """, "seen; x.grad; y.grad"),
    Script("several outputs", """
        class Both(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2, x * 3
            @staticmethod
            def backward(ctx, a, b):
                seen.append((a.tolist(), b.tolist()))
                return a * 2 + b * 3
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        a, b = Both.apply(x)
        (a * b).sum().backward()
        c, d = Both.apply(x)
        d.sum().backward()
    """, "a; b; x.grad; seen"),
    Script("outputs without gradient, not materialized", """
        class Both(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return x * 2, x * 3
            @staticmethod
            def backward(ctx, a, b):
                seen.append((a is None, b is None))
                return b * 3
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        Both.apply(x)[1].sum().backward()
    """, "x.grad; seen"),
    Script("an output that carries no gradient", """
        class Sorted(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                order = x.argsort()
                ctx.mark_non_differentiable(order)
                ctx.save_for_backward(order)
                return x[order], order
            @staticmethod
            def backward(ctx, g, _):
                (order,) = ctx.saved_tensors
                out = T.zeros(3)
                out[order] = g
                return out
        x = T.tensor([3.0, 1.0, 2.0], requires_grad=True)
        values, order = Sorted.apply(x)
        (values * T.tensor([1.0, 10.0, 100.0])).sum().backward()
    """, "values; order; x.grad"),
    Script("a float output marked non-differentiable", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                a, b = x * 2, x * 3
                ctx.mark_non_differentiable(b)
                return a, b
            @staticmethod
            def backward(ctx, a, b):
                return a * 2
        x = T.tensor([1.0, 2.0], requires_grad=True)
        a, b = F.apply(x)
        a.sum().backward()
    """, "a; b; x.grad"),
    Script("an input written in place and marked dirty", """
        class Double(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x
            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        z = Double.apply(y)
        (z * z).sum().backward()
    """, "z is y; y; x.grad"),
    Script("a leaf written in place and marked dirty", """
        class Double(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x
            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = T.tensor([1.0, 2.0], requires_grad=True)
        Double.apply(x)
    """, raises="a leaf Variable that requires grad"),
    Script("an input returned as it is", """
        class Identity(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x
            @staticmethod
            def backward(ctx, g):
                return g * 7
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Identity.apply(x)
        y.sum().backward()
    """, "y is x; y; x.grad"),
    Script("a view of an input returned", """
        class First(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.shape = x.shape
                return x[0]
            @staticmethod
            def backward(ctx, g):
                out = T.zeros(ctx.shape)
                out[0] = g
                return out
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        y = First.apply(x)
        (y * y).sum().backward()
    """, "y; x.grad"),
    Script("double backward through a Function", """
        class Cube(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3
            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 3 * x * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (g,) = T.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
        (h,) = T.autograd.grad(g.sum(), x, create_graph=True)
        (k,) = T.autograd.grad(h.sum(), x)
    """, "g; h; k"),
    Script("double backward through a saved output", """
        class Exp(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = x.exp()
                ctx.save_for_backward(y)
                return y
            @staticmethod
            def backward(ctx, g):
                (y,) = ctx.saved_tensors
                return g * y
        x = T.tensor([0.5, -1.0], requires_grad=True)
        (g,) = T.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
        (h,) = T.autograd.grad((g * g).sum(), x)
    """, "g; h"),
    Script("once_differentiable refuses a second derivative", """
        class Cube(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3
            @staticmethod
            @T.autograd.function.once_differentiable
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 3 * x * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (g,) = T.autograd.grad((Cube.apply(x) * x).sum(), x, create_graph=True)
        g.sum().backward()
    """, raises="marked with @once_differentiable"),
    Script("once_differentiable allows the first", """
        class Cube(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3
            @staticmethod
            @T.autograd.function.once_differentiable
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 3 * x * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        Cube.apply(x).sum().backward()
    """, "x.grad"),
    Script("setup_context apart from forward", """
        class Scale(T.autograd.Function):
            @staticmethod
            def forward(x, factor):
                return x * factor
            @staticmethod
            def setup_context(ctx, inputs, output):
                x, ctx.factor = inputs
                ctx.save_for_backward(x, output)
            @staticmethod
            def backward(ctx, g):
                x, output = ctx.saved_tensors
                return g * output / x, None
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Scale.apply(x, 3.0)
        y.sum().backward()
    """, "y; x.grad"),
    Script("too many gradients", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g, g
        F.apply(T.ones(2, requires_grad=True)).sum().backward()
    """, raises="incorrect number of gradients .expected 1, got 2"),
    Script("too few gradients", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y
            @staticmethod
            def backward(ctx, g):
                return g
        F.apply(T.ones(2, requires_grad=True), T.ones(2, requires_grad=True)).sum().backward()
    """, raises="incorrect number of gradients .expected 2, got 1"),
    Script("trailing None gradients are welcome", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2, None, None
        x = T.ones(2, requires_grad=True)
        F.apply(x).sum().backward()
    """, "x.grad"),
    Script("None as a gradient that was wanted", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return None
        x = T.ones(2, requires_grad=True)
        F.apply(x).sum().backward()
    """, "x.grad"),
    Script("a gradient of a shape that does not fit", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return T.ones(5)
        F.apply(T.ones(2, requires_grad=True)).sum().backward()
    """, raises="invalid gradient at index 0"),
    Script("a gradient that broadcasts is summed", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y
            @staticmethod
            def backward(ctx, g):
                return g * 2, g * 3
        x, y = T.ones(2, 3, requires_grad=True), T.ones(3, requires_grad=True)
        F.apply(x, y).sum().backward()
    """, "x.grad; y.grad"),
    Script("a gradient that is no tensor", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return 5
        F.apply(T.ones(2, requires_grad=True)).sum().backward()
    """, raises="expected Variable or None", ours="expected"),
    Script("no input requires grad", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * 2
            @staticmethod
            def backward(ctx, g):
                raise AssertionError
        y = F.apply(T.ones(2))
    """, "y; y.grad_fn"),
    Script("applied without recording", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g
        with T.no_grad():
            y = F.apply(T.ones(2, requires_grad=True))
    """, "y; y.is_leaf"),
    Script("a saved input overwritten", """
        class Square(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 2 * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        h = x * 1
        y = Square.apply(h).sum()
        h.add_(1)
        y.backward()
    """, raises="modified by an inplace operation"),
    Script("a Function's graph is freed as well", """
        class Square(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 2 * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Square.apply(x).sum()
        y.backward()
        y.backward()
    """, raises="second time"),
    Script("a Function that saved nothing can run twice", """
        class Double(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = Double.apply(x).sum()
        y.backward()
        y.backward()
    """, "x.grad"),
    Script("save_for_backward takes tensors and None only", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x, None, 5)
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g
        F.apply(T.ones(2, requires_grad=True))
    """, raises="save_for_backward can only save variables"),
    Script("None is kept by save_for_backward", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x, bias):
                ctx.save_for_backward(x, bias)
                return x * 2
            @staticmethod
            def backward(ctx, g):
                x, bias = ctx.saved_tensors
                seen.append(bias is None)
                return g * x, None
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        F.apply(x, None).sum().backward()
    """, "seen; x.grad"),
    Script("an exception in backward comes out", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                raise ZeroDivisionError("mine")
        F.apply(T.ones(2, requires_grad=True)).sum().backward()
    """, raises="mine"),
    Script("without a backward", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
        F.apply(T.ones(2, requires_grad=True)).sum().backward()
    """, raises="implement"),
    Script("a Function is not instantiated and called", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
        F()(T.ones(2))
    """, raises="Legacy autograd function"),
    Script("hooks on a Function's output", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = T.ones(2, requires_grad=True)
        y = F.apply(x)
        y.register_hook(lambda g: g * 10)
        y.sum().backward()
    """, "x.grad"),
    Script("a straight-through estimator in a chain", """
        class Sign(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.sign()
            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * (x.abs() <= 1)
        x = T.tensor([-2.0, -0.5, 0.5, 2.0], requires_grad=True)
        (Sign.apply(x * 1.5) * x).sum().backward()
    """, "x.grad"),
    Script("an in-place operation on a Function's output", """
        class F(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2
        x = T.ones(2, requires_grad=True)
        y = F.apply(x)
        y.mul_(5)
        y.sum().backward()
    """, "y; x.grad"),
    Script("a non-contiguous gradient from backward", """
        class Transposed(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.t()
            @staticmethod
            def backward(ctx, g):
                return g.t()
        x = T.arange(6.0).reshape(2, 3).requires_grad_()
        y = Transposed.apply(x)
        (y * y).sum().backward()
        (x * 2).sum().backward()
    """, "x.grad"),
    Script("needs_input_grad under a partial autograd.grad", """
        class Mul(T.autograd.Function):
            @staticmethod
            def forward(ctx, x, y):
                ctx.save_for_backward(x, y)
                return x * y
            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                return g * y, g * x
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0], requires_grad=True)
        g = T.autograd.grad(Mul.apply(x, y).sum(), [y])
    """, "g"),
]
