"""torch's type promotion, in full: every pair of dtypes, as tensors with dimensions, tensors of none, and Python numbers; also in place."""
import itertools

import ml_dtypes
import numpy as np
import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:::torch"), pytest.mark.filterwarnings("ignore:Casting complex")]

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")
NUMBERS = (True, 2, 2.5, 1 + 2j)
HALVES = ("float16", "bfloat16")
RELATIVE = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-6, "complex64": 3e-3, "float64": 1e-14, "complex128": 1e-14}

OPERATIONS = {
    "add": lambda lib, x, y: x + y,
    "sub": lambda lib, x, y: x - y,
    "mul": lambda lib, x, y: x * y,
    "div": lambda lib, x, y: x / y,
    "floor_divide": lambda lib, x, y: x // y,
    "remainder": lambda lib, x, y: x % y,
    "pow": lambda lib, x, y: x ** y,
    "lt": lambda lib, x, y: x < y,
    "eq": lambda lib, x, y: x == y,
    "bitwise_and": lambda lib, x, y: x & y,
    "where": lambda lib, x, y: lib.where(lib.tensor([True, False]), x, y),
    "maximum": lambda lib, x, y: lib.maximum(x, y),
    "fmod": lambda lib, x, y: lib.fmod(x, y),
    "atan2": lambda lib, x, y: lib.atan2(x, y),
    "logical_and": lambda lib, x, y: lib.logical_and(x, y),
    "add with alpha": lambda lib, x, y: lib.add(x, y, alpha=2),
    "result_type": lambda lib, x, y: lib.zeros(1, dtype=lib.result_type(x, y)),
}
TENSORS_ONLY = ("maximum", "atan2", "logical_and")  # there torch takes no numbers
NUMBER_FIRST = ("add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "lt", "eq", "bitwise_and", "where")
IN_PLACE = ("add_", "sub_", "mul_", "div_", "floor_divide_", "remainder_", "pow_", "lt_", "eq_", "bitwise_and_", "logical_and_", "atan2_",
            "fmod_")

LEFT, RIGHT = {"tensor": (3, 1), "0-d": 3}, {"tensor": (2, 1), "0-d": 2}


def operand(library, what):
    """("float16", (3, 1)) as a tensor; a number as it is."""
    if not isinstance(what, tuple):
        return what
    dtype, values = what
    return library.tensor(values, dtype=getattr(library, dtype))


def outcome(library, operation, left, right):
    """(dtype, shape, value) of a call, or the type of its exception."""
    try:
        out = operation(library, operand(library, left), operand(library, right))
    except Exception as error:
        return NoComplexHalfError if "ComplexHalf" in str(error) else type(error)
    name = str(out.dtype).rpartition(".")[2]
    if name == "complex32":  # torch's half of a complex64, for which NumPy has no type; complex64 stands for it here
        return "complex64", tuple(out.shape), out.to(torch.complex64).numpy()
    out = out.float() if name == "bfloat16" else out
    return name, tuple(out.shape), out.numpy()


class NoComplexHalfError(Exception):
    """torch lacks this operation for complex32."""


def disagree(ours, theirs):
    """Whether two outcomes differ.  An exception may be of a more special type than torch's."""
    if theirs is NoComplexHalfError:
        return False
    if isinstance(ours, type) or isinstance(theirs, type):
        return not (isinstance(ours, type) and isinstance(theirs, type) and issubclass(ours, theirs))
    if ours[:2] != theirs[:2]:
        return True
    return not np.allclose(ours[2], theirs[2], rtol=RELATIVE.get(theirs[0], 0), atol=0, equal_nan=True)


def check(name, operation, couples):
    """Compare all couples at once, so that a failure shows the whole pattern."""
    wrong, answered = [], 0
    for left, right in couples:
        ours, theirs = (outcome(library, operation, left, right) for library in (ringgrad, torch))
        answered += not isinstance(theirs, type)
        if disagree(ours, theirs):
            wrong.append(f"{name}({left}, {right}): {ours}, torch {theirs}")
    assert answered, "torch refused everything: the table tests nothing"
    assert not wrong, f"{len(wrong)} of {len(couples)} differ:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("name", OPERATIONS)
def test_tensors(name, left, right):
    check(name, OPERATIONS[name], [((a, LEFT[left]), (b, RIGHT[right])) for a, b in itertools.product(DTYPES, DTYPES)])


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in TENSORS_ONLY])
def test_number_on_the_right(name, left):
    check(name, OPERATIONS[name], [((a, LEFT[left]), number) for a, number in itertools.product(DTYPES, NUMBERS)])


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("name", NUMBER_FIRST)
def test_number_on_the_left(name, right):
    check(name, OPERATIONS[name], [(number, (b, RIGHT[right])) for number, b in itertools.product(NUMBERS, DTYPES)])


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name, right):
    """The result is cast to the type of what it is written to, when that is of no lower category."""
    def operation(library, x, y):
        return getattr(x, name)(y)
    check(name, operation, [((a, (3, 1)), (b, RIGHT[right])) for a, b in itertools.product(DTYPES, DTYPES)])


@pytest.mark.parametrize("name", [n for n in IN_PLACE if n not in ("logical_and_", "atan2_")])
def test_in_place_with_a_number(name):
    def operation(library, x, y):
        return getattr(x, name)(y)
    check(name, operation, [((a, (3, 1)), number) for a, number in itertools.product(DTYPES, NUMBERS)])


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_default_dtype_decides_for_integers(default):
    """What integers become beside floats, and what numbers are alone, follows set_default_dtype."""
    def operation(library, x, y):
        library.set_default_dtype(getattr(library, default))
        try:
            return library.tensor(x) / y
        finally:
            library.set_default_dtype(library.float32)
    check("div", operation, [(2, 3), ([1, 2], 3), ([1, 2], 2.5), ([1.5], 2), ([1], 2j)])


@pytest.mark.parametrize("dtype", HALVES)
def test_numbers_beside_half_precision_keep_theirs(dtype):
    """x * 1.1 multiplies by the float32 1.1, not by the nearest half, and x / 1.1 divides by it; + and - take the nearest half."""
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16
    x = np.linspace(0.1, 3, 200).astype(kind)
    for name in ("add", "sub", "rsub", "mul", "div"):
        for wrap in (lambda lib, number: number, lambda lib, number: lib.tensor(number)):
            ours = getattr(ringgrad, name)(ringgrad.from_numpy(x), wrap(ringgrad, 1.1))
            theirs = getattr(torch, name)(torch.from_numpy(x.astype(np.float32)).to(getattr(torch, dtype)), wrap(torch, 1.1))
            np.testing.assert_array_equal(ours.float().numpy(), theirs.float().numpy(), err_msg=name)
        rounded = getattr(ringgrad, name)(ringgrad.from_numpy(x), ringgrad.tensor(1.1, dtype=getattr(ringgrad, dtype)))
        assert np.array_equal(rounded.float().numpy(), theirs.float().numpy()) == (name not in ("mul", "div"))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(DTYPES, DTYPES)))
def test_lattice(a, b):
    ours, theirs = [[getattr(library, d) for d in (a, b)] for library in (ringgrad, torch)]
    assert ringgrad.promote_types(*ours).name == str(torch.promote_types(*theirs)).rpartition(".")[2]
    assert ringgrad.can_cast(*ours) == torch.can_cast(*theirs)
