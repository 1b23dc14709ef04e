"""Rotary position embedding: a name of ours, since torch has none and programs compose it."""
from ... import ops


def rotary_embedding(input, cos, sin, interleaved=False):
    """Pairs (a, b) of the last dimension turned by angles: (a cos - b sin, b cos + a sin).  A function of ringgrad's own.

    input: (*, S, D), queries or keys;  cos, sin: (S, R), or of dimensions that broadcast to (*, S, R), of the angles of each position; 2 R <= D,
    and the elements behind the first 2 R stay.  -> (*, S, D) in the type of `input`; cos and sin may be float32 beside half precision.
    interleaved: pairs are neighbours, input[..., 2 i] and input[..., 2 i + 1]; False: halves, input[..., i] and input[..., i + R].
    RuntimeError when the shapes do not fit.  Su et al. 2021, arXiv:2104.09864.
    """
    return ops.rotary_embedding(input, cos, sin, bool(interleaved))


__all__ = ["rotary_embedding"]
