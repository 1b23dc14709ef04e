"""ringgrad: distributed multi-GPU training in readable Python, in PyTorch's words.

    import ringgrad
    from ringgrad import nn, optim
    from ringgrad.nn import functional as F

Tensors live in NumPy arrays (device "cpu") or CuPy arrays ("cuda"); docs/architecture.md is the way into the code.
Importing this package loads NumPy only: CuPy comes with the first CUDA tensor, mpi4py with the first process group.
"""
import importlib

from . import _backends, _config, _dtypes, _memory, _methods
from ._core.modes import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled
from ._core.tensor import Tensor
from ._device import device
from ._dtypes import can_cast, dtype, get_default_dtype, promote_types, set_default_dtype
from ._tensor.info import Size

__version__ = "0.1.0"

if _config.KEEP_MEMORY:
    _memory.keep_freed_memory()

_backends.WHEN_CUDA_LOADS.append(lambda: importlib.import_module(f"{__name__}.kernels").register())

globals().update({d.name: d for d in _dtypes.ALL + _dtypes.RARE})
globals().update(_dtypes.ALIASES)
globals().update(_methods.PUBLIC)
globals().update(_methods.CONSTANTS)

# Imported when first asked for, so that `import ringgrad` stays quick.
_LAZY = {name: f"{__name__}.{name}" for name in (
    "amp", "autograd", "cuda", "distributed", "distributions", "fft", "func", "kernels", "launch", "linalg",
    "nn", "ops", "optim", "random", "serialization", "sparse", "special", "utils", "vision")}
_LAZY_NAMES = {"save": "serialization", "load": "serialization", "is_anomaly_enabled": "autograd", "vmap": "func", "from_dlpack": "utils.dlpack"}
_LAZY_NAMES.update(dict.fromkeys((
    "autocast", "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache", "get_autocast_cpu_dtype",
    "get_autocast_dtype", "get_autocast_gpu_dtype", "get_autocast_ipu_dtype", "get_autocast_xla_dtype", "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled", "is_autocast_enabled", "is_autocast_ipu_enabled", "is_autocast_xla_enabled", "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype", "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled", "set_autocast_gpu_dtype",
    "set_autocast_ipu_dtype", "set_autocast_ipu_enabled", "set_autocast_xla_dtype", "set_autocast_xla_enabled",
    "_amp_foreach_non_finite_check_and_unscale_", "_amp_update_scale_"), "amp"))
_LAZY.update({name: f"{__name__}.{name}" for name in (
    "__config__", "accelerator", "backends", "compat", "compiler", "cpu", "futures", "fx", "hub", "jit", "library", "mps", "multiprocessing",
    "onnx", "overrides", "profiler", "testing", "types", "xpu")})
_LAZY_NAMES.update(dict.fromkeys(("SymBool", "SymFloat", "SymInt"), "types"))
_LAZY_NAMES.update({"default_generator": "random", "compile": "compiler", "compile_step": "compiler", "OutOfMemoryError": "cuda",
                    "Stream": "_streams", "Event": "_streams"})
_LAZY_NAMES.update(dict.fromkeys((
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "max_pool1d", "max_pool2d", "max_pool3d",
    "avg_pool1d", "adaptive_avg_pool1d", "celu", "celu_", "selu", "selu_", "rrelu", "rrelu_", "threshold", "threshold_", "dropout",
    "layer_norm", "group_norm", "rms_norm", "bilinear", "cosine_similarity", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle"), "nn.functional"))
_LAZY_NAMES.update(dict.fromkeys((
    "_assert_async", "_convolution", "_dim_arange", "_is_all_true", "_is_any_true", "_log_softmax", "_logcumsumexp", "_softmax", "_stack", "_unique",
    "_unique2", "_weight_norm", "adaptive_max_pool1d", "affine_grid_generator", "alpha_dropout", "alpha_dropout_", "batch_norm",
    "binary_cross_entropy_with_logits", "conv_tbc", "convolution", "cosine_embedding_loss", "ctc_loss", "dropout_", "embedding_bag",
    "embedding_renorm_", "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "grid_sampler",
    "grid_sampler_2d", "grid_sampler_3d", "hinge_embedding_loss", "instance_norm", "is_vulkan_available", "kl_div", "margin_ranking_loss",
    "max_pool1d_with_indices", "poisson_nll_loss", "triplet_margin_loss"), "nn._native"))
_LAZY_NAMES.update({"show_config": "__config__", "to_dlpack": "utils.dlpack", "Future": "futures", "fork": "jit", "wait": "jit", "GradScaler": "amp",
                    "is_anomaly_check_nan_enabled": "autograd.anomaly", "set_anomaly_enabled": "autograd.anomaly"})


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(_LAZY[name])
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
    if name.startswith("_foreach_") and hasattr(found := importlib.import_module(f"{__name__}._functional._foreach"), name):
        return getattr(found, name)
    why = importlib.import_module(f"{__name__}._left_out").reason(f"torch.{name}") if not name.startswith("__") else ""
    raise AttributeError(f"module 'ringgrad' has no attribute {name!r}{why and f': {why}'}")


def __dir__():
    return sorted({*globals(), *_LAZY, *_LAZY_NAMES})


__all__ = ["Size", "Tensor", "can_cast", "device", "dtype", "enable_grad", "get_default_dtype", "inference_mode", "is_grad_enabled",
           "is_inference_mode_enabled", "no_grad", "promote_types", "set_default_dtype", "set_grad_enabled",
           *_LAZY, *_LAZY_NAMES, *(d.name for d in _dtypes.ALL + _dtypes.RARE), *_dtypes.ALIASES, *_methods.FUNCTIONS, *_methods.CONSTANTS]
