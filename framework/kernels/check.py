"""Compile every CUDA source for sm_80 and sm_90 with NVRTC, which needs no GPU: `make kernels`, or `python -m ringgrad.kernels.check`."""
import ctypes
import importlib.util
import sys
from pathlib import Path

from .. import nn, ops, optim  # noqa: F401 - registers every op and update rule
from . import sources

ARCHITECTURES = ("sm_80", "sm_90")


def load_nvrtc():
    """The NVRTC library, from NVIDIA's wheel or the system; and the folder of its headers, or None.  RuntimeError when there is none."""
    spec = importlib.util.find_spec("nvidia")
    for root in map(Path, spec.submodule_search_locations if spec else ()):
        for library in sorted(root.glob("*/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(library)), library.parent.parent / "include"
    for name in ("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"):
        try:
            return ctypes.CDLL(name), Path("/usr/local/cuda/include")
        except OSError:
            continue
    raise RuntimeError("NVRTC was not found: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime, or install the CUDA toolkit")


def compile_source(nvrtc, headers, text, architecture):
    """None when `text` compiles; otherwise the compiler's log."""
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture={architecture}", "-std=c++17", f"--include-path={headers}"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(o.encode() for o in options)))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() if failed else None


def main():
    """Compile everything; exit code 1 and the compiler's words for what does not compile."""
    nvrtc, headers = load_nvrtc()
    failures = 0
    listed = sources()
    for name, text in listed:
        for architecture in ARCHITECTURES:
            log = compile_source(nvrtc, headers, text, architecture)
            if log:
                failures += 1
                print(f"{name} for {architecture}:\n{log}\n{text}", file=sys.stderr)
    print(f"{len(listed)} CUDA sources x {', '.join(ARCHITECTURES)}: {failures} failures")
    if not listed:
        print("no CUDA source was found, which cannot be right", file=sys.stderr)
    return 1 if failures or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
