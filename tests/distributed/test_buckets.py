"""Bucket plans as rows, and flat buffers whose views are their memory."""

import numpy as np
import pytest

import ringgrad
from ringgrad._core import hooks
from ringgrad.distributed.buckets import MIB, Bucket, cut, kinds_of, limits_from, pieces, plan_buckets

PLANS = {
    "nothing": ([], "", [10], None, []),
    "one": ([4], "a", [10], None, [[0]]),
    "reverse order of registration": ([4, 4, 4], "aaa", [100], None, [[2, 1, 0]]),
    "closed by the parameter that fills it": ([4, 4, 4, 4], "aaaa", [8], None, [[3, 2], [1, 0]]),
    "a parameter larger than the limit": ([4, 90, 4], "aaa", [8], None, [[2, 1], [0]]),
    "exactly full": ([4, 8], "aa", [8], None, [[1], [0]]),
    "a small first bucket": ([6, 6, 2, 2], "aaaa", [2, 12], None, [[3], [2, 1, 0]]),
    "the last limit holds for all that follow": ([1, 1, 1, 1], "aaaa", [1, 2], None, [[3], [2, 1], [0]]),
    "order of arrival": ([4, 4, 4], "aaa", [8], [1, 0, 2], [[1, 0], [2]]),
    "one dtype per bucket": ([4, 4, 4, 4], "abab", [100], None, [[3, 1], [2, 0]]),
    "buckets in the order in which they are full": ([4, 4, 4], "bab", [8], None, [[1], [2, 0]]),
    "an open bucket before a closed one": ([4, 4, 9], "aba", [8], [1, 2, 0], [[1], [2], [0]]),
    "empty parameters": ([0, 4, 0], "aaa", [4], None, [[2, 1], [0]]),
}


@pytest.mark.parametrize(("nbytes", "kinds", "limits", "order", "plan"), PLANS.values(), ids=PLANS)
def test_plan(nbytes, kinds, limits, order, plan):
    assert plan_buckets(nbytes, kinds, limits, order) == plan


@pytest.mark.parametrize("seed", range(20))
def test_every_parameter_is_in_one_bucket_of_its_kind_and_no_bucket_is_overfull(seed):
    random = np.random.default_rng(seed)
    nbytes, kinds, limit = random.integers(0, 50, 30).tolist(), random.integers(0, 3, 30).tolist(), 60
    order = random.permutation(30).tolist()
    plan = plan_buckets(nbytes, kinds, [limit], order)
    assert sorted(i for bucket in plan for i in bucket) == list(range(30))
    assert all(len({kinds[i] for i in bucket}) == 1 for bucket in plan)
    assert all(sum(nbytes[i] for i in bucket[:-1]) < limit for bucket in plan)
    place = {index: at for at, index in enumerate(order)}
    assert all([place[i] for i in bucket] == sorted(place[i] for i in bucket) for bucket in plan)
    last = [place[bucket[-1]] for bucket in plan]
    assert last == sorted(last), "a bucket is planned before one that is full earlier"


@pytest.mark.parametrize(("cap", "caps", "limits"), [
    (None, None, [1 * MIB, 25 * MIB]),
    (25, None, [25 * MIB]),
    (0.5, None, [MIB // 2]),
    (None, [1, 2, 8], [1 * MIB, 2 * MIB, 8 * MIB]),
])
def test_limits(cap, caps, limits):
    assert limits_from(cap, caps) == limits


@pytest.mark.parametrize("cap", [0, -1, float("nan")])
def test_a_limit_must_be_positive(cap):
    with pytest.raises(ValueError, match=f"positive number of MiB, but is {cap}"):
        limits_from(cap)


def test_a_bucket_is_one_buffer_with_a_view_per_parameter():
    parameters = [ringgrad.zeros(2, 3), ringgrad.zeros(()), ringgrad.zeros(0), ringgrad.zeros(4)]
    bucket = Bucket(1, [3, 1, 2, 0], parameters, ["a", "b", "c", "d"], spare=1)
    assert [view.shape for view in bucket.views] == [(4,), (), (0,), (2, 3)]
    assert (bucket.size, bucket.row.shape, tuple(bucket.flat.shape), bucket.waiting) == (11, (12,), (11,), 4)
    for n, view in enumerate(bucket.views, 1):
        view[...] = n
    assert bucket.row.tolist() == [1] * 4 + [2] + [4] * 6 + [0]
    assert hooks.array(bucket.flat).tolist() == bucket.row[:11].tolist()
    assert str(bucket) == "bucket 1 (d, b, c, a)"


def test_a_bucket_with_many_parameters_names_the_first():
    parameters = [ringgrad.zeros(1) for _ in range(10)]
    assert str(Bucket(0, range(10), parameters, [f"p{i}" for i in range(10)])) == "bucket 0 (p0, p1, p2, p3, p4, p5, p6, p7 and 2 more)"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_a_bucket_has_its_parameters_dtype(dtype):
    p = ringgrad.zeros(2, dtype=getattr(ringgrad, dtype))
    bucket = Bucket(0, [0], [p], ["p"])
    assert (bucket.row.dtype.name, bucket.flat.dtype) == (dtype, p.dtype)
    assert kinds_of([p, p])[1] == [(bucket.row.dtype, "cpu")] * 2
    assert kinds_of([p])[0] == [2 * bucket.row.dtype.itemsize]


def test_pieces_share_the_memory_and_are_no_views_to_autograd():
    flat = ringgrad.zeros(7)
    row, column = pieces(flat, [(1, 2), (4, 1)])
    cut(hooks.array(flat), [(1, 2), (4, 1)])[1][...] = 5
    assert column.tolist() == [[5.0]] * 4
    assert row.tolist() == [[0.0, 0.0]]
    row += 1  # refused on a view that was made under no_grad
    assert flat.tolist() == [1, 1, 5, 5, 5, 5, 0]
