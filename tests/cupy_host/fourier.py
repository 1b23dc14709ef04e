"""cuFFT by SciPy's transforms: plans of one and more dimensions, single and double precision, not scaled in either direction."""
import math

import numpy as np
from scipy import fft

from .views import lead, succeeds, view

KINDS = {0x29: ("C2C", np.complex64, np.complex64), 0x2A: ("R2C", np.float32, np.complex64), 0x2C: ("C2R", np.complex64, np.float32),
         0x69: ("Z2Z", np.complex128, np.complex128), 0x6A: ("D2Z", np.float64, np.complex128), 0x6C: ("Z2D", np.complex128, np.float64)}


class Plan:
    """sizes: of the transform.  For input and output: the embedding sizes, the step within a transform, the step between transforms."""

    def __init__(self, sizes, inside, outside, kind, batch):
        self.sizes, self.inside, self.outside, self.kind, self.batch = sizes, inside, outside, kind, batch

    def run(self, source, target, direction):
        name, taken, given = KINDS[self.kind]
        half = (*self.sizes[:-1], self.sizes[-1] // 2 + 1)
        x = self.array(source, half if name in ("C2R", "Z2D") else self.sizes, self.inside, taken)
        out = self.array(target, half if name in ("R2C", "D2Z") else self.sizes, self.outside, given)
        axes = tuple(range(1, 1 + len(self.sizes)))
        if name in ("R2C", "D2Z"):
            out[...] = fft.rfftn(x, axes=axes)
        elif name in ("C2R", "Z2D"):
            out[...] = fft.irfftn(x, self.sizes, axes=axes, norm="forward")
        else:
            out[...] = fft.fftn(x, axes=axes) if direction < 0 else fft.ifftn(x, axes=axes, norm="forward")

    def array(self, address, sizes, layout, dtype):
        embed, step, apart = layout or (sizes, 1, math.prod(sizes))
        strides = [step * math.prod(embed[i + 1:]) for i in range(len(sizes))]
        return view(address, (self.batch, *sizes), dtype, (apart, *strides))


def install(shell, compute, host):
    """Lead a shell of libcufft here."""
    succeeds(shell, ("cufftDestroy", "cufftSetAutoAllocation", "cufftSetStream", "cufftSetWorkArea"), host)
    plans = {}

    def create(out):
        plans[len(plans) + 1] = None
        view(out, (1,), np.int32)[0] = len(plans)

    def make_1d(plan, n, kind, batch, size):
        plans[plan] = Plan((n,), None, None, kind, batch)
        view(size, (1,), np.uint64)[0] = 16

    def make_many(plan, rank, n, embed_in, step_in, apart_in, embed_out, step_out, apart_out, kind, batch, size):
        def layout(embed, step, apart):
            return (tuple(view(embed, (rank,), np.int32).tolist()), step, apart) if embed else None
        sizes = tuple(view(n, (rank,), np.int32).tolist())
        plans[plan] = Plan(sizes, layout(embed_in, step_in, apart_in), layout(embed_out, step_out, apart_out), kind, batch)
        view(size, (1,), np.uint64)[0] = 16

    lead(shell, "cufftCreate", "p", create)
    lead(shell, "cufftGetVersion", "p", lambda out: view(out, (1,), np.int32).fill(12000))
    lead(shell, "cufftMakePlan1d", "iiiip", make_1d)
    lead(shell, "cufftMakePlanMany", "iippiipiiiip", make_many)
    for name in ("C2C", "Z2Z"):
        lead(shell, f"cufftExec{name}", "ippi", lambda plan, x, out, way: plans[plan].run(x, out, way) if compute else None)
    for name in ("R2C", "C2R", "D2Z", "Z2D"):
        lead(shell, f"cufftExec{name}", "ipp", lambda plan, x, out: plans[plan].run(x, out, 0) if compute else None)
