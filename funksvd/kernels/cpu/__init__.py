"""Kernels for the processor; each is compiled at its first call."""
