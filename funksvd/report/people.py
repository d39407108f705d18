"""A few users as examples: what they have rated or come to, their lists, and their test part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.model import FunkSVD
from funksvd.ratings import Interactions
from funksvd.report.labels import Labels

ACTIVITY = {
    "Among the most active": 0.95,
    "As active as most": 0.5,
    "Among the least active": 0.05,
}
"""Share of the users who have rated less than an example, by the words for it."""
N_LIKED, N_DISLIKED, N_RECOMMENDED, N_TESTED = 6, 3, 8, 5
"""Largest numbers of items shown: rated highest and lowest, recommended, and of the test part."""
N_CHOSEN = N_LIKED + N_DISLIKED
"""Largest number of items shown that a user has come to, where there are no ratings."""


class Own(NamedTuple):
    """An item of a user's own.

    Parameters
    ----------
    label : str
    rating : float or None
        The user's rating.
    times : float or None
        How often the user has come to it, where that is known and there are no ratings.
    prediction : float or None
        The predicted rating, if it was set aside for the test.
    score : float or None
        The score of a choice model alone, if it was set aside for the test.
    """

    label: str
    rating: float | None = None
    times: float | None = None
    prediction: float | None = None
    score: float | None = None


class Recommended(NamedTuple):
    """An item of a list.

    Parameters
    ----------
    label : str
    prediction : float or None
        The predicted rating; None where the model knows choices only.
    score : float
        What the list is ordered by.
    n_ratings : int or None
        Number of the item's ratings or pairs, where it is known.
    """

    label: str
    prediction: float | None
    score: float
    n_ratings: int | None


class Person(NamedTuple):
    """A user as an example.

    Parameters
    ----------
    user : int or str
        Raw id.
    activity : str
        Words for how much the user has rated: a key of `ACTIVITY`.
    n_ratings : int or None
        Ratings or pairs learned from; None where the model does not know.
    mean : float or None
        Mean of the user's ratings; None where ratings are not known.
    liked, disliked : list of Own
        The highest ratings and the lowest; empty where ratings are not known.
    chosen : list of Own
        What the user has come to, where there are no ratings: most often first, then the items
        that the most users have.
    tested : list of Own
        Some of the user's test ratings or pairs, by item id.
    n_tested : int
        Number of the user's test ratings or pairs.
    recommended : list of Recommended
        The best items by the model's first ranking.
    """

    user: int | str
    activity: str
    n_ratings: int | None
    mean: float | None
    liked: list[Own]
    disliked: list[Own]
    chosen: list[Own]
    tested: list[Own]
    n_tested: int
    recommended: list[Recommended]


def choose_people(
    model: FunkSVD,
    labels: Labels,
    n_ratings: np.ndarray | None,
    training: Interactions | None,
    test: Interactions | None,
) -> list[Person]:
    """Users of different activity; with test ratings, if there are enough such users.

    Parameters
    ----------
    model : FunkSVD
    labels : Labels
    n_ratings : ndarray of shape (n_users,), int, or None
        Ratings or pairs learned from, of each user.
    training, test : Ratings, Interactions or None
        What the model learned from and was tested on, as far as that is known.
    """
    counts = np.zeros(len(model.user_ids), dtype=int) if n_ratings is None else n_ratings
    order = np.argsort(counts, kind="stable")
    if counts.any():  # others are known from their features alone
        order = order[counts[order] > 0]
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
    model: FunkSVD,
    labels: Labels,
    row: int,
    training: Interactions | None,
    test: Interactions | None,
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
        chosen=[],
        tested=[],
        n_tested=0,
        recommended=[Recommended(labels[model.items.row(each.item)], *each[1:]) for each in found],
    )
    if training is not None:
        items, own = _own(user, model, training)
        values = own.values
        if values is not None:
            order = np.argsort(-values, kind="stable")
            rated = [Own(labels[int(items[at])], float(values[at])) for at in order]
            person = person._replace(
                mean=float(values.mean()) if len(values) else None,
                liked=rated[:N_LIKED],
                disliked=rated[N_LIKED:][-N_DISLIKED:],
            )
        else:
            person = person._replace(chosen=_chosen(model, labels, items, own.weights))
    elif model.fitted.rating is None and model.seen is not None:
        items = model.seen.columns[model.seen.indptr[row] : model.seen.indptr[row + 1]]
        person = person._replace(chosen=_chosen(model, labels, items, None))
    if test is not None:
        items, own = _own(user, model, test)
        n_tested = len(items)
        items, own = items[:N_TESTED], own.subset(np.arange(n_tested)[:N_TESTED])
        users = np.full(len(items), row, np.int32)
        nothing: list[float | None] = [None] * len(items)
        predictions = scores = nothing
        if model.fitted.rating is None:
            scores = model.fitted.choice_model.scores(users, items).tolist()
        else:
            predictions = model.predict_index(users, items, own.timestamps).tolist()
        ratings = nothing if own.values is None else own.values.tolist()
        shown = zip(labels.of(items.tolist()), ratings, predictions, scores, strict=True)
        person = person._replace(
            tested=[
                Own(label, rating, prediction=prediction, score=score)
                for label, rating, prediction, score in shown
            ],
            n_tested=n_tested,
        )
    return person


def _chosen(
    model: FunkSVD, labels: Labels, items: np.ndarray, counts: np.ndarray | None
) -> list[Own]:
    """Some of the items that a user has come to, of these rows and counts."""
    of_all = model.fitted.item_counts
    popularity = np.zeros(len(model.items)) if of_all is None else of_all
    often = np.ones(len(items)) if counts is None else counts
    order = np.lexsort((items, -popularity[items], -often))[:N_CHOSEN]
    return [
        Own(labels[int(items[at])], times=None if counts is None else float(counts[at]))
        for at in order
    ]


def _own(user: int | str, model: FunkSVD, given: Interactions) -> tuple[np.ndarray, Interactions]:
    """What a user has come to: rows of the items, ascending, and the interactions with them."""
    mine = np.flatnonzero(given.user_index == given.users.rows([user])[0])  # -1: nobody
    items = given.items.translate(given.item_index[mine], model.items)
    order = np.argsort(items, kind="stable")
    order = order[items[order] >= 0]
    return items[order], given.subset(mine[order])
