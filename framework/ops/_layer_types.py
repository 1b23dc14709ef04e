"""Type policies of the layers' operations."""
from .. import _dtypes


def _name(a):
    return _dtypes.of_numpy(a.dtype).name


def one_type(op_name, *names):
    """A policy that promotes nothing: input, weight and bias must agree.  RuntimeError where they do not, as in torch.

    op_name: said in errors;  names: those of the inputs ("input", "weight", "bias" unless given).
    """
    names = names or ("input", "weight", "bias")

    def policy(raw, backend):
        first = raw[0]
        for name, a in zip(names, raw):
            if a is None:
                continue
            if not hasattr(a, "shape"):
                raise TypeError(f"{op_name}(): argument '{name}' must be Tensor, not {type(a).__name__}")
            if a.dtype != first.dtype:
                raise RuntimeError(f"{op_name}: {names[0]} and {name} must have the same dtype, but got {_name(first)} and {_name(a)}; "
                                   f"convert one of them, for example with .to({_name(first)})")
        return raw, first.dtype
    return policy


def floats_only(op_name):
    """A policy for one float input (others are left alone).  NotImplementedError for integers and bools, as in torch."""
    def policy(raw, backend):
        x = raw[0]
        if not hasattr(x, "shape"):
            raise TypeError(f"{op_name}(): argument 'input' must be Tensor, not {type(x).__name__}")
        if x.dtype.kind not in "fcV":
            raise NotImplementedError(f'"{op_name}" not implemented for {_name(x)} tensors; convert it first, with .float()')
        return raw, x.dtype
    policy.places = True
    return policy


def like_first(raw, backend):
    """A policy that leaves all inputs as they are: the first one's type is the result's."""
    return raw, raw[0].dtype


like_first.places = True
