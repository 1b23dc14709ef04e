"""Operations that may give other bits each time: refused, or warned of, as `use_deterministic_algorithms` was told."""
import warnings

from ._config import DETERMINISTIC

_SAYING = "{} does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms({})'. "
_WAYS_OUT = ("You can turn off determinism just for this operation, or you can use the 'warn_only=True' option, if that's acceptable for your "
             "application. You can also file")
_END = " an issue at https://github.com/pytorch/pytorch/issues to help us prioritize adding deterministic support for this operation."


def alert_not_deterministic(operation):
    """RuntimeError in torch's words (a warning with warn_only) where deterministic algorithms are asked for; nothing elsewhere."""
    if not DETERMINISTIC["on"]:
        return
    if not DETERMINISTIC["warn"]:
        raise RuntimeError(_SAYING.format(operation, "True") + _WAYS_OUT + _END)
    warnings.warn(_SAYING.format(operation, "True, warn_only=True") + "You can file" + _END, stacklevel=4)
