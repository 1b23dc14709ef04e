"""torch.cuda.amp's and torch.cpu.amp's older names, with the device type in the name of the module.  They warn."""
import functools
import warnings

from . import autocast_mode
from .grad_scaler import GradScaler as AnyGradScaler


def _warn(old, new):
    warnings.warn(f"`ringgrad.{old}` is deprecated. Please use `ringgrad.{new}` instead.", FutureWarning, stacklevel=3)


def names_for(device, default_dtype):
    """{name: class or function} of the module `<device>.amp`."""
    class autocast(autocast_mode.autocast):  # noqa: N801 - torch's name
        __doc__ = f"`autocast({device!r}, ...)` under its older name."

        def __init__(self, enabled=True, dtype=default_dtype, cache_enabled=True):
            _warn(f"{device}.amp.autocast(args...)", f"amp.autocast('{device}', args...)")
            super().__init__(device, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)

    class GradScaler(AnyGradScaler):
        __doc__ = f"`GradScaler({device!r}, ...)` under its older name."

        def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
            _warn(f"{device}.amp.GradScaler(args...)", f"amp.GradScaler('{device}', args...)")
            super().__init__(device, init_scale, growth_factor, backoff_factor, growth_interval, enabled)

    def custom_fwd(fwd=None, *, cast_inputs=None):
        _warn(f"{device}.amp.custom_fwd(args...)", f"amp.custom_fwd(args..., device_type='{device}')")
        return functools.partial(autocast_mode.custom_fwd, device_type=device)(fwd, cast_inputs=cast_inputs)

    def custom_bwd(bwd):
        _warn(f"{device}.amp.custom_bwd(args...)", f"amp.custom_bwd(args..., device_type='{device}')")
        return autocast_mode.custom_bwd(bwd, device_type=device)
    custom_fwd.__doc__, custom_bwd.__doc__ = (f"`amp.{n}` for {device!r}, under its older name." for n in ("custom_fwd", "custom_bwd"))
    for made in (autocast, GradScaler, custom_fwd, custom_bwd):
        made.__qualname__, made.__module__ = made.__name__, f"{__name__.partition('.')[0]}.{device}.amp"
    return {"autocast": autocast, "GradScaler": GradScaler, "custom_fwd": custom_fwd, "custom_bwd": custom_bwd}
