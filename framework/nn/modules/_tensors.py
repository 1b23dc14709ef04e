"""Parameters as constructors make them."""
from ...ops.creation import empty
from ..parameter import Parameter


def new_parameter(shape, device=None, dtype=None, requires_grad=True):
    """An uninitialised Parameter of the default floating-point type unless `dtype` says otherwise."""
    return Parameter(empty(shape, dtype, device), requires_grad)


def set_parameters(module, device, dtype, **shapes):
    """Give `module` a new parameter of each shape; None where there is no shape."""
    for name, shape in shapes.items():
        module.register_parameter(name, None if shape is None else new_parameter(shape, device, dtype))
