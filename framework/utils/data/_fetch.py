"""Fetchers: from what the sampler says to a batch."""
from ._utils.collate import default_collate
from .dataset import samples_of


class MapFetcher:
    """Looks samples up by index."""

    def __init__(self, dataset, batched, collate_fn, drop_last):
        self.dataset, self.batched, self.collate_fn = dataset, batched, collate_fn
        self.direct = getattr(dataset, "_collated", None) if batched and collate_fn is default_collate else None

    def fetch(self, index):
        """The batch of a list of indices, or the sample of one index when batching is off."""
        if not self.batched:
            return self.collate_fn(self.dataset[index])
        if self.direct is not None:
            batch = self.direct(index)
            if batch is not None:
                return batch
        return self.collate_fn(samples_of(self.dataset, index))


class IterableFetcher:
    """Takes the next samples, as many as the list from the sampler has entries.  StopIteration at the end."""

    def __init__(self, dataset, batched, collate_fn, drop_last):
        self.source, self.batched, self.collate_fn, self.drop_last = iter(dataset), batched, collate_fn, drop_last
        self.ended = False

    def fetch(self, index):
        if self.ended:
            raise StopIteration
        if not self.batched:
            return self.collate_fn(next(self.source))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.source))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate_fn(samples)
