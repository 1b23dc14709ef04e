"""vmap: a function of single examples becomes one of a batch."""
import functools

import numpy as np

from .._core.tensor import Tensor
from .._functional._random_state import RandomState
from .._functional.joining import select, stack, unbind
from .._functional.shape import movedim
from .._state import state
from .._tensor.info import size
from ._lanes import Batch, Lane, StepAside, running
from ._random import RandomGuard, check_randomness
from ._reverse import check_chunk
from ._tree import broadcast_to, flatten, tree_map, unflatten


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that maps `func` over a dimension of its arguments and stacks what it returns.

    in_dims     the dimension to map over, for all tensors or per argument (nested like the arguments); None: the argument is the same for all
    out_dims    where the new dimension stands in the results, likewise; None: the result is the same for all and comes once
    randomness  "error": random numbers raise RuntimeError; "same": the same for every slice; "different": each slice draws its own
    chunk_size  at most so many slices at once

    Keyword arguments are mapped over their first dimension in no case: they are passed through.  Results can be differentiated, and `func` may
    take gradients itself.
    """
    check_randomness(randomness)
    check_chunk(chunk_size, f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        name = name_of(func)
        _check_out_dims(out_dims, name)
        flat, dims, form, count = _mapped(args, in_dims, name)
        results = _Results(name, out_dims)
        if count > 1 and (chunk_size is None or chunk_size >= count) and _fits(flat):
            try:
                return in_one_run(func, flat, dims, form, count, kwargs, randomness, results)
            except (Exception, StepAside):  # noqa: BLE001, S110 - whatever it was: the definition works, or raises what is to be raised
                pass
        return by_slices(func, flat, dims, form, count, kwargs, randomness, results)
    return wrapped


def _fits(flat):
    """Whether nobody outside follows gradients, and nothing but vmap watches the operations."""
    if state.tracer is not None and running() is None or state.saved_hooks or state.inference:
        return False
    return all(not isinstance(x, Tensor) or (not x.requires_grad or not state.grad) and type(x._data) in (np.ndarray, Lane) for x in flat)


def in_one_run(func, flat, dims, form, count, kwargs, randomness, results):
    """`func` on all slices at once.  Raises anything where that cannot be done; nothing has been changed then."""
    before = RandomState()
    with Batch(count) as batch:
        args = [x if d is None else batch.lane(movedim(x, d, 0).detach()) for x, d in zip(flat, dims)]
        result = func(*unflatten(args, form), **kwargs)
    if randomness != "same" and before.changed():
        before.restore()
        raise StepAside("random numbers that differ between slices")
    leaves, tree = flatten(result)
    places = results.places(result, tree)
    return unflatten([results.one_of_batch(batch, t, place) for t, place in zip(leaves, places)], tree)


def by_slices(func, flat, dims, form, count, kwargs, randomness, results):
    """The definition of vmap: run `func` on every slice, one after the other, and stack what comes back."""
    columns = [[x] * max(count, 1) if d is None else _slices(x, d) for x, d in zip(flat, dims)]
    runs = []
    with RandomGuard(randomness) as guard:
        for row in zip(*columns):
            guard.next_slice()
            runs.append(func(*unflatten(row, form), **kwargs))
    return results.stacked(runs, count)


def _slices(x, dim):
    """The slices of `x` along a dimension.  Of an empty one: a single slice of zeros, which shows the shapes of the results."""
    if not x.shape[dim]:
        shape = list(x.shape)
        del shape[dim]
        return [x.new_zeros(shape)]
    return list(unbind(x, dim)) if x.requires_grad else [select(x, dim, i) for i in range(x.shape[dim])]


class _Results:
    """Where the results of the slices go."""

    def __init__(self, name, out_dims):
        self.name, self.out_dims = name, out_dims

    def stacked(self, runs, count):
        """The stacked results of all slices, in the structure of one."""
        pairs = [flatten(run) for run in runs]
        leaves, form = pairs[0]
        if any(other != form for _, other in pairs):
            raise ValueError(f"vmap({self.name}, ...): `{self.name}` returned different structures for different slices: "
                             f"{form} and {next(other for _, other in pairs if other != form)}")
        places = self.places(runs[0], form)
        return unflatten([self.one([leaves[i] for leaves, _ in pairs], place, count) for i, place in enumerate(places)], form)

    def places(self, result, form):
        """The out_dims, one per leaf."""
        if isinstance(result, Tensor):
            found = [self.out_dims] if isinstance(self.out_dims, int) or self.out_dims is None else list(self.out_dims)
            found = found if len(found) == 1 else None
        else:
            found = broadcast_to(self.out_dims, form)
        if found is None:
            raise ValueError(f"vmap({self.name}, ..., out_dims={self.out_dims})(<inputs>): out_dims is not compatible with the structure of "
                             f"`outputs`. out_dims has structure {flatten(self.out_dims)[1]} but outputs has structure {form}.")
        return found

    def one_of_batch(self, batch, t, place):
        """One leaf of the result of a run on all slices at once."""
        if not isinstance(t, Tensor) or place is None and batch.holds(t) or t.requires_grad:
            raise StepAside("a result that the definition looks at")
        return t if place is None else _moved(batch.whole(t), place)

    def one(self, values, place, count):
        """One leaf of all slices, stacked at `place`."""
        first = values[0]
        if place is None:
            if isinstance(first, Tensor) and any(v is not first and not _equal(v, first) for v in values):
                raise ValueError(f"vmap({self.name}, ...): `{self.name}` can not return a BatchedTensor when out_dim is None")
            return first
        if not isinstance(first, Tensor):
            raise ValueError(f"vmap({self.name}, ...): `{self.name}` must only return Tensors, got type {type(first)}. Did you mean to set "
                             "out_dims= to None for output?")
        whole = stack(values, place)
        return whole if count else whole.narrow(place, 0, 0)


def _moved(whole, place):
    if not -whole.ndim <= place < whole.ndim:
        raise IndexError("no such dimension")
    whole = whole.contiguous() if 0 in whole.stride() else whole
    return movedim(whole, 0, place)


def _equal(a, b):
    return a.shape == b.shape and bool((a._data == b._data).all())


def _mapped(args, in_dims, name):
    """(flat arguments, their mapped dimensions from 0, Tree, number of slices).  ValueError, in torch's words, for what does not fit."""
    said = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(f"{said}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
                         f"{type(in_dims)}.")
    if not args:
        raise ValueError(f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function with no "
                         "inputs. The latter is unsupported.")
    flat, form = flatten(args)
    dims = broadcast_to(in_dims, form)
    if dims is None:
        raise ValueError(f"{said}: in_dims is not compatible with the structure of `inputs`. in_dims has structure {flatten(in_dims)[1]} but inputs "
                         f"has structure {form}.")
    dims = [_checked_dim(x, d, said) for x, d in zip(flat, dims)]
    sizes = [size(x, d) for x, d in zip(flat, dims) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped dimension")
    return flat, dims, form, sizes[0]


def _checked_dim(x, dim, said):
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{said}: Got in_dim={dim} for an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(f"{said}: Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, "
                         "please use None as the respective in_dim")
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{said}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {x.ndim} so expected in_dim to "
                         f"satisfy -{x.ndim} <= in_dim < {x.ndim}.")
    return dim % x.ndim


def _check_out_dims(out_dims, name):
    def one(d):
        if d is not None and not isinstance(d, int):
            raise ValueError(f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints representing "
                             "where in the outputs the vmapped dimension should appear.")
    tree_map(one, out_dims)


def name_of(func):
    """What messages call a function."""
    if hasattr(func, "__name__"):
        return func.__name__
    return f"functools.partial({name_of(func.func)}, ...)" if isinstance(func, functools.partial) else repr(func)
