"""torch.cuda.amp's older names for ringgrad.amp, which lies a layer above and is loaded when one of them is asked for."""
import importlib

__all__ = ["GradScaler", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]  # noqa: F822 - by __getattr__


def __getattr__(name):
    if name in (*__all__, "OptState"):
        return getattr(importlib.import_module(f"{__name__.partition('.')[0]}.amp._cuda_names"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
