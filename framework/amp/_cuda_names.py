"""What ringgrad.cuda.amp shows."""
from .. import cuda
from .._dtypes import float16
from . import _deprecated
from .grad_scaler import OptState  # noqa: F401 - torch has it there too

globals().update(_deprecated.names_for("cuda", float16))


def amp_definitely_not_available():
    """Whether mixed precision on the GPU is out of the question: there is none."""
    return not cuda.is_available()
