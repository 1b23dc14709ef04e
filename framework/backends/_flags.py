"""Settings of a backend module for the length of a `with` block."""
import contextlib
import sys


@contextlib.contextmanager
def setting(module_name, **values):
    """Inside the block the module's variables have these values; after it, those from before.  None changes nothing."""
    module = sys.modules[module_name]
    values = {name: value for name, value in values.items() if value is not None}
    before = {name: getattr(module, name) for name in values}
    _put(module, values)
    try:
        yield
    finally:
        _put(module, before)


def _put(module, values):
    for name, value in values.items():
        setattr(module, name, value)
