"""`python -m benchmarks.gpu smoke|checks|measure|published|rehearse|ledger|host [--out FOLDER] [--seconds N] [part ...]`: see docs/gpu.md."""
import argparse
import sys

from . import _start, checks, host, ledger, measure, published

NAMES = {"smoke": "gpu-smoke", "checks": "gpu", "measure": "gpu-bench", "published": "gpu-published", "rehearse": "rehearsal"}  # of the reports


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("what", choices=[*NAMES, "ledger", "host"])
    parser.add_argument("parts", nargs="*",
                        help="parts of the checks, sections of the measurements, results, networks of the ledger, rows of the host; all if none")
    parser.add_argument("--out", default="runs/gpu", help="folder of the reports (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=checks.TIME_S, help="for everything together (default: %(default)s)")
    parser.add_argument("--each", action="store_true", help="the ledger's launches too, the most bytes first")
    options = parser.parse_intermixed_args()  # parts may come after options
    if options.what == "ledger":
        _start.make_importable(options.out)
        return ledger.main(options.parts, options.each)
    if options.what == "rehearse":
        _start.make_importable(options.out)
        return measure.main(options.out, {"gpu": "a rehearsal on the CPU: no figure means anything", "cupy": "is not used"}, options.seconds,
                            options.parts, "cpu")
    found = _start.machine()
    if options.what == "host":
        _start.make_importable(options.out)
        return host.main(options.out, found, options.parts)
    if found["gpu"] is None:
        line = f"Nothing was run: there is no GPU that CuPy can use on this machine ({found['reason']})."
        _start.report(options.out, NAMES[options.what], found, [line])
        return 0
    if options.what in ("smoke", "checks"):
        parts = checks.SMOKE if options.what == "smoke" else checks.PARTS
        return checks.main(options.out, found, options.seconds, options.parts, parts, NAMES[options.what])
    _start.make_importable(options.out)
    return {"measure": measure.main, "published": published.main}[options.what](options.out, found, options.seconds, options.parts)


if __name__ == "__main__":
    sys.exit(main())
