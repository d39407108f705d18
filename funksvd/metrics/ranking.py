"""Figures of lists of best items: precision, recall, NDCG, MAP, MRR, hit rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RankingMetrics(NamedTuple):
    """Figures of the n best items: those of each user, or their means over users.

    The definitions are those of the TREC evaluations, with an item either relevant or not. Of a
    user's relevant items, R in number, some are hits: among the n best.

    Parameters
    ----------
    precision : float, or ndarray of shape (n_users,), float64
        Hits / n, even where fewer than n items, or fewer than n relevant ones, can be found.
    recall
        Hits / R.
    ndcg
        Normalized discounted cumulative gain: the sum of 1 / log2(1 + rank) over the hits,
        divided by what it would be if all of the first min(n, R) items were hits.
    map
        Average precision, whose mean over users is called MAP: the sum, over the hits, of the
        precision at their rank, divided by R. (Some divide by min(n, R) instead.)
    mrr
        Reciprocal rank: 1 / the rank of the first hit, 0 if there is none.
    hit_rate
        1 if there is a hit, else 0.

    References
    ----------
    C. Buckley, E. Voorhees, "Retrieval System Evaluation", in "TREC: Experiment and Evaluation in
    Information Retrieval", 2005; NIST's program trec_eval (P, recall, ndcg_cut, map_cut,
    recip_rank, success). K. Järvelin, J. Kekäläinen, "Cumulated Gain-Based Evaluation of IR
    Techniques", 2002, whose discount starts at the second rank; today's is that of C. Burges et
    al., "Learning to Rank Using Gradient Descent", 2005.
    """

    precision: np.ndarray | float
    recall: np.ndarray | float
    ndcg: np.ndarray | float
    map: np.ndarray | float
    mrr: np.ndarray | float
    hit_rate: np.ndarray | float


METRICS = RankingMetrics._fields
"""Names of the metrics."""


def ranking_metrics(hits: np.ndarray, n_relevant: np.ndarray, n_best: int) -> RankingMetrics:
    """The metrics of each user's list of items.

    Parameters
    ----------
    hits : ndarray of shape (n_users, at most n_best), bool
        Whether each of the listed items, best first, is relevant.
    n_relevant : ndarray of shape (n_users,), int
        Numbers of relevant items, listed or not; at least 1.
    n_best : int
        Length n of a whole list; `hits` are fewer where a catalogue has fewer items.

    Returns
    -------
    RankingMetrics
        Of arrays of shape (n_users,), float64.
    """
    n_ideal = np.minimum(n_relevant, n_best)
    ranks = np.arange(1, max(hits.shape[1], n_ideal.max()) + 1)
    discounts = 1 / np.log2(1 + ranks)
    ranks = ranks[: hits.shape[1]]
    n_hits = np.cumsum(hits, axis=1)
    # Both sums are made rank by rank, so that a perfect list comes to 1 exactly.
    gains = np.cumsum(hits * discounts[: len(ranks)], axis=1)[:, -1]
    any_hit = n_hits[:, -1] > 0
    return RankingMetrics(
        precision=n_hits[:, -1] / n_best,
        recall=n_hits[:, -1] / n_relevant,
        ndcg=gains / np.cumsum(discounts)[n_ideal - 1],
        map=np.sum(hits * n_hits / ranks, axis=1) / n_relevant,
        mrr=any_hit / (1 + hits.argmax(axis=1)),
        hit_rate=any_hit.astype(np.float64),
    )


class RankingTally:
    """Metrics of lists of items, gathered batch by batch of users.

    Parameters
    ----------
    n_items : int
        Size of the catalogue.
    n_best : int
        Length of a whole list.
    """

    def __init__(self, n_items: int, n_best: int) -> None:
        self.n_best = n_best
        self._is_listed = np.zeros(n_items, dtype=bool)
        self._batches: list[np.ndarray] = []

    def add(self, items: np.ndarray, hits: np.ndarray, n_relevant: np.ndarray) -> None:
        """Take note of the lists of some users.

        Parameters
        ----------
        items : ndarray of shape (n_users, at most n_best), int
            Rows of the listed items, best first; -1 where a list has ended.
        hits, n_relevant
            As `ranking_metrics` takes them.
        """
        self._batches.append(np.stack(ranking_metrics(hits, n_relevant, self.n_best)))
        self._is_listed[items[items >= 0]] = True

    @property
    def figures(self) -> np.ndarray:
        """Metrics, a row each, of the users so far: ndarray of shape (6, n_users), float64."""
        return np.concatenate(self._batches, axis=1)

    @property
    def coverage(self) -> float:
        """Share of the catalogue that is in at least one list."""
        return float(self._is_listed.mean())
