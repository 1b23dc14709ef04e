"""Random numbers: a counter-based stream (Philox) per device.

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a key, the seed, and a counter into random bits.  A stream is
therefore two things, (seed, how far the counter went), which a checkpoint can hold and which repeat exactly.  On the CPU NumPy's Philox does the
work; the CUDA kernels are in `_backends/philox.py`.

Each device has one default generator for the whole process, as in torch.  Ranks of the `local` process group are threads of one process, so
they draw from the same one: each draw is atomic, but the order in which threads come is not fixed.  A rank that must repeat exactly uses a
Generator of its own.
"""
import math
import os
import threading

import numpy as np

from ._backends import device_of, for_device
from ._backends.meta_ import array_of
from ._device import as_device

DEFAULT_SEED = 67280421310721  # what torch seeds a new Generator with
_DRAWN_IN = {np.dtype(np.float32): np.float32, np.dtype(np.float64): np.float64}


class Generator:
    """A stream of random numbers on one device.

    The methods here draw raw arrays; `get_state` and `set_state`, which speak in tensors, are in `_functional/random.py`.
    """

    def __init__(self, device="cpu"):
        self.device = as_device(device)
        self._source = _SOURCES.get(self.device.type, _cuda_source)(self.device)
        self.manual_seed(DEFAULT_SEED)
        self._first_seed = DEFAULT_SEED

    def manual_seed(self, seed):
        """Start the stream of `seed`, an integer from -2^63 to 2^64 - 1; negative ones count from 2^64 down.  Returns self."""
        number = int(seed)
        if not -2**63 <= number < 2**64:
            raise ValueError(f"Overflow when unpacking long long: a seed lies between -2**63 and 2**64 - 1, and this one is {number}")
        self._seed = number % 2**64
        self._source.restart(self._seed)
        return self

    def seed(self):
        """Start the stream of a seed taken from the operating system, which is returned."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
        return self._seed

    def initial_seed(self):
        """The seed of the stream."""
        return self._seed

    def state_bytes(self):
        """The whole state, as a NumPy array of uint8."""
        return np.concatenate([np.array([self._seed], np.uint64), self._source.state()]).view(np.uint8)

    def restore_bytes(self, state):
        """Go back to what `state_bytes` returned.  RuntimeError when it came from another kind of generator."""
        size = 8 + 8 * self._source.STATE_WORDS
        if state.shape != (size,):
            raise RuntimeError(f"Expected the state of a generator on {self.device}, of size {size}, but found the input RNG state size to be "
                               f"{state.size}")
        words = np.ascontiguousarray(state).view(np.uint64)
        self._seed = int(words[0])
        self._source.restore(words[1:], self._seed)

    # -- draws: raw arrays of the generator's device --------------------------------------------------------------------

    def uniform(self, shape, dtype):
        """Numbers from [0, 1), each multiple of 2^-p equally likely, p the precision of `dtype` (a NumPy floating type, or complex)."""
        if dtype.kind == "c":
            return self._complex(self._source.uniform, shape, dtype)
        if dtype in _DRAWN_IN:
            return self._source.uniform(shape, dtype)
        steps = 2.0 ** (11 if dtype == np.float16 else 8)
        u = self._source.uniform(shape, np.dtype(np.float32))
        u *= steps
        return (u.astype(np.int32).astype(np.float32) / steps).astype(dtype)

    def normal(self, shape, dtype):
        """Standard normal numbers; complex ones have variance 1/2 in each part."""
        if dtype.kind == "c":
            z = self._complex(self._source.normal, shape, dtype)
            z *= z.dtype.type(math.sqrt(0.5))
            return z
        if dtype in _DRAWN_IN:
            return self._source.normal(shape, dtype)
        return self._source.normal(shape, np.dtype(np.float32)).astype(dtype)

    def exponential(self, shape, dtype):
        """Exponential numbers of rate 1."""
        if dtype in _DRAWN_IN:
            return self._source.exponential(shape, dtype)
        return self._source.exponential(shape, np.dtype(np.float32)).astype(dtype)

    def integers(self, low, high, shape, dtype):
        """Integers from [low, high) in the NumPy type `dtype`, whatever its kind."""
        return self._source.integers(low, high, shape).astype(dtype, copy=False)

    def below(self, shape, p):
        """Booleans, each True with probability `p`, a number or an array that broadcasts to `shape`."""
        if isinstance(p, (int, float)):
            return self._source.below(shape, p)
        if p.dtype != np.float64:
            return self._source.uniform(shape, np.dtype(np.float32)) < p
        return self._source.uniform(shape, np.dtype(np.float64)) < p

    def reserve(self, n):
        """On CUDA: the state {seed, counter}, an array (2) of int64, from which somebody else draws up to `n` numbers; the stream goes on behind."""
        return self._source.reserve(n)

    def lend(self, n, use):
        """On CUDA: use(state), {seed, counter}, from which a kernel draws `n` numbers as `below` would; the stream goes on behind."""
        return self._source.lend(n, use)

    def permutation(self, n):
        """The numbers 0 ... n - 1 in random order, int64."""
        return self._source.permutation(n)

    def on_host(self):
        """A NumPy generator, seeded with the next number of this stream: for distributions that are drawn on the CPU on any device."""
        return np.random.Generator(np.random.Philox(key=int(self._source.integers(0, 2**62, (1,))[0])))

    def _complex(self, draw, shape, dtype):
        part = np.dtype(f"f{dtype.itemsize // 2}")
        pairs = draw((*shape, 2), part)
        return pairs.view(dtype)[..., 0]

    def __repr__(self):
        return f"<ringgrad.Generator on {self.device}, seed {self._seed}>"


class HostSource:
    """NumPy's Philox-4x64 on the CPU.  NumPy locks the stream during each draw."""

    STATE_WORDS = 13

    def __init__(self, device=None):
        pass

    def restart(self, seed):
        """Begin the stream of a seed."""
        self._bits = np.random.Philox(key=seed)
        self._draw = np.random.Generator(self._bits)

    def state(self):
        """The counter, the key, and what is left in the buffer: 13 words of 64 bits."""
        s = self._bits.state
        return np.concatenate([s["state"]["counter"], s["state"]["key"], s["buffer"],
                               np.array([s["buffer_pos"], s["has_uint32"], s["uinteger"]], np.uint64)])

    def restore(self, words, seed):
        """Go back to what `state` returned."""
        position, has_uint32, uinteger = (int(w) for w in words[10:])
        self._bits.state = {"bit_generator": "Philox", "state": {"counter": words[:4].copy(), "key": words[4:6].copy()},
                            "buffer": words[6:10].copy(), "buffer_pos": position, "has_uint32": has_uint32, "uinteger": uinteger}

    def uniform(self, shape, dtype):
        return self._draw.random(dtype=dtype, out=np.empty(shape, dtype))

    def below(self, shape, p):
        return self.uniform(shape, np.dtype(np.float32)) < p

    def normal(self, shape, dtype):
        return self._draw.standard_normal(dtype=dtype, out=np.empty(shape, dtype))

    def exponential(self, shape, dtype):
        return self._draw.standard_exponential(dtype=dtype, out=np.empty(shape, dtype))

    def integers(self, low, high, shape):
        return np.asarray(self._draw.integers(low, high, shape))

    def permutation(self, n):
        return self._draw.permutation(n)


class MetaSource:
    """What stands for a stream on the meta device: shapes without numbers."""

    STATE_WORDS = 0

    def __init__(self, device=None):
        pass

    def restart(self, seed):
        """Nothing to begin."""

    def state(self):
        """Nothing to keep."""
        return np.zeros(0, np.uint64)

    def restore(self, words, seed):
        """Nothing to go back to."""

    def uniform(self, shape, dtype):
        return array_of(shape, dtype)

    normal = exponential = uniform

    def below(self, shape, p):
        return array_of(shape, bool)

    def integers(self, low, high, shape):
        return array_of(shape, np.int64)

    def permutation(self, n):
        return array_of((n,), np.int64)


def _cuda_source(device):
    for_device(device).require_device(device.index)
    from ._backends import cupy_random  # it needs CuPy
    return cupy_random.CudaSource(device.index)


_SOURCES = {"cpu": HostSource, "meta": MetaSource}
_defaults, _lock = {}, threading.Lock()
_seed = None  # what seed_everywhere was last called with


def default_generator(device=None):
    """The default generator of a device (None: the default device).  Unlike a new Generator it starts from a seed of its own."""
    device = as_device(device)
    if device.type == "cuda" and device.index is None:
        device = as_device(for_device(device).xp.cuda.Device().id)
    found = _defaults.get(device)
    if found is None:
        with _lock:
            found = _defaults.get(device)
            if found is None:
                found = Generator(device)
                found.seed() if _seed is None else found.manual_seed(_seed)
                found._first_seed = found.initial_seed()
                _defaults[device] = found
    return found


def generator_beside(array, generator=None):
    """`generator`, by default that of the device which holds `array`.  RuntimeError when it is on another device."""
    place = device_of(array)
    if generator is None:
        return default_generator(place)
    if generator.device.type != place.type:
        raise RuntimeError(f"Expected a '{place.type}' device type for generator but found '{generator.device.type}'")
    return generator


def seed_everywhere(seed):
    """Seed the default generators of the CPU and of every CUDA device; those made later start from `seed` too."""
    for generator in (default_generator("cpu"), *_defaults.values()):
        generator.manual_seed(seed)
    start_new_from(seed)


def seed_of_new():
    """The seed from which default generators that are yet to be made will start; None: each from one of its own."""
    return _seed


def start_new_from(seed):
    """Set `seed_of_new`."""
    global _seed
    _seed = seed


def _leave_behind():
    """In a forked child, where CUDA does not go on: no generator of a device is one of its own.  They are kept, since freeing them would ask CUDA."""
    _inherited.extend(_defaults.pop(device) for device in list(_defaults) if device.type == "cuda")


_inherited = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_behind)


def in_use():
    """The default generators made so far, the CPU's always among them."""
    return [default_generator("cpu"), *(g for d, g in list(_defaults.items()) if d.type == "cuda")]
