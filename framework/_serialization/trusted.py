"""Python's own Unpickler, for files that the user trusts (weights_only=False).  It calls whatever the file names."""
import pickle

from .allowed import find
from .names import our_object
from .storages import StorageType


class TrustingUnpickler(pickle.Unpickler):
    """Names that the safe machine knows mean the same here, so that torch need not be installed; all others are imported."""

    def __init__(self, file, persistent_load, **options):
        super().__init__(file, **options)
        self.load_storage = persistent_load

    def find_class(self, module, name):
        if module.split(".")[0] not in ("torch", "torchvision"):
            return super().find_class(module, name)
        try:
            found = find(module, name)
        except pickle.UnpicklingError:
            found = our_object(module, name)
            if found is None:
                raise pickle.UnpicklingError(f"the file names {module}.{name}, which ringgrad does not have; "
                                             "save the state_dict in torch instead of the whole object") from None
            return found
        return found if isinstance(found, StorageType) or not hasattr(found, "value") else found.value

    def persistent_load(self, pid):
        return self.load_storage(pid)
