"""Attention, forward and with backward, beside torch's: time and the peak of memory above what was held before."""
import importlib

from ._bench import beside, guarded

HEADS, FEATURES = 12, 64
LENGTHS = (2048, 1024, 3000, 512, 100, 1500)  # of packed sequences: 8184 tokens


def causal(lib, make):
    q, k, v = (make(8, HEADS, 1024, FEATURES) for _ in range(3))
    return lambda: lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def learnt(lib, make):
    """A bias for each head, as T5's of relative positions."""
    (q, k, v), bias = (make(8, HEADS, 1024, FEATURES) for _ in range(3)), make(1, HEADS, 1024, 1024)
    return lambda: lib.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def packed(lib, make):
    varlen_attn = importlib.import_module(f"{lib.__name__}.nn.attention.varlen").varlen_attn
    lengths = [make.size(n, 1 + n % 7) for n in LENGTHS]
    q, k, v = (make(sum(lengths), HEADS, FEATURES) for _ in range(3))
    cu = lib.tensor([0, *lengths], device=q.device).cumsum(0).to(lib.int32)
    return lambda: varlen_attn(q, k, v, cu, cu, max(lengths), max(lengths), window_size=(-1, 0))


ROWS = {  # name: (what makes the computation, type)
    "causal bfloat16": (causal, "bfloat16"), "causal float32": (causal, "float32"), "learnt bias bfloat16": (learnt, "bfloat16"),
    "packed sequences, causal, bfloat16": (packed, "bfloat16"),
}


class Maker:
    """make(*sizes): a tensor that takes a gradient, small ones in a rehearsal."""

    def __init__(self, bench, lib, dtype):
        self.bench, self.lib, self.dtype, self.size = bench, lib, dtype, bench.size

    def __call__(self, *sizes):
        sizes = [min(n, 64) for n in sizes] if self.bench.rehearsal else sizes
        return self.lib.randn(*sizes, device=self.bench.device).to(getattr(self.lib, self.dtype)).requires_grad_()


def attention(bench):
    """Microseconds forward and with backward, and the peak of memory of both together in MiB."""
    rows = {}
    for name in ROWS:
        if bench.deadline.left() < 20:
            return rows
        rows[name] = guarded(lambda name=name: one(bench, name))
        bench.tidy()
    return rows


def one(bench, name):
    build, dtype = ROWS[name]
    forward, both, peaks = {}, {}, {}
    for key, lib in bench.libraries.items():
        if bench.rehearsal and key == "torch" and build is packed:
            continue  # torch has it on a GPU only
        run = build(lib, Maker(bench, lib, dtype))

        def run_forward(run=run, lib=lib):
            with lib.no_grad():
                run()

        def run_both(run=run):
            run().sum().backward()
        run_both()  # what is made on first use is no part of the peak
        if not bench.rehearsal:
            lib.cuda.synchronize()
            lib.cuda.reset_peak_memory_stats()
            before = lib.cuda.memory_allocated()
            run_both()
            lib.cuda.synchronize()
            peaks[f"{key} peak MiB"] = round((lib.cuda.max_memory_allocated() - before) / 2**20)
        forward[key], both[key] = run_forward, run_both
    row = {f"{words} {k}": v for words, runs in (("forward", forward), ("with backward", both)) for k, v in beside(bench.medians(runs, 0.02)).items()}
    return {**row, **peaks}
