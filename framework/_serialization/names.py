"""torch's names for element types and storages, as they stand in a checkpoint, and ours.

Format: torch.save's zip archive, https://docs.pytorch.org/docs/stable/notes/serialization.html
"""
import importlib

from .. import _dtypes

STORAGES = {
    "BoolStorage": _dtypes.bool_, "ByteStorage": _dtypes.uint8, "CharStorage": _dtypes.int8, "ShortStorage": _dtypes.int16,
    "IntStorage": _dtypes.int32, "LongStorage": _dtypes.int64, "HalfStorage": _dtypes.float16, "BFloat16Storage": _dtypes.bfloat16,
    "FloatStorage": _dtypes.float32, "DoubleStorage": _dtypes.float64, "ComplexFloatStorage": _dtypes.complex64,
    "ComplexDoubleStorage": _dtypes.complex128,
}
STORAGE_OF = {d: name for name, d in STORAGES.items()}
DTYPES = {d.name: d for d in _dtypes.ALL}
ELSEWHERE = frozenset([f"uint{n}" for n in (1, 2, 3, 4, 5, 6, 7, 16, 32, 64)] + [f"int{n}" for n in range(1, 8)] +
                      ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
                       "complex32", "qint8", "quint8", "qint32", "quint4x2", "quint2x4"])  # torch has them, ringgrad does not


class Global:
    """A name in a pickle that stands for something of torch's, which need not be installed."""

    __slots__ = ("module", "name")

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *args):
        raise TypeError(f"{self.module}.{self.name} is a name in a file, not a function")


REBUILD_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
REBUILD_PARAMETER = Global("torch._utils", "_rebuild_parameter")
REBUILD_PARAMETER_WITH_STATE = Global("torch._utils", "_rebuild_parameter_with_state")
REBUILD_FROM_TYPE = Global("torch._tensor", "_rebuild_from_type_v2")
REBUILD_META = Global("torch._utils", "_rebuild_meta_tensor_no_storage")
REBUILD_SPARSE = Global("torch._utils", "_rebuild_sparse_tensor")
LAYOUT = Global("torch.serialization", "_get_layout")
TENSOR = Global("torch", "Tensor")
SIZE = Global("torch", "Size")
DEVICE = Global("torch", "device")
GLOBAL_OF_STORAGE = {name: Global("torch", name) for name in STORAGES}
GLOBAL_OF_DTYPE = {d: Global("torch", d.name) for d in _dtypes.ALL}


_OURS = __name__.split(".", 1)[0]
_PACKAGES = ("nn", "optim", "distributions", "vision")  # whose classes and functions stand under the same names in torch


def torch_module(module):
    """The name that a public module of ours has in torch: "ringgrad.nn.modules.linear" -> "torch.nn.modules.linear"; None for others."""
    ours, _, rest = module.replace("._functional", ".functional").partition(".")
    if ours != _OURS or rest.split(".")[0] not in _PACKAGES or any(part.startswith("_") for part in rest.split(".")):
        return None
    if rest.startswith("nn.functional"):
        return "torch.nn.functional"
    return "torchvision" + rest[len("vision"):] if rest.startswith("vision") else f"torch.{rest}"


def our_object(module, name):
    """What ringgrad has under a name of torch's or torchvision's, also where it stands in a module further up.  None when there is none."""
    theirs, _, rest = module.partition(".")
    parts = [_OURS, *(["vision"] if theirs == "torchvision" else []), *(rest.split(".") if rest else [])]
    while parts:
        try:
            found = importlib.import_module(".".join(parts))
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError):
            parts.pop()
    return None
