"""Rare parts of the surface that public programs use: futures, modes that see functions, numbers as tensors; the same under torch."""
import threading

import pytest

import ringgrad

from ..autograd.script import Script, assert_same, plain

MODE = """
from importlib import import_module
overrides = import_module(T.__name__ + ".overrides")
class Log(overrides.TorchFunctionMode):
    def __init__(self, changes=None):
        self.seen, self.changes = [], changes or {}
    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = func.__name__
        self.seen.append(name)
        return self.changes[name](*args) if name in self.changes else func(*args, **(kwargs or {}))
before = T.relu, T.Tensor.sum
"""
MODES = [
    Script("calls are seen", MODE + "with Log() as log:\n    y = T.relu(T.ones(2)) + 1\n    T.nn.functional.softmax(y.mul_(2), 0).sum()",
           "log.seen; (T.relu, T.Tensor.sum) == before"),
    Script("and replaced", MODE + "with Log({'relu': lambda x: x * 10}) as log:\n    y = T.relu(T.ones(2))",
           "y; T.relu(T.ones(2)); 'relu' in log.seen"),
    Script("the inner one first", MODE + "with Log() as outer, Log({'relu': lambda x: x}) as inner:\n    T.relu(T.ones(2)); T.sigmoid(T.ones(2))",
           "[n for n in inner.seen if n != 'ones']; [n for n in outer.seen if n != 'ones']"),
    Script("what a mode calls it does not see", MODE + "with Log({'relu': lambda x: T.tanh(x)}) as log:\n    T.relu(T.ones(2))",
           "'tanh' in log.seen"),
]

SCRIPTS = [
    Script("a value", "f = T.futures.Future(); seen = []\nf.add_done_callback(lambda x: seen.append(x.value()))\n"
           "g = f.then(lambda x: x.wait() + 1)\n"
           "before = f.done(), g.done(), list(seen)\nf.set_result(3)",
           "before; f.done(); f.value(); f.wait(); g.wait(); seen"),
    Script("several", "a, b = T.futures.Future(), T.futures.Future(); c = T.futures.collect_all([a, b])\n"
           "early = c.done()\na.set_result(1); b.set_result(2)",
           "early; [x.value() for x in c.wait()]; T.futures.wait_all([a, b])"),
    Script("an exception", "f = T.futures.Future(); f.set_exception(ValueError('that'))\nf.wait()", raises="that"),
    Script("only once", "f = T.futures.Future(); f.set_result(1)\nf.set_result(2)", raises="Attempting to mark a completed Future as complete again"),
    Script("forks", "f = T.jit.fork(lambda x: x * 2, T.ones(2))", "T.jit.wait(f)"),
    Script("factors that are tensors", "x = T.ones(3); a = T.tensor(2.0)\ny = x.clone().add_(x, alpha=a)",
           "y; T.add(x, x, alpha=a); T.sub(x, x, alpha=a); T.addcmul(x, x, x, value=a); T.addcdiv(x, x, x, value=a); "
           "T.addmm(T.ones(2, 2), T.ones(2, 3), T.ones(3, 2), alpha=a, beta=a)"),
    Script("keywords of split and randint", "x = T.arange(6)", "x.split(split_size=4)[1]; x.split_with_sizes(split_sizes=[2, 4])[1]; T.split(x, "
           "split_size_or_sections=3)[1]; T.randint(high=1, size=(2,)); T.randint_like(x, high=1); T.randint_like(x, low=2, high=3)"),
    *MODES,
    Script("operations counted", """
        from importlib import import_module
        m = T.nn.Sequential(T.nn.Conv2d(3, 8, 3), T.nn.Flatten(), T.nn.Linear(288, 4))
        x, q = T.randn(2, 3, 8, 8), T.randn(4, 6, 8, requires_grad=True)
        counts = []
        def said(counter):
            by_module = {k: sorted((str(o), n) for o, n in d.items()) for k, d in counter.get_flop_counts().items()}
            counts.append((counter.get_total_flops(), sorted(by_module.items())))
        for work in (lambda: m(x), lambda: m(x).sum().backward(), lambda: (q @ q.mT).sum().backward(), lambda: T.mv(T.ones(3, 4), T.ones(4)),
                     lambda: T.nn.functional.conv_transpose2d(x, T.ones(3, 5, 2, 2), stride=2)):
            with import_module(T.__name__ + ".utils.flop_counter").FlopCounterMode(display=False) as counter:
                work()
            said(counter)
    """, "counts"),
    Script("results that print with their names", """
        x = T.tensor([[1.0, 2.0], [3.0, 5.0]])
        def text(t):
            return repr(t).replace("ringgrad.", "torch.")
    """, "text(x.max(1)); text(x.sort()); text(T.linalg.eigh(x @ x.T)).split('(')[0]; "
         "text(T.qr(x)).split('(')[0]; text(T.linalg.qr(x)).split('(')[0]; text(x.aminmax()); text(T.frexp(x))"),
    Script("tensors that change places", """
        from importlib import import_module
        a, b = T.arange(2), T.nn.Parameter(T.ones(3))
        a.tag = "was a"
        keep = [a, b]
        import_module(T.__name__ + ".utils").swap_tensors(a, b)
    """, "a; b; type(a).__name__; type(b).__name__; keep[0] is a; b.tag; a.requires_grad"),
    Script("containers taken apart", """
        from importlib import import_module
        tree = import_module(T.__name__ + ".utils._pytree")
        nodes = tree.SUPPORTED_NODES
        taken = nodes[dict].flatten_fn({"a": 1, "b": [2]})
        leaf = tree.tree_unflatten([5], tree.LeafSpec())
    """, "taken[0]; list in nodes; int in nodes; nodes[dict].unflatten_fn(*taken); leaf; tree.tree_is_leaf(3); tree.tree_is_leaf([3])"),
]


@pytest.mark.torch
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_the_same_script_gives_the_same(script):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    theirs, their_error = script.run(torch)
    ours, our_error = script.run(ringgrad)
    if script.raises:
        assert script.raises in str(their_error) and script.raises in str(our_error)
        assert type(our_error) is type(their_error)
        return
    for a, b in zip(ours, theirs, strict=True):
        assert_same(plain(a), plain(b), str(script))


def test_a_thread_may_wait_for_another():
    future = ringgrad.futures.Future()
    threading.Timer(0, future.set_result, ["there"]).start()
    assert future.wait() == "there"
