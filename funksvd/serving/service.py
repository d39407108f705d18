"""Answers to the questions that are served, without HTTP: raw ids in, plain data out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError, UnknownIdError, argument
from funksvd.learned.explain import strongest_for
from funksvd.listing import Filters, Recommendation, recommendations_in, tables_of
from funksvd.ratings import CompressedRows, ItemAttributes, TitleSearch, Vocabulary, quoted
from funksvd.reasons import Reasons
from funksvd.recommender import Recommender

REASONS = 3
"""Number of ratings for an item, and of ratings against it, that an explanation names."""
DIGITS = 4
"""Decimal digits of predictions, similarities, scores and contributions."""

ONE_USER = np.zeros(1, dtype=np.int32)
"""Row of the only user of a model that was made for one."""
GUEST = Vocabulary(np.zeros(1, dtype=np.int64), "user")
"""The id of that user."""


NO_FILTERS = Filters()


class Guest(NamedTuple):
    """What someone has rated, or come to, whom the model has not seen.

    Parameters
    ----------
    rows : ndarray of shape (n_rated,), int32
        Rows of the rated items, ascending.
    values : ndarray of shape (n_rated,), float32, or None
        Their ratings, or numbers of times; None where these do not matter.
    """

    rows: np.ndarray
    values: np.ndarray | None


class Service:
    """A model and the titles of its items, to be asked.

    Parameters
    ----------
    model : Recommender
        Fitted.
    titles : mapping of id to str, optional
        Titles of any items, found by the ids' text; an item without one is called by its id.
    attributes : ItemAttributes, optional
        Columns of a file of items, which conditions are about.
    """

    def __init__(
        self,
        model: Recommender,
        titles: Mapping[int, str] | Mapping[str, str] | None = None,
        attributes: ItemAttributes | None = None,
    ) -> None:
        self.model = model
        self._attributes = attributes
        by_text = {str(item): title for item, title in (titles or {}).items()}
        counts = model.fitted.item_counts
        if counts is None:
            counts = np.zeros(len(model.item_ids), dtype=np.int64)
        self._items = [
            {"item": item, "title": by_text.get(str(item)) or str(item), "n_ratings": n_ratings}
            for item, n_ratings in zip(model.item_ids.tolist(), counts.tolist(), strict=True)
        ]
        self._rows = {str(each["item"]): row for row, each in enumerate(self._items)}
        self._search = TitleSearch(
            {key: self._items[row]["title"] for key, row in self._rows.items()},
            {key: self._items[row]["n_ratings"] for key, row in self._rows.items()},
        )
        self._reasons = Reasons(model.fitted)
        self._rating_step = model.fitted.rating_step  # now: it takes a look at all ratings

    @property
    def rating_scale(self) -> tuple[float, float] | None:
        """Lowest and highest rating; None for a model of choices only."""
        return None if self.model.fitted.rating is None else self.model.rating_scale

    def warm_up(self) -> None:
        """Answer one question of each kind, so that nobody waits until kernels are compiled."""
        user, item = self.model.users.label(0), next(iter(self._rows))
        self.find_items("?", 1)
        self.find_items("xyzzy", 1)
        self.similar(item, 1)
        self.similar_users(user, 1)
        highest = None
        if self.rating_scale is not None:
            self.predict(user, item, at_least=self.rating_scale[1])
            highest = self.rating_scale[1]
        for by in self.model.rankings:
            for diversify in (0.0, 0.5):
                filters = Filters(exclude=(item,), min_ratings=1, diversify=diversify)
                self.recommend(user, 2, by, filters)
                self.fold_in({item: highest}, 2, by, filters, explain=True)

    def describe(self) -> dict[str, Any]:
        """The model's name and size, its rankings, and its rating scale, if it has one."""
        scale = self.rating_scale
        return {
            "model": self.model.title,
            "n_users": len(self.model.users),
            "n_items": len(self._items),
            "n_ratings": self.model.n_ratings,
            "rankings": list(self.model.rankings),
            "rating_scale": None if scale is None else list(scale),
            "rating_step": self._rating_step,
        }

    def item(self, item: int | str) -> dict[str, Any]:
        """An item, its title and its number of ratings.

        Raises
        ------
        UnknownIdError
            If the model does not know it.
        """
        row = self._rows.get(str(item))
        if row is None:
            raise UnknownIdError(f"the model does not know item {quoted(item)}")
        return self._items[row]

    def find_items(self, text: str, n: int) -> list[dict[str, Any]]:
        """Items by title, the likeliest first, as `TitleSearch` finds them.

        Parameters
        ----------
        text : str
            Empty for the most popular items of all.
        n : int
            Largest number of items.
        """
        return [self._items[self._rows[item]] for item in self._search.search(text, n)]

    def predict(
        self,
        user: int | str,
        item: int | str,
        timestamp: int | None = None,
        at_least: float | None = None,
    ) -> dict[str, Any]:
        """The predicted rating of an item by a user; if one is unknown, from the other alone.

        Parameters
        ----------
        user, item : int or str
        timestamp : int, optional
            Time of the rating, as for `Recommender.predict`.
        at_least : float, optional
            A rating: the answer then has the probability that the user's is at least this.

        Raises
        ------
        RatingsError
            If the timestamp is negative, or of a time long before the model's days.
        FunkSVDError
            If `at_least` is not on the model's scale.
        """
        user_row = int(self.model.users.rows([user])[0])
        item_row = self._rows.get(str(item))
        prediction = self.model.predict(user, item, timestamp)
        answer = {
            "user": user if user_row < 0 else self.model.users.label(user_row),
            "item": item if item_row is None else self._items[item_row]["item"],
            "prediction": round(float(prediction), DIGITS),
            "knows_user": user_row >= 0,
            "knows_item": item_row is not None,
        }
        if at_least is not None:
            found = self.model.probabilities(np.array([prediction], np.float32), at_least)
            answer["probability"] = round(float(found[0]), DIGITS)
        return answer

    def recommend(
        self,
        user: int | str,
        n: int,
        by: str | None = None,
        filters: Filters = NO_FILTERS,
        where: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """The best items of a user of the model, without those that they have rated.

        Parameters
        ----------
        user : int or str
        n : int
            Largest number of items.
        by : str, optional
            One of the model's rankings; by default the first.
        filters : Filters
        where : sequence of str
            Conditions that listed items meet, such as "genre=Comedy".

        Raises
        ------
        UnknownIdError
            If the model does not know the user, or none of the items to choose from.
        RatingsError
            If a condition cannot be read, or no item meets it.
        FunkSVDError
            If the model does not have this ranking; if there are conditions, and no file of items.
        """
        return self.recommend_all([user], n, by, filters, where)[0]["recommendations"]

    def recommend_all(
        self,
        users: Sequence[int | str],
        n: int,
        by: str | None = None,
        filters: Filters = NO_FILTERS,
        where: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """The same for several users: of each in turn, `user` and `recommendations`."""
        labels = [self._user(user) for user in users]
        rows = self.model.users.rows(labels)
        known = self._known_items(filters, where)
        tables = tables_of(
            self.model.fitted, np.unique(rows), n, by, known, self.model.thread_count()
        )
        found: dict[int | str, list[dict[str, Any]]] = {label: [] for label in labels}
        for table in tables:
            for user, each in zip(table["user"].tolist(), recommendations_in(table), strict=True):
                found[user].append(self._told(each))
        return [{"user": label, "recommendations": found[label]} for label in labels]

    def similar_users(self, user: int | str, n: int) -> list[dict[str, Any]]:
        """Users who are most like another one.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        found = self.model.similar_users(self._user(user), n)
        return [
            {"user": other, "similarity": round(similarity, DIGITS)} for other, similarity in found
        ]

    def similar(self, item: int | str, n: int) -> list[dict[str, Any]]:
        """Items that are most like another one.

        Raises
        ------
        UnknownIdError
            If the model does not know the item.
        """
        found = self.model.similar(self.item(item)["item"], n)
        return [
            {**self.item(each.item), "similarity": round(each.similarity, DIGITS)} for each in found
        ]

    def fold_in(
        self,
        ratings: Mapping[str, float | None],
        n: int,
        by: str | None = None,
        filters: Filters = NO_FILTERS,
        explain: bool = False,
        where: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The best items of someone new, by their ratings.

        Parameters
        ----------
        ratings : mapping of str to (float or None)
            Ratings by the text of the item's id. For a model of choices only, None stands for an
            item that they have come to.
        n : int
            Largest number of items.
        by : str, optional
            One of the model's rankings; by default the first.
        filters : Filters
        explain : bool
            Whether to name the ratings that speak for and against each item.
        where : sequence of str
            As for `recommend`.

        Raises
        ------
        UnknownIdError
            If the model knows none of the items, or none of those to choose from.
        RatingsError
            If a condition cannot be read, or no item meets it.
        FunkSVDError
            If the model does not have this ranking, or a rating is missing or outside of the scale.
        """
        self._check_ratings(ratings.values())
        known = {self._rows[key]: value for key, value in ratings.items() if key in self._rows}
        if not known:
            raise UnknownIdError(
                "the model knows none of these items; it knows, for instance, "
                f"{self.model.items.examples}"
            )
        guest = self._guest(known)
        by = by or self.model.rankings[0]
        answer = [
            self._told(each) for each in self._best(guest, n, by, self._known_items(filters, where))
        ]
        if explain and answer:
            rows = np.array([self._rows[str(each["item"])] for each in answer], dtype=np.int32)
            parts = self._reasons.parts(by, *guest, rows)
            for each, part in zip(answer, parts, strict=True):
                each["because"] = self._because(guest, part)
        unknown = [key for key in ratings if key not in self._rows]
        return {"by": by, "recommendations": answer, "unknown_items": unknown}

    def _check_ratings(self, values: Iterable[float | None]) -> None:
        if self.rating_scale is None:
            return
        low, high = self.rating_scale
        for value in values:
            if value is None:
                raise FunkSVDError(f"a rating is missing; ratings go from {low:g} to {high:g}")
            if not low <= value <= high:
                raise FunkSVDError(f"ratings go from {low:g} to {high:g}, not {value:g}")

    def _guest(self, known: Mapping[int, float | None]) -> Guest:
        """Rows and ratings; where a rating is missing, the one that a thing that is liked has."""
        rows = sorted(known)
        choice = self.model.fitted.choice
        missing = 0.0
        if choice is not None:
            if choice.weighting.kind == "none":
                return Guest(np.array(rows, dtype=np.int32), None)
            rule = choice.weighting
            missing = rule.high if rule.kind == "rating" else rule.low
        values = [missing if (value := known[row]) is None else value for row in rows]
        return Guest(np.array(rows, dtype=np.int32), np.array(values, dtype=np.float32))

    def _user(self, user: int | str) -> int | str:
        """The id of a user as the model has it; an error for a stranger names no other users."""
        row = int(self.model.users.rows([user])[0])
        if row < 0:
            raise UnknownIdError(f"the model does not know user {quoted(user)}")
        return self.model.users.label(row)

    def _known(self, items: Iterable[int | str] | None) -> list[int | str] | None:
        """The ids of those items that the model knows; None for none."""
        rows = (self._rows.get(str(item)) for item in items or ())
        return [self._items[row]["item"] for row in rows if row is not None] or None

    def _known_items(self, filters: Filters, where: Sequence[str]) -> Filters:
        """Filters with ids of the model only, and with conditions as items to choose from."""
        among = self._known(filters.among)
        if filters.among is not None and among is None:
            raise UnknownIdError("the model knows none of the items to choose from")
        if where:
            if self._attributes is None:
                raise FunkSVDError(
                    f"{argument('where')} asks for columns of a file of items; the server has "
                    "to be started with one"
                )
            fitting = self._known(self._attributes.where_all(where)) or []
            chosen = None if among is None else set(among)
            among = [item for item in fitting if chosen is None or item in chosen]
        return replace(filters, exclude=self._known(filters.exclude), among=among)

    def _best(self, guest: Guest, n: int, by: str, filters: Filters) -> list[Recommendation]:
        """The best items that a guest has not rated."""
        rated = CompressedRows(np.array([0, len(guest.rows)]), *guest)
        needed = None if filters.diversify else by  # items differ by the factors of both models
        fitted = self.model.fitted.with_new_users(GUEST, rated, by=needed)
        fitted.ranking(by).take_norms(self.model.ranking(by))
        return recommendations_in(next(tables_of(fitted, ONE_USER, n, by, filters)))

    def _told(self, found: Recommendation) -> dict[str, Any]:
        """An item that is listed, its score, and the predicted rating, if there is one."""
        prediction = found.prediction
        return {
            **self._items[self._rows[str(found.item)]],
            "score": round(found.score, DIGITS),
            "prediction": None if prediction is None else round(prediction, DIGITS),
        }

    def _because(self, guest: Guest, parts: np.ndarray) -> list[dict[str, Any]]:
        """The ratings that speak most for an item, strongest first, and then those against it."""
        strongest = [*strongest_for(parts, REASONS), *strongest_for(-parts, REASONS)]
        return [self._reason(guest, at, float(parts[at])) for at in strongest]

    def _reason(self, guest: Guest, at: int, part: float) -> dict[str, Any]:
        item = self._items[guest.rows[at]]
        reason = {"item": item["item"], "title": item["title"]}
        if self.rating_scale is not None and guest.values is not None:
            reason["rating"] = float(str(guest.values[at]))  # as short as it reads
        return {**reason, "contribution": round(part, DIGITS)}
