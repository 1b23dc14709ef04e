"""torch's home of LinearCrossEntropyOptions."""
from .._functional.linear_cross_entropy import LinearCrossEntropyOptions

__all__ = ["LinearCrossEntropyOptions"]
