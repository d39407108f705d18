"""Lists of items: how good they are, what the choice model behind them is, and similar items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.errors import RatingsError
from funksvd.evaluation import RankingEvaluation, evaluate_ranking
from funksvd.model import FunkSVD
from funksvd.ratings import Interactions
from funksvd.report.labels import Labels

N_BEST = 10
"""Length of the lists whose quality is told."""
N_WELL_KNOWN, N_SIMILAR = 8, 5
"""Largest numbers of well-known items, and of items similar to each, that are shown."""
EXPLANATIONS = {
    "both": "How likely a user is to come to an item, times the cube root of how likely they are "
    "to like it if they do.",
    "choice": "How likely a user is to come to an item, by what they and others have come to.",
    "rating": "What a user is likely to rate an item at least: the predicted rating less a margin, "
    "which is small where the item has many ratings.",
    "most_popular": "The items that most users have; the same for everyone.",
    "regularized_biases": "The items that are rated highest, held back where ratings are few; the "
    "same for everyone.",
}
"""A sentence on each ranking and each simpler recommender: what its order is by."""


class Similar(NamedTuple):
    """An item, how similar it is, and the number of its ratings or pairs where that is known."""

    label: str
    similarity: float
    n_ratings: int | None


class Neighbours(NamedTuple):
    """A well-known item and those that are most like it, the most similar first."""

    label: str
    n_ratings: int
    similar: list[Similar]


def look_at_lists(
    model: FunkSVD, training: Interactions, test: Interactions
) -> tuple[RankingEvaluation | None, str]:
    """Judge the lists of the model's rankings, and of simpler recommenders, by the test part.

    Parameters
    ----------
    model : FunkSVD
    training, test : Ratings or Interactions
        What the model learned from, and what it is tested on.

    Returns
    -------
    evaluation : RankingEvaluation or None
    reason : str
        Why there is none; a sentence.
    """
    try:
        return evaluate_ranking(model, test, training=training, n_best=N_BEST), ""
    except RatingsError as error:  # nobody has liked anything
        return None, f"Lists cannot be judged: {error}."


def facts_of_choice(model: FunkSVD) -> dict[str, str]:
    """Rows of a table about a model's choice model; none where there is none."""
    choice = model.fitted.choice
    if choice is None:
        return {}
    learned = choice.learned
    return {
        "factors": f"{learned.item_factors.shape[1]:,}",
        "weights of observed pairs": str(choice.weighting),
        "weight of any other pair": f"{learned.unobserved_weight:g}",
        "strength of regularization": f"{learned.strength:.4g}",
        "numbers learned": f"{learned.user_factors.size + learned.item_factors.size:,}",
    }


def look_at_similar(
    model: FunkSVD, labels: Labels, n_ratings: np.ndarray | None
) -> list[Neighbours]:
    """The best-known items and those most like them; none where it is not known which these are.

    An item that was shown as similar to a better-known one gets no list of its own, so that the
    lists differ.

    Parameters
    ----------
    model : FunkSVD
    labels : Labels
    n_ratings : ndarray of shape (n_items,), int, or None
        Ratings or pairs learned from, of each item.
    """
    found: list[Neighbours] = []
    if n_ratings is None:
        return found
    shown: set[int] = set()
    for row in np.argsort(-n_ratings, kind="stable").tolist():
        if len(found) == N_WELL_KNOWN:
            break
        if row in shown:
            continue
        similar = model.similar(model.items.label(row), N_SIMILAR)
        rows = [model.items.row(each.item) for each in similar]
        shown |= {row, *rows}
        found.append(
            Neighbours(
                labels[row],
                int(n_ratings[row]),
                [
                    Similar(labels[at], each.similarity, each.n_ratings)
                    for at, each in zip(rows, similar, strict=True)
                ],
            )
        )
    return found
