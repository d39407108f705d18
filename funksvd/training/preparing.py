"""From ratings to the plan that an algorithm learns from."""

from __future__ import annotations

import numpy as np

from funksvd.errors import FunkSVDError, argument
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.ratings import Interactions, Ratings
from funksvd.ratings.times import days_of
from funksvd.splitting import is_in
from funksvd.training.learners.base import RatingLearner
from funksvd.training.learners.registry import LEARNERS
from funksvd.training.monitor import Monitor
from funksvd.training.plan import DAY, BlockPlan, Triples
from funksvd.training.planning import plan_blocks


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


def make_plan(
    hyperparameters: Hyperparameters,
    ratings: Ratings,
    held_back: np.ndarray | None,
    interactions: Interactions | None,
    monitor: Monitor,
) -> BlockPlan:
    """The plan that an algorithm learns from.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    ratings : Ratings
    held_back : ndarray of shape (n_ratings,), bool, or None
        Ratings that decide when to stop.
    interactions : Interactions or None
        Pairs that are known without a rating; those that are rated, or of ids that the ratings do
        not have, are passed over.
    monitor : Monitor
    """
    monitor.planning_started(len(ratings))
    learner = LEARNERS[hyperparameters.algorithm]
    timestamps = ratings.timestamps if hyperparameters.resolved().days else None
    assert issubclass(learner, RatingLearner)
    plan = plan_blocks(
        Triples(ratings.user_index, ratings.item_index, ratings.values),
        (ratings.n_users, ratings.n_items),
        further=None if timestamps is None else {DAY: days_of(timestamps)},
        held_back=held_back,
        n_batches=learner.n_batches,
        n_threads=hyperparameters.thread_count(),
    )
    if interactions is None:
        return plan
    unrated = interactions.subset(~is_in(interactions, ratings))
    unrated = unrated.over(ratings.users, ratings.items)
    return plan.with_unrated(unrated.user_index, unrated.item_index)
