"""`Fitted`: what a fitted model consists of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from funksvd.calibrating import MANY_LEVELS
from funksvd.errors import FunkSVDError, argument
from funksvd.evaluation.relevance import liked_from as lowest_liked
from funksvd.hyperparameters import Hyperparameters
from funksvd.kernels import sum_values
from funksvd.learned.calibration import Calibration
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.features import (
    EncodedTable,
    FeatureFacts,
    KnownFeatures,
    facts_of,
    rows_of,
    with_weights,
    worth_of,
)
from funksvd.learned.lists import ByBoth, Liking, Ranking, by_choice, by_rating
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.weighting import LEVELS
from funksvd.rankings import RANKINGS
from funksvd.ratings import CompressedRows, Vocabulary
from funksvd.splitting import Provenance
from funksvd.training import TrainingRecord


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a fitted model answers from; replaced as a whole, never changed.

    Parameters
    ----------
    users, items : Vocabulary
        Ids of the rows: of users and items with at least one rating, or pair, learned from; and of
        those that are known from their features.
    rating : RatingModel or None
        The model of ratings; None if there were none to learn from.
    n_ratings : int
        Number of ratings, or of observed pairs, learned from.
    seen : CompressedRows or None
        Items of each user, by row: the pairs learned from, which recommendations leave out. None
        for a model that was saved without them. Its values are levels of `Weighting`; models of
        earlier programs lack them.
    record : TrainingRecord
        How training went: that of the model of ratings, if there is one.
    hyperparameters : Hyperparameters
        Those that training had; the model's own may have been set anew since.
    choice : ChoiceModel or None
        The model of choices.
    item_counts : ndarray of shape (n_items,), int32, or None
        Number of ratings or pairs learned from of each item; None if it is not known.
    liking : Liking or None
        When a rating is a liked one; None without a model of ratings.
    calibration : Calibration or None
        How probable ratings of at least some number are; None without a model of ratings, where
        predictions are themselves probabilities, and in models of earlier programs.
    held_out : CompressedRows or None
        Pairs rated but set aside for a test or validation; left out of recommendations too.
    provenance : Provenance or None
        Where the ratings came from, where that is known.
    features : mapping of str to KnownFeatures
        What is known of "user" and "item" besides ratings.
    """

    users: Vocabulary
    items: Vocabulary
    rating: RatingModel | None
    n_ratings: int
    seen: CompressedRows | None
    record: TrainingRecord
    hyperparameters: Hyperparameters
    choice: ChoiceModel | None = None
    item_counts: np.ndarray | None = None
    liking: Liking | None = None
    calibration: Calibration | None = None
    held_out: CompressedRows | None = None
    provenance: Provenance | None = None
    features: Mapping[str, KnownFeatures] = field(default_factory=dict)

    @property
    def rating_model(self) -> RatingModel:
        """The model of ratings.

        Raises
        ------
        FunkSVDError
            If there is none.
        """
        if self.rating is None:
            raise FunkSVDError(
                "the model knows choices only: it was trained without ratings, and so predicts none"
            )
        return self.rating

    @property
    def choice_model(self) -> ChoiceModel:
        """The model of choices.

        Raises
        ------
        FunkSVDError
            If there is none.
        """
        if self.choice is None:
            raise FunkSVDError("the model has no choice model beside that of ratings")
        return self.choice

    @property
    def rankings(self) -> tuple[str, ...]:
        """Names of the rankings that there are, the best first."""
        has = {"rating": self.rating is not None, "choice": self.choice is not None}
        has["both"] = all(has.values())
        return tuple(name for name in RANKINGS if has[name])

    def ranking(self, by: str | None = None) -> Ranking:
        """A ranking of the items.

        Parameters
        ----------
        by : {"both", "choice", "rating"}, optional
            By default the first of `rankings`.

        Raises
        ------
        FunkSVDError
            If the model does not have it.
        """
        by = by or self.rankings[0]
        if by not in RANKINGS:
            raise FunkSVDError(f"{argument('by')} must be one of {', '.join(RANKINGS)}, not {by!r}")
        if by not in self.rankings:
            why = (
                "was trained without ratings"
                if self.rating is None
                else "has no choice model: it is of ratings only"
            )
            raise FunkSVDError(
                f"the model {why}, and lists items by {' or '.join(self.rankings)}, not by {by}"
            )
        return self._by[by]

    @cached_property
    def rating_step(self) -> float | None:
        """Difference between a rating and the next higher one; None for a continuous scale."""
        if self.rating is None or self.seen is None or self.seen.values is None:
            return None
        levels = np.flatnonzero(np.bincount(self.seen.values, minlength=LEVELS))
        if len(levels) < 2:
            return None
        last = LEVELS - 1
        n_steps = round(last / float(np.diff(levels).min()))
        steps = levels * n_steps / last
        if n_steps > MANY_LEVELS or np.abs(steps - np.rint(steps)).max() > n_steps / last:
            return None
        low, high = self.rating.limits
        return round((high - low) / n_steps, 6)

    @property
    def liking_of_ratings(self) -> Liking:
        """When a rating is a liked one.

        Raises
        ------
        FunkSVDError
            If the model is of choices only.
        """
        _, liking = self.rating_model, self.liking
        assert liking is not None, "models of ratings know what a liked rating is"
        return liking

    @property
    def is_calibrated(self) -> bool:
        """Whether probabilities were calibrated on ratings that the model has not learned from."""
        predicts_likings = self.rating is not None and self.rating.loss.is_binary
        return predicts_likings or (self.calibration is not None and self.calibration.n_checked > 0)

    def probabilities(self, predictions: np.ndarray, at_least: float | None = None) -> np.ndarray:
        """Probabilities that ratings are at least some number.

        Parameters
        ----------
        predictions : ndarray of shape (n,), float32
            Predicted ratings.
        at_least : float, optional
            By default the lowest liked rating.

        Returns
        -------
        ndarray of shape (n,), float32

        Raises
        ------
        FunkSVDError
            If the model predicts no ratings, or `at_least` is not on their scale.
        """
        rating = self.rating_model
        low, high = rating.limits
        if at_least is None:
            at_least = self.liking_of_ratings.liked_from
        is_number = isinstance(at_least, int | float | np.number) and np.isreal(at_least)
        with np.errstate(over="ignore"):
            is_on_scale = is_number and low <= np.float32(at_least) <= high
        if not is_on_scale:
            given = f"{at_least:g}" if is_number else repr(at_least)
            raise FunkSVDError(
                f"{argument('at_least')} must be a rating of the model's scale, {low:g} to "
                f"{high:g}, not {given}"
            )
        if not rating.loss.is_binary:
            return self._calibration.probabilities(predictions, at_least)
        return predictions if at_least > low else np.ones_like(predictions)

    @cached_property
    def _calibration(self) -> Calibration:
        """That of the model; for one of an earlier program, with a = 0 and b = 1."""
        if self.calibration is not None:
            return self.calibration
        (low, high), step = self.rating_model.limits, self.rating_step
        liking = self.liking_of_ratings
        levels = [liking.liked_from]
        if step is not None:
            levels = [low + step * n for n in range(1, round((high - low) / step) + 1)]
        return Calibration.of((low, high), levels, step is not None, liking.error)

    @property
    def item_vectors(self) -> np.ndarray:
        """Vectors of the items by which these are more or less alike: (n_items, k), float32."""
        part = self.choice or self.rating_model
        return part.learned.item_factors

    def vocabulary(self, what: str) -> Vocabulary:
        """The users or the items, for "user" and "item"."""
        return self.users if what == "user" else self.items

    def counts(self, what: str) -> np.ndarray | None:
        """Number of ratings, or pairs, of each user or item; None if that is not known."""
        if what == "item":
            return self.item_counts
        return None if self.seen is None else np.diff(self.seen.indptr)

    @property
    def feature_facts(self) -> dict[str, list[FeatureFacts]]:
        """What the features of "user" and "item" are worth, as far as the model knows any."""
        learned = (self.rating or self.choice_model).learned
        return {what: facts_of(learned, known) for what, known in self.features.items()}

    def knowing(self, features: Mapping[str, KnownFeatures]) -> Self:
        """The same with these features; the parts are told which rows have no rating."""
        is_alone = {}
        for what in ("user", "item"):
            is_alone[what] = np.zeros(len(self.vocabulary(what)), bool)
            if what in features:
                is_alone[what][features[what].alone] = True
        masks = (is_alone["user"], is_alone["item"])
        n_alone = int(np.count_nonzero(masks[1]))
        return replace(
            self,
            features=features,
            rating=self.rating
            and replace(self.rating, alone=masks if any(m.any() for m in masks) else None),
            choice=self.choice and replace(self.choice, n_alone=n_alone),
        )

    def with_features(self, tables: Mapping[str, EncodedTable]) -> Self:
        """The same with what features tell of its rows, and with rows for all ids of the tables.

        Parameters
        ----------
        tables : mapping of str to EncodedTable
            For "user" and "item": features that training had.
        """
        found = self
        known = {}
        for what, table in tables.items():
            columns = table.rows(self.vocabulary(what))
            other = "item" if what == "user" else "user"
            counts, of_others = self.counts(what), self.counts(other)
            assert counts is not None
            assert of_others is not None
            found = replace(
                found,
                rating=found.rating
                and replace(
                    found.rating, learned=with_weights(found.rating.learned, what, columns, counts)
                ),
                choice=found.choice
                and replace(
                    found.choice, learned=with_weights(found.choice.learned, what, columns, counts)
                ),
            )
            part = found.rating or found.choice_model
            worth = worth_of(part.learned, table.encoding, columns, (counts, of_others))
            known[what] = KnownFeatures(table.encoding, worth, np.empty(0, np.int32))
        found = found.knowing(known)
        for table in tables.values():
            found = found.with_rows(table)
        return found

    def with_rows(self, table: EncodedTable) -> Self:
        """The same with rows for the ids of a table that it does not know: x W.

        Parameters
        ----------
        table : EncodedTable
            In the encoding that the model knows.
        """
        what = table.encoding.what
        known = self.vocabulary(what)
        is_new = table.ids.positions_in(known) < 0
        if not is_new.any():
            return self
        new = table.ids.select(np.flatnonzero(is_new))
        ids = known.joined(new)
        old_at, new_at = known.positions_in(ids), new.positions_in(ids)
        columns = np.ascontiguousarray(table.columns[is_new])
        here = {"user": np.arange(len(self.users)), "item": np.arange(len(self.items))}
        shape = {"user": len(self.users), "item": len(self.items)}
        places, sizes = {**here, what: old_at}, {**shape, what: len(ids)}
        rating, choice = self.rating, self.choice

        def grown(learned: Any) -> Any:
            spread = learned.spread_out(*places.values(), tuple(sizes.values()))
            for name, rows in rows_of(learned, what, columns).items():
                getattr(spread, name)[new_at] = rows
            if (noise := getattr(learned, f"{what}_noise", None)) is not None:
                getattr(spread, f"{what}_noise")[new_at] = sum_values(noise) / len(noise)
            return spread

        counts = self.item_counts
        if what == "item" and counts is not None:
            counts = np.zeros(len(ids), np.int32)
            counts[old_at] = self.item_counts
        alone = np.sort(np.append(old_at[self.features[what].alone], new_at))
        features = {**self.features, what: replace(self.features[what], alone=alone)}
        found = replace(
            self,
            users=ids if what == "user" else self.users,
            items=ids if what == "item" else self.items,
            rating=rating and replace(rating, learned=grown(rating.learned)),
            choice=choice and replace(choice, learned=grown(choice.learned)),
            seen=self.seen and self.seen.spread_out(what, old_at, len(ids)),
            held_out=self.held_out and self.held_out.spread_out(what, old_at, len(ids)),
            item_counts=counts,
        )
        return found.knowing(features)

    def with_features_of(self, before: Fitted) -> Self:
        """The same with the weights of features that an earlier state of the model has learned.

        Parameters
        ----------
        before : Fitted
            Over some of these users and items.
        """
        if not before.features:
            return self
        names = [
            f"{what}_feature_{each}" for what in before.features for each in ("biases", "factors")
        ]

        def kept(learned: Any, old: Any) -> Any:
            return replace(learned, **{n: getattr(old, n) for n in names if hasattr(old, n)})

        features = {}
        for what, known in before.features.items():
            counts = self.counts(what)
            assert counts is not None
            old = before.vocabulary(what)
            alone = old.select(known.alone).positions_in(self.vocabulary(what))
            still = np.sort(alone[counts[alone] == 0])
            features[what] = replace(known, alone=still)
        rating, choice = self.rating, self.choice
        found = replace(
            self,
            rating=rating
            and replace(rating, learned=kept(rating.learned, before.rating_model.learned)),
            choice=choice
            and replace(choice, learned=kept(choice.learned, before.choice_model.learned)),
        )
        return found.knowing(features)

    @cached_property
    def _by(self) -> dict[str, Ranking]:
        made: dict[str, Ranking] = {}
        if self.rating is not None:
            made["rating"] = by_rating(self.rating, self.item_counts, self.record.spread)
        if self.choice is not None:
            made["choice"] = by_choice(self.choice)
            if self.rating is not None and self.liking is not None:
                made["both"] = ByBoth(self.choice, self.rating, self.liking)
        return made

    def with_new_users(
        self,
        users: Vocabulary,
        pairs: CompressedRows,
        *,
        by: str | None = None,
        n_threads: int = 1,
    ) -> Self:
        """The same items for other users.

        Parameters
        ----------
        users : Vocabulary
        pairs : CompressedRows
            Items that they have rated or dealt with, by user; values are ratings or counts.
        by : {"both", "choice", "rating"}, optional
            The only ranking that they are going to be asked for: by rating, the choice model is
            left out.
        n_threads : int
            Does not change the result.
        """
        rating, choice = self.rating, None if by == "rating" else self.choice
        return replace(
            self,
            users=users,
            rating=rating and rating.with_users(pairs, n_threads=n_threads),
            choice=choice and choice.with_users(pairs, n_threads=n_threads),
            n_ratings=len(pairs.columns),
            seen=pairs._replace(values=None),
            held_out=None,
            provenance=None,
            features={},
        )


def liking_of_scale(low: float, high: float, record: TrainingRecord) -> Liking:
    """The liking for a model of an earlier program, which does not know the ratings' steps."""
    liked_from = lowest_liked((low, high))
    error = record.best.train
    return Liking(liked_from, liked_from, error if math.isfinite(error) and error > 0 else 1e-3)
