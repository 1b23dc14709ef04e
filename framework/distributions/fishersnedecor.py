"""The F distribution."""
from . import constraints
from ._elementwise import Elementwise
from ._names import rg
from .gamma import Gamma

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Elementwise):
    """The ratio of two chi-squared numbers, each over its degrees of freedom, df1 and df2."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _expanded = ("_gamma1", "_gamma2")

    def __init__(self, df1, df2, validate_args=None):
        self._begin(validate_args, df1=df1, df2=df2)
        self._gamma1, self._gamma2 = Gamma(self.df1 * 0.5, self.df1), Gamma(self.df2 * 0.5, self.df2)

    @property
    def mean(self):
        """nan up to df2 = 2."""
        return self._from(2) / (self._from(2) - 2)

    @property
    def mode(self):
        """nan up to df1 = 2."""
        df1 = self._nan_up_to(self.df1, 2)
        return (df1 - 2) / df1 * self.df2 / (self.df2 + 2)

    @property
    def variance(self):
        """nan up to df2 = 4."""
        df2 = self._from(4)
        return 2 * df2.pow(2) * (self.df1 + df2 - 2) / (self.df1 * (df2 - 2).pow(2) * (df2 - 4))

    def _from(self, least):
        return self._nan_up_to(self.df2, least)

    @staticmethod
    def _nan_up_to(df, least):
        return rg.where(df > least, df, rg.tensor(float("nan"), dtype=df.dtype, device=df.device))

    def rsample(self, sample_shape=()):
        """See Distribution."""
        top, bottom = (g.rsample(sample_shape).view(self._extended_shape(sample_shape)) for g in (self._gamma1, self._gamma2))
        tiny = rg.finfo(bottom.dtype).tiny
        return (top / bottom.clamp(min=tiny)).clamp(min=tiny)

    def log_prob(self, value):
        """See Distribution."""
        self._checked(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        return (a + b).lgamma() - a.lgamma() - b.lgamma() + a * ratio.log() + (a - 1) * rg.log(value) - (a + b) * rg.log1p(ratio * value)
