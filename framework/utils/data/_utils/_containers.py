"""Containers of the kind of another one, with other contents."""
import copy
from collections.abc import MutableMapping, MutableSequence


def like_mapping(original, items):
    """`items` in a mapping of the kind of `original`, or a dict where that cannot be made from a dict."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(items)
            return clone
        return type(original)(items)
    except TypeError:
        return items


def like_sequence(original, items):
    """`items` in a sequence of the kind of `original`, or a list where that cannot be made from a list."""
    if type(original) is list:
        return items
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(original)(items)
    except TypeError:
        return items
