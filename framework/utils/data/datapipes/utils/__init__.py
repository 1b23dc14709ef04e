"""Helpers of data pipes: files and streams, decoders, restoring a position."""
