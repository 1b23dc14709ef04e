"""Initial values: fans and gains by hand and beside torch's, distributions by their moments and bounds."""
import math

import numpy as np
import pytest

import ringgrad
from ringgrad.nn import init

SHAPES = [(40, 60), (30, 20, 3, 5), (50, 10, 4)]


def drawn(function, shape, *args, seed=11, **kwargs):
    t = ringgrad.empty(*shape)
    generator = ringgrad.Generator().manual_seed(seed)
    result = function(t, *args, generator=generator, **kwargs)
    assert result is t
    return t.numpy()


def fans(shape):
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def assert_uniform(x, bound):
    assert -bound <= x.min() < -0.97 * bound
    assert 0.97 * bound < x.max() < bound
    assert abs(x.mean()) < 0.06 * bound
    assert abs(x.std() / (bound / math.sqrt(3)) - 1) < 0.05


def assert_normal(x, std):
    assert abs(x.std() / std - 1) < 0.05
    assert abs(x.mean()) < 0.1 * std
    assert 2.5 * std < np.abs(x).max() < 6 * std


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_xavier(shape):
    fan_in, fan_out = fans(shape)
    assert_uniform(drawn(init.xavier_uniform_, shape), math.sqrt(6 / (fan_in + fan_out)))
    assert_uniform(drawn(init.xavier_uniform_, shape, gain=3.0), 3 * math.sqrt(6 / (fan_in + fan_out)))
    assert_normal(drawn(init.xavier_normal_, shape, gain=0.5), 0.5 * math.sqrt(2 / (fan_in + fan_out)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kaiming(shape):
    fan_in, fan_out = fans(shape)
    assert_uniform(drawn(init.kaiming_uniform_, shape, nonlinearity="relu"), math.sqrt(2) * math.sqrt(3 / fan_in))
    assert_uniform(drawn(init.kaiming_uniform_, shape, a=math.sqrt(5)), 1 / math.sqrt(fan_in))
    assert_normal(drawn(init.kaiming_normal_, shape, mode="fan_out", nonlinearity="tanh"), 5 / 3 / math.sqrt(fan_out))
    assert_normal(drawn(init.kaiming_normal_, shape, a=0.3), math.sqrt(2 / (1 + 0.09) / fan_in))


def test_uniform_and_normal():
    x = drawn(init.uniform_, (60, 60), 2.0, 5.0)
    assert 2 <= x.min() < 2.05
    assert 4.95 < x.max() < 5
    assert_uniform(x - 3.5, 1.5)
    assert_normal(drawn(init.normal_, (60, 60), 3.0, 0.2) - 3, 0.2)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 1, -0.5, 1.5), (0, 1, 2, 4), (1, 0.5, 1.9, 3)])
def test_truncated_normal(mean, std, a, b):
    x = drawn(init.trunc_normal_, (100, 100), mean, std, a, b)
    assert a <= x.min()
    assert x.max() <= b
    grid = np.linspace(a, b, 20001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    expected = (grid * density).sum() / density.sum()
    spread = math.sqrt((grid ** 2 * density).sum() / density.sum() - expected ** 2)
    assert abs(x.mean() - expected) < 5 * spread / 100
    assert abs(x.std() / spread - 1) < 0.05


def test_truncated_normal_warns_of_bounds_far_from_the_mean():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        x = drawn(init.trunc_normal_, (20,), 0, 1, 3, 4)
    assert x.min() >= 3
    assert x.max() <= 4


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (10, 4, 3)], ids=str)
def test_orthogonal(shape):
    x = drawn(init.orthogonal_, shape, gain=2).reshape(shape[0], -1).astype(np.float64)
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    assert len({round(float(v), 4) for v in np.sign(x[:, 0])}) == 2


def test_sparse():
    x = drawn(init.sparse_, (50, 40), 0.31, std=0.2)
    np.testing.assert_array_equal((x == 0).sum(0), 16)
    assert abs(x[x != 0].std() / 0.2 - 1) < 0.1
    assert len({tuple(np.flatnonzero(column == 0)) for column in x.T}) > 30


def test_constants():
    assert np.array_equal(init.constant_(ringgrad.empty(2, 3), 0.3).numpy(), np.full((2, 3), 0.3, np.float32))
    assert np.array_equal(init.ones_(ringgrad.empty(2)).numpy(), [1, 1])
    assert np.array_equal(init.zeros_(ringgrad.empty(2)).numpy(), [0, 0])
    assert np.array_equal(init.eye_(ringgrad.empty(2, 3)).numpy(), np.eye(2, 3))


def test_dirac_keeps_the_channels():
    for groups in (1, 2):
        conv = ringgrad.nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=groups, bias=False)
        init.dirac_(conv.weight, groups)
        x = ringgrad.randn(2, 4, 6, 7)
        np.testing.assert_allclose(conv(x).detach().numpy(), x.numpy(), atol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("nonlinearity", ["linear", "conv2d", "conv_transpose1d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains(nonlinearity):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    assert init.calculate_gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)
    assert init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


REFUSED = [
    (lambda: init.calculate_gain("gelu"), "Unsupported nonlinearity gelu"),
    (lambda: init.calculate_gain("leaky_relu", True), "negative_slope True not a valid number"),
    (lambda: init.xavier_uniform_(ringgrad.empty(3)), "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"),
    (lambda: init.kaiming_normal_(ringgrad.empty(3, 3), mode="fan"), "Mode fan not supported"),
    (lambda: init.eye_(ringgrad.empty(3)), "Only tensors with 2 dimensions"),
    (lambda: init.dirac_(ringgrad.empty(3, 3)), "Only tensors with 3, 4, or 5 dimensions"),
    (lambda: init.dirac_(ringgrad.empty(3, 3, 3), groups=2), "dim 0 must be divisible by groups"),
    (lambda: init.orthogonal_(ringgrad.empty(3)), "Only tensors with 2 or more dimensions"),
    (lambda: init.sparse_(ringgrad.empty(3), 0.1), "Only tensors with 2 dimensions"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[w for _, w in REFUSED])
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_tensor_without_elements_is_left_alone():
    t = ringgrad.empty(0, 3)
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        assert init.kaiming_uniform_(t) is t


def test_parameters_that_require_grad_are_filled_and_the_write_is_counted():
    p = ringgrad.nn.Parameter(ringgrad.zeros(3))
    before = p._version
    init.ones_(p)
    assert p.tolist() == [1, 1, 1]
    assert p.requires_grad
    assert p.is_leaf
    assert p._version == before + 1


def test_the_seed_decides():
    ringgrad.manual_seed(5)
    first = [p.detach().numpy().copy() for p in ringgrad.nn.Linear(3, 4).parameters()]
    ringgrad.manual_seed(5)
    again = [p.detach().numpy() for p in ringgrad.nn.Linear(3, 4).parameters()]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], next(ringgrad.nn.Linear(3, 4).parameters()).detach().numpy())


@pytest.mark.parametrize(("layer", "bound"), [(lambda: ringgrad.nn.Linear(100, 50), 0.1), (lambda: ringgrad.nn.Conv2d(4, 64, 5), 0.1),
                                              (lambda: ringgrad.nn.ConvTranspose2d(50, 4, 5), 0.1)])
def test_layers_start_uniform_on_one_over_root_fan_in(layer, bound):
    m = layer()
    assert_uniform(m.weight.detach().numpy(), bound)
    assert np.abs(m.bias.detach().numpy()).max() <= bound
