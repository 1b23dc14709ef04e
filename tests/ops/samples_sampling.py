"""Samples of what is read at places: grids, bags, alignments, unpooling, anti-aliased resizing, and chunks of logits."""
import itertools

import numpy as np

from .sample import Fails, Sample, apart, const, positive, rand, randint, randn

PLAIN = ("float32", "float64")
INSIDE = "inside nn.functional only"


def F(name):
    return f"nn.functional.{name}"


# -- places with weights -----------------------------------------------------------------------------------------------

def read_at(x, weights, at):
    """(N, C, S), (N, K, P), (N, K, P) -> (N, C, P)"""
    taken = np.stack([x[n][:, at[n]] for n in range(len(x))])
    return (taken * weights[:, None]).sum(2)


def write_at(x, weights, at):
    y = np.zeros((2, 3, 5))
    for n, k, p in np.ndindex(at.shape):
        y[n, :, at[n, k, p]] += x[n, :, p] * weights[n, k, p]
    return y


def match_at(x, y, at):
    return np.stack([(x[n][:, at[n]] * y[n][:, None]).sum(0) for n in range(len(x))])


PLACES = randint(0, 5, 2, 4, 6)
WITH_WEIGHTS = [
    Sample("ops.read_at", [randn(2, 3, 5), randn(2, 4, 6), PLACES], op="read_at", torch=INSIDE, ref=read_at),
    Sample("ops.write_at", [randn(2, 3, 6), randn(2, 4, 6), PLACES], op="write_at", torch=INSIDE, ref=write_at,
           call=lambda lib, x, w, at: lib.ops.write_at(x, w, at, size=5)),
    Sample("ops.match_at", [randn(2, 3, 5), randn(2, 3, 6), PLACES], op="match_at", torch=INSIDE, ref=match_at),
]


def bilinear(x, grid):
    """grid_sample with its defaults, point by point."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, *grid.shape[1:3]))
    for b, i, j in np.ndindex(n, *grid.shape[1:3]):
        px, py = ((grid[b, i, j] + 1) * (w, h) - 1) / 2
        for row, column in itertools.product((int(np.floor(py)), int(np.floor(py)) + 1), (int(np.floor(px)), int(np.floor(px)) + 1)):
            if 0 <= row < h and 0 <= column < w:
                out[b, :, i, j] += x[b, :, row, column] * (1 - abs(px - column)) * (1 - abs(py - row))
    return out


POINTS, VOLUME = rand(2, 3, 4, 2, low=-1.6, high=1.6), rand(2, 1, 3, 2, 3, low=-1.6, high=1.6)
GRIDS = [
    Sample(F("grid_sample"), [randn(2, 3, 5, 4), POINTS], {"align_corners": False}, op="read_at", ref=bilinear, dtypes=PLAIN, slack=10),
    *(Sample(F("grid_sample"), [randn(2, 3, 5, 4), POINTS], {"mode": m, "padding_mode": p, "align_corners": a}, op=None, dtypes=PLAIN, slack=100)
      for m in ("bilinear", "nearest", "bicubic") for p in ("zeros", "border", "reflection") for a in (False, True)),
    *(Sample(F("grid_sample"), [randn(2, 2, 3, 4, 5), VOLUME], {"mode": m, "padding_mode": p, "align_corners": a}, op=None, dtypes=PLAIN, slack=100)
      for m, p, a in (("bilinear", "zeros", False), ("bilinear", "border", True), ("bilinear", "reflection", False), ("nearest", "zeros", False))),
    Sample(F("affine_grid"), [randn(2, 2, 3), (2, 1, 4, 5), False], op=None, dtypes=PLAIN, slack=10),
    Sample(F("affine_grid"), [randn(2, 2, 3), (2, 1, 4, 5), True], op=None, dtypes=PLAIN, slack=10),
    Sample(F("affine_grid"), [randn(1, 3, 4), (1, 2, 2, 4, 3), False], op=None, dtypes=PLAIN, slack=10),
    Fails(F("grid_sample"), [randn(1, 1, 4, 4), randn(1, 2, 2, 2), "linear"], error=ValueError, says="expected mode to be 'bilinear'"),
    Fails(F("grid_sample"), [randn(1, 1, 4, 4), randn(1, 2, 2, 2), "nearest", "circular"], error=ValueError, says="expected padding_mode to be"),
    Fails(F("grid_sample"), [randn(1, 1, 4, 4), randn(2, 2, 2, 2)], {"align_corners": False}, error=RuntimeError, says="to have same batch size"),
    Fails(F("grid_sample"), [randn(1, 1, 4, 4), randn(1, 2, 2, 3)], {"align_corners": False}, error=RuntimeError, says="size 2 in last dimension"),
    Fails(F("grid_sample"), [randn(1, 1, 4, 4, 4), randn(1, 2, 2, 2, 3), "bicubic"], {"align_corners": False}, error=RuntimeError,
          says="only supports 4D input"),
    Fails(F("affine_grid"), [randn(2, 3, 4), (2, 1, 4, 5), False], error=ValueError, says="Expected a batch of 2D affine matrices"),
    Fails(F("affine_grid"), [randn(2, 2, 3), (2, 1, 4), False], error=NotImplementedError, says="only supports 4D and 5D sizes"),
]


# -- bags --------------------------------------------------------------------------------------------------------------

WORDS, STARTS = const([1, 5, 5, 0, 2, 6, 3, 3], "int64"), const([0, 3, 3, 5], "int64")


def bags(reduce):
    """The reference for WORDS, STARTS: the second bag is empty."""
    def ref(i, weight, starts):
        parts = [weight[i[a:b]] for a, b in itertools.pairwise([*starts, len(i)])]
        return np.stack([reduce(p) if len(p) else np.zeros(weight.shape[1]) for p in parts])
    return ref


REDUCED = {"sum": lambda p: p.sum(0), "mean": lambda p: p.mean(0), "max": lambda p: p.max(0)}
BAGS = [
    *(Sample(F("embedding_bag"), [WORDS, apart(7, 3), STARTS], {"mode": m}, op=None, ref=bags(r), dtypes=PLAIN) for m, r in REDUCED.items()),
    *(Sample(F("embedding_bag"), [randint(0, 7, 4, 5), apart(7, 3)], {"mode": m, "padding_idx": p}, op=None, dtypes=PLAIN)
      for m in REDUCED for p in (None, 2, -1)),
    Sample(F("embedding_bag"), [WORDS, randn(7, 3), const([0, 2, 8], "int64")], {"include_last_offset": True}, op=None, dtypes=PLAIN),
    Sample(F("embedding_bag"), [WORDS, randn(7, 3), STARTS], {"mode": "sum", "per_sample_weights": randn(8), "padding_idx": 5}, op=None,
           dtypes=PLAIN),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3)], error=ValueError, says="offsets has to be a 1D Tensor but got None"),
    Fails(F("embedding_bag"), [randint(0, 7, 2, 2), randn(7, 3), STARTS], error=ValueError, says="offsets has to be None"),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3), STARTS], {"mode": "product"}, error=ValueError, says="one of sum, mean or max"),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3), STARTS], {"per_sample_weights": randn(8)}, error=NotImplementedError, says="only supported for"),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3), const([1, 2], "int64")], error=RuntimeError, says="has to be 0"),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3), const([0, 9], "int64")], error=RuntimeError, says="can not be greater than input's length"),
    Fails(F("embedding_bag"), [WORDS, randn(7, 3), STARTS], {"padding_idx": 9}, error=RuntimeError, says="padding_idx must be within"),
]


# -- alignments --------------------------------------------------------------------------------------------------------

def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def spells(path, blank):
    """What a path of classes says: repetitions as one, and no blanks."""
    return [c for i, c in enumerate(path) if c != blank and (not i or path[i - 1] != c)]


def ctc(lengths, targets, blank=0):
    """The losses, by adding up every path."""
    def ref(x):
        p, losses = np.exp(log_softmax(x)), []
        for n, (t, target) in enumerate(zip(lengths, targets)):
            total = sum(np.prod([p[i, n, c] for i, c in enumerate(path)]) for path in itertools.product(range(x.shape[2]), repeat=t)
                        if spells(path, blank) == list(target))
            losses.append(-np.log(total) if total else np.inf)
        return np.array(losses)
    return ref


def aligned(targets, inputs, lengths, **how):
    """A call of ctc_loss on log_softmax(x)."""
    def call(lib, x):
        return lib.nn.functional.ctc_loss(x.log_softmax(-1), lib.tensor(targets), lib.tensor(inputs), lib.tensor(lengths), **how)
    return call


CTC = [
    Sample(F("ctc_loss"), [randn(4, 3, 3)], call=aligned([[1, 2], [1, 1], [2, 0]], [4, 3, 4], [2, 2, 1], reduction="none"), op="ctc_loss",
           ref=ctc([4, 3, 4], [[1, 2], [1, 1], [2]]), dtypes=PLAIN, slack=10),
    Sample(F("ctc_loss"), [randn(3, 2, 3)], call=aligned([1, 0, 1], [3, 3], [2, 1], blank=2, reduction="none"), op="ctc_loss",
           ref=ctc([3, 3], [[1, 0], [1]], 2), dtypes=PLAIN, slack=10),
    *(Sample(F("ctc_loss"), [randn(6, 3, 5)], op=None, dtypes=PLAIN, slack=10,
             call=aligned([[1, 2, 2, 4], [3, 3, 1, 1], [4, 1, 2, 3]], [6, 5, 4], [4, 3, 0], reduction=r)) for r in ("mean", "sum")),
    Sample(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([[1, 2], [1, 1]], [4, 2], [2, 2], reduction="none", zero_infinity=True), op=None,
           dtypes=PLAIN, slack=10),
    Sample(F("ctc_loss"), [randn(5, 3)], call=aligned([1, 2], 5, 2), op=None, dtypes=PLAIN, slack=10),
    Fails(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([[1, 2], [1, 1]], [4, 9], [2, 2]), error=RuntimeError, says="to have value at most 4"),
    Fails(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([[1, 2], [1, 1]], [4], [2, 2]), error=RuntimeError, says="must be of size batch_size"),
    Fails(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([[1, 2], [1, 1]], [4, 4], [2, 3]), error=RuntimeError, says="to have size at least 3"),
    Fails(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([[1, 2], [1, 1]], [4, 4], [2, 2], blank=7), error=RuntimeError,
          says="must be in label range"),
    Fails(F("ctc_loss"), [randn(4, 2, 3)], call=aligned([1, 2, 1], [4, 4], [2, 2]), error=RuntimeError, says="to have 4 elements"),
]


# -- pooling undone, pooling at random ---------------------------------------------------------------------------------

def pooled_and_back(d, *pool):
    def call(lib, x):
        out, at = getattr(lib.nn.functional, f"max_pool{d}d")(x, *pool, return_indices=True)
        return getattr(lib.nn.functional, f"max_unpool{d}d")(out, at, *pool, output_size=tuple(x.shape))
    return call


def unpool(x, at):
    y = np.zeros((*x.shape[:2], 12))
    np.put_along_axis(y, at.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2)
    return y.reshape(*x.shape[:2], 3, 4)


def drawn(d, samples, *args, **how):
    def call(lib, x):
        u = lib.tensor(samples, dtype=x.dtype, device=x.device)
        return getattr(lib.nn.functional, f"fractional_max_pool{d}d")(x, *args, **how, return_indices=True, _random_samples=u)
    return call


UNPOOL = [
    Sample("ops.unpool", [randn(2, 1, 2, 2), const([[[[0, 5], [2, 11]]], [[[4, 3], [9, 1]]]], "int64")], op="unpool", torch=INSIDE, ref=unpool,
           call=lambda lib, x, at: lib.ops.unpool(x, at, (3, 4))),
    Sample(F("max_unpool1d"), [apart(2, 2, 7)], call=pooled_and_back(1, 2), op=None, dtypes=PLAIN),
    Sample(F("max_unpool2d"), [apart(2, 2, 5, 6)], call=pooled_and_back(2, 2, 2), op=None, dtypes=PLAIN),
    Sample(F("max_unpool2d"), [apart(2, 2, 5, 6)], call=pooled_and_back(2, (3, 2), 2), op=None, dtypes=PLAIN),
    Sample(F("max_unpool3d"), [apart(1, 2, 3, 4, 5)], call=pooled_and_back(3, 2), op=None, dtypes=PLAIN),
    Sample(F("fractional_max_pool2d"), [apart(2, 2, 7, 6)], call=drawn(2, [[[0.1, 0.7], [0.55, 0.3]]] * 2, 2, (4, 3)), op=None, dtypes=PLAIN),
    Sample(F("fractional_max_pool2d"), [apart(1, 2, 9, 8)], call=drawn(2, [[[0.1, 0.7], [0.55, 0.3]]], (2, 3), output_ratio=(0.6, 0.5)), op=None,
           dtypes=PLAIN),
    Sample(F("fractional_max_pool3d"), [apart(1, 1, 5, 7, 6)], call=drawn(3, [[[0.1, 0.7, 0.4]]], 2, (2, 4, 3)), op=None, dtypes=PLAIN),
    Fails(F("max_unpool2d"), [randn(1, 1, 2, 2), const([[[[0, 1], [2, 99]]]], "int64"), 2], error=RuntimeError, says="invalid max index: 99"),
    Fails(F("max_unpool2d"), [randn(1, 1, 2, 2), const([[[[0, 1], [2, 3]]]], "int32"), 2], error=RuntimeError, says="should be type int64"),
    Fails(F("max_unpool2d"), [randn(1, 1, 2, 2), const([[[[0, 1], [2, 3]]]], "int64"), 2], {"output_size": (9, 9)}, error=ValueError,
          says="must be between 2 and 6"),
    Fails(F("fractional_max_pool2d"), [randn(1, 1, 5, 5), 3], error=ValueError, says="either an output_size or an output_ratio"),
    Fails(F("fractional_max_pool2d"), [randn(1, 1, 5, 5), 3, (9, 9)], error=RuntimeError, says="too large relative to input"),
]

POWER = [Sample(F(f"lp_pool{d}d"), [positive(2, 2, *(5, 4, 6)[:d]), p, 2, s, c], op=None, slack=4)
         for d, p, s, c in ((1, 2, None, True), (2, 3.0, 1, False), (3, 2, None, False), (3, np.inf, 2, True), (2, -np.inf, None, False))]


# -- images and classes ------------------------------------------------------------------------------------------------

FILTERED = [Sample(F("interpolate"), [randn(1, 2, 7, 9)], {**how, "mode": mode, "antialias": True}, op=None, dtypes=PLAIN, slack=10, order2=second)
            for mode, how, second in (
    ("bilinear", {"size": (3, 4)}, True), ("bilinear", {"scale_factor": 0.45}, True), ("bilinear", {"size": (9, 3), "align_corners": True}, True),
    ("bicubic", {"size": (3, 12)}, True), ("bicubic", {"scale_factor": (0.4, 1.5), "recompute_scale_factor": True}, True),
    ("lanczos", {"size": (4, 5)}, True))]

CLASSES = [
    *(Sample(F("multilabel_margin_loss"), [apart(3, 4), const([[0, 2, -1, 1], [-1, 2, 0, 0], [3, 1, 0, 2]], "int64")], {"reduction": r}, op=None,
             dtypes=PLAIN) for r in ("none", "mean", "sum")),
    Sample(F("conv_tbc"), [randn(6, 2, 3), randn(3, 3, 4), randn(4), 1], op=None, dtypes=PLAIN, slack=10),
    Sample("ops.cross_entropy_in_float32", [randn(5, 4), const([0, 3, 2, 2, 1], "int64")], op="cross_entropy_in_float32", torch=INSIDE, grad=(0,),
           ref=lambda x, t: -log_softmax(x)[np.arange(5), t].mean(), dtypes=PLAIN, slack=10),
    Sample("ops.linear_cross_entropy", [randn(5, 3), randn(4, 3), randn(4), const([0, 3, 2, 2, 1], "int64")], op="linear_cross_entropy", torch=INSIDE,
           ref=lambda x, w, b, t: -log_softmax(x @ w.T + b)[np.arange(5), t], dtypes=PLAIN, slack=10,
           call=lambda lib, x, w, b, t: lib.ops.linear_cross_entropy(x, w, b, t, None, -100, 2)),
    Sample(F("linear_cross_entropy"), [randn(5, 3), randn(4, 3), const([0, 3, -100, 2, 1], "int64")], {"linear_bias": randn(4)}, op=None,
           dtypes=PLAIN, slack=10),
    Sample(F("linear_cross_entropy"), [randn(5, 3), randn(4, 2, 3), randint(0, 4, 5, 2)], {"label_smoothing": 0.1}, op=None, dtypes=PLAIN, slack=10),
    Fails(F("linear_cross_entropy"), [randn(5, 3), randn(4, 2), const([0, 3, 1, 2, 1], "int64")], error=RuntimeError, says="in_features"),
    Fails(F("multilabel_margin_loss"), [randn(2, 3), const([[0, -1]], "int64")], error=RuntimeError, says="inconsistent target size"),
    Fails(F("multilabel_margin_loss"), [randn(2, 3), const([[0, -1, 3], [1, 3, -1]], "int64")], error=RuntimeError, says="is out of range"),
]

ENDS = const([2, 5], "int32")
GROUPS = [
    Sample(F("grouped_mm"), [randn(5, 4), randn(2, 4, 3)], {"offs": ENDS}, op=None, torch="float32 and half precision only", dtypes=PLAIN,
           ref=lambda a, b: np.concatenate([a[:2] @ b[0], a[2:] @ b[1]])),
    Sample(F("grouped_mm"), [randn(2, 4, 3), randn(3, 5)], {"offs": ENDS}, op=None, torch="float32 and half precision only", dtypes=PLAIN,
           ref=lambda a, b: np.concatenate([a[0] @ b[:, :2], a[1] @ b[:, 2:]], 1)),
    Sample(F("grouped_mm"), [randn(4, 5), randn(5, 3)], {"offs": ENDS}, op=None, torch="float32 and half precision only", dtypes=PLAIN,
           ref=lambda a, b: np.stack([a[:, :2] @ b[:2], a[:, 2:] @ b[2:]])),
    Sample(F("grouped_mm"), [randn(8, 16), randn(2, 16, 8)], {"offs": const([3, 8], "int32")}, op=None, dtypes=("bfloat16", "float32"), slack=10,
           ref=lambda a, b: np.concatenate([a[:3] @ b[0], a[3:] @ b[1]])),
    Fails(F("grouped_mm"), [randn(5, 4), randn(2, 4, 3)], error=RuntimeError, says="Have to provide offsets", dtypes=("float32",)),
    Fails(F("grouped_mm"), [randn(5, 4), randn(2, 4, 3)], {"offs": const([2, 5], "int64")}, error=RuntimeError, says="have to be int32",
          dtypes=("float32",)),
]

SAMPLES = [*GROUPS, *WITH_WEIGHTS, *GRIDS, *BAGS, *CTC, *UNPOOL, *POWER, *FILTERED, *CLASSES]
