"""Numbers in front of the tensors, torch's order before 1.5: the same values as with keywords, and one warning per process."""
import warnings

import pytest

import ringgrad
from ringgrad._functional import _old_order

CALLS = {  # old spelling: today's
    "x.add_(2.0, y)": "x.add_(y, alpha=2.0)", "x.add(2, y)": "x.add(y, alpha=2)", "t.add(x, 2, y)": "t.add(x, y, alpha=2)",
    "x.sub_(2, y)": "x.sub_(y, alpha=2)", "t.sub(x, 2, y)": "t.sub(x, y, alpha=2)",
    "x.addcmul_(0.5, y, y)": "x.addcmul_(y, y, value=0.5)", "t.addcmul(x, 0.5, y, y)": "t.addcmul(x, y, y, value=0.5)",
    "x.addcdiv_(-0.5, x, y)": "x.addcdiv_(x, y, value=-0.5)", "t.addcdiv(x, 0.5, y, y)": "t.addcdiv(x, y, y, value=0.5)",
    "n.addmm_(3, 2, m, m)": "n.addmm_(m, m, beta=3, alpha=2)", "t.addmm(3, m, 2, m, n)": "t.addmm(m, m, n, beta=3, alpha=2)",
    "t.addmm(3, m, m, n)": "t.addmm(m, m, n, beta=3)", "t.addmv(3, x, 2, m, y)": "t.addmv(x, m, y, beta=3, alpha=2)",
    "t.addr(3, m, 2, x, y)": "t.addr(m, x, y, beta=3, alpha=2)",
    "t.baddbmm(3, b, 2, b, b)": "t.baddbmm(b, b, b, beta=3, alpha=2)", "t.addbmm(3, m, 2, b, b)": "t.addbmm(m, b, b, beta=3, alpha=2)",
}


def value(t, expression):
    m = t.tensor([[1.0, 2.0], [3.0, 4.0]])
    names = {"t": t, "x": t.tensor([1.0, 2.0]), "y": t.tensor([3.0, 5.0]), "m": m, "n": m + 1, "b": t.stack([m, m - 1])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return eval(expression, names).tolist()


@pytest.mark.parametrize("old", CALLS)
def test_same_values_as_with_keywords(old):
    assert value(ringgrad, old) == value(ringgrad, CALLS[old])


@pytest.mark.torch
@pytest.mark.parametrize("old", CALLS)
def test_torch_reads_them_the_same(old):
    assert value(pytest.importorskip("torch"), old) == value(ringgrad, old)


def test_it_warns_once_and_refuses_what_never_was(monkeypatch):
    monkeypatch.setattr(_old_order, "_warned", [])
    x = ringgrad.ones(2)
    with pytest.warns(UserWarning, match="add is deprecated: pass alpha by keyword"):
        x.add(2, x)
    x.add(2, x)  # warnings are errors here: a second one would fail
    with pytest.raises(TypeError):
        x.add(x, x, x)
