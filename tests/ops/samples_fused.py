"""Samples of operations that exist to be one pass: gates, bias with activation, rotary embedding, elements mixed along axes, boxes left out."""
import math

import numpy as np

from ringgrad.ops.mixing import Shares

from .sample import Fails, Sample, apart, const, made, randn

PLAIN = ("float32", "float64")
INSIDE = "inside nn.functional and vision only"
OURS = "torch has no function for it: programs compose it"

erf = np.vectorize(math.erf, otypes=[np.float64])
ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, "silu": lambda x: x / (1 + np.exp(-x)),
               "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


def rotated(x, cos, sin, interleaved=False):
    """(*, S, D) as complex numbers turned by angles."""
    r, y = cos.shape[-1], x.copy()
    first, second = (slice(0, 2 * r, 2), slice(1, 2 * r, 2)) if interleaved else (slice(r), slice(r, 2 * r))
    z = (x[..., first] + 1j * x[..., second]) * (cos + 1j * sin)
    y[..., first], y[..., second] = z.real, z.imag
    return y


ROIS = const([[0, 1, 1, 4, 3.5], [1, 0, 0, 6, 4]])
AT = np.arange(2)[:, None] + (np.arange(2) + 0.5) / 2  # of the samples, in bins


def between(n, places):
    """(places, n): linear interpolation at each."""
    return np.maximum(1 - np.abs(np.clip(places, 0, n - 1)[:, None] - np.arange(n)), 0)


def halves_of(roi):
    """(rows, columns) that average two bins of two samples along each axis of a 5 x 6 image."""
    (x0, y0, x1, y1), mean = roi[1:], np.repeat(np.eye(2), 2, 1) / 2
    return mean @ between(5, (y0 + AT * (y1 - y0) / 2).reshape(-1)), mean @ between(6, (x0 + AT * (x1 - x0) / 2).reshape(-1))


def aligned(x, roi):
    rows, columns = halves_of(roi)
    return rows @ x[int(roi[0])] @ columns.T


def spread(g, rois):
    out = np.zeros((2, 2, 5, 6))
    for each, roi in zip(g, rois):
        rows, columns = halves_of(roi)
        out[int(roi[0])] += rows.T @ each @ columns
    return out


def by_place(rois, elements):
    """For each region, the rows (2, 5) and columns (2, 6) whose products its four bins are."""
    if not elements:
        return [(int(r[0]), *halves_of([r[0], *(np.array(r[1:]) - 0.5)])) for r in rois]
    cells = [(0, [slice(1, 3), slice(3, 5)], [slice(1, 3), slice(3, 5)]), (1, [slice(0, 3), slice(2, 5)], [slice(0, 4), slice(3, 6)])]
    mean = lambda cells, n: np.stack([np.eye(n)[c].mean(0) for c in cells])  # noqa: E731
    return [(n, mean(rows, 5), mean(columns, 6)) for n, rows, columns in cells]


def pooled_by_place(x, rois, elements):
    return np.stack([np.einsum("ih,cijhw,jw->cij", rows, x[n].reshape(2, 2, 2, 5, 6), columns) for n, rows, columns in by_place(rois, elements)])


def spread_by_place(g, rois, elements):
    out = np.zeros((2, 2, 2, 2, 5, 6))
    for each, (n, rows, columns) in zip(g, by_place(rois, elements)):
        out[n] += np.einsum("ih,cij,jw->cijhw", rows, each, columns)
    return out.reshape(2, 8, 5, 6)


def between_pixels(shape):
    """Offsets away from whole numbers, where gradients jump; some lead outside."""
    return made(lambda rng: rng.integers(-2, 2, shape) + rng.uniform(0.2, 0.8, shape), "between pixels")


def seen_by_kernel(x, offset, mask=None, kernel=(2, 1), stride=(1, 2), padding=(1, 0), dilation=(1, 1)):
    """By loops; two groups of channels where there are twice as many offsets."""
    (n, c, h, w), (oh, ow), taps = x.shape, offset.shape[2:], kernel[0] * kernel[1]
    groups, out = offset.shape[1] // (2 * taps), np.zeros((n, c, taps, oh, ow))
    for b, ch, t, i, j in np.ndindex(out.shape):
        at = ch // (c // groups) * taps + t
        y = i * stride[0] - padding[0] + t // kernel[1] * dilation[0] + offset[b, 2 * at, i, j]
        u = j * stride[1] - padding[1] + t % kernel[1] * dilation[1] + offset[b, 2 * at + 1, i, j]
        for row in range(h):
            for column in range(w):
                share = max(0, 1 - abs(y - row)) * max(0, 1 - abs(u - column))
                out[b, ch, t, i, j] += share * x[b, ch, row, column] * (1 if mask is None else mask[b, at, i, j])
    return out.reshape(n, c, taps, oh * ow)


def maxima(x, rois):
    places = np.arange(x.size).reshape(x.shape)
    cells = [(0, slice(1, 5), [slice(1, 3), slice(3, 5)]), (1, slice(0, 5), [slice(0, 4), slice(3, 6)])]
    found = [[[places[n, c, rows, columns].reshape(-1)[x[n, c, rows, columns].argmax()] for columns in both] for c in range(2)] for n, rows, both in cells]
    return np.array(found)[:, :, None]


HALVES = Shares(np.array([[1, 0.5, 0], [0, 0.5, 0.25], [0, 0, 0.75], [0, 0, 0]]))
PICKED = Shares.at(4, np.array([0, 0, 2]))
BOXES = const([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 9.5], [100, 100, 101, 101]])

FORMS = {**{kind: ACTIVATIONS[kind] for kind in ("relu", "gelu", "silu")}, "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2}


def in_torch(lib, x, w, b, kind):
    """activation(linear(x)) by functions that torch has."""
    F = lib.nn.functional
    h = F.linear(x, w, b)
    return F.gelu(h, approximate="tanh") if kind == "gelu_tanh" else getattr(F, kind)(h)


def layer(lib, x, w, b, kind):
    if not hasattr(lib.nn.functional, "linear_activation"):
        return in_torch(lib, x, w, b, kind)
    return lib.ops.linear_relu(x, w, b) if kind == "relu" else lib.ops.linear_activation(x, w, b, kind)[0]


def network(lib, x, w, w2, b, b2, kind):
    if not hasattr(lib.nn.functional, "feed_forward"):
        return lib.nn.functional.linear(in_torch(lib, x, w, b, kind), w2, b2)
    return lib.ops.feed_forward(x, w, w2, b, b2, kind)[0]


SAMPLES = [
    *(Sample("ops.linear_relu" if kind == "relu" else "ops.linear_activation", [randn(*shape), randn(5, 4), bias, kind], call=layer, slack=8,
             op="linear_relu" if kind == "relu" else "linear_activation",
             ref=lambda x, w, b, kind: FORMS[kind](x @ w.T + (0 if b is None else b)))
      for kind in FORMS for shape, bias in (((2, 3, 4), randn(5)), ((3, 4), None), ((4,), randn(5)))),
    *(Sample("ops.feed_forward", [randn(2, 3, 4), randn(5, 4), randn(2, 5), *biases, kind], call=network, op="feed_forward", slack=20,
             ref=lambda x, w, w2, b, b2, kind: FORMS[kind](x @ w.T + (0 if b is None else b)) @ w2.T + (0 if b2 is None else b2))
      for kind in FORMS for biases in ((randn(5), randn(2)), (None, None))),
    Fails("ops.linear_activation", [randn(3, 4), randn(5, 4), randn(5), "tanh"], error=ValueError, says="the activations are", torch=INSIDE),
    Fails("ops.feed_forward", [randn(3, 4), randn(5, 4), randn(2, 5), randn(5), randn(2), "tanh"], error=ValueError, says="the activations are",
          torch=INSIDE),
    Fails("ops.linear_relu", [randn(3, 4), randn(4, 5)], error=RuntimeError, says="did you transpose the weight", torch=INSIDE),
    *(Sample("ops.gated", [randn(3, 4), randn(3, 4), kind], op="gated", torch=INSIDE, dtypes=PLAIN, slack=4,
             ref=lambda x, y, kind: ACTIVATIONS[kind](x) * y) for kind in ("silu", "gelu", "sigmoid")),
    Fails("ops.gated", [randn(3), randn(3), "tanh"], error=ValueError, says="the activations are", dtypes=PLAIN, torch=INSIDE),
    Fails("ops.gated", [randn(3), randn(2)], error=RuntimeError, says="one shape", dtypes=PLAIN, torch=INSIDE),
    *(Sample("nn.functional.glu", [randn(3, 4, 2), dim], op="glu", dtypes=PLAIN, slack=4,
             ref=lambda x, dim: np.split(x, 2, dim)[0] * ACTIVATIONS["sigmoid"](np.split(x, 2, dim)[1])) for dim in (1, -1)),
    *(Sample("ops.bias_activation", [randn(2, 3, 4), randn(4), kind], op="bias_activation", torch=INSIDE, dtypes=PLAIN, slack=4,
             ref=lambda x, b, kind: ACTIVATIONS[kind](x + b)) for kind in ("relu", "gelu", "silu")),
    Fails("ops.bias_activation", [randn(3, 4), randn(3)], error=RuntimeError, says="a bias for 4 features", dtypes=PLAIN, torch=INSIDE),
    Fails("ops.bias_activation", [randn(3, 4), randn(4), "tanh"], error=ValueError, says="the activations are", dtypes=PLAIN, torch=INSIDE),
    *(Sample("nn.functional.rotary_embedding", [x, c, s, near], op="rotary_embedding", torch=OURS, dtypes=PLAIN, slack=4, ref=rotated)
      for near in (False, True) for x, c, s in ((randn(2, 3, 7), randn(3, 3), randn(3, 3)), (randn(2, 2, 3, 4), randn(2, 1, 3, 2), randn(2, 1, 3, 2)))),
    Fails("nn.functional.rotary_embedding", [randn(3, 4), randn(3, 3), randn(3, 3)], error=RuntimeError, says="must fit the input", dtypes=PLAIN, torch=OURS),
    Fails("nn.functional.rotary_embedding", [randn(3, 4), randn(2, 2), randn(2, 2)], error=RuntimeError, says="must fit the input", dtypes=PLAIN, torch=OURS),
    *(Sample("ops.mix", [randn(*shape), (HALVES,) * n, axis], op="mix", torch=INSIDE, dtypes=PLAIN, slack=4, ref=ref) for shape, n, axis, ref in (
        ((2, 4), 1, 1, lambda x, *_: x @ HALVES.matrix), ((4, 4, 3), 2, 0, lambda x, *_: np.einsum("abc,ax,by->xyc", x, HALVES.matrix, HALVES.matrix)))),
    Sample("ops.align_regions", [randn(2, 2, 5, 6), ROIS, (2, 2), 1.0, 2, False], op="align_regions", torch=INSIDE, dtypes=PLAIN, slack=10,
           grad=(0,), ref=lambda x, r, *_: np.stack([aligned(x, each) for each in r])),
    Sample("ops.spread_regions", [randn(2, 2, 2, 2), ROIS, (2, 2, 5, 6), (2, 2), 1.0, 2, False], op="spread_regions", torch=INSIDE, dtypes=PLAIN,
           slack=10, grad=(0,), ref=lambda g, r, *_: spread(g, r)),
    *(Sample(f"ops.{name}", [x, ROIS, *more, (2, 2), 1.0, 2, elements], op=name, torch=INSIDE, dtypes=PLAIN, slack=10, grad=(0,),
             ref=lambda x, r, *_, ref=ref, elements=elements: ref(x, r, elements)) for elements in (False, True) for name, x, more, ref in (
        ("pool_by_place", randn(2, 8, 5, 6), (), pooled_by_place), ("spread_by_place", randn(2, 2, 2, 2), ((2, 8, 5, 6),), spread_by_place))),
    *(Sample("ops.deformed_columns", [randn(1, 4, 3, 4), between_pixels((1, 8, 4, 2)), *mask, *([] if mask else [None]), (2, 1), (1, 2), (1, 0), (1, 1)],
             op="deformed_columns", torch=INSIDE, dtypes=PLAIN, slack=10, grad=(0, 1, 2)[:2 + len(mask)],
             ref=lambda x, o, m, *_: seen_by_kernel(x, o, m)) for mask in ([], [randn(1, 4, 4, 2)])),
    Sample("ops.region_maxima", [apart(2, 2, 5, 6), ROIS, (1, 2), 1.0], op="region_maxima", torch=INSIDE, dtypes=PLAIN, grad=False, gives="int64",
           ref=lambda x, r, *_: maxima(x, r)),
    Sample("ops.pick", [randn(2, 4, 3), (PICKED,), 1], op="pick", torch=INSIDE, dtypes=PLAIN, ref=lambda x, *_: x[:, [0, 0, 2]]),
    *(Sample("ops.suppress", [BOXES, made(lambda rng: np.array([0.3, 0.9, 0.2, 0.9, 0.1]), "scores"), classes, limit], op="suppress", torch=INSIDE,
             dtypes=PLAIN, grad=False, gives="int64", ref=lambda *_, kept=kept: np.array(kept)) for classes, limit, kept in (
        (None, 0.5, [1, 2, 4]), (None, 0.96, [1, 3, 0, 2, 4]), (const([0, 1, 0, 0, 0], "int64"), 0.5, [1, 3, 2, 4]))),
]
