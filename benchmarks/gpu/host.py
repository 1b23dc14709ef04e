"""What one operation costs the host on a GPU: microseconds of CPU time, on 8 x 8 tensors, where the device has nothing to do.

    ours     on "cuda".  Without a GPU over the stand-in for CUDA of tests/cupy_host: kernels, cuBLASLt and cuDNN are called and do nothing
    CuPy     its own call for the same, where it has one
    launches of kernels by ours, calls of cuBLASLt and cuDNN left out (counted by the stand-in)
    calls    of Python functions by ours, as sys.setprofile sees them
    ours, CPU  and torch's, for scale: there the time has the arithmetic in it

CPU time of the calling thread, the best of rounds in which all take their turns: what else runs on a machine only adds to it.
"""
import sys
import time

from . import _start

ROUNDS, SECONDS = 31, 0.001  # of a round, for each
FLOORS = ("an empty RawKernel", "a RawKernel of 3 arrays and a number", "cupy.empty", "an allocation", "the same from CuPy's pool")


def main(folder, found, parts):
    """Measure and report; 0.  parts: words of the rows wanted, all without any."""
    host = None if found["gpu"] else stand_in()
    if isinstance(host, str):
        print(f"Nothing was run: there is no GPU, and CuPy cannot run without one here: {host}.")
        return 0
    import cupy

    import ringgrad
    torch = torch_with_one_thread()
    if host:
        found = {**found, "gpu": "no GPU: launches are calls of C that do nothing", "cupy": cupy.__version__}
    floors = measured({name: {"CuPy": run} for name, run in bare(cupy).items()})
    ours, cpu, theirs = operations(ringgrad, "cuda"), operations(ringgrad, "cpu"), operations(torch, "cpu") if torch else {}
    cupys = of_cupy(cupy)
    chosen = [name for name in ours if not parts or any(part in name for part in parts)]
    rows = measured({name: {key: runs[name] for key, runs in (("ours", ours), ("CuPy", cupys), ("ours, CPU", cpu), ("torch, CPU", theirs))
                            if name in runs} for name in chosen})
    for name in chosen:
        rows[name] |= {"launches": launches(host, ours[name]) if host else "", "calls": calls(ours[name])}
    columns = ("ours", "CuPy", "launches", "calls", "ours, CPU", "torch, CPU")
    lines = [f"{found['gpu']}; CuPy {found['cupy']}; torch {torch.__version__ if torch else 'is not installed'}; microseconds of the host", ""]
    lines += _start.table(("", "CuPy"), [(name, row["CuPy"]) for name, row in floors.items()])
    lines += ["", *_start.table(("", *columns), [(name, *(row.get(c, "") for c in columns)) for name, row in rows.items()])]
    _start.report(folder, "gpu-host", {**found, "floors": floors, "rows": rows}, lines)
    return 0


def stand_in():
    """The stand-in for CUDA, installed; or why it cannot be."""
    sys.path[:0] = [str(_start.ROOT)]
    from tests.cupy_host import stand_in
    return stand_in.missing() or stand_in.install(libraries=True)


def torch_with_one_thread():
    """torch where it is installed, else None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


# -- what is measured --------------------------------------------------------------------------------------------------

def bare(cupy):
    """{name: call}: what every operation on a GPU is made of."""
    import numpy as np
    texts = {"none": "", "four": "const float* a, const float* b, float* c, long long n"}
    none, four = (cupy.RawModule(code=f'extern "C" __global__ void {name}({text}) {{}}').get_function(name) for name, text in texts.items())
    a, n, shape, dtype, pool = cupy.zeros((8, 8), "f4"), np.int64(64), (8, 8), np.dtype("f4"), cupy.get_default_memory_pool()
    return dict(zip(FLOORS, (lambda: none((1,), (256,), ()), lambda: four((1,), (256,), (a, a, a, n)), lambda: cupy.empty(shape, dtype),
                             lambda: cupy.cuda.alloc(256), lambda: pool.malloc(256))))


def of_cupy(cupy):
    """{name of an operation: CuPy's call}."""
    a, b, places = cupy.zeros((8, 8), "f4"), cupy.ones((8, 8), "f4"), cupy.zeros(8, "i8")
    return {"add": lambda: a + b, "add a number": lambda: a + 1.5, "mul": lambda: a * b, "relu": lambda: cupy.maximum(a, 0), "matmul": lambda: a @ b,
            "sum": lambda: a.sum(), "mean": lambda: a.mean(), "view": lambda: a.reshape(64), "transpose": lambda: a.T, "slice": lambda: a[1:3],
            "embedding": lambda: a.take(places, 0), "exp": lambda: cupy.exp(a)}


def operations(lib, device):
    """{name: call} of a library."""
    F, size = lib.nn.functional, {"device": device}
    x, y, bias, image = lib.rand(8, 8, **size), lib.rand(8, 8, **size), lib.rand(8, **size), lib.rand(2, 4, 8, 8, **size)
    weight, filters, channel = lib.rand(8, 8, **size), lib.rand(4, 4, 3, 3, **size), lib.rand(4, **size)
    tokens, level, spread = lib.zeros(8, dtype=lib.int64, **size), lib.zeros(4, **size), lib.ones(4, **size)
    found = {
        "add": lambda: x + y, "add a number": lambda: x + 1.5, "mul": lambda: x * y, "exp": lambda: x.exp(), "relu": lambda: F.relu(x),
        "gelu": lambda: F.gelu(x), "matmul": lambda: x @ y, "linear": lambda: F.linear(x, weight, bias), "softmax": lambda: F.softmax(x, -1),
        "layer_norm": lambda: F.layer_norm(x, (8,), bias, bias), "cross_entropy": lambda: F.cross_entropy(x, tokens),
        "dropout": lambda: F.dropout(x, 0.1), "embedding": lambda: F.embedding(tokens, weight), "slice": lambda: x[1:3],
        "view": lambda: x.view(64), "transpose": lambda: x.transpose(0, 1), "sum": lambda: x.sum(), "mean": lambda: x.mean(),
        "conv2d": lambda: F.conv2d(image, filters, channel, padding=1),
        "batch_norm": lambda: F.batch_norm(image, level, spread, channel, channel, True),
    }
    return {**found, **with_gradients(lib, F, x, y, bias), **of_a_network(lib, device), **of_optimizers(lib, device)}


def with_gradients(lib, F, x, y, bias):
    """Operations that are recorded, and their backward pass."""
    a, seed, autocast = x.clone().requires_grad_(), lib.ones_like(x), lib.autocast(x.device.type, lib.bfloat16)
    b, c = y.clone().requires_grad_(), bias.clone().requires_grad_()

    def cast():
        with autocast:
            return F.linear(a, b, c)
    return {"add, backward": lambda: (a + b).backward(seed), "mul, backward": lambda: (a * b).backward(seed),
            "linear, backward": lambda: F.linear(a, b, c).backward(seed), "autocast linear": cast}


def of_a_network(lib, device):
    """A training step of a small network, in parts and whole."""
    model = lib.nn.Sequential(lib.nn.Linear(8, 8), lib.nn.ReLU(), lib.nn.Linear(8, 8)).to(device)
    x, y = lib.rand(8, 8, device=device), lib.zeros(8, dtype=lib.int64, device=device)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1)

    def loss():
        return lib.nn.functional.cross_entropy(model(x), y)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    found = {"MLP, forward": loss, "MLP, with backward": lambda: loss().backward(), "MLP, step": step}
    if device == "cuda":
        captured = lib.compile_step(step)
        found["MLP, captured step"] = captured
    return found


def of_optimizers(lib, device):
    """What follows a backward pass, over 20 parameters."""
    parameters = [lib.nn.Parameter(lib.rand(8, 8, device=device)) for _ in range(20)]
    for p in parameters:
        p.grad = lib.rand(8, 8, device=device)
    sgd, adamw = lib.optim.SGD(parameters, lr=1e-3, momentum=0.9), lib.optim.AdamW(parameters, lr=1e-3)
    scaler, bare = lib.amp.GradScaler(device), lib.optim.SGD([lib.nn.Parameter(lib.rand(8, device=device)) for _ in range(20)], lr=1e-3)
    scaler.scale(lib.ones((), device=device))

    def scaled():
        scaler.step(sgd)
        scaler.update()
    return {"zero_grad": bare.zero_grad, "SGD, 20 parameters": sgd.step, "AdamW, 20 parameters": adamw.step,
            "clip_grad_norm_": lambda: lib.nn.utils.clip_grad_norm_(parameters, 1.0), "GradScaler": scaled}


# -- how it is measured ------------------------------------------------------------------------------------------------

def measured(rows):
    """{row: {who: microseconds of CPU time per call, of the best round}} of {row: {who: call}}; each round has all of a row in turn."""
    found = {}
    for name, contenders in rows.items():
        times = dict.fromkeys(contenders, float("inf"))
        repeats = {who: warmed(run) for who, run in contenders.items()}
        for _ in range(ROUNDS):
            for who, run in contenders.items():
                times[who] = min(times[who], seconds(run, repeats[who]) / repeats[who])
        found[name] = {who: round(1e6 * t, 1) for who, t in times.items()}
    return found


def warmed(run):
    """Call it until nothing is made for the first time any more.  How many calls take a round's time."""
    for _ in range(5):
        run()
    return max(1, int(SECONDS / max(seconds(run, 10) / 10, 1e-7)))


def seconds(run, repeats):
    """CPU time of this thread."""
    start = time.thread_time()
    for _ in range(repeats):
        run()
    return time.thread_time() - start


def launches(host, run):
    """Kernels that one call launches."""
    before = host.host_launched()
    run()
    return host.host_launched() - before


def calls(run):
    """Python functions that one call calls."""
    count = 0

    def see(frame, event, argument):
        nonlocal count
        count += event == "call"
    before = sys.getprofile()
    sys.setprofile(see)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count - 1  # `run` itself
