"""Short-time Fourier transforms: `stft` and its inverse."""
import warnings

import numpy as np

from .. import ops
from .._core.tensor import Tensor
from .creation import tensor

_PADDING = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # torch's names and NumPy's
_EMPTY = 1e-11  # an envelope of windows below this is taken for 0


def _window(name, window, n_fft, win_length, like):
    """The window, zeros on both sides of it up to `n_fft`; ones where none is given."""
    if win_length <= 0 or win_length > n_fft:
        raise RuntimeError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={win_length} and n_fft={n_fft}")
    if window is None:
        window = ops.ones((win_length,), like._data.real.dtype, like.device)
    elif window._data.shape != (win_length,):
        raise RuntimeError(f"{name}: expected a 1D window tensor of size equal to win_length={win_length}, but got window with size "
                           f"{list(window._data.shape)}")
    before = (n_fft - win_length) // 2
    return ops.constant_pad(window, ((before, n_fft - win_length - before),), 0.0) if win_length < n_fft else window


def _is_complex(t):
    return t is not None and t._data.dtype.kind == "c"


def _padded(x, width, mode):
    """`x` (batch, length) with `width` more elements on both sides."""
    if mode == "constant":
        return ops.constant_pad(x, ((0, 0), (width, width)), 0.0)
    if mode not in _PADDING:
        raise NotImplementedError(f"Unrecognised padding mode {mode}; the modes are constant, {', '.join(_PADDING)}")
    length = x._data.shape[-1]
    if mode == "reflect" and width >= length:
        raise RuntimeError(f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({width}, {width}) at "
                           f"dimension 2 of input of length {length}")
    at = np.pad(np.arange(length), width, mode=_PADDING[mode])
    return x.index_select(-1, tensor(at, device=x.device))


def stft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False, onesided=None,
         return_complex=None, align_to_window=None):
    """The spectrum of each of the overlapping pieces of a signal.  (length) or (batch, length) -> (*, frequencies, pieces)

    n_fft, hop_length (n_fft // 4): length of a piece and steps between them, in samples; window: (win_length), by default ones over all of a piece.
    center: piece t lies around sample t * hop_length, the signal padded on both sides (`pad_mode`).  normalized: times n_fft^-1/2.
    onesided: frequencies 0 ... n_fft // 2 only, by default for real signals.  return_complex=False: real and imaginary part as a last dimension.
    RuntimeError for what does not fit.
    """
    _check(input, n_fft)
    hop, width = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if return_complex is None:
        if not (_is_complex(input) or _is_complex(window)):
            raise RuntimeError("stft requires the return_complex parameter be given for real inputs, and will further require that "
                               "return_complex=True in a future release.")
        return_complex = True
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false.")
    x = input if input._data.ndim == 2 else ops.expand_dims(input, 0)
    x = _padded(x, n_fft // 2, pad_mode) if center else x
    length = x._data.shape[-1]
    if hop <= 0 or not 0 < n_fft <= length:
        raise RuntimeError(f"stft({list(input._data.shape)}, n_fft={n_fft}, hop_length={hop}): expected 0 < n_fft <= {length} and hop_length > 0")
    weights = _window("stft", window, n_fft, width, input)
    pieces = ops.unfold(x, -1, n_fft, hop) * weights
    real = not _is_complex(pieces)
    norm = "ortho" if normalized else "backward"
    onesided = real if onesided is None else onesided
    if onesided and not real:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if real and onesided:
        out = ops.fft_real(pieces, -1, norm)
    else:
        out = ops.fft_complex(pieces, (-1,), False, norm)
    out = ops.swapaxes(out, -1, -2)
    out = out if input._data.ndim == 2 else out[0]
    return out if return_complex else ops.view_as_real(ops.copy(out))


def _check(input, n_fft):
    if not isinstance(input, Tensor):
        raise TypeError(f"stft(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if input._data.dtype.kind not in "fcV" or input._data.ndim not in (1, 2):
        raise RuntimeError(f"stft({input.dtype}{list(input._data.shape)}, n_fft={n_fft}): expected a 1D or 2D tensor of floating types")


def istft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None,
          return_complex=False):
    """The signal whose `stft` is closest to `input`: the pieces added where they overlap, over the sum of the squared windows.

    (frequencies, pieces) or (batch, frequencies, pieces), complex -> (*, length).  Griffin and Lim 1984.  RuntimeError where the windows leave a gap.
    """
    if not _is_complex(input):
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with return_complex=True.")
    hop, width = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if input._data.ndim not in (2, 3):
        raise RuntimeError(f"istft expects a tensor with 2 or 3 dimensions, but got {input._data.ndim}")
    onesided = (input._data.shape[-2] != n_fft) if onesided is None else onesided
    expected = n_fft // 2 + 1 if onesided else n_fft
    if input._data.shape[-2] != expected:
        raise RuntimeError(f"istft expected the frequency dimension (3rd to the last) of the input tensor to match n_fft"
                           f"{' / 2 + 1' if onesided else ''} when onesided={onesided}, but got {input._data.shape[-2]}, not {expected}")
    if not 0 < hop <= width:
        raise RuntimeError(f"istft: expected 0 < hop_length <= win_length, but got hop_length={hop} and win_length={width}")
    weights = _window("istft", window, n_fft, width, input)
    norm = "ortho" if normalized else "backward"
    spectra = ops.swapaxes(input if input._data.ndim == 3 else ops.expand_dims(input, 0), -1, -2)
    if return_complex:
        if onesided:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        pieces = ops.fft_complex(spectra, (-1,), True, norm)
    else:
        if _is_complex(window):
            raise RuntimeError("Complex windows are incompatible with return_complex=False")
        pieces = ops.fft_real_inverse(spectra if onesided else spectra[..., :n_fft // 2 + 1], n_fft, -1, norm)
    out = _overlapped(pieces, weights, hop, n_fft, center, length)
    return out if input._data.ndim == 3 else out[0]


def _overlapped(pieces, weights, hop, n_fft, center, length):
    """(batch, pieces, n_fft) added where they overlap, over the squared windows, cut to what was asked for.  -> (batch, length)"""
    batch, count, _ = pieces._data.shape
    whole = n_fft + hop * (count - 1)
    at = tensor((hop * np.arange(count)[:, None] + np.arange(n_fft)).reshape(-1), device=pieces.device)
    weighted = ops.reshape(pieces * weights, (batch, count * n_fft))
    out = ops.zeros((batch, whole), pieces.dtype, pieces.device).index_add(1, at, weighted)
    squares = ops.reshape(ops.broadcast_to(weights * weights, (count, n_fft)), (count * n_fft,))
    envelope = ops.zeros((whole,), weights.dtype, weights.device).index_add(0, at, squares)
    start = n_fft // 2 if center else 0
    end = whole - start if length is None else start + length
    out, envelope = out[:, start:min(end, whole)], envelope[start:min(end, whole)]
    smallest = float(ops.amin(ops.absolute(envelope.detach()))) if envelope._data.size else 0.0
    if not smallest > _EMPTY:
        raise RuntimeError(f"window overlap add min: {smallest}; the windows leave a gap, so that the signal there is lost")
    out = out / envelope
    if end <= whole:
        return out
    warnings.warn("The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail.", UserWarning,
                  stacklevel=4)
    return ops.constant_pad(out, ((0, 0), (0, end - whole)), 0.0)


FUNCTIONS = {"stft": stft, "istft": istft}
METHODS = dict(FUNCTIONS)
INPLACE = {}
