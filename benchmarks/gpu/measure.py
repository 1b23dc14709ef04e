"""`make gpu-bench`: ringgrad beside torch with CUDA on the same card, in one process, interleaved, random data; medians.

    ceilings    copy bandwidth and rates of products of matrices, which the shares below are of
    kernels     forward and backward of single operations: bytes that have to move over time, as a share of the copy bandwidth
    launch      what an operation on small tensors costs the host
    steps       training steps of whole networks, torch eager and torch.compile beside them
    optimizers  one step over the parameters of GPT-2 124M
    nccl        all-reduce between two ranks on this GPU, and a training step under DistributedDataParallel

Written without a GPU and not run yet: a section that fails is reported with its error, the others go on.
"""
import json
import statistics
import subprocess
import sys
import time
import traceback
from pathlib import Path

from ..models import char_gpt, cnn, mlp
from ._start import ROOT, Deadline, make_importable, report, table
from .networks import resnet20

ROUNDS = 7
GIB = 2**30


class Bench:
    """Both libraries, the deadline and the ceilings found so far."""

    def __init__(self, ringgrad, torch, deadline, folder):
        self.ringgrad, self.torch, self.deadline, self.folder = ringgrad, torch, deadline, folder
        self.libraries = {"ringgrad": ringgrad, **({"torch": torch} if torch else {})}
        self.ceilings = {}

    def medians(self, contenders, seconds=0.05):
        """{name: median seconds per call}: rounds of all contenders in turn, each as many calls as take `seconds`."""
        calls, times = {}, {name: [] for name in contenders}
        for name, run in contenders.items():
            for _ in range(3):
                run()
            self.synchronize()
            start = time.perf_counter()
            run()
            self.synchronize()
            calls[name] = max(1, min(1000, int(seconds / max(1e-7, time.perf_counter() - start))))
        for _ in range(ROUNDS):
            for name, run in contenders.items():
                self.synchronize()
                start = time.perf_counter()
                for _ in range(calls[name]):
                    run()
                self.synchronize()
                times[name].append((time.perf_counter() - start) / calls[name])
        return {name: statistics.median(t) for name, t in times.items()}

    def synchronize(self):
        """Wait for the device."""
        for lib in self.libraries.values():
            lib.cuda.synchronize()


def beside(found):
    """A row of the report: microseconds of each, and ours over torch's."""
    row = {f"{name} us": round(1e6 * t, 2) for name, t in found.items()}
    if "torch" in found:
        row["ratio"] = round(found["ringgrad"] / found["torch"], 3)
    return row


# -- ceilings ----------------------------------------------------------------------------------------------------------

def ceilings(bench):
    """Copy bandwidth in GB/s (bytes read and written), and products of 8192 x 8192 matrices in Tflop/s."""
    rows, n = {}, 8192
    for name, lib in bench.libraries.items():
        x, y = (lib.ones(GIB // 4, device="cuda") for _ in range(2))
        t = bench.medians({name: lambda x=x, y=y: y.copy_(x)})[name]
        rows.setdefault("copy, GB/s", {})[name] = round(2 * GIB / t / 1e9)
        for dtype in ("float32", "float16", "bfloat16"):
            a = lib.randn(n, n, device="cuda").to(getattr(lib, dtype))
            t = bench.medians({name: lambda a=a: a @ a})[name]
            rows.setdefault(f"matmul {dtype}, Tflop/s", {})[name] = round(2 * n**3 / t / 1e12, 1)
        del x, y, a
        lib.cuda.empty_cache()
    bench.ceilings["copy"] = max(rows["copy, GB/s"].values())
    return rows


# -- kernels -----------------------------------------------------------------------------------------------------------

def computations(lib, dtype):
    """{name: (function of its inputs, inputs, how many times the first input's bytes have to move forward and backward)}."""
    F = lib.nn.functional

    def floats(*shape):
        return (lib.randn(*shape, device="cuda") * 0.5).to(dtype).requires_grad_()
    rows, image = (8192, 4096), (64, 64, 112, 112)
    tokens = lib.randint(0, 50304, (8192,), device="cuda")
    return {
        "softmax": (lambda x: F.softmax(x, -1), [floats(*rows)], (2, 3)),
        "log_softmax": (lambda x: F.log_softmax(x, -1), [floats(*rows)], (2, 3)),
        "layer_norm": (lambda x, w, b: F.layer_norm(x, (4096,), w, b), [floats(*rows), floats(4096), floats(4096)], (2, 3)),
        "rms_norm": (lambda x, w: F.rms_norm(x, (4096,), w), [floats(*rows), floats(4096)], (2, 3)),
        "cross_entropy": (lambda x: F.cross_entropy(x, tokens), [floats(8192, 50304)], (1, 2)),
        "gelu": (F.gelu, [floats(*rows)], (2, 3)),
        "silu": (F.silu, [floats(*rows)], (2, 3)),
        "dropout": (lambda x: F.dropout(x, 0.1), [floats(*rows)], (2, 2)),
        "sum of all": (lambda x: x.sum(), [floats(*rows)], (1, 1)),
        "sum of rows": (lambda x: x.sum(1), [floats(*rows)], (1, 1)),
        "sum of columns": (lambda x: x.sum(0), [floats(*rows)], (1, 1)),
        "max of rows": (lambda x: x.amax(1), [floats(*rows)], (1, 3)),
        "group_norm": (lambda x, w, b: F.group_norm(x, 32, w, b), [floats(*image), floats(64), floats(64)], (2, 3)),
        "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [floats(*image), floats(64), floats(64)], (3, 5)),
        "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), [floats(*image)], (1.25, 1.5)),
        "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), [floats(*image)], (1.25, 1.25)),
        "embedding": (lambda t: F.embedding(tokens, t), [floats(50304, 768)], (0.33, 1.2)),
        "index_select": (lambda t: t.index_select(0, tokens), [floats(50304, 768)], (0.33, 1.2)),
        "bilinear, twice as large": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), [floats(16, 64, 112, 112)], (5, 5)),
        "glu": (lambda x: F.glu(x, -1), [floats(*rows)], (1.5, 2.5)),
        "top 64 of rows": (lambda x: x.topk(64)[0], [floats(*rows)], (1, 1)),
        "mean of middle axis": (lambda x: x.mean(1), [floats(64, 512, 1024)], (1, 1)),
        "variance of rows": (lambda x: x.var(1), [floats(*rows)], (1, 3)),
    }


def kernels(bench):
    """Forward alone and forward with backward, and the share of the copy bandwidth that ours reaches."""
    rows = {}
    for dtype in ("float32", "bfloat16"):
        for name in computations(bench.ringgrad, bench.ringgrad.float32) if not rows else list(dict.fromkeys(k.rpartition(" ")[0] for k in rows)):
            if bench.deadline.left() < 20:
                return rows
            rows[f"{name} {dtype}"] = guarded(lambda name=name, dtype=dtype: one_kernel(bench, name, dtype))
    return rows


def one_kernel(bench, name, dtype):
    """One computation in both libraries."""
    forward, both, moved = {}, {}, None
    for key, lib in bench.libraries.items():
        function, inputs, times = computations(lib, getattr(lib, dtype))[name]
        size = inputs[0].numel() * (4 if dtype == "float32" else 2)
        moved = size * times[0], size * sum(times)
        with lib.no_grad():
            seed = lib.ones_like(function(*inputs))

        def run(function=function, inputs=inputs, lib=lib):
            with lib.no_grad():
                function(*inputs)

        def run_both(function=function, inputs=inputs, seed=seed):
            function(*inputs).backward(seed)
            for x in inputs:
                x.grad = None
        forward[key], both[key] = run, run_both
    row = {}
    for words, contenders, bytes_moved in (("forward", forward, moved[0]), ("with backward", both, moved[1])):
        found = bench.medians(contenders, 0.02)
        row |= {f"{words} {k}": v for k, v in beside(found).items()}
        row[f"{words} share"] = round(bytes_moved / found["ringgrad"] / 1e9 / bench.ceilings.get("copy", float("nan")), 3)
    for lib in bench.libraries.values():
        lib.cuda.empty_cache()
    return row


# -- launches ----------------------------------------------------------------------------------------------------------

def launch(bench):
    """Microseconds per operation on 8 x 8 tensors."""
    rows = {}
    for name in ("add", "matmul", "layer_norm", "add with backward"):
        contenders = {}
        for key, lib in bench.libraries.items():
            x = lib.randn(8, 8, device="cuda", requires_grad="backward" in name)
            norm = lib.nn.functional.layer_norm
            contenders[key] = {"add": lambda x=x: x + x, "matmul": lambda x=x: x @ x, "layer_norm": lambda x=x, norm=norm: norm(x, (8,)),
                               "add with backward": lambda x=x: (x + x).sum().backward()}[name]
        rows[name] = beside(bench.medians(contenders))
    return rows


# -- training steps ----------------------------------------------------------------------------------------------------

def gpt2(lib):
    """GPT-2 124M's sizes on a batch of 4 x 1024: returns (model, batch)."""
    return char_gpt(lib, layers=12, heads=12, width=768, block=1024, batch=4, vocabulary=50304)


def resnet20_batch(lib):
    """ResNet-20 on 128 images."""
    return resnet20(lib), (lib.randn(128, 3, 32, 32), lib.randint(0, 10, (128,)))


STEPS = {"MLP 784-512-512-10, batch 128": (mlp, None), "CNN (MNIST), batch 64": (cnn, None), "char-GPT 4x128, 12x64": (char_gpt, None),
         "ResNet-20, batch 128": (resnet20_batch, None), "GPT-2 124M, 4x1024, autocast bf16": (gpt2, "bfloat16")}
COMPILED = {"MLP 784-512-512-10, batch 128", "char-GPT 4x128, 12x64"}  # torch.compile takes long on the others


def make_step(lib, build, autocast, compiled=False):
    """A training step with AdamW on the device."""
    lib.manual_seed(0)
    model, (x, y) = build(lib)
    model, x, y = model.to("cuda"), x.to("cuda"), y.to("cuda")
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    criterion = lib.nn.CrossEntropyLoss()
    called = lib.compile(model) if compiled else model

    def step():
        optimizer.zero_grad()
        if autocast:
            with lib.autocast("cuda", dtype=getattr(lib, autocast)):
                loss = criterion(called(x), y)
        else:
            loss = criterion(called(x), y)
        loss.backward()
        optimizer.step()
    return step


def steps(bench):
    """Milliseconds are microseconds here; peak memory in MiB of a step of each library."""
    rows = {}
    for name, (build, autocast) in STEPS.items():
        if bench.deadline.left() < 40:
            break
        rows[name] = guarded(lambda build=build, autocast=autocast, name=name: one_step(bench, name, build, autocast))
        for lib in bench.libraries.values():
            lib.cuda.empty_cache()
    return rows


def one_step(bench, name, build, autocast):
    """Eager steps of both, torch.compile's beside them where that is quick, and peak memory."""
    contenders = {key: make_step(lib, build, autocast) for key, lib in bench.libraries.items()}
    if bench.torch and name in COMPILED:
        contenders["torch.compile"] = make_step(bench.torch, build, autocast, True)
    row = beside(bench.medians(contenders, 0.2))
    for key, lib in bench.libraries.items():
        lib.cuda.reset_peak_memory_stats()
        contenders[key]()
        row[f"{key} peak MiB"] = round(lib.cuda.max_memory_allocated() / 2**20)
    return row


def optimizers(bench):
    """A step over 124 million parameters in 148 tensors: bytes are 28 for each parameter of AdamW, 20 for SGD with momentum."""
    rows = {}
    sizes = [768 * 50304, 1024 * 768] + [n for _ in range(12) for n in (768, 768, 768 * 2304, 2304, 768 * 768, 768, 768, 768, 768 * 3072, 3072,
                                                                     3072 * 768, 768)] + [768, 768]
    for name, options, per in (("AdamW", {"lr": 1e-4, "fused": True}, 28), ("SGD", {"lr": 1e-4, "momentum": 0.9, "fused": True}, 20)):
        contenders = {}
        for key, lib in bench.libraries.items():
            params = [lib.zeros(n, device="cuda", requires_grad=True) for n in sizes]
            for p in params:
                p.grad = lib.ones_like(p)
            contenders[key] = getattr(lib.optim, name)(params, **options).step
        found = bench.medians(contenders)
        rows[name] = {**beside(found), "share": round(per * sum(sizes) / found["ringgrad"] / 1e9 / bench.ceilings.get("copy", float("nan")), 3)}
    return rows


# -- two ranks ---------------------------------------------------------------------------------------------------------

RANK = """
import json, os, time
import ringgrad
import ringgrad.distributed as dist
from benchmarks.models import mlp
dist.init_process_group("nccl")
ringgrad.cuda.set_device(0)
found = {}
for mib in (1, 64):
    x = ringgrad.ones(mib << 18, device="cuda")
    for _ in range(5):
        dist.all_reduce(x)
    ringgrad.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(10):
        dist.all_reduce(x)
    ringgrad.cuda.synchronize()
    found[f"all_reduce of {mib} MiB, us"] = round((time.perf_counter() - start) * 1e5, 1)
model, (x, y) = mlp(ringgrad)
ddp = ringgrad.nn.parallel.DistributedDataParallel(model.to("cuda"), device_ids=[0])
x, y, optimizer = x.to("cuda"), y.to("cuda"), ringgrad.optim.SGD(ddp.parameters(), lr=0.01)
def step():
    optimizer.zero_grad()
    ringgrad.nn.functional.cross_entropy(ddp(x), y).backward()
    optimizer.step()
for _ in range(5):
    step()
ringgrad.cuda.synchronize()
start = time.perf_counter()
for _ in range(50):
    step()
ringgrad.cuda.synchronize()
found["DDP step of the MLP, us"] = round((time.perf_counter() - start) * 2e4, 1)
if dist.get_rank() == 0:
    print("FOUND" + json.dumps(found))
dist.destroy_process_group()
"""


def nccl(bench):
    """Two ranks that share this GPU, started by ringgrad's own launcher; NCCL then talks over sockets, so this is no figure for two GPUs."""
    script = bench.folder / "nccl_rank.py"
    script.write_text("import os\nos.environ['NCCL_HOSTID'] = 'host' + os.environ['RANK']\nos.environ['NCCL_MULTI_RANK_GPU_ENABLE'] = '1'\n" + RANK)
    environment = make_importable(bench.folder)
    command = [sys.executable, "-m", "ringgrad.launch", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=max(10, min(120, bench.deadline.left())))
    lines = [line for line in done.stdout.splitlines() if "FOUND" in line]
    if not lines:
        return {"error": (done.stdout + done.stderr)[-1500:]}
    return {"two ranks on one GPU": json.loads(lines[0].partition("FOUND")[2])}


# -- the whole ---------------------------------------------------------------------------------------------------------

SECTIONS = {f.__name__: f for f in (ceilings, launch, steps, kernels, optimizers, nccl)}


def guarded(function):
    """What it returns, or its error as a row."""
    try:
        return function()
    except Exception as error:  # a measurement that fails must not take the others with it
        return {"error": f"{type(error).__name__}: {error}"[:600], "where": traceback.format_exc().splitlines()[-3:-1]}


def main(folder, found, time_s, names):
    """Run the sections; 0."""
    import ringgrad  # only now can it be found
    try:
        import torch
        torch = torch if torch.cuda.is_available() else None
    except ImportError:
        torch = None
    Path(folder).mkdir(parents=True, exist_ok=True)
    bench = Bench(ringgrad, torch, Deadline(time_s), Path(folder))
    sections = {}
    for name in names or SECTIONS:
        if name not in SECTIONS:
            sys.exit(f"no section named {name}; there are {', '.join(SECTIONS)}")
        sections[name] = guarded(lambda name=name: SECTIONS[name](bench)) if bench.deadline.left() > 15 else {"left out": "the time was used up"}
        print(f"{name}: {bench.deadline.left():.0f} s left", flush=True)
    described = {**found, "torch": torch and f"{torch.__version__}, CUDA {torch.version.cuda}", "sections": sections}
    report(folder, "gpu-bench", described, lines_of(described))
    return 0


def lines_of(described):
    """The report as text."""
    lines = [f"{described['gpu']}, CuPy {described['cupy']}; torch {described['torch'] or 'with CUDA is not installed'}"]
    for name, rows in described["sections"].items():
        lines += ["", name]
        if not all(isinstance(row, dict) for row in rows.values()):  # the section failed as a whole
            lines += [f"  {key}: {value}" for key, value in rows.items()]
            continue
        columns = list(dict.fromkeys(k for row in rows.values() for k in row if k not in ("where", "error")))
        lines += [f"  {line}" for line in table(("", *columns), [(key, *(row.get(c, "") for c in columns)) for key, row in rows.items()])]
        lines += [f"  {key}: {row['error'].splitlines()[0]}" for key, row in rows.items() if "error" in row]
    return lines
