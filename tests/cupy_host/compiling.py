"""A CUDA source as a shared library of the host: g++ over the emulator of tests/kernels, kept by its text in the cache of the stand-in."""
import hashlib
import re
from pathlib import Path

from .shells import compile_once

HERE = Path(__file__).parent
INCLUDE = HERE / "include"
EMULATOR = HERE.parent / "kernels" / "host"
HEADERS = "cupy_headers.hpp"
WAITS = re.compile(r"__sync|__shfl|__ballot|__any_sync|__all_sync|cooperative_groups")  # where threads wait for each other, they are fibers
DYNAMIC = re.compile(r"extern\s+__shared__\s+([\w:<> ]+?)\s+(\w+)\s*\[\s*\]\s*;")
OPTIONS = ["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-fpermissive", f"-I{INCLUDE}", f"-I{EMULATOR}"]


class Builder:
    """build(source, names, options) of nvrtc.Compiler.  folder: where libraries are kept.  headers: folders of CuPy's; version: CuPy's."""

    def __init__(self, folder, headers, version):
        options = [*OPTIONS, *(f"-I{each}" for each in headers)]
        texts = [path.read_bytes() for place in (INCLUDE, EMULATOR) for path in sorted(place.iterdir())]
        basis = hashlib.sha256(b"".join(texts) + repr([options, version]).encode()).hexdigest()[:16]
        self.folder = Path(folder) / f"kernels-{basis}"
        self.folder.mkdir(exist_ok=True)
        self.options = [f"-I{self.folder}", *options, "-include", HEADERS, "-Wl,-Bsymbolic"]
        (self.folder / HEADERS).write_text((INCLUDE / HEADERS).read_text())
        if not (self.folder / f"{HEADERS}.gch").exists():
            compile_once(self.folder / f"{HEADERS}.gch", [*options, "-x", "c++-header", str(self.folder / HEADERS)], self.folder)

    def __call__(self, source, names, options):
        """The path of the library; names: {name in C: expression, or None where it is the name itself}.  RuntimeError with g++'s words."""
        defines = [o for o in options if o.startswith("-D")]
        text = translated(source, names)
        library = self.folder / f"{hashlib.sha256(repr(defines).encode() + text.encode()).hexdigest()[:24]}.so"
        if not library.exists():
            path = library.with_suffix(".cpp")
            path.write_text(text)
            compile_once(library, [*self.options, *defines, str(path)], self.folder)
        return library


def translated(source, names):
    """The C++ text: how kernels are launched stands behind the source."""
    how = "launch" if WAITS.search(source) else "launch_plainly"
    source = DYNAMIC.sub(r"\1* \2 = (\1*)emulator::dynamic_shared;", source)
    launchers = "\n".join(f"HOST_KERNEL({how}, {name}, {expression or name})" for name, expression in names.items())
    return f"{source}\n{launchers}\n"
