"""What the sections of the measurements share: both libraries, interleaved medians, rows."""
import statistics
import time
import traceback


class Bench:
    """ringgrad, torch where it has CUDA, the deadline, and the ceilings found so far.

    device: "cuda", or "cpu" for a rehearsal: everything runs once, with small sizes, and no figure means anything.
    """

    def __init__(self, ringgrad, torch, deadline, folder, device="cuda"):
        self.ringgrad, self.torch, self.deadline, self.folder, self.device = ringgrad, torch, deadline, folder, device
        self.libraries = {"ringgrad": ringgrad, **({"torch": torch} if torch else {})}
        self.rehearsal = device == "cpu"
        self.rounds = 1 if self.rehearsal else 7
        self.ceilings = {"copy": float("nan"), "bfloat16": float("nan")}  # GB/s and Tflop/s

    def medians(self, contenders, seconds=0.05):
        """{name: median seconds per call}: rounds of all contenders in turn, each as many calls as take `seconds`."""
        calls, times = {}, {name: [] for name in contenders}
        for name, run in contenders.items():
            for _ in range(self.rounds // 2):
                run()
            self.synchronize()
            start = time.perf_counter()
            run()
            self.synchronize()
            calls[name] = 1 if self.rehearsal else max(1, min(1000, int(seconds / max(1e-7, time.perf_counter() - start))))
        for _ in range(self.rounds):
            for name, run in contenders.items():
                self.synchronize()
                start = time.perf_counter()
                for _ in range(calls[name]):
                    run()
                self.synchronize()
                times[name].append((time.perf_counter() - start) / calls[name])
        return {name: statistics.median(t) for name, t in times.items()}

    def synchronize(self):
        """Wait for the device."""
        if not self.rehearsal:
            for lib in self.libraries.values():
                lib.cuda.synchronize()

    def tidy(self):
        """Give unused memory back, so that the libraries do not take it from each other."""
        if not self.rehearsal:
            for lib in self.libraries.values():
                lib.cuda.empty_cache()

    def size(self, full, small):
        """A size, or that of a rehearsal."""
        return small if self.rehearsal else full


def beside(found):
    """A row of the report: microseconds of each, and ours over torch's."""
    row = {f"{name} us": round(1e6 * t, 2) for name, t in found.items()}
    if "torch" in found:
        row["ratio"] = round(found["ringgrad"] / found["torch"], 3)
    return row


def guarded(function):
    """What it returns, or its error as a row: a measurement that fails must not take the others with it."""
    try:
        return function()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:600], "where": traceback.format_exc().splitlines()[-5:-1]}
