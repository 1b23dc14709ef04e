"""How tensors are shown."""
from .._printing import get_printoptions, printoptions, set_printoptions, tensor_repr


def __repr__(self):
    """The tensor as torch prints it; see `set_printoptions`."""
    return tensor_repr(self)


FUNCTIONS = {"set_printoptions": set_printoptions, "get_printoptions": get_printoptions, "printoptions": printoptions}
METHODS = {"__repr__": __repr__}
INPLACE = {}
