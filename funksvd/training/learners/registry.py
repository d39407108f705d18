"""The algorithms, by the names that people give."""

from __future__ import annotations

from typing import Any

from funksvd.hyperparameters import Hyperparameters
from funksvd.training.learners.base import AnyLearner
from funksvd.training.learners.bayes import GibbsLearner, ImplicitGibbsLearner
from funksvd.training.learners.ials import IALSLearner
from funksvd.training.learners.incremental import IncrementalLearner
from funksvd.training.learners.minibatch import BatchLearner
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.learners.svdpp import SVDPPLearner

LEARNERS: dict[str, type[AnyLearner]] = {
    "sgd": SGDLearner,
    "svd++": SVDPPLearner,
    "bayes": GibbsLearner,
    "bayes++": ImplicitGibbsLearner,
    "incremental": IncrementalLearner,
    "ials": IALSLearner,
}


def choose_learner(hyperparameters: Hyperparameters, plan: Any = None) -> type[AnyLearner]:
    """The learner for hyperparameters that are resolved, and for a plan.

    A plan may have a `learner` of its own: where its ratings lie, no other could read them.
    """
    if own := getattr(plan, "learner", None):
        return own
    chosen = LEARNERS[hyperparameters.algorithm]
    one_by_one = (hyperparameters.optimizer, hyperparameters.batch_size) == ("sgd", 1)
    return BatchLearner if chosen is SGDLearner and not one_by_one else chosen
