"""The largest (smallest) k of a row, the k-th, and the middle: digits of the numbers' bits from the top, without sorting the row.

A block per row counts how many elements have each value of a digit of 8 bits, keeps the digit in which the k-th lies, and goes on to the next;
what lies above is sorted in shared memory.  Equal elements come in the order of their places, nan counts as the largest, and the two zeros are
equal, as in the formulas.  Few long rows are cut into parts whose candidates go through the same kernel again.  More than MOST elements are left
to the formula, which sorts.  See family.py for the words of the text.
"""
import numpy as np

from ..ops.extrema import _refuse_empty, median_along
from ..ops.sorting import kthvalue, topk
from .family import I32, I64, Family, rows_last

TEXT = r"""
template <int S> struct Bits { typedef unsigned type; };
template <> struct Bits<8> { typedef u64 type; };
typedef Bits<sizeof(A)>::type Key;

// Bits that rise with a number, or (largest: 0) fall: the two zeros are one, nan is beyond everything.
__device__ inline Key key_of(A v, int largest) {
    union { A number; Key bits; } u;
    u.number = v + (A)0;
    const Key top = (Key)1 << (8 * sizeof(Key) - 1);
    Key k = v != v ? ~(Key)0 : u.bits & top ? ~u.bits : u.bits | top;
    return largest ? k : ~k;
}

// Narrow down the `need` largest keys among those that get(i, key) gives for i < n (false: i takes no part): those with (key & mask) > prefix
// are among them, and `need` of the `there` ones with (key & mask) == prefix.  Ends when need == there (single: not before one is left, or whole
// keys are equal).  counts, found: shared.
template <class K, class F> __device__ void narrow(unsigned (*counts)[256], i64* found, i64 n, K& prefix, K& mask, i64& need, i64& there,
                                                   bool single, F get) {
    const int warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    for (int shift = 8 * sizeof(K) - 8; shift >= 0; shift -= 8) {
        for (int d = threadIdx.x; d < 256 * warps; d += blockDim.x) counts[d >> 8][d & 255] = 0;
        __syncthreads();
        for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
            K key;
            if (get(i, key) && (key & mask) == prefix) atomicAdd(&counts[warp][(int)(key >> shift) & 255], 1u);
        }
        __syncthreads();
        for (int d = threadIdx.x; d < 256; d += blockDim.x)
            for (int w = 1; w < warps; ++w) counts[0][d] += counts[w][d];
        __syncthreads();
        if (warp == 0) {  // a lane for 8 digits, the highest first
            int lane = threadIdx.x, own = 0;
            for (int d = 0; d < 8; ++d) own += counts[0][255 - 8 * lane - d];
            int upto = own;
            for (int o = 1; o < 32; o <<= 1) { int v = __shfl_up_sync(ALL, upto, o); if (lane >= o) upto += v; }
            i64 before = upto - own;
            if (before < need && need <= upto)
                for (int d = 255 - 8 * lane; ; --d) {
                    i64 here = counts[0][d];
                    if (before + here >= need) { found[0] = d; found[1] = need - before; found[2] = here; break; }
                    before += here;
                }
        }
        __syncthreads();
        prefix |= (K)found[0] << shift;
        mask |= (K)255 << shift;
        need = found[1];
        there = found[2];
        if (there == 1 || (need == there && !single)) break;
    }
}

// The k best of part blockIdx.x % parts of a row (the last part is the longest), best first.  values, indices: (rows * parts, k); from: the indices
// that the elements of x stand for, or null.  k <= MOST_OF.
KERNEL topk(const T* x, const i64* from, T* values, i64* indices, i64 n, i64 parts, i64 part, int k, int largest) {
    __shared__ Key keys[MOST_OF];
    __shared__ unsigned places[MOST_OF];
    __shared__ unsigned count, counts[8][256];
    __shared__ i64 found[3];
    const i64 row = blockIdx.x / parts, p = blockIdx.x % parts, start = p * part;
    const i64 length = p == parts - 1 ? n - start : part;
    const T* at = x + row * n + start;
    Key prefix = 0, mask = 0;
    unsigned last = 0, last_mask = 0;
    bool ties = false;
    int size = k;
    if (length <= 256) size = (int)length;  // sort all of it
    else {
        i64 need = k, there = length;
        narrow(counts, found, length, prefix, mask, need, there, false, [&](i64 i, Key& key) { key = key_of((A)at[i], largest); return true; });
        ties = need < there;
        if (ties)  // the first ones of equal elements
            narrow(counts, found, length, last, last_mask, need, there, false, [&](i64 i, unsigned& key) {
                key = ~(unsigned)i;
                return key_of((A)at[i], largest) == prefix;
            });
    }
    int wide = 1;
    while (wide < size) wide <<= 1;
    if (threadIdx.x == 0) count = 0;
    for (int i = threadIdx.x; i < wide; i += blockDim.x) { keys[i] = 0; places[i] = 0xffffffffu; }
    __syncthreads();
    for (i64 i = threadIdx.x; i < length; i += blockDim.x) {
        Key key = key_of((A)at[i], largest), high = key & mask;
        if (high > prefix || (high == prefix && (!ties || (~(unsigned)i & last_mask) >= last))) {
            unsigned slot = atomicAdd(&count, 1u);
            keys[slot] = key;
            places[slot] = (unsigned)i;
        }
    }
    __syncthreads();
    for (int run = 2; run <= wide; run <<= 1)
        for (int step = run >> 1; step; step >>= 1) {
            for (int i = threadIdx.x; i < wide; i += blockDim.x) {
                int j = i ^ step;
                if (j > i) {
                    bool first = keys[i] > keys[j] || (keys[i] == keys[j] && places[i] < places[j]);
                    if (first == ((i & run) != 0)) {
                        Key key = keys[i]; keys[i] = keys[j]; keys[j] = key;
                        unsigned place = places[i]; places[i] = places[j]; places[j] = place;
                    }
                }
            }
            __syncthreads();
        }
    for (int j = threadIdx.x; j < k; j += blockDim.x) {
        i64 i = start + places[j];
        values[blockIdx.x * (i64)k + j] = x[row * n + i];
        indices[blockIdx.x * (i64)k + j] = from ? from[row * n + i] : i;
    }
}

// The k-th smallest, from 1, of equal elements in the order of their places; nan_first: the first nan where there is one.
KERNEL kth(const T* x, T* values, i64* indices, i64 n, i64 k, int nan_first) {
    __shared__ unsigned place, counts[8][256];
    __shared__ i64 found[3];
    const T* at = x + (i64)blockIdx.x * n;
    if (threadIdx.x == 0) place = 0xffffffffu;
    __syncthreads();
    if (nan_first) {
        for (i64 i = threadIdx.x; i < n; i += blockDim.x)
            if (at[i] != at[i]) { atomicMin(&place, (unsigned)i); break; }
        __syncthreads();
    }
    if (place == 0xffffffffu) {
        Key prefix = 0, mask = 0;
        i64 need = k, there = n;
        narrow(counts, found, n, prefix, mask, need, there, true, [&](i64 i, Key& key) { key = key_of((A)at[i], 0); return true; });
        unsigned last = 0, last_mask = 0;
        if (there > 1)
            narrow(counts, found, n, last, last_mask, need, there, true, [&](i64 i, unsigned& key) {
                key = ~(unsigned)i;
                return (key_of((A)at[i], 0) & mask) == prefix;
            });
        for (i64 i = threadIdx.x; i < n; i += blockDim.x)
            if ((key_of((A)at[i], 0) & mask) == prefix && (~(unsigned)i & last_mask) == last) place = (unsigned)i;
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        values[blockIdx.x] = at[place];
        indices[blockIdx.x] = place;
    }
}
""".replace("MOST_OF", "2048")
FAMILY = Family("selection", TEXT)
MOST = 2048
PART = 1 << 13  # elements of a part of a long row, at least
FULL = 264  # blocks that keep a large GPU busy
LONGEST = 1 << 20  # elements of which one block finds the k-th sooner than a sort of all


def _blocks(n):
    return 64 if n <= 256 else 256


def _launch_topk(xp, x, given, rows, n, parts, k, largest):
    """(values, indices): (rows * parts, k)."""
    values, indices = xp.empty((rows * parts, k), x.dtype), xp.empty((rows * parts, k), np.int64)
    part = n // parts
    FAMILY.launch(xp, "topk", x, (rows * parts,), (_blocks(part),), x, given, values, indices, I64(n), I64(parts), I64(part), I32(k), I32(largest))
    return values, indices


def topk_forward(xp, x, k, axis=-1, largest=True):
    """The op `topk` on CuPy arrays."""
    n = x.shape[axis] if x.ndim else 0
    if not (FAMILY.takes(x) and 0 < k <= min(n, MOST) and n < 2**31):
        return topk.formula(xp, x, k, axis, largest)
    lines = rows_last(xp, x, axis)
    rows, given = lines.size // n, None
    parts = max(1, min(n // max(PART, 4 * k), FULL // rows))
    if parts > 1:
        lines, given = _launch_topk(xp, lines, None, rows, n, parts, k, largest)
        n = parts * k
    values, indices = _launch_topk(xp, lines, given, rows, n, 1, k, largest)
    shape = (*[s for i, s in enumerate(x.shape) if i != axis % x.ndim], k)
    return xp.moveaxis(values.reshape(shape), -1, axis), xp.moveaxis(indices.reshape(shape), -1, axis)


def _kth(xp, x, k, axis, nan_first):
    """(values, indices), the dimension kept as 1."""
    lines = rows_last(xp, x, axis)
    n = lines.shape[-1]
    shape = tuple([1 if i == axis % x.ndim else s for i, s in enumerate(x.shape)])
    values, indices = xp.empty(shape, x.dtype), xp.empty(shape, np.int64)
    FAMILY.launch(xp, "kth", x, (lines.size // n,), (_blocks(n),), lines, values, indices, I64(n), I64(k), I32(nan_first))
    return values, indices


def _fits(x, axis):
    return x.ndim and FAMILY.takes(x) and (x.shape[axis] <= LONGEST or x.size // x.shape[axis] >= FULL) and x.shape[axis] < 2**31


def kth_forward(xp, x, k, axis=-1):
    """The op `kthvalue` on CuPy arrays."""
    return _kth(xp, x, k, axis, False) if _fits(x, axis) else kthvalue.formula(xp, x, k, axis)


def median_forward(xp, x, axis, keepdims=False):
    """The op `median_along` on CuPy arrays."""
    _refuse_empty("median", x, axis)
    if not _fits(x, axis):
        return median_along.formula(xp, x, axis, keepdims)
    values, indices = _kth(xp, x, (x.shape[axis] + 1) // 2, axis, True)
    return (values, indices) if keepdims else (xp.squeeze(values, axis), xp.squeeze(indices, axis))


def register():
    """Put the kernels in the place of the formulas on CuPy arrays."""
    topk.kernel("cupy")(topk_forward)
    kthvalue.kernel("cupy")(kth_forward)
    median_along.kernel("cupy")(median_forward)
