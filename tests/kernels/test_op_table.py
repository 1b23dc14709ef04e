"""The samples of tests/ops of every op that has kernels of rows, images or tables, on the GPU on the host: what `make gpu` does on a GPU."""
import host_gpu
import pytest

from tests.ops import test_ops

pytestmark = [pytest.mark.slow, pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")]

NAMES = ("softmax", "log_softmax", "cross_entropy", "normalize", "group_normalize", "moments", "scale_shift", "masked_scale", "add_rows", "embedding",
         "max_pool", "spread_to_max", "avg_pool", "spread_average", "sum", "amax", "max_along", "scaled_dot_product_attention",
         "logsumexp", "mean", "prod", "amin", "var", "std", "vector_norm", "mix", "pick", "topk", "kthvalue", "median_along", "add_along_axis",
         "scatter", "add_at", "scatter_reduce", "take", "take_along_axis", "index", "suppress", "rotary_embedding", "glu", "gated", "bias_activation",
         "align_regions", "spread_regions", "region_maxima", "gelu", "prelu", "clip", "squared_difference", "lerp", "sigmoid", "tanh", "sqrt",
         "adaptive_max_pool", "lstm_layer", "gru_layer", "rnn_layer", "pool_by_place", "spread_by_place", "deformed_columns", "constant_pad")
WRITES = {"einsum": "its rule writes into NumPy's diagonal, which is read-only; CuPy's is not",
          **dict.fromkeys(("segment_reduce", "combinations"), "they ask the array library for cuda.Device, which NumPy has not")}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


@pytest.mark.parametrize("name", NAMES)
def test_samples(name, xp):
    samples = [s for s in test_ops.EXACT if s.op == name and not any(word in repr(s) for word in WRITES)]
    assert samples
    for sample in samples:
        for dtype in sample.dtypes:
            with test_ops.case(f"{sample} {dtype}"):
                test_ops.check_gpu(sample, dtype)
