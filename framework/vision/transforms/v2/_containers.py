"""Transforms made of transforms; each takes a sample of one argument or of several."""
from collections.abc import Sequence

from ....nn import ModuleList
from .. import _containers as v1
from .. import _draws
from ._transform import Transform

__all__ = ["Compose", "RandomApply", "RandomChoice", "RandomOrder"]


def _check(transforms, words="", *kinds):
    if not isinstance(transforms, (Sequence, *kinds)):
        raise TypeError(f"Argument transforms should be a sequence of callables{words}")
    if not transforms:
        raise ValueError("Pass at least one transform")


def _in_turn(transforms, inputs):
    several = len(inputs) > 1
    for t in transforms:
        outputs = t(*inputs)
        inputs = outputs if several else (outputs,)
    return outputs


class Compose(Transform):
    """One transform after the other."""

    def __init__(self, transforms):
        super().__init__()
        _check(transforms)
        self.transforms = transforms

    def forward(self, *inputs):
        return _in_turn(self.transforms, inputs)

    def extra_repr(self):
        return "\n".join(f"    {t}" for t in self.transforms)


class RandomApply(Transform):
    """All of them with probability p, or none."""

    _v1_transform_cls = v1.RandomApply

    def __init__(self, transforms, p=0.5):
        super().__init__()
        _check(transforms, " or a `nn.ModuleList`", ModuleList)
        self.transforms = transforms
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.p = p

    def forward(self, *inputs):
        if not _draws.chance(self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        return _in_turn(self.transforms, inputs)

    def extra_repr(self):
        return "\n".join(f"    {t}" for t in self.transforms)


class RandomChoice(Transform):
    """One of them.  p: weights, one each."""

    def __init__(self, transforms, p=None):
        super().__init__()
        _check(transforms)
        p = [1] * len(transforms) if p is None else p
        if len(p) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}")
        self.transforms = transforms
        self.p = [weight / sum(p) for weight in p]

    def forward(self, *inputs):
        return self.transforms[_draws.choice(self.p)](*inputs)


class RandomOrder(Transform):
    """All of them, in random order."""

    def __init__(self, transforms):
        super().__init__()
        _check(transforms)
        self.transforms = transforms

    def forward(self, *inputs):
        return _in_turn([self.transforms[i] for i in _draws.order(len(self.transforms)).tolist()], inputs)
