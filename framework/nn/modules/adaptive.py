"""Softmax over many classes, most of them rare."""
import itertools
from collections import namedtuple

from ... import ops
from ..._core.tensor import wrap
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Classes sorted by frequency, the rare ones in clusters with smaller features.  Grave et al. 2017, arXiv:1609.04309.

    cutoffs     the first class of each cluster; those before the first one have a place in the head
    div_value   cluster i works with in_features / div_value^(i + 1) features
    head_bias   the head, Linear to the frequent classes and the clusters, has a bias

    Children: head; tail, for each cluster two Linear layers without bias.
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1 or any(int(c) != c for c in cutoffs)):
            raise ValueError("cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is "
                             "between 1 and n_classes-1")
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(itertools.pairwise(self.cutoffs), 1):
            features = int(in_features // div_value ** i)
            self.tail.append(Sequential(Linear(in_features, features, False, device, dtype), Linear(features, stop - start, False, device, dtype)))

    def reset_parameters(self):
        """Draw new initial values."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_, target_):
        """(N, in_features), int (N), or without N -> (output: the log probability of each target (N); loss: the mean of -output)"""
        _check(input_, target_)
        alone = target_.ndim == 0
        input, target = (input_[None], target_[None]) if alone else (input_, target_)
        t = target._data
        if t.size and (int(t.min()) < 0 or int(t.max()) >= self.n_classes):
            raise RuntimeError(f"Target values should be in [0, {self.n_classes - 1}], but values in range [{int(t.min())}, {int(t.max())}] were "
                               "found. ")
        place, parts, rows = t.copy(), [], []
        for i, (start, stop) in enumerate(itertools.pairwise(self.cutoffs)):
            inside = (t >= start) & (t < stop)
            if inside.any():
                at = wrap(inside.nonzero()[0])
                place[inside] = self.shortlist_size + i
                log_probs = F.log_softmax(self.tail[i](ops.take(input, at, 0)), 1)
                parts.append(ops.take_along_axis(log_probs, wrap((t[inside] - start)[:, None]), 1)[:, 0])
                rows.append(at)
        output = ops.take_along_axis(F.log_softmax(self.head(input), 1), wrap(place[:, None]), 1)[:, 0]
        if parts:
            output = output + ops.add_at(ops.concatenate(parts), ops.concatenate(rows), shape=tuple(output.shape), dims=(0,))
        loss = ops.mean(-output)
        return _ASMoutput(output[0] if alone else output, loss)

    def _get_full_log_prob(self, input, head_output):
        head = F.log_softmax(head_output, 1)
        clusters = [F.log_softmax(tail(input), 1) + head[:, self.shortlist_size + i:self.shortlist_size + i + 1] for i, tail in
                    enumerate(self.tail)]
        return ops.concatenate([head[:, :self.shortlist_size], *clusters], 1)

    def log_prob(self, input):
        """(N, in_features) -> the log probabilities of all classes (N, n_classes)"""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input):
        """(N, in_features) -> int (N), the most probable class of each sample, as torch finds it: of the frequent ones where one of them beats
        every cluster."""
        head = self.head(input)
        best = ops.argmax(head, 1)
        rare = best._data >= self.shortlist_size
        if not rare.any():
            return best
        full = ops.argmax(self.log_prob(input), 1)
        return ops.where(wrap(rare), full, best)


def _check(input, target):
    """RuntimeError, in torch's words, unless there is one target for each row of the input."""
    if target.ndim == 1:
        if input.shape[0] != target.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.ndim != 2:
            raise RuntimeError(f"1D target tensor expects 2D input tensors, but found inputs with size {input.shape}")
    elif target.ndim == 0:
        if input.ndim != 1:
            raise RuntimeError(f"0D target tensor expects 1D input tensors, but found inputs with size {input.shape}")
    else:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
