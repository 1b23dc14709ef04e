"""SyncBatchNorm on several ranks equals BatchNorm on the whole batch."""

import numpy as np
import pytest

import ringgrad
from ringgrad import distributed as dist
from ringgrad import nn
from ringgrad._core import hooks
from ringgrad.distributed.ddp import DistributedDataParallel
from ringgrad.distributed.sync_batchnorm import SyncBatchNorm

TIMEOUT_S = 30
CHANNELS = 3


def on_ranks(n, function, *args):
    """What function(*args) returned on each of n ranks, which are threads."""
    return dist.spawn_local(function, n, *args, timeout=TIMEOUT_S)


def seeded(module, seed=0):
    random = np.random.default_rng(seed)
    for p in module.parameters():
        hooks.array(p)[...] = random.normal(1, 0.5, tuple(p.shape))
    return module.double()


def data(rows, dims):
    random = np.random.default_rng(rows)
    shape = (rows, CHANNELS, *range(2, 2 + dims))
    return random.normal(3, 2, shape), random.normal(size=shape)


def state(norm):
    return {name: value.numpy().copy() for name, value in norm.state_dict().items()}


def run(norm, x, g, steps=2):
    """Output, gradient of the input, and everything the layer has, after forward passes in training and a backward pass."""
    for _ in range(steps):
        x_in = ringgrad.tensor(x).requires_grad_()
        out = norm(x_in)
    out.backward(ringgrad.tensor(g))
    grads = {name: p.grad.numpy().copy() for name, p in norm.named_parameters()}
    return out.detach().numpy(), x_in.grad.numpy(), state(norm), grads


def close(found, expected):
    return np.allclose(found, expected, rtol=1e-11, atol=1e-12)


OPTIONS = {"default": {}, "plain average": {"momentum": None}, "no affine": {"affine": False},
           "no running statistics": {"track_running_stats": False}}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dims", [0, 1, 2])
@pytest.mark.parametrize("cuts", [(0, 6), (0, 2, 4, 6), (0, 1, 6), (0, 0, 6), (0, 5, 5, 6)])
def test_equals_batch_norm_on_the_whole_batch(options, dims, cuts):
    whole = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}[dims](CHANNELS, **options)
    x, g = data(6, dims)
    out, gx, after, grads = run(seeded(whole), x, g)

    def program():
        rows = slice(*cuts[dist.get_rank() : dist.get_rank() + 2])
        return run(seeded(SyncBatchNorm(CHANNELS, **options)), x[rows], g[rows])

    found = on_ranks(len(cuts) - 1, program)
    assert close(np.concatenate([each[0] for each in found]), out)
    assert close(np.concatenate([each[1] for each in found]), gx)
    for name, value in after.items():
        assert all(close(each[2][name], value) for each in found), name
    for name, value in grads.items():
        assert close(sum(each[3][name] for each in found), value), name


def test_in_evaluation_it_uses_running_statistics_and_does_not_communicate():
    def program():
        norm = seeded(SyncBatchNorm(CHANNELS)).eval()
        norm.running_mean += 1
        x = ringgrad.tensor(data(4, 1)[0])
        plain = seeded(nn.BatchNorm1d(CHANNELS)).eval()
        plain.running_mean += 1
        return norm(x).tolist() == plain(x).tolist() if dist.get_rank() == 0 else None

    assert on_ranks(2, program) == [True, None]


def test_without_a_process_group_it_is_plain():
    x, g = data(5, 2)
    for found, expected in zip(run(seeded(SyncBatchNorm(CHANNELS)), x, g)[:2], run(seeded(nn.BatchNorm2d(CHANNELS)), x, g)[:2]):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_low_precision_inputs_have_float32_statistics(dtype):
    def program():
        norm = SyncBatchNorm(CHANNELS)
        x = ringgrad.tensor(data(8, 2)[0]).to(getattr(ringgrad, dtype)).requires_grad_()
        out = norm(x)
        out.float().sum().backward()
        return out.dtype is x.dtype, x.grad.dtype is x.dtype, norm.running_mean.dtype is ringgrad.float32, out.float().mean().item()

    for *types, mean in on_ranks(2, program):
        assert all(types)
        assert abs(mean) < 5e-3


def test_a_subgroup_shares_its_batch():
    x, g = data(6, 1)
    out, *_ = run(seeded(nn.BatchNorm1d(CHANNELS)), x[2:], g[2:])

    def program():
        pairs = dist.new_group([0]), dist.new_group([1, 2])
        norm = seeded(SyncBatchNorm(CHANNELS, process_group=pairs[min(dist.get_rank(), 1)]))
        rows = slice(2 * dist.get_rank(), 2 * dist.get_rank() + 2)
        return run(norm, x[rows], g[rows])[0]

    assert close(np.concatenate(on_ranks(3, program)[1:]), out)


@pytest.mark.parametrize(("shape", "words"), [((3,), "expected at least 2D input .got 1D input"),
                                              ((1, 5), "input has 5 channels .dimension 1., but the layer expects 3")])
def test_wrong_shapes(shape, words):
    def program():
        with pytest.raises(ValueError, match=words):
            SyncBatchNorm(CHANNELS)(ringgrad.zeros(shape))

    on_ranks(2, program)


def test_a_single_value_per_channel_is_refused_on_all_ranks():
    def program():
        with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
            SyncBatchNorm(CHANNELS)(ringgrad.zeros(int(dist.get_rank() == 1), CHANNELS))

    on_ranks(2, program)


def test_conversion_keeps_everything_else():
    net = nn.Sequential(nn.Conv2d(1, CHANNELS, 3), nn.BatchNorm2d(CHANNELS, eps=0.1, momentum=0.3), nn.Sequential(nn.BatchNorm2d(CHANNELS)))
    net[2][0].eval()
    norm = net[1]
    before = state(net)
    converted = SyncBatchNorm.convert_sync_batchnorm(net)
    assert converted is net
    assert [type(module) for module in (net[0], net[1], net[2][0])] == [nn.Conv2d, SyncBatchNorm, SyncBatchNorm]
    assert net[1].weight is norm.weight
    assert (net[1].eps, net[1].momentum, net[1].training, net[2][0].training) == (0.1, 0.3, True, False)
    assert all(np.array_equal(value, before[name]) for name, value in state(net).items())
    assert list(state(net)) == list(before)
    alone = SyncBatchNorm.convert_sync_batchnorm(norm)
    assert type(alone) is SyncBatchNorm
    assert SyncBatchNorm.convert_sync_batchnorm(alone) is alone


def network():
    return seeded(nn.Sequential(nn.Linear(4, CHANNELS), nn.BatchNorm1d(CHANNELS), nn.Tanh(), nn.Linear(CHANNELS, 2)))


def train(parallel):
    """Parameters and statistics after 10 steps on 12 rows: alone, or as one of the ranks."""
    net = network()
    model = net
    if parallel:
        net = SyncBatchNorm.convert_sync_batchnorm(net)
        model = DistributedDataParallel(net, bucket_cap_mb=1e-4)
    optimizer = ringgrad.optim.SGD(net.parameters(), lr=0.1)
    for step in range(10):
        random = np.random.default_rng(step)
        x, y = ringgrad.tensor(random.normal(size=(12, 4))), ringgrad.tensor(random.normal(size=(12, 2)))
        if parallel:
            x, y = (t[dist.get_rank() :: dist.get_world_size()] for t in (x, y))
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    return state(net)


@pytest.mark.parametrize("ranks", [2, 3])
def test_training_on_ranks_equals_training_on_the_whole_batch(ranks):
    alone = train(parallel=False)
    for found in on_ranks(ranks, train, True):
        assert all(np.allclose(found[name], value, rtol=1e-10, atol=1e-12) for name, value in alone.items())


@pytest.mark.mpi
def test_over_mpi(world):
    alone = train(parallel=False)
    for found in world(2).run(train_over_mpi).results:
        assert all(np.allclose(found[name], value, rtol=1e-10, atol=1e-12) for name, value in alone.items())


def train_over_mpi():
    dist.init_process_group(timeout=TIMEOUT_S)
    return train(parallel=True)
