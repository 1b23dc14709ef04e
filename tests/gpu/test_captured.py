"""Captured steps, graphs, streams, memory, pinned copies and determinism on a GPU: what tests/kernels shows on the host.  Not run on a device yet."""
import subprocess
import sys
import threading

import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import cuda, nn, optim

pytestmark = pytest.mark.gpu
MIB = 2**20


def cnn():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16, 32), nn.GELU(),
                         nn.LayerNorm(32), nn.Dropout(0.2), nn.Linear(32, 5))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 5))


OPTIMIZERS = {"AdamW": lambda p: optim.AdamW(p, lr=0.01), "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
              "clipped": lambda p: optim.clip_in_step(optim.AdamW(p, lr=0.01), 1.0),
              **{name: lambda p, name=name: getattr(optim, name)(p, lr=0.01)
                 for name in ("RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "Adafactor")}}
FEW = ("AdamW", "SGD", "RMSprop", "NAdam", "clipped")  # with both networks


def batches(count, sizes=(16,)):
    rng = np.random.default_rng(0)
    for n in range(count):
        size = sizes[n % len(sizes)]
        x, y = rng.standard_normal((size, 1, 8, 8)).astype(np.float32), rng.integers(0, 5, size)
        yield ringgrad.from_numpy(x).to("cuda"), ringgrad.from_numpy(y).to("cuda")


def train(compiled, build, optimizer, steps=12, sizes=(16,)):
    ringgrad.manual_seed(0)
    net = build().to("cuda")
    opt = OPTIMIZERS[optimizer](net.parameters())
    cycles = "momentum" in opt.defaults and optimizer != "RMSprop" or "betas" in opt.defaults  # which OneCycleLR moves
    plan = optim.lr_scheduler.OneCycleLR(opt, 0.05, total_steps=steps + 1) if cycles else optim.lr_scheduler.StepLR(opt, 4)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        if optimizer != "clipped":
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        plan.step()
        return loss
    run = ringgrad.compile_step(step) if compiled else step
    losses = [run(x, y).item() for x, y in batches(steps, sizes)]
    if compiled:
        assert any(kind.graph is not None for kind in run.graphs.values())
    return losses, [t.detach().cpu().numpy() for t in (*net.parameters(), *net.buffers())]


@pytest.mark.parametrize(("build", "optimizer"), [(mlp, name) for name in OPTIMIZERS] + [(cnn, name) for name in FEW])
def test_captured_steps_are_the_steps(build, optimizer):
    plain, captured = (train(c, build, optimizer) for c in (False, True))
    np.testing.assert_allclose(captured[0], plain[0], rtol=1e-4)
    for a, b in zip(captured[1], plain[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_new_shapes_are_captured_anew():
    plain, captured = (train(c, mlp, "AdamW", 20, (16, 16, 7)) for c in (False, True))
    np.testing.assert_allclose(captured[0], plain[0], rtol=1e-4)


def test_mixed_precision_with_a_scaler_and_an_inf():
    def run(compiled):
        ringgrad.manual_seed(0)
        net, found = mlp().to("cuda"), []
        opt, scaler = optim.AdamW(net.parameters(), lr=0.01), ringgrad.amp.GradScaler("cuda", init_scale=2.0**10, growth_interval=4)

        def step(x, y):
            opt.zero_grad()
            with ringgrad.autocast("cuda", dtype=ringgrad.float16):
                loss = F.cross_entropy(net(x), y)
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(opt)
            scaler.update()
            return loss
        go = ringgrad.compile_step(step) if compiled else step
        for n, (x, y) in enumerate(batches(10)):
            go(x * float("inf") if n in (1, 6) else x, y)
            found.append(scaler.get_scale())
        return found, [p.detach().cpu().numpy() for p in net.parameters()]
    plain, captured = run(False), run(True)
    assert plain[0] == captured[0]
    for a, b in zip(captured[1], plain[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


def test_clipping_in_the_step_is_clipping_before_it():
    found = []
    for inside in (True, False):
        ringgrad.manual_seed(0)
        net = mlp().to("cuda", ringgrad.bfloat16)
        opt = optim.keep_master_weights(optim.SGD(net.parameters(), lr=0.1, momentum=0.9, fused=True))
        opt, norms = optim.clip_in_step(opt, 0.5) if inside else opt, []
        for x, y in batches(6):
            opt.zero_grad()
            F.cross_entropy(net(x.bfloat16()).float(), y).backward()
            norm = None if inside else nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            opt.step()
            norms.append((opt.total_norm if inside else norm).item())
        found.append((norms, [opt.state[p]["master_weight"].cpu().numpy() for p in net.parameters()]))
    np.testing.assert_allclose(found[0][0][:1], found[1][0][:1], rtol=1e-2)  # of the first step, before roundings add up
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0.1, atol=0.02)


def test_external_events_of_a_graph():
    """Each replay records the one, which another stream waits for, and waits for the other; the clock between two runs in the graph."""
    graph, x = cuda.CUDAGraph(keep_graph=True), ringgrad.ones(1 << 20, device="cuda")
    (begin, end), side = (cuda.Event(external=True, enable_timing=True) for _ in range(2)), cuda.Stream()
    with cuda.graph(graph):
        begin.record()
        x.mul_(2)
        end.record()
    graph.instantiate()
    for n in range(1, 4):
        graph.replay()
        side.wait_event(end)
        with cuda.stream(side):
            y = x + 0
        side.synchronize()
        assert end.query() and y[0].item() == 2.0**n and begin.elapsed_time(end) >= 0


LOOKS = {"item": lambda t: t.sum().item(), "bool": lambda t: bool(t.sum() > 0), "cpu": lambda t: t.cpu(), "print": lambda t: str(t),
         "nonzero": lambda t: ringgrad.nonzero(t), "mask": lambda t: t[t > 0], "tensor": lambda t: ringgrad.tensor([1.0], device="cuda"),
         "synchronize": lambda t: cuda.synchronize()}


@pytest.mark.parametrize("name", LOOKS)
def test_what_cannot_be_captured_is_named_and_nothing_is_broken(name):
    p, looks = ringgrad.ones(4, device="cuda").requires_grad_(), []
    opt = optim.AdamW([p], lr=0.1)

    def step(x):
        opt.zero_grad()
        (p * x).sum().backward()
        opt.step()
        if looks:
            LOOKS[name](p * 2)
    compiled, x = ringgrad.compile_step(step, warmup=1), ringgrad.ones(4, device="cuda")
    compiled(x)
    compiled.__wrapped__(x)
    looks.append(1)
    before = p.tolist()
    with pytest.raises(cuda.CaptureError, match="test_captured.py, line"):
        compiled(x)
    assert p.tolist() == before and not cuda.is_current_stream_capturing()
    looks.clear()
    for _ in range(3):
        compiled(x)
    assert p.tolist() != before


def test_a_replay_takes_less_of_the_host():
    """The point of it: one launch in place of hundreds."""
    net = nn.Sequential(*[nn.Linear(64, 64) for _ in range(40)]).to("cuda")
    opt, x = optim.AdamW(net.parameters(), lr=1e-3), ringgrad.randn(8, 64, device="cuda")

    def step(x):
        opt.zero_grad()
        net(x).square().mean().backward()
        opt.step()
    compiled = ringgrad.compile_step(step)
    for _ in range(5):
        compiled(x)
    (graph,) = [kind.graph for kind in compiled.graphs.values() if kind.graph is not None]
    assert graph.raw_cuda_graph_exec() and graph.pool()


# Graphs


def test_a_graph_and_its_random_numbers():
    x, graph = ringgrad.ones(4, device="cuda"), cuda.CUDAGraph()
    ringgrad.manual_seed(3)
    want = [ringgrad.rand(4, device="cuda").tolist() for _ in range(3)]
    ringgrad.manual_seed(3)
    with cuda.graph(graph):
        y = x * 2 + ringgrad.rand(4, device="cuda")
    for numbers in want:
        x.fill_(5.0)
        graph.replay()
        np.testing.assert_allclose(y.tolist(), np.array(numbers) + 10, rtol=1e-6)


def test_graphed_callables():
    def run(graphed):
        ringgrad.manual_seed(0)
        net = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 4)).to("cuda")
        opt, found = optim.SGD(net.parameters(), lr=0.1), []
        if graphed:
            net = cuda.make_graphed_callables(net, (ringgrad.zeros(8, 16, device="cuda"),))
        for n in range(6):
            opt.zero_grad()
            loss = net(ringgrad.from_numpy(np.random.default_rng(n).standard_normal((8, 16)).astype(np.float32)).to("cuda")).square().mean()
            loss.backward()
            opt.step()
            found.append(loss.item())
        return found
    np.testing.assert_allclose(run(True), run(False), rtol=1e-5)


# Memory


def test_the_accounts_are_exact():
    cuda.synchronize()
    cuda.empty_cache()
    before = cuda.memory_allocated()
    cuda.reset_peak_memory_stats()
    x = ringgrad.empty(3 * MIB, dtype=ringgrad.uint8, device="cuda")
    for _ in range(3):
        ringgrad.empty(5 * MIB, dtype=ringgrad.uint8, device="cuda")
    assert cuda.memory_allocated() - before == 3 * MIB and cuda.max_memory_allocated() - before == 8 * MIB
    assert cuda.memory_reserved() >= 8 * MIB and x.numel() == 3 * MIB
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() - before == 3 * MIB


def test_peaks_over_threads():
    cuda.reset_peak_memory_stats()
    before, barrier = cuda.memory_allocated(), threading.Barrier(4)

    def work():
        kept = ringgrad.empty(MIB, dtype=ringgrad.uint8, device="cuda")
        barrier.wait()
        assert kept.numel() == MIB
        barrier.wait()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert cuda.max_memory_allocated() - before == 4 * MIB and cuda.memory_allocated() == before


def test_out_of_memory_says_what_and_how_much():
    _, total = cuda.mem_get_info()
    with pytest.raises(cuda.OutOfMemoryError, match=r"CUDA out of memory\. Tried to allocate .* GiB\. GPU 0 has a total capacity of .* GiB of which"):
        ringgrad.empty(2 * total, dtype=ringgrad.uint8, device="cuda")
    x = ringgrad.ones(1, device="cuda").expand(total // 2)
    with pytest.raises(cuda.OutOfMemoryError, match="It was asked for by exp"):
        x.exp()
    assert (ringgrad.ones(2, device="cuda") + 1).tolist() == [2, 2]


# Streams


def test_record_stream_keeps_memory_from_being_used_anew():
    """A long copy on a side stream reads a tensor that is dropped at once; without record_stream its memory would be overwritten."""
    side, n = cuda.Stream(), 64 * MIB
    for _ in range(4):
        x = ringgrad.full((n,), 7, dtype=ringgrad.uint8, device="cuda")
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            for _ in range(20):
                y = x.clone()
            y.record_stream(cuda.current_stream())
        x.record_stream(side)
        del x
        ringgrad.full((n,), 9, dtype=ringgrad.uint8, device="cuda")
        side.synchronize()
        assert y.max().item() == y.min().item() == 7


def test_events_and_streams():
    a, start, end = cuda.Stream(priority=-1), cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    least, most = cuda.Stream.priority_range()
    assert a.priority == -1 and most <= -1 < least
    with cuda.stream(a):
        assert cuda.current_stream() == a
        start.record()
        x = ringgrad.randn(2048, 2048, device="cuda")
        for _ in range(5):
            x = x @ x * 0.01
        end.record()
    cuda.current_stream().wait_event(end)
    end.synchronize()
    assert a.query() and end.query() and start.elapsed_time(end) > 0
    outside = cuda.ExternalStream(a.cuda_stream)
    assert outside == a
    with cuda.stream(outside):
        assert (ringgrad.ones(3, device="cuda") + 1).tolist() == [2, 2, 2]


# Pinned memory


def test_pinned_copies():
    x = ringgrad.randn(1000, 1000)
    p = x.pin_memory()
    assert p.is_pinned() and not x.is_pinned() and p.pin_memory() is p and ringgrad.empty(3, pin_memory=True).is_pinned()
    there = p.to("cuda", non_blocking=True)
    back = there.to("cpu", non_blocking=True)
    assert back.is_pinned()
    cuda.synchronize()
    assert ringgrad.equal(back, x)
    there = [ringgrad.randn(500, 500).pin_memory().to("cuda", non_blocking=True) for _ in range(20)]  # whose sources are gone at once
    cuda.synchronize()
    assert all(t.isfinite().all().item() for t in there)
    p.fill_(1.0)
    there = p.to("cuda")
    p.fill_(2.0)  # a copy that blocks has read it by now
    assert there.max().item() == 1.0


def test_a_loader_pins_its_batches():
    data = ringgrad.utils.data
    loader = data.DataLoader(data.TensorDataset(ringgrad.arange(10), ringgrad.randn(10, 3)), batch_size=5, pin_memory=True)
    for numbers, rows in loader:
        assert numbers.is_pinned() and rows.is_pinned() and rows.to("cuda", non_blocking=True).is_cuda


# Determinism


def test_the_same_bits_every_time():
    ringgrad.use_deterministic_algorithms(True)
    try:
        rng = np.random.default_rng(0)
        x, i = rng.standard_normal((20000, 8)).astype(np.float32), rng.integers(0, 50, 20000)
        x, i = (ringgrad.from_numpy(a).to("cuda") for a in (x, i))
        zeros = ringgrad.zeros(50, 8, device="cuda")
        calls = [lambda: zeros.index_add(0, i, x), lambda: zeros.scatter_add(0, i[:, None].expand(-1, 8), x),
                 lambda: zeros.index_put((i,), x, accumulate=True), lambda: zeros.index_put((i,), x),
                 lambda: zeros.scatter_reduce(0, i[:, None].expand(-1, 8), x, "mean")]
        for call in calls:
            first = call().cpu().numpy().tobytes()
            assert all(call().cpu().numpy().tobytes() == first for _ in range(5))
        with pytest.raises(RuntimeError, match="_bincount_cuda does not have a deterministic implementation"):
            ringgrad.bincount(i, x[:, 0])
    finally:
        ringgrad.use_deterministic_algorithms(False)


# Collectives

RANK = """
import sys
import numpy as np
import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn, optim
from ringgrad.nn.parallel import DistributedDataParallel
dist.init_process_group("nccl", store=dist.HashStore(), rank=0, world_size=1)
def run(compiled):
    ringgrad.manual_seed(0)
    net = DistributedDataParallel(nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 5)).to("cuda"), device_ids=[0])
    opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    def step(x):
        opt.zero_grad()
        net(x).square().mean().backward()
        opt.step()
    go = ringgrad.compile_step(step, warmup=5) if compiled else step
    for n in range(12):
        go(ringgrad.from_numpy(np.random.default_rng(n).standard_normal((8, 12)).astype(np.float32)).to("cuda"))
    assert not compiled or any(kind.graph for kind in go.graphs.values())
    return [p.detach().cpu().numpy() for p in net.parameters()]
for a, b in zip(run(True), run(False)):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
dist.destroy_process_group()
print("captured")
"""


def test_collectives_are_captured_with_the_step():
    """DistributedDataParallel on one rank: its buckets go over NCCL's stream into the graph."""
    pytest.importorskip("cupy")
    done = subprocess.run([sys.executable, "-c", RANK], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "captured" in done.stdout, done.stderr[-3000:]
