"""Networks that give each pixel a class: FCN, DeepLab v3, LR-ASPP."""
from . import deeplabv3, fcn, lraspp

_NAMES = {name: getattr(file, name) for file in (deeplabv3, fcn, lraspp) for name in file.__all__}
_WEIGHTS = {f.weights.__name__: f.weights for f in _NAMES.values() if hasattr(f, "weights")}
globals().update(_NAMES, **_WEIGHTS)

__all__ = [*_NAMES, *_WEIGHTS]
