"""CuPy without a GPU: its own modules over a CUDA runtime in the memory of the host.

    stand_in.install()                  # before anybody imports cupy
    stand_in.install(execute=True)      # kernels are compiled by g++ and run; otherwise launches do nothing
    stand_in.install(libraries=True)    # launches do nothing, and there are a cuBLASLt and a cuDNN that compute nothing either

CuPy finds what it looks for: libcuda.so.1, libcudart.so.13, libnvrtc.so.13, libcublas.so.13 and so on are libraries of ours with these names
(shells.py), and the runtime that is linked into CuPy's modules is led to ours (patching.py).  What is not there says so and gives an error.
"""
import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from . import blas, cublaslt, elf, fourier, nccl, nvrtc, patching, solver
from .compiling import Builder
from .shells import Shell, compile_once

HERE = Path(__file__).parent
WITH_A_RUNTIME = ("cupy_backends.cuda.api.runtime", "cupy.cuda.cub", "cupy.cuda.thrust")  # modules that the CUDA runtime is linked into
LIBRARIES = {"libcublas.so.13": "cupy_backends.cuda.libs.cublas", "libcusolver.so.12": "cupy_backends.cuda.libs.cusolver",
             "libcusparse.so.12": "cupy_backends.cuda.libs.cusparse", "libcurand.so.10": "cupy_backends.cuda.libs.curand",
             "libcufft.so.12": "cupy.cuda.cufft", "libnccl.so.2": "cupy_backends.cuda.libs.nccl"}
EMPTY = ("libnvJitLink.so.13",)  # what the others would load
SILENT = ("libcublasLt.so.13", "libcudnn.so.9")  # libraries.cpp, where it is asked for
SORTS = ("_Z11thrust_sortiPvPmRKSt6vectorIlSaIlEElS_", "_Z14thrust_argsortiPmPvS0_RKSt6vectorIlSaIlEElS0_", "_Z14thrust_lexsortiPmPvmmlS0_")
SOURCES = ("runtime.cpp", "sorting.cpp", "device_properties.hpp")


def missing():
    """Why CuPy cannot run here without a GPU; None where it can."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed (pip install 'ringgrad[cuda13]')"
    if shutil.which("g++") is None:
        return "there is no g++"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the stand-in is written for Linux on x86-64, not for {sys.platform} on {platform.machine()}"
    return None


def file_of(module):
    """The file of a module of CuPy's, found without importing anything of CuPy."""
    package, *inner = module.split(".")
    folder = Path(importlib.util.find_spec(package).origin).parent.joinpath(*inner[:-1])
    return next(folder.glob(f"{inner[-1]}.cpython-*.so"))


def cache():
    """Where compiled libraries are kept from one run to the next."""
    return Path(os.environ.get("CUPY_HOST_CACHE") or Path(tempfile.gettempdir()) / f"cupy-host-{os.getuid()}")


def install(execute=False, devices=2, libraries=False):
    """Let CuPy run here.  RuntimeError where it was imported before, or cannot run (`missing`)."""
    if execute and libraries:
        raise ValueError("cuBLASLt and cuDNN are stood in for by nothing at all: with kernels that are run, their results would be missing")
    if why := missing():
        raise RuntimeError(f"CuPy cannot run on the host: {why}")
    if "cupy" in sys.modules:
        raise RuntimeError("the stand-in must be installed before cupy is imported")
    folder = cache()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(CUPY_CACHE_IN_MEMORY="1", CUPY_ACCELERATORS="", RINGGRAD_CUBLASLT=str(int(execute or libraries)),
                      RINGGRAD_CUDNN=str(int(libraries)), CUDA_PATH=_toolkit(folder))
    host = _compiled(folder, "libcuda.so.1", SOURCES)
    includes = Path(importlib.util.find_spec("cupy").origin).parent / "_core" / "include"
    builder = Builder(folder, [includes, *sorted((includes / "cupy" / "_cccl").iterdir())], metadata.version("cupy-cuda13x")) if execute else None
    host.host_configure(devices, int(execute))
    runtime = Shell("libcudart.so.13", {n for m in WITH_A_RUNTIME for n in patching.names_in(file_of(m))}, folder)
    runtime.fill(host)
    compiler = Shell("libnvrtc.so.13", [f"nvrtc{name}" for name in nvrtc.SIGNATURES], folder)
    shells = {soname: Shell(soname, [n for n in elf.taken(file_of(module)) if n.startswith(soname[3:].partition(".")[0])], folder)
              for soname, module in LIBRARIES.items()}
    blas.install(shells["libcublas.so.13"], execute, host)
    solver.install(shells["libcusolver.so.12"], execute, host)
    fourier.install(shells["libcufft.so.12"], execute, host)
    nccl.install(shells["libnccl.so.2"], execute, host)
    silent = {soname: _compiled(folder, soname, ["libraries.cpp"]) for soname in SILENT if libraries}
    if not libraries:
        shells["libcublasLt.so.13"] = Shell("libcublasLt.so.13", cublaslt.NAMES, folder)
        cublaslt.install(shells["libcublasLt.so.13"], host)
    empty = [Shell(soname, ["nothing"], folder) for soname in EMPTY]
    kept[:] = [host, runtime, compiler, nvrtc.Compiler(compiler, builder), shells, silent, empty]
    for module in WITH_A_RUNTIME:
        ctypes.CDLL(str(file_of(module)))
        patching.patch(file_of(module), {name: runtime.address(name) for name in patching.names_in(file_of(module))})
    patching.patch(file_of("cupy.cuda.thrust"), {name: ctypes.cast(getattr(host, name), ctypes.c_void_p).value for name in SORTS})
    return host


kept = []  # callbacks must outlive everything


def _toolkit(folder):
    """A folder where CuPy finds that CUDA's headers are there: it asks for them before it compiles, and g++ takes those in include/."""
    header = folder / "toolkit" / "include" / "cuda_runtime.h"
    header.parent.mkdir(parents=True, exist_ok=True)
    header.touch()
    return str(header.parents[1])


def _compiled(folder, soname, names):
    """Sources of ours as the library of that name, loaded."""
    text = b"".join((HERE / name).read_bytes() for name in names)
    place = folder / hashlib.sha256(text).hexdigest()[:16]
    library = place / soname
    if not library.exists():
        place.mkdir(exist_ok=True)
        sources = [str(HERE / name) for name in names if name.endswith(".cpp")]
        compile_once(library, ["-std=c++17", "-O1", *sources, f"-Wl,-soname,{soname}", "-ldl"], place)
    return ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
