"""How good a model is, and when to stop: what training loops need and no library should decide for them."""
import math

import ringgrad


def hits(scores, labels, k=1):
    """How many of the labels are among the k best scores.  scores: (N, classes), labels: (N,) -> a tensor of no dimensions."""
    best = scores.argmax(dim=1, keepdim=True) if k == 1 else scores.topk(k, dim=1).indices
    return (best == labels.unsqueeze(1)).sum()


def accuracy(scores, labels, k=1):
    """The share of labels that are among the k best scores, as a number.  nan for no samples."""
    return hits(scores, labels, k).item() / len(labels) if len(labels) else math.nan


class RunningMean:
    """The mean of values that come in groups: `add(mean of the group, its size)`.  `mean` is nan before the first."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def add(self, value, n=1):
        """Take in a value that stands for n samples."""
        self.total += float(value) * n
        self.count += n

    @property
    def mean(self):
        """The mean over all samples so far."""
        return self.total / self.count if self.count else math.nan


class ConfusionMatrix:
    """`counts[i, j]`: samples of class i that were taken for class j."""

    def __init__(self, classes):
        self.counts = ringgrad.zeros(classes, classes, dtype=ringgrad.int64)

    def add(self, predicted, labels):
        """Count predictions (N,) beside labels (N,).  ValueError for a class that does not exist."""
        n = len(self.counts)
        for what, x in (("predictions", predicted), ("labels", labels)):
            if len(x) and not (x.min() >= 0 and x.max() < n):
                raise ValueError(f"{what} reach from {x.min().item()} to {x.max().item()}, and the matrix has classes 0 to {n - 1}")
        self.counts += ringgrad.bincount(labels * n + predicted, minlength=n * n).reshape(n, n).cpu()

    def accuracy(self):
        """The share of samples that were recognised.  nan for none."""
        return _share(self.counts.diagonal().sum().item(), self.counts.sum().item())

    def recall(self):
        """For each class, the share of its samples that were recognised."""
        return [_share(right, of) for right, of in zip(self.counts.diagonal().tolist(), self.counts.sum(dim=1).tolist())]

    def precision(self):
        """For each class, the share of those taken for it that belong to it."""
        return [_share(right, of) for right, of in zip(self.counts.diagonal().tolist(), self.counts.sum(dim=0).tolist())]


def _share(part, whole):
    return part / whole if whole else math.nan


class EarlyStopping:
    """Says when a score has not become better for `patience` calls.

    patience: None never stops;  min_delta: how much better counts as better;  better: max for accuracies, min for losses.
    A nan is never better.  `state_dict` and `load_state_dict` are for checkpoints.
    """

    def __init__(self, patience, min_delta=0.0, better=max):
        if better not in (max, min):
            raise ValueError(f"better must be max or min, not {better!r}")
        self.patience, self.min_delta, self.better = patience, min_delta, better
        self.best, self.waited = None, 0

    def update(self, score):
        """Take in a score.  Returns whether to stop."""
        gain = score - (0 if self.best is None else self.best)
        if self.better is min:
            gain = -gain
        if not math.isnan(score) and (self.best is None or gain > self.min_delta):
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience

    def state_dict(self):
        """What to keep."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        """Go on from what was kept."""
        self.best, self.waited = state["best"], state["waited"]
