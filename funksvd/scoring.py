"""From parameters to predictions, best items and similar items; in indices, not in raw ids."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from funksvd.kernels import exclude_items, predict_block, top_items
from funksvd.objective import Parameters
from funksvd.ordering import stable_order

PAIRS_PER_TASK = 1 << 18
SCORES_PER_BATCH = 1 << 24
"""Users are taken in batches of so many scores: 64 MiB of float32."""
FEW_USERS = 16
"""For so few users, a product with the transposed factors is faster than transposing them."""


class UserItems(NamedTuple):
    """The items of each user, in compressed sparse row form.

    Parameters
    ----------
    indptr : ndarray of shape (n_users + 1,), int64
    items : ndarray of shape (n_pairs,), int32
        User u's items are `items[indptr[u]:indptr[u + 1]]`, ascending.
    """

    indptr: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, user_index: np.ndarray, item_index: np.ndarray, n_users: int) -> UserItems:
        """From pairs in any order; a pair with an index of -1 is left out."""
        known = (user_index >= 0) & (item_index >= 0)
        if not known.all():
            user_index, item_index = user_index[known], item_index[known]
        order = stable_order(user_index, item_index)
        indptr = np.zeros(n_users + 1, dtype=np.int64)
        np.cumsum(np.bincount(user_index, minlength=n_users), out=indptr[1:])
        return cls(indptr, item_index[order].astype(np.int32, copy=False))

    def contains(self, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
        """Which pairs are in it; a pair with an index of -1 is not."""
        n_users = len(self.indptr) - 1
        owners = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(self.indptr))
        width = int(max(self.items.max(initial=-1), item_index.max(initial=-1))) + 1
        wanted = user_index.astype(np.int64) * width + item_index
        keys = owners * width + self.items
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        found = keys[at] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
        return found & (user_index >= 0) & (item_index >= 0)


def predict_pairs(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    *,
    limits: tuple[float, float] | None = None,
    n_threads: int = 1,
) -> np.ndarray:
    """Predicted ratings, eq. (1) of `objective`.

    Parameters
    ----------
    parameters : Parameters
        float32.
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for unknown: the prediction is then made from what is known, mu + b_u, mu + b_i
        or mu.
    limits : (low, high), optional
        Predictions are held within them.
    n_threads : int
        Does not change the result.

    Returns
    -------
    ndarray of shape (n,), float32
    """
    predictions = np.empty(len(user_index), dtype=np.float32)

    def predict(part: slice) -> None:
        out = predictions[part]
        predict_block(
            user_index[part],
            item_index[part],
            np.float32(parameters.global_mean),
            *parameters[1:],
            out,
        )
        if limits is not None:
            np.clip(out, *limits, out=out)

    starts = range(0, len(predictions), PAIRS_PER_TASK)
    parts = [slice(start, start + PAIRS_PER_TASK) for start in starts]
    if n_threads == 1 or len(parts) == 1:
        for part in parts:
            predict(part)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(predict, parts))
    return predictions


def best_items(
    parameters: Parameters,
    users: np.ndarray,
    n_best: int,
    *,
    exclude: tuple[UserItems, ...] = (),
    n_threads: int = 1,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The items with the highest predictions for each user, batch by batch.

    Parameters
    ----------
    parameters : Parameters
        float32.
    users : ndarray of shape (n,), int32
        Known ones only.
    n_best : int
    exclude : tuple of UserItems
        Items left out, by user.
    n_threads : int
        Does not change the result.

    Yields
    ------
    users : ndarray of shape (m,), int32
        The batch; together, all users in their order.
    items : ndarray of shape (m, n_best), int32
        Best first, of equals the lower index first; -1 where there are no more.
    predictions : ndarray of shape (m, n_best), float32
        As `predict_pairs` makes them, without limits; minus infinity there.
    """
    mean, user_biases, item_biases, user_factors, item_factors = parameters
    n_items, n_factors = item_factors.shape
    n_best = min(n_best, n_items)
    transposed = item_factors.T
    if len(users) > FEW_USERS:
        transposed = np.ascontiguousarray(transposed)
    longest = np.linalg.norm(item_factors, axis=1).max(initial=0)
    largest_bias = np.abs(item_biases).max(initial=0) + abs(mean)

    def best_of(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scores = user_factors[batch] @ transposed
        scores += item_biases
        for user_items in exclude:
            exclude_items(scores, batch, *user_items)
        # How far scores and predictions can be apart: n + 4 roundings, of sums and products of
        # at most this size (Higham, "Accuracy and Stability of Numerical Algorithms", eq. 3.5).
        sizes = np.linalg.norm(user_factors[batch], axis=1) * longest
        sizes += np.abs(user_biases[batch]) + largest_bias
        tolerances = 4 * (n_factors + 4) * np.finfo(np.float32).eps * sizes
        items = np.empty((len(batch), n_best), dtype=np.int32)
        predictions = np.empty((len(batch), n_best), dtype=np.float32)
        arguments = (np.float32(mean), *parameters[1:], items, predictions)
        top_items(scores, batch, tolerances.astype(np.float32), *arguments)
        return batch, items, predictions

    size = max(1, SCORES_PER_BATCH // max(n_items, 1) // n_threads)
    batches = [users[start : start + size] for start in range(0, len(users), size)]
    if n_threads == 1 or len(batches) == 1:
        yield from map(best_of, batches)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for start in range(0, len(batches), n_threads):
            yield from pool.map(best_of, batches[start : start + n_threads])


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
    norms = np.linalg.norm(rows, axis=1)
    norms[norms == 0] = np.inf
    return np.clip((rows @ rows[row]) / norms / norms[row], -1, 1)
