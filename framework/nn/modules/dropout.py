"""Dropout layers, which act in training only.  Srivastava et al. 2014."""
from .. import functional as F
from .module import Module


class _DropoutNd(Module):
    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        """(*) -> (*)"""
        return self.function(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Set elements to 0 with probability p and divide the others by 1 - p."""

    function = staticmethod(F.dropout)


class Dropout1d(_DropoutNd):
    """Set whole channels of (N, C, L) or (C, L) to 0."""

    function = staticmethod(F.dropout1d)


class Dropout2d(_DropoutNd):
    """Set whole channels of (N, C, H, W) to 0."""

    function = staticmethod(F.dropout2d)


class Dropout3d(_DropoutNd):
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to 0."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance of selu activations.  Klambauer et al. 2017, arXiv:1706.02515."""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels."""

    function = staticmethod(F.feature_alpha_dropout)
