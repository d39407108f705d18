"""Training: the block plan, the run of epochs, learners and executors."""

from funksvd.hyperparameters import ALGORITHMS, LOSSES, Hyperparameters
from funksvd.parallel import available_processors
from funksvd.training.checkpoints import Checkpoints, check_resumable, opened
from funksvd.training.choices import (
    beside_ratings,
    learn_choices,
    pairs_of,
    weighting_of,
)
from funksvd.training.context import Context, Findings
from funksvd.training.ensemble import train_ensemble
from funksvd.training.interrupts import Interrupts
from funksvd.training.learners.base import RatingLearner
from funksvd.training.learners.registry import LEARNERS
from funksvd.training.losses import check_ratings
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.pairs import PairPlan
from funksvd.training.plan import BlockPlan, Triples
from funksvd.training.planning import plan_blocks
from funksvd.training.preparing import (
    Beside,
    GivenFeatures,
    check_uses_interactions,
    make_plan,
)
from funksvd.training.record import TrainingRecord
from funksvd.training.scale import Scale, check_learnable
from funksvd.training.search import search_best
from funksvd.training.stopping import Stopped
from funksvd.training.trainer import TrainingResult, train
from funksvd.training.validation import Validation

__all__ = [
    "ALGORITHMS",
    "LEARNERS",
    "LOSSES",
    "Beside",
    "BlockPlan",
    "Checkpoints",
    "Context",
    "EpochRecord",
    "Findings",
    "GivenFeatures",
    "Hyperparameters",
    "Interrupts",
    "Monitor",
    "PairPlan",
    "RatingLearner",
    "Scale",
    "Stopped",
    "TrainingRecord",
    "TrainingResult",
    "Triples",
    "Validation",
    "available_processors",
    "beside_ratings",
    "check_learnable",
    "check_ratings",
    "check_resumable",
    "check_uses_interactions",
    "learn_choices",
    "make_plan",
    "opened",
    "pairs_of",
    "plan_blocks",
    "search_best",
    "train",
    "train_ensemble",
    "weighting_of",
]
