"""CUDA graphs under torch's names on the GPU on the host: capture, replay, pools, and parts of networks as graphs."""
import ctypes
import re
import site
from pathlib import Path

import host_capture
import host_gpu
import numpy as np
import pytest

import ringgrad
from ringgrad import cuda, nn
from ringgrad._backends import load_cuda
from ringgrad.cuda import _driver
from ringgrad.cuda._capture import explained

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


@pytest.fixture
def xp(compiled):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp


def put(array):
    return ringgrad.from_numpy(np.ascontiguousarray(array, np.float32)).to("cuda")


# Graphs


def test_a_graph_does_again_what_was_captured(xp):
    x, graph = put([1, 2]), cuda.CUDAGraph()
    with cuda.graph(graph):
        assert cuda.is_current_stream_capturing()
        y = x * 2 + 1
    assert not cuda.is_current_stream_capturing()
    assert np.isnan(y._data.get()).all()  # written down, not done
    for a, want in (([1, 2], [3, 5]), ([5, 0], [11, 1])):
        x.copy_(put(a))
        graph.replay()
        assert y.tolist() == want


def test_capture_begin_and_end_on_a_stream(xp):
    graph, stream, x = cuda.CUDAGraph(), cuda.Stream(), put([1, 2])
    with cuda.stream(stream):
        graph.capture_begin()
        y = x.exp()
        graph.capture_end()
    graph.replay()
    np.testing.assert_allclose(y._data.get(), np.exp([1, 2]), rtol=1e-6)


def test_random_numbers_go_on(xp):
    def draws(captured):
        ringgrad.manual_seed(3)
        graph, found = cuda.CUDAGraph(), []
        ringgrad.rand(2, device="cuda")
        if captured:
            with cuda.graph(graph):
                x = ringgrad.rand(3, device="cuda")
        for _ in range(3):
            if captured:
                graph.replay()
            else:
                x = ringgrad.rand(3, device="cuda")
            found.append(x.tolist())
        return found, ringgrad.rand(2, device="cuda").tolist(), cuda.get_rng_state().tolist()
    assert draws(True) == draws(False)


def test_graphs_share_a_pool(xp):
    first, second = cuda.CUDAGraph(), cuda.CUDAGraph()
    pool = cuda.graph_pool_handle()
    x = put([1, 2])
    with cuda.graph(first, pool=pool):
        y = x + 1
    with cuda.graph(second, pool=first.pool()):
        z = y * 2
    first.replay()
    second.replay()
    assert z.tolist() == [4, 6] and first.pool() is second.pool() is pool and pool == tuple(pool) and len({pool, cuda.graph_pool_handle()}) == 2


def test_what_belongs_to_a_graph_goes_with_it(xp):
    allocator, graph = load_cuda().allocator, cuda.CUDAGraph()
    with cuda.graph(graph):
        y = ringgrad.zeros(2, device="cuda") + 1
    assert len(allocator.pools) == 2
    graph.replay()
    assert y.tolist() == [1, 1]
    graph.reset()
    assert len(allocator.pools) == 1
    with pytest.raises(RuntimeError, match="Called CUDAGraph::replay without a preceding successful capture"):
        graph.replay()


def test_a_graph_can_be_looked_at(xp, tmp_path):
    graph, x = cuda.CUDAGraph(keep_graph=True), put([1])
    with cuda.graph(graph):
        x.mul_(2)
    graph.enable_debug_mode()
    graph.instantiate()
    graph.debug_dump(tmp_path / "graph.dot")
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")
    assert graph.raw_cuda_graph() and graph.raw_cuda_graph_exec()


def test_a_graph_is_made_executable_anew(xp):
    """After a change by way of the raw graph, and once more; what was made before goes."""
    graph, x, held = cuda.CUDAGraph(keep_graph=True), put([1]), load_cuda().xp.cuda.runtime.executables.held
    with cuda.graph(graph):
        x.mul_(2)
    first = graph.raw_cuda_graph_exec()
    graph.instantiate()
    graph._native.steps *= 2  # as cudaGraphAddKernelNode would
    graph.instantiate()
    assert len(held) == 1 and graph.raw_cuda_graph_exec() in held and graph.raw_cuda_graph_exec() != first
    graph.replay()
    assert x.tolist() == [4]
    with pytest.raises(RuntimeError, match="debug_dump writes the graph's nodes"):
        graph.get_graph_data()
    graph.reset()
    assert not held


def test_external_events_are_nodes(xp):
    """Recorded by each replay, and waited for by each; outside of a capture they are events like others."""
    graph, x = cuda.CUDAGraph(), put([1])
    before, after, plain = cuda.Event(external=True), cuda.Event(external=True, enable_timing=True), cuda.Event()
    before.record()
    with cuda.graph(graph):
        cuda.current_stream().wait_event(before)
        x.add_(1)
        plain.record()
        after.record()
        plain.wait()
    assert [e.native.log for e in (before, after, plain)] == [[], [], []] and before.query()
    for n in range(1, 3):
        graph.replay()
        assert [e.native.log for e in (before, after, plain)] == [["waited for"] * n, ["recorded"] * n, []] and x.tolist() == [1 + n]
    after.record()
    after.wait()
    assert after.query() and len(after.native.log) == 2


def test_external_events_need_the_drivers_consent(xp, monkeypatch):
    event = cuda.Event(external=True)
    monkeypatch.setattr(cuda._streams.Stream, "is_capturing", lambda self: True)
    with pytest.raises(RuntimeError, match="cuEventRecordWithFlags failed with error 1 of the driver"):
        event.record()


@pytest.fixture(scope="module")
def header():
    found = [p for root in map(Path, site.getsitepackages()) for p in sorted(root.glob("nvidia/**/cuda.h"))]
    if not found:
        pytest.skip("NVIDIA's cuda.h is not installed (pip install nvidia-cuda-runtime)")
    return found[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("function", _driver.SIGNATURES)
def test_the_drivers_functions_are_declared_as_in_the_header(header, function):
    declared = [argument.strip() for argument in re.search(rf"CUresult CUDAAPI {function}\(([^)]*)\)", header)[1].split(",")]
    sizes = [4 if argument.startswith("unsigned int") else 8 for argument in declared]  # the others are handles and pointers
    assert [ctypes.sizeof(t) for t in _driver.SIGNATURES[function]] == sizes


@pytest.mark.parametrize(("name", "ours"), [("CU_EVENT_RECORD_EXTERNAL", _driver.RECORD_EXTERNAL), ("CU_EVENT_WAIT_EXTERNAL", _driver.WAIT_EXTERNAL)])
def test_the_drivers_numbers_are_those_of_the_header(header, name, ours):
    assert int(re.search(rf"\b{name}\s*=\s*(0x\w+)", header)[1], 16) == ours


@pytest.mark.parametrize("count", [9, 20, 70])
def test_many_tensors_are_joined(xp, count):
    """Of more than 8 CuPy would upload a table."""
    graph, x, leaf = cuda.CUDAGraph(), put([[1, 2]]), put([[1, 2]] * count).requires_grad_()
    sum(leaf.unbind(0)).sum().backward()
    leaf.grad = None
    with cuda.graph(graph):
        sum(t * n for n, t in enumerate(leaf.unbind(0))).sum().backward()
        y, z = ringgrad.cat([x * n for n in range(count)]), ringgrad.stack([x[0] + n for n in range(count)], 1)
    graph.replay()
    assert y.tolist() == [[n, 2 * n] for n in range(count)] and z.tolist() == [[1 + n for n in range(count)], [2 + n for n in range(count)]]
    assert leaf.grad.tolist() == [[n, n] for n in range(count)]


def test_side_streams_join_a_capture(xp):
    """The pattern of a collective: event on the capturing stream, wait on the other, work, event, wait."""
    graph, side, x = cuda.CUDAGraph(), cuda.Stream(), put([1, 2])
    with cuda.graph(graph):
        y = x * 3
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            assert cuda.is_current_stream_capturing() and side.is_capturing()
            z = y + 1
        cuda.current_stream().wait_stream(side)
        w = z * 2
    assert not side.is_capturing()
    graph.replay()
    assert w.tolist() == [8, 14]


def test_a_side_stream_that_never_comes_back_is_an_error(xp):
    graph, side, x = cuda.CUDAGraph(), cuda.Stream(), put([1, 2])
    with pytest.raises(cuda.CaptureError, match="Unjoined"), cuda.graph(graph):
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            x + 1
    assert not side.is_capturing() and (x + 1).tolist() == [2, 3]


def test_a_library_that_cannot_be_captured_is_named(xp):
    """CuPy's words for cuBLAS, cuSOLVER and their kin; what is not about captures stays what it is."""
    for library, way_out in (("cuBLAS", "go to cuBLASLt, which can be captured"), ("cuSOLVER", "Move decompositions"), ("cuSPARSE", "sparse")):
        error = NotImplementedError(f"calling {library} API during stream capture is currently unsupported")
        assert isinstance(explained(error), cuda.CaptureError) and str(error) in str(explained(error)) and way_out in str(explained(error))
    assert explained(RuntimeError("something else")) is None and explained(ValueError("is capturing")) is None


REFUSALS = {
    "the default stream": (lambda g: g.capture_begin(), RuntimeError, "cannot capture on the default"),
    "no capture": (lambda g: g.capture_end(), RuntimeError, "without a capture_begin"),
    "nothing to replay": (lambda g: g.replay(), RuntimeError, "without a preceding successful capture"),
    "no pool": (lambda g: g.pool(), RuntimeError, "without a preceding successful capture"),
    "mode": (lambda g: g.capture_begin(capture_error_mode="never"), RuntimeError, "Unknown capture error mode. Expected `global`, `thread_local`"),
    "pool": (lambda g: g.capture_begin(pool=(0, 1)), TypeError, "pool must be what graph_pool_handle"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_graph_refuses(xp, name):
    call, error, words = REFUSALS[name]
    with pytest.raises(error, match=words):
        call(cuda.CUDAGraph())
    assert not cuda.is_current_stream_capturing()


def test_captures_are_not_nested_and_not_repeated(xp):
    graph, other, x = cuda.CUDAGraph(), cuda.CUDAGraph(), put([1])
    with cuda.graph(graph):
        y = x + 1
        with pytest.raises(RuntimeError, match="captures cannot be nested"):
            other.capture_begin()
    with pytest.raises(RuntimeError, match="already owns a captured graph"), cuda.graph(graph):
        pass
    graph.replay()
    assert y.tolist() == [2]


# Parts of networks


def network():
    ringgrad.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 3)


def inputs(seed):
    return put(np.random.default_rng(seed).standard_normal((5, 4)))


def trained(graphed):
    body, head = (m.to("cuda") for m in network())
    if graphed:
        sample = inputs(9)
        body, head = cuda.make_graphed_callables((body, head), ((sample,), (ringgrad.zeros(5, 8, device="cuda").requires_grad_(),)))
    opt, losses = ringgrad.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1), []
    for n in range(4):
        opt.zero_grad()
        loss = (head(body(inputs(n))) ** 2).mean()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with ringgrad.no_grad():
        body.eval()
        losses.append(body(inputs(9)[:2]).sum().item())  # another shape: as it was, in the other mode
    return losses, [p.tolist() for p in (*body.parameters(), *head.parameters())]


def test_graphed_modules_train_as_they_would(xp):
    assert trained(True) == trained(False)


def test_a_graphed_function_with_containers(xp):
    def f(x, pair):
        return {"a": x * pair[0], "b": [x.sum()]}
    x, a, b = (put([1, 2]).requires_grad_() for _ in range(3))
    g = cuda.make_graphed_callables(f, (x, (a, b)), allow_unused_input=True)
    for n in (2.0, 3.0):
        x, a, b = (put([n, 1]).requires_grad_() for _ in range(3))
        found = g(x, (a, b))
        assert found["a"].tolist() == [n * n, 1] and found["b"][0].item() == n + 1
        (found["a"].sum() + 10 * found["b"][0]).backward()
        assert x.grad.tolist() == [n + 10, 11] and a.grad.tolist() == [n, 1] and b.grad is None


def with_hook():
    m = nn.Linear(2, 2).to("cuda")
    m.register_forward_hook(lambda *_: None)
    return m, (put([[1, 2]]),)


def with_buffer():
    m = nn.Linear(2, 2).to("cuda")
    m.register_buffer("b", put([1]).requires_grad_())
    return m, (put([[1, 2]]),)


def unused():
    return (lambda x, y: x * 2), (put([1]).requires_grad_(), put([1]).requires_grad_())


@pytest.mark.parametrize(("make", "error", "words"), [
    (with_hook, AssertionError, "must not have hooks registered"), (with_buffer, AssertionError, "only parameters may be trainable"),
    (lambda: ((lambda x, n: x), (put([1]), 3)), AssertionError, "must contain only Tensors"),
    (unused, RuntimeError, "allow_unused"),
])
def test_what_cannot_be_graphed(xp, make, error, words):
    with pytest.raises(error, match=words):
        cuda.make_graphed_callables(*make())


def test_autocast_must_not_cache(xp):
    with ringgrad.autocast("cuda"), pytest.raises(RuntimeError, match="cache_enabled=False"):
        cuda.make_graphed_callables(lambda x: x, (put([1]),))


def test_gradients_of_gradients_are_refused(xp):
    g = cuda.make_graphed_callables(lambda x: x * x, (put([1]).requires_grad_(),))
    x = put([3]).requires_grad_()
    (grad,) = ringgrad.autograd.grad(g(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad.sum().backward()


def test_without_a_gpu():
    assert not cuda.is_current_stream_capturing()
    for make in (cuda.CUDAGraph, cuda.graph_pool_handle, lambda: cuda.make_graphed_callables(lambda x: x, (ringgrad.ones(1),))):
        with pytest.raises(RuntimeError, match="CUDA"):
            make()
