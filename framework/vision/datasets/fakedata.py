"""Random pictures, for trying a program out."""
import numpy as np
from PIL import Image

from .vision import VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """`size` pictures of `image_size` (C, H, W) in `num_classes` classes.  Sample i is always the same: its seed is i + random_offset.

    IndexError for an index beyond `size`.
    """

    def __init__(self, size=1000, image_size=(3, 224, 224), num_classes=10, transform=None, target_transform=None, random_offset=0):
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes, self.random_offset = size, image_size, num_classes, random_offset

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        rng = np.random.Generator(np.random.Philox(key=index + self.random_offset))
        pixels = rng.integers(0, 256, self.image_size, np.uint8).transpose(1, 2, 0)
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
        return self._transformed(image, int(rng.integers(self.num_classes)))

    def __len__(self):
        return self.size
