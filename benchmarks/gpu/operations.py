"""Single operations: ceilings, what a launch costs, kernels as shares of the copy bandwidth, optimizer steps."""
from ._bench import beside, guarded

GIB = 2**30
SIZE_OF = {"float32": 4, "float16": 2, "bfloat16": 2}


def ceilings(bench):
    """Copy bandwidth in GB/s (bytes read and written), and products of square matrices in Tflop/s: the better of both libraries is the ceiling."""
    rows, n, bytes_copied = {}, bench.size(8192, 64), bench.size(GIB, 4096)
    for key, lib in bench.libraries.items():
        x, y = (lib.ones(bytes_copied // 4, device=bench.device) for _ in range(2))
        t = bench.medians({key: lambda x=x, y=y: y.copy_(x)})[key]
        rows.setdefault("copy, GB/s", {})[key] = round(2 * bytes_copied / t / 1e9, 1)
        for dtype in SIZE_OF:
            a = lib.randn(n, n, device=bench.device).to(getattr(lib, dtype))
            t = bench.medians({key: lambda a=a: a @ a})[key]
            rows.setdefault(f"matmul {dtype}, Tflop/s", {})[key] = round(2 * n**3 / t / 1e12, 3)
        del x, y, a
        bench.tidy()
    bench.ceilings = {"copy": max(rows["copy, GB/s"].values()), "bfloat16": max(rows["matmul bfloat16, Tflop/s"].values())}
    return rows


def launch(bench):
    """Microseconds per operation on 8 x 8 tensors: what the host needs."""
    rows = {}
    for name in ("add", "matmul", "layer_norm", "add with backward", "layer_norm with backward"):
        contenders = {}
        for key, lib in bench.libraries.items():
            x = lib.randn(8, 8, device=bench.device, requires_grad="backward" in name)
            norm = lib.nn.functional.layer_norm
            contenders[key] = {"add": lambda x=x: x + x, "matmul": lambda x=x: x @ x, "layer_norm": lambda x=x, norm=norm: norm(x, (8,)),
                               "add with backward": lambda x=x: (x + x).sum().backward(),
                               "layer_norm with backward": lambda x=x, norm=norm: norm(x, (8,)).sum().backward()}[name]
        rows[name] = beside(bench.medians(contenders))
    return rows


# {name: (function of the library's functional and the inputs, shapes of the inputs, how many times the first input's bytes move forward, backward)}
ROWS, IMAGE, VOCABULARY = (8192, 4096), (64, 64, 112, 112), 50304
COMPUTATIONS = {
    "softmax": (lambda F, x: F.softmax(x, -1), [ROWS], (2, 3)),
    "log_softmax": (lambda F, x: F.log_softmax(x, -1), [ROWS], (2, 3)),
    "layer_norm": (lambda F, x, w, b: F.layer_norm(x, w.shape, w, b), [ROWS, ROWS[1:], ROWS[1:]], (2, 3)),
    "rms_norm": (lambda F, x, w: F.rms_norm(x, w.shape, w), [ROWS, ROWS[1:]], (2, 3)),
    "cross_entropy": (lambda F, x, tokens: F.cross_entropy(x, tokens), [(8192, VOCABULARY), "tokens"], (1, 2)),
    "gelu": (lambda F, x: F.gelu(x), [ROWS], (2, 3)),
    "silu": (lambda F, x: F.silu(x), [ROWS], (2, 3)),
    "glu": (lambda F, x: F.glu(x), [ROWS], (1.5, 2.5)),
    "dropout": (lambda F, x: F.dropout(x, 0.1), [ROWS], (2, 2)),
    "sum of all": (lambda F, x: x.sum(), [ROWS], (1, 1)),
    "sum of rows": (lambda F, x: x.sum(1), [ROWS], (1, 1)),
    "sum of columns": (lambda F, x: x.sum(0), [ROWS], (1, 1)),
    "max of rows": (lambda F, x: x.amax(1), [ROWS], (1, 3)),
    "top 16 of rows": (lambda F, x: x.topk(16, 1)[0], [ROWS], (1, 1)),
    "mean of middle axis": (lambda F, x: x.mean(1), [(64, 512, 1024)], (1, 1)),
    "variance of rows": (lambda F, x: x.var(1), [ROWS], (1, 3)),
    "group_norm": (lambda F, x, w, b: F.group_norm(x, 32, w, b), [IMAGE, IMAGE[1:2], IMAGE[1:2]], (2, 3)),
    "batch_norm": (lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True), [IMAGE, IMAGE[1:2], IMAGE[1:2]], (3, 5)),
    "max_pool2d": (lambda F, x: F.max_pool2d(x, 3, 2, 1), [IMAGE], (1.25, 1.5)),
    "avg_pool2d": (lambda F, x: F.avg_pool2d(x, 2), [IMAGE], (1.25, 1.25)),
    "interpolate, bilinear": (lambda F, x: F.interpolate(x, scale_factor=2, mode="bilinear"), [IMAGE], (5, 5)),
    "embedding": (lambda F, t, tokens: F.embedding(tokens, t), [(VOCABULARY, 768), "tokens"], (0.33, 1.2)),
    "index_select": (lambda F, t, tokens: t.index_select(0, tokens), [(VOCABULARY, 768), "tokens"], (0.33, 1.2)),
}


def kernels(bench):
    """Forward alone and forward with backward in microseconds, and the share of the copy bandwidth that ours reaches."""
    rows = {}
    for dtype in ("float32", "bfloat16"):
        for name in COMPUTATIONS:
            if bench.deadline.left() < 20:
                return rows
            rows[f"{name} {dtype}"] = guarded(lambda name=name, dtype=dtype: one_kernel(bench, name, dtype))
            bench.tidy()
    return rows


def inputs_of(bench, lib, shapes, dtype):
    """Tensors for a computation: floats with gradients, and 8192 numbers of tokens where a shape says so."""
    shrink = [[min(n, 32) for n in shape] if bench.rehearsal else shape for shape in shapes if shape != "tokens"]
    floats = [(lib.randn(*shape, device=bench.device) * 0.5).to(getattr(lib, dtype)).requires_grad_() for shape in shrink]
    tokens = [lib.randint(0, bench.size(VOCABULARY, 32), (bench.size(8192, 32),), device=bench.device)] if "tokens" in shapes else []
    return floats + tokens


def one_kernel(bench, name, dtype):
    """One computation in both libraries."""
    function, shapes, times = COMPUTATIONS[name]
    forward, both = {}, {}
    for key, lib in bench.libraries.items():
        F, inputs = lib.nn.functional, inputs_of(bench, lib, shapes, dtype)
        with lib.no_grad():
            seed = lib.ones_like(function(F, *inputs))
        size = inputs[0].numel() * SIZE_OF[dtype]

        def run(F=F, inputs=inputs, lib=lib):
            with lib.no_grad():
                function(F, *inputs)

        def run_both(F=F, inputs=inputs, seed=seed):
            function(F, *inputs).backward(seed)
            for x in inputs:
                x.grad = None
        forward[key], both[key] = run, run_both
    row = {}
    for words, contenders, moved in (("forward", forward, size * times[0]), ("with backward", both, size * sum(times))):
        found = bench.medians(contenders, 0.02)
        row |= {f"{words} {k}": v for k, v in beside(found).items()}
        row[f"{words} share"] = round(moved / found["ringgrad"] / 1e9 / bench.ceilings["copy"], 3)
    return row


def optimizers(bench):
    """A step over the 148 tensors of GPT-2 124M: bytes are 28 for each parameter of AdamW, 20 for SGD with momentum, 4 more where it clips.

    torch clips before the step, which moves 12.
    """
    rows = {}
    layer = (768, 768, 768 * 2304, 2304, 768 * 768, 768, 768, 768, 768 * 3072, 3072, 3072 * 768, 768)
    sizes = [n // bench.size(1, 768) for n in [768 * VOCABULARY, 1024 * 768] + [n for _ in range(12) for n in layer] + [768, 768]]
    adamw = {"lr": 1e-4, "fused": True}
    for row, name, options, per in (("AdamW", "AdamW", adamw, 28), ("SGD", "SGD", {"lr": 1e-4, "momentum": 0.9, "fused": True}, 20),
                                    ("AdamW, clipped", "AdamW", adamw, 32)):
        contenders = {}
        for key, lib in bench.libraries.items():
            params = [lib.zeros(n, device=bench.device, requires_grad=True) for n in sizes]
            for p in params:
                p.grad = lib.ones_like(p)
            optimizer = getattr(lib.optim, name)(params, **options)
            contenders[key] = _clipped(lib, optimizer, params) if "clipped" in row else optimizer.step
        found = bench.medians(contenders)
        rows[row] = {**beside(found), "share": round(per * sum(sizes) / found["ringgrad"] / 1e9 / bench.ceilings["copy"], 3)}
        bench.tidy()
    return rows


def _clipped(lib, optimizer, params):
    """A step that clips: in the optimizer where the library can, else before it."""
    if hasattr(lib.optim, "clip_in_step"):
        return lib.optim.clip_in_step(optimizer, 1.0).step

    def step():
        lib.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
    return step
