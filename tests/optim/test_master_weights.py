"""Master weights: a half-precision parameter takes the steps of a float32 one, rounded."""
import copy

import numpy as np
import pytest

import ringgrad
from ringgrad import optim

NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD"]
STEPS = 20


def run(name, dtype, steps, masters, options=None, optimizer=None, params=None):
    """(parameters, optimizer) after steps whose gradients are halves in any case."""
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,), ()]
    starts = [ringgrad.from_numpy(np.asarray(rng.standard_normal(s).astype(np.float32))).to(ringgrad.bfloat16) for s in shapes]
    if params is None:
        params = [t.clone().to(dtype).requires_grad_() for t in starts]
        optimizer = getattr(optim, name)(params, lr=1e-4, **(options or {}))
        if masters:
            assert optim.keep_master_weights(optimizer) is optimizer
    for n in range(STEPS):
        gradients = [ringgrad.from_numpy(np.asarray(rng.standard_normal(s).astype(np.float32))).to(ringgrad.bfloat16) for s in shapes]
        if n in steps:
            for p, g in zip(params, gradients):
                p.grad = g.to(p.dtype)
            optimizer.step()
    return params, optimizer


@pytest.mark.parametrize(("name", "options"), [
    *[(n, {}) for n in NAMES], ("SGD", {"momentum": 0.9, "weight_decay": 0.1}), ("Adam", {"amsgrad": True})])
def test_steps_are_those_of_float32_rounded(name, options):
    halves, optimizer = run(name, ringgrad.bfloat16, range(STEPS), True, options)
    floats, _ = run(name, ringgrad.float32, range(STEPS), False, options)
    for p, q in zip(halves, floats):
        assert p.dtype is ringgrad.bfloat16
        assert ringgrad.equal(optimizer.state[p]["master_weight"], q.detach())
        assert ringgrad.equal(p.detach(), q.detach().to(ringgrad.bfloat16))


def test_what_halves_lose_alone_is_kept():
    alone, _ = run("SGD", ringgrad.bfloat16, range(STEPS), False)
    kept, optimizer = run("SGD", ringgrad.bfloat16, range(STEPS), True)
    start, _ = run("SGD", ringgrad.bfloat16, (), False)
    assert any(ringgrad.equal(a, b) for a, b in zip(alone, start))  # steps of 1e-4 do not move a number of eight bits
    assert not any(ringgrad.equal(optimizer.state[p]["master_weight"], s.detach().float()) for p, s in zip(kept, start))


def test_a_state_dict_goes_on_to_the_bit():
    through, _ = run("AdamW", ringgrad.bfloat16, range(STEPS), True)
    half, first = run("AdamW", ringgrad.bfloat16, range(10), True)
    saved = copy.deepcopy(first.state_dict())
    assert {t.dtype for key, t in saved["state"][0].items() if key != "step"} == {ringgrad.float32}
    params = [p.detach().clone().requires_grad_() for p in half]
    second = optim.keep_master_weights(optim.AdamW(params))
    second.load_state_dict(saved)
    run("AdamW", None, range(10, STEPS), True, optimizer=second, params=params)
    assert all(ringgrad.equal(a, b) for a, b in zip(params, through))


def test_a_state_dict_without_them_is_taken_over():
    params, first = run("AdamW", ringgrad.bfloat16, range(10), False)
    optimizer = optim.keep_master_weights(optim.AdamW(params))
    optimizer.load_state_dict(first.state_dict())
    run("AdamW", None, range(10, STEPS), True, optimizer=optimizer, params=params)
    for p in params:
        state = optimizer.state[p]
        assert state["exp_avg"].dtype is state["master_weight"].dtype is ringgrad.float32 and state["step"].item() == STEPS


def test_float32_parameters_have_none_and_new_groups_do():
    p, q = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, dtype=ringgrad.float16, requires_grad=True)
    optimizer = optim.keep_master_weights(optim.SGD([p], lr=0.1))
    optimizer.add_param_group({"params": [q]})
    p.grad, q.grad = ringgrad.ones(2), ringgrad.ones(2, dtype=ringgrad.float16)
    optimizer.step()
    assert p not in optimizer.state and optimizer.state[q]["master_weight"].tolist() == pytest.approx([0.9, 0.9])


def test_wrong_optimizers_and_gradients():
    p = ringgrad.ones(3, 2, dtype=ringgrad.bfloat16, requires_grad=True)
    with pytest.raises(TypeError, match="updates one parameter after the other, such as SGD or AdamW, not LBFGS"):
        optim.keep_master_weights(optim.LBFGS([p]))
    optimizer = optim.keep_master_weights(optim.SGD([p], lr=0.1))
    p.grad = ringgrad.sparse_coo_tensor([[0]], ringgrad.ones(1, 2), (3, 2)).to(ringgrad.bfloat16)
    with pytest.raises(RuntimeError, match="keep this parameter in float32"):
        optimizer.step()
