"""Futures: completed once, from any thread, and what follows from that; the same under torch."""
import threading

import pytest

import ringgrad

from ..autograd.script import Script, assert_same, plain

SCRIPTS = [
    Script("a value", "f = T.futures.Future(); seen = []\nf.add_done_callback(lambda x: seen.append(x.value()))\n"
           "g = f.then(lambda x: x.wait() + 1)\nbefore = f.done(), g.done(), list(seen)\nf.set_result(3)", "before; f.done(); f.value(); f.wait(); g.wait(); seen"),
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
