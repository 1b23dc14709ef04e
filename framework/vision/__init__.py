"""Images: data sets, transforms, operators, drawing and models, in torchvision's words.  Decoding goes through Pillow (extra `vision`)."""
import importlib

_PARTS = ("datasets", "io", "models", "ops", "transforms", "tv_tensors", "utils")
_backend = "PIL"


def __getattr__(name):
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_PARTS})


def get_image_backend():
    """The library that decodes images: always "PIL"."""
    return _backend


def set_image_backend(backend):
    """Choose the library that decodes images.  Only "PIL" (Pillow) is there; ValueError for any other."""
    if backend != _backend:
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'; torchvision's 'accimage' is not supported")


__all__ = [*_PARTS, "get_image_backend", "set_image_backend"]
