"""Rows that are like another one: users or items, by the cosines of their factors.

What was tried, for the ten items most like each of 453 well-known films of MovieLens latest-small:
mean cosine of the genres, share of the films' sequels that are found, median number of ratings of
the similar films, and share of them with fewer than 5 ratings::

    cosine of the rating model                         .26   .30    10   31 %
    the same times n / (n + 20)                        .31   .29   104    0
    cosine of the choice model                         .40   .29    90    0
    the second, halved, and the third added            .40   .34    98    0

The choice model alone comes to what everybody of a time has seen; the sum is seen and liked by the
same people. n is the smaller number of ratings of the two. What is like a row that is known from
its features alone is judged by the other row's number, in both models: vectors of two rows that are
nothing but features are alike as soon as these are.
"""

from __future__ import annotations

import numpy as np

from funksvd.learned.choices import products
from funksvd.learned.scoring import predict_pairs

PRIOR_RATINGS = 20
"""Ratings at which a cosine of the rating model counts half."""
SHARE_OF_RATING = 0.5
"""Weight of the rating model's cosine beside that of the choice model."""


def most_similar(
    choice: np.ndarray | None,
    rating: np.ndarray | None,
    counts: np.ndarray | None,
    row: int,
    n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are most similar to one row, itself left out.

    Parameters
    ----------
    choice, rating : ndarray of shape (n_rows, n_factors), float32, or None
        Factors of the choice model and of the model of ratings; one of them is there.
    counts : ndarray of shape (n_rows,), int, or None
        Numbers of ratings; None if they are not known, and all cosines count the same.
    row : int
    n : int

    Returns
    -------
    indices : ndarray of shape (at most n,), int
        Most similar first; of equally similar rows the lower one first.
    similarities : ndarray of the same shape, float32
        -1 to 1.
    """
    parts = []
    if choice is not None:
        parts.append(cosine_similarities(choice, row))
    if rating is not None:
        parts.append(cosine_similarities(rating, row))
    if counts is not None:
        # A row that is known from its features alone has no ratings to go by.
        is_alone = counts[row] == 0
        support = (counts if is_alone else np.minimum(counts, counts[row])).astype(float)
        share = (support / (support + PRIOR_RATINGS)).astype(np.float32)
        if is_alone:
            parts = [cosines * share for cosines in parts]
        elif rating is not None:
            parts[-1] = parts[-1] * share
    similarities = parts[0]
    if len(parts) == 2:
        share = np.float32(SHARE_OF_RATING)
        similarities = (parts[0] + share * parts[1]) / (1 + share)
    order = np.argsort(-similarities, kind="stable")
    chosen = order[order != row][:n]
    return chosen, similarities[chosen]


def cosine_similarities(rows: np.ndarray, row: int) -> np.ndarray:
    """Cosine of the angle between one row and each row; 0 where one of them is zero.

    Parameters
    ----------
    rows : ndarray of shape (n, n_factors), float32
    row : int

    Returns
    -------
    ndarray of shape (n,), float32
    """
    of_rows = products(rows, rows)
    each = np.arange(len(rows), dtype=np.int32)
    norms = np.sqrt(predict_pairs(of_rows, each, each))
    norms[norms == 0] = np.inf
    return np.clip(
        predict_pairs(of_rows, np.full_like(each, row), each) / norms / norms[row], -1, 1
    )
