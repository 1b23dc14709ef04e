"""Images of several sizes in one tensor."""

__all__ = ["ImageList"]


class ImageList:
    """tensors: (N, C, H, W), each image in its upper left corner;  image_sizes: [(height, width), ...]."""

    def __init__(self, tensors, image_sizes):
        self.tensors, self.image_sizes = tensors, image_sizes

    def to(self, device):
        """The same on another device."""
        return ImageList(self.tensors.to(device), self.image_sizes)
