"""torch.distributed.elastic's names that programs import: `multiprocessing.errors.record`."""

from . import multiprocessing

__all__ = ["multiprocessing"]
