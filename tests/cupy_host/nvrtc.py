"""NVRTC's functions: a source becomes an image (runtime.cpp loads it) with the names of its kernels and, where they are to run, a library by g++."""
import ctypes
import re
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_void_p

KERNEL = re.compile(r"(?:__global__\s+void|KERNEL)\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(")
COMPILATION_FAILED = 6
WORDS = ctypes.create_string_buffer(b"NVRTC_ERROR_COMPILATION")  # for its only error
ARCHITECTURES = (80, 90)


class Program:
    """What nvrtcCreateProgram makes."""

    def __init__(self, source):
        self.source, self.expressions, self.log, self.image, self.kept = source, [], b"", b"", {}


class Compiler:
    """Behind a shell of libnvrtc.  build(source, names, options) -> path of a library with launch_NAME and sizes_NAME for each name, or None."""

    def __init__(self, shell, build=None):
        self.programs, self.build, self.last = {}, build, 0
        for name, arguments in SIGNATURES.items():
            shell.lead(f"nvrtc{name}", c_int if name != "GetErrorString" else c_void_p, arguments, getattr(self, name))

    def Version(self, major, minor):
        major[0], minor[0] = 13, 0
        return 0

    def GetErrorString(self, error):
        return ctypes.addressof(WORDS)

    def GetNumSupportedArchs(self, out):
        out[0] = len(ARCHITECTURES)
        return 0

    def GetSupportedArchs(self, out):
        for i, arch in enumerate(ARCHITECTURES):
            out[i] = arch
        return 0

    def CreateProgram(self, out, source, name, count, headers, names):
        self.last += 1
        self.programs[self.last] = Program(source.decode())
        out[0] = self.last
        return 0

    def DestroyProgram(self, program):
        del self.programs[ctypes.cast(program, POINTER(c_size_t))[0]]
        return 0

    def AddNameExpression(self, program, expression):
        self.programs[program].expressions.append(expression.decode())
        return 0

    def CompileProgram(self, program, count, options):
        p, options = self.programs[program], [options[i].decode() for i in range(count)]
        names = dict.fromkeys(plain_kernels(p.source))  # {name in C: expression}
        names.update((lowered(e), e) for e in p.expressions)
        try:
            library = self.build(p.source, names, options) if self.build and names else None
        except RuntimeError as error:
            p.log = str(error).encode()
            return COMPILATION_FAILED
        p.image = "\n".join(["host image", str(library or "-"), *names]).encode() + b"\0"
        return 0

    def GetLoweredName(self, program, expression, out):
        p = self.programs[program]
        p.kept[expression] = lowered(expression.decode()).encode()
        out[0] = p.kept[expression]
        return 0

    def GetPTXSize(self, program, out):
        return self.GetCUBINSize(program, out)

    def GetPTX(self, program, out):
        return self.GetCUBIN(program, out)

    def GetCUBINSize(self, program, out):
        out[0] = len(self.programs[program].image)
        return 0

    def GetCUBIN(self, program, out):
        ctypes.memmove(out, self.programs[program].image, len(self.programs[program].image))
        return 0

    def GetProgramLogSize(self, program, out):
        out[0] = len(self.programs[program].log) + 1
        return 0

    def GetProgramLog(self, program, out):
        ctypes.memmove(out, self.programs[program].log + b"\0", len(self.programs[program].log) + 1)
        return 0


def plain_kernels(source):
    """Names of the kernels of a source that are not templates."""
    return [found[1] for found in KERNEL.finditer(source) if not source[:found.start()].rstrip().endswith(">")]


def lowered(expression):
    """A name in C for a name expression such as kernel<float, 4>; a plain name stays."""
    return re.sub(r"\W", lambda c: f"_{ord(c[0])}_", expression)


P, SIZE, NAMES = c_size_t, POINTER(c_size_t), POINTER(c_char_p)
SIGNATURES = {
    "Version": [POINTER(c_int), POINTER(c_int)], "GetErrorString": [c_int],
    "GetNumSupportedArchs": [POINTER(c_int)], "GetSupportedArchs": [POINTER(c_int)],
    "CreateProgram": [SIZE, c_char_p, c_char_p, c_int, NAMES, NAMES], "DestroyProgram": [c_void_p], "AddNameExpression": [P, c_char_p],
    "CompileProgram": [P, c_int, NAMES], "GetLoweredName": [P, c_char_p, NAMES], "GetPTXSize": [P, SIZE], "GetPTX": [P, c_void_p],
    "GetCUBINSize": [P, SIZE], "GetCUBIN": [P, c_void_p], "GetProgramLogSize": [P, SIZE], "GetProgramLog": [P, c_void_p],
}
