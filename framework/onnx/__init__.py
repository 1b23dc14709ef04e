"""torch.onnx: exporting is not built, and says so; `operators` work."""
from . import operators

__all__ = ["OnnxExporterError", "dynamo_export", "export", "is_in_onnx_export", "is_onnxrt_backend_supported", "operators"]

_WORDS = ("torch.onnx.export is not built in ringgrad: save the state_dict with torch.save, load it in a program that runs on PyTorch, and export "
          "there")


class OnnxExporterError(RuntimeError):
    """What a failing export raises in torch."""


def export(*args, **kwargs):
    """Refuses with NotImplementedError."""
    raise NotImplementedError(_WORDS)


dynamo_export = export
export.__ringgrad_refuses__ = _WORDS


def is_in_onnx_export():
    """False."""
    return False


def is_onnxrt_backend_supported():
    """False."""
    return False
