"""Loops around exponentials in float32, compiled by numba: GELU, softmax and its kin.  Imported by `_fused` alone, since it needs numba.

exp and 2^x are polynomials that LLVM vectorises; their relative error is below 2e-7.  Matrices are (rows, n) in one block of memory.
"""
import numba
import numpy as np

from .._numba import kept

# In `exact` functions operations stay in the order in which they are written.
exact = kept(numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}))
# Sums may be reordered in a `loop`; infinities and nan keep their meaning.
loop = kept(numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}))

F = np.float32
ROUND = F(12582912.0)  # 1.5 * 2^23: adding it leaves a whole number in the lowest bits
LOG2_E, LN2_HIGH, LN2_LOW = F(1.4426950408889634), F(0.693359375), F(-2.12194440e-4)
ZERO, ONE, HALF, TWO = F(0), F(1), F(0.5), F(2)
EXP_UNDERFLOW, EXP2_UNDERFLOW = F(-87.33), F(-126)
E2, E3, E4, E5, E6 = F(0.5), F(0.16666665459), F(0.041665795894), F(8.3334519073e-3), F(1.3981999507e-3)
T1, T2, T3, T4, T5, T6 = F(0.69314718056), F(0.24022650696), F(0.055504108664), F(9.6181291076e-3), F(1.3333558146e-3), F(1.5403530394e-4)
FAR_BELOW = F(-20)
SAFE = F(1e-6)  # rows whose exponentials sum to less lost digits to the common maximum

# Upper tail of the normal distribution as 2^P(a), see _gelu.py; constants of GELU's tanh form
P5, P4, P3, P2, P1, P0 = F(-4.92521246e-04), F(7.22969896e-03), F(-5.22209855e-02), F(-4.59526246e-01), F(-1.15101810), F(-1.00000328)
LOG2_BELL, DENSITY_AT_0 = F(-0.7213475204444817), F(0.3989422804014327)
SQRT_8_PI, CUBIC = F(1.5957691216057308), F(0.044715)


@exact
def exp(x):
    """e^x for x <= 88; 0 below -87.33."""
    z = EXP_UNDERFLOW if x < EXP_UNDERFLOW else x
    whole = z * LOG2_E + ROUND
    n = whole - ROUND
    f = z - n * LN2_HIGH - n * LN2_LOW
    p = ONE + f * (ONE + f * (E2 + f * (E3 + f * (E4 + f * (E5 + f * E6)))))
    scale = np.int32((np.float32(whole).view(np.int32) << 23) + 0x3F800000).view(np.float32)
    return ZERO if x < EXP_UNDERFLOW else p * scale


@exact
def exp2(x):
    """2^x for x <= 127; 0 below -126."""
    z = EXP2_UNDERFLOW if x < EXP2_UNDERFLOW else x
    whole = z + ROUND
    f = z - (whole - ROUND)
    p = ONE + f * (T1 + f * (T2 + f * (T3 + f * (T4 + f * (T5 + f * T6)))))
    scale = np.int32((np.float32(whole).view(np.int32) << 23) + 0x3F800000).view(np.float32)
    return ZERO if x < EXP2_UNDERFLOW else p * scale


@exact
def upper_tail(a):
    """1 - Phi(a) for a >= 0."""
    return exp2(((((P5 * a + P4) * a + P3) * a + P2) * a + P1) * a + P0)


@exact
def gelu(x, y):
    """y = x * Phi(x).  All flat."""
    for i in range(x.size):
        v = x[i]
        a = abs(v)
        y[i] = (v if v > ZERO else ZERO) - a * upper_tail(a)


@exact
def gelu_gradient(g, x, y):
    """y = g * (Phi(x) + x * density(x))."""
    for i in range(x.size):
        v = x[i]
        tail = upper_tail(abs(v))
        phi = ONE - tail if v > ZERO else tail
        y[i] = g[i] * (phi + v * DENSITY_AT_0 * exp2(LOG2_BELL * v * v))


@exact
def _logistic_of_cubic(v):
    """(1 + tanh(sqrt(2 / pi) (v + 0.044715 v^3))) / 2, which is the logistic function of twice that."""
    u = SQRT_8_PI * (v + CUBIC * v * v * v)
    e = exp(-abs(u))
    s = ONE / (ONE + e)
    return e * s if u < ZERO else s


@exact
def gelu_tanh(x, y):
    """GELU in its tanh form."""
    for i in range(x.size):
        y[i] = x[i] * _logistic_of_cubic(x[i])


@exact
def gelu_tanh_gradient(g, x, y):
    """The gradient of `gelu_tanh`."""
    for i in range(x.size):
        v = x[i]
        s = _logistic_of_cubic(v)
        y[i] = g[i] * (s + v * s * (ONE - s) * (SQRT_8_PI * (ONE + F(3) * CUBIC * v * v)))


@exact
def largest(x):
    """The largest element of a row; nan if there is one."""
    high = x[0]
    for j in range(x.size):
        if not x[j] <= high:
            high = x[j]
            if high != high:
                break
    return high


@loop
def _exponentials(x, high, scale, y):
    """y = exp(scale * (x - high)) for a row.  Returns the sum."""
    total = ZERO
    for j in range(x.size):
        e = exp((x[j] - high) * scale)
        y[j] = e
        total += e
    return total


@loop
def softmax(x, high, y):
    """y = softmax of the rows of x, whose largest element is `high`."""
    for i in range(len(x)):
        total = _exponentials(x[i], high, ONE, y[i])
        if not total > SAFE:
            total = _exponentials(x[i], largest(x[i]), ONE, y[i])
        inverse = ONE / total
        for j in range(x.shape[1]):
            y[i, j] *= inverse


@loop
def log_softmax(x, high, y):
    """y = log(softmax) of the rows of x, whose largest element is `high`."""
    for i in range(len(x)):
        top, total = high, _exponentials(x[i], high, ONE, y[i])
        if not total > SAFE:
            top = largest(x[i])
            total = _exponentials(x[i], top, ONE, y[i])
        shift = top + np.log(total)
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] - shift


@loop
def softmax_gradient(g, p, y):
    """y = p * (g - sum of g * p), row by row."""
    for i in range(len(p)):
        mean = ZERO
        for j in range(p.shape[1]):
            mean += g[i, j] * p[i, j]
        for j in range(p.shape[1]):
            y[i, j] = p[i, j] * (g[i, j] - mean)


@loop
def log_softmax_gradient(g, out, y):
    """y = g - exp(out) * sum of g, row by row."""
    for i in range(len(g)):
        total = ZERO
        for j in range(g.shape[1]):
            total += g[i, j]
        for j in range(g.shape[1]):
            y[i, j] = g[i, j] - exp(out[i, j]) * total


@loop
def log_sum_exp(x, high, y):
    """y[i] = log(sum of exp(x[i])); `high` is the largest element of x."""
    scratch = np.empty(x.shape[1], np.float32)
    for i in range(len(x)):
        top, total = high, _exponentials(x[i], high, ONE, scratch)
        if not total > SAFE:
            top = largest(x[i])
            total = _exponentials(x[i], top, ONE, scratch)
        y[i] = top + np.log(total)


@loop
def cross_entropy_gradient(x, high, target, weight, y):
    """y[i] = weight[i] * (softmax(x[i]) - the unit vector of target[i])."""
    for i in range(len(x)):
        total = _exponentials(x[i], high, ONE, y[i])
        if not total > SAFE:
            total = _exponentials(x[i], largest(x[i]), ONE, y[i])
        factor = weight[i] / total
        for j in range(x.shape[1]):
            y[i, j] *= factor
        y[i, target[i]] -= weight[i]


@loop
def attention_softmax(x, high, scale, queries, causal):
    """x = softmax(scale * x) in place: (rows, keys), of which `queries` rows belong together.

    causal: row i of those sees its first i + 1 keys
    """
    keys = x.shape[1]
    for i in range(len(x)):
        n = min(i % queries + 1, keys) if causal else keys
        row, total = x[i], ZERO
        top = high
        if not scale * (row[0] - high) >= FAR_BELOW:  # the row may lose digits to a maximum that is not its own (or to nan)
            top = largest(row[:n])
        for j in range(n):  # not `_exponentials`: a loop whose source and target may be the same memory is not vectorised
            row[j] = exp((row[j] - top) * scale)
            total += row[j]
        inverse = ONE / total
        for j in range(n):
            row[j] *= inverse
        row[n:] = ZERO


@loop
def attention_softmax_gradient(g, p, scale, queries, causal):
    """g = scale * p * (g - sum of g * p) in place, row by row, as in `attention_softmax`."""
    keys = p.shape[1]
    for i in range(len(p)):
        n = min(i % queries + 1, keys) if causal else keys
        mean = ZERO
        for j in range(n):
            mean += g[i, j] * p[i, j]
        for j in range(n):
            g[i, j] = p[i, j] * (g[i, j] - mean) * scale
        g[i, n:] = ZERO
