"""A module run with other tensors in place of its parameters and buffers."""
import contextlib
import warnings

from ..._core.tensor import Tensor

__all__ = ["functional_call"]


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """The older name of `ringgrad.func.functional_call`, which takes the same arguments."""
    warnings.warn("`ringgrad.nn.utils.stateless.functional_call` is deprecated. Please use `ringgrad.func.functional_call` instead which is a drop-"
                  "in replacement.", FutureWarning, stacklevel=2)
    return _functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def _functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrized(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))


@contextlib.contextmanager
def _reparametrized(module, given, tie_weights, strict):
    """Inside, `module` has the tensors of `given`, {name: Tensor}.  What forward assigns to a buffer ends up in `given`, not in the module."""
    tensors = _for_all_names(module, given) if tie_weights else dict(given)
    if strict:
        _check_names(module, tensors)
    kept = []
    try:
        for name, t in tensors.items():
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"{t} is not an instance of ringgrad.Tensor")
            owner, last = _owner(module, name)
            table = _table(owner, last)
            kept.append((name, table, last, table.get(last, _MISSING)))
            table[last] = t
        yield
    finally:
        for name, table, last, old in reversed(kept):
            new = table.pop(last, None) if old is _MISSING else table[last]
            if old is not _MISSING:
                table[last] = old
            if name in given:
                given[name] = new


_MISSING = object()


def _owner(module, name):
    *path, last = name.split(".")
    for step in path:
        if step not in module._modules:
            raise AttributeError(f"{type(module).__name__} has no attribute `{step}`")
        module = module._modules[step]
    return module, last


def _table(owner, name):
    """The dict in which `owner` keeps the tensor of this name; its __dict__ for plain tensor attributes and for new names."""
    for table in (owner._parameters, owner._buffers):
        if name in table:
            return table
    return owner.__dict__


def _named(module):
    return {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}


def _for_all_names(module, given):
    """`given`, with the tensor given for one name of a shared parameter under all of its names."""
    groups = {}
    for name, t in _named(module).items():
        groups.setdefault(id(t), []).append(name)
    found = dict(given)
    for names in groups.values():
        chosen = [n for n in names if n in given]
        if len(names) > 1 and chosen:
            if len({id(given[n]) for n in chosen}) > 1:
                raise ValueError(f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using tie_weights=False")
            found.update(dict.fromkeys(names, given[chosen[0]]))
    return found


def _check_names(module, tensors):
    have = _named(module)
    wrong = {"Unexpected": [n for n in tensors if n not in have], "Missing": [n for n in have if n not in tensors]}
    said = [f"{kind} key(s): {', '.join(map(repr, names))}." for kind, names in wrong.items() if names]
    if said:
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(said))
