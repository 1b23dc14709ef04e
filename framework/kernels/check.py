"""Compile every CUDA source for sm_80 and sm_90 with NVRTC as CuPy does, and look at what each kernel needs: `make kernels`, without a GPU.

Also `python -m ringgrad.kernels.check`.  A kernel that does not compile, or that could not be launched (resources.py), is a failure.
"""
import ctypes
import importlib.util
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .. import nn, ops, optim  # noqa: F401 - registers every op and update rule
from . import resources, sources

ARCHITECTURES = ("sm_80", "sm_90")
CUPY_ADDS = ("-ftz=true", "--device-as-default-execution-space")  # to the options of every source: cupy/cuda/compiler.py


def load_nvrtc():
    """The NVRTC library, from NVIDIA's wheel or the system; and the folder of its headers, or None.  RuntimeError when there is none."""
    spec = importlib.util.find_spec("nvidia")
    for root in map(Path, spec.submodule_search_locations if spec else ()):
        for library in sorted(root.glob("*/lib/libnvrtc.so.*")):
            for builtins in library.parent.glob("libnvrtc-builtins.so.*"):  # which some releases do not find by themselves
                ctypes.CDLL(str(builtins))
            return ctypes.CDLL(str(library)), library.parent.parent / "include"
    for name in ("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"):
        try:
            return ctypes.CDLL(name), Path("/usr/local/cuda/include")
        except OSError:
            continue
    raise RuntimeError("NVRTC was not found: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime, or install the CUDA toolkit")


def compile_source(nvrtc, headers, text, architecture, options=("-std=c++17",)):
    """(what the compiler did not take, what the assembler tells of the kernels); one of them is empty."""
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture={architecture}", f"--include-path={headers}", "--ptxas-options=-v", *options, *CUPY_ADDS]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(o.encode() for o in options)))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    words = log.value.decode()
    return (words or f"NVRTC's error {failed}", "") if failed else ("", words)


def look_at(source, loaded=[]):  # noqa: B006 - one library for each process
    """([what is wrong], {(source, architecture, kernel): Needs}) of one source on every architecture."""
    name, text, options = source
    wrong, found = [], {}
    loaded[:] = loaded or load_nvrtc()
    for architecture in ARCHITECTURES:
        errors, words = compile_source(*loaded, text, architecture, options)
        if errors:
            wrong.append(f"{name} for {architecture}:\n{errors}\n{text}")
            continue
        kernels = resources.read(words)
        wrong += [f"{name} for {architecture}: {problem}" for kernel, needs in kernels.items() for problem in resources.problems(kernel, needs)]
        found |= {(name, architecture, kernel): needs for kernel, needs in kernels.items()}
    return wrong, found


def main():
    """Compile everything; exit code 1 and words for what does not compile or cannot be launched."""
    listed, wrong, found = sources(), [], {}
    load_nvrtc()  # or say why not
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for problems, kernels in pool.map(look_at, listed, chunksize=4):
            wrong += problems
            found |= kernels
    print(*resources.table(found), sep="\n")
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
    print(f"{len(listed)} CUDA sources x {', '.join(ARCHITECTURES)}: {len(wrong)} failures")
    if not listed:
        print("no CUDA source was found, which cannot be right", file=sys.stderr)
    return 1 if wrong or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
