"""Fetchers: from what the sampler says to a batch."""
from ..dataset import collated, samples_of
from . import collate


class _BaseDatasetFetcher:
    """dataset;  auto_collation: whether the sampler says lists of indices;  collate_fn;  drop_last: of iterable datasets."""

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        self.dataset, self.auto_collation, self.collate_fn, self.drop_last = dataset, auto_collation, collate_fn, drop_last

    def fetch(self, possibly_batched_index):
        """The batch of a list of indices, or the sample of one index."""
        raise NotImplementedError


class _MapDatasetFetcher(_BaseDatasetFetcher):
    """Looks samples up by index; all of a batch at once, where the dataset has `__getbatch__` or `__getitems__`."""

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        super().__init__(dataset, auto_collation, collate_fn, drop_last)
        self._direct = auto_collation and collate_fn is collate.default_collate

    def fetch(self, possibly_batched_index):
        if not self.auto_collation:
            return self.collate_fn(self.dataset[possibly_batched_index])
        if self._direct and collate.map_is_default():
            batch = collated(self.dataset, possibly_batched_index)
            if batch is not None:
                return batch
        return self.collate_fn(samples_of(self.dataset, possibly_batched_index))


class _IterableDatasetFetcher(_BaseDatasetFetcher):
    """Takes the next samples, as many as the list from the sampler has entries.  StopIteration at the end."""

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        super().__init__(dataset, auto_collation, collate_fn, drop_last)
        self.dataset_iter, self.ended = iter(dataset), False

    def fetch(self, possibly_batched_index):
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.dataset_iter))
        samples = []
        for _ in possibly_batched_index:
            try:
                samples.append(next(self.dataset_iter))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(possibly_batched_index)):
            raise StopIteration
        return self.collate_fn(samples)


def create_fetcher(iterable, *args):
    """The fetcher of an iterable dataset, or of one with an index."""
    return (_IterableDatasetFetcher if iterable else _MapDatasetFetcher)(*args)
