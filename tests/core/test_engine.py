"""The backward pass: order of events, deep graphs, lifetimes, memory of gradients, errors, threads."""
import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import ringgrad
from ringgrad._core import gradients, hooks
from ringgrad._core.compile import fast_function
from ringgrad._core.op import REGISTRY, op
from ringgrad._core.promotion import same
from ringgrad._state import state

DEPTH = 100_000


@pytest.fixture
def declare():
    """Declare ops for one test; the registry forgets them afterwards."""
    before = set(REGISTRY)
    yield op
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


@pytest.fixture
def no_collector():
    """Without the cycle collector: what dies here dies by reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def spy_on(declare, events):
    """An op `noted(x, w)` = x * w whose rules write down when they run."""
    @declare(promote=same)
    def noted(xp, x, w, name: str = ""):
        return x * w

    @noted.vjp("x")
    def _(xp, g, w, name):
        events.append(f"{name}.x")
        return g * w

    @noted.vjp("w")
    def _(xp, g, x, name):
        events.append(f"{name}.w")
        return g * x

    return noted


# -- order of events ---------------------------------------------------------------------------------------------------


def test_a_leaf_is_ready_before_earlier_layers_run(declare):
    """What overlap of communication and backward rests on: the last layer's gradient is announced before the first layer's rule runs."""
    events = []
    noted = spy_on(declare, events)
    first, last = ringgrad.ones(3, requires_grad=True), ringgrad.ones(3, requires_grad=True)
    first.register_post_accumulate_grad_hook(lambda p: events.append("first ready"))
    last.register_post_accumulate_grad_hook(lambda p: events.append("last ready"))
    hidden = noted(ringgrad.ones(3), first, name="layer1")
    noted(hidden, last, name="layer2").sum().backward()
    assert events == ["layer2.x", "layer2.w", "last ready", "layer1.w", "first ready"]


def test_a_shared_leaf_is_ready_after_its_last_use(declare):
    events = []
    noted = spy_on(declare, events)
    w = ringgrad.ones(3, requires_grad=True)
    w.register_post_accumulate_grad_hook(lambda p: events.append(("ready", p.grad.tolist())))
    h = ringgrad.full((3,), 2.0)
    for i in range(3):
        h = noted(h, w, name=str(i))
    h.sum().backward()
    assert events == ["2.x", "2.w", "1.x", "1.w", "0.w", ("ready", [6.0, 6.0, 6.0])]


def test_nodes_run_in_reverse_order_of_recording(declare):
    events = []
    noted = spy_on(declare, events)
    x, w = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2)
    branches = [noted(x, w, name=str(i)) for i in range(4)]
    (branches[2] + branches[0] + branches[3] + branches[1]).sum().backward()
    assert events == ["3.x", "2.x", "1.x", "0.x"]


def test_rules_of_unwanted_gradients_do_not_run(declare):
    events = []
    noted = spy_on(declare, events)
    x, w = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    y = noted(noted(x, ringgrad.ones(2), name="a"), w, name="b")
    ringgrad.autograd.grad(y.sum(), [w], retain_graph=True)
    assert "a.x" not in events
    events.clear()
    y.sum().backward(inputs=[x])
    assert events[-1] == "a.x" and w.grad is None


def test_a_leaf_is_ready_even_when_a_rule_gives_nothing(declare):
    """Gradients that never come do not keep the others from being accumulated."""
    @declare(promote=same)
    def half_known(xp, x, y):
        return x + y

    @half_known.vjp("x")
    def _(xp, g):
        return None

    @half_known.vjp("y")
    def _(xp, g):
        return g

    x, y = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append("x"))
    h = x * 3
    (half_known(h * 2, y) + h).sum().backward()
    assert x.grad.tolist() == [3, 3] and y.grad.tolist() == [1, 1] and seen == ["x"]


def test_callbacks_at_the_end_of_backward():
    events = []
    x = ringgrad.ones(2, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: events.append("leaf") or hooks.on_backward_end(lambda: events.append("end")))
    h = x * 2
    h.register_hook(lambda g: hooks.on_backward_end(lambda: events.append("end of h")))
    h.sum().backward()
    assert events == ["leaf", "end of h", "end"]
    with pytest.raises(RuntimeError, match="outside of a backward pass"):
        hooks.on_backward_end(print)


def test_callbacks_belong_to_their_own_pass():
    """A backward pass inside a hook of another has its own end."""
    events = []
    x, w = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    w.register_hook(lambda g: hooks.on_backward_end(lambda: events.append("inner end")))

    def inner(g):
        with ringgrad.enable_grad():
            (w * w).sum().backward()
        events.append("inner done")
        hooks.on_backward_end(lambda: events.append("outer end"))

    h = x * 2
    h.register_hook(inner)
    h.sum().backward()
    assert events == ["inner end", "inner done", "outer end"]


# -- depth and lifetime ------------------------------------------------------------------------------------------------


def test_a_chain_of_100000_operations():
    """Forward, backward, and death of the graph, without recursion."""
    x = ringgrad.ones(2, requires_grad=True)
    y = x
    for _ in range(DEPTH):
        y = y + 1
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [1, 1]
    del y


def test_a_long_chain_dies_without_backward():
    x = ringgrad.ones(2, requires_grad=True)
    y = x
    for _ in range(DEPTH):
        y = y * x
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def test_a_long_chain_of_views_and_writes():
    x = ringgrad.ones(4, requires_grad=True)
    y = x * 1
    for i in range(2000):
        y[i % 4] = y[(i + 1) % 4] * 0.999 if i % 7 else y[i % 4] + 0.001
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_a_deep_double_backward():
    x = ringgrad.tensor(1.0, requires_grad=True, dtype=ringgrad.float64)
    y = x
    for _ in range(2000):
        y = y * 1.0001
    (g,) = ringgrad.autograd.grad(y * y, x, create_graph=True)
    (h,) = ringgrad.autograd.grad(g, x)
    np.testing.assert_allclose([g.item(), h.item()], 2 * 1.0001 ** 4000, rtol=1e-9)


def test_graphs_die_by_reference_count(no_collector):
    x = ringgrad.ones(3, requires_grad=True)
    y = (x * x).exp()
    z = y.sum()
    nodes = [weakref.ref(t.grad_fn) for t in (y, z)]
    arrays = [weakref.ref(y)]
    del y, z
    assert [r() for r in nodes + arrays] == [None] * 3


@pytest.mark.parametrize("build", [
    lambda x: (x * x).sum(),
    lambda x: x.exp().sum(),
    lambda x: (x * 1).mul_(x * 2).sum(),
    lambda x: x.view(3, 1)[0].sum(),
    lambda x: sum(x.unbind(0)),
    lambda x: ringgrad.cat([x, x * 2]).sum(),
    lambda x: x.max(dim=0)[0],
], ids=["product", "saved output", "in place", "views", "several outputs", "variadic", "values and indices"])
def test_backward_leaves_no_cycle(no_collector, build):
    x = ringgrad.ones(3, requires_grad=True)
    y = build(x)
    node = weakref.ref(y.grad_fn)
    y.backward()
    assert x.grad is not None
    del y
    assert node() is None
    seen = weakref.ref(x)
    del x
    assert seen() is None


def test_double_backward_leaves_no_cycle(no_collector):
    x = ringgrad.ones(3, requires_grad=True)
    y = (x.exp() * x).sum()
    (g,) = ringgrad.autograd.grad(y, x, create_graph=True)
    (g * g).sum().backward()
    alive = [weakref.ref(t.grad_fn) for t in (y, g)]
    del y, g
    assert [r() for r in alive] == [None, None]


def test_views_and_bases_leave_no_cycle(no_collector):
    x = ringgrad.ones(2, 2, requires_grad=True)
    base = x * 1
    v = base[0]
    v.mul_(2)
    alive = [weakref.ref(base), weakref.ref(v)]
    del base, v
    assert [r() for r in alive] == [None, None]


def test_backward_frees_saved_values_as_it_goes(no_collector):
    """Without retain_graph the saved activations are gone after the pass, though the result is still held."""
    x = ringgrad.ones(1000, requires_grad=True)
    h = x * 2
    saved = weakref.ref(h._data)
    y = (h * h).sum()
    del h
    assert saved() is not None
    y.backward()
    assert saved() is None


def test_only_what_a_rule_names_is_kept(no_collector):
    """add keeps nothing; exp only its output; multiply by a constant only the constant."""
    x = ringgrad.ones(1000, requires_grad=True)
    h = x * 2
    inner = weakref.ref(h._data)
    kept = h + 1
    del h
    assert inner() is None
    h = kept * 3
    inner = weakref.ref(h._data)
    e = h.exp()
    del h
    assert inner() is None
    assert e.grad_fn.saved[0][0] is e._data


# -- memory of gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [
    lambda x, y: x + y,
    lambda x, y: x.view(4).reshape(2, 2) + y.t().t(),
    lambda x, y: ringgrad.cat([x, y]),
    lambda x, y: (x - y) * 1,
    lambda x, y: ringgrad.stack([x, y, x]),
], ids=["sum", "views", "cat", "difference", "stack"])
def test_gradients_of_two_leaves_never_share_memory(build):
    x, y = ringgrad.ones(2, 2, requires_grad=True), ringgrad.ones(2, 2, requires_grad=True)
    out = build(x, y)
    seed = ringgrad.ones_like(out)
    out.backward(seed)
    memory = [x.grad._data, y.grad._data, seed._data]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(memory) for b in memory[i + 1:])
    x.grad.zero_()
    assert y.grad.abs().sum().item() > 0 and seed.tolist() == ringgrad.ones_like(out).tolist()


def given_by(declare, rule, anomaly):
    """The gradients of two leaves when an op's joint rule answers with what `rule` makes."""
    @declare()
    def pair(xp, x, y):
        return x + y

    @pair.vjp("x", "y")
    def _(xp, g):
        return rule()
    x, y = ringgrad.ones(2, 3, requires_grad=True), ringgrad.ones(2, 3, requires_grad=True)
    with ringgrad.autograd.set_detect_anomaly(anomaly, check_nan=False):  # the engine's general path where it is on
        fast_function(pair)(x, y).backward(ringgrad.ones(2, 3))
    return x.grad._data, y.grad._data


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="variables of this Python borrow references: every gradient is copied")
@pytest.mark.parametrize("anomaly", [False, True], ids=["plain", "general"])
@pytest.mark.parametrize(("made", "kept"), [
    (lambda: np.full((2, 3), 2, np.float32), True),
    (lambda: np.full(6, 2, np.float32).reshape(2, 3), True),  # a view of what only it looks into
    (lambda: np.full((3, 3), 2, np.float32)[:2], False),
    (lambda: np.full((3, 2), 2, np.float32).T, False),  # not laid out as the leaf is
], ids=["array", "view", "piece", "turned"])
def test_a_gradient_that_nobody_else_holds_is_not_copied(declare, made, kept, anomaly):
    places = []

    def rule():
        pair = made(), made()
        places.extend(a.ctypes.data for a in pair)
        return pair
    found = given_by(declare, rule, anomaly)
    assert [a.ctypes.data == place for a, place in zip(found, places)] == [kept, kept]
    assert all((a == 2).all() and a.flags.c_contiguous for a in found)


@pytest.mark.parametrize("anomaly", [False, True], ids=["plain", "general"])
@pytest.mark.parametrize("made", [lambda a: (a, a), lambda a: (a.reshape(3, 2).reshape(2, 3), a), lambda a: (a[:], a[:])],
                         ids=["one", "view", "views"])
def test_what_a_rule_gives_to_two_leaves_is_not_shared(declare, made, anomaly):
    x, y = given_by(declare, lambda: made(np.full((2, 3), 2, np.float32)), anomaly)
    assert not np.shares_memory(x, y)


def test_what_a_rule_keeps_is_not_given_away(declare):
    mine = np.full((2, 3), 2, np.float32)
    x, y = given_by(declare, lambda: (mine, mine[:]), False)
    assert not np.shares_memory(x, mine) and not np.shares_memory(y, mine)


@pytest.mark.parametrize("made", [lambda a: (a, a), lambda a: (a[:], a.copy())], ids=["one", "apart"])
def test_where_references_cannot_be_counted_gradients_are_copied(declare, monkeypatch, made):
    monkeypatch.setattr(gradients, "_MINE", -3)
    mine = np.full((2, 3), 2, np.float32)
    x, y = given_by(declare, lambda: made(mine), False)
    assert (x == 2).all() and (y == 2).all() and not any(np.shares_memory(a, b) for a, b in ((x, y), (x, mine), (y, mine)))


def test_the_seed_is_not_overwritten_by_a_later_pass():
    x = ringgrad.ones(2, requires_grad=True)
    seed = ringgrad.tensor([1.0, 2.0])
    (x + 0).backward(seed)
    (x + 0).backward(seed)
    assert x.grad.tolist() == [2, 4] and seed.tolist() == [1, 2]


def test_what_a_hook_keeps_is_not_overwritten():
    kept = []
    x = ringgrad.ones(2, requires_grad=True)
    x.register_hook(kept.append)
    for _ in range(3):
        (x * 2).sum().backward()
    assert [g.tolist() for g in kept] == [[2, 2]] * 3 and x.grad.tolist() == [6, 6]


def test_gradients_are_dense_and_in_the_leafs_layout():
    x = ringgrad.ones(3, 4, requires_grad=True)
    x.t().reshape(12).mul(ringgrad.arange(12.0)).sum().backward()
    assert x.grad.is_contiguous() and x.grad.tolist() == np.arange(12.0).reshape(4, 3).T.tolist()
    y = ringgrad.ones(3, requires_grad=True)
    y.expand(5, 3).sum().backward()
    assert y.grad.is_contiguous() and y.grad.tolist() == [5, 5, 5]


# -- errors ------------------------------------------------------------------------------------------------------------


def failing(declare):
    @declare(promote=same)
    def fragile(xp, x):
        return x * 1

    @fragile.vjp("x")
    def _(xp, g):
        raise ZeroDivisionError("in the rule")

    return fragile


@pytest.mark.parametrize("path", [lambda record: record, fast_function], ids=["general", "quick"])
def test_an_error_in_a_rule_names_the_forward_operation(declare, path):
    x = ringgrad.ones(2, requires_grad=True)
    with pytest.raises(ZeroDivisionError, match="in the rule") as caught:
        (path(failing(declare))(x) * 2).sum().backward()
    assert caught.value.__notes__ == ["This happened in the backward pass of fragile (FragileBackward0)."]


def test_anomaly_mode_shows_the_forward_line(declare):
    fragile = failing(declare)
    x = ringgrad.ones(2, requires_grad=True)
    with ringgrad.autograd.detect_anomaly():
        y = fragile(x)  # the line at fault
        with pytest.raises(ZeroDivisionError) as caught:
            y.sum().backward()
    assert "y = fragile(x)  # the line at fault" in "".join(caught.value.__notes__)


def test_anomaly_mode_names_the_line_that_made_the_nan():
    x = ringgrad.zeros(2, requires_grad=True)
    with ringgrad.autograd.detect_anomaly():
        root = x.sqrt()  # infinite slope
        with pytest.raises(RuntimeError, match="SqrtBackward0.*nan") as caught:
            (root * 0).sum().backward()
    assert "root = x.sqrt()  # infinite slope" in "".join(caught.value.__notes__)


def test_an_error_leaves_nothing_behind(declare):
    x, w = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    fragile = failing(declare)
    with pytest.raises(ZeroDivisionError):
        (fragile(x) * w).sum().backward()
    assert state.grad and state.backward is None and state.tracer is None
    assert np.geterr()["divide"] == "warn"
    x.grad = w.grad = None
    (x * w * 3).sum().backward()
    assert x.grad.tolist() == w.grad.tolist() == [3, 3]


def test_modes_are_restored_after_an_error_in_a_hook():
    x = ringgrad.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert ringgrad.is_grad_enabled() and state.backward is None


# -- threads -----------------------------------------------------------------------------------------------------------


def in_threads(functions):
    """Run functions at the same time; raise what the first failing one raised."""
    gate, errors = threading.Barrier(len(functions)), []

    def guarded(f):
        try:
            gate.wait(timeout=30)
            f()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
        assert not t.is_alive(), "a thread did not finish"
    if errors:
        raise errors[0]


def test_threads_train_side_by_side():
    """Ranks of the `local` process group are threads: their graphs, gradients and modes do not meet."""
    found = {}

    def train(rank):
        w = ringgrad.full((4,), float(rank + 1), requires_grad=True)
        for _ in range(50):
            (w * w * 0.5).sum().backward()
            with ringgrad.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
        found[rank] = w.tolist()

    in_threads([lambda r=r: train(r) for r in range(4)])
    for rank in range(4):
        np.testing.assert_allclose(found[rank], (rank + 1) * 0.9 ** 50, rtol=1e-5)


def test_threads_have_their_own_modes():
    seen, turn = {}, threading.Barrier(2)

    def without():
        x = ringgrad.ones(2, requires_grad=True)
        with ringgrad.no_grad():
            turn.wait(timeout=30)
            seen["without"] = (x * 2).requires_grad
            turn.wait(timeout=30)

    def within():
        x = ringgrad.ones(2, requires_grad=True)
        turn.wait(timeout=30)
        y = (x * 2).sum()
        seen["within"] = y.requires_grad
        y.backward()
        seen["gradient"] = x.grad.tolist()
        turn.wait(timeout=30)

    in_threads([without, within])
    assert seen == {"without": False, "within": True, "gradient": [2, 2]}


def test_backward_runs_in_the_thread_that_asked():
    seen = []
    x = ringgrad.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: seen.append(threading.current_thread().name))
    thread = threading.Thread(target=lambda: y.sum().backward(), name="the one that asked")
    thread.start()
    thread.join(timeout=30)
    assert seen == ["the one that asked"] and x.grad.tolist() == [2, 2]


# -- several outputs ---------------------------------------------------------------------------------------------------


def test_saved_outputs_of_several_are_differentiated_again(declare):
    """(exp x, x exp x): the rule names its outputs, so the second derivative runs through them."""
    @declare(promote=same)
    def exponentials(xp, x):
        e = xp.exp(x)
        return e, x * e

    @exponentials.vjp("x")
    def _(xp, g, out):
        a, b = g
        e, xe = out
        return (0 if a is None else a * e) + (0 if b is None else b * (e + xe))

    x = ringgrad.tensor([0.5, -1.0], dtype=ringgrad.float64, requires_grad=True)
    assert ringgrad.autograd.gradcheck(exponentials, (x,)) and ringgrad.autograd.gradgradcheck(exponentials, (x,))
    e, xe = exponentials(x)
    e.mul_(2)
    with pytest.raises(RuntimeError, match="saved by ExponentialsBackward0, is at version 1"):
        (e.sum() + xe.sum()).backward()


def test_saved_outputs_of_several_leave_no_cycle(no_collector):
    x = ringgrad.ones(2, 3, requires_grad=True)
    v, i = x.max(1)
    (g,) = ringgrad.autograd.grad(v.sum(), x, create_graph=True)
    alive = [weakref.ref(t) for t in (v, i, g)] + [weakref.ref(v.grad_fn)]
    del v, i, g
    assert [r() for r in alive] == [None] * 4


def test_several_outputs_in_half_precision_are_computed_in_single(declare):
    """The rule sees float32 gradients, saved outputs included, as a rule with one output does; what comes out is half again."""
    seen = []

    @declare(promote=same)
    def both(xp, x):
        return x * 2, x * 3

    @both.vjp("x")
    def _(xp, g, x, out):
        seen.extend(part.dtype for part in (*g, x, *out))
        return g[0] * 2e5 * 1e-5 + g[1] * 3

    x = ringgrad.ones(2, dtype=ringgrad.float16, requires_grad=True)
    a, b = both(x)
    (a + b).sum().backward()
    assert set(seen) == {np.dtype(np.float32)} and x.grad.dtype == ringgrad.float16 and x.grad.tolist() == [5, 5]


def test_complex_gradients_of_several_outputs():
    z = ringgrad.tensor([1 + 2j, 3 - 1j, 2j], dtype=ringgrad.complex128, requires_grad=True)
    assert ringgrad.autograd.gradcheck(lambda z: (z * z).split([1, 2]), z)
    assert ringgrad.autograd.gradcheck(lambda z: ringgrad.cat([z, z * z]).unbind(), z)


def test_nothing_promoted_leaves_the_short_way_through_the_engine():
    """Types are noted only where a gradient has to be cast."""
    x, y = ringgrad.ones(2, 2, requires_grad=True), ringgrad.ones(2, 2, dtype=ringgrad.float64, requires_grad=True)
    short = ringgrad.cat([x, x]), ringgrad.stack([x]), x.split(1)[0], x.max(0)[0], ringgrad.nn.functional.scaled_dot_product_attention(x, x, x)
    assert all(t.grad_fn.dtypes is None for t in short)
    assert ringgrad.cat([x, y]).grad_fn.dtypes is not None and ringgrad.cat([x.half(), x.half()]).grad_fn.dtypes is not None


# -- saved values, packed ----------------------------------------------------------------------------------------------


def test_packed_values_are_let_go():
    """Under hooks that detach nothing keeps the activations: the graph holds what pack returned, until the backward pass."""
    class Box:
        def __init__(self, t):
            self.array = t.numpy(force=True).copy()

    x = ringgrad.ones(1000, requires_grad=True)
    boxes = []

    def pack(t):
        boxes.append(weakref.ref(box := Box(t)))
        return box

    with ringgrad.autograd.graph.saved_tensors_hooks(pack, lambda box: ringgrad.tensor(box.array)):
        h = x * 2
        memory = weakref.ref(h._data)
        y = (h * h).sum()
    del h
    assert memory() is None and boxes and all(box() is not None for box in boxes)
    y.backward()
    assert x.grad[0].item() == 8 and all(box() is None for box in boxes)


def test_hooks_on_saved_tensors_belong_to_their_thread():
    seen = []

    def here():
        with ringgrad.autograd.graph.saved_tensors_hooks(lambda t: seen.append("here") or t.detach(), lambda t: t):
            turn.wait(timeout=30)
            ringgrad.ones(2, requires_grad=True).exp()
            turn.wait(timeout=30)

    def there():
        turn.wait(timeout=30)
        ringgrad.ones(2, requires_grad=True).exp().sum().backward()
        turn.wait(timeout=30)

    turn = threading.Barrier(2)
    in_threads([here, there])
    assert seen == ["here"] and state.saved_hooks == () and state.tracer is None
