"""Asks cuDNN itself to plan for an H200 that is not there; a line for each row.  Run by test_cudnn_plans with a stand-in for the driver."""
import ctypes
import json
import sys

from ringgrad._libraries import cudnn, loading
from ringgrad._libraries.attention import Attention
from ringgrad._libraries.convolution import Convolution
from ringgrad.kernels import flash, packed_attention
from ringgrad.ops import _layout as layout

H200 = {"deviceName": "NVIDIA H200", "cudaDeviceId": 0, "deviceVer": 900, "driverVer": 13000, "totalGlobalMem": 150 * 10**9,
        "maxGridSize": [2**31 - 1, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536, "multiProcessorCount": 132, "warpSize": 32,
        "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448, "oversizedSharedMemoryPerBlock": 0,
        "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
        "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "smClockRateKHz": 1980000, "memClockRateKHz": 3201000, "memoryBusWidth": 6144,
        "l2CacheSize": 62914560}

IMAGES = {  # sizes of weight, input, output; stride, padding, dilation
    "3x3": ((128, 64, 3, 3), (32, 64, 28, 28), (32, 128, 28, 28), (1, 1), (1, 1), (1, 1)),
    "first": ((64, 3, 7, 7), (32, 3, 224, 224), (32, 64, 112, 112), (2, 2), (3, 3), (1, 1)),
    "depthwise": ((64, 1, 3, 3), (32, 64, 28, 28), (32, 64, 28, 28), (1, 1), (1, 1), (1, 1)),
    "groups, dilated": ((64, 16, 3, 3), (8, 32, 28, 28), (8, 64, 24, 24), (1, 1), (0, 0), (2, 2)),
    "1d": ((64, 32, 1, 5), (8, 32, 1, 100), (8, 64, 1, 100), (1, 1), (0, 2), (1, 1)),
    "3d": ((32, 16, 3, 3, 3), (4, 16, 8, 20, 20), (4, 32, 8, 20, 20), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
}
ATTENTION = {  # heads of queries and keys, length, features; the shape of a mask, causal, dropout, the same bits
    "gpt": (12, 12, 1024, 64, None, True, 0.0, False), "dropout": (6, 6, 256, 64, None, True, 0.2, False),
    "not causal, odd length": (8, 8, 197, 64, None, False, 0.0, False), "deterministic": (12, 12, 512, 64, None, True, 0.0, True),
    "shared heads": (32, 8, 512, 128, None, True, 0.0, False), "padding": (12, 12, 77, 64, (4, 1, 1, 77), False, 0.1, False),
    "mask": (12, 12, 128, 64, (128, 128), False, 0.0, False), "mask of heads": (12, 12, 100, 64, (4, 12, 100, 100), False, 0.0, False),
}
LEARNT = {  # the shape of a mask that learns, heads of keys of 12, dropout
    "bias of heads learns": ((1, 12, 128, 128), 12, 0.0), "one bias learns": ((128, 128), 12, 0.0),
    "odd bias of the batch learns": ((4, 1, 77, 77), 12, 0.1), "bias of shared heads learns": ((4, 12, 128, 128), 4, 0.0),
}
PACKED = {  # heads of queries and keys, largest lengths, features, window, the same bits
    "packed": (12, 12, 512, 512, 64, (None, None), False), "packed gpt": (12, 12, 512, 512, 64, (None, 0), False),
    "packed shared heads": (32, 8, 512, 512, 128, (None, 0), False), "packed cross": (4, 4, 640, 128, 64, (None, 0), False),
    "packed window": (12, 12, 512, 512, 64, (100, 20), False), "packed narrow": (4, 4, 128, 128, 8, (5, None), False),
    "packed deterministic": (12, 12, 512, 512, 64, (None, 0), True),
}


def convolutions():
    """(what is asked for, Convolution)"""
    for name, (w, x, y, *geometry) in IMAGES.items():
        for dtype in ("float16", "bfloat16", "float32", "float64"):
            for last in (True, False):
                told = [(sizes, layout.steps(sizes, last)) for sizes in (w, x, y)]
                for operation, bias in (("forward", True), ("forward", False), ("data", False), ("filter", False)):
                    said = f"{name} {dtype} channels {'last' if last else 'first'} {operation}{' with bias' * bias}"
                    yield said, Convolution(operation, dtype, *told, *geometry, bias, False, False, 16)


def attentions():
    """(what is asked for, Attention)"""
    for name, (heads, groups, rows, d, mask, causal, dropout, same_bits) in ATTENTION.items():
        bias = mask and flash._repeated(mask, (4, heads, rows, rows))
        q, k = ((4, heads, rows, d), flash.heads_between((4, heads, rows, d))), ((4, groups, rows, d), flash.heads_between((4, groups, rows, d)))
        for backward in (False, True):
            what = Attention(backward, "bfloat16", q, k, k, q, q, k, k, bias, causal, dropout, same_bits)
            yield f"{name} {'backward' if backward else 'forward'}", what


    for name, (mask, groups, dropout) in LEARNT.items():
        rows = mask[-1]
        q, k = [((4, heads, rows, 64), flash.heads_between((4, heads, rows, 64))) for heads in (12, groups)]
        bias = flash._repeated(mask, (4, 12, rows, rows))
        yield name, Attention(True, "bfloat16", q, k, k, q, q, k, k, bias, False, dropout, False, True)
    for name, (heads, groups, rows, keys, d, window, same_bits) in PACKED.items():
        q, k = packed_attention.described(4, heads, rows, d), packed_attention.described(4, groups, keys, d)
        for backward in (False, True):
            what = Attention(backward, "bfloat16", q, k, k, q, q, k, k, None, False, 0.0, same_bits, False, window)
            yield f"{name} {'backward' if backward else 'forward'}", what


def main(driver):
    """Prints "workspace: what", or "none: what" where the library has no way."""
    ctypes.CDLL(driver, mode=ctypes.RTLD_GLOBAL)
    library = cudnn.opened(loading.open_library("cudnn")[0])
    planner = cudnn.Planner(library, cudnn.absent_device(library, json.dumps(H200)))
    for said, what in (*convolutions(), *attentions()):
        plans = planner.plans(what)
        print(f"{plans[0].workspace if plans else 'none'}: {said}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
