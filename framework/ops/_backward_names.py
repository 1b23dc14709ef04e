"""torch's names of backward functions where they depend on the call: it has several formulas where one op is enough here.

REFINED: op name -> function(node) -> name; a node knows its attributes and, where inputs can be broadcast, their shapes (None for a number).
"""


def _axes(name):
    """The second formula of `name` reduces along given dimensions."""
    return lambda node: f"{name}Backward{int(node.attrs['axis'] is not None)}"


def _number(name, at=1, number=0, tensor=1):
    """One formula of `name` for a number as input `at`, another for a tensor."""
    return lambda node: f"{name}Backward{number if node.shapes is not None and node.shapes[at] is None else tensor}"


def _dims(name):
    """Formulas for images and volumes."""
    return lambda node: "SqueezeBackward1" if len(node.attrs["kernel"]) == 1 else f"{name.format(len(node.attrs['kernel']))}Backward0"


REFINED = {
    "sum": _axes("Sum"), "mean": _axes("Mean"), "prod": _axes("Prod"),
    "amax": lambda node: "MaxBackward1" if node.attrs["axis"] is None else "AmaxBackward0",
    "amin": lambda node: "MinBackward1" if node.attrs["axis"] is None else "AminBackward0",
    "power": lambda node: f"PowBackward{2 if node.shapes[0] is None else 0 if node.shapes[1] is None else 1}",
    "rsub": _number("Rsub", number=1, tensor=0), "remainder": _number("Remainder"), "fmod": _number("Fmod"),
    "lerp": _number("Lerp", at=2), "clip": lambda node: f"ClampBackward{int(all(s is None for s in node.shapes[1:]))}",
    "masked_fill": _number("MaskedFill", at=2), "max_pool": _dims("MaxPool{}DWithIndices"), "avg_pool": _dims("AvgPool{}D"),
}
