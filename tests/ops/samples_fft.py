"""Samples of Fourier transforms."""
import numpy as np

from .sample import Fails, Sample, randn

REAL = ("float32", "float64")


def to_complex(name, *args, **kwargs):
    """numpy.fft's function with these arguments, for inputs of any type: a row for real and one for complex numbers."""
    def ref(x, *_):
        return getattr(np.fft, name)(x, *args, **kwargs)
    return ref


def both(name, *args, op, **kwargs):
    """The transform of real numbers and of complex ones, against numpy's, whose lengths and axes have other names."""
    words = {"n": "n", "s": "s", "dim": "axis" if name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") else "axes", "norm": "norm"}
    ref = to_complex(name, **{words[k]: v for k, v in kwargs.items()})
    complex_rows = [Sample(f"fft.{name}", list(args), kwargs, op=op, ref=ref, slack=8, dtypes=("complex64", "complex128"),
                           gives="float64" if op == "fft_real_inverse" else "same")] if op != "fft_real" else []
    if op == "fft_real_inverse":
        complex_rows[0].dtypes = ("complex128",)
    real_rows = [Sample(f"fft.{name}", list(args), kwargs, op=op, ref=ref, slack=8, dtypes=("float64",),
                        gives="complex128" if op != "fft_real_inverse" else "same")]
    return complex_rows + real_rows


SAMPLES = [
    *both("fft", randn(3, 8), op="fft_complex"),
    *both("fft", randn(3, 7), op="fft_complex", n=5, dim=0, norm="ortho"),
    *both("ifft", randn(3, 5), op="fft_complex", n=8, norm="forward"),
    *both("fft2", randn(2, 3, 4), op="fft_complex"),
    *both("ifft2", randn(2, 3, 4), op="fft_complex", norm="ortho"),
    *both("fftn", randn(2, 3, 4), op="fft_complex", dim=(0, 2)),
    *both("ifftn", randn(2, 3, 4), op="fft_complex"),
    *both("rfft", randn(3, 8), op="fft_real"),
    *both("rfft", randn(3, 7), op="fft_real", dim=0, norm="ortho"),
    *both("rfft2", randn(2, 3, 5), op="fft_real"),
    *both("rfftn", randn(2, 3, 4), op="fft_real", norm="forward"),
    *both("irfft", randn(3, 5), op="fft_real_inverse"),
    *both("irfft", randn(3, 5), op="fft_real_inverse", n=7, norm="ortho"),
    *both("irfft2", randn(2, 3, 4), op="fft_real_inverse", norm="forward"),
    *both("irfftn", randn(2, 3, 4), op="fft_real_inverse"),
    *both("hfft", randn(3, 5), op="fft_real_inverse"),
    *both("ihfft", randn(3, 6), op="fft_real"),
    *(Sample(f"fft.{name}", [randn(2, 3, 4)], kwargs, op="fft_real_inverse", ref=lambda x, axes=axes: np.fft.hfft(np.fft.fftn(x, axes=axes[:-1]), axis=axes[-1]),
             dtypes=("complex128",), gives="float64", slack=20) for name, kwargs, axes in (("hfftn", {}, (0, 1, 2)), ("hfft2", {}, (1, 2)))),
    *(Sample(f"fft.{name}", [randn(2, 3, 4)], kwargs, op="fft_real", ref=lambda x, axes=axes: np.fft.ifftn(np.fft.ihfft(x, axis=axes[-1]), axes=axes[:-1]),
             dtypes=("float64",), gives="complex128", slack=8) for name, kwargs, axes in (("ihfftn", {}, (0, 1, 2)), ("ihfft2", {}, (1, 2)))),
    Sample("fft.hfftn", [randn(3, 4)], dict(s=(4, 5), dim=(1, 0), norm="ortho"), op="fft_real_inverse", dtypes=("complex128",), gives="float64", slack=8,
           ref=lambda x: np.fft.hfft(np.fft.fft(x, 4, 1, "ortho"), 5, 0, "ortho")),
    Sample("fft.fft", [randn(4)], op="fft_complex", ref=np.fft.fft, dtypes=("float32",), gives="complex64", grad=False, slack=8,
           call=lambda lib, x: lib.fft.fft(x.detach())),
    Sample("fft.fftshift", [randn(3, 4)], op="roll", ref=np.fft.fftshift, dtypes=REAL),
    Sample("fft.ifftshift", [randn(3, 5)], dict(dim=1), op="roll", ref=lambda x: np.fft.ifftshift(x, 1), dtypes=REAL),
    Sample("fft.fftfreq", [7, 0.5], op=None, ref=np.fft.fftfreq, dtypes=("float64",), gives="float32"),
    Sample("fft.rfftfreq", [8], op=None, ref=np.fft.rfftfreq, dtypes=("float64",), gives="float32"),
    Fails("fft.fft", [randn(3)], dict(norm="none"), says="Invalid normalization mode"),
    Fails("fft.fft", [randn(3)], dict(n=0), says="Invalid number of data points"),
    Fails("fft.fftn", [randn(3, 3)], dict(dim=(0, 0)), says="must be unique"),
]
