"""`Recommender`: a fitted model that people ask, raw ids in and raw ids out.

However a model was learned, its answers are made the same way, which is written once: a vocabulary
turns ids into rows, a part such as `RatingModel` answers in rows, and a vocabulary turns rows into
ids again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np

from funksvd.errors import FunkSVDError, RatingsError, argument
from funksvd.given import ones_if_none, rated_rows, warn_of_unknown
from funksvd.learned import Draws, LearnedRatings
from funksvd.learned.explain import Explanation
from funksvd.learned.features import EncodedTable
from funksvd.learned.fold_in import FoldedIn, OtherSide
from funksvd.learned.lists import Ranking
from funksvd.learned.similar import most_similar
from funksvd.learned.svd import SVD, svd_of_product
from funksvd.listing import (
    Filters,
    Recommendation,
    SimilarItem,
    SimilarUser,
    check_count,
    recommendations_in,
    tables_of,
)
from funksvd.objectives.parameters import Parameters
from funksvd.parallel import occurring
from funksvd.predicting import Predictor
from funksvd.ratings import (
    CompressedRows,
    Vocabulary,
    as_data,
    as_labels,
    as_ratings,
    read_features,
)
from funksvd.reasons import Because, because
from funksvd.splitting import Holdout, Provenance
from funksvd.training import EpochRecord, TrainingRecord


class Recommender(Predictor):
    """A fitted model that is asked in raw ids; a subclass adds how to learn one."""

    # -- what was learned ----------------------------------------------------------------------

    @property
    def user_ids(self) -> np.ndarray:
        """Raw ids of the users, ascending: ndarray of shape (n_users,), int64 or object (str)."""
        return self.fitted.users.ids

    @property
    def item_ids(self) -> np.ndarray:
        """Raw ids of the items, ascending: ndarray of shape (n_items,), int64 or object (str)."""
        return self.fitted.items.ids

    @property
    def learned(self) -> LearnedRatings:
        """The record of all learned arrays."""
        return self.fitted.rating_model.learned

    @property
    def parameters(self) -> Parameters:
        """The parameters of eq. (1); for the logistic loss they make log-odds.

        mu is the mean of the training ratings; of samplers ("bayes", "bayes++"), that of its draws
        (posterior mean).
        """
        return self.learned.parameters

    @property
    def global_mean(self) -> float:
        """mu, in rating units."""
        return self.learned.global_mean

    @property
    def user_biases(self) -> np.ndarray:
        """b_u: ndarray of shape (n_users,), float32, in rating units."""
        return self.learned.user_biases

    @property
    def item_biases(self) -> np.ndarray:
        """b_i: ndarray of shape (n_items,), float32, in rating units."""
        return self.learned.item_biases

    @property
    def user_factors(self) -> np.ndarray:
        """p_u, one a row: ndarray of shape (n_users, n_factors), float32."""
        return self.learned.user_factors

    @property
    def item_factors(self) -> np.ndarray:
        """q_i, one a row: ndarray of shape (n_items, n_factors), float32."""
        return self.learned.item_factors

    @property
    def implicit_factors(self) -> np.ndarray | None:
        """y_j of SVD++, which new users need: (n_items, n_factors), float32; None without."""
        return self.learned.implicit_factors

    @property
    def draws(self) -> Draws | None:
        """Mean and biases of each draw, which tell how sure predictions are; None without draws."""
        return self.learned.draws

    @property
    def n_members(self) -> int:
        """Number of models, or of draws, whose mean it is."""
        rating = self.fitted.rating_model
        return rating.learned.n_draws or rating.n_members

    @property
    def rating_scale(self) -> tuple[float, float]:
        """Lowest and highest rating learned from; predictions are held within it."""
        return self.fitted.rating_model.limits

    @property
    def n_ratings(self) -> int:
        """Number of ratings the parameters were learned from."""
        return self.fitted.n_ratings

    @property
    def seen(self) -> CompressedRows | None:
        """The pairs learned from, as items of each user; left out of recommendations."""
        return self.fitted.seen

    @property
    def held_out(self) -> CompressedRows | None:
        """Pairs rated but set aside for a test or validation; left out of recommendations too."""
        return self.fitted.held_out

    # -- how it was learned --------------------------------------------------------------------

    @property
    def training(self) -> TrainingRecord:
        """The record of how training went."""
        return self.fitted.record

    @property
    def history(self) -> list[EpochRecord]:
        """The epochs of training, as far as the validation part was watched."""
        return self.training.history

    @property
    def best_epoch(self) -> int:
        """The epoch whose parameters were kept, and the length of the refit."""
        return self.training.best_epoch

    @property
    def refitted(self) -> bool:
        """True if the parameters come from training and validation ratings together."""
        return self.training.refitted

    @property
    def reg_used(self) -> float:
        """Regularization of the factors: the one given, or the one chosen by the data."""
        return self.training.reg

    @property
    def rating_spread(self) -> float:
        """Standard deviation of the ratings learned from."""
        return self.training.spread

    @property
    def was_validated(self) -> bool:
        """True if training watched a validation part."""
        return self.training.was_validated

    @property
    def provenance(self) -> Provenance | None:
        """Origin of the ratings, as `remember_origin` has set it; None if it is not known."""
        return self.fitted.provenance

    def remember_origin(self, holdout: Holdout) -> None:
        """Keep where the ratings came from, and which pairs were held out.

        `rebuild(model.provenance)` finds the test part again; held-out pairs are rated too, and
        are left out of recommendations like those learned from.

        Parameters
        ----------
        holdout : Holdout
            Its training part is what the model has learned from.
        """
        held_out = self.held_out
        if holdout.test is not None:
            users, items = holdout.test.index_for(self.users, self.items)
            if held_out is not None:
                is_new = ~held_out.contains(users, items)
                more_users, more_items = held_out.pairs
                users = np.append(users[is_new], more_users)
                items = np.append(items[is_new], more_items)
            n_threads = self.thread_count()
            held_out = CompressedRows.from_pairs(users, items, len(self.users), n_threads=n_threads)
        self._fitted = replace(self.fitted, held_out=held_out, provenance=holdout.provenance)

    # -- lists ---------------------------------------------------------------------------------

    @property
    def rankings(self) -> tuple[str, ...]:
        """Names of the orders in which it can list items, the best first.

        They are "both", "choice" and "rating", as far as the model has been trained for them.
        """
        return self.fitted.rankings

    def ranking(self, by: str | None = None) -> Ranking:
        """A ranking of the items, in rows; by default the first of `rankings`.

        Raises
        ------
        FunkSVDError
            If the model does not have it.
        """
        return self.fitted.ranking(by)

    def recommend(
        self,
        user: int | str,
        n: int = 10,
        *,
        by: str | None = None,
        include_seen: bool = False,
        exclude: Any = None,
        among: Any = None,
        min_ratings: int = 0,
        diversify: float = 0.0,
    ) -> list[Recommendation]:
        """The best items for a user.

        Parameters
        ----------
        user : int or str
            Raw id.
        n : int
            Number of items; there are fewer where the model does not know that many.
        by, include_seen, exclude, among, min_ratings, diversify
            As for `recommend_all`.

        Returns
        -------
        list of Recommendation
            Best first; of equally good items the one with the lower id first.

        Raises
        ------
        FunkSVDError
            As `recommend_all`.
        UnknownIdError
            If the model does not know the user.
        """
        index = self.users.known_rows([user])
        filters = Filters(include_seen, exclude, among, min_ratings, diversify)
        tables = tables_of(self.fitted, index, n, by, filters, self.thread_count())
        return recommendations_in(next(tables))

    def recommend_all(
        self,
        users: Any = None,
        n: int = 10,
        *,
        by: str | None = None,
        include_seen: bool = False,
        exclude: Any = None,
        among: Any = None,
        min_ratings: int = 0,
        diversify: float = 0.0,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Recommendations for many users, in batches of bounded size.

        Parameters
        ----------
        users : array-like of shape (n_users,), optional
            Raw ids; by default all users.
        n : int
            Number of items for each user.
        by : {"both", "choice", "rating"}, optional
            Order of the items: by how likely users are to come to them and to like them, to come
            to them, or by what they would rate them at least. By default the first of `rankings`.
        include_seen : bool
            Whether items that the user has rated may be among them.
        exclude : array-like or set, optional
            Raw ids of items that are left out.
        among : array-like or set, optional
            Raw ids of the only items that may be listed. Ids that the model does not know are
            passed over.
        min_ratings : int
            Least number of ratings of an item.
        diversify : float
            From 0 to less than 1: how much more an item counts that is unlike those before it
            (maximal marginal relevance).

        Yields
        ------
        dict of str to ndarray
            Columns of the same length: user, rank (from 1), item, score; prediction, where the
            model predicts ratings; and n_ratings, where it knows them.

        Raises
        ------
        FunkSVDError
            If n is less than 1, the model does not have the ranking, or `diversify` is out of its
            range.
        UnknownIdError
            If the model does not know one of the users, or none of the items of `among`.
        """
        if users is None:
            index = np.arange(len(self.users), dtype=np.int32)
        else:
            index = self.users.known_rows(users)
        filters = Filters(include_seen, exclude, among, min_ratings, diversify)
        return self._tables(index, n, by, filters)

    def _tables(
        self, users: np.ndarray, n: int, by: str | None, filters: Filters
    ) -> Iterator[dict[str, np.ndarray]]:
        """Lists for users by their rows, as `recommend_all` yields them."""
        return tables_of(self.fitted, users, n, by, filters, self.thread_count())

    def similar(self, item: int | str, n: int = 10) -> list[SimilarItem]:
        """The items that are most like another one.

        Raises
        ------
        UnknownIdError
            If the model does not know the item.
        """
        counts = self.fitted.item_counts
        rows, similarities = self._most_similar(self.items, item, n, counts)
        known = [None] * len(rows) if counts is None else counts[rows].tolist()
        found = zip(self.items.labels(rows).tolist(), similarities.tolist(), known, strict=True)
        return [SimilarItem(*each) for each in found]

    def similar_users(self, user: int | str, n: int = 10) -> list[SimilarUser]:
        """The users who are most like another one.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        counts = None if self.seen is None else np.diff(self.seen.indptr)
        rows, similarities = self._most_similar(self.users, user, n, counts)
        found = zip(self.users.labels(rows).tolist(), similarities.tolist(), strict=True)
        return [SimilarUser(*pair) for pair in found]

    def _most_similar(
        self, vocabulary: Vocabulary, label: int | str, n: int, counts: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the most similar users or items, and how similar they are."""
        check_count(n)
        fitted = self.fitted
        name = f"{vocabulary.what}_factors"
        choice, rating = (
            None if part is None else getattr(part.learned, name)
            for part in (fitted.choice, fitted.rating)
        )
        return most_similar(choice, rating, counts, vocabulary.row(label), n)

    def to_svd(self) -> SVD:
        """The singular value decomposition U Σ Vᵀ of what the factors predict, P Qᵀ.

        Rows of U belong to `user_ids`, columns of Vᵀ to `item_ids`. Mean and biases are not part
        of it.
        """
        return svd_of_product(self.user_factors, self.item_factors)

    # -- users and items that the model has not learned ----------------------------------------

    def fold_in(self, item_ids: Any, ratings: Any = None) -> FoldedIn:
        """Bias and factors of a new user, from their ratings.

        They minimize the objective, eq. (3), with everything else as it is: a closed form, so that
        no training is needed. The fewer the ratings, the closer they stay to zero
        (`funksvd.learned.fold_in`). An SVD++ model also counts which items these are. Errors are
        squared here whatever the model's loss, and factors may be negative. Of a model of choices
        only they are those of its own objective, eq. (6) of `funksvd.objectives.ials`, and the
        bias is 0.

        Parameters
        ----------
        item_ids : array-like of shape (n_rated,)
            Raw ids; those that the model does not know are passed over, with a warning.
        ratings : array-like of shape (n_rated,)
            For a model of choices: ratings or counts, if it has learned from such.

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
        if self.fitted.rating is not None:
            if ratings is None:
                raise RatingsError("there are no ratings to fold in")
            return self.items_side().fold_one(*rated_rows(self.items, item_ids, ratings))
        rows, values = rated_rows(self.items, item_ids, ones_if_none(item_ids, ratings))
        known = None if ratings is None else values
        one = CompressedRows(np.array([0, len(rows)]), rows, known)
        return FoldedIn(0.0, self.fitted.choice_model.with_users(one).learned.user_factors[0])

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
        rows, values = rated_rows(self.users, user_ids, ratings)
        return self.users_side().fold_one(rows, values)

    def for_new_users(self, ratings: Any) -> Self:
        """A model of the same items for other users: those of some ratings, folded in.

        Its `recommend`, `predict` and `evaluate` are about these users, and leave out the items
        that they have rated.

        Parameters
        ----------
        ratings : Ratings or table
            For a model of choices only, interactions are enough. Items that the model does not
            know are passed over, with a warning. A user who has rated no other is predicted from
            what is known of the items alone.

        Returns
        -------
        Recommender
            This model stays as it is.

        Raises
        ------
        UnknownIdError
            If the model knows none of the items.
        """
        if self.fitted.rating is None:
            ratings = as_data(ratings)
            values = ratings.weights if ratings.values is None else ratings.values
        else:
            ratings = as_ratings(ratings)
            values = ratings.values
        rows = self.items.rows(ratings.item_ids)
        items = rows[ratings.item_index]
        self.items.require_some(items, ratings.item_ids)
        used = occurring(ratings.item_index, ratings.n_items)
        warn_of_unknown(self.items, rows[used], ratings.item_ids[used], stacklevel=3)
        by_user = CompressedRows.from_pairs(ratings.user_index, items, ratings.n_users, values)
        other = copy.copy(self)
        other._fitted = self.fitted.with_new_users(
            ratings.users, by_user, n_threads=self.thread_count()
        )
        return other

    def with_features(self, *, user_features: Any = None, item_features: Any = None) -> Self:
        """A model that also knows users and items without ratings, by their features.

        Parameters
        ----------
        user_features, item_features : path or table, optional
            Tables with columns that training had, as `fit` takes them. Ids that the model knows
            stay as they are.

        Returns
        -------
        Recommender
            This model stays as it is.

        Raises
        ------
        FunkSVDError
            If training had no such features.
        RatingsError
            If a table has no column with ids, or none of the features that training had.
        """
        given = {"user": user_features, "item": item_features}
        found = self.fitted
        for what, source in given.items():
            if source is None:
                continue
            if what not in found.features:
                raise FunkSVDError(
                    f"the model has learned from no features of {what}s; train one with "
                    f"{argument(f'{what}_features')}"
                )
            table, encoding = read_features(source, what), found.features[what].encoding
            encoded = EncodedTable(encoding, *encoding.encode(table, found.vocabulary(what)))
            found = found.with_rows(encoded)
        other = copy.copy(self)
        other._fitted = found
        return other

    def keep_features_of(self, before: Recommender) -> None:
        """Take over what an earlier state of the model has learned from features."""
        self._fitted = self.fitted.with_features_of(before.fitted)

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
        rated, values = rated_rows(self.items, item_ids, ratings)
        index = self.items.known_rows(items)
        row = None if user is None else self.users.row(user)
        sums = self.fitted.rating_model.explain(rated, values, index, row)
        return sums.explanations(as_labels(items, "item ids"), self.items.labels(rated), values)

    def explain_choices(
        self, item_ids: Any, ratings: Any, items: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of a user's items make them likely to come to others, and how much.

        The score of the choice model for someone who is folded in is a sum over their items.

        Parameters
        ----------
        item_ids, ratings : array-like of shape (n_rated,)
            The user's items; their ratings or counts, or None.
        items : array-like of shape (n,)
            Raw ids of the items whose scores are to be explained.

        Returns
        -------
        rated : ndarray of shape (n_known,), int64 or object (str)
            The user's items, as far as the model knows them.
        contributions : ndarray of shape (n, n_known), float64
            The part of each in each score; the score is the sum of a row.

        Raises
        ------
        FunkSVDError
            If the model has no choice model.
        UnknownIdError
            If the model knows none of the user's items, or not all of `items`.
        """
        choice = self.fitted.choice_model
        rated, values = rated_rows(self.items, item_ids, ones_if_none(item_ids, ratings))
        index = self.items.known_rows(items)
        known = None if ratings is None else values
        return self.items.labels(rated), choice.contributions(rated, known, index)

    def because(
        self,
        items: Any,
        *,
        by: str | None = None,
        user: int | str | None = None,
        item_ids: Any = None,
        ratings: Any = None,
    ) -> Because:
        """Which of a user's items speak for others in a list, more than for all items.

        Parameters
        ----------
        items, by, user, item_ids, ratings
            As for `funksvd.reasons.because`: the listed items; the ranking; a user of the model,
            or the items of somebody new, and their ratings.

        Returns
        -------
        Because
        """
        return because(self.fitted, items, by, user, item_ids, ratings)

    def items_side(self) -> OtherSide:
        """The items, in rows, as the side that new users are folded into.

        Raises
        ------
        FunkSVDError
            If the model's loss is logistic.
        """
        return self.fitted.rating_model.items_side()

    def users_side(self) -> OtherSide:
        """The users, in rows, as the side that new items are folded into; see `items_side`."""
        return self.fitted.rating_model.users_side()
