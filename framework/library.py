"""torch.library: operators of one's own are autograd Functions here; the names that register one with torch's dispatcher refuse."""

__all__ = ["Library", "custom_op", "define", "impl", "register_autograd", "register_fake", "register_kernel"]
_WORDS = "ringgrad has no dispatcher to register operators with: write a torch.autograd.Function, whose forward and backward may call any code"


class Library:
    """Refuses with NotImplementedError."""

    __ringgrad_refuses__ = _WORDS

    def __init__(self, *args, **kwargs):
        raise NotImplementedError(_WORDS)


def _refusing(name):
    def refuse(*args, **kwargs):
        raise NotImplementedError(f"torch.library.{name}: {_WORDS}")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Refuses with NotImplementedError."
    refuse.__ringgrad_refuses__ = _WORDS
    return refuse


custom_op, define, impl, register_autograd, register_fake, register_kernel = map(
    _refusing, ("custom_op", "define", "impl", "register_autograd", "register_fake", "register_kernel"))
