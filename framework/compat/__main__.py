"""python -m ringgrad.compat: run a torch program on ringgrad, or check what it would miss.

The program becomes this process (exec), started as plain Python starts it and with `shadow/` on PYTHONPATH: so `__main__`, sys.argv, sys.path,
tracebacks, exit codes, signals and child processes are its own.
"""
import os
import subprocess
import sys

from ._check import check
from ._install import environment

_HELP = """Run a program written for torch on ringgrad, unmodified: `import torch` and `import torchvision` give it ringgrad's modules.

usage: python -m ringgrad.compat SCRIPT [argument ...]        as python SCRIPT
       python -m ringgrad.compat -m MODULE [argument ...]     as python -m MODULE
       python -m ringgrad.compat -c CODE [argument ...]       as python -c CODE
       python -m ringgrad.compat --check PATH [PATH ...]      list the names of torch that sources use and ringgrad lacks, without
                                                              running them; exit code 1 when there are any
       python -m ringgrad.compat --help

Several ranks: ringgrad-run --as-torch --nproc-per-node 2 SCRIPT [argument ...]
In a notebook, before anything imports torch: import ringgrad.compat; ringgrad.compat.install()
"""
_WRONG = 2  # exit code for a command line that makes no sense


def main(arguments):
    """The exit code of --help and --check; a program to run takes this process over."""
    first = arguments[0] if arguments else None
    if first in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    if first is None:
        print(_HELP, end="", file=sys.stderr)
        return _WRONG
    if first == "--check":
        return check(arguments[1:])
    if first.startswith("-") and first not in ("-m", "-c", "-"):
        return _wrong(f"there is no option {first}; options of Python itself go before -m ringgrad.compat")
    if first in ("-m", "-c") and len(arguments) == 1:
        return _wrong(f"{first} needs {'a module' if first == '-m' else 'code'} behind it")
    if not first.startswith("-") and not os.path.exists(first):
        return _wrong(f"there is no script {first} (looked in {os.getcwd()}); modules need -m")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *_flags(), *arguments], {**os.environ, **environment(os.environ)})
    return None


def _wrong(words):
    print(f"ringgrad.compat: {words}", file=sys.stderr)
    return _WRONG


def _flags():
    """This interpreter's own flags (-O, -W, -X, ...), but for those under which PYTHONPATH would not count."""
    return [flag for flag in subprocess._args_from_interpreter_flags() if flag not in ("-I", "-E")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
