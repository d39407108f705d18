"""A few users as examples: their ratings, recommendations and test ratings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.model import FunkSVD
from funksvd.ratings import Ratings
from funksvd.report.labels import Labels

ACTIVITY = {
    "Among the most active": 0.95,
    "As active as most": 0.5,
    "Among the least active": 0.05,
}
"""Share of the users who have rated less than an example, by the words for it."""
N_LIKED, N_DISLIKED, N_RECOMMENDED, N_TESTED = 6, 3, 8, 5
"""Largest numbers of items shown: rated highest and lowest, recommended, and of the test part."""


class Rated(NamedTuple):
    """An item and its rating; the prediction too, if it was set aside for the test."""

    label: str
    rating: float
    prediction: float | None = None


class Recommended(NamedTuple):
    """An item and its predicted rating."""

    label: str
    prediction: float


class Person(NamedTuple):
    """A user as an example.

    Parameters
    ----------
    user : int or str
        Raw id.
    activity : str
        Words for how much the user has rated: a key of `ACTIVITY`.
    n_ratings : int or None
        Ratings learned from; None where the model does not know.
    mean : float or None
        Mean of the user's ratings; None where ratings are not known.
    liked, disliked : list of Rated
        The highest ratings and the lowest; empty where ratings are not known.
    tested : list of Rated
        Some of the user's test ratings, by item id.
    n_tested : int
        Number of the user's test ratings.
    recommended : list of Recommended
        Items with the highest predictions.
    """

    user: int | str
    activity: str
    n_ratings: int | None
    mean: float | None
    liked: list[Rated]
    disliked: list[Rated]
    tested: list[Rated]
    n_tested: int
    recommended: list[Recommended]


def choose_people(
    model: FunkSVD,
    labels: Labels,
    n_ratings: np.ndarray | None,
    training: Ratings | None,
    test: Ratings | None,
) -> list[Person]:
    """Users of different activity; with test ratings, if there are enough such users.

    Parameters
    ----------
    model : FunkSVD
    labels : Labels
    n_ratings : ndarray of shape (n_users,), int, or None
        Ratings learned from, of each user.
    training, test : Ratings or None
        What the model learned from and was tested on, as far as that is known.
    """
    counts = np.zeros(len(model.user_ids), dtype=int) if n_ratings is None else n_ratings
    order = np.argsort(counts, kind="stable")
    if test is not None:
        tested = test.compact().users.positions_in(model.users)
        among = order[np.isin(order, tested)]
        order = among if len(among) >= len(ACTIVITY) else order
    chosen: dict[int, str] = {}
    for activity, share in ACTIVITY.items():
        row = int(order[round(share * (len(order) - 1))])
        chosen.setdefault(row, activity if n_ratings is not None else "Of unknown activity")
    return [
        _person(model, labels, row, training, test)._replace(
            activity=activity, n_ratings=None if n_ratings is None else int(n_ratings[row])
        )
        for row, activity in chosen.items()
    ]


def _person(
    model: FunkSVD, labels: Labels, row: int, training: Ratings | None, test: Ratings | None
) -> Person:
    user = model.users.label(row)
    found = model.recommend(user, N_RECOMMENDED, include_seen=model.seen is None)
    person = Person(
        user=user,
        activity="",
        n_ratings=None,
        mean=None,
        liked=[],
        disliked=[],
        tested=[],
        n_tested=0,
        recommended=[
            Recommended(labels[model.items.row(item)], prediction or 0.0)
            for item, prediction, *_ in found
        ],
    )
    if training is not None:
        items, values = _ratings_of(user, model, training)
        order = np.argsort(-values, kind="stable")
        rated = [Rated(labels[int(items[at])], float(values[at])) for at in order]
        person = person._replace(
            mean=float(values.mean()) if len(values) else None,
            liked=rated[:N_LIKED],
            disliked=rated[N_LIKED:][-N_DISLIKED:],
        )
    if test is not None:
        items, values = _ratings_of(user, model, test)
        shown_items = items[:N_TESTED]
        predictions = model.predict_index(np.full(len(shown_items), row, np.int32), shown_items)
        shown = zip(shown_items.tolist(), values.tolist(), predictions.tolist(), strict=False)
        person = person._replace(
            tested=[Rated(labels[item], value, guess) for item, value, guess in shown],
            n_tested=len(items),
        )
    return person


def _ratings_of(user: int | str, model: FunkSVD, ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the items that a user rated, ascending, and the ratings; known items only."""
    mine = np.flatnonzero(ratings.user_index == ratings.users.rows([user])[0])  # -1: nobody
    items = ratings.items.translate(ratings.item_index[mine], model.items)
    order = np.argsort(items, kind="stable")
    order = order[items[order] >= 0]
    return items[order], ratings.values[mine][order]
