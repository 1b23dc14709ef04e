"""CUDA C of one step of a recurrent layer behind its product with the state: all gates in one launch.  See family.py for the words of the text.

rows, size: sequences that take the step, elements of a state.  Gates lie beside one another: a row is (gates * size).  A thread takes V elements
of a state and all their gates.
"""

TEXT = r"""
__device__ inline A sigmoid(A v) { return (A)0.5 * tanh((A)0.5 * v) + (A)0.5; }  // in a form that no v overflows

// a + b, of which b may be missing
template <int V> __device__ inline void sum(const T* a, const T* b, i64 at, A* out) {
    Some<V, T> x = some<V>(a, at), y;
    if (b) y = some<V>(b, at);
#pragma unroll
    for (int e = 0; e < V; ++e) out[e] = (A)x.v[e] + (b ? (A)y.v[e] : (A)0);
}
template <int V> __device__ inline void load(const T* a, i64 at, A* out) { sum<V>(a, nullptr, at, out); }
template <int V> __device__ inline void store(T* p, i64 at, const A* values) {
    Some<V, T> x;
#pragma unroll
    for (int e = 0; e < V; ++e) x.v[e] = (T)values[e];
    put<V>(p, at, x);
}
#define EACH_STATE(row, j) \
    const i64 each = size / V; \
    EACH_ELEMENT(k, rows * each) \
        if (const i64 row = quotient(k, each), j = (k - row * each) * V; true)

// gates: what comes from the input before, i, f, g, o after;  product: what comes from the state;  c: the cells, in the type to compute in, before
// and after;  cells, t, y: where c', tanh(c') and h' are kept;  h: the state that the next step multiplies, or null
template <int V> __device__ inline void lstm_forward_of(T* gates, const T* product, A* c, T* cells, T* t, T* y, T* h, i64 rows, i64 size) {
    EACH_STATE(row, j) {
        const i64 first = row * 4 * size + j, at = row * size + j;
        A v[4][V], top[V], out[V];
        Some<V, A> cell = some<V>(c, at);
#pragma unroll
        for (int q = 0; q < 4; ++q) sum<V>(gates, product, first + q * size, v[q]);
#pragma unroll
        for (int e = 0; e < V; ++e) {
            v[0][e] = sigmoid(v[0][e]); v[1][e] = sigmoid(v[1][e]); v[2][e] = tanh(v[2][e]); v[3][e] = sigmoid(v[3][e]);
            cell.v[e] = v[1][e] * cell.v[e] + v[0][e] * v[2][e];
            top[e] = tanh(cell.v[e]);
            out[e] = v[3][e] * top[e];
        }
#pragma unroll
        for (int q = 0; q < 4; ++q) store<V>(gates, first + q * size, v[q]);
        put<V>(c, at, cell);
        store<V>(cells, at, cell.v);
        store<V>(t, at, top);
        store<V>(y, at, out);
        if (h) store<V>(h, at, out);
    }
}

// gh, gy: the gradients of h' from the step behind and from above (or null);  dc: the cells' gradient, one step back in place;  before: the cells
// one step before;  d: where the gates' gradients go
template <int V> __device__ inline void lstm_backward_of(const T* gates, const T* t, const T* before, const T* gh, const T* gy, A* dc, T* d, i64 rows,
                                                         i64 size) {
    EACH_STATE(row, j) {
        const i64 first = row * 4 * size + j, at = row * size + j;
        A v[4][V], top[V], old[V], g[V];
        Some<V, A> cell = some<V>(dc, at);
#pragma unroll
        for (int q = 0; q < 4; ++q) load<V>(gates, first + q * size, v[q]);
        load<V>(t, at, top);
        load<V>(before, at, old);
        sum<V>(gh, gy, at, g);
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const A i = v[0][e], f = v[1][e], u = v[2][e], o = v[3][e], gc = cell.v[e] + g[e] * o * (1 - top[e] * top[e]);
            v[0][e] = gc * u * i * (1 - i);
            v[1][e] = gc * old[e] * f * (1 - f);
            v[2][e] = gc * i * (1 - u * u);
            v[3][e] = g[e] * top[e] * o * (1 - o);
            cell.v[e] = gc * f;
        }
#pragma unroll
        for (int q = 0; q < 4; ++q) store<V>(d, first + q * size, v[q]);
        put<V>(dc, at, cell);
    }
}

// inputs, product: (rows, 3 size), r, z, n;  bias: (3 size) of the product, or null;  gates: where r, z, n and the product's n are kept;  h: before
// and after;  y, kept: where h' goes
template <int V> __device__ inline void gru_forward_of(const T* inputs, const T* product, const T* bias, T* gates, T* h, T* y, T* kept, i64 rows,
                                                       i64 size) {
    EACH_STATE(row, j) {
        const i64 first = row * 3 * size + j, out = row * 4 * size + j, at = row * size + j;
        A v[3][V], p[3][V], state[V];
#pragma unroll
        for (int q = 0; q < 3; ++q) {
            load<V>(inputs, first + q * size, v[q]);
            load<V>(product, first + q * size, p[q]);
            if (bias) {
                A b[V];
                load<V>(bias, q * size + j, b);
#pragma unroll
                for (int e = 0; e < V; ++e) p[q][e] += b[e];
            }
        }
        load<V>(h, at, state);
#pragma unroll
        for (int e = 0; e < V; ++e) {
            v[0][e] = sigmoid(v[0][e] + p[0][e]);
            v[1][e] = sigmoid(v[1][e] + p[1][e]);
            v[2][e] = tanh(v[2][e] + v[0][e] * p[2][e]);
            state[e] = v[2][e] + v[1][e] * (state[e] - v[2][e]);
        }
#pragma unroll
        for (int q = 0; q < 3; ++q) store<V>(gates, out + q * size, v[q]);
        store<V>(gates, out + 3 * size, p[2]);
        store<V>(h, at, state);
        store<V>(y, at, state);
        store<V>(kept, at, state);
    }
}

// gh: the product that comes from the step behind;  direct: what comes from there past the product, one step back in place;  dx, dh: (rows, 3 size),
// where the gates' gradients towards the input and towards the state go
template <int V> __device__ inline void gru_backward_of(const T* gates, const T* before, const T* gh, const T* gy, A* direct, T* dx, T* dh, i64 rows,
                                                        i64 size) {
    EACH_STATE(row, j) {
        const i64 first = row * 3 * size + j, in = row * 4 * size + j, at = row * size + j;
        A v[4][V], old[V], g[V];
        Some<V, A> past = some<V>(direct, at);
#pragma unroll
        for (int q = 0; q < 4; ++q) load<V>(gates, in + q * size, v[q]);
        load<V>(before, at, old);
        sum<V>(gh, gy, at, g);
#pragma unroll
        for (int e = 0; e < V; ++e) {
            const A r = v[0][e], z = v[1][e], n = v[2][e], hn = v[3][e], s = g[e] + past.v[e], dn = s * (1 - n * n) * (1 - z);
            v[0][e] = dn * hn * r * (1 - r);
            v[1][e] = s * (old[e] - n) * z * (1 - z);
            v[2][e] = dn;
            v[3][e] = dn * r;
            past.v[e] = s * z;
        }
#pragma unroll
        for (int q = 0; q < 3; ++q) store<V>(dx, first + q * size, v[q]);
        store<V>(dh, first, v[0]);
        store<V>(dh, first + size, v[1]);
        store<V>(dh, first + 2 * size, v[3]);
        put<V>(direct, at, past);
    }
}

// states: what comes from the input before, h' after;  y, h: where h' goes as well
template <int V> __device__ inline void rnn_forward_of(T* states, const T* product, T* y, T* h, i64 rows, i64 size, int relu) {
    EACH_STATE(row, j) {
        const i64 at = row * size + j;
        A v[V];
        sum<V>(states, product, at, v);
#pragma unroll
        for (int e = 0; e < V; ++e) v[e] = !relu ? tanh(v[e]) : v[e] < 0 ? 0 : v[e];
        store<V>(states, at, v);
        store<V>(y, at, v);
        store<V>(h, at, v);
    }
}

template <int V> __device__ inline void rnn_backward_of(const T* states, const T* gh, const T* gy, T* d, i64 rows, i64 size, int relu) {
    EACH_STATE(row, j) {
        const i64 at = row * size + j;
        A v[V], g[V];
        load<V>(states, at, v);
        sum<V>(gh, gy, at, g);
#pragma unroll
        for (int e = 0; e < V; ++e) g[e] = !relu ? g[e] * (1 - v[e] * v[e]) : v[e] > 0 ? g[e] : 0;
        store<V>(d, at, g);
    }
}
"""
KERNELS = {  # name: (parameters, arguments)
    "lstm_forward": ("T* gates, const T* product, A* c, T* cells, T* t, T* y, T* h, i64 rows, i64 size",
                     "gates, product, c, cells, t, y, h, rows, size"),
    "lstm_backward": ("const T* gates, const T* t, const T* before, const T* gh, const T* gy, A* dc, T* d, i64 rows, i64 size",
                      "gates, t, before, gh, gy, dc, d, rows, size"),
    "gru_forward": ("const T* inputs, const T* product, const T* bias, T* gates, T* h, T* y, T* kept, i64 rows, i64 size",
                    "inputs, product, bias, gates, h, y, kept, rows, size"),
    "gru_backward": ("const T* gates, const T* before, const T* gh, const T* gy, A* direct, T* dx, T* dh, i64 rows, i64 size",
                     "gates, before, gh, gy, direct, dx, dh, rows, size"),
    "rnn_forward": ("T* states, const T* product, T* y, T* h, i64 rows, i64 size, int relu", "states, product, y, h, rows, size, relu"),
    "rnn_backward": ("const T* states, const T* gh, const T* gy, T* d, i64 rows, i64 size, int relu", "states, gh, gy, d, rows, size, relu"),
}
TEXT += "\n".join(f"KERNEL {name}{more}({parameters}) {{ {name}_of<{v}>({arguments}); }}"  # an element for each thread, or 16 bytes
                  for name, (parameters, arguments) in KERNELS.items() for more, v in (("", "1"), ("_packs", "WIDE")))
