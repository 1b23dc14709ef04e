"""Data pipes: datasets made of small steps, each reading from the one before (torch.utils.data.datapipes)."""
from . import dataframe, iter, map  # noqa: A004 - torch's names

__all__ = ["dataframe", "iter", "map"]
