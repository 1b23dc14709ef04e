"""gradcheck, gradgradcheck, Function's bookkeeping and the parts of autograd that torch has no script for."""
import numpy as np
import pytest

import ringgrad
from ringgrad import autograd
from ringgrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf(*values, dtype=None):
    return ringgrad.tensor(values, dtype=dtype or ringgrad.float64, requires_grad=True)


class Cube(Function):
    """x ** 3, right to the second order."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


class WrongCube(Cube):
    """x ** 3 with the derivative of x ** 2."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x


class WrongTwice(Cube):
    """x ** 3 whose gradient is right but constant, so that its own derivative is wrong."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (3 * x * x).detach()


def test_gradcheck_accepts_what_is_right():
    assert gradcheck(Cube.apply, leaf(0.5, -1.0)) and gradgradcheck(Cube.apply, leaf(0.5, -1.0))
    assert gradcheck(lambda x, y: (x * y, x / y), (leaf(0.5, -1.0), leaf(2.0, 3.0)))
    assert gradcheck(lambda x, n: x ** n, (leaf(0.5, 1.5), 3))


def test_gradcheck_refuses_what_is_wrong():
    with pytest.raises(GradcheckError, match="output 0 with respect to input 0"):
        gradcheck(WrongCube.apply, leaf(0.5, -1.0))
    assert gradcheck(WrongCube.apply, leaf(0.5, -1.0), raise_exception=False) is False


def test_gradgradcheck_refuses_what_is_wrong_in_second_order():
    assert gradcheck(WrongTwice.apply, leaf(0.5, -1.0))
    with pytest.raises(GradcheckError):
        gradgradcheck(WrongTwice.apply, leaf(0.5, -1.0))


def test_gradcheck_takes_complex_numbers():
    z = leaf(0.5 + 1j, -1 + 0.25j, dtype=ringgrad.complex128)
    assert gradcheck(lambda z: z * z + z.conj(), z) and gradcheck(lambda z: z.abs(), z)


def test_gradcheck_needs_something_to_check():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda x: x, ringgrad.ones(2))
    with pytest.raises(ValueError, match="no output of the function requires grad"):
        gradcheck(lambda x: x.detach(), leaf(1.0))


def test_gradcheck_notices_a_backward_that_is_not_deterministic():
    calls = []

    class Drifting(Cube):
        @staticmethod
        def backward(ctx, g):
            calls.append(0)
            (x,) = ctx.saved_tensors
            return g * (3 * x * x + len(calls))

    with pytest.raises(GradcheckError, match="not deterministic"):
        gradcheck(Drifting.apply, leaf(0.5, -1.0))


def test_gradcheck_leaves_inputs_as_they_were():
    x = leaf(0.5, -1.0)
    gradcheck(Cube.apply, x)
    assert x.tolist() == [0.5, -1.0] and x.grad is None


def test_a_context_may_hold_anything():
    class Holder(Function):
        @staticmethod
        def forward(ctx, x, settings):
            ctx.settings = settings
            return x * settings["by"]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.settings["by"], None

    x = leaf(1.0, 2.0)
    Holder.apply(x, {"by": 3.0}).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_functions_inside_functions_and_views():
    x = leaf(1.0, 2.0, 3.0)
    base = x * 1
    base[1:].copy_(Cube.apply(Cube.apply(base[:2].clone())))
    base.sum().backward()
    assert base.tolist() == [1, 1, 512] and x.grad.tolist() == [1 + 9, 9 * 2.0 ** 8, 0]


def test_a_function_in_half_precision_gets_gradients_in_half():
    seen = []

    class Seen(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(g.dtype)
            return g * 2

    x = leaf(1.0, 2.0, dtype=ringgrad.bfloat16)
    Seen.apply(x).sum().backward()
    assert seen == [ringgrad.bfloat16] and x.grad.dtype == ringgrad.bfloat16 and x.grad.tolist() == [2, 2]


def test_the_gradient_from_a_function_is_not_shared_with_its_state():
    kept = ringgrad.ones(2)

    class Constant(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return kept

    x = leaf(1.0, 2.0, dtype=ringgrad.float32)
    for _ in range(2):
        Constant.apply(x).sum().backward()
    assert kept.tolist() == [1, 1] and x.grad.tolist() == [2, 2]


def test_batched_gradients_are_a_jacobian():
    x = leaf(1.0, 2.0, 3.0)
    y = ringgrad.stack([x.sum(), (x * x).sum()])
    (jacobian,) = autograd.grad(y, x, ringgrad.eye(2, dtype=ringgrad.float64), is_grads_batched=True)
    np.testing.assert_array_equal(jacobian.numpy(), [[1, 1, 1], [2, 4, 6]])


def test_gradients_for_many_inputs_at_once():
    leaves = [leaf(float(i)) for i in range(50)]
    found = autograd.grad(sum(t * (i + 1) for i, t in enumerate(leaves)), leaves)
    assert [g.item() for g in found] == list(range(1, 51))


def test_grad_of_a_shared_input_named_twice():
    x = leaf(1.0, 2.0)
    a, b = autograd.grad((x * x).sum(), [x, x])
    assert a.tolist() == b.tolist() == [2, 4]


def test_numbers_through_the_whole_of_python():
    """A loss written with sum(), powers, division and comparison chains of Python, differentiated."""
    x = leaf(1.0, 2.0, 3.0)
    loss = sum((t - i) ** 2 / (i + 1) for i, t in enumerate(x)) if x.sum() > 5 else x.sum()
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), [2.0, 1.0, 2 / 3])
