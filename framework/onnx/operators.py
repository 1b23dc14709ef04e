"""torch.onnx.operators."""
from .._functional.creation import tensor

__all__ = ["reshape_from_tensor_shape", "shape_as_tensor"]


def shape_as_tensor(x):
    """The shape of `x` as an int64 tensor."""
    return tensor(list(x.shape))


def reshape_from_tensor_shape(x, shape):
    """`x` reshaped to the numbers of the tensor `shape`."""
    return x.reshape(shape.tolist())
