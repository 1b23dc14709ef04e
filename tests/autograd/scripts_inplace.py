"""In-place operations, views, and the version counter that guards what was saved."""
from .script import Script

SCRIPTS = [
    Script("in-place on a computed tensor", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        same = y.mul_(3)
        y.add_(x)
        y.sum().backward()
    """, "same is y; y; x.grad"),
    Script("in-place returns the same object through operators", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        before = y
        y += 1
        y *= x
        y -= 0.5
        y /= 2
        y.sum().backward()
    """, "before is y; y; x.grad"),
    Script("in-place on a leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.add_(1)
    """, raises="a leaf Variable that requires grad"),
    Script("+= on a leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x += 1
    """, raises="a leaf Variable that requires grad"),
    Script("in-place on a leaf without recording", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            x.add_(1)
        (x * x).sum().backward()
    """, "x; x.grad; x.is_leaf"),
    Script("an operand overwritten after it was saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        z = (y * y).sum()
        y.add_(1)
        z.backward()
    """, raises="modified by an inplace operation"),
    Script("a leaf overwritten after it was saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        z = (x * x).sum()
        with T.no_grad():
            x.add_(1)
        z.backward()
    """, raises="modified by an inplace operation"),
    Script("a result overwritten after it was saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        y.add_(1)
        y.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("a result overwritten that nobody saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x + 1
        y.mul_(3)
        y.sum().backward()
    """, "y; x.grad"),
    Script("a constant overwritten after it was saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([3.0, 4.0])
        y = (x * c).sum()
        c.zero_()
        y.backward()
    """, raises="modified by an inplace operation"),
    Script("overwritten where its value is not needed", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([3.0, 4.0])
        y = (x + c).sum()
        c.zero_()
        y.backward()
    """, "x.grad"),
    Script("the side that needs no gradient is not saved", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        c = T.tensor([3.0, 4.0])
        h = x * 1
        y = (h * c).sum()
        h.zero_()
        y.backward()
    """, "x.grad"),
    Script("the error says which version it expected", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        z = (y * y).sum()
        y.add_(1)
        y.add_(1)
        z.backward()
    """, raises="is at version 2; expected version 0"),
    Script("in-place functions that save their result", """
        x = T.tensor([0.3, 0.7], requires_grad=True)
        y = [(x * 1).exp_(), (x * 1).sigmoid_(), (x * 1).tanh_(), (x * 1).sqrt_(), (x * 1).reciprocal_(), (x * 1).relu_()]
        sum(t.sum() for t in y).backward()
    """, "y; x.grad"),
    Script("an in-place function over a result that is needed", """
        x = T.tensor([0.3, 0.7], requires_grad=True)
        y = (x * 1).exp_().tanh_()
        y.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("in-place functions that need their old operand", """
        x = T.tensor([0.3, 0.7], requires_grad=True)
        y = (x * 1).pow_(3).mul_(x).sin_()
        y.sum().backward()
    """, "y; x.grad"),
    Script("in-place multiplication by itself", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 1
        y.mul_(y)
        y.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("in-place addition of itself", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 1
        y.add_(y)
        y.sum().backward()
    """, "y; x.grad"),
    Script("a constant takes up history", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        z = T.zeros(2)
        z.add_(x)
        z.mul_(x)
        z.sum().backward()
    """, "z; x.grad; z.is_leaf"),
    Script("zero_ forgets the history's weight", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.zero_()
        y.add_(x * 5)
        y.sum().backward()
    """, "y; x.grad"),
    Script("fill_ and copy_", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.fill_(7.0)
        z = T.zeros(2)
        z.copy_(x)
        (y + z * z).sum().backward()
    """, "y; z; x.grad"),
    Script("copy_ converts and broadcasts", """
        z = T.zeros(2, 3)
        z.copy_(T.tensor([1, 2, 3]))
    """, "z"),
    Script("masked_fill_ blocks the gradient", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        y.masked_fill_(T.tensor([True, False, True]), -1.0)
        (y * y).sum().backward()
    """, "y; x.grad"),
    Script("clamp_ in place", """
        x = T.tensor([-2.0, 0.5, 3.0], requires_grad=True)
        y = (x * 1).clamp_(-1.0, 1.0)
        y.sum().backward()
    """, "y; x.grad"),
    Script("writing through a view reaches the base", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        base = x * 1
        base[0].mul_(10)
        (base * base).sum().backward()
    """, "base; x.grad"),
    Script("writing to the base reaches the view", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        base = x * 1
        v = base.view(4)
        base.mul_(10)
        (v * v).sum().backward()
    """, "v; x.grad; v.requires_grad"),
    Script("writing through one view reaches another", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        base = x * 1
        row, column = base[0], base[:, 0]
        row.mul_(10)
        (column * column).sum().backward()
    """, "row; column; x.grad"),
    Script("writing through a view of a view", """
        x = T.arange(12.0).reshape(3, 4).requires_grad_()
        base = x * 1
        base.t()[1:].narrow(1, 0, 2).mul_(-1)
        (base * base * base).sum().backward()
    """, "base; x.grad"),
    Script("a view written twice, with reads between", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        base = x * 1
        v = base[:2]
        v.mul_(2)
        first = base.sum()
        v.add_(x[1:])
        (first + (base * base).sum()).backward()
    """, "base; v; x.grad"),
    Script("what a view had before is not what it has now", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = x * 1
        v = base[0]
        w = (v * v).sum()
        base.add_(1)
        w.backward()
    """, raises="modified by an inplace operation"),
    Script("a saved base overwritten through a view", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = x * 1
        w = (base * base).sum()
        base[0].add_(1)
        w.backward()
    """, raises="modified by an inplace operation"),
    Script("a view's gradient function after the base changed", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        base = T.zeros(2, 2)
        v = base.view(4)
        before = v.requires_grad
        base.add_(x)
        after = v.requires_grad
        (v * T.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    """, "before; after; x.grad"),
    Script("a history enters a constant through its view", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = T.zeros(2, 2)
        v = base[1]
        v.add_(x)
        (base * base).sum().backward()
    """, "base; base.requires_grad; x.grad"),
    Script("assignment by index", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = T.zeros(2, 2)
        base[0] = x
        base[1, 1] = x[0] * 3
        (base * base).sum().backward()
    """, "base; x.grad"),
    Script("assignment cuts what was there", """
        x = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        y[0] = 5.0
        y[1:] = y[1:] * 2
        y.sum().backward()
    """, "y; x.grad"),
    Script("assignment by mask and by list", """
        x = T.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
        y = x * 1
        y[y > 2.5] = 0.0
        z = x * 1
        z[T.tensor([0, 2])] = T.tensor([7.0, 8.0])
        z[[1, 3]] = x[:2]
        (y * z).sum().backward()
    """, "y; z; x.grad"),
    Script("assignment to a leaf", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x[0] = 5.0
    """, raises="leaf Variable that requires grad"),
    Script("assignment of a shape that does not fit", """
        T.zeros(2, 3)[0] = T.ones(4)
    """, raises="must match"),
    Script("a view of a leaf written in place", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x[0].mul_(2)
    """, raises="view of a leaf Variable"),
    Script("a leaf's view written without recording", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        with T.no_grad():
            x[0].mul_(5)
            x[1] = -1.0
        (x * x).sum().backward()
    """, "x; x.grad"),
    Script("a view made without recording, written while recording", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = x * 1
        with T.no_grad():
            v = base[0]
        v.mul_(2)
    """, raises="no_grad"),
    Script("one of several views written in place", """
        x = T.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        rows = (x * 1).unbind(0)
        rows[0].mul_(2)
    """, raises="multiple views"),
    Script("one of several views of a constant written in place", """
        base = T.tensor([[1.0, 2.0], [3.0, 4.0]])
        base.unbind(0)[0].mul_(2)
        base.split(1)[1].add_(1)
        base.chunk(2)[1].add_(1)
    """, "base"),
    Script("detach shares memory", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        y.detach().mul_(5)
        y.sum().backward()
    """, "y; x.grad"),
    Script("writes through detach are noticed", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        z = (y * y).sum()
        y.detach().mul_(5)
        z.backward()
    """, raises="modified by an inplace operation"),
    Script("writes through data are not noticed", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        z = (y * y).sum()
        y.data.mul_(5)
        z.backward()
    """, "y; x.grad; y._version"),
    Script("data replaces what a tensor holds", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        x.data = T.tensor([5.0, 6.0])
        (x * x).sum().backward()
    """, "x; x.grad; x.is_leaf"),
    Script("version counter", """
        x = T.zeros(2, 2)
        seen = [x._version]
        x.add_(1); seen.append(x._version)
        x[0].mul_(2); seen.append(x._version)
        x.view(4).zero_(); seen.append(x._version)
        x.detach().add_(1); seen.append(x._version)
        x[0, 0] = 3.0; seen.append(x._version)
        x.clone().add_(1); seen.append(x._version)
        x + 1; seen.append(x._version)
    """, "seen; x[0]._version; x.clone()._version"),
    Script("a result of a higher category", """
        T.tensor([1, 2]).add_(0.5)
    """, raises="can't be cast"),
    Script("a result of a higher category, by true division", """
        x = T.tensor([1, 2])
        x /= 2
    """, raises="can't be cast"),
    Script("a result of a lower or wider type is stored in the target's", """
        x = T.tensor([1.0, 2.0])
        x.add_(T.tensor([1, 2]))
        x.mul_(T.tensor([1.5, 2.5], dtype=T.float64))
        y = T.tensor([1, 2], dtype=T.int8)
        y.add_(T.tensor([100, 127]))
    """, "x; y"),
    Script("a result of a greater shape", """
        T.zeros(3).add_(T.ones(2, 3))
    """, raises="doesn't match the broadcast shape"),
    Script("an operand that broadcasts to the target", """
        x = T.zeros(2, 3)
        w = T.tensor([1.0, 2.0, 3.0], requires_grad=True)
        x.add_(w)
        x.sum().backward()
    """, "x; w.grad"),
    Script("writing to an expanded tensor", """
        T.zeros(1).expand(3).add_(1)
    """, raises="single memory location"),
    Script("in-place on a transposed tensor", """
        x = T.arange(6.0).reshape(2, 3)
        w = T.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        y.t().mul_(w)
        y.sum().backward()
    """, "y; w.grad"),
    Script("detach_ of a view", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        (x * 1)[0].detach_()
    """, raises="detach", ours="view"),
    Script("a recurrence written into a buffer", """
        w = T.tensor([1.0, 0.5, 0.25], requires_grad=True)
        state = T.zeros(4)
        for i in range(3):
            state[i + 1] = state[i] * 0.5 + w[i]
        state.sum().backward()
    """, "state; w.grad"),
    Script("a recurrence whose products were overwritten", """
        w = T.tensor([1.0, 0.5, 0.25], requires_grad=True)
        state = T.ones(4)
        for i in range(3):
            state[i + 1] = state[i] * w[i]
        state.sum().backward()
    """, raises="modified by an inplace operation"),
    Script("requires_grad_ on a buffer that is then read", """
        base = T.zeros(3)
        v = base[1:]
        base.requires_grad_()
        (base * 2).sum().backward()
    """, "base.grad; v.tolist()"),
    Script("several views after a write to their base", """
        x = T.ones(3, 4, requires_grad=True)
        base = x * 1
        parts = base.unbind(0)
        base.mul_(2)
        parts[0].sum()
    """, raises="is a view and its base or another view of its base has been modified inplace.*returns multiple views"),
    Script("several views of a constant that takes up history", """
        x = T.ones(4, 2, requires_grad=True)
        base = T.zeros(4, 2)
        parts = base.split(2)
        base.add_(x)
        parts[1].sum()
    """, raises="its base or another view of its base has been modified inplace.*returns multiple views"),
    Script("which results are views", """
        x = T.arange(6.0).reshape(2, 3)
        seen = [t._is_view() for t in (x[0], x[:, 1:], x.t(), x.view(3, 2), x.unsqueeze(0), x.squeeze(), x.expand(4, 2, 3), x.permute(1, 0),
                                       x.narrow(1, 0, 2), x.flatten(), x.detach(), x + 1, x.clone(), x[[0]], x[x > 1])]
    """, "seen"),
    Script("a gradient that was used and then added to", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        w = T.tensor([3.0, 4.0], requires_grad=True)
        (x * 2).sum().backward()
        y = (x.grad * w).sum()
        (x * 5).sum().backward()
        y.backward()
    """, raises="modified by an inplace operation"),
    Script("a view read without recording after a write to its base", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        base = x * 1
        v = base[:1]
        base.mul_(3)
        with T.no_grad():
            seen = v.sum().item()
        (v * v).sum().backward()
    """, "seen; x.grad"),
    Script("a gradient that was seen is not overwritten by the next pass's graph", """
        x = T.tensor([1.0, 2.0], requires_grad=True)
        y = T.tensor([3.0, 4.0], requires_grad=True)
        (x + y).sum().backward()
        x.grad.mul_(10)
    """, "x.grad; y.grad"),
    *[Script(f"writing to the result of {call}", f"""
        x = T.tensor([[3.0, -1.0, 2.0, 0.5], [0.25, 4.0, 1.0, -2.0]], requires_grad=True)
        y = {call}
        y = y if T.is_tensor(y) else y[0]
        y.mul_(3).add_(1)
        y.sum().backward()
    """, "y, x.grad") for call in (
        "x.max(1)", "x.min(0)", "x.median(1)", "x.sort(1)", "x.topk(2)", "x.kthvalue(2)", "x.mode(1)", "x.cummax(1)", "x.cummin(0)", "x.msort()",
        "T.nn.functional.max_pool1d(x, 2)", "T.nn.functional.max_pool2d(x[None], 2)", "T.nn.functional.adaptive_max_pool1d(x, 2)",
        "T.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])")],
    *[Script(f"writing to a part from {call}", f"""
        x = T.arange(12.0).reshape(4, 3).requires_grad_()
        y = x * 1
        parts = y.{call}
        parts[1].mul_(10)
        (y * y).sum().backward()
    """, "y, x.grad, [p.shape for p in parts]") for call in ("tensor_split(3)", "tensor_split([1, 3], dim=0)", "hsplit(3)", "vsplit([2])")],
]
