"""`Fitted`: what a fitted model consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from funksvd.hyperparameters import Hyperparameters
from funksvd.learned.rating_model import RatingModel
from funksvd.parallel import in_pieces
from funksvd.ratings import CompressedRows, Vocabulary
from funksvd.splitting import Provenance
from funksvd.training import TrainingRecord


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a fitted model answers from; replaced as a whole, never changed.

    Parameters
    ----------
    users, items : Vocabulary
        Ids of the rows: of users and items with at least one rating learned from.
    rating : RatingModel
    n_ratings : int
        Number of ratings learned from.
    seen : CompressedRows or None
        Items of each user, by row: the pairs learned from, which recommendations leave out. None
        for a model that was saved without them. Its values are `rating_levels`; models of
        earlier programs lack them.
    record : TrainingRecord
        How training went.
    hyperparameters : Hyperparameters
        Those that training had; the model's own may have been set anew since.
    held_out : CompressedRows or None
        Pairs rated but set aside for a test or validation; left out of recommendations too.
    provenance : Provenance or None
        Where the ratings came from, where that is known.
    """

    users: Vocabulary
    items: Vocabulary
    rating: RatingModel
    n_ratings: int
    seen: CompressedRows | None
    record: TrainingRecord
    hyperparameters: Hyperparameters
    held_out: CompressedRows | None = None
    provenance: Provenance | None = None


def rating_levels(values: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Ratings as the nearest of 256 levels of the rating scale.

    One byte a rating: enough to tell later which of them have changed.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
    scale : tuple of float
        Lowest and highest rating; others count as the nearer of these.

    Returns
    -------
    ndarray of shape (n,), uint8
    """
    low, high = scale
    levels = np.empty(len(values), np.uint8)

    def round_(part: slice) -> None:
        steps = (values[part].astype(np.float64) - low) * (255 / max(high - low, 1e-30))
        levels[part] = np.clip(np.rint(steps), 0, 255)

    in_pieces(round_, len(values))
    return levels
