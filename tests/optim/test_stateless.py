"""swap_in_optimizer_params_and_state: a step on borrowed parameters and state."""
import copy

import pytest

import ringgrad
from ringgrad import optim


def adam():
    p = ringgrad.ones(2, requires_grad=True)
    p.grad = ringgrad.tensor([1.0, -1.0])
    optimizer = optim.Adam([p], lr=0.1)
    optimizer.step()
    return p, optimizer


def test_a_step_goes_to_the_borrowed_parameters():
    p, optimizer = adam()
    q = ringgrad.zeros(2, requires_grad=True)
    q.grad = ringgrad.ones(2)
    packed = copy.deepcopy(optimizer.state_dict())
    packed["param_groups"][0]["lr"] = 0.5
    before = p.tolist()
    with optim.swap_in_optimizer_params_and_state(optimizer, {"p": q}, packed):
        assert optimizer.param_groups[0]["lr"] == 0.5 and optimizer.param_groups[0]["params"] == [q]
        optimizer.step()
    assert p.tolist() == before and q.tolist() != [0.0, 0.0] and optimizer.param_groups[0]["lr"] == 0.1
    assert packed["state"][0]["step"].item() == 2 and optimizer.state[p]["step"].item() == 1


def test_an_exception_puts_everything_back():
    p, optimizer = adam()
    with pytest.raises(ZeroDivisionError), optim.swap_in_optimizer_params_and_state(
            optimizer, {"p": ringgrad.zeros(2, requires_grad=True)}, optimizer.state_dict()):
        raise ZeroDivisionError
    assert optimizer.param_groups[0]["params"] == [p] and p in optimizer.state


BAD = [
    (lambda s: [], "DCP-style optimizer state_dict"), (lambda s: {**s, "state": 3}, "got int"),
    (lambda s: {**s, "state": {0: 5}}, "state entries to be dictionaries"), (lambda s: {**s, "param_groups": ()}, "got tuple"),
    (lambda s: {**s, "param_groups": []}, "different number of parameter groups"),
    (lambda s: {**s, "param_groups": [3]}, "each optimizer param group to be a dictionary"),
    (lambda s: {**s, "param_groups": [{**s["param_groups"][0], "params": ["a"]}]}, "keyed by packed parameter ids"),
    (lambda s: {**s, "param_groups": [{**s["param_groups"][0], "params": [0, 1]}]}, "group 0 has a different number of params"),
    (lambda s: {**s, "param_groups": [{**s["param_groups"][0], "more": 1}]}, r"Keys only in swap-in: \['more'\]"),
    (lambda s: {**s, "state": {**s["state"], 7: {}}}, r"got extra keys \[7\]"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[words[:25] for _, words in BAD])
def test_wrong_use(spoil, words):
    _, optimizer = adam()
    with pytest.raises(RuntimeError, match=words), optim.swap_in_optimizer_params_and_state(
            optimizer, {"p": ringgrad.zeros(2)}, spoil(optimizer.state_dict())):
        pass


def test_too_few_parameters_and_an_optimizer_without_state():
    _, optimizer = adam()
    with pytest.raises(RuntimeError, match="match optimizer.param_groups ordering"), optim.swap_in_optimizer_params_and_state(
            optimizer, {}, optimizer.state_dict()):
        pass
    fresh = optim.SGD([ringgrad.zeros(1, requires_grad=True)])
    with pytest.raises(RuntimeError, match="requires initialized optimizer state"), optim.swap_in_optimizer_params_and_state(fresh, {}, {}):
        pass
