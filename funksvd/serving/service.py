"""Answers to the questions that are served, without HTTP: raw ids in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import UnknownIdError
from funksvd.ratings import CompressedRows, TitleSearch, quoted
from funksvd.recommender import Recommender

REASONS = 3
"""Number of ratings for an item, and of ratings against it, that an explanation names."""
DIGITS = 4
"""Decimal digits of predictions, similarities and contributions."""

ONE_USER = np.zeros(1, dtype=np.int32)
"""Row of the only user of a model that was made for one."""


class Guest(NamedTuple):
    """Ratings of someone whom the model has not seen.

    Parameters
    ----------
    rows : ndarray of shape (n_rated,), int32
        Rows of the rated items, ascending.
    values : ndarray of shape (n_rated,), float32
        Their ratings.
    """

    rows: np.ndarray
    values: np.ndarray


class Service:
    """A model and the titles of its items, to be asked.

    Parameters
    ----------
    model : Recommender
        Fitted.
    titles : mapping of id to str, optional
        Titles of any items, found by the ids' text; an item without one is called by its id.
    """

    def __init__(
        self,
        model: Recommender,
        titles: Mapping[int, str] | Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        by_text = {str(item): title for item, title in (titles or {}).items()}
        counts = np.zeros(len(model.item_ids), dtype=np.int64)
        if model.seen is not None:
            counts = np.bincount(model.seen.columns, minlength=len(counts))
        self._items = [
            {"item": item, "title": by_text.get(str(item)) or str(item), "n_ratings": n_ratings}
            for item, n_ratings in zip(model.item_ids.tolist(), counts.tolist(), strict=True)
        ]
        self._rows = {str(each["item"]): row for row, each in enumerate(self._items)}
        self._search = TitleSearch(
            {key: self._items[row]["title"] for key, row in self._rows.items()},
            {key: self._items[row]["n_ratings"] for key, row in self._rows.items()},
        )

    def warm_up(self) -> None:
        """Answer one question of each kind, so that nobody waits until kernels are compiled."""
        user, item = self.model.users.label(0), next(iter(self._rows))
        self.predict(user, item)
        self.recommend(user, 1)
        self.similar(item, 1)
        self.fold_in({item: self.model.rating_scale[1]}, 1, explain=True)

    def describe(self) -> dict[str, Any]:
        """The model's name, size and rating scale."""
        low, high = self.model.rating_scale
        return {
            "model": self.model.title,
            "n_users": len(self.model.users),
            "n_items": len(self._items),
            "n_ratings": self.model.n_ratings,
            "rating_scale": [low, high],
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

    def predict(self, user: int | str, item: int | str) -> dict[str, Any]:
        """The predicted rating of an item by a user; if one is unknown, from the other alone."""
        user_row = int(self.model.users.rows([user])[0])
        item_row = self._rows.get(str(item))
        return {
            "user": user if user_row < 0 else self.model.users.label(user_row),
            "item": item if item_row is None else self._items[item_row]["item"],
            "prediction": round(float(self.model.predict(user, item)), DIGITS),
            "knows_user": user_row >= 0,
            "knows_item": item_row is not None,
        }

    def recommend(self, user: int | str, n: int) -> list[dict[str, Any]]:
        """The best unseen items of a user of the model.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        found = self.model.recommend(self._user(user), n)
        return [
            {**self.item(item), "prediction": round(prediction or 0.0, DIGITS)}
            for item, prediction, *_ in found
        ]

    def similar_users(self, user: int | str, n: int) -> list[dict[str, Any]]:
        """Users whose factors point in the most similar direction.

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
        """Items whose factors point in the most similar direction.

        Raises
        ------
        UnknownIdError
            If the model does not know the item.
        """
        found = self.model.similar(self.item(item)["item"], n)
        return [
            {**self.item(other), "similarity": round(similarity, DIGITS)}
            for other, similarity, _ in found
        ]

    def fold_in(self, ratings: dict[str, float], n: int, explain: bool = False) -> dict[str, Any]:
        """The best items of someone new, by their ratings.

        Parameters
        ----------
        ratings : dict of str to float
            Ratings by the text of the item's id.
        n : int
            Largest number of items.
        explain : bool
            Whether to name the ratings that speak for and against each item.

        Raises
        ------
        UnknownIdError
            If the model knows none of the items.
        """
        known = {self._rows[key]: value for key, value in ratings.items() if key in self._rows}
        if not known:
            raise UnknownIdError(
                "the model knows none of these items; it knows, for instance, "
                f"{self.model.items.examples}"
            )
        rows = sorted(known)
        guest = Guest(
            np.array(rows, dtype=np.int32), np.array([known[row] for row in rows], dtype=np.float32)
        )
        best, predictions = self._best(guest, n)
        answer = [
            {**self._items[row], "prediction": round(prediction, DIGITS)}
            for row, prediction in zip(best.tolist(), predictions.tolist(), strict=True)
        ]
        if explain and answer:
            for each, reasons in zip(answer, self._reasons(guest, best), strict=True):
                each |= reasons
        unknown = [key for key in ratings if key not in self._rows]
        return {"recommendations": answer, "unknown_items": unknown}

    def _user(self, user: int | str) -> int | str:
        """The id of a user as the model has it; an error for a stranger names no other users."""
        row = int(self.model.users.rows([user])[0])
        if row < 0:
            raise UnknownIdError(f"the model does not know user {quoted(user)}")
        return self.model.users.label(row)

    @cached_property
    def _item_norms(self) -> np.ndarray:
        return np.linalg.norm(self.model.item_factors, axis=1)

    def _best(self, guest: Guest, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the best items that a guest has not rated, and predicted ratings."""
        rated = CompressedRows(np.array([0, len(guest.rows)]), *guest)
        rating = self.model.fitted.rating_model.with_users(rated)
        batches = rating.best_items(ONE_USER, n, exclude=(rated,), item_norms=self._item_norms)
        best = next(batches)
        found = best.items[0] >= 0
        return best.items[0, found], rating.from_scores(best.predictions[0, found])

    def _reasons(self, guest: Guest, best: np.ndarray) -> list[dict[str, Any]]:
        """The ratings that speak most for and against each of the best items."""
        ids = self.model.item_ids
        sums = self.model.fitted.rating_model.explain(guest.rows, guest.values, best)
        reasons = sums.explanations(ids[best], ids[guest.rows], guest.values)
        return [
            {
                "because": [
                    self._because(guest, at, float(reason.contributions[at]))
                    for at in (*reason.speaking_for(REASONS), *reason.speaking_against(REASONS))
                ],
                "without_your_ratings": round(reason.global_mean + reason.item_bias, DIGITS),
            }
            for reason in reasons
        ]

    def _because(self, guest: Guest, at: int, contribution: float) -> dict[str, Any]:
        item = self._items[guest.rows[at]]
        return {
            "item": item["item"],
            "title": item["title"],
            "rating": float(str(guest.values[at])),  # as short as it reads
            "contribution": round(contribution, DIGITS),
        }
