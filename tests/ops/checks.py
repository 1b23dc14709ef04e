"""What the tests of ops share: running a sample on either library, gradients by autograd and by differences, tolerances.

Everything here takes the library as an argument, so that the very same lines run on ringgrad and on torch.
"""
import contextlib
import warnings

import ml_dtypes
import numpy as np
import pytest

import ringgrad
import ringgrad.nn  # noqa: F401 - with it every op is registered
from ringgrad._core.op import REGISTRY
from ringgrad._state import state

# (relative, absolute) distance from double precision that a result of this type may have
TOLERANCE = {"float16": (4e-3, 4e-3), "bfloat16": (3e-2, 3e-2), "float32": (2e-5, 2e-6), "float64": (1e-11, 1e-12),
             "complex64": (2e-5, 4e-6), "complex128": (1e-11, 1e-12)}
STEP = 1e-4  # of the numeric derivative
NUMERIC = 1e-7  # how close an exact derivative must come to it


def name_of(dtype):
    """The bare name of a dtype of either library."""
    return str(dtype).rpartition(".")[2]


def tensor(library, array, requires_grad=False, device=None):
    """`array` (bfloat16 included) as a tensor that shares nothing with it."""
    array = np.array(array)
    if library is ringgrad:
        t = library.from_numpy(array)
        t = t if device is None else t.to(device)
    elif array.dtype == ml_dtypes.bfloat16:
        t = library.from_numpy(array.astype(np.float32)).to(library.bfloat16)
    else:
        t = library.from_numpy(array)
    return t.requires_grad_() if requires_grad else t


def values(t):
    """A tensor of either library (or a number) as a NumPy array; bfloat16 as float32, torch's complex32 as complex64."""
    if not hasattr(t, "detach"):
        return np.asarray(t)
    t = t.detach().cpu()
    if t.is_sparse:
        t = t.to_dense()
    if name_of(t.dtype) in ("bfloat16", "complex32"):
        t = t.float() if name_of(t.dtype) == "bfloat16" else t.cfloat()
    return np.array(t.numpy(force=True))


def flat(out):
    """All tensors and numbers of a result, in order."""
    if isinstance(out, (tuple, list)):
        return [t for o in out for t in flat(o)]
    if isinstance(out, dict):
        return flat(list(out.values()))
    return [out]


def run(sample, library, tensors):
    """The outputs of a sample as a flat list, with the random generator in a known state."""
    library.manual_seed(20)
    with warnings.catch_warnings():
        if library is not ringgrad:
            warnings.simplefilter("ignore")
        return flat(sample.run(library, tensors))


@contextlib.contextmanager
def case(label):
    """One turn of a loop inside a test: a failure says which."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        error.add_note(f"This was the case {label}.")
        raise


def close(got, want, dtype, slack=1.0, what=""):
    """Assert that two arrays agree as far as `dtype` allows; exactly, for integers and bools."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    if got.dtype.kind in "fcV" and dtype in TOLERANCE:
        rtol, atol = TOLERANCE[dtype]
        wide = np.complex128 if "c" in got.dtype.kind + want.dtype.kind else np.float64
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(got.astype(wide), want.astype(wide), rtol=slack * rtol, atol=slack * atol, err_msg=what)
    else:
        np.testing.assert_array_equal(got, want, err_msg=what)


def differentiable_positions(sample, arrays):
    """Positions of the Inputs that gradients are checked for."""
    if sample.grad is False:
        return []
    floating = [i for i, a in enumerate(arrays) if a.dtype.kind in "fcV"]
    return floating if sample.grad is True else [i for i in sample.grad if i in floating]


def leaves(library, arrays, positions, device=None):
    """Tensors of `arrays`, those at `positions` requiring grad."""
    return [tensor(library, a, i in positions, device) for i, a in enumerate(arrays)]


def seeds_for(outs, seed=5):
    """Random weights, one array per output that carries a gradient, in its dtype and shape; None for the others."""
    rng = np.random.default_rng(seed)
    found = []
    for t in outs:
        if not getattr(t, "requires_grad", False):
            found.append(None)
            continue
        w = rng.standard_normal(tuple(t.shape))
        if "complex" in name_of(t.dtype):
            w = w + 1j * rng.standard_normal(tuple(t.shape))
        kind = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}.get(name_of(t.dtype)) or name_of(t.dtype)
        found.append(np.asarray(w).astype(kind))
    return found


def first_order(library, sample, arrays, positions=None, seeds=None, device=None):
    """(gradients of the weighted outputs for the inputs at `positions`, the weights): arrays, None where an input is not used."""
    positions = differentiable_positions(sample, arrays) if positions is None else positions
    inputs = leaves(library, arrays, positions, device)
    outs = run(sample, library, inputs)
    seeds = seeds_for(outs) if seeds is None else seeds
    live = [(t, tensor(library, w, device=device)) for t, w in zip(outs, seeds, strict=True) if w is not None and t.requires_grad]
    if not live:
        return [None] * len(positions), seeds
    wanted = [inputs[i] for i in positions]
    grads = library.autograd.grad([t for t, _ in live], wanted, [w for _, w in live], allow_unused=True)
    return [None if g is None else values(g) for g in grads], seeds


def second_order(library, sample, arrays, positions, seeds, mixers):
    """Gradients of sum(mixer * first-order gradient): for the inputs at `positions`, then for the weights (zeros where there are none)."""
    inputs = leaves(library, arrays, positions)
    outs = run(sample, library, inputs)
    weights = [None if w is None else tensor(library, w, True) for w in seeds]
    live = [(t, w) for t, w in zip(outs, weights, strict=True) if w is not None]
    wanted = [inputs[i] for i in positions]
    grads = library.autograd.grad([t for t, _ in live], wanted, [w for _, w in live], create_graph=True, allow_unused=True)
    roots = [(g, tensor(library, u)) for g, u in zip(grads, mixers, strict=True) if g is not None and g.requires_grad]
    leaf = wanted + [w for _, w in live]
    first = [None if g is None else values(g) for g in grads]
    if not roots:
        return first, [np.zeros(tuple(t.shape)) for t in leaf]
    found = library.autograd.grad([g for g, _ in roots], leaf, [u for _, u in roots], allow_unused=True)
    return first, [np.zeros(tuple(t.shape)) if g is None else values(g) for g, t in zip(found, leaf, strict=True)]


def inner(a, b):
    """The real inner product Re(sum(conj(a) * b)), in which a gradient of a real loss is the derivative along b."""
    return float(np.real(np.vdot(a, b)))


def derivative(f, x, direction):
    """d f(x + t direction) / dt at 0 by central differences with one Richardson step: the error is of order STEP ** 4."""
    def central(h):
        return (f(x + h * direction) - f(x - h * direction)) / (2 * h)
    return (4 * central(STEP) - central(2 * STEP)) / 3


def direction_like(array, seed):
    """A random unit vector of an array's shape and kind."""
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(array.shape)
    if array.dtype.kind == "c":
        v = v + 1j * rng.standard_normal(array.shape)
    return (v / max(float(np.sqrt(np.sum(np.abs(v) ** 2))), 1e-300)).astype(array.dtype)


def agree(exact, numeric, slack, what):
    """Assert that an exact directional derivative is what differences say."""
    assert np.isfinite(exact), f"{what} is {exact}"
    assert abs(exact - numeric) <= slack * NUMERIC * max(1.0, abs(numeric)), f"{what}: {exact!r}, but by differences {numeric!r}"


def variants(sample):
    """(label, arrays) of an elementwise sample beyond its own shapes: 0-d, empty, broadcast against each other, mixed."""
    arrays = sample.arrays()
    flat_ = [np.ravel(a) for a in arrays]
    yield "0-d", [a[0].reshape(()) for a in flat_]
    yield "empty", [np.resize(a, (0, 3)) for a in flat_]
    if len(arrays) > 1:
        columns = [(3, 1), (1, 4), (2, 1, 1)]
        yield "broadcast", [np.resize(a, columns[i % 3]) for i, a in enumerate(flat_)]
        yield "0-d beside 2-d", [np.resize(a, () if i % 2 else (2, 3)) for i, a in enumerate(flat_)]
        yield "2-d beside 0-d", [np.resize(a, (2, 3) if i % 2 else ()) for i, a in enumerate(flat_)]
        yield "empty beside a row", [np.resize(a, (1, 3) if i % 2 else (0, 1)) for i, a in enumerate(flat_)]


def strided(array, how):
    """The same values in another layout: columns first, or every second element of a larger block."""
    if how == "columns first":
        return np.asfortranarray(array) if array.ndim > 1 else _spread(array)
    return _spread(array)


def _spread(array):
    if array.ndim == 0:
        return np.repeat(array, 3)[1:2].reshape(())
    block = np.zeros((*array.shape[:-1], 2 * array.shape[-1] + 1), array.dtype)
    block[..., 1::2] = array
    return block[..., 1::2]


class Recorder:
    """Inside `with`, every operation goes through the tracer slot and is remembered as (op, inputs, attrs)."""

    def __enter__(self):
        self.calls, self.was = [], state.tracer
        state.tracer = self.tracer
        return self

    def __exit__(self, *_):
        state.tracer = self.was

    def tracer(self, op, inputs, attrs, inplace=False):
        self.calls.append((op, inputs, attrs, inplace))
        inner_, state.tracer = state.tracer, None
        try:
            if inplace:
                return ringgrad._core.inplace.apply_inplace(op, inputs[0], inputs[1:], attrs)
            return op.apply(inputs, attrs)
        finally:
            state.tracer = inner_

    @property
    def names(self):
        """Names of the ops that ran."""
        return {op.name for op, *_ in self.calls}


def record_of(sample):
    """The Op record that a sample is about, or None."""
    return REGISTRY.get(sample.op)
