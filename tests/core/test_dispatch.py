"""Declaring an op, calling it, and what dispatch does with types, devices, overrides and errors."""
import inspect

import numpy as np
import pytest

import ringgrad
from ringgrad._core.compile import fast_function, source_code
from ringgrad._core.op import REGISTRY, op
from ringgrad._core.promotion import same, to_float
from ringgrad._core.tensor import Tensor

from ..ops.checks import Recorder


@pytest.fixture
def declare():
    """Declare ops for one test; the registry forgets them afterwards."""
    before = set(REGISTRY)
    yield op
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


@pytest.fixture
def scaled(declare):
    """scaled(x, y, factor=2) = x * y * factor, with a rule for each operand."""
    @declare(promote=same)
    def scaled(xp, x, y, factor: float = 2.0):
        """x * y * factor"""
        return x * y * factor

    @scaled.vjp("x")
    def _(xp, g, y, factor):
        return g * y * factor

    @scaled.vjp("y")
    def _(xp, g, x, factor):
        return g * x * factor

    return scaled


def both_ways(record):
    """The two ways to call an op: the general path and the quick one."""
    return {"general": record, "quick": fast_function(record)}


@pytest.fixture(params=["general", "quick"])
def call(request, scaled):
    return both_ways(scaled)[request.param]


# -- declaration -------------------------------------------------------------------------------------------------------


def test_parameters_without_annotation_are_inputs(scaled):
    assert scaled.inputs == ("x", "y") and scaled.attrs == {"factor": 2.0} and scaled.order == ("x", "y", "factor")
    assert scaled.grad_name == "ScaledBackward0" and "scaled" in repr(scaled)
    assert fast_function(scaled).__doc__ == "x * y * factor" and fast_function(scaled).op is scaled


def test_a_name_is_registered_once(declare, scaled):
    with pytest.raises(ValueError, match="scaled is registered already"):
        @declare()
        def scaled(xp, x):
            return x


def test_a_rule_may_name_only_what_exists(declare):
    @declare(promote=same)
    def lonely(xp, x):
        return x * 2

    with pytest.raises(TypeError, match="lonely.*'weight'"):
        @lonely.vjp("x")
        def _(xp, g, weight):
            return g


def test_rules_save_only_what_they_name(scaled):
    x, y = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2)
    saved = dict(zip(scaled.slots, scaled(x, y).grad_fn.saved, strict=True))
    assert saved["x"] is None and saved["y"][0] is y._data


def test_the_quick_path_reads_like_a_function(scaled):
    text = source_code(scaled)
    assert text.startswith("def scaled(input, other, factor=default_factor):")
    compile(text, "scaled", "exec")


def test_every_quick_function_takes_numpys_arguments():
    """Rules call `xp.name(...)` with NumPy's arguments whether xp is NumPy or `ringgrad.ops`."""
    families = {name: record for name, record in REGISTRY.items() if record.forward.__module__.startswith("ringgrad.ops.")}
    assert len(families) > 100
    for name, record in families.items():
        function = vars(ringgrad.ops).get(name)
        assert callable(function) and function.op is record, name
        if record.fast:
            assert len(inspect.signature(function).parameters) == len(record.order) or not hasattr(function, "__code__"), name


# -- calls -------------------------------------------------------------------------------------------------------------


def test_positional_keyword_and_default_arguments(call):
    x, y = ringgrad.tensor([1.0, 2.0]), ringgrad.tensor([3.0, 4.0])
    assert call(x, y).tolist() == [6, 16]
    assert call(x, y, 1.0).tolist() == call(x, y, factor=1.0).tolist() == [3, 8]


def test_a_python_number_beside_a_tensor(call):
    x = ringgrad.tensor([1.0, 2.0], requires_grad=True)
    y = call(x, 3)
    y.sum().backward()
    assert y.tolist() == [6, 12] and x.grad.tolist() == [6, 6] and y.dtype == ringgrad.float32
    assert call(3.0, x).tolist() == [6, 12]


@pytest.mark.parametrize(("args", "kwargs", "words"), [
    ((1.0,), {}, "missing"), ((1.0, 2.0, 3.0, 4.0), {}, "positional argument"), ((1.0, 2.0), {"scale": 1}, "unexpected keyword"),
])
def test_a_wrong_call_is_a_type_error(call, args, kwargs, words):
    with pytest.raises(TypeError, match=words):
        call(ringgrad.ones(2), *args[1:], **kwargs)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int64", "complex64"])
def test_results_keep_the_common_type(call, dtype):
    x = ringgrad.ones(3, dtype=getattr(ringgrad, dtype))
    assert call(x, x, 2).dtype == x.dtype


def test_shapes_that_do_not_broadcast_are_told_in_torchs_words(call):
    with pytest.raises(RuntimeError, match=r"The size of tensor a .2. must match the size of tensor b .3. at non-singleton dimension 0"):
        call(ringgrad.ones(2), ringgrad.ones(3))
    with pytest.raises(RuntimeError, match=r"The size of tensor a .4. must match the size of tensor b .3. at non-singleton dimension 1"):
        call(ringgrad.ones(2, 4), ringgrad.ones(2, 3))


def test_an_operand_of_a_strange_type(call):
    with pytest.raises(TypeError, match="expected a Tensor or a number, got str"):
        call(ringgrad.ones(2), "abc")


def test_a_formulas_own_error_comes_through(declare):
    @declare(promote=same)
    def refusing(xp, x, y):
        raise IndexError("no such thing")

    for function in both_ways(refusing).values():
        with pytest.raises(IndexError, match="no such thing"):
            function(ringgrad.ones(2), ringgrad.ones(2))


def test_operators_leave_strangers_to_python():
    class Strange:
        def __radd__(self, other):
            return "strange"

    x = ringgrad.ones(2)
    assert x + Strange() == "strange"
    with pytest.raises(TypeError):
        x + "text"
    with pytest.raises(TypeError):
        x * None
    with pytest.raises(TypeError):
        [1] @ x


def test_numpy_arrays_do_not_take_over():
    """ndarray * Tensor is a Tensor, recorded."""
    x = ringgrad.ones(2, requires_grad=True)
    for y in (np.array([1.0, 2.0], np.float32) * x, np.float32(3) * x, x + np.float64(1)):
        assert isinstance(y, Tensor) and y.requires_grad


def test_scalar_results_are_arrays_with_no_dimensions():
    two = ringgrad.tensor(2.0)
    for y in (ringgrad.ones(3).sum(), two * 3, two.exp(), ringgrad.ones(3)[0], ringgrad.ones(2) @ ringgrad.ones(2)):
        assert isinstance(y._data, np.ndarray) and y.shape == ()


def test_inf_and_nan_come_without_a_word():
    """torch does not warn; NumPy's settings are the user's own again afterwards."""
    before = np.geterr()
    x = ringgrad.tensor([0.0, -1.0], requires_grad=True)
    y = (1 / x).log()
    y.sum().backward()
    x.half().exp()
    ringgrad.tensor([1, 0]) / ringgrad.tensor([0, 0])
    assert np.isnan(y[1].item()) and np.geterr() == before
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.ones(1) / np.zeros(1)


# -- precision ---------------------------------------------------------------------------------------------------------


def test_half_precision_is_computed_in_single(declare):
    """Intermediate results do not overflow, forward or backward; what comes out is half again."""
    seen = []

    @declare(promote=same)
    def peaky(xp, x):
        seen.append(x.dtype)
        return xp.exp(x) / 1e4

    @peaky.vjp("x")
    def _(xp, g, x):
        seen.append(x.dtype)
        return g * xp.exp(x) / 1e4

    for function in both_ways(peaky).values():
        x = ringgrad.tensor([12.0, 1.0], dtype=ringgrad.float16, requires_grad=True)
        y = function(x)
        y.sum().backward()
        np.testing.assert_allclose(y.detach().numpy(), np.exp([12.0, 1.0]) / 1e4, rtol=2e-3)
        np.testing.assert_allclose(x.grad.numpy(), np.exp([12.0, 1.0]) / 1e4, rtol=2e-3)
        assert y.dtype == x.grad.dtype == ringgrad.float16
    assert set(seen) == {np.dtype(np.float32)}


def test_integers_become_the_default_float(declare):
    @declare(promote=to_float)
    def halved(xp, x):
        return x / 2

    for function in both_ways(halved).values():
        assert function(ringgrad.tensor([1, 2])).dtype == ringgrad.float32
        ringgrad.set_default_dtype(ringgrad.float64)
        try:
            assert function(ringgrad.tensor([True])).dtype == ringgrad.float64
        finally:
            ringgrad.set_default_dtype(ringgrad.float32)


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_an_override_takes_the_formulas_place(scaled):
    ran = []
    x, y = ringgrad.ones(2, requires_grad=True), ringgrad.full((2,), 3.0)
    functions = both_ways(scaled)
    for function in functions.values():
        function(x, y)

    @scaled.kernel("numpy")
    def _(xp, x, y, factor):
        ran.append("forward")
        return x * y * factor

    @scaled.kernel("numpy", vjp="x")
    def _(xp, g, y, factor):
        ran.append("backward")
        return g * y * factor

    for function in functions.values():
        function(x, y).sum().backward()
    assert ran == ["forward", "backward"] * 2 and x.grad.tolist() == [12, 12]


def test_an_override_is_not_used_when_the_pass_is_recorded(scaled):
    @scaled.kernel("numpy", vjp="x")
    def _(xp, g, y, factor):
        raise AssertionError("a fused kernel cannot be differentiated")

    x, y = ringgrad.ones(2, requires_grad=True), ringgrad.ones(2, requires_grad=True)
    (g,) = ringgrad.autograd.grad(scaled(x, y).sum(), x, create_graph=True)
    g.sum().backward()
    assert y.grad.tolist() == [2, 2]


def test_an_override_for_another_backend_changes_nothing(scaled):
    @scaled.kernel("cupy")
    def _(xp, x, y, factor):
        raise AssertionError

    for function in both_ways(scaled).values():
        assert function(ringgrad.ones(2), ringgrad.ones(2)).tolist() == [2, 2]


# -- joint rules, several outputs --------------------------------------------------------------------------------------


def test_a_joint_rule_hears_what_is_needed(declare):
    heard = []

    @declare(promote=same)
    def affine(xp, x, w, b=None):
        return x * w if b is None else x * w + b

    @affine.vjp("x", "w", "b")
    def _(xp, g, x, w, needs):
        heard.append(needs)
        return g * w if needs[0] else None, g * x if needs[1] else None, g if needs[2] else None

    for function in both_ways(affine).values():
        x, w, b = ringgrad.ones(2), ringgrad.full((2,), 3.0, requires_grad=True), ringgrad.ones(1, requires_grad=True)
        function(x, w, b).sum().backward()
        assert w.grad.tolist() == [1, 1] and b.grad.tolist() == [2]
        function(x, w).sum().backward()
    assert heard == [(False, True, True), (False, True, False)] * 2


def test_several_outputs(declare):
    heard = []

    @declare(promote=same)
    def both(xp, x):
        return x * 2, x * 3, xp.argsort(x)

    @both.vjp("x")
    def _(xp, g):
        heard.append([part is not None for part in g])
        a, b, _ = g
        return a * 2 if b is None else b * 3 if a is None else a * 2 + b * 3

    x = ringgrad.ones(2, requires_grad=True)
    a, b, order = both(x)
    assert not order.requires_grad and order.is_leaf and a.output_nr == 0 and b.output_nr == 1
    b.sum().backward(retain_graph=True)
    (a + b).sum().backward()
    assert heard == [[False, True, False], [True, True, False]] and x.grad.tolist() == [8, 8]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_gradients_of_tensors_without_dimensions(dtype):
    """Formulas on 0-d arrays yield NumPy scalars in the middle of a backward pass, of every type."""
    x = ringgrad.tensor(2.0, dtype=getattr(ringgrad, dtype), requires_grad=True)
    y = x * x * x + x.exp() * 0 + x.sum() - x
    y.backward(ringgrad.ones_like(y))
    assert x.grad.dtype == x.dtype and x.grad.shape == () and x.grad.item() == 12
    (g,) = ringgrad.autograd.grad(x * x, x, ringgrad.ones_like(x), create_graph=True)
    g.backward(ringgrad.ones_like(g))
    assert x.grad.item() == 14


def test_the_engine_unbroadcasts_and_casts(declare, scaled):
    x = ringgrad.ones(3, 1, requires_grad=True)
    y = ringgrad.ones(2, 1, 4, dtype=ringgrad.float64, requires_grad=True)
    z = scaled(x, y)
    assert z.shape == (2, 3, 4) and z.dtype == ringgrad.float64
    z.sum().backward()
    assert (x.grad.shape, x.grad.dtype) == ((3, 1), ringgrad.float32) and x.grad[0, 0].item() == 16
    assert (y.grad.shape, y.grad.dtype) == ((2, 1, 4), ringgrad.float64) and y.grad[0, 0, 0].item() == 6


def test_real_inputs_of_complex_results_get_real_gradients(scaled):
    x = ringgrad.ones(2, requires_grad=True)
    scaled(x, ringgrad.tensor([1 + 2j, 3j])).real.sum().backward()
    assert x.grad.dtype == ringgrad.float32 and x.grad.tolist() == [2, 0]


def test_a_tracer_catches_every_way_in(scaled):
    x = ringgrad.ones(2)
    with Recorder() as seen:
        scaled(x, x)
        fast_function(scaled)(x, x)
        fast_function(scaled)(x, 2.0)
        scaled.apply((x, x), {"factor": 1.0})
    assert [op.name for op, *_ in seen.calls] == ["scaled"] * 4
    assert [attrs for _, _, attrs, _ in seen.calls] == [{"factor": 2.0}] * 3 + [{"factor": 1.0}]


def test_the_quick_path_is_taken_for_float_tensors(scaled):
    """The general path notes the inputs' types for the engine; the quick one has seen that nothing was promoted."""
    quick = fast_function(scaled)
    x = ringgrad.ones(2, requires_grad=True)
    assert quick(x, x).grad_fn.dtypes is None
    assert quick(x, 2.0).grad_fn.dtypes is None
    assert quick(x.double(), x.double()).grad_fn.dtypes is None
    assert quick(x, x.double()).grad_fn.dtypes is not None
    assert quick(x.half(), x.half()).grad_fn.dtypes is not None


# -- backward: the plain path and the general one ----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [(True, True, True), (True, False, True), (False, True, False)])
def test_a_joint_rule_gives_the_same_on_the_plain_path_of_the_engine(declare, wanted):
    """One rule for three inputs, one of them broadcast and one gradient absent; anomaly mode takes the general path."""
    @declare(promote=same)
    def thrice(xp, x, y, z, factor: float = 2.0):
        return x * y * factor + z

    seen = []

    @thrice.vjp("x", "y", "z")
    def _(xp, g, x, y, factor, needs):
        seen.append(needs)
        return g * y * factor, g * x * factor if needs[1] else None, g

    call = fast_function(thrice)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in ((3, 4), (4,), (3, 1))]

    def gradients():
        inputs = [ringgrad.tensor(a, requires_grad=w) for a, w in zip(arrays, wanted, strict=True)]
        call(*inputs, 3.0).sum().backward()
        return [None if t.grad is None else t.grad.numpy() for t in inputs]
    plain = gradients()
    with ringgrad.autograd.detect_anomaly():
        general = gradients()
    assert seen == [wanted, wanted]
    for a, b, w, array in zip(plain, general, wanted, arrays, strict=True):
        assert (a is not None) == w and (a is None or a.shape == array.shape)
        np.testing.assert_array_equal(a, b)
