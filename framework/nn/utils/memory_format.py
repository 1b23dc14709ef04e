"""Memory formats of convolution weights."""
from ..modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d


def _converter(d, kinds):
    def convert(module, memory_format):
        for part in module.modules():
            if isinstance(part, kinds):
                part.weight.data = part.weight.detach().clone(memory_format=memory_format)
        return module
    convert.__name__ = convert.__qualname__ = f"convert_conv{d}d_weight_memory_format"
    convert.__doc__ = (f"Bring the weights of all {d}-dimensional convolutions of `module` into `memory_format`, as far as this library has such "
                       "formats: values and results stay the same.  Returns the module.")
    return convert


convert_conv2d_weight_memory_format = _converter(2, (Conv2d, ConvTranspose2d))
convert_conv3d_weight_memory_format = _converter(3, (Conv3d, ConvTranspose3d))

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]
