"""The functions of `ringgrad.nn.functional`, one file per family."""
from . import activation, attention, conv, dropout, loss, margin_loss, normalization, padding, pooling, sparse, vision

FAMILIES = (activation, attention, conv, dropout, loss, margin_loss, normalization, padding, pooling, sparse, vision)
NAMES = sorted(name for family in FAMILIES for name in family.__all__)
