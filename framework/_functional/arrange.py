"""Elements turned round, shifted, cut along diagonals, seen through windows and strides, in torch's words."""
from .. import ops
from .._core.inplace import apply_inplace
from ..ops.shape import wrap_dim
from ._sizes import sizes


def flip(input, *args, dims=None):
    """A copy with the order along each of `dims` reversed.  flip(x, (0, 1)), x.flip(0, 1) or flip(x, dims=(0, 1))"""
    return ops.flip(input, sizes(args if dims is None else (dims,), "flip"))


def fliplr(input):
    """A copy with the order along the second dimension reversed."""
    if input._data.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return ops.flip(input, (1,))


def flipud(input):
    """A copy with the order along the first dimension reversed."""
    if input._data.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return ops.flip(input, (0,))


def roll(input, shifts, dims=None):
    """A copy shifted along `dims` (None: flattened), what falls off at the end coming in at the start.  An int or a tuple each."""
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    if dims is None or dims == () or dims == []:
        if len(shifts) != 1:
            raise RuntimeError(f"`shifts` and `dimensions` must align, but there are {len(shifts)} shifts and no dimensions")
        return ops.roll(input, shifts[0])
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(dims) != len(shifts):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    return ops.roll(input, shifts, tuple([wrap_dim(d, input._data.ndim) for d in dims]))


def rot90(input, k=1, dims=(0, 1)):
    """A copy turned by k quarter turns in the plane of two dimensions, from the first towards the second."""
    n = input._data.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if n < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {n}")
    a, b = wrap_dim(dims[0], n), wrap_dim(dims[1], n)
    if a == b:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    turns = k % 4
    if turns == 0:
        return ops.copy(input)
    if turns == 2:
        return ops.flip(input, (a, b))
    return ops.flip(ops.swapaxes(input, a, b), (a if turns == 1 else b,))


def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonals of the matrices in dimensions dim1, dim2, as the last dimension.  A view."""
    return ops.diagonal(input, offset, dim1, dim2)


def diag(input, diagonal=0):
    """A matrix with a vector on its diagonal; or the diagonal of a matrix.  (n) -> (n + |k|, n + |k|), (n, m) -> (min)"""
    n = input._data.ndim
    if n == 1:
        return diag_embed(input, diagonal)
    if n == 2:
        return ops.copy(ops.diagonal(input, diagonal))
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {n}D")


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices in dimensions dim1, dim2 of the result, with the last dimension of `input` on their diagonals.  (*, n) -> (*, n + |k|, n + |k|)"""
    shape = list(input._data.shape)
    n = len(shape) + 1
    a, b = wrap_dim(dim1, n), wrap_dim(dim2, n)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    size = shape.pop() + abs(offset)
    for at in sorted((a, b)):
        shape.insert(at, size)
    return ops.place_diagonal(input, tuple(shape), offset, a, b)


def diagflat(input, offset=0):
    """A matrix with all elements of `input`, flattened, on its diagonal."""
    return diag_embed(ops.reshape(input, (-1,)), offset)


def tril(input, diagonal=0):
    """The lower triangle of each matrix, up to a diagonal, zeros above.  (*, n, m) -> (*, n, m)"""
    return ops.tril(input, diagonal)


def triu(input, diagonal=0):
    """The upper triangle of each matrix, from a diagonal, zeros below.  (*, n, m) -> (*, n, m)"""
    return ops.triu(input, diagonal)


def tril_(self, diagonal=0):
    """In-place form of `tril`.  Returns self."""
    return apply_inplace(ops.tril.op, self, (), {"k": diagonal})


def triu_(self, diagonal=0):
    """In-place form of `triu`.  Returns self."""
    return apply_inplace(ops.triu.op, self, (), {"k": diagonal})


def unfold(self, dimension, size, step):
    """Windows of `size` elements along a dimension, `step` apart, as a new last dimension.  A view."""
    return ops.unfold(self, dimension, size, step)


def as_strided(input, size, stride, storage_offset=None):
    """A view of the memory of `input`: element (i, j, ...) at storage_offset + i stride[0] + j stride[1] + ..., counted in elements.

    storage_offset: counted from the start of the memory; by default where `input` starts.  RuntimeError when it would leave the memory.
    """
    a = input._data
    size, stride = sizes((size,), "as_strided"), sizes((stride,), "as_strided")
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {len(stride)} strides and {len(size)} sizes")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    offset = 0 if storage_offset is None else storage_offset - input.storage_offset()
    return ops.as_strided(input, size, stride, offset, tuple(s // a.itemsize for s in a.strides))


FUNCTIONS = {"flip": flip, "fliplr": fliplr, "flipud": flipud, "roll": roll, "rot90": rot90, "diagonal": diagonal, "diag": diag,
             "diag_embed": diag_embed, "diagflat": diagflat, "tril": tril, "triu": triu, "as_strided": as_strided}
METHODS = {**FUNCTIONS, "tril_": tril_, "triu_": triu_, "unfold": unfold}
INPLACE = {}
