"""What lists are like besides being right: coverage, exposure, novelty, similarity within a list.

All of them ask only for the lists and for the training pairs, so that they measure every
recommender with the same ruler. A list is a row of an array; places after its last item hold -1.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from funksvd.parallel import in_pieces
from funksvd.ratings import CompressedRows

USERS_AT_ONCE = 4096
"""Number of users that the sets of items' users are compared for at a time: 512 bytes an item."""
PAIRS_AT_ONCE = 1 << 13
"""Pairs of items whose sets are compared at a time, so that these stay in a processor's cache."""


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that is in at least one list.

    Parameters
    ----------
    lists : ndarray of shape (n_lists, n_best), int
        Rows of items.
    n_items : int
        Size of the catalogue; at least 1.

    References
    ----------
    M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy: Evaluating Recommender Systems by
    Coverage and Serendipity", RecSys 2010: catalog coverage.
    """
    return np.count_nonzero(_exposures(lists, n_items)) / n_items


def exposure_gini(lists: np.ndarray, n_items: int) -> float:
    """Gini coefficient of the numbers of lists that the items of a catalogue are in.

    With the numbers x_1 <= ... <= x_n of all n items, those in no list included, it is

        sum_k (2 k - n - 1) x_k / ((n - 1) sum_k x_k)

    0 where all items are listed equally often, 1 where all places are those of a single item.

    Parameters
    ----------
    lists : ndarray of shape (n_lists, n_best), int
        Rows of items.
    n_items : int
        Size of the catalogue; at least 1.

    References
    ----------
    P. Castells, N. Hurley, S. Vargas, "Novelty and Diversity in Recommender Systems", in
    "Recommender Systems Handbook", 2nd edition, 2015, section 26.3: the Gini index.
    """
    exposures = np.sort(_exposures(lists, n_items))
    if n_items == 1 or not exposures.any():
        return 0.0
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return int(np.sum(weights * exposures)) / ((n_items - 1) * int(exposures.sum()))


def novelty(lists: np.ndarray, n_having: np.ndarray, n_users: int) -> np.ndarray:
    """Mean self-information of the items of each list, in bits.

    The self-information of an item that n of all users have in training is -log2(n / n_users): 0
    for one that everybody has, 10 for one that a user in 1,024 has. An item that nobody has counts
    as if one user had it.

    Parameters
    ----------
    lists : ndarray of shape (n_lists, n_best), int
        Rows of items.
    n_having : ndarray of shape (n_items,), int
        Number of users who have each item in training.
    n_users : int
        Number of all users.

    Returns
    -------
    ndarray of shape (n_lists,), float64
        0 for a list without items.

    References
    ----------
    T. Zhou, Z. Kuscsik, J.-G. Liu, M. Medo, J. R. Wakeling, Y.-C. Zhang, "Solving the Apparent
    Diversity-Accuracy Dilemma of Recommender Systems", PNAS 107, 2010: surprisal.
    """
    information = -np.log2(np.maximum(n_having, 1) / n_users)
    listed = lists >= 0
    sums = np.sum(information[np.maximum(lists, 0)] * listed, axis=1)
    return sums / np.maximum(listed.sum(axis=1), 1)


def intra_list_similarity(lists: np.ndarray, training: CompressedRows) -> np.ndarray:
    """Mean similarity of the pairs of items of each list.

    The similarity of two items is the cosine of their sets of training users U_i and U_j:
    |U_i and U_j| / sqrt(|U_i| |U_j|). It comes from the training pairs and from no model's
    factors, and so favours no recommender. 0: no two items of the list share a user; 1: the same
    users have all of them. The lower it is, the more diverse is the list.

    Parameters
    ----------
    lists : ndarray of shape (n_lists, n_best), int
        Rows of items.
    training : CompressedRows
        Rows of the items that each user has in training.

    Returns
    -------
    ndarray of shape (n_lists,), float64
        0 for a list of fewer than two items, which has no pairs.

    References
    ----------
    C.-N. Ziegler, S. M. McNee, J. A. Konstan, G. Lausen, "Improving Recommendation Lists Through
    Topic Diversification", WWW 2005: intra-list similarity, there over topics.
    """
    items, places = np.unique(lists, return_inverse=True)
    places = places.reshape(lists.shape)
    first, second = np.triu_indices(lists.shape[1], 1)
    is_pair = (lists[:, first] >= 0) & (lists[:, second] >= 0)
    pairs = np.sort(np.stack([places[:, first][is_pair], places[:, second][is_pair]]), axis=0)
    distinct, number = np.unique(pairs[0] * len(items) + pairs[1], return_inverse=True)
    sums = np.zeros(len(lists))
    if len(distinct):
        cosines = _cosines(items, *np.divmod(distinct, len(items)), training)
        owners = np.repeat(np.arange(len(lists)), is_pair.sum(axis=1))
        sums += np.bincount(owners, cosines[number], len(lists))
    return sums / np.maximum(is_pair.sum(axis=1), 1)


def _cosines(
    items: np.ndarray, first: np.ndarray, second: np.ndarray, training: CompressedRows
) -> np.ndarray:
    """Cosines of the sets of users of pairs of items; `first` and `second` are places in `items`.

    The sets are bits, of some users at a time, which bounds the memory.
    """
    n_items = max(int(items[-1]), int(training.columns.max(initial=0))) + 1
    place = np.full(n_items, -1)
    place[items[items >= 0]] = np.flatnonzero(items >= 0)
    sizes = np.zeros(len(items), np.int64)
    shared = np.zeros(len(first), np.int64)
    for start in range(0, training.n_rows, USERS_AT_ONCE):
        bounds = training.indptr[start : start + USERS_AT_ONCE + 1]
        users = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        rows = place[training.columns[bounds[0] : bounds[-1]]]
        has = np.zeros((len(items), USERS_AT_ONCE), bool)
        has[rows[rows >= 0], users[rows >= 0]] = True
        bits = np.packbits(has, axis=1).view(np.uint64)
        sizes += has.sum(axis=1)
        in_pieces(partial(_count_shared, bits, first, second, shared), len(first), PAIRS_AT_ONCE)
    return shared / np.sqrt(np.maximum(sizes[first] * sizes[second], 1))


def _count_shared(
    bits: np.ndarray, first: np.ndarray, second: np.ndarray, shared: np.ndarray, piece: slice
) -> None:
    """Add the number of bits that are set in both rows, for some pairs of rows."""
    both = bits.take(first[piece], axis=0)
    both &= bits.take(second[piece], axis=0)
    shared[piece] += np.einsum("ij->i", np.bitwise_count(both), dtype=np.int64)


def _exposures(lists: np.ndarray, n_items: int) -> np.ndarray:
    """Number of lists that each item is in."""
    return np.bincount(lists[lists >= 0], minlength=n_items)
