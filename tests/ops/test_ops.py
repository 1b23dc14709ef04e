"""Every sample, multiplied by what must hold for every op."""
import itertools

import numpy as np
import pytest

import ringgrad
from ringgrad._core.graph import Pick
from ringgrad._core.op import REGISTRY
from ringgrad._core.saved import OWN, RAW
from ringgrad._core.tensor import Tensor

from .checks import (
    Recorder,
    agree,
    case,
    close,
    derivative,
    differentiable_positions,
    direction_like,
    first_order,
    inner,
    leaves,
    name_of,
    record_of,
    run,
    second_order,
    seeds_for,
    strided,
    tensor,
    values,
    variants,
)
from .sample import BOOL, COMPLEX, INTS
from .samples import FAILS, SAMPLES

INTERNAL = {
    "to_device": "needs two devices: tests/core/test_device.py, on a GPU",
    "standard_gamma": "its gradient is that of the quantile, which differences of draws do not show: tests/distributions/test_sampling.py",
    "view_scatter": "how a write through a view is recorded; reached by the in-place scripts of tests/autograd",
}

# Their in-place forms write no elements but give the tensor another shape: tests/core/test_types_and_legacy.py.
CHANGE_THE_TENSOR_ITSELF = {"squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims", "resize"}

ON_THE_CPU = {"Tensor.apply_", "Tensor.map_", "Tensor.map2_"}  # call Python with each element; refused elsewhere, as in torch

EXACT = [s for s in SAMPLES if not s.random]
GRADED = [(s, d) for s in SAMPLES if s.grad is not False and s.inputs
          for d in dict.fromkeys([s.base, *(d for d in s.dtypes if d == "complex128")]) if d in ("float64", "complex128")]


def rows(samples):
    return pytest.mark.parametrize("sample", samples, ids=str)


def pairs(couples):
    return pytest.mark.parametrize(("sample", "dtype"), couples, ids=[f"{s}-{d}" for s, d in couples])


def tensors(sample, dtype=None):
    return [tensor(ringgrad, a) for a in sample.arrays(dtype)]


def expected_dtype(sample, dtype):
    """The name of the output's dtype, by the sample's `gives`."""
    if sample.gives == "same":
        return dtype
    if sample.gives == "to_float":
        return "float32" if dtype in INTS + BOOL else dtype
    return sample.gives


def bits(t):
    a = t._data
    return a.dtype, a.shape, a.tobytes()


# -- values ------------------------------------------------------------------------------------------------------------


@rows([s for s in EXACT if s.ref is not None])
def test_value(sample):
    arrays = sample.arrays()
    outs = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
    wanted = sample.expected(arrays)
    assert len(outs) == len(wanted)
    for i, (out, want) in enumerate(zip(outs, wanted, strict=True)):
        close(values(out), want, name_of(getattr(out, "dtype", "float64")), sample.slack, f"output {i}")


@rows(SAMPLES)
def test_every_dtype(sample):
    """The output's dtype is the policy's, and its values are as close to double precision as the dtype allows."""
    for dtype in sample.dtypes:
        with case(dtype):
            check_dtype(sample, dtype)


def check_dtype(sample, dtype):
    arrays = sample.arrays(dtype)
    outs = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
    if isinstance(outs[0], Tensor):
        assert name_of(outs[0].dtype) == expected_dtype(sample, dtype)
    if sample.ref is None or sample.random:
        return
    for i, (out, want) in enumerate(zip(outs, sample.expected(arrays), strict=True)):
        kept = name_of(getattr(out, "dtype", dtype))
        close(values(out), want if kept in (*COMPLEX, "float16", "bfloat16", "float32", "float64") else want.astype(values(out).dtype),
              dtype if dtype in INTS + BOOL and kept not in ("float32", "float64") else kept, sample.slack, f"output {i}")


@rows([s for s in SAMPLES if s.check is not None])
def test_property(sample):
    arrays = sample.arrays()
    sample.check(*[values(t) for t in run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])], *arrays)


@rows([s for s in SAMPLES if s.inputs])
def test_inputs_are_untouched(sample):
    arrays = sample.arrays()
    inputs = [tensor(ringgrad, a, i in differentiable_positions(sample, arrays)) for i, a in enumerate(arrays)]
    outs = run(sample, ringgrad, inputs)
    live = [t for t in outs if getattr(t, "requires_grad", False)]
    if live:
        ringgrad.autograd.backward(live, [ringgrad.ones_like(t) for t in live])
    for t, a in zip(inputs, arrays, strict=True):
        np.testing.assert_array_equal(t.detach().numpy(), a)
        assert t._version == 0


@rows([s for s in EXACT if s.inputs])
def test_any_layout(sample):
    for how in ("columns first", "every second"):
        with case(how):
            check_layout(sample, how)


def check_layout(sample, how):
    arrays = sample.arrays()
    dense = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
    loose = [strided(a, how) for a in arrays]
    assert all(np.array_equal(a, b) for a, b in zip(arrays, loose, strict=True))
    inputs = [ringgrad.from_numpy(a) for a in loose]
    assert all(np.shares_memory(t.numpy(), a) for t, a in zip(inputs, loose, strict=True) if a.size), "from_numpy copied"
    try:
        outs = run(sample, ringgrad, inputs)
    except RuntimeError as error:
        if "view size is not compatible" in str(error):
            return  # torch, too, has no view of this shape for this layout
        raise
    for i, (a, b) in enumerate(zip(outs, dense, strict=True)):
        close(values(a), values(b), name_of(getattr(b, "dtype", "float64")), sample.slack, f"output {i}")


@rows([s for s in EXACT if s.elementwise and s.ref is not None])
def test_shapes_of_elementwise_ops(sample):
    for label, arrays in variants(sample):
        outs = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
        for out, want in zip(outs, sample.expected(arrays), strict=True):
            assert tuple(out.shape) == np.broadcast_shapes(*(a.shape for a in arrays)), label
            close(values(out), want, name_of(out.dtype), sample.slack, label)


@rows(EXACT)
def test_memory_is_shared_by_views_only(sample):
    op, inputs = record_of(sample), tensors(sample)
    outs = [t for t in run(sample, ringgrad, inputs) if isinstance(t, Tensor) and t.numel()]
    shares = sample.view if sample.view is not None else op is not None and op.view
    for t in outs:
        assert any(np.shares_memory(t._data, x._data) for x in inputs) == shares
        assert t._is_view() or not shares


# -- gradients ---------------------------------------------------------------------------------------------------------


@pairs(GRADED)
def test_gradient(sample, dtype):
    """Order 1, for each input against differences; alone it gets the same gradient as beside the others."""
    arrays = sample.arrays(dtype)
    check_gradient(sample, arrays)


@rows([s for s, d in GRADED if s.elementwise and d == s.base])
def test_gradient_for_other_shapes(sample):
    for label, arrays in variants(sample):
        check_gradient(sample, arrays, label)


def check_gradient(sample, arrays, label=""):
    positions = differentiable_positions(sample, arrays)
    assert positions, "the sample promises gradients but has no floating input"
    grads, seeds = first_order(ringgrad, sample, arrays)
    assert any(w is not None for w in seeds), "no output carries a gradient"

    def loss(changed):
        outs = run(sample, ringgrad, [tensor(ringgrad, a) for a in changed])
        return sum(inner(w, values(t)) for t, w in zip(outs, seeds, strict=True) if w is not None)

    for k, i in enumerate(positions):
        g = np.zeros_like(arrays[i]) if grads[k] is None else grads[k]
        assert g.shape == arrays[i].shape and g.dtype == arrays[i].dtype
        v = direction_like(arrays[i], seed=i)
        numeric = derivative(lambda x, i=i: loss([*arrays[:i], x, *arrays[i + 1:]]), arrays[i], v)
        agree(inner(g, v), numeric, sample.slack, f"{label} gradient for input {i}")
        (alone,), _ = first_order(ringgrad, sample, arrays, [i], seeds)
        np.testing.assert_array_equal(g if alone is not None else np.zeros_like(g), g if alone is None else alone,
                                      err_msg=f"{label} gradient for input {i} alone")


@pairs([(s, d) for s, d in GRADED if s.order2 is True])
def test_second_gradient(sample, dtype):
    """Order 2: derivatives of a random projection of the gradient, for inputs and for the incoming gradient."""
    arrays = sample.arrays(dtype)
    positions = differentiable_positions(sample, arrays)
    plain, seeds = first_order(ringgrad, sample, arrays)
    mixers = [direction_like(arrays[i], seed=100 + i) for i in positions]
    recorded, exact = second_order(ringgrad, sample, arrays, positions, seeds, mixers)
    for i, a, b in zip(positions, recorded, plain, strict=True):
        if a is not None or b is not None:
            close(a, b, dtype, sample.slack, f"recorded gradient {i}")

    def projected(changed):
        k = len(arrays)
        found, _ = first_order(ringgrad, sample, changed[:k], positions, changed[k:])
        return sum(inner(u, g) for u, g in zip(mixers, found, strict=True) if g is not None)

    everything = [*arrays, *seeds]
    live = [len(arrays) + j for j, w in enumerate(seeds) if w is not None]
    for at, g in zip([*positions, *live], exact, strict=True):
        v = direction_like(everything[at], seed=at)
        numeric = derivative(lambda x, at=at: projected([*everything[:at], x, *everything[at + 1:]]), everything[at], v)
        agree(inner(g, v), numeric, 10 * sample.slack, f"second derivative for {'input' if at < len(arrays) else 'seed of output'} {at}")


@rows([s for s in EXACT if s.grad is not False and s.inputs and s.base == "float64"])
def test_gradient_in_lower_precision(sample):
    """In the input's own dtype, and as close to the float64 gradient of the same (rounded) inputs as that allows."""
    for dtype in sample.dtypes:
        if dtype in ("float16", "bfloat16", "float32"):
            with case(dtype):
                check_low_gradient(sample, dtype)


def check_low_gradient(sample, dtype):
    arrays = sample.arrays(dtype)
    low, seeds = first_order(ringgrad, sample, arrays)
    wide = [a.astype(np.float64) if i.follows else a for i, a in zip(sample.inputs, arrays, strict=True)]
    high, _ = first_order(ringgrad, sample, wide, seeds=[None if w is None else w.astype(np.float64) for w in seeds])
    for i, g, want in zip(differentiable_positions(sample, arrays), low, high, strict=True):
        if want is None:
            assert g is None
            continue
        size = max(1.0, float(np.max(np.abs(want), initial=0.0)))
        close(g / size, want / size, dtype, 4 * sample.slack, f"gradient for input {i}")


@rows([s for s in SAMPLES if s.grad is not False and s.inputs])
def test_gradients_own_their_memory(sample):
    """backward twice over a kept graph doubles .grad; no two gradients, and no gradient and input, share memory."""
    arrays = sample.arrays()
    positions = differentiable_positions(sample, arrays)
    inputs = leaves(ringgrad, arrays, positions)
    outs = [t for t in run(sample, ringgrad, inputs) if getattr(t, "requires_grad", False)]
    seeds = [tensor(ringgrad, w) for w in seeds_for(outs)]
    ringgrad.autograd.backward(outs, seeds, retain_graph=True)
    grads = [inputs[i].grad for i in positions if inputs[i].grad is not None]
    assert grads
    once = [g.detach().numpy().copy() for g in grads]
    memory = [g._data for g in grads] + [t._data for t in (*inputs, *outs, *seeds)]
    for k, g in enumerate(grads):
        assert name_of(g.dtype) in ("float64", "complex128", sample.base) and not g.requires_grad
        assert not any(np.shares_memory(g._data, other) for j, other in enumerate(memory) if j != k and other.size)
    ringgrad.autograd.backward(outs, seeds)
    for g, first in zip(grads, once, strict=True):
        np.testing.assert_allclose(g.numpy(), 2 * first, rtol=1e-13)


@rows([s for s in SAMPLES if s.grad is False and s.inputs])
def test_no_gradient_where_none_is_promised(sample):
    arrays = sample.arrays()
    inputs = leaves(ringgrad, arrays, [i for i, a in enumerate(arrays) if a.dtype.kind in "fcV"])
    assert not any(getattr(t, "requires_grad", False) for t in run(sample, ringgrad, inputs))


# -- paths of dispatch -------------------------------------------------------------------------------------------------


@rows([s for s in SAMPLES if {"float32", "float64"} & set(s.dtypes)])
def test_quick_path_equals_general_path(sample):
    """Bit for bit, and in everything that is left behind: edges, saved values, views."""
    for dtype, recording in itertools.product([d for d in sample.dtypes if d in ("float32", "float64")], [True, False]):
        with case(f"{dtype}, {'recording' if recording else 'constant'}"):
            check_paths(sample, dtype, recording)


def check_paths(sample, dtype, recording):
    arrays = sample.arrays(dtype)
    inputs = leaves(ringgrad, arrays, differentiable_positions(sample, arrays) if recording else [])
    with Recorder() as recorder:
        run(sample, ringgrad, inputs)
    for op, operands, attrs, inplace in recorder.calls:
        if inplace or op.random or op.name not in vars(ringgrad.ops):
            continue
        if op.variadic:
            quick = vars(ringgrad.ops)[op.name](operands, **attrs)
        else:
            given = {**dict(zip(op.inputs, operands, strict=True)), **attrs}
            quick = vars(ringgrad.ops)[op.name](*[given[name] for name in op.order])
        general = op.apply(operands, attrs)
        assert_same_result(quick, general, op)


def assert_same_result(quick, general, op):
    several = isinstance(general, tuple)
    assert isinstance(quick, tuple) == several
    for a, b in zip(quick if several else (quick,), general if several else (general,), strict=True):
        assert type(a) is type(b)
        assert bits(a) == bits(b), op.name
        assert (a._requires_grad, a._grad, a._hooks) == (b._requires_grad, b._grad, b._hooks), op.name
        assert (a._view is None) == (b._view is None), op.name
        if a._view is not None:
            assert a._view.base is b._view.base and a._view.path == b._view.path and a._view.blocked == b._view.blocked, op.name
            assert a._cell is b._cell, op.name
        assert (a._node is None) == (b._node is None), op.name
        if a._node is not None:
            assert_same_node(a, b, a._node, b._node)


def assert_same_node(a, b, quick, general):
    assert type(quick) is type(general) and quick.op is general.op and quick.attrs == general.attrs
    if type(quick) is Pick:
        assert (quick.index, quick.shapes, quick.dtypes, quick.saved) == (general.index, general.shapes, general.dtypes, general.saved)
        quick, general = quick.edges[0], general.edges[0]
    assert len(quick.edges) == len(general.edges)
    for e, f in zip(quick.edges, general.edges, strict=True):
        assert e is f, f"{quick.op.name}: edges {quick.edges} and {general.edges}"
    assert len(quick.saved) == len(general.saved)
    for e, f in zip(quick.saved, general.saved, strict=True):
        assert type(e) is type(f), f"{quick.op.name}: saved {e} and {f}"
        for one, other in zip(e, f, strict=True) if type(e) is list else [(e, f)]:
            assert_same_entry(a, b, one, other, quick.op)


def assert_same_entry(a, b, quick, general, op):
    assert (quick is None) == (general is None), f"{op.name}: saved {quick} and {general}"
    if quick is None:
        return
    (x, cell, version, source), (y, other_cell, other_version, other_source) = quick, general
    if hasattr(x, "tobytes"):
        assert x.dtype == y.dtype and x.tobytes() == y.tobytes()
    else:
        assert x == y or x is y
    assert version == other_version and source is other_source
    if source is OWN:
        assert cell is a._cell and other_cell is b._cell, f"{op.name}: version cells"
    elif type(source) is int or source is RAW:  # one of several outputs, whose cells are new
        assert type(cell) is type(other_cell) is list and cell == other_cell, f"{op.name}: version cells"
    else:
        assert cell is other_cell, f"{op.name}: version cells"


@rows(SAMPLES)
def test_traced_equals_eager(sample):
    """A tracer that only applies changes nothing, and sees the op that the sample is about."""
    arrays = sample.arrays()
    positions = differentiable_positions(sample, arrays)
    eager = run(sample, ringgrad, leaves(ringgrad, arrays, positions))
    with Recorder() as recorder:
        traced = run(sample, ringgrad, leaves(ringgrad, arrays, positions))
    assert len(eager) == len(traced)
    for a, b in zip(eager, traced, strict=True):
        if isinstance(a, Tensor):
            assert bits(a) == bits(b) and a.requires_grad == b.requires_grad and a.is_leaf == b.is_leaf
        else:
            assert a == b
    if sample.op is not None:
        assert sample.op in recorder.names, f"never reached; the ops reached are {sorted(recorder.names)}"


# -- in place ----------------------------------------------------------------------------------------------------------


def twin_of(sample):
    """The name of the in-place method that belongs to a sample, or None."""
    last = sample.name.rpartition(".")[2]
    fits = sample.inplace is True and sample.call is None and not last.startswith("__") and not last.endswith("_") and not sample.random
    first = sample.args[0] if sample.args else None
    if last in CHANGE_THE_TENSOR_ITSELF:
        return None
    return f"{last}_" if fits and first in sample.inputs and hasattr(Tensor, f"{last}_") else None


@rows([s for s in SAMPLES if twin_of(s)])
def test_inplace_twin(sample):
    """It gives what the op gives, in the same memory, counts one write, and passes the same gradients."""
    arrays, twin = sample.arrays(), twin_of(sample)
    positions = differentiable_positions(sample, arrays)
    inputs = leaves(ringgrad, arrays, positions)
    (out,) = run(sample, ringgrad, inputs)
    assert tuple(out.shape) == tuple(inputs[0].shape), f"{twin} exists, but this sample changes the shape: give it inplace='reason'"
    (args, kwargs) = sample.arguments(ringgrad, inputs)
    target = args[0] * 1 if args[0].dtype != ringgrad.bool else args[0].clone()
    memory, before = target._data, target._version
    same = getattr(target, twin)(*args[1:], **kwargs)
    assert same is target and target._data is memory and target._version == before + 1
    close(values(target), values(out).astype(values(target).dtype), name_of(target.dtype), sample.slack)
    assert target.requires_grad == out.requires_grad
    if out.requires_grad:
        (seed,) = seeds_for([out])
        wanted = [inputs[i] for i in positions]
        plain = ringgrad.autograd.grad(out, wanted, tensor(ringgrad, seed), allow_unused=True)
        bent = ringgrad.autograd.grad(target, wanted, tensor(ringgrad, seed), allow_unused=True)
        for a, b in zip(plain, bent, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                close(values(b), values(a), name_of(a.dtype), sample.slack)


# -- refusals ----------------------------------------------------------------------------------------------------------


@rows(FAILS)
def test_refusal(sample):
    arrays = sample.arrays()
    inputs = [tensor(ringgrad, a) for a in arrays]
    with pytest.raises(sample.error, match=sample.says) as caught:
        sample.run(ringgrad, inputs)
    assert caught.type is sample.error
    assert sample.says, "a refusal says something: give the row `says`"
    for t, a in zip(inputs, arrays, strict=True):
        np.testing.assert_array_equal(t.numpy(), a)


# -- the GPU -----------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@rows([s for s in EXACT if s.name not in ON_THE_CPU])
def test_gpu_equals_cpu(sample, gpu):
    for dtype in sample.dtypes:
        with case(dtype):
            check_gpu(sample, dtype)


def check_gpu(sample, dtype):
    arrays = sample.arrays(dtype)
    here = run(sample, ringgrad, [tensor(ringgrad, a) for a in arrays])
    there = run(sample, ringgrad, [tensor(ringgrad, a, device="cuda") for a in arrays])
    for i, (a, b) in enumerate(zip(there, here, strict=True)):
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        close(values(a), values(b), name_of(getattr(b, "dtype", dtype)), 2 * sample.slack, f"output {i}")
    if dtype == "float64" and differentiable_positions(sample, arrays):
        ours, seeds = first_order(ringgrad, sample, arrays)
        theirs, _ = first_order(ringgrad, sample, arrays, seeds=seeds, device="cuda")
        for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            assert (a is None) == (b is None)
            if a is not None:
                close(a, b, "float64", 10 * sample.slack, f"gradient {i}")


# -- completeness ------------------------------------------------------------------------------------------------------


def test_every_op_has_a_sample_with_a_reference():
    covered = {s.op for s in SAMPLES if s.ref is not None or s.check is not None}
    missing = sorted(set(REGISTRY) - covered - set(INTERNAL))
    assert not missing, f"no sample with a reference for: {', '.join(missing)}"


def test_every_differentiable_op_has_a_sample_of_its_gradient():
    checked = {s.op for s, _ in GRADED}
    refusing = {name for name, op in REGISTRY.items() if all(getattr(rule.fn, "refuses", False) for rule in op.rules)}
    missing = sorted(set(REGISTRY) - refusing - checked - set(INTERNAL))
    assert not missing, f"gradients never checked: {', '.join(missing)}"


def test_samples_name_ops_that_exist():
    unknown = sorted({f"{s}: {s.op}" for s in SAMPLES if s.op is not None and s.op not in REGISTRY})
    assert not unknown
    assert not set(INTERNAL) - set(REGISTRY)
