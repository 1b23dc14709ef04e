"""Whether numba (extra `fast-cpu`) is there.  RINGGRAD_NUMBA=0 turns it off.

Importing numba takes half a second, so nobody does before a large array asks for it: `import ringgrad` never imports it.
"""
import functools
import importlib.util

from ._config import flag

_ENABLED = flag("RINGGRAD_NUMBA", True)


@functools.cache
def available():
    """Whether numba is installed and not turned off.  Does not import it."""
    return _ENABLED and importlib.util.find_spec("numba") is not None


def kept(jit):
    """The decorator `jit`, one of numba's, whose results stay on disk where there is a folder to write to.

    That is the `__pycache__` beside the function's file, the user's cache, or what NUMBA_CACHE_DIR names.
    """
    def decorate(fn):
        compiled = jit(fn)
        try:
            compiled.enable_caching()
        except RuntimeError:  # there is no such folder: every process compiles for itself
            return compiled
        return compiled
    return decorate
