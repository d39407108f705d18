"""The algorithms, by the names that people give."""

from __future__ import annotations

from funksvd.training.learner import Learner
from funksvd.training.sgd import SGDLearner
from funksvd.training.svdpp import SVDPPLearner

LEARNERS: dict[str, type[Learner]] = {
    "sgd": SGDLearner,
    "svd++": SVDPPLearner,
}
