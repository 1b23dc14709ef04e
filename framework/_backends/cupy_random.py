"""The random source of a CUDA device: the Philox kernels of `philox.py` on a {seed, counter} pair in device memory."""
import math
import threading

import cupy
import numpy as np

from .philox import MOST_BLOCKS, OPTIONS, PER_BLOCK, SOURCE, THREADS


class CudaSource:
    """What `_rng.HostSource` is for the CPU.  Draws are atomic and go to the current stream."""

    STATE_WORDS = 1

    def __init__(self, index):
        self._device = cupy.cuda.Device(index)
        self._lock, self._kernels = threading.Lock(), {}
        with self._device:
            self._module = cupy.RawModule(code=SOURCE, options=OPTIONS)
            self._pair = cupy.zeros(2, np.uint64)

    def restart(self, seed):
        """Begin the stream of a seed."""
        self.restore((0,), seed)

    def state(self):
        """The counter: one word of 64 bits.  Waits for the device."""
        return self._pair[1:].get()

    def restore(self, words, seed):
        """Go back to what `state` returned."""
        with self._device:
            self._pair.set(np.array([seed, words[0]], np.uint64))

    def uniform(self, shape, dtype):
        """Numbers from [0, 1)."""
        return self._draw(f"uniform_{dtype.name}", shape, dtype)

    def normal(self, shape, dtype):
        """Standard normal numbers."""
        return self._draw(f"normal_{dtype.name}", shape, dtype)

    def exponential(self, shape, dtype):
        """Exponential numbers of rate 1."""
        u = self.uniform(shape, dtype)
        with self._device:
            return -cupy.log1p(-u)

    def integers(self, low, high, shape):
        """Integers from [low, high), by remainder as in torch: the bias is below (high - low) / 2^64."""
        bits = self._draw("bits64", shape, np.dtype(np.uint64))
        with self._device:
            return (bits % np.uint64(high - low)).view(np.int64) + np.int64(low) if high < 2**63 else bits % np.uint64(high - low)

    def permutation(self, n):
        """The numbers 0 ... n - 1 in the order of random keys."""
        with self._device:
            return cupy.argsort(self._draw("bits64", (n,), np.dtype(np.uint64)))

    def below(self, shape, p):
        """Booleans, True where `uniform` of float32 would be below the number `p`."""
        return self._draw("below_float32", shape, np.dtype(bool), np.float32(p))

    def reserve(self, n):
        """The state as it is now, in an array of its own, and the counter moved on by `n`."""
        with self._device, self._lock:
            state = self._pair.astype(np.int64)
            self._run("advance", 1, 1, self._pair, np.uint64(n))
            return state

    def lend(self, n, use):
        """use(state), for who draws `n` numbers itself, in a kernel on the current stream, as `below` would.  The stream goes on behind."""
        with self._device, self._lock:
            result = use(self._pair)
            self._run("advance", 1, 1, self._pair, np.uint64(-(-n // PER_BLOCK["below_float32"])))
            return result

    def _draw(self, kernel, shape, dtype, *more):
        n = math.prod(shape)
        with self._device, self._lock:
            out = cupy.empty(shape, dtype)
            if n:
                blocks = -(-n // PER_BLOCK[kernel])
                grid = min(-(-blocks // THREADS), MOST_BLOCKS)
                self._run(kernel, grid, THREADS, self._pair, out, np.uint64(n), *more)
                self._run("advance", 1, 1, self._pair, np.uint64(blocks))
            return out

    def _run(self, name, grid, threads, *arguments):
        kernel = self._kernels.get(name)
        if kernel is None:  # CuPy would ask the driver anew at every call
            kernel = self._kernels[name] = self._module.get_function(name)
        kernel((grid,), (threads,), arguments)
