"""Nested containers of tensors: taken apart into a flat list and put together again.

Containers are dicts (and OrderedDict, defaultdict), lists, tuples, named tuples, deques and the classes of `register`; everything else, None
too, is a leaf.
"""
from collections import OrderedDict, defaultdict, deque
from typing import Any

_BUILT_IN = (list, tuple, dict, OrderedDict, defaultdict, deque)
_registered = {}  # class: (take apart, put together)


def register(kind, take_apart, put_together):
    """Make a class a container.  take_apart(x) -> (children, context), put_together(children, context) -> x.  ValueError for the second time."""
    if kind in _registered:
        raise ValueError(f"{kind} is already registered as pytree node.")
    _registered[kind] = take_apart, put_together


class Tree:
    """The shape of a nested container without its leaves.

    kind      the container's type; None for a leaf
    context   what putting it together needs besides its children: a dict's keys, a defaultdict's factory, a deque's limit
    children  one Tree per child
    """

    __slots__ = ("kind", "context", "children")

    def __init__(self, kind=None, context=None, children=()):
        self.kind, self.context, self.children = kind, context, children

    def __eq__(self, other):
        return isinstance(other, Tree) and (self.kind, self.context, self.children) == (other.kind, other.context, other.children)

    __hash__: Any = None

    def __repr__(self):
        return repr(unflatten(["*"] * len(self), self)).replace("'*'", "*")

    def __len__(self):
        return 1 if self.kind is None else sum(map(len, self.children))


def is_container(kind):
    """Whether objects of a class are taken apart."""
    return kind in _BUILT_IN or kind in _registered or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def join(kind, context, children):
    """The container of a class with these children, of which `parts` gave the context."""
    return _join(Tree(kind, context), children)


def parts(x):
    """(context, children) of a container; None for a leaf."""
    kind = type(x)
    if kind in (list, tuple) or isinstance(x, tuple) and hasattr(kind, "_fields"):
        return None, list(x)
    if kind in (dict, OrderedDict):
        return list(x), list(x.values())
    if kind is defaultdict:
        return (x.default_factory, list(x)), list(x.values())
    if kind is deque:
        return x.maxlen, list(x)
    if kind in _registered:
        children, context = _registered[kind][0](x)
        return context, list(children)
    return None


def _join(tree, children):
    kind, context = tree.kind, tree.context
    if kind in _registered:
        return _registered[kind][1](children, context)
    if kind in (list, tuple):
        return kind(children)
    if kind in (dict, OrderedDict):
        return kind(zip(context, children))
    if kind is defaultdict:
        return defaultdict(context[0], zip(context[1], children))
    return deque(children, context) if kind is deque else kind(*children)


def flatten(x):
    """(leaves, Tree) of a nested container."""
    leaves = []

    def walk(x):
        found = parts(x)
        if found is None:
            leaves.append(x)
            return Tree()
        context, children = found
        return Tree(type(x), context, [walk(c) for c in children])
    return leaves, walk(x)


def unflatten(leaves, tree):
    """The nested container of form `tree` with these leaves."""
    waiting = iter(leaves)

    def build(tree):
        return next(waiting) if tree.kind is None else _join(tree, [build(c) for c in tree.children])
    return build(tree)


def tree_map(function, x):
    """The same container with `function(leaf)` for every leaf."""
    leaves, tree = flatten(x)
    return unflatten([function(leaf) for leaf in leaves], tree)


def broadcast_to(x, tree):
    """The leaves of `x` for each leaf of `tree`, whose outer part `x` has the form of; None when it has not."""
    inside = parts(x)
    if inside is None:
        return [x] * len(tree)
    context, children = inside
    if type(x) is not tree.kind or context != tree.context or len(children) != len(tree.children):
        return None
    found = []
    for child, own in zip(children, tree.children):
        part = broadcast_to(child, own)
        if part is None:
            return None
        found += part
    return found
