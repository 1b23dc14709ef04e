"""Automatic mixed precision in torch.amp's words: `autocast` regions and the `GradScaler`."""
from . import autocast_mode, grad_scaler
from ._scale_ops import _amp_foreach_non_finite_check_and_unscale_, _amp_update_scale_
from ._switches import *  # noqa: F403 - torch has these at its top level
from .autocast_mode import _enter_autocast, _exit_autocast, autocast, autocast_decorator, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler, OptState

__all__ = ["GradScaler", "OptState", "_amp_foreach_non_finite_check_and_unscale_", "_amp_update_scale_", "_enter_autocast", "_exit_autocast",
           "autocast", "autocast_decorator", "autocast_mode", "custom_bwd", "custom_fwd", "grad_scaler", "is_autocast_available"]
