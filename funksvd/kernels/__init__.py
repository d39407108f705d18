"""Every compiled function: arrays in, arrays changed. The only part that uses numba.

Nothing is compiled at import. A change in any of these files makes what was compiled out of date.
"""

from funksvd.kernels.compiling import PORTABLE, cache_folder, telling_of_compilation
from funksvd.kernels.cpu.alternating import (
    add_gram,
    diagonalize,
    rotate_rows,
    solve_rows,
    start_row,
)
from funksvd.kernels.cpu.batches import Table, add_gradients, run_batches, update_rows
from funksvd.kernels.cpu.biases import add_residuals, sweep
from funksvd.kernels.cpu.blocks import (
    count_blocks,
    count_rows,
    fill_records,
    pack_records,
    unpack_in_turns,
)
from funksvd.kernels.cpu.choosing import (
    LEAST_CHOICE,
    diversify,
    fold_choices,
    score_both,
    weigh_choices,
)
from funksvd.kernels.cpu.days import fit_days, subtract_days, sum_day_squares
from funksvd.kernels.cpu.folding import fold_rows, weigh_ratings
from funksvd.kernels.cpu.gibbs import draw_days, draw_rows, draw_weights
from funksvd.kernels.cpu.grouping import group_by_row, group_with_levels, rows_with_repeats
from funksvd.kernels.cpu.incremental import (
    feature_block,
    squared_error_of_feature,
    subtract_feature,
)
from funksvd.kernels.cpu.losses import SCALAR_LOSSES, turn_into_probabilities
from funksvd.kernels.cpu.matrices import add_products, factorize, multiply
from funksvd.kernels.cpu.optimizers import RULES
from funksvd.kernels.cpu.parsing import parse_rows
from funksvd.kernels.cpu.probit import distinct_values, find_probabilities, fit_probit
from funksvd.kernels.cpu.products import TILE_ITEMS
from funksvd.kernels.cpu.regression import (
    add_cross,
    add_weighted_gram,
    combine_rows,
    solve_ridge,
)
from funksvd.kernels.cpu.scoring import (
    GROUP_USERS,
    LOST_IN_SQUARES,
    add_day_biases,
    deviate_block,
    exclude_items,
    find_pairs,
    leave_each_out,
    pack_items,
    predict_block,
    rank_each_item,
    rank_items,
)
from funksvd.kernels.cpu.sgd import cost_of_block, sgd_block
from funksvd.kernels.cpu.sums import multiply_rows, sum_columns, sum_squares, sum_values
from funksvd.kernels.cpu.svdpp import add_rows, hand_back, svdpp_block
from funksvd.kernels.vectors import LANES, padded_rows

__all__ = [
    "GROUP_USERS",
    "LANES",
    "LEAST_CHOICE",
    "LOST_IN_SQUARES",
    "PORTABLE",
    "RULES",
    "SCALAR_LOSSES",
    "TILE_ITEMS",
    "Table",
    "add_cross",
    "add_day_biases",
    "add_gradients",
    "add_gram",
    "add_normal_equations",
    "add_products",
    "add_residuals",
    "add_rows",
    "add_weighted_gram",
    "cache_folder",
    "combine_rows",
    "cost_of_block",
    "count_blocks",
    "count_rows",
    "deviate_block",
    "diagonalize",
    "distinct_values",
    "diversify",
    "draw_days",
    "draw_rows",
    "draw_weights",
    "exclude_items",
    "factorize",
    "feature_block",
    "fill_records",
    "find_pairs",
    "find_probabilities",
    "fit_days",
    "fit_probit",
    "fold_choices",
    "fold_rows",
    "group_by_row",
    "group_with_levels",
    "hand_back",
    "leave_each_out",
    "multiply",
    "multiply_rows",
    "pack_items",
    "pack_records",
    "padded_rows",
    "parse_rows",
    "predict_block",
    "rank_each_item",
    "rank_items",
    "rotate_rows",
    "rows_with_repeats",
    "run_batches",
    "score_both",
    "sgd_block",
    "solve_ridge",
    "solve_rows",
    "squared_error_of_feature",
    "start_row",
    "subtract_days",
    "subtract_feature",
    "sum_columns",
    "sum_day_squares",
    "sum_squares",
    "sum_values",
    "svdpp_block",
    "sweep",
    "telling_of_compilation",
    "turn_into_probabilities",
    "unpack_in_turns",
    "update_rows",
    "weigh_choices",
    "weigh_ratings",
]
