"""Samples of random numbers: shape, type, and moments within six standard errors.  tests/core/test_random.py has the rest."""
import math

import numpy as np

from .sample import Fails, Sample, bools, const, lib, rand, randn

N = 10_000
ZEROS = const(np.zeros(N))


def moments(mean, std, inside=lambda x: True):
    """A check: average and standard deviation as promised, all elements `inside`."""
    def check(out, *_):
        assert abs(out.mean() - mean) < 6 * std / math.sqrt(N), out.mean()
        assert abs(out.std() - std) < 0.1 * std + 1e-9, out.std()
        assert np.all(inside(out))
    return check


def drawn(name, args, check, **fields):
    return Sample(name, args, **{"op": None, "random": True, "check": check, "dtypes": ("float64",), "gives": "float32", **fields})


def inplace(name, op, *args, check, **fields):
    """Tensor.<name>_ on a copy; its gradient for what was there before is zero."""
    return Sample(f"Tensor.{name}_", [ZEROS, *args], op=op, random=True, check=check, dtypes=("float32", "float64"),
                  call=lambda lib, x, *a, **k: getattr(x * 1, f"{name}_")(*a, **k), **fields)


SAMPLES = [
    drawn("randn", [N], moments(0, 1)),
    drawn("randn", [N], moments(0, 1), kwargs=dict(dtype=lib("complex64")), gives="complex64"),
    drawn("rand", [N], moments(0.5, math.sqrt(1 / 12), lambda x: (x >= 0) & (x < 1))),
    drawn("rand", [N], moments(0.5, math.sqrt(1 / 12), lambda x: (x >= 0) & (x < 1)), kwargs=dict(dtype=lib("float16")), gives="float16"),
    drawn("randint", [-2, 3, (N,)], moments(0, math.sqrt(2), lambda x: np.isin(x, range(-2, 3))), gives="int64"),
    drawn("randperm", [N], lambda x: np.testing.assert_array_equal(np.sort(x), np.arange(N)), gives="int64"),
    drawn("randn_like", [ZEROS], lambda x, _: moments(0, 1)(x), dtypes=("float32", "float64"), gives="same", grad=False),
    drawn("rand_like", [ZEROS], lambda x, _: moments(0.5, math.sqrt(1 / 12))(x), dtypes=("float32", "float64"), gives="same", grad=False),
    drawn("randint_like", [ZEROS, 5], lambda x, _: moments(2, math.sqrt(2))(x), dtypes=("float32", "float64"), gives="same", grad=False),
    drawn("normal", [3.0, 2.0, (N,)], moments(3, 2), op="normal"),
    drawn("normal", [ZEROS, const(np.full(N, 2.0))], lambda x, *_: moments(0, 2)(x), gives="same", grad=False),
    drawn("normal", [ZEROS, 2.0], lambda x, *_: moments(0, 2)(x), gives="same", grad=False),
    drawn("bernoulli", [const(np.full(N, 0.3))], lambda x, _: moments(0.3, math.sqrt(0.21), lambda x: np.isin(x, (0, 1)))(x), op="bernoulli", gives="same",
          grad=False, call=lambda lib, p: lib.bernoulli(p.detach())),
    drawn("multinomial", [const([1.0, 0.0, 3.0]), N, True], lambda x, _: moments(1.5, math.sqrt(0.75), lambda x: np.isin(x, (0, 2)))(x), gives="int64",
          grad=False),
    drawn("multinomial", [rand(2, 50, low=0.1), 50], lambda x, _: np.testing.assert_array_equal(np.sort(x), [np.arange(50)] * 2), gives="int64", grad=False),
    inplace("normal", "normal", 3.0, 2.0, check=lambda x, _: moments(3, 2)(x)),
    inplace("uniform", "uniform", -1.0, 3.0, check=lambda x, _: moments(1, math.sqrt(4 / 3), lambda x: (x >= -1) & (x <= 3))(x)),
    inplace("exponential", "exponential", 2.0, check=lambda x, _: moments(0.5, 0.5, lambda x: x >= 0)(x)),
    inplace("log_normal", "log_normal", 0.0, 0.5, check=lambda x, _: moments(0, 0.5)(np.log(x))),
    inplace("bernoulli", "bernoulli", 0.3, check=lambda x, _: moments(0.3, math.sqrt(0.21), lambda x: np.isin(x, (0, 1)))(x)),
    inplace("random", "integers", 1, 6, check=lambda x, _: moments(3, math.sqrt(2), lambda x: np.isin(x, range(1, 6)))(x)),
    inplace("cauchy", "cauchy", 1.0, 0.5, check=lambda x, _: np.testing.assert_allclose(np.quantile(x, [0.25, 0.5, 0.75]), [0.5, 1, 1.5], atol=0.06)),
    inplace("geometric", "geometric", 0.25, check=lambda x, _: moments(4, math.sqrt(12), lambda x: (x >= 1) & (x == np.rint(x)))(x)),
    drawn("poisson", [const(np.full(N, 3.5))], lambda x, _: moments(3.5, math.sqrt(3.5), lambda x: x == np.rint(x))(x), op="poisson",
          dtypes=("float32", "float64"), gives="same"),
    drawn("binomial", [const(np.full(N, 6.0)), const(np.full(N, 0.25))], lambda x, *_: moments(1.5, math.sqrt(1.125), lambda x: np.isin(x, range(7)))(x),
          op="binomial", dtypes=("float32", "float64"), gives="same"),
    drawn("default_generator", [], lambda out: np.testing.assert_array_equal(out[0], out[1]), kwargs={}, gives="float32",
          call=lambda lib: (lambda g: lib.stack([lib.rand(4, generator=g.clone_state()), lib.rand(4, generator=g)]))(lib.default_generator)),
    Fails("poisson", [const([-1.0])], says="non-negative"), Fails("poisson", [const([1], "int64")], error=NotImplementedError, says="not implemented for int64"),
    Fails("binomial", [const([3.0]), const([1], "int64")], error=ValueError, says="floating-point"),
    Fails("Tensor.geometric_", [randn(2), 1.5], says=r"in \(0, 1\)"), Fails("Tensor.cauchy_", [randn(2), 0.0, 0.0], says="sigma > 0.0"),
    Fails("Tensor.cauchy_", [bools(2)], says="continuous"),
    Fails("Generator", [], call=lambda lib: lib.Generator().get_offset(), says="does not use offset"),
    Fails("Generator", [], call=lambda lib: lib.Generator().graphsafe_get_state(), error=NotImplementedError, says="not supported in this Generator"),
    Fails("randn", [2, -1], says="Dimension size must be non-negative, but found -1"),
    Fails("randn", [2], dict(dtype=lib("int64")), error=NotImplementedError, says="not implemented for int64"),
    Fails("randint", [5, 5, (2,)], says="from=5 >= to=5"),
    Fails("randint", [5], error=TypeError, says='missing 1 required positional arguments: "size"'),
    Fails("randperm", [-1], says="negative dimension -1"),
    Fails("normal", [const([0.0]), const([-1.0])], says="std >= 0.0"),
    Fails("bernoulli", [const([2.0])], says="p_in >= 0 && p_in <= 1"),
    Fails("bernoulli", [bools(2)], error=NotImplementedError, says="not implemented for bool"),
    Fails("multinomial", [const([1.0, -1.0]), 1], says="`inf`, `nan` or element < 0"),
    Fails("multinomial", [const([0.0, 0.0]), 1], says="sum of probabilities <= 0"),
    Fails("multinomial", [const([1.0, 2.0]), 3], says="without replacement: 3 of 2"),
    Fails("multinomial", [randn(2, 2, 2), 1], says="must be 1 or 2 dim"),
    Fails("Tensor.normal_", [randn(2), 0, -1], says="normal expects std >= 0.0, but found std -1"),
    Fails("Tensor.uniform_", [randn(2), 2, 1], says="found from=2.0 > to=1.0"),
    Fails("Tensor.exponential_", [randn(2), 0.0], says="lambda > 0.0"),
    Fails("Tensor.random_", [randn(2), 3, 3], says="from=3 >= to=3"),
    Fails("Tensor.normal_", [bools(2)], error=NotImplementedError, says="not implemented for bool"),
]
