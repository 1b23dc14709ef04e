"""Samples of what rearranges elements: shapes, orders of dimensions, joining, splitting, diagonals, windows, strides."""
import itertools

import numpy as np

from .sample import COMPLEX, FLOATS, Fails, Sample, const, lib, positive, randint, randn

MOVED = ("float16", "bfloat16", "float32", "float64", "uint8", "int64", "complex128", "bool")  # elements are moved, whatever they are


def moved(name, args, op, ref, dtypes=FLOATS[2:], **fields):
    """A row of an op that moves elements; `args` may name the tensor's shape in place of the tensor."""
    return Sample(name, [randn(*a) if isinstance(a, tuple) and i == 0 else a for i, a in enumerate(args)], op=op, ref=ref, dtypes=dtypes, **fields)


def windows(x, axis, size, step):
    """Windows along an axis, as a new last dimension."""
    return np.stack([np.take(x, range(k, k + (x.shape[axis] - size) // step * step + 1, step), axis) for k in range(size)], -1)


def embedded(x, offset=0):
    """Vectors on the diagonals of matrices."""
    n = x.shape[-1] + abs(offset)
    out = np.zeros((*x.shape[:-1], n, n), x.dtype)
    k = np.arange(x.shape[-1])
    out[..., k + max(-offset, 0), k + max(offset, 0)] = x
    return out


def dense(lib, x, *args):
    """as_strided of memory in row-major order, whatever the layout of `x`."""
    return lib.as_strided(x.contiguous(), *args)


def shaped(*shape):
    """x -> x in this shape."""
    return lambda x, *_: x.reshape(shape)


RESHAPES = [
    moved("reshape", [(3, 4), (2, -1)], "reshape", shaped(2, 6), MOVED),
    moved("Tensor.reshape", [(3, 4), 12], "reshape", shaped(12)),
    moved("Tensor.reshape", [(), 1, 1], "reshape", shaped(1, 1)),
    moved("Tensor.reshape", [(3, 4)], "reshape", lambda x: x.T.reshape(2, 6), view=False, call=lambda lib, x: x.T.reshape(2, 6)),
    moved("Tensor.view", [(3, 4), -1, 2], "reshape", shaped(6, 2), MOVED),
    moved("Tensor.view", [(3, 4), (4, 3)], "reshape", shaped(4, 3)),
    moved("Tensor.view_as", [(3, 4), randn(2, 6)], "reshape", lambda x, y: x.reshape(2, 6), grad=(0,)),
    moved("Tensor.reshape_as", [(3, 4), randn(2, 6)], "reshape", lambda x, y: x.reshape(2, 6), grad=(0,)),
    moved("Tensor.view", [(3, 4), lib("int64")], "view_as_type", lambda x, _: x.view(np.int64), ("float64",), gives="int64", grad=False),
    moved("Tensor.view", [(3, 4), lib("uint8")], "view_as_type", lambda x, _: x.view(np.uint8), ("float64",), gives="uint8", grad=False,
          call=lambda lib, x, d: x.contiguous().view(d)),
    moved("flatten", [(2, 3, 4)], "reshape", shaped(24)),
    moved("flatten", [(2, 3, 4), 1], "reshape", shaped(2, 12)),
    moved("flatten", [(2, 3, 4), 0, -2], "reshape", shaped(6, 4)),
    moved("flatten", [()], "reshape", shaped(1)),
    moved("unflatten", [(2, 6), 1, (3, -1)], "reshape", shaped(2, 3, 2)),
    moved("ravel", [(2, 3)], "reshape", shaped(6)),
    moved("unsqueeze", [(3, 4), 1], "expand_dims", shaped(3, 1, 4), MOVED),
    moved("unsqueeze", [(3, 4), -1], "expand_dims", shaped(3, 4, 1)),
    moved("unsqueeze", [(), 0], "expand_dims", shaped(1)),
    moved("squeeze", [(1, 3, 1)], "squeeze", shaped(3), MOVED),
    moved("squeeze", [(1, 3, 1), 0], "squeeze", shaped(3, 1)),
    moved("squeeze", [(1, 3, 1), 1], "squeeze", shaped(1, 3, 1)),
    moved("squeeze", [(1, 3, 1), (0, -1)], "squeeze", shaped(3)),
    moved("atleast_2d", [(3,)], "reshape", shaped(1, 3)),
    moved("atleast_3d", [(3, 2)], "reshape", shaped(3, 2, 1)),
    moved("Tensor.contiguous", [(3, 4)], "ascontiguousarray", np.transpose, MOVED, call=lambda lib, x: x.T.contiguous()),
]

ORDERS = [
    moved("transpose", [(2, 3, 4), 0, -1], "swapaxes", lambda x, *_: x.transpose(2, 1, 0), MOVED),
    moved("t", [(2, 3)], "swapaxes", np.transpose),
    moved("permute", [(2, 3, 4), (2, 0, 1)], "transpose", np.transpose, MOVED),
    moved("Tensor.permute", [(2, 3, 4), -1, 0, 1], "transpose", lambda x, *_: x.transpose(2, 0, 1)),
    moved("Tensor.T", [(2, 3)], "transpose", np.transpose, call=lambda lib, x: x.T),
    moved("Tensor.mT", [(4, 2, 3)], "swapaxes", lambda x: x.swapaxes(1, 2), call=lambda lib, x: x.mT),
    moved("Tensor.H", [(2, 3)], "conj", lambda x: x.conj().T, ("complex128",), call=lambda lib, x: x.H.clone(), view=False),
    moved("movedim", [(2, 3, 4), 0, 2], "transpose", np.moveaxis),
    moved("movedim", [(2, 3, 4), (0, 1), (2, 0)], "transpose", np.moveaxis),
    moved("swapaxes", [(2, 3, 4), 1, 2], "swapaxes", np.swapaxes),
]

REPEATS = [
    moved("Tensor.expand", [(2, 1, 3), 4, -1, 5, -1], "broadcast_to", lambda x, *_: np.broadcast_to(x, (4, 2, 5, 3)), MOVED),
    moved("Tensor.expand", [(3,), (2, 3)], "broadcast_to", lambda x, _: np.broadcast_to(x, (2, 3))),
    moved("Tensor.expand", [(), 2, 2], "broadcast_to", lambda x, *_: np.broadcast_to(x, (2, 2))),
    moved("Tensor.expand", [(0, 1), 0, 4], "broadcast_to", lambda x, *_: x.reshape(0, 1).repeat(4, 1)),
    moved("Tensor.expand_as", [(3,), randn(2, 3)], "broadcast_to", lambda x, y: np.broadcast_to(x, (2, 3)), grad=(0,)),
    moved("broadcast_to", [(3, 1), (3, 4)], "broadcast_to", np.broadcast_to),
    Sample("broadcast_tensors", [randn(3, 1), randn(4)], op="broadcast_to", ref=np.broadcast_arrays, dtypes=("float64",)),
    moved("Tensor.repeat", [(2, 3), 2, 1, 3], "tile", lambda x, *r: np.tile(x, r), MOVED),
    moved("Tensor.repeat", [(2, 3), 0, 2], "tile", lambda x, *r: np.tile(x, r)),
    moved("Tensor.repeat", [(), 3], "tile", lambda x, *r: np.tile(x, r)),
    moved("tile", [(2, 3), (2,)], "tile", np.tile),
    moved("repeat_interleave", [(2, 3), 2], "repeat", np.repeat, MOVED),
    moved("repeat_interleave", [(2, 3), 2], "repeat", lambda x, n: np.repeat(x, n, 1), kwargs=dict(dim=-1)),
    moved("repeat_interleave", [(2, 3), const([1, 0, 3], "int64"), 1], "take", np.repeat),
]

JOINED = [
    Sample("cat", [[randn(2, 3), randn(1, 3), randn(0, 3)]], op="concatenate", ref=np.concatenate, dtypes=MOVED),
    Sample("cat", [[randn(2, 3, 2), randn(2, 1, 2)]], dict(dim=-2), op="concatenate", ref=lambda xs: np.concatenate(xs, 1), dtypes=COMPLEX[1:]),
    Sample("cat", [[randn(2), randint(0, 9, 3)]], op="concatenate", ref=np.concatenate),
    Sample("cat", [[const(np.zeros(0)), randn(2, 3)], 1], op="concatenate", ref=lambda xs, _: xs[1], dtypes=("float64",)),
    Sample("cat", [[randn(4), randn(4)]], op="concatenate", ref=lambda xs: np.concatenate([xs[0], xs[0]]), grad=(0,), dtypes=("float64",),
           call=lambda lib, xs: lib.cat([xs[0], xs[0]])),
    Sample("stack", [[randn(2, 3), randn(2, 3)]], op="stack", ref=np.stack, dtypes=MOVED),
    Sample("stack", [[randn(2, 3), randn(2, 3)]], dict(dim=-1), op="stack", ref=lambda xs: np.stack(xs, -1), dtypes=("complex128",)),
    Sample("stack", [[randn(), randn()]], op="stack", ref=np.stack, dtypes=("float64",)),
    Sample("stack", [[randn(2), randint(0, 9, 2)], 1], op="stack", ref=np.stack),
    *(Sample(name, [[randn(*shape), randn(*shape)]], op="concatenate", ref=getattr(np, name), dtypes=("float64",))
      for name in ("hstack", "vstack", "dstack", "column_stack") for shape in ((3,), (2, 3))),
    Sample("meshgrid", [randn(2), randn(3)], dict(indexing="ij"), op="broadcast_to", ref=lambda x, y: np.meshgrid(x, y, indexing="ij"),
           dtypes=("float64",)),
    Sample("meshgrid", [randn(2), randn(3), randn(2)], dict(indexing="xy"), op="broadcast_to", ref=np.meshgrid, dtypes=("float64",)),
    Sample("cartesian_prod", [randn(2), randn(3)], op="stack", ref=lambda x, y: np.array(list(itertools.product(x, y))), dtypes=("float64",)),
    Sample("combinations", [randn(4), 2], op="index", ref=lambda x, r: np.array(list(itertools.combinations(x, r))), dtypes=("float64",)),
    Sample("block_diag", [randn(2, 1), randn(3)], op="place", ref=lambda x, y: np.block([[x, np.zeros((2, 3))], [np.zeros((1, 1)), y[None]]]),
           dtypes=MOVED[2:4]),
]

SPLITS = [
    moved("split", [(5, 2), 2], "split", lambda x, _: np.split(x, [2, 4]), MOVED),
    moved("split", [(2, 6), [1, 0, 5], -1], "split", lambda x, *_: np.split(x, [1, 1], 1)),
    moved("chunk", [(7,), 3], "split", lambda x, _: np.split(x, [3, 6])),
    moved("tensor_split", [(7, 2), 3], "getitem", np.array_split),
    moved("tensor_split", [(7, 2), (2, 9)], "getitem", lambda x, i: np.split(x, i)),
    moved("hsplit", [(2, 4), 2], "getitem", np.hsplit),
    moved("unbind", [(3, 2)], "unstack", list, MOVED),
    moved("unbind", [(3, 2), 1], "unstack", lambda x, _: list(x.T)),
    moved("Tensor.__iter__", [(3, 2)], "unstack", list, call=lambda lib, x: list(x)),
    moved("split", [(5, 2), 2], "split", lambda x, _: [np.array(x[2:4].sum())], call=lambda lib, x, n: lib.split(x, n)[1].sum(), view=False),
    moved("narrow", [(2, 5), 1, 1, 3], "getitem", lambda x, *_: x[:, 1:4]),
    moved("narrow", [(2, 5), 1, -2, 2], "getitem", lambda x, *_: x[:, 3:]),
    moved("select", [(2, 5), 1, -1], "select", lambda x, *_: x[:, -1]),
]

ARRANGED = [
    moved("flip", [(2, 3), (0, 1)], "flip", np.flip, MOVED),
    moved("Tensor.flip", [(2, 3, 2), -1], "flip", np.flip),
    moved("fliplr", [(2, 3)], "flip", np.fliplr),
    moved("roll", [(2, 3), 1], "roll", np.roll, MOVED),
    moved("roll", [(2, 3), (1, -4), (0, 1)], "roll", np.roll),
    *(moved("rot90", [(2, 3), k], "flip" if k % 4 else "copy", np.rot90) for k in (1, 2, 3, -4)),
    moved("diagonal", [(3, 4)], "diagonal", np.diagonal, MOVED),
    moved("diagonal", [(2, 3, 4), -1, 2, 0], "diagonal", np.diagonal),
    moved("diagonal", [(3, 4), 7], "diagonal", np.diagonal),
    moved("diag", [(3, 4), 1], "diagonal", np.diag, view=False),
    moved("diag", [(3,), -1], "place_diagonal", np.diag, MOVED),
    moved("diag_embed", [(2, 3), 1], "place_diagonal", embedded),
    moved("diag_embed", [(2, 3), 0, 0, 2], "place_diagonal", lambda x, *_: np.moveaxis(embedded(x), 0, 1)),
    moved("diagflat", [(2, 2)], "place_diagonal", np.diagflat),
    moved("tril", [(3, 4)], "tril", np.tril, MOVED),
    moved("tril", [(2, 3, 3), -1], "tril", np.tril),
    moved("triu", [(3, 4), 1], "triu", np.triu, MOVED),
    moved("Tensor.unfold", [(7, 2), 0, 3, 2], "unfold", windows, MOVED),
    moved("Tensor.unfold", [(2, 6), -1, 2, 2], "unfold", lambda x, _, *a: windows(x, 1, *a)),
    moved("ops.add_windows", [(3, 2, 3), (7, 2), 0, 3, 2], "add_windows", dtypes=("float64",), torch="the gradient of unfold",
          ref=lambda x, shape, *_: np.sum([np.pad(x[i].T, ((2 * i, 4 - 2 * i), (0, 0))) for i in range(3)], 0)),
    moved("as_strided", [(3, 4), (2, 3), (5, 1), 1], "as_strided", lambda x, *_: x.ravel()[[[1, 2, 3], [6, 7, 8]]], MOVED, call=dense),
    moved("as_strided", [(12,), (3, 2), (1, 1)], "as_strided", lambda x, *_: windows(x, 0, 2, 1)[:3], call=dense),
    Sample("as_strided", [randn(3, 4)], op="as_strided", ref=lambda x: x[:, 1:][[0, 0], [1, 2]], dtypes=("float64",),
           call=lambda lib, x: x.contiguous()[:, 1:].as_strided((2,), (1,), 2)),
    moved("ops.add_strided", [(3, 2), (12,), (1, 1), 0, (1,)], "add_strided", dtypes=("float64",), torch="the gradient of as_strided",
          ref=lambda x, *_: np.bincount(np.add.outer(range(3), range(2)).ravel(), x.ravel(), 12)),
    Sample("tril", [randn(2, 0)], op="tril", ref=np.tril, dtypes=("float64",)),
]

COMPLEX_ROWS = [
    Sample("view_as_real", [randn(2, 3)], op="view_as_real", ref=lambda x: np.stack([x.real, x.imag], -1), dtypes=COMPLEX[1:], gives="float64"),
    Sample("view_as_complex", [randn(3, 2)], op="view_as_complex", ref=lambda x: x[:, 0] + 1j * x[:, 1], dtypes=("float64",), gives="complex128"),
    Sample("complex", [randn(2, 3), randn(3)], op="complex", ref=lambda x, y: x + 1j * y, dtypes=("float64",), gives="complex128"),
    Sample("polar", [positive(2, 3), randn(2, 3)], op="complex", ref=lambda r, a: r * np.exp(1j * a), dtypes=("float64",), gives="complex128"),
]

RANGE = r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)"
REFUSED = [
    Fails("Tensor.view", [randn(3, 4), 5, 2], says=r"shape '\[5, 2\]' is invalid for input of size 12"),
    Fails("Tensor.view", [randn(3, 4), -1, -1], says="only one dimension can be inferred"),
    Fails("Tensor.view", [randn(3, 4), -2, 6], says="invalid shape dimension -2"),
    Fails("Tensor.view", [randn(3, 4)], call=lambda lib, x: x.T.view(12), says="view size is not compatible .* Use .reshape"),
    Fails("reshape", [randn(0, 3), (-1, 0)], says="the unspecified dimension size -1 can be any value and is ambiguous"),
    Fails("reshape", [randn(3), (1.5, 2)], error=TypeError, says="must be tuple of ints"),
    Fails("flatten", [randn(2, 3), 1, 0], says="start_dim cannot come after end_dim"),
    Fails("unflatten", [randn(2, 6), 1, (4, 2)], says="don't multiply up to the size of dim 1"),
    Fails("unsqueeze", [randn(3), 2], error=IndexError, says=RANGE),
    Fails("squeeze", [randn(1, 3), 2], error=IndexError, says=RANGE),
    Fails("transpose", [randn(1, 3), 2, 0], error=IndexError, says=RANGE),
    Fails("permute", [randn(1, 3), (0, 0)], says="duplicate dims are not allowed"),
    Fails("permute", [randn(1, 3), (0,)], says=r"input.dim\(\) = 2 is not equal to len\(dims\) = 1"),
    Fails("t", [randn(1, 3, 2)], says="expects a tensor with <= 2 dimensions, but self is 3D"),
    Fails("Tensor.expand", [randn(2, 3), 2, 4], says=r"The expanded size of the tensor \(4\) must match the existing size \(3\) at non-singleton "
                                                     r"dimension 1.  Target sizes: \[2, 4\].  Tensor sizes: \[2, 3\]"),
    Fails("Tensor.expand", [randn(2, 3), 3], says=r"number of sizes provided \(1\) must be greater or equal"),
    Fails("Tensor.expand", [randn(3), -1, 3], says="isn't allowed in a leading, non-existing dimension 0"),
    Fails("broadcast_tensors", [randn(3), randn(4)], says="cannot be broadcast|must match the size of tensor b"),
    Fails("Tensor.repeat", [randn(2, 3), 2], says="Number of dimensions of repeat dims can not be smaller"),
    Fails("repeat_interleave", [randn(3), const([1, 2], "int64")], says="same size as input along dim"),
    Fails("cat", [[]], error=ValueError, says="expected a non-empty list of Tensors"),
    Fails("cat", [[randn(2, 3), randn(2, 4)]], says="Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 for tensor "
                                                    "number 1 in the list"),
    Fails("cat", [[randn(2, 3), randn(2)]], says="Tensors must have same number of dimensions: got 2 and 1"),
    Fails("cat", [[randn(), randn()]], says="zero-dimensional tensor .* cannot be concatenated"),
    Fails("cat", [[randn(2), 3]], error=TypeError, says="expected Tensor as element 1 in argument 0, but got int"),
    Fails("cat", [[randn(2, 3)], 2], error=IndexError, says=RANGE),
    Fails("stack", [[randn(2), randn(3)]], says=r"stack expects each tensor to be equal size, but got \[2\] at entry 0 and \[3\] at entry 1"),
    Fails("stack", [[]], says="non-empty TensorList"),
    Fails("split", [randn(5), [2, 2]], says=r"split_sizes to sum exactly to 5 .* but got split_sizes=\[2, 2\]"),
    Fails("split", [randn(5), 0], says="split_size can only be 0 if dimension size is 0"),
    Fails("split", [randn(), 1], says="at least a 1-dimensional tensor"),
    Fails("chunk", [randn(5), 0], says="greater than 0, got: 0"),
    Fails("tensor_split", [randn(5), 0], says="must be larger than 0, got 0"),
    Fails("unbind", [randn()], error=IndexError, says="tensor has no dimensions"),
    Fails("narrow", [randn(5), 0, 3, 3], says=r"start \(3\) \+ length \(3\) exceeds dimension size \(5\)"),
    Fails("select", [randn(5), 0, 5], error=IndexError, says=r"select\(\): index 5 out of range for tensor of size \[5\] at dimension 0"),
    Fails("meshgrid", [randn(5), randn(2, 2)], dict(indexing="ij"), says="Expected 0D or 1D tensor"),
    Fails("flip", [randn(2, 3), (0, 0)], says="dim 0 appears multiple times in the list of dims"),
    Fails("roll", [randn(2, 3), (1, 2), 0], says="shifts and dimensions must align"),
    Fails("rot90", [randn(3)], says="expected total dims >= 2"),
    Fails("diagonal", [randn(2, 3), 0, 1, -1], says="diagonal dimensions cannot be identical"),
    Fails("tril", [randn(3)], says="must have at least 2 dimensions"),
    Fails("Tensor.unfold", [randn(3), 0, 4, 1], says="maximum size for tensor at dimension 0 is 3 but size is 4"),
    Fails("Tensor.unfold", [randn(3), 0, 2, 0], says="step is 0 but must be > 0"),
    Fails("as_strided", [randn(3), (2, 3), (3, 1)], says="out of bounds for storage of size"),
    Fails("view_as_real", [randn(3)], says="only supported for complex tensors"),
    Fails("view_as_complex", [randn(3)], says="last dimension of size 2"),
    Fails("Tensor.__iter__", [randn()], call=lambda lib, x: list(x), error=TypeError, says="iteration over a 0-d tensor"),
]

SAMPLES = [*RESHAPES, *ORDERS, *REPEATS, *JOINED, *SPLITS, *ARRANGED, *COMPLEX_ROWS, *REFUSED]
