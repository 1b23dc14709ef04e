"""Views as copies (view_copy and kin), forms of split that promise no view, and results of a fixed or chosen layout."""
import warnings

from .. import ops
from .._core.tensor import Tensor
from ..ops.shape import wrap_dim
from . import arrange, joining, shape
from .creation import empty_strided

# -- views, copied -----------------------------------------------------------------------------------------------------


def _sliced(input, dim=0, start=None, end=None, step=1):
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return input[(*(slice(None),) * wrap_dim(dim, input._data.ndim), slice(start, end, step))]


def _copying(name, view, like):
    """The function `name`: `view`, whose results are copied."""
    def function(input, *args, **kwargs):
        out = view(input, *args, **kwargs)
        return tuple(ops.copy(t) for t in out) if isinstance(out, (tuple, list)) else ops.copy(out)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As `{like}`, but the result is a copy: it shares no memory with `input`, and may be written to in place."
    return function


_VIEWS = {
    "alias": lambda x: x, "as_strided": arrange.as_strided, "detach": lambda x: x.detach(), "diagonal": arrange.diagonal,
    "expand": shape.expand, "narrow": joining.narrow, "permute": shape.permute, "select": joining.select, "slice": _sliced, "split": joining.split,
    "split_with_sizes": joining.split, "squeeze": shape.squeeze, "t": shape.t, "transpose": shape.transpose, "unbind": joining.unbind,
    "unfold": arrange.unfold, "unsqueeze": shape.unsqueeze, "view": shape.view, "view_as_complex": ops.view_as_complex,
    "view_as_real": ops.view_as_real,
}
COPIES = {f"{name}_copy": _copying(f"{name}_copy", view, name) for name, view in _VIEWS.items()}
UNSAFE = {f"unsafe_{name}": _copying(f"unsafe_{name}", split, name)
          for name, split in (("chunk", joining.chunk), ("split", joining.split), ("split_with_sizes", joining.split))}


# -- other forms -------------------------------------------------------------------------------------------------------

def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of `input` with `src` in the place of input.as_strided(size, stride, storage_offset)."""
    out = ops.copy(input)
    view = arrange.as_strided(out, size, stride, storage_offset)
    if view._data.shape != src._data.shape:
        raise RuntimeError(f"expected src to have a size equal to the slice of self. src size = {list(src._data.shape)}, slice size = "
                           f"{list(view._data.shape)}")
    view.copy_(src)
    return out


def nonzero_static(input, *, size, fill_value=-1):
    """`nonzero` with exactly `size` rows: cut off, or filled up with `fill_value`.  (*) of n dimensions -> (size, n) int64"""
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, but it is {size}")
    found = input.nonzero()[:size]
    rest = ops.full((size - found._data.shape[0], input._data.ndim), fill_value, "int64", input.device)
    return ops.concatenate([found, rest], 0)


def constant_pad_nd(input, pad, value=0):
    """`nn.functional.pad` with a constant: (before, after) of the last dimension, then of the last but one, and so on."""
    pad, n = [int(p) for p in pad], input._data.ndim
    if len(pad) % 2 or len(pad) > 2 * n:
        raise RuntimeError(f"Length of pad must be even and at most twice the number of dimensions, but it is {len(pad)} for {n} dimensions")
    widths = [(0, 0)] * (n - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    for size, width in zip(input._data.shape, widths):
        if size + sum(width) < 0:
            raise RuntimeError(f"The input size {size}, plus negative padding {width[0]} and {width[1]}, resulted in a negative output size")
    return ops.constant_pad(input, tuple(widths), value)


def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """Uninitialised; its dimensions lie in memory in the order of `physical_layout`, the outermost first."""
    size, order = tuple(size), [int(d) for d in physical_layout]
    if sorted(order) != list(range(len(size))):
        raise RuntimeError(f"Number of dimensions in size does not match the length of the physical_layout, or it is no permutation: {order} for "
                           f"{len(size)} dimensions")
    stride, step = [0] * len(size), 1
    for d in reversed(order):
        stride[d], step = step, step * size[d]
    return empty_strided(size, stride, dtype=dtype, device=device, requires_grad=requires_grad, pin_memory=pin_memory)


def new_empty_strided(self, size, stride, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """`empty_strided` in this tensor's type and place unless told otherwise."""
    return empty_strided(size, stride, dtype=self.dtype if dtype is None else dtype, device=self.device if device is None else device,
                         requires_grad=requires_grad, pin_memory=pin_memory)


def resize_as(self, tensor):
    """`resize` to the shape of another tensor; torch deprecates it in favour of `reshape_as`."""
    warnings.warn("non-inplace resize_as is deprecated", UserWarning, stacklevel=2)
    return self.resize(*tensor._data.shape)


def detach(input):
    """`input` without its history, in the same memory."""
    if not isinstance(input, Tensor):
        raise TypeError(f"detach(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return input.detach()


FUNCTIONS = {**COPIES, **UNSAFE, "as_strided_scatter": as_strided_scatter, "nonzero_static": nonzero_static, "constant_pad_nd": constant_pad_nd,
             "empty_permuted": empty_permuted, "detach": detach}
METHODS = {**UNSAFE, "narrow_copy": COPIES["narrow_copy"], "as_strided_scatter": as_strided_scatter, "nonzero_static": nonzero_static,
           "new_empty_strided": new_empty_strided, "resize_as": resize_as}
INPLACE = {}
