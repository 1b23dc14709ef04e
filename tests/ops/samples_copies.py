"""Samples of views as copies, of results of a fixed layout, of gradients by differences, and of short-time Fourier transforms."""
import numpy as np

from .sample import Fails, Sample, const, lib, positive, randint, randn

DOUBLE = ("float32", "float64")


def copied(name, *args, ref, **kwargs):
    """Equal to the view, and apart from it."""
    return Sample(f"{name}_copy", list(args), kwargs, op="copy", ref=ref, dtypes=DOUBLE, view=False)


def pieces(x, n, hop):
    return np.stack([x[..., i:i + n] for i in range(0, x.shape[-1] - n + 1, hop)], -2)


def stft(n, hop, mode="reflect"):
    def ref(x, *w):
        width = n // 2
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(width, width)], mode=mode) if mode else x
        weights = 1 if not w else np.pad(w[0], ((n - len(w[0])) // 2, n - len(w[0]) - (n - len(w[0])) // 2))
        return np.swapaxes(np.fft.rfft(pieces(x, n, hop) * weights), -1, -2)
    return ref


def there_and_back(**kwargs):
    def call(lib, x, w):
        return lib.istft(lib.stft(x, 8, window=w, return_complex=True), 8, window=w, **kwargs)
    return call


def weighted(fields):
    return dict(dtypes=("float64",), gives="complex128", slack=8) | fields


COPIES = [
    copied("alias", randn(3, 4), ref=lambda x: x), copied("expand", randn(3, 1), (3, 4), ref=lambda x, s: np.broadcast_to(x, s)),
    copied("permute", randn(2, 3, 4), (2, 0, 1), ref=lambda x, d: x.transpose(d)), copied("select", randn(3, 4), 1, 2, ref=lambda x, *_: x[:, 2]),
    copied("slice", randn(5, 4), 0, 1, 5, 2, ref=lambda x, *_: x[1:5:2]), copied("squeeze", randn(3, 1, 2), ref=np.squeeze),
    copied("t", randn(3, 4), ref=np.transpose), copied("transpose", randn(2, 3, 4), 0, 2, ref=lambda x, *_: x.swapaxes(0, 2)),
    copied("unsqueeze", randn(3, 4), 1, ref=lambda x, _: x[:, None]), copied("view", randn(3, 4), (2, 6), ref=np.reshape),
    copied("diagonal", randn(3, 4), 1, ref=lambda x, k: np.diagonal(x, k)), copied("narrow", randn(3, 4), 1, 1, 2, ref=lambda x, *_: x[:, 1:3]),
    Sample("as_strided_copy", [randn(12), (2, 3), (4, 1), 1], op="copy", ref=lambda x, *_: x[[[1, 2, 3], [5, 6, 7]]], dtypes=DOUBLE, view=False,
           call=lambda lib, x, *a: lib.as_strided_copy(x.contiguous(), *a)),
    copied("unfold", randn(7), 0, 3, 2, ref=lambda x, *_: x[[[0, 1, 2], [2, 3, 4], [4, 5, 6]]]),
    copied("split", randn(5, 2), 2, ref=lambda x, _: (x[:2], x[2:4], x[4:])), copied("split_with_sizes", randn(5, 2), [1, 4], ref=lambda x, _: (x[:1], x[1:])),
    copied("unbind", randn(2, 3), ref=tuple),
    Sample("view_as_complex_copy", [randn(3, 2)], op="copy", ref=lambda x: x[:, 0] + 1j * x[:, 1], dtypes=("float64",), gives="complex128", view=False,
           grad=False, call=lambda lib, x: lib.view_as_complex_copy(x.detach())),
    Sample("view_as_real_copy", [randn(3)], op="copy", ref=lambda x: np.stack([x.real, x.imag], -1), dtypes=("complex128",), gives="float64", view=False),
    Sample("detach_copy", [randn(3)], op="copy", ref=lambda x: x, dtypes=DOUBLE, grad=False, view=False),
    Sample("detach", [randn(3)], op=None, ref=lambda x: 2 * x, dtypes=DOUBLE, grad=False, call=lambda lib, x: 2 * lib.detach(x)),
    Sample("unsafe_chunk", [randn(5, 2), 2], op="copy", ref=lambda x, _: (x[:3], x[3:]), dtypes=DOUBLE, view=False),
    Sample("unsafe_split", [randn(5, 2), 3], op="copy", ref=lambda x, _: (x[:3], x[3:]), dtypes=DOUBLE, view=False),
    Sample("Tensor.unsafe_split_with_sizes", [randn(5, 2), [1, 4]], op="copy", ref=lambda x, _: (x[:1], x[1:]), dtypes=DOUBLE, view=False),
]
for _row in COPIES:  # as in torch, whose chunks share memory after all, and whose alias and detach are views of a kind
    if _row.name.startswith(("unsafe_", "Tensor.unsafe_")):
        _row.torch = "torch's shares memory"

LAYOUT = [
    # torch's gradient for the first input is that of the part which is replaced
    Sample("as_strided_scatter", [randn(3, 4), randn(2, 3), (2, 3), (4, 1), 1], op="copy", dtypes=DOUBLE, view=False, grad=(1,),
           call=lambda lib, x, *a: lib.as_strided_scatter(x.contiguous(), *a),
           ref=lambda x, y, *_: np.concatenate([x.ravel()[:1], y[0], x.ravel()[4:5], y[1], x.ravel()[8:]]).reshape(3, 4)),
    Sample("nonzero_static", [const([[1.0, 0.0], [2.0, 3.0]])], dict(size=2), op="concatenate", ref=lambda x: np.array([[0, 0], [1, 0]]), dtypes=DOUBLE,
           gives="int64", grad=False),
    Sample("nonzero_static", [const([[1.0, 0.0], [2.0, 3.0]])], dict(size=4, fill_value=-2), op="concatenate", dtypes=DOUBLE, gives="int64", grad=False,
           ref=lambda x: np.array([[0, 0], [1, 0], [1, 1], [-2, -2]])),
    Sample("constant_pad_nd", [randn(2, 3), (1, -1, 0, 2), 5.0], op="constant_pad", dtypes=DOUBLE,
           ref=lambda x, *_: np.pad(x[:, :-1], ((0, 2), (1, 0)), constant_values=5.0)),
    Sample("empty_permuted", [(2, 3, 4), (1, 0, 2)], op=None, call=lambda lib, *a: lib.tensor(lib.empty_permuted(*a).stride()),
           ref=lambda *_: np.array([4, 8, 1]), dtypes=("float64",), gives="int64"),
    Sample("Tensor.as_strided_", [randn(6), (2, 2), (1, 2)], op="as_strided", dtypes=DOUBLE, view=False, call=lambda lib, x, *a: (x.contiguous() * 1).as_strided_(*a) + 0,
           ref=lambda x, *_: x[[[0, 2], [1, 3]]]),
    Sample("Tensor.dim_order", [randn(2, 3, 4)], op=None, dtypes=DOUBLE, grad=False, gives="int64", ref=lambda x: np.array([1, 0, 2]),
           call=lambda lib, x: lib.tensor(x.contiguous().transpose(0, 1).dim_order())),
]

DIFFERENCES = [
    Sample("gradient", [randn(4, 5)], op="concatenate", ref=lambda x: tuple(np.gradient(x)), dtypes=DOUBLE, slack=4),
    Sample("gradient", [randn(4, 5)], dict(spacing=[0.5, 2.0], edge_order=2), op="concatenate", dtypes=DOUBLE, slack=8,
           ref=lambda x: tuple(np.gradient(x, 0.5, 2.0, edge_order=2))),
    Sample("gradient", [randn(4, 5)], dict(spacing=[const([0.0, 0.5, 1.0, 3.0])], dim=0, edge_order=2), op="concatenate", dtypes=("float64",), slack=8,
           grad=(0,), ref=lambda x: np.gradient(x, [0.0, 0.5, 1.0, 3.0], axis=0, edge_order=2)),
    Sample("gradient", [randn(2, 3)], dict(dim=(0,)), op="concatenate", dtypes=DOUBLE, ref=lambda x: np.gradient(x, axis=0)),
    Sample("histogramdd", [randn(50, 2), 3], op=None, ref=lambda x, b: (np.histogramdd(x, b)[0], *np.histogramdd(x, b)[1]), dtypes=DOUBLE, grad=False),
    Sample("histogramdd", [randn(50, 2)], dict(bins=[2, 4], range=(-1.0, 1.0, -2.0, 2.0), density=True), op=None, dtypes=DOUBLE, grad=False, slack=8,
           ref=lambda x: (lambda h: (h[0], *h[1]))(np.histogramdd(x, [2, 4], [(-1, 1), (-2, 2)], density=True))),
    Sample("frobenius_norm", [randn(3, 4), 1], op="vector_norm", ref=lambda x, _: np.sqrt((x * x).sum(1)), dtypes=DOUBLE, slack=2),
    Sample("nuclear_norm", [randn(3, 4)], op="svdvals", ref=lambda x: np.linalg.norm(x, "nuc"), dtypes=DOUBLE, slack=8),
    Sample("norm_except_dim", [randn(2, 3, 4), 2, 1], op="vector_norm", ref=lambda x, p, d: np.sqrt((x * x).sum((0, 2), keepdims=True)), dtypes=DOUBLE,
           slack=2),
]

WINDOW = const(np.hanning(10)[1:-1])
SPECTRA = [
    Sample("stft", [randn(2, 20), 8], dict(return_complex=True), op="fft_real", ref=lambda x, n: stft(8, 2)(x), **weighted({})),
    Sample("stft", [randn(20), positive(6)], op="fft_real", ref=stft(8, 3, mode=None), **weighted({}),
           call=lambda lib, x, w: lib.stft(x, 8, 3, 6, w, center=False, return_complex=True)),
    Sample("stft", [randn(20), 8], dict(return_complex=False, pad_mode="circular", normalized=True), op="fft_real", dtypes=("float64",), slack=8,
           ref=lambda x, n: (lambda z: np.stack([z.real, z.imag], -1) / np.sqrt(8))(stft(8, 2, mode="wrap")(x))),
    Sample("stft", [randn(2, 16), 8], op="fft_complex", dtypes=("complex128",), slack=8, ref=None),
    Sample("istft", [randn(2, 20), WINDOW], op="fft_real_inverse", call=there_and_back(), ref=lambda x, w: x, dtypes=("float64",), slack=20, grad=(0,)),
    Sample("istft", [randn(20), WINDOW], op="fft_real_inverse", call=there_and_back(length=17), ref=lambda x, w: x[:17], dtypes=("float64",), slack=20,
           grad=(0,)),
]

NUMBERS = [
    Sample("Tensor.apply_", [randn(3, 4)], op=None, dtypes=DOUBLE, grad=False, call=lambda lib, x: x.detach().clone().apply_(lambda v: 2 * v + 1),
           ref=lambda x: 2 * x + 1),
    Sample("Tensor.map_", [randn(3, 4), randn(4)], op=None, dtypes=DOUBLE, grad=False, ref=lambda x, y: x - 2 * y,
           call=lambda lib, x, y: x.detach().clone().map_(y.detach(), lambda a, b: a - 2 * b)),
    Sample("Tensor.map2_", [randn(3), randn(3), randn(3)], op=None, dtypes=DOUBLE, grad=False, ref=lambda x, y, z: x * y + z,
           call=lambda lib, x, y, z: x.detach().clone().map2_(y.detach(), z.detach(), lambda a, b, c: a * b + c)),
    *(Sample(name, [*args], op=None, ref=ref, dtypes=("float64",)) for name, args, ref in (
        ("sym_max", (3, 2.0), lambda a, b: 3.0), ("sym_min", (2, 3), min), ("sym_int", (3.7,), int), ("sym_float", (3,), float), ("sym_not", (True,), lambda a: not a),
        ("sym_sqrt", (4,), np.sqrt), ("sym_sum", ([1, 2],), sum), ("sym_ite", (True, 1, 2), lambda b, t, f: t))),
    *(Sample(name, [randn(3)], op=None, dtypes=DOUBLE, grad=False, ref=lambda x: np.array(False), call=lambda lib, x, n=name: getattr(lib, n)(x))
      for name in ("is_conj", "is_neg", "is_distributed")),
    Sample("resolve_neg", [randn(3)], op=None, dtypes=DOUBLE, grad=False, ref=lambda x: 2 * x, call=lambda lib, x: 2 * lib.resolve_neg(x.detach())),
    Sample("typename", [3], op=None, call=lambda lib, n: len(lib.typename(n)), ref=lambda n: 3, dtypes=("float64",)),
]

SIZES = const([2, 0, 3], "int64")
SEGMENTS = [
    *(Sample("segment_reduce", [randn(5, 2), how], dict(lengths=SIZES, axis=0, initial=start), op="scatter_reduce", dtypes=DOUBLE, ref=None,
             check=lambda out, x, n, f=f: np.testing.assert_allclose(out[[0, 2]], np.stack([f(x[:2], 0), f(x[2:], 0)]), rtol=1e-12))
      for how, start, f in (("sum", None, np.sum), ("max", -9.0, np.max), ("min", 9.0, np.min), ("prod", 1.0, np.prod))),
    Sample("segment_reduce", [randn(6), "mean"], dict(offsets=const([0, 2, 6], "int64")), op="scatter_reduce", dtypes=DOUBLE,
           ref=lambda x, _: np.array([x[:2].mean(), x[2:].mean()]), slack=2),
    Sample("segment_reduce", [randn(2, 3), "sum"], dict(lengths=const([[1, 2], [2, 1]], "int64"), axis=1), op="scatter_reduce", dtypes=DOUBLE,
           ref=lambda x, _: np.array([[x[0, 0], x[0, 1:].sum()], [x[1, :2].sum(), x[1, 2]]]), slack=2),
    Sample("hash_tensor", [randn(2, 3)], op=None, dtypes=DOUBLE, grad=False, gives="uint64", call=lambda lib, x: lib.hash_tensor(x.detach()),
           ref=lambda x: np.bitwise_xor.reduce(x.view(np.uint64), axis=None)),
    Sample("hash_tensor", [randint(0, 9, 2, 3)], dict(dim=1, keepdim=True), op=None, dtypes=("float64",), grad=False, gives="uint64",
           ref=lambda x: np.bitwise_xor.reduce(x.view(np.uint64), axis=1, keepdims=True)),
    Sample("Tensor.renorm_", [randn(3, 4), 2, 0, 1.0], op="assign", dtypes=DOUBLE, call=lambda lib, x, *a: (x * 1).renorm_(*a), slack=4,
           ref=lambda x, *_: x * np.minimum(1, 1 / (np.sqrt((x * x).sum(1, keepdims=True)) + 1e-7))),
    Sample("frombuffer", [], op=None, dtypes=("float64",), gives="int16", ref=lambda: np.array([0x0302, 0x0504]),
           call=lambda lib: lib.frombuffer(bytearray(range(8)), dtype=lib.int16, count=2, offset=2)),
    *(Fails("frombuffer", [], error=ValueError, says=says, call=lambda lib, b=bytes_, k=kwargs: lib.frombuffer(b, dtype=lib.int32, **k))
      for bytes_, kwargs, says in ((bytearray(0), {}, "must not be 0"), (bytearray(16), dict(offset=20), "no greater than buffer length"),
                                   (bytearray(16), dict(count=9), "actual buffer length"), (bytearray(5), {}, "multiple of element size"),
                                   (3, {}, "buffer protocol"))),
    Fails("segment_reduce", [randn(6), "sum"], dict(lengths=const([2, 3], "int64")), says="to sum to data.size"),
    Fails("segment_reduce", [randn(6), "median"], dict(lengths=const([2, 4], "int64")), says="reduce argument must be"),
    Fails("segment_reduce", [randn(6), "sum"], says="Either lengths or offsets"),
]

REFUSED = [
    Fails("slice_copy", [randn(3), 0, 0, 3, 0], says="slice step must be positive"),
    Fails("gradient", [randn(3)], dict(edge_order=3), says="edge_order"), Fails("gradient", [randn(1)], says="at least edge_order"),
    Fails("gradient", [randn(3, 3)], dict(spacing=[1.0]), says="list of length 2"),
    Fails("histogramdd", [randn(5, 2), [2, 2, 2]], says="innermost dimension"), Fails("histogramdd", [randn(5, 2), 2], dict(range=(0.0, 1.0)), says="4 elements"),
    Fails("frobenius_norm", [randn(2, 2, 2), (0, 1, 2)], says="at most 2 dimensions"),
    Fails("nonzero_static", [randn(3)], dict(size=-1), says="non-negative integer"),
    Fails("as_strided_scatter", [randn(3, 4), randn(2), (2, 3), (4, 1)], says="src size"),
    Fails("constant_pad_nd", [randn(3), (-4, 0)], says="negative output size"), Fails("empty_permuted", [(2, 3), (0, 0)], says="permutation"),
    Fails("stft", [randn(20), 8], says="return_complex parameter"), Fails("stft", [randn(3), 8], dict(return_complex=True), says="Padding size"),
    Fails("stft", [randn(20), 8], dict(return_complex=True, hop_length=0), says="hop_length > 0"),
    Fails("stft", [randint(0, 9, 20), 8], dict(return_complex=True), says="floating types"),
    Fails("stft", [randn(20), 8], dict(return_complex=True, win_length=9), says="win_length <= n_fft"),
    Fails("istft", [randn(3, 3), 4], says="complex-valued input"), Fails("istft", [const(np.ones((4, 3)), "complex128"), 4], dict(onesided=True), says="to match n_fft"),
    Fails("Tensor.int_repr", [randn(3)], error=NotImplementedError, says="not quantized"), Fails("Tensor.reinforce", [randn(3), 1.0], says="was removed"),
    Fails("Tensor.as_subclass", [randn(3), int], error=TypeError, says="subclass of Tensor"),
    Fails("is_conj", [3], error=TypeError, says="must be Tensor"), Fails("set_num_threads", [0], says="positive integer"),
    Fails("set_deterministic_debug_mode", ["never"], says="expected one of"), Fails("sym_int", [lib("float64")], error=TypeError, says="int"),
]

SAMPLES = [*COPIES, *LAYOUT, *DIFFERENCES, *SPECTRA, *NUMBERS, *SEGMENTS, *REFUSED]
