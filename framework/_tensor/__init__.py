"""What every Tensor can tell and do without mathematics.  Each file ends in a table ATTRIBUTES, which `_methods.py` attaches."""
