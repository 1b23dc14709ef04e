"""Checkpointing of activations, applied to the modules of a model."""
