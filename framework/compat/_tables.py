"""Where torch's modules live here, for those whose path differs.  Everything else has the same path: torch.nn.init is ringgrad.nn.init."""

ROOTS = {"torch": "ringgrad", "torchvision": "ringgrad.vision"}

# Parts of ringgrad that torch has not, or has under this name as something else, by root.
HIDDEN = {"torch": {"compat", "kernels", "launch", "ops", "vision"}}

# torch's module -> the module that is the same thing here.
ALIASES = {
    "torch.version": "ringgrad.compat.version",
    "torch.torch_version": "ringgrad.compat.version",
    "torch.ops": "ringgrad.compat._operators",
    "torch._C": "ringgrad.compat._c",
    "torch._utils": "ringgrad.compat._torch_utils",
    "torch._six": "ringgrad.compat._six",
    "torch._dynamo": "ringgrad.compiler",
    "torch._dynamo.eval_frame": "ringgrad.compat._dynamo",
    "torch._tensor_str": "ringgrad.compat._tensor_str",
    "torch.__config__": "ringgrad.__config__",
    "torch._C._nn": "ringgrad.compat._c_nn",
    "torch._dynamo._trace_wrapped_higher_order_op": "ringgrad.compat._dynamo",
    "torch._inductor": "ringgrad.compiler",
    "torch._functorch": "ringgrad.compiler",
    "torch.cuda.comm": "ringgrad.nn.parallel.comm",
    "torch.distributed.run": "ringgrad.compat.torchrun",
    "torch.distributed.launch": "ringgrad.compat.torchrun",
    "torch.distributed._tensor.device_mesh": "ringgrad.distributed.device_mesh",
}

# torch's module -> the modules here among which its names are spread.
VIEWS = {
    "torch.functional": "ringgrad",
    "torch._tensor": "ringgrad",
    "torch._subclasses": "ringgrad.compat._fake",
    "torch._subclasses.fake_tensor": "ringgrad.compat._fake",
    "torch._jit_internal": "ringgrad.jit.annotations ringgrad.jit",
    "torch.storage": "ringgrad",
    "torch.tensor": "ringgrad",
    "torch.autograd.variable": "ringgrad.autograd",
    "torch.autograd.grad_mode": "ringgrad.autograd ringgrad",
    "torch.autograd.anomaly_mode": "ringgrad.autograd",
    "torch.autograd.function": "ringgrad.autograd",
    "torch.autograd.gradcheck": "ringgrad.autograd",
    "torch.autograd.profiler": "ringgrad.profiler",
    "torch.cuda.streams": "ringgrad.cuda",
    "torch.cuda.memory": "ringgrad.cuda",
    "torch.cuda.random": "ringgrad.cuda",
    "torch.cuda.graphs": "ringgrad.cuda",
    "torch.cuda.amp": "ringgrad.cuda.amp ringgrad.amp",
    "torch.cuda.amp.autocast_mode": "ringgrad.cuda.amp ringgrad.amp",
    "torch.cuda.amp.grad_scaler": "ringgrad.cuda.amp ringgrad.amp",
    "torch.cpu.amp": "ringgrad.amp._cpu_names ringgrad.amp",
    "torch.cpu.amp.autocast_mode": "ringgrad.amp._cpu_names ringgrad.amp",
    "torch.cpu.amp.grad_scaler": "ringgrad.amp._cpu_names ringgrad.amp",
    "torch.amp.autocast_mode": "ringgrad.amp",
    "torch.amp.grad_scaler": "ringgrad.amp",
    "torch.nn.parallel.distributed": "ringgrad.nn.parallel",
    "torch.nn.parallel.data_parallel": "ringgrad.nn.parallel",
    "torch.nn.parallel.scatter_gather": "ringgrad.nn.parallel",
    "torch.nn.parallel.parallel_apply": "ringgrad.nn.parallel",
    "torch.nn.parallel.replicate": "ringgrad.nn.parallel",
    "torch.nn.parallel.comm": "ringgrad.nn.parallel",
    "torch.nn.parallel._functions": "ringgrad.nn.parallel",
    "torch.nn.utils.clip_grad": "ringgrad.nn.utils",
    "torch.nn.utils.convert_parameters": "ringgrad.nn.utils",
    "torch.nn.utils.weight_norm": "ringgrad.nn.utils",
    "torch.nn.utils.spectral_norm": "ringgrad.nn.utils",
    "torch.nn.utils.fusion": "ringgrad.nn.utils",
    "torch.nn.utils.init": "ringgrad.nn.utils",
    "torch.nn.utils.memory_format": "ringgrad.nn.utils",
    "torch.distributed.distributed_c10d": "ringgrad.distributed",
    "torch.distributed.constants": "ringgrad.distributed",
    "torch.distributed.rendezvous": "ringgrad.distributed",
    "torch.distributed.utils": "ringgrad.distributed",
    "torch.distributed._composable": "ringgrad.distributed",
    "torch.utils.tensorboard.writer": "ringgrad.utils.tensorboard",
    "torch.multiprocessing.spawn": "ringgrad.multiprocessing",
    "torch.multiprocessing.reductions": "ringgrad.multiprocessing",
    "torch.profiler.profiler": "ringgrad.profiler",
    "torch.testing._internal": "ringgrad.testing",
    "torch.testing._internal.common_utils": "ringgrad.testing",
    "torch.fx.experimental": "ringgrad.fx",
    "torch.fx.experimental.proxy_tensor": "ringgrad.compat._fake",
}
VIEWS.update({f"torch.nn.modules.{name}": "ringgrad.nn.modules ringgrad.nn" for name in (
    "activation", "adaptive", "batchnorm", "channelshuffle", "container", "conv", "distance", "dropout", "flatten", "fold", "instancenorm", "lazy",
    "linear", "loss", "module", "normalization", "padding", "pixelshuffle", "pooling", "rnn", "sparse", "transformer", "upsampling", "utils")})
VIEWS.update({f"torch.optim.{name}": "ringgrad.optim" for name in (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd", "lbfgs", "lr_scheduler", "nadam", "optimizer", "radam", "rmsprop", "rprop",
    "sgd", "sparse_adam", "swa_utils")})
VIEWS.update({f"torch.distributions.{name}": "ringgrad.distributions" for name in (
    "bernoulli", "beta", "binomial", "categorical", "cauchy", "chi2", "constraint_registry", "constraints", "continuous_bernoulli", "dirichlet",
    "distribution", "exp_family", "exponential", "fishersnedecor", "gamma", "geometric", "gumbel", "half_cauchy", "half_normal", "independent",
    "inverse_gamma", "kl", "kumaraswamy", "laplace", "lkj_cholesky", "log_normal", "logistic_normal", "lowrank_multivariate_normal",
    "mixture_same_family", "multinomial", "multivariate_normal", "negative_binomial", "normal", "one_hot_categorical", "pareto", "poisson",
    "relaxed_bernoulli", "relaxed_categorical", "studentT", "transformed_distribution", "transforms", "uniform", "utils", "von_mises", "weibull",
    "wishart")})
VIEWS.update({"torchvision.models.mobilenet": "ringgrad.vision.models",
              "torchvision.models._api": "ringgrad.vision.models._build ringgrad.vision.models"})
VIEWS.update({f"torchvision.datasets.{name}": "ringgrad.vision.datasets" for name in (
    "cifar", "dtd", "eurosat", "fakedata", "flowers102", "folder", "food101", "gtsrb", "mnist", "omniglot", "oxford_iiit_pet", "stl10", "svhn",
    "usps", "utils", "vision", "voc")})
VIEWS.update({f"torchvision.transforms.{name}": "ringgrad.vision.transforms" for name in ("autoaugment", "transforms", "functional_tensor")})
VIEWS.update({f"torchvision.ops.{name}": "ringgrad.vision.ops" for name in (
    "boxes", "focal_loss", "misc", "poolers", "roi_align", "roi_pool", "stochastic_depth",
    "ciou_loss", "diou_loss", "giou_loss", "ps_roi_align", "ps_roi_pool")})
VIEWS["torchvision.ops.feature_pyramid_network"] = "ringgrad.vision.ops.feature_pyramid ringgrad.vision.ops"

# torch's modules that are not built: the names in them import, and refuse with a sentence when they are called.
UNBUILT = {
    "torch.distributed.fsdp": "FullyShardedDataParallel FSDPModule MixedPrecision MixedPrecisionPolicy CPUOffload CPUOffloadPolicy OffloadPolicy "
                              "ShardingStrategy BackwardPrefetch StateDictType FullStateDictConfig ShardedStateDictConfig LocalStateDictConfig "
                              "FullOptimStateDictConfig ShardedOptimStateDictConfig StateDictConfig OptimStateDictConfig StateDictSettings "
                              "UnshardHandle fully_shard register_fsdp_forward_method",
    "torch.distributed.fsdp.fully_sharded_data_parallel": "FullyShardedDataParallel CPUOffload MixedPrecision BackwardPrefetch ShardingStrategy "
                                                          "StateDictType FullStateDictConfig FullOptimStateDictConfig",
    "torch.distributed.fsdp.wrap": "size_based_auto_wrap_policy transformer_auto_wrap_policy always_wrap_policy lambda_auto_wrap_policy "
                                   "enable_wrap wrap ModuleWrapPolicy CustomPolicy",
    "torch.distributed.fsdp.sharded_grad_scaler": "ShardedGradScaler",
    "torch.distributed._composable.fsdp": "fully_shard FSDPModule MixedPrecisionPolicy CPUOffloadPolicy OffloadPolicy",
    "torch.distributed.rpc": "init_rpc shutdown rpc_sync rpc_async remote get_worker_info RRef WorkerInfo TensorPipeRpcBackendOptions "
                             "RpcBackendOptions BackendType",
    "torch.distributed.autograd": "DistAutogradContext context backward get_gradients",
    "torch.distributed.tensor": "DTensor distribute_tensor distribute_module "
                                "zeros ones empty full rand randn",
    "torch.distributed._tensor": "DTensor distribute_tensor distribute_module "
                                 "zeros ones empty full rand randn",
    "torch.distributed.tensor.placement_types": "",
    "torch.distributed.tensor.parallel": "ColwiseParallel RowwiseParallel SequenceParallel PrepareModuleInput PrepareModuleOutput "
                                         "ParallelStyle parallelize_module loss_parallel",
    "torch.distributed.pipelining": "pipeline PipelineStage ScheduleGPipe Schedule1F1B SplitPoint pipe_split",
    "torch.distributed.checkpoint": "save load async_save load_state_dict save_state_dict FileSystemReader FileSystemWriter DefaultSavePlanner "
                                    "DefaultLoadPlanner",
    "torch.distributed.checkpoint.default_planner": "DefaultSavePlanner DefaultLoadPlanner _EmptyStateDictLoadPlanner",
    "torch.distributed.checkpoint.format_utils": "dcp_to_torch_save torch_save_to_dcp",
    "torch.distributed.checkpoint.optimizer": "load_sharded_optimizer_state_dict",
    "torch.distributed.checkpoint.state_dict_loader": "load load_state_dict _load_state_dict",
    "torch.distributed.checkpoint.state_dict_saver": "save save_state_dict async_save",
    "torch.distributed.optim": "ZeroRedundancyOptimizer DistributedOptimizer PostLocalSGDOptimizer",
    "torch.distributed.algorithms.model_averaging": "",
    "torch.distributed.algorithms.model_averaging.averagers": "PeriodicModelAverager ModelAverager",
    "torch.distributed.algorithms.ddp_comm_hooks.post_localSGD_hook": "PostLocalSGDState post_localSGD_hook",
    "torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook": "PowerSGDState powerSGD_hook batched_powerSGD_hook",
    "torch.distributed.checkpoint.stateful": "Stateful",
    "torch.distributed.elastic.multiprocessing.errors": "ChildFailedError ErrorHandler get_error_handler",
    "torch.ao.quantization": "quantize quantize_dynamic prepare prepare_qat convert get_default_qconfig get_default_qat_qconfig QConfig QuantStub "
                             "DeQuantStub QuantWrapper fuse_modules default_qconfig float_qparams_weight_only_qconfig get_default_qconfig_mapping",
    "torch.quantization": "quantize quantize_dynamic prepare prepare_qat convert get_default_qconfig get_default_qat_qconfig QConfig QuantStub "
                          "DeQuantStub QuantWrapper fuse_modules default_qconfig",
    "torch.ao.quantization.quantize_fx": "prepare_fx prepare_qat_fx convert_fx fuse_fx",
    "torch.export": "export save load Dim ExportedProgram",
    "torch.package": "PackageExporter PackageImporter",
    "torch.nested": "nested_tensor as_nested_tensor to_padded_tensor narrow nested_tensor_from_jagged",
    "torch.masked": "MaskedTensor masked_tensor as_masked_tensor is_masked_tensor",
    "torch.utils.cpp_extension": "load load_inline CppExtension CUDAExtension BuildExtension include_paths",
    "torch.utils.mobile_optimizer": "optimize_for_mobile",
}
UNBUILT_PARENTS = ("torch.distributed.elastic", "torch.distributed.elastic.multiprocessing", "torch.ao")

# Names of such modules that are built, and where: (module, names).
_PLACES = ("ringgrad.distributed.placements", ("DeviceMesh", "Partial", "Placement", "Replicate", "Shard", "init_device_mesh"))
_UNAVAILABLE = ("ringgrad.compat._unavailable", ("is_available",))
BORROWED = {"torch.distributed.rpc": _UNAVAILABLE, "torch.distributed.autograd": _UNAVAILABLE,
            **dict.fromkeys(("torch.distributed.tensor", "torch.distributed._tensor", "torch.distributed.tensor.placement_types"), _PLACES)}

# Names of torch's compiler and of its types that programs mention, in annotations or to compare with: they import, and refuse when they are called.
MENTIONED = {"torch": ("PyTorchFileReader", "PyTorchFileWriter", "ScriptModule", "StorageBase", "TensorType"),
             "torch._C": ("PyTorchFileReader", "PyTorchFileWriter", "ScriptModule", "TensorType")}
