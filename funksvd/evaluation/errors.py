"""The errors of a model on ratings that it has not learned from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from funksvd.errors import RatingsError
from funksvd.evaluation.baselines import RatedRows, global_mean, regularized_biases
from funksvd.learned.scoring import predict_pairs
from funksvd.metrics import Errors, Interval, Reliability, bootstrap_intervals
from funksvd.ratings import CompressedRows, Ratings, Vocabulary


class Predictor(Protocol):
    """A fitted model, as far as the evaluation of errors asks it; every `Recommender` is one."""

    @property
    def users(self) -> Vocabulary: ...
    @property
    def items(self) -> Vocabulary: ...
    @property
    def rating_scale(self) -> tuple[float, float]: ...
    @property
    def seen(self) -> CompressedRows | None: ...
    def predict_index(
        self, user_index: np.ndarray, item_index: np.ndarray, timestamps: np.ndarray | None = None
    ) -> np.ndarray: ...
    @property
    def liked_from(self) -> float: ...
    def probabilities(
        self, predictions: np.ndarray, at_least: float | None = None
    ) -> np.ndarray: ...
    def thread_count(self) -> int: ...


@dataclass(frozen=True)
class Evaluation:
    """Errors of a model on ratings that it has not learned from.

    Parameters
    ----------
    n_ratings : int
    rmse, mae : float
        In rating units.
    rmse_interval, mae_interval : Interval
        95 % bootstrap intervals. Users are drawn rather than ratings, since the errors of one user
        are alike. (Those of one item are too, which the intervals leave out of account.) With
        fewer than about 20 users they are too narrow.
    n_users : int
        Number of different users among the ratings.
    unknown_users, unknown_items : float
        Share of the ratings whose user, or item, the model does not know; they are predicted
        from the other of the two, or by the mean.
    already_learned : float or None
        Share of the ratings whose (user, item) pair the model was trained on; None where the
        model does not know its pairs.
    baselines : dict of str to Errors
        Errors of simpler predictors: "global_mean" and "regularized_biases".
    liked_from : float or None
        Lowest liked rating.
    liked : Reliability or None
        Quality of the probabilities that ratings are at least this.
    """

    n_ratings: int
    rmse: float
    mae: float
    rmse_interval: Interval
    mae_interval: Interval
    n_users: int
    unknown_users: float
    unknown_items: float
    already_learned: float | None = None
    baselines: dict[str, Errors] = field(default_factory=dict)
    liked_from: float | None = None
    liked: Reliability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = asdict(self)
        plain["rmse_interval"] = list(self.rmse_interval)
        plain["mae_interval"] = list(self.mae_interval)
        plain["baselines"] = {name: errors._asdict() for name, errors in self.baselines.items()}
        if self.liked is not None:
            groups = [group._asdict() for group in self.liked.groups]
            plain["liked"] = self.liked._asdict() | {"groups": groups}
        return plain


def evaluate(
    model: Predictor,
    ratings: Ratings,
    *,
    training: Ratings | RatedRows | None = None,
    seed: int = 0,
) -> Evaluation:
    """Errors on ratings, with bootstrap intervals and the share of unknown ids.

    Parameters
    ----------
    model : Predictor
    ratings : Ratings
        Ones the model has not learned from.
    training : Ratings or RatedRows, optional
        Ratings it has learned from. If given, baselines are fitted to them and evaluated too.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    RatingsError
        If there are no ratings.
    """
    if not ratings:
        raise RatingsError(f"{ratings.source}: there are no ratings to evaluate on")
    user_index, item_index = ratings.index_for(model.users, model.items)
    values, n_threads = ratings.values, model.thread_count()
    predictions = model.predict_index(user_index, item_index, ratings.timestamps)
    baselines = {}
    with ThreadPoolExecutor(1) as pool:  # one thread draws while the others fit the baselines
        intervals = pool.submit(bootstrap_intervals, values, predictions, ratings.user_index, seed)
        if training is not None:
            pairs = ratings.index_for(training.users, training.items)
            fitted = {
                "global_mean": global_mean(training),
                "regularized_biases": regularized_biases(training, n_threads),
            }
            for name, parameters in fitted.items():
                limits = model.rating_scale
                guesses = predict_pairs(parameters, *pairs, limits=limits, n_threads=n_threads)
                baselines[name] = Errors.of(values, guesses)
    already_learned = None
    if model.seen is not None:
        already_learned = float(model.seen.contains(user_index, item_index, n_threads).mean())
    errors = Errors.of(values, predictions)
    liked_from = model.liked_from
    is_liked = values >= np.float32(liked_from)
    liked = Reliability.of(model.probabilities(predictions, liked_from), is_liked)
    rmse_interval, mae_interval = intervals.result()
    return Evaluation(
        n_ratings=len(ratings),
        rmse=errors.rmse,
        mae=errors.mae,
        rmse_interval=rmse_interval,
        mae_interval=mae_interval,
        n_users=int(np.count_nonzero(np.bincount(ratings.user_index))),
        unknown_users=float(np.mean(user_index < 0)),
        unknown_items=float(np.mean(item_index < 0)),
        already_learned=already_learned,
        baselines=baselines,
        liked_from=liked_from,
        liked=liked,
    )
