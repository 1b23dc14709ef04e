"""Views and in-place operations at the level of memory: what is shared, what is counted, what is bent.

What user code sees of them is compared with torch in tests/autograd/scripts_inplace.py.
"""
import numpy as np
import pytest

import ringgrad

VIEWS = {
    "index": lambda x: x[1],
    "slice": lambda x: x[:, 1:3],
    "step": lambda x: x[::2],
    "new axis": lambda x: x[:, None],
    "ellipsis": lambda x: x[..., 0],
    "view": lambda x: x.view(2, 6),
    "reshape": lambda x: x.reshape(12),
    "transpose": lambda x: x.transpose(0, 1),
    "t": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(0, 2),
    "flatten": lambda x: x.flatten(),
    "diagonal": lambda x: x.diagonal(),
}
MULTIPLE = {"unbind": lambda x: x.unbind(0), "split": lambda x: x.split(2, 1), "chunk": lambda x: x.chunk(3)}


@pytest.fixture
def base():
    return ringgrad.arange(12.0).reshape(3, 4).clone()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_shares_memory_and_counter(base, view):
    v = view(base)
    assert np.shares_memory(v._data, base._data) and v._base is base
    v.add_(100)
    assert base._version == v._version == 1
    expected = np.arange(12.0).reshape(3, 4)
    looked = view(ringgrad.arange(12).reshape(3, 4)).numpy().ravel()
    expected.ravel()[looked] += 100
    np.testing.assert_array_equal(base.numpy(), expected)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_gradients_through_a_write_to_a_view(view):
    """Equal to those of the same computation without views: base' = base + mask * (change)."""
    x = ringgrad.rand(3, 4, dtype=ringgrad.float64, requires_grad=True)
    w = ringgrad.rand(3, 4, dtype=ringgrad.float64)
    factor = ringgrad.tensor(3.0, dtype=ringgrad.float64, requires_grad=True)
    base = x * 1
    view(base).mul_(factor)
    (base * w).sum().backward()
    mask = np.zeros((3, 4))
    mask.ravel()[view(ringgrad.arange(12).reshape(3, 4)).numpy().ravel()] = 1
    np.testing.assert_allclose(x.grad.numpy(), w.numpy() * np.where(mask, 3.0, 1.0))
    np.testing.assert_allclose(factor.grad.item(), (w.numpy() * mask * x.detach().numpy()).sum())


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_gradients_of_a_view_after_a_write_to_its_base(view):
    x = ringgrad.rand(3, 4, dtype=ringgrad.float64, requires_grad=True)
    base = x * 1
    v = view(base)
    base.mul_(5)
    v.sum().backward()
    mask = np.zeros((3, 4))
    mask.ravel()[view(ringgrad.arange(12).reshape(3, 4)).numpy().ravel()] = 1
    np.testing.assert_allclose(x.grad.numpy(), 5 * mask)


@pytest.mark.parametrize("view", MULTIPLE.values(), ids=MULTIPLE)
def test_several_views_share_memory(base, view):
    parts = view(base)
    assert all(np.shares_memory(p._data, base._data) for p in parts)
    parts[0].zero_()
    assert base._version == 1 and base[0, 0].item() == 0


@pytest.mark.parametrize("view", MULTIPLE.values(), ids=MULTIPLE)
def test_several_views_notice_a_write_to_the_base(view):
    """Their history cannot be made anew; using it would give a wrong gradient."""
    x = ringgrad.ones(3, 4, requires_grad=True)
    base = x * 1
    parts = view(base)
    base.mul_(2)
    with pytest.raises(RuntimeError, match="its base or another view of its base has been modified inplace"):
        parts[0].sum()
    with ringgrad.no_grad():
        assert parts[0].max().item() == 2


COPIES = {
    "arithmetic": lambda x: x + 0, "clone": lambda x: x.clone(), "mask": lambda x: x[x > -1], "list": lambda x: x[[0, 1]],
    "tensor index": lambda x: x[ringgrad.tensor([0])], "cat": lambda x: ringgrad.cat([x]), "to another type": lambda x: x.double(),
    "contiguous of a transposed": lambda x: x.t().contiguous(), "reshape of a transposed": lambda x: x.t().reshape(12),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_shares_nothing(base, copy):
    c = copy(base)
    assert not np.shares_memory(c._data, base._data) and not c._is_view()
    c.zero_()
    assert base._version == 0 and base.sum().item() == 66


@pytest.mark.parametrize("same", [lambda x: x.contiguous(), lambda x: x.float(), lambda x: x.to("cpu"), lambda x: x.cpu(),
                                  lambda x: x.to(ringgrad.float32), lambda x: x.type_as(x)])
def test_a_conversion_that_changes_nothing_is_the_tensor_itself(base, same):
    assert same(base) is base


def test_inplace_works_in_the_memory_it_is_given():
    a = np.ones(3, np.float32)
    x = ringgrad.from_numpy(a)
    x.add_(1).mul_(ringgrad.tensor([1.0, 2.0, 3.0]))
    x[0] = -1
    assert a.tolist() == [-1, 4, 6]
    assert np.shares_memory(x.numpy(), a)


def test_inplace_of_half_and_integers_stays_in_memory():
    for dtype in (np.float16, np.int32, np.uint8, bool):
        a = np.ones(3, dtype)
        x = ringgrad.from_numpy(a)
        if dtype is bool:
            x.logical_not_()
        else:
            x.mul_(3)
        assert a.tolist() == ([0, 0, 0] if dtype is bool else [3, 3, 3]) and a.dtype == dtype


def test_an_inplace_error_writes_nothing():
    x = ringgrad.ones(2, 3)
    before = x._version
    for wrong in (lambda: x.add_(ringgrad.ones(4)), lambda: x.add_(ringgrad.ones(5, 2, 3)), lambda: x.mul_(1j), lambda: x.add_("text")):
        with pytest.raises((RuntimeError, TypeError)):
            wrong()
    assert x.tolist() == np.ones((2, 3)).tolist() and x._version == before


def test_overlapping_operands_are_read_before_they_are_written():
    x = ringgrad.arange(6.0)
    x[1:].copy_(x[:-1].clone())
    y = ringgrad.arange(6.0)
    y[1:] = y[:-1]
    z = ringgrad.arange(6.0)
    z[1:].add_(z[:-1])
    assert x.tolist() == y.tolist() == [0, 0, 1, 2, 3, 4] and z.tolist() == [0, 1, 3, 5, 7, 9]


def test_saved_values_are_not_copied_without_need():
    """In place after an op that saved nothing of it: no copy of the old value is kept."""
    x = ringgrad.ones(4, requires_grad=True)
    y = x * 2
    memory = y._data
    y.mul_(3.0)
    assert y._data is memory and [e[0] for e in y.grad_fn.saved if e is not None] == [3.0]


def test_a_view_of_a_dead_base_keeps_memory_and_history():
    x = ringgrad.ones(3, requires_grad=True)
    v = (x * 2)[1:]
    v.mul_(5)
    v.sum().backward()
    assert v.tolist() == [10, 10] and x.grad.tolist() == [0, 10, 10]


def test_views_taken_without_recording_still_write_through():
    x = ringgrad.zeros(3, requires_grad=True)
    with ringgrad.no_grad():
        x[1:].add_(7)
        x.view(3, 1)[0] = 1
    assert x.tolist() == [1, 7, 7] and x.is_leaf and x.requires_grad and x._version == 2


def test_second_derivatives_through_writes_to_views():
    def f(x):
        base = x * x
        base[0] = base[1].clone() * x[0]
        base[1:].mul_(x[:-1])
        return (base * base).sum()

    x = ringgrad.tensor([0.5, -1.0, 2.0], dtype=ringgrad.float64, requires_grad=True)
    assert ringgrad.autograd.gradcheck(f, (x,)) and ringgrad.autograd.gradgradcheck(f, (x,))
