"""`Recommender`: what can be asked of learned parameters, in raw ids.

Whichever way the parameters were learned, they end in the same five arrays, so this is written
once.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError, NotFittedError, RatingsError
from funksvd.evaluation import Evaluation, global_mean, regularized_biases
from funksvd.kernels import turn_into_probabilities
from funksvd.learned.scoring import (
    Draws,
    best_items,
    cosine_similarities,
    predict_pairs,
)
from funksvd.learned.svd import SVD, svd_of_product
from funksvd.metrics import Errors, bootstrap_intervals
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows, Ratings, Vocabulary, as_pairs, as_ratings
from funksvd.splitting import Provenance
from funksvd.training import ALGORITHMS, EpochRecord, Hyperparameters


class Recommendation(NamedTuple):
    """An item and the rating that the user is predicted to give it."""

    item: int | str
    prediction: float


class SimilarItem(NamedTuple):
    """An item and the cosine between its factors and another item's, -1 to 1."""

    item: int | str
    similarity: float


class SimilarUser(NamedTuple):
    """A user and the cosine between their factors and another user's, -1 to 1."""

    user: int | str
    similarity: float


class Recommender(Hyperparameters):
    """Learned parameters and the ids they belong to; `FunkSVD` adds how to learn them.

    Attributes
    ----------
    parameters : Parameters
        The learned arrays; also as `global_mean`, `user_biases`, `item_biases`, `user_factors`
        and `item_factors`. For the logistic loss they make log-odds. mu is the mean of the
        training ratings; of samplers ("bayes", "bayes++"), that of its draws (posterior mean).
    user_ids, item_ids : ndarray of shape (n_users,) and (n_items,), int64 or object (str)
        Raw ids of the rows, ascending: those with at least one rating learned from.
    rating_scale : (float, float)
        Lowest and highest rating learned from; predictions are held within it.
    history : list of EpochRecord
        The epochs of training, as far as the validation part was watched.
    best_epoch : int
        The epoch whose parameters were kept, and the length of the refit.
    refitted : bool
        Whether the parameters come from training and validation ratings together.
    reg_used : float
        Regularization of the factors: the one given, or the one chosen by the data. A sampler
        learns its own, and this is for new users and items.
    rating_spread : float
        Standard deviation of the ratings learned from; lambda of eq. (3) is so many times
        `reg_used`.
    implicit_factors : ndarray of shape (n_items, n_factors), float32, or None
        The y_j of SVD++, which new users need; those of trained users are in `user_factors`.
    n_ratings : int
        Number of ratings the parameters were learned from.
    seen : CompressedRows or None
        The (user, item) pairs learned from; left out of recommendations.
    held_out : CompressedRows or None
        Pairs that the person has rated too but that were set aside; left out likewise.
    draws : Draws or None
        What tells how sure predictions are; None where the algorithm does not know.
    provenance : Provenance or None
        Where the ratings came from; set by whoever read them.
    """

    parameters: Parameters
    user_ids: np.ndarray
    item_ids: np.ndarray
    rating_scale: tuple[float, float]
    history: list[EpochRecord]
    best_epoch: int
    refitted: bool
    reg_used: float
    rating_spread: float
    implicit_factors: np.ndarray | None
    n_ratings: int
    seen: CompressedRows | None
    held_out: CompressedRows | None
    draws: Draws | None
    provenance: Provenance | None

    def __getattr__(self, name: str) -> Any:  # asked only for what is not there
        if name in Parameters._fields:
            return getattr(self.parameters, name)
        if name in Recommender.__annotations__ or name in ("users", "items"):
            raise NotFittedError(f"the model has no {name} yet: call fit, or load a model")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def users(self) -> Vocabulary:
        """The users it knows."""
        return Vocabulary(self.user_ids, "user")

    @property
    def items(self) -> Vocabulary:
        """The items it knows."""
        return Vocabulary(self.item_ids, "item")

    @property
    def is_fitted(self) -> bool:
        """Whether it has learned parameters."""
        return "parameters" in vars(self)

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        algorithm = ALGORITHMS[self.algorithm]
        counts_features = algorithm.by_feature and self.is_fitted
        n_factors = self.best_epoch if counts_features else self.resolved().n_factors
        return f"{algorithm.title}, {n_factors} factors"

    @property
    def n_members(self) -> int:
        """Number of models, or of draws, whose mean it is."""
        return self.user_factors.shape[1] // self.resolved().n_factors

    @property
    def was_validated(self) -> bool:
        """Whether training watched a validation part."""
        return self.history[0].valid_error is not None

    def predict(self, users: Any, items: Any = None) -> np.ndarray | float:
        """Predicted ratings, held within the rating scale; for the logistic loss, probabilities.

        Parameters
        ----------
        users, items : array-like of shape (n,), or one id
            Raw ids; one id goes with all of the other. Without `items`, `users` is an array or a
            table of shape (n, 2): user ids, item ids. For an id the model does not know, the
            prediction is made from what it knows: mu + b_u, mu + b_i or mu.

        Returns
        -------
        ndarray of shape (n,), float32; or float
            A float for one user and one item.
        """
        user_index, item_index, single = self._find_pairs(users, items)
        predictions = self.predict_index(user_index, item_index)
        return float(predictions[0]) if single else predictions

    def _find_pairs(self, users: Any, items: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        """Rows of the pairs that are meant, -1 for unknown; and whether it is a single one."""
        if items is None:
            users, items = as_pairs(users)
        single = np.ndim(users) == 0 and np.ndim(items) == 0
        user_index = self.users.rows(users if np.ndim(users) else [users])
        item_index = self.items.rows(items if np.ndim(items) else [items])
        if np.ndim(users) == 0 or len(user_index) == 1:
            user_index = np.repeat(user_index, len(item_index))
        elif np.ndim(items) == 0 or len(item_index) == 1:
            item_index = np.repeat(item_index, len(user_index))
        if len(user_index) != len(item_index):
            raise RatingsError(
                f"{len(user_index):,} users and {len(item_index):,} items do not make pairs; "
                "give as many of one as of the other"
            )
        return user_index, item_index, single

    def recommend(
        self, user: int | str, n: int = 10, *, include_seen: bool = False
    ) -> list[Recommendation]:
        """The items with the highest predicted ratings for a user.

        Parameters
        ----------
        user : int or str
            Raw id.
        n : int
            How many; fewer where there are not so many items.
        include_seen : bool
            Whether items that the user has rated may be among them.

        Returns
        -------
        list of Recommendation
            Best first; of equally good items the one with the lower id first.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        batch = next(self.recommend_all([user], n, include_seen=include_seen))
        pairs = zip(batch["item"].tolist(), batch["prediction"].tolist(), strict=True)
        return [Recommendation(*pair) for pair in pairs]

    def recommend_all(
        self, users: Any = None, n: int = 10, *, include_seen: bool = False
    ) -> Iterator[dict[str, np.ndarray]]:
        """Recommendations for many users, in batches of bounded size.

        Parameters
        ----------
        users : array-like of shape (n_users,), optional
            Raw ids; by default all users.
        n : int
        include_seen : bool

        Yields
        ------
        dict of str to ndarray
            Columns of the same length: user, rank (from 1), item, prediction.

        Raises
        ------
        FunkSVDError
            If n is less than 1.
        UnknownIdError
            If the model does not know one of the users.
        """
        _check_count(n)
        if users is None:
            index = np.arange(len(self.users), dtype=np.int32)
        else:
            index = self.users.known_rows(users)
        if self.seen is None and not include_seen:
            raise FunkSVDError(
                "the model was saved without the pairs it has seen, so rated items cannot be "
                "left out; ask for recommendations with include_seen (--include-seen)"
            )
        exclude = () if include_seen else tuple(p for p in (self.seen, self.held_out) if p)
        batches = best_items(
            self.parameters, index, n, exclude=exclude, n_threads=self.thread_count()
        )
        for best in batches:
            found = best.items >= 0
            ranks = np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape)
            yield {
                "user": np.repeat(self.user_ids[best.users], found.sum(axis=1)),
                "rank": ranks[found],
                "item": self.item_ids[best.items[found]],
                "prediction": self._as_ratings(best.predictions[found]),
            }

    def similar(self, item: int | str, n: int = 10) -> list[SimilarItem]:
        """The items whose factors point in the most similar direction.

        Raises
        ------
        UnknownIdError
            If the model does not know the item.
        """
        pairs = self._similar(self.items, item, n, self.item_factors)
        return [SimilarItem(*pair) for pair in pairs]

    def similar_users(self, user: int | str, n: int = 10) -> list[SimilarUser]:
        """The users whose factors point in the most similar direction.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        pairs = self._similar(self.users, user, n, self.user_factors)
        return [SimilarUser(*pair) for pair in pairs]

    def _similar(
        self, vocabulary: Vocabulary, label: int | str, n: int, factors: np.ndarray
    ) -> Iterator[tuple[int | str, float]]:
        _check_count(n)
        row = vocabulary.row(label)
        similarities = cosine_similarities(factors, row)
        order = np.argsort(-similarities, kind="stable")
        chosen = order[order != row][:n]
        return zip(vocabulary.labels(chosen).tolist(), similarities[chosen].tolist(), strict=True)

    def to_svd(self) -> SVD:
        """The singular value decomposition U Σ Vᵀ of what the factors predict, P Qᵀ.

        Rows of U belong to `user_ids`, columns of Vᵀ to `item_ids`. Mean and biases are not part
        of it.
        """
        return svd_of_product(self.user_factors, self.item_factors)

    def evaluate(self, ratings: Any, *, training: Ratings | None = None) -> Evaluation:
        """Errors on ratings, with bootstrap intervals and the share of unknown ids.

        Parameters
        ----------
        ratings : Ratings or table
            Ones the model has not learned from.
        training : Ratings, optional
            What it has learned from; if given, baselines are fitted to it and set beside.

        Raises
        ------
        RatingsError
            If there are no ratings.
        """
        ratings = as_ratings(ratings)
        if not ratings:
            raise RatingsError(f"{ratings.source}: there are no ratings to evaluate on")
        user_index, item_index = ratings.index_for(self.users, self.items)
        predictions = self.predict_index(user_index, item_index)
        values = ratings.values
        intervals = bootstrap_intervals(values, predictions, ratings.user_index, self.seed)
        n_threads = self.thread_count()
        baselines = {}
        if training is not None:
            pairs = ratings.index_for(training.users, training.items)
            fitted = {
                "global_mean": global_mean(training),
                "regularized_biases": regularized_biases(training, n_threads),
            }
            for name, parameters in fitted.items():
                guesses = predict_pairs(
                    parameters, *pairs, limits=self.rating_scale, n_threads=n_threads
                )
                baselines[name] = Errors.of(values, guesses)
        already_learned = None
        if self.seen is not None:
            already_learned = float(self.seen.contains(user_index, item_index, n_threads).mean())
        errors = Errors.of(values, predictions)
        return Evaluation(
            n_ratings=len(ratings),
            rmse=errors.rmse,
            mae=errors.mae,
            rmse_interval=intervals[0],
            mae_interval=intervals[1],
            n_users=int(np.count_nonzero(np.bincount(ratings.user_index))),
            unknown_users=float(np.mean(user_index < 0)),
            unknown_items=float(np.mean(item_index < 0)),
            already_learned=already_learned,
            baselines=baselines,
        )

    def _predict_ratings(self, ratings: Ratings) -> np.ndarray:
        return self.predict_index(*ratings.index_for(self.users, self.items))

    def predict_index(self, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
        """The same as `predict`, by the rows of users and items; -1 stands for unknown.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int32

        Returns
        -------
        ndarray of shape (n,), float32
        """
        n_threads = self.thread_count()
        scores = predict_pairs(self.parameters, user_index, item_index, n_threads=n_threads)
        return self._as_ratings(scores)

    def _as_ratings(self, scores: np.ndarray) -> np.ndarray:
        """Scores, float32, as predicted ratings, in their place."""
        if self.loss == "logistic":
            turn_into_probabilities(scores)
        return np.clip(scores, *self.rating_scale, out=scores)


def _check_count(n: int) -> None:
    if not isinstance(n, numbers.Integral) or n < 1:
        raise FunkSVDError(f"n must be a whole number of at least 1, not {n}")
