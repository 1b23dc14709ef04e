"""What a captured step cannot hold is named with its line, and nothing is broken afterwards."""
from pathlib import Path

import host_capture
import host_gpu
import numpy as np
import pytest
from captured_runs import put

import ringgrad
from ringgrad import cuda, nn, optim

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")
HERE = __file__
LINES = Path(HERE).read_text(encoding="utf-8").splitlines()


def line_of(words):
    return next(i for i, line in enumerate(LINES, 1) if line.endswith(words))


SYNCS = {
    "item": (lambda t: t.sum().item(), "item"),  # MARK item
    "bool": (lambda t: t.sum() and 1, "__bool__"),  # MARK bool
    "cpu": (lambda t: t.cpu(), "cpu"),  # MARK cpu
    "print": (lambda t: f"{t}", "__format__"),  # MARK print
    "nonzero": (lambda t: ringgrad.nonzero(t), "nonzero"),  # MARK nonzero
    "mask": (lambda t: t[t > 0], "getitem"),  # MARK mask
    "tensor": (lambda t: t + ringgrad.tensor([1.0, 2.0], device="cuda"), "tensor"),  # MARK tensor
    "synchronize": (lambda t: cuda.synchronize(), "synchronize"),  # MARK synchronize
    "backward": (lambda t: t.register_hook(lambda g: g.sum().item()) and t.sum().backward(), "item"),  # MARK backward
}


@pytest.mark.parametrize("name", SYNCS)
def test_what_the_host_wants_to_see_is_named_with_its_line(xp, name):
    look, operation = SYNCS[name]
    p = put(np.ones(2, np.float32)).requires_grad_()
    opt, looks = optim.AdamW([p], lr=0.1), []

    def step(x):
        opt.zero_grad()
        (p * x).sum().backward()
        opt.step()
        if looks:
            look(p * 2)
        return p.sum()
    compiled, x = ringgrad.compile_step(step, warmup=1), put(np.ones(2, np.float32))
    compiled(x)
    looks.append(1)
    before, gradient = p._data.get(), p.grad
    line = line_of("# MARK " + name)
    with pytest.raises(cuda.CaptureError, match=rf"^{operation} \({HERE}, line {line}\) cannot be captured in a CUDA graph") as info:
        compiled(x)
    assert (info.value.operation, info.value.place) == (operation, (HERE, line))
    # Nothing has happened, and nothing is broken:
    assert np.array_equal(before, p._data.get()) and p.grad is gradient and not cuda.is_current_stream_capturing()
    assert all(s.capture is None for s in host_capture.RUNTIME.streams)
    looks.clear()
    step(x)
    assert not np.array_equal(before, p._data.get())
    want = p._data.get()
    compiled(x)
    assert not np.array_equal(want, p._data.get())


def lbfgs():
    p = put(np.ones(3, np.float32)).requires_grad_()
    opt = optim.LBFGS([p])

    def closure():
        opt.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss
    return lambda x: opt.step(closure)


def sparse_adam():
    table = nn.Embedding(5, 3, sparse=True).to("cuda")
    opt = optim.SparseAdam(table.parameters())

    def step(x):
        opt.zero_grad()
        table(x.long()).sum().backward()
        opt.step()
    return step


@pytest.mark.parametrize(("make", "name"), [(lbfgs, "LBFGS.step"), (sparse_adam, "SparseAdam.step")])
def test_optimizers_that_look_at_values_are_named(xp, make, name):
    compiled, x = ringgrad.compile_step(make(), warmup=1), put(np.array([1, 2, 1], np.float32))
    compiled(x)
    with pytest.raises(cuda.CaptureError, match=rf"^{name} \({HERE}, line \d+\) cannot be captured"):
        for _ in range(2):
            compiled(x)


def test_an_error_of_the_users_own_ends_the_capture(xp):
    def step(x):
        if cuda.is_current_stream_capturing():
            raise KeyError("mine")
        return x * 2
    compiled, x = ringgrad.compile_step(step, warmup=1), put(np.ones(2, np.float32))
    compiled(x)
    with pytest.raises(KeyError, match="mine"):
        compiled(x)
    assert not cuda.is_current_stream_capturing() and (x + 1).tolist() == [2, 2]


def test_fallback_runs_it_as_it_is(xp):
    compiled, x = ringgrad.compile_step(lambda x: x * x.sum().item(), warmup=1, fallback=True), put(np.ones(2, np.float32))
    compiled(x)
    with pytest.warns(UserWarning, match=r"compile_step runs <lambda> as it is: item \("):
        assert compiled(x).tolist() == [2, 2]
    assert compiled(x * 3).tolist() == [18, 18]


def test_arguments_on_the_cpu_are_refused(xp):
    compiled = ringgrad.compile_step(lambda x, y: x + y.to("cuda"), warmup=1)
    x, y = put(np.ones(2, np.float32)), ringgrad.ones(2)
    compiled(x, y)
    with pytest.raises(cuda.CaptureError, match=r"argument 1 is a tensor on the CPU.*x\.to\('cuda', non_blocking=True\)"):
        compiled(x, y)


def test_state_that_a_capture_would_make_waits(xp):
    """A parameter that gets its first gradient in the step that is to be captured: its state has to be there before."""
    a, b = (put(np.ones(2, np.float32)).requires_grad_() for _ in range(2))
    opt, parts = optim.AdamW([a, b], lr=0.1), [a]

    @ringgrad.compile_step(warmup=1)
    def step(x):
        opt.zero_grad()
        sum((p * x).sum() for p in parts).backward()
        opt.step()
    step(put(np.ones(2, np.float32)))
    parts.append(b)
    for _ in range(5):
        step(put(np.ones(2, np.float32)))
    assert [opt.state[p]["step"].item() for p in (a, b)] == [6, 5]
    assert sum(kind.captures for kind in step.graphs.values()) == 1
    assert np.allclose(a._data.get(), 1 - 0.1 * 6, atol=0.02) and np.allclose(b._data.get(), 1 - 0.1 * 5, atol=0.02)
