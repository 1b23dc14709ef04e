"""The record that op tests are made of: one call through a public name, in torch's arguments.

    from .sample import Sample, Fails, elementwise, randn, positive, apart, randint, bools, const, made, lib, FLOATS, INTS, COMPLEX

    SAMPLES = [
        elementwise("exp", randn(3, 4), ref=np.exp, dtypes=FLOATS + COMPLEX),                # also tried 0-d, empty, broadcast
        elementwise("add", randn(3, 4), randn(4), ref=np.add, dtypes=FLOATS + INTS),
        Sample("softmax", [randn(3, 4)], dict(dim=1), ref=lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        Sample("cat", [[randn(2, 3), randn(1, 3)]], dict(dim=0), op="concatenate", ref=np.concatenate),
        Sample("Tensor.view", [randn(3, 4), 2, 6], op="reshape", ref=lambda x, *shape: x.reshape(shape)),
        Sample("Tensor.__getitem__", [randn(5, 4)], call=lambda lib, x: x[1:, None], op="getitem", ref=lambda x: x[1:, None]),
        Sample("zeros", [2, 3], dict(dtype=lib("int64")), ref=lambda *shape: np.zeros(shape, "int64")),
        Fails("softmax", [randn(3)], dict(dim=5), error=IndexError, says="Dimension out of range"),
    ]

The very same call runs on ringgrad, on the NumPy reference and on torch.  Each `tests/ops/samples_<family>.py` ends in such a list, named
SAMPLES; `test_ops.py` and `tests/oracle/test_ops_against_torch.py` multiply it by everything that must hold for every op.
"""
import dataclasses
import operator

import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTS = ("uint8", "int8", "int16", "int32", "int64")
BOOL = ("bool",)


class Input:
    """A tensor argument: `draw(rng)` makes its values anew.  follows: it is cast to the dtype under test; otherwise it keeps its own."""

    def __init__(self, draw, text, follows=True):
        self.draw, self.text, self.follows = draw, text, follows

    def __repr__(self):
        return self.text


def randn(*shape):
    """Standard normal values.  Under complex dtypes, with an imaginary part."""
    return Input(lambda rng: rng.standard_normal(shape), f"randn{shape}")


def rand(*shape, low=0.0, high=1.0):
    """Uniform values in [low, high)."""
    return Input(lambda rng: rng.uniform(low, high, shape), f"rand{shape}")


def positive(*shape):
    """Uniform values in [0.5, 2)."""
    return rand(*shape, low=0.5, high=2.0)


def apart(*shape):
    """Values at least 0.1 apart from each other, and 0.05 from zero, in random order: no ties and no kinks (max, sort, relu, abs)."""
    def draw(rng):
        n = int(np.prod(shape))
        return ((rng.permutation(n) - n // 2) * 0.1 + 0.05).reshape(shape)
    return Input(draw, f"apart{shape}")


def randint(low, high, *shape, dtype="int64", follows=False):
    """Integers in [low, high), an index by default: of its own `dtype` unless it follows the dtype under test."""
    return Input(lambda rng: rng.integers(low, high, shape).astype(dtype), f"randint{shape}", follows)


def bools(*shape):
    """Random truth values."""
    return Input(lambda rng: rng.random(shape) < 0.5, f"bools{shape}", follows=False)


def const(values, dtype=None):
    """These very values: of `dtype` when it is given, else following the dtype under test."""
    return Input(lambda rng: np.array(values, dtype=dtype or np.float64), f"const{np.shape(values)}", follows=dtype is None)


def made(draw, text="made", follows=True):
    """Values from `draw(rng)`, for what the others cannot say (a positive definite matrix, NaN among numbers)."""
    return Input(draw, text, follows)


class lib:  # noqa: N801 - reads like the module it stands for
    """An attribute of the library under test: lib("float64") is ringgrad.float64 here, torch.float64 there, NumPy's in the reference."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


@dataclasses.dataclass(eq=False)
class Sample:
    """One call that must work.

    name     public name: "softmax" (ringgrad.softmax), "Tensor.view" (the method), "nn.functional.relu", "linalg.norm"
    args     positional arguments: Inputs, lists of Inputs, and plain values, which are passed on as they are
    kwargs   keyword arguments; Inputs too
    ref      NumPy's answer: a function of the positional arguments as float64 (complex128, integer) arrays; a tuple for several outputs.
             At least one sample per op has one
    op       name of the registered op that must be reached; by default the last part of `name`.  None: a composition, covers nothing
    call     function (lib, *args, **kwargs) in place of the named one: operators, indexing
    torch    function of the torch module that gives torch's counterpart, `lambda t: t.special.expit`; or a string: why there is none
    dtypes   dtypes that Inputs may take.  float64 among them means: values and gradients are checked in float64
    gives    dtype of the (first) output: "same" as that of the first following Input, "to_float" (integers become float32), or a dtype name
    grad     True: gradients for all floating Inputs; False: the op has none; or a tuple of positions among the Inputs, in order of draw
    order2   True, or a string: why second derivatives are not checked
    view     the result shares memory with the first Input: None means as the op's record says
    inplace  True: the method `name_` is tried too wherever Tensor has it; or a string: why not here
    elementwise  0-d, empty and broadcast operands are tried too
    random   the values are random: only shape, dtype and `check` are looked at
    check    function (output arrays, input arrays), called with the result as NumPy arrays; its own asserts
    slack    factor on every tolerance
    torch_slack  a further one where torch's own float64 kernel is less exact (it has constants in single precision)
    """

    name: str
    args: list = dataclasses.field(default_factory=list)
    kwargs: dict = dataclasses.field(default_factory=dict)
    ref: object = None
    op: object = "by name"
    call: object = None
    torch: object = None
    dtypes: tuple = FLOATS
    gives: str = "same"
    grad: object = True
    order2: object = True
    view: object = None
    inplace: object = True
    elementwise: bool = False
    random: bool = False
    check: object = None
    slack: float = 1.0
    torch_slack: float = 1.0

    def __post_init__(self):
        if self.op == "by name":
            self.op = self.name.rpartition(".")[2]

    @property
    def inputs(self):
        """Its Inputs, in the order in which they are drawn."""
        found = []
        fill((self.args, self.kwargs), lambda i: found.append(i))
        return found

    @property
    def base(self):
        """The dtype of the closest look: float64, else the last it names."""
        return "float64" if "float64" in self.dtypes else self.dtypes[-1]

    def arrays(self, dtype=None, seed=0):
        """Fresh NumPy arrays for its Inputs.  dtype: a dtype's name, `base` by default."""
        rng = np.random.default_rng([seed, 20])
        return [cast(i.draw(rng), dtype or self.base, rng) if i.follows else np.asarray(i.draw(rng)) for i in self.inputs]

    def run(self, library, tensors):
        """The call, on `library` (ringgrad or torch) with `tensors` in the place of the Inputs."""
        args, kwargs = self.arguments(library, tensors)
        return self.function(library)(*args, **kwargs)

    def arguments(self, library, tensors):
        """(args, kwargs) of the call."""
        left = iter(tensors)
        return fill((self.args, self.kwargs), lambda _: next(left), lambda name: operator.attrgetter(name)(library))

    def function(self, library):
        """What is called on `library`."""
        if self.call is not None:
            return lambda *args, **kwargs: self.call(library, *args, **kwargs)
        if self.torch is not None and library.__name__ == "torch":
            return self.torch(library)
        return operator.attrgetter(self.name)(library)

    def expected(self, arrays):
        """The reference's answer for `arrays`, computed in double precision, as a list of arrays."""
        wide = [a.astype({"f": np.float64, "V": np.float64, "c": np.complex128}.get(a.dtype.kind, a.dtype)) for a in arrays]
        left = iter(wide)
        args, _ = fill((self.args, {}), lambda _: next(left), lambda name: getattr(np, name))
        out = self.ref(*args)
        return [np.asarray(o) for o in (out if isinstance(out, (tuple, list)) else (out,))]

    def __str__(self):
        words = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.name}({', '.join(words)})".replace("::", "..")


@dataclasses.dataclass(eq=False)
class Fails(Sample):
    """One call that must be refused.  error: the exception's type, torch's too; says: words of ours (a regular expression).

    torch_error  torch's exception type where ours differs on purpose; why, in a comment beside the row
    """

    error: type = RuntimeError
    says: str = ""
    torch_error: object = None


def elementwise(name, *args, **fields):
    """A Sample of an elementwise op: its operands are also tried 0-d, empty and broadcast."""
    return Sample(name, list(args), elementwise=True, **fields)


def fill(structure, tensor_for, attribute_for=lambda name: name):
    """`structure` with each Input replaced by tensor_for(input) and each lib("x") by attribute_for("x")."""
    if isinstance(structure, Input):
        return tensor_for(structure)
    if isinstance(structure, lib):
        return attribute_for(structure.name)
    if type(structure) in (list, tuple):
        return type(structure)(fill(s, tensor_for, attribute_for) for s in structure)
    if type(structure) is dict:
        return {k: fill(v, tensor_for, attribute_for) for k, v in structure.items()}
    return structure


def cast(values, dtype, rng):
    """Drawn `values` as an array of `dtype`; bfloat16 is ml_dtypes', complex numbers get an imaginary part, unsigned ones lose the sign."""
    values = np.asarray(values)
    if dtype in COMPLEX and values.dtype.kind != "c":
        values = values + 1j * rng.standard_normal(values.shape)
    if dtype == "bfloat16":
        import ml_dtypes
        return values.astype(ml_dtypes.bfloat16)
    if dtype in INTS and values.dtype.kind == "f":
        values = np.rint(3 * values)
    if dtype in BOOL:
        return values > 0
    return (np.abs(values) if dtype == "uint8" else values).astype(dtype)
