"""Turning lists of samples into batches."""
