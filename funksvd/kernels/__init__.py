"""Every compiled function: arrays in, arrays changed. The only part that uses numba.

A kernel and all it calls live in one file, because the compilation cache notices changes file by
file. Nothing is compiled at import.
"""

from funksvd.kernels.scoring import exclude_items, predict_block, top_items
from funksvd.kernels.sgd import padded_rows, sgd_block

__all__ = ["exclude_items", "padded_rows", "predict_block", "sgd_block", "top_items"]
