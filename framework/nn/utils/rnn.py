"""Batches of sequences of different lengths: padded, packed, and lists of tensors.  T: the longest length, B: the number of sequences."""
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from ... import ops
from ..._core.tensor import Tensor, wrap
from .._packed_sequence import PackedSequence, invert_permutation


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """A PackedSequence out of padded sequences.  input: (T, B, *), or (B, T, *) when batch_first; lengths: B integers, a list or a CPU tensor.

    enforce_sorted: the lengths already fall; otherwise the sequences are sorted, and a recurrent layer's results put back in their order.
    """
    given, lengths = lengths, lengths._data if isinstance(lengths, Tensor) else np.asarray(lengths)
    if not isinstance(lengths, np.ndarray) or lengths.ndim != 1:
        where = f" on {given.device}; move it with .cpu()" if isinstance(given, Tensor) else ""
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got a {lengths.ndim}D {lengths.dtype.name} tensor{where}")
    lengths = lengths.astype(np.int64)
    order = None
    if not enforce_sorted:
        ranks = np.argsort(-lengths, kind="stable")
        lengths, order = lengths[ranks], wrap(ranks).to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    input = ops.swapaxes(input, 0, 1) if batch_first else input
    _check_lengths(input.shape, lengths.tolist())
    sizes = (lengths > np.arange(lengths[0])[:, None]).sum(1)
    if sizes[-1] == len(lengths):
        data = ops.reshape(input[:len(sizes)], (len(lengths) * len(sizes), *input.shape[2:]))
    else:
        rows = np.concatenate([np.arange(n) + t * len(lengths) for t, n in enumerate(sizes)])
        data = ops.reshape(input, (input.shape[0] * input.shape[1], *input.shape[2:])).index_select(0, wrap(rows).to(input.device))
    return PackedSequence(data, wrap(sizes.astype(np.int64)), order, None)


def _check_lengths(shape, lengths):
    """RuntimeError in torch's words unless the lengths fall and fit."""
    if 0 in shape:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != shape[1]:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={shape[1]})")
    if any(a < b for a, b in pairwise(lengths)):
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to "
                           "pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability.")
    if lengths[-1] <= 0:
        raise RuntimeError(f"Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0: {lengths[-1]}")
    if lengths[0] > shape[0]:
        raise RuntimeError(f"'lengths' names a sequence of {lengths[0]} steps, but the padded input has {shape[0]}")


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded sequences: (T, B, *), or (B, T, *) when batch_first, their lengths: int64 (B)); the inverse of `pack_padded_sequence`.

    total_length: pad to so many steps.  ValueError when the longest sequence has more.
    """
    data, batch_sizes, _, unsorted_indices = sequence
    sizes = batch_sizes._data
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None and total_length < steps:
        raise ValueError("Expected total_length to be at least the length of the longest sequence in input, but got "
                         f"total_length={total_length} and max sequence length being {steps}")
    steps = steps if total_length is None else total_length
    lengths = (sizes > np.arange(batch)[:, None]).sum(1).astype(np.int64)
    where = np.full((steps, batch), len(data), np.int64)  # of each place its row; the one after the last is padding
    for t, (n, start) in enumerate(zip(sizes.tolist(), np.cumsum([0, *sizes[:-1]]).tolist())):
        where[t, :n] = np.arange(start, start + n)
    if unsorted_indices is not None:
        back = unsorted_indices.cpu()._data
        where, lengths = where[:, back], lengths[back]
    padding = data.new_full((1, *data.shape[1:]), padding_value)
    where = np.ascontiguousarray(where.T if batch_first else where)
    rows = ops.concatenate([data, padding], 0).index_select(0, wrap(where.reshape(-1)).to(data.device))
    return ops.reshape(rows, (*where.shape, *data.shape[1:])), wrap(lengths)


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences (T_i, *) as one tensor (T, B, *), or (B, T, *) when batch_first, of the first one's type.

    padding_side: "right" or "left", where shorter sequences are padded.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    first, longest = sequences[0], max(len(s) for s in sequences)
    padded = []
    for s in sequences:
        if s.shape[1:] != first.shape[1:]:
            raise RuntimeError("pad_sequence: all sequences need the same dimensions after the first, but got "
                               f"{list(first.shape)} and {list(s.shape)}")
        s = s if s.dtype == first.dtype else s.to(first.dtype)
        if len(s) < longest:
            rest = s.new_full((longest - len(s), *s.shape[1:]), padding_value)
            s = ops.concatenate([s, rest] if padding_side == "right" else [rest, s], 0)
        padded.append(s)
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The list of sequences that `pad_sequence` padded on the right.  lengths: (B)"""
    padded = padded_sequences if batch_first else ops.swapaxes(padded_sequences, 0, 1)
    if len(padded) != len(lengths):
        raise ValueError(f"unpad_sequence: {len(padded)} sequences, but {len(lengths)} lengths")
    return [s[:n] for s, n in zip(padded, lengths.tolist())]


def pack_sequence(sequences, enforce_sorted=True):
    """A PackedSequence out of a list of tensors (T_i, *); enforce_sorted as for `pack_padded_sequence`."""
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The list of tensors that `pack_sequence` packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = ["PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
           "unpack_sequence", "unpad_sequence"]
