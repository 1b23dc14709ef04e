"""The largest singular value of a weight, by power iteration.  Miyato et al. 2018, arXiv:1802.05957."""
from .. import functional as F
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d


def as_matrix(weight, dim):
    """`weight` as a matrix whose rows are its slices along `dim`."""
    if dim:
        weight = weight.permute(dim, *(d for d in range(weight.ndim) if d != dim))
    return weight.reshape(weight.shape[0], -1)


def output_dim(module, dim):
    """`dim`, or, when None, the dimension of a layer's weight that counts its outputs."""
    if dim is not None:
        return dim
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


def random_unit(weight, n, eps):
    """A random direction in n dimensions, of the type and on the device of `weight`."""
    return F.normalize(weight.new_empty(n).normal_(0, 1), dim=0, eps=eps)


def step(vector, matrix, other, eps):
    """Write matrix @ other, normalised, into `vector`."""
    vector.copy_(F.normalize(matrix.mv(other), dim=0, eps=eps))


def check_iterations(n):
    """ValueError unless there is at least one."""
    if n <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n}")
