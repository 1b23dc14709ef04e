"""The von Mises distribution."""
import math

from .. import special
from .._core.modes import no_grad
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .utils import lazy_property, uniform

__all__ = ["VonMises"]


class VonMises(Elementwise):
    """Density of an angle x proportional to exp(concentration cos(x - loc)).  Samples by Best and Fisher 1979, without gradients."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc, concentration, validate_args=None):
        self._begin(validate_args, loc=loc, concentration=concentration)

    mean = property(lambda self: self.loc, doc="The circular mean.")
    mode = property(lambda self: self.loc)

    @lazy_property
    def variance(self):
        """The circular variance, 1 - I1 / I0."""
        return 1 - special.i1e(self.concentration) / special.i0e(self.concentration)

    def log_prob(self, value):
        """See Distribution."""
        k = self.concentration
        return k * (rg.cos(self._checked(value) - self.loc) - 1) - math.log(2 * math.pi) - rg.log(special.i0e(k))

    def sample(self, sample_shape=()):
        """See Distribution."""
        with no_grad():
            shape, k = self._extended_shape(sample_shape), self.concentration.double()
            tau = 1 + (1 + 4 * k ** 2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            r = rg.where(k < 1e-5, 1 / k + k, (1 + rho ** 2) / (2 * rho)).expand(shape)
            k, x, missing = k.expand(shape), rg.zeros(shape, dtype=k.dtype, device=k.device), rg.ones(shape, device=k.device).bool()
            while bool(missing.any()):
                u1, u2, u3 = uniform((3, *shape), k)
                z = rg.cos(math.pi * u1)
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                accepted = missing & ((c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0))
                x = rg.where(accepted, (u3 - 0.5).sign() * f.clamp(-1, 1).acos(), x)
                missing = missing & ~accepted
            return ((x + math.pi + self.loc.double()) % (2 * math.pi) - math.pi).to(self.loc.dtype)
