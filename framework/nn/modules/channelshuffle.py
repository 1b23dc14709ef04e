"""The layer that deals the channels of groups round."""
from .. import functional as F
from .module import Module


class ChannelShuffle(Module):
    """Channels of g groups, dealt round."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        """(N, C, *) -> (N, C, *)"""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self):
        return f"groups={self.groups}"


__all__ = ["ChannelShuffle"]
