"""What is served, without HTTP: questions in raw ids, answers in plain data."""

from __future__ import annotations

from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from funksvd.errors import UnknownIdError
from funksvd.model import FunkSVD
from funksvd.newcomers import Explanation
from funksvd.ratings import Ratings

REASONS = 3
"""How many ratings for and against an item an explanation names."""
SIMILAR_ENOUGH = 70
"""Titles that contain no word of a search are found from this score of rapidfuzz on, of 100."""


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
        self._items = {str(item): item for item in model.item_ids.tolist()}
        self._users = {str(user): user for user in model.user_ids.tolist()}
        self._titles = {item: by_text.get(item) or item for item in self._items}
        self._folded = {item: title.casefold() for item, title in self._titles.items()}
        seen = model.seen
        counts = (
            np.zeros(len(self._items), dtype=np.int64)
            if seen is None
            else np.bincount(seen.items, minlength=len(self._items))
        )
        self._n_ratings = dict(zip(self._items, counts.tolist(), strict=True))

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
        key = str(item)
        if key not in self._items:
            raise UnknownIdError(f"the model does not know item {item}")
        return {
            "item": self._items[key],
            "title": self._titles[key],
            "n_ratings": self._n_ratings[key],
        }

    def find_items(self, text: str, n: int) -> list[dict[str, Any]]:
        """Items by a part of their titles, or by a title that looks like it; popular ones first.

        Parameters
        ----------
        text : str
            Empty for the most popular items of all.
        n : int
        """
        wanted = text.casefold().strip()
        words = wanted.split()
        found = [
            (not title.startswith(wanted), -self._n_ratings[item], item)
            for item, title in self._folded.items()
            if all(word in title for word in words)
        ]
        keys = [item for *_, item in sorted(found)[:n]]
        if not keys:
            alike = process.extract(
                wanted, self._folded, scorer=fuzz.WRatio, limit=n, score_cutoff=SIMILAR_ENOUGH
            )
            keys = [item for _, _, item in alike]
        return [self.item(key) for key in keys]

    def predict(self, user: int | str, item: int | str) -> float:
        """The predicted rating of an item by a user, from what is known of either."""
        user, item = self._users.get(str(user), user), self._items.get(str(item), item)
        return round(float(self.model.predict(user, item)), 4)

    def recommend(self, user: int | str, n: int) -> list[dict[str, Any]]:
        """The best unseen items of a user of the model.

        Raises
        ------
        UnknownIdError
            If the model does not know the user.
        """
        if str(user) not in self._users:
            raise UnknownIdError(f"the model does not know user {user}")
        found = self.model.recommend(self._users[str(user)], n)
        return [self._predicted(item, prediction) for item, prediction in found]

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
        known = {key: value for key, value in ratings.items() if key in self._items}
        if not known:
            raise UnknownIdError(
                "the model knows none of these items; it knows, for instance, "
                f"{', '.join(list(self._items)[:3])}"
            )
        items = [self._items[key] for key in known]
        values = np.array(list(known.values()), dtype=np.float32)
        guest = self.model.for_new_users(Ratings.from_arrays([0] * len(items), items, values))
        found = guest.recommend(0, n)
        answer = [self._predicted(item, prediction) for item, prediction in found]
        if explain and found:
            reasons = self.model.explain(items, values, [item for item, _ in found])
            for each, reason in zip(answer, reasons, strict=True):
                at_most = (*reason.speaking_for(REASONS), *reason.speaking_against(REASONS))
                each["because"] = [self._reason(reason, at) for at in at_most]
                each["without_your_ratings"] = round(reason.global_mean + reason.item_bias, 4)
        unknown = [key for key in ratings if key not in known]
        return {"recommendations": answer, "unknown_items": unknown}

    def _reason(self, reason: Explanation, at: int) -> dict[str, Any]:
        key = str(reason.rated[at])
        return {
            "item": self._items[key],
            "title": self._titles[key],
            "rating": float(str(reason.ratings[at])),  # as short as it reads
            "contribution": round(float(reason.contributions[at]), 4),
        }

    def _predicted(self, item: int | str, prediction: float) -> dict[str, Any]:
        return {**self.item(item), "prediction": round(float(prediction), 4)}
