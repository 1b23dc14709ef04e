"""torch.jit.annotations: the names of types, for programs that import them from here."""
from typing import Any, Callable, Dict, List, Optional, Tuple, Union  # noqa: UP035 - torch's names

from .._core.tensor import Tensor

__all__ = ["Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Callable", "Dict", "List", "Optional", "Tensor", "Tuple", "Union"]


class _BroadcastingList:
    """BroadcastingList2[int]: a list of two, or one number that stands for both."""

    def __getitem__(self, kind):
        return List[kind]  # noqa: UP006


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = _BroadcastingList()
