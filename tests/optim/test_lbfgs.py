"""L-BFGS: the path of PyTorch with and without a line search, checkpoints, the rules of its closure."""
import copy
import pickle

import numpy as np
import pytest

import ringgrad
from ringgrad import optim

ROWS = {
    "fixed": {"lr": 0.3}, "short": {"lr": 0.1, "max_iter": 3}, "memory": {"lr": 0.3, "history_size": 2, "max_iter": 6},
    "few_evaluations": {"lr": 0.3, "max_iter": 4, "max_eval": 3}, "tolerances": {"lr": 0.5, "tolerance_grad": 0.3, "tolerance_change": 0.05},
    "wolfe": {"line_search_fn": "strong_wolfe"}, "wolfe_short": {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3},
    "wolfe_few_evaluations": {"line_search_fn": "strong_wolfe", "max_eval": 4, "lr": 5.0},
    "wolfe_long": {"line_search_fn": "strong_wolfe", "lr": 30.0},
}


def problem(library, make, complex_too=False):
    """(parameters, closure maker) of a smooth function that is neither quadratic nor separable."""
    x, y = make(np.array([-1.2, 1.0, 0.4])).requires_grad_(), make(np.array([[0.5], [-0.2]])).requires_grad_()
    z = make(np.array([1.0 + 2.0j, -1.0j])).requires_grad_() if complex_too else None
    params = [x, y] + ([z] if complex_too else [])

    def closure_for(optimizer, calls):
        def closure():
            optimizer.zero_grad()
            loss = (4 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum() + (y**4 + y * y).sum() + (x[:2] * y[:, 0]).sum()
            if z is not None:
                loss = loss + ((z - 0.5j).abs() ** 2).sum() + (z.real ** 4).sum()
            loss.backward()
            calls.append(loss.item())
            return loss
        return closure
    return params, closure_for


def run(library, make, kwargs, steps=5, complex_too=False):
    params, closure_for = problem(library, make, complex_too)
    optimizer, calls = library.optim.LBFGS(params, **kwargs), []
    closure = closure_for(optimizer, calls)
    returned = [optimizer.step(closure).item() for _ in range(steps)]
    return calls, returned, [p.detach().numpy() for p in params], optimizer


def kinds(state):
    return {k: type(v).__name__ if not isinstance(v, list) else [type(x).__name__ for x in v] for k, v in state.items()}


@pytest.mark.torch
@pytest.mark.parametrize("kwargs", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("complex_too", [False, True])
def test_the_path_of_torch(kwargs, complex_too):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    got = run(ringgrad, lambda a: ringgrad.from_numpy(a.copy()), kwargs, complex_too=complex_too)
    want = run(torch, lambda a: torch.from_numpy(a.copy()), kwargs, complex_too=complex_too)
    assert len(got[0]) == len(want[0])  # as many evaluations
    np.testing.assert_allclose(got[0], want[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-6, atol=1e-9)
    for a, b in zip(got[2], want[2]):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    mine, other = got[3].state_dict(), want[3].state_dict()
    assert mine["param_groups"] == other["param_groups"] and repr(got[3]) == repr(want[3])
    assert kinds(mine["state"][0]) == kinds(other["state"][0]) and list(mine["state"][0]) == list(other["state"][0])


def test_it_finds_the_minimum():
    calls, _, params, _ = run(ringgrad, ringgrad.from_numpy, ROWS["wolfe"], steps=10)
    again, _, _, _ = run(ringgrad, ringgrad.from_numpy, ROWS["wolfe"], steps=20)
    assert calls[-1] == pytest.approx(min(again), abs=1e-10) and calls[-1] < calls[0] / 5


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_it_goes_on_from_a_checkpoint(how):
    kwargs = {"lr": 0.3, "max_iter": 3}
    whole = run(ringgrad, ringgrad.from_numpy, kwargs, steps=6)[0]
    params, closure_for = problem(ringgrad, ringgrad.from_numpy)
    optimizer, calls = optim.LBFGS(params, **kwargs), []
    for _ in range(3):
        optimizer.step(closure_for(optimizer, calls))
    other = optim.LBFGS(params, lr=5.0)
    other.load_state_dict(how(optimizer.state_dict()))
    for _ in range(3):
        other.step(closure_for(other, calls))
    assert calls == whole


def test_wrong_use():
    p, q = (ringgrad.ones(2, requires_grad=True) for _ in range(2))
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([p]).step()
    optimizer = optim.LBFGS([p], line_search_fn="weak")

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optimizer.step(closure)


def test_at_the_minimum_nothing_happens():
    p = ringgrad.zeros(2, requires_grad=True)
    optimizer, calls = optim.LBFGS([p]), []

    def closure():
        calls.append(ringgrad.is_grad_enabled())
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    with ringgrad.no_grad():
        assert optimizer.step(closure).item() == 0.0
    assert calls == [True] and optimizer.state_dict()["state"][0] == {"func_evals": 1, "n_iter": 0}
