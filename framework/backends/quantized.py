"""torch.backends.quantized: there are no quantized operations; the name of the engine is kept."""

engine = "none"
supported_engines = ["none"]
