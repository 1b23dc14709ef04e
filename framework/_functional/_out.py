"""Functions that write: out=, which puts a result into a tensor that the caller has, and the in-place methods that are functions too."""
import functools
import warnings

from .._core.inplace import check_writable, write
from .._core.modes import no_grad
from .._core.tensor import Tensor
from .._dtypes import can_cast
from .._state import state
from .restride import resize_

# The functions of ringgrad that torch gives an out=.
_LIST = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr alias_copy all amax amin aminmax angle any arange arccos arccosh
    arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort as_strided_copy asin asinh atan atan2 atanh baddbmm bernoulli bincount
    bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm bucketize cat ceil chain_matmul cholesky
    cholesky_inverse cholesky_solve clamp clamp_max clamp_min clip clone column_stack complex concat concatenate conj_physical copysign
    cos cosh cross cummax cummin cumprod cumsum deg2rad detach_copy diag diag_embed diagonal_copy diff digamma div divide dot dstack
    empty empty_like empty_strided eq erf erfc erfinv exp exp2 expand_copy expm1 eye fix float_power floor floor_divide fmax fmin fmod
    frac frexp frobenius_norm full full_like gather gcd ge geqrf ger greater greater_equal gt heaviside histc histogram hstack hypot i0
    igamma igammac index_add index_copy index_reduce index_select inner inverse isin isneginf isposinf kron kthvalue lcm ldexp le lerp
    less less_equal lgamma linspace log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logical_and logical_not
    logical_or logical_xor logit logspace logsumexp lt lu_solve lu_unpack masked_select matmul matrix_power max maximum mean median min
    minimum mm mode msort mul multinomial multiply mv mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow_copy ne neg
    negative nextafter nonzero nonzero_static norm normal not_equal nuclear_norm ones ones_like orgqr ormqr outer permute_copy polar
    polygamma pow prod qr quantile rad2deg rand rand_like randint randint_like randn randn_like randperm range reciprocal remainder
    renorm repeat_interleave round row_stack rsqrt scatter scatter_add scatter_reduce searchsorted select_copy sgn sigmoid sign signbit
    sin sinc sinh slice_copy slice_scatter slogdet softmax sort sqrt square squeeze_copy stack std std_mean sub subtract sum svd t_copy
    take take_along_dim tan tanh tensordot topk transpose_copy triangular_solve tril tril_indices triu triu_indices true_divide trunc
    unfold_copy unique_consecutive unsqueeze_copy var var_mean vdot view_as_complex_copy view_as_real_copy view_copy vstack where xlogy
    zeros zeros_like
"""
NAMES = frozenset(_LIST.split())

# In-place methods that torch also has as functions.
_INPLACE_LIST = """
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_ atan_ atanh_ ceil_ clamp_ clamp_max_
    clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ index_put_
    lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ resize_as_ round_ rsqrt_ sigmoid_
    sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_
"""
INPLACE_NAMES = tuple(_INPLACE_LIST.split())


def accepting_out(name, function):
    """`function`, which also takes out=: a tensor, or a tuple of them for several results."""
    @functools.wraps(function)
    def call(*args, out=None, **kwargs):
        if out is None:
            return function(*args, **kwargs)
        targets = out if isinstance(out, (tuple, list)) else (out,)
        _check(name, targets, (args, kwargs))
        with no_grad():
            result = function(*args, **kwargs)
            several = isinstance(result, (tuple, list))
            results = result if several else (result,)
            if len(results) != len(targets):
                raise TypeError(f"{name}(): argument 'out' must hold {len(results)} tensors, not {len(targets)}")
            for target, made in zip(targets, results):
                _deliver(target, made)
        return out
    return call


def _check(name, targets, given):
    for t in targets:
        if not isinstance(t, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(t).__name__}")
    if state.grad and any(t.requires_grad for t in _tensors((targets, given))):
        raise RuntimeError(f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
                           "requires grad.")


def _tensors(things):
    """Every Tensor in nested tuples, lists and dictionaries."""
    if isinstance(things, Tensor):
        yield things
    elif isinstance(things, (tuple, list, dict)):
        for thing in things.values() if isinstance(things, dict) else things:
            yield from _tensors(thing)


def _deliver(target, made):
    """Write a result into `target`, which takes its shape.  RuntimeError where the type does not fit."""
    if made.device != target.device:
        raise RuntimeError(f"Expected out tensor to have device {made.device}, but got {target.device} instead")
    if not can_cast(made.dtype, target.dtype):
        raise RuntimeError(f"result type {made.dtype.name} can't be cast to the desired output type {target.dtype.name}")
    have, want = target._data.shape, made._data.shape
    if have != want:
        if target._data.size:
            warnings.warn(f"An output with one or more elements was resized since it had shape {list(have)}, which does not match the required "
                          f"output shape {list(want)}. You can explicitly reuse an out tensor t by resizing it, inplace, to zero elements with "
                          "t.resize_(0).", UserWarning, stacklevel=4)
        resize_(target, *want)
    check_writable(target, False)
    write(target, made._data)
