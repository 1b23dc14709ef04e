"""torch._six, which programs of torch's first years import: Python 2 is gone, and so every name has one meaning."""
import builtins
import collections.abc as container_abcs
import math
from io import StringIO

inf, nan = math.inf, math.nan
PY2, PY3, PY37 = False, True, True
string_classes = (str, bytes)
int_classes = int
FileNotFoundError = builtins.FileNotFoundError

istuple = lambda x: isinstance(x, tuple)
__all__ = ["FileNotFoundError", "PY2", "PY3", "PY37", "StringIO", "container_abcs", "inf", "int_classes", "istuple", "nan", "string_classes",
           "with_metaclass"]

def with_metaclass(meta, *bases):
    """A base class that gives its subclasses the metaclass `meta` and the bases `bases`."""
    class Maker(meta):
        def __new__(cls, name, ignored, namespace):
            return meta(name, bases, namespace)

        @classmethod
        def __prepare__(cls, name, ignored):
            return meta.__prepare__(name, bases)
    return type.__new__(Maker, "temporary_class", (), {})
