"""A name from before DataLoaders gave each worker its share by themselves."""
import warnings


def worker_init_fn(worker_id):
    """Nothing; deprecated by torch."""
    warnings.warn("Usage of `backward_compatibility.worker_init_fn` is deprecated as `DataLoader` automatically applies sharding in every worker",
                  FutureWarning, stacklevel=2)
