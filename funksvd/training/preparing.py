"""From ratings to the plan that an algorithm learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError, argument
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.learned.features import EncodedTable
from funksvd.ratings import Encoding, Interactions, Ratings, read_features
from funksvd.ratings.times import days_of
from funksvd.splitting import is_in
from funksvd.training.learners.base import RatingLearner
from funksvd.training.learners.registry import LEARNERS
from funksvd.training.monitor import Monitor
from funksvd.training.plan import DAY, BlockPlan, Triples
from funksvd.training.planning import choose_n_groups, plan_blocks


def check_uses_interactions(hyperparameters: Hyperparameters) -> None:
    """Raise `FunkSVDError` if the algorithm learns from rated pairs only."""
    if not ALGORITHMS[hyperparameters.algorithm].uses_unrated:
        chosen = argument("algorithm", hyperparameters.algorithm)
        others = (
            argument("algorithm", name)
            for name, algorithm in ALGORITHMS.items()
            if algorithm.uses_unrated
        )
        raise FunkSVDError(
            f"{chosen} has no use for interactions; {' and '.join(others)} learn from them"
        )


class Beside(NamedTuple):
    """What is known besides ratings.

    Parameters
    ----------
    interactions : Interactions or None
        Pairs that are known without a rating; those that are rated, or of ids that the ratings do
        not have, are passed over.
    features : mapping of str to ndarray of shape (n, n_columns), float32
        Encoded features of the ratings' "user" and "item".
    """

    interactions: Interactions | None = None
    features: Mapping[str, np.ndarray] = MappingProxyType({})


class GivenFeatures:
    """Tables of features that training is given.

    Parameters
    ----------
    users, items : path, table or None
        As `FunkSVD.fit` takes them.

    Attributes
    ----------
    encoded : dict of str to EncodedTable
        For "user" and "item", once `encode` has been called.
    """

    def __init__(self, users: Any = None, items: Any = None) -> None:
        given = {"user": users, "item": items}
        self._tables = {
            what: read_features(source, what)
            for what, source in given.items()
            if source is not None
        }
        self.encoded: dict[str, EncodedTable] = {}

    def encode(self, data: Interactions) -> dict[str, np.ndarray]:
        """Turn them into columns of numbers.

        Parameters
        ----------
        data : Interactions
            Each of its users and items has a rating, or a pair.

        Returns
        -------
        dict of str to ndarray of shape (n, n_columns), float32
            Of the data's "user" and "item".

        Raises
        ------
        RatingsError
            If a table has no column with their ids, or none that tells them apart.
        """
        rows = {}
        for what, table in self._tables.items():
            rated = data.users if what == "user" else data.items
            encoding = Encoding.of(table, rated)
            self.encoded[what] = EncodedTable(encoding, *encoding.encode(table, rated))
            rows[what] = self.encoded[what].rows(rated)
        return rows


def make_plan(
    hyperparameters: Hyperparameters,
    ratings: Ratings,
    held_back: np.ndarray | None,
    beside: Beside,
    monitor: Monitor,
) -> BlockPlan:
    """The plan that an algorithm learns from.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    ratings : Ratings
    held_back : ndarray of shape (n_ratings,), bool, or None
        Ratings that decide when to stop.
    beside : Beside
    monitor : Monitor
    """
    monitor.planning_started(len(ratings))
    learner = LEARNERS[hyperparameters.algorithm]
    timestamps = ratings.timestamps if hyperparameters.in_use().get("days") else None
    assert issubclass(learner, RatingLearner)
    shape = (ratings.n_users, ratings.n_items)
    plan = plan_blocks(
        Triples(ratings.user_index, ratings.item_index, ratings.values),
        shape,
        further=None if timestamps is None else {DAY: days_of(timestamps)},
        held_back=held_back,
        n_groups=choose_n_groups(
            *shape,
            len(ratings),
            learner.n_batches,
            learner.n_item_batches,
            given=hyperparameters.n_groups,
        ),
        n_batches=learner.n_batches,
        n_item_batches=learner.n_item_batches,
        n_threads=hyperparameters.thread_count(),
    )
    users, items = (beside.features.get(what) for what in ("user", "item"))
    plan = replace(plan, user_features=users, item_features=items)
    if beside.interactions is None:
        return plan
    interactions = beside.interactions
    unrated = interactions.subset(~is_in(interactions, ratings))
    unrated = unrated.over(ratings.users, ratings.items)
    return plan.with_unrated(unrated.user_index, unrated.item_index)
