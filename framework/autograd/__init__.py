"""Automatic differentiation in torch's words: backward, grad, Function, gradcheck, the grad modes, anomaly detection."""
from .._core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from .._core.tensor import Tensor as Variable
from ._derivatives import backward, grad
from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from .function import Function, FunctionCtx, once_differentiable
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["Function", "FunctionCtx", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck",
           "gradgradcheck", "inference_mode", "is_anomaly_enabled", "no_grad", "once_differentiable", "set_detect_anomaly", "set_grad_enabled"]
