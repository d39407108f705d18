"""`Newcomers`: users and items that were not there when a model was trained, and explanations.

Both rest on the same closed form: with the items' parameters fixed, a user's bias and factors are
the solution of a ridge problem, which is linear in the user's ratings (`funksvd.learned.fold_in`).
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Self

import numpy as np

from funksvd.errors import FunkSVDError, RatingsError
from funksvd.learned.fold_in import PRIOR_RATINGS, OtherSide
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.parameters import Regularization
from funksvd.ratings import CompressedRows, Ratings, as_labels
from funksvd.uncertainty import Uncertain


class FoldedIn(NamedTuple):
    """Bias and factors of someone or something new.

    Parameters
    ----------
    bias : float
    factors : ndarray of shape (n_factors,), float32
    """

    bias: float
    factors: np.ndarray


class Explanation(NamedTuple):
    """A prediction as a sum: what each of the user's ratings adds to it.

    Parameters
    ----------
    item : int or str
    prediction : float
        Held within the rating scale: the sum of all that follows.
    global_mean : float
        mu: what is predicted when nothing is known.
    item_bias : float
        b_i: how much better or worse than others the item is rated.
    rated : ndarray of shape (n_rated,), int64 or object (str)
        The user's rated items, as far as the model knows them.
    ratings : ndarray of shape (n_rated,), float32
    contributions : ndarray of shape (n_rated,), float64
        Above zero: the rating speaks for the item.
    rest : float
        What training knows of the user besides; 0 for someone new.
    limit : float
        What is taken off or added to stay within the rating scale.
    """

    item: int | str
    prediction: float
    global_mean: float
    item_bias: float
    rated: np.ndarray
    ratings: np.ndarray
    contributions: np.ndarray
    rest: float
    limit: float

    def speaking_for(self, n: int) -> np.ndarray:
        """Positions of the n ratings that speak most for the item, strongest first."""
        order = np.argsort(-self.contributions, kind="stable")
        return order[self.contributions[order] > 0][:n]

    def speaking_against(self, n: int) -> np.ndarray:
        """Positions of the n ratings that speak most against it, strongest first."""
        order = np.argsort(self.contributions, kind="stable")
        return order[self.contributions[order] < 0][:n]


class Newcomers(Uncertain):
    """What can be asked for users and items that the model was not trained on; and why."""

    def fold_in(self, item_ids: Any, ratings: Any) -> FoldedIn:
        """Bias and factors of a new user, from their ratings.

        They minimize the objective, eq. (3), with everything else as it is: a closed form, so that
        no training is needed. The fewer the ratings, the closer they stay to zero
        (`funksvd.learned.fold_in`). An SVD++ model also counts which items these are. Errors are
        squared here whatever the model's loss, and factors may be negative.

        Parameters
        ----------
        item_ids : array-like of shape (n_rated,)
            Raw ids; those that the model does not know are passed over.
        ratings : array-like of shape (n_rated,)

        Returns
        -------
        FoldedIn

        Raises
        ------
        RatingsError
            If there are no ratings, or they are not finite numbers.
        FunkSVDError
            If the model's loss is logistic.
        UnknownIdError
            If the model knows none of the items.
        """
        rated, values = self._rated("item", item_ids, ratings)
        return self._fold_one(self.items_side(), rated, values)

    def fold_in_item(self, user_ids: Any, ratings: Any) -> FoldedIn:
        """Bias and factors of a new item, from its ratings; as `fold_in`.

        Parameters
        ----------
        user_ids : array-like of shape (n_ratings,)
        ratings : array-like of shape (n_ratings,)

        Returns
        -------
        FoldedIn

        Raises
        ------
        RatingsError
            If there are no ratings, or they are not finite numbers.
        UnknownIdError
            If the model knows none of the users.
        """
        rows, values = self._rated("user", user_ids, ratings)
        return self._fold_one(self.users_side(), rows, values)

    def for_new_users(self, ratings: Ratings) -> Self:
        """A model of the same items for other users: those of some ratings, folded in.

        Its `recommend`, `predict` and `evaluate` are about these users, and leave out what they
        have rated.

        Parameters
        ----------
        ratings : Ratings
            Items that the model does not know are passed over. A user who has rated no other is
            predicted from what is known of the items alone.

        Returns
        -------
        Newcomers
            This model stays as it is.

        Raises
        ------
        UnknownIdError
            If the model knows none of the items.
        """
        items = ratings.items.translate(ratings.item_index, self.items)
        self.items.require_some(items, ratings.item_ids)
        by_user = CompressedRows.from_pairs(
            ratings.user_index, items, ratings.n_users, ratings.values
        )
        biases, factors = self.items_side().fold(by_user, self.thread_count())
        model = copy.copy(self)
        model.user_ids = ratings.user_ids
        model.parameters = self.parameters._replace(user_biases=biases, user_factors=factors)
        model.n_ratings = len(by_user.values)
        model.seen = CompressedRows(by_user.indptr, by_user.columns)
        model.held_out = model.provenance = model.draws = None
        return model

    def explain(
        self, item_ids: Any, ratings: Any, items: Any, *, user: int | str | None = None
    ) -> list[Explanation]:
        """Which of a user's ratings speak for and against items, and by how much.

        The prediction for someone who is folded in is linear in their ratings, so that each has
        its part in it.

        Parameters
        ----------
        item_ids, ratings : array-like of shape (n_rated,)
            The user's ratings, as for `fold_in`.
        items : array-like of shape (n,)
            Raw ids of the items whose predictions are to be explained.
        user : int or str, optional
            A user of the model, by whose trained factors it predicts: what these and the folded-in
            ones differ by is the `rest`. The ratings are then those that the model learned from.

        Returns
        -------
        list of Explanation
            One for each of the items.

        Raises
        ------
        RatingsError
            If there are no ratings, or they are not finite numbers.
        UnknownIdError
            If the model knows none of the rated items, not all of `items`, or not the user.
        """
        rated, values = self._rated("item", item_ids, ratings)
        items = as_labels(items, "item ids")
        index = self.items.known_rows(items)
        contributions = self.items_side().contributions(rated, values, index)
        levels = self.item_biases[index].astype(np.float64)
        predictions = self.global_mean + levels + contributions.sum(axis=1)
        rest = np.zeros(len(items))
        if user is not None:
            row = self.users.known_rows([user])
            trained = predict_pairs(self.parameters, np.repeat(row, len(index)), index)
            rest = trained - predictions
            predictions = predictions + rest
        shown = np.clip(predictions, *self.rating_scale)
        return [
            Explanation(
                item,
                float(shown[at]),
                float(self.global_mean),
                float(levels[at]),
                self.item_ids[rated],
                values,
                contributions[at],
                float(rest[at]),
                float(shown[at] - predictions[at]),
            )
            for at, item in enumerate(items.tolist())
        ]

    def _rated(self, what: str, ids: Any, ratings: Any) -> tuple[np.ndarray, np.ndarray]:
        """Rows of what the model knows of rated items (or of users who rated), and the ratings.

        The last rating of several counts.
        """
        ids = as_labels(ids, f"{what} ids")
        given = Ratings.from_arrays(np.zeros(len(ids), dtype=np.int64), ids, ratings)
        if not given:
            raise RatingsError("there are no ratings to fold in")
        known = self.items if what == "item" else self.users
        rows = given.items.translate(given.item_index, known)
        known.require_some(rows, given.item_ids)
        order = np.argsort(rows, kind="stable")
        order = order[rows[order] >= 0]
        return rows[order], given.values[order]

    @staticmethod
    def _fold_one(side: OtherSide, columns: np.ndarray, values: np.ndarray) -> FoldedIn:
        biases, factors = side.fold(CompressedRows(np.array([0, len(columns)]), columns, values))
        return FoldedIn(float(biases[0]), factors[0])

    def items_side(self) -> OtherSide:
        """What new users are folded into; in indices, not in raw ids.

        Raises
        ------
        FunkSVDError
            If the model's loss is logistic.
        """
        return self._side(self.item_biases, self.item_factors, self.implicit_factors)

    def users_side(self) -> OtherSide:
        """What new items are folded into; as `items_side`."""
        return self._side(self.user_biases, self.user_factors, None)

    def _side(
        self, biases: np.ndarray, factors: np.ndarray, implicit_factors: np.ndarray | None
    ) -> OtherSide:
        chosen = self.resolved()
        unexplained = (self.history[self.best_epoch - 1].train_error / self.rating_spread) ** 2
        if chosen.loss == "logistic":
            raise FunkSVDError(
                "with the logistic loss there is no closed form for new users and items, nor for "
                "explanations; train again with their ratings"
            )
        return OtherSide(
            self.global_mean,
            biases,
            factors,
            implicit_factors,
            self.n_members,
            Regularization(self.reg_used * self.rating_spread, chosen.bias_reg),
            PRIOR_RATINGS * min(unexplained, 1.0) if chosen.biases else 0.0,
            bool(chosen.biases),
        )
