"""`Predictor`: what a fitted model predicts for pairs of raw ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from funksvd.errors import FunkSVDError, NotFittedError, argument
from funksvd.fitted import Fitted
from funksvd.given import rows_of_pairs, times_of_pairs, times_of_rows
from funksvd.ratings import Vocabulary, times_of_table
from funksvd.ratings.times import days_of


class Predictor(ABC):
    """A fitted model that predicts; a subclass adds how to learn one."""

    _fitted: Fitted | None = None

    @property
    def fitted(self) -> Fitted:
        """All that it answers from.

        Raises
        ------
        NotFittedError
            If there is nothing yet.
        """
        if self._fitted is None:
            raise NotFittedError("the model has no parameters yet: call fit, or load a model")
        return self._fitted

    @property
    def is_fitted(self) -> bool:
        """True once something was learned."""
        return self._fitted is not None

    @property
    @abstractmethod
    def title(self) -> str:
        """A name for people, in a few words."""

    @abstractmethod
    def thread_count(self) -> int:
        """Number of threads to use."""

    @property
    def users(self) -> Vocabulary:
        """Ids of the users, and their rows: those with at least one rating learned from."""
        return self.fitted.users

    @property
    def items(self) -> Vocabulary:
        """Ids of the items, and their rows: those with at least one rating learned from."""
        return self.fitted.items

    def predict(self, users: Any, items: Any = None, timestamps: Any = None) -> np.ndarray | float:
        """Predicted ratings, held within the rating scale; for the logistic loss, probabilities.

        Parameters
        ----------
        users, items : array-like of shape (n,), or one id
            Raw ids; one id goes with all of the other. Without `items`, `users` is an array of
            shape (n, 2), user ids and item ids, or a table whose columns are known by their names.
            For an id the model does not know, the prediction is made from what it knows:
            mu + b_u, mu + b_i or mu.
        timestamps : array-like of shape (n,), int, or one timestamp; optional
            Times of the ratings: seconds since 1970, or milli-, micro- or nanoseconds; 0 for one
            that is not known. A model that has learned biases of users on days (`days`) adds the
            bias on that day, where the user has rated something on it. Without `items`, those of
            the table by default, if it has some.

        Returns
        -------
        ndarray of shape (n,), float32; or float
            A float for one user and one item.

        Raises
        ------
        RatingsError
            If pairs or timestamps do not go together, or timestamps are not times.
        """
        user_index, item_index, single = rows_of_pairs(self.users, self.items, users, items)
        learned, times = self.fitted.rating_model.learned, None
        if items is None and timestamps is None and learned.days is not None:
            timestamps = times_of_rows(times_of_table(users))
        if timestamps is not None:
            times = times_of_pairs(timestamps, len(user_index), learned)
        predictions = self.predict_index(user_index, item_index, times)
        return float(predictions[0]) if single else predictions

    def predict_index(
        self,
        user_index: np.ndarray,
        item_index: np.ndarray,
        timestamps: np.ndarray | None = None,
    ) -> np.ndarray:
        """Predicted ratings, by the rows of users and items; -1 stands for unknown.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int32
        timestamps : ndarray of shape (n,), int64, optional
            As for `predict`; not checked.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        model = self.fitted.rating_model
        days = None if timestamps is None or model.learned.days is None else days_of(timestamps)
        return model.predict(user_index, item_index, days, n_threads=self.thread_count())

    def predict_std(self, users: Any, items: Any = None) -> np.ndarray | float:
        """Standard deviations: how sure predictions are, in rating units.

        They are of the noise-free rating mu + b_u + b_i + p_u . q_i, given all ratings learned
        from: nine times out of ten it is within 1.645 of them of the prediction.

        Parameters
        ----------
        users, items
            As for `predict`. An id that the model does not know could be any of the known ones.

        Returns
        -------
        ndarray of shape (n,), float32; or float
            A float for one user and one item.

        Raises
        ------
        FunkSVDError
            If the model is not the mean of draws, which those of bayes and bayes++ are, or if
            its users were folded in.
        """
        user_index, item_index, single = rows_of_pairs(self.users, self.items, users, items)
        deviations = self.predict_std_index(user_index, item_index)
        return float(deviations[0]) if single else deviations

    def predict_std_index(self, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
        """`predict_std` by the rows of users and items; -1 stands for unknown."""
        if self.fitted.rating_model.learned.draws is None:
            raise FunkSVDError(
                f"the model ({self.title}) does not know how sure its predictions are; one that "
                f"was trained with {argument('algorithm', 'bayes')} or bayes++ does, for the users "
                "that it was trained on"
            )
        return self.fitted.rating_model.deviations(
            user_index, item_index, n_threads=self.thread_count()
        )

    def predict_probability(
        self,
        users: Any,
        items: Any = None,
        timestamps: Any = None,
        *,
        at_least: float | None = None,
    ) -> np.ndarray | float:
        """Probabilities that ratings are at least some number.

        They are calibrated on ratings that the model has not learned from, where it had any
        (`fitted.is_calibrated`): `funksvd.learned.calibration` tells how.

        Parameters
        ----------
        users, items, timestamps
            As for `predict`.
        at_least : float, optional
            A number on the scale of the ratings; by default `liked_from`.

        Returns
        -------
        ndarray of shape (n,), float32; or float
            A float for one user and one item.

        Raises
        ------
        FunkSVDError
            If `at_least` is not on the scale, or the model predicts no ratings.
        RatingsError
            As `predict`.
        """
        predictions = self.predict(users, items, timestamps)
        found = self.probabilities(np.atleast_1d(np.float32(predictions)), at_least)
        return float(found[0]) if np.ndim(predictions) == 0 else found

    def probabilities(self, predictions: np.ndarray, at_least: float | None = None) -> np.ndarray:
        """`predict_probability` by predicted ratings: ndarray of shape (n,), float32."""
        return self.fitted.probabilities(predictions, at_least)

    @property
    def liked_from(self) -> float:
        """Lowest liked rating: the lowest from three quarters of the way up, 4 of 1 to 5.

        Raises
        ------
        FunkSVDError
            If the model predicts no ratings.
        """
        return self.fitted.liking_of_ratings.liked_from
