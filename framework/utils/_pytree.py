"""The part of torch.utils._pytree that programs use: functions over nested containers of tensors."""
from collections import namedtuple
from typing import Any

from ..func._tree import Tree as TreeSpec
from ..func._tree import flatten as tree_flatten
from ..func._tree import is_container, join, parts, register, unflatten

PyTree, Context = Any, Any
LeafSpec = TreeSpec  # LeafSpec() is the form of a leaf
NodeDef = namedtuple("NodeDef", ("type", "flatten_fn", "unflatten_fn"))

__all__ = ["LeafSpec", "PyTree", "TreeSpec", "register_pytree_node", "tree_all", "tree_any", "tree_flatten", "tree_iter", "tree_leaves",
           "tree_map", "tree_map_only", "tree_structure", "tree_unflatten"]


def register_pytree_node(cls, flatten_fn, unflatten_fn, *, serialized_type_name=None, to_dumpable_context=None, from_dumpable_context=None,
                         flatten_with_keys_fn=None):
    """Make a class a container: flatten_fn(x) -> (children, context), unflatten_fn(children, context) -> x.

    The other arguments are for writing trees down, which is not done here.  ValueError for a class that is one already.
    """
    register(cls, flatten_fn, unflatten_fn)


class _SupportedNodes:
    """The classes of containers, each with how it is taken apart, flatten_fn(x) -> (children, context), and put together again."""

    def __contains__(self, kind):
        return is_container(kind)

    def __getitem__(self, kind):
        if not is_container(kind):
            raise KeyError(kind)
        return NodeDef(kind, lambda x: parts(x)[::-1], lambda children, context: join(kind, context, children))

    def get(self, kind, default=None):
        """What stands for a class, or `default`."""
        try:
            return self[kind]
        except KeyError:
            return default


SUPPORTED_NODES = _SupportedNodes()
_get_node_type = type


def tree_is_leaf(tree, is_leaf=None):
    """Whether it is no container (or `is_leaf` says that it is none)."""
    return is_leaf is not None and is_leaf(tree) or parts(tree) is None


def is_namedtuple_class(cls):
    """Whether it is a class made by namedtuple."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


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
