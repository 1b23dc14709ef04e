"""Where the parameters and the values of distributions may lie: `constraint.check(value)` says for each event whether it does."""
from .. import linalg
from ._names import rg

__all__ = ["Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than", "greater_than_eq", "independent",
           "integer_interval", "interval", "half_open_interval", "is_dependent", "less_than", "lower_cholesky", "lower_triangular",
           "MixtureSameFamilyConstraint", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_semidefinite",
           "positive_definite", "positive_integer", "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval"]


class Constraint:
    """A region.  is_discrete: of whole numbers;  event_dim: dimensions on the right that `check` decides about together."""

    is_discrete = False
    event_dim = 0

    def check(self, value):
        """A tensor of bools, True where the event lies in the region."""
        raise NotImplementedError

    def __repr__(self):
        return type(self).__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """A region that depends on the distribution's parameters: it is a class's, and the instance's property tells."""

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def _known(self, name):
        value = getattr(self, f"_{name}")
        if value is NotImplemented:
            raise NotImplementedError(f".{name} cannot be determined statically")
        return value

    is_discrete = property(lambda self: self._known("is_discrete"))
    event_dim = property(lambda self: self._known("event_dim"))

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        return _Dependent(is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
                          event_dim=self._event_dim if event_dim is NotImplemented else event_dim)

    def check(self, x):
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint):
    """Whether a constraint depends on parameters, and so cannot be checked on the class."""
    return isinstance(constraint, _Dependent)


class dependent_property(property, _Dependent):  # noqa: N801 - torch's name
    """A property that is a constraint depending on parameters: @dependent_property, or @dependent_property(is_discrete=..., event_dim=...)."""

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        property.__init__(self, fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn):
        return dependent_property(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _IndependentConstraint(Constraint):
    """Another constraint, of which so many dimensions more count as one event."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        if not isinstance(base_constraint, Constraint) or not isinstance(reinterpreted_batch_ndims, int) or reinterpreted_batch_ndims < 0:
            raise AssertionError(f"independent() takes a constraint and a number, not {base_constraint} and {reinterpreted_batch_ndims}")
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    is_discrete = property(lambda self: self.base_constraint.is_discrete)
    event_dim = property(lambda self: self.base_constraint.event_dim + self.reinterpreted_batch_ndims)

    def check(self, value):
        result = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected value.dim() >= {self.base_constraint.event_dim + self.reinterpreted_batch_ndims} but got {value.dim()}")
        return result.reshape((*result.shape[:result.dim() - self.reinterpreted_batch_ndims], -1)).all(-1)

    def __repr__(self):
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The constraint of a mixture: that of its components, which have one batch dimension more."""

    def __init__(self, base_constraint):
        self.base_constraint = base_constraint

    is_discrete = property(lambda self: self.base_constraint.is_discrete)
    event_dim = property(lambda self: self.base_constraint.event_dim)

    def check(self, value):
        inner = self.event_dim
        result = self.base_constraint.check(value.unsqueeze(-1 - inner))
        return result.all(-1) if result.dim() > value.dim() - inner else result

    def __repr__(self):
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


# -- numbers -----------------------------------------------------------------------------------------------------------

class _Bounds(Constraint):
    """Numbers on one side of a bound or between two; `names` are the constructor's arguments, `holds` the test."""

    names: tuple = ()

    def __init__(self, *bounds, **named):
        for name, value in {**dict(zip(self.names, bounds)), **named}.items():
            setattr(self, name, value)

    def __repr__(self):
        return f"{super().__repr__()[:-2]}({', '.join(f'{n}={getattr(self, n)}' for n in self.names)})"


def _bounded(name, names, holds, discrete=False):
    whole = (lambda self, v: (v % 1 == 0) & holds(v, *[getattr(self, n) for n in names])) if discrete else (
        lambda self, v: holds(v, *[getattr(self, n) for n in names]))
    return type(name, (_Bounds,), {"names": names, "check": whole, "is_discrete": discrete, "__doc__": f"Within {', '.join(names)}."})


_LOW, _HIGH = ("lower_bound",), ("upper_bound",)
greater_than = _bounded("_GreaterThan", _LOW, lambda v, low: low < v)
greater_than_eq = _bounded("_GreaterThanEq", _LOW, lambda v, low: low <= v)
less_than = _bounded("_LessThan", _HIGH, lambda v, high: v < high)
interval = _bounded("_Interval", _LOW + _HIGH, lambda v, low, high: (low <= v) & (v <= high))
half_open_interval = _bounded("_HalfOpenInterval", _LOW + _HIGH, lambda v, low, high: (low <= v) & (v < high))
integer_interval = _bounded("_IntegerInterval", _LOW + _HIGH, lambda v, low, high: (low <= v) & (v <= high), True)
_IntegerGreaterThan = _bounded("_IntegerGreaterThan", _LOW, lambda v, low: v >= low, True)


def _region(name, check, event_dim=0, discrete=False):
    return type(name, (Constraint,), {"check": lambda self, v: check(v), "event_dim": event_dim, "is_discrete": discrete,
                                      "__doc__": f"{name[1:]}."})()


# -- vectors and matrices ----------------------------------------------------------------------------------------------

class _Multinomial(Constraint):
    """Counts that add up to no more than upper_bound."""

    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, x):
        return (x >= 0).all(-1) & (x.sum(-1) <= self.upper_bound)


def _is_lower(v):
    return (v.tril() == v).reshape((*v.shape[:-2], -1)).all(-1)


def _has_positive_diagonal(v):
    return (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


def _has_unit_rows(v):
    return ((v.detach() ** 2).sum(-1) - 1).abs().lt(rg.finfo(v.dtype).eps * v.shape[-1] * 10).all(-1)


def _is_square(v):
    return rg.full(v.shape[:-2], v.shape[-2] == v.shape[-1], dtype=rg.tensor(True).dtype, device=v.device)


def _is_symmetric(v):
    square_ = _is_square(v)
    return square_ if not square_.all() else rg.isclose(v, v.mT, atol=1e-6).all(-2).all(-1)


def _eigenvalues_are(v, holds):
    symmetric_ = _is_symmetric(v)
    return symmetric_ if not symmetric_.all() else holds(linalg.eigvalsh(v)).all(-1)


class _Joined(Constraint):
    """Constraints on parts of a tensor along a dimension."""

    def __init__(self, cseq, dim=0, lengths=None):
        self.cseq = list(cseq)
        if not all(isinstance(c, Constraint) for c in self.cseq):
            raise AssertionError("All elements of cseq must be instances of Constraint")
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(f"lengths must have same length as cseq, got {len(self.lengths)} != {len(self.cseq)}")
        self.dim = dim

    is_discrete = property(lambda self: any(c.is_discrete for c in self.cseq))


class _Cat(_Joined):
    """Parts of `lengths` along `dim`, each under its own constraint."""

    event_dim = property(lambda self: max(c.event_dim for c in self.cseq))

    def check(self, value):
        """See Constraint.check."""
        return rg.cat([c.check(part) for c, part in zip(self.cseq, value.split(self.lengths, self.dim))], self.dim)


class _Stack(_Joined):
    """Slices along `dim`, each under its own constraint."""

    def __init__(self, cseq, dim=0):
        super().__init__(cseq, dim)

    @property
    def event_dim(self):
        """That of the slices, and the dimension they lie along where it is among those."""
        inner = max(c.event_dim for c in self.cseq)
        return inner + 1 if self.dim + inner < 0 else inner

    def check(self, value):
        """See Constraint.check."""
        return rg.stack([c.check(value.select(self.dim, i)) for i, c in enumerate(self.cseq)], self.dim)


cat, stack = _Cat, _Stack
dependent = _Dependent()
independent = _IndependentConstraint
boolean = _region("_Boolean", lambda v: (v == 0) | (v == 1), discrete=True)
one_hot = _region("_OneHot", lambda v: ((v == 0) | (v == 1)).all(-1) & v.sum(-1).eq(1), 1, True)
nonnegative_integer, positive_integer = _IntegerGreaterThan(0), _IntegerGreaterThan(1)
real = _region("_Real", lambda v: v == v)
real_vector = independent(real, 1)
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
multinomial = _Multinomial
unit_interval = interval(0.0, 1.0)
simplex = _region("_Simplex", lambda v: (v >= 0).all(-1) & ((v.sum(-1) - 1).abs() < 1e-6), 1)
lower_triangular = _region("_LowerTriangular", _is_lower, 2)
lower_cholesky = _region("_LowerCholesky", lambda v: _is_lower(v) & _has_positive_diagonal(v), 2)
corr_cholesky = _region("_CorrCholesky", lambda v: _is_lower(v) & _has_positive_diagonal(v) & _has_unit_rows(v), 2)
_CorrCholesky = type(corr_cholesky)  # Pyro puts a check of its own into it
square = _region("_Square", _is_square, 2)
symmetric = _region("_Symmetric", _is_symmetric, 2)
positive_semidefinite = _region("_PositiveSemidefinite", lambda v: _eigenvalues_are(v, lambda e: e >= 0), 2)
positive_definite = _region("_PositiveDefinite", lambda v: _eigenvalues_are(v, lambda e: e > 0), 2)
