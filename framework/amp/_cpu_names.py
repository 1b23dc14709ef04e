"""torch.cpu.amp's older names."""
from .._dtypes import bfloat16
from . import _deprecated

globals().update({name: made for name, made in _deprecated.names_for("cpu", bfloat16).items() if name in ("autocast", "GradScaler")})
