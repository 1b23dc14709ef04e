"""Samples of products of vectors, matrices and tensors."""
import numpy as np

from .sample import COMPLEX, FLOATS, INTS, Fails, Sample, const, randint, randn

SHAPES = (  # of both sides of @
    ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (2, 4, 5)),
    ((5, 1, 3, 4), (2, 4, 3)), ((3, 4), (2, 4, 5)), ((2, 2, 3, 4), (4, 5)), ((2, 1, 3), (1, 3, 2)), ((3, 0), (0, 2)), ((0, 3), (3, 2)), ((2, 3, 0), (0, 4)),
)


def matmul(a, b, **fields):
    return Sample("matmul", [randn(*a), randn(*b)], ref=np.matmul, **fields)


def einsum(equation, *shapes, **fields):
    """A row of einsum; NumPy's is the reference."""
    return Sample("einsum", [equation, *(randn(*s) for s in shapes)], ref=np.einsum, dtypes=("float64",), **{"op": "matmul", **fields})


PRODUCTS = [
    matmul(*SHAPES[0], dtypes=FLOATS + COMPLEX + ("int64",)),
    *(matmul(a, b, dtypes=("float64", "complex128")) for a, b in SHAPES[1:]),
    Sample("matmul", [randint(-9, 9, 2, 3, follows=True), randint(-9, 9, 3, follows=True)], ref=np.matmul, dtypes=INTS, grad=False),
    Sample("Tensor.__matmul__", [randn(3, 4), randn(4, 2)], op="matmul", ref=np.matmul, call=lambda lib, x, y: x @ y),
    Sample("matmul", [randn(3, 4), randn(2, 4)], ref=lambda x, w: x @ w.T, call=lambda lib, x, w: x @ w.T, dtypes=("float32", "float64")),
    Sample("matmul", [randn(3, 3)], ref=lambda x: x @ x, call=lambda lib, x: x @ x, dtypes=("float64",)),
    Sample("mm", [randn(3, 4), randn(4, 2)], op="matmul", ref=np.matmul, dtypes=("float64",)),
    Sample("bmm", [randn(2, 3, 4), randn(2, 4, 2)], op="matmul", ref=np.matmul, dtypes=("float64",)),
    Sample("mv", [randn(3, 4), randn(4)], op="matmul", ref=np.matmul, dtypes=("float64",)),
    Sample("dot", [randn(4), randn(4)], op="matmul", ref=np.dot, dtypes=("float64", "complex128")),
    Sample("vdot", [randn(4), randn(4)], op="matmul", ref=np.vdot, dtypes=("float64", "complex128")),
    Sample("inner", [randn(2, 4), randn(3, 4)], op="matmul", ref=np.inner, dtypes=("float64",)),
    Sample("outer", [randn(3), randn(4)], op="multiply", ref=np.outer, dtypes=("float64",)),
    Sample("kron", [randn(2, 3), randn(3)], op="multiply", ref=np.kron, dtypes=("float64",)),
    Sample("trace", [randn(3, 4)], op="diagonal", ref=np.trace, dtypes=("float64",), view=False),
    Sample("matrix_power", [randn(2, 3, 3), 5], op="matmul", ref=np.linalg.matrix_power, dtypes=("float64",), slack=10),
    Sample("matrix_power", [randn(2, 3, 3), 0], op="place_diagonal", ref=np.linalg.matrix_power, dtypes=("float64",), grad=False),
    Sample("chain_matmul", [randn(2, 5), randn(5, 1), randn(1, 3)], op="matmul", ref=lambda *m: np.linalg.multi_dot(m), dtypes=("float64",),
           torch="it warns that it will go"),
]

ADDED = [
    Sample("addmm", [randn(3, 2), randn(3, 4), randn(4, 2)], op="matmul", ref=lambda c, a, b: c + a @ b, dtypes=FLOATS),
    Sample("addmm", [randn(2), randn(3, 4), randn(4, 2)], dict(beta=0.5, alpha=-2), op="matmul", ref=lambda c, a, b: c / 2 - 2 * (a @ b),
           dtypes=("float64",), inplace="the input is smaller"),
    Sample("addmm", [const(np.full((3, 2), np.inf)), randn(3, 4), randn(4, 2)], dict(beta=0), op="matmul", ref=lambda c, a, b: a @ b,
           dtypes=("float64",), grad=False, call=lambda lib, c, a, b, beta: lib.addmm(c, a.detach(), b.detach(), beta=beta)),
    Sample("addmv", [randn(3), randn(3, 4), randn(4)], dict(alpha=2), op="matmul", ref=lambda c, a, b: c + 2 * (a @ b), dtypes=("float64",)),
    Sample("addr", [randn(3, 4), randn(3), randn(4)], op="multiply", ref=lambda c, a, b: c + np.outer(a, b), dtypes=("float64",)),
    Sample("baddbmm", [randn(2, 3, 5), randn(2, 3, 4), randn(2, 4, 5)], op="matmul", ref=lambda c, a, b: c + a @ b, dtypes=("float64",)),
    Sample("addbmm", [randn(3, 5), randn(2, 3, 4), randn(2, 4, 5)], op="matmul", ref=lambda c, a, b: c + (a @ b).sum(0), dtypes=("float64",)),
]

CONTRACTIONS = [
    Sample("tensordot", [randn(2, 3, 4), randn(3, 4, 5)], dict(dims=2), op="unsafe_reshape", ref=np.tensordot, dtypes=("float64",)),
    Sample("tensordot", [randn(2, 3, 4), randn(4, 5, 2), ([0, 2], [2, 0])], op="matmul", ref=np.tensordot, dtypes=("float64",)),
    Sample("tensordot", [randn(2, 3), randn(4), 0], op="matmul", ref=np.tensordot, dtypes=("float64",)),
    einsum("ij,jk->ik", (2, 3), (3, 4)), einsum("ij,jk", (2, 3), (3, 4)), einsum("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    einsum("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2), call=lambda lib, *a: lib.einsum(*a).clone()), einsum("ii->i", (3, 3), op="diagonal"), einsum("ii", (3, 3), op="sum"),
    einsum("ij->ji", (2, 3), op="transpose"), einsum("i,j->ij", (2,), (3,), op="multiply"), einsum("ij,ij->ij", (2, 3), (2, 3), op="multiply"),
    einsum("ijk,ikl->jl", (2, 3, 4), (2, 4, 5)), einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), einsum("i,i->", (3,), (3,)),
    einsum("iij,jk->ik", (3, 3, 2), (2, 4)), einsum("i...->...", (2, 3), op="sum"), einsum("ba,b", (2, 3), (2,)),
    Sample("einsum", [randn(2, 3), [0, 1], randn(3, 4), [1, 2], [0, 2]], op="matmul", ref=np.einsum, dtypes=("float64",)),
    Sample("einsum", ["ij,ij->i", randn(2, 3), randn(2, 1)], op="multiply", dtypes=("float64",), ref=lambda _, x, y: x.sum(1) * y[:, 0]),
]

REFUSED = [
    Fails("matmul", [randn(2, 3), randn(4, 5)], says=r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 4x5\)"),
    Fails("matmul", [randn(2, 2, 3), randn(4, 5)], says=r"mat1 and mat2 shapes cannot be multiplied \(4x3 and 4x5\)"),
    Fails("matmul", [randn(3), randn(4, 5)], says=r"cannot be multiplied \(1x3 and 4x5\)"),
    Fails("matmul", [randn(2, 3), randn(4)], says=r"size mismatch, got input \(2\), mat \(2x3\), vec \(4\)"),
    Fails("matmul", [randn(3), randn(4)], says=r"inconsistent tensor size, expected tensor \[3\] and src \[4\]"),
    Fails("matmul", [randn(), randn(4)], says="both arguments to matmul need to be at least 1D, but they are 0D and 1D"),
    Fails("matmul", [randn(2, 3, 4), randn(2, 3, 4)], says="cannot be multiplied"),
    Fails("matmul", [randn(2, 3, 4), randn(3, 4, 2)], says=r"The size of tensor a \(2\) must match the size of tensor b \(3\) at non-singleton "
                                                          "dimension 0"),
    Fails("matmul", [randn(2, 3), randint(0, 3, 3, 2)], says="expected m1 and m2 to have the same dtype, but got: float32 != int64|float64 != int64"),
    Fails("matmul", [randn(2, 3), 2.0], error=TypeError, says="argument 'other' must be Tensor, not float"),
    Fails("mm", [randn(2, 3), randn(3)], says="mat2 must be a matrix"),
    Fails("bmm", [randn(2, 3, 4), randn(2, 3, 4)], says=r"first two dimensions of batch2 tensor to be: \[2, 4\] but got: \[2, 3\]"),
    Fails("dot", [randn(2, 3), randn(3)], says="1D tensors expected, but got 2D and 1D tensors"),
    Fails("addmm", [randn(5), randn(2, 3), randn(3, 2)], says=r"shape \[5\] must be expandable to the shape of the product, \[2, 2\]"),
    Fails("tensordot", [randn(2, 3), randn(2, 3)], dict(dims=1), says="first has size 3 in dim 1 and second has size 2 in dim 0"),
    Fails("einsum", ["ij,kj", randn(2, 3), randn(2, 4)], says="subscript j has size 4 for operand 1 which does not broadcast .* size 3"),
    Fails("einsum", ["ij,jk", randn(2, 3)], says="fewer operands were provided than specified"),
    Fails("einsum", ["ij", randn(2, 3, 4)], says=r"number of subscripts in the equation \(2\) does not match the number of dimensions \(3\)"),
    Fails("einsum", ["ij->ik", randn(2, 3)], says="output subscript k does not appear"),
    Fails("einsum", ["i1->i", randn(2, 3)], says="invalid subscript given at index 1"),
]

SAMPLES = [*PRODUCTS, *ADDED, *CONTRACTIONS, *REFUSED]
