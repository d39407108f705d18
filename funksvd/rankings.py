"""Names of the orders in which items are listed, and what they are called for people."""

from __future__ import annotations

from typing import Literal, get_args

RankingName = Literal["both", "choice", "rating"]
RANKINGS: tuple[RankingName, ...] = get_args(RankingName)
"""Names of the rankings, the better ones first; see `funksvd.learned.lists`."""
TITLES = {
    "both": "by both",
    "choice": "by choice",
    "rating": "by rating",
    "most_popular": "most popular",
    "regularized_biases": "biases only",
}
"""What the rankings, and the simpler recommenders beside them, are called in tables."""
