"""Complex numbers out of real ones, in torch's words."""
from .. import ops


def complex(real, imag):
    """real + i imag, of two float tensors of one type, which broadcast."""
    return ops.complex(real, imag)


def polar(abs, angle):
    """abs * (cos(angle) + i sin(angle)), of two float tensors of one type."""
    return ops.complex(ops.multiply(abs, ops.cos(angle)), ops.multiply(abs, ops.sin(angle)))


FUNCTIONS = {"complex": complex, "polar": polar, "view_as_real": ops.view_as_real, "view_as_complex": ops.view_as_complex}
METHODS = {}
INPLACE = {}
