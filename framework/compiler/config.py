"""torch._dynamo.config and torch.compiler.config: any setting is kept, and none means anything here."""

verbose = False
suppress_errors = False
cache_size_limit = 8
recompile_limit = 8
optimize_ddp = True
capture_scalar_outputs = False
automatic_dynamic_shapes = True
