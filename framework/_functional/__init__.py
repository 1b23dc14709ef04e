"""torch's functions: the operations of `ringgrad.ops`, respelled with torch's names and arguments.

Each family file ends in three tables, which `_methods.py` and `ringgrad/__init__.py` read:

    FUNCTIONS  {torch name: function}          becomes ringgrad.<name>
    METHODS    {torch name: function}          becomes Tensor.<name>; the tensor is the first argument
    INPLACE    {torch name without "_": op}    becomes Tensor.<name>_, and ringgrad.<name>_ where torch has it

A file may have a fourth one, CONSTANTS {torch name: value}, which becomes ringgrad.<name> too.
"""
import importlib
import pkgutil

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
