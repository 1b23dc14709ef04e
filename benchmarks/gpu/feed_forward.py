"""Linear layers and feed-forward networks: with and without epilogues, and torch's; microseconds, and the share of the rate of products."""
import contextlib

from ._bench import beside, guarded

ROWS, WIDTH = 12 * 1024, 768  # of GPT-2 124M
NETWORKS = {  # name: (modules of both libraries, products of ROWS x WIDTH x 4 WIDTH)
    "linear": (lambda nn, n: [nn.Linear(n, 4 * n)], 1),
    "linear, relu, linear": (lambda nn, n: [nn.Linear(n, 4 * n), nn.ReLU(), nn.Linear(4 * n, n)], 2),
    "linear, gelu, linear": (lambda nn, n: [nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n)], 2),
    "linear, gelu by tanh, linear": (lambda nn, n: [nn.Linear(n, 4 * n), nn.GELU("tanh"), nn.Linear(4 * n, n)], 2),
}


def feed_forward(bench):
    """Forward with backward in each type."""
    return {f"{name} {dtype}": guarded(lambda name=name, dtype=dtype: one_network(bench, name, dtype))
            for dtype in ("bfloat16", "float16", "float32") for name in NETWORKS}


def one_network(bench, name, dtype):
    """One network in one type."""
    make, products = NETWORKS[name]
    rows, width = bench.size(ROWS, 16), bench.size(WIDTH, 8)
    contenders = {}
    for key, lib in bench.libraries.items():
        network = lib.nn.Sequential(*make(lib.nn, width)).to(bench.device, getattr(lib, dtype))
        x = lib.randn(rows, width, device=bench.device).to(getattr(lib, dtype)).requires_grad_()
        with lib.no_grad():
            seed = lib.ones_like(network(x))

        def run(network=network, x=x, seed=seed):
            network(x).backward(seed)
            x.grad = None
            network.zero_grad(set_to_none=True)
        contenders[key] = run
    contenders["without epilogues"] = without_epilogues(contenders["ringgrad"])
    found = bench.medians(contenders)
    rate = 3 * products * 2 * rows * width * 4 * width / found["ringgrad"] / 1e12
    bench.tidy()
    return {**beside(found), "Tflop/s": round(rate, 1), **({"share": round(rate / bench.ceilings["bfloat16"], 3)} if dtype == "bfloat16" else {})}


def without_epilogues(run):
    """`run` with plans of its own, in which sums and activations are kernels."""
    plans = {}

    def plain():
        with instead(plans):
            run()
    return plain


@contextlib.contextmanager
def instead(plans):
    """`plans` in the place of those that there are, made without epilogues."""
    from ringgrad.kernels import gemm
    before = gemm.EPILOGUES, gemm._RECIPES
    gemm.EPILOGUES, gemm._RECIPES = False, plans
    try:
        yield
    finally:
        gemm.EPILOGUES, gemm._RECIPES = before
