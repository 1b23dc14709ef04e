"""Decoded files."""
from .._decorator import functional_datapipe
from .._length import length_of
from ..datapipe import IterDataPipe
from ..utils.common import _deprecation_warning
from ..utils.decoder import Decoder, basichandlers, extension_extract_fn, imagehandler

__all__ = ["RoutedDecoderIterDataPipe"]


@functional_datapipe("routed_decode")
class RoutedDecoderIterDataPipe(IterDataPipe[tuple]):
    """(path, decoded data) of every (path, stream) (method `routed_decode`; deprecated by torch).

    handlers: called with (key, data) in this order until one gives something else than None; by default those for text, numbers, json,
    pickle, pt and images;  key_fn: path -> key, by default its extension.
    """

    def __init__(self, datapipe, *handlers, key_fn=extension_extract_fn):
        self.datapipe = datapipe
        self.decoder = Decoder(*(handlers or (basichandlers, imagehandler("torch"))), key_fn=key_fn)
        _deprecation_warning(type(self).__name__, deprecation_version="1.12", removal_version="1.13", old_functional_name="routed_decode")

    def add_handler(self, *handler):
        """Put handlers before those that there are."""
        self.decoder.add_handler(*handler)

    def __iter__(self):
        for data in self.datapipe:
            yield data[0], self.decoder(data)[data[0]]

    def __len__(self):
        return length_of(self, self.datapipe)
