"""Compilation of all kernels ahead of time."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from funksvd.evaluation import evaluate_ranking
from funksvd.gradcheck import OBJECTIVES, random_problem
from funksvd.gradcheck.witnesses import by_kernel
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.kernels import (
    PORTABLE,
    rows_with_repeats,
    telling_of_compilation,
    turn_into_probabilities,
)
from funksvd.model import FunkSVD
from funksvd.ratings import Interactions, Ratings
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.plain import PlainRows
from funksvd.ratings.times import SECONDS_PER_DAY
from funksvd.splitting import random_split

DESCENDING = [
    name
    for name, algorithm in ALGORITHMS.items()
    if algorithm.learns == "rating" and not algorithm.is_sampler
]
"""Names of the algorithms whose kernels depend on the length of the factors."""
MANY_USERS = 300_000
"""Number of users at which the place of a user in a group takes more than 16 bits."""


IN_ANOTHER_PROCESS = """
import json, sys
sys.path[:], n_factors = map(json.loads, sys.argv[1:])
from funksvd.warmup import warm_up
print(json.dumps(warm_up(n_factors)))
"""


def warm_up(n_factors: Sequence[int] = (64,), *, portable: bool = False) -> list[str]:
    """Compile every kernel, so that no later process has to.

    Everything that needs a kernel is done once, with little data. Kernels that were compiled before
    are found in the cache. Training is compiled for the squared loss here; for other losses, and
    for non-negative factors, it is compiled at its first use.

    Parameters
    ----------
    n_factors : sequence of int
        Lengths of factor vectors to prepare for: training is compiled for each multiple of 16
        that they are rounded up to.
    portable : bool
        Compile for other processors than this one, too: for all x86-64 processors with AVX2 and
        FMA, or for all 64-bit ARM processors. What is computed is the same, bit for bit. A process
        prefers code that was compiled for its own processor.

    Returns
    -------
    list of str
        Names of the functions that had to be compiled, one for each kind of arguments.

    Raises
    ------
    FunkSVDError
        If one of `n_factors` is less than 1.
    """
    for length in n_factors:
        Hyperparameters(n_factors=length).check()
    if portable:
        return _warm_up_portably(n_factors)
    compiled: list[str] = []
    with telling_of_compilation(compiled.append):
        few = _random_ratings(40, 30, 400)
        for ratings in (few, _random_ratings(MANY_USERS, 10, MANY_USERS)):
            for length, algorithm in itertools.product(n_factors, DESCENDING):
                model = FunkSVD(
                    algorithm=algorithm,
                    n_factors=length,
                    n_epochs=1,
                    validation_fraction=0.1,
                    choice=False,  # of many users it takes minutes, and needs no other kernels
                )
                model.fit(ratings)
        for length in n_factors:
            for batch_size in (64, "full"):
                batches = FunkSVD(n_factors=length, n_epochs=1, batch_size=batch_size, choice=False)
                batches.fit(few)
        _warm_up_choices(few)
        training = ratings.subset(np.arange(1000))
        model.evaluate(ratings.subset(np.arange(1000, 1100)), training=training)
        rated = model.item_ids[:3]
        model.fold_in(rated, [1, 2, 3])
        model.explain(rated, [1, 2, 3], rated)
        sampled = FunkSVD(algorithm="bayes++", n_factors=1, n_epochs=2, choice=False).fit(training)
        sampled.predict_std(training.user_ids[0], training.item_ids[0])
        sampled.predict_probability(training.user_ids[0], training.item_ids[0])
        for users in (ratings.user_ids[:1], ratings.user_ids[:100]):
            list(model.recommend_all(users, 3))
        if model.seen is not None:
            rows_with_repeats(model.seen.indptr, model.seen.columns)
        triples = Layout(",", 3, {"user": 0, "item": 1, "rating": 2})
        PlainRows(triples, ("user", "item")).parse(b"1,2,3\n")
        turn_into_probabilities(np.zeros(1, np.float32))
        _warm_up_days()
        for objective in OBJECTIVES.values():
            by_kernel(objective, random_problem(objective))
    return compiled


def _warm_up_days() -> None:
    """Learn from ratings that are low on some days and high on others, and predict for a day."""
    at = np.arange(80)
    day = at // 4 % 2
    ratings = Ratings.from_arrays(at % 4, at // 4, 1.0 + 4 * day, (11_000 + day) * SECONDS_PER_DAY)
    model = FunkSVD(n_factors=1, n_epochs=1, validation_fraction=0, choice=False).fit(ratings)
    model.predict(0, 0, 11_000 * SECONDS_PER_DAY)


def _warm_up_choices(ratings: Ratings) -> None:
    """Do all that choice models are for, alone and beside a model of ratings.

    Its kernels are the same for all lengths of factors.
    """
    clicks = Interactions.from_arrays(ratings.user_index, ratings.item_index)
    counted = Interactions.from_arrays(
        ratings.user_index, ratings.item_index, weights=ratings.values
    )
    training, test = random_split(ratings, 0.2, seed=0)
    alone = [
        FunkSVD(algorithm="ials", n_factors=16, n_epochs=1).fit(data) for data in (clicks, counted)
    ]
    sampled = FunkSVD(algorithm="bayes", n_factors=1, n_epochs=2)
    both = FunkSVD(n_factors=16, n_epochs=1)
    items = np.arange(len(ratings.items) + 1)
    known = {"item": items, "kind": items % 2}
    for model in (*alone, both.fit(training, item_features=known), sampled.fit(training)):
        user, item = model.user_ids[0], model.item_ids[0]
        for by in model.rankings:
            for users in ([user], model.user_ids):
                list(model.recommend_all(users, 3, by=by))
                list(model.recommend_all(users, 3, by=by, exclude=[item], diversify=0.5))
            model.because([item], by=by, user=user)
        model.similar(item, 3)
        model.similar_users(user, 3)
        list(model.for_new_users(ratings).recommend_all(n=3))
        if model.fitted.rating is not None:
            evaluate_ranking(model, test, relevant_from=1)


def _warm_up_portably(n_factors: Sequence[int]) -> list[str]:
    """Compile in another process: Numba chooses the processor at its start."""
    arguments = [json.dumps(sys.path), json.dumps(list(n_factors))]
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, *arguments],
        env=os.environ | PORTABLE,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def _random_ratings(n_users: int, n_items: int, n_ratings: int) -> Ratings:
    """Ratings at random, of which each user and each item has at least one."""
    random = np.random.default_rng(0)
    at = np.arange(n_ratings)
    return Ratings.from_arrays(
        at % n_users, (at + at // n_users) % n_items, random.integers(1, 6, n_ratings)
    )
