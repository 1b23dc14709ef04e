"""The result of training does not depend on the number of ranks, and the fast reducer gives the gradients of its twelve-line definition."""

import numpy as np
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn, optim
from ringgrad.distributed.simple_ddp import SimpleDDP
from ringgrad.nn.parallel import DistributedDataParallel
from ringgrad.utils.data import DataLoader, DistributedSampler, TensorDataset

pytestmark = pytest.mark.mpi

STEPS, BATCH = 20, 16
SAME_PARAMETERS = {"float32": 1e-5, "float64": 1e-12}  # norm of the difference over the norm, for every tensor
SAME_GRADIENTS = {"float32": 1e-6, "float64": 1e-14}
SMALL_BUCKETS = 0.01  # MiB: several buckets, which are rebuilt after the first step


def network(dtype, rank=0):
    """A small CNN of LeNet's shape for images (N, 1, 12, 12).  The ranks begin with different numbers; those of rank 0 count."""
    ringgrad.manual_seed(7 + rank)
    layers = (nn.Conv2d(1, 6, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(5),
              nn.Flatten(), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 10))
    return nn.Sequential(*layers).to(getattr(ringgrad, dtype))


def loader(dtype, ranks, rank):
    """This rank's share of each batch of BATCH images; two epochs of it are STEPS steps."""
    random = np.random.default_rng(3)
    images, labels = random.normal(size=(STEPS // 2 * BATCH, 1, 12, 12)), random.integers(0, 10, STEPS // 2 * BATCH)
    dataset = TensorDataset(ringgrad.from_numpy(images.astype(dtype)), ringgrad.from_numpy(labels))
    sampler = DistributedSampler(dataset, num_replicas=ranks, rank=rank, shuffle=True, seed=5)
    return DataLoader(dataset, batch_size=BATCH // ranks, sampler=sampler)


def steps(model, dtype, ranks, rank):
    """STEPS training steps; yields after each backward pass."""
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4), nn.CrossEntropyLoss()
    batches = loader(dtype, ranks, rank)
    for epoch in range(2):
        batches.sampler.set_epoch(epoch)
        for x, y in batches:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            yield
            optimizer.step()


def trained(dtype, wrap=None):
    """{name: parameter} after all steps, alone or as one of the ranks."""
    ranks, rank = (1, 0) if wrap is None else (dist.get_world_size(), dist.get_rank())
    net = network(dtype, rank)
    model = net if wrap is None else wrap(net)
    assert sum(1 for _ in steps(model, dtype, ranks, rank)) == STEPS
    return {name: p.detach().numpy() for name, p in net.named_parameters()}


def gradients(dtype, wrap):
    """The gradients of every step: [{name: gradient}]."""
    ranks, rank = dist.get_world_size(), dist.get_rank()
    model = wrap(network(dtype, rank))
    return [{name: p.grad.numpy().copy() for name, p in model.named_parameters()} for _ in steps(model, dtype, ranks, rank)]


def fast(module):
    return DistributedDataParallel(module, bucket_cap_mb=SMALL_BUCKETS)


def relative_differences(found, expected):
    """{name: norm of the difference over the norm}."""
    assert found.keys() == expected.keys()
    return {name: float(np.linalg.norm(found[name] - expected[name]) / np.linalg.norm(expected[name])) for name in expected}


# What the ranks run


def train_as_ranks():
    dist.init_process_group("mpi", timeout=60)
    return {dtype: trained(dtype, fast) for dtype in SAME_PARAMETERS}


def gradients_of_both():
    dist.init_process_group("mpi", timeout=60)
    return {dtype: (gradients(dtype, fast), gradients(dtype, SimpleDDP)) for dtype in SAME_GRADIENTS}


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_and_one_process_on_the_whole_batch_end_with_the_same_parameters(world, ranks):
    results = world(ranks).run(train_as_ranks).results
    for dtype, tolerance in SAME_PARAMETERS.items():
        begin, alone = network(dtype).state_dict(), trained(dtype)
        moved = relative_differences(alone, {name: p.numpy() for name, p in begin.items()})
        assert min(moved.values()) > 0.01, f"{STEPS} steps have hardly changed a parameter, so their agreement says nothing: {moved}"
        for rank, found in enumerate(results):
            worst = relative_differences(found[dtype], alone)
            assert max(worst.values()) <= tolerance, (dtype, rank, worst)


def test_the_fast_reducer_gives_the_gradients_of_its_definition(world):
    for fast_and_simple in world(2).run(gradients_of_both).results:
        for dtype, (found, expected) in fast_and_simple.items():
            assert len(found) == len(expected) == STEPS
            for step, (a, b) in enumerate(zip(found, expected)):
                assert max(relative_differences(a, b).values()) <= SAME_GRADIENTS[dtype], (dtype, step)
