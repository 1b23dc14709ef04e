"""Leaving out boxes that overlap better ones: a table of bits of which overlap which, and one block that sweeps it; the host waits once, for
the number of those that stay.  Compiled without contraction of products and sums, so that overlaps are those of the CPU.
"""
import math

import numpy as np

from ..ops.boxes import suppress
from .family import I64, Family

TEXT = r"""
// bits[i, w] of the boxes, best first: which of 64 w, 64 w + 1, ... lie behind i, are of its class and overlap it by more than the limit.
// 64 threads a block.
KERNEL boxes_overlap(const T* boxes, const i64* classes, u64* bits, i64 n, double limit) {
    __shared__ A others[64][4];
    __shared__ i64 kinds[64];
    i64 words = (n + 63) / 64, w = blockIdx.x;
    for (i64 chunk = blockIdx.y; chunk < words; chunk += gridDim.y) {
        i64 i = chunk * 64 + threadIdx.x, j = w * 64 + threadIdx.x;
        __syncthreads();
        if (j < n) {
            for (int c = 0; c < 4; ++c) others[threadIdx.x][c] = (A)boxes[4 * j + c];
            kinds[threadIdx.x] = classes ? classes[j] : 0;
        }
        __syncthreads();
        if (i >= n) continue;
        u64 found = 0;
        if (w >= chunk) {
            A x0 = (A)boxes[4 * i], y0 = (A)boxes[4 * i + 1], x1 = (A)boxes[4 * i + 2], y1 = (A)boxes[4 * i + 3];
            A area = (x1 - x0) * (y1 - y0);
            i64 kind = classes ? classes[i] : 0;
            for (int k = 0; k < 64 && w * 64 + k < n; ++k) {
                const A* o = others[k];
                if (w * 64 + k <= i || kinds[k] != kind) continue;
                A wide = min(x1, o[2]) - max(x0, o[0]), high = min(y1, o[3]) - max(y0, o[1]);
                A common = (wide < 0 ? 0 : wide) * (high < 0 ? 0 : high);
                if ((double)(common / (area + (o[2] - o[0]) * (o[3] - o[1]) - common)) > limit) found |= (u64)1 << k;
            }
        }
        bits[i * words + w] = found;
    }
}

// One block: kept[0 .. count[0]) are the places of the boxes that stay.  dead: a word for 64 boxes, zeros.
KERNEL boxes_sweep(const u64* bits, u64* dead, i64* kept, i64* count, i64 n) {
    __shared__ u64 own[64], stay;
    i64 words = (n + 63) / 64, found = 0;
    for (i64 w = 0; w < words; ++w) {
        i64 here = min((i64)64, n - w * 64);
        if (threadIdx.x < here) own[threadIdx.x] = bits[(w * 64 + threadIdx.x) * words + w];
        __syncthreads();
        if (threadIdx.x == 0) {
            u64 gone = dead[w], left = 0;
            for (int k = 0; k < here; ++k)
                if (!(gone >> k & 1)) { left |= (u64)1 << k; gone |= own[k]; kept[found++] = w * 64 + k; }
            stay = left;
        }
        __syncthreads();
        for (i64 v = w + 1 + threadIdx.x; v < words; v += blockDim.x) {
            u64 more = dead[v];
            for (int k = 0; k < here; ++k)
                if (stay >> k & 1) more |= bits[(w * 64 + k) * words + v];
            dead[v] = more;
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) *count = found;
}
"""
FAMILY = Family("boxes", TEXT, ("float32", "float64"), options=("--fmad=false",))


def forward(xp, boxes, scores, classes=None, iou_threshold=0.5):
    """The op `suppress` on CuPy arrays."""
    n = boxes.shape[0]
    if not FAMILY.takes(boxes):
        return suppress.formula(xp, boxes, scores, classes, iou_threshold)
    order = xp.argsort(-scores.astype(np.float64), kind="stable").astype(np.int64, copy=False)
    words = math.ceil(n / 64)
    bits, dead, kept, count = (xp.empty((n, words), np.uint64), xp.zeros((words,), np.uint64), xp.empty((n,), np.int64), xp.empty((1,), np.int64))
    kinds = None if classes is None else classes[order].astype(np.int64, copy=False)
    FAMILY.launch(xp, "boxes_overlap", boxes, (words, min(words, 65535)), (64,), xp.ascontiguousarray(boxes[order]), kinds, bits, I64(n),
                  np.float64(iou_threshold))
    FAMILY.launch(xp, "boxes_sweep", boxes, (1,), (256,), bits, dead, kept, count, I64(n))
    return order[kept[:int(count.get()[0])]]


def register():
    """Put the kernels in the place of the formula on CuPy arrays."""
    suppress.kernel("cupy")(forward)
