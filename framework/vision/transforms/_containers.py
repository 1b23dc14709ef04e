"""Transforms made of transforms."""
import random
from collections.abc import Sequence

from ...nn import Module
from . import _draws

__all__ = ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"]


def _lines(head, transforms, *first):
    return "\n".join([f"{head}(", *(f"    {t}" for t in (*first, *transforms)), ")"])


class Compose:
    """One transform after the other."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, img):
        for t in self.transforms:
            img = t(img)
        return img

    def __repr__(self):
        return _lines(type(self).__name__, self.transforms)


class Lambda:
    """Calls a function."""

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)

    def __repr__(self):
        return f"{type(self).__name__}()"


class RandomTransforms:
    """Base class of those that pick from a list.  TypeError unless `transforms` is a sequence."""

    def __init__(self, transforms):
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, *args, **kwargs):
        raise NotImplementedError

    def __repr__(self):
        return _lines(type(self).__name__, self.transforms)


class RandomApply(Module):
    """All of them with probability p, or none.  transforms: a list or a ModuleList."""

    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img):
        if not _draws.chance(self.p):
            return img
        for t in self.transforms:
            img = t(img)
        return img

    def __repr__(self):
        return _lines(type(self).__name__, self.transforms, f"p={self.p}")


class RandomOrder(RandomTransforms):
    """All of them, in an order of Python's `random`."""

    def __call__(self, img):
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """One of them, picked by Python's `random`.  p: weights, one each."""

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args):
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"
