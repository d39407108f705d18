"""Kinds of split, by the names they have on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funksvd import Ratings
    from funksvd.splitting import Folds

SPLITS = ("random", "per-user", "leave-last-out", "by-time")


def split_ratings(
    ratings: Ratings, split: str, *, n_folds: int, fraction: float, n_last: int, seed: int
) -> Folds:
    """Folds of a kind that `SPLITS` names; what the kind has no use for is not looked at."""
    from funksvd import by_time, leave_last_out, per_user_folds, random_folds

    if split == "by-time":
        return by_time(ratings, fraction, n_folds=n_folds)
    if split == "leave-last-out":
        return leave_last_out(ratings, n_last, n_folds=n_folds)
    folds = per_user_folds if split == "per-user" else random_folds
    return folds(ratings, n_folds, fraction=fraction, seed=seed)
