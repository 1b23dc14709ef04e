"""NVIDIA's libraries, called through ctypes: cuBLASLt for products of matrices, cuDNN for convolutions.

`loading` finds and opens them, `cublaslt` and `cudnn` say what they are told, in their words; both know addresses and numbers, no arrays.
Which library does what, chosen once per process, is asked of `choice`; `framework/kernels` calls it.
"""
