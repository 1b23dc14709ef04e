"""The real cuDNN plans what ringgrad tells it, for a GPU that is not there; numbers and functions are those of its headers."""
import ctypes
import glob
import os
import re
import subprocess
import sys
from pathlib import Path

import host_gpu
import plan_for_absent_device
import pytest

from ringgrad._libraries import attention, convolution, cudnn, loading

HERE = Path(__file__).parent


def folders(pattern):
    return [os.path.dirname(found) for root in sys.path for found in glob.glob(f"{root}/nvidia/**/{pattern}", recursive=True)]


@pytest.mark.slow
def test_convolutions_and_attention_are_planned_for_an_h200(tmp_path):
    if loading.open_library("cudnn")[0] is None or host_gpu.compiler() is None or not folders("libnvrtc.so*"):
        pytest.skip("cuDNN (pip install nvidia-cudnn-cu13), NVRTC or a C compiler is not installed")
    driver = tmp_path / "libcuda.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", str(HERE / "host" / "no_driver.c"), "-o", str(driver)], check=True)
    paths = os.pathsep.join([str(tmp_path), *folders("libnvrtc.so*"), *folders("libcudnn.so*")])
    done = subprocess.run([sys.executable, str(HERE / "plan_for_absent_device.py"), str(driver)], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "LD_LIBRARY_PATH": paths, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split(": ") for line in done.stdout.splitlines() if ": " in line]
    asked = [*plan_for_absent_device.convolutions(), *plan_for_absent_device.attentions()]
    assert [said for _, said in rows] == [said for said, _ in asked]
    assert not [said for workspace, said in rows if workspace == "none"]


@pytest.fixture(scope="module")
def header():
    found = folders("cudnn_graph.h")
    if not found:
        pytest.skip("cudnn_graph.h is not installed (pip install nvidia-cudnn-cu13)")
    text = "".join((Path(found[0]) / name).read_text(encoding="utf-8") for name in ("cudnn_graph.h", "cudnn_ops.h"))
    return re.sub(r"//[^\n]*|/\*.*?\*/| CUDNN_DEPRECATED_ENUM", "", text, flags=re.S)


def named(prefix, table, **names):
    """(name in the header, our number) of a table of attributes; names: what the header calls ours."""
    return [(f"CUDNN_ATTR_{prefix}_{names.get(key.replace(' ', '_'), key.upper())}", number) for key, number in table.items()]


NUMBERS = [
    *named("POINTWISE", cudnn.POINTWISE_ATTRIBUTES, precision="MATH_PREC"),
    *named("ENGINEHEUR", cudnn.HEUR_ATTRIBUTES, graph="OPERATION_GRAPH", device="DEVICEPROP"),
    ("CUDNN_ATTR_ENGINECFG_ENGINE", cudnn.CONFIG_ENGINE), ("CUDNN_ATTR_ENGINE_NUMERICAL_NOTE", cudnn.ENGINE_NOTES),
    *named("EXECUTION_PLAN", cudnn.PLAN_ATTRIBUTES, config="ENGINE_CONFIG", workspace="WORKSPACE_SIZE", device="DEVICEPROP"),
    *named("OPERATION_POINTWISE", cudnn.OPERATION_POINTWISE_ATTRIBUTES, pointwise="PW_DESCRIPTOR", x="XDESC", b="BDESC", y="YDESC", t="TDESC"),
    ("CUDNN_ATTR_OPERATIONGRAPH_HANDLE", cudnn.GRAPH_HANDLE), ("CUDNN_ATTR_OPERATIONGRAPH_OPS", cudnn.GRAPH_OPERATIONS),
    *named("TENSOR", cudnn.TENSOR_ATTRIBUTES, alignment="BYTE_ALIGNMENT", type="DATA_TYPE", id="UNIQUE_ID", virtual="IS_VIRTUAL",
           by_value="IS_BY_VALUE", offsets="RAGGED_OFFSET_DESC"),
    *named("VARIANT_PACK", cudnn.PACK_ATTRIBUTES, ids="UNIQUE_IDS", addresses="DATA_POINTERS"),
    ("CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION", cudnn.DEVICE_TEXT),
    *[(f"CUDNN_DATA_{name}", cudnn.TYPES[ours]) for ours, name in (
        ("float32", "FLOAT"), ("float64", "DOUBLE"), ("float16", "HALF"), ("int32", "INT32"), ("bfloat16", "BFLOAT16"), ("int64", "INT64"),
        ("bool", "BOOLEAN"))],
    ("CUDNN_HEUR_MODE_A", cudnn.BY_MODEL), ("CUDNN_HEUR_MODE_FALLBACK", cudnn.FALLBACK),
    *[(f"CUDNN_NUMERICAL_NOTE_{name}", getattr(cudnn, name)) for name in ("TENSOR_CORE", "DOWN_CONVERT_INPUTS", "NONDETERMINISTIC")],
    *[(f"CUDNN_TYPE_{name}", getattr(cudnn, ours)) for ours, name in (
        *((n, n) for n in ("HANDLE", "DATA_TYPE", "BOOLEAN", "INT64", "FLOAT", "DOUBLE", "VOID_PTR", "CONVOLUTION_MODE", "HEUR_MODE",
                           "NUMERICAL_NOTE", "POINTWISE_MODE", "CHAR", "RNG_DISTRIBUTION")), ("DESCRIPTOR", "BACKEND_DESCRIPTOR"),
        ("REDUCTION_OPERATOR", "REDUCTION_OPERATOR_TYPE"))],
    *[(f"CUDNN_BACKEND_{name}_DESCRIPTOR", number) for name, number in (
        ("POINTWISE", cudnn.POINTWISE), ("CONVOLUTION", cudnn.CONVOLUTION), ("ENGINE", cudnn.ENGINE), ("ENGINECFG", cudnn.ENGINECFG),
        ("ENGINEHEUR", cudnn.ENGINEHEUR), ("EXECUTION_PLAN", cudnn.PLAN), ("OPERATION_POINTWISE", cudnn.OPERATION_POINTWISE),
        ("OPERATIONGRAPH", cudnn.GRAPH), ("VARIANT_PACK", cudnn.VARIANT_PACK), ("TENSOR", cudnn.TENSOR), ("DEVICEPROP", cudnn.DEVICEPROP),
        ("MATMUL", attention.MATMUL), ("OPERATION_MATMUL", attention.OPERATION_MATMUL), ("REDUCTION", attention.REDUCTION),
        ("OPERATION_REDUCTION", attention.OPERATION_REDUCTION), ("OPERATION_RESHAPE", attention.RESHAPE), ("RNG", attention.RNG),
        ("OPERATION_RNG", attention.OPERATION_RNG))],
    *named("CONVOLUTION", convolution.ATTRIBUTES, type="COMP_TYPE", mode="CONV_MODE", strides="FILTER_STRIDES", after="POST_PADDINGS",
           before="PRE_PADDINGS", dimensions="SPATIAL_DIMS"),
    *[(f"CUDNN_ATTR_OPERATION_CONVOLUTION_{name}_{what}", number)
      for ours, name, tensors in (("forward", "FORWARD", "W X Y"), ("data", "BWD_DATA", "W DX DY"), ("filter", "BWD_FILTER", "DW X DY"))
      for what, number in zip(("ALPHA", "BETA", "CONV_DESC", *tensors.split()),
                              (*convolution.OPERATIONS[ours][1:4], *convolution.OPERATIONS[ours][4]))],
    *[(f"CUDNN_BACKEND_OPERATION_CONVOLUTION_{name}_DESCRIPTOR", convolution.OPERATIONS[ours][0])
      for ours, name in (("forward", "FORWARD"), ("data", "BACKWARD_DATA"), ("filter", "BACKWARD_FILTER"))],
    ("CUDNN_CROSS_CORRELATION", convolution.CROSS_CORRELATION),
    ("CUDNN_ATTR_MATMUL_COMP_TYPE", attention.MATMUL_ATTRIBUTES["precision"]),
    ("CUDNN_ATTR_OPERATION_MATMUL_DESC", attention.MATMUL_ATTRIBUTES["matmul"]),
    *[(f"CUDNN_ATTR_OPERATION_MATMUL_{n.upper()}DESC", attention.MATMUL_ATTRIBUTES[n]) for n in "abc"],
    *[(f"CUDNN_ATTR_OPERATION_MATMUL_GEMM_{n}_OVERRIDE_DESC", attention.MATMUL_ATTRIBUTES[ours])
      for ours, n in (("rows", "M"), ("columns", "N"), ("terms", "K"))],
    ("CUDNN_ATTR_REDUCTION_OPERATOR", attention.REDUCTION_ATTRIBUTES["operator"]),
    ("CUDNN_ATTR_REDUCTION_COMP_TYPE", attention.REDUCTION_ATTRIBUTES["precision"]),
    ("CUDNN_ATTR_OPERATION_REDUCTION_DESC", attention.REDUCTION_ATTRIBUTES["reduction"]),
    *[(f"CUDNN_ATTR_OPERATION_REDUCTION_{n.upper()}DESC", attention.REDUCTION_ATTRIBUTES[n]) for n in "xy"],
    *[(f"CUDNN_ATTR_OPERATION_RESHAPE_{n.upper()}DESC", attention.RESHAPE_ATTRIBUTES[n]) for n in "xy"],
    ("CUDNN_ATTR_RNG_DISTRIBUTION", attention.RNG_ATTRIBUTES["distribution"]),
    ("CUDNN_ATTR_RNG_BERNOULLI_DIST_PROBABILITY", attention.RNG_ATTRIBUTES["probability"]),
    *[(f"CUDNN_ATTR_OPERATION_RNG_{name}", attention.RNG_ATTRIBUTES[ours])
      for ours, name in (("y", "YDESC"), ("seed", "SEED"), ("rng", "DESC"), ("offset", "OFFSET_DESC"))],
    ("CUDNN_RNG_DISTRIBUTION_BERNOULLI", attention.BERNOULLI), ("CUDNN_REDUCE_TENSOR_ADD", attention.SUM),
    ("CUDNN_REDUCE_TENSOR_MAX", attention.LARGEST),
    *[(f"CUDNN_POINTWISE_{name}", getattr(attention, ours)) for ours, name in (
        *((n, n) for n in ("ADD", "MUL", "DIV", "SUB", "EXP", "LOG", "IDENTITY")), ("NOT_BELOW", "CMP_GE"), ("INDEX", "GEN_INDEX"),
        ("ABOVE", "CMP_GT"), ("BELOW", "CMP_LT"), ("BOTH", "LOGICAL_AND"),
        ("SELECT", "BINARY_SELECT"))],
]


@pytest.mark.parametrize("name, ours", NUMBERS, ids=[name for name, _ in NUMBERS])
def test_numbers_are_those_of_the_header(header, name, ours):
    assert int(re.search(rf"\b{name}\s*=\s*(\d+)", header)[1]) == ours


SIZES = {"int64_t": 8, "cudnnBackendDescriptorType_t": 4, "cudnnBackendAttributeName_t": 4, "cudnnBackendAttributeType_t": 4}


@pytest.mark.parametrize("function", cudnn.SIGNATURES)
def test_functions_are_declared_as_in_the_header(header, function):
    arguments = re.search(rf"\b{function}\(([^)]*)\)", header)[1].split(",")
    assert [ctypes.sizeof(ours) for ours in cudnn.SIGNATURES[function]] == [
        8 if "*" in declared else SIZES.get(declared.split()[0], 8) for declared in arguments]
