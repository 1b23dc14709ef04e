"""Samplers: every index, in the promised order, as often as promised; shares of ranks; PyTorch's orders where they are promised."""
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import ringgrad
from ringgrad.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def seeded(n):
    return ringgrad.Generator().manual_seed(n)


def test_sequential():
    assert list(SequentialSampler("abcd")) == [0, 1, 2, 3] and len(SequentialSampler("abcd")) == 4


@pytest.mark.parametrize("make", [
    lambda g: RandomSampler(range(50), generator=g), lambda g: RandomSampler(range(50), replacement=True, generator=g),
    lambda g: SubsetRandomSampler(list(range(100, 150)), generator=g), lambda g: WeightedRandomSampler([1.0] * 50, 50, generator=g),
    lambda g: WeightedRandomSampler(range(1, 51), 50, replacement=False, generator=g)])
def test_orders_repeat_with_their_generator(make):
    first = list(make(seeded(1)))
    assert first == list(make(seeded(1))) != list(make(seeded(2))) and len(first) == len(make(None)) == 50
    sampler = make(seeded(1))
    assert list(sampler) == first != list(sampler)  # the generator goes on
    ringgrad.manual_seed(9)
    third = list(make(None))
    ringgrad.manual_seed(9)
    assert list(make(None)) == third


def test_random_sampler_visits_everything_once():
    assert sorted(RandomSampler(range(1000))) == list(range(1000))


def test_random_sampler_with_more_samples_than_data_goes_round():
    counts = Counter(RandomSampler(range(10), num_samples=35, generator=seeded(0)))
    assert sorted(counts.values()) == [3] * 5 + [4] * 5


def test_random_sampler_with_replacement_draws_evenly():
    counts = Counter(RandomSampler(range(8), replacement=True, num_samples=16000, generator=seeded(0)))
    assert len(counts) == 8 and all(1800 < c < 2200 for c in counts.values())  # 2000 +- 4.8 standard deviations


def test_weights_are_respected():
    weights = [0.0, 1.0, 3.0, 0.0]
    counts = Counter(WeightedRandomSampler(weights, 8000, generator=seeded(0)))
    assert set(counts) == {1, 2} and 5800 < counts[2] < 6200
    firsts = Counter(next(iter(WeightedRandomSampler(ringgrad.tensor(weights), 2, replacement=False, generator=seeded(n))))
                     for n in range(2000))
    assert set(firsts) == {1, 2} and 1400 < firsts[2] < 1600


def test_batches():
    def batches(n, size, drop_last):
        sampler = BatchSampler(SequentialSampler(range(n)), size, drop_last)
        assert len(list(sampler)) == len(sampler)
        return list(sampler)
    assert batches(7, 3, False) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches(7, 3, True) == [[0, 1, 2], [3, 4, 5]]
    assert batches(6, 3, True) == batches(6, 3, False) == [[0, 1, 2], [3, 4, 5]]
    assert batches(2, 3, True) == []


BAD = [
    (lambda: RandomSampler([]), ValueError, "num_samples=0"),
    (lambda: RandomSampler([1], num_samples=-1), ValueError, "num_samples=-1"),
    (lambda: RandomSampler([1], replacement=1), TypeError, "replacement=1"),
    (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples=0"),
    (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, r"shape \(1, 1\)"),
    (lambda: WeightedRandomSampler([1.0, -1.0], 1), RuntimeError, "not negative"),
    (lambda: WeightedRandomSampler([0.0], 1), RuntimeError, "greater than zero"),
    (lambda: WeightedRandomSampler([1.0, 0.0], 2, replacement=False), RuntimeError, "only 1 of the 2 weights"),
    (lambda: WeightedRandomSampler([1.0], 1, replacement="no"), ValueError, "replacement=no"),
    (lambda: BatchSampler([1], 0, False), ValueError, "batch_size=0"),
    (lambda: BatchSampler([1], True, False), ValueError, "batch_size=True"),
    (lambda: BatchSampler([1], 2, 1), ValueError, "drop_last=1"),
    (lambda: iter(Sampler()), NotImplementedError, "must define __iter__"),
    (lambda: DistributedSampler([1], 2, 2), ValueError, r"Invalid rank 2, rank should be in the interval \[0, 1\]"),
    (lambda: DistributedSampler([1], 2, -1), ValueError, "Invalid rank -1"),
    (lambda: DistributedSampler([1], 2, 0, drop_last=True, exact=True), ValueError, "choose one"),
]


@pytest.mark.parametrize(("make", "error", "words"), BAD, ids=[row[2][:20] for row in BAD])
def test_wrong_use(make, error, words):
    with pytest.raises(error, match=words):
        make()


# -- shares of ranks ---------------------------------------------------------------------------------------------------

SIZES = [(n, ranks) for n in (1, 2, 5, 8, 23, 24) for ranks in (1, 2, 3, 4, 8)]


@pytest.mark.parametrize(("n", "ranks"), SIZES)
@pytest.mark.parametrize("shuffle", [True, False])
def test_shares_cover_the_data(n, ranks, shuffle):
    def shares(**kwargs):
        samplers = [DistributedSampler(range(n), ranks, r, shuffle=shuffle, **kwargs) for r in range(ranks)]
        lists = [list(s) for s in samplers]
        assert [len(x) for x in lists] == [len(s) for s in samplers]
        return lists
    padded = shares()
    assert {len(s) for s in padded} == {-(-n // ranks)} and {i for s in padded for i in s} == set(range(n))
    dropped = [i for s in shares(drop_last=True) for i in s]
    assert len(dropped) == len(set(dropped)) == n // ranks * ranks
    exact = shares(exact=True)
    assert sorted(i for s in exact for i in s) == list(range(n)) and max(map(len, exact)) - min(map(len, exact)) <= 1


@pytest.mark.torch
@pytest.mark.parametrize(("n", "ranks"), [*SIZES, (1000, 3)])
@pytest.mark.parametrize("kwargs", [{}, {"shuffle": False}, {"drop_last": True}, {"seed": 2**33 + 17}], ids=str)
def test_shares_are_those_of_torch(n, ranks, kwargs):
    pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    from torch.utils.data import DistributedSampler as Other
    for rank in range(ranks):
        mine, other = DistributedSampler(range(n), ranks, rank, **kwargs), Other(range(n), ranks, rank, **kwargs)
        assert len(mine) == len(other) and (mine.num_samples, mine.total_size) == (other.num_samples, other.total_size)
        for epoch in (0, 1, 7):
            mine.set_epoch(epoch)
            other.set_epoch(epoch)
            assert list(mine) == list(other)


def test_the_epoch_advances_by_itself_but_set_epoch_wins():
    def epoch(n):
        sampler = DistributedSampler(range(50), 2, 1)
        sampler.set_epoch(n)
        return list(sampler)
    sampler = DistributedSampler(range(50), 2, 1)
    assert [list(sampler) for _ in range(3)] == [epoch(0), epoch(1), epoch(2)]
    sampler.set_epoch(9)
    assert [list(sampler), list(sampler)] == [epoch(9), epoch(10)] and sampler.epoch == 10
    sampler.set_epoch(0)
    assert list(sampler) == epoch(0) != epoch(1)


PLACE = """
import sys, types
from ringgrad.utils.data import DistributedSampler
assert "ringgrad.distributed" not in sys.modules
s = DistributedSampler(range(10)); print(s.rank, s.num_replicas)
"""


def run(code, **environment):
    env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("environment", "place"), [({}, "0 1"), ({"RANK": "2", "WORLD_SIZE": "4"}, "2 4")])
def test_the_place_comes_from_the_environment(environment, place):
    result = run(PLACE, **environment)
    assert result.stdout.strip() == place, result.stderr


def test_an_environment_that_is_no_number():
    assert "the environment variable RANK must be a number, not 'two'" in run(PLACE, RANK="two").stderr


def test_the_place_comes_from_a_process_group_that_is_there(monkeypatch):
    import types
    group = types.SimpleNamespace(is_initialized=lambda: True, get_rank=lambda: 3, get_world_size=lambda: 5)
    monkeypatch.setitem(sys.modules, "ringgrad.distributed", group)
    monkeypatch.setenv("RANK", "0")
    sampler = DistributedSampler(range(10))
    assert (sampler.rank, sampler.num_replicas) == (3, 5)
    monkeypatch.setattr(group, "is_initialized", lambda: False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    sampler = DistributedSampler(range(10))
    assert (sampler.rank, sampler.num_replicas) == (0, 2)


def test_shares_can_be_weighed_with_numpy_lengths():
    assert list(DistributedSampler(np.zeros(3), 2, 0, shuffle=False)) == [0, 2]
