"""Networks for videos (N, C, T, H, W)."""
from . import resnet

_NAMES = {name: getattr(resnet, name) for name in resnet.__all__}
_WEIGHTS = {f.weights.__name__: f.weights for f in _NAMES.values() if hasattr(f, "weights")}
globals().update(_NAMES, **_WEIGHTS)

__all__ = [*_NAMES, *_WEIGHTS]
