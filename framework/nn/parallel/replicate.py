"""Copies of a module on several devices."""
from . import _plug

replicate = _plug.function("replicate", "A copy of the network on each device, whose parameters are differentiable copies of the network's.")

__all__ = ["replicate"]
