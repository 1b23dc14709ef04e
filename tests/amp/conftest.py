"""torch's optimizers set an environment variable when they first step; let that happen before the watch for leftovers looks."""
import contextlib

with contextlib.suppress(Exception):  # a torch that warns when it is imported is no reason not to run the tests that need none
    import torch._dynamo  # noqa: F401
