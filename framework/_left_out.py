"""Names of torch that are not here on purpose, and the way out of each.  `ringgrad.<name>` and `ringgrad.compat` read it when a name is missing.

A pattern may hold "*"; the first that fits counts.  Where a thing exists under such a name, it raises and says the same.
"""
from fnmatch import fnmatchcase

_QUANTIZED = "there are no quantized tensors; bfloat16 and float16 are the small types"
_NESTED = "there are no nested tensors; nn.utils.rnn packs and pads sequences of several lengths"
_MOBILE = "an inner function of torch's builds for telephones, AMD or Intel; nn.functional has the operation"
_COMPILER = "a part of torch's C++ compiler and interpreter; Python's own runs here"
_TRACED = "nothing is traced with symbolic sizes; sizes are int"
_FUNCTIONALIZED = "a helper of torch's functionalization, which does not exist here"
_SMALL = "NumPy has no arithmetic for it; bfloat16 and float16 are the small types"
_INNER = "names with an underscore are torch's own business; nn.functional, linalg or Tensor has what they do"
_BUILD = "it belongs to the way in which torch is built and tested; nothing here needs it"
_COLUMNS = "sparse tensors are COO or CSR here; use to_sparse() or to_sparse_csr()"
_CUDA_NAMES = "its names are ringgrad.cuda's own; a program under ringgrad.compat finds the module"
LEFT_OUT = {
    "Tensor.int_repr": "there are no quantized tensors; it raises NotImplementedError and says so",
    "torch.q_*": _QUANTIZED, "Tensor.q_*": _QUANTIZED, "Tensor.qscheme": _QUANTIZED, "torch.qscheme": _QUANTIZED, "torch.q*int*": _QUANTIZED,
    "torch.Q*Storage": _QUANTIZED, "torch.per_*": _QUANTIZED, "torch.quantize*": _QUANTIZED, "torch.dequantize": _QUANTIZED,
    "Tensor.dequantize": _QUANTIZED, "torch.quantization": _QUANTIZED, "torch.ao": _QUANTIZED, "torch.empty_quantized": _QUANTIZED,
    "torch.fake_quantize_*": _QUANTIZED, "torch.fused_moving_avg_obs_fake_quant": _QUANTIZED, "torch.fbgemm_*": _QUANTIZED,
    "torch.choose_qparams_optimized": _QUANTIZED, "torch._*quantize*": _QUANTIZED, "torch._*int4*": _QUANTIZED, "torch._*int8*": _QUANTIZED,
    "Tensor.reinforce": "torch removed it; it raises RuntimeError and says what took its place, as in torch",
    "Tensor.chalf": "NumPy has no complex numbers of 32 bits; complex64 holds them. It raises NotImplementedError and says so",
    "torch.float8_*": _SMALL, "torch.float4_*": _SMALL,
    "torch.int[1-7]": "torch itself computes nothing in integers of fewer than 8 bits; use int8",
    "torch.uint[1-7]": "torch itself computes nothing in integers of fewer than 8 bits; use uint8",
    "torch.bits*": "torch itself computes nothing in it; use uint8", "torch.bit": "torch itself computes nothing in it; use uint8",
    "Tensor.to_padded_tensor": "there are no nested tensors; it raises NotImplementedError and says so",
    "torch.jagged": _NESTED, "torch.nested": _NESTED, "torch._nested_*": _NESTED,
    "torch.masked": "there are no masked tensors; a tensor of bools beside the values, and where(), do their work",
    "torch.lobpcg": "an iterative eigensolver for sparse matrices; linalg.eigh takes dense ones",
    "torch.slice_inverse": _FUNCTIONALIZED, "Tensor.slice_inverse": _FUNCTIONALIZED, "torch._functional*": _FUNCTIONALIZED,
    "torch._*functional_tensor*": _FUNCTIONALIZED, "torch._*able_functionalization": _FUNCTIONALIZED,
    "torch.sym_fresh_size": _TRACED, "torch.sym_constrain_range*": _TRACED, "torch._sym_*": _TRACED,
    "torch.cond": "control flow for torch's compiler; Python's own runs here", "torch.while_loop": "see cond",
    "torch.export": "nothing is exported to torch's graphs; ringgrad.onnx.export writes models down",
    "torch.package": "use save and state_dict", "torch.import_ir_module*": _COMPILER, "torch.parse_*": _COMPILER, "torch.*Type": _COMPILER,
    "torch.Script*": _COMPILER, "torch.LiteScriptModule": _COMPILER, "torch.Graph*": _COMPILER, "torch.merge_type_from_type_comment": _COMPILER,
    "torch.unify_type_list": _COMPILER, "torch.CompilationUnit": _COMPILER, "torch.ErrorReport": _COMPILER, "torch.JITException": _COMPILER,
    "torch.Block": _COMPILER, "torch.Node": _COMPILER, "torch.Value": _COMPILER, "torch.Use": _COMPILER, "torch.Argument*": _COMPILER,
    "torch.AliasDb": _COMPILER, "torch.FunctionSchema": _COMPILER, "torch.FileCheck": _COMPILER, "torch.StaticModule": _COMPILER,
    "torch.DispatchKey*": "there is one dispatcher, ringgrad._core.op; ringgrad.library adds operations", "torch.Tag": "see DispatchKey",
    "torch.DisableTorchFunction*": "write `with ringgrad.no_grad()`; subclasses see operations through __torch_function__ of their own",
    "torch.native_channel_shuffle": "use channel_shuffle", "torch.native_norm": "use linalg.vector_norm",
    "torch.native_*": "inner functions of torch; nn.functional has what they do",
    "torch.batch_norm_*": "inner functions of torch's SyncBatchNorm; nn.SyncBatchNorm has what they do",
    "torch.cudnn_*": "an inner function of torch; nn.functional has the operation, with or without cuDNN",
    "torch._cudnn_*": "see cudnn_*", "torch.miopen_*": _MOBILE, "torch.mkldnn_*": _MOBILE, "torch._mkldnn*": _MOBILE, "torch.to_mkldnn": _MOBILE,
    "Tensor.to_mkldnn": _MOBILE, "torch._nnpack_*": _MOBILE, "torch._mps_*": _MOBILE, "torch.mtia": _MOBILE,
    "torch.has_*": "they ask how torch was compiled; ringgrad.backends says what is here",
    "torch.compiled_with_cxx11_abi": "it asks how torch was compiled", "torch.cpp": "there is no C++ here",
    "Tensor.grad_dtype": "gradients have the type of their tensor",
    "torch.sparse_csc*": _COLUMNS, "torch.sparse_bs*": _COLUMNS, "torch.sparse_compressed_tensor": _COLUMNS, "Tensor.to_sparse_csc": _COLUMNS,
    "Tensor.to_sparse_bs*": _COLUMNS, "Tensor.ccol_indices": _COLUMNS, "Tensor.row_indices": _COLUMNS, "torch.ccol_indices_copy": _COLUMNS,
    "torch.row_indices_copy": _COLUMNS, "torch.*_indices_copy": "use .clone() of the indices", "torch.indices_copy": "use .indices().clone()",
    "torch.values_copy": "use .values().clone()", "torch.?smm": "use sparse.mm", "torch.smm": "use sparse.mm", "Tensor.smm": "use sparse.mm",
    "torch.hspmm": "use sparse.mm", "torch.saddmm": "use sparse.addmm", "torch.sspaddmm": "use sparse.addmm", "Tensor.sspaddmm": "use sparse.addmm",
    "torch.resize_as_sparse_": _COLUMNS, "Tensor.resize_as_sparse_": _COLUMNS, "Tensor.sparse_resize*": "make a new one with sparse_coo_tensor",
    "torch.get_device_module": "ringgrad.cuda and ringgrad.cpu are the modules",
    "torch.AcceleratorError": "CuPy's own errors come through; OutOfMemoryError is torch's",
    "torch.functional": "its functions are ringgrad's own; a program under ringgrad.compat finds the module",
    "torch.storage": "a program under ringgrad.compat finds the module; Tensor.untyped_storage gives the memory", "torch.Storage": "see storage",
    "torch.StorageBase": "see storage", "torch.version": "a program under ringgrad.compat finds the module; ringgrad.__version__ is ours",
    "torch.torch_version": "see version", "torch.torch": "write the module's name",
    "torch.profiler_*": "use ringgrad.profiler", "torch.monitor": "use utils.tensorboard",
    "torch.cuda.jiterator": "elementwise bodies stand with their operation (op(cuda=...)); cupy.ElementwiseKernel makes others",
    "torch.cuda.GreenContext": "CuPy has no contexts on a part of a GPU; a Stream with a priority is the nearest",
    "torch.cuda.CUDAPluggableAllocator": "cupy.cuda.set_allocator takes a function, before ringgrad's first CUDA tensor",
    "torch.cuda.change_current_allocator": "see CUDAPluggableAllocator", "torch.cuda.caching_allocator_*abled": "see CUDAPluggableAllocator",
    "torch.cuda.caching_allocator_enable": "see CUDAPluggableAllocator",
    "torch.cuda.*host_memory_stats*": "CuPy's pool of pinned memory keeps no accounts",
    "torch.cuda.tunable": "cuBLASLt's heuristics choose; nothing is tuned at run time", "torch.cuda.sparse": "it is empty in torch",
    "torch.cuda.*Storage": "a program makes a tensor; Tensor.untyped_storage gives its memory",
    "torch.cuda.graphs": _CUDA_NAMES, "torch.cuda.memory": _CUDA_NAMES, "torch.cuda.random": _CUDA_NAMES, "torch.cuda.streams": _CUDA_NAMES,
    "torch.signal": "windows are ringgrad's own, as hann_window",
    "torch._scaled_*": _SMALL, "torch._fused_*": "use the optimizer with fused=True", "torch._sparse_*": _INNER,
}

_COMPILER_NAMES = """
    BufferDict CallStack Capsule Code CompleteArgumentSpec ConcreteModuleTypeBuilder DeepCopyMemoTable DeserializationStorageContext ExecutionPlan
    FatalError Gradient IODescriptor LockingLogger LoggerBase ModuleDict NoopLogger OperatorInfo ParameterDict PyTorchFileReader PyTorchFileWriter
    SerializationStorageContext TracingState"""
_BUILD_NAMES = """
    AVG SUM AggregationType BenchmarkConfig BenchmarkExecutionStats ExcludeDispatchKeyGuard PRIVATE_OPS TYPE_CHECKING ThroughputBenchmark
    USE_GLOBAL_DEPS USE_RTLD_GLOBAL_WITH_LIBTORCH classes classproperty get_file_path init_num_threads legacy_contiguous_format
    prepare_multiprocessing_environment quasirandom return_types windows"""
for _names, _why in ((_COMPILER_NAMES, _COMPILER), (_BUILD_NAMES, _BUILD)):
    LEFT_OUT.update({f"torch.{_name}": _why for _name in _names.split()})


LEFT_OUT["torch._*"] = _INNER  # after all others


def reason(path):
    """Why torch's `path` ("torch.lobpcg", "Tensor.q_scale") is not here; "" for a name that is in no list."""
    return next((why for pattern, why in LEFT_OUT.items() if fnmatchcase(path, pattern)), "")
