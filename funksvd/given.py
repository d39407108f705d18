"""Ratings that a caller gives of someone new, in rows of a model."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from funksvd.errors import RatingsError, UnknownIdWarning, counted
from funksvd.ratings import Ratings, Vocabulary, as_labels, first_few


def ones_if_none(item_ids: Any, ratings: Any) -> Any:
    return np.ones(np.shape(item_ids), np.float32) if ratings is None else ratings


def rated_rows(vocabulary: Vocabulary, ids: Any, ratings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows, ascending, of the rated items (or of the users who rated) that are known; ratings.

    The last rating of several counts.
    """
    ids = as_labels(ids, f"{vocabulary.what} ids")
    if np.shape(ratings) != ids.shape:
        raise RatingsError(
            f"{vocabulary.what} ids and ratings must have the same shape, but have {ids.shape} and "
            f"{np.shape(ratings)}"
        )
    given = Ratings.from_arrays(np.zeros(len(ids), dtype=np.int64), ids, ratings)
    if not given:
        raise RatingsError("there are no ratings to fold in")
    known = vocabulary.rows(given.item_ids)
    vocabulary.require_some(known, given.item_ids)
    warn_of_unknown(vocabulary, known, given.item_ids, stacklevel=4)
    rows = known[given.item_index]
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    return rows[order], given.values[order]


def warn_of_unknown(
    vocabulary: Vocabulary, rows: np.ndarray, labels: np.ndarray, stacklevel: int
) -> None:
    """Warn of labels that the model does not know; `rows` are of one each, in their order."""
    unknown = labels[rows < 0]
    if len(unknown):
        warnings.warn(
            f"the model does not know {len(unknown):,} of {counted(len(labels), vocabulary.what)} "
            f"({first_few(unknown)}): their ratings are passed over",
            UnknownIdWarning,
            stacklevel=stacklevel,
        )
