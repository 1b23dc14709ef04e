"""What overwrites a tensor: copies, constants, random numbers, in torch's words."""
import numpy as np

from .. import ops
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor, unwrap
from ._write import assign, beside

# -- copies and constants ----------------------------------------------------------------------------------------------


def fill_(self, value):
    """In place: every element becomes `value`, a number or a 0-d tensor.  Returns self."""
    if isinstance(value, Tensor) and value._data.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions.")
    return assign(self, value)


def zero_(self):
    """In place: every element becomes 0.  Returns self."""
    return assign(self, 0)


def copy_(self, src, non_blocking=False):
    """In place: the elements of `src`, broadcast, in this tensor's type; from any device.  Returns self.  Gradients go to `src`.

    non_blocking: the host does not wait for a copy from pinned memory to a GPU.
    """
    return assign(self, beside(src, self, non_blocking))


def fill(input, value):
    """`value` everywhere, in the shape, type and place of `input`."""
    return fill_(ops.copy(input), value)


# -- random numbers ----------------------------------------------------------------------------------------------------

def _write(op, self, **attrs):
    return apply_inplace(op.op, self, (), {**op.op.attrs, **attrs})


def _need_floats(self, name):
    if self._data.dtype.kind not in "fVc":
        raise NotImplementedError(f'"{name}" not implemented for {self.dtype.name} tensors')


def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """In place: normal numbers with this mean and standard deviation.  Returns self."""
    _need_floats(self, "normal_")
    return _write(ops.normal, self, mean=float(mean), std=float(std), generator=generator)


def uniform_(self, a=0.0, b=1.0, *, generator=None, **bounds):
    """In place: numbers evenly from [a, b), which torch also calls `from` and `to`.  Returns self."""
    _need_floats(self, "uniform_")
    a, b = bounds.pop("from", a), bounds.pop("to", b)
    if bounds:
        raise TypeError(f"uniform_() got an unexpected keyword argument {next(iter(bounds))!r}")
    return _write(ops.uniform, self, low=float(a), high=float(b), generator=generator)


def exponential_(self, lambd=1.0, *, generator=None):
    """In place: exponential numbers, density lambd * exp(-lambd * x).  Returns self."""
    _need_floats(self, "exponential_")
    return _write(ops.exponential, self, rate=float(lambd), generator=generator)


def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """In place: numbers whose logarithm is normal with this mean and standard deviation.  Returns self."""
    _need_floats(self, "log_normal_")
    return _write(ops.log_normal, self, mean=float(mean), std=float(std), generator=generator)


def cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """In place: Cauchy numbers, density sigma / pi / ((x - median)^2 + sigma^2).  Returns self."""
    if self._data.dtype.kind not in "fV":
        raise RuntimeError("Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified "
                           f"{self.dtype.name}")
    return _write(ops.cauchy, self, median=float(median), sigma=float(sigma), generator=generator)


def geometric_(self, p, *, generator=None):
    """In place: the number of the first success, 1, 2, ..., in trials that succeed with probability `p`.  Returns self."""
    return _write(ops.geometric, self, p=float(p), generator=generator)


def bernoulli_(self, p=0.5, *, generator=None):
    """In place: ones with probability `p`, a number or a tensor, else zeros.  Returns self."""
    return _write(ops.bernoulli, self, p=unwrap(p), generator=generator)


def random_(self, *bounds, generator=None, **named):
    """In place: integers from [from, to): random_(to), random_(from, to), or up to what the type holds exactly.  Returns self."""
    low, high = named.pop("from", 0), named.pop("to", None)
    if named:
        raise TypeError(f"random_() got an unexpected keyword argument {next(iter(named))!r}")
    if len(bounds) == 1:
        low, high = (low, bounds[0]) if high is None else (bounds[0], high)
    elif bounds:
        low, high = bounds
    if high is None:
        high = _one_beyond(self.dtype)
    return _write(ops.integers, self, low=int(low), high=int(high), generator=generator)


def _one_beyond(dtype):
    """The end of the integers that a dtype holds exactly."""
    if dtype.name == "bool":
        return 2
    if dtype.is_floating_point:
        return 2 ** {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}[dtype.name] + 1
    return np.iinfo(dtype.np).max + (dtype.itemsize < 8)


FUNCTIONS = {"fill": fill}
METHODS = {
    "fill_": fill_, "zero_": zero_, "copy_": copy_, "normal_": normal_, "uniform_": uniform_, "exponential_": exponential_,
    "log_normal_": log_normal_, "bernoulli_": bernoulli_, "random_": random_, "cauchy_": cauchy_,
    "geometric_": geometric_,
}
INPLACE = {}
