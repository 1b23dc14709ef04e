"""Sparse tensors against torch: the same scripts under both libraries, files both ways; and what is ringgrad's own."""
import numpy as np
import pytest

import ringgrad
from ringgrad import nn

from ..autograd.test_script_pairs import test_the_same_script_gives_the_same as same_under_both
from .scripts_sparse import SCRIPTS


@pytest.mark.torch
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_the_same_script_gives_the_same(script):
    same_under_both(script)


def graph(rng, rows, columns, nnz, dtype="float32"):
    """Places (in no order, some twice) and values of a random matrix."""
    return np.stack([rng.integers(0, rows, nnz), rng.integers(0, columns, nnz)]), rng.standard_normal(nnz).astype(dtype)


@pytest.mark.parametrize(("rows", "columns", "nnz", "width"), [(40, 30, 200, 5), (40, 30, 200, 300), (300, 200, 2000, 64), (5, 4, 0, 3), (1, 1,
                                                                                                                                          9, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_equal_dense_ones(rows, columns, nnz, width, dtype):
    """Narrow, wide, large and empty: each takes another loop of `sparse_mm`."""
    rng = np.random.default_rng(0)
    places, values = graph(rng, rows, columns, nnz, dtype)
    table = rng.standard_normal((columns, width)).astype(dtype)
    seed = rng.standard_normal((rows, width)).astype(dtype)
    found = []
    for dense in (False, True):
        v, y = ringgrad.tensor(values, requires_grad=True), ringgrad.tensor(table, requires_grad=True)
        s = ringgrad.sparse_coo_tensor(places, v, (rows, columns))
        out = (s.to_dense() if dense else s) @ y
        out.backward(ringgrad.tensor(seed))
        found.append([out.detach().numpy(), v.grad.numpy(), y.grad.numpy()])
    for sparse_one, dense_one in zip(*found, strict=True):
        np.testing.assert_allclose(sparse_one, dense_one, rtol=1e-4, atol=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("f", [lambda s, y: s @ y, lambda s, y: (s * s).to_dense() @ y, lambda s, y: y.t() @ ringgrad.sparse.softmax(s, 1).t(),
                               lambda s, y: ringgrad.sparse.sum(s ** 3, 0).to_dense() * y.sum(), lambda s, y: (s + s).coalesce().values() ** 2])
def test_gradients_of_the_second_order_equal_dense_ones(f):
    places = [[0, 1, 1, 2], [2, 0, 2, 1]]
    v = ringgrad.tensor([0.3, -0.4, 0.5, 0.1], dtype=ringgrad.float64, requires_grad=True)
    y = ringgrad.arange(6.0, dtype=ringgrad.float64).reshape(3, 2).requires_grad_()
    assert ringgrad.autograd.gradgradcheck(lambda v, y: f(ringgrad.sparse_coo_tensor(places, v, (3, 3)), y) ** 2, (v, y))


def test_a_sparse_leafs_gradient_has_its_pattern():
    places, values = graph(np.random.default_rng(1), 6, 5, 8)
    s = ringgrad.sparse_coo_tensor(places, values, (6, 5)).coalesce().requires_grad_()
    (s @ ringgrad.ones(5, 3)).sum().backward()
    assert s.grad.is_sparse and s.grad.is_coalesced()
    assert s.grad.indices().tolist() == s.detach().indices().tolist()
    assert (s.grad.values() == 3).all()


@pytest.mark.parametrize("call", [
    lambda s: ringgrad.exp(s), lambda s: s.mean(), lambda s: s > 0, lambda s: s.reshape(4), lambda s: ringgrad.where(s.to_dense() > 0, s, s),
    lambda s: s.view(-1),
    lambda s: ringgrad.ones(2, 2).exp_().masked_fill(s, 0.0), lambda s: ringgrad.maximum(ringgrad.ones(2, 2), s), lambda s: s[[0, 1]],
    lambda s: ringgrad.linalg.inv(s), lambda s: s.cumsum(0), lambda s: np.sin(s),
])
def test_what_sparse_tensors_cannot_names_the_way_out(call):
    with pytest.raises((NotImplementedError, TypeError), match=r"to_dense\(\)"):
        call(ringgrad.eye(2).to_sparse())


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_])
def test_clipping_refuses_sparse_gradients_as_torch_does(clip):
    table = nn.Embedding(4, 2, sparse=True)
    table(ringgrad.tensor([1, 2])).sum().backward()
    before = table.weight.grad.to_dense()
    with pytest.raises(NotImplementedError, match="sparse"):
        clip(table.parameters(), 0.1)
    assert (table.weight.grad.to_dense() == before).all()


@pytest.mark.parametrize("places", [[[0, 3]], [[0, -1]]])
def test_places_outside_are_refused_at_once(places):
    with pytest.raises(RuntimeError, match="index"):
        ringgrad.sparse_coo_tensor(places, [1.0, 2.0], (3,))


@pytest.mark.parametrize("parts", [([1, 2], [0], [1.0]), ([0, 2], [0], [1.0]), ([0, 2], [1, 0], [1.0, 2.0]), ([], [0], [1.0]), ([0, 1, 0, 1],
                                                                                                                                [0], [1.0])])
def test_csr_parts_that_do_not_fit_are_refused(parts):
    with pytest.raises(RuntimeError, match="crow_indices|col_indices"):
        ringgrad.sparse_csr_tensor(ringgrad.tensor(parts[0], dtype=ringgrad.int64), *parts[1:])


def samples(lib):
    """Sparse tensors of every kind, by name."""
    eye = lib.eye(3, dtype=lib.float64)
    return {"coo": eye.to_sparse(), "csr": eye.to_sparse_csr(), "twice": lib.sparse_coo_tensor([[1, 1]], lib.ones(2, 2), (3, 2)),
            "empty": lib.sparse_coo_tensor((2, 0)), "ints": lib.sparse_coo_tensor([[0, 2]], lib.tensor([5, 6]))}


def assert_equal_samples(got, want):
    assert got.keys() == want.keys()
    for name, t in want.items():
        g = got[name]
        assert str(g.layout).split(".")[-1] == str(t.layout).split(".")[-1]
        assert str(g.dtype).split(".")[-1] == str(t.dtype).split(".")[-1]
        assert tuple(g.shape) == tuple(t.shape) and g._nnz() == t._nnz()
        assert g.to_dense().tolist() == t.to_dense().tolist()
        if name != "csr":
            assert g.is_coalesced() == t.is_coalesced()


@pytest.mark.torch
def test_files_go_both_ways(tmp_path):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    torch.save(samples(torch), tmp_path / "theirs.pt")
    assert_equal_samples(ringgrad.load(tmp_path / "theirs.pt"), samples(torch))
    ringgrad.save(samples(ringgrad), tmp_path / "ours.pt")
    assert_equal_samples(torch.load(tmp_path / "ours.pt"), samples(ringgrad))
    assert_equal_samples(ringgrad.load(tmp_path / "ours.pt"), samples(torch))


def test_the_check_of_invariants_is_a_switch():
    check = ringgrad.sparse.check_sparse_tensor_invariants
    unsorted = [[1, 0]]
    with check():
        assert check.is_enabled()
        with pytest.raises(RuntimeError, match="is_coalesced"):
            ringgrad.sparse_coo_tensor(unsorted, [1.0, 2.0], (3,), is_coalesced=True)
        with check(False):
            assert ringgrad.sparse_coo_tensor(unsorted, [1.0, 2.0], (3,), is_coalesced=True).is_coalesced()
    assert not check.is_enabled()


def backward_of_a_sparse_table():
    model = nn.parallel.DistributedDataParallel(nn.Embedding(4, 2, sparse=True))
    with pytest.raises(NotImplementedError, match=r"gradient of weight is sparse.*sparse=False"):
        model(ringgrad.tensor([1, 2])).sum().backward()
    return True


def test_data_parallel_training_refuses_sparse_gradients_by_name():
    assert ringgrad.distributed.spawn_local(backward_of_a_sparse_table, 2, timeout=60) == [True, True]
