"""DistributedSampler: each rank's share of a dataset."""
import math
import os
import sys

import numpy as np

from .sampler import Sampler

__all__ = ["DistributedSampler"]

_DISTRIBUTED = __name__.split(".")[0] + ".distributed"


class DistributedSampler(Sampler):
    """The indices that one rank visits: every `num_replicas`-th of an order that all ranks share.

    num_replicas, rank: by default those of the process group, where `ringgrad.distributed` has one; else of the environment variables
    WORLD_SIZE and RANK; else 1 and 0.
    shuffle, seed: the order is a permutation drawn from seed + epoch, the one that torch.utils.data.DistributedSampler draws.
    drop_last: leave out the samples at the end that do not go round; by default some samples come twice instead, so that every rank has
    as many as the others.

    Two things are different from torch.  The epoch advances by itself: a pass that no `set_epoch` preceded uses the epoch after the one
    of the pass before.  And exact=True is for evaluation: no sample comes twice and none is left out, over all ranks together, so metrics
    are those of the dataset; the ranks' lengths may then differ by one.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False, *, exact=False):
        here, world = _place()
        self.num_replicas, self.rank = world if num_replicas is None else num_replicas, here if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"Invalid rank {self.rank}, rank should be in the interval [0, {self.num_replicas - 1}]")
        if exact and drop_last:
            raise ValueError("exact=True visits every sample once and drop_last=True leaves some out: choose one of them")
        self.dataset, self.shuffle, self.seed, self.drop_last, self.exact = dataset, shuffle, seed, drop_last, exact
        self.epoch, self._epoch_used = 0, False
        n, ranks = len(dataset), self.num_replicas
        if exact:
            self.num_samples, self.total_size = len(range(self.rank, n, ranks)), n
        else:
            self.num_samples = n // ranks if drop_last else math.ceil(n / ranks)
            self.total_size = self.num_samples * ranks

    def __iter__(self):
        if self._epoch_used:
            self.epoch += 1
        self._epoch_used = True
        n = len(self.dataset)
        order = torch_permutation(n, self.seed + self.epoch) if self.shuffle else list(range(n))
        if self.total_size > n:
            order *= math.ceil(self.total_size / max(n, 1))
        return iter(order[self.rank:self.total_size:self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Make the next pass that of `epoch`.  Call it on every rank with the same number before each epoch, or on none."""
        self.epoch, self._epoch_used = epoch, False


def torch_permutation(n, seed):
    """torch.randperm(n, generator=torch.Generator().manual_seed(seed)), as a list.

    A Fisher-Yates shuffle on the 32-bit output of a Mersenne Twister: jobs that move here from torch keep their order of samples.
    """
    order = list(range(n))
    if n < 2:
        return order
    left = np.arange(n, 1, -1, dtype=np.int64)
    draws = np.random.RandomState(seed % 2**32).randint(0, 2**32, n - 1, dtype=np.uint32).astype(np.int64)
    for i, j in enumerate((np.arange(n - 1) + draws % left).tolist()):
        order[i], order[j] = order[j], order[i]
    return order


def process_group_module():
    """`ringgrad.distributed`, where this process has a process group; else None.

    Data never imports it: a process that has no group need not pay for one.
    """
    dist = sys.modules.get(_DISTRIBUTED)
    return dist if dist is not None and getattr(dist, "is_initialized", lambda: False)() else None


def _place():
    """(rank, world size) of this process."""
    dist = process_group_module()
    if dist is not None:
        return dist.get_rank(), dist.get_world_size()
    return _number("RANK", 0), _number("WORLD_SIZE", 1)


def _number(name, default):
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"the environment variable {name} must be a number, not {text!r}; or pass num_replicas and rank") from None
