"""torch's optimizers set an environment variable when they first step; let that happen before the watch for leftovers looks."""
import contextlib

with contextlib.suppress(ImportError):
    import torch._dynamo  # noqa: F401
