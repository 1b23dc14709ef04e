"""Settings read from the environment once, when ringgrad is imported."""
import os


def flag(name, default):
    """A yes/no setting.  ValueError for a value that is neither."""
    text = os.environ.get(name)
    if text is None or text == "":
        return default
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{name} must be 1 or 0, not {text!r}")


KEEP_MEMORY = flag("RINGGRAD_KEEP_MEMORY", True)

NAME = "ringgrad"  # what dtypes, sizes and types say they belong to; "torch" while a program written for torch runs (see compat)

DETERMINISTIC = {"on": False, "warn": False}  # what use_deterministic_algorithms was told

EPILOGUES = flag("RINGGRAD_EPILOGUES", True)  # whether cuBLASLt computes sums and activations within products, kernels/gemm.py

TF32 = {"matmul": False, "conv": True}  # whether float32 may be rounded to TF32 on a GPU: backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32
CUDNN = {"enabled": True, "benchmark": False, "benchmark_limit": 10, "deterministic": False}  # what backends.cudnn was told
ATTENTION = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "reduced_math": False}  # attention on a GPU
