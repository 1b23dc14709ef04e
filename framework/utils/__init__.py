"""Helpers that belong to no layer of a network: `ringgrad.utils.data`."""
from . import data

__all__ = ["data"]
