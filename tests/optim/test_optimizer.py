"""What all optimizers share: groups, state dicts, hooks, closures, copies; and that memory is written, not replaced."""
import copy
import pickle

import numpy as np
import pytest

import ringgrad
from ringgrad import optim
from ringgrad.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook, required

ALL = ["SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "NAdam", "Adamax", "RAdam", "Rprop", "ASGD", "Adafactor"]


def leaf(*values):
    return ringgrad.tensor(list(values), requires_grad=True)


def with_grad(*values):
    p = leaf(*values)
    p.grad = ringgrad.ones(len(values))
    return p


def step_by_step(optimizer, params, gradients):
    for g in gradients:
        for p in params:
            p.grad = ringgrad.tensor(g)
        optimizer.step()
    return [p.tolist() for p in params]


GRADIENTS = [[1.0, -2.0], [0.5, 0.25], [-1.0, 3.0], [2.0, 2.0]]


@pytest.mark.parametrize("name", ALL)
def test_a_loaded_state_continues_the_same_path(name):
    kwargs = {"lr": 0.1, **({"momentum": 0.9} if name == "SGD" else {})}
    p = leaf(1.0, 2.0)
    a = getattr(optim, name)([p], **kwargs)
    step_by_step(a, [p], GRADIENTS[:2])
    q = leaf(*p.tolist())
    b = getattr(optim, name)([q], lr=7.0)
    b.load_state_dict(a.state_dict())
    assert step_by_step(a, [p], GRADIENTS[2:]) == step_by_step(b, [q], GRADIENTS[2:])


def test_loading_copies_the_state():
    p, q = with_grad(1.0), with_grad(1.0)
    a, b = optim.SGD([p], lr=0.1, momentum=0.9), optim.SGD([q], lr=0.1, momentum=0.9)
    a.step()
    b.load_state_dict(a.state_dict())
    b.step()
    assert a.state[p]["momentum_buffer"].tolist() == [1.0] and b.state[q]["momentum_buffer"].tolist() == pytest.approx([1.9])


def test_loading_casts_to_the_type_of_the_parameter_but_leaves_the_count():
    p = leaf(1.0)
    a = optim.Adam([p])
    step_by_step(a, [p], [[1.0]])
    q = ringgrad.ones(1, dtype=ringgrad.float64, requires_grad=True)
    b = optim.Adam([q])
    b.load_state_dict(a.state_dict())
    assert b.state[q]["exp_avg"].dtype is ringgrad.float64 and b.state[q]["step"].dtype is ringgrad.float32


def test_the_state_dict_numbers_parameters_through_the_groups():
    a, b, c = (with_grad(float(n)) for n in range(3))
    optimizer = optim.SGD([{"params": [c]}, {"params": [a, b], "lr": 1.0}], lr=0.1, momentum=0.5)
    optimizer.step()
    packed = optimizer.state_dict()
    assert [g["params"] for g in packed["param_groups"]] == [[0], [1, 2]] and list(packed["state"]) == [0, 1, 2]
    assert packed["state"][0]["momentum_buffer"] is optimizer.state[c]["momentum_buffer"]


def test_sgd_without_momentum_keeps_no_state():
    p = with_grad(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.step()
    assert optimizer.state_dict()["state"] == {} and len(optimizer.state) == 0


@pytest.mark.parametrize("name", ALL)
def test_parameters_without_gradient_are_left_alone(name):
    p, q = with_grad(1.0), leaf(1.0)
    optimizer = getattr(optim, name)([p, q], lr=0.1)
    optimizer.step()
    assert q.tolist() == [1.0] and p.tolist() != [1.0]


@pytest.mark.parametrize("name", ALL)
def test_the_memory_is_written_in_place_and_autograd_notices(name):
    p = leaf(1.0, 2.0)
    optimizer = getattr(optim, name)([p], lr=0.1)
    memory = p.detach()
    loss = (p * p).sum()
    p.grad = ringgrad.ones(2)
    optimizer.step()
    assert memory.tolist() == p.tolist() != [1.0, 2.0]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_memory_of_a_transposed_parameter_is_written():
    base = ringgrad.arange(6.0).reshape(2, 3)
    p = base.t().requires_grad_()
    p.grad = ringgrad.ones(3, 2)
    optim.SGD([p], lr=1.0).step()
    assert base.tolist() == [[-1.0, 0.0, 1.0], [2.0, 3.0, 4.0]]


def test_a_gradient_of_another_shape_is_refused():
    p = leaf(1.0, 2.0)
    p._grad = ringgrad.ones(3)
    with pytest.raises(RuntimeError, match=r"\[2\] \(the parameter\) must match .*\[3\]"):
        optim.SGD([p], lr=1.0).step()


@pytest.mark.parametrize("size", [2, 200_000])  # large ones are updated block by block, or by compiled loops
def test_state_of_another_shape_is_refused(size):
    p = ringgrad.zeros(size, requires_grad=True)
    optimizer = optim.Adam([p])
    p.grad = ringgrad.ones(size)
    optimizer.step()
    p.data = ringgrad.zeros(size + 1)
    p.grad = ringgrad.ones(size + 1)
    with pytest.raises(RuntimeError, match=rf"\[{size + 1}\] \(the parameter\) must match .*\[{size}\] \(its state\)"):
        optimizer.step()


# -- groups ------------------------------------------------------------------------------------------------------------


def test_groups_take_the_defaults_they_do_not_set():
    a, b = leaf(1.0), leaf(2.0)
    optimizer = optim.Adam([{"params": a, "lr": 3.0}], lr=0.1)
    optimizer.add_param_group({"params": [b], "eps": 1.0})
    assert [g["lr"] for g in optimizer.param_groups] == [3.0, 0.1] and optimizer.param_groups[1]["eps"] == 1.0


def test_named_parameters():
    a, b = leaf(1.0), leaf(2.0)
    optimizer = optim.SGD([("a", a), ("b", b)], lr=0.1)
    assert optimizer.param_groups[0]["params"] == [a, b] and optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [leaf(1.0)]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", a), b], lr=0.1)


x = leaf(1.0)
BAD = [
    (lambda: optim.SGD(x), TypeError, "should be an iterable of Tensors or dicts, but got ringgrad.FloatTensor"),
    (lambda: optim.SGD([]), ValueError, "empty parameter list"),
    (lambda: optim.SGD([3.0]), TypeError, "can only optimize Tensors, but one of the params is float"),
    (lambda: optim.SGD([x * 2]), ValueError, "non-leaf"),
    (lambda: optim.SGD([{"params": {x}}]), TypeError, "ordered collections"),
    (lambda: optim.SGD([{"params": [x]}, {"params": [x]}]), ValueError, "more than one parameter group"),
    (lambda: optim.SGD([x]).add_param_group([x]), TypeError, "param_group must be a dict"),
    (lambda: Optimizer([{"params": [x]}], {"lr": required}), ValueError, "required optimization parameter lr"),
    (lambda: optim.SGD([x], lr=ringgrad.ones(2)), ValueError, "1-element"),
    (lambda: optim.Adam([x], lr=ringgrad.tensor(0.1), foreach=True), ValueError, "lr as a Tensor is not supported"),
    (lambda: optim.SGD([x]).load_state_dict(optim.SGD([{"params": [leaf(1.0)]}, {"params": [leaf(2.0)]}]).state_dict()), ValueError,
     "different number of parameter groups: 2, and the optimizer has 1"),
    (lambda: optim.SGD([x]).load_state_dict(optim.SGD([leaf(1.0), leaf(2.0)]).state_dict()), ValueError, "group 0 has 2 parameters"),
]


@pytest.mark.parametrize(("make", "error", "words"), BAD, ids=[row[2][:30] for row in BAD])
def test_wrong_use(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_parameter_twice_in_one_group_warns():
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([x, x])


def test_capturable_needs_a_gpu():
    with pytest.raises(AssertionError, match="capturable=True"):
        optim.Adam([with_grad(1.0)], capturable=True).step()


# -- gradients, closures, hooks ----------------------------------------------------------------------------------------


def test_zero_grad():
    p = with_grad(1.0, 2.0)
    optimizer = optim.SGD([p])
    g = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is g and g.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_zero_grad_cuts_the_history_of_a_recorded_gradient():
    p = leaf(3.0)
    (p * p * p).sum().backward(create_graph=True)
    assert p.grad.requires_grad
    optim.SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0] and not p.grad.requires_grad


@pytest.mark.parametrize("name", ALL)
def test_a_closure_is_called_with_gradients_enabled_and_its_loss_returned(name):
    p = leaf(1.0)
    optimizer = getattr(optim, name)([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ringgrad.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() < 1.0 and optimizer.step() is None


def test_step_hooks_see_the_arguments_and_may_change_them():
    p = with_grad(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    seen = []
    handles = [
        optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "changed"), {})),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append((o, args, kwargs))),
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append(("all", len(args)))),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("after")),
    ]
    assert optimizer.step(closure=None) == "changed"
    assert seen[0] == ("all", 1) and seen[1][0] is optimizer and len(seen[1][1]) == 2 and seen[2] == "after"
    for handle in handles:
        handle.remove()
    assert optimizer.step() is None and len(seen) == 3
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 5)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_a_subclass_that_calls_its_parents_step_runs_hooks_once():
    class Twice(optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            return super().step(closure)

    p = with_grad(1.0)
    optimizer = Twice([p], lr=0.25)
    count = []
    optimizer.register_step_pre_hook(lambda *_: count.append(1))
    optimizer.step()
    assert len(count) == 1 and p.item() == 0.5


def test_state_dict_hooks():
    p = with_grad(1.0)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    order = []
    optimizer.register_state_dict_pre_hook(lambda o: order.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: order.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, s: {**s, "note": 1})
    packed = optimizer.state_dict()
    assert order == ["first", "second"] and packed["note"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, s: {**s, "param_groups": [{**s["param_groups"][0], "lr": 5.0}]})
    optimizer.register_load_state_dict_post_hook(lambda o: order.append("loaded"))
    optimizer.load_state_dict(packed)
    assert optimizer.param_groups[0]["lr"] == 5.0 and order[-1] == "loaded" and packed["param_groups"][0]["lr"] == 0.1


def test_an_optimizer_of_ones_own():
    class Sign(Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @ringgrad.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["n"] = self.state[p].get("n", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = with_grad(1.0)
    optimizer = Sign([p], 0.25)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    optimizer.step()
    schedule.step()
    optimizer.step()
    assert p.item() == 0.625 and optimizer.state_dict()["state"] == {0: {"n": 2}}


def test_copies_and_pickles():
    model = [with_grad(1.0), with_grad(2.0)]
    optimizer = optim.Adam(model, lr=0.1)
    optimizer.step()
    for clone in (copy.deepcopy((model, optimizer)), pickle.loads(pickle.dumps((model, optimizer)))):
        params, twin = clone
        assert twin.param_groups[0]["params"][0] is params[0] and params[0] is not model[0]
        assert twin.state[params[1]]["step"].item() == 1
        params[0].grad = params[1].grad = ringgrad.ones(1)
        twin.step()
        assert twin.state[params[1]]["step"].item() == 2
    assert optimizer.state[model[1]]["step"].item() == 1


# -- the ways a rule is run --------------------------------------------------------------------------------------------

SHAPES = [(70_001,), (300, 257), (3, 5)]


def large_run(name, layout, kwargs, dtype="float32"):
    """Three steps on parameters that span several blocks."""
    rng = np.random.default_rng(1)
    params, path = [], []
    for shape in SHAPES:
        a = rng.standard_normal(shape).astype(dtype)
        params.append(ringgrad.from_numpy(layout(a)).requires_grad_())
    optimizer = getattr(optim, name)(params, **kwargs)
    for _ in range(3):
        for p in params:
            p.grad = ringgrad.from_numpy(layout(rng.standard_normal(p.shape).astype(dtype)))
        optimizer.step()
    path = [p.detach().numpy().copy() for p in params]
    return path, optimizer


def strided(a):
    wide = np.zeros((*a.shape, 2), a.dtype)
    wide[..., 0] = a
    return wide[..., 0]


CASES = [(n, {"lr": 0.05}) for n in ALL if n != "Adafactor"] + [  # which is no rule
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5})]


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_blocks_layouts_and_compiled_loops_give_the_same_bits(name, kwargs, monkeypatch):
    from ringgrad.optim import _compiled
    monkeypatch.setattr(_compiled, "available", lambda: False)
    want, _ = large_run(name, strided, kwargs)  # one pass over whole arrays: no layout that can be cut into blocks
    for layout in (np.ascontiguousarray, np.asfortranarray):
        for x, y in zip(large_run(name, layout, kwargs)[0], want):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_compiled_loop_gives_the_bits_of_the_formula(name, kwargs, dtype, monkeypatch):
    pytest.importorskip("numba", reason="numba (extra fast-cpu) is not installed")
    from ringgrad.optim import _compiled
    got, _ = large_run(name, np.ascontiguousarray, kwargs, dtype)
    monkeypatch.setattr(_compiled, "available", lambda: False)
    for x, y in zip(got, large_run(name, np.ascontiguousarray, kwargs, dtype)[0]):
        np.testing.assert_array_equal(x, y)


def many_parameters(kwargs):
    """SGD on twenty parameters: most of them plain, one in columns, one of every other element, one of float64, one empty, one without a gradient."""
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal((100 + i, 40)).astype(np.float32) for i in range(20)]
    arrays[3], arrays[5], arrays[7], arrays[9] = np.asfortranarray(arrays[3]), strided(arrays[5]), arrays[7].astype(float), arrays[9][:0]
    params = [ringgrad.from_numpy(a).requires_grad_() for a in arrays]
    optimizer = optim.SGD(params, **kwargs)
    for _ in range(3):
        for p in params[:11] + params[12:]:
            p.grad = ringgrad.from_numpy(rng.standard_normal(p.shape).astype(p.detach().numpy().dtype))
        params[13].grad = ringgrad.from_numpy(np.asfortranarray(params[13].grad.numpy()))
        optimizer.step()
    return params


@pytest.mark.parametrize("kwargs", [{"lr": 0.05}, {"lr": 0.05, "weight_decay": 0.1}, {"lr": ringgrad.tensor(0.05), "maximize": True}])
def test_one_loop_over_all_parameters_gives_the_bits_of_one_after_the_other(kwargs, monkeypatch):
    pytest.importorskip("numba", reason="numba (extra fast-cpu) is not installed")
    from ringgrad.optim import _rule
    monkeypatch.setattr(_rule, "MANY", 8)
    got = many_parameters(kwargs)
    monkeypatch.setattr(_rule, "MANY", 100)
    want = many_parameters(kwargs)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert [p._version for p in got] == [p._version for p in want]


def test_one_loop_over_all_parameters_writes_to_no_memory_that_may_not_be_written_to(monkeypatch):
    pytest.importorskip("numba", reason="numba (extra fast-cpu) is not installed")
    from ringgrad.optim import _rule
    monkeypatch.setattr(_rule, "MANY", 8)
    params = [ringgrad.ones(100 if i != 4 else 10, 100).requires_grad_() for i in range(10)]
    params[4].detach().numpy().flags.writeable = False
    for p in params:
        p.grad = ringgrad.ones_like(p)
    before = params[4].detach().clone()
    with pytest.raises(ValueError, match="read-only"):
        optim.SGD(params, lr=0.1).step()
    assert (params[4] == before).all()
