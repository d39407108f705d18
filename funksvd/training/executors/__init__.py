"""Executors: what runs kernels over the blocks of a plan, and hands results back in plan order."""

from funksvd.training.executors.base import Executor
from funksvd.training.executors.threads import Threads

__all__ = ["Executor", "Threads"]
