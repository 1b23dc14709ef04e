"""Stochastic depth: whole branches of a residual network left out at random (Huang et al. 2016, arXiv:1603.09382)."""
from ... import nn

__all__ = ["StochasticDepth", "stochastic_depth"]


def stochastic_depth(input, p, mode, training=True):
    """Zero with probability p, and scale the rest by 1 / (1 - p): the whole `input` (mode "batch"), or each of its rows (mode "row")."""
    if not 0 <= p <= 1:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0:
        return input
    kept = input.new_empty([input.shape[0] if mode == "row" else 1, *[1] * (input.ndim - 1)]).bernoulli_(1 - p)
    return input * (kept.div_(1 - p) if p < 1 else kept)


class StochasticDepth(nn.Module):
    """See `stochastic_depth`."""

    def __init__(self, p, mode):
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input):
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"
