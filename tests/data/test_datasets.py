"""Datasets and random_split."""
import numpy as np
import pytest

import ringgrad
from ringgrad.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Numbers(Dataset):
    def __init__(self, n, offset=0):
        self.n, self.offset = n, offset

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.offset + i


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __iter__(self):
        return iter(range(self.n))


def test_tensor_dataset():
    x, y = ringgrad.arange(12.0).reshape(4, 3), ringgrad.tensor([0, 1, 2, 3])
    data = TensorDataset(x, y)
    assert len(data) == 4 and data[2][0].tolist() == [6.0, 7.0, 8.0] and data[2][1].item() == 2
    rows = data.__getitems__([3, 0])
    assert [(a.tolist(), b.item()) for a, b in rows] == [([9.0, 10.0, 11.0], 3), ([0.0, 1.0, 2.0], 0)]
    with pytest.raises(AssertionError, match="Size mismatch between tensors: dimension 0 has sizes 4, 2"):
        TensorDataset(x, y[:2])


def test_rows_of_a_tensor_that_requires_grad_carry_its_history():
    x = ringgrad.ones(4, 2, requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(x), batch_size=3)))
    batch.sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0]] * 3 + [[0.0, 0.0]]


def test_a_subclass_that_makes_its_samples_itself_is_not_bypassed():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return (super().__getitem__(i)[0] * 2,)

    data = Doubled(ringgrad.arange(4.0))
    assert data.__getitems__([1])[0][0].item() == 2.0
    assert next(iter(DataLoader(Subset(data, [3, 1]), batch_size=2)))[0].tolist() == [6.0, 2.0]


def test_stack_dataset():
    a, b = Numbers(3), Numbers(3, 10)
    assert StackDataset(a, b)[1] == (1, 11) and StackDataset(x=a, y=b)[1] == {"x": 1, "y": 11}
    assert StackDataset(a, b).__getitems__([0, 2]) == [(0, 10), (2, 12)]
    assert StackDataset(x=a, y=b).__getitems__([2]) == [{"x": 2, "y": 12}] and len(StackDataset(a, b)) == 3
    nested = StackDataset(TensorDataset(ringgrad.arange(3.0)), b)
    assert nested.__getitems__([2])[0][0][0].item() == 2.0


def test_concat_dataset():
    data = Numbers(2) + Numbers(3, 10) + Numbers(1, 20)
    assert isinstance(data, ConcatDataset) and [data[i] for i in range(len(data))] == [0, 1, 10, 11, 12, 20]
    assert data[-1] == 20 and data[-6] == 0
    with pytest.raises(ValueError, match="absolute value of index"):
        data[-7]
    with pytest.raises(IndexError):
        data[6]


def test_chain_dataset():
    data = Stream(2) + Stream(3)
    assert isinstance(data, ChainDataset) and list(data) == [0, 1, 0, 1, 2] and len(data) == 5


def test_subset():
    data = Subset(Numbers(10, 100), [7, 3, 5])
    assert [data[i] for i in range(3)] == [107, 103, 105] and data.__getitems__([2, 0]) == [105, 107]
    nested = Subset(data, [1, 2])
    assert [nested[0], nested[1]] == [103, 105]
    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        type("Mine", (Subset,), {"__getitem__": lambda self, i: 0})(Numbers(1), [0])


@pytest.mark.parametrize(("lengths", "sizes"), [([7, 3], [7, 3]), ([0.5, 0.5], [5, 5]), ([0.3, 0.3, 0.4], [3, 3, 4]),
                                                ([0.33, 0.33, 0.34], [4, 3, 3])])
def test_random_split(lengths, sizes):
    def split(seed):
        return random_split(Numbers(10), lengths, ringgrad.Generator().manual_seed(seed))
    parts = split(3)
    assert [len(p) for p in parts] == sizes
    assert sorted(x for p in parts for x in p.__getitems__(range(len(p)))) == list(range(10))
    assert [p.indices for p in parts] == [p.indices for p in split(3)] != [p.indices for p in split(4)]


def test_random_split_follows_manual_seed():
    def order():
        ringgrad.manual_seed(5)
        return random_split(Numbers(20), [10, 10])[0].indices
    assert order() == order()


BAD = [
    (lambda: random_split(Numbers(10), [5, 4]), ValueError, r"5 \+ 4 is 9, and the dataset has 10"),
    (lambda: random_split(Numbers(10), [1.5, -0.5]), ValueError, "Fraction at index 0"),
    (lambda: Dataset()[0], NotImplementedError, "should implement __getitem__"),
    (lambda: ConcatDataset([]), AssertionError, "empty iterable"),
    (lambda: ConcatDataset([Stream(2)]), AssertionError, "does not support IterableDataset"),
    (lambda: list(ChainDataset([Numbers(2)])), AssertionError, "only supports IterableDataset"),
    (lambda: StackDataset(), ValueError, "At least one dataset"),
    (lambda: StackDataset(Numbers(1), a=Numbers(1)), ValueError, "both types are given"),
    (lambda: StackDataset(Numbers(1), Numbers(2)), ValueError, "lengths are 1, 2"),
]


@pytest.mark.parametrize(("make", "error", "words"), BAD, ids=[row[2][:20] for row in BAD])
def test_wrong_use(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_an_empty_split_warns():
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(Numbers(2), [0.99, 0.01])


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: Subset(d, np.arange(9, -1, -1)),
                                  lambda d: Subset(Subset(d, list(range(10))), [5, 6])])
def test_the_direct_look_up_gives_what_collating_samples_gives(wrap):
    data = wrap(TensorDataset(ringgrad.arange(30.0).reshape(10, 3), ringgrad.arange(10)))
    direct = list(DataLoader(data, batch_size=3))
    slow = list(DataLoader(data, batch_size=3, collate_fn=lambda samples: ringgrad.utils.data.default_collate(samples)))
    assert len(direct) == len(slow) > 0
    for a, b in zip(direct, slow):
        assert type(a) is type(b) is list
        for x, y in zip(a, b, strict=True):
            assert x.tolist() == y.tolist() and x.dtype is y.dtype
