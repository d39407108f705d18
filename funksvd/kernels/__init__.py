"""Every compiled function: arrays in, arrays changed. The only part that uses numba.

A kernel and all it calls live in one file, because the compilation cache notices changes file by
file. Nothing is compiled at import.
"""

from funksvd.kernels.blocks import count_blocks, count_rows, fill_blocks, take_turns
from funksvd.kernels.scoring import exclude_items, predict_block, top_items
from funksvd.kernels.sgd import padded_rows, sgd_block, squared_error_of_block

__all__ = [
    "count_blocks",
    "count_rows",
    "exclude_items",
    "fill_blocks",
    "padded_rows",
    "predict_block",
    "sgd_block",
    "squared_error_of_block",
    "take_turns",
    "top_items",
]
