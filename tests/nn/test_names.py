"""The public names of torch.nn and below, beside ours: every one is there, or stands in LEFT_OUT with its reason."""
import importlib
import inspect
import types

import pytest

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

SCRIPTING = "for TorchScript, which there is none of here"
OVERRIDES = "for __torch_function__, whose protocol lies in torch.overrides"
QUANTIZED = "quantization, which is no part of this library"

LEFT_OUT = {
    "nn.intrinsic": QUANTIZED, "nn.qat": QUANTIZED, "nn.quantizable": QUANTIZED, "nn.quantized": QUANTIZED,
    "nn.functional.scaled_mm": "float8 matrices with scales, for GPUs only", "nn.functional.scaled_grouped_mm": "float8 matrices with scales",
    "nn.functional.ScalingType": "float8 matrices with scales", "nn.functional.SwizzleType": "float8 matrices with scales",
    "nn.functional.BroadcastingList1": SCRIPTING, "nn.functional.BroadcastingList2": SCRIPTING, "nn.functional.BroadcastingList3": SCRIPTING,
    "nn.functional.boolean_dispatch": SCRIPTING, "nn.functional.assert_int_or_pair": "an unused check of types",
    "nn.functional.handle_torch_function": OVERRIDES, "nn.functional.has_torch_function": OVERRIDES,
    "nn.functional.has_torch_function_unary": OVERRIDES, "nn.functional.has_torch_function_variadic": OVERRIDES,
    "nn.modules.linear_cross_entropy": "torch's way to compute in chunks; ours is an operation, behind the same arguments",
    "nn.modules._functions": "torch's autograd functions behind SyncBatchNorm and CrossMapLRN2d",
}

NAMESPACES = ["nn", "nn.functional", "nn.init", "nn.utils", "nn.parameter", "nn.parallel", "nn.modules", "nn.grad", "nn.utils.parametrize",
              "nn.utils.parametrizations", "nn.utils.prune", "nn.utils.fusion", "nn.utils.clip_grad", "nn.utils.convert_parameters", "nn.utils.init",
              "nn.utils.memory_format", "nn.utils.spectral_norm", "nn.utils.weight_norm", "nn.parallel.comm", "nn.parallel.scatter_gather",
              "nn.parallel.replicate", "nn.parallel.parallel_apply", "nn.parallel.data_parallel", "nn.parallel.distributed", "nn.modules.utils",
              *(f"nn.modules.{name}" for name in (
                  "activation", "adaptive", "batchnorm", "channelshuffle", "container", "conv", "distance", "dropout", "flatten", "fold",
                  "instancenorm", "lazy", "linear", "linear_cross_entropy_options", "loss", "module", "normalization", "padding", "pixelshuffle",
                  "pooling", "rnn", "sparse", "transformer", "upsampling"))]

BASES = ["nn.modules.batchnorm._BatchNorm", "nn.modules.batchnorm._NormBase", "nn.modules.instancenorm._InstanceNorm", "nn.modules.conv._ConvNd",
         "nn.modules.conv._ConvTransposeNd", "nn.modules.conv._pair", "nn.modules.dropout._DropoutNd", "nn.modules.loss._Loss",
         "nn.modules.loss._WeightedLoss", "nn.modules.pooling._MaxPoolNd", "nn.modules.pooling._AvgPoolNd", "nn.modules.pooling._LPPoolNd",
         "nn.modules.pooling._MaxUnpoolNd", "nn.modules.pooling._AdaptiveAvgPoolNd", "nn.modules.pooling._AdaptiveMaxPoolNd",
         "nn.modules.padding._ConstantPadNd", "nn.modules.padding._ReflectionPadNd", "nn.modules.padding._ReplicationPadNd",
         "nn.modules.padding._CircularPadNd", "nn.modules.utils._ntuple", "nn.modules.utils._pair", "nn.modules.module._addindent",
         "nn.modules.module._IncompatibleKeys", "nn.modules.linear.NonDynamicallyQuantizableLinear", "nn.parallel._functions.Scatter",
         "nn.parallel._functions.Gather", "nn._reduction.get_enum", "nn.common_types._size_2_t", "nn.init._calculate_fan_in_and_fan_out",
         "nn.modules.batchnorm.SyncBatchNorm", "nn.SyncBatchNorm", "nn.DataParallel", "nn.parallel.DistributedDataParallel",
         "nn.functional._Reduction.get_enum", "nn.functional._pair", "nn.functional.grad.conv2d_input"]


def public(name):
    """The names of a namespace of torch that belong to it: not those that it imports for itself."""
    module = importlib.import_module(f"torch.{name}")
    listed = getattr(module, "__all__", None)
    if listed is not None and name not in ("nn.functional", "nn.parameter"):
        return sorted(listed)
    return sorted(n for n in dir(module) if not n.startswith("_") and belongs(getattr(module, n), module))


def belongs(value, module):
    if isinstance(value, types.ModuleType):
        return value.__name__.startswith(module.__name__ + ".") and value.__name__.count(".") == module.__name__.count(".") + 1
    home = getattr(value, "__module__", None) or ""
    return callable(value) and home.split(".")[0] == "torch" and value is not torch.Tensor


def ours(path):
    """The object at a dotted path below ringgrad.  AttributeError or ImportError where there is none."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["ringgrad", *parts[:cut]]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(path)


def there(path):
    try:
        ours(path)
    except (AttributeError, ImportError):
        return False
    return True


@pytest.mark.parametrize("name", NAMESPACES)
def test_public_names(name):
    theirs = public(name)
    assert theirs, "torch has no public names here"
    missing = [n for n in theirs if f"{name}.{n}" not in LEFT_OUT and not there(f"{name}.{n}")]
    assert not missing, f"{name} lacks {', '.join(missing)}"


@pytest.mark.parametrize("path", BASES)
def test_names_that_programs_import(path):
    module, _, name = path.rpartition(".")
    assert there(path)
    if module.startswith("nn.modules") or module == "nn":
        assert hasattr(importlib.import_module(f"torch.{module}"), name)


def test_nothing_left_out_is_there():
    """A name that arrives leaves the table, and one that torch lacks never stood there."""
    assert [path for path in LEFT_OUT if there(path)] == []
    for path in LEFT_OUT:
        module, _, name = path.rpartition(".")
        if not hasattr(importlib.import_module(f"torch.{module}"), name):
            importlib.import_module(f"torch.{path}")


CLASSES = sorted(n for n in torch.nn.__dict__ if inspect.isclass(getattr(torch.nn, n)) and issubclass(getattr(torch.nn, n), torch.nn.Module))
ELSEWHERE = {"DataParallel", "SyncBatchNorm"}  # ringgrad.distributed tells more in their signatures


@pytest.mark.parametrize("name", [n for n in CLASSES if n not in ELSEWHERE])
def test_constructors_take_torchs_arguments(name):
    """The same names in the same order with the same defaults, as far as torch's signature says them."""
    theirs, mine = inspect.signature(getattr(torch.nn, name)), inspect.signature(ours(f"nn.{name}"))
    if any(p.kind is p.VAR_POSITIONAL for s in (theirs, mine) for p in s.parameters.values()):
        pytest.skip("one of the two passes its arguments on")
    assert list(mine.parameters) == list(theirs.parameters)
    for p, q in zip(mine.parameters.values(), theirs.parameters.values(), strict=True):
        assert p.kind == q.kind, p
        if callable(q.default) and q.default is not q.empty:
            assert callable(p.default), p
        else:
            assert p.default == q.default, p


FUNCTIONS = sorted(n for n in public("nn.functional")
                   if inspect.isfunction(getattr(torch.nn.functional, n, None)) and f"nn.functional.{n}" not in LEFT_OUT)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_torchs_arguments(name):
    theirs, mine = inspect.signature(getattr(torch.nn.functional, name)), inspect.signature(ours(f"nn.functional.{name}"))
    if any(p.kind is p.VAR_POSITIONAL for s in (theirs, mine) for p in s.parameters.values()):
        pytest.skip("one of the two passes its arguments on")
    assert [n for n in mine.parameters if n in theirs.parameters] == list(theirs.parameters)
    assert {n: p.default for n, p in mine.parameters.items() if n in theirs.parameters} == {n: p.default for n, p in theirs.parameters.items()}
