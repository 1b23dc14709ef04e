"""The part of torch.utils._pytree that programs use: functions over nested containers of tensors."""
from ..func._tree import Tree as TreeSpec
from ..func._tree import flatten as tree_flatten
from ..func._tree import register, unflatten

__all__ = ["TreeSpec", "register_pytree_node", "tree_all", "tree_any", "tree_flatten", "tree_iter", "tree_leaves", "tree_map", "tree_map_only",
           "tree_structure", "tree_unflatten"]


def register_pytree_node(cls, flatten_fn, unflatten_fn, *, serialized_type_name=None, to_dumpable_context=None, from_dumpable_context=None,
                         flatten_with_keys_fn=None):
    """Make a class a container: flatten_fn(x) -> (children, context), unflatten_fn(children, context) -> x.

    The other arguments are for writing trees down, which is not done here.  ValueError for a class that is one already.
    """
    register(cls, flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def tree_unflatten(leaves, treespec):
    """The nested container of `tree_flatten`, with these leaves."""
    return unflatten(list(leaves), treespec)


def tree_leaves(tree):
    """The leaves, in order."""
    return tree_flatten(tree)[0]


def tree_iter(tree):
    """An iterator over the leaves."""
    return iter(tree_leaves(tree))


def tree_structure(tree):
    """The shape without the leaves."""
    return tree_flatten(tree)[1]


def tree_map(func, tree, *rests):
    """The same container of func(leaf), or of func(leaf, leaves of the others at the same place)."""
    leaves, spec = tree_flatten(tree)
    return unflatten([func(*each) for each in zip(leaves, *map(tree_leaves, rests), strict=True)], spec)


def tree_map_only(kind, func, tree):
    """`tree_map` that leaves alone what is not an instance of `kind` (a class or a tuple of them)."""
    return tree_map(lambda leaf: func(leaf) if isinstance(leaf, kind) else leaf, tree)


def tree_any(pred, tree):
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_leaves(tree)))


def tree_all(pred, tree):
    """Whether `pred` holds for every leaf."""
    return all(map(pred, tree_leaves(tree)))
