"""What is served, without HTTP: questions in raw ids, answers in plain data."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from funksvd.errors import UnknownIdError
from funksvd.learned.explain import Explanation
from funksvd.learned.fold_in import OtherSide
from funksvd.learned.scoring import best_items
from funksvd.model import FunkSVD
from funksvd.ratings import CompressedRows, simplified

REASONS = 3
"""How many ratings for and against an item an explanation names."""
SIMILAR_ENOUGH = 70
"""Titles that contain no word of a search are found from this score of rapidfuzz on, of 100."""

ONE_USER = np.zeros(1, dtype=np.int32)


class Service:
    """A model, the titles of its items, and what can be asked about them.

    Parameters
    ----------
    model : FunkSVD
        Fitted.
    titles : dict, optional
        Title by item id, of any items; an item without one is called by its id.
    """

    def __init__(self, model: FunkSVD, titles: dict | None = None) -> None:
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
        self._simplified = [simplified(each["title"]) for each in self._items]
        self._users = {str(user): user for user in model.user_ids.tolist()}

    def warm_up(self) -> None:
        """Answer one question of each kind, so that nobody waits until kernels are compiled."""
        user, item = next(iter(self._users)), next(iter(self._rows))
        self.predict(user, item)
        self.recommend(user, 1)
        self.similar(item, 1)
        self.fold_in({item: self.model.rating_scale[1]}, 1, explain=True)

    def describe(self) -> dict[str, Any]:
        """What the model is."""
        low, high = self.model.rating_scale
        return {
            "model": self.model.title,
            "n_users": len(self._users),
            "n_items": len(self._items),
            "n_ratings": self.model.n_ratings,
            "rating_scale": [low, high],
        }

    def item(self, item: int | str) -> dict[str, Any]:
        """An item, its title and how often it was rated.

        Raises
        ------
        UnknownIdError
            If the model does not know it.
        """
        row = self._rows.get(str(item))
        if row is None:
            raise UnknownIdError(f"the model does not know item {item}")
        return self._items[row]

    def find_items(self, text: str, n: int) -> list[dict[str, Any]]:
        """Items by how words of their titles begin, popular ones first; or by similar titles.

        Parameters
        ----------
        text : str
            Empty for the most popular items of all.
        n : int
        """
        wanted = simplified(text)
        words = wanted.split()
        found = [
            (not title.startswith((wanted, f"the {wanted}")), -self._items[row]["n_ratings"], row)
            for row, title in enumerate(self._simplified)
            if all(f" {word}" in f" {title}" for word in words)  # of which words begin so
        ]
        rows = [row for *_, row in sorted(found)[:n]]
        if not rows:
            names = self._simplified
            alike = process.extract(
                wanted, names, scorer=fuzz.WRatio, limit=n, score_cutoff=SIMILAR_ENOUGH
            )
            rows = [row for *_, row in alike]
        return [self._items[row] for row in rows]

    def predict(self, user: int | str, item: int | str) -> dict[str, Any]:
        """The predicted rating of an item by a user, from what is known of either."""
        row, known_user = self._rows.get(str(item)), self._users.get(str(user))
        user = user if known_user is None else known_user
        item = item if row is None else self._items[row]["item"]
        return {
            "user": user,
            "item": item,
            "prediction": round(float(self.model.predict(user, item)), 4),
            "knows_user": known_user is not None,
            "knows_item": row is not None,
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
            {**self.item(item), "prediction": round(prediction, 4)} for item, prediction in found
        ]

    def similar_users(self, user: int | str, n: int) -> list[dict[str, Any]]:
        """Users whose taste points the same way.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        found = self.model.similar_users(self._user(user), n)
        return [
            {"user": other, "similarity": round(float(similarity), 4)}
            for other, similarity in found
        ]

    def similar(self, item: int | str, n: int) -> list[dict[str, Any]]:
        """Items like another.

        Raises
        ------
        UnknownIdError
            If the model does not know the item.
        """
        found = self.model.similar(self.item(item)["item"], n)
        return [
            {**self.item(other), "similarity": round(float(similarity), 4)}
            for other, similarity in found
        ]

    def fold_in(self, ratings: dict[str, float], n: int, explain: bool = False) -> dict[str, Any]:
        """The best items of someone new, by their ratings.

        Parameters
        ----------
        ratings : dict of str to float
            By item id.
        n : int
        explain : bool
            Whether to say which ratings speak for and against each.

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
        columns = np.array(sorted(known), dtype=np.int32)
        values = np.array([known[row] for row in columns.tolist()], dtype=np.float32)
        best, predictions = self._best(columns, values, n)
        answer = [
            {**self._items[row], "prediction": round(prediction, 4)}
            for row, prediction in zip(best.tolist(), predictions.tolist(), strict=True)
        ]
        if explain and answer:
            ids = self.model.item_ids
            reasons = self.model.explain(ids[columns], values, ids[best])
            for each, reason in zip(answer, reasons, strict=True):
                at_most = (*reason.speaking_for(REASONS), *reason.speaking_against(REASONS))
                each["because"] = [self._reason(reason, at) for at in at_most]
                each["without_your_ratings"] = round(reason.global_mean + reason.item_bias, 4)
        unknown = [key for key in ratings if key not in self._rows]
        return {"recommendations": answer, "unknown_items": unknown}

    def _user(self, user: int | str) -> int | str:
        if str(user) not in self._users:
            raise UnknownIdError(f"the model does not know user {user}")
        return self._users[str(user)]

    @cached_property
    def _side(self) -> OtherSide:
        return self.model.items_side()

    @cached_property
    def _item_norms(self) -> np.ndarray:
        return np.linalg.norm(self.model.item_factors, axis=1)

    def _best(self, columns: np.ndarray, values: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
        """Rows of the best items of someone who has rated these, ascending, and predictions.

        The same as `FunkSVD.for_new_users` and its `recommend`, without ids.
        """
        by_user = CompressedRows(np.array([0, len(columns)]), columns, values)
        biases, factors = self._side.fold(by_user)
        parameters = self.model.parameters._replace(user_biases=biases, user_factors=factors)
        rated = CompressedRows(by_user.indptr, columns)
        batches = best_items(parameters, ONE_USER, n, exclude=(rated,), item_norms=self._item_norms)
        best = next(batches)
        found = best.items[0] >= 0
        predictions = np.clip(best.predictions[0, found], *self.model.rating_scale)
        return best.items[0, found], predictions

    def _reason(self, reason: Explanation, at: int) -> dict[str, Any]:
        item = self.item(reason.rated[at])
        return {
            "item": item["item"],
            "title": item["title"],
            "rating": float(str(reason.ratings[at])),  # as short as it reads
            "contribution": round(float(reason.contributions[at]), 4),
        }
