"""Steps over many arrays in one launch: SGD, Adam and AdamW, the norm of all gradients, and its clipping; the host never waits.

A table in device memory holds each array's addresses, another its size, and a map from blocks to (array, chunk).  Learning rates and the other
numbers of a rule, step counts, the loss scale and whether an inf was found stay in device memory too, so that a captured step reads what they are
when it is replayed.
State and master weights may be of a wider type than parameters: S beside T.
"""
import math

import numpy as np

from .._backends.uploads import constant
from .family import CODES, I32, I64, PRELUDE, ROWS, TYPES, Family, flat_grid

CHUNK = 1 << 14  # elements that a block works on
THREADS = 256
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)

CHUNKS = r"""
#define COLUMNS 6  // of the table: parameter, gradient, first state, second state, third state, master weight
#define TABLE const u64* __restrict__ table, const i64* __restrict__ sizes, const int* __restrict__ blocks  // read once: no store reaches them
#define CHUNK_OF_BLOCK chunk_of(table, sizes, blocks)

// What a block works on: elements `from` to `to` of the arrays whose addresses are in `row`.
struct Chunk { const u64* row; i64 from, to; int array; };
__device__ inline Chunk chunk_of(const u64* __restrict__ table, const i64* __restrict__ sizes, const int* __restrict__ blocks) {
    int t = blocks[2 * blockIdx.x];
    i64 from = (i64)blocks[2 * blockIdx.x + 1] * CHUNK_SIZE;
    return {table + (i64)t * COLUMNS, from, min(from + (i64)CHUNK_SIZE, sizes[t]), t};
}

// Calls f(i, number) for the elements of a chunk: with TOGETHER of them from i on, 16 bytes of the wider type, where all arrays lie so that they may
// be read at once, and with one for the rest.  The number is `decltype(number)::value`.
constexpr int TOGETHER = 16 / (sizeof(T) > sizeof(S) ? sizeof(T) : sizeof(S));
template <int N> struct Number { static constexpr int value = N; };
template <class F> __device__ inline void each_of(const Chunk& c, F f) {
    u64 places = 0;
#pragma unroll
    for (int k = 0; k < COLUMNS; ++k) places |= c.row[k];
    i64 done = places & 15 ? c.from : c.to - (c.to - c.from) % TOGETHER;
    for (i64 i = c.from + threadIdx.x * TOGETHER; i < done; i += blockDim.x * TOGETHER) f(i, Number<TOGETHER>());
    for (i64 i = done + threadIdx.x; i < c.to; i += blockDim.x) f(i, Number<1>());
}
template <int N, class E> __device__ inline void load(A (&to)[N], const E* p, i64 at) {
    auto v = some<N>(p, at);
#pragma unroll
    for (int j = 0; j < N; ++j) to[j] = (A)v.v[j];
}
template <int N, class E> __device__ inline void store(const A (&from)[N], E* p, i64 at) {
    Some<N, E> v;
#pragma unroll
    for (int j = 0; j < N; ++j) v.v[j] = (E)from[j];
    put(p, at, v);
}

__device__ inline A or_one(const A* value) { return value ? *value : (A)1; }
""".replace("CHUNK_SIZE", str(CHUNK))

TEXT = r"""
// One more step on every counter, unless an inf was found; steps: what they are then.
KERNEL advance_steps(const u64* counters, A* steps, i64 n, const A* found) {
    EACH_ELEMENT(i, n) {
        float* at = (float*)counters[i];
        if (!found || *found == 0) *at += 1;
        steps[i] = (A)*at;
    }
}

// velocity = momentum * velocity + gain[t] * g;  p -= lr * velocity (nesterov: lr * (g + momentum * velocity)).  numbers: lr, momentum, decay
KERNEL sgd_step(TABLE, const double* numbers, const A* gain, int nesterov, int maximize,
                const A* scale, const A* factor, const A* found) {
    if (found && *found != 0) return;
    A rate = (A)numbers[0], momentum = (A)numbers[1], decay = (A)numbers[2], unscale = 1 / or_one(scale), by = or_one(factor);
    Chunk c = CHUNK_OF_BLOCK;
    T* param = (T*)c.row[0];
    T* grad = (T*)c.row[1];
    S* velocity = (S*)c.row[2];
    S* master = (S*)c.row[5];
    A new_share = gain[c.array];
    each_of(c, [&](i64 i, auto number) {
        constexpr int N = decltype(number)::value;
        A p[N], gs[N], v[N];
        if (master) load(p, master, i);
        else load(p, param, i);
        load(gs, grad, i);
        if (velocity) load(v, velocity, i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            gs[j] *= unscale;
            A g = gs[j] * by;
            g = (maximize ? -g : g) + decay * p[j];
            if (velocity) {
                v[j] = momentum * v[j] + new_share * g;
                g = nesterov ? g + momentum * v[j] : v[j];
            }
            p[j] -= rate * g;
        }
        if (scale) store(gs, grad, i);  // unscaled, as torch leaves it
        if (velocity) store(v, velocity, i);
        if (master) store(p, master, i);
        store(p, param, i);
    });
}

// Kingma and Ba 2015, arXiv:1412.6980;  decoupled: Loshchilov and Hutter 2019, arXiv:1711.05101.  steps[t]: how many this one makes.
// numbers: lr, beta1, beta2, eps, decay
KERNEL adam_step(TABLE, const double* numbers, const A* steps, int decoupled, int maximize,
                 const A* scale, const A* factor, const A* found) {
    if (found && *found != 0) return;
    double beta1 = numbers[1], beta2 = numbers[2];
    A rate = (A)numbers[0], eps = (A)numbers[3], decay = (A)numbers[4], unscale = 1 / or_one(scale), by = or_one(factor);
    A r1 = (A)(1 - beta1), r2 = (A)(1 - beta2), b2 = (A)beta2;
    Chunk c = CHUNK_OF_BLOCK;
    double count = (double)steps[c.array];
    A size = (A)(rate / (1 - pow(beta1, count))), root = (A)sqrt(1 - pow(beta2, count));
    T* param = (T*)c.row[0];
    T* grad = (T*)c.row[1];
    S* mean = (S*)c.row[2];
    S* square = (S*)c.row[3];
    S* peak = (S*)c.row[4];
    S* master = (S*)c.row[5];
    each_of(c, [&](i64 i, auto number) {
        constexpr int N = decltype(number)::value;
        A p[N], gs[N], m[N], q[N], top[N];
        if (master) load(p, master, i);
        else load(p, param, i);
        load(gs, grad, i);
        load(m, mean, i);
        load(q, square, i);
        if (peak) load(top, peak, i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            gs[j] *= unscale;
            A g = gs[j] * by, divisor;
            if (decoupled) p[j] *= 1 - rate * decay;
            g = maximize ? -g : g;
            if (!decoupled) g += decay * p[j];
            m[j] += (g - m[j]) * r1;
            q[j] = q[j] * b2 + g * g * r2;
            divisor = q[j];
            if (peak) divisor = top[j] = larger(top[j], q[j]);
            p[j] -= m[j] / (sqrt(divisor) / root + eps) * size;
        }
        if (scale) store(gs, grad, i);  // unscaled, as torch leaves it
        store(m, mean, i);
        store(q, square, i);
        if (peak) store(top, peak, i);
        if (master) store(p, master, i);
        store(p, param, i);
    });
}

// parts[block]: the sum of squares of a chunk of gradients, divided by the loss scale where there is one
KERNEL squares(TABLE, A* parts, const A* scale) {
    A s = 0, unscale = 1 / or_one(scale);
    Chunk c = CHUNK_OF_BLOCK;
    each_of(c, [&](i64 i, auto number) {
        A g[decltype(number)::value];
        load(g, (const T*)c.row[1], i);
        for (A v : g) s += v * unscale * (v * unscale);
    });
    s = row_sum(s);
    if (threadIdx.x == 0) parts[blockIdx.x] = s;
}

// One block: total[0] = the norm, total[1] = min(1, most / (norm + 1e-6)).  nan stays nan.
KERNEL norm_and_factor(const A* parts, A* total, i64 n, A most) {
    A s = 0;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) s += parts[i];
    s = row_sum(s);
    if (threadIdx.x == 0) {
        A norm = sqrt(s), f = most / (norm + (A)1e-6);
        total[0] = norm;
        total[1] = f > 1 ? (A)1 : f;
    }
}

// Gradients times the inverse of a loss scale; found becomes 1 where one was inf or nan.
KERNEL unscale_all(TABLE, const float* factor, float* found) {
    A f = (A)*factor;
    bool bad = false;
    Chunk c = CHUNK_OF_BLOCK;
    each_of(c, [&](i64 i, auto number) {
        A g[decltype(number)::value];
        load(g, (const T*)c.row[1], i);
        for (A& v : g) {
            bad = bad || !(v - v == 0);
            v *= f;
        }
        store(g, (T*)c.row[1], i);
    });
    if (bad) *found = 1;
}

// One thread.  A scale that would become inf stays what it is.
KERNEL update_scale(float* scale, int* count, const float* found, float growth, float backoff, int interval) {
    if (*found != 0) {
        *scale *= backoff;
        *count = 0;
    } else if (*count + 1 == interval) {
        float grown = *scale * growth;
        if (grown - grown == 0) *scale = grown;
        *count = 0;
    } else {
        *count += 1;
    }
}

KERNEL scale_all(TABLE, const A* factor) {
    A f = *factor;
    Chunk c = CHUNK_OF_BLOCK;
    each_of(c, [&](i64 i, auto number) {
        A g[decltype(number)::value];
        load(g, (const T*)c.row[1], i);
        for (A& v : g) v *= f;
        store(g, (T*)c.row[1], i);
    });
}
"""


class Steps(Family):
    """Kernels for parameters of each float type with states of that type, or (wide) of float32."""

    def __init__(self, name, wide, dtypes):
        self.wide = wide
        super().__init__(name, TEXT, dtypes)

    def source(self, dtype):
        """CUDA C for parameters of one float type."""
        storage, compute, header = TYPES[dtype]
        state = "typedef A S;\n" if self.wide else "typedef T S;\n"
        return header + PRELUDE.format(storage=storage, compute=compute) + ROWS + state + CHUNKS + self.text


FAMILY = Steps("multi_tensor", False, tuple(TYPES))
WIDE = Steps("multi_tensor_wide", True, ("float16", "bfloat16"))


class Table:
    """Arrays of one type as the kernels read them.  columns: parameters, gradients, states and master weights, up to six lists of arrays (None for a
    missing list or entry), all that is there at one place of one size.

    It holds addresses only: whoever keeps a table sees to it that they are those of the arrays (`addresses` says which it has).
    """

    def __init__(self, xp, columns):
        gradients = columns[1]
        self.like = (columns[0] or gradients)[0]
        self.wide = any(a is not None and a.dtype != self.like.dtype for arrays in columns[2:] for a in arrays or ())
        addresses, sizes = addresses_of(columns), np.array([a.size for a in gradients], np.int64)
        blocks = np.array([(t, c) for t, n in enumerate(sizes) for c in range(math.ceil(n / CHUNK))], np.int32)
        self.addresses, self.count = addresses.tobytes(), len(blocks)
        self.table, self.sizes, self.blocks = (constant(xp, a.reshape(-1)) for a in (addresses, sizes, blocks))

    def launch(self, xp, kernel, *arguments, families=None):
        """One block per chunk.  families: of kernels for states of the arrays' type, and of a wider one."""
        if self.count:
            family = (families or (FAMILY, WIDE))[self.wide]
            family.launch(xp, kernel, self.like, (self.count,), (THREADS,), self.table, self.sizes, self.blocks, *arguments)


def addresses_of(columns):
    """(arrays, 6) addresses, 0 where there is no array."""
    addresses = np.zeros((len(columns[1]), 6), np.uint64)
    for c, arrays in enumerate(columns):
        if arrays is not None:
            addresses[:, c] = [0 if a is None else a.data.ptr for a in arrays]
    return addresses


def computing(x):
    """The NumPy type of scalars for arrays like `x`."""
    return DOUBLE if x.dtype.char == "d" else SINGLE


def fits(*columns):
    """Whether the kernels take these lists of arrays: each list of one float type, and what stands at one place of them alike in memory."""
    first, *others = columns
    for c in columns:
        dtype = c[0].dtype
        if dtype.char not in CODES:  # `dtype.name` would take longer than all else here
            return False
        for a in c:
            if a.dtype is not dtype and a.dtype != dtype:
                return False
    return all(all(map(alike, first, other)) for other in others) if others else all(map(alike, first))


def alike(first, other=None):
    """Whether arrays of one shape lie alike, without gaps: a kernel that goes over all of their memory finds the same elements side by side."""
    if first.flags.c_contiguous:
        return other is None or other.flags.c_contiguous
    steps = _steps(first)
    return _fills(steps) and (other is None or _steps(other) == steps)


def _steps(a):
    """(elements from one to the next, how many) of each dimension that has more than one."""
    return [(s // a.itemsize, n) for s, n in zip(a.strides, a.shape) if n > 1]


def _fills(steps):
    """Whether an array with these steps has no gaps, whatever the order of its dimensions."""
    expected = 1
    for step, n in sorted(steps):
        if step != expected:
            return False
        expected *= n
    return True


def sgd(xp, table, numbers, gain, *, nesterov, maximize, scale=None, factor=None, found=None):
    """A step of SGD.  numbers: float64 device array of lr, momentum, weight_decay;  gain: one per array (1 for a first velocity, else
    1 - dampening)."""
    table.launch(xp, "sgd_step", numbers, gain, I32(nesterov), I32(maximize), scale, factor, found)


def adam(xp, table, numbers, steps, *, decoupled, maximize, scale=None, factor=None, found=None):
    """A step of Adam or, decoupled, AdamW.  numbers: float64 device array of lr, beta1, beta2, eps, weight_decay;  steps: the number of this
    step, one per array."""
    table.launch(xp, "adam_step", numbers, steps, I32(decoupled), I32(maximize), scale, factor, found)


def advance_steps(xp, like, counters, found=None):
    """Count one step on float32 device scalars (not where `found`, a device array of one element, is not 0).  Returns the counts, a device array."""
    addresses = constant(xp, np.array([c.data.ptr for c in counters], np.uint64))
    steps = xp.empty((len(counters),), computing(like))
    FAMILY.launch(xp, "advance_steps", like, *flat_grid(len(counters)), addresses, steps, I64(len(counters)), found)
    return steps


def norm_and_factor(xp, gradients, max_norm, scale=None, total=None):
    """(norm of all gradients, factor that brings it to max_norm): a device array of two, `total` where it is given; and the gradients' table.

    gradients: contiguous, of one type;  scale: a device array of one, which the gradients are multiplied by and the norm is not
    """
    table, kind = Table(xp, [None, gradients]), computing(gradients[0])
    total = xp.empty((2,), kind) if total is None else total
    parts = xp.empty((table.count,), kind) if table.count else xp.zeros((1,), kind)
    table.launch(xp, "squares", parts, scale)
    FAMILY.launch(xp, "norm_and_factor", gradients[0], (1,), (1024,), parts, total, I64(parts.size), computing(gradients[0]).type(max_norm))
    return total, table


def scale_all(xp, table, factor):
    """Multiply all gradients of a table by a device array of one element, in place."""
    table.launch(xp, "scale_all", factor)


def unscale_all(xp, gradients, found, factor):
    """Multiply gradients of one type that lie without gaps by `factor`, in place; `found` becomes 1 where one is inf or nan: float32 arrays of one
    element, on their device."""
    Table(xp, [None, gradients]).launch(xp, "unscale_all", factor, found)


def update_scale(xp, scale, count, found, growth, backoff, interval):
    """What GradScaler.update does to its scale (float32) and its count of good steps (int32), arrays of one element."""
    single = SINGLE.type
    FAMILY.launch(xp, "update_scale", scale, (1,), (1,), scale, count, found, single(growth), single(backoff), I32(interval))
