"""Kernels for NumPy that work block by block, so that what one pass leaves is in the cache for the next: each against the plain formula."""
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad.ops import _fused, _shifted, _writers, arithmetic, conv


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


FAR = {"near 0": 0.0, "small": -300.0, "large": 400.0, "each its own": np.linspace(-500, 500, 700)[:, None]}


@pytest.mark.parametrize("shift", FAR.values(), ids=FAR)
@pytest.mark.parametrize("shape", [(700, 1601), (700, 3, 301)])
def test_log_softmax_wherever_its_rows_lie(shift, shape, monkeypatch):
    monkeypatch.setattr(_fused, "available", lambda: False)
    values = (np.random.default_rng(0).standard_normal(shape) + np.reshape(shift, (-1, *(1,) * (len(shape) - 1)))).astype(np.float32)
    x = ringgrad.from_numpy(values).requires_grad_()
    y = F.log_softmax(x, -1)
    np.testing.assert_allclose(y.detach().numpy(), log_softmax(values), rtol=2e-5, atol=2e-4)
    g = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    y.backward(ringgrad.from_numpy(g))
    np.testing.assert_allclose(x.grad.numpy(), g - np.exp(log_softmax(values)) * g.sum(-1, keepdims=True), rtol=1e-3, atol=2e-4)


def test_log_softmax_of_infinities_and_nan(monkeypatch):
    monkeypatch.setattr(_fused, "available", lambda: False)
    values = np.random.default_rng(0).standard_normal((700, 1601)).astype(np.float32)
    values[3, 5], values[4, :], values[5, 0], values[600, 7] = -np.inf, -np.inf, np.inf, np.nan
    y = F.log_softmax(ringgrad.from_numpy(values), -1).numpy()
    assert y[3, 5] == -np.inf
    assert np.isnan(y[[4, 5, 600]]).any(1).all()
    others = np.delete(np.arange(700), [3, 4, 5, 600])
    np.testing.assert_allclose(y[others], log_softmax(values[others]), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (4,), (3, 4, 5)])
def test_gradient_of_nll_loss_is_zero_but_at_the_targets(reduction, weighted, shape):
    rng = np.random.default_rng(0)
    targets = np.array(rng.integers(0, 4, shape[:1] + shape[2:] if len(shape) > 1 else ()))
    if targets.ndim:
        targets.reshape(-1)[1] = -100
    x = ringgrad.from_numpy(rng.standard_normal(shape)).requires_grad_()
    weight = ringgrad.from_numpy(rng.uniform(0.5, 2, 4)) if weighted else None
    loss = F.nll_loss(x, ringgrad.from_numpy(targets), weight, reduction=reduction)
    seed = ringgrad.from_numpy(rng.standard_normal(tuple(loss.shape)))
    got, = ringgrad.autograd.grad(loss, x, seed, retain_graph=True)
    want, = ringgrad.autograd.grad(loss, x, seed, create_graph=True)  # by the rule itself
    np.testing.assert_allclose(got.numpy(), want.detach().numpy(), rtol=1e-12, atol=1e-15)
    assert (got.numpy() != 0).sum() == (targets >= 0).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adding_a_multiple_in_place(dtype):
    """Over several blocks, the last not full; counted as a write; equal to the form that makes a new tensor."""
    n = 2 * arithmetic.BLOCK + 77
    a, b = (np.random.default_rng(k).standard_normal(n).astype(dtype) for k in range(2))
    x, y = ringgrad.from_numpy(a.copy()), ringgrad.from_numpy(b)
    version = x._version
    assert x.add_(y, alpha=-0.3) is x
    assert x._version == version + 1
    np.testing.assert_allclose(x.numpy(), a - np.dtype(dtype).type(0.3) * b, rtol=1e-6)
    np.testing.assert_array_equal(y.numpy(), b)
    x.sub_(x, alpha=0.5)
    np.testing.assert_allclose(x.numpy(), (a - 0.3 * b) / 2, rtol=1e-5, atol=1e-6)


def test_adding_neighbours_in_place_reads_the_old_values():
    n = 2 * arithmetic.BLOCK + 77
    a = np.random.default_rng(0).standard_normal(n)
    x = ringgrad.from_numpy(a.copy())
    x[1:].add_(x[:-1], alpha=2)
    np.testing.assert_allclose(x.numpy()[1:], a[1:] + 2 * a[:-1], rtol=1e-12)


def test_adding_a_multiple_in_place_is_recorded_where_a_gradient_is_wanted():
    n = arithmetic.BLOCK + 5
    x, y = ringgrad.ones(n, requires_grad=True), ringgrad.ones(n, requires_grad=True)
    z = x * 1
    z.add_(y, alpha=3)
    z.sum().backward()
    assert (x.grad.numpy() == 1).all()
    assert (y.grad.numpy() == 3).all()


SHAPES = {  # name: (input, weight, padding, dilation); stride 1
    "padded": ((5, 3, 9, 11), (4, 3, 3, 3), (1, 1), (1, 1)),
    "unequal": ((3, 4, 10, 7), (5, 4, 3, 2), (2, 0), (1, 1)),
    "dilated": ((3, 4, 12, 13), (3, 4, 3, 3), (2, 1), (2, 3)),
    "padding beyond the kernel": ((2, 4, 6, 6), (4, 4, 3, 3), (4, 4), (1, 1)),
    "one axis": ((3, 8, 20), (8, 8, 5), (2,), (1,)),
    "three axes": ((2, 3, 5, 6, 7), (3, 3, 3, 2, 3), (1, 0, 1), (1, 2, 1)),
    "several chunks": ((9, 16, 32, 32), (16, 16, 3, 3), (1, 1), (1, 1)),
}


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_convolution_of_small_images_by_shifts(shapes, monkeypatch):
    """The result and both gradients are those of the formulas, and the quick way is the one that ran."""
    x_shape, w_shape, padding, dilation = shapes
    rng, ones = np.random.default_rng(0), (1,) * len(padding)
    x, weight, bias = rng.standard_normal(x_shape), rng.standard_normal(w_shape), rng.standard_normal(w_shape[0])
    ran = []
    for name in ("convolve", "weight_gradient"):
        fn = getattr(_shifted, name)
        monkeypatch.setattr(_shifted, name, lambda *args, name=name, fn=fn: ran.append(name) or fn(*args))
    by_shifts, formula = (lambda op, *a, **k: op.kernels[np.ndarray](np, *a, **k)), (lambda op, *a, **k: op.forward(np, *a, **k))
    settings = {"stride": ones, "padding": padding, "dilation": dilation, "groups": 1}
    y = formula(conv.convolution, x, weight, bias, **settings)
    g = rng.standard_normal(y.shape)
    calls = [(conv.convolution, (x, weight, bias), {}), (conv.conv_transpose, (g, weight, None), {"size": x_shape[2:]}),
             (conv.conv_weight, (g, x), {"kernel": w_shape[2:]})]
    for op, arrays, more in calls:
        want = formula(op, *arrays, **more, **settings)
        np.testing.assert_allclose(by_shifts(op, *arrays, **more, **settings), want, rtol=1e-9, atol=1e-9)
    beyond = any(p > d * (k - 1) for p, d, k in zip(padding, dilation, w_shape[2:]))
    assert ran == ["convolve"] * (2 - beyond) + ["weight_gradient"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*_writers.UFUNCS, "relu", "clip"])
def test_writing_over_the_first_operand(name, dtype):
    """In place an op gives the values that it gives otherwise, to the bit, and the array it writes to stays where it is."""
    op, rng = getattr(ringgrad.ops, name).op, np.random.default_rng(0)
    x = rng.uniform(0.1, 2, (3, 4)).astype(dtype)
    rows = {1: [()], 2: [(rng.uniform(1, 2, s).astype(dtype),) for s in ((3, 4), (4,), ())] + [(2.5,), (3,)],
            3: [(0.5, 1.5), (0.5, None), (None, 1)]}[len(op.inputs)]
    for others in rows:
        want, y = op.forward(np, x, *others), x.copy()
        assert op.writer(y, *others)
        np.testing.assert_array_equal(y, want)


def test_writing_over_an_operand_leaves_the_rest_to_the_general_way():
    """What has to be converted, refused or recorded is not written at once."""
    whole, single = ringgrad.tensor([1, 2]), ringgrad.ones(2)
    with pytest.raises(RuntimeError, match="can't be cast"):
        whole.mul_(2.5)
    assert single.add_(whole).tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="can't be cast"):
        single.add_(ringgrad.ones(2, dtype=ringgrad.complex64))
    with pytest.raises(RuntimeError):
        single.add_(ringgrad.ones(3, 2))
    y = ringgrad.ones(2, requires_grad=True) * 1
    y.mul_(3).sum().backward()
    version = single._version
    assert single.mul_(single).tolist() == [4, 9] and single._version == version + 1
    np.testing.assert_array_equal(ringgrad.arange(4.0).view(2, 2).t().add_(1).numpy(), [[1, 3], [2, 4]])


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_mask_of_all_dimensions(requires_grad):
    values = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    for array in (values, values.transpose(2, 0, 1)):
        x = ringgrad.from_numpy(array).requires_grad_(requires_grad)
        picked = x[x > 0]
        np.testing.assert_array_equal(picked.detach().numpy(), array[array > 0])
        if requires_grad:
            picked.sum().backward()
            np.testing.assert_array_equal(x.grad.numpy(), array > 0)
    with pytest.raises(IndexError):
        ringgrad.ones(2, 3)[ringgrad.ones(3, 2, dtype=bool)]
