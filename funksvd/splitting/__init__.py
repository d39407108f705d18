"""Splitting: ratings to learn from, for validation and for the test."""

from funksvd.splitting.folds import (
    Fold,
    Folds,
    by_time,
    leave_last_out,
    per_user_folds,
    random_folds,
)
from funksvd.splitting.holdout import Holdout, check_disjoint, hold_out, is_in
from funksvd.splitting.provenance import Provenance
from funksvd.splitting.random import in_part, part_to_spare, random_part, random_split
from funksvd.splitting.rebuilding import rebuild, split_again, with_whole

__all__ = [
    "Fold",
    "Folds",
    "Holdout",
    "Provenance",
    "by_time",
    "check_disjoint",
    "hold_out",
    "in_part",
    "is_in",
    "leave_last_out",
    "part_to_spare",
    "per_user_folds",
    "random_folds",
    "random_part",
    "random_split",
    "rebuild",
    "split_again",
    "with_whole",
]
