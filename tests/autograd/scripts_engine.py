"""Corners of the backward pass: captures beside hooks, infinite gradients at dead units, saved outputs of several, errors and their words."""
from .script import Script

DEAD = """
        x = T.tensor([-10.0, -1.0, -0.3, 0.0, 0.3, 1.0, 6.0, 7.0]).repeat({repeat}).requires_grad_()
        grads = []
        for value in (float("inf"), float("nan"), 2.0):
            y = {call}
            grads.append(T.autograd.grad(y, x, T.full_like(y, value))[0].nan_to_num(nan=77.0, posinf=88.0))
"""


def dead(call, repeat=1):
    return Script(f"infinite gradients where nothing passes: {call}, {repeat}", DEAD.format(call=call, repeat=repeat), "grads")


SCRIPTS = [
    *[dead(call, repeat) for repeat in (1, 100) for call in (
        "T.relu(x)", "T.nn.functional.relu6(x)", "T.nn.functional.hardtanh(x)", "T.nn.functional.leaky_relu(x, 0.1)", "x.clamp(-1, 1)",
        "T.nn.functional.threshold(x, 0.5, 0.1)", "T.nn.functional.hardshrink(x)", "T.nn.functional.softshrink(x)",
        "T.nn.functional.hardsigmoid(x)", "T.nn.functional.elu(x)", "T.where(x > 0, x, 0.0)")],
    Script("infinite gradients beside the largest in a pool", """
        x = T.tensor([[[1.0, 3.0, 2.0, 0.0]]], requires_grad=True)
        (g,) = T.autograd.grad(T.nn.functional.max_pool1d(x, 2), x, T.full((1, 1, 2), float("inf")))
    """, "g"),
    Script("a tensor on the way to another input is captured before its hooks", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.register_hook(lambda g: g * 10)
        both = T.autograd.grad((y * y).sum(), [y, x], retain_graph=True)
        alone = T.autograd.grad((y * y).sum(), [y])
    """, "both; alone"),
    Script("an input of autograd.grad at the end of its path leaves its node unused", """
        seen = []
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.grad_fn.register_prehook(lambda g: seen.append("ran"))
        (g,) = T.autograd.grad((y * y).sum(), y, retain_graph=True)
        first = list(seen)
        y.sum().backward()
    """, "g; first; seen"),
    Script("backward into a computed tensor and its leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        (y * y).sum().backward(inputs=[y, x])
    """, "y.grad; x.grad"),
    Script("second derivatives through the largest along a dimension", """
        x = T.tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
        v, i = (x * x).max(1)
        (g,) = T.autograd.grad((v ** 2).sum(), x, create_graph=True)
        (h,) = T.autograd.grad(g.sum(), x)
    """, "g; h"),
    Script("indices are guarded against writes", """
        x = T.tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
        v, i = x.max(1)
        i.add_(1)
        v.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("several outputs in half precision", """
        x = T.tensor([1.0, 2.0, 3.0, 60000.0], dtype=T.float16, requires_grad=True)
        a, b = (x * 1).split(2)
        (a.sum() + (b / 4).sum()).backward()
        v, i = x.detach().requires_grad_().view(2, 2).max(1)
    """, "x.grad; v"),
    Script("gradients of cat and stack of one leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.cat([x, x * 2, T.ones(1)])
        z = T.stack([x, x, x * 3], 1)
        (y * T.arange(5.0)).sum().backward()
        (z * T.arange(6.0).view(2, 3)).sum().backward()
    """, "y; z; x.grad; y.grad_fn.name(); z.grad_fn.name()"),
    Script("pieces of a tensor, some unused", """
        x = T.arange(6.0).requires_grad_()
        a, b, c = (x * 2).split([1, 2, 3])
        (c * c).sum().backward(retain_graph=True)
        first = x.grad.clone()
        (a.sum() * b.sum()).backward()
        u = x.unbind()
        (u[0] * u[3]).backward()
    """, "first; x.grad; [t.requires_grad for t in u]; a._base is None"),
    Script("a write names the operation that made the new value", """
        x = T.ones(3, requires_grad=True)
        y = x * 2
        z = y * y
        y.add_(1)
        z.sum().backward()
    """, raises="which is output 0 of Add, .*is at version 1; expected version 0 instead"),
    Script("a write to a saved output names it", """
        x = T.ones(3, requires_grad=True)
        y = x.exp()
        with T.no_grad():
            y.add_(1)
        y.sum().backward()
    """, raises="which is output 0 of Exp, .*is at version 1; expected version 0 instead"),
    Script("a write to a constant", """
        x = T.ones(3, requires_grad=True)
        c = T.ones(3)
        y = x * c
        c.add_(1)
        c.add_(1)
        y.sum().backward()
    """, raises="\\[.*3\\]\\].*is at version 2; expected version 0 instead"),
    Script("backward twice", """
        x = T.ones(3, requires_grad=True)
        y = x.exp().sum()
        y.backward()
        y.backward()
    """, raises="Trying to backward through the graph a second time"),
    Script("backward of several elements", """
        x = T.ones(3, requires_grad=True)
        (x * 2).backward()
    """, raises="grad can be implicitly created only for scalar outputs"),
    Script("backward of a constant", """
        T.ones(1).backward()
    """, raises="element 0 of tensors does not require grad and does not have a grad_fn"),
    Script("backward with a seed of another shape", """
        x = T.ones(3, requires_grad=True)
        (x * 2).backward(T.ones(2))
    """, raises="Mismatch in shape: grad_output\\[0\\] has a shape of torch.Size\\(\\[2\\]\\) and output\\[0\\] has a shape of",
           ours="Mismatch in shape: grad_output\\[0\\] has a shape of .*\\[2\\].* and output\\[0\\] has a shape of"),
    Script("autograd.grad of an unused input", """
        x, w = T.ones(3, requires_grad=True), T.ones(3, requires_grad=True)
        T.autograd.grad((x * 2).sum(), [x, w])
    """, raises="appears to not have been used in the graph"),
    Script("unused inputs as None or zeros", """
        x, w = T.ones(3, requires_grad=True), T.ones(2, requires_grad=True)
        a = T.autograd.grad((x * 2).sum(), [x, w], allow_unused=True)
        b = T.autograd.grad((x * 2).sum(), [x, w], materialize_grads=True)
    """, "a; b"),
    Script("materialize_grads contradicts allow_unused=False", """
        x = T.ones(3, requires_grad=True)
        T.autograd.grad((x * 2).sum(), x, allow_unused=False, materialize_grads=True)
    """, raises="Expected allow_unused to be True or not passed when materialize_grads=True"),
    Script("autograd.grad of an input that needs none", """
        x, c = T.ones(3, requires_grad=True), T.ones(3)
        T.autograd.grad((x * c).sum(), c)
    """, raises="does not require grad"),
    Script("backward with no inputs", """
        x = T.ones(3, requires_grad=True)
        (x * 2).sum().backward(inputs=[])
    """, raises="cannot be empty"),
    Script("batched seeds", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        (j,) = T.autograd.grad(x ** 2, x, T.eye(3), is_grads_batched=True)
    """, "j"),
    Script("seeds for several outputs", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        T.autograd.backward([x * 2, (x ** 2).sum()], [T.tensor([1.0, 10.0]), None])
    """, "x.grad"),
    Script("a deepcopy of what was computed", """
        import copy
        x = T.ones(2, requires_grad=True)
        copy.deepcopy(x * 2)
    """, raises="Only Tensors created explicitly by the user"),
    Script("a deepcopy of a leaf keeps its gradient", """
        import copy
        x = T.ones(2, requires_grad=True)
        (x * 3).sum().backward()
        y = copy.deepcopy(x)
        x.grad.zero_()
    """, "y; y.grad; y.is_leaf"),
    Script("grad mode in hooks", """
        modes = []
        x = T.ones(2, requires_grad=True)
        y = x * 2
        y.register_hook(lambda g: modes.append((T.is_grad_enabled(), g.requires_grad)))
        x.register_hook(lambda g: modes.append((T.is_grad_enabled(), g.requires_grad)))
        x.register_post_accumulate_grad_hook(lambda p: modes.append(T.is_grad_enabled()))
        y.exp().sum().backward(retain_graph=True)
        T.autograd.grad(y.exp().sum(), x, create_graph=True)
    """, "modes"),
    Script("the modules of old", """
        from importlib import import_module
        variable = import_module(T.__name__ + ".autograd.variable").Variable
        modes = import_module(T.__name__ + ".autograd.grad_mode")
        Function = import_module(T.__name__ + ".autograd.function").Function
        from_top = T.autograd.Variable
        x = variable(T.ones(2), requires_grad=True)
        with modes.no_grad(), T.autograd.set_multithreading_enabled(False):
            y = x * 2
        (x * 2).sum().backward()
    """, "x; x.grad; y; isinstance(x, from_top); isinstance(T.ones(1), variable); isinstance(3, variable); Function is T.autograd.Function"),
    Script("Variable of a list", """
        T.autograd.Variable([1.0])
    """, raises="Variable data has to be a tensor, but got list"),
    Script("a hook sees the strides of the gradient", """
        strides = []
        x = T.ones(2, 3, requires_grad=True)
        x.register_hook(lambda g: strides.append(tuple(g.shape)))
        x.t().contiguous().sum().backward()
    """, "strides; x.grad; x.grad.is_contiguous()"),
    Script("a view made without grad mode", """
        x = T.ones(3, requires_grad=True)
        y = x * 2
        with T.no_grad():
            v = y[:1]
        flags = v.requires_grad, v.is_leaf, v._is_view(), v.grad_fn is None
        w = v * 1
        flags += (w.requires_grad,)
    """, "flags"),
    Script("a view made without grad mode, of a leaf", """
        x = T.ones(3, requires_grad=True)
        with T.no_grad():
            v = x[:1]
            u = x.view(3)
        flags = v.requires_grad, v.is_leaf, u.requires_grad
        with T.no_grad():
            v.mul_(5)
    """, "flags; x; v.detach(); x._version"),
    Script("a view made without grad mode cannot be written with it", """
        x = T.ones(3, requires_grad=True)
        y = x * 2
        with T.no_grad():
            v = y[:1]
        v.mul_(2)
    """, raises="A view was created in no_grad mode and is being modified inplace with grad mode enabled"),
    Script("a view made without grad mode of a constant can be written", """
        y = T.ones(3)
        with T.no_grad():
            v = y[:1]
        v.mul_(2)
    """, "y; v; y.requires_grad"),
    Script("writing a part with gradients into a view made without grad mode", """
        x = T.ones(1, requires_grad=True)
        y = T.ones(3)
        with T.no_grad():
            v = y[:1]
        v.mul_(x)
    """, raises="A view was created in no_grad mode"),
    Script("pieces of chunk cannot be written", """
        x = T.ones(4, requires_grad=True)
        a, b = (x * 1).chunk(2)
        a.mul_(2)
    """, raises="Output 0 of Split is a view and is being modified inplace"),
    Script("parts of unbind cannot be written", """
        x = T.ones(2, 2, requires_grad=True)
        a, b = (x * 1).unbind(1)
        b.zero_()
    """, raises="Output 1 of Unbind is a view and is being modified inplace"),
    Script("pieces of a constant can be written", """
        x = T.ones(4)
        a, b = x.split(2)
        a.mul_(3)
    """, "x; a"),
    Script("an expanded tensor cannot be written", """
        T.ones(1).expand(3).add_(1)
    """, raises="more than one element of the written-to tensor refers to a single memory location"),
    Script("an expanded tensor cannot be filled or copied to", """
        T.ones(1).expand(3).copy_(T.ones(3))
    """, raises="more than one element of the written-to tensor refers to a single memory location"),
    Script("anomaly mode with and without the search for nan", """
        x = T.zeros(2, requires_grad=True)
        with T.autograd.detect_anomaly(check_nan=False):
            (x.sqrt() * 0).sum().backward()
        g = x.grad.nan_to_num(nan=7.0)
        inside = []
        with T.autograd.set_detect_anomaly(True):
            inside.append(T.is_anomaly_enabled())
        inside.append(T.is_anomaly_enabled())
    """, "g; inside"),
    Script("anomaly mode finds the nan", """
        x = T.zeros(2, requires_grad=True)
        with T.autograd.detect_anomaly():
            (x.sqrt() * 0).sum().backward()
    """, raises="Function 'SqrtBackward0' returned nan values in its 0th output."),
    Script("inference tensors", """
        with T.inference_mode():
            x = T.ones(2)
            y = x * 2
        flags = x.is_inference(), y.is_inference(), y.requires_grad, T.ones(1).is_inference()
        z = y.clone()
        w = T.ones(2, requires_grad=True)
        out = w * z
    """, "flags; out; z.is_inference()"),
    Script("an inference tensor cannot be saved", """
        with T.inference_mode():
            x = T.ones(2)
        w = T.ones(2, requires_grad=True)
        w * x
    """, raises="Inference tensors cannot be saved for backward"),
    Script("an inference tensor cannot be written outside", """
        with T.inference_mode():
            x = T.ones(2)
        x.add_(1)
    """, raises="Inplace update to inference tensor outside InferenceMode is not allowed"),
    Script("an inference tensor cannot require grad", """
        with T.inference_mode():
            x = T.ones(2)
        x.requires_grad_()
    """, raises="inference tensor"),
    Script("an inference tensor has no version", """
        with T.inference_mode():
            x = T.ones(2)
        x._version
    """, raises="Inference tensors do not track version counter"),
    Script("a view made without grad mode whose base was written with it", """
        x = T.ones(1, requires_grad=True)
        c = T.ones(3)
        with T.no_grad():
            u = c[:1]
        c.mul_(x)
        u * 1
    """, raises="its base or another view of its base has been modified inplace with grad mode enabled"),
    Script("a Function with what torch.func would ask of it", """
        class Scale(T.autograd.Function):
            generate_vmap_rule = True
            @staticmethod
            def forward(a):
                return a * 3
            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.needs = ctx.needs_input_grad
            @staticmethod
            def backward(ctx, g):
                return g * 3
            @staticmethod
            def jvp(ctx, t):
                return t * 3
        x = T.ones(2, requires_grad=True)
        y = Scale.apply(x)
        y.sum().backward()
    """, "y; x.grad; y.grad_fn.name(); y.grad_fn.needs"),
    Script("saved inputs of a Function require grad in its backward", """
        seen = []
        class Square(T.autograd.Function):
            @staticmethod
            def forward(ctx, a):
                ctx.save_for_backward(a)
                return a * a
            @staticmethod
            def backward(ctx, g):
                (a,) = ctx.saved_tensors
                with T.enable_grad():
                    y = a * a
                seen.append((a.requires_grad, T.is_grad_enabled()))
                return T.autograd.grad(y, a, g)[0]
        x = T.tensor([1.0, 3.0], requires_grad=True)
        Square.apply(x).sum().backward()
    """, "seen; x.grad"),
    Script("a tensor hook that returns itself in other words", """
        x = T.tensor([1.0, 3.0], requires_grad=True)
        handles = [x.register_hook(lambda g, k=k: g + k) for k in (1, 10, 100)]
        handles[1].remove()
        (x * 2).sum().backward()
        kinds = len({h.id for h in handles})
    """, "x.grad; kinds"),
    Script("an operation in place on a leaf", """
        x = T.ones(2, requires_grad=True)
        x += 1
    """, raises="a leaf Variable that requires grad is being used in an in-place operation"),
    Script("an operation in place on a view of a leaf", """
        x = T.ones(2, requires_grad=True)
        x[0] = 1
    """, raises="a view of a leaf Variable that requires grad is being used in an in-place operation"),
    Script("retain_grad of a constant", """
        T.ones(2).retain_grad()
    """, raises="can't retain_grad on Tensor that has requires_grad=False"),
    Script("reading .grad of a computed tensor that keeps none", """
        x = T.ones(2, requires_grad=True)
        y = x * 2
        z = y * 3
        y.retain_grad()
        z.sum().backward()
    """, "y.grad; y.retains_grad; z.retains_grad; x.retains_grad"),
    Script("requires_grad of a computed tensor cannot be switched off", """
        x = T.ones(2, requires_grad=True)
        (x * 2).requires_grad = False
    """, raises="you can only change requires_grad flags of leaf variables"),
    Script("integers cannot require grad", """
        T.ones(2, dtype=T.int64).requires_grad_()
    """, raises="floating point"),
]
