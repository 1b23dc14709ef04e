"""grad, grad_and_value, vjp and jacrev: derivatives by backward passes."""
import functools

from .._core.modes import is_grad_enabled
from .._core.tensor import Tensor
from .._functional.joining import stack
from ..autograd._forward import basis
from ._tree import flatten, unflatten
from ._watch import Level, check_tensors, gradients, positions, split_aux


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns (gradient, value) of `func`, whose output is a 0-d tensor; (gradient, (value, aux)) with has_aux.

    argnums  which positional arguments to differentiate by, an int or a tuple of them; the gradient has that argument's structure, or is a tuple
    has_aux  func returns (output, aux), and aux is passed through
    """
    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        with Level() as level:
            args, watched = _watch_arguments(level, args, argnums)
            output, aux = split_aux(func(*args, **kwargs), has_aux, "grad_and_value(f)(*args)")
            _check_scalar(output)
            inputs, tree = flatten(watched)
            found = gradients([output], inputs, None, level.followed(output))
        found = level.release(unflatten(found, tree))
        output = level.release(output)
        return (found, (output, level.release(aux))) if has_aux else (found, output)
    return wrapper


def grad(func, argnums=0, has_aux=False):
    """A function that returns the gradient of `func`, or (gradient, aux) with has_aux; see `grad_and_value`."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found
    return wrapper


def _check_scalar(output):
    if not isinstance(output, Tensor):
        raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
    if output.ndim != 0:
        raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {output.ndim} dims. Maybe you "
                           "wanted to use the vjp or jacrev APIs instead?")


def _watch_arguments(level, args, argnums):
    """(args with stand-ins at `argnums`, those stand-ins in the form of argnums)."""
    at = positions(argnums, len(args))
    watched = {i: level.watch(args[i]) for i in at}
    args = tuple(watched.get(i, a) for i, a in enumerate(args))
    return args, watched[at[0]] if isinstance(argnums, int) else tuple(watched[i] for i in at)


def vjp(func, *primals, has_aux=False):
    """(func(*primals), a function of cotangents in the output's form that returns v^T J, one per primal), and aux last with has_aux.

    The function of cotangents may be called often, under vmap too.
    """
    pull = Pullback(func, primals, None, has_aux, "vjp(f, *primals)")
    return (pull.output, pull, pull.aux) if has_aux else (pull.output, pull)


class Pullback:
    """The linear map v -> v^T J at one point; calling it with cotangents runs it.

    output, aux  what func returned, as the caller gets them
    """

    def __init__(self, func, primals, argnums, has_aux, name):
        with Level() as level:
            if argnums is None:
                args = watched = level.watch(primals)
            else:
                args, watched = _watch_arguments(level, primals, argnums)
            result, aux = split_aux(func(*args), has_aux, name)
            self.outputs, self.form = flatten(result)
        check_tensors(self.outputs, name)
        for o in self.outputs:
            if o._data.dtype.kind not in "fcV":
                raise RuntimeError(f"vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype {o.dtype}")
        self.inputs, self.inputs_form = flatten(watched)
        self.level, self.linked = level, level.followed(*self.outputs)
        self.output, self.aux = level.release(result), level.release(aux)

    def __call__(self, cotangents, retain_graph=True, create_graph=None):
        """v^T J for cotangents in the form of the output, in the form of the primals (a tuple)."""
        given, form = flatten(cotangents)
        if form != self.form:
            raise RuntimeError("Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                               f"cotangents: {form}, primal output: {self.form}")
        return unflatten(self.run(given, retain_graph, create_graph), self.inputs_form)

    def run(self, given, retain_graph=True, create_graph=None):
        """The same on flat sequences."""
        if create_graph is None:
            create_graph = is_grad_enabled() and (self.linked or Level().followed(*[t for t in given if isinstance(t, Tensor)]))
        return gradients(self.outputs, self.inputs, given, create_graph, retain_graph)


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """A function that returns the Jacobian of `func`, one backward pass per element of its output; (Jacobian, aux) with has_aux.

    The result has the output's structure, and below each output that of the differentiated arguments; each tensor is (*output, *input).
    chunk_size: at most so many rows at once.  Rows are computed one by one here, so it changes nothing.
    """
    check_chunk(chunk_size, "jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args):
        check_real("jacrev", args, "inputs")
        pull = Pullback(func, args, argnums, has_aux, "vjp(f, *primals)")
        check_real("jacrev", pull.outputs, "outputs")
        rows = [[pull.run(unit) for unit in _basis_of(pull.outputs, i)] for i in range(len(pull.outputs))]
        found = [unflatten([_stacked([r[k] for r in own], o, x) for k, x in enumerate(pull.inputs)], pull.inputs_form)
                 for own, o in zip(rows, pull.outputs)]
        jacobian = unflatten(found, pull.form)
        return (jacobian, pull.aux) if has_aux else jacobian
    return wrapper


def _basis_of(outputs, i):
    """Unit cotangents for output i, zeros for the others."""
    others = [o.new_zeros(o.shape) for o in outputs]
    for (unit,) in basis([outputs[i]]):
        yield [unit if j == i else other for j, other in enumerate(others)]


def _stacked(rows, output, x):
    shape = (*output.shape, *x.shape)
    return stack(rows).reshape(shape) if rows else x.new_zeros(shape)


def check_chunk(chunk_size, sentence):
    """ValueError unless chunk_size is None or positive."""
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(sentence)


def check_real(name, tree, what):
    """RuntimeError when a tensor of `tree` is complex."""
    for i, t in enumerate(flatten(tree)[0]):
        if isinstance(t, Tensor) and t.is_complex():
            raise RuntimeError(f"{name}: Expected all {what} to be real but received complex tensor at flattened input idx: {i}")
