"""The algorithms, by the names that people give."""

from __future__ import annotations

from funksvd.hyperparameters import Hyperparameters
from funksvd.training.learners.base import Learner
from funksvd.training.learners.bayes import GibbsLearner, ImplicitGibbsLearner
from funksvd.training.learners.incremental import IncrementalLearner
from funksvd.training.learners.minibatch import BatchLearner
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.learners.svdpp import SVDPPLearner

LEARNERS: dict[str, type[Learner]] = {
    "sgd": SGDLearner,
    "svd++": SVDPPLearner,
    "bayes": GibbsLearner,
    "bayes++": ImplicitGibbsLearner,
    "incremental": IncrementalLearner,
}


def choose_learner(hyperparameters: Hyperparameters) -> type[Learner]:
    """The learner for hyperparameters that are resolved."""
    chosen = LEARNERS[hyperparameters.algorithm]
    one_by_one = (hyperparameters.optimizer, hyperparameters.batch_size) == ("sgd", 1)
    return BatchLearner if chosen is SGDLearner and not one_by_one else chosen
