"""Algorithms: what one epoch of each of them does."""
