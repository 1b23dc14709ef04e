"""Calls in the order of torch 1.4 and before, with the numbers in front of the tensors: x.add_(2, y), addcmul(x, 0.5, a, b), addmm(1, x, 2, a, b)."""
import functools
import numbers
import warnings

from .._core.tensor import Tensor

# How many tensors a function takes, and which options stood in front of the later ones as plain numbers.
OLD_ORDERS = {
    **dict.fromkeys(("add", "add_", "sub", "sub_"), (2, ("alpha",))),
    **dict.fromkeys(("addcmul", "addcmul_", "addcdiv", "addcdiv_"), (3, ("value",))),
    **dict.fromkeys((f"{name}{end}" for name in ("addmm", "addmv", "addr", "addbmm", "baddbmm") for end in ("", "_")), (3, ("beta", "alpha"))),
}


_warned = []  # holds something once the one warning of this process was given


def accepting_old_order(name, function):
    """`function`, which also takes more positional arguments than it has tensors, in torch's old order; that warns once."""
    tensors, options = OLD_ORDERS[name]

    @functools.wraps(function)
    def call(*args, **kwargs):
        if len(args) <= tensors:
            return function(*args, **kwargs)
        given = [a for a in args if isinstance(a, numbers.Number)]
        rest = [a for a in args if not isinstance(a, numbers.Number)]
        if len(args) == tensors + 1 and not given and isinstance(args[1], Tensor) and args[1].ndim == 0:  # a factor, as a tensor
            given, rest = [args[1]], [args[0], *args[2:]]
        if len(rest) != tensors or len(given) > len(options):
            return function(*args, **kwargs)  # which says what is wrong
        if not _warned:
            _warned.append(name)
            names = " and ".join(options[:len(given)])
            warnings.warn(f"This overload of {name} is deprecated: pass {names} by keyword, behind the tensors", stacklevel=2)
        return function(*rest, **dict(zip(options, given)), **kwargs)
    return call
