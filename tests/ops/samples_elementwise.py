"""Samples of the elementwise ops: arithmetic, powers, exponentials, trigonometry, rounding, selection, comparison, complex parts."""
import math
import operator

import numpy as np

from .sample import BOOL, COMPLEX, FLOATS, INTS, Fails, Sample, apart, bools, const, elementwise, made, positive, rand, randint, randn

REAL = FLOATS + INTS
NUMBERS = FLOATS + COMPLEX + INTS
EVERYTHING = NUMBERS + BOOL
NAN, INF = math.nan, math.inf
SPECIAL = [99.0, INF, -INF, 0.0, -1.5]  # 99: nan, see `special`
_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])


def small(*shape):
    """Whole numbers from -3 to 3, so that two of them are often equal; in the dtype under test."""
    return randint(-3, 4, *shape, follows=True)


def nonzero(*shape):
    """Whole numbers from 1 to 4, in the dtype under test."""
    return randint(1, 5, *shape, follows=True)


def whole(*values):
    """These whole numbers, in the dtype under test."""
    return made(lambda rng: np.array(values), f"whole{values}")


def inside(*shape):
    """Values in (-0.9, 0.9)."""
    return rand(*shape, low=-0.9, high=0.9)


def thirds(*shape):
    """Distinct values that are at least 0.1 from every multiple of 1/2."""
    return made(lambda rng: rng.integers(-4, 5, shape) + rng.uniform(0.1, 0.4, shape), "thirds")


def unary(name, ref, draw=randn, dtypes=FLOATS + COMPLEX + INTS + BOOL, gives="to_float", op=None, **fields):
    """The row of a function of one operand."""
    return elementwise(name, draw(3, 4), ref=of_floats(ref) if gives == "to_float" else ref, dtypes=dtypes, gives=gives, op=op or name,
                       **fields)


def of_floats(ref):
    """A NumPy reference whose integers are doubles."""
    return lambda *args: ref(*[x.astype(float) if x.dtype.kind in "biu" else x for x in args])


def special(name, *operands, ref, **fields):
    """The row of values at which there is no gradient to check; 99 stands for nan."""
    def holes(xp, xs):
        return [xp.where(x == 99, NAN, x) for x in xs]

    def call(lib, *xs):
        return getattr(lib, name)(*holes(lib, [x.detach() for x in xs]))
    return Sample(name, [const(x) for x in operands], call=call, ref=silent(lambda *xs: ref(*holes(np, xs))), grad=False,
                  **{"dtypes": ("float32", "float64"), **fields})


def silent(ref):
    """A NumPy reference that divides by zero without a warning."""
    def quiet(*args):
        with np.errstate(all="ignore"):
            return ref(*args)
    return quiet


def _sgn(x):
    return np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x)))


def gradient(name, *operands, of=None, wants, **fields):
    """The row of a gradient at a kink, where differences say nothing: that of the summed result, for the first operand.

    of: function (lib, *operands) in place of lib.<name>;  wants: the gradient.
    """
    def call(lib, x, *rest):
        x = x.detach().clone().requires_grad_()
        out = of(lib, x, *rest) if of else getattr(lib, name)(x, *rest)
        return lib.autograd.grad(out.sum(), x)[0]
    return Sample(name, [const(x) if isinstance(x, list) else x for x in operands], call=call, grad=False, inplace="a gradient",
                  ref=silent(lambda *_: np.array(wants)), **{"dtypes": ("float32", "float64"), **fields})

def single(name, ref, **fields):
    """The row of a real-valued function of complex64; gradients are checked in complex128."""
    return Sample(name, [randn(3, 4)], ref=ref, dtypes=("complex64",), gives="float32", grad=False, call=lambda lib,
                  x: getattr(lib, name)(x.detach()),
                  **fields)


ARITHMETIC = [
    elementwise("add", randn(3, 4), randn(4), ref=np.add, dtypes=EVERYTHING),
    Sample("add", [randn(3, 4), randn(4)], {"alpha": 2}, op="add_scaled", ref=lambda x, y: x + 2 * y, dtypes=NUMBERS, slack=2,
           inplace="of another broadcast: see the next row"),
    Sample("add", [randn(3, 4), randn(3, 4)], {"alpha": -0.5}, op="add_scaled", ref=lambda x, y: x - 0.5 * y, dtypes=FLOATS + COMPLEX),
    Sample("add", [bools(4), bools(4)], {"alpha": True}, op="add_scaled", ref=np.logical_or, gives="bool", dtypes=("bool",), grad=False),
    elementwise("sub", randn(3, 4), randn(4), op="subtract", ref=np.subtract, dtypes=NUMBERS, inplace="covered by the next row"),
    Sample("sub", [randn(3, 4), randn(3, 4)], op="subtract", ref=np.subtract, dtypes=NUMBERS),
    Sample("sub", [randn(3, 4), randn(3, 4)], {"alpha": 2}, op="add_scaled", ref=lambda x, y: x - 2 * y, dtypes=FLOATS + COMPLEX),
    elementwise("rsub", randn(3, 4), randn(4), ref=lambda x, y: y - x, dtypes=FLOATS + COMPLEX),
    Sample("rsub", [randn(3, 4), 5], {"alpha": 2}, ref=lambda x, y: y - 2 * x, dtypes=FLOATS),
    elementwise("mul", randn(3, 4), randn(3, 4), op="multiply", ref=np.multiply, dtypes=EVERYTHING),
    Sample("mul", [randn(3, 4), 1.1], op="multiply", ref=np.multiply, dtypes=FLOATS + COMPLEX),
    elementwise("div", randn(3, 4), nonzero(3, 4), op="divide", ref=np.true_divide, dtypes=EVERYTHING, gives="to_float"),
    Sample("div", [randn(3, 4), 1.1], op="divide", ref=np.true_divide, dtypes=FLOATS),
    elementwise("div", thirds(3, 4), nonzero(3, 4), op="floor_divide", ref=np.floor_divide, dtypes=REAL, kwargs={"rounding_mode": "floor"}),
    elementwise("div", thirds(3, 4), nonzero(3, 4), op="trunc_divide", ref=lambda x, y: np.trunc(x / y), dtypes=REAL,
                kwargs={"rounding_mode": "trunc"}),
    elementwise("floor_divide", thirds(3, 4), nonzero(3, 4), ref=np.floor_divide, dtypes=REAL, torch="not differentiable there"),
    special("floor_divide", [7.5, -7.5, 7.5, -7.5, 1.0], [2.0, 2.0, -2.0, -2.0, 3.0], ref=np.floor_divide, dtypes=FLOATS),
    Sample("floor_divide", [whole(7, -7, 7, -7, 0), whole(2, 2, -2, -2, 3)], ref=np.floor_divide, dtypes=INTS[1:], grad=False),
    special("floor_divide", [1.0, -1.0, 0.0, INF, 5.0], [0.0, 0.0, 0.0, 2.0, INF], ref=np.floor_divide),
    elementwise("remainder", thirds(3, 4), nonzero(3, 4), ref=np.remainder, dtypes=REAL),
    Sample("remainder", [const([7.0, -7.0, 7.0, -7.0, 0.5]), const([3.0, 3.0, -3.0, -3.0, 2.0])], ref=np.remainder, dtypes=REAL),
    elementwise("fmod", thirds(3, 4), nonzero(3, 4), ref=np.fmod, dtypes=REAL),
    Sample("fmod", [const([7.0, -7.0, 7.0, -7.0, 0.5]), const([3.0, 3.0, -3.0, -3.0, 2.0])], ref=np.fmod, dtypes=REAL),
    unary("neg", np.negative, op="negative", dtypes=NUMBERS, gives="same"),
    unary("abs", np.abs, apart, op="absolute", dtypes=REAL, gives="same"),
    single("abs", np.abs, op="absolute", inplace="gives real numbers"),
    Sample("abs", [randn(3, 4)], op="absolute", ref=np.abs, dtypes=("complex128",), gives="float64", inplace="gives real numbers"),
    unary("sign", lambda x: np.sign(x + 0), apart, dtypes=REAL + BOOL, gives="same"),
    unary("sgn", _sgn, apart, dtypes=REAL + COMPLEX + BOOL, gives="same"),
    Sample("lerp", [randn(3, 4), randn(3, 4), 0.3], ref=lambda x, y, w: x + w * (y - x), dtypes=FLOATS + COMPLEX, slack=4),
    Sample("lerp", [randn(3, 4), randn(3, 4), 0.8], ref=lambda x, y, w: x + w * (y - x), dtypes=FLOATS + COMPLEX, slack=4),
    elementwise("lerp", randn(3, 4), randn(3, 4), rand(3, 4), ref=lambda x, y, w: x + w * (y - x), slack=4),
    elementwise("addcmul", randn(3, 4), randn(3, 4), randn(4), ref=lambda x, y, z: x + y * z, dtypes=NUMBERS,
                inplace="covered by the next row"),
    Sample("addcmul", [randn(3, 4), randn(3, 4), randn(3, 4)], {"value": 0.5}, ref=lambda x, y, z: x + 0.5 * y * z,
           dtypes=FLOATS + COMPLEX),
    Sample("addcmul", [randn(3, 4), randn(3, 4), randn(3, 4)], {"value": 2}, ref=lambda x, y, z: x + 2 * y * z, dtypes=INTS, grad=False),
    elementwise("addcdiv", randn(3, 4), randn(3, 4), positive(3, 4), ref=lambda x, y, z: x + y / z, dtypes=FLOATS + COMPLEX),
    Sample("addcdiv", [randn(3, 4), randn(3, 4), positive(3, 4)], {"value": -2}, ref=lambda x, y, z: x - 2 * y / z, dtypes=FLOATS),
    Sample("positive", [randn(3)], op=None, ref=lambda x: x, dtypes=NUMBERS, view=None, call=lambda lib, x: +x * 1),
]

POWERS = [
    elementwise("pow", positive(3, 4), randn(3, 4), op="power", ref=np.power, slack=2),
    Sample("pow", [randn(3, 4), randn(3, 4)], op="power", ref=np.power, dtypes=COMPLEX, slack=50),
    Sample("pow", [nonzero(3, 4), randint(0, 4, 3, 4, follows=True)], op="power", ref=np.power, dtypes=INTS, grad=False),
    Sample("pow", [whole(2, 1, -1, -1, -3, 0), whole(-1, -2, -2, -3, -1, -2)], op="power", dtypes=("int8", "int64"), grad=False,
           ref=lambda x, y: np.array([0, 1, 1, -1, 0, 0])),
    Sample("pow", [const([0.0, 0.0, 2.0]), const([0.0, 2.0, 0.0])], op="power", ref=np.power, grad=(0,), order2="at the edge"),
    *[Sample("pow", [randn(3, 4), n], op="power", ref=np.power, dtypes=FLOATS + COMPLEX + INTS, slack=4, order2=True) for n in (2, 3, 1,
                                                                                                                                5)],
    Sample("pow", [randn(3, 4), 0], op="power", ref=np.power, dtypes=NUMBERS),
    *[Sample("pow", [positive(3, 4), n], op="power", ref=np.power, slack=4) for n in (-1, 0.5, -0.5, -2, 1.7)],
    Sample("pow", [2, randn(3, 4)], op="power", ref=lambda n, x: 2.0 ** x, slack=2),
    Sample("pow", [2.5, randint(0, 4, 3)], op="power", ref=np.power, gives="float32", dtypes=("int64",), grad=False),
    Sample("float_power", [positive(3), 2], op="power", ref=np.power, dtypes=("float64",)),
    Sample("float_power", [randint(0, 4, 3), 2], op="power", ref=np.power, gives="float64", dtypes=("int64",), grad=False,
           inplace="changes the dtype"),
    unary("square", np.square, dtypes=NUMBERS, gives="same"),
    Sample("square", [bools(4)], ref=lambda x: x.astype(int), dtypes=("bool",), gives="int64", grad=False, inplace="changes the dtype"),
    unary("sqrt", np.sqrt, positive, dtypes=FLOATS + COMPLEX + INTS, slack=4),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), positive, dtypes=FLOATS + COMPLEX, slack=4),
    unary("reciprocal", lambda x: 1 / x, positive, dtypes=FLOATS + COMPLEX, slack=4),
    elementwise("hypot", randn(3, 4), apart(3, 4), ref=np.hypot, slack=2),
]

EXPONENTIAL = [
    unary("exp", np.exp, slack=4), unary("exp2", np.exp2, slack=4), unary("expm1", np.expm1, slack=4),
    unary("log", np.log, positive, slack=4), unary("log2", np.log2, positive, slack=4), unary("log10", np.log10, positive, slack=4),
    unary("log1p", np.log1p, positive, slack=4),
    special("log", [0.0, INF, -1.0], ref=np.log),
    elementwise("logaddexp", randn(3, 4), randn(3, 4), ref=np.logaddexp),
    elementwise("logaddexp2", randn(3, 4), randn(3, 4), ref=np.logaddexp2),
    Sample("logaddexp", [const([1000.0, -1000.0]), const([1000.0, -1001.0])], ref=np.logaddexp, dtypes=("float32", "float64")),
    elementwise("xlogy", randn(3, 4), positive(3, 4), ref=of_floats(lambda x, y: x * np.log(y)), dtypes=REAL + BOOL, gives="to_float",
                slack=2),
    special("xlogy", [0.0, 0.0, 0.0, 2.0], [0.0, 99, -1.0, 3.0], ref=lambda x, y: np.array([0, NAN, 0, 2 * np.log(3)])),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), slack=4),
    Sample("sigmoid", [const([-1000.0, 1000.0, INF, -INF])], ref=lambda x: np.array([0.0, 1.0, 1.0, 0.0])),
    unary("logit", lambda x: np.log(x / (1 - x)), lambda *s: rand(*s, low=0.1, high=0.9), dtypes=FLOATS, slack=4),
    Sample("logit", [const([0.01, 0.02, 0.5, 0.98, 0.99])], {"eps": 0.1},
           ref=lambda x: np.log(np.clip(x, 0.1, 0.9) / (1 - np.clip(x, 0.1, 0.9))),
           slack=4),
    unary("erf", _erf, dtypes=REAL + BOOL, slack=2),
    unary("erfc", _erfc, dtypes=REAL + BOOL, slack=2),
    Sample("erf", [const(np.linspace(-6, 6, 41))], ref=_erf, slack=2),
    special("erf", [INF, -INF, 0.0, 99], ref=lambda x: np.array([1, -1, 0, NAN])),
    special("erfc", [INF, -INF, 99], ref=lambda x: np.array([0, 2, NAN])),
    Sample("erfc", [const(np.linspace(-7, 9, 41))], ref=_erfc, slack=2),
    unary("erfinv", lambda x: x, lambda *s: made(lambda rng: rng.uniform(-2, 2, s), "uniform"), dtypes=("float32", "float64"), slack=20,
          call=lambda lib, x: lib.erfinv(lib.erf(x))),
    special("erfinv", [-1.0, 0.0, 1.0, 0.999, 2.0], ref=lambda x: np.array([-INF, 0, INF, 2.3267537655135246, NAN])),
]

TRIGONOMETRY = [
    unary("sin", np.sin), unary("cos", np.cos), unary("tan", np.tan, inside, slack=4),
    unary("sinh", np.sinh, slack=4), unary("cosh", np.cosh, slack=4), unary("tanh", np.tanh, slack=2),
    unary("asin", np.arcsin, inside, op="arcsin", dtypes=FLOATS + COMPLEX, slack=4),
    unary("acos", np.arccos, inside, op="arccos", dtypes=FLOATS + COMPLEX, slack=4),
    unary("atan", np.arctan, op="arctan", slack=4, dtypes=FLOATS + COMPLEX + INTS),
    unary("asinh", np.arcsinh, op="arcsinh", slack=4), unary("arctanh", np.arctanh, inside, dtypes=FLOATS + COMPLEX, slack=4),
    unary("acosh", np.arccosh, lambda *s: rand(*s, low=1.2, high=3.0), op="arccosh", dtypes=FLOATS + COMPLEX, slack=8),
    elementwise("atan2", apart(3, 4), apart(3, 4), op="arctan2", ref=of_floats(np.arctan2), dtypes=REAL, gives="to_float", slack=2),
    Sample("deg2rad", [randn(3)], op="multiply", ref=np.deg2rad), Sample("rad2deg", [randn(3)], op="multiply", ref=np.rad2deg),
]

ROUNDING = [
    unary("floor", np.floor, thirds, dtypes=REAL, gives="same"), unary("ceil", np.ceil, thirds, dtypes=REAL, gives="same"),
    unary("trunc", np.trunc, thirds, dtypes=REAL, gives="same"), unary("round", np.rint, thirds, dtypes=REAL, gives="same"),
    unary("frac", lambda x: x - np.trunc(x), thirds, dtypes=FLOATS, gives="same"),
    special("round", [0.5, 1.5, 2.5, -0.5, -1.5], ref=np.rint),
    Sample("round", [const([1.2345, -6.789])], {"decimals": 2}, ref=lambda x: np.round(x, 2), dtypes=("float32", "float64")),
    Sample("round", [const([1234.5, -678.9])], {"decimals": -2}, ref=lambda x: np.round(x, -2), dtypes=("float32", "float64")),
]


SELECTION = [
    elementwise("maximum", apart(3, 4), randn(3, 4), ref=np.maximum, dtypes=REAL + BOOL),
    elementwise("minimum", apart(3, 4), randn(3, 4), ref=np.minimum, dtypes=REAL + BOOL),
    elementwise("fmax", apart(3, 4), randn(3, 4), ref=np.fmax, dtypes=REAL + BOOL),
    elementwise("fmin", apart(3, 4), randn(3, 4), ref=np.fmin, dtypes=REAL + BOOL),
    *[special(name, [99, 1.0, 99, INF], [1.0, 99, 99, 2.0], ref=getattr(np, name)) for name in ("maximum", "minimum", "fmax", "fmin")],
    Sample("clamp", [apart(3, 4), -0.3, 0.4], op="clip", ref=np.clip),
    Sample("clamp", [randn(70, 70), -0.3, 0.4], op="clip", ref=np.clip, dtypes=("float32", "float64")),
    Sample("clamp", [randint(-5, 6, 3, 4, follows=True)], {"min": -2, "max": 2}, op="clip", ref=lambda x: np.clip(x, -2, 2),
           dtypes=("int8", "int64"), grad=False),
    Sample("clamp", [randint(-5, 6, 3, 4)], {"min": 0.5}, op="clip", ref=lambda x: np.maximum(x, 0.5), dtypes=("int64",), gives="float32",
           grad=False, inplace="changes the dtype"),
    Sample("clamp", [apart(3, 4)], {"max": 0.2}, op="clip", ref=lambda x: np.minimum(x, 0.2)),
    elementwise("clamp", apart(3, 4), randn(3, 4), positive(3, 4), op="clip", ref=lambda x, a, b: np.minimum(np.maximum(x, a), b)),
    Sample("clamp", [apart(3, 4), randn(4)], op="clip", ref=np.maximum),
    Sample("clamp", [apart(3), 1.0, 0.0], op="clip", ref=lambda x, a, b: np.zeros(3), inplace=True),
    Sample("clamp", [apart(3), const([1.0, 1.0, 1.0]), const([0.0, 0.0, 0.0])], op="clip", ref=lambda x, a, b: np.zeros(3)),
    Sample("clip", [apart(3, 4), -0.3, 0.4], ref=np.clip),
    Sample("clamp_min", [apart(3, 4), 0.0], op="clip", ref=np.maximum), Sample("clamp_max", [apart(3, 4), 0.0], op="clip", ref=np.minimum),
    elementwise("where", bools(3, 4), randn(3, 4), randn(4), ref=np.where, dtypes=EVERYTHING),
    Sample("where", [bools(3, 4), randn(3, 4), 0.5], ref=np.where, dtypes=FLOATS + COMPLEX),
    Sample("where", [bools(3, 4), -1, randn(3, 4)], ref=lambda c, x, y: np.where(c, np.array(x).astype(y.dtype), y), dtypes=NUMBERS),  # -1 wraps
    Sample("Tensor.where", [randn(3, 4), bools(3, 4), 0.0], op="where", ref=lambda x, c, y: np.where(c, x, y)),
    elementwise("heaviside", apart(3, 4), randn(3, 4), ref=np.heaviside, dtypes=REAL, grad=False),
    special("heaviside", [-1.0, 0.0, 2.0, 99], [5.0, 6.0, 7.0, 8.0], ref=np.heaviside, torch="torch 2.13 gives 0 for nan"),
    *[special("nan_to_num", SPECIAL, ref=lambda x, d=d: np.nan_to_num(x.astype(d)), dtypes=(d,)) for d in ("float16", "float32",
                                                                                                           "float64")],
    Sample("nan_to_num", [randn(3, 4)], ref=lambda x: x),
    Sample("nan_to_num", [const(SPECIAL)], {"nan": 1.0, "posinf": 2.0, "neginf": 3.0}, ref=lambda x: np.array([1.0, 2.0, 3.0, 0.0, -1.5]),
           grad=False,
           call=lambda lib, x, **kw: lib.where(x == 99, NAN, x.detach()).nan_to_num(**kw)),
    Sample("nan_to_num", [small(3)], ref=lambda x: x, dtypes=("int64",), grad=False),
]


KINKS = [
    gradient("abs", [0.0, 2.0, -3.0], wants=[0.0, 1.0, -1.0], op="absolute"),
    gradient("sgn", [0.0, 2.0], wants=[0.0, 0.0], torch="has no memory there"),
    gradient("maximum", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], wants=[0.5, 0.0, 1.0]),
    gradient("maximum", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], of=lambda lib, x, y: lib.maximum(y, x), wants=[0.5, 0.0, 1.0]),
    gradient("minimum", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], wants=[0.5, 1.0, 0.0]),
    gradient("minimum", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], of=lambda lib, x, y: lib.minimum(y, x), wants=[0.5, 1.0, 0.0]),
    gradient("fmax", [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], wants=[1.0, 0.0, 1.0]), gradient("fmin", [1.0, 2.0], [1.0, 3.0], wants=[1.0, 1.0]),
    gradient("fmax", [1.0, 2.0], [1.0, 3.0], of=lambda lib, x, y: lib.fmax(y, x), wants=[0.0, 0.0]),
    gradient("clamp", [-1.0, 0.0, 0.5, 1.0, 2.0], 0.0, 1.0, wants=[0.0, 1.0, 1.0, 1.0, 0.0], op="clip"),
    gradient("clamp", [0.0, 2.0, 1.0], [1.0, 1.0, 1.0], of=lambda lib, b, x: lib.clamp(x, b), wants=[0.0, 1.0, 0.0], op="clip"),
    gradient("clamp", [0.0, 2.0, 1.0], [1.0, 1.0, 1.0], of=lambda lib, b, x: lib.clamp(x, x * 5, b), wants=[1.0, 1.0, 1.0], op="clip"),
    gradient("pow", [0.0, 0.0, 2.0], [0.0, 2.0, 0.0], op="power", wants=[0.0, 0.0, 0.0]),
    gradient("pow", [0.0, 2.0, 0.5], [0.0, 0.0, 2.0], of=lambda lib, y, x: lib.pow(x, y), op="power",
             wants=[0.0, 0.0, 2 ** 0.5 * math.log(2)]),
    gradient("pow", [0.0, 2.0], 0, op="power", wants=[0.0, 0.0]), gradient("pow", [0.0, 2.0], 1, op="power", wants=[1.0, 1.0]),
    gradient("sqrt", [0.0, 4.0], wants=[INF, 0.25]), gradient("xlogy", [0.0, 0.0], [0.0, 2.0], wants=[0.0, math.log(2)]),
    gradient("round", [0.5, 1.2], wants=[0.0, 0.0]), gradient("floor", [1.0, 1.2], wants=[0.0, 0.0]),
    gradient("nan_to_num", [INF, 1.0], wants=[0.0, 1.0]), gradient("logit", [0.5], wants=[4.0]),
]


COMPLEX_PARTS = [
    elementwise("conj", randn(3, 4), ref=np.conj, dtypes=COMPLEX, torch="a lazy view there"),
    Sample("conj_physical", [randn(3, 4)], op="conj", ref=np.conj, dtypes=COMPLEX),
    single("real", np.real),
    Sample("real", [randn(3, 4)], ref=np.real, dtypes=("complex128",), gives="float64"),
    single("imag", np.imag),
    Sample("imag", [randn(3, 4)], ref=np.imag, dtypes=("complex128",), gives="float64"),
    Sample("Tensor.imag", [randn(3, 4)], op="imag", call=lambda lib, x: x.imag * x.real, view=False, ref=lambda x: x.imag * x.real,
           dtypes=("complex128",), gives="float64"),
    single("angle", np.angle),
    Sample("angle", [randn(3, 4)], ref=np.angle, dtypes=("complex128",), gives="float64"),
    elementwise("angle", apart(3, 4), ref=of_floats(np.angle), dtypes=REAL, gives="to_float"),
]

CONVERSION = [
    elementwise("clone", randn(3, 4), op="copy", ref=np.copy, dtypes=EVERYTHING),
    Sample("Tensor.double", [randn(3, 4)], op="astype", ref=lambda x: x, dtypes=("float16", "bfloat16", "float32"), gives="float64",
           grad=False,
           call=lambda lib, x: x.detach().double()),
    Sample("Tensor.to", [randn(3, 4)], op="astype", call=lambda lib, x: x.to(lib.complex128).to(lib.float64), ref=lambda x: x,
           dtypes=("float64",), gives="float64"),
    Sample("Tensor.to", [randn(3, 4)], op="astype", call=lambda lib, x: x.to(lib.float64), ref=np.real, dtypes=("complex128",),
           gives="float64",
           torch="warns there"),
    Sample("Tensor.int", [const([1.7, -1.7, 0.2])], op="astype", call=lambda lib, x: x.int(), ref=np.trunc, gives="int32", grad=False),
    Sample("Tensor.bool", [const([1.7, 0.0, INF])], op="astype", call=lambda lib, x: x.bool(), ref=lambda x: x != 0, gives="bool",
           grad=False),
]

X, WHOLE, B, C = randn(2, 3), randint(1, 5, 2, 2), bools(2), randn(2)
_complex = const([1 + 1j, 2 - 1j], "complex64")
REFUSALS = [
    Fails("sub", [bools(3), bools(3)], says="with two bool tensors"),
    Fails("sub", [WHOLE, True], says="with a bool tensor"),
    Fails("neg", [bools(3)], says="on a bool tensor"),
    Fails("add", [randn(2, 3), randn(2, 4)],
          says=r"size of tensor a \(3\) must match the size of tensor b \(4\) at non-singleton dimension 1"),
    Fails("add", [WHOLE, WHOLE], {"alpha": 1.5}, says="alpha must not be a floating point number"),
    Fails("add", [WHOLE, WHOLE], {"alpha": True}, says="Boolean alpha"),
    Fails("add", [X, X], {"alpha": 1j}, says="alpha must not be a complex number"),
    Fails("Tensor.__add__", [X], call=lambda lib, x: x + "a", error=TypeError, says="unsupported operand"),
    Fails("Tensor.__add__", [X], call=lambda lib, x: None + x, error=TypeError, says="unsupported operand"),
    Fails("Tensor.__lt__", [X], call=lambda lib, x: x < None, error=TypeError, says="not supported between"),
    Fails("Tensor.__iadd__", [X], call=lambda lib, x: operator.iadd(x, "a"), error=TypeError, says="unsupported operand"),
    Fails("Tensor.__invert__", [X], call=lambda lib, x: ~x, error=TypeError, says="integer and Boolean"),
    Fails("Tensor.__pos__", [bools(2)], call=lambda lib, x: +x, says="bool tensor"),
    Fails("mul", [X, "a"], error=TypeError, says="Tensor or a number"),
    Fails("div", [X, X], {"rounding_mode": "up"}, says="rounding_mode"),
    *[Fails(name, [WHOLE, 0], says="ZeroDivisionError") for name in ("floor_divide", "remainder", "fmod")],
    Fails("div", [WHOLE, 0], {"rounding_mode": "trunc"}, says="ZeroDivisionError"),
    Fails("pow", [WHOLE, -1], says="negative integer powers"),
    *[Fails(name, [bools(2), bools(2)], error=NotImplementedError, says="not implemented for bool") for name in ("pow", "remainder",
                                                                                                                 "fmod")],
    *[Fails(name, [_complex, _complex], error=NotImplementedError, says="not implemented for complex") for name in ("lt", "ge", "atan2",
                                                                                                                    "remainder")],
    *[Fails(name, [_complex, _complex], says="not implemented for complex") for name in ("maximum", "fmin")],
    Fails("abs", [bools(2)], error=NotImplementedError, says="not implemented for bool"),
    Fails("sign", [_complex], error=NotImplementedError, says="sgn"),
    Fails("floor", [_complex], error=NotImplementedError, says="not implemented for complex"),
    Fails("lerp", [X, WHOLE, 0.5], says="expected dtype"),
    Fails("lerp", [WHOLE, WHOLE, 0.5], error=NotImplementedError, says="not implemented for int64"),
    Fails("addcdiv", [WHOLE, WHOLE, WHOLE], says="Integer division"),
    Fails("clamp", [X], says="At least one of"),
    Fails("where", [X, X, X], says="boolean tensor"),
    Fails("where", [B, X], error=TypeError, says="both"),
    Fails("heaviside", [X, WHOLE], says="different dtypes"),
    Fails("isclose", [X, WHOLE], says="did not match"),
    Fails("imag", [X], says="non-complex"),
    *[Fails(name, [X, X], error=NotImplementedError, says="not implemented for float") for name in ("bitwise_and", "bitwise_left_shift")],
    Fails("bitwise_not", [X], error=NotImplementedError, says="not implemented for float"),
    Fails("Tensor.add_", [randn(3), randn(2, 3)], says="doesn't match the broadcast shape"),
    Fails("Tensor.add_", [WHOLE, 1.5], says="can't be cast to the desired output type int64"),
    Fails("Tensor.div_", [WHOLE, 2], says="can't be cast"),
    Fails("Tensor.float_power_", [const([2.0], "float32"), 2], says="requires dtype float64"),
    Fails("Tensor.sqrt_", [WHOLE], says="can't be cast"),
    Fails("Tensor.mul_", [X, 1j], says="can't be cast"),
]

SAMPLES = [*ARITHMETIC, *POWERS, *EXPONENTIAL, *TRIGONOMETRY, *ROUNDING, *SELECTION, *KINKS, *COMPLEX_PARTS, *CONVERSION, *REFUSALS]
