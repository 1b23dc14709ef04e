"""torch.ops: operators by their names in torch's dispatcher, which ringgrad has not.  Any use of one refuses."""


class _Namespace:
    def __init__(self, path):
        self._path = path

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Namespace(f"{self._path}.{name}")

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"{self._path}: ringgrad has no dispatcher of named operators; call the function of torch or torchvision "
                                  "that stands for it")


def load_library(path):
    """Refuses: libraries of compiled operators are written for torch's dispatcher."""
    raise NotImplementedError(f"torch.ops.load_library({path!r}): ringgrad cannot use libraries that are compiled for torch")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Namespace(f"torch.ops.{name}")
