"""A transform for each part of a tensor."""
from . import constraints
from ._names import rg
from ._transform import Transform
from .independent import sum_rightmost
from .utils import lazy_property


class _OfParts(Transform):
    """Transforms of parts of a tensor along a dimension."""

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError("All elements of tseq must be Transform instances")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.lengths, self.dim = [1] * len(self.transforms) if lengths is None else list(lengths), dim

    bijective = property(lambda self: all(t.bijective for t in self.transforms))


class CatTransform(_OfParts):
    """Parts of `lengths` along `dim`, each by its own transform."""

    event_dim = property(lambda self: max(t.event_dim for t in self.transforms))

    @lazy_property
    def length(self):
        """Elements along `dim`."""
        return sum(self.lengths)

    def with_cache(self, cache_size=1):
        """See Transform."""
        return self if self._cache_size == cache_size else CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _call(self, x):
        return rg.cat([t(part) for t, part in zip(self.transforms, x.split(self.lengths, self.dim))], self.dim)

    def _inverse(self, y):
        return rg.cat([t.inv(part) for t, part in zip(self.transforms, y.split(self.lengths, self.dim))], self.dim)

    def log_abs_det_jacobian(self, x, y):
        """See Transform."""
        terms = []
        for t, a, b in zip(self.transforms, x.split(self.lengths, self.dim), y.split(self.lengths, self.dim)):
            terms.append(sum_rightmost(t.log_abs_det_jacobian(a, b), self.event_dim - t.event_dim))
        dim = self.dim if self.dim < 0 else self.dim - x.dim()
        dim += self.event_dim
        return rg.cat(terms, dim) if dim < 0 else sum(terms)

    @constraints.dependent_property
    def domain(self):
        """See Transform."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        """See Transform."""
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_OfParts):
    """Slices along `dim`, each by its own transform."""

    def __init__(self, tseq, dim=0, cache_size=0):
        super().__init__(tseq, dim, None, cache_size)

    def with_cache(self, cache_size=1):
        """See Transform."""
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    def _slices(self, z):
        if z.shape[self.dim] != len(self.transforms):
            raise AssertionError(f"Expected {len(self.transforms)} slices along dimension {self.dim}, but got {z.shape[self.dim]}")
        return [z.select(self.dim, i) for i in range(len(self.transforms))]

    def _call(self, x):
        return rg.stack([t(part) for t, part in zip(self.transforms, self._slices(x))], self.dim)

    def _inverse(self, y):
        return rg.stack([t.inv(part) for t, part in zip(self.transforms, self._slices(y))], self.dim)

    def log_abs_det_jacobian(self, x, y):
        """See Transform."""
        return rg.stack([t.log_abs_det_jacobian(a, b) for t, a, b in zip(self.transforms, self._slices(x), self._slices(y))], self.dim)

    @constraints.dependent_property
    def domain(self):
        """See Transform."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        """See Transform."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
