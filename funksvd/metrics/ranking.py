"""Figures of lists of best items: precision, recall, NDCG, MAP, MRR, hit rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np

from funksvd.kernels import sum_values
from funksvd.ratings import CompressedRows


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
DISCOUNT_DECIMALS = 13
"""Decimals of a rank's discount: the last bits of a logarithm differ between C libraries."""


class BestItems(Protocol):
    """A function that lists the best items of users, such as `best_items` of a ranking."""

    def __call__(
        self,
        users: np.ndarray,
        n: int,
        *,
        exclude: tuple[CompressedRows, ...],
        n_threads: int,
    ) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Batches of rows of users (n_users,), of items (n_users, n), and of scores; see `Best`."""


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
    discounts = np.round(1 / np.log2(1 + ranks), DISCOUNT_DECIMALS)
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


class RankingTally(NamedTuple):
    """The lists of a recommender, and their metrics.

    Parameters
    ----------
    lists : ndarray of shape (n_users, at most n_best), int32
        Rows of the listed items, best first; -1 where a list has ended.
    figures : ndarray of shape (6, n_users), float64
        A row for each of `METRICS`.
    """

    lists: np.ndarray
    figures: np.ndarray


def tally_lists(
    best_items: BestItems,
    relevant: CompressedRows,
    *,
    n_best: int,
    seen: tuple[CompressedRows, ...] = (),
    users: np.ndarray | None = None,
    n_relevant: np.ndarray | None = None,
    n_threads: int = 1,
) -> RankingTally:
    """Let a recommender list the best items of users, and judge the lists.

    Parameters
    ----------
    best_items : callable
        `best_items` of a ranking, or a function like it.
    relevant : CompressedRows
        Rows of the items that are to be found, by user.
    n_best : int
        Length of a whole list.
    seen : tuple of CompressedRows
        Items that are no candidates, by user.
    users : ndarray of shape (n_users,), int32, optional
        Rows of the users to list items for; by default those with a relevant item, ascending.
    n_relevant : ndarray of shape (n_rows,), int, optional
        Number of relevant items of each row; by default those in `relevant`. It is greater for a
        user with relevant items that have no row.
    n_threads : int
        Does not change the result.
    """
    if n_relevant is None:
        n_relevant = np.diff(relevant.indptr)
    if users is None:
        users = np.flatnonzero(n_relevant).astype(np.int32)
    lists, figures = [], []
    for batch, items, _ in best_items(users, n_best, exclude=seen, n_threads=n_threads):
        owners = np.repeat(batch, items.shape[1])
        hits = relevant.contains(owners, items.ravel(), n_threads).reshape(items.shape)
        lists.append(items)
        figures.append(np.stack(ranking_metrics(hits, n_relevant[batch], n_best)))
    return RankingTally(np.concatenate(lists), np.concatenate(figures, axis=1))


def mean_ndcg(
    best_items: BestItems,
    training: CompressedRows,
    held_back: CompressedRows,
    *,
    n_best: int = 10,
    most_users: int | None = None,
    n_threads: int = 1,
) -> float | None:
    """Mean NDCG of lists that should find pairs that were held back from training.

    The same bits whatever the number of threads and the processor, so that training may stop by
    it.

    Parameters
    ----------
    best_items : callable
        `best_items` of a ranking, or a function like it.
    training : CompressedRows
        Items learned from, by user; they are no candidates.
    held_back : CompressedRows
        Items to be found, by user. Users without any do not count.
    n_best : int
        Number of items listed for each user.
    most_users : int, optional
        Number of users that are enough; where there are more, every second counts, or every third.
    n_threads : int
        Does not change the result.

    Returns
    -------
    float or None
        None if nothing was held back.
    """
    if not len(held_back.columns):
        return None
    users = np.flatnonzero(np.diff(held_back.indptr)).astype(np.int32)
    if most_users is not None:
        users = users[:: -(-len(users) // most_users)]
    tally = tally_lists(
        best_items, held_back, n_best=n_best, seen=(training,), users=users, n_threads=n_threads
    )
    figures = tally.figures[METRICS.index("ndcg")]
    return float(sum_values(figures)) / len(figures)
