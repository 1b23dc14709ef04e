"""Settings of a backend module for the length of a `with` block."""
import contextlib
import sys


@contextlib.contextmanager
def setting(module_name, **values):
    """Inside the block the module's variables have these values; after it, those from before.  None changes nothing."""
    module = sys.modules[module_name]
    values = {name: value for name, value in values.items() if value is not None}
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)
