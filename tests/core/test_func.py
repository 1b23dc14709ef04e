"""ringgrad.func beyond what the script pairs of tests/autograd compare: containers, what vmap runs in one go, when it steps aside."""
import threading
from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest

import ringgrad as rg
from ringgrad import func, nn
from ringgrad.func import _tree
from ringgrad.func._lanes import running

Point = namedtuple("Point", "x y")
X, Y = rg.tensor([1.0, 2.0, -0.5]), rg.tensor([[0.5, -2.0, 1.0], [1.5, 0.25, -1.0], [3.0, 1.0, 2.0], [0.1, 0.2, 0.3]])


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    yield
    assert running() is None and rg.is_grad_enabled()
    assert (rg.ones(2) * 2).tolist() == [2.0, 2.0]


# -- containers --------------------------------------------------------------------------------------------------------

TREES = [3, None, [], (), {}, [1, (2, [3])], {"b": 1, "a": [2, {"c": 3}]}, Point(1, [2, 3]), OrderedDict(z=1, a=2), deque([1, 2], maxlen=5),
         defaultdict(list, {"k": 1})]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_containers_come_apart_and_together(tree):
    leaves, form = _tree.flatten(tree)
    again = _tree.unflatten(leaves, form)
    assert again == tree and type(again) is type(tree) and getattr(again, "maxlen", 5) == 5
    assert len(form) == len(leaves) and _tree.flatten(again)[1] == form
    assert _tree.broadcast_to(7, form) == [7] * len(leaves)


def test_forms_are_compared_and_shown():
    form = _tree.flatten({"a": [1, 2], "b": 3})[1]
    assert repr(form) == "{'a': [*, *], 'b': *}"
    assert form != _tree.flatten({"a": [1, 2], "c": 3})[1] and form != _tree.flatten([1, 2, 3])[1]
    assert _tree.broadcast_to({"a": 0, "b": 1}, form) == [0, 0, 1]
    assert _tree.broadcast_to({"a": 0}, form) is None and _tree.broadcast_to({"a": [0], "b": 1}, form) is None


# -- what vmap runs in one go ------------------------------------------------------------------------------------------

class Cube(rg.autograd.Function):
    """x ** 3, with a gradient written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x * x


LAYER = nn.Linear(3, 2).requires_grad_(False)
CONV = nn.Sequential(nn.Conv1d(1, 2, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(1), nn.Linear(2, 3)).requires_grad_(False)


def classify(params, x):
    return nn.functional.cross_entropy(func.functional_call(CONV, params, (x[None, None],)), rg.tensor([1]))


IN_ONE_RUN = {
    "a formula": lambda a: (a.exp() * a).sum(),
    "shapes and indices": lambda a: (a.reshape(3, 1) * a[None, 1:], a[0], a.flip(0), rg.cat([a, a]), rg.stack([a, a], -1),
                                     a.unsqueeze(-1).expand(3, 2)),
    "sorting and reducing": lambda a: (a.sort().values, a.argmax(), a.var(), a.cumsum(0), a.softmax(0), a.amax(0), a.topk(2).values, a.norm()),
    "other types": lambda a: (a > 0, a.double() + 1, a.long() % 2, a.sum() + rg.tensor(1, dtype=rg.int64), a.half() * 2.5),
    "a constant": lambda a: rg.ones(2),
    "a layer": lambda a: LAYER(a),
    "a gradient": func.grad(lambda a: (a ** 3).sum()),
    "a gradient of a gradient": lambda a: func.grad(lambda b: func.grad(lambda c: (c ** 4).sum())(b).sum())(a),
    "a jacobian": func.jacrev(lambda a: a.sin() * a[0]),
    "a hessian": func.hessian(lambda a: (a ** 3).sum() * a[1]),
    "a directional derivative": lambda a: func.jvp(lambda b: b.sin(), (a,), (a,)),
    "gradients of parameters": lambda a: func.grad(classify)({k: v.detach() for k, v in CONV.named_parameters()}, a),
    "a gradient written by hand": func.grad(lambda a: Cube.apply(a).sum()),
    "vmap inside": lambda a: func.vmap(lambda b: b * a)(rg.arange(4.0)),
    "functions without a rule": lambda a: (rg.linalg.inv(rg.outer(a, a) + rg.eye(3)), a[rg.tensor([2, 0])]),
}


def counted(function):
    calls = []

    def inner(*args):
        calls.append(1)
        return function(*args)
    return inner, calls


def by_hand(function, *columns):
    runs = [_tree.flatten(function(*row)) for row in zip(*columns, strict=True)]
    return [np.stack([leaves[i].detach().numpy() for leaves, _ in runs]) for i in range(len(runs[0][0]))]


def assert_same(found, expected):
    leaves = _tree.flatten(found)[0]
    assert len(leaves) == len(expected)
    for a, b in zip(leaves, expected, strict=True):
        assert a.numpy().dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", IN_ONE_RUN)
def test_one_call_for_the_whole_batch(name):
    function, calls = counted(IN_ONE_RUN[name])
    found = func.vmap(function)(Y)
    assert len(calls) == 1
    assert_same(found, by_hand(IN_ONE_RUN[name], Y))
    assert not any(t.requires_grad for t in _tree.flatten(found)[0])


def choosing(a):
    return a if a.sum() > 1 else -a


def writing(a):
    b = a * 2
    b[0] = 1.0
    b += 1
    return b


def caught(a):
    try:
        return a * a[0].item()
    except Exception:
        return a * 0


@pytest.mark.parametrize("function", [choosing, writing, caught, lambda a: rg.tensor(a.tolist()), lambda a: a.new_tensor(np.sin(a.numpy()))],
                         ids=["branch", "write", "item", "list", "numpy"])
def test_it_steps_aside_for_what_looks_at_values(function):
    assert_same(func.vmap(function)(Y), by_hand(function, Y))


def test_what_is_written_outside_is_written_once_per_slice():
    seen = rg.zeros(3)

    def f(a):
        seen.add_(a)
        return a * 2

    func.vmap(f)(Y)
    np.testing.assert_allclose(seen.numpy(), Y.numpy().sum(0), rtol=1e-6)
    norm = nn.BatchNorm1d(3)
    func.vmap(lambda a: norm(a[None].expand(2, 3)))(Y)
    assert norm.num_batches_tracked == 4


def test_gradients_that_go_outside():
    """To the mapped tensor, to one that the function closes over, to both through a gradient inside."""
    x, w = Y.clone().requires_grad_(), X.clone().requires_grad_()
    out = func.vmap(func.grad(lambda a: (w * a ** 3).sum()))(x)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * X.numpy() * Y.numpy(), rtol=1e-5)
    np.testing.assert_allclose(w.grad.numpy(), (3 * Y.numpy() ** 2).sum(0), rtol=1e-5)
    with rg.no_grad():
        function, calls = counted(lambda a: a * w)
        assert not func.vmap(function)(x).requires_grad and len(calls) == 1
    assert not func.vmap(lambda a: (a * w).detach())(x).requires_grad
    first, second = func.vmap(lambda a: (a * 2, a.detach() * 3))(x)
    assert first.requires_grad and not second.requires_grad


def test_it_steps_aside_before_it_has_done_the_work_for_nothing():
    w, ends = X.clone().requires_grad_(), []

    def f(a):
        b = (a * w).sin()
        ends.append(1)
        return b

    func.vmap(f)(Y).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), (Y.numpy() * np.cos(Y.numpy() * X.numpy())).sum(0), rtol=1e-5)
    assert len(ends) == len(Y)


def test_random_numbers():
    rg.manual_seed(4)
    same = func.vmap(lambda a: nn.functional.dropout(a * 0 + 1, 0.5), randomness="same")(Y)
    assert all(rg.equal(row, same[0]) for row in same)
    rg.manual_seed(4)
    expected = [nn.functional.dropout(rg.ones(3), 0.5) for _ in range(4)]
    rg.manual_seed(4)
    assert rg.equal(func.vmap(lambda a: nn.functional.dropout(a * 0 + 1, 0.5), randomness="different")(Y), rg.stack(expected))
    with pytest.raises(RuntimeError, match="randomness error mode"):
        func.vmap(lambda a: rg.randn(3))(Y)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        func.jacfwd(lambda a: a * rg.rand(3))(X)
    shared = func.vmap(lambda a: a * 0 + rg.rand(3), randomness="same")(Y)
    assert all(rg.equal(row, shared[0]) for row in shared)


def test_errors_come_out_as_they_are():
    def wrong(a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        func.vmap(wrong)(Y)
    with pytest.raises(RuntimeError, match="size|shape|dimension|broadcast"):
        func.vmap(lambda a: a + rg.ones(7))(Y)
    with pytest.raises(ZeroDivisionError):
        func.vmap(func.grad(lambda a: a.sum() * (1 / 0)))(Y)
    with pytest.raises(ValueError, match="different structures"):
        func.vmap(lambda a: (a, a) if a.sum() > 1 else a)(Y)


def test_a_tensor_that_was_kept_from_inside_says_so():
    kept = []

    def f(a):
        kept.append(a * 2)
        return a

    func.vmap(f)(Y)
    for use in (lambda t: t.tolist(), lambda t: t.numpy() + 1, lambda t: t + 1, lambda t: bool(t.sum()), str):
        with pytest.raises(RuntimeError, match="made inside a function under vmap, which has ended"):
            use(kept[0])


def test_threads_have_vmaps_of_their_own():
    found, barrier = {}, threading.Barrier(2)

    def work(k):
        def f(a):
            barrier.wait(10)
            return a * k
        found[k] = func.vmap(f)(Y)

    threads = [threading.Thread(target=work, args=(k,)) for k in (2, 3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10)
    assert all(rg.equal(found[k], Y * k) for k in (2, 3))


# -- derivatives -------------------------------------------------------------------------------------------------------

def test_graphs_that_nobody_can_follow_are_not_recorded():
    value, pull = func.vjp(lambda a: a.exp(), X)
    assert not value.requires_grad and not pull(rg.ones(3))[0].requires_grad
    out, push = func.linearize(lambda a: a.exp(), X)
    assert not out.requires_grad and not push(X).requires_grad
    x = X.clone().requires_grad_()
    assert func.grad(lambda a: (a ** 2).sum())(x).requires_grad and x.grad is None
    assert not func.grad(lambda a: (a * x.detach()).sum())(X).requires_grad


def test_linearize_runs_the_function_once():
    function, calls = counted(lambda a: a.sin() * a)
    out, push = func.linearize(function, X)
    for t in (X, rg.ones(3), rg.tensor([0.0, 1.0, 0.0])):
        np.testing.assert_allclose(push(t).numpy(), func.jvp(lambda a: a.sin() * a, (X,), (t,))[1].numpy(), rtol=1e-6)
    assert len(calls) == 1


def test_three_levels_of_four_kinds():
    f = lambda a: (a ** 4).sum()  # noqa: E731
    expected = np.zeros((3, 3, 3))
    expected[range(3), range(3), range(3)] = 24 * X.numpy()
    for outer in (func.jacrev, func.jacfwd):
        for middle in (func.jacrev, func.jacfwd):
            np.testing.assert_allclose(outer(middle(func.grad(f)))(X).numpy(), expected, rtol=1e-5)


def test_names():
    assert rg.vmap is func.vmap and rg.func is func
    assert callable(rg.autograd.functional.jacobian)
    assert func.vmap(choosing).__name__ == "choosing"


def test_a_class_of_ones_own_as_a_container():
    from ringgrad.utils import _pytree

    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b
    _pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], "context"), lambda children, context: Pair(*children))
    leaves, spec = _pytree.tree_flatten({"x": Pair(1, [2, 3])})
    assert leaves == [1, 2, 3]
    back = _pytree.tree_unflatten([4, 5, 6], spec)["x"]
    assert isinstance(back, Pair) and (back.a, back.b) == (4, [5, 6])
    with pytest.raises(ValueError, match="already registered"):
        _pytree.register_pytree_node(Pair, None, None)
