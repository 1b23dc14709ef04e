"""The sockets of ringgrad._core.hooks, on which `ringgrad.distributed` is built."""
from collections import OrderedDict

import numpy as np
import pytest

import ringgrad
from ringgrad._core import hooks


def test_array_is_the_memory_itself():
    x = ringgrad.zeros(2, 3)
    a = hooks.array(x)
    a[0, 1] = 5
    assert isinstance(a, np.ndarray) and x[0, 1].item() == 5
    assert hooks.array(x.t()).strides == a.strides[::-1]
    assert np.shares_memory(hooks.array(x[1:]), a)


def test_written_tells_autograd():
    x = ringgrad.ones(2, requires_grad=True)
    h = x * 2
    y = (h * h).sum()
    hooks.array(h)[:] = 0
    hooks.written(h)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_written_counts_for_every_view():
    base = ringgrad.zeros(4)
    view = base[1:]
    hooks.written(view)
    assert base._version == view._version == 1


def test_a_handle_removes_its_own_hook_only():
    registered = OrderedDict()
    a = hooks.RemovableHandle(registered, "a")
    hooks.RemovableHandle(registered, "b")
    first = hooks.RemovableHandle(registered, "first", first=True)
    assert list(registered.values()) == ["first", "a", "b"]
    a.remove()
    a.remove()
    assert list(registered.values()) == ["first", "b"]
    with first:
        assert len(registered) == 2
    assert list(registered.values()) == ["b"]


def test_a_hook_may_remove_itself_while_it_runs():
    seen = []
    x = ringgrad.ones(2, requires_grad=True)

    def once(g):
        seen.append("once")
        handle.remove()

    handle = x.register_hook(once)
    x.register_hook(lambda g: seen.append("always"))
    for _ in range(2):
        (x * 2).sum().backward()
    assert seen == ["once", "always", "always"]


def test_a_hook_may_write_into_the_gradient_of_its_leaf():
    """What a reducer does: it replaces .grad by its own memory and reduces there."""
    flat = np.zeros(4, np.float32)
    a, b = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    for i, p in enumerate((a, b)):
        p.grad = ringgrad.from_numpy(flat[2 * i:2 * i + 2])
        p.register_post_accumulate_grad_hook(lambda p: hooks.array(p.grad).__imul__(10))
    (a * 2 + b * 3).sum().backward()
    assert flat.tolist() == [20, 20, 30, 30]
    assert np.shares_memory(hooks.array(a.grad), flat) and np.shares_memory(hooks.array(b.grad), flat)
