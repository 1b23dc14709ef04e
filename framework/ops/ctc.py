"""Connectionist temporal classification: the probability of a label sequence under all its alignments with the input.

Shapes: T input steps, N sequences, C classes with the blank, L = 2 * (longest target) + 1 states: the labels with blanks between and around.
"""
import functools

from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import floats_only
from ._run import run
from .gathering import add_along_axis
from .reductions import logsumexp

NEVER = -1e30  # log probability of what cannot be; finite, so that sums and differences of it stay numbers


class _Recursion:
    """What the recursions over one batch know besides the probabilities: constants of the kind of `x`, an array or a Tensor.

    start, skip, end  (N, L) logs: where a path may begin, enter over the blank before, and end
    """

    def __init__(self, xp, x, labels, input_lengths, target_lengths, blank):
        self.xp, self.recorded = xp, isinstance(x, Tensor)
        raw = unwrap(x)
        self.module = module = BACKENDS[type(raw)].xp
        states, count = module.arange(labels.shape[1])[None], 2 * target_lengths[:, None] + 1
        before = module.full_like(labels, blank)
        before[:, 2:] = labels[:, :-2]

        def allowed(where):
            return self.constant(module.where(where, 0, NEVER).astype(raw.dtype))
        self.start = allowed((states < 2) & (states < count))
        self.skip = allowed((labels != blank) & (labels != before) & (states >= 2))
        self.end = allowed((states >= count - 2) & (states < count))
        self.never = self.constant(module.full((len(labels), 2), NEVER, raw.dtype))
        self.lasts = [self.constant((input_lengths == t + 1)[:, None]) for t in range(x.shape[0])]
        places = self.constant(labels)
        self.emitted = [xp.take_along_axis(x[t], places, 1) for t in range(x.shape[0])]

    def constant(self, array):
        """An array, as a Tensor where the recursion is recorded."""
        return wrap(array) if self.recorded else array

    def _moved(self, a, by):
        """a: (N, L), `by` states to the right (to the left when negative), with nothing coming in."""
        nothing = self.never[:, :abs(by)]
        return self.xp.concatenate([nothing, a[:, :-by]] if by > 0 else [a[:, -by:], nothing], 1)

    def _any_of(self, *ways):
        """log of the sum of the exponentials."""
        if self.recorded:  # logaddexp, quicker on small arrays, has second derivatives that overflow at NEVER
            return run(logsumexp, self.xp, self.xp.stack(ways), axis=(0,))
        return functools.reduce(self.module.logaddexp, ways)

    def alphas(self):
        """[(N, L)] per step: the log probability of all paths from the start that are now in each state."""
        out = [self.emitted[0] + self.start]
        for emitted in self.emitted[1:]:
            a = out[-1]
            out.append(emitted + self._any_of(a, self._moved(a, 1), self._moved(a, 2) + self.skip))
        return out

    def betas(self):
        """[(N, L)] per step: the log probability of all paths from each state to the end, this step's emission not counted."""
        out, ahead = [], None
        for emitted, last in zip(reversed(self.emitted), reversed(self.lasts)):
            if ahead is None:
                b = self.end
            else:
                b = self._any_of(ahead, self._moved(ahead, -1), self._moved(ahead + self.skip, -2))
                b = self.xp.where(last, self.end, b)
            out.append(b)
            ahead = b + emitted
        return out[::-1]


@op(promote=floats_only("ctc_loss"), fast=False, broadcasts=False)
def ctc_loss(xp, x, labels, input_lengths, target_lengths, blank: int = 0, zero_infinity: bool = False):
    """-log P(target) of each sequence: (N), inf (or 0 with zero_infinity) where the input is too short for it.

    x: (T, N, C) log probabilities;  labels: int (N, L), the classes of the states.  Graves et al. 2006, "Connectionist Temporal
    Classification", equations 5 to 8.
    """
    none = xp.where(target_lengths == 0, 0.0, NEVER).astype(x.dtype)  # of a sequence without input
    total = none
    if x.shape[0]:
        paths = _Recursion(xp, x, labels, input_lengths, target_lengths, blank)
        alpha = xp.stack(paths.alphas())[input_lengths - 1, xp.arange(x.shape[1])]
        total = xp.where(input_lengths == 0, none, run(logsumexp, xp, alpha + paths.end, axis=(1,)))
    return xp.where(total < NEVER / 2, 0.0 if zero_infinity else xp.inf, -total).astype(x.dtype)


@ctc_loss.vjp("x")
def _(xp, g, x, labels, input_lengths, target_lengths, blank, zero_infinity):
    """exp(x) - the probability that each step emits each class, given the target (equation 16); nan where the loss is inf.

    exp(x) is there because x is taken to be a log_softmax: as in torch, this is the gradient for that function's input already.
    """
    labels, input_lengths, target_lengths = unwrap(labels), unwrap(input_lengths), unwrap(target_lengths)
    paths = _Recursion(xp, x, labels, input_lengths, target_lengths, blank)
    emitted = []
    alphas, betas = paths.alphas(), paths.betas()
    total = run(logsumexp, xp, alphas[0] + betas[0], axis=(1,), keepdims=True)
    impossible = unwrap(total) < NEVER / 2
    total = xp.where(paths.constant(impossible), 0.0, total)
    for alpha, beta in zip(alphas, betas):
        posterior = xp.exp(alpha + beta - total)
        emitted.append(run(add_along_axis, xp, posterior, paths.constant(labels), shape=tuple(x.shape[1:]), axis=1))
    raw = paths.module
    used = (raw.arange(x.shape[0])[:, None] < input_lengths)[..., None]
    share = raw.where(impossible, 0.0 if zero_infinity else raw.nan, 1.0)
    used = raw.where(used, share, 0.0).astype(unwrap(x).dtype)
    return (xp.exp(x) - xp.stack(emitted)) * xp.reshape(g, (1, -1, 1)) * paths.constant(used)
