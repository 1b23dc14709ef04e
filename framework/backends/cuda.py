"""torch.backends.cuda: matrix products and attention on the GPU.  The forms of attention are those of `nn.attention.SDPBackend`."""
import contextlib

from .._config import ATTENTION
from .._functional.settings import get_float32_matmul_precision, set_float32_matmul_precision
from .._libraries.choice import cudnn_version
from ..cuda import is_available

__all__ = ["cudnn_sdp_enabled", "cufft_plan_cache", "enable_cudnn_sdp", "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp",
           "flash_sdp_enabled", "fp16_bf16_reduction_math_sdp_allowed", "allow_fp16_bf16_reduction_math_sdp", "is_built",
           "is_flash_attention_available", "math_sdp_enabled", "matmul", "mem_efficient_sdp_enabled", "preferred_blas_library",
           "preferred_linalg_library", "sdp_kernel"]


def is_built():
    """Whether CUDA tensors can be made here."""
    return is_available()


class _Matmul:
    """backends.cuda.matmul.  `allow_tf32` and `set_float32_matmul_precision` are one setting."""

    __slots__ = ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction", "allow_fp16_accumulation", "fp32_precision")

    def __init__(self):
        self.allow_fp16_reduced_precision_reduction = self.allow_bf16_reduced_precision_reduction = True
        self.allow_fp16_accumulation, self.fp32_precision = False, "none"

    @property
    def allow_tf32(self):
        """Whether float32 products may round their inputs to TF32."""
        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allowed):
        set_float32_matmul_precision("high" if allowed else "highest")

    def __getattr__(self, name):
        raise AttributeError(f"Unknown attribute {name}")

    def __setattr__(self, name, value):
        try:
            object.__setattr__(self, name, value)
        except AttributeError:
            raise AttributeError(f"Unknown attribute {name}") from None


class _PlanCache:
    """backends.cuda.cufft_plan_cache: CuPy keeps its own; the numbers here are kept and reported."""

    def __init__(self):
        self.max_size, self.size = 4096, 0

    def __getitem__(self, index):
        return self

    def clear(self):
        """Forget all plans."""


matmul = _Matmul()
cufft_plan_cache = _PlanCache()
_libraries = {"linalg": "default", "blas": "cublas"}


def _switch(kind):
    def enable(enabled):
        ATTENTION[kind] = bool(enabled)

    def is_enabled():
        return ATTENTION[kind]

    enable.__doc__ = f"Allow or forbid the {kind} form of attention."
    is_enabled.__doc__ = f"Whether the {kind} form of attention is allowed."
    return enable, is_enabled


enable_flash_sdp, flash_sdp_enabled = _switch("flash")
enable_mem_efficient_sdp, mem_efficient_sdp_enabled = _switch("mem_efficient")
enable_math_sdp, math_sdp_enabled = _switch("math")
enable_cudnn_sdp, cudnn_sdp_enabled = _switch("cudnn")
allow_fp16_bf16_reduction_math_sdp, fp16_bf16_reduction_math_sdp_allowed = _switch("reduced_math")


def is_flash_attention_available():
    """Whether a fused attention kernel for the GPU is there: cuDNN's."""
    return is_available() and cudnn_version() is not None


@contextlib.contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """The four switches for the length of a `with` block."""
    before = dict(ATTENTION)
    ATTENTION.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield {}
    finally:
        ATTENTION.update(before)


def preferred_linalg_library(backend=None):
    """The library for linear algebra on the GPU; CuPy uses cuSOLVER whatever is set."""
    _libraries["linalg"] = backend or _libraries["linalg"]
    return _libraries["linalg"]


def preferred_blas_library(backend=None):
    """The library for matrix products on the GPU; CuPy uses cuBLAS whatever is set."""
    _libraries["blas"] = backend or _libraries["blas"]
    return _libraries["blas"]
