"""Random numbers, in torch's words.

generator: the Generator to draw from, by default that of the device (see `_rng`).
"""
import contextlib

import numpy as np

from .. import _rng, ops
from .._backends import device_of, of_array
from .._core.tensor import Tensor, unwrap, wrap
from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype, int64, of_numpy
from .._tensor.pinning import pinned_if
from ..ops.creation import fresh, place_of
from ._random_state import RandomState
from ._sizes import shape_of_new

Generator = _rng.Generator


# -- generators --------------------------------------------------------------------------------------------------------

def _get_state(self):
    """The whole state, as a uint8 tensor on the CPU; `set_state` goes back to it."""
    return wrap(self.state_bytes())


def _set_state(self, state):
    """Go back to a state from `get_state`.  TypeError for what is no uint8 tensor, RuntimeError for another generator's kind."""
    if not isinstance(state, Tensor) or state._data.dtype != np.uint8:
        raise TypeError(f"expected a ringgrad.ByteTensor, but got {getattr(state, 'dtype', type(state).__name__)}")
    self.restore_bytes(of_array(state._data).to_host(state._data))


def _clone_state(self):
    """A new Generator in this one's state."""
    twin = Generator(self.device)
    twin.restore_bytes(self.state_bytes())
    return twin


def _no_offset(self, offset=None):
    """Raises RuntimeError, as torch's generator of the CPU does: the whole state is in get_state and set_state."""
    raise RuntimeError("Generator does not use offset; get_state and set_state take the whole state")


def _not_graphsafe(self, state=None):
    """Raises NotImplementedError, as torch's generator of the CPU does."""
    raise NotImplementedError("graphsafe_get_state and graphsafe_set_state are not supported in this Generator; use get_state and set_state")


Generator.get_state, Generator.set_state, Generator.clone_state = _get_state, _set_state, _clone_state
Generator.get_offset = Generator.set_offset = _no_offset
Generator.graphsafe_get_state = Generator.graphsafe_set_state = _not_graphsafe


def thread_safe_generator():
    """None outside of the workers of a DataLoader, as in torch; programs then use `default_generator`."""
    return


def manual_seed(seed):
    """Seed the default generators of every device.  Returns the CPU's."""
    _rng.seed_everywhere(seed)
    return _rng.default_generator("cpu")


def seed():
    """Seed the default generators of every device from the operating system; returns that seed."""
    number = _rng.default_generator("cpu").seed()
    _rng.seed_everywhere(number)
    return number


def initial_seed():
    """The seed of the CPU's default generator."""
    return _rng.default_generator("cpu").initial_seed()


def get_rng_state():
    """The state of the CPU's default generator, as a uint8 tensor."""
    return _get_state(_rng.default_generator("cpu"))


def set_rng_state(new_state):
    """Go back to a state from `get_rng_state`."""
    _set_state(_rng.default_generator("cpu"), new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type="cuda"):
    """Whatever is drawn inside leaves the default generators as they were.

    devices: the CUDA devices to include beside the CPU; by default those whose generator was used so far
    device_type: "cuda", whose devices are meant, or "cpu" for none of them
    """
    if not enabled:
        yield
        return
    if as_device(device_type).type == "cpu":
        devices = ()
    state = RandomState(None if devices is None else [_rng.default_generator(d) for d in ("cpu", *(as_device(d) for d in devices))])
    try:
        yield
    finally:
        state.restore()


# -- new tensors -------------------------------------------------------------------------------------------------------

def _drawn(draw, shape, dtype, device, requires_grad, generator):
    """A new tensor of what draw(generator, shape, NumPy dtype) gives."""
    place = as_device(device)
    source = _rng.default_generator(place) if generator is None else generator
    if source.device.type != place.type:
        raise RuntimeError(f"Expected a '{place.type}' device type for generator but found '{source.device.type}'")
    with place_of(place)[1]:
        return fresh(draw(source, shape, dtype.np), requires_grad)


def _floating(dtype, name):
    """`dtype`, by default the default float.  NotImplementedError for integers, which these distributions do not have."""
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise NotImplementedError(f'"{name}" not implemented for {dtype.name}: random integers come from randint')
    return dtype


def randn(*args, size=None, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Standard normal numbers.  randn(2, 3) or randn((2, 3))"""
    shape, dtype = shape_of_new(args, size, "randn"), _floating(dtype, "normal_kernel")
    return pinned_if(pin_memory, _drawn(Generator.normal, shape, dtype, device, requires_grad, generator))


def rand(*args, size=None, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Numbers evenly from [0, 1).  rand(2, 3) or rand((2, 3))"""
    shape, dtype = shape_of_new(args, size, "rand"), _floating(dtype, "uniform_kernel")
    return pinned_if(pin_memory, _drawn(Generator.uniform, shape, dtype, device, requires_grad, generator))


def randint(low=None, high=None, size=None, *, generator=None, dtype=int64, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Integers evenly from [low, high), from 0 when only one is given: randint(10, (2, 3)) or randint(5, 10, (2, 3))"""
    if isinstance(high, (tuple, list)) and size is None:
        high, size = None, high
    if high is None or low is None:
        low, high = 0, low if high is None else high
    if size is None or high is None:
        raise TypeError(f'randint() missing 1 required positional arguments: "{"size" if size is None else "high"}"')
    low, high = int(low), int(high)
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    shape = shape_of_new((size,), None, "randint")
    drawn = _drawn(lambda g, shape, d: g.integers(low, high, shape, d), shape, as_dtype(dtype), device, requires_grad, generator)
    return pinned_if(pin_memory, drawn)


def randperm(n, *, generator=None, dtype=int64, layout=None, device=None, requires_grad=False, pin_memory=False):
    """The numbers 0 ... n - 1 in random order.  -> (n)"""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    drawn = _drawn(lambda g, shape, d: g.permutation(n).astype(d, copy=False), (n,), as_dtype(dtype), device, requires_grad, generator)
    return pinned_if(pin_memory, drawn)


def _like(input, dtype, device):
    return input.dtype if dtype is None else dtype, device_of(input._data) if device is None else device


def randn_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None):
    """`randn` in the shape, type and place of `input` unless told otherwise."""
    dtype, device = _like(input, dtype, device)
    return randn(input._data.shape, dtype=dtype, device=device, requires_grad=requires_grad, generator=generator)


def rand_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None):
    """`rand` in the shape, type and place of `input` unless told otherwise."""
    dtype, device = _like(input, dtype, device)
    return rand(input._data.shape, dtype=dtype, device=device, requires_grad=requires_grad, generator=generator)


def randint_like(input, low=None, high=None, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, generator=None):
    """`randint` in the shape, type and place of `input` unless told otherwise.  randint_like(x, 10) or randint_like(x, 5, 10)"""
    dtype, device = _like(input, dtype, device)
    return randint(low, high, input._data.shape, dtype=dtype, device=device, requires_grad=requires_grad, generator=generator)


# -- distributions of given parameters ---------------------------------------------------------------------------------

def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal numbers with the means and standard deviations of two tensors (or a tensor and a number), or of two numbers and a size."""
    like = mean if isinstance(mean, Tensor) else std if isinstance(std, Tensor) else None
    if like is None:
        if size is None:
            raise TypeError("normal(): two numbers need a size: normal(mean, std, size)")
        like = randn(size, dtype=dtype, device=device)
        out = ops.normal(like, float(mean), float(std), generator)
        return out.requires_grad_(requires_grad)
    smallest = unwrap(std) if not isinstance(std, Tensor) else unwrap(std).min() if unwrap(std).size else 0
    if smallest < 0:
        raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {smallest}")
    shape = np.broadcast_shapes(np.shape(unwrap(mean)), np.shape(unwrap(std)))
    z = randn(shape, dtype=like.dtype, device=like.device, generator=generator)
    return fresh(z._data * unwrap(std) + unwrap(mean), requires_grad)


def bernoulli(input, p=None, *, generator=None):
    """Ones with the probabilities in `input` (or with probability `p`), else zeros, in the shape and type of `input`."""
    if p is None and input._data.dtype.kind not in "fV":
        raise NotImplementedError(f'"bernoulli" not implemented for {input.dtype.name}: the probabilities must be floating-point numbers')
    return ops.bernoulli(input, p, generator)


def poisson(input, generator=None):
    """Poisson numbers with the rates in `input`, in its shape and type.  RuntimeError for negative rates."""
    if input._data.dtype.kind not in "fV":
        raise NotImplementedError(f'"poisson_cpu" not implemented for {input.dtype.name}: the rates must be floating-point numbers')
    return ops.poisson(input, generator)


def binomial(count, prob, generator=None):
    """The numbers of successes in `count` trials of probability `prob`, two floating-point tensors that broadcast.  ValueError for others."""
    for name, t in (("count", count), ("prob", prob)):
        if t._data.dtype.kind not in "fV":
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {t.dtype.name}")
    return ops.binomial(count, prob, generator)


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Numbers of categories, drawn with the probabilities (or weights) of each row.  (k) -> (n), (m, k) -> (m, n) int64

    Without replacement by the race of Efraimidis and Spirakis 2006: category i finishes at an exponential time of rate weight i, and the first n
    are taken, those of weight 0 last.  RuntimeError for negative weights, and for rows without any.
    """
    if input.is_meta:
        return ops.empty((*input._data.shape[:-1], num_samples), np.int64, "meta")
    source = _rng.generator_beside(input._data, generator)
    p = _check_weights(input, num_samples, replacement)
    xp = of_array(p).xp
    if not replacement:
        race = source.exponential(p.shape, p.dtype) / xp.where(p > 0, p, 1)
        race[p == 0] = np.inf
        return fresh(xp.argsort(race, axis=-1)[..., :num_samples].astype(np.int64, copy=False))
    rows = xp.cumsum(p.reshape(-1, p.shape[-1]), axis=-1)
    u = source.uniform((len(rows), num_samples), p.dtype) * rows[:, -1:]
    places = xp.stack([xp.searchsorted(row, v, side="right") for row, v in zip(rows, u)])
    last = p.shape[-1] - 1 - xp.argmax(p.reshape(rows.shape)[:, ::-1] > 0, axis=1)  # rounding may push u to the very end
    return fresh(xp.minimum(places, last[:, None]).reshape(*p.shape[:-1], num_samples).astype(np.int64, copy=False))


def _check_weights(input, num_samples, replacement):
    p = input._data
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, but has shape {list(p.shape)}")
    if p.dtype.kind not in "fV":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {of_numpy(p.dtype).name}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, and it is {num_samples}")
    if not replacement and num_samples > p.shape[-1]:
        raise RuntimeError(f"cannot sample n_sample > prob_dist.size(-1) samples without replacement: {num_samples} of {p.shape[-1]}")
    p = p.astype(np.float64 if p.dtype == np.float64 else np.float32)
    if not bool(((p >= 0) & (p < np.inf)).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not bool((p.sum(-1) > 0).all()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    return p


FUNCTIONS = {
    "Generator": Generator, "manual_seed": manual_seed, "seed": seed, "initial_seed": initial_seed, "get_rng_state": get_rng_state,
    "set_rng_state": set_rng_state, "randn": randn, "rand": rand, "randint": randint, "randperm": randperm, "randn_like": randn_like,
    "rand_like": rand_like, "randint_like": randint_like, "normal": normal, "bernoulli": bernoulli, "multinomial": multinomial,
    "poisson": poisson, "binomial": binomial, "thread_safe_generator": thread_safe_generator,
}
METHODS = {"bernoulli": bernoulli, "multinomial": multinomial}
INPLACE = {}
