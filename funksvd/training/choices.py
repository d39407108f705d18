"""Learning a choice model: from clicks, from counts, or beside a model of ratings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from funksvd.errors import RatingsError, counted
from funksvd.hyperparameters import Hyperparameters
from funksvd.learned import LearnedChoices
from funksvd.learned.weighting import Weighting
from funksvd.parallel import extremes
from funksvd.ratings import CompressedRows, Interactions
from funksvd.training.checkpoints import Checkpoints
from funksvd.training.ensemble import train_ensemble
from funksvd.training.interrupts import Interrupts
from funksvd.training.monitor import Monitor
from funksvd.training.pairs import PairPlan
from funksvd.training.search import search_best
from funksvd.training.trainer import TrainingResult

FACTORS_BESIDE = {10_000_000: 128, 50_000_000: 64}
"""Factors of a choice model that is learned beside ratings, by the largest number of ratings.

There is none for more ratings than the last. With 256, lists are as good on MovieLens 100K, and
better by a percent on latest-small, but learning and answering take twice as long.
"""


def weighting_of(interactions: Interactions) -> Weighting:
    """The rule by which pairs are weighted: by ratings or counts, if they have any.

    Ratings that are all the same say no more than that there is a pair.

    Raises
    ------
    RatingsError
        If a count is zero.
    """
    if interactions.values is not None:
        low, high = extremes(interactions.values)
        return Weighting("rating", low, high) if low < high else Weighting("none")
    weights = interactions.weights
    if weights is not None and not weights.all():
        n_zero = len(weights) - np.count_nonzero(weights)
        raise RatingsError(
            f"{interactions.source}: {n_zero:,} of {counted(len(weights), 'pair')} have a weight "
            "of 0; leave out what has never happened"
        )
    return Weighting.of("count", weights)


def pairs_of(interactions: Interactions, weighting: Weighting, n_threads: int) -> CompressedRows:
    """Items of each user, with levels.

    Parameters
    ----------
    interactions : Interactions
        No pair repeats.
    weighting : Weighting
    n_threads : int
        Does not change the result.
    """
    values = interactions.values if weighting.kind == "rating" else interactions.weights
    levels = weighting.levels(values, len(interactions))
    return CompressedRows.from_pairs(
        interactions.user_index, interactions.item_index, interactions.n_users, levels, n_threads
    )


def beside_ratings(hyperparameters: Hyperparameters, n_ratings: int) -> Hyperparameters | None:
    """The choice model to be learned beside a model of ratings; None for none.

    Parameters
    ----------
    hyperparameters : Hyperparameters
        Of the model of ratings.
    n_ratings : int
    """
    if not hyperparameters.choice:
        return None
    for most, n_factors in FACTORS_BESIDE.items():
        if n_ratings <= most:
            return Hyperparameters(
                algorithm="ials",
                n_factors=n_factors,
                seed=hyperparameters.seed,
                n_threads=hyperparameters.n_threads,
            )
    return None


def learn_choices(
    plan: PairPlan,
    hyperparameters: Hyperparameters,
    monitor: Monitor,
    *,
    purpose: str = "fit",
    interrupts: Interrupts | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[LearnedChoices]:
    """Learn a choice model; pairs that the plan holds back decide how many epochs are best.

    Parameters
    ----------
    plan : PairPlan
    hyperparameters : Hyperparameters
        Of algorithm "ials".
    monitor : Monitor
    purpose : str
        What the monitor is told where nothing is held back.
    interrupts : Interrupts, optional
    checkpoints : Checkpoints, optional

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C comes before the first epoch is complete. Later, the result is that of the best
        epoch; during the refit, that of the search.
    """
    interrupts = interrupts or Interrupts()
    if not plan.n_held_back:
        return train_ensemble(
            plan,
            hyperparameters,
            purpose,
            monitor=monitor,
            interrupts=interrupts,
            checkpoints=checkpoints,
        )
    search = search_best(
        plan, hyperparameters, monitor=monitor, interrupts=interrupts, checkpoints=checkpoints
    )
    if search.interrupted or not hyperparameters.refit:
        return search
    plan = plan.with_all_learned(hyperparameters.thread_count())
    try:
        refit = train_ensemble(
            plan,
            hyperparameters,
            "refit",
            findings=search.findings,
            monitor=monitor,
            interrupts=interrupts,
            checkpoints=checkpoints,
        )
    except KeyboardInterrupt:
        return search.as_interrupted()
    if refit.interrupted:  # half a refit is worse than the whole search
        return search.as_interrupted()
    before = search.record
    record = replace(refit.record, history=before.history, stopped=before.stopped, refitted=True)
    return replace(refit, record=record)
