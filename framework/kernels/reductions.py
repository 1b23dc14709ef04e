"""Sums, averages, products, extremes, norms and variances over neighbouring axes.  See family.py for the words of the text.

An array is (outer, n, inner), of which n is reduced.  inner 1: rows, the work of a warp or a block each; few long ones are cut into parts.
Otherwise columns: threads stand side by side along inner, 16 bytes each, and go down a chunk of n.  Parts and chunks are combined by a second
launch, always in the same order.  Axes that are no neighbours are reduced one run after the other.
"""
import functools
import math

from ..ops._parts import reduced_size, spread
from ..ops.extrema import _refuse_empty, amax, amin
from ..ops.reductions import mean, prod, std, sum_, var, vector_norm
from .family import I64, SCALARS, Family, flat_grid, number

KINDS = {  # start, what an element (v, about the centre c) counts as, and how two are combined
    "sum": ("0", "v", "a + b"),
    "largest": ("-INF", "v", "larger(a, b)"),
    "smallest": ("INF", "v", "b < a || b != b ? b : a"),
    "product": ("1", "v", "a * b"),
    "sizes": ("0", "fabs(v)", "a + b"),
    "squares": ("0", "(v - c) * (v - c)", "a + b"),
}
TEXT = r"""
constexpr int AT_ONCE = 4;  // loads that a thread has under way

// All threads of a row (blockDim.x) get the combination of theirs.
template <class R> __device__ A over_row(A v, A* part, R r) {
    for (int o = 16; o; o >>= 1) v = r.both(v, __shfl_xor_sync(ALL, v, o));
    if (blockDim.x == 32) return v;
    int warps = blockDim.x >> 5;
    __syncthreads();  // others may still read what the last call left
    if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
    __syncthreads();
    v = (threadIdx.x & 31) < warps ? part[threadIdx.x & 31] : r.start();
    for (int o = 16; o; o >>= 1) v = r.both(v, __shfl_xor_sync(ALL, v, o));
    return v;
}

// What a thread finds in the n elements of a row: AT_ONCE packs at a time, each with a result of its own.
template <class R> __device__ A down_row(const T* x, i64 n, A c, R r) {
    A v = r.start();
    if (packs(x, n)) {
        const Pack* at = (const Pack*)x;
        i64 k = threadIdx.x, count = n / WIDE, far = (i64)(AT_ONCE - 1) * blockDim.x;
        A own[AT_ONCE];
        for (int u = 0; u < AT_ONCE; ++u) own[u] = r.start();
        for (; k + far < count; k += AT_ONCE * blockDim.x) {
            Pack p[AT_ONCE];
            for (int u = 0; u < AT_ONCE; ++u) p[u] = at[k + u * (i64)blockDim.x];
            for (int u = 0; u < AT_ONCE; ++u)
                for (int j = 0; j < WIDE; ++j) own[u] = r.both(own[u], r.of((A)p[u].v[j], c));
        }
        for (; k < count; k += blockDim.x) {
            Pack p = at[k];
            for (int j = 0; j < WIDE; ++j) v = r.both(v, r.of((A)p.v[j], c));
        }
        for (int u = 0; u < AT_ONCE; ++u) v = r.both(v, own[u]);
    } else {
#pragma unroll 4
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) v = r.both(v, r.of((A)x[i], c));
    }
    return v;
}

// Part blockIdx.y of each row of n elements.  out: the result where there is one part, else parts: (rows, gridDim.y)
template <class R> __device__ void rows_of(const T* x, const A* center, A* parts, T* out, i64 rows, i64 n, i64 part, A scale, R r) {
    __shared__ A shared[32];
    EACH_ROW(row, rows) {
        i64 from = (i64)blockIdx.y * part, count = min(part, n - from);
        A v = over_row(down_row(x + row * n + from, count, center ? center[row] : (A)0, r), shared, r);
        if (threadIdx.x == 0) {
            if (out) out[row] = (T)(v * scale);
            else parts[row * gridDim.y + blockIdx.y] = v * scale;
        }
    }
}

// Rows of a few elements: a thread each.
template <class R> __device__ void short_rows_of(const T* x, const A* center, A* parts, T* out, i64 rows, i64 n, A scale, R r) {
    EACH_ELEMENT(row, rows) {
        A v = r.start(), c = center ? center[row] : (A)0;
        for (i64 i = 0; i < n; ++i) v = r.both(v, r.of((A)x[row * n + i], c));
        if (out) out[row] = (T)(v * scale);
        else parts[row] = v * scale;
    }
}

template <class R> __device__ void parts_of(const A* parts, T* out, A* wide, i64 rows, i64 n, A scale, R r) {
    __shared__ A shared[32];
    EACH_ROW(row, rows) {
        A v = r.start();
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) v = r.both(v, parts[row * n + i]);
        v = over_row(v, shared, r);
        if (threadIdx.x == 0) {
            if (out) out[row] = (T)(v * scale);
            else wide[row] = v * scale;
        }
    }
}

// Columns of x: (outer, n, inner): V neighbours to a thread, chunk blockIdx.y of n, blockDim.y rows at once.
// out: (outer, inner), the result where there is one chunk, else parts: (outer, gridDim.y, inner)
template <int V, class R> __device__ void columns_of(const T* x, const A* center, A* parts, T* out, i64 outer, i64 n, i64 inner,
                                                     i64 chunk, A scale, A* found, R r) {
    struct alignas(V * sizeof(T)) Some { T v[V]; };
    i64 c = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * V, from = (i64)blockIdx.y * chunk, to = min(from + chunk, n);
    int lane = threadIdx.y * blockDim.x + threadIdx.x, all = blockDim.x * blockDim.y;
    for (i64 o = blockIdx.z; o < outer; o += gridDim.z) {
        A v[V], about[V];
        for (int j = 0; j < V; ++j) { v[j] = r.start(); about[j] = center && c < inner ? center[o * inner + c + j] : (A)0; }
        if (c < inner) {
            const T* at = x + o * n * inner + c;
            i64 row = from + threadIdx.y;
            for (; row + (AT_ONCE - 1) * blockDim.y < to; row += AT_ONCE * blockDim.y) {
                Some p[AT_ONCE];
                for (int u = 0; u < AT_ONCE; ++u) p[u] = *(const Some*)(at + (row + u * blockDim.y) * inner);
                for (int u = 0; u < AT_ONCE; ++u)
                    for (int j = 0; j < V; ++j) v[j] = r.both(v[j], r.of((A)p[u].v[j], about[j]));
            }
            for (; row < to; row += blockDim.y) {
                Some p = *(const Some*)(at + row * inner);
                for (int j = 0; j < V; ++j) v[j] = r.both(v[j], r.of((A)p.v[j], about[j]));
            }
        }
        __syncthreads();
        for (int j = 0; j < V; ++j) found[j * all + lane] = v[j];
        __syncthreads();
        for (int s = blockDim.y >> 1; s; s >>= 1) {
            if ((int)threadIdx.y < s)
                for (int j = 0; j < V; ++j) found[j * all + lane] = r.both(found[j * all + lane], found[j * all + lane + s * blockDim.x]);
            __syncthreads();
        }
        if (threadIdx.y == 0 && c < inner)
            for (int j = 0; j < V; ++j) {
                if (out) out[o * inner + c + j] = (T)(found[j * all + lane] * scale);
                else parts[(o * gridDim.y + blockIdx.y) * inner + c + j] = found[j * all + lane] * scale;
            }
    }
}

template <class R> __device__ void chunks_of(const A* parts, T* out, A* wide, i64 total, i64 chunks, i64 inner, A scale, R r) {
    EACH_ELEMENT(i, total) {
        const A* at = parts + i / inner * chunks * inner + i % inner;
        A v = at[0];
        for (i64 k = 1; k < chunks; ++k) v = r.both(v, at[k * inner]);
        if (out) out[i] = (T)(v * scale);
        else wide[i] = v * scale;
    }
}
"""
EACH = r"""
struct NAME {
    __device__ A start() { return START; }
    __device__ A of(A v, A c) { return OF; }
    __device__ A both(A a, A b) { return BOTH; }
};
KERNEL NAME_rows(const T* x, const A* center, A* parts, T* out, i64 rows, i64 n, i64 part, A scale) {
    rows_of(x, center, parts, out, rows, n, part, scale, NAME());
}
KERNEL NAME_short_rows(const T* x, const A* center, A* parts, T* out, i64 rows, i64 n, A scale) {
    short_rows_of(x, center, parts, out, rows, n, scale, NAME());
}
KERNEL NAME_parts(const A* parts, T* out, A* wide, i64 rows, i64 n, A scale) { parts_of(parts, out, wide, rows, n, scale, NAME()); }
KERNEL NAME_columns(const T* x, const A* center, A* parts, T* out, i64 outer, i64 n, i64 inner, i64 chunk, A scale) {
    __shared__ A found[256 * WIDE];
    if (packs(x, inner)) columns_of<WIDE>(x, center, parts, out, outer, n, inner, chunk, scale, found, NAME());
}
KERNEL NAME_single_columns(const T* x, const A* center, A* parts, T* out, i64 outer, i64 n, i64 inner, i64 chunk, A scale) {
    __shared__ A found[256];
    columns_of<1>(x, center, parts, out, outer, n, inner, chunk, scale, found, NAME());
}
KERNEL NAME_chunks(const A* parts, T* out, A* wide, i64 total, i64 chunks, i64 inner, A scale) {
    chunks_of(parts, out, wide, total, chunks, inner, scale, NAME());
}
"""
FAMILY = Family("reductions", TEXT + "".join(
    EACH.replace("NAME", name).replace("START", start).replace("OF;", f"{of};").replace("BOTH", both) for name, (start, of, both) in KINDS.items()))
PART = 1 << 14  # elements of a row that one block reduces at least
MOST_PARTS = 1024
FULL = 2112  # blocks that keep a large GPU busy to the end
SHORT = 64  # bytes of a row up to which one thread reduces it


def reduced(xp, x, kind, outer, n, inner, scale=1.0, center=None, wide=False):
    """Contiguous x: (outer, n, inner) -> (outer * inner), in the type of x, or (wide) in the one that kernels compute in.

    scale: of the result;  center: (outer * inner) in that type, or None
    """
    out = xp.empty((outer * inner,), number(x) if wide else x.dtype)
    run = _rows if inner == 1 else _columns
    run(xp, x, kind, (outer, n, inner), number(x)(scale), center, *((None, out) if wide else (out, None)))
    return out


def _rows(xp, x, kind, sizes, scale, center, out, wide):
    """A row for each result, which goes to `out` or, in the type that kernels compute in, to `wide`."""
    rows, n, _ = sizes
    if n * x.itemsize <= SHORT:
        FAMILY.launch(xp, f"{kind}_short_rows", x, *flat_grid(rows), x, center, wide, out, I64(rows), I64(n), scale)
        return
    parts, part, grid, block = _parts(rows, n)
    if parts == 1:
        FAMILY.launch(xp, f"{kind}_rows", x, grid, block, x, center, wide, out, I64(rows), I64(n), I64(part), scale)
        return
    partial = xp.empty((rows, parts), number(x))
    FAMILY.launch(xp, f"{kind}_rows", x, grid, block, x, center, partial, None, I64(rows), I64(n), I64(part), number(x)(1))
    FAMILY.launch(xp, f"{kind}_parts", x, (rows,), (256,), partial, out, wide, I64(rows), I64(parts), scale)


@functools.lru_cache(1 << 12)
def _parts(rows, n):
    """(parts of a row, elements of each, grid, block)."""
    parts = 1 if rows >= FULL // 4 else max(1, min(MOST_PARTS, n // PART))
    part = math.ceil(math.ceil(n / parts) / 16) * 16 if parts > 1 else n  # so that parts begin where 16 bytes do
    parts, warps = math.ceil(n / part), n <= 1024
    return parts, part, (max(1, min(math.ceil(rows / 4) if warps else rows, 1 << 16)), parts), (32, 4) if warps else (256,)


def _columns(xp, x, kind, sizes, scale, center, out, wide):
    """A column for each result."""
    outer, n, inner = sizes
    v = 16 // x.itemsize
    v = v if inner % v == 0 and x.data.ptr % 16 == 0 else 1
    across = 1 << min(5, max(0, math.ceil(inner / v) - 1).bit_length())
    down, tiles = 256 // across, math.ceil(inner / (across * v))
    chunks = max(1, min(math.ceil(FULL / (tiles * min(outer, FULL))), n // (4 * down)))
    chunk = math.ceil(n / chunks)
    chunks = math.ceil(n / chunk)
    name, grid, block = f"{kind}_columns" if v > 1 else f"{kind}_single_columns", (tiles, chunks, min(outer, 65535)), (across, down)
    ends = I64(outer), I64(n), I64(inner), I64(chunk)
    if chunks == 1:
        FAMILY.launch(xp, name, x, grid, block, x, center, wide, out, *ends, scale)
        return
    parts = xp.empty((outer, chunks, inner), number(x))
    FAMILY.launch(xp, name, x, grid, block, x, center, parts, None, *ends, number(x)(1))
    total = outer * inner
    FAMILY.launch(xp, f"{kind}_chunks", x, *flat_grid(total), parts, out, wide, I64(total), I64(chunks), I64(inner), scale)


def _ordered(x, axes):
    """(x with its dimensions in the order of memory, contiguous; those axes in it; that order), or None where it is not dense."""
    if x.flags.c_contiguous:
        return x, axes, None
    order = sorted(range(x.ndim), key=lambda a: (-x.strides[a], a))
    turned = x.transpose(order)
    return (turned, sorted(order.index(a) for a in axes), order) if turned.flags.c_contiguous else None


@functools.lru_cache(1 << 12)
def _neighbours(shape, axis):
    """((outer, n, inner) or None, shape of the result, the same with dimensions kept) for one run of axes."""
    axes = range(len(shape)) if axis is None else sorted({a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)})
    if not axes or axes[-1] - axes[0] != len(axes) - 1:
        return None, None, None
    first, last = axes[0], axes[-1] + 1
    return ((math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:])), shape[:first] + shape[last:],
            shape[:first] + (1,) * len(axes) + shape[last:])


def over(xp, x, kind, axis, keepdims, scale=1.0, center=None, wide=False):
    """x reduced over `axis` (None: everything; an int or several), or None where the kernels do not take that."""
    if not FAMILY.takes(x) or not x.ndim:
        return None
    axis = tuple(axis) if isinstance(axis, list) else axis
    if center is None and x.flags.c_contiguous:
        sizes, left, kept = _neighbours(x.shape, axis)
        if sizes:
            return reduced(xp, x, kind, *sizes, scale, None, wide).reshape(kept if keepdims else left)
    axes = list(range(x.ndim)) if axis is None else sorted({a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)})
    found = _ordered(x, axes) if axes else None
    if found is None or center is not None and (found[2] or axes[-1] - axes[0] != len(axes) - 1):
        return None
    y, own, order = found
    shape, dtype, steps = list(y.shape), x.dtype, []
    for a in reversed(own):  # runs of neighbours, the last one first
        if steps and steps[-1][0] == a + 1:
            steps[-1] = a, steps[-1][1]
        else:
            steps.append((a, a + 1))
    for k, (start, stop) in enumerate(steps):
        last = k == len(steps) - 1
        y = reduced(xp, y, kind, math.prod(shape[:start]), math.prod(shape[start:stop]), math.prod(shape[stop:]), scale if last else 1.0, center,
                    wide or not last)
        shape[start:stop] = []
        kind = "sum" if kind in ("sizes", "squares") else kind
    y = y if wide else y.astype(dtype, copy=False)
    y = y.reshape(shape)
    if order is not None:
        left = [a for a in order if a not in axes]
        y = y.transpose([left.index(a) for a in sorted(left)])
    return y.reshape([1 if i in axes else s for i, s in enumerate(x.shape)]) if keepdims else y


# -- the ops -----------------------------------------------------------------------------------------------------------

def _plain(op, kind, check=None):
    def kernel(xp, x, axis=None, keepdims=False):
        if check is not None:
            _refuse_empty(check, x, axis)
        out = over(xp, x, kind, axis, keepdims)
        return op.formula(xp, x, axis, keepdims) if out is None else out
    return kernel


def _count(x, axis):
    if axis is None or not x.ndim:
        return x.size
    return math.prod([x.shape[a] for a in {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}])


def mean_forward(xp, x, axis=None, keepdims=False):
    """The op `mean` on CuPy arrays."""
    out = over(xp, x, "sum", axis, keepdims, 1 / _count(x, axis)) if x.size else None
    return mean.formula(xp, x, axis, keepdims) if out is None else out


def mean_backward(xp, g, x_shape, axis):
    """The gradient of `mean`, a view: halves are divided in float32 before they are repeated."""
    share = g.astype(SCALARS.get(g.dtype.char, g.dtype), copy=False) / (reduced_size(x_shape, axis) or 1)
    return spread(xp, share.astype(g.dtype, copy=False), x_shape, axis)


def _variance(xp, x, axis, correction, keepdims):
    """In the type that kernels compute in: the mean in one pass, squares about it in the next; None where the kernels do not take it."""
    if not FAMILY.takes(x):
        return None
    count = _count(x, axis)
    center = over(xp, x, "sum", axis, False, 1 / count, wide=True)
    left = max(0, count - correction)
    return None if center is None else over(xp, x, "squares", axis, keepdims, 1 / left if left else math.inf, center.reshape(-1), wide=True)


def var_forward(xp, x, axis=None, correction=1, keepdims=False):
    """The op `var` on CuPy arrays."""
    out = _variance(xp, x, axis, correction, keepdims)
    return var.formula(xp, x, axis, correction, keepdims) if out is None else out.astype(x.dtype, copy=False)


def std_forward(xp, x, axis=None, correction=1, keepdims=False):
    """The op `std` on CuPy arrays."""
    out = _variance(xp, x, axis, correction, keepdims)
    return std.formula(xp, x, axis, correction, keepdims) if out is None else xp.sqrt(out).astype(x.dtype, copy=False)


def norm_forward(xp, x, ord=2, axis=None, keepdims=False):  # noqa: A002 - NumPy's name
    """The op `vector_norm` on CuPy arrays: orders 1 and 2."""
    out = over(xp, x, "sizes" if ord == 1 else "squares", axis, keepdims, wide=True) if ord in (1, 2) else None
    if out is None:
        return vector_norm.formula(xp, x, ord, axis, keepdims)
    return (out if ord == 1 else xp.sqrt(out)).astype(x.dtype, copy=False)


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    for op, kind, check in ((sum_, "sum", None), (prod, "product", None), (amax, "largest", "amax"), (amin, "smallest", "amin")):
        op.kernel("cupy")(_plain(op, kind, check))
    mean.kernel("cupy")(mean_forward)
    mean.kernel("cupy", vjp="x")(mean_backward)
    var.kernel("cupy")(var_forward)
    std.kernel("cupy")(std_forward)
    vector_norm.kernel("cupy")(norm_forward)
