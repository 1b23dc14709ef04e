"""jvp, linearize, jacfwd and hessian: derivatives in a direction.  See `autograd/_forward.py` for how forward mode is made."""
import functools

from .._core.modes import is_grad_enabled
from .._core.tensor import Tensor
from .._functional.creation import zeros_like
from ..autograd._forward import Pushforward, basis, split_columns
from ._lanes import running
from ._random import RandomGuard, check_randomness
from ._reverse import check_real, jacrev
from ._tree import flatten, unflatten
from ._watch import Level, check_tensors, positions, split_aux

_NAME = "jvp(f, primals, tangents)"


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), J tangents), and aux last with has_aux.  primals and tangents are tuples of one structure.

    strict: RuntimeError when an output does not depend on the primals, instead of zeros
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_NAME}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    given, form = flatten(tangents)
    wanted, primals_form = flatten(primals)
    if form != primals_form:
        raise RuntimeError(f"{_NAME}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of 3 "
                           f"tensors, tangents also must be. Got primals with structure {primals_form} and tangents with structure {form}")
    for flat, what in ((wanted, "primals"), (given, "tangents")):
        _check_list(flat, what)
    _check_sizes(wanted, given)
    line = Linear(func, primals, None, has_aux)
    found = line.push(given, strict)
    return (line.output, found, line.aux) if has_aux else (line.output, found)


def linearize(func, *primals):
    """(func(*primals), a function of tangents that returns J tangents).  func runs once, however often that function is called."""
    line = Linear(func, primals, None, False)
    wanted, form = flatten(primals)

    def jvp_fn(*tangents):
        given, given_form = flatten(tangents)
        if given_form != form:
            raise RuntimeError(f"Expected the tangents {given_form} to have the same argspec as the primals {form}")
        for i, (t, x) in enumerate(zip(given, wanted)):
            for what in ("shape", "device", "dtype"):
                if getattr(t, what) != getattr(x, what):
                    raise RuntimeError(f"tangent:{i} with {what} {getattr(t, what)} in flattened pytree doesn't match the {what} "
                                       f"{getattr(x, what)} of the corresponding primal.")
        return line.push(given)
    return line.output, jvp_fn


class Linear:
    """func at one point: its output, and the linear map of tangents that belongs to it."""

    def __init__(self, func, args, argnums, has_aux):
        level = self.level = Level()
        at = range(len(args)) if argnums is None else positions(argnums, len(args))
        watched = {i: level.watch(args[i]) for i in at}
        with level:
            result, aux = split_aux(func(*[watched.get(i, a) for i, a in enumerate(args)]), has_aux, _NAME)
            self.outputs, self.form = flatten(result)
            check_tensors(self.outputs, _NAME)
            inputs = tuple(watched[i] for i in at)
            self.inputs, self.inputs_form = flatten(inputs[0] if isinstance(argnums, int) else inputs)
            self.map = Pushforward(self.outputs, self.inputs)
        self.linked = level.followed(*self.outputs)
        self.output, self.aux = level.release(result), level.release(aux)

    def push(self, tangents, strict=False):
        """J tangents, in the output's form, for flat tangents."""
        return unflatten(self.run(tangents, strict), self.form)

    def run(self, tangents, strict=False):
        """The same as a flat list."""
        follows = is_grad_enabled() and (self.linked or Level().followed(*tangents))
        found = self.map(tangents, follows or running() is not None, True)
        if strict and any(t is None for t in found):
            raise RuntimeError("jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with "
                               "strict=True.")
        found = [zeros_like(o).detach() if t is None else t for o, t in zip(self.outputs, found)]
        return found if follows else [t.detach() for t in found]


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """A function that returns the Jacobian of `func`, one pass per element of the differentiated arguments; see `jacrev` for its form.

    randomness: "error", "same" or "different", as in `vmap`; func itself runs once
    """
    check_randomness(randomness)

    @functools.wraps(func)
    def wrapper(*args):
        check_real("jacfwd", args, "inputs")
        with RandomGuard("different" if randomness == "different" else randomness):
            line = Linear(func, args, argnums, has_aux)
        check_real("jacfwd", line.outputs, "outputs")
        columns = [line.run(unit) for unit in basis(line.inputs)]
        found = [unflatten(split_columns([c[i] for c in columns], o, line.inputs), line.inputs_form) for i, o in enumerate(line.outputs)]
        jacobian = unflatten(found, line.form)
        return (jacobian, line.aux) if has_aux else jacobian
    return wrapper


def hessian(func, argnums=0):
    """A function that returns the second derivatives of `func`: jacfwd of jacrev."""
    return jacfwd(jacrev(func, argnums), argnums)


def _check_list(tensors, what):
    if not tensors:
        raise RuntimeError(f"{_NAME}: Expected {what} to contain at least one Tensor.")
    for t in tensors:
        if not isinstance(t, Tensor):
            raise RuntimeError(f"{_NAME}: Expected {what} to only contain Tensors, got {type(t)}")


def _check_sizes(primals, tangents):
    for x, t in zip(primals, tangents):
        if t._data.dtype.kind not in "fcV":
            raise ValueError(f"Expected tangent to be floating point or complex, but got: {t.dtype}")
        if t.shape != x.shape:
            raise RuntimeError("Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                               f"Tensor is of size {list(x.shape)} while the given forward gradient is of size {list(t.shape)}.")
