"""A convolution, or one of its two gradients, as a graph for cuDNN.

    forward   y = x * w (+ bias)         data   x = the gradient for x of y, by w         filter   w = the gradient for w of y, by x
"""
from typing import NamedTuple

from .cudnn import (
    CONVOLUTION,
    CONVOLUTION_MODE,
    DATA_TYPE,
    DESCRIPTOR,
    DOUBLE,
    DOWN_CONVERT_INPUTS,
    FLOAT,
    INT64,
    NONDETERMINISTIC,
    TENSOR_CORE,
    TYPES,
    Described,
    Graph,
)

ATTRIBUTES = {"type": 100, "mode": 101, "dilations": 102, "strides": 103, "after": 104, "before": 105, "dimensions": 106}
OPERATIONS = {  # descriptor; its attributes alpha, beta, convolution; those of w, x and y
    "forward": (10, 700, 701, 702, (703, 704, 705)),
    "data": (12, 706, 707, 708, (709, 710, 711)),
    "filter": (11, 712, 713, 714, (715, 716, 717)),
}
CROSS_CORRELATION, ADD = 1, 0


class Convolution(NamedTuple):
    """What is to be planned.  w, x and y are (sizes, steps in elements): (K, C / groups, *kernel), (N, C, *in), (N, K, *out).

    operation   "forward", "data" or "filter"
    bias        added to y in the same pass (forward only)
    tf32        float32 may be rounded to TF32
    same_bits   only ways that give the same bits every time
    """

    operation: str
    dtype: str
    w: tuple
    x: tuple
    y: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    bias: bool
    tf32: bool
    same_bits: bool
    alignment: int

    def refuses(self, notes):
        """Whether engines with these notes may not be taken."""
        if self.same_bits and NONDETERMINISTIC in notes:
            return True
        return self.dtype == "float32" and (DOWN_CONVERT_INPUTS in notes or not self.tf32 and TENSOR_CORE in notes)

    def draw(self, library):
        """The Graph: w, x, y and, where there is one, the bias b, added to the result in the type that it is computed in."""
        graph = Graph(library, "float64" if self.dtype == "float64" else "float32", self.alignment)
        tensors = [graph.tensor(*what, self.dtype, name) for name, what in (("w", self.w), ("x", self.x), ("y", self.y))]
        y = tensors[2]
        if self.bias:
            tensors[2] = graph.tensor(*self.y)
        kind, alpha, beta, convolution, attributes = OPERATIONS[self.operation]
        number = DOUBLE if self.dtype == "float64" else FLOAT
        graph.operation(kind, *[(attribute, DESCRIPTOR, [t]) for attribute, t in zip(attributes, tensors)],
                        (convolution, DESCRIPTOR, [self._geometry(library, graph.compute)]), (alpha, number, [1.0]), (beta, number, [0.0]))
        if self.bias:
            channels, ones = self.y[0][1], (1,) * len(self.stride)
            steps = (channels, 1, *(channels if self.y[1][1] == 1 else 1,) * len(self.stride))
            graph.pointwise(ADD, y, tensors[2], graph.tensor((1, channels, *ones), steps, self.dtype, "b"))
        return graph

    def _geometry(self, library, compute):
        a = ATTRIBUTES
        made = Described(library, CONVOLUTION).set(a["type"], DATA_TYPE, [TYPES[compute]]).set(a["mode"], CONVOLUTION_MODE, [CROSS_CORRELATION])
        made.set(a["dimensions"], INT64, [len(self.stride)]).set(a["before"], INT64, self.padding).set(a["after"], INT64, self.padding)
        return made.set(a["strides"], INT64, self.stride).set(a["dilations"], INT64, self.dilation).finish()
