"""Shared libraries under the names of NVIDIA's, with functions that lead elsewhere: to C, to Python, or to a refusal that says its name.

    shell = Shell("libcublas.so.13", names, folder)
    shell.fill(host)                                   # whatever a library of ours has under the same names
    shell.lead("cublasSgemm_v2", c_int, [c_void_p, ...], function)
"""
import ctypes
import hashlib
import os
import subprocess
import threading
from pathlib import Path

# A function is a jump through its slot.  A slot that nobody filled says on stderr which function it was, and gives the library's number
# for "not supported"; one that gives a text gives its own name.
HEAD = """
.section .note.GNU-stack,"",@progbits
.text
refuse:
    sub $8, %rsp
    mov %rax, %rdx
    lea format(%rip), %rsi
    mov $2, %edi
    xor %eax, %eax
    call dprintf@PLT
    add $8, %rsp
    mov ${status}, %eax
    ret
word:
    ret
.section .rodata
format: .string "{soname} stand-in: %s is not there\\n"
"""
ONE = """
.text
.globl {name}
.type {name}, @function
{name}: lea name_{name}(%rip), %rax
    jmp *slot_{name}(%rip)
.section .rodata
name_{name}: .string "{name}"
.data
.globl slot_{name}
.protected slot_{name}
.balign 8
slot_{name}: .quad {otherwise}
"""
NOT_SUPPORTED = {"libcublas": 15, "libcublasLt": 15, "libcusolver": 9, "libcufft": 16, "libcusparse": 10, "libcurand": 204,
                 "libnccl": 5}  # in the words of each; 801 in the runtime's


class Shell:
    """A library of the given soname with functions of the given names, loaded, so that everyone who asks for the soname gets this one.

    folder: where it is built; it is found there again by its text.  version: the version that its symbols carry, the soname by default.
    """

    def __init__(self, soname, names, folder, version=None):
        self.soname, self.names, self.kept = soname, sorted(set(names)), []
        status = NOT_SUPPORTED.get(soname.partition(".")[0], 801)
        text = HEAD.format(soname=soname, status=status) + "".join(
            ONE.format(name=name, otherwise="word" if name.endswith(("String", "Name")) else "refuse") for name in self.names)
        place = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:16]
        library = place / soname
        if not library.exists():
            place.mkdir(parents=True, exist_ok=True)
            (place / "shell.s").write_text(text)
            (place / "versions").write_text(f"{version or soname} {{ global: *; }};\n")
            compile_once(library, ["-x", "assembler", "shell.s", "-Wl,--version-script=versions", f"-Wl,-soname,{soname}"], place)
        self.library = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)

    def address(self, name):
        """Where the function is."""
        return ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value

    def lead_to(self, name, address):
        """Lead to a function at an address."""
        ctypes.c_void_p.in_dll(self.library, f"slot_{name}").value = address

    def fill(self, host):
        """Lead to the functions of the same names in a library."""
        for name in self.names:
            if hasattr(host, name):
                self.lead_to(name, ctypes.cast(getattr(host, name), ctypes.c_void_p).value)

    def lead(self, name, result, arguments, function):
        """Lead to a Python function."""
        self.kept.append(ctypes.CFUNCTYPE(result, *arguments)(function))
        self.lead_to(name, ctypes.cast(self.kept[-1], ctypes.c_void_p).value)


def compile_once(library, arguments, folder):
    """Run g++ for a shared library or a header; two processes may do it at the same time.  RuntimeError with what it calls errors."""
    library = Path(library)
    unfinished = library.with_name(f"{library.name}.{os.getpid()}.{threading.get_ident()}")
    kind = [] if library.suffix == ".gch" else ["-shared"]
    result = subprocess.run(["g++", *kind, "-fPIC", *arguments, "-o", str(unfinished)], cwd=folder, capture_output=True, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error" in line or "undefined" in line]
        raise RuntimeError("\n".join(errors) or result.stderr)
    unfinished.replace(library)
