"""The reductions of losses as torch's older code numbers them: 0 none, 1 mean, 2 sum."""
import warnings

NUMBERS = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction):
    """The number of a reduction's name."""
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2)
        return 1
    if reduction not in NUMBERS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return NUMBERS[reduction]


def legacy_get_string(size_average, reduce, emit_warning=True):
    """The reduction that size_average and reduce, the words of before torch 0.4, mean."""
    mean, whole = size_average is None or size_average, reduce is None or reduce
    word = "mean" if mean and whole else "sum" if whole else "none"
    if emit_warning:
        warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{word}' instead.", stacklevel=2)
    return word


def legacy_get_enum(size_average, reduce, emit_warning=True):
    """The number of `legacy_get_string`."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
