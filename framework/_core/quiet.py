"""NumPy's floating-point warnings: off while ringgrad computes, as they were everywhere else.

torch gives inf and nan without a word; NumPy warns.  `numpy.seterr` would silence the user's own NumPy code too, `numpy.errstate` costs
0.85 us per operation.  NumPy (2.0 and later) keeps the setting in one context variable, so dispatch stores a prepared value there and
restores the old one, which costs 0.14 us.  The variable is found by looking at what `seterr` changes in an empty context.
"""
import contextvars

import numpy as np


def _silent_setting():
    """(context variable, its value for "ignore everything")."""
    context = contextvars.Context()
    context.run(np.seterr, all="ignore")
    found = [(variable, value) for variable, value in context.items() if variable.name == "numpy.ufunc.extobj"]
    return found[0] if found else (contextvars.ContextVar("ringgrad.unused"), None)


_VARIABLE, OFF = _silent_setting()
silence = _VARIABLE.set  # token = silence(OFF) ...
restore = _VARIABLE.reset  # ... restore(token)


class quiet:  # noqa: N801 - used like a function
    """`with quiet():` for code that computes on raw arrays outside of ops, such as optimizers."""

    __slots__ = ("token",)

    def __enter__(self):
        self.token = silence(OFF)

    def __exit__(self, *_):
        restore(self.token)
