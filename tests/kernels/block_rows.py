"""What the kernels of whole rows, images and tables are run on: a line per computation, used by test_block_kernels.py and sanitized.py."""
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import ops
from ringgrad._core.tensor import wrap
from ringgrad.vision import ops as vision_ops

DTYPES = {"float64": np.dtype("float64"), "float32": np.dtype("float32"), "float16": np.dtype("float16"), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
TOLERANCE = {"float64": 1e-12, "float32": 5e-6, "float16": 2.0**-9, "bfloat16": 2.0**-6}  # of the largest element


@dataclass
class Row:
    """call(*tensors) for each list of shapes.

    kernels: those that have to run ("{dtype}" stands for the type's name);  make: {position: function(rng, shape)} of inputs that are no random
    floats and take no gradient;  scale: of the tolerance.  dense: other inputs run the formula.
    strided, in what follows: the floats are every other column of wider arrays.
    """

    name: str
    call: object
    shapes: list
    kernels: tuple
    make: dict = field(default_factory=dict)
    dtypes: tuple = tuple(DTYPES)
    scale: float = 1.0
    dense: bool = False


def ints(high):
    return lambda rng, shape: rng.integers(0, high, shape)


def targets(classes, ignored=False):
    def make(rng, shape):
        t = rng.integers(0, classes, shape)
        if ignored and t.size > 1:
            t.reshape(-1)[1] = -100
        return t
    return make


def mask(rng, shape):
    return rng.random(shape) < 0.7


def regions(rng, shape):
    """Image numbers and corners in eighths, which every type holds; some lie outside."""
    corner, size = rng.integers(-16, 40, (shape[0], 2)) / 8, rng.integers(0, 48, (shape[0], 2)) / 8
    return np.concatenate([rng.integers(0, 2, (shape[0], 1)), corner, corner + size], 1)


def pooled(kind, kernel, **options):
    return lambda x: getattr(F, kind)(x, kernel, **options)


def pooled_last(kind, *options):
    return lambda x: getattr(F, kind)(x.contiguous(memory_format=ringgrad.channels_last), *options)


def attend(causal):
    return lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, None, None, causal, 0.4, 1.0)[0]


MATRICES = [[(3, 5)], [(1, 1)], [(7, 64)], [(2, 1030)], [(2, 9001)], [(2, 3, 33)]]
ROWS = [
    Row("softmax", lambda x: F.softmax(x, -1), MATRICES, ("softmax", "softmax_backward")),
    Row("softmax of columns", lambda x: F.softmax(x, 0), [[(5, 3)], [(40, 2, 3)]], ("softmax", "softmax_backward")),
    Row("log_softmax", lambda x: F.log_softmax(x, -1), MATRICES, ("softmax", "log_softmax_backward")),
    *[Row(f"logsumexp over {axis}", lambda x, axis=axis: ops.logsumexp(x, axis), shapes, ("logsumexp",), scale=2) for axis, shapes in [
        ((1,), [[(3, 5)], [(2, 1030)], [(2, 40, 3)]]), ((0,), [[(40, 3)]])]],
    *[Row(f"cross entropy, {reduction}", lambda x, t, reduction=reduction: F.cross_entropy(x, t, reduction=reduction),
          [[(4, 7), (4,)], [(1, 1), (1,)], [(3, 1500), (3,)], [(2, 5, 3), (2, 3)]],
          ("cross_entropy", "cross_entropy_backward"), {1: targets(1)} if reduction == "sum" else {1: targets(1, True)})
      for reduction in ("mean", "sum", "none")],
    Row("cross entropy, weighted and smoothed", lambda x, t, w: F.cross_entropy(x, t, w, label_smoothing=0.2), [[(6, 5), (6,), (5,)]],
        ("cross_entropy", "cross_entropy_backward"), {1: targets(5, True), 2: lambda rng, shape: rng.uniform(0.5, 2, shape)}),
    Row("cross entropy of halves in float32", lambda x, t: ops.cross_entropy_in_float32(x, t).to(x.dtype), [[(4, 7), (4,)], [(3, 1504), (3,)]],
        ("cross_entropy", "cross_entropy_backward_wide"), {1: targets(5, True)}, dtypes=("float16", "bfloat16")),
    Row("sum of large arrays", lambda x, y: x + y, [[(130, 257), (130, 257)]], ("add",), dense=True),
    *[Row(f"negative log likelihood, {reduction}", lambda x, t, reduction=reduction: F.nll_loss(x, t, reduction=reduction),
          [[(4, 7), (4,)], [(1, 1), (1,)], [(3, 1504), (3,)], [(2, 5, 3), (2, 3)]],
          ("nll_rows", "nll_backward"), {1: targets(1)} if reduction == "sum" else {1: targets(1, True)})
      for reduction in ("mean", "sum", "none")],
    Row("negative log likelihood, weighted", lambda x, t, w: F.nll_loss(x, t, w), [[(6, 5), (6,), (5,)]],
        ("nll_rows", "nll_backward"), {1: targets(5, True), 2: lambda rng, shape: rng.uniform(0.5, 2, shape)}),
    Row("layer norm", lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b), [[(3, 5), (5,), (5,)], [(40, 33), (33,), (33,)], [(5, 64), (64,), (64,)],
        [(2, 504), (504,), (504,)], [(2, 70, 16), (16,), (16,)]], ("norm_rows", "layer_norm_backward", "layer_norm_columns"), scale=4),
    *[Row(f"layer norm of long rows, {sums}", lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b), [[(2, n), (n,), (n,)]],
          ("norm_rows", "norm_rows_backward", sums, "sums_together"), scale=4)
      for n, sums in ((1040, "row_sums_last_wide"), (1031, "row_sums_last"))],
    Row("layer norm of two dimensions, without weights", lambda x: F.layer_norm(x, x.shape[-2:]), [[(3, 5, 7)]],
        ("norm_rows", "norm_rows_backward"), scale=4),
    Row("rms norm", lambda x, w: F.rms_norm(x, x.shape[-1:], w, 1e-5), [[(3, 5), (5,)], [(9, 128), (128,)]], ("norm_rows", "layer_norm_backward"),
        scale=4),
    Row("group norm", lambda x, w, b: F.group_norm(x, 2, w, b), [[(2, 4, 3, 5), (4,), (4,)], [(3, 2, 40), (2,), (2,)], [(5, 6), (6,), (6,)]],
        ("norm_rows", "norm_rows_backward", "group_sums"), scale=4),
    Row("batch norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [[(4, 3, 5, 2), (3,), (3,)]],
        ("batch_moments", "batch_statistics", "batch_apply", "batch_sums", "sums_together", "batch_backward"), scale=8),
    Row("batch norm of planes", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [[(3, 2, 100), (2,), (2,)], [(20, 3, 64), (3,), (3,)],
        [(2, 2, 40, 64), (2,), (2,)]], ("batch_moments", "batch_apply_planes", "batch_sums", "batch_backward_planes"), scale=8),
    Row("batch norm of rows", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [[(70, 5), (5,), (5,)], [(300, 71), (71,), (71,)]],
        ("batch_moments_last", "batch_apply_last", "batch_sums_last", "batch_backward_last"), scale=8),
    Row("batch norm of wide rows", lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        [[(70, 8), (8,), (8,)], [(300, 96), (96,), (96,)], [(9, 264), (264,), (264,)]],
        ("batch_moments_last_wide", "batch_apply_last_wide", "batch_sums_last_wide", "batch_backward_last_wide"), scale=8),
    Row("batch norm far from zero", lambda x: F.batch_norm(x + 30, None, None, None, None, True), [[(16, 3, 40)], [(200, 5)], [(300, 8)]],
        ("batch_statistics",), scale=16, dtypes=("float64", "float32")),
    Row("batch norm in evaluation", lambda x, w, b: F.batch_norm(x, w.detach(), b.detach() ** 2 + 1, None, None),
        [[(2, 3, 5), (3,), (3,)]], ("batch_apply",), scale=2),
    Row("attention", attend(False), [[(2, 3, 4), (2, 5, 4), (2, 5, 6)]], ("attention_softmax", "softmax_backward"),
        dtypes=("float64", "float32"), scale=4),
    Row("causal attention", attend(True), [[(2, 5, 4), (2, 5, 4), (2, 5, 3)], [(1, 40, 8), (1, 40, 8), (1, 40, 8)]],
        ("attention_softmax", "softmax_backward"), dtypes=("float64", "float32"), scale=4),
    Row("dropout", lambda x, m: ops.masked_scale(x, m, 1.25), [[(3, 5), (3, 5)], [(8, 64), (8, 64)]], ("masked_scale",), {1: mask}),
    Row("embedding, sorted", lambda t, i: F.embedding(i, t), [[(5, 3), (4, 2)], [(1, 1), (1,)], [(50, 130), (7,)]],
        ("embedding_sorted",), {1: ints(1)}),
    Row("embedding, sorted, many rows", lambda t, i: F.embedding(i, t, padding_idx=2, scale_grad_by_freq=True), [[(5, 3), (9, 2)]],
        ("embedding_sorted",), {1: ints(5)}),
    *[Row(f"max pool {k} {o}", pooled(f"max_pool{d}d", k, **o), shapes, ("max_pool", "max_pool_backward")) for d, k, o, shapes in [
        (2, 2, {}, [[(2, 3, 4, 6)], [(1, 1, 2, 2)], [(1, 2, 5, 7)]]), (2, 3, {"stride": 2, "padding": 1}, [[(2, 2, 7, 8)]]),
        (2, (3, 2), {"stride": (1, 2), "dilation": (2, 1), "ceil_mode": True}, [[(1, 2, 9, 6)]]), (1, 3, {"stride": 1}, [[(2, 1, 9)]]),
        (3, 2, {}, [[(1, 2, 4, 3, 5)]]), (2, 16, {"stride": 3}, [[(1, 1, 20, 19)]])]],
    *[Row(f"adaptive max pool {size}", pooled(f"adaptive_max_pool{len(size)}d", size), shapes, ("adaptive_max", "adaptive_max_backward"))
      for size, shapes in [((3, 2), [[(2, 3, 7, 4)], [(1, 1, 1, 1)]]), ((4,), [[(2, 2, 9)]]), ((2, 3, 7), [[(1, 2, 4, 3, 5)]])]],
    *[Row(f"{kind} {rest}, {shape[1]} channels last", pooled_last(kind, *rest), [[shape]], [f"{kernel}{more}" for kernel in kernels], scale=4)
      for shape, more in (((2, 16, 7, 8), "_packs"), ((1, 3, 6, 5), "")) for kind, rest, kernels in [
        ("max_pool2d", (3, 2, 1), ("max_pool", "max_pool_backward")), ("avg_pool2d", (3, 2, 1), ("avg_pool",)),
        ("adaptive_max_pool2d", ((3, 2),), ("adaptive_max", "adaptive_max_backward"))]],
    Row("interpolate, channels last", pooled_last("interpolate", (9, 5), None, "bilinear"), [[(2, 5, 7, 8)]], ("mix",), scale=4),
    *[Row(f"average pool {k} {o}", pooled(f"avg_pool{d}d", k, **o), shapes, ("avg_pool", "avg_pool_backward"), scale=2) for d, k, o, shapes in [
        (2, 2, {}, [[(2, 3, 4, 6)], [(1, 2, 5, 7)]]), (2, 3, {"stride": 2, "padding": 1, "count_include_pad": False}, [[(2, 2, 7, 8)]]),
        (2, 3, {"stride": 2, "padding": 1, "ceil_mode": True}, [[(1, 2, 8, 8)]]), (2, 2, {"divisor_override": 3}, [[(1, 1, 4, 4)]]),
        (1, 3, {"stride": 1}, [[(2, 1, 9)]]), (3, 2, {}, [[(1, 2, 4, 3, 5)]])]],
    *[Row(f"sum over {axis}", lambda x, axis=axis: ops.sum(x, axis), shapes, names, scale=8, dense=True) for axis, shapes, names in [
        ((-1,), [[(3, 50)], [(2, 3, 1100)]], ("sum_rows",)), ((1,), [[(3, 5)], [(1, 1)]], ("sum_short_rows",)),
        (None, [[(3, 50)], [(7, 9001)]], ("sum_rows",)),
        ((0,), [[(3, 5)], [(700, 33)], [(1, 40)], [(900, 64)]], ("sum_single_columns", "sum_columns", "sum_chunks")),
        ((0, 1), [[(3, 5, 7)]], ("sum_single_columns",)), ((1,), [[(3, 70, 8)], [(2, 300, 3)]], ("sum_columns", "sum_single_columns", "sum_chunks")),
        ((0, 2), [[(3, 5, 70)]], ("sum_rows", "sum_single_columns"))]],
    Row("sum of a turned matrix", lambda x: ops.sum(x.t(), (0,)), [[(3, 50)]], ("sum_rows",), scale=8, dense=True),
    *[Row(f"{name} over {axis}", lambda x, axis=axis, name=name: getattr(ops, name)(x, axis), shapes, names, scale=8, dense=True)
      for name, axis, shapes, names in [
        ("amax", (1,), [[(3, 50)], [(2, 40000)]], ("largest_rows", "largest_parts")), ("amax", (0,), [[(130, 37)]], ("largest_single_columns",)),
        ("amin", (1,), [[(3, 50)]], ("smallest_rows",)), ("mean", (1,), [[(3, 50, 4)]], ("sum_columns", "sum_single_columns")),
        ("prod", 1, [[(3, 40)]], ("product_rows",)), ("var", (1,), [[(3, 50)], [(2, 9, 4)]], ("squares_rows",)),
        ("std", (0,), [[(30, 5)]], ("squares_single_columns",))]],
    *[Row(f"norm of order {order}", lambda x, order=order: ops.vector_norm(x, order, (1,)), [[(3, 50)]], (kernel,), scale=8, dense=True)
      for order, kernel in ((1, "sizes_rows"), (2, "squares_rows"))],
]
TWO = ("float32", "bfloat16")  # enough for what elementwise.py writes the same way for all types
ROWS += [  # bodies of elementwise ops, on what is repeated or in pieces
    Row("half of a row", lambda x: F.silu(x[..., 16:]), [[(3, 32)], [(2, 3, 39)]], ("silu_b_{dtype}", "silu_dx_ab_{dtype}"), dtypes=TWO),
    Row("a column of a matrix", lambda x: F.silu(x[:, 1]), [[(5, 3)]], ("silu_b_{dtype}",), dtypes=TWO),
    Row("a weight per channel", lambda x, w: F.prelu(x, w), [[(2, 3, 5), (3,)], [(2, 3, 4, 4), (1,)]],
        ("prelu_ab_{dtype}", "prelu_dx_aab_{dtype}"), scale=8, dtypes=TWO),
    Row("a row for all", lambda x, y: ops.squared_difference(x, y), [[(6, 16), (16,)], [(2, 6, 17), (6, 1)], [(3, 5), ()]],
        ("squared_difference_ab_{dtype}", "squared_difference_dy_aab_{dtype}"), scale=8, dtypes=TWO),
    Row("a number", lambda x, y: ops.lerp(x, y, 0.3), [[(3, 5), (3, 5)]], ("lerp_aan_{dtype}",), dtypes=("float64", "float32")),
    Row("turned", lambda x, y: ops.squared_difference(x.t(), y), [[(3, 5), (5, 3)]], ("squared_difference_ba_{dtype}",), dtypes=TWO),
    Row("rows that are repeated one by one", lambda x, y: ops.squared_difference(x, y), [[(2, 3, 4), (2, 1, 4)], [(3, 5, 16), (3, 1, 16)]],
        ("squared_difference_ae_{dtype}", "squared_difference_dy_aae_{dtype}"), scale=8, dtypes=TWO),
    Row("rows and columns of four dimensions", lambda x, y: ops.squared_difference(x, y), [[(2, 3, 4, 2), (2, 1, 4, 1)]], (), scale=4),
    *[Row(f"gelu, {kind}", lambda x, kind=kind: F.gelu(x, kind), [[(3, 5)], [(64,)]],
          (f"gelu_{kind}_{{dtype}}", f"gelu_dx_{kind}_{{dtype}}"), dtypes=TWO)
      for kind in ("none", "tanh")],
    Row("logits", lambda x, y: F.binary_cross_entropy_with_logits(x, y.detach(), reduction="none"), [[(3, 5), (3, 5)]],
        ("binary_cross_entropy_with_logits_aan_{dtype}", "binary_cross_entropy_with_logits_dx_aaan_{dtype}"), dtypes=TWO),
]

SIZES = [[(2, 3, 5, 6)], [(1, 1, 1, 1)]]
ROWS += [
    *[Row(f"interpolate {how}", lambda x, how=how: F.interpolate(x, **how), shapes, ("mix",), scale=4) for how, shapes in [
        ({"size": (7, 4)}, SIZES), ({"size": (4, 9), "mode": "nearest-exact"}, SIZES[:1]), ({"size": (9, 4), "mode": "bilinear"}, SIZES),
        ({"size": (9, 14), "mode": "bilinear", "align_corners": True}, SIZES[:1]), ({"scale_factor": 1.7, "mode": "bicubic"}, SIZES[:1]),
        ({"size": (3, 2), "mode": "bilinear", "antialias": True}, [[(1, 2, 17, 40)]]), ({"size": 9, "mode": "linear"}, [[(2, 1, 5)]]),
        ({"size": (3, 5, 4), "mode": "trilinear"}, [[(1, 2, 2, 4, 3)]]), ({"size": (3, 2), "mode": "area"}, [[(2, 1, 5, 7)]])]],
    *[Row(f"top {k}, {'largest' if largest else 'smallest'}", lambda x, k=k, largest=largest: ringgrad.topk(x, k, -1, largest)[0], shapes, ("topk",),
          dtypes=("float64", "float32"))  # in which no elements are equal: which of them the formula takes is its own affair
      for k, largest, shapes in [(1, True, [[(3, 5)], [(2, 2, 700)]]), (3, False, [[(2, 300)], [(4, 3)]]), (70, True, [[(2, 1030)], [(1, 40000)]])]],
    Row("top 2 of columns", lambda x: ringgrad.topk(x, 2, 0)[0], [[(5, 3)]], ("topk",)),
    Row("k-th", lambda x: ringgrad.kthvalue(x, 3, -1)[0], [[(3, 5)], [(2, 700)], [(2, 3, 3)]], ("kth",)),
    Row("median", lambda x: ringgrad.median(x, 0)[0], [[(5, 3)], [(300, 2)]], ("kth",)),
    Row("gather", lambda x, i: ringgrad.gather(x, 1, i), [[(3, 5, 2), (3, 9, 2)]], ("scatter_sorted",), {1: ints(5)}, scale=4),
    Row("index_select", lambda x, i: ringgrad.index_select(x, 1, i), [[(3, 5, 4), (9,)], [(1, 2), (1,)]], ("scatter_sorted",), {1: ints(2)}, scale=4),
    Row("indexing", lambda x, i, j: x[:, i, j], [[(3, 5, 4, 2), (9,), (9,)]], ("scatter_sorted",), {1: ints(5), 2: ints(4)}, scale=4),
    Row("scatter_add", lambda x, i, y: ringgrad.scatter_add(x, 0, i, y), [[(5, 3), (9, 3), (9, 3)], [(2,), (3,), (4,)]], ("scatter_sorted",),
        {1: ints(2)}, scale=4),
    Row("index_add", lambda x, i, y: ringgrad.index_add(x, 0, i, y), [[(5, 3), (9,), (9, 3)]], ("scatter_sorted",), {1: ints(5)}, scale=4),
    *[Row(f"scatter_reduce, {what}{'' if own else ', without itself'}", lambda x, i, y, what=what, own=own: ringgrad.scatter_reduce(
        x, 1, i, y, what, include_self=own), [[(3, 5), (3, 9), (3, 9)]], (kernel,), {1: ints(4)}, scale=16)
      for what, own, kernel in [("sum", True, "scatter_sorted"), ("mean", False, "scatter_fill"), ("amax", True, "scatter_atomic"),
                                ("amin", False, "scatter_atomic"), ("prod", True, "scatter_sorted")]],
    *[Row(f"rotary embedding, {'neighbours' if near else 'halves'}", lambda x, c, s, near=near: ops.rotary_embedding(x, c.detach(), s.detach(), near),
          [[(2, 3, 8), (3, 4), (3, 4)], [(2, 3, 4, 9), (2, 1, 4, 3), (2, 1, 4, 3)], [(5, 2), (1,), (1,)]], ("rotary",), scale=2)
      for near in (False, True)],
    *[Row(f"glu of dimension {axis}", lambda x, axis=axis: F.glu(x, axis), shapes, ("gate", "gate_backward"), scale=2)
      for axis, shapes in [(-1, [[(3, 6)], [(2, 64)]]), (1, [[(2, 6, 5)]])]],
    *[Row(f"gated, {kind}", lambda x, y, kind=kind: ops.gated(x, y, kind), [[(3, 5), (3, 5)], [(64,), (64,)]], ("gate", "gate_backward"), scale=4)
      for kind in ("silu", "gelu", "relu")],
    *[Row(f"bias and {kind}", lambda x, b, kind=kind: ops.bias_activation(x, b, kind), [[(3, 5), (5,)], [(4, 2, 16), (16,)]],
          (f"bias_activation_{kind}_ab_{{dtype}}", f"bias_activation_dx_{kind}_aab_{{dtype}}", "sum_single_columns"), scale=8, dtypes=TWO)
      for kind in ("relu", "gelu", "silu")],
]
REGIONS, PLACES = [[(2, 3, 9, 8), (5, 5)]], [[(2, 12, 9, 8), (5, 5)]]
ROWS += [
    *[Row(f"roi_align {how}", lambda x, r, how=how: vision_ops.roi_align(x, r, (2, 3), **how), REGIONS, ("align_regions",), {1: regions}, scale=8)
      for how in ({"sampling_ratio": 2}, {"spatial_scale": 0.7, "aligned": True})],
    *[Row(f"{name} {how}", lambda x, r, name=name, how=how: getattr(vision_ops, name)(x, r, (2, 3), **how), PLACES, (kernel,), {1: regions}, scale=8)
      for name, kernel, how in (("ps_roi_align", "align_regions", {"sampling_ratio": 2}), ("ps_roi_align", "align_regions", {"spatial_scale": 0.7}),
                                ("ps_roi_pool", "means_by_place", {"spatial_scale": 0.9}))],
    Row("roi_pool", lambda x, r: vision_ops.roi_pool(x, r, (2, 3), 0.9), REGIONS, ("region_maxima",), {1: regions}),
]


def recurrent(name, batch_sizes, reverse=False, **options):
    """What a layer's op returns to users, in one vector; the weights made smaller, so that gates do not saturate."""
    def call(x, *rest):
        states = 2 if name == "lstm" else 1
        op = getattr(ops, f"{name}_layer")
        outs = op(x, *rest[:states], *[w * 0.25 for w in rest[states:]], batch_sizes=batch_sizes, reverse=reverse, **options)
        return ringgrad.cat([o.reshape(-1) for o in outs[:1 + states]])
    return call


def recurrent_shapes(name, rows, batch, size, inputs=5, projection=None, biased=True):
    n, state = {"lstm": 4, "gru": 3, "rnn": 1}[name] * size, projection or size
    shapes = [(rows, inputs), (batch, state), *([(batch, size)] if name == "lstm" else []), (n, inputs), (n, state), *([(n,)] * 2 if biased else [])]
    return [*shapes, (projection, size)] if projection else shapes


EVEN, UNEVEN = (3, 3, 3), (4, 4, 2, 1)
RECURRENT = [
    Row(f"{name}, {'backwards' if back else 'forwards'}, {sizes}{more}", recurrent(name, sizes, back, **options),
        [recurrent_shapes(name, sum(sizes), sizes[0], size, **shape) for size in (5, 16)], (f"{name}_forward", f"{name}_backward"),
        dtypes=("float64", "float32") if "relu" in more and sizes == UNEVEN else tuple(DTYPES), scale=8)  # where halves fall on relu's other side
    for name, more, options, shape in [("lstm", "", {}, {}), ("lstm", ", projected", {}, {"projection": 3}), ("gru", "", {}, {}),
                                       ("rnn", ", tanh", {"activation": "tanh"}, {}), ("rnn", ", relu", {"activation": "relu"}, {})]
    for sizes, back in [(EVEN, False), (EVEN, True), (UNEVEN, False), (UNEVEN, True)]]
RECURRENT += [Row(f"{name}, one step without biases", recurrent(name, (4,)), [recurrent_shapes(name, 4, 4, 7, biased=False)],
                  (f"{name}_forward", f"{name}_backward"), scale=8) for name in ("lstm", "gru", "rnn")]
ROWS += RECURRENT


def packed(row):
    """A row of RECURRENT with states of 16, for `kernels.recurrent.MANY` = 0: every thread takes 16 bytes."""
    return Row(row.name, row.call, row.shapes[1:], tuple(f"{kernel}_packs" for kernel in row.kernels), dtypes=row.dtypes, scale=row.scale)


PACKED = [packed(row) for row in RECURRENT if len(row.shapes) > 1]


def deformed(x, offset, weight, *rest):
    mask, bias = rest if len(rest) == 2 else (None, None)
    return vision_ops.deform_conv2d(x, offset, weight, bias, 2, 1, (1, 2), mask)


DEFORMED = [[(2, 4, 5, 6), (2, 24, 3, 3), (4, 2, 3, 2), (2, 12, 3, 3), (4,)], [(1, 34, 4, 5), (1, 2, 3, 4), (3, 34, 1, 1)]]  # 17 channels: two chunks
ROWS += [Row("deform_conv2d", deformed, DEFORMED, ("deformed_columns",), scale=16)]
ATOMIC = [  # what runs where use_deterministic_algorithms is off
    Row("embedding, atomic", lambda t, i: F.embedding(i, t), [[(5, 3), (4, 2)], [(50, 130), (7,)]], ("embedding_atomic",), {1: ints(5)},
        ("float64", "float32")),
    Row("scatter_add, atomic", lambda x, i, y: ringgrad.scatter_add(x, 0, i, y), [[(5, 3), (9, 3), (9, 3)]], ("scatter_atomic",), {1: ints(5)},
        scale=4),
    Row("roi_align, atomic", lambda x, r: vision_ops.roi_align(x, r, (2, 3), 0.8), REGIONS, ("align_regions", "spread_regions"), {1: regions},
        scale=8),
    *[Row(f"{name}, atomic", lambda x, r, name=name: getattr(vision_ops, name)(x, r, (2, 3), 0.8), PLACES, kernels, {1: regions}, scale=8)
      for name, kernels in (("ps_roi_align", ("align_regions", "spread_regions")), ("ps_roi_pool", ("means_by_place", "spread_means")))],
    Row("deform_conv2d, atomic", deformed, DEFORMED, ("deformed_columns", "deformed_image", "deformed_offsets"), scale=16),
    Row("index_select, atomic", lambda x, i: ringgrad.index_select(x, 1, i), [[(3, 5, 4), (9,)]], ("scatter_atomic",), {1: ints(5)}, scale=4),
    Row("scatter_reduce, atomic", lambda x, i, y: ringgrad.scatter_reduce(x, 1, i, y, "prod"), [[(3, 5), (3, 9), (3, 9)]], ("scatter_atomic",),
        {1: ints(5)}, scale=16),
]
# Run for some shapes or types of their row only.
COUNTED = {"channels_apply", "channels_backward", "largest_parts", "sum_chunks", "sum_columns", "sum_single_columns", "squares_rows"}


def inputs(row, shapes, dtype, strided):
    """NumPy arrays for a call, floats rounded to `dtype`."""
    rng = np.random.default_rng(sum(map(len, shapes)) + len(row.name))
    found = []
    for i, shape in enumerate(shapes):
        if i in row.make:
            a = row.make[i](rng, shape)
            found.append(a.astype(dtype) if a.dtype.kind == "f" else a)
        else:
            wide = rng.standard_normal((*shape[:-1], 2 * shape[-1]) if strided and shape else shape).astype(dtype)
            found.append(wide[..., ::2] if strided and shape else wide)
    return found


def compute(row, arrays, place):
    """The result and the gradients of the floating inputs, as NumPy arrays.  place: makes the arrays of a device."""
    tensors = [wrap(place(a), requires_grad=i not in row.make) for i, a in enumerate(arrays)]
    out = row.call(*tensors)
    seed = np.random.default_rng(1).standard_normal(tuple(out.shape)).astype(out._data.dtype)
    if out.requires_grad:
        out.backward(wrap(place(seed)))
    results = [out.detach(), *[t.grad for i, t in enumerate(tensors) if i not in row.make and t.grad is not None]]
    return [t._data.get() if hasattr(t._data, "get") else t._data for t in results]


def on_host(a):
    """A plain array in float64 where it is a float."""
    return a.astype(np.float64) if a.dtype.kind in "fV" or a.dtype.name == "bfloat16" else a


def check(row, xp, dtype, strided=False, both_orders=True):
    """AssertionError unless a row gives on the emulated device what the formula gives in float64."""
    for shapes in row.shapes:
        arrays = inputs(row, shapes, DTYPES[dtype], strided)
        xp.launched.clear()
        got = compute(row, arrays, xp.place)
        expected = () if strided and row.dense else row.kernels
        if strided or not hasattr(xp, "modules"):
            expected = [name for name in expected if "{" not in name]  # bodies: their names tell how inputs lie, and only the emulator sees them
        missing = {name.format(dtype=dtype) for name in expected} - xp.launched - COUNTED
        assert not missing, f"{shapes}: {', '.join(missing)} did not run, but {', '.join(sorted(xp.launched))}"
        want = compute(row, [on_host(a) for a in arrays], np.asarray)
        assert len(got) == len(want)
        for i, (a, b) in enumerate(zip(got, want)):
            assert a.dtype == DTYPES[dtype] and a.shape == b.shape, f"{shapes}: {a.dtype} {a.shape} {b.shape}"
            b = b.astype(np.float64)
            room = TOLERANCE[dtype] * row.scale * max(1.0, np.abs(b).max(initial=0))
            np.testing.assert_allclose(a.astype(np.float64), b, rtol=0, atol=room, err_msg=f"{shapes}: output, then gradients, number {i}")
        if both_orders:
            for module in xp.modules.values():
                module.backwards(True)
            again = compute(row, arrays, xp.place)
            for module in xp.modules.values():
                module.backwards(False)
            for a, b in zip(got, again):
                assert a.tobytes() == b.tobytes(), f"{shapes}: the order in which threads run changes the result: a barrier is missing"
